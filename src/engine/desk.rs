//! The one task that asks the store on behalf of the core, which waits for no store: a server may stall, and prices go
//! on. Errands are done in the order in which they come; the answers go to the core's inbox.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::sync::mpsc;

use crate::engine::health::HEALTH;
use crate::engine::jobs::{BACKFILL, new_record};
use crate::engine::repair::Stretch;
use crate::engine::setup::{Duty, Opened};
use crate::engine::sources::{Need, Sources};
use crate::engine::usage::save_counts;
use crate::engine::watch;
use crate::host::{Clock, Tasks};
use crate::market::{Instrument, InstrumentId, Interval, Symbol, Timestamp};
use crate::request::{BackfillAsk, Reply, Report, Stored};
use crate::snapshot::{InstrumentView, JobState};
use crate::store::{FundamentalRow, JobQuery, JobRecord, Store};

/// Errands that may wait while the store does not answer.
const WAITING: usize = 64;
/// How often it is kept how often sources were asked.
const COUNT: Duration = Duration::from_secs(10);
/// How many stored bars a detail shows.
const DETAIL: usize = 240;

/// What the desk works with.
pub(crate) struct Desk {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) duty: Duty,
    pub(crate) clock: Clock,
    pub(crate) sources: Sources,
    /// What is watched, as the store has it.
    pub(crate) list: Vec<Instrument>,
    /// Whether the last look failed.
    pub(crate) troubled: bool,
    /// When it was last kept how often sources were asked.
    pub(crate) counted: Timestamp,
}

/// What the store is asked.
#[derive(Debug)]
pub(crate) enum Errand {
    /// What other processes changed: the list, and jobs beside these, which are at work here.
    Look(HashSet<i64>),
    Add(Symbol),
    Remove(Symbol),
    Backfill(BackfillAsk),
    /// How the feeds stand, for other processes.
    Health(String),
    /// What could not be heard is asked for, where a source has history.
    Repair(Vec<(InstrumentId, Stretch)>),
    /// The newest stored bars and reports of an instrument.
    Detail(InstrumentId),
}

/// What it came to.
#[derive(Default)]
pub(crate) struct Answer {
    /// The list, where it changed.
    pub(crate) list: Option<List>,
    /// Jobs that can start.
    pub(crate) jobs: Vec<Ready>,
    /// What is told to the screens; nothing of a look.
    pub(crate) reply: Option<Reply>,
    /// Whether it ends a look.
    pub(crate) looked: bool,
}

/// What is watched from now on.
pub(crate) struct List {
    pub(crate) instruments: Vec<Instrument>,
    /// Rows of those that were not on it before.
    pub(crate) fresh: Vec<InstrumentView>,
}

/// A job with all that it takes to start it.
pub(crate) struct Ready {
    pub(crate) record: JobRecord,
    pub(crate) instrument: Instrument,
    pub(crate) opened: Opened,
    pub(crate) spelling: String,
}

impl Desk {
    pub(crate) fn new(store: Arc<dyn Store>, duty: Duty, clock: Clock, sources: Sources, list: Vec<Instrument>) -> Self {
        Self { store, duty, counted: clock.now(), clock, sources, list, troubled: false }
    }

    /// Starts the desk; it ends with its tasks, whatever the store is asked then.
    pub(crate) fn start(mut self, tasks: &Tasks) -> (mpsc::Sender<Errand>, mpsc::Receiver<Answer>) {
        let (errands_in, errands) = mpsc::channel(WAITING);
        let (answers_out, answers) = mpsc::channel(WAITING);
        let token = tasks.token();
        tasks.spawn("desk", async move {
            tokio::select! {
                () = token.cancelled() => {}
                () = self.run(errands, answers_out) => {}
            }
        });
        (errands_in, answers)
    }

    async fn run(&mut self, mut errands: mpsc::Receiver<Errand>, answers: mpsc::Sender<Answer>) {
        while let Some(errand) = errands.recv().await {
            let answer = match errand {
                Errand::Look(at_work) => self.look(&at_work).await,
                Errand::Add(symbol) => or_failed(self.add(&symbol).await),
                Errand::Remove(symbol) => or_failed(self.remove(&symbol).await),
                Errand::Backfill(ask) => or_failed(self.backfill(&ask).await),
                Errand::Health(text) => {
                    // A store that is away is told of by the looks.
                    let _ = self.store.set_about(HEALTH, Some(text)).await;
                    continue;
                }
                Errand::Repair(holes) => self.repair(&holes).await,
                Errand::Detail(id) => or_failed(self.detail(id).await),
            };
            if answers.send(answer).await.is_err() {
                return;
            }
        }
    }

    async fn look(&mut self, at_work: &HashSet<i64>) -> Answer {
        let mut answer = Answer { looked: true, ..Answer::default() };
        let looked = self.look_into(at_work, &mut answer).await;
        // Each turn is told once, not each second.
        match (std::mem::replace(&mut self.troubled, looked.is_err()), looked) {
            (false, Err(error)) => tracing::warn!("cannot look into the store: {error:#}"),
            (true, Ok(())) => tracing::info!("the store answers again"),
            (false, Ok(())) | (true, Err(_)) => {}
        }
        answer
    }

    async fn look_into(&mut self, at_work: &HashSet<i64>, answer: &mut Answer) -> Result<()> {
        self.find_jobs(at_work, &mut answer.jobs).await?;
        if self.duty == Duty::Record {
            answer.list = self.follow().await?;
        }
        self.count().await
    }

    /// Keeps how often sources were asked, now and then.
    async fn count(&mut self) -> Result<()> {
        let now = self.clock.now();
        if self.duty == Duty::Replay || now.since(self.counted) < COUNT {
            return Ok(());
        }
        self.counted = now;
        save_counts(&*self.store, self.sources.opened()).await.context("keep how often sources were asked")
    }

    /// Jobs that wait in the store, whoever put them there, and those that another engine left unfinished.
    async fn find_jobs(&self, at_work: &HashSet<i64>, found: &mut Vec<Ready>) -> Result<()> {
        let mut open = self.store.jobs(JobQuery::Open).await.context("load the jobs that wait")?;
        open.retain(|record| record.kind == BACKFILL && !record.state.is_over() && !at_work.contains(&record.id));
        for record in open {
            match self.routed(&record) {
                Ok(way) => found.push(self.ready(record, way).await?),
                Err(reason) => self.refuse(record, reason).await,
            }
        }
        Ok(())
    }

    /// Whom a job asks for what, or why it cannot start.
    fn routed(&self, record: &JobRecord) -> Result<Way, String> {
        let symbol = record.symbol.clone().ok_or("the job names no symbol")?;
        let interval = record.interval.ok_or("the job names no interval")?;
        let (opened, spelling) = self.sources.history(&symbol, interval, record.source.as_deref())?;
        Ok(Way { symbol, opened, spelling })
    }

    async fn ready(&self, record: JobRecord, Way { symbol, opened, spelling }: Way) -> Result<Ready> {
        let instrument = self.store.instrument(symbol).await.context("load whose history it is")?;
        Ok(Ready { record, instrument, opened, spelling })
    }

    async fn refuse(&self, mut record: JobRecord, reason: String) {
        tracing::warn!(job = record.id, "a job cannot start: {reason}");
        (record.state, record.error, record.updated_at) = (JobState::Failed, Some(reason), self.clock.now());
        // A job that cannot be saved is tried again, and refused again.
        let _ = self.store.save_job(record).await;
    }

    /// Another process may have changed the list in the store.
    async fn follow(&mut self) -> Result<Option<List>> {
        let Some(kept) = self.store.watchlist().await.context("load the watchlist")? else { return Ok(None) };
        if kept.iter().map(|instrument| instrument.id).eq(self.list.iter().map(|instrument| instrument.id)) {
            return Ok(None);
        }
        let fresh = self.fresh(&kept).await?;
        Ok(Some(self.now_watched(kept, fresh)))
    }

    async fn add(&mut self, symbol: &Symbol) -> Result<Answer> {
        if self.list.iter().any(|instrument| instrument.symbol == *symbol) {
            bail!("{symbol} is on the list already");
        }
        if self.sources.candidates(Need::Live, symbol).is_empty() {
            bail!("no enabled source has {symbol}");
        }
        let mut list = self.list.clone();
        list.push(self.store.instrument(symbol.clone()).await?);
        let list = Some(self.keep(list).await?);
        Ok(Answer { list, ..Answer::of(Reply::Done(format!("{symbol} added"))) })
    }

    async fn remove(&mut self, symbol: &Symbol) -> Result<Answer> {
        let mut list = self.list.clone();
        list.retain(|instrument| instrument.symbol != *symbol);
        if list.len() == self.list.len() {
            bail!("{symbol} is not on the list");
        }
        let list = Some(self.keep(list).await?);
        Ok(Answer { list, ..Answer::of(Reply::Done(format!("{symbol} removed; its history stays"))) })
    }

    /// Keeps a list in the store, unless it is another engine's.
    async fn keep(&mut self, list: Vec<Instrument>) -> Result<List> {
        let fresh = self.fresh(&list).await?;
        if self.duty == Duty::Record {
            let ids = list.iter().map(|instrument| instrument.id).collect();
            self.store.set_watchlist(ids).await.context("keep the watchlist")?;
        }
        Ok(self.now_watched(list, fresh))
    }

    /// Rows for those that are new on a list.
    async fn fresh(&self, list: &[Instrument]) -> Result<Vec<InstrumentView>> {
        let mut new = list.to_vec();
        new.retain(|new| self.list.iter().all(|old| old.id != new.id));
        let mut rows = Vec::new();
        for instrument in new {
            rows.push(watch::row(&*self.store, instrument).await?);
        }
        Ok(rows)
    }

    fn now_watched(&mut self, instruments: Vec<Instrument>, fresh: Vec<InstrumentView>) -> List {
        self.list.clone_from(&instruments);
        List { instruments, fresh }
    }

    /// Saves one job for each symbol.
    async fn backfill(&self, ask: &BackfillAsk) -> Result<Answer> {
        if self.duty == Duty::Watch {
            bail!("another engine owns the store: this screen writes nothing");
        }
        let mut records = Vec::new();
        for symbol in &ask.symbols {
            let (opened, _) = self.sources.history(symbol, ask.interval, ask.source.as_deref()).map_err(anyhow::Error::msg)?;
            records.push(new_record(ask, symbol, opened.spec.name, self.clock.now()));
        }
        let jobs = records.len();
        let mut answer = Answer::of(Reply::Done(if jobs == 1 { "backfill queued".to_owned() } else { format!("{jobs} backfills queued") }));
        for mut record in records {
            record.id = self.store.save_job(record.clone()).await?;
            let Ok(way) = self.routed(&record) else { continue };
            // What cannot start now is found by the next look.
            answer.jobs.extend(self.ready(record, way).await);
        }
        Ok(answer)
    }

    /// Queues a backfill for each hole. Nobody asked for it, so nobody is told but by the log and the jobs.
    async fn repair(&self, holes: &[(InstrumentId, Stretch)]) -> Answer {
        let mut answer = Answer::default();
        for (id, hole) in holes {
            let Some(instrument) = self.list.iter().find(|instrument| instrument.id == *id) else { continue };
            let Ok((opened, _)) = self.sources.history(&instrument.symbol, Interval::OneMinute, None) else { continue };
            let symbols = vec![instrument.symbol.clone()];
            let ask = BackfillAsk { symbols, interval: Interval::OneMinute, from: hole.from, to: hole.to, source: None };
            let mut record = new_record(&ask, &instrument.symbol, opened.spec.name, self.clock.now());
            match self.store.save_job(record.clone()).await {
                Ok(id) => record.id = id,
                Err(error) => {
                    tracing::warn!(symbol = %instrument.symbol, "cannot queue the repair of a hole: {error}");
                    continue;
                }
            }
            tracing::info!(symbol = %instrument.symbol, "asking {} for what was missed from {} to {}", opened.spec.name, hole.from, hole.to);
            if let Ok(way) = self.routed(&record) {
                answer.jobs.extend(self.ready(record, way).await);
            }
        }
        answer
    }

    async fn detail(&self, id: InstrumentId) -> Result<Answer> {
        let instrument = self.list.iter().find(|instrument| instrument.id == id).context("the instrument left the list")?;
        let bars = watch::newest(&*self.store, instrument, Interval::OneMinute, DETAIL).await?;
        let rows = self.store.fundamentals(id).await.with_context(|| format!("load the reports of {}", instrument.symbol))?;
        Ok(Answer::of(Reply::Detail(id, Stored { bars, reports: newest_reports(rows) })))
    }
}

/// Whom a job asks, and how that source spells the symbol.
struct Way {
    symbol: Symbol,
    opened: Opened,
    spelling: String,
}

impl Answer {
    fn of(reply: Reply) -> Self {
        Self { reply: Some(reply), ..Self::default() }
    }
}

/// The newest report of each statement, period and source: the store has the newest first.
fn newest_reports(rows: Vec<FundamentalRow>) -> Vec<Report> {
    let mut seen = HashSet::new();
    let report = |FundamentalRow { source, fundamental, .. }: FundamentalRow| {
        let is_newest = seen.insert((fundamental.statement, fundamental.period, source.clone()));
        is_newest.then_some(Report { source, fundamental })
    };
    rows.into_iter().filter_map(report).collect()
}

fn or_failed(done: Result<Answer>) -> Answer {
    done.unwrap_or_else(|error| Answer::of(Reply::Failed(format!("{error:#}"))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::{Date, Fundamental, Period, Source, Statement};

    #[test]
    fn of_each_statement_period_and_source_the_newest_report_is_shown() {
        let row = |statement, period, year: i32, source: &str| FundamentalRow {
            instrument: InstrumentId(1),
            source: Source::new(source),
            fundamental: Fundamental { statement, period, fiscal_date: Date::new(year, 12, 31).unwrap(), fields: serde_json::Map::new() },
            asked_at: Timestamp::MIN,
        };
        let rows = vec![
            row(Statement::Income, Period::Annual, 2025, "fmp"),
            row(Statement::Income, Period::Quarter, 2025, "fmp"),
            row(Statement::Income, Period::Annual, 2024, "fmp"),
            row(Statement::Income, Period::Annual, 2024, "alpha_vantage"),
            row(Statement::CashFlow, Period::Annual, 2023, "fmp"),
            row(Statement::Income, Period::Quarter, 2023, "fmp"),
        ];
        let reports = newest_reports(rows);
        let short = |Report { source, fundamental: of }: &Report| {
            (of.statement.name(), of.period.name(), source.to_string(), of.fiscal_date.year())
        };
        let found: Vec<_> = reports.iter().map(short).collect();
        let expected = [
            ("income", "annual", "fmp".to_owned(), 2025),
            ("income", "quarter", "fmp".to_owned(), 2025),
            ("income", "annual", "alpha_vantage".to_owned(), 2024),
            ("cash-flow", "annual", "fmp".to_owned(), 2023),
        ];
        assert_eq!(found, expected);
    }
}
