//! Starting and ending an engine, in order.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::engine::core::{Core, Inbox};
use crate::engine::desk::Desk;
use crate::engine::feeds::{Feeds, Ground};
use crate::engine::jobs::Jobs;
use crate::engine::repair::Repairs;
use crate::engine::retain::Retention;
use crate::engine::setup::{Duty, Setup};
use crate::engine::sources::Sources;
use crate::engine::ticks::Ticks;
use crate::engine::usage::{load_counts, save_counts};
use crate::engine::watch as watching;
use crate::host::Tasks;
use crate::market::{Instrument, Timestamp};
use crate::pipeline::Live;
use crate::provider::net::FeedMessage;
use crate::request::{EngineEvent, Request};
use crate::snapshot::{MarketView, Update};
use crate::store::{Leftover, Store, Writer};

/// Messages of feeds that may wait.
const MESSAGES: usize = 8_192;
/// Events for screens that may wait.
const EVENTS: usize = 1_024;
/// Rows that are loaded at once.
const AT_ONCE: usize = 4;
/// How long each part may take to end.
const GOODBYE: Duration = Duration::from_secs(5);

/// A running engine.
pub struct Engine {
    feeds: Tasks,
    jobs: Tasks,
    core: Tasks,
    writer: Tasks,
    store: Arc<dyn Store>,
    sources: Sources,
    duty: Duty,
    leftover: Leftover,
}

/// What a screen holds of an engine.
pub struct EngineHandle {
    pub requests: mpsc::Sender<Request>,
    pub view: watch::Receiver<Arc<MarketView>>,
    pub events: mpsc::Receiver<EngineEvent>,
    /// Where messages of feeds go in: for recordings.
    pub messages: mpsc::Sender<(usize, FeedMessage)>,
}

impl Engine {
    /// Starts everything; the answer comes when the first picture is there.
    pub async fn start(setup: Setup) -> Result<(Self, EngineHandle)> {
        let clock = setup.clock.clone();
        let sources = Sources::new(setup.providers.clone(), &setup.config);
        let mut engine = Self::idle(&setup, &sources);
        let (messages_in, messages) = mpsc::channel(MESSAGES);
        let (writer_events, written) = mpsc::channel(MESSAGES);
        let (events_out, events) = mpsc::channel(EVENTS);
        let (requests_in, requests) = mpsc::channel(64);

        let mut live = Live::new(Arc::clone(&setup.calendars));
        if setup.duty != Duty::Replay {
            load_counts(&setup.store, sources.opened(), clock.now()).await.context("load how often sources were asked")?;
        }
        let ground = Ground {
            clock: &clock,
            calendars: &setup.calendars,
            tasks: &engine.feeds,
            messages: &messages_in,
            duty: setup.duty,
            places: setup.places.as_deref(),
        };
        let mut feeds = Feeds::start(sources.clone(), setup.config.section("sources"), &ground, &mut live);
        let watched = match setup.duty {
            Duty::Work => Vec::new(),
            Duty::Record | Duty::Watch | Duty::Replay => watching::watchlist(&*setup.store, &setup.symbols, setup.duty).await?,
        };
        let view = first_view(&setup, &feeds, &watched).await?;
        for orphan in feeds.subscribe(&watched, &mut live, clock.now()) {
            tracing::warn!("no enabled source has {}", orphan.symbol);
        }
        let writer = (setup.duty != Duty::Watch)
            .then(|| Writer::start(Arc::clone(&setup.store), setup.spool, clock.clone(), &engine.writer, writer_events));
        let keeps = matches!(setup.duty, Duty::Record | Duty::Replay);
        let ticks = if keeps { Ticks::new(setup.config.section("store"), &view) } else { Ticks::default() };
        if setup.duty == Duty::Record {
            Retention::new(Arc::clone(&setup.store), clock.clone(), setup.config.section("store.retain")).start(&engine.jobs);
        }
        let desk = Desk::new(Arc::clone(&setup.store), setup.duty, clock.clone(), sources, watched.clone());
        let (desk, answers) = desk.start(&engine.jobs);
        let (views, view_out) = watch::channel(Arc::new(view.clone()));
        engine.leftover = writer.as_ref().map(Writer::leftover).unwrap_or_default();
        let core = Core {
            store: setup.store,
            duty: setup.duty,
            clock: clock.clone(),
            calendars: setup.calendars,
            feeds,
            live,
            writer,
            jobs: Jobs::new(engine.jobs.clone()),
            desk,
            looking: false,
            ticks,
            health: (Vec::new(), Timestamp::MIN),
            repairs: Repairs::new(setup.duty == Duty::Record && setup.config.section("sources").flag("repair")),
            log: setup.log,
            watched,
            view,
            dirty: true,
            venues_due: Timestamp::MIN,
            views,
            events: events_out,
            dropped: 0,
            inbox: Inbox { messages, writer: written, answers, requests },
            estimating: CancellationToken::new(),
        };
        tracing::info!("watching {} symbols, store {}", core.watched.len(), core.store.name());
        engine.core.spawn("engine", core.run(engine.core.token()));
        Ok((engine, EngineHandle { requests: requests_in, view: view_out, events, messages: messages_in }))
    }

    /// Nothing runs yet.
    fn idle(setup: &Setup, sources: &Sources) -> Self {
        let group = || Tasks::new(setup.clock.clone());
        let (store, leftover, sources) = (Arc::clone(&setup.store), Leftover::default(), sources.clone());
        Self { feeds: group(), jobs: group(), core: group(), writer: group(), store, sources, duty: setup.duty, leftover }
    }

    /// What could not be written so far.
    #[must_use]
    pub fn leftover(&self) -> Leftover {
        self.leftover.clone()
    }

    /// Ends feeds, jobs, pipeline and writer, in this order: what was heard is written. The answer is what could not be.
    pub async fn stop(self) -> Leftover {
        for (name, tasks, limit) in [
            ("feeds", &self.feeds, GOODBYE),
            ("jobs", &self.jobs, Core::GOODBYE),
            ("engine", &self.core, GOODBYE),
            ("writer", &self.writer, GOODBYE),
        ] {
            // The writer ends by itself once nobody can hand it anything.
            if !tasks.stop(limit).await {
                tracing::warn!("{name} did not end in {} s", limit.as_secs());
            }
        }
        if self.duty != Duty::Replay
            && let Err(error) = save_counts(&*self.store, self.sources.opened()).await
        {
            tracing::warn!("cannot keep how often sources were asked: {error}");
        }
        if self.duty != Duty::Watch
            && let Err(error) = self.store.settle().await
        {
            tracing::warn!("cannot fold the log into the store: {error}");
        }
        self.leftover
    }
}

async fn first_view(setup: &Setup, feeds: &Feeds, watched: &[Instrument]) -> Result<MarketView> {
    let stale_after = Duration::from_secs(setup.config.section("sources").integer("stale_after_s"));
    let mut view = MarketView { simulated: setup.simulated, stale_after, ..MarketView::default() };
    // A few at a time: a server far away answers each only after a while.
    let rows = stream::iter(watched).map(|instrument| watching::row(&*setup.store, instrument.clone())).buffered(AT_ONCE);
    let rows = rows.try_collect().await.context("load what the store knows")?;
    view.fold(Update::Instruments(rows));
    feeds.first_views().into_iter().for_each(|feed| view.fold(Update::Feed(feed)));
    Ok(view)
}
