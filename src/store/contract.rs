//! What a store is to the rest of the program.

use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use serde::{Deserialize, Serialize};

use crate::market::{Bar, CorporateAction, Fundamental, Instrument, InstrumentId, Interval, Listed, Side, Source, Symbol, Timestamp};
use crate::quality::{Coverage, Quarantined, Violation};
use crate::snapshot::JobState;
use crate::store::error::StoreError;
use crate::store::table::{Row, TableSpec};

/// A store. One writer at a time; readers never wait for it.
pub trait Store: Send + Sync {
    /// The address, without secrets.
    fn name(&self) -> String;

    /// Writes a batch in one transaction: all of it or nothing. The answer comes after the commit.
    fn append(&self, batch: Batch) -> BoxFuture<'_, Result<Ack, StoreError>>;

    /// The instrument of a symbol, made when it is new.
    fn instrument(&self, symbol: Symbol) -> BoxFuture<'_, Result<Instrument, StoreError>>;

    /// Every instrument, by symbol.
    fn instruments(&self) -> BoxFuture<'_, Result<Vec<Instrument>, StoreError>>;

    /// The watchlist, in order; `None` when none was ever kept.
    fn watchlist(&self) -> BoxFuture<'_, Result<Option<Vec<Instrument>>, StoreError>>;

    /// Keeps the watchlist; instruments that left it stay with their history.
    fn set_watchlist(&self, instruments: Vec<InstrumentId>) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Bars of one instrument by open time, streamed.
    fn bars(&self, query: BarQuery) -> BoxStream<'_, Result<Vec<Bar>, StoreError>>;

    /// What sources were asked for, over a range.
    fn coverage(&self, query: BarQuery) -> BoxFuture<'_, Result<Vec<Coverage>, StoreError>>;

    /// Broken rules, oldest first.
    fn violations(&self, query: RecordQuery) -> BoxFuture<'_, Result<Vec<ViolationRow>, StoreError>>;

    /// What was refused, oldest first.
    fn quarantine(&self, query: RecordQuery) -> BoxFuture<'_, Result<Vec<Quarantined>, StoreError>>;

    /// Writes a job's row; a job with id 0 is new. The answer is its id.
    fn save_job(&self, job: JobRecord) -> BoxFuture<'_, Result<i64, StoreError>>;

    /// Jobs by id.
    fn jobs(&self, which: JobQuery) -> BoxFuture<'_, Result<Vec<JobRecord>, StoreError>>;

    /// Counts and sizes.
    fn status(&self) -> BoxFuture<'_, Result<StoreStatus, StoreError>>;

    /// Bytes on disk.
    fn size(&self) -> BoxFuture<'_, Result<u64, StoreError>>;

    /// Brings the files in order, at the end.
    fn settle(&self) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Reads the whole store for damage; the answer is what was found.
    fn check(&self) -> BoxFuture<'_, Result<Vec<String>, StoreError>>;

    /// Takes the engine's place, until what is answered is dropped: one engine a store.
    fn claim(&self) -> BoxFuture<'_, Result<Claim, StoreError>>;

    /// Deletes at most `at_most` rows that are older than `before`, of a table that says what grows old; the answer
    /// is how many.
    fn prune(&self, table: &'static TableSpec, before: Timestamp, at_most: u32) -> BoxFuture<'_, Result<u64, StoreError>>;

    /// The rows of a table as they are, in the order of its key, after the row with the key `after`; streamed.
    fn rows(&self, table: &'static TableSpec, after: Option<Row>) -> BoxStream<'_, Result<Vec<Row>, StoreError>>;

    /// Writes rows of a table as they are, in one transaction; those whose key is taken are left out. The answer is
    /// how many were new.
    fn put(&self, table: &'static TableSpec, rows: Vec<Row>) -> BoxFuture<'_, Result<u64, StoreError>>;

    /// The key of the last row of a table.
    fn last_key(&self, table: &'static TableSpec) -> BoxFuture<'_, Result<Option<Row>, StoreError>>;

    /// Adds to what was asked of sources; the answers are the totals.
    fn count_requests(&self, counts: Vec<RequestCount>) -> BoxFuture<'_, Result<Vec<u64>, StoreError>>;

    /// What was asked of sources in the stretches that began at `since` or later, by time.
    fn request_counts(&self, since: Timestamp) -> BoxFuture<'_, Result<Vec<RequestCount>, StoreError>>;

    /// What a company did to its shares, by ex-date.
    fn actions(&self, instrument: InstrumentId) -> BoxFuture<'_, Result<Vec<ActionRow>, StoreError>>;

    /// What a company reported, the newest fiscal date first.
    fn fundamentals(&self, instrument: InstrumentId) -> BoxFuture<'_, Result<Vec<FundamentalRow>, StoreError>>;

    /// How sources spell an instrument and spelt it, by provider and time; our own symbols are those of `openbell`.
    fn names(&self, instrument: InstrumentId) -> BoxFuture<'_, Result<Vec<NameRow>, StoreError>>;

    /// Makes and completes the instruments that a source lists, and keeps its spellings from `at` on. What the source
    /// does not say stays as it is; a spelling that so far meant another instrument means this one from `at` on.
    fn list(&self, provider: String, listed: Vec<Listed>, at: Timestamp) -> BoxFuture<'_, Result<ListedCount, StoreError>>;

    /// Gives an instrument another symbol: its history stays with it, and what it was called up to `on` is kept.
    fn rename(&self, old: Symbol, new: Symbol, on: Timestamp) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Takes every row out of every table.
    fn clear(&self) -> BoxFuture<'_, Result<(), StoreError>>;

    /// What the store says of itself: its `id`, and what is being done to it.
    fn about(&self, key: &'static str) -> BoxFuture<'_, Result<Option<String>, StoreError>>;

    /// Changes what the store says of itself.
    fn set_about(&self, key: &'static str, value: Option<String>) -> BoxFuture<'_, Result<(), StoreError>>;
}

/// What to do with a place that has no tables of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Creation {
    /// A missing file or an empty database gets our tables; another program's does not.
    IfEmpty,
    /// Our tables are made even beside others.
    Always,
    /// Only a store that is there is opened.
    Never,
}

/// The engine's place at a store, given back when this is dropped.
pub type Claim = Box<dyn Send + Sync>;

/// What is written together.
///
/// A spool keeps it as it is: a field that is added has a default, so that older spools can be read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Batch {
    pub bars: Vec<Bar>,
    pub quotes: Vec<QuoteRow>,
    pub trades: Vec<TradeRow>,
    pub quarantine: Vec<Quarantined>,
    pub violations: Vec<Violation>,
    pub coverage: Vec<Coverage>,
    pub actions: Vec<ActionRow>,
    /// Those without a field say nothing, and are not written.
    pub fundamentals: Vec<FundamentalRow>,
    /// A job's progress, so that it and the rows are never apart.
    pub checkpoint: Option<JobRecord>,
    /// When it was put together.
    pub at: Timestamp,
}

/// How often a source was asked in a stretch of time; of `SOURCE bytes`, how much was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestCount {
    pub source: String,
    /// Nominal: a day is one whatever clocks are put forward.
    pub window: Duration,
    pub window_start: Timestamp,
    /// Below zero when requests are taken back that were not sent.
    pub count: i64,
}

impl RequestCount {
    #[must_use]
    pub fn of_day(source: String, day: Timestamp, count: i64) -> Self {
        Self { source, window: Duration::from_secs(86_400), window_start: day, count }
    }
}

/// What was known of an instrument's price at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QuoteRow {
    pub instrument: InstrumentId,
    pub source: Source,
    pub ts_event: Timestamp,
    pub ts_recv: Timestamp,
    pub last: Option<f64>,
    pub bid: Option<f64>,
    pub bid_size: Option<f64>,
    pub ask: Option<f64>,
    pub ask_size: Option<f64>,
    pub volume: Option<f64>,
}

/// A trade as it was heard.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TradeRow {
    pub instrument: InstrumentId,
    pub source: Source,
    pub trade_id: String,
    pub ts_event: Timestamp,
    pub ts_recv: Timestamp,
    pub price: f64,
    pub size: f64,
    pub taker: Option<Side>,
    /// The bits of `market::Moves`: what of a bar it may move.
    pub moves: u8,
    /// Where it was made, in the source's code.
    #[serde(default)]
    pub venue: Option<String>,
    /// The source's codes of its conditions, joined by `|`.
    #[serde(default)]
    pub conditions: Option<String>,
}

/// What a company did to its shares, as one source says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ActionRow {
    pub instrument: InstrumentId,
    pub source: Source,
    pub action: CorporateAction,
}

/// What a company reported, as one source sent it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FundamentalRow {
    pub instrument: InstrumentId,
    pub source: Source,
    pub fundamental: Fundamental,
    pub asked_at: Timestamp,
}

/// What a source calls an instrument, or called it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameRow {
    pub provider: String,
    /// As the source spells it.
    pub symbol: String,
    /// 1970 when it is not known.
    pub valid_from: Timestamp,
    /// `None` while it lasts.
    pub valid_to: Option<Timestamp>,
}

/// What a listing came to, in instruments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ListedCount {
    pub new: u64,
    pub known: u64,
}

/// What a commit came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ack {
    pub inserted: u64,
    pub replaced: u64,
    /// Bars that changed nothing.
    pub kept: u64,
    pub quarantined: u64,
    /// Sources that disagreed, noticed while fusing; they are written already.
    pub disagreements: Vec<Violation>,
}

/// Which bars.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BarQuery {
    pub instrument: InstrumentId,
    pub interval: Interval,
    /// Half-open.
    pub from: Timestamp,
    pub to: Timestamp,
    pub min_quality: f64,
    /// The newest so many; all when `None`.
    pub newest: Option<usize>,
}

/// Which violations or refused rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordQuery {
    /// Empty means all.
    pub instruments: Vec<InstrumentId>,
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
}

/// A violation as stored.
#[derive(Clone, Debug, PartialEq)]
pub struct ViolationRow {
    pub violation: Violation,
    pub acknowledged: bool,
}

/// Which jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobQuery {
    All,
    /// Those that wait or are at work.
    Open,
}

/// A job's row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobRecord {
    /// 0 before it was saved.
    pub id: i64,
    pub kind: String,
    pub symbol: Option<Symbol>,
    pub interval: Option<Interval>,
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
    pub source: Option<String>,
    pub state: JobState,
    pub done: u64,
    pub total: u64,
    pub rows: u64,
    pub attempts: u32,
    pub error: Option<String>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// Counts and sizes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StoreStatus {
    pub schema: u32,
    pub size: u64,
    pub bars: u64,
    pub quarantined: u64,
    pub violations: u64,
    pub symbols: Vec<SymbolStatus>,
}

/// What is kept of one instrument and interval.
#[derive(Clone, Debug, PartialEq)]
pub struct SymbolStatus {
    pub symbol: Symbol,
    pub interval: Interval,
    pub bars: u64,
    pub first: Timestamp,
    pub last: Timestamp,
    /// The share of bars with a quality of 0.85 or more.
    pub validated: f64,
}

impl Batch {
    /// Rows in all.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bars.len()
            + self.quotes.len()
            + self.trades.len()
            + self.quarantine.len()
            + self.violations.len()
            + self.coverage.len()
            + self.actions.len()
            + self.fundamentals.len()
            + usize::from(self.checkpoint.is_some())
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes the rows of a later batch in.
    pub fn merge(&mut self, later: Self) {
        self.bars.extend(later.bars);
        self.quotes.extend(later.quotes);
        self.trades.extend(later.trades);
        self.quarantine.extend(later.quarantine);
        self.violations.extend(later.violations);
        self.coverage.extend(later.coverage);
        self.actions.extend(later.actions);
        self.fundamentals.extend(later.fundamentals);
        self.checkpoint = later.checkpoint.or_else(|| self.checkpoint.take());
        self.at = self.at.max(later.at);
    }

    /// Cuts a batch in two, the checkpoint in the later one; `None` when there is one row only.
    #[must_use]
    pub fn halves(mut self) -> Option<(Self, Self)> {
        if self.len() < 2 {
            return None;
        }
        let mut first = Self { at: self.at, ..Self::default() };
        let _ = peel(&mut self.bars, &mut first.bars)
            || peel(&mut self.quotes, &mut first.quotes)
            || peel(&mut self.trades, &mut first.trades)
            || peel(&mut self.quarantine, &mut first.quarantine)
            || peel(&mut self.violations, &mut first.violations)
            || peel(&mut self.coverage, &mut first.coverage)
            || peel(&mut self.actions, &mut first.actions)
            || peel(&mut self.fundamentals, &mut first.fundamentals);
        Some((first, self))
    }
}

/// Moves the longer half of what there is; says whether there was anything.
fn peel<T>(from: &mut Vec<T>, to: &mut Vec<T>) -> bool {
    to.extend(from.drain(..from.len().div_ceil(2)));
    !to.is_empty()
}

impl BarQuery {
    /// Every bar of an instrument and interval.
    #[must_use]
    pub fn all(instrument: InstrumentId, interval: Interval) -> Self {
        Self { instrument, interval, from: Timestamp::MIN, to: Timestamp::MAX, min_quality: 0.0, newest: None }
    }
}
