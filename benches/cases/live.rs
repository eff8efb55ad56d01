//! The live path: trades in, judged bars in the queue for the store out.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use openbell::calendar::Calendars;
use openbell::market::{Bar, EventKind, InstrumentId, MarketEvent, Moves, Side, Source, Timestamp, Trade};
use openbell::pipeline::{FeedFacts, Live, Route, Routes};

use super::bars::in_session;
use super::contract::{Budget, Case, Size, timed};

const INSTRUMENTS: usize = 200;
/// Trades in a second of the market; after each the bars that ended are sealed, as the engine does.
const A_SECOND: usize = 2_000;

/// Half of the instruments trade in New York, half around the clock.
pub fn trades_to_bars(size: Size) -> Case {
    let calendars = Arc::new(Calendars::embedded());
    let seconds = size.of(5, 300);
    let run = move || {
        let mut live = Live::new(Arc::clone(&calendars));
        let feed = live.add_feed(FeedFacts { source: Source::new("alpaca:sip"), trades: true, delay: openbell::market::Delay::RealTime });
        live.set_routes(feed, routes(), Timestamp::MIN);
        let (mut events, mut queue) = (events(), Vec::with_capacity(INSTRUMENTS * 8));
        let ran = timed(|| {
            let seen: u64 = (0..seconds).map(|second| one_second(&mut live, feed, second, &mut events, &mut queue)).sum();
            seal(&mut live, in_session() + Duration::from_secs(seconds as u64 + 120), &mut queue);
            seen
        });
        assert!(black_box(&queue).len() >= INSTRUMENTS, "each instrument has a bar");
        ran
    };
    Case {
        name: "trades to judged bars in the queue",
        unit: "trades",
        units: (seconds * A_SECOND) as u64,
        ours: Box::new(run),
        bare: None,
        budget: Budget::PerSecond(1e6),
    }
}

fn spelling(number: usize) -> String {
    if number.is_multiple_of(2) { format!("E{number:03}") } else { format!("C{number:03}-USD") }
}

fn routes() -> Routes {
    let mut routes = Routes::default();
    for number in 0..INSTRUMENTS {
        let venue = if number.is_multiple_of(2) { "XNYS" } else { "CRYPTO" };
        let instrument = InstrumentId(number as i64 + 1);
        routes.insert(&spelling(number), Route { instrument, venue: venue.into(), may_be_negative: false, rolling_volume: false });
    }
    routes
}

/// One event an instrument: it is changed and sent again, so that what is measured is not the making of events.
fn events() -> Vec<MarketEvent> {
    let event = |number: usize| {
        let trade = Trade { price: 0.0, size: 10.0, taker: Some(Side::Buy), ..Trade::default() };
        MarketEvent { symbol: spelling(number).into(), ts_event: in_session(), ts_recv: in_session(), kind: EventKind::Trade(trade) }
    };
    (0..INSTRUMENTS).map(event).collect()
}

fn one_second(live: &mut Live, feed: usize, second: usize, events: &mut [MarketEvent], queue: &mut Vec<Bar>) -> u64 {
    let start = in_session() + Duration::from_secs(second as u64);
    let mut seen = 0;
    for number in 0..A_SECOND {
        let event = &mut events[number % INSTRUMENTS];
        event.ts_event = start + Duration::from_micros(number as u64 * 500);
        event.ts_recv = event.ts_event + Duration::from_millis(40);
        if let EventKind::Trade(trade) = &mut event.kind {
            trade.price = 100.0 + f64::from(u32::try_from(number * 7 % 100).unwrap_or(0)) / 100.0;
            trade.trade_id = Some(((second * (A_SECOND / INSTRUMENTS) + number / INSTRUMENTS) as u64 + 1).into());
        }
        let output = live.accept(feed, black_box(event));
        seen += u64::from(output.seen.is_some() && output.hole.is_none());
    }
    seal(live, start + Duration::from_secs(1), queue);
    seen
}

fn seal(live: &mut Live, now: Timestamp, queue: &mut Vec<Bar>) {
    if live.due().is_some_and(|due| due <= now) {
        queue.extend(live.seal(now).into_iter().filter_map(|judged| judged.bar.ok()));
    }
}
