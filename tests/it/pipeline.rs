//! From events to bars: whatever the order things come in, the bars are those of the trades.
#![allow(clippy::float_cmp, reason = "prices are quarters and sizes are whole, so that sums are exact")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use openbell::calendar::{Calendar, Calendars};
use openbell::market::{
    Bar, BarFlags, Delay, EventKind, InstrumentId, Interval, Last, MarketEvent, Moves, Origin, Quote, SessionKind, Source, SourceBar,
    Timestamp, Trade, TradeId,
};
use openbell::pipeline::{
    Aggregator, Dedupe, FeedFacts, Freshness, Fused, Judged, Late, Live, Output, Ranks, Route, Routes, Seen, fuse, resample, widen,
};
use proptest::prelude::*;

const MINUTE: Duration = Duration::from_secs(60);
/// A Wednesday with ordinary hours; crypto trades at any time.
const START: &str = "2026-11-25T15:00:00Z";
const ID: InstrumentId = InstrumentId(1);

fn at(text: &str) -> Timestamp {
    text.parse().expect("an instant")
}

/// So many seconds after [`START`].
fn second(seconds: u64) -> Timestamp {
    at(START) + Duration::from_secs(seconds)
}

fn calendar(venue: &str) -> Calendar {
    Calendars::embedded().get(venue).expect("a known venue").clone()
}

fn trade(price: f64, size: f64, id: u64) -> Trade {
    Trade { price, size, trade_id: Some(id.into()), ..Trade::default() }
}

fn aggregator() -> Aggregator {
    Aggregator::new(ID, Source::new("coinbase"))
}

/// A one-minute bar of New York's regular session, 15:00 UTC.
fn bar(source: &str, price: f64) -> Bar {
    Bar {
        instrument: ID,
        interval: Interval::OneMinute,
        open_time: at(START),
        open: price,
        high: price,
        low: price,
        close: price,
        volume: Some(100.0),
        vwap: None,
        n_trades: Some(3),
        session: Some(SessionKind::Regular),
        source: Source::new(source),
        origin: Origin::Live,
        revision: 0,
        quality: 1.0,
        flags: BarFlags::empty(),
    }
}

// ── trades into bars ──

/// When, and what. The id decides between trades of one microsecond.
type Told = (Timestamp, Trade);

fn trades(minutes: u64) -> impl Strategy<Value = Vec<Told>> {
    let one = (0..minutes * 600, 1_u32..4_000, 1_u32..100, prop::sample::select(vec![7_u8, 7, 7, 7, 1, 3, 2, 6]));
    prop::collection::vec(one, 1..80).prop_map(|list| {
        let told = |(id, (tenths, price, size, moves)): (u64, (u64, u32, u32, u8))| {
            let moves = Moves::from_bits_truncate(moves);
            let trade = Trade { moves, ..trade(f64::from(price) / 4.0, f64::from(size), id) };
            (at(START) + Duration::from_millis(tenths * 100), trade)
        };
        (1_u64..).zip(list).map(told).collect()
    })
}

/// The bars that are left when all was told; revisions are counted apart.
fn aggregate(told: &[Told], seal_after: &[bool]) -> BTreeMap<Timestamp, Bar> {
    let (calendar, mut aggregator) = (calendar("CRYPTO"), aggregator());
    let (mut bars, end) = (BTreeMap::new(), second(7_200));
    for (i, (time, trade)) in told.iter().enumerate() {
        aggregator.trade(&calendar, *time, trade).expect("crypto always trades, and 16 minutes are remembered");
        if seal_after.get(i).copied().unwrap_or(false) {
            bars.extend(aggregator.seal(end).into_iter().map(|bar| (bar.open_time, bar)));
        }
    }
    bars.extend(aggregator.seal(end).into_iter().map(|bar| (bar.open_time, bar)));
    bars.values_mut().for_each(|bar| bar.revision = 0);
    bars
}

/// The same bars, thought out slowly.
fn naive(told: &[Told]) -> BTreeMap<Timestamp, Bar> {
    let mut minutes: BTreeMap<Timestamp, Vec<&Told>> = BTreeMap::new();
    for one in told {
        minutes.entry(one.0.floor_to(MINUTE, at(START))).or_default().push(one);
    }
    let of_minute = |(open_time, mut trades): (Timestamp, Vec<&Told>)| {
        trades.sort_by_key(|(time, trade)| (*time, trade.trade_id.clone()));
        let that_move = |what: Moves| trades.iter().filter(move |(_, trade)| trade.moves.contains(what)).map(|(_, trade)| trade);
        let (open, close) = (that_move(Moves::OPEN_CLOSE).next()?.price, that_move(Moves::OPEN_CLOSE).next_back()?.price);
        let prices = || that_move(Moves::HIGH_LOW).map(|trade| trade.price).chain([open, close]);
        let volume = that_move(Moves::VOLUME).map(|trade| trade.size).reduce(|a, b| a + b);
        let notional: f64 = that_move(Moves::VOLUME).map(|trade| trade.size * trade.price).sum();
        let made = Bar {
            open_time,
            open,
            high: prices().fold(f64::MIN, f64::max),
            low: prices().fold(f64::MAX, f64::min),
            close,
            volume,
            vwap: volume.map(|volume| notional / volume),
            n_trades: Some(trades.len() as u64),
            ..bar("coinbase", 1.0)
        };
        Some((open_time, made))
    };
    minutes.into_iter().filter_map(of_minute).collect()
}

proptest! {
    #[test]
    fn bars_are_those_of_a_naive_model_in_any_order_sealed_at_any_moment(
        (told, shuffled) in trades(16).prop_flat_map(|told| (Just(told.clone()), Just(told).prop_shuffle())),
        seals in prop::collection::vec(any::<bool>(), 80),
    ) {
        let model = naive(&told);
        prop_assert_eq!(aggregate(&told, &[]), model.clone());
        prop_assert_eq!(aggregate(&shuffled, &seals), model);
    }

    #[test]
    fn no_volume_is_lost_or_made_and_prices_lie_between_low_and_high(
        told in trades(16).prop_map(|told| told.into_iter().map(|(at, t)| (at, Trade { moves: Moves::all(), ..t })).collect::<Vec<_>>()),
        seals in prop::collection::vec(any::<bool>(), 80),
    ) {
        let bars = aggregate(&told, &seals);
        let traded: f64 = told.iter().map(|(_, trade)| trade.size).sum();
        prop_assert_eq!(bars.values().filter_map(|bar| bar.volume).sum::<f64>(), traded);
        prop_assert_eq!(bars.values().filter_map(|bar| bar.n_trades).sum::<u64>(), told.len() as u64);
        for bar in bars.values() {
            prop_assert!(bar.low <= bar.open.min(bar.close) && bar.open.max(bar.close) <= bar.high, "{:?}", bar);
        }
    }
}

#[test]
fn an_odd_lot_moves_the_volume_and_no_price() {
    let (calendar, mut aggregator) = (calendar("XNYS"), aggregator());
    let odd = |price: f64, id: u64| Trade { moves: Moves::VOLUME, ..trade(price, 5.0, id) };
    aggregator.trade(&calendar, second(0), &odd(500.0, 1)).unwrap();
    assert_eq!(aggregator.seal(second(120)), [], "an odd lot alone makes no price");
    aggregator.trade(&calendar, second(1), &trade(100.0, 10.0, 2)).unwrap();
    aggregator.trade(&calendar, second(2), &odd(1.0, 3)).unwrap();
    let bars = aggregator.seal(second(120));
    assert_eq!(bars.len(), 1);
    let bar = &bars[0];
    assert_eq!((bar.open, bar.high, bar.low, bar.close), (100.0, 100.0, 100.0, 100.0));
    assert_eq!((bar.volume, bar.n_trades), (Some(20.0), Some(3)));
}

#[test]
fn a_bar_is_sealed_two_seconds_after_its_end_and_only_once() {
    let (calendar, mut aggregator) = (calendar("CRYPTO"), aggregator());
    aggregator.trade(&calendar, second(30), &trade(100.0, 1.0, 1)).unwrap();
    assert_eq!(aggregator.due(), Some(second(62)));
    assert_eq!(aggregator.seal(second(62) - Duration::from_micros(1)), []);
    assert_eq!(aggregator.seal(second(62)).len(), 1);
    assert_eq!(aggregator.seal(second(63)), []);
    assert_eq!(aggregator.due(), None);
}

#[test]
fn a_late_trade_opens_its_bar_again() {
    let (calendar, mut aggregator) = (calendar("CRYPTO"), aggregator());
    aggregator.trade(&calendar, second(10), &trade(100.0, 1.0, 1)).unwrap();
    let first = aggregator.seal(second(70));
    aggregator.trade(&calendar, second(5), &trade(90.0, 2.0, 2)).unwrap();
    aggregator.trade(&calendar, second(61), &trade(80.0, 1.0, 3)).unwrap();
    let again = aggregator.seal(second(71));
    assert_eq!((first.len(), first[0].revision, first[0].volume), (1, 0, Some(1.0)));
    assert_eq!(again.len(), 1, "the minute that still forms is not among them");
    let bar = &again[0];
    assert_eq!((bar.revision, bar.open, bar.close, bar.low, bar.volume), (1, 90.0, 100.0, 90.0, Some(3.0)));
    aggregator.trade(&calendar, second(59), &trade(110.0, 1.0, 4)).unwrap();
    let third = aggregator.seal(second(72));
    assert_eq!((third[0].revision, third[0].close, third[0].high), (2, 110.0, 110.0));
}

#[test]
fn a_trade_for_a_bar_that_is_gone_is_told_and_one_outside_any_session_makes_none() {
    let (calendar, mut aggregator) = (calendar("CRYPTO"), aggregator());
    for minute in 0..17 {
        aggregator.trade(&calendar, second(minute * 60), &trade(100.0, 1.0, minute + 1)).unwrap();
        aggregator.seal(second(minute * 60 + 62));
    }
    let early = second(59);
    assert_eq!(aggregator.trade(&calendar, early, &trade(100.0, 1.0, 99)), Err(Late::TooLate(early)));
    assert_eq!(aggregator.trade(&calendar, second(60), &trade(100.0, 1.0, 100)), Ok(()), "the oldest in memory can be opened again");
    let (nyse, mut shares) = (self::calendar("XNYS"), self::aggregator());
    assert_eq!(shares.trade(&nyse, at("2026-11-26T15:00:00Z"), &trade(1.0, 1.0, 1)), Err(Late::NoSession));
    assert_eq!(shares.trade(&nyse, at("2050-01-03T15:00:00Z"), &trade(1.0, 1.0, 1)), Err(Late::NoSession));
    assert_eq!(shares.seal(Timestamp::MAX), []);
}

/// A source that sends half an hour at once must not push bars out of memory before anybody saw them.
#[test]
fn no_minute_is_lost_when_many_come_at_once() {
    let (calendar, mut aggregator) = (calendar("CRYPTO"), aggregator());
    let mut late = |minute: u64| aggregator.trade(&calendar, second(minute * 60), &trade(100.0, 1.0, minute + 1)).is_err();
    let told = (0..30).filter(|minute| late(*minute)).count();
    let bars = aggregator.seal(second(7_200)).len();
    assert_eq!(bars + told, 30, "{bars} bars, {told} minutes said to be gone");
}

#[test]
fn what_forms_at_the_end_is_written_as_partial() {
    let (calendar, mut aggregator) = (calendar("CRYPTO"), aggregator());
    aggregator.trade(&calendar, second(10), &trade(100.0, 1.0, 1)).unwrap();
    aggregator.trade(&calendar, second(70), &trade(101.0, 2.0, 2)).unwrap();
    let bars: Vec<_> = aggregator.partial(second(80)).into_iter().map(|bar| (bar.open_time, bar.flags, bar.volume)).collect();
    assert_eq!(bars, [(second(0), BarFlags::empty(), Some(1.0)), (second(60), BarFlags::PARTIAL, Some(2.0))]);
    assert_eq!(aggregator.partial(second(81)), [], "it is written once");
}

#[test]
fn bars_that_a_deaf_stretch_touches_are_partial() {
    let flags = |from: u64, to: u64| {
        let (calendar, mut aggregator) = (calendar("CRYPTO"), aggregator());
        aggregator.was_deaf(second(from), second(to));
        for minute in 0..4 {
            aggregator.trade(&calendar, second(minute * 60 + 5), &trade(100.0, 1.0, minute + 1)).unwrap();
        }
        let bars = aggregator.seal(second(600));
        bars.iter().map(|bar| bar.flags.contains(BarFlags::PARTIAL)).collect::<Vec<_>>()
    };
    assert_eq!(flags(60, 120), [false, true, false, false], "the ends are half-open");
    assert_eq!(flags(119, 121), [false, true, true, false]);
    assert_eq!(flags(70, 71), [false, true, false, false]);
    assert_eq!(flags(0, 240), [true, true, true, true]);
}

/// A bar that was partial did not become whole because the feed broke a second time.
#[test]
fn a_second_deaf_stretch_does_not_make_the_first_unheard_of() {
    let (calendar, mut aggregator) = (calendar("CRYPTO"), aggregator());
    aggregator.trade(&calendar, second(5), &trade(100.0, 1.0, 1)).unwrap();
    aggregator.was_deaf(second(10), second(20));
    let first = aggregator.seal(second(70));
    assert_eq!(first[0].flags, BarFlags::PARTIAL);
    aggregator.was_deaf(second(300), second(310));
    aggregator.trade(&calendar, second(30), &trade(101.0, 1.0, 2)).unwrap();
    let again = aggregator.seal(second(400));
    assert_eq!((again[0].revision, again[0].flags), (1, BarFlags::PARTIAL));
}

#[test]
fn sampled_prices_make_sampled_bars_whose_volume_is_what_the_day_rose_by() {
    let (calendar, mut aggregator) = (calendar("XNYS"), aggregator());
    let told = [
        // Second, price, volume of the day so far.
        (1, 100.0, Some(1_000.0)),
        (10, 104.0, Some(1_030.0)),
        (20, 98.0, None),
        (30, 99.0, Some(1_050.0)),
        (35, 99.0, Some(1_050.0)),
        // The day begins anew: what was traded until then is not known.
        (40, 99.0, Some(10.0)),
        (50, 101.0, Some(25.0)),
        (65, 102.0, Some(32.0)),
    ];
    for (time, price, day_volume) in told {
        let last = Last { price, day_volume, ..Last::default() };
        aggregator.sample(&calendar, second(time), &last).unwrap();
    }
    let bars = aggregator.seal(second(300));
    assert_eq!(bars.len(), 2);
    let bar = &bars[0];
    assert_eq!((bar.open, bar.high, bar.low, bar.close), (100.0, 104.0, 98.0, 101.0));
    assert_eq!((bar.volume, bar.vwap, bar.n_trades, bar.flags), (Some(65.0), None, None, BarFlags::SAMPLED));
    assert_eq!((bars[1].volume, bars[1].open), (Some(7.0), 102.0));
}

#[test]
fn samples_without_a_volume_make_bars_without_one() {
    let (calendar, mut aggregator) = (calendar("XNYS"), aggregator());
    aggregator.sample(&calendar, second(1), &Last { price: 100.0, ..Last::default() }).unwrap();
    aggregator.sample(&calendar, second(2), &Last { price: 101.0, ..Last::default() }).unwrap();
    assert_eq!(aggregator.seal(second(300))[0].volume, None);
}

// ── bars into longer bars ──

/// Venue, and the parts of a day: kind, from, to. Typed, not asked of the calendar.
type DayOf = (&'static str, &'static [(SessionKind, &'static str, &'static str)]);

const ORDINARY: DayOf = (
    "XNYS",
    &[
        (SessionKind::Pre, "2026-11-25T09:00:00Z", "2026-11-25T14:30:00Z"),
        (SessionKind::Regular, "2026-11-25T14:30:00Z", "2026-11-25T21:00:00Z"),
        (SessionKind::Post, "2026-11-25T21:00:00Z", "2026-11-26T01:00:00Z"),
    ],
);
const EARLY: DayOf = (
    "XNYS",
    &[
        (SessionKind::Pre, "2026-11-27T09:00:00Z", "2026-11-27T14:30:00Z"),
        (SessionKind::Regular, "2026-11-27T14:30:00Z", "2026-11-27T18:00:00Z"),
        (SessionKind::Post, "2026-11-27T18:00:00Z", "2026-11-27T22:00:00Z"),
    ],
);
const LUNCH: DayOf = (
    "XTKS",
    &[
        (SessionKind::Regular, "2026-11-25T00:00:00Z", "2026-11-25T02:30:00Z"),
        (SessionKind::Regular, "2026-11-25T03:30:00Z", "2026-11-25T06:30:00Z"),
    ],
);
const LONGER: [Interval; 5] =
    [Interval::FiveMinutes, Interval::FifteenMinutes, Interval::ThirtyMinutes, Interval::OneHour, Interval::OneDay];

/// A bar of every minute, with prices that wander.
fn minutes((_, parts): DayOf) -> Vec<Bar> {
    let mut bars = Vec::new();
    for (kind, from, to) in parts {
        let opens = std::iter::successors(Some(at(from)), |time| Some(*time + MINUTE)).take_while(|time| *time < at(to));
        for open_time in opens {
            let step = u32::try_from(bars.len()).unwrap();
            let price = 100.0 + f64::from(step * 37 % 64) / 4.0;
            let (high, low) = (price + f64::from(step % 5), price - f64::from(step % 7));
            let (volume, n_trades) = (Some(f64::from(step % 11 + 1)), Some(u64::from(step % 3 + 1)));
            bars.push(Bar { open_time, high, low, volume, n_trades, session: Some(*kind), ..bar("coinbase", price) });
        }
    }
    bars
}

fn volume(bars: &[Bar]) -> f64 {
    bars.iter().filter_map(|bar| bar.volume).sum()
}

proptest! {
    #[test]
    fn by_way_of_shorter_bars_or_directly_it_is_the_same(
        day in prop::sample::select(vec![ORDINARY, EARLY, LUNCH]),
        kept in prop::collection::vec(prop::bool::weighted(0.6), 960),
    ) {
        let calendar = calendar(day.0);
        let all = minutes(day);
        let bars: Vec<Bar> = all.into_iter().zip(kept).filter(|(_, kept)| *kept).map(|(bar, _)| bar).collect();
        let mut by_steps = bars.clone();
        for interval in LONGER {
            by_steps = resample(&calendar, &by_steps, interval);
            let directly = resample(&calendar, &bars, interval);
            prop_assert_eq!(&by_steps, &directly, "{}", interval);
            let counted: Vec<Bar> = bars.iter().filter(|bar| interval.is_intraday() || bar.session == Some(SessionKind::Regular)).cloned().collect();
            prop_assert_eq!(volume(&directly), volume(&counted), "{}", interval);
            for bar in &directly {
                prop_assert_eq!((bar.interval, bar.origin, bar.revision), (interval, Origin::Derived, 0));
                prop_assert!(bar.low <= bar.open.min(bar.close) && bar.open.max(bar.close) <= bar.high);
            }
        }
        let weeks = resample(&calendar, &by_steps, Interval::OneWeek);
        prop_assert_eq!(&weeks, &resample(&calendar, &bars, Interval::OneWeek));
        prop_assert!(weeks.iter().all(|week| week.open_time == at("2026-11-23T00:00:00Z")));
    }
}

#[test]
fn an_hour_ends_with_its_part_of_the_day() {
    let check = |day: DayOf, hours: &[(&str, SessionKind, usize)]| {
        let bars = minutes(day);
        let found = resample(&calendar(day.0), &bars, Interval::OneHour);
        let opens: Vec<_> = found.iter().map(|bar| (bar.open_time, bar.session)).collect();
        let wanted: Vec<_> = hours.iter().map(|(time, kind, _)| (at(time), Some(*kind))).collect();
        assert_eq!(opens, wanted);
        let mut from = 0;
        for (bar, (time, kind, count)) in found.iter().zip(hours) {
            let part = &bars[from..from + count];
            assert!(part.iter().all(|minute| minute.session == Some(*kind)), "{time}");
            let figures = (bar.open, bar.close, bar.volume, bar.n_trades);
            let trades = part.iter().filter_map(|minute| minute.n_trades).sum::<u64>();
            assert_eq!(figures, (part[0].open, part[count - 1].close, Some(volume(part)), Some(trades)), "{time}");
            assert_eq!(bar.high, part.iter().map(|minute| minute.high).fold(f64::MIN, f64::max), "{time}");
            assert_eq!(bar.low, part.iter().map(|minute| minute.low).fold(f64::MAX, f64::min), "{time}");
            from += count;
        }
        assert_eq!(from, bars.len());
    };
    let (pre, regular, post) = (SessionKind::Pre, SessionKind::Regular, SessionKind::Post);
    check(
        LUNCH,
        &[
            ("2026-11-25T00:00:00Z", regular, 60),
            ("2026-11-25T01:00:00Z", regular, 60),
            ("2026-11-25T02:00:00Z", regular, 30),
            ("2026-11-25T03:30:00Z", regular, 60),
            ("2026-11-25T04:30:00Z", regular, 60),
            ("2026-11-25T05:30:00Z", regular, 60),
        ],
    );
    check(
        EARLY,
        &[
            ("2026-11-27T09:00:00Z", pre, 60),
            ("2026-11-27T10:00:00Z", pre, 60),
            ("2026-11-27T11:00:00Z", pre, 60),
            ("2026-11-27T12:00:00Z", pre, 60),
            ("2026-11-27T13:00:00Z", pre, 60),
            ("2026-11-27T14:00:00Z", pre, 30),
            ("2026-11-27T14:30:00Z", regular, 60),
            ("2026-11-27T15:30:00Z", regular, 60),
            ("2026-11-27T16:30:00Z", regular, 60),
            ("2026-11-27T17:30:00Z", regular, 30),
            ("2026-11-27T18:00:00Z", post, 60),
            ("2026-11-27T19:00:00Z", post, 60),
            ("2026-11-27T20:00:00Z", post, 60),
            ("2026-11-27T21:00:00Z", post, 60),
        ],
    );
}

#[test]
fn a_day_is_that_of_the_regular_session() {
    let bars = minutes(ORDINARY);
    let days = resample(&calendar("XNYS"), &bars, Interval::OneDay);
    assert_eq!(days.len(), 1);
    let regular: Vec<Bar> = bars.iter().filter(|bar| bar.session == Some(SessionKind::Regular)).cloned().collect();
    assert_eq!(regular.len(), 390);
    let day = &days[0];
    assert_eq!((day.open_time, day.session), (at("2026-11-25T00:00:00Z"), None));
    assert_eq!((day.open, day.close, day.volume), (regular[0].open, regular[389].close, Some(volume(&regular))));
}

#[test]
fn a_longer_bar_is_as_good_as_the_worst_in_it_and_does_not_make_up_figures() {
    let calendar = calendar("CRYPTO");
    let minute = |n: u64, change: fn(&mut Bar)| {
        let mut bar = Bar { open_time: second(n * 60), vwap: Some(100.0), ..bar("coinbase", 100.0) };
        change(&mut bar);
        bar
    };
    let bars =
        [minute(0, |_| ()), minute(1, |bar| (bar.quality, bar.flags) = (0.8, BarFlags::PARTIAL)), minute(2, |bar| bar.vwap = Some(106.0))];
    let five = resample(&calendar, &bars, Interval::FiveMinutes);
    assert_eq!((five.len(), five[0].quality, five[0].flags), (1, 0.8, BarFlags::PARTIAL));
    assert_eq!((five[0].vwap, five[0].volume), (Some(102.0), Some(300.0)));
    let unknown = [minute(0, |_| ()), minute(1, |bar| (bar.volume, bar.n_trades) = (None, None))];
    let five = resample(&calendar, &unknown, Interval::FiveMinutes);
    assert_eq!((five[0].volume, five[0].vwap, five[0].n_trades), (None, None, None));
    let nyse = self::calendar("XNYS");
    let night = Bar { open_time: at("2026-11-25T03:00:00Z"), ..bar("coinbase", 1.0) };
    assert_eq!(resample(&nyse, &[night], Interval::FiveMinutes), [], "a bar outside any session is left out");
}

// ── what was seen before ──

#[test]
fn a_trade_is_new_repeated_or_shows_a_loss() {
    let mut dedupe = Dedupe::default();
    let table = [
        (10, Freshness::New),
        (11, Freshness::New),
        (11, Freshness::Repeated),
        (10, Freshness::Repeated),
        (14, Freshness::NewAfterLoss(2)),
        (12, Freshness::New),
        (12, Freshness::Repeated),
        (15, Freshness::New),
        (9, Freshness::New),
    ];
    for (id, freshness) in table {
        assert_eq!(dedupe.trade(&TradeId::Counted(id), second(0)), freshness, "{id}");
    }
    assert_eq!(dedupe.highest(), Some(15));
    dedupe.start_at(20);
    assert_eq!(
        (dedupe.trade(&TradeId::Counted(21), second(0)), dedupe.trade(&TradeId::Counted(23), second(0))),
        (Freshness::New, Freshness::NewAfterLoss(1))
    );
    dedupe.start_at(5);
    assert_eq!(dedupe.highest(), Some(23), "it never goes back");
}

#[test]
fn what_is_too_old_to_be_remembered_counts_as_repeated() {
    let mut dedupe = Dedupe::default();
    for id in 1..=3_000 {
        assert_eq!(dedupe.trade(&TradeId::Counted(id), second(0)), Freshness::New);
    }
    assert_eq!(dedupe.trade(&TradeId::Counted(1), second(0)), Freshness::Repeated, "forgotten, and so old that it cannot be news");
    assert_eq!(dedupe.trade(&TradeId::Counted(2_999), second(0)), Freshness::Repeated, "remembered");
}

#[test]
fn no_number_of_a_source_stops_the_program() {
    for ids in [[u64::MAX, 5], [u64::MAX - 1, u64::MAX], [0, u64::MAX], [u64::MAX, u64::MAX - 1]] {
        let mut dedupe = Dedupe::default();
        assert_eq!(dedupe.trade(&TradeId::Counted(ids[0]), second(0)), Freshness::New);
        dedupe.trade(&TradeId::Counted(ids[1]), second(0));
        assert_eq!(dedupe.trade(&TradeId::Counted(ids[1]), second(0)), Freshness::Repeated, "{ids:?}");
    }
}

#[test]
fn an_older_sample_is_not_taken() {
    let mut dedupe = Dedupe::default();
    let taken: Vec<bool> = [5, 7, 6, 7, 8].into_iter().map(|at| dedupe.sample(second(at))).collect();
    assert_eq!(taken, [true, true, false, true, true]);
}

proptest! {
    /// Ids rise by one; some are lost, some come twice.
    #[test]
    fn losses_are_counted_and_repeats_dropped(copies in prop::collection::vec(0_usize..3, 1..200)) {
        let mut dedupe = Dedupe::default();
        let (mut new, mut lost) = (0, 0);
        for (id, copies) in (1_u64..).zip(&copies) {
            for _ in 0..*copies {
                match dedupe.trade(&TradeId::Counted(id), second(0)) {
                    Freshness::New => new += 1,
                    Freshness::NewAfterLoss(count) => (new, lost) = (new + 1, lost + count),
                    Freshness::Repeated => {}
                }
            }
        }
        let seen: Vec<u64> = (1_u64..).zip(&copies).filter(|(_, copies)| **copies > 0).map(|(id, _)| id).collect();
        let span = seen.last().zip(seen.first()).map_or(0, |(last, first)| last - first + 1);
        prop_assert_eq!((new, lost), (seen.len(), span - seen.len() as u64));
    }
}

// ── the whole live path ──

fn live(trades: bool) -> (Live, usize) {
    let mut live = Live::new(Arc::new(Calendars::embedded()));
    let feed = live.add_feed(FeedFacts { source: Source::new("coinbase"), trades, delay: Delay::RealTime });
    let mut routes = Routes::default();
    let route =
        |id: i64, venue: &str| Route { instrument: InstrumentId(id), venue: venue.into(), may_be_negative: false, rolling_volume: false };
    routes.insert("BTC-USD", route(1, "CRYPTO"));
    routes.insert("AAPL", route(2, "XNYS"));
    routes.insert("CL", Route { may_be_negative: true, ..route(3, "CRYPTO") });
    live.set_routes(feed, routes, Timestamp::MIN);
    (live, feed)
}

fn event(symbol: &str, ts_event: Timestamp, kind: EventKind) -> MarketEvent {
    MarketEvent { symbol: symbol.into(), ts_event, ts_recv: ts_event, kind }
}

fn traded(symbol: &str, seconds: u64, trade: Trade) -> MarketEvent {
    event(symbol, second(seconds), EventKind::Trade(trade))
}

fn seen(id: i64) -> Option<Seen> {
    Some(Seen { instrument: InstrumentId(id) })
}

fn bars_of(judged: Vec<Judged>) -> Vec<Bar> {
    judged.into_iter().map(|judged| judged.bar.expect("nothing is wrong with it")).collect()
}

#[test]
fn a_spelling_that_nobody_asked_for_is_ignored() {
    let (mut live, feed) = live(true);
    for symbol in ["DOGE-USD", "btc-usd", ""] {
        assert_eq!(live.accept(feed, &traded(symbol, 1, trade(1.0, 1.0, 1))), Output::default(), "{symbol}");
    }
    assert_eq!(live.seal(second(600)), []);
}

#[test]
fn trades_become_judged_bars_and_repeats_change_nothing() {
    let (mut live, feed) = live(true);
    let told = [(1, 100.0, 1), (2, 102.0, 2), (2, 102.0, 2), (3, 99.0, 3), (1, 100.0, 1)];
    let outputs: Vec<Output> =
        told.iter().map(|(s, price, id)| live.accept(feed, &traded("BTC-USD", *s, trade(*price, 2.0, *id)))).collect();
    let shown: Vec<bool> = outputs.iter().map(|output| output.seen == seen(1)).collect();
    assert_eq!(shown, [true, true, false, true, false]);
    assert!(outputs.iter().all(|output| output.hole.is_none() && output.quarantined.is_none()));
    assert_eq!(live.due(), Some(second(62)));
    let bars = bars_of(live.seal(second(62)));
    assert_eq!(bars.len(), 1);
    let bar = &bars[0];
    assert_eq!((bar.open, bar.high, bar.low, bar.close, bar.volume, bar.n_trades), (100.0, 102.0, 99.0, 99.0, Some(6.0), Some(3)));
    assert_eq!((bar.session, bar.origin, bar.source.as_str()), (Some(SessionKind::Regular), Origin::Live, "coinbase"));
    assert_eq!(live.due(), None);
}

fn hole_of(from: u64, to: u64) -> openbell::pipeline::Hole {
    openbell::pipeline::Hole { instrument: InstrumentId(1), from: second(from), to: second(to) }
}

#[test]
fn lost_trades_and_trades_that_come_too_late_leave_a_hole() {
    let (mut live, feed) = live(true);
    assert_eq!(live.accept(feed, &traded("BTC-USD", 1, trade(100.0, 1.0, 1))).hole, None);
    let hole = live.accept(feed, &traded("BTC-USD", 5, trade(100.0, 1.0, 9))).hole;
    assert_eq!(hole, Some(hole_of(1, 5)));
    for minute in 1..17 {
        let output = live.accept(feed, &traded("BTC-USD", minute * 60, trade(100.0, 1.0, 9 + minute)));
        assert_eq!(output.hole, None);
        live.seal(second(minute * 60 + 62));
    }
    let output = live.accept(feed, &traded("BTC-USD", 7, trade(100.0, 1.0, 5)));
    assert_eq!((output.hole, output.seen), (Some(hole_of(7, 67)), seen(1)));
    assert_eq!(live.seal(second(3_600)), [], "no bar is made of it");
}

#[test]
fn a_heartbeat_tells_of_a_loss_even_in_silence() {
    let (mut live, feed) = live(true);
    let mut beat = |id: Option<u64>| live.accept(feed, &event("BTC-USD", second(1), EventKind::Heartbeat { last_trade_id: id })).hole;
    assert_eq!([beat(None), beat(Some(0)), beat(Some(1_000)), beat(Some(1_050))], [None; 4]);
    assert_eq!(beat(Some(1_051)), Some(hole_of(1, 1)));
    assert_eq!(beat(Some(1_051)), None, "it is told once");
    assert_eq!(beat(Some(u64::MAX)), Some(hole_of(1, 1)));
    assert_eq!(beat(Some(7)), None);
}

#[test]
fn what_cannot_be_a_trade_is_kept_with_the_reason() {
    let with = |price: f64, size: f64, ahead: Duration| {
        let (mut live, feed) = live(true);
        let event = MarketEvent { ts_event: second(1) + ahead, ts_recv: second(1), ..traded("BTC-USD", 1, trade(price, size, 1)) };
        let output = live.accept(feed, &event);
        let refused = output.quarantined.is_some();
        assert_eq!(output.seen.is_none(), refused);
        assert_eq!(live.seal(second(600)).is_empty(), refused, "a refused trade makes no bar, another does");
        output.quarantined.map(|refused| {
            assert_eq!((refused.instrument, refused.received_at, refused.source.as_str()), (InstrumentId(1), second(1), "coinbase"));
            assert!(!refused.payload.is_empty());
            refused.reasons.join("|")
        })
    };
    let now = Duration::ZERO;
    let table = [
        (f64::NAN, 1.0, now, Some("price")),
        (f64::INFINITY, 1.0, now, Some("price")),
        (0.0, 1.0, now, Some("price")),
        (-1.0, 1.0, now, Some("price")),
        (1.0, f64::NAN, now, Some("negative_volume")),
        (1.0, f64::INFINITY, now, Some("negative_volume")),
        (1.0, -1.0, now, Some("negative_volume")),
        (1.0, 0.0, now, None),
        (1.0, 1.0, Duration::from_secs(60), None),
        (1.0, 1.0, Duration::from_micros(60_000_001), Some("future")),
    ];
    for (price, size, ahead, reason) in table {
        assert_eq!(with(price, size, ahead).as_deref(), reason, "{price} {size} {ahead:?}");
    }
}

#[test]
fn a_future_may_trade_below_zero_and_a_sample_is_checked_like_a_trade() {
    let (mut live, feed) = live(true);
    assert_eq!(live.accept(feed, &traded("CL", 1, trade(-37.63, 1.0, 1))).quarantined, None);
    let (mut live, feed) = self::live(false);
    let sample = |price: f64| event("BTC-USD", second(1), EventKind::Last(Last { price, ..Last::default() }));
    let refused = live.accept(feed, &sample(-1.0));
    assert_eq!(refused.quarantined.map(|refused| refused.reasons), Some(vec!["price".to_owned()]));
    assert_eq!((refused.seen, live.seal(second(600))), (None, Vec::new()));
}

#[test]
fn samples_make_bars_only_where_no_trades_come() {
    let sample = |seconds: u64, price: f64| event("AAPL", second(seconds), EventKind::Last(Last { price, ..Last::default() }));
    let (mut with_trades, feed) = live(true);
    assert_eq!(with_trades.accept(feed, &sample(1, 100.0)).seen, seen(2));
    assert_eq!(with_trades.seal(second(600)), []);
    let (mut sampled, feed) = live(false);
    assert_eq!(sampled.accept(feed, &sample(10, 100.0)).seen, seen(2));
    assert_eq!(sampled.accept(feed, &sample(5, 500.0)), Output::default(), "an older price is no news");
    let bars = bars_of(sampled.seal(second(600)));
    assert_eq!((bars.len(), bars[0].high, bars[0].flags), (1, 100.0, BarFlags::SAMPLED));
}

/// The last close, asked for on a Sunday, is no trade of Friday that we saw.
#[test]
fn a_price_that_is_told_late_is_shown_and_makes_no_bar() {
    let told = |late: Duration| {
        let (mut live, feed) = live(false);
        let last = event("AAPL", second(1), EventKind::Last(Last { price: 100.0, ..Last::default() }));
        let output = live.accept(feed, &MarketEvent { ts_recv: second(1) + late, ..last });
        assert_eq!(output.seen, seen(2));
        live.seal(second(100_000)).len()
    };
    assert_eq!((told(Duration::from_secs(120)), told(Duration::from_secs(121))), (1, 0));
}

#[test]
fn bars_of_a_source_are_judged_as_they_come() {
    let (mut live, feed) = live(true);
    let (open, high, low, close) = (100.0, 101.0, 99.0, 100.5);
    let good = SourceBar {
        interval: Interval::OneMinute,
        open_time: second(0),
        open,
        high,
        low,
        close,
        volume: Some(5.0),
        vwap: None,
        n_trades: None,
    };
    let output = live.accept(feed, &event("AAPL", second(60), EventKind::Bar(good.clone())));
    let judged = output.judged.expect("it was judged");
    let kept = judged.bar.expect("nothing is wrong with it");
    assert_eq!((kept.instrument, kept.session, kept.quality, kept.close), (InstrumentId(2), Some(SessionKind::Regular), 1.0, close));
    assert_eq!((output.seen, judged.violations.len()), (seen(2), 0));

    let wrong = SourceBar { high: 98.0, open_time: second(90), ..good };
    let output = live.accept(feed, &event("AAPL", second(150), EventKind::Bar(wrong)));
    let judged = output.judged.expect("it was judged");
    let refused = judged.bar.expect_err("its high is below its low");
    assert_eq!(refused.reasons, ["high_below_body", "off_grid"]);
    assert_eq!((refused.interval, refused.open_time), (Some(Interval::OneMinute), Some(second(90))));
    let payload: serde_json::Value = serde_json::from_str(&refused.payload).expect("what was said, as JSON");
    assert_eq!((payload["high"].as_f64(), payload["low"].as_f64(), payload["volume"].as_f64()), (Some(98.0), Some(low), Some(5.0)));
    assert_eq!((output.seen, judged.violations.len()), (None, 2));
}

/// What a feed that is late by agreement says at 10:15 was made at 10:00, and what it did not say then was made then.
#[test]
fn a_delayed_feed_is_deaf_to_what_it_would_have_said() {
    let mut live = Live::new(Arc::new(Calendars::embedded()));
    let late = Duration::from_secs(900);
    let feed = live.add_feed(FeedFacts { source: Source::new("alpaca"), trades: true, delay: Delay::Seconds(900) });
    let mut routes = Routes::default();
    let route = Route { instrument: InstrumentId(2), venue: "XNYS".into(), may_be_negative: false, rolling_volume: false };
    routes.insert("AAPL", route);
    live.set_routes(feed, routes, second(0) + late);
    live.was_deaf(feed, Timestamp::MIN, second(0));
    for at in [5, 65, 125] {
        let kind = EventKind::Trade(Trade { price: 100.0, size: 2.0, ..Trade::default() });
        live.accept(feed, &MarketEvent { ts_recv: second(at) + late, ..event("AAPL", second(at), kind) });
    }
    live.was_deaf(feed, second(70), second(80));
    assert!(live.seal(second(190)).is_empty(), "nothing is over there yet");
    let sealed = live.seal(second(190) + late);
    let partial = |judged: &Judged| judged.bar.as_ref().expect("a bar").flags.contains(BarFlags::PARTIAL);
    assert_eq!(sealed.iter().map(partial).collect::<Vec<_>>(), [false, true, false]);
}

/// A minute of one price that the source tells of itself.
fn candle(open_time: Timestamp, price: f64, n_trades: u64) -> SourceBar {
    SourceBar {
        interval: Interval::OneMinute,
        open_time,
        open: price,
        high: price,
        low: price,
        close: price,
        volume: Some(2.0),
        vwap: None,
        n_trades: Some(n_trades),
    }
}

#[test]
fn a_bar_that_is_refused_does_not_stand_before_our_own() {
    let (mut live, feed) = live(true);
    let trade = Trade { price: 100.0, size: 2.0, ..Trade::default() };
    live.accept(feed, &event("AAPL", second(1), EventKind::Trade(trade)));
    let refused = live.accept(feed, &event("AAPL", second(60), EventKind::Bar(candle(second(0), -1.0, 1)))).judged.expect("it was judged");
    assert!(refused.bar.is_err());
    let sealed = live.seal(second(62));
    assert_eq!(sealed.iter().map(|judged| judged.bar.as_ref().expect("ours").close).collect::<Vec<_>>(), [100.0]);
}

/// Some sources tell of a minute with each trade and never say that it is over.
#[test]
fn a_bar_that_forms_is_kept_back_until_a_later_one_comes() {
    let (mut live, feed) = live(true);
    let mut told = |at: u64, open: u64, price: f64| {
        let output = live.accept(feed, &event("AAPL", second(at), EventKind::Forming(candle(second(open), price, 1))));
        assert_eq!(output.seen, None, "it is no news");
        output.judged.map(|judged| judged.bar.expect("nothing is wrong with it")).map(|bar| (bar.open_time, bar.close, bar.revision))
    };
    assert_eq!(told(10, 0, 100.0), None);
    assert_eq!(told(50, 0, 101.0), None);
    assert_eq!(told(70, 60, 102.0), Some((second(0), 101.0, 0)), "as it was told last");
    assert_eq!(told(80, 0, 103.0), Some((second(0), 103.0, 1)), "a last word that comes late");
    assert_eq!(told(190, 180, 105.0), Some((second(60), 102.0, 0)));
    live.was_deaf(feed, second(200), second(210));
    let forming = EventKind::Forming(candle(second(240), 106.0, 1));
    assert_eq!(live.accept(feed, &event("AAPL", second(250), forming)).judged, None, "what became of the minute before is not known");
}

#[test]
fn a_bar_that_says_what_ours_says_is_not_written_again() {
    let (mut live, feed) = live(true);
    let trade = Trade { price: 100.0, size: 2.0, ..Trade::default() };
    live.accept(feed, &event("AAPL", second(1), EventKind::Trade(trade)));
    assert_eq!(live.seal(second(62)).len(), 1);
    let same = live.accept(feed, &event("AAPL", second(63), EventKind::Bar(candle(second(0), 100.0, 1))));
    assert_eq!(same.judged, None);
    let other = live.accept(feed, &event("AAPL", second(64), EventKind::Bar(candle(second(0), 100.0, 2)))).judged.expect("it was judged");
    assert_eq!(other.bar.expect("nothing is wrong with it").revision, 1, "it has a trade that we did not hear");
}

#[test]
fn days_and_weeks_are_on_their_labels() {
    let check = |interval: Interval, open_time: &str, session_exists: bool| {
        let (mut live, feed) = live(true);
        let price = 100.0;
        let said = SourceBar {
            interval,
            open_time: at(open_time),
            open: price,
            high: price,
            low: price,
            close: price,
            volume: None,
            vwap: None,
            n_trades: None,
        };
        let judged = live.accept(feed, &event("AAPL", second(0), EventKind::Bar(said))).judged.expect("it was judged");
        assert_eq!(judged.bar.is_ok(), session_exists, "{interval} {open_time}");
    };
    check(Interval::OneDay, "2026-11-24T00:00:00Z", true);
    check(Interval::OneDay, "2026-11-24T14:30:00Z", false);
    check(Interval::OneDay, "2026-11-22T00:00:00Z", false);
    check(Interval::OneWeek, "2026-11-23T00:00:00Z", true);
    check(Interval::OneWeek, "2026-11-24T00:00:00Z", false);
    check(Interval::OneHour, "2026-11-25T14:30:00Z", true);
    check(Interval::OneHour, "2026-11-25T14:00:00Z", true);
    check(Interval::OneHour, "2026-11-25T13:30:00Z", false);
}

#[test]
fn a_feed_that_was_not_connected_at_first_makes_its_first_bar_partial() {
    let (mut live, feed) = live(true);
    live.was_deaf(feed, Timestamp::MIN, second(20));
    live.accept(feed, &traded("BTC-USD", 30, trade(100.0, 1.0, 1)));
    live.accept(feed, &traded("BTC-USD", 61, trade(100.0, 1.0, 2)));
    let flags: Vec<_> = bars_of(live.seal(second(600))).into_iter().map(|bar| bar.flags).collect();
    assert_eq!(flags, [BarFlags::PARTIAL, BarFlags::empty()]);
}

#[test]
fn at_the_end_what_forms_is_partial_and_judged() {
    let (mut live, feed) = live(true);
    live.accept(feed, &traded("BTC-USD", 1, trade(100.0, 1.0, 1)));
    live.accept(feed, &traded("AAPL", 2, trade(200.0, 1.0, 1)));
    let mut bars: Vec<_> = bars_of(live.partial(second(3))).into_iter().map(|bar| (bar.instrument, bar.flags, bar.session)).collect();
    bars.sort_by_key(|(instrument, ..)| *instrument);
    let regular = Some(SessionKind::Regular);
    assert_eq!(bars, [(InstrumentId(1), BarFlags::PARTIAL, regular), (InstrumentId(2), BarFlags::PARTIAL, regular)]);
}

#[test]
fn a_quote_is_shown_and_makes_no_bar() {
    let (mut live, feed) = live(false);
    let output = live.accept(feed, &event("AAPL", second(1), EventKind::Quote(Quote::default())));
    assert_eq!(output, Output { seen: seen(2), ..Output::default() });
    assert_eq!(live.seal(second(600)), []);
}

// ── two opinions on one bar ──

fn ranks() -> Ranks {
    Ranks::new(["best", "poor"].map(str::to_owned).into())
}

fn with(source: &str, price: f64, change: impl FnOnce(&mut Bar)) -> Bar {
    let mut bar = bar(source, price);
    change(&mut bar);
    bar
}

/// What becomes of `old` when `new` comes.
fn fused(old: &Bar, new: &Bar) -> Fused {
    fuse(old, new, &ranks(), second(100))
}

#[test]
fn of_one_source_a_worse_kind_of_bar_never_replaces() {
    let old = bar("best", 100.0);
    for flags in [BarFlags::PARTIAL, BarFlags::SAMPLED, BarFlags::ADJUSTED] {
        // A partial one of the same run says more; one of another run does not.
        let revision = if flags == BarFlags::PARTIAL { 0 } else { 9 };
        let new = with("best", 101.0, |bar| (bar.flags, bar.revision) = (flags, revision));
        assert_eq!(fused(&old, &new), Fused::Keep, "{flags}");
        let back = fused(&Bar { revision: 0, ..new }, &old);
        let Fused::Replace(bar) = back else { panic!("{flags}: {back:?}") };
        assert_eq!((bar.close, bar.flags), (100.0, BarFlags::empty()), "{flags}");
    }
}

#[test]
fn of_one_source_a_later_word_may_say_that_a_part_was_not_heard() {
    let old = bar("best", 100.0);
    let later = with("best", 101.0, |bar| (bar.flags, bar.revision) = (BarFlags::PARTIAL, 1));
    assert_eq!(fused(&old, &later), Fused::Replace(later.clone()));
    assert_eq!(fused(&Bar { origin: Origin::Backfill, ..old }, &later), Fused::Keep, "history is whole");
}

#[test]
fn of_one_source_the_same_figures_change_nothing() {
    let old = bar("best", 100.0);
    let again = with("best", 100.0, |bar| bar.revision = 3);
    assert_eq!(fused(&old, &again), Fused::Keep);
    let history = with("best", 100.0, |bar| (bar.revision, bar.origin) = (3, Origin::Backfill));
    let confirmed = Bar { origin: Origin::Backfill, ..old.clone() };
    assert_eq!(fused(&old, &history), Fused::Replace(confirmed.clone()), "what was made live is confirmed, and is history from then on");
    assert_eq!(fused(&confirmed, &history), Fused::Keep);
    let marked = with("best", 100.0, |bar| bar.flags = BarFlags::MISMATCH);
    assert_eq!(fused(&marked, &old), Fused::Keep, "that two sources disagree is not taken back by one of them");
}

#[test]
fn of_one_source_a_whole_bar_replaces_a_partial_one_as_it_is() {
    let old = with("best", 100.0, |bar| (bar.flags, bar.revision, bar.origin) = (BarFlags::PARTIAL, 4, Origin::Backfill));
    let new = with("best", 101.0, |_| ());
    assert_eq!(fused(&old, &new), Fused::Replace(new.clone()));
    let same = with("best", 100.0, |_| ());
    assert_eq!(fused(&old, &same), Fused::Replace(same.clone()), "even with the same figures it is whole now");
    let more = with("best", 102.0, |bar| bar.flags = BarFlags::PARTIAL);
    let old = with("best", 100.0, |bar| bar.flags = BarFlags::PARTIAL);
    let Fused::Replace(refined) = fused(&old, &more) else { panic!("a partial bar is refined by a later partial one") };
    assert_eq!((refined.close, refined.revision, refined.flags), (102.0, 1, BarFlags::PARTIAL));
}

#[test]
fn of_one_source_a_later_revision_replaces_and_an_earlier_one_does_not() {
    let revised = |revision: u32, origin: Origin, price: f64| with("best", price, |bar| (bar.revision, bar.origin) = (revision, origin));
    let (live, history) = (Origin::Live, Origin::Backfill);
    // Stored, new, and the revision it gets; none when the stored one stays.
    let table = [
        (revised(2, live, 100.0), revised(1, live, 101.0), None),
        (revised(0, live, 100.0), revised(1, live, 101.0), Some(1)),
        (revised(0, live, 100.0), revised(5, live, 101.0), Some(5)),
        (revised(3, history, 100.0), revised(3, history, 101.0), Some(4)),
        (revised(2, live, 100.0), revised(0, history, 101.0), Some(3)),
        // History carries no revision of its own: what it says last is its later word, also the second time.
        (revised(1, history, 100.0), revised(0, history, 101.0), Some(2)),
        (revised(0, history, 100.0), revised(7, live, 101.0), None),
    ];
    for (old, new, revision) in table {
        let wanted = revision.map_or(Fused::Keep, |revision| Fused::Replace(Bar { revision, ..new.clone() }));
        assert_eq!(fused(&old, &new), wanted);
    }
    let marked = with("best", 100.0, |bar| bar.flags = BarFlags::MISMATCH);
    let Fused::Replace(kept) = fused(&marked, &revised(1, live, 101.0)) else { panic!("a later revision replaces") };
    assert_eq!(kept.flags, BarFlags::MISMATCH);
}

#[test]
fn a_better_source_replaces_the_bar_whole_and_a_worse_one_never() {
    let poor = with("poor", 100.0, |bar| (bar.volume, bar.vwap, bar.n_trades) = (Some(7.0), Some(100.0), Some(2)));
    let best = with("best", 100.1, |bar| (bar.volume, bar.vwap, bar.n_trades) = (None, None, None));
    assert_eq!(fused(&poor, &best), Fused::Replace(best.clone()), "nothing of the other source is left in it");
    assert_eq!(fused(&best, &poor), Fused::Keep);
    let nobody = bar("nobody", 100.0);
    assert_eq!(fused(&nobody, &poor), Fused::Replace(poor.clone()));
    assert_eq!(fused(&poor, &nobody), Fused::Keep);
    assert_eq!(fused(&nobody, &bar("stranger", 100.0)), Fused::Keep, "of two that nobody ranked, the first stays");
}

#[test]
fn sources_that_disagree_are_both_named_and_the_better_one_is_stored() {
    let (best, poor) = (bar("best", 100.0), bar("poor", 101.0));
    for (old, new) in [(&best, &poor), (&poor, &best)] {
        let Fused::Disagree(stored, violation) = fused(old, new) else { panic!("they are 1 % apart") };
        assert_eq!(stored, Bar { flags: BarFlags::MISMATCH, ..best.clone() });
        assert_eq!((violation.rule.as_str(), violation.open_time, violation.time), ("mismatch", best.open_time, second(100)));
        assert!(violation.message.contains("best") && violation.message.contains("poor"), "{}", violation.message);
    }
    let marked = with("best", 100.0, |bar| bar.flags = BarFlags::MISMATCH);
    assert_eq!(fused(&marked, &poor), Fused::Keep, "one thing wrong is told once");
}

/// Whatever order three sources come in, the disagreement of two of them stays known.
#[test]
fn a_mismatch_is_not_forgotten_when_a_better_source_comes() {
    let marked = with("poor", 100.0, |bar| bar.flags = BarFlags::MISMATCH);
    let best = bar("best", 100.0);
    assert_eq!(fused(&marked, &best), Fused::Replace(Bar { flags: BarFlags::MISMATCH, ..best.clone() }));
}

#[test]
fn whole_bars_stand_before_partial_sampled_and_adjusted_ones_of_any_rank() {
    let whole = bar("poor", 100.0);
    for flags in [BarFlags::PARTIAL, BarFlags::SAMPLED, BarFlags::ADJUSTED, BarFlags::SAMPLED | BarFlags::PARTIAL] {
        // Far apart, and yet nothing to compare.
        let lesser = with("best", 150.0, |bar| bar.flags = flags);
        assert_eq!(fused(&whole, &lesser), Fused::Keep, "{flags}");
        assert_eq!(fused(&lesser, &whole), Fused::Replace(whole.clone()), "{flags}");
    }
    let (sampled, partial) =
        (with("best", 150.0, |bar| bar.flags = BarFlags::SAMPLED), with("poor", 100.0, |bar| bar.flags = BarFlags::PARTIAL));
    assert_eq!(fused(&partial, &sampled), Fused::Replace(sampled.clone()));
    let adjusted = with("best", 150.0, |bar| bar.flags = BarFlags::ADJUSTED);
    assert_eq!(fused(&partial, &adjusted), Fused::Keep, "adjusted prices stand behind all raw ones");
}

#[test]
fn ranks_name_a_feed_or_all_feeds_of_a_provider() {
    let ranks = Ranks::new(["alpaca:sip", "polygon", "alpaca"].map(str::to_owned).into());
    let of = |source: &str| ranks.of(&Source::new(source));
    assert_eq!([of("alpaca:sip"), of("polygon"), of("polygon:delayed"), of("alpaca:iex"), of("alpaca"), of("sim")], [0, 1, 1, 2, 2, 3]);
}

// ── figures ──

#[test]
fn a_float32_is_widened_through_its_shortest_decimal() {
    for (narrow, wide) in
        [(190.26_f32, 190.26), (0.1, 0.1), (16_777_216.0, 16_777_216.0), (1e-7, 1e-7), (-3.3, -3.3), (f32::MAX, 3.402_823_5e38)]
    {
        assert_eq!(widen(narrow), wide);
    }
    assert_ne!(widen(190.26), f64::from(190.26_f32), "else there would be nothing to do");
    assert!(widen(f32::NAN).is_nan());
    assert_eq!(widen(f32::INFINITY), f64::INFINITY);
}

proptest! {
    #[test]
    #[allow(clippy::cast_possible_truncation, reason = "the way back")]
    fn widening_loses_nothing(narrow in any::<f32>()) {
        prop_assert_eq!(widen(narrow) as f32, narrow);
    }
}

/// Half an hour that was not heard is no quiet half hour.
#[test]
fn a_longer_bar_at_the_edge_of_what_was_heard_is_partial() {
    let calendar = calendar("CRYPTO");
    let hour = bar("best", 100.0).open_time;
    assert_eq!(hour, hour.floor_to(Interval::OneHour.duration(), Timestamp::from_seconds(0)));
    let minute = |minute: u32| Bar { open_time: hour + Interval::OneMinute.duration() * minute, ..bar("best", 100.0) };
    let partial = |minutes: std::ops::Range<u32>| -> Vec<bool> {
        let minutes: Vec<_> = minutes.map(minute).collect();
        resample(&calendar, &minutes, Interval::OneHour).iter().map(|bar| bar.flags.contains(BarFlags::PARTIAL)).collect()
    };
    assert_eq!(partial(30..150), [true, false, true]);
    assert_eq!(partial(0..180), [false, false, false]);
    assert_eq!(partial(30..60), [true]);
}

#[test]
fn a_quote_from_the_future_and_a_trade_of_another_day_are_refused() {
    let (mut live, feed) = live(true);
    let quote = |kind: openbell::market::Quote, ahead: u64| {
        let mut event = event("BTC-USD", second(10 + ahead), EventKind::Quote(kind));
        event.ts_recv = second(10);
        event
    };
    let fair = openbell::market::Quote { bid: Some(1.0), ask: Some(2.0), ..Default::default() };
    assert!(live.accept(feed, &quote(fair.clone(), 0)).seen.is_some());
    let refused = live.accept(feed, &quote(fair.clone(), 61));
    assert_eq!((refused.seen, refused.quarantined.unwrap().reasons), (None, vec!["future".to_owned()]));
    let wrong = openbell::market::Quote { ask: Some(-2.0), ..fair };
    assert_eq!(live.accept(feed, &quote(wrong, 0)).quarantined.unwrap().reasons, ["price"]);
    let mut old = traded("BTC-USD", 10, trade(100.0, 1.0, 1));
    old.ts_recv = old.ts_event + std::time::Duration::from_secs(86_401);
    assert_eq!(live.accept(feed, &old).quarantined.unwrap().reasons, ["past"]);
    assert_eq!(live.seal(second(200_000)), []);
}
