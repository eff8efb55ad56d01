//! Kraken: recorded shapes in, typed events out.

use std::time::Duration;

use openbell::market::{EventKind, Interval, Last, MarketEvent, Quote, Side, SourceBar, Timestamp, Trade, TradeId};
use openbell::provider::kraken::{asset_pairs, candles, decode, look, pages, refusal, status};
use openbell::provider::{DirectoryQuery, HistoryPage, ProviderError, StreamItem};

const SENT: &str = "2026-11-20T15:04:05.440295Z";
const RECEIVED: &str = "2026-11-20T15:04:07Z";

fn fixture(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/fixtures/kraken/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).expect(&path)
}

fn at(text: &str) -> Timestamp {
    text.parse().expect(text)
}

fn event(ts_event: &str, kind: EventKind) -> MarketEvent {
    MarketEvent { symbol: "BTC/USD".into(), ts_event: at(ts_event), ts_recv: at(RECEIVED), kind }
}

fn trade(trade_id: u64, taker: Option<Side>) -> EventKind {
    let trade_id = Some(TradeId::Counted(trade_id));
    EventKind::Trade(Trade { price: 68_923.7, size: 0.000_276_25, trade_id, taker, ..Trade::default() })
}

fn check(name: &str, expected: &[StreamItem]) {
    let items = decode(&fixture(name), at(RECEIVED)).expect(name);
    assert_eq!(items, expected, "{name}");
}

fn check_events(name: &str, expected: &[(&str, EventKind)]) {
    let items: Vec<_> = expected.iter().map(|(time, kind)| StreamItem::Event(event(time, kind.clone()))).collect();
    check(name, &items);
}

fn start(id: u64) -> EventKind {
    EventKind::Heartbeat { last_trade_id: Some(id) }
}

#[test]
fn the_side_of_a_trade_is_the_takers() {
    let bought = (SENT, trade(10_218_208, Some(Side::Buy)));
    check_events("trade.json", &[bought.clone()]);
    check_events("trade_escapes.json", &[bought.clone()]);
    check_events("trade_two.json", &[bought, ("2026-11-20T15:04:06Z", trade(10_218_209, Some(Side::Sell)))]);
    check_events("trade_no_side.json", &[(SENT, trade(10_218_208, None))]);
}

#[test]
fn numbers_are_read_from_their_digits() {
    check_events("trade_exponent.json", &[(SENT, trade(10_218_208, Some(Side::Buy)))]);
    let text = String::from_utf8(fixture("trade.json")).expect("text");
    // A reader that multiplies by powers of ten is a last digit off here.
    for digits in ["105944.20", "0.00027625", "9007199254740993.5", "0.1234567890123456789", "123456789.12345678", "1.7976931348623157e308"]
    {
        let items = decode(text.replace("68923.70", digits).as_bytes(), at(RECEIVED)).expect(digits);
        let [StreamItem::Event(MarketEvent { kind: EventKind::Trade(trade), .. })] = items.as_slice() else { panic!("{items:?}") };
        assert_eq!(trade.price.to_bits(), digits.parse::<f64>().expect(digits).to_bits(), "{digits}");
    }
}

#[test]
fn a_time_that_is_none_is_ours() {
    check_events("trade_no_time.json", &[(RECEIVED, trade(10_218_208, Some(Side::Buy)))]);
}

#[test]
fn old_trades_of_a_snapshot_are_where_ids_start() {
    let bought = (SENT, trade(10_218_208, Some(Side::Buy)));
    check_events("trade_snapshot.json", &[("2026-11-20T15:02:06Z", start(10_218_207)), bought]);
    check_events("trade_snapshot_old.json", &[("2026-11-18T14:59:00Z", start(10_218_206))]);
    check("trade_empty.json", &[]);
    // What comes late after the subscription is a trade all the same.
    let late = String::from_utf8(fixture("trade_snapshot_old.json")).expect("text").replace("snapshot", "update");
    let items = decode(late.as_bytes(), at(RECEIVED)).expect("a late trade");
    assert_eq!(items, [StreamItem::Event(event("2026-11-18T14:59:00Z", trade(10_218_206, Some(Side::Buy))))]);
}

#[test]
fn a_row_that_makes_no_sense_does_not_cost_the_others() {
    check_events("trade_one_bad.json", &[(SENT, trade(10_218_208, Some(Side::Buy)))]);
}

fn day() -> Last {
    Last {
        price: 68_923.7,
        reference: Some(67_000.5),
        day_open: None,
        day_high: Some(69_100.1),
        day_low: Some(66_500.0),
        day_volume: Some(9_876.543_21),
    }
}

fn top() -> Quote {
    Quote { bid: Some(68_923.6), bid_size: Some(0.12), ask: Some(68_923.7), ask_size: Some(1.5) }
}

#[test]
fn a_ticker_is_a_last_price_and_a_quote() {
    for (name, time) in [("ticker.json", SENT), ("ticker_snapshot.json", RECEIVED)] {
        check_events(name, &[(time, EventKind::Last(day())), (time, EventKind::Quote(top()))]);
    }
    let last = Last { reference: None, day_high: None, day_volume: None, ..day() };
    check_events("ticker_bad_levels.json", &[(SENT, EventKind::Last(last))]);
    check_events("ticker_quote_only.json", &[(SENT, EventKind::Quote(top()))]);
}

#[test]
fn a_candle_is_the_minute_so_far() {
    let bar = minute("2026-11-20T15:04:00Z", [68_900.1, 68_930.0, 68_899.0, 68_923.7, 68_912.01], 12.5, 101);
    check_events("candle.json", &[(RECEIVED, EventKind::Forming(bar))]);
    check("candle_five_minutes.json", &[]);
}

#[test]
fn the_price_of_a_day_ago_has_as_many_places_as_it_was_written_with() {
    let text = String::from_utf8(fixture("ticker.json")).expect("text");
    for (last, change, reference) in [
        ("96.9", "6.9", Some(90.0)),
        ("0.3", "0.1", Some(0.2)),
        ("0.00001234", "-0.0000002", Some(0.000_012_54)),
        ("5", "1", Some(4.0)),
        ("2.5e1", "0.5", Some(24.5)),
        ("1.5", "1.5", None),
        ("1.5", "\"?\"", None),
    ] {
        let frame = text.replace("\"last\":68923.7,", &format!("\"last\":{last},")).replace("1923.20", change);
        let items = decode(frame.as_bytes(), at(RECEIVED)).expect(last);
        let Some(StreamItem::Event(MarketEvent { kind: EventKind::Last(said), .. })) = items.first() else { panic!("{items:?}") };
        assert_eq!(said.reference, reference, "{last} {change}");
    }
}

#[test]
fn a_heartbeat_is_the_connections() {
    let kind = EventKind::Heartbeat { last_trade_id: None };
    let beat = MarketEvent { symbol: "".into(), ts_event: at(RECEIVED), ts_recv: at(RECEIVED), kind };
    check("heartbeat.json", &[StreamItem::Event(beat)]);
}

#[test]
fn answers_and_what_the_source_says_of_itself() {
    let refused = |words: &str| [StreamItem::Refused(words.to_owned())];
    check("subscribed.json", &[StreamItem::Subscribed]);
    check("unsubscribed.json", &[]);
    check("pong.json", &[]);
    check("status_online.json", &[]);
    check("status_maintenance.json", &refused("kraken is not open for trading: maintenance[2J"));
    check("refused.json", &refused("Currency pair not supported BTC/XYZ[2J"));
    check("refused_pair.json", &refused("Already subscribed: BTC/USD"));
    check("refused_bare.json", &refused("no reason given"));
    check("message_rate.json", &refused("Exceeded msg rate"));
}

#[test]
fn unknown_channels_and_methods_are_nothing() {
    check("unknown_channel.json", &[]);
    check("unknown_method.json", &[]);
}

#[test]
fn what_cannot_be_read_is_an_error_in_our_words() {
    let bad = [
        "trade_bad_price.json",
        "candle_bad_price.json",
        "candle_bad_time.json",
        "trade_null_price.json",
        "trade_infinite_price.json",
        "trade_negative_qty.json",
        "trade_no_pair.json",
        "trade_bad_time.json",
        "trade_wrong_types.json",
        "trade_no_data.json",
        "trade_truncated.json",
        "ticker_no_price.json",
        "nothing.json",
        "array.json",
        "page.html",
    ];
    for name in bad {
        let error = decode(&fixture(name), at(RECEIVED)).expect_err(name);
        assert!(error.message.contains("kraken"), "{name}: {error}");
        assert!(!error.message.contains("10218208") && !error.message.contains("yesterday"), "{name}: {error}");
    }
    assert!(decode(b"", at(RECEIVED)).is_err());
    assert!(decode(b"\xff\xfe{", at(RECEIVED)).is_err());
}

fn page(from: &str, to: &str) -> HistoryPage {
    HistoryPage { spelling: "BTC/USD".to_owned(), interval: Interval::OneMinute, from: at(from), to: at(to) }
}

fn minute(open_time: &str, [open, high, low, close, vwap]: [f64; 5], volume: f64, count: u64) -> SourceBar {
    let (interval, open_time, volume) = (Interval::OneMinute, at(open_time), Some(volume));
    SourceBar { interval, open_time, open, high, low, close, volume, vwap: Some(vwap), n_trades: Some(count) }
}

#[test]
fn candles_are_sealed_traded_and_inside_the_page() {
    let first = minute("2026-11-20T15:00:00Z", [100.0, 101.0, 99.5, 100.5, 100.25], 10.25, 7);
    let third = minute("2026-11-20T15:02:00Z", [102.0, 104.25, 101.5, 104.0, 103.125], 2.5, 3);
    let fifth = minute("2026-11-20T15:04:00Z", [105.0, 106.0, 105.0, 105.5, 105.5], 1.5, 2);
    let table = [
        ("2026-11-20T15:10:00Z", "2026-11-20T15:04:59Z", vec![first.clone(), third.clone()]),
        ("2026-11-20T15:10:00Z", "2026-11-20T15:05:00Z", vec![first.clone(), third.clone(), fifth]),
        ("2026-11-20T15:04:00Z", "2026-11-20T16:00:00Z", vec![first.clone(), third]),
        ("2026-11-20T15:02:00Z", "2026-11-20T16:00:00Z", vec![first]),
    ];
    for (to, now, expected) in table {
        let bars = candles(&fixture("ohlc.json"), &page("2026-11-20T15:00:00Z", to), at(now)).expect(to);
        assert_eq!(bars, expected, "to {to} at {now}");
    }
    for name in ["ohlc_empty.json", "warning.json"] {
        let none = candles(&fixture(name), &page("2026-11-20T15:00:00Z", RECEIVED), at(RECEIVED));
        assert_eq!(none, Ok(Vec::new()), "{name}");
    }
    for name in ["ohlc_short_row.json", "ohlc_only_last.json", "error_busy.json", "page.html"] {
        let answer = candles(&fixture(name), &page("2026-11-20T15:00:00Z", RECEIVED), at(RECEIVED));
        assert!(matches!(answer, Err(ProviderError::Malformed { .. })), "{name}: {answer:?}");
    }
}

#[test]
fn what_was_cut_off_is_not_what_was_silent() {
    let now = at("2026-11-20T15:00:00Z");
    let row = |minute: i64| format!(r#"[{},"1","1","1","1","1","1",1]"#, (now - Duration::from_secs(60 * 720)).as_seconds() + minute * 60);
    let rows: Vec<_> = (1..=720).map(row).collect();
    let body = format!(r#"{{"error":[],"result":{{"XXBTZUSD":[{}],"last":1}}}}"#, rows.join(","));
    let ask = |from: &str| candles(body.as_bytes(), &page(from, "2026-11-20T03:03:00Z"), now);
    assert_eq!(ask("2026-11-20T03:01:00Z").map(|bars| bars.len()), Ok(2));
    let Err(ProviderError::Fatal { message }) = ask("2026-11-20T03:00:00Z") else { panic!("the first bar is not in it") };
    assert_eq!(message, "kraken keeps no 1m bars from before 2026-11-20T03:01:00Z any more");
}

#[test]
fn refusals_come_with_status_200() {
    let check = |name: &str, expected: Option<ProviderError>| {
        assert_eq!(refusal(&fixture(name), "kraken candles of BTC/USD", at("2026-11-20T15:04:00Z")), expected, "{name}");
    };
    let said = |words: &str| format!("kraken candles of BTC/USD: {words}");
    // Where it does not say until when, a few seconds are left to it.
    check("error_rate.json", Some(ProviderError::RateLimited { after: Some(Duration::from_secs(5)) }));
    check("error_too_many.json", Some(ProviderError::RateLimited { after: Some(Duration::from_secs(5)) }));
    check("error_throttled.json", Some(ProviderError::RateLimited { after: Some(Duration::from_secs(37)) }));
    check("error_busy.json", Some(ProviderError::Retryable { message: said("EService:Busy"), after: None }));
    check("error_unknown_pair.json", Some(ProviderError::NotFound { message: said("EQuery:Unknown asset pair") }));
    check("error_arguments.json", Some(ProviderError::Fatal { message: said("EGeneral:Invalid arguments") }));
    for name in ["warning.json", "ohlc.json", "rest_ticker.json", "page.html"] {
        check(name, None);
    }
}

#[test]
fn a_look_is_the_last_price_with_24_hours() {
    let seen = look(&fixture("rest_ticker.json"), "BTC/USD", at(RECEIVED)).expect("a look");
    let last = Last { reference: None, ..day() };
    assert_eq!(seen, [event(RECEIVED, EventKind::Last(last)), event(RECEIVED, EventKind::Quote(top()))]);
    for name in ["rest_ticker_no_price.json", "ohlc_empty.json", "error_busy.json", "page.html"] {
        assert!(look(&fixture(name), "BTC/USD", at(RECEIVED)).is_err(), "{name}");
    }
}

#[test]
fn pages_end_where_the_source_does() {
    let now = at("2026-11-20T15:00:30Z");
    let edges = |from: &str, to: &str| vec![(at(from), at(to))];
    let whole = pages(Interval::OneMinute, Timestamp::MIN, Timestamp::MAX, now);
    assert_eq!(whole, edges("2026-11-20T03:05:00Z", "2026-11-20T15:00:30Z"));
    let inside = pages(Interval::OneMinute, at("2026-11-20T10:00:00Z"), at("2026-11-20T11:00:00Z"), now);
    assert_eq!(inside, edges("2026-11-20T10:00:00Z", "2026-11-20T11:00:00Z"));
    assert!(pages(Interval::OneMinute, Timestamp::MIN, at("2026-11-20T03:05:00Z"), now).is_empty(), "older is out of reach");
    assert_eq!(pages(Interval::OneDay, Timestamp::MIN, now, now), edges("2024-12-05T00:00:00Z", "2026-11-20T15:00:30Z"));
    assert!(pages(Interval::OneWeek, Timestamp::MIN, now, now).is_empty());
    assert!(pages(Interval::OneMonth, Timestamp::MIN, now, now).is_empty());
    assert!(pages(Interval::OneDay, now, now, now).is_empty());
}

fn query(search: Option<&str>, limit: usize) -> DirectoryQuery {
    DirectoryQuery { search: search.map(str::to_owned), limit, ..DirectoryQuery::default() }
}

#[test]
fn pairs_are_listed_by_the_names_of_the_socket() {
    let body = fixture("asset_pairs.json");
    let page = asset_pairs(&body, &query(None, 100)).expect("pairs");
    let rows: Vec<_> = page.listed.iter().map(|row| (row.symbol.as_str(), row.spelling.as_str(), row.active)).collect();
    let expected =
        [("SOL-EUR", "SOL/EUR", false), ("DOGE-USD", "DOGE/USD", true), ("ETH-BTC", "ETH/BTC", true), ("BTC-USD", "BTC/USD", true)];
    assert_eq!(rows, expected);
    assert_eq!((page.skipped, page.next.as_deref()), (2, None), "a dark pool has no name on the socket, and one quote is not ours");
    assert_eq!(asset_pairs(&body, &query(Some("btc"), 100)).expect("pairs").listed.len(), 2);
    assert_eq!(asset_pairs(&body, &query(Some("btc-usd"), 100)).expect("pairs").listed.len(), 1);
    assert_eq!(asset_pairs(&body, &query(None, 1)).expect("pairs").listed.len(), 1);
    for name in ["error_busy.json", "page.html"] {
        assert!(matches!(asset_pairs(&fixture(name), &query(None, 1)), Err(ProviderError::Malformed { .. })), "{name}");
    }
}

#[test]
fn a_status_is_a_sign_of_life() {
    assert_eq!(status(&fixture("system_status.json")), Ok("it is cancel_only".to_owned()));
    assert!(status(&fixture("page.html")).is_err());
}
