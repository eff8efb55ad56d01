//! `openbell backfill`: fetch history into the store. A running engine does it and is followed; without one the
//! work is done here.

use std::collections::BTreeMap;
use std::io::{IsTerminal, stderr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::cli::exit::{Done, Usage};
use crate::cli::monitor::stop;
use crate::cli::select::{RangeArgs, interval, symbol};
use crate::cli::session::{Globals, Session, block_on};
use crate::engine::{Duty, Engine, EngineHandle, Sources, new_record};
use crate::host::{LogRing, shutdown_signal};
use crate::job::waits_until;
use crate::market::{Interval, Symbol, Timestamp};
use crate::request::{BackfillAsk, days_back};
use crate::snapshot::JobState;
use crate::store::{Claim, Creation, JobQuery, JobRecord, Store, StoreError};

/// Fetch history into the store; what is there already is not asked for again.
#[derive(Debug, Args)]
#[command(after_help = "Example: openbell backfill AAPL BTC-USD --days 5 --interval 1m")]
pub(crate) struct BackfillArgs {
    /// Whose history.
    #[arg(required = true, value_parser = symbol)]
    symbols: Vec<Symbol>,
    /// So many calendar days up to now.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=36_525), conflicts_with_all = ["from", "to"])]
    days: Option<u32>,
    #[command(flatten)]
    range: RangeArgs,
    /// 1m, 5m, 15m, 30m, 1h, 1d, 1w or 1mo.
    #[arg(long, default_value = "1m", value_parser = interval)]
    interval: Interval,
    /// Ask this source instead of the best for each symbol.
    #[arg(long)]
    source: Option<String>,
}

/// How long a source that is not asked for a while is waited for here; jobs wait for days.
const FOLLOWED: Duration = Duration::from_secs(15 * 60);
/// How often the jobs' rows are looked at.
const LOOK: Duration = Duration::from_millis(250);
/// With every so many looks the engine's place is tried.
const TAKE_OVER: u32 = 8;

/// Puts one job for each symbol into the store and follows them to their end.
pub(crate) fn run(globals: &Globals, args: &BackfillArgs) -> Result<Done> {
    let session = Session::new(globals)?;
    if args.days.is_none() && args.range.from.is_none() {
        return Err(Usage("say how far back: --days N, or --from".to_owned()).into());
    }
    let records = records(&session, args)?;
    let (log, _sink) = session.start_log(&session.clock)?;
    block_on(async {
        let store = session.open_store(Creation::IfEmpty).await?;
        let mut ids = Vec::new();
        for record in records {
            ids.push(store.save_job(record).await.context("queue the work")?);
        }
        let mut work = Work { session: &session, store, log, ours: None, told: false, free: false, trouble: None };
        let done = tokio::select! {
            done = work.follow(&ids) => done,
            signal = shutdown_signal() => {
                signal?;
                eprintln!("openbell: stopped; the same command goes on where this one was");
                Ok(Done::No)
            }
        };
        if let Some((engine, ..)) = work.ours {
            stop(engine).await;
        }
        done
    })
}

/// Jobs that are followed, and the engine that works on them when nobody else does.
struct Work<'a> {
    session: &'a Session,
    store: Arc<dyn Store>,
    log: LogRing,
    ours: Option<(Engine, EngineHandle, Claim)>,
    told: bool,
    /// Whether the engine's place was free at the last look.
    free: bool,
    /// Why the last commit failed.
    trouble: Option<String>,
}

impl Work<'_> {
    /// Shows the jobs' rows until all are over.
    async fn follow(&mut self, ids: &[i64]) -> Result<Done> {
        let mut show = Show::new();
        let mut looks = 0_u32;
        loop {
            // Whoever worked may have ended in the meantime.
            if looks.is_multiple_of(TAKE_OVER) {
                self.work_unless_somebody_does().await?;
            }
            looks = looks.wrapping_add(1);
            let jobs = match self.store.jobs(JobQuery::All).await {
                // A server that is away for a moment does not end the work of hours.
                Err(error @ (StoreError::Away { .. } | StoreError::Locked(_))) => {
                    self.tell_trouble(Some(error.to_string()));
                    self.session.clock.sleep(LOOK).await;
                    continue;
                }
                jobs => jobs?,
            };
            let jobs: Vec<_> = jobs.into_iter().filter(|job| ids.contains(&job.id)).collect();
            for job in &jobs {
                show.job(job);
            }
            if jobs.iter().all(|job| job.state.is_over()) {
                let failed = jobs.iter().any(|job| job.state != JobState::Done);
                return Ok(if failed { Done::No } else { Done::Yes });
            }
            if let Some(until) = self.far_away(&jobs) {
                let goes_on = if self.ours.is_some() { "the same command goes on then" } else { "the running engine goes on then" };
                eprintln!("openbell: the source is not asked before {until}; {goes_on}");
                return Ok(Done::No);
            }
            self.tell_trouble(self.ours.as_ref().and_then(|(_, handle, _)| handle.view.borrow().writer.error.clone()));
            self.session.clock.sleep(LOOK).await;
        }
    }

    /// Until when all that is left to do waits, where that is longer than anybody follows.
    fn far_away(&self, jobs: &[JobRecord]) -> Option<Timestamp> {
        let open = jobs.iter().filter(|job| !job.state.is_over());
        let next = open.map(waits_until).min_by_key(|until| until.unwrap_or(Timestamp::MIN))??;
        (next.since(self.session.clock.now()) > FOLLOWED).then_some(next)
    }

    /// A disk that is full is waited for, but not in silence.
    fn tell_trouble(&mut self, error: Option<String>) {
        if error != self.trouble {
            match &error {
                Some(error) => eprintln!("openbell: {error}; waiting"),
                None => eprintln!("openbell: the store takes rows again"),
            }
            self.trouble = error;
        }
    }

    async fn work_unless_somebody_does(&mut self) -> Result<()> {
        if self.ours.is_some() {
            return Ok(());
        }
        match self.store.claim().await {
            // An engine whose connection was cut takes its place again within a second: it comes first.
            Ok(_) if self.told && !std::mem::replace(&mut self.free, true) => {}
            Ok(place) => {
                let (engine, handle, _) = self.session.start_engine(Arc::clone(&self.store), self.log.clone(), Duty::Work).await?;
                self.ours = Some((engine, handle, place));
            }
            Err(StoreError::Away { .. }) => {}
            Err(StoreError::Held { .. }) if !std::mem::replace(&mut self.told, true) => {
                eprintln!("openbell: a running engine does the work");
            }
            Err(StoreError::Held { .. }) => self.free = false,
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }
}

/// One job for each symbol; what cannot be had is told before anything starts.
fn records(session: &Session, args: &BackfillArgs) -> Result<Vec<JobRecord>> {
    let calendars = session.calendars()?;
    let sources = Sources::open(&session.config, &session.clock);
    let now = session.clock.now();
    let mut records = Vec::new();
    for symbol in &args.symbols {
        let (from, to) = if let Some(days) = args.days {
            (days_back(days, args.interval, now), now)
        } else {
            let (from, to) = args.range.resolve(args.interval, Some(symbol), &calendars)?;
            (from.unwrap_or(Timestamp::MIN), to.unwrap_or(now))
        };
        let (opened, _) = sources.history(symbol, args.interval, args.source.as_deref()).map_err(Usage)?;
        let ask = BackfillAsk { symbols: vec![symbol.clone()], interval: args.interval, from, to, source: args.source.clone() };
        records.push(new_record(&ask, symbol, opened.spec.name, now));
    }
    Ok(records)
}

/// Bars on a terminal, lines elsewhere.
struct Show {
    bars: Option<MultiProgress>,
    jobs: BTreeMap<i64, (ProgressBar, Told)>,
}

/// What was told of a job last: its state, and what went wrong or is waited for.
type Told = (JobState, Option<String>);

impl Show {
    fn new() -> Self {
        Self { bars: stderr().is_terminal().then(MultiProgress::new), jobs: BTreeMap::new() }
    }

    fn job(&mut self, job: &JobRecord) {
        let name = job.symbol.as_ref().map_or_else(|| job.kind.clone(), ToString::to_string);
        let bars = &self.bars;
        let (bar, before) = self.jobs.entry(job.id).or_insert_with(|| (new_bar(bars.as_ref(), &name), (JobState::Queued, None)));
        bar.set_length(job.total);
        bar.set_position(job.done);
        bar.set_message(job.error.clone().unwrap_or_else(|| format!("{} rows", job.rows)));
        let now = (job.state, job.error.clone());
        if std::mem::replace(before, now.clone()) == now {
            return;
        }
        let text = match (&job.error, job.state) {
            (Some(error), _) => format!("{name}: {}: {error}", job.state.name()),
            (None, JobState::Done) => format!("{name}: done, {} rows", job.rows),
            (None, state) => format!("{name}: {}", state.name()),
        };
        if job.state.is_over() {
            bar.finish();
        }
        match bars {
            Some(bars) if job.state.is_over() => drop(bars.println(text)),
            Some(_) => {}
            None => eprintln!("openbell: {text}"),
        }
    }
}

fn new_bar(bars: Option<&MultiProgress>, name: &str) -> ProgressBar {
    let Some(bars) = bars else { return ProgressBar::hidden() };
    let style = ProgressStyle::with_template("{prefix:12} {bar:30} {pos}/{len} pages  {msg}  {eta}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    bars.add(ProgressBar::new(0)).with_style(style).with_prefix(name.to_owned())
}
