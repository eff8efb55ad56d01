//! Coinbase: recorded shapes in, typed events out.

use openbell::market::{AssetClass, EventKind, Interval, Last, MarketEvent, Quote, Side, SourceBar, Timestamp, Trade, TradeId};
use openbell::provider::coinbase::{candles, clock, decode, look, pages, products};
use openbell::provider::{DirectoryQuery, HistoryPage, ProviderError, StreamItem};

const SENT: &str = "2026-11-20T15:04:05.678901Z";
const RECEIVED: &str = "2026-11-20T15:04:07Z";

fn fixture(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/fixtures/coinbase/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).expect(&path)
}

fn at(text: &str) -> Timestamp {
    text.parse().expect(text)
}

fn event(ts_event: &str, kind: EventKind) -> MarketEvent {
    MarketEvent { symbol: "BTC-USD".into(), ts_event: at(ts_event), ts_recv: at(RECEIVED), kind }
}

fn trade(trade_id: u64, taker: Option<Side>) -> EventKind {
    let trade_id = Some(TradeId::Counted(trade_id));
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
fn the_side_of_a_match_is_the_makers() {
    check_event("match_maker_sell.json", SENT, trade(995_098_663, Some(Side::Buy)));
    check_event("match_maker_buy.json", "2026-11-20T15:04:06Z", trade(995_098_664, Some(Side::Sell)));
    check_event("match_no_side.json", SENT, trade(995_098_663, None));
    check_event("match_escapes.json", SENT, trade(995_098_663, Some(Side::Buy)));
}

#[test]
fn a_time_that_is_none_is_ours() {
    for name in ["match_no_time.json", "match_null_time.json", "match_year_1.json"] {
        check_event(name, RECEIVED, trade(995_098_663, Some(Side::Buy)));
    }
}

#[test]
fn every_form_of_a_time_is_read() {
    let text = String::from_utf8(fixture("match_maker_sell.json")).expect("text");
    for time in
        ["2026-11-20T15:04:05.6789Z", "2026-11-20T15:04:05.000000001Z", "2026-11-20T10:04:05.678901-05:00", "2026-02-28T23:59:59.999999Z"]
    {
        let items = decode(text.replace(SENT, time).as_bytes(), at(RECEIVED)).expect(time);
        assert_eq!(items, [StreamItem::Event(event(time, trade(995_098_663, Some(Side::Buy))))]);
    }
    for time in ["2026-02-30T15:04:05.678901Z", "2026-11-20T24:04:05.678901Z", "2026-11-20T15:60:05.678901Z", "2026-11-20T15:04:05.67890xZ"]
    {
        assert!(decode(text.replace(SENT, time).as_bytes(), at(RECEIVED)).is_err(), "{time}");
    }
}

#[test]
fn the_last_match_is_where_ids_start_and_no_trade() {
    check_event("last_match.json", SENT, EventKind::Heartbeat { last_trade_id: Some(995_098_663) });
    check_event("heartbeat.json", "2026-11-20T15:04:06.000001Z", EventKind::Heartbeat { last_trade_id: Some(995_098_663) });
    check_event("heartbeat_zero.json", "2026-11-20T15:04:06.000001Z", EventKind::Heartbeat { last_trade_id: None });
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
fn a_ticker_is_a_last_price_and_a_quote() {
    let full = Quote { bid: Some(68_923.66), bid_size: Some(0.12), ask: Some(68_923.67), ask_size: Some(1.5) };
    let sizeless = Quote { bid_size: None, ask_size: None, ..full.clone() };
    for (name, ts_event, quote) in [("ticker.json", SENT, full), ("ticker_first.json", RECEIVED, sizeless)] {
        let expected = [EventKind::Last(day()), EventKind::Quote(quote)].map(|kind| StreamItem::Event(event(ts_event, kind)));
        check(name, &expected);
    }
    let last = Last { reference: None, day_high: None, ..day() };
    check_event("ticker_bad_levels.json", SENT, EventKind::Last(last));
}

#[test]
fn answers_to_a_subscription() {
    check("subscriptions.json", &[StreamItem::Subscribed]);
    check("error.json", &[StreamItem::Refused("Failed to subscribe: NO-USD is not a valid product[2J".to_owned())]);
    check("error_bare.json", &[StreamItem::Refused("no reason given".to_owned())]);
}

#[test]
fn unknown_types_are_nothing() {
    check("unknown_type.json", &[]);
    check("unknown_type_odd.json", &[]);
}

#[test]
fn what_cannot_be_read_is_an_error_in_our_words() {
    let bad = [
        "match_bad_time.json",
        "match_bad_price.json",
        "match_infinite_price.json",
        "match_null_price.json",
        "match_negative_size.json",
        "match_wrong_types.json",
        "match_no_product.json",
        "match_truncated.json",
        "ticker_no_price.json",
        "no_type.json",
        "array.json",
        "page.html",
    ];
    for name in bad {
        let error = decode(&fixture(name), at(RECEIVED)).expect_err(name);
        assert!(error.message.contains("coinbase"), "{name}: {error}");
        assert!(!error.message.contains("995098663") && !error.message.contains("yesterday"), "{name}: {error}");
    }
    assert!(decode(b"", at(RECEIVED)).is_err());
    assert!(decode(b"\xff\xfe{", at(RECEIVED)).is_err());
}

fn page(from: &str, to: &str) -> HistoryPage {
    HistoryPage { spelling: "BTC-USD".to_owned(), interval: Interval::OneMinute, from: at(from), to: at(to) }
}

fn minute(open_time: &str, [open, high, low, close]: [f64; 4], volume: f64) -> SourceBar {
    let (interval, open_time, volume) = (Interval::OneMinute, at(open_time), Some(volume));
    SourceBar { interval, open_time, open, high, low, close, volume, vwap: None, n_trades: None }
}

#[test]
fn candles_are_sealed_ordered_and_inside_the_page() {
    let first = minute("2026-11-20T15:00:00Z", [100.0, 101.0, 99.5, 100.5], 10.25);
    let third = minute("2026-11-20T15:02:00Z", [102.0, 104.25, 101.5, 104.0], 2.5);
    let fourth = minute("2026-11-20T15:03:00Z", [105.0, 106.0, 105.0, 105.5], 1.5);
    let table = [
        ("2026-11-20T15:10:00Z", "2026-11-20T15:03:59Z", vec![first.clone(), third.clone()]),
        ("2026-11-20T15:10:00Z", "2026-11-20T15:04:00Z", vec![first.clone(), third.clone(), fourth]),
        ("2026-11-20T15:03:00Z", "2026-11-20T16:00:00Z", vec![first.clone(), third]),
        ("2026-11-20T15:02:00Z", "2026-11-20T16:00:00Z", vec![first]),
    ];
    for (to, now, expected) in table {
        let bars = candles(&fixture("candles.json"), &page("2026-11-20T15:00:00Z", to), at(now)).expect(to);
        assert_eq!(bars, expected, "to {to} at {now}");
    }
    let none = candles(&fixture("candles_empty.json"), &page("2026-11-20T15:00:00Z", RECEIVED), at(RECEIVED));
    assert_eq!(none, Ok(Vec::new()));
    for name in ["candles_refused.json", "candles_short_row.json", "page.html"] {
        let answer = candles(&fixture(name), &page("2026-11-20T15:00:00Z", RECEIVED), at(RECEIVED));
        assert!(matches!(answer, Err(ProviderError::Malformed { .. })), "{name}: {answer:?}");
    }
}

#[test]
fn a_look_is_the_ticker_with_the_stats() {
    let quote = Quote { bid: Some(68_923.66), bid_size: None, ask: Some(68_923.67), ask_size: None };
    let (ticker, stats) = (fixture("rest_ticker.json"), fixture("rest_stats.json"));
    let seen = look(&ticker, Some(&stats), "BTC-USD", at(RECEIVED)).expect("a look");
    assert_eq!(seen, [event(SENT, EventKind::Last(day())), event(SENT, EventKind::Quote(quote.clone()))]);
    let alone = Last { reference: None, day_high: None, day_low: None, ..day() };
    let seen = look(&ticker, None, "BTC-USD", at(RECEIVED)).expect("a look");
    assert_eq!(seen, [event(SENT, EventKind::Last(alone)), event(SENT, EventKind::Quote(quote))]);
    assert!(look(&fixture("page.html"), None, "BTC-USD", at(RECEIVED)).is_err());
}

#[test]
fn pages_hold_299_buckets() {
    let now = at("2026-11-20T15:00:00Z");
    let day = pages(Interval::FiveMinutes, at("2026-11-18T00:00:00Z"), Timestamp::MAX, now);
    let edges = ["2026-11-18T00:00:00Z", "2026-11-19T00:55:00Z", "2026-11-20T01:50:00Z", "2026-11-20T15:00:00Z"];
    let expected: Vec<_> = edges.windows(2).map(|edges| (at(edges[0]), at(edges[1]))).collect();
    assert_eq!(day, expected);
    for interval in [Interval::ThirtyMinutes, Interval::OneWeek, Interval::OneMonth] {
        assert!(pages(interval, Timestamp::MIN, now, now).is_empty(), "{interval}");
    }
    assert!(pages(Interval::OneDay, now, now, now).is_empty());
    assert_eq!(pages(Interval::OneDay, Timestamp::MIN, now, now).first().map(|page| page.0), Some(at("2015-01-01T00:00:00Z")));
}

fn query(search: Option<&str>, limit: usize) -> DirectoryQuery {
    DirectoryQuery { search: search.map(str::to_owned), limit, ..DirectoryQuery::default() }
}

#[test]
fn products_that_have_a_symbol_are_listed() {
    let body = fixture("products.json");
    let page = products(&body, &query(None, 100)).expect("products");
    let rows: Vec<_> = page.listed.iter().map(|row| (row.symbol.as_str(), row.spelling.as_str(), row.active)).collect();
    // Offline, cancel-only and disabled ones are listed, and not active.
    let expected = [
        ("BTC-USD", "BTC-USD", true),
        ("ETH-BTC", "ETH-BTC", true),
        ("OLD-USD", "OLD-USD", false),
        ("SOL-USD", "SOL-USD", false),
        ("XRP-EUR", "XRP-EUR", false),
    ];
    assert_eq!(rows, expected);
    assert_eq!((page.skipped, page.next.as_deref()), (2, None), "one is quoted in what we have no symbol for, one has no name");
    let first = &page.listed[0];
    assert_eq!((first.asset_class, first.name.as_deref(), first.currency.as_deref()), (AssetClass::Crypto, Some("BTC/USD"), Some("USD")));
    assert_eq!(products(&body, &query(Some("btc"), 100)).expect("products").listed.len(), 2);
    assert_eq!(products(&body, &query(Some("btc"), 1)).expect("products").listed.len(), 1);
    for name in ["candles_refused.json", "page.html"] {
        assert!(matches!(products(&fixture(name), &query(None, 1)), Err(ProviderError::Malformed { .. })), "{name}");
    }
}

#[test]
fn a_clock_is_a_sign_of_life() {
    assert_eq!(clock(&fixture("time.json")), Ok("its clock says 2026-11-20T15:04:07.123Z".to_owned()));
    assert!(clock(&fixture("page.html")).is_err());
}
