//! The tasks that listen, one feed a provider, and who listens to what.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use crate::calendar::Calendars;
use crate::config::Section;
use crate::engine::failover::{Failover, Health};
use crate::engine::setup::{Duty, Opened};
use crate::engine::sources::{Candidate, Need, Sources};
use crate::host::{Clock, Tasks};
use crate::market::{Instrument, InstrumentId, Source, Timestamp};
use crate::pipeline::{FeedFacts, Live, Route, Routes};
use crate::provider::net::{Feed, FeedMessage, Poll, PollReport, Subscription};
use crate::provider::{Polling, Protocol};
use crate::request::SourceKind;
use crate::snapshot::{FeedState, FeedView, MarketView};

/// Every feed, by number.
pub(crate) struct Feeds {
    sources: Sources,
    feeds: Vec<Running>,
    failover: Failover,
    /// What is watched, with the sources that have it, best first.
    wanted: Vec<(Instrument, Vec<Candidate>)>,
    /// Whose prices are shown, by instrument.
    shown: HashMap<InstrumentId, usize>,
    refresh: watch::Sender<u64>,
    seen: watch::Sender<Vec<InstrumentId>>,
}

struct Running {
    opened: Opened,
    subscriptions: watch::Sender<Vec<Subscription>>,
    socket_is_well: watch::Sender<bool>,
    polled: watch::Receiver<PollReport>,
    /// The line as the socket's task said it last; of a source without a socket, as it was at the start.
    said: FeedView,
    has_socket: bool,
    /// How many symbols it can bring.
    capacity: usize,
    polling: Option<Polling>,
    health: Health,
}

/// What feeds are started with.
pub(crate) struct Ground<'a> {
    pub(crate) clock: &'a Clock,
    pub(crate) calendars: &'a Arc<Calendars>,
    pub(crate) tasks: &'a Tasks,
    pub(crate) messages: &'a mpsc::Sender<(usize, FeedMessage)>,
    pub(crate) duty: Duty,
    pub(crate) places: Option<&'a Path>,
}

impl Feeds {
    /// Starts a feed for each provider; each sleeps until it has something to listen to.
    pub(crate) fn start(sources: Sources, rules: &Section, ground: &Ground<'_>, live: &mut Live) -> Self {
        let (refresh, refreshed) = watch::channel(0);
        let (seen, sight) = watch::channel(Vec::new());
        let start = |opened: &Opened| {
            let trades = opened.spec.capabilities.live == SourceKind::Trades;
            let number = live.add_feed(FeedFacts { source: opened.source.clone(), trades, delay: opened.delay });
            Running::start(opened, number, ground, &refreshed, &sight)
        };
        let feeds = sources.opened().iter().map(start).collect();
        let failover = Failover::new(rules, Arc::clone(ground.calendars));
        Self { sources, feeds, failover, wanted: Vec::new(), shown: HashMap::new(), refresh, seen }
    }

    /// Says what is watched from now on; instruments that nobody has are answered.
    pub(crate) fn subscribe(&mut self, instruments: &[Instrument], live: &mut Live, now: Timestamp) -> Vec<Instrument> {
        let wanted = instruments.iter().map(|instrument| (instrument.clone(), self.sources.candidates(Need::Live, &instrument.symbol)));
        self.wanted = wanted.collect();
        self.route(live, now);
        self.wanted.iter().filter(|(_, candidates)| candidates.is_empty()).map(|(instrument, _)| instrument.clone()).collect()
    }

    /// Says who listens to what: each instrument is heard by the first of its sources that stands, and by those before it, which are
    /// tried on.
    pub(crate) fn route(&mut self, live: &mut Live, now: Timestamp) {
        for (instrument, candidates) in &self.wanted {
            for candidate in candidates {
                let heard = live.last_heard(candidate.number, instrument.id);
                self.failover.note((candidate.number, instrument), heard, now);
            }
        }
        let mut routes = vec![Routes::default(); self.feeds.len()];
        let mut subscriptions: Vec<Vec<Subscription>> = vec![Vec::new(); self.feeds.len()];
        for (instrument, candidates) in &self.wanted {
            let open = |candidate: &&Candidate| subscriptions[candidate.number].len() < self.feeds[candidate.number].capacity;
            let able: Vec<_> = candidates.iter().filter(open).collect();
            let stands =
                |candidate: &Candidate| self.failover.stands(&self.feeds[candidate.number].health, candidate.number, instrument.id, now);
            let choice = self.failover.choose(&able, stands);
            if let Some(shown) = choice.shown {
                self.shown.insert(instrument.id, shown);
            }
            for candidate in choice.heard {
                routes[candidate.number].insert(&candidate.spelling, Route::of(instrument));
                let subscription =
                    Subscription { spelling: candidate.spelling.clone(), instrument: instrument.id, venue: Arc::clone(&instrument.venue) };
                subscriptions[candidate.number].push(subscription);
            }
        }
        for (number, (routes, wanted)) in routes.into_iter().zip(subscriptions).enumerate() {
            let feed = &self.feeds[number];
            self.failover.subscribed(number, wanted.iter().map(|subscription| subscription.instrument), now);
            let changed = feed.subscriptions.send_if_modified(|old| {
                let changed = *old != wanted;
                *old = wanted;
                changed
            });
            if changed {
                live.set_routes(number, routes, now);
            }
        }
    }

    /// Whether prices of this feed are shown for an instrument.
    pub(crate) fn shows(&self, instrument: InstrumentId, number: usize) -> bool {
        self.shown.get(&instrument) == Some(&number)
    }

    /// Whether a bar of this source continues what is shown.
    pub(crate) fn shows_source(&self, instrument: InstrumentId, source: &Source) -> bool {
        self.shown.get(&instrument).is_some_and(|number| self.feeds[*number].opened.source == *source)
    }

    /// Since when a feed is asked for an instrument; `None` when it is not.
    pub(crate) fn asked_since(&self, number: usize, instrument: InstrumentId) -> Option<Timestamp> {
        self.failover.asked_since(number, instrument)
    }

    /// Asks every source for prices now.
    pub(crate) fn refresh(&self) {
        self.refresh.send_modify(|count| *count += 1);
    }

    /// What people see now is looked at more often than the rest.
    pub(crate) fn seen(&self, instruments: Vec<InstrumentId>) {
        self.seen.send_if_modified(|old| {
            let changed = *old != instruments;
            *old = instruments;
            changed
        });
    }

    pub(crate) fn opened(&self, number: usize) -> &Opened {
        &self.feeds[number].opened
    }

    pub(crate) fn sources(&self) -> &Sources {
        &self.sources
    }

    /// A feed's line, completed with what its polls met; the polls are told how the socket is.
    pub(crate) fn heard(&mut self, number: usize, view: FeedView, now: Timestamp) -> FeedView {
        let patience = self.failover.patience;
        let feed = &mut self.feeds[number];
        let well = matches!(view.state, FeedState::Live | FeedState::Quiet);
        feed.socket_is_well.send_if_modified(|old| std::mem::replace(old, well) != well);
        feed.said = view;
        feed.line(patience, now)
    }

    /// Lines that time alone changed: polls that began or ceased to be answered, requests that were sent.
    pub(crate) fn look(&mut self, shown: &MarketView, now: Timestamp) -> Vec<FeedView> {
        let mut changed = Vec::new();
        for feed in &mut self.feeds {
            let line = feed.line(self.failover.patience, now);
            let old = shown.feeds.iter().find(|old| old.source == line.source);
            if old.is_some_and(|old| **old != line) {
                changed.push(line);
            }
        }
        changed
    }

    /// The lines before anything was heard.
    pub(crate) fn first_views(&self) -> Vec<FeedView> {
        self.feeds.iter().map(|feed| feed.said.clone()).collect()
    }

    pub(crate) fn source(&self, number: usize) -> &Source {
        &self.feeds[number].opened.source
    }
}

impl Running {
    fn start(
        opened: &Opened,
        number: usize,
        ground: &Ground<'_>,
        refreshed: &watch::Receiver<u64>,
        sight: &watch::Receiver<Vec<InstrumentId>>,
    ) -> Self {
        let (subscriptions, subscribed) = watch::channel(Vec::new());
        let (socket_is_well, well) = watch::channel(false);
        let (report, polled) = watch::channel(PollReport::default());
        let said = FeedView::new(opened.source.clone(), opened.delay, ground.clock.now());
        let protocol = opened.provider.stream();
        let (has_socket, capacity) = (protocol.is_some(), protocol.as_ref().map_or(usize::MAX, |protocol| protocol.capacity()));
        let polling = opened.provider.polling();
        let health = Health::default();
        let running = Self { opened: opened.clone(), subscriptions, socket_is_well, polled, said, has_socket, capacity, polling, health };
        if ground.duty == Duty::Replay {
            // The frames come from a recording.
            return running;
        }
        if let Some(protocol) = protocol {
            running.listen(protocol, number, ground, subscribed.clone());
        }
        if let Some(polling) = polling {
            let poll = Poll {
                name: opened.spec.name,
                provider: Arc::clone(&opened.provider),
                polling,
                clock: ground.clock.clone(),
                calendars: Arc::clone(ground.calendars),
                subscriptions: subscribed,
                socket_is_well: well,
                seen: sight.clone(),
                refresh: refreshed.clone(),
                number,
                messages: ground.messages.clone(),
                report,
                token: ground.tasks.token(),
            };
            ground.tasks.spawn(format!("poll {}", opened.spec.name), poll.run());
        }
        running
    }

    fn listen(&self, protocol: Arc<dyn Protocol>, number: usize, ground: &Ground<'_>, subscribed: watch::Receiver<Vec<Subscription>>) {
        let net = self.opened.provider.net();
        let name = || format!("feed-{}-{}", self.opened.spec.name, net.http.redact().fingerprint());
        let place = ground.places.filter(|_| protocol.is_exclusive()).map(|folder| folder.join(name()));
        let feed = Feed {
            place,
            means: net.means(protocol),
            calendars: Arc::clone(ground.calendars),
            subscriptions: subscribed,
            limiter: net.http.limiter().clone(),
            number,
            messages: ground.messages.clone(),
            token: ground.tasks.token(),
            view: self.said.clone(),
            connections: 0,
        };
        ground.tasks.spawn(format!("feed {}", self.opened.spec.name), feed.run());
    }

    /// How the feed stands, its polls counted in.
    fn line(&mut self, patience: Duration, now: Timestamp) -> FeedView {
        let line = if self.has_socket { self.with_polls(now) } else { self.of_polls(now) };
        // Looks that stand in keep prices alive, but not the place before a source whose socket is well.
        self.health.note(if self.has_socket { self.said.state } else { line.state }, patience, now);
        line
    }

    /// The socket's line; looks stand in while it is down.
    fn with_polls(&self, now: Timestamp) -> FeedView {
        let report = self.polled.borrow();
        let said = &self.said;
        let answers = self.polling.zip(report.answered).is_some_and(|(polling, answered)| now.since(answered) <= polling.every * 2);
        let stands_in = answers && matches!(said.state, FeedState::Connecting | FeedState::Silent | FeedState::Dead);
        let state = if stands_in { FeedState::Polling } else { said.state };
        let error = said.error.as_ref().or(report.trouble.as_ref()).cloned();
        FeedView { state, error, usage: self.opened.provider.net().http.limiter().usage(), ..said.clone() }
    }

    /// The line of a source that has no socket.
    fn of_polls(&self, now: Timestamp) -> FeedView {
        let report = self.polled.borrow();
        let mut line = self.said.clone();
        line.symbols = self.subscriptions.borrow().len();
        line.usage = self.opened.provider.net().http.limiter().usage();
        (line.messages, line.errors, line.last_frame) = (report.answers, report.errors, report.answered);
        (line.error, line.next_try) = (report.trouble.clone(), report.next);
        let state = match (line.symbols, &report.trouble, report.answered) {
            (0, ..) => FeedState::Idle,
            (_, Some(_), _) => FeedState::Dead,
            (_, None, Some(_)) => FeedState::Polling,
            (_, None, None) => FeedState::Connecting,
        };
        line.since = self.health.since(state).unwrap_or(now);
        line.state = state;
        line
    }
}
