//! Binance: composed shapes in, typed events out.

use openbell::market::{EventKind, Interval, Last, MarketEvent, Quote, Side, SourceBar, Timestamp, Trade, TradeId};
use openbell::provider::binance::{clock, decode, klines, look, pages, symbols};
use openbell::provider::{DirectoryQuery, HistoryPage, ProviderError, StreamItem};

const TRADED: &str = "2026-11-20T15:04:05.678Z";
const SENT: &str = "2026-11-20T15:04:05.68Z";
const RECEIVED: &str = "2026-11-20T15:04:07Z";

fn fixture(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/fixtures/binance/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).expect(&path)
}

fn at(text: &str) -> Timestamp {
    text.parse().expect(text)
}

fn event(ts_event: &str, kind: EventKind) -> MarketEvent {
    MarketEvent { symbol: "BTCUSDT".into(), ts_event: at(ts_event), ts_recv: at(RECEIVED), kind }
}

fn trade(taker: Option<Side>) -> EventKind {
    let trade_id = Some(TradeId::Counted(3_995_098_663));
    EventKind::Trade(Trade { price: 68_923.67, size: 0.000_64, trade_id, taker, ..Trade::default() })
}

fn check(name: &str, expected: &[StreamItem]) {
    let items = decode(&fixture(name), at(RECEIVED)).expect(name);
    assert_eq!(items, expected, "{name}");
}

fn check_event(name: &str, ts_event: &str, kind: EventKind) {
    check(name, &[StreamItem::Event(event(ts_event, kind))]);
}

#[test]
fn a_buyer_who_waited_was_sold_to() {
    check_event("trade.json", TRADED, trade(Some(Side::Buy)));
    check_event("trade_taker_sold.json", TRADED, trade(Some(Side::Sell)));
    check_event("trade_no_side.json", TRADED, trade(None));
    check_event("trade_raw.json", TRADED, trade(Some(Side::Buy)));
    check_event("trade_escapes.json", TRADED, trade(Some(Side::Buy)));
}

#[test]
fn a_time_that_is_missing_is_the_next_best() {
    check_event("trade_no_trade_time.json", SENT, trade(Some(Side::Buy)));
    check_event("trade_no_time.json", RECEIVED, trade(Some(Side::Buy)));
}

fn day() -> Last {
    Last {
        price: 68_923.67,
        reference: Some(67_000.5),
        day_open: None,
        day_high: Some(69_100.01),
        day_low: Some(66_500.0),
        day_volume: Some(9_876.543_21),
    }
}

#[test]
fn a_ticker_is_a_last_price_with_that_of_a_day_ago() {
    check_event("ticker.json", SENT, EventKind::Last(day()));
    let sparse = Last { reference: None, day_high: None, day_volume: None, ..day() };
    check_event("ticker_sparse.json", SENT, EventKind::Last(sparse));
    check("ticker_no_trades.json", &[]);
}

fn book() -> Quote {
    Quote { bid: Some(68_923.66), bid_size: Some(0.12), ask: Some(68_923.67), ask_size: Some(1.5) }
}

#[test]
fn a_book_ticker_is_a_quote_of_our_time() {
    check_event("book.json", RECEIVED, EventKind::Quote(book()));
    check_event("book_raw.json", RECEIVED, EventKind::Quote(book()));
    check_event("book_bid_only.json", RECEIVED, EventKind::Quote(Quote { ask: None, ask_size: None, ..book() }));
    check("book_one_side.json", &[]);
}

#[test]
fn answers_to_a_request() {
    check("subscribed.json", &[StreamItem::Subscribed]);
    check("refused.json", &[StreamItem::Refused("Invalid request: unknown variant `SUBSCRIB`[2J (2)".to_owned())]);
    check("refused_wrapped.json", &[StreamItem::Refused("Invalid JSON: expected value at line 1 column 1 (3)".to_owned())]);
    check("refused_bare.json", &[StreamItem::Refused("error 1".to_owned())]);
}

#[test]
fn a_goodbye_is_told() {
    for name in ["shutdown.json", "shutdown_raw.json", "shutdown_untyped.json"] {
        check(name, &[StreamItem::Leaving("the server announced that it shuts down".to_owned())]);
    }
}

#[test]
fn other_streams_are_nothing() {
    for name in ["other_kline.json", "other_depth.json", "other_odd.json", "other_odd_raw.json", "other_array.json"] {
        check(name, &[]);
    }
}

#[test]
fn what_cannot_be_read_is_an_error_in_our_words() {
    let bad = [
        "trade_bad_price.json",
        "trade_infinite_price.json",
        "trade_null_price.json",
        "trade_negative_size.json",
        "trade_wrong_types.json",
        "trade_no_symbol.json",
        "trade_truncated.json",
        "ticker_no_price.json",
        "book_no_symbol.json",
        "kline_bad_price.json",
        "kline_empty.json",
        "no_type.json",
        "array.json",
        "page.html",
    ];
    for name in bad {
        let error = decode(&fixture(name), at(RECEIVED)).expect_err(name);
        assert!(error.message.contains("binance"), "{name}: {error}");
        assert!(!error.message.contains("3995098663") && !error.message.contains("cheap"), "{name}: {error}");
    }
    assert!(decode(b"", at(RECEIVED)).is_err());
    assert!(decode(b"\xff\xfe{", at(RECEIVED)).is_err());
}

fn page(from: &str, to: &str) -> HistoryPage {
    HistoryPage { spelling: "BTCUSDT".to_owned(), interval: Interval::OneMinute, from: at(from), to: at(to) }
}

fn minute(open_time: &str, [open, high, low, close]: [f64; 4], volume: f64, vwap: Option<f64>, n_trades: u64) -> SourceBar {
    let (interval, open_time, volume, n_trades) = (Interval::OneMinute, at(open_time), Some(volume), Some(n_trades));
    SourceBar { interval, open_time, open, high, low, close, volume, vwap, n_trades }
}

#[test]
fn a_candle_that_is_closed_is_the_minute_as_the_source_has_it() {
    let prices = [68_900.1, 68_930.0, 68_899.0, 68_923.67];
    let bar = minute("2026-11-20T15:03:00Z", prices, 12.5, Some(68_912.01), 101);
    check_event("kline_closed.json", "2026-11-20T15:04:00.005Z", EventKind::Bar(bar));
    // What forms is told every two seconds, and an interval that was not asked for is nothing.
    check("other_kline.json", &[]);
    let hour = String::from_utf8(fixture("kline_closed.json")).expect("text").replace("\"1m\"", "\"1h\"");
    assert_eq!(decode(hour.as_bytes(), at(RECEIVED)), Ok(Vec::new()));
}

#[test]
fn klines_are_sealed_ordered_and_inside_the_page() {
    let first = minute("2026-11-20T15:00:00Z", [100.0, 101.0, 99.5, 100.5], 10.25, Some(100.0), 12);
    let third = minute("2026-11-20T15:02:00Z", [102.0, 104.25, 101.5, 104.0], 2.5, Some(103.0), 3);
    // A minute without trades has no average.
    let fourth = minute("2026-11-20T15:03:00Z", [104.0, 104.0, 104.0, 104.0], 0.0, None, 0);
    // Its turnover was cut: the average would be below the bar.
    let fifth = minute("2026-11-20T15:04:00Z", [105.0, 106.0, 105.0, 105.5], 0.3, Some(105.0), 1);
    let table = [
        ("2026-11-20T15:10:00Z", "2026-11-20T15:03:59Z", vec![first.clone(), third.clone()]),
        ("2026-11-20T15:10:00Z", "2026-11-20T15:04:59Z", vec![first.clone(), third.clone(), fourth.clone()]),
        ("2026-11-20T15:10:00Z", "2026-11-20T15:05:00Z", vec![first.clone(), third.clone(), fourth, fifth]),
        ("2026-11-20T15:03:00Z", "2026-11-20T16:00:00Z", vec![first.clone(), third]),
        ("2026-11-20T15:02:00Z", "2026-11-20T16:00:00Z", vec![first]),
    ];
    for (to, now, expected) in table {
        let bars = klines(&fixture("klines.json"), &page("2026-11-20T15:00:00Z", to), at(now)).expect(to);
        assert_eq!(bars, expected, "to {to} at {now}");
    }
    let none = klines(&fixture("klines_empty.json"), &page("2026-11-20T15:00:00Z", RECEIVED), at(RECEIVED));
    assert_eq!(none, Ok(Vec::new()));
    for name in ["klines_refused.json", "klines_short_row.json", "page.html"] {
        let answer = klines(&fixture(name), &page("2026-11-20T15:00:00Z", RECEIVED), at(RECEIVED));
        assert!(matches!(answer, Err(ProviderError::Malformed { .. })), "{name}: {answer:?}");
    }
}

#[test]
fn a_look_is_the_ticker_of_24_hours() {
    let seen = look(&fixture("rest_ticker.json"), "BTCUSDT", at(RECEIVED)).expect("a look");
    assert_eq!(seen, [event(TRADED, EventKind::Last(day())), event(RECEIVED, EventKind::Quote(book()))]);
    let alone = Last { price: 68_923.67, ..Last::default() };
    let seen = look(&fixture("rest_ticker_bare.json"), "BTCUSDT", at(RECEIVED)).expect("a look");
    assert_eq!(seen, [event(RECEIVED, EventKind::Last(alone))]);
    let halted = look(&fixture("rest_ticker_halted.json"), "BTCUSDT", at(RECEIVED));
    assert!(matches!(halted, Err(ProviderError::NotFound { .. })), "{halted:?}");
    let bad = look(&fixture("page.html"), "BTCUSDT", at(RECEIVED));
    assert!(matches!(bad, Err(ProviderError::Malformed { .. })), "{bad:?}");
}

#[test]
fn pages_hold_1000_bars() {
    let now = at("2026-11-20T15:00:00Z");
    let day = pages(Interval::OneMinute, at("2026-11-19T00:00:00Z"), Timestamp::MAX, now);
    let edges = ["2026-11-19T00:00:00Z", "2026-11-19T16:40:00Z", "2026-11-20T09:20:00Z", "2026-11-20T15:00:00Z"];
    let expected: Vec<_> = edges.windows(2).map(|edges| (at(edges[0]), at(edges[1]))).collect();
    assert_eq!(day, expected);
    assert!(pages(Interval::OneDay, now, now, now).is_empty());
    let weeks = pages(Interval::OneWeek, Timestamp::MIN, now, now);
    assert_eq!(weeks, [(at("2017-07-01T00:00:00Z"), now)]);
}

#[test]
fn months_are_sealed_by_the_calendar() {
    let month = |time: &str| {
        let open = at(time).as_micros() / 1_000;
        format!(r#"[{open},"100","110","90","105","2",0,"200",7,"1","100","0"]"#)
    };
    let body = format!("[{},{}]", month("2026-01-01T00:00:00Z"), month("2026-02-01T00:00:00Z"));
    let page = HistoryPage { interval: Interval::OneMonth, ..page("2026-01-01T00:00:00Z", "2026-12-01T00:00:00Z") };
    // January has more than thirty days, February fewer.
    let table = [("2026-01-31T12:00:00Z", 0), ("2026-02-01T00:00:00Z", 1), ("2026-02-28T23:59:59Z", 1), ("2026-03-01T00:00:00Z", 2)];
    for (now, bars) in table {
        assert_eq!(klines(body.as_bytes(), &page, at(now)).expect(now).len(), bars, "{now}");
    }
}

fn query(search: Option<&str>, limit: usize) -> DirectoryQuery {
    DirectoryQuery { search: search.map(str::to_owned), limit, ..DirectoryQuery::default() }
}

#[test]
fn symbols_of_any_status_are_listed() {
    let body = fixture("exchange_info.json");
    let page = symbols(&body, &query(None, 100)).expect("symbols");
    let rows: Vec<_> = page.listed.iter().map(|row| (row.symbol.as_str(), row.spelling.as_str(), row.active)).collect();
    let expected = [
        ("BTC-USDT", "BTCUSDT", true),
        ("ETH-BTC", "ETHBTC", true),
        ("OLD-USDT", "OLDUSDT", false),
        ("SOL-USDC", "SOLUSDC", false),
        ("XRP-EUR", "XRPEUR", false),
    ];
    assert_eq!(rows, expected);
    assert_eq!((page.skipped, page.next.as_deref()), (3, None), "a name in another script, a quote that is not ours, and no name at all");
    assert_eq!(symbols(&body, &query(Some("btc"), 100)).expect("symbols").listed.len(), 2);
    assert_eq!(symbols(&body, &query(Some("btc-usdt"), 100)).expect("symbols").listed.len(), 1);
    assert_eq!(symbols(&body, &query(None, 2)).expect("symbols").listed.len(), 2);
    for name in ["klines_refused.json", "page.html"] {
        assert!(matches!(symbols(&fixture(name), &query(None, 1)), Err(ProviderError::Malformed { .. })), "{name}");
    }
}

#[test]
fn a_clock_is_a_sign_of_life() {
    assert_eq!(clock(&fixture("time.json")), Ok("its clock says 2026-11-20T15:04:07.123Z".to_owned()));
    for bad in [&fixture("page.html")[..], b"{}"] {
        assert!(clock(bad).is_err());
    }
}
