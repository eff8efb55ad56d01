//! The one task that asks the store on behalf of the core, which waits for no store: a server may stall, and prices go
//! on. Errands are done in the order in which they come; the answers go to the core's inbox.

use std::collections::HashSet;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use tokio::sync::mpsc;

use crate::engine::jobs::{BACKFILL, history_route, new_record};
use crate::engine::setup::{Duty, Opened, route};
use crate::engine::watch;
use crate::host::{Clock, Tasks};
use crate::market::{Instrument, InstrumentId, Interval, Symbol};
use crate::request::{BackfillAsk, Reply};
use crate::snapshot::{InstrumentView, JobState};
use crate::store::{JobQuery, JobRecord, Store};

/// Errands that may wait while the store does not answer.
const WAITING: usize = 64;
/// How many stored bars a detail shows.
const DETAIL: usize = 240;

/// What the desk works with.
pub(crate) struct Desk {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) duty: Duty,
    pub(crate) clock: Clock,
    pub(crate) providers: Vec<Opened>,
    /// What is watched, as the store has it.
    pub(crate) list: Vec<Instrument>,
    /// Whether the last look failed.
    pub(crate) troubled: bool,
}

/// What the store is asked.
#[derive(Debug)]
pub(crate) enum Errand {
    /// What other processes changed: the list, and jobs beside these, which are at work here.
    Look(HashSet<i64>),
    Add(Symbol),
    Remove(Symbol),
    Backfill(BackfillAsk),
    /// The newest stored bars of an instrument.
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
                Errand::Detail(id) => or_failed(self.detail(id).await),
            };
            if answers.send(answer).await.is_err() {
                return;
            }
        }
    }

    async fn look(&mut self, at_work: &HashSet<i64>) -> Answer {
        let mut answer = Answer::default();
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
        Ok(())
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
        let (opened, spelling) = history_route(&self.providers, &symbol, interval, record.source.as_deref())?;
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
        if route(&self.providers, symbol).is_none() {
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
            let (opened, _) = history_route(&self.providers, symbol, ask.interval, ask.source.as_deref()).map_err(anyhow::Error::msg)?;
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

    async fn detail(&self, id: InstrumentId) -> Result<Answer> {
        let instrument = self.list.iter().find(|instrument| instrument.id == id).context("the instrument left the list")?;
        let bars = watch::newest(&*self.store, instrument, Interval::OneMinute, DETAIL).await?;
        Ok(Answer::of(Reply::Detail(id, bars)))
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

fn or_failed(done: Result<Answer>) -> Answer {
    done.unwrap_or_else(|error| Answer::of(Reply::Failed(format!("{error:#}"))))
}
