//! Alpaca: composed shapes in, typed events out.

use std::sync::Arc;
use std::time::Duration;

use openbell::market::{
    ActionKind, CorporateAction, Date, EventKind, Interval, Last, Listed, MarketEvent, Moves, Quote, SourceBar, Timestamp, Trade, TradeId,
};
use openbell::provider::alpaca::{Channel, actions, assets, bars, days, decode, look, pages, refusal, status};
use openbell::provider::{DirectoryQuery, HistoryPage, ProviderError, SaidDay, StreamItem};

const SENT: &str = "2026-11-20T15:51:44.208123Z";
const RECEIVED: &str = "2026-11-20T15:51:45Z";
const CHANNELS: [Channel; 3] = [Channel::Trades, Channel::Quotes, Channel::Bars];

fn fixture(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/fixtures/alpaca/{name}", env!("CARGO_MANIFEST_DIR"));
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
    let items = decode(&fixture(name), &CHANNELS, at(RECEIVED)).expect(name);
    assert_eq!(items, expected, "{name}");
}

fn check_events(name: &str, expected: &[(&str, &str, EventKind)]) {
    let items: Vec<_> = expected.iter().map(|(symbol, time, kind)| StreamItem::Event(event(symbol, time, kind.clone()))).collect();
    check(name, &items);
}

fn named(id: &str) -> Option<TradeId> {
    Some(TradeId::Named(id.into()))
}

fn traded() -> Trade {
    Trade {
        price: 271.5,
        size: 100.0,
        trade_id: named("V-96921"),
        venue: Some("V".into()),
        conditions: Some("@".into()),
        ..Trade::default()
    }
}

fn top() -> Quote {
    Quote { bid: Some(271.49), bid_size: Some(2.0), ask: Some(271.52), ask_size: Some(4.0) }
}

fn minute() -> SourceBar {
    SourceBar {
        interval: Interval::OneMinute,
        open_time: at("2026-11-20T15:51:00Z"),
        open: 668.98,
        high: 669.13,
        low: 668.97,
        close: 669.12,
        volume: Some(49_378.0),
        vwap: Some(669.05),
        n_trades: Some(310),
    }
}

#[test]
fn a_trade_is_named_by_its_exchange_and_id() {
    check_events("trade.json", &[("AAPL", SENT, EventKind::Trade(traded()))]);
    check_events("trade_escapes.json", &[("AAPL", SENT, EventKind::Trade(traded()))]);
    let bare = Trade { price: 500.0, size: 0.5, ..Trade::default() };
    check_events("trade_bare.json", &[("BRK.B", "2026-11-20T15:51:44Z", EventKind::Trade(bare))]);
    let odd =
        Trade { price: 271.51, size: 3.0, trade_id: named("V-96922"), moves: Moves::VOLUME, conditions: Some("@|I".into()), ..traded() };
    check_events("trade_odd_lot.json", &[("AAPL", "2026-11-20T15:51:44.5Z", EventKind::Trade(odd))]);
}

#[test]
fn a_frame_holds_messages_of_any_kinds() {
    let trade = ("AAPL", SENT, EventKind::Trade(traded()));
    let quote = ("AAPL", "2026-11-20T15:51:44.3Z", EventKind::Quote(top()));
    // A bar is told when its minute is over.
    let bar = ("SPY", "2026-11-20T15:52:00Z", EventKind::Bar(minute()));
    check_events("mixed.json", &[trade.clone(), quote, bar]);
    check_events("one_bad.json", &[trade]);
    check("empty.json", &[]);
    check("others.json", &[]);
}

#[test]
fn a_price_of_zero_is_no_side_of_a_quote() {
    let ask = Quote { bid: None, bid_size: None, ..top() };
    check_events("quote_one_side.json", &[("AAPL", "2026-11-20T15:51:44.3Z", EventKind::Quote(ask))]);
    check("quote_empty.json", &[]);
}

#[test]
fn an_updated_bar_is_a_later_word() {
    let updated = SourceBar { high: 669.2, volume: Some(49_400.0), n_trades: Some(311), ..minute() };
    check_events("bar_updated.json", &[("SPY", "2026-11-20T15:52:00Z", EventKind::Bar(updated))]);
    let bare = SourceBar { volume: Some(0.0), vwap: None, n_trades: None, ..minute() };
    check_events("bar_no_count.json", &[("SPY", "2026-11-20T15:52:00Z", EventKind::Bar(bare))]);
    // It does not say when its price was made.
    check("bar_daily.json", &[]);
}

#[test]
fn halts_and_resumptions_of_both_tapes() {
    let halt = |reason: &str| EventKind::Halt(Some(Arc::from(reason)));
    check_events("halt_cta.json", &[("SPY", "2026-11-20T15:51:44Z", halt("Trading Halt: News Released"))]);
    check_events("resume_cta.json", &[("SPY", "2026-11-20T15:56:44Z", EventKind::Halt(None))]);
    check_events("halt_utp.json", &[("AAPL", "2026-11-20T15:51:44Z", halt("Trading Halt: Additional [2JInformation"))]);
    check_events("pause_utp.json", &[("AAPL", "2026-11-20T15:51:44Z", halt("trading halt"))]);
    check("quotation_utp.json", &[]);
    check_events("resume_utp.json", &[("AAPL", "2026-11-20T15:56:44Z", EventKind::Halt(None))]);
}

#[test]
fn what_is_taken_back_names_the_original() {
    let taken = EventKind::Correction { trade_id: named("V-96921") };
    for name in ["correction.json", "cancel.json"] {
        check_events(name, &[("AAPL", "2026-11-20T15:51:50Z", taken.clone())]);
    }
}

#[test]
fn greetings_and_what_is_subscribed() {
    check("connected.json", &[StreamItem::Greeted]);
    check("authenticated.json", &[StreamItem::Admitted]);
    check("success_other.json", &[]);
    let taken = |symbols: &[&str]| [StreamItem::Confirmed(symbols.iter().map(|symbol| (*symbol).to_owned()).collect())];
    // Only what is in every channel that was asked for.
    check("subscription.json", &taken(&["AAPL", "MSFT"]));
    check("subscription_short.json", &taken(&[]));
    let trades = decode(&fixture("subscription_short.json"), &[Channel::Trades], at(RECEIVED));
    assert_eq!(trades.expect("an answer"), taken(&["AAPL"]));
}

#[test]
fn each_error_has_its_meaning() {
    let ended = |name: &str| {
        let mut items = decode(&fixture(name), &CHANNELS, at(RECEIVED)).expect(name);
        let Some(StreamItem::Ended(error)) = items.pop() else { panic!("{name}: {items:?}") };
        error
    };
    for name in ["error_401.json", "error_404.json", "error_407.json", "error_500.json"] {
        assert!(matches!(ended(name), ProviderError::Retryable { after: None, .. }), "{name}");
    }
    assert!(matches!(ended("error_402.json"), ProviderError::Unauthorized { .. }));
    let ProviderError::Retryable { message, after } = ended("error_406.json") else { panic!("it passes") };
    assert_eq!(after, Some(Duration::from_secs(90)));
    assert!(message.starts_with("another program holds the one connection of this key pair"), "{message}");
    for (name, words) in [("error_408.json", "v2 not enabled"), ("error_409.json", "set feed to \"iex\""), ("error_411.json", "scope")] {
        let ProviderError::NotEntitled { message } = ended(name) else { panic!("{name}") };
        assert!(message.contains(words), "{message}");
    }
    let refused = |words: &str| [StreamItem::Refused(words.to_owned())];
    check("error_400.json", &refused("invalid syntax (400)"));
    check("error_403.json", &[]);
    check("error_405.json", &refused("more symbols than the plan holds, set symbols_most lower: symbol limit exceeded (405)"));
    check("error_410.json", &refused("invalid subscribe action for this feed (410)"));
    check("error_bare.json", &refused("no reason given (0)"));
}

#[test]
fn what_cannot_be_read_is_an_error_in_our_words() {
    let bad = [
        "bad_object.json",
        "bad_truncated.json",
        "bad_numbers.json",
        "bad_no_kind.json",
        "bad_no_price.json",
        "bad_infinite.json",
        "bad_negative.json",
        "bad_no_symbol.json",
        "bad_time.json",
        "bad_no_time.json",
        "bad_bar.json",
        "page.html",
    ];
    for name in bad {
        let error = decode(&fixture(name), &CHANNELS, at(RECEIVED)).expect_err(name);
        assert!(error.message.contains("alpaca"), "{name}: {error}");
        assert!(!error.message.contains("96921") && !error.message.contains("yesterday"), "{name}: {error}");
    }
    assert!(decode(b"", &CHANNELS, at(RECEIVED)).is_err());
    assert!(decode(b"[\"\xff\xfe\"]", &CHANNELS, at(RECEIVED)).is_err());
}

fn page(interval: Interval, from: &str, to: &str) -> HistoryPage {
    HistoryPage { spelling: "AAPL".to_owned(), interval, from: at(from), to: at(to) }
}

#[test]
fn bars_are_sealed_inside_the_page_and_of_the_symbol() {
    let first = SourceBar {
        open_time: at("2026-11-20T14:30:00Z"),
        open: 270.1,
        high: 270.6,
        low: 270.0,
        close: 270.5,
        volume: Some(1_200_345.0),
        vwap: Some(270.33),
        n_trades: Some(9_312),
        ..minute()
    };
    let third = SourceBar {
        open_time: at("2026-11-20T14:32:00Z"),
        open: 270.5,
        high: 271.25,
        low: 270.5,
        close: 271.0,
        volume: Some(800.0),
        vwap: None,
        n_trades: None,
        ..minute()
    };
    let page = page(Interval::OneMinute, "2026-11-20T14:30:00Z", "2026-11-20T14:33:00Z");
    for (now, expected) in
        [("2026-11-20T14:33:00Z", vec![first.clone(), third]), ("2026-11-20T14:32:59Z", vec![first]), ("2026-11-20T14:30:59Z", vec![])]
    {
        let part = bars(&fixture("bars.json"), &page, at(now)).expect(now);
        assert_eq!((part.bars, part.next.as_deref()), (expected, Some("QUFQTHxNfDIwMjY")), "at {now}");
    }
    // A part without bars is not the last for that.
    for (name, next) in [("bars_none.json", None), ("bars_null.json", Some("more")), ("bars_null_symbol.json", None)] {
        let part = bars(&fixture(name), &page, at(RECEIVED)).expect(name);
        assert_eq!((part.bars.len(), part.next.as_deref()), (0, next), "{name}");
    }
    for name in ["bars_list.json", "clock.json", "calendar.json", "refused_rate.json", "page.html"] {
        let answer = bars(&fixture(name), &page, at(RECEIVED));
        assert!(matches!(answer, Err(ProviderError::Malformed { .. })), "{name}: {answer:?}");
    }
}

#[test]
fn days_and_weeks_are_labelled_by_their_dates() {
    let labels = |interval: Interval, now: &str| {
        let page = page(interval, "2026-10-01T00:00:00Z", "2026-12-01T00:00:00Z");
        let part = bars(&fixture("bars_days.json"), &page, at(now)).expect(now);
        part.bars.iter().map(|bar| bar.open_time.date().to_string()).collect::<Vec<_>>()
    };
    assert_eq!(labels(Interval::OneDay, "2026-11-20T00:00:00Z"), ["2026-10-30", "2026-11-02", "2026-11-03"]);
    // A day is over with its regular session and a little more.
    assert_eq!(labels(Interval::OneDay, "2026-11-03T21:15:59Z"), ["2026-10-30", "2026-11-02"]);
    assert_eq!(labels(Interval::OneDay, "2026-11-03T21:16:00Z").len(), 3);
    assert_eq!(labels(Interval::OneWeek, "2026-11-06T21:15:00Z"), ["2026-10-26"]);
    assert_eq!(labels(Interval::OneWeek, "2026-11-06T21:16:00Z"), ["2026-10-26", "2026-11-02", "2026-11-02"]);
}

#[test]
fn pages_hold_what_one_answer_does() {
    let now = at("2026-11-20T15:00:00Z");
    let minutes = pages(Interval::OneMinute, at("2026-11-01T00:00:00Z"), Timestamp::MAX, now);
    let edges = ["2026-11-01T00:00:00Z", "2026-11-11T00:00:00Z", "2026-11-20T15:00:00Z"];
    assert_eq!(minutes, [(at(edges[0]), at(edges[1])), (at(edges[1]), at(edges[2]))]);
    assert_eq!(pages(Interval::OneDay, Timestamp::MIN, now, now), [(at("2016-01-01T00:00:00Z"), now)]);
    assert!(pages(Interval::OneHour, at("2026-11-01T00:00:00Z"), now, now).is_empty(), "its hours are not ours");
    assert!(pages(Interval::OneDay, now, now, now).is_empty());
}

#[test]
fn a_look_is_the_last_trade_with_the_figures_of_its_day() {
    let spellings = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let seen = look(&fixture("snapshots.json"), &spellings(&["AAPL", "MSFT", "OLD", "GONE", "NOBODY"]), at(RECEIVED)).expect("a look");
    let apple = Last {
        price: 271.5,
        reference: Some(269.0),
        day_open: Some(270.1),
        day_high: Some(272.0),
        day_low: Some(269.5),
        day_volume: Some(123_456.0),
    };
    // Before the open the day's bar is still that of the day before.
    let microsoft = Last { price: 400.25, reference: Some(399.0), ..Last::default() };
    let expected = [
        event("AAPL", SENT, EventKind::Last(apple)),
        event("AAPL", "2026-11-20T15:51:44.3Z", EventKind::Quote(top())),
        event("MSFT", "2026-11-20T13:05:00Z", EventKind::Last(microsoft)),
    ];
    assert_eq!(seen, expected);
    assert_eq!(look(&fixture("snapshots.json"), &spellings(&["OLD"]), at(RECEIVED)), Ok(Vec::new()), "known, and never traded");
    let unknown = look(&fixture("snapshots.json"), &spellings(&["GONE", "NOBODY"]), at(RECEIVED));
    assert_eq!(unknown, Err(ProviderError::NotFound { message: "alpaca does not know GONE, NOBODY".to_owned() }));
    for name in ["refused_rate.json", "calendar.json", "page.html"] {
        let answer = look(&fixture(name), &spellings(&["AAPL"]), at(RECEIVED));
        assert!(matches!(answer, Err(ProviderError::Malformed { .. })), "{name}: {answer:?}");
    }
}

#[test]
fn the_hours_of_the_market() {
    let said = status(&fixture("clock.json")).expect("a clock");
    assert_eq!((said.venue, said.state.as_str(), said.open), (Some("XNYS"), "open", true));
    assert!(status(&fixture("calendar.json")).is_err());
    let told = days(&fixture("calendar.json"), date("2026-11-25"), date("2026-11-28")).expect("days");
    let hours = |close: &str| Some(("09:30".parse().expect("a time"), close.parse().expect("a time")));
    let expected = [("2026-11-25", hours("16:00")), ("2026-11-26", None), ("2026-11-27", hours("13:00")), ("2026-11-28", None)];
    assert_eq!(told, expected.map(|(day, hours)| SaidDay { venue: "XNYS", date: date(day), hours }));
    assert!(days(b"[]", date("2030-01-01"), date("2030-01-31")).expect("no days").is_empty(), "nothing is told of those years");
    for name in ["calendar_bad.json", "clock.json", "page.html"] {
        assert!(days(&fixture(name), date("2026-11-25"), date("2026-11-28")).is_err(), "{name}");
    }
}

#[test]
fn the_list_of_assets() {
    let ask = |search: Option<&str>, limit: usize| {
        let query = DirectoryQuery { search: search.map(str::to_owned), limit, ..DirectoryQuery::default() };
        assets(&fixture("assets.json"), &query).expect("assets")
    };
    let all = ask(None, 100);
    let row = |row: &Listed| (row.spelling.clone(), row.name.clone(), row.venue.clone(), row.active);
    let rows: Vec<_> = all.listed.iter().map(row).collect();
    let expected = [
        ("AAPL", Some("Apple Inc. Common Stock"), "XNAS", true),
        ("BRK.B", Some("Berkshire[2J Class B"), "XNYS", true),
        ("SPY", None, "ARCX", false),
    ];
    let owned = |(spelling, name, venue, active): (&str, Option<&str>, &str, bool)| {
        (spelling.to_owned(), name.map(str::to_owned), Some(venue.to_owned()), active)
    };
    assert_eq!(rows, expected.map(owned));
    assert_eq!((all.skipped, all.next), (2, None));
    assert_eq!(all.listed[1].symbol.as_str(), "BRK.B");
    assert_eq!(ask(None, 1).listed.len(), 1);
    assert_eq!(ask(Some("apple"), 100).listed.len(), 1);
    assert_eq!(ask(Some("spy"), 100).listed.len(), 1);
    assert!(assets(&fixture("clock.json"), &DirectoryQuery::default()).is_err());
}

#[test]
fn splits_and_dividends_since_a_date() {
    let (found, next) = actions(&fixture("actions.json"), "AAPL", date("2020-08-10")).expect("actions");
    let action = |day: &str, kind| CorporateAction { ex_date: date(day), kind };
    let expected = [
        action("2020-08-31", ActionKind::Split { numerator: 4.0, denominator: 1.0 }),
        action("2024-01-02", ActionKind::Split { numerator: 1.0, denominator: 8.0 }),
        action("2026-11-09", ActionKind::Dividend { amount: 0.26, currency: None }),
    ];
    assert_eq!((found.as_slice(), next.as_deref()), (expected.as_slice(), Some("more")));
    assert_eq!(actions(&fixture("actions_none.json"), "AAPL", date("2020-08-10")), Ok((Vec::new(), None)));
    assert!(actions(&fixture("actions_bad.json"), "AAPL", date("2020-08-10")).is_err());
}

#[test]
fn refusals_say_what_they_are_about() {
    let check = |name: &str, expected: Option<ProviderError>| {
        assert_eq!(refusal(&fixture(name), "alpaca bars of AAPL"), expected, "{name}");
    };
    let said = |words: &str| format!("alpaca bars of AAPL: {words}");
    let plan = said("subscription does not permit querying recent SIP data");
    check("refused_plan.json", Some(ProviderError::NotEntitled { message: plan }));
    check("refused_symbol.json", Some(ProviderError::NotFound { message: said("invalid symbol: AAP[2JL!") }));
    let pair = "(a key pair is one of paper trading or of live trading: see trading_url)";
    check("refused_key.json", Some(ProviderError::Unauthorized { message: said(&format!("forbidden. {pair}")) }));
    check("refused_account.json", Some(ProviderError::Unauthorized { message: said(&format!("request is not authorized {pair}")) }));
    // Its status says enough.
    for name in ["refused_rate.json", "bars.json", "snapshots.json", "calendar.json", "assets.json", "page.html"] {
        check(name, None);
    }
}
