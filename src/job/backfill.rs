//! Fetching history into the store: page by page, judged and fused like what comes live.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::calendar::Calendar;
use crate::job::contract::Bench;
use crate::job::plan::{Plan, Planner};
use crate::market::{Bar, BarFlags, CorporateAction, Instrument, Origin, Source, Timestamp};
use crate::pipeline::{Judge, Route, source_bar};
use crate::provider::{History, HistoryPage, Provider, ProviderError};
use crate::quality::{Coverage, CoverageState, expected};
use crate::snapshot::JobState;
use crate::store::{ActionRow, Batch, JobRecord};

/// One instrument's history from one source.
pub struct Backfill {
    pub bench: Bench,
    pub provider: Arc<dyn Provider>,
    pub source: Source,
    pub instrument: Instrument,
    pub spelling: String,
    pub record: JobRecord,
    /// Its place among those that work, given up while it waits for a source that wants to be left alone.
    pub place: Option<OwnedSemaphorePermit>,
    /// Where places are had.
    pub room: Arc<Semaphore>,
}

/// How long a source may take to have a bar that ended: delays, auctions, corrections.
const SETTLES: Duration = Duration::from_secs(3_600);

/// A wait that is longer than this is the job's, not the request's.
const LONG: Duration = Duration::from_secs(60);

/// 1900-01-01: nobody asks for what companies did before.
const FIRST_ACTIONS: Timestamp = Timestamp::from_seconds(-2_208_988_800);

/// Why a job came to its end.
enum Stop {
    Done,
    Cancelled,
    Ending,
}

/// How the word of a job begins that waits for its source.
const WAITS: &str = "waits until ";

/// Until when a job waits for its source, where it does.
#[must_use]
pub fn waits_until(record: &JobRecord) -> Option<Timestamp> {
    let (until, _) = record.error.as_deref()?.strip_prefix(WAITS)?.split_once(": ")?;
    until.parse().ok()
}

impl Backfill {
    /// Works until it is done, fails, is cancelled, or the engine ends; its row in the store says how far it is.
    pub async fn run(mut self) {
        self.record.state = JobState::Running;
        self.record.attempts += 1;
        let worked = self.work().await;
        self.record.error = None;
        let symbol = &self.instrument.symbol;
        self.record.state = match worked {
            Ok(Stop::Done) => {
                tracing::info!(%symbol, rows = self.record.rows, "backfilled");
                JobState::Done
            }
            // The next engine goes on where this one was.
            Ok(Stop::Ending) => JobState::Queued,
            Ok(Stop::Cancelled) => {
                tracing::info!(%symbol, "backfill cancelled");
                JobState::Cancelled
            }
            Err(error) => {
                tracing::warn!(%symbol, "backfill failed: {error:#}");
                self.record.error = Some(format!("{error:#}"));
                JobState::Failed
            }
        };
        self.record.updated_at = self.bench.clock.now();
        // Behind its pages, which may wait in the spool: its last word must be its last.
        let last = Batch { checkpoint: Some(self.record.clone()), ..Batch::default() };
        if let Err(error) = self.bench.writer.append(last).await {
            tracing::error!("cannot keep the state of job {}: {error}", self.record.id);
        }
        self.bench.tell_last(&self.record, &format!("{} rows", self.record.rows)).await;
    }

    async fn work(&mut self) -> Result<Stop> {
        let interval = self.record.interval.context("the job names no interval")?;
        let (from, to) = (self.record.from.unwrap_or(Timestamp::MIN), self.record.to.unwrap_or(Timestamp::MAX));
        let calendars = Arc::clone(&self.bench.calendars);
        let calendar =
            calendars.get(&self.instrument.venue).with_context(|| format!("there is no calendar for {}", self.instrument.venue))?;
        let planner = Planner { store: &*self.bench.store, provider: &*self.provider, calendar, now: self.bench.clock.now() };
        let Plan { pages, out_of_reach, .. } = planner.plan(&self.instrument, interval, from, to).await?;
        if pages.is_empty() && out_of_reach > 0 {
            return Err(anyhow!("{} does not keep {interval} bars that old", self.source));
        }
        self.record.total = pages.len() as u64;
        self.record.done = 0;
        self.bench.tell(&self.record, "started");
        let mut judge = Judge::new(Arc::clone(&calendars));
        for (from, to) in pages {
            let page = HistoryPage { spelling: self.spelling.clone(), interval, from, to };
            let history = match self.fetch(&page).await? {
                Ok(history) => history,
                Err(stop) => return Ok(stop),
            };
            self.record.done += 1;
            let batch = self.batch(&page, &history, &mut judge, calendar)?;
            self.bench.writer.append(batch).await.context("write the page")?;
            self.bench.tell(&self.record, &format!("up to {to}"));
        }
        if !interval.is_intraday()
            && let Some(stop) = self.keep_actions(from).await?
        {
            return Ok(stop);
        }
        Ok(Stop::Done)
    }

    /// Asks for one page. A source whose limit is reached is asked again when it allows it: only the source is not waited for at the
    /// end, what it answered is written.
    async fn fetch(&mut self, page: &HistoryPage) -> Result<Result<History, Stop>> {
        loop {
            let asked = tokio::select! {
                asked = self.provider.history(page) => asked,
                () = self.bench.ending.cancelled() => return Ok(Err(Stop::Ending)),
                () = self.bench.token.cancelled() => return Ok(Err(Stop::Cancelled)),
            };
            let now = self.bench.clock.now();
            let error = match asked {
                Ok(history) => return Ok(Ok(history)),
                Err(error @ (ProviderError::UsedUp { .. } | ProviderError::RateLimited { .. })) => error,
                Err(error) => return Err(error.into()),
            };
            // Shorter waits were kept already, and did not help.
            let Some(wait) = error.after(now).filter(|wait| *wait > LONG) else { return Err(error.into()) };
            tracing::info!(symbol = %self.instrument.symbol, "the backfill waits: {error}");
            let until = format!("{WAITS}{}", now + wait);
            self.bench.tell(&self.record, &until);
            // In its row too: whoever follows it may be another process.
            self.keep_word(Some(format!("{until}: {error}"))).await;
            self.place = None;
            let room = Arc::clone(&self.room);
            let again = async {
                self.bench.clock.sleep(wait).await;
                room.acquire_owned().await.ok()
            };
            self.place = tokio::select! {
                place = again => place,
                () = self.bench.ending.cancelled() => return Ok(Err(Stop::Ending)),
                () = self.bench.token.cancelled() => return Ok(Err(Stop::Cancelled)),
            };
            self.keep_word(None).await;
        }
    }

    /// Keeps in the job's row what it waits for.
    async fn keep_word(&mut self, word: Option<String>) {
        self.record.error = word;
        self.record.updated_at = self.bench.clock.now();
        let word = Batch { checkpoint: Some(self.record.clone()), ..Batch::default() };
        // The next page says more than this does.
        let _ = self.bench.writer.append(word).await;
    }

    /// With days come the splits and dividends of the time. Bars are worth having without them.
    async fn keep_actions(&mut self, from: Timestamp) -> Result<Option<Stop>> {
        let Some(actions) = self.provider.actions() else { return Ok(None) };
        let since = from.max(FIRST_ACTIONS).date();
        let asked = tokio::select! {
            asked = actions.actions(&self.spelling, since) => asked,
            () = self.bench.ending.cancelled() => return Ok(Some(Stop::Ending)),
            () = self.bench.token.cancelled() => return Ok(Some(Stop::Cancelled)),
        };
        match asked {
            Ok(found) => {
                let batch = Batch { actions: self.action_rows(&found), ..Batch::default() };
                if !batch.is_empty() {
                    self.bench.writer.append(batch).await.context("write splits and dividends")?;
                }
            }
            Err(ProviderError::NotFound { .. }) => {}
            Err(error) => tracing::warn!(symbol = %self.instrument.symbol, "splits and dividends could not be had: {error}"),
        }
        Ok(None)
    }

    fn action_rows(&self, actions: &[CorporateAction]) -> Vec<ActionRow> {
        let row =
            |action: &CorporateAction| ActionRow { instrument: self.instrument.id, source: self.source.clone(), action: action.clone() };
        actions.iter().map(row).collect()
    }

    fn batch(&mut self, page: &HistoryPage, history: &History, judge: &mut Judge, calendar: &Calendar) -> Result<Batch> {
        let now = self.bench.clock.now();
        let route = Route::of(&self.instrument);
        let flags = if history.adjusted { BarFlags::ADJUSTED } else { BarFlags::empty() };
        let mut batch = Batch::default();
        let mut answered = BTreeSet::new();
        for bar in &history.bars {
            answered.insert(bar.open_time);
            let bar = Bar { origin: Origin::Backfill, flags, ..source_bar(bar, self.instrument.id, &self.source) };
            let judged = judge.judge(bar, &route, now);
            batch.violations.extend(judged.violations);
            match judged.bar {
                Ok(bar) => batch.bars.push(bar),
                Err(refused) => batch.quarantine.push(refused),
            }
        }
        batch.actions = self.action_rows(&history.actions);
        batch.coverage = self.coverage(page, &answered, calendar, now)?;
        self.record.rows += batch.bars.len() as u64;
        self.record.updated_at = now;
        batch.checkpoint = Some(self.record.clone());
        Ok(batch)
    }

    /// What the source was asked for, as far as its word is settled; and the bars in it that it did not have: nobody has
    /// to ask it for these again.
    fn coverage(
        &self,
        page: &HistoryPage,
        answered: &BTreeSet<Timestamp>,
        calendar: &Calendar,
        asked_at: Timestamp,
    ) -> Result<Vec<Coverage>> {
        let expected = expected(calendar, page.interval, page.from, page.to).context("look into the calendar")?;
        let silent = expected.chunk_by(|a, b| answered.contains(&a.0) == answered.contains(&b.0));
        let silent = silent.filter(|run| run.first().is_some_and(|(open, ..)| !answered.contains(open)));
        // What is not there yet is not what is not there: the newest bars settle first.
        let newest = answered.last().copied().unwrap_or(Timestamp::MIN);
        let is_settled = |bar: &&(Timestamp, Timestamp, _)| bar.0 <= newest || bar.1 + SETTLES <= asked_at;
        let settled = |run: &[(Timestamp, Timestamp, _)]| run.iter().take_while(is_settled).last().map(|bar| bar.1);
        let row = |from: Timestamp, to: Timestamp, state: CoverageState| Coverage {
            instrument: self.instrument.id,
            interval: page.interval,
            source: self.source.clone(),
            from,
            to,
            state,
            asked_at,
        };
        let present = settled(&expected).map(|to| row(page.from, to, CoverageState::Present));
        let empty = silent.filter_map(|run| Some(row(run.first()?.0, settled(run)?, CoverageState::EmptySaidSource)));
        Ok(present.into_iter().chain(empty).collect())
    }
}
