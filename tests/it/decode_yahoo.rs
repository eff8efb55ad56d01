//! Yahoo: observed shapes in, typed events and bars out.

use openbell::market::{
    ActionKind, AssetClass, CorporateAction, EventKind, Interval, Last, MarketEvent, Quote, SourceBar, Timestamp, Zone,
};
use openbell::provider::yahoo::{Split, actions, bars, chart, cookies, crumb, decode, found, look, quotes, splits, unadjust};
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

#[test]
fn months_are_labelled_by_their_first_day() {
    let month = |open_time, prices, volume| bar(Interval::OneMonth, open_time, prices, Some(volume));
    let months = [
        month("2026-09-01T00:00:00Z", [150.0, 158.0, 149.0, 157.0], 100.0),
        month("2026-10-01T00:00:00Z", [157.0, 161.0, 155.0, 160.0], 200.0),
    ];
    // The live price stands beside the month that forms; October lasts until its last day is over in New York.
    check_bars("chart_months.json", Interval::OneMonth, "2026-11-20T20:00:00Z", &months);
    check_bars("chart_months.json", Interval::OneMonth, "2026-11-01T03:59:00Z", &months[..1]);
}

#[test]
fn dividends_are_told_as_they_were_paid() {
    let series = chart(&fixture("chart_split.json")).expect("a chart");
    let known = splits(&series).expect("usable splits");
    let action = |date: &str, kind| CorporateAction { ex_date: date.parse().expect(date), kind };
    let dividend = |amount, currency: Option<&str>| ActionKind::Dividend { amount, currency: currency.map(str::to_owned) };
    let split = action("2020-08-31", ActionKind::Split { numerator: 4.0, denominator: 1.0 });
    assert_eq!(actions(&series, &known), [action("2020-08-07", dividend(0.82, Some("USD"))), split]);
    // Without an amount, and of no date, they are none; pence and pounds are not told apart.
    let series = chart(&fixture("chart_dividends.json")).expect("a chart");
    let expected = [action("2026-05-14", dividend(1.5, None)), action("2026-08-13", dividend(0.25, Some("EUR")))];
    assert_eq!(actions(&series, &[]), expected);
}

fn asked(spellings: &[&str]) -> Vec<String> {
    spellings.iter().map(|spelling| (*spelling).to_owned()).collect()
}

#[test]
fn a_quote_is_the_newest_price_of_its_day() {
    let seen = quotes(&fixture("quotes.json"), &asked(&["AAPL", "MSFT", "BTC-USD", "NVDA", "OLD", "ZZZZ"]), at(RECEIVED)).expect("quotes");
    let regular = Last {
        price: 244.6,
        reference: Some(241.53),
        day_open: Some(241.07),
        day_high: Some(245.41),
        day_low: Some(241.0),
        day_volume: Some(40_896_227.0),
    };
    let crypto = Last { price: 95_000.51, reference: Some(94_000.0), day_volume: Some(30_000_000_000.0), ..Last::default() };
    let top = Quote { bid: Some(95_000.0), bid_size: None, ask: Some(95_001.0), ask_size: None };
    let expected = [
        // After the close; the bid and ask of the close are of no use any more.
        event("AAPL", "2025-02-15T00:59:58Z", EventKind::Last(Last { price: 244.64, ..regular })),
        // Before the open the day's figures are those of the day before, and the change is counted from its close.
        event("MSFT", "2025-02-14T10:00:00Z", EventKind::Last(last(408.0, Some(410.54), None))),
        event("BTC-USD", "2025-02-14T21:00:00Z", EventKind::Last(crypto)),
        event("BTC-USD", "2025-02-14T21:00:00Z", EventKind::Quote(top)),
        // Overnight.
        event("NVDA", "2025-02-15T03:00:00Z", EventKind::Last(last(139.0, Some(138.85), None))),
    ];
    assert_eq!(seen, expected, "a stub, a row of wrong types, one without a time, and one that nobody asked for are left out");
    let one = quotes(&fixture("quotes.json"), &asked(&["ZZZZ"]), at(RECEIVED));
    assert_eq!(one, Ok(Vec::new()), "what is not known is left out without a word");
    assert_eq!(quotes(&fixture("quotes_empty.json"), &asked(&["ZZZZ"]), at(RECEIVED)), Ok(Vec::new()));
}

#[test]
fn what_stands_in_the_place_of_quotes_is_an_error() {
    let unauthorized = ProviderError::Unauthorized { message: "yahoo says Unauthorized: Invalid Crumb".to_owned() };
    assert_eq!(quotes(&fixture("quotes_invalid_crumb.json"), &asked(&["AAPL"]), at(RECEIVED)), Err(unauthorized));
    for name in ["page.html", "chart_minutes.json", "chart_truncated.json"] {
        let answer = quotes(&fixture(name), &asked(&["AAPL"]), at(RECEIVED));
        assert!(matches!(answer, Err(ProviderError::Malformed { .. })), "{name}: {answer:?}");
    }
}

#[test]
fn a_page_is_no_crumb() {
    assert_eq!(crumb(b"ab/C.d=12").as_deref(), Some("ab/C.d=12"));
    assert_eq!(crumb(b"ab\\u002FCd\n").as_deref(), Some("ab/Cd"));
    assert_eq!(crumb(&fixture("page.html")), None);
    assert_eq!(crumb(&fixture("crumb_page.html")), None);
    assert_eq!(crumb(&fixture("crumb_too_many.txt")), None);
    assert_eq!(crumb(&fixture("quotes_invalid_crumb.json")), None);
    for body in ["", " ", "{}", "two words", "<b>", "far-longer-than-any-crumb-that-was-ever-seen"] {
        assert_eq!(crumb(body.as_bytes()), None, "{body}");
    }
    assert_eq!(crumb(b"\xff\xfe"), None);
}

#[test]
fn cookies_are_sent_back_without_their_conditions() {
    let mut headers = reqwest::header::HeaderMap::new();
    assert_eq!(cookies(&headers), "");
    for cookie in ["A1=d=one&S=two; Max-Age=31557600; Domain=.yahoo.com; Secure", "A3=three", "A1S=; Max-Age=0", "odd"] {
        headers.append("Set-Cookie", cookie.parse().expect(cookie));
    }
    assert_eq!(cookies(&headers), "A1=d=one&S=two; A3=three");
}

#[test]
fn what_is_found_has_a_symbol_of_ours() {
    let page = found(&fixture("search.json"), 10).expect("a page");
    let rows: Vec<_> =
        page.listed.iter().map(|row| (row.symbol.as_str(), row.spelling.as_str(), row.asset_class, row.venue.as_deref())).collect();
    let expected = [
        ("AAPL", "AAPL", AssetClass::Equity, Some("XNAS")),
        ("BRK.B", "BRK-B", AssetClass::Equity, Some("XNYS")),
        ("VOD:XLON", "VOD.L", AssetClass::Equity, Some("XLON")),
        ("SPY", "SPY", AssetClass::Etf, Some("ARCX")),
        ("BTC-USD", "BTC-USD", AssetClass::Crypto, None),
        ("EUR/USD", "EURUSD=X", AssetClass::Fx, None),
        ("^GSPC", "^GSPC", AssetClass::Index, None),
    ];
    assert_eq!(rows, expected);
    let names: Vec<_> = page.listed.iter().take(3).map(|row| row.name.as_deref()).collect();
    assert_eq!(names, [Some("Apple Inc."), Some("Berkshire[2J Hathaway"), None]);
    assert_eq!((page.skipped, page.next), (3, None), "a future, a fund, and a row of another house");
    assert_eq!(found(&fixture("search.json"), 2).expect("a page").listed.len(), 2);
    for name in ["page.html", "chart_not_found.json"] {
        assert!(matches!(found(&fixture(name), 10), Err(ProviderError::Malformed { .. })), "{name}");
    }
}
