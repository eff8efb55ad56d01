//! What a store is to the rest of the program.

use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use thiserror::Error;

use crate::market::{Bar, Instrument, InstrumentId, Interval, Symbol, Timestamp};
use crate::quality::{Coverage, Quarantined, Violation};
use crate::snapshot::JobState;

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
}

/// What is written together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    pub bars: Vec<Bar>,
    pub quarantine: Vec<Quarantined>,
    pub violations: Vec<Violation>,
    pub coverage: Vec<Coverage>,
    /// A job's progress, so that it and the rows are never apart.
    pub checkpoint: Option<JobRecord>,
    /// When it was put together.
    pub at: Timestamp,
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
#[derive(Clone, Debug, PartialEq, Eq)]
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

/// Why a store could not be opened, read or written.
#[derive(Debug, Error)]
pub enum StoreError {
    #[error("{0} is not a SQLite database; it was left as it is")]
    NotADatabase(String),
    #[error("{name} was made by a newer openbell (schema {found}, this one knows {known}); it was left as it is")]
    Newer { name: String, found: u32, known: u32 },
    #[error("{0} holds other tables and none of ours; 'openbell db init' makes ours beside them")]
    Foreign(String),
    #[error("there is no store at {0}; 'openbell db init' makes one")]
    Missing(String),
    #[error("{0} is locked by another program")]
    Locked(String),
    #[error("{0} cannot be written: it is read-only")]
    ReadOnly(String),
    #[error("the disk of {0} is full")]
    Full(String),
    #[error("the store is closed")]
    Closed,
    #[error("cannot {doing} {name}: {message}")]
    Engine { doing: &'static str, name: String, message: String },
}

impl Batch {
    /// Rows in all.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bars.len() + self.quarantine.len() + self.violations.len() + self.coverage.len() + usize::from(self.checkpoint.is_some())
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl BarQuery {
    /// Every bar of an instrument and interval.
    #[must_use]
    pub fn all(instrument: InstrumentId, interval: Interval) -> Self {
        Self { instrument, interval, from: Timestamp::MIN, to: Timestamp::MAX, min_quality: 0.0, newest: None }
    }
}
