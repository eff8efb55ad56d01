//! Yahoo: observed shapes in, typed events and bars out.

use openbell::market::{EventKind, Interval, Last, MarketEvent, Quote, SourceBar, Timestamp, Zone};
use openbell::provider::yahoo::{Split, bars, chart, decode, look, splits, unadjust};
use openbell::provider::{HistoryPage, ProviderError, StreamItem};

const SENT: &str = "2025-11-21T15:00:00Z";
const RECEIVED: &str = "2026-11-20T21:05:00Z";
const LONG_AFTER: &str = "2026-12-24T00:00:00Z";

fn fixture(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/fixtures/yahoo/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).expect(&path)
}

fn at(text: &str) -> Timestamp {
    text.parse().expect(text)
}

fn event(symbol: &str, ts_event: &str, kind: EventKind) -> MarketEvent {
    MarketEvent { symbol: symbol.into(), ts_event: at(ts_event), ts_recv: at(RECEIVED), kind }
}

fn check(name: &str, symbol: &str, ts_event: &str, kinds: Vec<EventKind>) {
    let items = decode(&fixture(name), at(RECEIVED)).expect(name);
    let expected: Vec<_> = kinds.into_iter().map(|kind| StreamItem::Event(event(symbol, ts_event, kind))).collect();
    assert_eq!(items, expected, "{name}");
}

fn last(price: f64, reference: Option<f64>, day_volume: Option<f64>) -> Last {
    Last { price, reference, day_volume, ..Last::default() }
}

#[test]
fn both_forms_of_a_frame_are_read() {
    let regular = EventKind::Last(last(190.25, Some(189.3), Some(1_234_567.0)));
    for name in ["equity_regular.json", "equity_regular.txt", "escaped.json"] {
        check(name, "AAPL", SENT, vec![regular.clone()]);
    }
    let before_the_open = EventKind::Last(last(189.5, Some(189.975), None));
    for name in ["equity_premarket.txt", "unpadded.txt"] {
        check(name, "AAPL", "2025-11-21T10:00:00Z", vec![before_the_open.clone()]);
    }
    let crypto = EventKind::Last(last(95_000.5, Some(96_447.21), Some(30_000_000_000.0)));
    check("crypto.json", "BTC-USD", "2025-11-21T16:00:00Z", vec![crypto]);
}

#[test]
fn what_was_not_sent_is_not_known() {
    let sparse = EventKind::Last(last(190.26, None, None));
    check("equity_sparse.txt", "AAPL", SENT, vec![sparse.clone()]);
    check("unknown_fields.txt", "AAPL", SENT, vec![sparse.clone()]);
    // After the close the change counts from the close of today, and the volume is not that of regular hours.
    check("equity_after_close.txt", "AAPL", SENT, vec![sparse.clone()]);
    check("equity_no_time.txt", "AAPL", RECEIVED, vec![sparse]);
}

#[test]
fn a_full_message_is_a_last_price_and_a_quote() {
    let last = Last {
        price: 190.26,
        reference: Some(189.3),
        day_open: Some(188.4),
        day_high: Some(191.5),
        day_low: Some(188.01),
        day_volume: Some(1_234_567.0),
    };
    let quote = Quote { bid: Some(190.25), bid_size: Some(3.0), ask: Some(190.27), ask_size: None };
    check("equity_full.txt", "AAPL", SENT, vec![EventKind::Last(last), EventKind::Quote(quote)]);
    check("quote_only.txt", "AAPL", SENT, vec![EventKind::Quote(Quote { bid: Some(190.25), ..Quote::default() })]);
    check("heartbeat.txt", "", SENT, vec![EventKind::Heartbeat { last_trade_id: None }]);
    check("unknown_type.json", "", SENT, Vec::new());
}

#[test]
fn what_cannot_be_read_is_an_error_in_our_words() {
    let bad = [
        "no_price.txt",
        "price_negative.txt",
        "price_nan.txt",
        "no_id.txt",
        "cut_short.txt",
        "wrong_wire_type.txt",
        "bad_base64.txt",
        "page.html",
        "null_message.json",
        "truncated.json",
        "no_type.json",
    ];
    for name in bad {
        let error = decode(&fixture(name), at(RECEIVED)).expect_err(name);
        assert!(error.message.contains("yahoo"), "{name}: {error}");
    }
    assert!(decode(b"", at(RECEIVED)).is_err());
}

fn page(interval: Interval, from: &str, to: &str) -> HistoryPage {
    HistoryPage { spelling: "AAPL".to_owned(), interval, from: at(from), to: at(to) }
}

fn bar(interval: Interval, open_time: &str, [open, high, low, close]: [f64; 4], volume: Option<f64>) -> SourceBar {
    SourceBar { interval, open_time: at(open_time), open, high, low, close, volume, vwap: None, n_trades: None }
}

fn check_bars(name: &str, interval: Interval, now: &str, expected: &[SourceBar]) {
    let series = chart(&fixture(name)).expect(name);
    let found = bars(&series, &page(interval, "2020-01-01T00:00:00Z", LONG_AFTER), at(now)).expect(name);
    assert_eq!(found, expected, "{name} at {now}");
}

#[test]
fn minutes_without_prices_and_the_live_price_are_no_bars() {
    let minute = |open_time, prices, volume| bar(Interval::OneMinute, open_time, prices, volume);
    let all = [
        minute("2026-11-20T14:30:00Z", [164.32, 164.4, 164.3, 164.38], Some(1_200_000.0)),
        minute("2026-11-20T14:32:00Z", [164.5, 164.55, 164.45, 164.46], None),
        minute("2026-11-20T20:59:00Z", [164.2, 164.35, 164.1, 164.3], Some(2_000.0)),
    ];
    check_bars("chart_minutes.json", Interval::OneMinute, LONG_AFTER, &all);
    check_bars("chart_minutes.json", Interval::OneMinute, "2026-11-20T14:33:00Z", &all[..2]);
    check_bars("chart_minutes.json", Interval::OneMinute, "2026-11-20T14:32:59Z", &all[..1]);
    let series = chart(&fixture("chart_minutes.json")).expect("a chart");
    let part = page(Interval::OneMinute, "2026-11-20T14:32:00Z", "2026-11-20T20:59:00Z");
    assert_eq!(bars(&series, &part, at(LONG_AFTER)), Ok(all[1..2].to_vec()));
}

#[test]
fn either_shape_of_sessions_is_read() {
    let minute = |open_time, prices, volume| bar(Interval::OneMinute, open_time, prices, Some(volume));
    let extended = [
        minute("2026-11-20T14:29:00Z", [163.0, 163.5, 163.0, 163.5], 0.0),
        minute("2026-11-20T14:30:00Z", [164.0, 164.5, 164.0, 164.5], 5_000.0),
        minute("2026-11-20T21:00:00Z", [164.3, 164.4, 164.1, 164.2], 0.0),
        minute("2026-11-20T21:01:00Z", [164.2, 164.2, 164.2, 164.2], 0.0),
    ];
    check_bars("chart_prepost.json", Interval::OneMinute, LONG_AFTER, &extended);
    let odd = [minute("2026-11-20T14:30:00Z", [164.0, 165.0, 163.0, 164.5], 10.0)];
    check_bars("chart_odd_periods.json", Interval::OneMinute, LONG_AFTER, &odd);
    let hours = [
        bar(Interval::OneHour, "2026-11-20T14:30:00Z", [164.0, 165.0, 163.0, 164.5], Some(10.0)),
        bar(Interval::OneHour, "2026-11-20T20:30:00Z", [165.0, 166.0, 164.0, 165.5], Some(20.0)),
    ];
    // The last hour of the session lasts thirty minutes.
    check_bars("chart_hours.json", Interval::OneHour, "2026-11-20T21:00:00Z", &hours);
    check_bars("chart_hours.json", Interval::OneHour, "2026-11-20T20:59:59Z", &hours[..1]);
}

#[test]
fn ranges_without_rows_have_no_bars() {
    for name in ["chart_empty.json", "chart_short.json", "chart_values_without_times.json"] {
        let expected = match name {
            "chart_short.json" => vec![bar(Interval::OneMinute, "2026-11-20T14:30:00Z", [164.0, 165.0, 163.0, 164.5], None)],
            _ => Vec::new(),
        };
        check_bars(name, Interval::OneMinute, LONG_AFTER, &expected);
    }
}

#[test]
fn days_and_weeks_are_labelled_on_the_exchanges_clock() {
    let day = |open_time, prices, volume| bar(Interval::OneDay, open_time, prices, Some(volume));
    let days = [
        day("2020-08-28T00:00:00Z", [126.0125, 126.4425, 124.5775, 124.8075], 187_630_000.0),
        day("2020-08-31T00:00:00Z", [127.58, 131.0, 126.0, 129.04], 225_702_700.0),
        day("2020-09-01T00:00:00Z", [132.76, 134.8, 130.53, 134.18], 151_948_100.0),
    ];
    check_bars("chart_split.json", Interval::OneDay, "2020-09-01T20:30:00Z", &days);
    check_bars("chart_split.json", Interval::OneDay, "2020-09-01T20:29:59Z", &days[..2]);
    let summer = [day("2026-07-15T00:00:00Z", [1.17, 1.18, 1.16, 1.175], 0.0)];
    check_bars("chart_london.json", Interval::OneDay, LONG_AFTER, &summer);
    let weeks = [
        bar(Interval::OneWeek, "2026-11-09T00:00:00Z", [160.0, 163.0, 159.0, 162.0], Some(100.0)),
        bar(Interval::OneWeek, "2026-11-16T00:00:00Z", [162.0, 166.0, 161.0, 164.32], Some(200.0)),
    ];
    check_bars("chart_weeks.json", Interval::OneWeek, "2026-11-20T20:00:00Z", &weeks[..1]);
    check_bars("chart_weeks.json", Interval::OneWeek, "2026-11-21T12:00:00Z", &weeks);
}

#[test]
fn splits_are_taken_back() {
    let series = chart(&fixture("chart_split.json")).expect("a chart");
    let found = splits(&series).expect("usable splits");
    assert_eq!(found, [Split { date: "2020-08-31".parse().expect("a date"), numerator: 4.0, denominator: 1.0 }]);
    let mut days = bars(&series, &page(Interval::OneDay, "2020-08-28T00:00:00Z", "2020-09-01T00:00:00Z"), at(LONG_AFTER)).expect("bars");
    unadjust(&mut days, &found, Zone::NEW_YORK);
    let as_traded = [
        bar(Interval::OneDay, "2020-08-28T00:00:00Z", [504.05, 505.77, 498.31, 499.23], Some(46_907_500.0)),
        bar(Interval::OneDay, "2020-08-31T00:00:00Z", [127.58, 131.0, 126.0, 129.04], Some(225_702_700.0)),
    ];
    assert_eq!(days, as_traded);
    assert_eq!(splits(&chart(&fixture("chart_bad_split.json")).expect("a chart")), None);
    assert_eq!(splits(&chart(&fixture("chart_minutes.json")).expect("a chart")), Some(Vec::new()));
}

#[test]
fn longer_bars_than_asked_for_are_refused() {
    let series = chart(&fixture("chart_coarser.json")).expect("a chart");
    let answer = bars(&series, &page(Interval::ThirtyMinutes, "2026-11-20T00:00:00Z", LONG_AFTER), at(LONG_AFTER));
    let Err(ProviderError::Malformed { message, payload }) = answer else { panic!("{answer:?}") };
    assert_eq!((message.as_str(), payload.as_str()), ("yahoo was asked for 30m bars and answered with 1h", "1h"));
}

#[test]
fn errors_are_told_by_the_body() {
    let message = |words: &str| format!("yahoo says {words}");
    let table = [
        ("chart_not_found.json", ProviderError::NotFound { message: message("Not Found: No data found, symbol may be delisted") }),
        (
            "chart_unprocessable.json",
            ProviderError::Fatal { message: message("Unprocessable Entity: 1m data not available for startTime=1 and endTime=2.") },
        ),
        ("chart_unauthorized.json", ProviderError::Unauthorized { message: message("Unauthorized: Invalid Crumb") }),
        ("chart_internal.json", ProviderError::Retryable { message: message("internal-error"), after: None }),
    ];
    for (name, expected) in table {
        assert_eq!(chart(&fixture(name)).err(), Some(expected), "{name}");
    }
    for name in ["chart_no_result.json", "chart_wrong_types.json", "chart_truncated.json", "page.html"] {
        assert!(matches!(chart(&fixture(name)), Err(ProviderError::Malformed { .. })), "{name}");
    }
}

#[test]
fn a_look_is_the_last_regular_price_at_its_own_time() {
    let seen = look(&chart(&fixture("chart_minutes.json")).expect("a chart"), "AAPL", at(RECEIVED));
    let last = Last {
        price: 164.32,
        reference: Some(163.12),
        day_open: None,
        day_high: Some(165.1),
        day_low: Some(163.7),
        day_volume: Some(32_316_907.0),
    };
    assert_eq!(seen, Ok(vec![event("AAPL", "2026-11-20T21:00:01Z", EventKind::Last(last.clone()))]));
    // A chart of days has no previous close, only the close before its range.
    let seen = look(&chart(&fixture("chart_weeks.json")).expect("a chart"), "AAPL", at(RECEIVED));
    let other = Last { reference: Some(163.11), ..last };
    assert_eq!(seen, Ok(vec![event("AAPL", "2026-11-20T21:00:01Z", EventKind::Last(other))]));
    let nothing = look(&chart(&fixture("chart_no_price.json")).expect("a chart"), "AAPL", at(RECEIVED));
    assert!(matches!(nothing, Err(ProviderError::Malformed { .. })));
}
