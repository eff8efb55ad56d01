//! Starting and ending an engine, in order.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::engine::core::{Core, Inbox};
use crate::engine::feeds::{Feeds, Ground};
use crate::engine::jobs::Jobs;
use crate::engine::setup::{Duty, Setup};
use crate::engine::watch as watching;
use crate::host::Tasks;
use crate::market::{Instrument, Timestamp};
use crate::pipeline::Live;
use crate::request::{EngineEvent, Request};
use crate::snapshot::{MarketView, Update};
use crate::store::{Store, Writer};

/// Messages of feeds that may wait.
const MESSAGES: usize = 8_192;
/// Events for screens that may wait.
const EVENTS: usize = 1_024;
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
        let group = || Tasks::new(clock.clone());
        let engine =
            Self { feeds: group(), jobs: group(), core: group(), writer: group(), store: Arc::clone(&setup.store), duty: setup.duty };
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
        let writer =
            (setup.duty != Duty::Watch).then(|| Writer::start(Arc::clone(&setup.store), clock.clone(), &engine.writer, writer_events));
        let (views, view_out) = watch::channel(Arc::new(view.clone()));
        let core = Core {
            store: setup.store,
            duty: setup.duty,
            clock: clock.clone(),
            calendars: setup.calendars,
            feeds,
            live,
            writer,
            jobs: Jobs::new(engine.jobs.clone()),
            log: setup.log,
            watched,
            view,
            dirty: true,
            venues_due: Timestamp::MIN,
            views,
            events: events_out,
            dropped: 0,
            inbox: Inbox { messages, writer: written, requests },
            estimating: CancellationToken::new(),
        };
        tracing::info!("watching {} symbols, store {}", core.watched.len(), core.store.name());
        engine.core.spawn("engine", core.run(engine.core.token()));
        Ok((engine, EngineHandle { requests: requests_in, view: view_out, events }))
    }

    /// Ends feeds, jobs, pipeline and writer, in this order: what was heard is written.
    pub async fn stop(self) {
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
    }
}

async fn first_view(setup: &Setup, feeds: &Feeds, watched: &[Instrument]) -> Result<MarketView> {
    let stale_after = Duration::from_secs(setup.config.section("sources").integer("stale_after_s"));
    let mut view = MarketView { simulated: setup.simulated, stale_after, ..MarketView::default() };
    let mut rows = Vec::new();
    for instrument in watched {
        rows.push(watching::row(&*setup.store, instrument.clone()).await.context("load what the store knows")?);
    }
    view.fold(Update::Instruments(rows));
    feeds.first_views(&setup.clock).into_iter().for_each(|feed| view.fold(Update::Feed(feed)));
    Ok(view)
}
