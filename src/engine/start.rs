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
use crate::engine::retain::Retention;
use crate::engine::setup::{Duty, Setup};
use crate::engine::ticks::Ticks;
use crate::engine::watch as watching;
use crate::host::Tasks;
use crate::market::{Instrument, Timestamp};
use crate::pipeline::Live;
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
    duty: Duty,
    leftover: Leftover,
}

/// What a screen holds of an engine.
pub struct EngineHandle {
    pub requests: mpsc::Sender<Request>,
    pub view: watch::Receiver<Arc<MarketView>>,
    pub events: mpsc::Receiver<EngineEvent>,
}

impl Engine {
    /// Starts everything; the answer comes when the first picture is there.
    pub async fn start(setup: Setup) -> Result<(Self, EngineHandle)> {
        let clock = setup.clock.clone();
        let mut engine = Self::idle(&setup);
        let (messages_in, messages) = mpsc::channel(MESSAGES);
        let (writer_events, written) = mpsc::channel(MESSAGES);
        let (events_out, events) = mpsc::channel(EVENTS);
        let (requests_in, requests) = mpsc::channel(64);

        let mut live = Live::new(Arc::clone(&setup.calendars));
        let ground = Ground { clock: &clock, calendars: &setup.calendars, tasks: &engine.feeds, messages: &messages_in };
        let feeds = Feeds::start(&setup.providers, &ground, &mut live);
        let watched = match setup.duty {
            Duty::Work => Vec::new(),
            Duty::Record | Duty::Watch => watching::watchlist(&*setup.store, &setup.symbols, setup.duty).await?,
        };
        let view = first_view(&setup, &feeds, &watched).await?;
        for orphan in feeds.subscribe(&watched, &mut live, clock.now()) {
            tracing::warn!("no enabled source has {}", orphan.symbol);
        }
        let writer = (setup.duty != Duty::Watch)
            .then(|| Writer::start(Arc::clone(&setup.store), setup.spool, clock.clone(), &engine.writer, writer_events));
        let mut ticks = Ticks::default();
        if setup.duty == Duty::Record {
            ticks = Ticks::new(setup.config.section("store"), &view);
            Retention::new(Arc::clone(&setup.store), clock.clone(), setup.config.section("store.retain")).start(&engine.jobs);
        }
        let desk = Desk {
            store: Arc::clone(&setup.store),
            duty: setup.duty,
            clock: clock.clone(),
            providers: setup.providers,
            list: watched.clone(),
            troubled: false,
        };
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
        Ok((engine, EngineHandle { requests: requests_in, view: view_out, events }))
    }

    /// Nothing runs yet.
    fn idle(setup: &Setup) -> Self {
        let group = || Tasks::new(setup.clock.clone());
        let (store, leftover) = (Arc::clone(&setup.store), Leftover::default());
        Self { feeds: group(), jobs: group(), core: group(), writer: group(), store, duty: setup.duty, leftover }
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
    feeds.first_views(&setup.clock).into_iter().for_each(|feed| view.fold(Update::Feed(feed)));
    Ok(view)
}
