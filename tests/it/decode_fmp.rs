//! Financial Modeling Prep: composed shapes in, typed events, bars and lists out.

use std::time::Duration;

use openbell::market::{
    ActionKind, AssetClass, Category, CorporateAction, Date, EventKind, Interval, Last, MarketEvent, Period, Quote, SourceBar, Statement,
    Timestamp,
};
use openbell::provider::fmp::{
    bars, days, decode, disguised, dividends, explain, listed, look, overview, pages, splits, statements, status,
};
use openbell::provider::net::{Call, next_day};
use openbell::provider::{CompanyQuery, HistoryPage, ProviderError, StreamItem};

const SENT: &str = "2026-11-20T15:04:05Z";
const RECEIVED: &str = "2026-11-20T15:04:07Z";

fn fixture(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/fixtures/fmp/{name}", env!("CARGO_MANIFEST_DIR"));
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

fn check_event(name: &str, symbol: &str, ts_event: &str, kind: EventKind) {
    check(name, &[StreamItem::Event(event(symbol, ts_event, kind))]);
}

fn apple() -> Last {
    Last {
        price: 271.5,
        reference: Some(270.2),
        day_open: Some(270.1),
        day_high: Some(272.0),
        day_low: Some(269.2),
        day_volume: Some(41_233_120.0),
    }
}

#[test]
fn a_snapshot_is_a_last_price_of_its_own_time() {
    check_event("snapshot.json", "AAPL", SENT, EventKind::Last(apple()));
    check_event("snapshot_nulls.json", "EURUSD", SENT, EventKind::Last(Last { price: 1.0931, ..Last::default() }));
    let coin = Last { price: 68_923.7, reference: Some(69_000.0), day_volume: Some(9_876.543_21), ..Last::default() };
    check_event("snapshot_text_volume.json", "BTCUSD", "2026-11-20T15:04:05.123Z", EventKind::Last(coin));
    let index = Last { price: 110.0, reference: Some(100.0), day_volume: Some(0.0), ..Last::default() };
    check_event("snapshot_percent.json", "^GSPC", SENT, EventKind::Last(index));
    check_event("snapshots_list.json", "AAPL", SENT, EventKind::Last(Last { price: 271.5, ..Last::default() }));
}

#[test]
fn what_cannot_be_read_is_an_error_in_our_words() {
    for name in ["snapshot_no_time.json", "snapshot_no_price.json", "snapshot_no_symbol.json", "truncated.json", "page.html"] {
        let error = decode(&fixture(name), at(RECEIVED)).expect_err(name);
        assert!(error.message.contains("fmp") && !error.message.contains("271"), "{name}: {error}");
    }
    assert!(decode(b"", at(RECEIVED)).is_err());
    assert!(decode(b"\xff\xfe{", at(RECEIVED)).is_err());
}

#[test]
fn a_heartbeat_is_the_connections() {
    check_event("heartbeat.json", "", "2026-11-20T15:04:05.440Z", EventKind::Heartbeat { last_trade_id: None });
}

#[test]
fn answers_stand_inside_or_outside() {
    check("login.json", &[StreamItem::Admitted]);
    check("login_top_level.json", &[StreamItem::Admitted]);
    check("subscribed.json", &[StreamItem::Subscribed]);
    check("subscribed_top_level.json", &[StreamItem::Subscribed]);
    check("subscribe_refused.json", &[StreamItem::Refused("Invalid message".to_owned())]);
    check("unsubscribed.json", &[]);
    check("unknown_event.json", &[]);
}

#[test]
fn a_login_fails_for_a_reason() {
    let check = |name: &str, expected: ProviderError| check(name, &[StreamItem::Ended(expected)]);
    let message = |words: &str| format!("the fmp login: {words}");
    check("login_bad_key.json", ProviderError::Unauthorized { message: message("Unauthorized") });
    let words = "Your subscription does not include websockets[2J";
    check("login_no_plan.json", ProviderError::NotEntitled { message: message(words) });
    check("login_silent.json", ProviderError::Retryable { message: message("no reason given"), after: None });
    let taken = "another program holds the one fmp connection of this key: it is tried again until that ends".to_owned();
    let taken = ProviderError::Retryable { message: taken, after: Some(Duration::from_secs(120)) };
    check("login_taken.json", taken.clone());
    check("taken.txt", taken);
    let message = "the fmp socket: Bandwidth Limit Reach . Please upgrade your plan".to_owned();
    check("said_error.json", ProviderError::UsedUp { message, until: next_day(at(RECEIVED)) });
}

#[test]
fn the_generation_before_is_understood() {
    let time = "2026-11-20T15:04:05.123Z";
    check_event("old_trade.json", "AAPL", time, EventKind::Last(Last { price: 271.5, ..Last::default() }));
    let quote = Quote { bid: Some(271.4), bid_size: Some(100.0), ask: Some(271.6), ask_size: Some(200.0) };
    check_event("old_quote.json", "AAPL", time, EventKind::Quote(quote));
    check_event("old_break.json", "AAPL", time, EventKind::Correction { trade_id: None });
}

#[test]
fn a_look_takes_whom_it_asked_for_once() {
    let ask = |name: &str, symbols: &[&str]| {
        let spellings: Vec<_> = symbols.iter().map(|symbol| (*symbol).to_owned()).collect();
        look(&fixture(name), &spellings, at(RECEIVED))
    };
    let microsoft = Last { price: 411.25, day_volume: Some(1_000.5), ..Last::default() };
    let expected = [event("AAPL", SENT, EventKind::Last(apple())), event("MSFT", "2026-11-20T15:04:06Z", EventKind::Last(microsoft))];
    assert_eq!(ask("quotes.json", &["AAPL", "MSFT", "ZZZZ"]).expect("quotes"), expected);
    assert_eq!(ask("quotes.json", &["AAPL"]).expect("a quote"), expected[..1]);
    for name in ["quotes.json", "empty.json"] {
        let unknown = ask(name, &["ZZZZ"]);
        assert_eq!(unknown, Err(ProviderError::NotFound { message: "fmp knows no ZZZZ".to_owned() }), "{name}");
    }
    for name in ["quotes_no_time.json", "page.html"] {
        assert!(matches!(ask(name, &["AAPL"]), Err(ProviderError::Malformed { .. })), "{name}");
    }
}

fn bar(interval: Interval, open_time: &str, [open, high, low, close]: [f64; 4], volume: Option<f64>) -> SourceBar {
    SourceBar { interval, open_time: at(open_time), open, high, low, close, volume, vwap: None, n_trades: None }
}

fn page(spelling: &str, interval: Interval, from: &str, to: &str) -> HistoryPage {
    HistoryPage { spelling: spelling.to_owned(), interval, from: at(from), to: at(to) }
}

#[test]
fn days_are_as_traded_settled_and_once() {
    let asked = page("AAPL", Interval::OneDay, "2020-08-01T00:00:00Z", "2020-09-02T00:00:00Z");
    let day = |date: &str, prices: [f64; 4], volume: f64| bar(Interval::OneDay, date, prices, Some(volume));
    let expected = [
        day("2020-08-28T00:00:00Z", [504.05, 505.77, 498.31, 499.23], 46_907_500.0),
        day("2020-08-31T00:00:00Z", [127.58, 131.0, 126.0, 129.04], 225_702_700.5),
        day("2020-09-01T00:00:00Z", [132.76, 134.8, 130.53, 134.18], 151_948_100.0),
    ];
    let read = |now: &str| bars(&fixture("days_raw.json"), &asked, at(now)).expect(now);
    assert_eq!(read("2020-09-01T21:30:00Z"), expected);
    assert_eq!(read("2020-09-01T21:29:59Z"), expected[..2]);
}

#[test]
fn a_day_of_crypto_ends_at_midnight_in_greenwich() {
    let asked = page("BTCUSD", Interval::OneDay, "2026-11-19T00:00:00Z", "2026-11-21T00:00:00Z");
    let count = |now: &str| bars(&fixture("days_full.json"), &asked, at(now)).expect(now).len();
    assert_eq!((count("2026-11-20T23:59:59Z"), count("2026-11-21T00:00:00Z")), (1, 2));
}

#[test]
fn minutes_are_of_the_clock_of_new_york_and_inside_the_page() {
    let minute = |time: &str, prices: [f64; 4], volume: Option<f64>| bar(Interval::OneMinute, time, prices, volume);
    let expected = [
        minute("2026-11-20T15:00:00Z", [100.0, 101.0, 99.0, 100.5], Some(100.0)),
        minute("2026-11-20T15:02:00Z", [102.0, 103.0, 101.0, 102.5], None),
        minute("2026-11-20T15:03:00Z", [103.0, 104.0, 102.0, 103.5], Some(300.5)),
        minute("2026-11-20T15:04:00Z", [104.0, 105.0, 103.0, 104.5], Some(400.0)),
    ];
    let table = [
        ("2026-11-20T15:05:00Z", "2026-11-20T15:05:00Z", 4),
        ("2026-11-20T15:05:00Z", "2026-11-20T15:04:59Z", 3),
        ("2026-11-20T15:03:00Z", "2026-11-20T16:00:00Z", 2),
    ];
    for (to, now, count) in table {
        let asked = page("AAPL", Interval::OneMinute, "2026-11-20T15:00:00Z", to);
        assert_eq!(bars(&fixture("minutes.json"), &asked, at(now)).expect(to), expected[..count], "to {to} at {now}");
    }
}

#[test]
fn no_rows_are_no_bars_and_no_list_is_an_error() {
    let asked = page("AAPL", Interval::OneMinute, "2026-11-20T15:00:00Z", "2026-11-20T15:05:00Z");
    assert_eq!(bars(&fixture("empty.json"), &asked, at(RECEIVED)), Ok(Vec::new()));
    for name in ["page.html", "snapshot.json", "truncated.json"] {
        let answer = bars(&fixture(name), &asked, at(RECEIVED));
        assert!(matches!(answer, Err(ProviderError::Malformed { .. })), "{name}: {answer:?}");
    }
}

#[test]
fn what_was_cut_off_is_not_what_was_never_traded() {
    let first = date("2010-01-01");
    let row = |day: i64| format!(r#"{{"date":"{}","open":1,"high":1,"low":1,"close":1,"volume":1}}"#, first.plus_days(day));
    let rows: Vec<_> = (0..5_000).map(row).collect();
    let body = format!("[{}]", rows.join(","));
    let ask = |from: &str| bars(body.as_bytes(), &page("AAPL", Interval::OneDay, from, "2026-11-01T00:00:00Z"), at(RECEIVED));
    assert_eq!(ask("2010-01-01T00:00:00Z").map(|bars| bars.len()), Ok(5_000));
    let cut = "the fmp days of AAPL are cut off at 2010-01-01".to_owned();
    assert_eq!(ask("2009-12-31T00:00:00Z"), Err(ProviderError::Fatal { message: cut }));
}

#[test]
fn pages_fit_into_one_answer() {
    let now = at("2026-11-20T15:00:30Z");
    let ask = |interval: Interval, from: &str, to: Timestamp| pages(interval, at(from), to, now);
    let edges = |edges: &[&str]| edges.windows(2).map(|pair| (at(pair[0]), at(pair[1]))).collect::<Vec<_>>();
    assert_eq!(
        ask(Interval::OneMinute, "2026-11-18T14:30:00Z", Timestamp::MAX),
        edges(&["2026-11-18T14:30:00Z", "2026-11-19T14:30:00Z", "2026-11-20T14:30:00Z", "2026-11-20T15:00:30Z"])
    );
    assert_eq!(
        ask(Interval::FiveMinutes, "2026-11-10T00:00:00Z", now),
        edges(&["2026-11-10T00:00:00Z", "2026-11-18T00:00:00Z", "2026-11-20T15:00:30Z"])
    );
    // Today is not settled, and is not asked for.
    assert_eq!(ask(Interval::OneDay, "2026-11-01T00:00:00Z", now), edges(&["2026-11-01T00:00:00Z", "2026-11-20T00:00:00Z"]));
    let evening = at("2026-11-20T22:30:00Z");
    let settled = pages(Interval::OneDay, at("2026-11-20T00:00:00Z"), Timestamp::MAX, evening);
    assert_eq!(settled, edges(&["2026-11-20T00:00:00Z", "2026-11-21T00:00:00Z"]));
    let all = pages(Interval::OneDay, Timestamp::MIN, now, now);
    assert_eq!((all.len(), all[0].0, all.last().map(|page| page.1)), (5, Timestamp::from_seconds(0), Some(at("2026-11-20T00:00:00Z"))));
    assert!(all.windows(2).all(|pair| pair[0].1 == pair[1].0));
    assert!(pages(Interval::OneWeek, Timestamp::MIN, now, now).is_empty());
    assert!(pages(Interval::OneMinute, now, now, now).is_empty());
}

#[test]
fn errors_come_in_every_dress() {
    let call = Call { what: "fmp quote of AAPL".to_owned(), ..Call::default() };
    let now = at(RECEIVED);
    let check = |name: &str, expected: Option<ProviderError>| assert_eq!(disguised(&fixture(name), &call, now), expected, "{name}");
    let said = |words: &str| format!("fmp quote of AAPL: {words}");
    let limit = ProviderError::RateLimited { after: Some(Duration::from_secs(60)) };
    check("error_limit.json", Some(limit.clone()));
    check("error_limit_list.json", Some(limit));
    let message = said("Bandwidth Limit Reach . Please upgrade your plan");
    check("error_bandwidth.json", Some(ProviderError::UsedUp { message, until: next_day(now) }));
    let message = said("Invalid API KEY. Feel free to create a Free API Key or visit https://site.financialmodelingprep.com/faqs");
    check("error_key.json", Some(ProviderError::Unauthorized { message }));
    let (why, advice) = ("legacy addresses are closed to keys made since September 2025", "https://financialmodelingprep.com/stable");
    let message = said(&format!("{why}; rest_url has to be {advice}"));
    check("error_legacy.json", Some(ProviderError::NotEntitled { message }));
    for name in ["error_restricted.txt", "error_premium.txt", "error_exclusive.txt"] {
        assert!(matches!(disguised(&fixture(name), &call, now), Some(ProviderError::NotEntitled { .. })), "{name}");
    }
    let message = said("Query Error: Invalid or missing query parameter - symbol");
    check("error_query.txt", Some(ProviderError::Fatal { message }));
    check("error_exchange.txt", Some(ProviderError::NotFound { message: said("Invalid Exchange Provided.") }));
    check("error_other.json", Some(ProviderError::Fatal { message: said("Something[2J else") }));
    for name in ["quotes.json", "empty.json", "minutes.json", "page.html"] {
        check(name, None);
    }
    assert_eq!(disguised(b"", &call, now), None);
    assert_eq!(disguised(b"Bad Gateway", &call, now), None, "the status says more");
    assert_eq!(explain(b"Bad Gateway").as_deref(), Some("Bad Gateway"));
}

#[test]
fn splits_and_dividends_are_told_as_declared() {
    let since = date("2020-01-01");
    let split = |ex_date: &str, numerator: f64| {
        let kind = ActionKind::Split { numerator, denominator: 1.0 };
        CorporateAction { ex_date: date(ex_date), kind }
    };
    let dividend = |ex_date: &str, amount: f64| {
        let kind = ActionKind::Dividend { amount, currency: None };
        CorporateAction { ex_date: date(ex_date), kind }
    };
    assert_eq!(splits(&fixture("splits.json"), since), Ok(vec![split("2020-08-31", 4.0)]));
    let all = splits(&fixture("splits.json"), date("2000-01-01"));
    assert_eq!(all, Ok(vec![split("2014-06-09", 7.0), split("2020-08-31", 4.0)]));
    let expected = vec![dividend("2020-08-07", 0.82), dividend("2026-11-09", 0.26)];
    assert_eq!(dividends(&fixture("dividends.json"), since), Ok(expected));
    assert_eq!(splits(&fixture("empty.json"), since), Ok(Vec::new()));
}

#[test]
fn statements_keep_every_member() {
    let query = |period: Period| CompanyQuery { spelling: "AAPL".to_owned(), statement: Statement::Income, period, limit: 5 };
    let found = statements(&fixture("income.json"), &query(Period::Annual)).expect("statements");
    let dates: Vec<_> = found.iter().map(|report| (report.fiscal_date.to_string(), report.period)).collect();
    assert_eq!(dates, [("2026-09-26".to_owned(), Period::Annual), ("2025-09-27".to_owned(), Period::Annual)]);
    assert_eq!(found[0].fields["revenue"], 416_161_000_000_i64);
    assert_eq!(found[0].fields["fiscalYear"], "2026");
    assert_eq!(found[1].fields["fiscalYear"], 2025_i64);
    assert_eq!(found[1].fields["note"], "[2Jbad");
    // Years that are sent for quarters are none.
    assert_eq!(statements(&fixture("income.json"), &query(Period::Quarter)), Ok(Vec::new()));
    let quarters = statements(&fixture("income_quarter.json"), &query(Period::Quarter)).expect("quarters");
    let dates: Vec<_> = quarters.iter().map(|report| (report.fiscal_date, report.period)).collect();
    assert_eq!(dates, [(date("2026-09-26"), Period::Quarter), (date("2026-06-27"), Period::Quarter)]);
    let one = statements(&fixture("income_quarter.json"), &CompanyQuery { limit: 1, ..query(Period::Quarter) });
    assert_eq!(one.map(|found| found.len()), Ok(1));
    assert_eq!(statements(&fixture("empty.json"), &query(Period::Annual)), Ok(Vec::new()));
    let profile = overview(&fixture("profile.json"), date("2026-11-20")).expect("a profile");
    assert_eq!((profile.len(), profile[0].statement, profile[0].period), (1, Statement::Overview, Period::Latest));
    assert_eq!(profile[0].fiscal_date, date("2026-11-20"));
    assert_eq!(profile[0].fields["sector"], "Technology");
}

#[test]
fn lists_hold_what_was_asked_for() {
    let names = |name: &str, category: Option<Category>, text: Option<&str>| {
        let found = listed(&fixture(name), category, text).expect(name);
        let names: Vec<_> = found.listed.iter().map(|listed| (listed.symbol.to_string(), listed.asset_class, listed.active)).collect();
        (names, found.skipped)
    };
    let stocks = [("AAPL".to_owned(), AssetClass::Equity, true), ("BRK.B".to_owned(), AssetClass::Equity, false)];
    assert_eq!(names("screener.json", Some(Category::UsEquities), None), (stocks.to_vec(), 2));
    assert_eq!(names("screener.json", Some(Category::UsEquities), Some("BERK")), (stocks[1..].to_vec(), 2));
    assert_eq!(names("search.json", None, None), (stocks[..1].to_vec(), 1));
    let coin = vec![("BTC-USD".to_owned(), AssetClass::Crypto, true)];
    assert_eq!(names("crypto_list.json", Some(Category::Crypto), None), (coin, 1));
    let index = vec![("^GSPC".to_owned(), AssetClass::Index, true)];
    assert_eq!(names("index_list.json", Some(Category::Indices), None), (index, 0));
    let found = listed(&fixture("forex_list.json"), Some(Category::Fx), None).expect("currencies");
    let euro = &found.listed[0];
    assert_eq!((euro.symbol.as_str(), euro.spelling.as_str(), euro.asset_class), ("EUR/USD", "EURUSD", AssetClass::Fx));
    assert_eq!((euro.name.as_deref(), euro.currency.as_deref(), euro.venue.as_deref()), (Some("Euro / US Dollar"), Some("USD"), None));
    let found = listed(&fixture("screener.json"), Some(Category::UsEquities), None).expect("shares");
    assert_eq!((found.rows, found.first.as_deref(), found.listed[0].venue.as_deref()), (4, Some("AAPL"), Some("XNAS")));
    assert_eq!(found.listed[1].spelling, "BRK-B");
}

#[test]
fn hours_are_those_of_new_york() {
    for (name, state, open) in [("hours_open.json", "open", true), ("hours_closed.json", "closed", false)] {
        let said = status(&fixture(name)).expect(name);
        assert_eq!((said.len(), said[0].venue, said[0].market.as_str()), (1, Some("XNYS"), "NYSE"));
        assert_eq!((said[0].state.as_str(), said[0].open), (state, open), "{name}");
    }
    assert!(status(&fixture("empty.json")).is_err());
    let said = days(&fixture("holidays.json"), date("2026-11-11"), date("2026-12-24")).expect("days");
    let hours: Vec<_> = said.iter().map(|day| (day.date, day.hours.map(|(open, close)| format!("{open}-{close}")))).collect();
    assert_eq!(hours, [(date("2026-11-26"), None), (date("2026-11-27"), Some("09:30-13:00".to_owned()))]);
}
