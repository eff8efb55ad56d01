//! Whole days with a made-up Alpha Vantage: its quotes, its months of minutes, its caps, and what the store has in the end.

use futures_util::TryStreamExt;
use openbell::market::{ActionKind, Bar, CorporateAction, Date, Delay, Interval, Weekday};
use openbell::quality::CoverageState;
use openbell::request::{BackfillAsk, Reply, Request};
use openbell::snapshot::{FeedState, JobState, JobView};
use openbell::store::BarQuery;

use crate::server::{Answer, Asked, Day, Manners, Scene, at, in_order, seconds, waits};

/// A Friday morning in New York.
const FROM: &str = "2026-11-20T15:00:50Z";
const KEY: &str = "alpha-test-key";
const MANNERS: Manners = Manners { answer: |_| None, beat: None, greet: None };
/// No cap of the day, and one look at the beginning.
const FREE: &str = "requests_per_minute = 300\nrequests_per_day = 0\npoll_s = 3600";
const USED_UP: &str = r#"{"Information":"We have detected your API key as alpha-test-key and our standard API rate limit is 25 requests per day. Please subscribe to any of the premium plans to unlock all premium endpoints."}"#;
const BURST: &str = r#"{"Information":"Please consider spreading out your free API requests more sparingly (1 request per second). You may subscribe to any of the premium plans to lift the free key rate limit (25 requests per day) and unlock all premium endpoints"}"#;
const PREMIUM: &str = r#"{"Information":"This is a premium endpoint. You may subscribe to any of the premium plans, alpha-test-key."}"#;

fn scene<A: Fn(&Asked) -> Answer + Send + Sync + 'static>(config: &'static str, rest: A) -> Scene<A> {
    Scene { provider: "alpha-vantage", from: FROM, symbols: &["IBM"], config, manners: MANNERS, refusals: Vec::new(), rest }
}

/// The price of a day.
fn quote(day: &str) -> Answer {
    Answer::json(format!(
        r#"{{"Global Quote":{{"01. symbol":"IBM","02. open":"300.0000","03. high":"303.1000","04. low":"299.5000","05. price":"301.2000","06. volume":"3512200","07. latest trading day":"{day}","08. previous close":"302.9700","09. change":"-1.7700","10. change percent":"-0.5842%"}}}}"#
    ))
}

fn yesterday(asked: &Asked) -> Answer {
    if asked.value("function") == "GLOBAL_QUOTE" { quote("2026-11-19") } else { Answer::json("{}") }
}

/// Questions of one function.
fn asked(day: &Day, function: &str) -> Vec<Asked> {
    day.rest.asked().into_iter().filter(|asked| asked.value("function") == function).collect()
}

/// The key is nowhere but where it belongs.
async fn check_no_key(day: &Day) {
    let questions = day.rest.asked();
    assert!(questions.iter().all(|asked| asked.path == "/query" && asked.value("apikey") == KEY), "{questions:?}");
    assert_eq!(day.log.count(KEY), 0);
    assert!(!day.feed().error.unwrap_or_default().contains(KEY));
    assert!(day.view().jobs.iter().all(|job| !job.note.contains(KEY)));
    assert!(day.quarantine().await.iter().all(|row| !row.payload.contains(KEY)));
}

/// Hours in which nothing is under way.
async fn leap(day: &Day, time: &str) {
    day.pass(seconds(2)).await;
    day.clock.advance(at(time).since(day.clock.now()));
    day.pass(seconds(3)).await;
}

/// Minutes by the clock of New York, the newest first.
fn series(as_text: bool, rows: &[(&str, u32)]) -> Answer {
    let figures = |price: u32| [format!("{price}.0000"), format!("{}.0", price + 1), format!("{}.0", price - 1), format!("{price}.5000")];
    if as_text {
        let line = |(label, price): &(&str, u32)| format!("{label},{},400\r\n", figures(*price).join(","));
        let lines: String = rows.iter().rev().map(line).collect();
        return Answer::status(200, format!("timestamp,open,high,low,close,volume\r\n{lines}"));
    }
    let row = |(label, price): &(&str, u32)| {
        let [open, high, low, close] = figures(*price);
        format!(r#""{label}":{{"1. open":"{open}","2. high":"{high}","3. low":"{low}","4. close":"{close}","5. volume":"400"}}"#)
    };
    let rows: Vec<_> = rows.iter().rev().map(row).collect();
    let meta = r#""Meta Data":{"1. Information":"x","2. Symbol":"IBM","6. Time Zone":"US/Eastern"}"#;
    Answer::json(format!(r#"{{{meta},"Time Series (1min)":{{{}}}}}"#, rows.join(",")))
}

fn september(as_text: bool) -> Answer {
    series(as_text, &[("2026-09-30 04:00:00", 90), ("2026-09-30 15:58:00", 100), ("2026-09-30 15:59:00", 101)])
}

fn november(as_text: bool) -> Answer {
    // The last one opens where what was asked for ends.
    series(as_text, &[("2026-11-02 09:30:00", 102), ("2026-11-02 09:31:00", 103), ("2026-11-02 09:32:00", 999)])
}

fn stored(time: &str, price: u32) -> String {
    format!("{time} {price} {} {} {price}.5 400 - - regular alpha-vantage backfill r0 q1 []", price + 1, price - 1)
}

async fn check_months(day: &Day) {
    let expected = [stored("19:58", 100), stored("19:59", 101), stored("14:30", 102), stored("14:31", 103)];
    day.expect_bars("IBM", &expected.each_ref().map(String::as_str)).await;
}

/// Three days, the newest first, with the dividend and the split of each.
const DAYS: [(&str, &str, &str); 3] = [("2026-11-19", "0.0000", "1.05"), ("2026-11-18", "1.6800", "1.0"), ("2026-11-17", "0.0000", "1.0")];

fn plain_days() -> Answer {
    let row = |(date, _, _): (&str, &str, &str)| {
        format!(r#""{date}":{{"1. open":"300.0","2. high":"301.0","3. low":"299.0","4. close":"300.5","5. volume":"400"}}"#)
    };
    Answer::json(format!(r#"{{"Time Series (Daily)":{{{}}}}}"#, DAYS.map(row).join(",")))
}

fn adjusted_days(as_text: bool) -> Answer {
    if as_text {
        let line = |(date, dividend, split): (&str, &str, &str)| format!("{date},300.0,301.0,299.0,300.5,285.7,400,{dividend},{split}\r\n");
        let header = "timestamp,open,high,low,close,adjusted_close,volume,dividend_amount,split_coefficient";
        return Answer::status(200, format!("{header}\r\n{}", DAYS.map(line).concat()));
    }
    let row = |(date, dividend, split): (&str, &str, &str)| {
        let prices = r#""1. open":"300.0","2. high":"301.0","3. low":"299.0","4. close":"300.5","5. adjusted close":"285.7""#;
        format!(r#""{date}":{{{prices},"6. volume":"400","7. dividend amount":"{dividend}","8. split coefficient":"{split}"}}"#)
    };
    Answer::json(format!(r#"{{"Time Series (Daily)":{{{}}}}}"#, DAYS.map(row).join(",")))
}

/// A hundred weekdays until yesterday, as short an answer as there is: it reaches back to 2026-07-03.
fn hundred_days() -> Answer {
    let last: Date = "2026-11-19".parse().unwrap();
    let days = (0..140).map(|count| last.plus_days(-count));
    let weekdays = days.filter(|day| !matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday));
    let line = |day: Date| format!("{day},300.0,301.0,299.0,300.5,400\r\n");
    let lines: String = weekdays.take(100).map(line).collect();
    Answer::status(200, format!("timestamp,open,high,low,close,volume\r\n{lines}"))
}

/// Backfills days until one, and waits until the job is over.
async fn backfill_days(day: &mut Day, from: &str, to: &str) -> JobView {
    let known = day.view().jobs.len();
    let symbols = vec!["IBM".parse().unwrap()];
    let ask = BackfillAsk { symbols, interval: Interval::OneDay, from: at(from), to: at(to), source: None };
    assert_eq!(day.ask(Request::Backfill(ask)).await, Reply::Done("backfill queued".to_owned()));
    let over = |day: &Day| {
        let view = day.view();
        view.jobs.get(known).filter(|job| job.state.is_over()).map(|job| (**job).clone())
    };
    day.until(seconds(300), "the end of the job", over).await
}

/// The stored days, one line each, and what the company did.
async fn stored_days(day: &Day) -> (Vec<String>, Vec<CorporateAction>) {
    day.pass(seconds(1)).await;
    let id = day.id("IBM").await;
    let chunks: Vec<Vec<Bar>> = day.store.bars(BarQuery::all(id, Interval::OneDay)).try_collect().await.unwrap();
    let lines = chunks.concat().iter().map(|bar| format!("{} {} {} [{}]", bar.open_time.date(), bar.open, bar.close, bar.flags)).collect();
    let actions = day.store.actions(id).await.unwrap();
    (lines, actions.into_iter().map(|row| row.action).collect())
}

/// The sizes that days were asked for in.
fn sizes(day: &Day, function: &str) -> Vec<String> {
    asked(day, function).iter().map(|asked| asked.value("outputsize").to_owned()).collect()
}

const THREE_DAYS: [&str; 3] = ["2026-11-17 300 300.5 []", "2026-11-18 300 300.5 []", "2026-11-19 300 300.5 []"];

#[tokio::test]
async fn a_price_of_a_day_is_shown_with_its_time_and_makes_no_bar() {
    let day = Day::start(scene("", yesterday)).await;
    let last = day.until(seconds(10), "a look", |day| day.row("IBM").last).await;
    assert_eq!((last.value, last.ts_event), (301.2, at("2026-11-19T21:00:00Z")));
    let row = day.row("IBM");
    assert_eq!((row.source.unwrap().as_str(), row.delay, row.reference), ("alpha-vantage", Delay::EndOfDay, Some(302.97)));
    let looks = asked(&day, "GLOBAL_QUOTE");
    assert_eq!((looks[0].value("symbol"), looks[0].value("entitlement")), ("IBM", ""));
    day.pass_to(at("2026-11-20T15:02:10Z")).await;
    assert!(day.bars("IBM").await.is_empty());
    let feed = day.feed();
    assert_eq!((feed.state, feed.symbols, feed.errors, day.stream.count()), (FeedState::Polling, 1, 0, 0));
    check_no_key(&day).await;
    day.stop().await;
}

#[tokio::test]
async fn looks_are_spread_over_the_day() {
    let day = Day::start(scene("", yesterday)).await;
    day.until(seconds(10), "a look", |day| day.row("IBM").last).await;
    // Twelve of the 25 may be spent on looks, of which one is spent: 11 are left until midnight in New York.
    leap(&day, "2026-11-20T16:06:00Z").await;
    assert_eq!(asked(&day, "GLOBAL_QUOTE").len(), 1);
    leap(&day, "2026-11-20T16:14:00Z").await;
    day.until(seconds(310), "the next look", |day| (asked(day, "GLOBAL_QUOTE").len() == 2).then_some(())).await;
    assert!(waits(&asked(&day, "GLOBAL_QUOTE"))[0] > 4_000.0);
    day.stop().await;
}

#[tokio::test]
async fn what_people_may_need_is_kept_back_from_looks() {
    let day = Day::start(scene("requests_per_day = 2\npoll_s = 5", yesterday)).await;
    day.until(seconds(10), "a look", |day| day.row("IBM").last).await;
    let dead = day.state(seconds(10), FeedState::Dead).await;
    assert_eq!(dead.error.as_deref(), Some("what looks may spend of the day's requests is spent"));
    day.pass(seconds(60)).await;
    assert_eq!(day.rest.asked().len(), 1);
    assert_eq!((day.feed().usage.requests_today, day.feed().usage.requests_per_day), (1, Some(2)));
    day.stop().await;
}

#[tokio::test]
async fn a_plan_with_prices_of_today_is_a_feed_of_its_own() {
    for (config, feed, delay, name) in [
        ("entitlement = \"realtime\"", "alpha-vantage:realtime", Delay::RealTime, "realtime"),
        ("entitlement = \"delayed\"", "alpha-vantage:delayed", Delay::Seconds(900), "delayed"),
    ] {
        let day = Day::start(scene(config, |_: &Asked| quote("2026-11-20"))).await;
        let last = day.until(seconds(10), "a look", |day| day.row("IBM").last).await;
        let row = day.row("IBM");
        assert_eq!((row.source.unwrap().as_str(), row.delay), (feed, delay));
        assert_eq!(asked(&day, "GLOBAL_QUOTE")[0].value("entitlement"), name);
        let age = day.clock.now().since(last.ts_event);
        let agreed = seconds(u64::from(delay.seconds().unwrap()));
        assert!(agreed <= age && age < agreed + seconds(15), "{age:?}");
        day.stop().await;
    }
}

#[tokio::test]
async fn a_used_up_day_is_told_without_the_key_and_waited_out() {
    let day = Day::start(scene("requests_per_day = 0\nrequests_per_minute = 300\npoll_s = 5", |_: &Asked| Answer::json(USED_UP))).await;
    let dead = day.state(seconds(10), FeedState::Dead).await;
    let words = "alpha-vantage quote of IBM: the requests of the day are used up; next at 2026-11-21T05:00:00Z";
    assert_eq!(dead.error.as_deref(), Some(words));
    day.pass(seconds(60)).await;
    assert_eq!(day.rest.asked().len(), 1, "nothing is sent before");
    check_no_key(&day).await;
    day.stop().await;
}

#[tokio::test]
async fn what_is_wrong_for_a_while_is_asked_again() {
    let answers = vec![
        Answer::json(BURST),
        Answer::status(502, "<html>"),
        Answer::json("<html>\u{1b}[2J"),
        Answer::json("}{"),
        Answer::Close,
        quote("2026-11-19"),
    ];
    let day = Day::start(scene("requests_per_day = 0\nrequests_per_minute = 300\npoll_s = 5", in_order(answers))).await;
    let last = day.until(seconds(200), "the price", |day| day.row("IBM").last).await;
    assert_eq!(last.value, 301.2);
    let waits = waits(&day.rest.asked());
    assert!(waits[0] >= 11.9, "{waits:?}");
    day.until(seconds(30), "no error", |day| day.feed().error.is_none().then_some(())).await;
    check_no_key(&day).await;
    day.stop().await;
}

#[tokio::test]
async fn an_empty_object_is_an_unknown_symbol_that_is_left_alone() {
    let config = "requests_per_day = 0\nrequests_per_minute = 300\npoll_s = 5";
    let day = Day::start(scene(config, |_: &Asked| Answer::json("{}"))).await;
    day.pass(seconds(60)).await;
    assert_eq!(day.rest.asked().len(), 1);
    assert_eq!(day.log.count("not found: alpha-vantage has no price of IBM"), 1);
    assert!(day.row("IBM").last.is_none());
    day.stop().await;
}

#[tokio::test]
async fn months_of_minutes_are_written_as_the_source_has_them_in_either_form() {
    let configs = [(false, FREE), (true, "requests_per_minute = 300\nrequests_per_day = 0\npoll_s = 3600\ndatatype = \"csv\"")];
    for (as_text, config) in configs {
        let rest = move |asked: &Asked| match (asked.value("function"), asked.value("month")) {
            ("TIME_SERIES_INTRADAY", "2026-09") => september(as_text),
            ("TIME_SERIES_INTRADAY", "2026-11") => november(as_text),
            _ => yesterday(asked),
        };
        let mut day = Day::start(scene(config, rest)).await;
        let job = day.backfill("IBM", "2026-09-30T19:58:00Z", "2026-11-02T14:32:00Z").await;
        assert_eq!((job.state, job.rows, job.done, job.total), (JobState::Done, 4, 3, 3), "{job:?}");
        let questions = asked(&day, "TIME_SERIES_INTRADAY");
        assert_eq!(questions.iter().map(|asked| asked.value("month")).collect::<Vec<_>>(), ["2026-09", "2026-10", "2026-11"]);
        for asked in &questions {
            let value = |name: &str| asked.value(name);
            assert_eq!((value("symbol"), value("interval"), value("outputsize")), ("IBM", "1min", "full"));
            assert_eq!((value("adjusted"), value("extended_hours")), ("false", "true"));
            assert_eq!(value("datatype"), if as_text { "csv" } else { "" });
        }
        check_months(&day).await;
        // A month without a row was asked for, and is not asked for again.
        let covered = day.coverage("IBM", 2).await;
        let is_empty = |row: &openbell::quality::Coverage| row.state == CoverageState::EmptySaidSource;
        assert!(covered.iter().any(|row| is_empty(row) && row.from == at("2026-10-01T13:30:00Z")), "{covered:#?}");
        check_no_key(&day).await;
        day.stop().await;
    }
}

#[tokio::test]
async fn a_backfill_goes_on_when_the_next_day_has_requests() {
    let late = in_order(vec![Answer::json(USED_UP), november(false)]);
    let rest = move |asked: &Asked| match (asked.value("function"), asked.value("month")) {
        ("TIME_SERIES_INTRADAY", "2026-09") => september(false),
        ("TIME_SERIES_INTRADAY", "2026-11") => late(asked),
        _ => yesterday(asked),
    };
    let mut day = Day::start(scene(FREE, rest)).await;
    let ask = BackfillAsk {
        symbols: vec!["IBM".parse().unwrap()],
        interval: Interval::OneMinute,
        from: at("2026-09-30T19:58:00Z"),
        to: at("2026-11-02T14:32:00Z"),
        source: None,
    };
    assert_eq!(day.ask(Request::Backfill(ask)).await, Reply::Done("backfill queued".to_owned()));
    let waiting = |day: &Day| day.view().jobs.first().is_some_and(|job| job.note == "waits until 2026-11-21T05:00:00Z").then_some(());
    day.until(seconds(60), "a job that waits", waiting).await;
    // What came before the cap is kept.
    day.expect_bars("IBM", &[&stored("19:58", 100), &stored("19:59", 101)]).await;
    assert_eq!(day.log.count("the backfill waits: alpha-vantage 1m bars of IBM: the requests of the day are used up"), 1);
    leap(&day, "2026-11-21T04:59:50Z").await;
    assert_eq!(asked(&day, "TIME_SERIES_INTRADAY").len(), 3, "nothing is sent before");
    let over = |day: &Day| day.view().jobs.first().filter(|job| job.state.is_over()).map(|job| (**job).clone());
    let job = day.until(seconds(60), "the end of the job", over).await;
    assert_eq!((job.state, job.rows, job.done), (JobState::Done, 4, 3), "{job:?}");
    check_months(&day).await;
    check_no_key(&day).await;
    day.stop().await;
}

#[tokio::test]
async fn a_backfill_outlives_a_busy_source() {
    let busy = in_order(vec![Answer::json(BURST), Answer::status(503, ""), Answer::json("<html>"), november(false)]);
    let rest = move |asked: &Asked| if asked.value("function") == "TIME_SERIES_INTRADAY" { busy(asked) } else { yesterday(asked) };
    let mut day = Day::start(scene(FREE, rest)).await;
    let job = day.backfill("IBM", "2026-11-02T14:30:00Z", "2026-11-02T14:32:00Z").await;
    assert_eq!((job.state, job.rows), (JobState::Done, 2), "{job:?}");
    let waits = waits(&asked(&day, "TIME_SERIES_INTRADAY"));
    assert!(waits.len() == 3 && waits[0] >= 11.9, "{waits:?}");
    day.expect_bars("IBM", &[&stored("14:30", 102), &stored("14:31", 103)]).await;
    day.stop().await;
}

#[tokio::test]
async fn what_the_plan_does_not_have_is_not_asked_for_again() {
    let rest = |asked: &Asked| match asked.value("function") {
        "TIME_SERIES_INTRADAY" => Answer::json(PREMIUM),
        _ => yesterday(asked),
    };
    let mut day = Day::start(scene(FREE, rest)).await;
    for more in ["", "; asked again in a day"] {
        let job = day.backfill("IBM", "2026-11-02T14:30:00Z", "2026-11-02T14:32:00Z").await;
        assert_eq!(job.state, JobState::Failed, "{job:?}");
        let words = format!("not allowed: alpha-vantage 1m bars of IBM: it is not in the plan of the key{more}");
        assert!(job.note.contains(&words), "{}", job.note);
    }
    assert_eq!(asked(&day, "TIME_SERIES_INTRADAY").len(), 1);
    assert!(day.bars("IBM").await.is_empty());
    check_no_key(&day).await;
    day.stop().await;
}

#[tokio::test]
async fn adjusted_days_bring_splits_and_dividends_and_stay_as_traded() {
    let configs = [
        (false, "requests_per_minute = 300\nrequests_per_day = 0\npoll_s = 3600\nadjusted = true"),
        (true, "requests_per_minute = 300\nrequests_per_day = 0\npoll_s = 3600\nadjusted = true\ndatatype = \"csv\""),
    ];
    for (as_text, config) in configs {
        let rest = move |asked: &Asked| match asked.value("function") {
            "TIME_SERIES_DAILY_ADJUSTED" => adjusted_days(as_text),
            _ => yesterday(asked),
        };
        let mut day = Day::start(scene(config, rest)).await;
        let job = backfill_days(&mut day, "2026-11-17T00:00:00Z", "2026-11-20T00:00:00Z").await;
        assert_eq!((job.state, job.rows), (JobState::Done, 3), "{job:?}");
        assert_eq!((sizes(&day, "TIME_SERIES_DAILY_ADJUSTED"), sizes(&day, "TIME_SERIES_DAILY").len()), (vec!["compact".to_owned()], 0));
        let (bars, actions) = stored_days(&day).await;
        assert_eq!(bars, THREE_DAYS);
        let action = |date: &str, kind: ActionKind| CorporateAction { ex_date: date.parse().unwrap(), kind };
        let dividend = action("2026-11-18", ActionKind::Dividend { amount: 1.68, currency: None });
        let split = action("2026-11-19", ActionKind::Split { numerator: 1.05, denominator: 1.0 });
        assert_eq!(actions, [dividend, split]);
        check_no_key(&day).await;
        day.stop().await;
    }
}

#[tokio::test]
async fn a_plan_without_adjusted_or_without_all_days_gives_what_it_has() {
    let config = "requests_per_minute = 300\nrequests_per_day = 0\npoll_s = 3600\nadjusted = true\noutputsize = \"full\"";
    let rest = |asked: &Asked| match (asked.value("function"), asked.value("outputsize")) {
        ("TIME_SERIES_DAILY_ADJUSTED", _) | ("TIME_SERIES_DAILY", "full") => Answer::json(PREMIUM),
        ("TIME_SERIES_DAILY", _) => plain_days(),
        _ => yesterday(asked),
    };
    let mut day = Day::start(scene(config, rest)).await;
    let job = backfill_days(&mut day, "2026-11-17T00:00:00Z", "2026-11-20T00:00:00Z").await;
    assert_eq!((job.state, job.rows), (JobState::Done, 3), "{job:?}");
    assert_eq!(sizes(&day, "TIME_SERIES_DAILY"), ["full", "compact"]);
    assert_eq!(stored_days(&day).await, (THREE_DAYS.map(str::to_owned).to_vec(), Vec::new()));
    // What was refused is not asked for again, and no page promises what the short answer does not have.
    let job = backfill_days(&mut day, "2010-01-04T00:00:00Z", "2026-11-17T00:00:00Z").await;
    assert_eq!((job.state, job.rows, job.total), (JobState::Done, 0, 1), "{job:?}");
    assert_eq!(sizes(&day, "TIME_SERIES_DAILY"), ["full", "compact", "compact"]);
    assert_eq!(asked(&day, "TIME_SERIES_DAILY_ADJUSTED").len(), 1);
    let covered = day.store.coverage(BarQuery::all(day.id("IBM").await, Interval::OneDay)).await.unwrap();
    assert!(!covered.is_empty() && covered.iter().all(|row| row.from >= at("2026-07-06T00:00:00Z")), "{covered:#?}");
    for words in ["days come without splits and dividends", "days are the last 100 only"] {
        assert_eq!(day.log.count(words), 1, "{words}");
    }
    check_no_key(&day).await;
    day.stop().await;
}

#[tokio::test]
async fn a_short_answer_that_was_cut_off_is_an_error_once_and_planned_for_afterwards() {
    let config = "requests_per_minute = 300\nrequests_per_day = 0\npoll_s = 3600\noutputsize = \"full\"\ndatatype = \"csv\"";
    let rest = |asked: &Asked| match (asked.value("function"), asked.value("outputsize")) {
        ("TIME_SERIES_DAILY", "full") => Answer::json(PREMIUM),
        ("TIME_SERIES_DAILY", _) => hundred_days(),
        _ => yesterday(asked),
    };
    let mut day = Day::start(scene(config, rest)).await;
    // It was planned as twenty years: what was cut off is not what was never traded.
    let job = backfill_days(&mut day, "2010-01-04T00:00:00Z", "2026-11-20T00:00:00Z").await;
    assert_eq!((job.state, job.rows), (JobState::Failed, 0), "{job:?}");
    assert!(job.note.contains("reach back to 2026-07-03 only"), "{}", job.note);
    let job = backfill_days(&mut day, "2010-01-04T00:00:00Z", "2026-11-20T00:00:00Z").await;
    assert!(job.state == JobState::Done && job.rows > 90, "{job:?}");
    assert_eq!(sizes(&day, "TIME_SERIES_DAILY"), ["full", "compact", "compact"]);
    assert_eq!(day.log.count("days are the last 100 only"), 1);
    check_no_key(&day).await;
    day.stop().await;
}

#[tokio::test]
async fn a_refusal_without_words_is_no_word_of_the_plan() {
    let config = "requests_per_minute = 300\nrequests_per_day = 0\npoll_s = 3600\noutputsize = \"full\"";
    let rest = |asked: &Asked| match asked.value("function") {
        "TIME_SERIES_INTRADAY" | "TIME_SERIES_DAILY" => Answer::status(403, "{}"),
        _ => yesterday(asked),
    };
    let mut day = Day::start(scene(config, rest)).await;
    for count in [1, 2] {
        let job = day.backfill("IBM", "2026-11-02T14:30:00Z", "2026-11-02T14:32:00Z").await;
        assert_eq!((job.state, asked(&day, "TIME_SERIES_INTRADAY").len()), (JobState::Failed, count), "{job:?}");
        assert!(job.note.contains("alpha-vantage 1m bars of IBM: 403"), "{}", job.note);
    }
    let job = backfill_days(&mut day, "2026-11-17T00:00:00Z", "2026-11-20T00:00:00Z").await;
    assert_eq!((job.state, sizes(&day, "TIME_SERIES_DAILY")), (JobState::Failed, vec!["full".to_owned()]), "{job:?}");
    assert_eq!(day.log.count("asked again in a day"), 0);
    check_no_key(&day).await;
    day.stop().await;
}

#[tokio::test]
async fn a_wrong_key_and_an_unknown_symbol_fail_at_once() {
    for (body, words) in [
        (r#"{"Error Message":"the parameter apikey is invalid or missing: alpha-test-key"}"#, "the key is missing or is none of theirs"),
        (r#"{"Error Message":"Invalid API call. Please retry or visit the documentation"}"#, "the source rejects it"),
    ] {
        let rest = move |asked: &Asked| if asked.value("function") == "GLOBAL_QUOTE" { yesterday(asked) } else { Answer::json(body) };
        let mut day = Day::start(scene(FREE, rest)).await;
        let job = day.backfill("IBM", "2026-11-02T14:30:00Z", "2026-11-02T14:32:00Z").await;
        assert_eq!((job.state, asked(&day, "TIME_SERIES_INTRADAY").len()), (JobState::Failed, 1), "{job:?}");
        assert!(job.note.contains(words), "{}", job.note);
        check_no_key(&day).await;
        day.stop().await;
    }
}
