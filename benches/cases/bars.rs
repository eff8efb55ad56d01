//! Made-up bars that look like a market's: the same ones each time.

use openbell::calendar::Calendars;
use openbell::market::{Bar, BarFlags, InstrumentId, Interval, Origin, SessionKind, Source, Timestamp};
use openbell::quality::expected;

/// A Friday on which New York trades, half an hour after its open.
pub fn in_session() -> Timestamp {
    "2026-11-20T15:00:00Z".parse().expect("a time")
}

/// The open times of so many minutes of regular trading in New York, the last ones before `in_session`.
pub fn minutes(calendars: &Calendars, count: usize) -> Vec<Timestamp> {
    let calendar = calendars.get("XNYS").expect("New York has a calendar");
    let from = "2025-11-03T00:00:00Z".parse().expect("a time");
    let all = expected(calendar, Interval::OneMinute, from, in_session()).expect("the calendar knows these years");
    let skipped = all.len().checked_sub(count).expect("a year has so many minutes");
    all.into_iter().skip(skipped).map(|(open, ..)| open).collect()
}

/// One bar for each open time: a walk in small steps, with a volume far off the usual in each thousandth.
pub fn walk(instrument: InstrumentId, opens: &[Timestamp]) -> Vec<Bar> {
    let mut dice = fastrand::Rng::with_seed(instrument.0.cast_unsigned());
    let source = Source::new("alpaca:sip");
    let cents = |price: f64| (price * 100.0).round() / 100.0;
    let mut close = cents(20.0 + dice.f64() * 300.0);
    let bar = |(i, open_time): (usize, &Timestamp)| {
        let open = close;
        close = cents((open * (1.0 + (dice.f64() - 0.5) * 0.002)).max(1.0));
        let (high, low) = (cents(open.max(close) + dice.f64() * 0.05), cents((open.min(close) - dice.f64() * 0.05).max(0.5)));
        let usual = f64::from(dice.u32(50_000..150_000));
        Bar {
            instrument,
            interval: Interval::OneMinute,
            open_time: *open_time,
            open,
            high,
            low,
            close,
            volume: Some(if i % 1_000 == 999 { usual * 50.0 } else { usual }),
            vwap: Some(f64::midpoint(high, low)),
            n_trades: Some(u64::from(dice.u16(100..900))),
            session: Some(SessionKind::Regular),
            source: source.clone(),
            origin: Origin::Live,
            revision: 0,
            quality: 1.0,
            flags: BarFlags::empty(),
        }
    };
    opens.iter().enumerate().map(bar).collect()
}
