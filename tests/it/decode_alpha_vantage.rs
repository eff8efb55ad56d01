//! Alpha Vantage: composed shapes in, prices, bars, lists and errors out.

use std::time::Duration;

use openbell::market::{
    ActionKind, AssetClass, Category, CorporateAction, Date, EventKind, Interval, Last, Period, SourceBar, Statement, Timestamp,
};
use openbell::provider::alpha_vantage::{
    Reach, catalog, disguised, dividends, found, history, listing, look, overview, pages, splits, statements, status,
};
use openbell::provider::net::{Call, next_day};
use openbell::provider::{CompanyQuery, DirectoryQuery, HistoryPage, ProviderError};

const NOW: &str = "2026-11-20T15:04:07Z";
const LATE: Duration = Duration::from_secs(900);

fn fixture(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/fixtures/alpha_vantage/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).expect(&path)
}

fn at(text: &str) -> Timestamp {
    text.parse().expect(text)
}

fn date(text: &str) -> Date {
    text.parse().expect(text)
}

fn bar(interval: Interval, open_time: &str, [open, high, low, close]: [f64; 4], volume: Option<f64>) -> SourceBar {
    SourceBar { interval, open_time: at(open_time), open, high, low, close, volume, vwap: None, n_trades: None }
}

fn page(spelling: &str, interval: Interval, from: &str, to: &str) -> HistoryPage {
    HistoryPage { spelling: spelling.to_owned(), interval, from: at(from), to: at(to) }
}

fn bars(body: &[u8], page: &HistoryPage, full: bool, now: Timestamp) -> Result<Vec<SourceBar>, ProviderError> {
    history(body, page, full, now).map(|history| history.bars)
}

fn split(ex_date: &str, numerator: f64) -> CorporateAction {
    CorporateAction { ex_date: date(ex_date), kind: ActionKind::Split { numerator, denominator: 1.0 } }
}

fn dividend(ex_date: &str, amount: f64) -> CorporateAction {
    CorporateAction { ex_date: date(ex_date), kind: ActionKind::Dividend { amount, currency: None } }
}

#[test]
fn minutes_are_of_the_clock_of_new_york_whatever_end_they_are_labelled_by() {
    let asked = page("IBM", Interval::FiveMinutes, "2026-11-19T05:00:00Z", "2026-11-20T05:00:00Z");
    let minute = |time: &str, prices: [f64; 4], volume: Option<f64>| bar(Interval::FiveMinutes, time, prices, volume);
    let early = minute("2026-11-19T09:00:00Z", [299.0, 299.5, 299.0, 299.25], Some(100.0));
    let open = minute("2026-11-19T14:30:00Z", [300.0, 300.75, 299.5, 300.5], Some(51_200.0));
    let second = minute("2026-11-19T14:35:00Z", [300.5, 301.0, 300.25, 300.75], None);
    let late = minute("2026-11-20T00:55:00Z", [301.1, 301.25, 301.0, 301.2], Some(412.0));
    let starts = [early.clone(), open.clone(), second, late.clone()];
    let ends = [early, open.clone(), late];
    let read = |name: &str| bars(&fixture(name), &asked, false, at(NOW)).expect(name);
    for name in ["minutes.json", "minutes.csv"] {
        assert_eq!(read(name), starts, "{name}");
    }
    for name in ["minutes_ends.json", "slice.csv"] {
        assert_eq!(read(name), ends, "{name}");
    }
    assert_eq!(read("minutes_zone.json"), [open], "another zone is believed");
    let unknown = bars(&fixture("minutes_zone_unknown.json"), &asked, false, at(NOW));
    assert!(matches!(unknown, Err(ProviderError::Malformed { .. })), "it is not taken for New York: {unknown:?}");
    let some = page("IBM", Interval::FiveMinutes, "2026-11-19T14:30:00Z", "2026-11-19T14:36:00Z");
    let count = |now: &str| bars(&fixture("minutes.json"), &some, false, at(now)).expect(now).len();
    assert_eq!((count("2026-11-19T14:40:00Z"), count("2026-11-19T14:39:59Z")), (2, 1));
}

#[test]
fn labels_that_do_not_sort_as_texts_make_bars_in_order() {
    let asked = page("IBM", Interval::FiveMinutes, "2026-11-19T05:00:00Z", "2026-11-21T05:00:00Z");
    let read = bars(&fixture("minutes_unpadded.csv"), &asked, false, at(NOW)).expect("bars");
    assert!(read.len() >= 3 && read.is_sorted_by(|one, next| one.open_time < next.open_time), "{read:?}");
}

#[test]
fn days_are_as_traded_and_settled_in_either_form() {
    let asked = page("IBM", Interval::OneDay, "2026-11-18T00:00:00Z", "2026-11-21T00:00:00Z");
    let day = |date: &str, prices: [f64; 4], volume: f64| bar(Interval::OneDay, date, prices, Some(volume));
    let expected = [
        day("2026-11-18T00:00:00Z", [295.0, 299.0, 294.0, 298.25], 3_000_000.0),
        day("2026-11-19T00:00:00Z", [298.0, 303.0, 297.5, 302.97], 4_000_100.0),
        day("2026-11-20T00:00:00Z", [300.0, 303.1, 299.5, 301.2], 3_512_200.0),
    ];
    for name in ["days.json", "days.csv"] {
        let read = |now: &str| bars(&fixture(name), &asked, false, at(now)).expect(name);
        assert_eq!(read("2026-11-21T05:00:00Z"), expected, "{name}");
        assert_eq!(read("2026-11-21T04:59:59Z"), expected[..2], "{name}");
    }
    for name in ["days.json", "days.csv"] {
        assert!(history(&fixture(name), &asked, false, at(NOW)).expect(name).actions.is_empty(), "{name}");
    }
}

#[test]
fn adjusted_days_are_as_traded_too_and_bring_what_the_company_did_on_them() {
    let asked = page("IBM", Interval::OneDay, "2026-11-18T00:00:00Z", "2026-11-21T00:00:00Z");
    let expected = [
        bar(Interval::OneDay, "2026-11-18T00:00:00Z", [295.0, 299.0, 294.0, 298.25], Some(3_000_000.0)),
        bar(Interval::OneDay, "2026-11-19T00:00:00Z", [298.0, 303.0, 297.5, 302.97], Some(4_000_100.0)),
    ];
    let actions = [split("2026-11-18", 2.0), dividend("2026-11-18", 0.25), dividend("2026-11-19", 1.68)];
    for name in ["days_adjusted.json", "days_adjusted.csv"] {
        let read = |now: &str| history(&fixture(name), &asked, false, at(now)).expect(name);
        let all = read(NOW);
        assert!(!all.adjusted, "{name}");
        assert_eq!((all.bars.as_slice(), all.actions.as_slice()), (&expected[..], &actions[..]), "{name}");
        let settled = read("2026-11-20T04:59:59Z");
        assert_eq!((settled.bars.as_slice(), settled.actions.as_slice()), (&expected[..1], &actions[..2]), "{name}");
    }
}

#[test]
fn weeks_and_months_have_our_labels_and_are_over() {
    let weeks = page("IBM", Interval::OneWeek, "2026-10-26T00:00:00Z", "2026-11-23T00:00:00Z");
    let week = |date: &str, prices: [f64; 4], volume: f64| bar(Interval::OneWeek, date, prices, Some(volume));
    let expected = [
        week("2026-11-02T00:00:00Z", [285.0, 291.0, 284.0, 290.0], 21_000_000.0),
        week("2026-11-09T00:00:00Z", [290.0, 302.5, 289.0, 302.0], 20_000_000.0),
    ];
    assert_eq!(bars(&fixture("weeks.json"), &weeks, false, at(NOW)), Ok(expected.to_vec()));
    let months = page("IBM", Interval::OneMonth, "2026-09-01T00:00:00Z", "2026-12-01T00:00:00Z");
    let month = |date: &str, prices: [f64; 4], volume: f64| bar(Interval::OneMonth, date, prices, Some(volume));
    let expected = [
        month("2026-09-01T00:00:00Z", [270.0, 282.0, 269.0, 280.0], 91_000_000.0),
        month("2026-10-01T00:00:00Z", [280.0, 290.0, 275.0, 285.5], 90_000_000.0),
    ];
    assert_eq!(bars(&fixture("months.json"), &months, false, at(NOW)), Ok(expected.to_vec()));
}

#[test]
fn an_index_comes_in_one_of_two_forms_and_without_a_volume() {
    let asked = page("^SPX", Interval::OneDay, "2026-11-18T00:00:00Z", "2026-11-20T00:00:00Z");
    let expected = [
        bar(Interval::OneDay, "2026-11-18T00:00:00Z", [6_580.0, 6_610.0, 6_570.0, 6_600.0], None),
        bar(Interval::OneDay, "2026-11-19T00:00:00Z", [6_600.1, 6_650.2, 6_590.0, 6_640.5], None),
    ];
    for name in ["index.json", "index_series.json"] {
        assert_eq!(bars(&fixture(name), &asked, false, at(NOW)).expect(name), expected, "{name}");
    }
}

#[test]
fn nothing_is_no_bars_and_what_is_no_series_is_an_error() {
    let asked = page("IBM", Interval::OneDay, "2026-11-18T00:00:00Z", "2026-11-21T00:00:00Z");
    for name in ["empty.json", "header.csv"] {
        // Days that are not there would count as never traded.
        let answer = bars(&fixture(name), &asked, false, at(NOW));
        assert!(matches!(answer, Err(ProviderError::NotFound { .. })), "{name}: {answer:?}");
        let minutes = page("IBM", Interval::OneMinute, "2026-11-18T00:00:00Z", "2026-11-19T00:00:00Z");
        assert_eq!(bars(&fixture(name), &minutes, false, at(NOW)), Ok(Vec::new()), "{name}: a month without a trade");
    }
    for name in ["page.html", "truncated.json", "meta_only.json", "listing.csv"] {
        let answer = bars(&fixture(name), &asked, false, at(NOW));
        assert!(matches!(answer, Err(ProviderError::Malformed { .. })), "{name}: {answer:?}");
    }
}

#[test]
fn what_was_cut_off_is_not_what_was_never_traded() {
    let first = date("2026-03-02");
    let line = |day: i64| format!("{},1,1,1,1,1\r\n", first.plus_days(day));
    let lines: String = (0..100).map(line).collect();
    let body = format!("timestamp,open,high,low,close,volume\r\n{lines}");
    let ask = |from: &str, full: bool| bars(body.as_bytes(), &page("IBM", Interval::OneDay, from, "2026-11-01T00:00:00Z"), full, at(NOW));
    assert_eq!(ask("2026-03-01T00:00:00Z", false).map(|bars| bars.len()), Ok(100));
    let further = "outputsize = \"full\", which is not in every plan, reaches further";
    let message = format!("alpha-vantage 1d bars of IBM reach back to 2026-03-02 only: {further}");
    assert_eq!(ask("2026-02-01T00:00:00Z", false), Err(ProviderError::Fatal { message }));
    assert_eq!(ask("2026-02-01T00:00:00Z", true).map(|bars| bars.len()), Ok(100));
}

#[test]
fn a_page_is_a_month_of_minutes_or_all_of_the_days() {
    let now = at(NOW);
    let edges = |edges: &[&str]| edges.windows(2).map(|pair| (at(pair[0]), at(pair[1]))).collect::<Vec<_>>();
    let end_of_day = Reach { late: None, full: false };
    let minutes = |reach: Reach, from: &str, to: Timestamp| pages(reach, Interval::OneMinute, at(from), to, now);
    let expected = edges(&["2026-09-20T14:30:00Z", "2026-10-01T04:00:00Z", "2026-11-01T04:00:00Z", "2026-11-20T05:00:00Z"]);
    assert_eq!(minutes(end_of_day, "2026-09-20T14:30:00Z", Timestamp::MAX), expected);
    let delayed = Reach { late: Some(LATE), full: false };
    let expected = edges(&["2026-11-20T14:30:00Z", "2026-11-20T14:49:07Z"]);
    assert_eq!(minutes(delayed, "2026-11-20T14:30:00Z", now), expected);
    assert!(minutes(end_of_day, "2026-11-20T14:30:00Z", now).is_empty());
    let all = pages(end_of_day, Interval::ThirtyMinutes, Timestamp::MIN, now, now);
    assert_eq!((all.len(), all[0].0), (26 * 12 + 11, at("2000-01-01T05:00:00Z")));
    assert!(all.windows(2).all(|pair| pair[0].1 == pair[1].0));
    let days = |reach: Reach, interval: Interval| pages(reach, interval, Timestamp::MIN, Timestamp::MAX, now);
    let full = Reach { late: None, full: true };
    assert_eq!(days(end_of_day, Interval::OneDay), edges(&["2026-07-06T00:00:00Z", "2026-11-20T00:00:00Z"]));
    assert_eq!(days(full, Interval::OneDay), edges(&["1970-01-01T00:00:00Z", "2026-11-20T00:00:00Z"]));
    assert_eq!(days(end_of_day, Interval::OneWeek), edges(&["1970-01-01T00:00:00Z", "2026-11-16T00:00:00Z"]));
    assert_eq!(days(end_of_day, Interval::OneMonth), edges(&["1970-01-01T00:00:00Z", "2026-11-01T00:00:00Z"]));
    assert!(days(end_of_day, Interval::OneHour).is_empty());
}

#[test]
fn a_look_is_a_price_of_a_day() {
    let close = "2026-11-20T21:00:00Z";
    let full = Last {
        price: 301.2,
        reference: Some(302.97),
        day_open: Some(300.0),
        day_high: Some(303.1),
        day_low: Some(299.5),
        day_volume: Some(3_512_200.0),
    };
    for (now, late, made_at) in [
        ("2026-11-22T12:00:00Z", LATE, close),
        ("2026-11-20T21:14:00Z", LATE, "2026-11-20T20:59:00Z"),
        ("2026-11-20T15:04:07Z", LATE, "2026-11-20T14:49:07Z"),
        ("2026-11-20T15:04:07Z", Duration::ZERO, "2026-11-20T15:04:07Z"),
    ] {
        for name in ["quote.json", "quote_delayed.json"] {
            let event = look(&fixture(name), "IBM", late, at(now)).expect(name);
            assert_eq!((&*event.symbol, event.ts_event, event.ts_recv), ("IBM", at(made_at), at(now)), "{name}");
            assert_eq!(event.kind, EventKind::Last(full.clone()), "{name}");
        }
    }
    let bare = look(&fixture("quote_bare.json"), "IBM", LATE, at(NOW)).expect("a price");
    assert_eq!(bare.kind, EventKind::Last(Last { price: 301.2, ..Last::default() }));
    let class = look(&fixture("quote_class.json"), "BRK-B", LATE, at(NOW)).expect("a class of shares");
    assert_eq!((&*class.symbol, class.kind), ("BRK-B", EventKind::Last(full)));
    let other = look(&fixture("quote_class.json"), "BRK-A", LATE, at(NOW));
    assert!(matches!(other, Err(ProviderError::Malformed { .. })), "{other:?}");
    for name in ["quote_empty.json", "empty.json"] {
        let unknown = Err(ProviderError::NotFound { message: "alpha-vantage has no price of ZZZZ".to_owned() });
        assert_eq!(look(&fixture(name), "ZZZZ", LATE, at(NOW)), unknown, "{name}");
    }
    for name in ["quote_no_price.json", "quote_no_day.json", "quote_other.json", "page.html", "days.json"] {
        let answer = look(&fixture(name), "IBM", LATE, at(NOW));
        assert!(matches!(answer, Err(ProviderError::Malformed { .. })), "{name}: {answer:?}");
    }
}

#[test]
fn errors_are_told_in_our_words_and_without_the_key() {
    let call = Call { what: "alpha-vantage quote of IBM".to_owned(), ..Call::default() };
    let now = at(NOW);
    let check = |name: &str, expected: Option<ProviderError>| {
        let error = disguised(&fixture(name), &call, now);
        assert!(!format!("{error:?}").contains("alpha-test-key"), "{name}: {error:?}");
        assert_eq!(error, expected, "{name}");
    };
    let said = |words: &str| format!("alpha-vantage quote of IBM: {words}");
    let message = said("the source rejects it, as it does what it does not know");
    check("error_call.json", Some(ProviderError::NotFound { message }));
    check("error_key.json", Some(ProviderError::Unauthorized { message: said("the key is missing or is none of theirs") }));
    let used_up = ProviderError::UsedUp { message: said("the requests of the day are used up"), until: next_day(now) };
    assert_eq!(next_day(now), at("2026-11-21T05:00:00Z"));
    for name in ["error_day.json", "error_day_bare.json"] {
        check(name, Some(used_up.clone()));
    }
    for name in ["error_burst.json", "error_note.json"] {
        check(name, Some(ProviderError::RateLimited { after: Some(Duration::from_secs(12)) }));
    }
    for name in ["error_premium.json", "error_feature.json"] {
        check(name, Some(ProviderError::NotEntitled { message: said("it is not in the plan of the key") }));
    }
    let message = said("the demo key is good for the examples of the documentation only");
    check("error_demo.json", Some(ProviderError::Unauthorized { message }));
    check("error_unknown.json", Some(ProviderError::Retryable { message: said("a notice instead of an answer"), after: Some(LATE) }));
    for name in ["empty.json", "quote.json", "minutes.json", "minutes.csv", "page.html", "truncated.json", "catalog_list.json"] {
        check(name, None);
    }
    assert_eq!(disguised(b"", &call, now), None);
}

#[test]
fn splits_and_dividends_are_told_as_declared() {
    let all = splits(&fixture("splits.json"), date("2000-01-01"));
    assert_eq!(all, Ok(vec![split("2014-06-09", 7.0), split("2020-08-31", 4.0)]));
    assert_eq!(splits(&fixture("splits.json"), date("2020-08-31")), Ok(vec![split("2020-08-31", 4.0)]));
    let all = dividends(&fixture("dividends.json"), date("2000-01-01"));
    assert_eq!(all, Ok(vec![dividend("2026-08-10", 1.68), dividend("2026-11-10", 1.68)]));
    assert_eq!(splits(&fixture("empty.json"), date("2000-01-01")), Ok(Vec::new()));
    assert!(splits(&fixture("quote.json"), date("2000-01-01")).is_err());
}

#[test]
fn statements_keep_every_member() {
    let query = |period: Period| CompanyQuery { spelling: "IBM".to_owned(), statement: Statement::Income, period, limit: 5 };
    let years = statements(&fixture("income.json"), &query(Period::Annual)).expect("years");
    let dates: Vec<_> = years.iter().map(|report| (report.fiscal_date, report.period)).collect();
    assert_eq!(dates, [(date("2025-12-31"), Period::Annual), (date("2024-12-31"), Period::Annual)]);
    assert_eq!(years[0].fields["totalRevenue"], "65000000000");
    assert!(years[0].fields["netIncome"].is_null());
    let quarters = statements(&fixture("income.json"), &query(Period::Quarter)).expect("quarters");
    let dates: Vec<_> = quarters.iter().map(|report| (report.fiscal_date, report.period)).collect();
    assert_eq!(dates, [(date("2026-09-30"), Period::Quarter)]);
    let one = statements(&fixture("income.json"), &CompanyQuery { limit: 1, ..query(Period::Annual) });
    assert_eq!(one.map(|found| found.len()), Ok(1));
    assert_eq!(statements(&fixture("empty.json"), &query(Period::Annual)), Ok(Vec::new()));
    assert!(statements(&fixture("page.html"), &query(Period::Annual)).is_err());
    let found = overview(&fixture("overview.json"), date("2026-11-20")).expect("an overview");
    assert_eq!((found.len(), found[0].statement, found[0].period), (1, Statement::Overview, Period::Latest));
    assert_eq!(found[0].fiscal_date, date("2026-11-20"));
    let fields = &found[0].fields;
    assert_eq!((fields["Sector"].as_str(), fields["Description"].as_str()), (Some("TECHNOLOGY"), Some("a[2Jb")));
    assert!(fields["PERatio"].is_null() && fields["EBITDA"].is_null());
    assert_eq!(overview(&fixture("empty.json"), date("2026-11-20")), Ok(Vec::new()));
}

#[test]
fn lists_hold_what_was_asked_for() {
    let query = |category: Option<Category>, search: Option<&str>, limit: usize| DirectoryQuery {
        category,
        search: search.map(str::to_owned),
        limit,
        next: None,
    };
    let names = |search: Option<&str>, category: Category, limit: usize| {
        let page = listing(&fixture("listing.csv"), &query(Some(category), search, limit)).expect("a listing");
        let names: Vec<_> = page.listed.iter().map(|one| (one.symbol.to_string(), one.venue.clone(), one.active)).collect();
        (names, page.skipped)
    };
    let row = |symbol: &str, venue: &str, active: bool| (symbol.to_owned(), Some(venue.to_owned()), active);
    let shares = [row("IBM", "XNYS", true), row("ALL.P.H", "XNYS", true), row("OLD", "XNAS", false)];
    assert_eq!(names(None, Category::UsEquities, 100), (shares.to_vec(), 1));
    assert_eq!(names(Some("allstate"), Category::UsEquities, 100), (shares[1..2].to_vec(), 1));
    assert_eq!(names(None, Category::UsEquities, 1), (shares[..1].to_vec(), 1));
    assert_eq!(names(None, Category::Etf, 100), (vec![row("SPY", "ARCX", true)], 1));
    let listed = listing(&fixture("listing.csv"), &query(Some(Category::UsEquities), None, 100)).expect("a listing").listed;
    assert_eq!((listed[1].spelling.as_str(), listed[1].asset_class), ("ALL-P-H", AssetClass::Equity));
    assert_eq!(listed[1].name.as_deref(), Some("Allstate Corp (The), Preferred H"));
    let page = found(&fixture("search.json"), &query(None, Some("tesco"), 100)).expect("a search");
    assert_eq!((page.listed.len(), page.skipped), (1, 2));
    assert_eq!((page.listed[0].symbol.as_str(), page.listed[0].currency.as_deref()), ("IBM", Some("USD")));
    assert_eq!(found(&fixture("empty.json"), &query(None, Some("x"), 100)).map(|page| page.listed), Ok(Vec::new()));
    assert!(listing(&fixture("page.html"), &query(Some(Category::Etf), None, 100)).is_err());
}

#[test]
fn a_catalogue_of_indices_may_come_in_any_form() {
    let query = DirectoryQuery { category: Some(Category::Indices), search: None, limit: 100, next: None };
    let read = |name: &str| {
        let page = catalog(&fixture(name), &query).expect(name);
        assert!(page.listed.iter().all(|one| one.asset_class == AssetClass::Index));
        let names: Vec<_> = page.listed.iter().map(|one| (one.symbol.to_string(), one.spelling.clone(), one.name.clone())).collect();
        (names, page.skipped)
    };
    let row = |symbol: &str, spelling: &str, name: Option<&str>| (symbol.to_owned(), spelling.to_owned(), name.map(str::to_owned));
    let first = row("^GSPC", "^SPX", Some("S&P 500"));
    let second = row("^DJI", "^DJI", Some("Dow Jones Industrial Average"));
    assert_eq!(read("catalog.json"), (vec![first.clone(), second], 1));
    assert_eq!(read("catalog_list.json"), (vec![first, row("^NDX", "^NDX", None)], 0));
    for name in ["catalog_names.json", "empty.json", "page.html"] {
        let answer = catalog(&fixture(name), &query);
        assert!(matches!(answer, Err(ProviderError::Malformed { .. })), "{name}: {answer:?}");
    }
}

#[test]
fn markets_say_whether_they_are_open() {
    let said = status(&fixture("market.json"), at(NOW)).expect("a status");
    let said: Vec<_> = said.iter().map(|one| (one.venue, one.market.as_str(), one.state.as_str(), one.open)).collect();
    let expected = [
        (Some("XNYS"), "Equity United States", "open", true),
        (None, "Equity Brazil", "closed", false),
        (Some("CRYPTO"), "Cryptocurrency Global", "open", true),
    ];
    assert_eq!(said, expected);
    assert!(status(&fixture("empty.json"), at(NOW)).is_err());
}

#[test]
fn new_york_is_in_its_regular_session_until_four_although_theirs_is_open_until_a_quarter_past() {
    let table = [
        ("2026-11-20T14:29:59Z", false),
        ("2026-11-20T14:30:00Z", true),
        ("2026-11-20T20:59:59Z", true),
        ("2026-11-20T21:00:00Z", false),
        ("2026-11-20T21:10:00Z", false),
        // Summer time.
        ("2026-07-17T13:30:00Z", true),
        ("2026-07-17T20:05:00Z", false),
    ];
    for (now, open) in table {
        let said = status(&fixture("market.json"), at(now)).expect(now);
        assert_eq!((said[0].venue, said[0].state.as_str(), said[0].open), (Some("XNYS"), "open", open), "{now}");
        assert!(said[2].open, "{now}: crypto is always open");
    }
}
