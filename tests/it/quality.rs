//! The rules of quality at their boundaries, the score, the median, and the holes against the calendar.
#![allow(clippy::float_cmp, reason = "the figures are exact")]

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use openbell::calendar::{Calendar, Calendars};
use openbell::market::{Bar, BarFlags, InstrumentId, Interval, Origin, SessionKind, Source, Timestamp};
use openbell::quality::{Context, Gap, Grid, RULES, Recent, Severity, Verdict, gaps, judge};
use proptest::prelude::*;

const MICROSECOND: Duration = Duration::from_micros(1);
/// The open of the bar that is judged: a Wednesday, in the regular session of New York.
const OPEN: &str = "2026-11-25T15:00:00Z";

/// A bar and what is known around it.
struct Scene {
    bar: Bar,
    recent: Recent,
    ts_recv: Timestamp,
    grid: Grid,
    may_be_negative: bool,
    rival: Option<Bar>,
}

impl Scene {
    /// A bar that breaks no rule.
    fn innocent() -> Self {
        let bar = bar(OPEN, 100.0);
        Self { ts_recv: bar.open_time, bar, recent: Recent::default(), grid: Grid::On, may_be_negative: false, rival: None }
    }

    fn judge(&self) -> Verdict {
        let Self { bar, recent, ts_recv, grid, may_be_negative, rival } = self;
        let context = Context { recent, ts_recv: *ts_recv, grid: *grid, may_be_negative: *may_be_negative, rival: rival.as_ref() };
        judge(bar, &context)
    }
}

fn scene(change: impl FnOnce(&mut Scene)) -> Scene {
    let mut scene = Scene::innocent();
    change(&mut scene);
    scene
}

/// A bar whose prices are all the same.
fn bar(open_time: &str, price: f64) -> Bar {
    Bar {
        instrument: InstrumentId(1),
        interval: Interval::OneMinute,
        open_time: at(open_time),
        open: price,
        high: price,
        low: price,
        close: price,
        volume: Some(100.0),
        vwap: None,
        n_trades: None,
        session: Some(SessionKind::Regular),
        source: Source::new("ours"),
        origin: Origin::Live,
        revision: 0,
        quality: 1.0,
        flags: BarFlags::empty(),
    }
}

fn rival(price: f64) -> Bar {
    Bar { source: Source::new("theirs"), ..bar(OPEN, price) }
}

fn at(text: &str) -> Timestamp {
    text.parse().expect("an instant")
}

fn after(time: &str, close: f64) -> Recent {
    let mut recent = Recent::default();
    recent.push(&bar(time, close));
    recent
}

/// So many bars of that volume, a minute apart, before [`OPEN`].
fn with_volumes(count: u32, volume: f64) -> Recent {
    let mut recent = Recent::default();
    for minute in 0..count {
        let open_time = at("2026-11-25T14:30:00Z") + Duration::from_secs(60) * minute;
        recent.push(&Bar { open_time, volume: Some(volume), ..bar(OPEN, 100.0) });
    }
    recent
}

/// Whether the rule is broken in each scene, and that it has the severity that DESIGN gives it.
fn check(rule: &str, severity: Severity, cases: Vec<(&str, Scene, bool)>) {
    for (what, scene, broken) in cases {
        let verdict = scene.judge();
        let found = verdict.findings.iter().find(|(name, ..)| *name == rule);
        assert_eq!(found.is_some(), broken, "{rule}: {what}: {:?}", verdict.findings);
        if let Some((_, said, finding)) = found {
            assert_eq!(*said, severity, "{rule}: {what}");
            assert!(!finding.message.is_empty(), "{rule}: {what}");
            assert_eq!(verdict.refused, verdict.findings.iter().any(|(_, s, _)| *s == Severity::Error), "{rule}: {what}");
        }
    }
}

#[test]
fn an_ordinary_bar_breaks_no_rule() {
    let verdict = Scene::innocent().judge();
    assert_eq!(verdict, Verdict { quality: 1.0, flags: BarFlags::empty(), refused: false, findings: Vec::new() });
    let settled = scene(|s| (s.recent, s.rival) = (with_volumes(20, 100.0), Some(rival(100.0)))).judge();
    assert_eq!((settled.quality, settled.findings.len()), (1.0, 0), "{:?}", settled.findings);
}

#[test]
fn the_high_is_not_below_the_body() {
    let with = |open: f64, high: f64, close: f64| scene(|s| (s.bar.open, s.bar.high, s.bar.close, s.bar.low) = (open, high, close, 90.0));
    check(
        "high_below_body",
        Severity::Error,
        vec![
            ("equal to the open", with(101.0, 101.0, 100.0), false),
            ("equal to the close", with(100.0, 101.0, 101.0), false),
            ("a hair below the open", with(101.0, 101.0_f64.next_down(), 100.0), true),
            ("a hair below the close", with(100.0, 101.0_f64.next_down(), 101.0), true),
            ("above both", with(100.0, 102.0, 101.0), false),
        ],
    );
}

#[test]
fn the_low_is_not_above_the_body() {
    let with = |open: f64, low: f64, close: f64| scene(|s| (s.bar.open, s.bar.low, s.bar.close, s.bar.high) = (open, low, close, 110.0));
    check(
        "low_above_body",
        Severity::Error,
        vec![
            ("equal to the open", with(99.0, 99.0, 100.0), false),
            ("equal to the close", with(100.0, 99.0, 99.0), false),
            ("a hair above the open", with(99.0, 99.0_f64.next_up(), 100.0), true),
            ("a hair above the close", with(100.0, 99.0_f64.next_up(), 99.0), true),
            ("below both", with(100.0, 98.0, 99.0), false),
        ],
    );
}

#[test]
fn prices_are_positive_numbers_and_futures_may_be_below_zero() {
    let all = |price: f64| scene(|s| s.bar = bar(OPEN, price));
    let future = |price: f64| scene(|s| (s.bar, s.may_be_negative) = (bar(OPEN, price), true));
    let mut cases = vec![
        ("zero", all(0.0), true),
        ("minus zero", all(-0.0), true),
        ("the smallest price", all(f64::MIN_POSITIVE), false),
        ("below zero", all(-1.0), true),
        ("infinite", all(f64::INFINITY), true),
        ("a future at zero", future(0.0), false),
        ("a future below zero", future(-37.63), false),
        ("a future that is no number", future(f64::NAN), true),
        ("a future that is infinite", future(f64::NEG_INFINITY), true),
    ];
    for wrong in [f64::NAN, -1.0, 0.0, f64::INFINITY] {
        cases.push(("the open alone", scene(|s| s.bar.open = wrong), true));
        cases.push(("the high alone", scene(|s| s.bar.high = wrong), true));
        cases.push(("the low alone", scene(|s| s.bar.low = wrong), true));
        cases.push(("the close alone", scene(|s| s.bar.close = wrong), true));
    }
    check("price", Severity::Error, cases);
}

#[test]
fn the_volume_is_not_below_zero() {
    let with = |volume: Option<f64>| scene(|s| s.bar.volume = volume);
    check(
        "negative_volume",
        Severity::Error,
        vec![
            ("unknown", with(None), false),
            ("zero", with(Some(0.0)), false),
            ("a hair below", with(Some(-f64::MIN_POSITIVE)), true),
            ("no number", with(Some(f64::NAN)), true),
            ("infinite", with(Some(f64::INFINITY)), true),
        ],
    );
}

#[test]
fn a_bar_opens_at_most_a_minute_after_it_was_received() {
    let received = |before: Duration| scene(|s| s.ts_recv = s.bar.open_time - before);
    check(
        "future",
        Severity::Error,
        vec![
            ("received at its open", received(Duration::ZERO), false),
            ("exactly 60 s ahead", received(Duration::from_secs(60)), false),
            ("a microsecond more", received(Duration::from_secs(60) + MICROSECOND), true),
        ],
    );
}

#[test]
fn only_a_known_grid_refuses() {
    let on = |grid: Grid| scene(|s| s.grid = grid);
    check(
        "off_grid",
        Severity::Error,
        vec![("on", on(Grid::On), false), ("off", on(Grid::Off), true), ("not known", on(Grid::Unknown), false)],
    );
}

#[test]
fn a_move_of_more_than_500_percent_is_a_jump() {
    let from_to = |before: f64, close: f64| scene(|s| (s.recent, s.bar) = (after("2026-11-25T14:59:00Z", before), bar(OPEN, close)));
    check(
        "jump",
        Severity::Warning,
        vec![
            ("nothing before", Scene::innocent(), false),
            ("exactly 500 % up", from_to(100.0, 600.0), false),
            ("a cent more", from_to(100.0, 600.01), true),
            ("down by nearly all", from_to(100.0, 0.01), false),
            ("not at all", from_to(100.0, 100.0), false),
        ],
    );
}

#[test]
fn a_session_that_opens_more_than_10_percent_away_is_a_gap() {
    let over = |from: &str, to: &str, open: f64| scene(|s| (s.recent, s.bar) = (after(from, 100.0), bar(to, open)));
    let (tuesday, wednesday) = ("2026-11-24T20:59:00Z", "2026-11-25T14:30:00Z");
    check(
        "overnight_gap",
        Severity::Info,
        vec![
            ("exactly 10 % up", over(tuesday, wednesday, 110.0), false),
            ("a cent more", over(tuesday, wednesday, 110.01), true),
            ("exactly 10 % down", over(tuesday, wednesday, 90.0), false),
            ("a cent less", over(tuesday, wednesday, 89.99), true),
            ("on one day", over("2026-11-25T14:30:00Z", "2026-11-25T14:31:00Z", 150.0), false),
            ("Friday to Monday", over("2026-11-20T20:59:00Z", "2026-11-23T14:30:00Z", 150.0), false),
            ("Friday to Tuesday, after Labor Day", over("2026-09-04T19:59:00Z", "2026-09-08T13:30:00Z", 150.0), true),
            ("Thursday to Monday, after Good Friday", over("2026-04-02T19:59:00Z", "2026-04-06T13:30:00Z", 150.0), true),
            ("nothing before", scene(|s| s.bar = bar(wednesday, 150.0)), false),
        ],
    );
    assert_eq!(over(tuesday, wednesday, 111.0).judge().flags, BarFlags::GAP);
}

#[test]
fn a_volume_of_more_than_ten_times_the_median_is_a_spike() {
    let of = |count: u32, median: f64, volume: Option<f64>| scene(|s| (s.recent, s.bar.volume) = (with_volumes(count, median), volume));
    check(
        "volume_spike",
        Severity::Warning,
        vec![
            ("exactly ten times", of(20, 100.0, Some(1_000.0)), false),
            ("a hair more", of(20, 100.0, Some(1_000.001)), true),
            ("silent with 19 bars", of(19, 100.0, Some(1e9)), false),
            ("silent with none", of(0, 100.0, Some(1e9)), false),
            ("still judged with more than 20", of(30, 100.0, Some(1_001.0)), true),
            ("nothing was traded before", of(20, 0.0, Some(5.0)), false),
            ("unknown", of(20, 100.0, None), false),
        ],
    );
}

#[test]
fn a_volume_of_less_than_a_tenth_of_the_median_is_a_drought() {
    let of = |count: u32, median: f64, volume: Option<f64>| scene(|s| (s.recent, s.bar.volume) = (with_volumes(count, median), volume));
    check(
        "volume_drought",
        Severity::Warning,
        vec![
            ("exactly a tenth", of(20, 100.0, Some(10.0)), false),
            ("a hair less", of(20, 100.0, Some(9.999)), true),
            ("nothing", of(20, 100.0, Some(0.0)), true),
            ("nothing, as ever", of(20, 0.0, Some(0.0)), false),
            ("silent with 19 bars", of(19, 100.0, Some(0.0)), false),
            ("unknown", of(20, 100.0, None), false),
        ],
    );
}

#[test]
fn sources_that_are_more_than_a_fifth_of_a_percent_apart_disagree() {
    let against = |theirs: f64, change: fn(&mut Bar)| {
        scene(|s| {
            (s.bar, s.rival) = (bar(OPEN, 500.0), Some(rival(theirs)));
            change(&mut s.bar);
        })
    };
    check(
        "mismatch",
        Severity::Info,
        vec![
            ("nobody to compare with", Scene::innocent(), false),
            ("the same", against(500.0, |_| ()), false),
            ("exactly 0.2 % above", against(500.0, |bar| bar.close = 501.0), false),
            ("exactly 0.2 % below", against(500.0, |bar| bar.close = 499.0), false),
            ("the open", against(500.0, |bar| bar.open = 501.1), true),
            ("the high", against(500.0, |bar| bar.high = 501.1), true),
            ("the low", against(500.0, |bar| bar.low = 498.9), true),
            ("the close", against(500.0, |bar| bar.close = 501.1), true),
            ("the volume only", against(500.0, |bar| bar.volume = Some(1e9)), false),
        ],
    );
    let verdict = against(510.0, |_| ()).judge();
    assert_eq!((verdict.flags, verdict.quality), (BarFlags::MISMATCH, 1.0));
    let message = &verdict.findings[0].2.message;
    for part in ["ours", "theirs", "500", "510"] {
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn the_score_is_one_less_the_costs_and_never_below_zero() {
    let jump = |s: &mut Scene, volume: f64| {
        s.recent = with_volumes(20, 100.0);
        s.bar = Bar { volume: Some(volume), ..bar(OPEN, 700.0) };
    };
    let calm = |s: &mut Scene, volume: f64| (s.recent, s.bar.volume) = (with_volumes(20, 100.0), Some(volume));
    let table: [(&str, Scene, f64, &str); 9] = [
        ("nothing", Scene::innocent(), 1.0, "validated"),
        ("drought", scene(|s| calm(s, 1.0)), 0.9, "validated"),
        ("spike", scene(|s| calm(s, 5_000.0)), 0.8, "review"),
        ("jump", scene(|s| jump(s, 100.0)), 0.5, "review"),
        ("jump and drought", scene(|s| jump(s, 1.0)), 0.4, "kept out"),
        ("jump and spike", scene(|s| jump(s, 5_000.0)), 0.3, "kept out"),
        ("a flag costs nothing", scene(|s| s.rival = Some(rival(110.0))), 1.0, "validated"),
        ("refused", scene(|s| s.bar.volume = Some(-1.0)), 0.0, "kept out"),
        ("refused three times", scene(|s| (s.bar.volume, s.bar.high, s.grid) = (Some(-1.0), 50.0, Grid::Off)), 0.0, "kept out"),
    ];
    for (what, scene, quality, class) in table {
        let verdict = scene.judge();
        assert!((verdict.quality - quality).abs() < 1e-12, "{what}: {}", verdict.quality);
        let is = if verdict.quality >= 0.85 {
            "validated"
        } else if verdict.quality >= 0.5 {
            "review"
        } else {
            "kept out"
        };
        assert_eq!(is, class, "{what}");
    }
}

#[test]
fn a_refusal_names_its_rules_in_order_and_every_finding_is_a_violation() {
    let scene = scene(|s| (s.bar.volume, s.bar.high, s.grid, s.rival) = (Some(-1.0), 50.0, Grid::Off, Some(rival(110.0))));
    let verdict = scene.judge();
    assert_eq!(verdict.reasons(), ["high_below_body", "negative_volume", "off_grid"]);
    let violations = verdict.violations(&scene.bar, scene.ts_recv);
    let names: Vec<_> = violations.iter().map(|violation| violation.rule.as_str()).collect();
    assert_eq!(names, ["high_below_body", "negative_volume", "off_grid", "mismatch"]);
    assert!(violations.iter().all(|v| v.open_time == scene.bar.open_time && v.source == scene.bar.source && v.time == scene.ts_recv));
}

#[test]
fn every_rule_of_the_list_can_be_broken() {
    let broken: BTreeSet<&str> = [
        scene(|s| s.bar.high = 1.0),
        scene(|s| s.bar.low = 200.0),
        scene(|s| s.bar.open = f64::NAN),
        scene(|s| s.bar.volume = Some(-1.0)),
        scene(|s| s.ts_recv = Timestamp::MIN),
        scene(|s| s.grid = Grid::Off),
        scene(|s| (s.recent, s.bar) = (after("2026-11-24T15:00:00Z", 1.0), bar(OPEN, 100.0))),
        scene(|s| (s.recent, s.bar.volume) = (with_volumes(20, 1.0), Some(1e6))),
        scene(|s| (s.recent, s.bar.volume) = (with_volumes(20, 1e6), Some(1.0))),
        scene(|s| s.rival = Some(rival(1.0))),
    ]
    .iter()
    .flat_map(|scene| scene.judge().findings.into_iter().map(|(name, ..)| name))
    .collect();
    let all: BTreeSet<&str> = RULES.iter().map(|rule| rule.name).collect();
    assert_eq!(broken, all);
}

#[test]
fn a_bar_that_is_not_newer_is_left_out_of_what_came_before() {
    let mut recent = with_volumes(20, 100.0);
    let last = recent.last();
    for time in ["2026-11-25T14:49:00Z", "2026-11-25T14:30:00Z", "2025-01-01T00:00:00Z"] {
        recent.push(&Bar { volume: Some(1e9), ..bar(time, 5.0) });
    }
    assert_eq!((recent.last(), recent.median_volume()), (last, Some(100.0)));
    recent.push(&bar("2026-11-25T14:50:00Z", 5.0));
    assert_eq!(recent.last(), Some((at("2026-11-25T14:50:00Z"), 5.0)));
}

proptest! {
    /// Ties are many on purpose: the ring takes out one of several equal volumes.
    #[test]
    fn the_median_is_that_of_a_naive_model(volumes in prop::collection::vec(prop::option::weighted(0.9, 0_u32..12), 0..80)) {
        let (mut recent, mut model) = (Recent::default(), VecDeque::new());
        for (minute, volume) in (0_u32..).zip(volumes) {
            let open_time = at("2026-11-25T00:00:00Z") + Duration::from_secs(60) * minute;
            recent.push(&Bar { open_time, volume: volume.map(f64::from), ..bar(OPEN, 100.0) });
            model.extend(volume);
            if model.len() > 20 {
                model.pop_front();
            }
            let mut sorted: Vec<u32> = model.iter().copied().collect();
            sorted.sort_unstable();
            let median = (sorted.len() == 20).then(|| f64::from(sorted[9] + sorted[10]) / 2.0);
            prop_assert_eq!(recent.median_volume(), median);
        }
    }
}

fn calendar(venue: &str) -> Calendar {
    Calendars::embedded().get(venue).expect("a known venue").clone()
}

/// Every instant from `from` on, before `to`, so many seconds apart.
fn grid(from: &str, to: &str, seconds: u64) -> BTreeSet<Timestamp> {
    let step = Duration::from_secs(seconds);
    std::iter::successors(Some(at(from)), |time| Some(*time + step)).take_while(|time| *time < at(to)).collect()
}

/// From, to, bars that are missing.
type Hole<'a> = (&'a str, &'a str, usize);

fn check_gaps(
    venue: &str,
    interval: Interval,
    range: (&str, &str),
    present: &BTreeSet<Timestamp>,
    covered: &[(Timestamp, Timestamp)],
    holes: &[Hole<'_>],
) {
    let found = gaps(&calendar(venue), interval, (at(range.0), at(range.1)), present, covered).expect("a known year");
    let session = interval.is_intraday().then_some(SessionKind::Regular);
    let wanted: Vec<Gap> = holes.iter().map(|(from, to, missing)| Gap { from: at(from), to: at(to), missing: *missing, session }).collect();
    assert_eq!(found, wanted, "{venue} {interval}");
}

const TUESDAY: (&str, &str) = ("2026-11-24T00:00:00Z", "2026-11-25T00:00:00Z");

#[test]
fn a_day_that_is_missing_is_one_gap() {
    let none = BTreeSet::new();
    let whole = grid("2026-11-24T14:30:00Z", "2026-11-24T21:00:00Z", 60);
    assert_eq!(whole.len(), 390);
    check_gaps("XNYS", Interval::OneMinute, TUESDAY, &none, &[], &[("2026-11-24T14:30:00Z", "2026-11-24T21:00:00Z", 390)]);
    check_gaps("XNYS", Interval::OneMinute, TUESDAY, &whole, &[], &[]);
    // The last hour is a half: it ends with the session.
    check_gaps("XNYS", Interval::OneHour, TUESDAY, &none, &[], &[("2026-11-24T14:30:00Z", "2026-11-24T21:00:00Z", 7)]);
    check_gaps("CRYPTO", Interval::OneHour, TUESDAY, &none, &[], &[(TUESDAY.0, TUESDAY.1, 24)]);
}

#[test]
fn a_hole_in_the_middle_and_one_at_each_end() {
    let mut present = grid("2026-11-24T14:30:00Z", "2026-11-24T21:00:00Z", 60);
    let cut = |present: &mut BTreeSet<Timestamp>, from: &str, to: &str| present.retain(|time| *time < at(from) || *time >= at(to));
    cut(&mut present, "2026-11-24T15:00:00Z", "2026-11-24T15:30:00Z");
    check_gaps("XNYS", Interval::OneMinute, TUESDAY, &present, &[], &[("2026-11-24T15:00:00Z", "2026-11-24T15:30:00Z", 30)]);
    cut(&mut present, "2026-11-24T14:30:00Z", "2026-11-24T14:31:00Z");
    cut(&mut present, "2026-11-24T20:59:00Z", "2026-11-24T21:00:00Z");
    let holes = [
        ("2026-11-24T14:30:00Z", "2026-11-24T14:31:00Z", 1),
        ("2026-11-24T15:00:00Z", "2026-11-24T15:30:00Z", 30),
        ("2026-11-24T20:59:00Z", "2026-11-24T21:00:00Z", 1),
    ];
    check_gaps("XNYS", Interval::OneMinute, TUESDAY, &present, &[], &holes);
}

#[test]
fn the_range_is_half_open_and_holds_bars_that_open_in_it() {
    let none = BTreeSet::new();
    let range = ("2026-11-24T15:00:30Z", "2026-11-24T15:05:00Z");
    check_gaps("XNYS", Interval::OneMinute, range, &none, &[], &[("2026-11-24T15:01:00Z", "2026-11-24T15:05:00Z", 4)]);
    check_gaps("XNYS", Interval::OneMinute, ("2026-11-24T15:00:00Z", "2026-11-24T15:00:00Z"), &none, &[], &[]);
}

#[test]
fn lunch_is_no_gap() {
    let (morning, afternoon) =
        (grid("2026-11-24T00:00:00Z", "2026-11-24T02:30:00Z", 60), grid("2026-11-24T03:30:00Z", "2026-11-24T06:30:00Z", 60));
    let whole = morning.union(&afternoon).copied().collect();
    check_gaps("XTKS", Interval::OneMinute, TUESDAY, &whole, &[], &[]);
    check_gaps("XTKS", Interval::OneMinute, TUESDAY, &morning, &[], &[("2026-11-24T03:30:00Z", "2026-11-24T06:30:00Z", 180)]);
    let both = [("2026-11-24T00:00:00Z", "2026-11-24T02:30:00Z", 150), ("2026-11-24T03:30:00Z", "2026-11-24T06:30:00Z", 180)];
    check_gaps("XTKS", Interval::OneMinute, TUESDAY, &BTreeSet::new(), &[], &both);
}

#[test]
fn a_holiday_has_no_gap_and_an_early_close_ends_one() {
    let none = BTreeSet::new();
    check_gaps("XNYS", Interval::OneMinute, ("2026-11-26T00:00:00Z", "2026-11-27T00:00:00Z"), &none, &[], &[]);
    let friday = ("2026-11-27T00:00:00Z", "2026-11-28T00:00:00Z");
    check_gaps("XNYS", Interval::OneMinute, friday, &none, &[], &[("2026-11-27T14:30:00Z", "2026-11-27T18:00:00Z", 210)]);
}

#[test]
fn a_range_that_a_source_said_to_be_empty_is_no_gap() {
    let none = BTreeSet::new();
    let half_hour = [(at("2026-11-24T15:00:00Z"), at("2026-11-24T15:30:00Z"))];
    let around = [("2026-11-24T14:30:00Z", "2026-11-24T15:00:00Z", 30), ("2026-11-24T15:30:00Z", "2026-11-24T21:00:00Z", 330)];
    check_gaps("XNYS", Interval::OneMinute, TUESDAY, &none, &half_hour, &around);
    check_gaps("XNYS", Interval::OneMinute, TUESDAY, &none, &[(at(TUESDAY.0), at(TUESDAY.1))], &[]);
}

#[test]
fn missing_days_and_weeks_carry_their_labels() {
    let days = |list: &[&str]| list.iter().map(|day| at(&format!("2026-11-{day}T00:00:00Z"))).collect::<BTreeSet<_>>();
    let week = ("2026-11-23T00:00:00Z", "2026-11-30T00:00:00Z");
    // Thursday is Thanksgiving.
    let all = [("2026-11-23T00:00:00Z", "2026-11-26T00:00:00Z", 3), ("2026-11-27T00:00:00Z", "2026-11-28T00:00:00Z", 1)];
    check_gaps("XNYS", Interval::OneDay, week, &BTreeSet::new(), &[], &all);
    let two = [("2026-11-24T00:00:00Z", "2026-11-25T00:00:00Z", 1), ("2026-11-27T00:00:00Z", "2026-11-28T00:00:00Z", 1)];
    check_gaps("XNYS", Interval::OneDay, week, &days(&["23", "25"]), &[], &two);
    check_gaps("XNYS", Interval::OneDay, week, &days(&["23", "24", "25", "27"]), &[], &[]);
    let month = ("2026-11-02T00:00:00Z", "2026-11-30T00:00:00Z");
    let weeks = [("2026-11-02T00:00:00Z", "2026-11-09T00:00:00Z", 1), ("2026-11-16T00:00:00Z", "2026-11-30T00:00:00Z", 2)];
    check_gaps("XNYS", Interval::OneWeek, month, &days(&["09"]), &[], &weeks);
}

#[test]
fn years_that_the_calendar_does_not_know_are_not_called_empty() {
    let range = (at("2049-01-01T00:00:00Z"), at("2049-02-01T00:00:00Z"));
    assert!(gaps(&calendar("XNYS"), Interval::OneDay, range, &BTreeSet::new(), &[]).is_err());
}
