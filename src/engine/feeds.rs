//! The tasks that listen, one feed a provider, and who listens to what.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use crate::calendar::Calendars;
use crate::engine::setup::{Opened, route};
use crate::host::{Clock, Tasks};
use crate::market::{Instrument, Source, Timestamp};
use crate::pipeline::{FeedFacts, Live, Route, Routes};
use crate::provider::net::{Feed, FeedMessage, Poll, PollReport, Subscription};
use crate::request::SourceKind;
use crate::snapshot::{FeedState, FeedView, MarketView};

/// Every feed, by number.
pub(crate) struct Feeds {
    feeds: Vec<Running>,
    refresh: watch::Sender<u64>,
}

struct Running {
    opened: Opened,
    subscriptions: watch::Sender<Vec<Subscription>>,
    socket_is_well: watch::Sender<bool>,
    polled: watch::Receiver<PollReport>,
    /// What the feed said last of its state, and what went wrong.
    said: Option<(FeedState, Option<String>)>,
    poll_every: Option<Duration>,
}

/// What feeds are started with.
pub(crate) struct Ground<'a> {
    pub(crate) clock: &'a Clock,
    pub(crate) calendars: &'a Arc<Calendars>,
    pub(crate) tasks: &'a Tasks,
    pub(crate) messages: &'a mpsc::Sender<(usize, FeedMessage)>,
}

impl Feeds {
    /// Starts a feed for each provider; each sleeps until it has something to listen to.
    pub(crate) fn start(providers: &[Opened], ground: &Ground<'_>, live: &mut Live) -> Self {
        let (refresh, refreshed) = watch::channel(0);
        let start = |opened: &Opened| {
            let trades = opened.spec.capabilities.live == SourceKind::Trades;
            let number = live.add_feed(FeedFacts { source: opened.source.clone(), trades, delay: opened.spec.capabilities.delay });
            Running::start(opened, number, ground, &refreshed)
        };
        Self { feeds: providers.iter().map(start).collect(), refresh }
    }

    /// Says who listens to what from now on; instruments that nobody has are answered.
    pub(crate) fn subscribe(&self, instruments: &[Instrument], live: &mut Live, now: Timestamp) -> Vec<Instrument> {
        let opened: Vec<_> = self.feeds.iter().map(|feed| feed.opened.clone()).collect();
        let mut orphans = Vec::new();
        let mut routes = vec![Routes::default(); self.feeds.len()];
        let mut subscriptions: Vec<Vec<Subscription>> = vec![Vec::new(); self.feeds.len()];
        for instrument in instruments {
            let Some((number, spelling)) = route(&opened, &instrument.symbol) else {
                orphans.push(instrument.clone());
                continue;
            };
            routes[number].insert(&spelling, Route::of(instrument));
            subscriptions[number].push(Subscription { spelling, venue: Arc::clone(&instrument.venue) });
        }
        for (number, (routes, wanted)) in routes.into_iter().zip(subscriptions).enumerate() {
            live.set_routes(number, routes, now);
            self.feeds[number].subscriptions.send_if_modified(|old| {
                let changed = *old != wanted;
                *old = wanted;
                changed
            });
        }
        orphans
    }

    /// Asks every source for prices now.
    pub(crate) fn refresh(&self) {
        self.refresh.send_modify(|count| *count += 1);
    }

    pub(crate) fn opened(&self, number: usize) -> &Opened {
        &self.feeds[number].opened
    }

    /// The providers, in the order of their numbers.
    pub(crate) fn providers(&self) -> Vec<Opened> {
        self.feeds.iter().map(|feed| feed.opened.clone()).collect()
    }

    /// A feed's line, completed with what its polls met; the polls are told how the socket is.
    pub(crate) fn heard(&mut self, number: usize, view: FeedView, now: Timestamp) -> FeedView {
        let feed = &mut self.feeds[number];
        let well = matches!(view.state, FeedState::Live | FeedState::Quiet);
        feed.socket_is_well.send_if_modified(|old| std::mem::replace(old, well) != well);
        feed.said = Some((view.state, view.error.clone()));
        let (state, error) = feed.stands(view.state, view.error.as_ref(), now);
        FeedView { state, error, ..view }
    }

    /// Lines that time alone changed: polls that began or ceased to be answered.
    pub(crate) fn look(&self, shown: &MarketView, now: Timestamp) -> Vec<FeedView> {
        let changed = |feed: &Running| {
            let line = shown.feeds.iter().find(|line| line.source == feed.opened.source)?;
            let (said, complaint) = feed.said.as_ref()?;
            let (state, error) = feed.stands(*said, complaint.as_ref(), now);
            ((state, &error) != (line.state, &line.error)).then(|| FeedView { state, error, ..(**line).clone() })
        };
        self.feeds.iter().filter_map(changed).collect()
    }

    /// The lines before anything was heard.
    pub(crate) fn first_views(&self, clock: &Clock) -> Vec<FeedView> {
        self.feeds.iter().map(|feed| FeedView::new(feed.opened.source.clone(), feed.opened.spec.capabilities.delay, clock.now())).collect()
    }

    pub(crate) fn source(&self, number: usize) -> &Source {
        &self.feeds[number].opened.source
    }
}

impl Running {
    /// How a feed stands, its polls counted in.
    fn stands(&self, said: FeedState, complaint: Option<&String>, now: Timestamp) -> (FeedState, Option<String>) {
        let report = self.polled.borrow();
        let answers = self.poll_every.zip(report.answered).is_some_and(|(every, answered)| now.since(answered) <= every * 2);
        let stands_in = answers && matches!(said, FeedState::Connecting | FeedState::Silent | FeedState::Dead);
        (if stands_in { FeedState::Polling } else { said }, complaint.or(report.trouble.as_ref()).cloned())
    }

    fn start(opened: &Opened, number: usize, ground: &Ground<'_>, refreshed: &watch::Receiver<u64>) -> Self {
        let (subscriptions, subscribed) = watch::channel(Vec::new());
        let (socket_is_well, well) = watch::channel(false);
        let (report, polled) = watch::channel(PollReport::default());
        let (clock, tasks, messages) = (ground.clock, ground.tasks, ground.messages);
        if let Some(protocol) = opened.provider.stream() {
            let feed = Feed {
                protocol,
                sockets: opened.provider.net().sockets.clone(),
                clock: clock.clone(),
                calendars: Arc::clone(ground.calendars),
                subscriptions: subscribed.clone(),
                number,
                messages: messages.clone(),
                token: tasks.token(),
                view: FeedView::new(opened.source.clone(), opened.spec.capabilities.delay, clock.now()),
            };
            tasks.spawn(format!("feed {}", opened.spec.name), feed.run());
        }
        if let Some(every) = opened.provider.poll_every() {
            let poll = Poll {
                name: opened.spec.name,
                provider: Arc::clone(&opened.provider),
                every,
                clock: clock.clone(),
                subscriptions: subscribed,
                socket_is_well: well,
                refresh: refreshed.clone(),
                number,
                messages: messages.clone(),
                report,
                token: tasks.token(),
            };
            tasks.spawn(format!("poll {}", opened.spec.name), poll.run());
        }
        Self { opened: opened.clone(), subscriptions, socket_is_well, polled, said: None, poll_every: opened.provider.poll_every() }
    }
}
