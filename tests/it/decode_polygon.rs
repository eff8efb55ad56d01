//! Massive: composed shapes in, typed events out.

use std::time::Duration;

use openbell::market::{
    ActionKind, AssetClass, Category, CorporateAction, Date, EventKind, Interval, Last, MarketEvent, Moves, Quote, Side, SourceBar,
    Statement, TimeOfDay, Timestamp, Trade, TradeId,
};
use openbell::provider::net::Call;
use openbell::provider::polygon::{
    Cluster, bars, days, decode, disguised, dividends, explain, listed, misfit, overview, snapshots, splits, status, unified,
};
use openbell::provider::{HistoryPage, ProviderError, SaidDay, StreamItem};

const SENT: &str = "2026-11-20T15:04:05.44Z";
const RECEIVED: &str = "2026-11-20T15:04:07Z";
const MINUTE: &str = "2026-11-20T15:03:00Z";
const MINUTE_END: &str = "2026-11-20T15:04:00Z";

fn fixture(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/fixtures/polygon/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).expect(&path)
}

fn at(text: &str) -> Timestamp {
    text.parse().expect(text)
}

fn date(text: &str) -> Date {
    text.parse().expect(text)
}

fn event(symbol: &str, ts_event: &str, kind: EventKind) -> MarketEvent {
    MarketEvent { symbol: symbol.into(), ts_event: at(ts_event), ts_recv: at(RECEIVED), kind }
}

fn check(name: &str, expected: &[StreamItem]) {
    let items = decode(&fixture(name), at(RECEIVED)).expect(name);
    assert_eq!(items, expected, "{name}");
}

fn check_events(name: &str, expected: &[MarketEvent]) {
    let items: Vec<_> = expected.iter().cloned().map(StreamItem::Event).collect();
    check(name, &items);
}

fn named(id: &str) -> Option<TradeId> {
    Some(TradeId::Named(id.into()))
}

#[test]
fn a_trade_is_named_by_its_place_and_its_id() {
    let trade = Trade {
        price: 251.37,
        size: 10.25,
        trade_id: named("4.201:12345"),
        venue: Some("4".into()),
        conditions: Some("14|41".into()),
        ..Trade::default()
    };
    check_events("trade.json", &[event("AAPL", SENT, EventKind::Trade(trade))]);
    let bare = Trade { price: 251.37, size: 100.0, ..Trade::default() };
    check_events("trade_bare.json", &[event("BRK.B", SENT, EventKind::Trade(bare))]);
}

fn odd_lot() -> MarketEvent {
    let trade = Trade {
        price: 260.0,
        size: 3.0,
        trade_id: named("11:7"),
        moves: Moves::VOLUME,
        venue: Some("11".into()),
        conditions: Some("37".into()),
        ..Trade::default()
    };
    event("AAPL", SENT, EventKind::Trade(trade))
}

#[test]
fn conditions_say_what_a_trade_moves() {
    check_events("trade_odd_lot.json", &[odd_lot()]);
    check("trade_official_close.json", &[]);
    let items = decode(&fixture("trade_unknown_condition.json"), at(RECEIVED)).expect("a trade");
    let [StreamItem::Event(MarketEvent { kind: EventKind::Trade(trade), .. })] = items.as_slice() else { panic!("{items:?}") };
    assert_eq!((trade.moves, trade.conditions.as_deref()), (Moves::all(), Some("4242")));
}

#[test]
fn an_event_that_makes_no_sense_does_not_cost_the_others() {
    check_events("mixed.json", &[odd_lot()]);
}

#[test]
fn numbers_are_read_from_their_digits() {
    let text = String::from_utf8(fixture("trade_bare.json")).expect("text");
    // A reader that multiplies by powers of ten is a last digit off here.
    for digits in ["105944.20", "0.00027625", "9007199254740993.5", "0.1234567890123456789", "1.35647456e+08"] {
        let items = decode(text.replace("251.37", digits).as_bytes(), at(RECEIVED)).expect(digits);
        let [StreamItem::Event(MarketEvent { kind: EventKind::Trade(trade), .. })] = items.as_slice() else { panic!("{items:?}") };
        assert_eq!(trade.price.to_bits(), digits.parse::<f64>().expect(digits).to_bits(), "{digits}");
    }
}

#[test]
fn quotes_of_shares_have_two_sides_or_one() {
    let both = Quote { bid: Some(251.36), bid_size: Some(3.0), ask: Some(251.38), ask_size: Some(2.0) };
    check_events("quote.json", &[event("AAPL", SENT, EventKind::Quote(both.clone()))]);
    let one = Quote { bid: None, bid_size: None, ..both };
    check_events("quote_one_side.json", &[event("AAPL", SENT, EventKind::Quote(one))]);
}

fn minute(open: f64, high: f64, low: f64, close: f64) -> SourceBar {
    let (interval, open_time) = (Interval::OneMinute, at(MINUTE));
    SourceBar { interval, open_time, open, high, low, close, volume: None, vwap: None, n_trades: None }
}

#[test]
fn bars_of_minutes_are_bars_and_those_of_seconds_are_prices() {
    let last = Last { price: 251.5, day_open: Some(250.5), day_volume: Some(9_470_157.5), ..Last::default() };
    let bar = SourceBar { volume: Some(4_110.0), vwap: Some(251.25), ..minute(251.0, 252.0, 250.75, 251.5) };
    let bar = event("AAPL", MINUTE_END, EventKind::Bar(bar));
    check_events("minute.json", &[event("AAPL", MINUTE_END, EventKind::Last(last.clone())), bar]);
    let second = Last { day_volume: Some(9_470_157.0), ..last };
    check_events("second.json", &[event("AAPL", MINUTE_END, EventKind::Last(second))]);
}

#[test]
fn indices_have_values_and_no_volume() {
    let value = Last { price: 6_702.25, ..Last::default() };
    check_events("value.json", &[event("I:SPX", SENT, EventKind::Last(value))]);
    let bar = EventKind::Bar(minute(6_701.0, 6_703.0, 6_700.25, 6_702.5));
    check_events("minute_index.json", &[event("I:SPX", MINUTE_END, bar)]);
}

#[test]
fn crypto_speaks_of_pairs_and_its_xa_is_a_minute() {
    let trade = Trade {
        price: 68_923.7,
        size: 0.000_276_25,
        trade_id: named("1:191450340"),
        taker: Some(Side::Buy),
        venue: Some("1".into()),
        ..Trade::default()
    };
    check_events("coin_trade.json", &[event("X:BTCUSD", SENT, EventKind::Trade(trade.clone()))]);
    let no_side = Trade { trade_id: None, taker: None, ..trade };
    check_events("coin_trade_no_side.json", &[event("X:BTCUSD", SENT, EventKind::Trade(no_side))]);
    let quote = Quote { bid: Some(68_923.6), bid_size: Some(0.12), ask: Some(68_923.7), ask_size: Some(1.5) };
    check_events("coin_quote.json", &[event("X:BTCUSD", SENT, EventKind::Quote(quote))]);
    let bar = SourceBar { volume: Some(10.5), vwap: Some(251.25), ..minute(251.0, 252.0, 250.75, 251.5) };
    check_events("coin_minute.json", &[event("X:BTCUSD", MINUTE_END, EventKind::Bar(bar))]);
    let second = Last { price: 251.5, ..Last::default() };
    check_events("coin_second.json", &[event("X:BTCUSD", MINUTE_END, EventKind::Last(second))]);
}

#[test]
fn currencies_are_written_in_two_ways_and_have_no_volume() {
    let quote = Quote { bid: Some(1.1024), ask: Some(1.1025), ..Quote::default() };
    let quote = event("C:EURUSD", SENT, EventKind::Quote(quote));
    check_events("currency_quote.json", &[quote.clone(), quote]);
    check_events("currency_minute.json", &[event("C:EURUSD", MINUTE_END, EventKind::Bar(minute(1.1, 1.103, 1.099, 1.102)))]);
}

#[test]
fn what_the_source_says_of_the_connection() {
    let ended = |error| [StreamItem::Ended(error)];
    check("connected.json", &[StreamItem::Greeted]);
    check("admitted.json", &[StreamItem::Admitted]);
    check("subscribed.json", &[StreamItem::Subscribed, StreamItem::Subscribed]);
    check("unsubscribed.json", &[]);
    check("not_authorized.json", &[StreamItem::Refused("not authorized".to_owned())]);
    check("bad_key.json", &ended(ProviderError::Unauthorized { message: "authentication failed[2J".to_owned() }));
    let words = "Your plan doesn't include websocket access. Visit the pricing page.";
    check("no_socket.json", &ended(ProviderError::NotEntitled { message: words.to_owned() }));
    let words = "No authentication request received.";
    check("auth_timeout.json", &ended(ProviderError::Retryable { message: words.to_owned(), after: None }));
    let words = "another program holds the one connection of this key to the cluster";
    let after = Some(Duration::from_secs(90));
    check("max_connections.json", &ended(ProviderError::Retryable { message: words.to_owned(), after }));
    check("luld.json", &[]);
}

#[test]
fn what_cannot_be_read_is_an_error_in_our_words() {
    for name in ["trade_no_price.json", "trade_no_symbol.json", "no_type.json", "object.json", "truncated.json", "page.html"] {
        let error = decode(&fixture(name), at(RECEIVED)).expect_err(name);
        assert!(error.message.contains("massive") && !error.message.contains("502"), "{name}: {error}");
    }
    assert!(decode(b"", at(RECEIVED)).is_err());
    assert!(decode(b"\xff\xfe{", at(RECEIVED)).is_err());
    assert_eq!(decode(b"[]", at(RECEIVED)), Ok(Vec::new()));
}

fn page(spelling: &str, interval: Interval, from: &str, to: &str) -> HistoryPage {
    HistoryPage { spelling: spelling.to_owned(), interval, from: at(from), to: at(to) }
}

fn closes(name: &str, page: &HistoryPage, now: &str) -> Vec<(Timestamp, f64)> {
    let (bars, _) = bars(&fixture(name), page, at(now)).expect(name);
    bars.iter().map(|bar| (bar.open_time, bar.close)).collect()
}

#[test]
fn bars_are_sealed_inside_the_page_and_the_last_word_counts() {
    let page = page("AAPL", Interval::OneMinute, "2026-11-20T15:00:00Z", "2026-11-20T15:10:00Z");
    let (first, third) = ((at("2026-11-20T15:00:00Z"), 100.5), (at("2026-11-20T15:02:00Z"), 103.0));
    assert_eq!(closes("bars.json", &page, "2026-11-20T15:04:59Z"), [first, third]);
    assert_eq!(closes("bars.json", &page, "2026-11-20T15:05:00Z"), [first, third, (at("2026-11-20T15:04:00Z"), 105.5)]);
    let (bars, next) = bars(&fixture("bars.json"), &page, at(RECEIVED)).expect("bars");
    assert_eq!((bars[0].volume, bars[0].vwap, bars[0].n_trades), (Some(1_500.0), Some(100.25), Some(7)));
    assert_eq!((bars[1].volume, bars[1].vwap, bars[1].n_trades), (Some(13.5), None, None));
    let cursor = "https://api.massive.com/v2/aggs/ticker/AAPL/range/1/minute/1795186800000/1795187400000?cursor=bGltaXQ9Mg";
    assert_eq!(next.as_deref(), Some(cursor));
}

#[test]
fn nothing_is_an_answer_and_a_delayed_one_too() {
    let page = page("AAPL", Interval::OneMinute, "2026-11-20T15:00:00Z", "2026-11-20T15:10:00Z");
    assert_eq!(bars(&fixture("bars_empty.json"), &page, at(RECEIVED)), Ok((Vec::new(), None)));
    // What is told a quarter of an hour late may be cut short at its end.
    assert!(closes("bars_delayed.json", &page, "2026-11-20T15:15:59Z").is_empty());
    assert_eq!(closes("bars_delayed.json", &page, "2026-11-20T15:16:00Z").len(), 1);
}

#[test]
fn days_and_weeks_have_labels() {
    let (from, to, now) = ("2026-10-01T00:00:00Z", "2026-12-01T00:00:00Z", "2026-11-20T15:00:00Z");
    let days = closes("bars_days.json", &page("AAPL", Interval::OneDay, from, to), now);
    assert_eq!(days, [(at("2026-10-30T00:00:00Z"), 100.5), (at("2026-11-02T00:00:00Z"), 101.5)]);
    // The second day is over at midnight in New York.
    let early = closes("bars_days.json", &page("AAPL", Interval::OneDay, from, to), "2026-11-03T04:59:59Z");
    assert_eq!(early.len(), 1);
    let weeks = closes("bars_weeks.json", &page("AAPL", Interval::OneWeek, from, to), now);
    assert_eq!(weeks, [(at("2026-11-09T00:00:00Z"), 100.5)]);
    let coins = closes("bars_coin_days.json", &page("X:BTCUSD", Interval::OneDay, from, to), now);
    assert_eq!(coins, [(at("2026-11-02T00:00:00Z"), 100.5)]);
}

#[test]
fn days_that_are_cut_elsewhere_are_not_ours() {
    assert!(misfit(Cluster::Forex, Interval::OneDay).is_some());
    assert!(misfit(Cluster::Crypto, Interval::OneWeek).is_some());
    for cluster in [Cluster::Stocks, Cluster::Options, Cluster::Indices, Cluster::Crypto] {
        assert_eq!(misfit(cluster, Interval::OneDay), None, "{cluster:?}");
    }
    assert_eq!(misfit(Cluster::Forex, Interval::ThirtyMinutes), None);
    let page = page("C:EURUSD", Interval::OneMinute, "2026-11-20T15:00:00Z", "2026-11-20T15:10:00Z");
    let (bars, _) = bars(&fixture("bars_currency.json"), &page, at(RECEIVED)).expect("bars");
    assert_eq!((bars[0].volume, bars[0].vwap, bars[0].n_trades), (None, None, None));
}

#[test]
fn errors_are_found_in_every_dress() {
    let call = Call { what: "massive bars of AAPL".to_owned(), ..Call::default() };
    let check = |name: &str, expected: Option<ProviderError>| {
        assert_eq!(disguised(&fixture(name), &call, at("2026-11-20T15:04:20Z")), expected, "{name}");
    };
    let said = |words: &str| format!("massive bars of AAPL: {words}");
    check("error_rate.json", Some(ProviderError::RateLimited { after: Some(Duration::from_secs(40)) }));
    check("error_key.json", Some(ProviderError::Unauthorized { message: said("Unknown API Key") }));
    let words = "You are not entitled to this data. Please upgrade your plan.";
    check("error_plan.json", Some(ProviderError::NotEntitled { message: said(words) }));
    check("error_not_found.json", Some(ProviderError::NotFound { message: said("Data not found.") }));
    for name in ["error_200.json", "bars.json", "bars_delayed.json", "holidays.json", "page.html"] {
        check(name, None);
    }
    assert_eq!(explain(&fixture("error_plan.json")).as_deref(), Some(words));
    assert_eq!(explain(&fixture("error_key.json")).as_deref(), Some("Unknown API Key"));
    assert_eq!(explain(&fixture("page.html")), None);
    let page = page("AAPL", Interval::OneMinute, "2026-11-20T15:00:00Z", "2026-11-20T15:10:00Z");
    let Err(ProviderError::Fatal { message }) = bars(&fixture("error_200.json"), &page, at(RECEIVED)) else { panic!("an error") };
    assert_eq!(message, "massive bars: Could not parse the time parameter: 'from'[2J.");
    let answer = bars(&fixture("page.html"), &page, at(RECEIVED));
    assert!(matches!(answer, Err(ProviderError::Malformed { .. })), "{answer:?}");
}

fn last_of(events: &[MarketEvent], symbol: &str) -> Option<(Last, Timestamp)> {
    events.iter().filter(|event| &*event.symbol == symbol).find_map(|event| match &event.kind {
        EventKind::Last(last) => Some((last.clone(), event.ts_event)),
        _ => None,
    })
}

#[test]
fn zeros_of_a_snapshot_are_not_prices() {
    let events = snapshots(&fixture("snapshot.json"), at(RECEIVED)).expect("events");
    let full = Last {
        price: 251.37,
        reference: Some(250.2),
        day_open: Some(250.1),
        day_high: Some(252.0),
        day_low: Some(249.5),
        day_volume: Some(1_029_145.0),
    };
    assert_eq!(last_of(&events, "AAPL"), Some((full, at(SENT))));
    let quote = Quote { bid: Some(251.36), bid_size: Some(3.0), ask: Some(251.38), ask_size: Some(2.0) };
    assert!(events.contains(&event("AAPL", SENT, EventKind::Quote(quote))), "{events:?}");
    let early = Last { price: 500.5, reference: Some(498.5), day_volume: Some(1_200.0), ..Last::default() };
    assert_eq!(last_of(&events, "MSFT"), Some((early, at(SENT))));
    // The price of the day before was not made today.
    let cleared = Last { price: 70.5, reference: Some(70.5), ..Last::default() };
    assert_eq!(last_of(&events, "KO"), Some((cleared, at("2026-11-20T05:00:00Z"))));
    assert_eq!(last_of(&events, "NEW"), None);
    assert_eq!(snapshots(&fixture("snapshot_empty.json"), at(RECEIVED)), Ok(Vec::new()));
    assert!(snapshots(&fixture("page.html"), at(RECEIVED)).is_err());
}

#[test]
fn snapshots_of_other_classes_keep_what_fits() {
    let events = snapshots(&fixture("snapshot_forex.json"), at(RECEIVED)).expect("events");
    let last =
        Last { price: 1.1025, reference: Some(1.09), day_open: Some(1.1), day_high: Some(1.2), day_low: Some(1.0), day_volume: None };
    assert_eq!(last_of(&events, "C:EURUSD"), Some((last, at(SENT))));
    let quote = Quote { bid: Some(1.1024), ask: Some(1.1026), ..Quote::default() };
    assert!(events.contains(&event("C:EURUSD", SENT, EventKind::Quote(quote))), "{events:?}");
    let events = snapshots(&fixture("snapshot_crypto.json"), at(RECEIVED)).expect("events");
    assert_eq!(last_of(&events, "X:BTCUSD"), Some((Last { price: 68_923.7, ..Last::default() }, at(SENT))));
    let events = unified(&fixture("unified.json"), at(RECEIVED)).expect("events");
    assert_eq!(events.len(), 2, "{events:?}");
    let (index, _) = last_of(&events, "I:SPX").expect("an index");
    assert_eq!((index.price, index.reference, index.day_volume), (6_702.25, Some(6_650.5), None));
    let (option, made) = last_of(&events, "O:SPY251219C00650000").expect("an option");
    assert_eq!((option.price, option.reference, option.day_volume, made), (12.5, Some(11.75), Some(42.0), at(SENT)));
}

#[test]
fn a_list_has_each_instrument_once() {
    let page = listed(&fixture("tickers.json"), None).expect("a page");
    let found: Vec<_> = page.listed.iter().map(|row| (row.symbol.as_str(), row.spelling.as_str(), row.asset_class)).collect();
    let expected = [
        ("AAPL", "AAPL", AssetClass::Equity),
        ("SPY", "SPY", AssetClass::Etf),
        ("BTC-USD", "X:BTCUSD", AssetClass::Crypto),
        ("O:SPY251219C00650000", "O:SPY251219C00650000", AssetClass::Option),
    ];
    assert_eq!(found, expected);
    assert_eq!((page.skipped, page.next.as_deref()), (1, Some("https://api.massive.com/v3/reference/tickers?cursor=YWN0aXZl")));
    let first = &page.listed[0];
    assert_eq!((first.name.as_deref(), first.venue.as_deref()), (Some("Example[2J Inc."), Some("XNAS")));
    assert_eq!((first.currency.as_deref(), first.figi.as_deref(), first.active), (Some("USD"), Some("BBG000B9XRY4"), true));
    assert_eq!(page.listed[2].currency.as_deref(), Some("USD"));
    let shares = listed(&fixture("tickers.json"), Some(Category::UsEquities)).expect("a page");
    assert!(shares.listed.iter().all(|row| row.spelling != "SPY"), "{shares:?}");
}

#[test]
fn companies_and_what_they_do() {
    let today = date("2026-11-20");
    let overview = overview(&fixture("overview.json"), today).expect("an answer").expect("an overview");
    assert_eq!((overview.statement, overview.fiscal_date), (Statement::Overview, today));
    assert_eq!(overview.fields["sic_code"], "3571");
    let split = |ex_date: &str, numerator, denominator| CorporateAction {
        ex_date: date(ex_date),
        kind: ActionKind::Split { numerator, denominator },
    };
    let expected = vec![split("2020-08-31", 4.0, 1.0), split("2026-06-01", 1.5, 10.0)];
    assert_eq!(splits(&fixture("splits.json")), Ok((expected, None)));
    let kind = ActionKind::Dividend { amount: 0.26, currency: Some("USD".to_owned()) };
    let next = Some("https://api.massive.com/stocks/v1/dividends?cursor=x".to_owned());
    assert_eq!(dividends(&fixture("dividends.json")), Ok((vec![CorporateAction { ex_date: date("2026-11-06"), kind }], next)));
}

#[test]
fn hours_are_those_of_new_york() {
    let said = status(&fixture("market_now.json")).expect("an answer");
    let of = |market: &str| said.iter().find(|status| status.market == market).map(|s| (s.venue, s.state.as_str(), s.open));
    assert_eq!(of("nyse"), Some((Some("XNYS"), "extended-hours", false)));
    assert_eq!(of("otc"), Some((None, "closed", false)));
    assert_eq!(of("crypto"), Some((Some("CRYPTO"), "open", true)));
    let told = days(&fixture("holidays.json"), date("2026-11-01"), date("2026-11-30")).expect("an answer");
    let hours = TimeOfDay::new(9, 30).zip(TimeOfDay::new(13, 0));
    let expected =
        [SaidDay { venue: "XNYS", date: date("2026-11-26"), hours: None }, SaidDay { venue: "XNYS", date: date("2026-11-27"), hours }];
    assert_eq!(told, expected);
}
