//! Finnhub: composed shapes in, typed events out.

use openbell::market::{AssetClass, Category, Date, EventKind, Last, MarketEvent, Period, Statement, Symbol, Timestamp};
use openbell::provider::finnhub::{days, decode, explain, found, look, overview, refusal, spell, status, symbols, unspell};
use openbell::provider::net::Call;
use openbell::provider::{DirectoryQuery, ProviderError, SaidDay, SaidStatus, StreamItem};

const TRADED: &str = "2026-11-20T15:04:05.678Z";
const RECEIVED: &str = "2026-11-20T15:04:07Z";

fn fixture(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/fixtures/finnhub/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).expect(&path)
}

fn at(text: &str) -> Timestamp {
    text.parse().expect(text)
}

fn date(text: &str) -> Date {
    text.parse().expect(text)
}

fn price(symbol: &str, ts_event: &str, price: f64) -> StreamItem {
    let kind = EventKind::Last(Last { price, ..Last::default() });
    StreamItem::Event(MarketEvent { symbol: symbol.into(), ts_event: at(ts_event), ts_recv: at(RECEIVED), kind })
}

fn check(name: &str, expected: &[StreamItem]) {
    let items = decode(&fixture(name), at(RECEIVED)).expect(name);
    assert_eq!(items, expected, "{name}");
}

#[test]
fn a_trade_of_some_venues_is_a_sample_of_the_price() {
    let apple = || price("AAPL", TRADED, 271.5);
    check("trade.json", &[apple()]);
    check("trade_escapes.json", &[apple()]);
    check("trade_coin.json", &[price("BINANCE:BTCUSDT", TRADED, 68_923.67)]);
    check("trade_currency.json", &[price("OANDA:EUR_USD", TRADED, 1.08512)]);
    check("trade_one_bad.json", &[apple()]);
    check("trade_empty.json", &[]);
    // The oldest first, whatever the order in the message.
    check("trade_two.json", &[apple(), price("MSFT", TRADED, 411.25), price("AAPL", "2026-11-20T15:04:05.7Z", 271.75)]);
    // Nothing tells a trade that is sent twice from two trades.
    check("trade_twice.json", &[apple(), apple()]);
}

#[test]
fn conditions_tell_a_last_price_from_others() {
    check("trade_not_last.json", &[]);
    for name in ["trade_some_last.json", "trade_extended.json", "trade_new_condition.json"] {
        check(name, &[price("AAPL", TRADED, 271.5)]);
    }
}

#[test]
fn a_price_that_is_told_late_keeps_its_time() {
    check("trade_old.json", &[price("AAPL", "2026-11-20T14:24:05.678Z", 271.5)]);
}

#[test]
fn a_ping_is_the_connections() {
    let kind = EventKind::Heartbeat { last_trade_id: None };
    check("ping.json", &[StreamItem::Event(MarketEvent { symbol: "".into(), ts_event: at(RECEIVED), ts_recv: at(RECEIVED), kind })]);
}

#[test]
fn errors_end_the_feed_only_where_the_key_is_wrong() {
    check("error_symbols.json", &[StreamItem::Refused("Subscribing to too many symbols".to_owned())]);
    check("error_bare.json", &[StreamItem::Refused("no reason given".to_owned())]);
    let message = "Invalid API key[2J".to_owned();
    check("error_key.json", &[StreamItem::Ended(ProviderError::Unauthorized { message })]);
    check("unknown_type.json", &[]);
}

#[test]
fn what_cannot_be_read_is_an_error_in_our_words() {
    let bad = [
        "trade_no_data.json",
        "trade_no_symbol.json",
        "trade_no_price.json",
        "trade_no_time.json",
        "trade_zero_time.json",
        "trade_wrong_types.json",
        "trade_infinite_price.json",
        "trade_truncated.json",
        "no_type.json",
        "array.json",
        "page.html",
    ];
    for name in bad {
        let error = decode(&fixture(name), at(RECEIVED)).expect_err(name);
        assert!(error.message.contains("finnhub") && !error.message.contains("yesterday"), "{name}: {error}");
    }
    assert!(decode(b"", at(RECEIVED)).is_err());
    assert!(decode(b"\xff\xfe{", at(RECEIVED)).is_err());
}

#[test]
fn a_quote_is_the_last_price_with_the_day() {
    let last =
        Last { price: 271.5, reference: Some(270.2), day_open: Some(270.1), day_high: Some(272.0), day_low: Some(269.2), day_volume: None };
    let bare = Last { price: 271.5, ..Last::default() };
    for (name, last) in [("quote.json", last), ("quote_bare.json", bare)] {
        let seen = look(&fixture(name), "AAPL", at(RECEIVED)).expect(name);
        let kind = EventKind::Last(last);
        let event = MarketEvent { symbol: "AAPL".into(), ts_event: at("2026-11-20T15:04:05Z"), ts_recv: at(RECEIVED), kind };
        assert_eq!(seen, [event], "{name}");
    }
}

#[test]
fn zeros_are_no_price() {
    for name in ["quote_zeros.json", "quote_no_time.json"] {
        let answer = look(&fixture(name), "NOPE", at(RECEIVED));
        assert_eq!(answer, Err(ProviderError::NotFound { message: "finnhub has no price of NOPE".to_owned() }), "{name}");
    }
    for name in ["quote_empty.json", "page.html"] {
        let answer = look(&fixture(name), "AAPL", at(RECEIVED));
        assert!(matches!(answer, Err(ProviderError::Malformed { .. })), "{name}: {answer:?}");
    }
}

#[test]
fn errors_are_told_by_their_words() {
    let call = Call { what: "finnhub quote of AAPL".to_owned(), ..Call::default() };
    let read = |name: &str| refusal(&fixture(name), &call, at(RECEIVED));
    let said = |words: &str| format!("finnhub quote of AAPL: {words}");
    let limit = read("error_limit.json");
    assert!(matches!(limit, Some(ProviderError::RateLimited { after: Some(_) })), "{limit:?}");
    assert_eq!(read("error_no_key.json"), Some(ProviderError::Unauthorized { message: said("Please use an API key.") }));
    assert_eq!(read("error_bad_key.json"), Some(ProviderError::Unauthorized { message: said("Invalid API key") }));
    let message = said("You don't have access to this resource.");
    assert_eq!(read("error_access.json"), Some(ProviderError::NotEntitled { message }));
    assert_eq!(explain(&fixture("error_other.json")).as_deref(), Some("Symbol is wrong[2J"));
    for name in ["error_other.json", "quote.json", "symbols.json", "profile_empty.json", "page.html"] {
        assert_eq!(read(name), None, "{name}");
    }
}

fn query(category: Option<Category>, search: Option<&str>, limit: usize) -> DirectoryQuery {
    DirectoryQuery { category, search: search.map(str::to_owned), limit, next: None }
}

#[test]
fn a_list_has_what_an_exchange_lists() {
    let names = |category, search, limit| {
        let page = symbols(&fixture("symbols.json"), &query(Some(category), search, limit)).expect("a page");
        assert_eq!((page.skipped, page.next), (3, None));
        page.listed.iter().map(|listed| listed.symbol.as_str().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(Category::UsEquities, None, 10), ["AAPL", "BRK.B", "MSFT"]);
    assert_eq!(names(Category::UsEquities, None, 2), ["AAPL", "BRK.B"]);
    assert_eq!(names(Category::UsEquities, Some("Hathaway"), 10), ["BRK.B"]);
    assert_eq!(names(Category::Etf, None, 10), ["SPY"]);
    let page = symbols(&fixture("symbols.json"), &query(Some(Category::UsEquities), Some("apple"), 10)).expect("a page");
    let apple = &page.listed[0];
    assert_eq!((apple.symbol.as_str(), apple.spelling.as_str(), apple.asset_class), ("AAPL", "AAPL", AssetClass::Equity));
    assert_eq!((apple.name.as_deref(), apple.venue.as_deref()), (Some("APPLE INC[2J"), Some("XNAS")));
    assert_eq!((apple.currency.as_deref(), apple.figi.as_deref(), apple.active), (Some("USD"), Some("BBG000B9XRY4"), true));
    assert!(symbols(&fixture("page.html"), &query(Some(Category::Etf), None, 10)).is_err());
}

#[test]
fn a_search_leaves_exchanges_abroad_out() {
    let page = found(&fixture("search.json"), &query(None, Some("apple"), 10)).expect("a page");
    let names: Vec<_> = page.listed.iter().map(|listed| (listed.symbol.as_str(), listed.asset_class)).collect();
    assert_eq!(names, [("AAPL", AssetClass::Equity), ("APLX", AssetClass::Etf)]);
    assert_eq!((page.skipped, page.listed[0].venue.as_deref()), (2, None));
    let none = found(&fixture("search_empty.json"), &query(None, Some("zzz"), 10)).expect("a page");
    assert!(none.listed.is_empty());
    assert!(found(&fixture("page.html"), &query(None, Some("apple"), 10)).is_err());
}

#[test]
fn a_profile_is_an_overview_and_an_empty_one_is_none() {
    let known = overview(&fixture("profile.json"), date("2026-11-20")).expect("a profile");
    assert_eq!((known.len(), known[0].statement, known[0].period), (1, Statement::Overview, Period::Latest));
    assert_eq!((known[0].fiscal_date, known[0].fields.len()), (date("2026-11-20"), 12));
    let field = |name: &str| known[0].fields.get(name).cloned();
    assert_eq!(field("name"), Some("Apple Inc[2J".into()));
    assert_eq!(field("marketCapitalization"), Some(4_012_345.6_f64.into()));
    assert_eq!(overview(&fixture("profile_empty.json"), date("2026-11-20")), Ok(Vec::new()));
    assert!(overview(&fixture("page.html"), date("2026-11-20")).is_err());
}

#[test]
fn the_market_is_open_in_its_regular_session() {
    let table = [
        ("status_regular.json", "regular", true),
        ("status_pre.json", "pre-market", false),
        ("status_holiday.json", "Thanksgiving Day", false),
        ("status_closed.json", "closed", false),
    ];
    for (name, state, open) in table {
        let expected = SaidStatus { venue: Some("XNYS"), market: "US".to_owned(), state: state.to_owned(), open };
        assert_eq!(status(&fixture(name)), Ok(expected), "{name}");
    }
    for name in ["profile_empty.json", "page.html"] {
        assert!(status(&fixture(name)).is_err(), "{name}");
    }
}

#[test]
fn holidays_are_days_without_hours_or_with_short_ones() {
    let said = days(&fixture("holidays.json"), date("2026-11-20"), date("2026-12-31")).expect("days");
    let day = |on: &str, hours: Option<(&str, &str)>| {
        let hours = hours.map(|(open, close)| (open.parse().expect(open), close.parse().expect(close)));
        SaidDay { venue: "XNYS", date: date(on), hours }
    };
    assert_eq!(said, [day("2026-11-26", None), day("2026-11-27", Some(("09:30", "13:00"))), day("2026-12-25", None)]);
    assert!(days(&fixture("page.html"), date("2026-11-20"), date("2026-12-31")).is_err());
}

#[test]
fn spellings_lead_there_and_back() {
    for typed in ["AAPL", "BRK.B", "EUR/USD", "BTC-USDT@finnhub"] {
        let symbol: Symbol = typed.parse().expect(typed);
        let spelling = spell(&symbol).expect(typed);
        assert_eq!(unspell(&spelling), Some(symbol), "{spelling}");
    }
}
