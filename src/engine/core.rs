//! The one task that everything meets in: it folds events into the picture and hands bars to the writer. It waits for
//! no store and for no source.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::calendar::{Calendar, Calendars};
use crate::engine::desk::{Answer, Errand};
use crate::engine::feeds::Feeds;
use crate::engine::health::health;
use crate::engine::jobs::Jobs;
use crate::engine::notice::turns;
use crate::engine::repair::Repairs;
use crate::engine::setup::Duty;
use crate::engine::ticks::Ticks;
use crate::host::{Clock, LogRing};
use crate::market::{Instrument, InstrumentId, Interval, MarketEvent, Timestamp};
use crate::pipeline::{Hole, Judged, Live, Output};
use crate::provider::net::FeedMessage;
use crate::quality::{Coverage, CoverageState, Severity, Violation, expected};
use crate::request::{EngineEvent, Request};
use crate::snapshot::{FeedState, MarketView, Update, VenueView, venue_view};
use crate::store::{Batch, Store, Writer, WriterEvent};

/// How often the picture is given out, at most.
const PUBLISH: Duration = Duration::from_millis(100);
/// How often clocks, the log and waiting jobs are looked at.
const LOOK: Duration = Duration::from_secs(1);
/// How often the store is told how the feeds stand, at least.
const HEALTH_EVERY: Duration = Duration::from_secs(60);
/// A hole may begin in the middle of a bar.
const MINUTE: Duration = Duration::from_secs(60);
/// Messages that are taken before the picture may be given out.
const AT_ONCE: usize = 2_048;

/// The state of the engine.
pub(crate) struct Core {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) duty: Duty,
    pub(crate) clock: Clock,
    pub(crate) calendars: Arc<Calendars>,
    pub(crate) feeds: Feeds,
    pub(crate) live: Live,
    /// `None` when another engine owns the store.
    pub(crate) writer: Option<Writer>,
    pub(crate) jobs: Jobs,
    pub(crate) desk: mpsc::Sender<Errand>,
    /// Whether the desk looks into the store now.
    pub(crate) looking: bool,
    pub(crate) ticks: Ticks,
    pub(crate) repairs: Repairs,
    /// The states of the feeds that the store was told, and when.
    pub(crate) health: (Vec<FeedState>, Timestamp),
    pub(crate) log: LogRing,
    pub(crate) watched: Vec<Instrument>,
    pub(crate) view: MarketView,
    pub(crate) dirty: bool,
    /// When the venues' clocks are looked at anew, whatever they said.
    pub(crate) venues_due: Timestamp,
    pub(crate) views: watch::Sender<Arc<MarketView>>,
    pub(crate) events: mpsc::Sender<EngineEvent>,
    /// Events that found the queue full.
    pub(crate) dropped: u64,
    pub(crate) inbox: Inbox,
    /// The estimate that is being made: a newer question ends it.
    pub(crate) estimating: CancellationToken,
}

/// What the engine listens to.
pub(crate) struct Inbox {
    pub(crate) messages: mpsc::Receiver<(usize, FeedMessage)>,
    pub(crate) writer: mpsc::Receiver<WriterEvent>,
    pub(crate) answers: mpsc::Receiver<Answer>,
    pub(crate) requests: mpsc::Receiver<Request>,
}

impl Core {
    /// Runs until it is cancelled; then what forms is written, flagged partial.
    pub(crate) async fn run(mut self, token: CancellationToken) {
        let mut published = Timestamp::MIN;
        let mut look = self.clock.interval(LOOK);
        self.look();
        self.publish();
        loop {
            tokio::select! {
                biased;
                () = token.cancelled() => break,
                // Woken for the picture only when it changed.
                () = self.clock.sleep((published + PUBLISH).since(self.clock.now()).min(PUBLISH)), if self.dirty => {
                    self.publish();
                    published = self.clock.now();
                }
                () = look.tick() => self.look(),
                Some(request) = self.inbox.requests.recv() => self.carry_out(request),
                Some(answer) = self.inbox.answers.recv() => self.answered(answer),
                Some(event) = self.inbox.writer.recv() => self.written(event),
                Some(progress) = self.jobs.progress() => self.progressed(progress),
                Some((feed, message)) = self.inbox.messages.recv() => self.heard(feed, message),
            }
        }
        self.flush();
    }

    fn heard(&mut self, feed: usize, message: FeedMessage) {
        self.hear(feed, message);
        for _ in 0..AT_ONCE {
            let Ok((feed, message)) = self.inbox.messages.try_recv() else { break };
            self.hear(feed, message);
        }
    }

    fn hear(&mut self, feed: usize, message: FeedMessage) {
        match message {
            FeedMessage::Events(events) => events.into_iter().for_each(|event| self.event(feed, event)),
            FeedMessage::State(view) => {
                let view = self.feeds.heard(feed, view, self.clock.now());
                self.fold(Update::Feed(view));
            }
            FeedMessage::Deaf(from, to) => self.deaf(feed, from, to),
        }
    }

    fn event(&mut self, feed: usize, event: MarketEvent) {
        let output = self.live.accept(feed, &event);
        for further in self.live.accept_further(feed, &event) {
            self.came_of(feed, event.clone(), further);
        }
        self.came_of(feed, event, output);
    }

    fn came_of(&mut self, feed: usize, event: MarketEvent, Output { seen, judged, quarantined, hole }: Output) {
        let mut batch = Batch::default();
        if let Some(Hole { instrument, from, to }) = hole {
            batch.coverage.push(self.hole(feed, instrument, from, to));
        }
        batch.quarantine.extend(quarantined);
        if let Some(judged) = judged {
            self.take(judged, &mut batch);
        }
        if let Some(seen) = seen {
            let opened = self.feeds.opened(feed);
            let (source, delay) = (opened.source.clone(), opened.delay);
            batch.trades = self.ticks.heard(seen.instrument, &source, &event);
            if self.feeds.shows(seen.instrument, feed) {
                self.fold(Update::Event { instrument: seen.instrument, event, source, delay });
            }
        }
        self.write(batch);
    }

    /// A stretch in which a feed could not be heard is a hole until somebody fills it.
    fn deaf(&mut self, feed: usize, from: Timestamp, to: Timestamp) {
        // What a source that is late by agreement did not say then was made before.
        let agreed = self.live.agreed(feed);
        let (from, to) = (from - agreed, to - agreed);
        self.live.was_deaf(feed, from, to);
        if from == Timestamp::MIN {
            return;
        }
        // What was not asked for was not missed, nor what is not traded.
        let missed = |instrument: &Instrument| {
            let from = from.max(self.feeds.asked_since(feed, instrument.id)? - agreed);
            let calendar = self.calendars.get(&instrument.venue);
            let trades =
                |calendar: &Calendar| expected(calendar, Interval::OneMinute, from - MINUTE, to).is_ok_and(|bars| !bars.is_empty());
            (from < to && calendar.is_none_or(trades)).then_some((instrument.id, from))
        };
        let holes: Vec<_> = self.watched.iter().filter_map(missed).collect();
        if holes.is_empty() {
            return;
        }
        tracing::info!(feed = %self.feeds.source(feed), "nothing was heard from {from} to {to}: kept as a gap");
        let coverage: Vec<_> = holes.into_iter().map(|(id, from)| self.hole(feed, id, from, to)).collect();
        self.write(Batch { coverage, ..Batch::default() });
    }

    fn hole(&mut self, feed: usize, instrument: InstrumentId, from: Timestamp, to: Timestamp) -> Coverage {
        self.repairs.add(instrument, from, to, self.clock.now());
        let source = self.feeds.source(feed).clone();
        Coverage { instrument, interval: Interval::OneMinute, source, from, to, state: CoverageState::Failed, asked_at: self.clock.now() }
    }

    fn take(&mut self, judged: Judged, batch: &mut Batch) {
        for violation in judged.violations {
            self.violated(&violation);
            batch.violations.push(violation);
        }
        match judged.bar {
            Ok(bar) => {
                if self.feeds.shows_source(bar.instrument, &bar.source) {
                    self.fold(Update::Sealed(bar.clone()));
                }
                batch.bars.push(bar);
            }
            Err(refused) => batch.quarantine.push(refused),
        }
    }

    fn violated(&mut self, violation: &Violation) {
        self.fold(Update::Violation(violation.clone()));
        self.tell(EngineEvent::Violation(violation.clone()));
    }

    fn written(&mut self, event: WriterEvent) {
        match event {
            WriterEvent::State(view) => {
                for (severity, message) in turns(&self.view.writer, &view) {
                    // Without a screen there is only the log; the writer tells it the rest itself.
                    if severity == Severity::Error {
                        tracing::error!("{message}");
                    }
                    let (time, about) = (self.clock.now(), "store".to_owned());
                    self.tell(EngineEvent::Notice { time, severity, about, message });
                }
                self.fold(Update::Writer(view));
            }
            WriterEvent::Disagreement(violation) => self.violated(&violation),
        }
    }

    pub(crate) fn write(&mut self, batch: Batch) {
        if let Some(writer) = self.writer.as_ref().filter(|_| !batch.is_empty()) {
            writer.offer(batch);
        }
    }

    /// What time alone changes: bars that ended, quotes, clocks, lines of the log, jobs that wait.
    fn look(&mut self) {
        let now = self.clock.now();
        let mut batch = self.ticks.collect(&self.view, now);
        if self.live.due().is_some_and(|due| due <= now) {
            for judged in self.live.seal(now) {
                self.take(judged, &mut batch);
            }
        }
        self.write(batch);
        self.look_at_venues(now);
        self.dirty |= self.view.roll(now);
        for view in self.feeds.look(&self.view, now) {
            self.fold(Update::Feed(view));
        }
        self.feeds.route(&mut self.live, now);
        let due = self.repairs.due(now);
        if !due.is_empty() && self.desk.try_send(Errand::Repair(due)).is_err() {
            tracing::warn!("too much waits for the store: holes that could not be repaired now are kept as such");
        }
        self.tell_health(now);
        self.tell_log();
        self.look_into_store();
    }

    /// Other processes want to know how the feeds stand: told when a state changes, and now and then that we are alive.
    fn tell_health(&mut self, now: Timestamp) {
        let states: Vec<_> = self.view.feeds.iter().map(|feed| feed.state).collect();
        let due = now.since(self.health.1) >= HEALTH_EVERY || (states != self.health.0 && now.since(self.health.1) >= LOOK * 5);
        if due && self.duty == Duty::Record && self.desk.try_send(Errand::Health(health(&self.view, now))).is_ok() {
            self.health = (states, now);
        }
    }

    /// A venue's clock changes when it said it would.
    fn look_at_venues(&mut self, now: Timestamp) {
        let due = |venue: &VenueView| venue.next.as_ref().is_some_and(|(at, _)| *at <= now);
        if self.view.venues.is_empty() || self.view.venues.iter().any(|venue| due(venue)) || now >= self.venues_due {
            let venues: Vec<_> = self.calendars.iter().map(|calendar| venue_view(calendar, now)).collect();
            // The name of a holiday comes with its date, without a change of state.
            self.venues_due = now + Duration::from_secs(60);
            if venues.iter().ne(self.view.venues.iter().map(|venue| &**venue)) {
                self.fold(Update::Venues(venues));
            }
        }
    }

    fn tell_log(&mut self) {
        let (lines, lost) = self.log.take();
        self.dropped += lost;
        for line in lines {
            self.tell(EngineEvent::Log(line));
        }
    }

    pub(crate) fn fold(&mut self, update: Update) {
        self.view.fold(update);
        self.dirty = true;
    }

    /// Tells the screens; what finds no room is counted, and the count is told when there is room.
    pub(crate) fn tell(&mut self, event: EngineEvent) {
        if self.dropped > 0 && self.events.try_send(EngineEvent::Dropped(self.dropped)).is_ok() {
            self.dropped = 0;
        }
        if self.events.try_send(event).is_err() {
            self.dropped += 1;
        }
    }

    pub(crate) fn publish(&mut self) {
        if std::mem::take(&mut self.dirty) {
            self.views.send_replace(Arc::new(self.view.clone()));
        }
    }

    fn flush(mut self) {
        while let Ok((feed, message)) = self.inbox.messages.try_recv() {
            self.hear(feed, message);
        }
        let now = self.clock.now();
        let mut batch = self.ticks.collect(&self.view, now);
        for judged in self.live.partial(now) {
            self.take(judged, &mut batch);
        }
        self.write(batch);
        self.tell_log();
        self.publish();
    }
}
