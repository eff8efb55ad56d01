//! The live path: events of every feed in; prices to show, and judged bars to keep, out.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use crate::calendar::Calendars;
use crate::market::{
    Bar, BarFlags, Delay, EventKind, InstrumentId, Interval, Last, MarketEvent, Origin, Quote, Source, SourceBar, Timestamp, Trade,
};
use crate::pipeline::aggregate::{Aggregator, Late};
use crate::pipeline::dedupe::{Dedupe, Freshness};
use crate::pipeline::judge::{Judge, Judged};
use crate::pipeline::normalise::{Route, Routes, check_trade};
use crate::quality::Quarantined;

/// The state of the live path.
#[derive(Debug)]
pub struct Live {
    calendars: Arc<Calendars>,
    judge: Judge,
    feeds: Vec<Feed>,
}

/// What the path has to know of a feed.
#[derive(Clone, Debug)]
pub struct FeedFacts {
    pub source: Source,
    /// Whether it sends trades: then bars are made of these, and not of sampled prices.
    pub trades: bool,
    /// How late its prices are by agreement.
    pub delay: Delay,
}

#[derive(Debug)]
struct Feed {
    facts: FeedFacts,
    routes: Routes,
    lanes: HashMap<InstrumentId, Lane>,
}

#[derive(Debug)]
struct Lane {
    route: Route,
    aggregator: Aggregator,
    dedupe: Dedupe,
    /// The source's own bar of the minute that forms, where it tells of it: it is over once it tells of a later one.
    forming: Option<SourceBar>,
    /// When the newest trade was made.
    traded: Option<Timestamp>,
    /// When anything was heard, on our clock.
    heard: Option<Timestamp>,
    /// Since when what is made of it is asked for.
    asked: Timestamp,
    /// Since when that is not, where it is not.
    left: Option<Timestamp>,
}

/// What one event came to.
#[derive(Debug, Default, PartialEq)]
pub struct Output {
    /// Whose price or quote it was, when it may be shown.
    pub seen: Option<Seen>,
    pub judged: Option<Judged>,
    pub quarantined: Option<Quarantined>,
    /// A trade came for a bar that is gone from memory, or trades were lost: the minute has to be asked again.
    pub hole: Option<Hole>,
}

/// A stretch of one instrument that was not heard whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hole {
    pub instrument: InstrumentId,
    pub from: Timestamp,
    pub to: Timestamp,
}

/// An event that passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    pub instrument: InstrumentId,
}

impl Live {
    #[must_use]
    pub fn new(calendars: Arc<Calendars>) -> Self {
        Self { judge: Judge::new(Arc::clone(&calendars)), calendars, feeds: Vec::new() }
    }

    /// Adds a feed; the answer is its number.
    pub fn add_feed(&mut self, facts: FeedFacts) -> usize {
        self.feeds.push(Feed { facts, routes: Routes::default(), lanes: HashMap::new() });
        self.feeds.len() - 1
    }

    /// Says whose instruments a feed's spellings mean from `now` on. What forms is kept; of what is new nothing was heard
    /// before.
    pub fn set_routes(&mut self, feed: usize, routes: Routes, now: Timestamp) {
        let now = now - self.agreed(feed);
        let feed = &mut self.feeds[feed];
        let wanted: HashSet<_> = routes.iter().map(|route| route.instrument).collect();
        for (_, lane) in feed.lanes.iter_mut().filter(|(id, _)| !wanted.contains(id)) {
            lane.left.get_or_insert(now);
        }
        for route in routes.iter() {
            let lane = feed.lanes.entry(route.instrument).or_insert_with(|| Lane::new(route.clone(), &feed.facts));
            if let Some(left) = lane.left.take() {
                lane.was_deaf(left, now);
                lane.asked = now;
            }
        }
        feed.routes = routes;
    }

    /// How late a feed's prices are by agreement: what it says now was made that long ago.
    #[must_use]
    pub fn agreed(&self, feed: usize) -> Duration {
        self.feeds[feed].facts.agreed()
    }

    /// What was made between these instants could not be heard.
    pub fn was_deaf(&mut self, feed: usize, from: Timestamp, to: Timestamp) {
        for lane in self.feeds[feed].lanes.values_mut().filter(|lane| lane.left.is_none()) {
            // Before it was asked for it, the feed was deaf to it anyway, and what was made then stays what it is.
            let from = from.max(lane.asked);
            if from < to {
                lane.was_deaf(from, to);
            }
        }
    }

    /// Takes one event, for the first instrument that its spelling means.
    pub fn accept(&mut self, feed: usize, event: &MarketEvent) -> Output {
        let instrument = self.feeds[feed].routes.get(&event.symbol).map(|route| route.instrument);
        instrument.map(|instrument| self.take(feed, instrument, event)).unwrap_or_default()
    }

    /// Takes the same event for the other instruments that its spelling means: there is hardly ever one.
    pub fn accept_further(&mut self, feed: usize, event: &MarketEvent) -> Vec<Output> {
        let further: Vec<_> = self.feeds[feed].routes.further(&event.symbol).map(|route| route.instrument).collect();
        further.into_iter().map(|instrument| self.take(feed, instrument, event)).collect()
    }

    /// When a feed last said anything of an instrument.
    #[must_use]
    pub fn last_heard(&self, feed: usize, instrument: InstrumentId) -> Option<Timestamp> {
        self.feeds[feed].lanes.get(&instrument)?.heard
    }

    fn take(&mut self, feed: usize, instrument: InstrumentId, event: &MarketEvent) -> Output {
        let Self { calendars, judge, feeds } = self;
        let Feed { facts, lanes, .. } = &mut feeds[feed];
        let Some(lane) = lanes.get_mut(&instrument) else { return Output::default() };
        lane.heard = Some(event.ts_recv);
        match &event.kind {
            EventKind::Trade(trade) => lane.trade(calendars, facts, event, trade),
            EventKind::Last(last) => lane.sample(calendars, facts, event, last),
            EventKind::Quote(quote) => lane.quote(facts, event, quote),
            EventKind::Bar(bar) => {
                let judged = lane.own(judge, facts, bar, event.ts_recv);
                let is_good = judged.as_ref().is_some_and(|judged| judged.bar.is_ok());
                Output { seen: is_good.then(|| lane.seen()), judged, ..Output::default() }
            }
            EventKind::Forming(bar) => {
                let over = lane.over(bar);
                Output { judged: over.and_then(|over| lane.own(judge, facts, &over, event.ts_recv)), ..Output::default() }
            }
            EventKind::Heartbeat { last_trade_id } => lane.heartbeat(*last_trade_id, event.ts_event),
            EventKind::Correction { trade_id } => {
                let at = trade_id.as_ref().and_then(|id| lane.dedupe.made_at(id)).unwrap_or(event.ts_event);
                Output { hole: Some(lane.minute_of(at)), ..Output::default() }
            }
            EventKind::Halt(_) => Output { seen: Some(lane.seen()), ..Output::default() },
        }
    }

    /// The bars that ended by `now`, judged.
    pub fn seal(&mut self, now: Timestamp) -> Vec<Judged> {
        self.collect(now, Aggregator::seal)
    }

    /// What forms, flagged partial: for a shutdown.
    pub fn partial(&mut self, now: Timestamp) -> Vec<Judged> {
        self.collect(now, Aggregator::partial)
    }

    fn collect(&mut self, now: Timestamp, take: fn(&mut Aggregator, Timestamp) -> Vec<Bar>) -> Vec<Judged> {
        let Self { judge, feeds, .. } = self;
        let mut judged = Vec::new();
        for feed in feeds {
            // A source that is late by agreement is not done with a minute when the clock is.
            let done = now - feed.facts.agreed();
            for lane in feed.lanes.values_mut() {
                let bars = take(&mut lane.aggregator, done);
                judged.extend(bars.into_iter().map(|bar| judge.judge(bar, &lane.route, now)));
            }
        }
        judged
    }

    /// When the next bar is due to be sealed.
    #[must_use]
    pub fn due(&self) -> Option<Timestamp> {
        let due = |feed: &Feed| Some(feed.lanes.values().filter_map(|lane| lane.aggregator.due()).min()? + feed.facts.agreed());
        self.feeds.iter().filter_map(due).min()
    }
}

impl FeedFacts {
    /// How late its prices are by agreement.
    fn agreed(&self) -> Duration {
        Duration::from_secs(u64::from(self.delay.seconds().unwrap_or(0)))
    }
}

impl Lane {
    /// Nothing was heard of it before it is asked for.
    fn new(route: Route, facts: &FeedFacts) -> Self {
        let aggregator = Aggregator::new(route.instrument, facts.source.clone());
        let (asked, left) = (Timestamp::MIN, Some(Timestamp::MIN));
        Self { route, aggregator, dedupe: Dedupe::default(), forming: None, traded: None, heard: None, asked, left }
    }

    /// Nothing was heard between these instants, nor is it known what became of the minute that formed then.
    fn was_deaf(&mut self, from: Timestamp, to: Timestamp) {
        self.forming = None;
        self.aggregator.was_deaf(from, to);
    }

    /// Trades were lost between the newest one and `at`: the bars between are partial.
    fn lost(&mut self, at: Timestamp) -> Hole {
        let from = self.traded.unwrap_or(at).min(at);
        self.aggregator.was_deaf(from, at);
        Hole { instrument: self.route.instrument, from, to: at }
    }

    /// The minute of an instant has to be asked again.
    fn minute_of(&mut self, at: Timestamp) -> Hole {
        let minute = Interval::OneMinute.duration();
        let from = at.floor_to(minute, Timestamp::from_seconds(0));
        self.aggregator.was_deaf(from, from + minute);
        Hole { instrument: self.route.instrument, from, to: from + minute }
    }

    /// The bar that this one shows to be over: the one before it, or itself where a later one is known.
    fn over(&mut self, bar: &SourceBar) -> Option<SourceBar> {
        if self.forming.as_ref().is_some_and(|forming| bar.open_time < forming.open_time) {
            return Some(bar.clone());
        }
        self.forming.replace(bar.clone()).filter(|before| before.open_time < bar.open_time)
    }

    /// The source's own bar, judged; `None` where it says what ours says.
    fn own(&mut self, judge: &mut Judge, facts: &FeedFacts, bar: &SourceBar, ts_recv: Timestamp) -> Option<Judged> {
        let is_minute = bar.interval == Interval::OneMinute;
        if is_minute && self.aggregator.confirmed(bar) {
            return None;
        }
        let mut judged = judge.judge(source_bar(bar, self.route.instrument, &facts.source), &self.route, ts_recv);
        // Instead of one that is refused, ours is kept.
        if let Ok(own) = &mut judged.bar
            && is_minute
        {
            own.revision = self.aggregator.told(bar.open_time);
        }
        Some(judged)
    }

    fn seen(&self) -> Seen {
        Seen { instrument: self.route.instrument }
    }

    /// A quote from the future would stand before all that come after it.
    fn quote(&self, facts: &FeedFacts, event: &MarketEvent, quote: &Quote) -> Output {
        let refused = [quote.bid, quote.ask].into_iter().flatten().find_map(|price| {
            let as_trade = Trade { price, size: 0.0, ..Trade::default() };
            check_trade(&as_trade, self.route.may_be_negative, event.ts_event, event.ts_recv)
        });
        match refused {
            Some(reason) => Output { quarantined: Some(self.refuse(facts, event, reason)), ..Output::default() },
            None => Output { seen: Some(self.seen()), ..Output::default() },
        }
    }

    fn trade(&mut self, calendars: &Calendars, facts: &FeedFacts, event: &MarketEvent, trade: &Trade) -> Output {
        // A trade that is refused was heard all the same: it is no loss.
        let freshness = trade.trade_id.as_ref().map_or(Freshness::New, |id| self.dedupe.trade(id, event.ts_event));
        let ancient = (event.ts_recv.since(event.ts_event) > ANCIENT).then_some("past");
        if let Some(reason) = check_trade(trade, self.route.may_be_negative, event.ts_event, event.ts_recv).or(ancient) {
            return Output { quarantined: Some(self.refuse(facts, event, reason)), ..Output::default() };
        }
        let lost = match freshness {
            Freshness::Repeated => return Output::default(),
            Freshness::New => None,
            Freshness::NewAfterLoss(_) => Some(self.lost(event.ts_event)),
        };
        self.traded = self.traded.max(Some(event.ts_event));
        let late = calendars.get(&self.route.venue).map(|calendar| self.aggregator.trade(calendar, event.ts_event, trade));
        let hole = match late {
            Some(Err(Late::TooLate(at))) => {
                Some(Hole { instrument: self.route.instrument, from: at, to: at + Interval::OneMinute.duration() })
            }
            Some(Err(Late::NoSession) | Ok(())) | None => lost,
        };
        Output { seen: Some(self.seen()), hole, ..Output::default() }
    }

    fn sample(&mut self, calendars: &Calendars, facts: &FeedFacts, event: &MarketEvent, last: &Last) -> Output {
        let as_trade = Trade { price: last.price, size: 0.0, ..Trade::default() };
        if let Some(reason) = check_trade(&as_trade, self.route.may_be_negative, event.ts_event, event.ts_recv) {
            return Output { quarantined: Some(self.refuse(facts, event, reason)), ..Output::default() };
        }
        if !self.dedupe.sample(event.ts_event) {
            return Output::default();
        }
        let is_news = event.ts_recv.since(event.ts_event) <= facts.agreed() + SAMPLE_AGE;
        if !facts.trades
            && is_news
            && let Some(calendar) = calendars.get(&self.route.venue)
        {
            // 24 hours roll: the difference of two such totals is no volume.
            let day_volume = last.day_volume.filter(|_| !self.route.rolling_volume);
            // A price outside any session is shown and makes no bar.
            let _ = self.aggregator.sample(calendar, event.ts_event, &Last { day_volume, ..last.clone() });
        }
        Output { seen: Some(self.seen()), ..Output::default() }
    }

    /// A heartbeat that knows a newer trade than we saw shows a loss even in silence; 0 means unknown.
    fn heartbeat(&mut self, last_trade_id: Option<u64>, at: Timestamp) -> Output {
        let Some(id) = last_trade_id.filter(|id| *id != 0) else { return Output::default() };
        match self.dedupe.highest() {
            None => self.dedupe.start_at(id),
            Some(highest) if id.saturating_sub(highest) > HEARTBEAT_LEAD => {
                self.dedupe.start_at(id);
                return Output { hole: Some(self.lost(at)), ..Output::default() };
            }
            Some(_) => {}
        }
        Output::default()
    }

    fn refuse(&self, facts: &FeedFacts, event: &MarketEvent, reason: &str) -> Quarantined {
        Quarantined {
            received_at: event.ts_recv,
            source: facts.source.clone(),
            instrument: self.route.instrument,
            interval: None,
            open_time: None,
            reasons: vec![reason.to_owned()],
            payload: serde_json::to_string(&event.kind).unwrap_or_else(|_| format!("{:?}", event.kind)),
        }
    }
}

/// A sampled price that is older than agreed by more than this was told late: the last close on a Sunday is no trade of
/// that minute.
const SAMPLE_AGE: Duration = Duration::from_secs(120);

/// A trade of another day does not come live.
const ANCIENT: Duration = Duration::from_secs(86_400);

/// How many trades a heartbeat may be ahead of the trades on the same connection without one being lost.
const HEARTBEAT_LEAD: u64 = 50;

/// A bar as a source sent it, before it is judged.
#[must_use]
pub fn source_bar(bar: &SourceBar, instrument: InstrumentId, source: &Source) -> Bar {
    Bar {
        instrument,
        interval: bar.interval,
        open_time: bar.open_time,
        open: bar.open,
        high: bar.high,
        low: bar.low,
        close: bar.close,
        volume: bar.volume,
        vwap: bar.vwap,
        n_trades: bar.n_trades,
        session: None,
        source: source.clone(),
        origin: Origin::Live,
        revision: 0,
        quality: 1.0,
        flags: BarFlags::empty(),
    }
}
