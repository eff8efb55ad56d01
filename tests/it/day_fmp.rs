//! Whole days with a made-up Financial Modeling Prep: its socket of last prices, its quotes and bars, and what the store has in the end.

use std::time::Duration;

use openbell::host::Clock;
use openbell::market::{Delay, Timestamp};
use openbell::provider::PROVIDERS;
use openbell::quality::CoverageState;
use openbell::snapshot::{FeedState, JobState, Standing};

use crate::server::{Answer, Asked, Day, HttpServer, Manners, Scene, at, drive, in_order, seconds, waits};
use crate::sizes::open;

/// A Friday morning in New York.
const FROM: &str = "2026-11-20T15:00:50Z";
const KEY: &str = "fmp-test-key";
const MANNERS: Manners = Manners { answer: acknowledge, beat: Some(heartbeat), greet: None };
const CONFIG: &str = "requests_per_minute = 300\nrequests_per_day = 0\npoll_s = 30";
const LOGIN: &str = r#"{"event":"login","data":{"apiKey":"fmp-test-key"}}"#;
const ADMITTED: &str = r#"{"event":"login","data":{"status":200,"message":"Authenticated"}}"#;
const SUBSCRIBED: &str = r#"{"event":"subscribe","data":{"status":200,"message":"Subscribed"}}"#;

fn acknowledge(frame: &str) -> Option<String> {
    let answer = if frame.contains(r#""login""#) { Some(ADMITTED) } else { None };
    answer.or_else(|| frame.contains(r#""subscribe""#).then_some(SUBSCRIBED)).map(str::to_owned)
}

fn heartbeat(at: Timestamp) -> String {
    format!(r#"{{"event":"heartbeat","timestamp":{}}}"#, at.as_micros() / 1_000)
}

/// A snapshot at a time of the day, such as `15:01:05`; the previous close is 189.3.
fn snapshot(symbol: &str, time: &str, price: f64, volume: &str) -> String {
    let time = at(&format!("2026-11-20T{time}Z")).as_seconds();
    format!(
        r#"{{"symbol":"{symbol}","name":"x","price":{price},"changesPercentage":null,"change":null,"dayLow":180.5,"dayHigh":195.25,"volume":{volume},"open":188,"previousClose":189.3,"timestamp":{time}}}"#
    )
}

/// No look is answered: then the socket is all there is.
fn nothing(_: &Asked) -> Answer {
    Answer::status(404, "[]")
}

/// A quote of each symbol that is known, of 15:00:40.
fn quotes(symbols: &str) -> Answer {
    let known = symbols.split(',').filter(|symbol| *symbol != "ZZZZ");
    let rows: Vec<_> = known.map(|symbol| snapshot(symbol, "15:00:40", 190.0, "999000")).collect();
    Answer::json(format!("[{}]", rows.join(",")))
}

fn looks(asked: &Asked) -> Answer {
    match asked.path.as_str() {
        "/batch-quote" => quotes(asked.value("symbols")),
        "/quote" => quotes(asked.value("symbol")),
        _ => Answer::json("[]"),
    }
}

fn scene<A: Fn(&Asked) -> Answer + Send + Sync + 'static>(symbols: &'static [&'static str], rest: A) -> Scene<A> {
    Scene { provider: "fmp", from: FROM, symbols, config: CONFIG, manners: MANNERS, refusals: Vec::new(), rest }
}

async fn day(symbols: &'static [&'static str]) -> Day {
    Day::start(scene(symbols, nothing)).await
}

/// The key is nowhere but where it belongs.
async fn check_no_key(day: &Day) {
    assert_eq!(day.log.count(KEY), 0);
    assert!(!day.feed().error.unwrap_or_default().contains(KEY));
    assert!(day.quarantine().await.iter().all(|row| !row.payload.contains(KEY)));
}

#[tokio::test]
async fn snapshots_become_sampled_minutes() {
    let day = day(&["AAPL", "MSFT"]).await;
    let line = day.line(0, 2).await;
    assert_eq!(line.heard(), [LOGIN, r#"{"event":"subscribe","tickers":["AAPL","MSFT"]}"#]);
    day.pass_to(at("2026-11-20T15:01:06Z")).await;
    for frame in [
        snapshot("AAPL", "15:01:05", 190.25, "1000000"),
        // The same one is sent again and again.
        snapshot("AAPL", "15:01:05", 190.25, "1000000"),
        snapshot("AAPL", "15:01:20", 190.75, "1000500"),
        // From the past: out of order, it is left out.
        snapshot("AAPL", "15:01:15", 150.0, "1000400"),
        snapshot("AAPL", "15:01:50", 189.5, "\"1001200\""),
        snapshot("MSFT", "15:01:10", 411.0, "null"),
    ] {
        line.send(frame);
    }
    day.pass_to(at("2026-11-20T15:02:03.5Z")).await;
    let first = "15:01 190.25 190.75 189.5 189.5 1200 - - regular fmp live r0 q1 [sampled]";
    day.expect_bars("AAPL", &[first]).await;
    day.expect_bars("MSFT", &["15:01 411 411 411 411 - - - regular fmp live r0 q1 [sampled]"]).await;
    day.pass_to(at("2026-11-20T15:02:31Z")).await;
    line.send(snapshot("AAPL", "15:02:30", 190.26, "1001300"));
    line.send(snapshot("AAPL", "15:01:50", 189.5, "1001200"));
    day.pass_to(at("2026-11-20T15:03:04Z")).await;
    let second = "15:02 190.26 190.26 190.26 190.26 100 - - regular fmp live r0 q1 [sampled]";
    day.expect_bars("AAPL", &[first, second]).await;
    let row = day.row("AAPL");
    let last = row.last.unwrap();
    assert_eq!((last.value, last.ts_event), (190.26, at("2026-11-20T15:02:30Z")));
    assert_eq!((row.reference, row.volume, row.day_open), (Some(189.3), Some(1_001_300.0), Some(188.0)));
    assert_eq!((row.day_high, row.day_low), (Some(195.25), Some(180.5)));
    assert_eq!((row.source.unwrap().as_str(), row.delay), ("fmp", Delay::RealTime));
    assert_eq!(day.standing("AAPL"), Standing::Fresh);
    let feed = day.feed();
    assert_eq!((feed.state, feed.symbols, feed.errors, feed.reconnects), (FeedState::Live, 2, 0, 0));
    assert!(day.quarantine().await.is_empty());
    check_no_key(&day).await;
    // What forms when the program ends is kept as partial.
    line.send(snapshot("AAPL", "15:03:03", 191.0, "1001300"));
    day.until(seconds(5), "the last price", |day| day.row("AAPL").last.filter(|last| last.value > 190.9)).await;
    assert_eq!(day.stop().await.last_bar("AAPL").await, "15:03 191 191 191 191 - - - regular fmp live r0 q1 [partial|sampled]");
}

#[tokio::test]
async fn a_form_that_is_not_understood_gives_way_to_the_other() {
    let answer = |frame: &str| {
        if frame.contains(r#""tickers""#) && !frame.contains(r#""data""#) { None } else { acknowledge(frame) }
    };
    let manners = Manners { answer, ..MANNERS };
    let day = Day::start(Scene { manners, ..scene(&["AAPL"], nothing) }).await;
    let line = day.line(0, 2).await;
    let dead = day.state(seconds(14), FeedState::Dead).await;
    assert_eq!(dead.error.as_deref(), Some("the subscription was not confirmed"));
    assert!(day.clock.now().since(line.opened) >= seconds(10));
    let again = day.line(1, 2).await;
    assert_eq!(again.heard(), [LOGIN, r#"{"event":"subscribe","data":{"tickers":["AAPL"]}}"#]);
    day.state(seconds(3), FeedState::Live).await;
    // What was understood once is used from the start.
    again.hang_up();
    let third = day.line(2, 2).await;
    assert_eq!(third.heard(), again.heard());
    day.stop().await;
}

#[tokio::test]
async fn a_connection_that_somebody_else_has_is_waited_for() {
    let answer = |_: &str| Some(r#"{"event":"login","data":{"status":400,"message":"Maximum number of connections reached"}}"#.to_owned());
    let manners = Manners { answer, beat: None, greet: None };
    let day = Day::start(Scene { manners, ..scene(&["AAPL"], nothing) }).await;
    let dead = day.state(seconds(5), FeedState::Dead).await;
    let words = "another program holds the one fmp connection of this key: it is tried again until that ends";
    assert_eq!(dead.error.as_deref(), Some(words));
    day.pass(seconds(110)).await;
    assert_eq!(day.stream.count(), 1);
    day.pass(seconds(20)).await;
    assert_eq!(day.stream.count(), 2);
    assert_eq!(day.stream.line(1).heard(), [LOGIN], "nothing is subscribed before it is let in");
    day.stop().await;
}

#[tokio::test]
async fn a_key_that_opens_nothing_turns_the_feed_off() {
    let answer = |_: &str| Some(r#"{"event":"login","data":{"status":401,"message":"Invalid API KEY fmp-test-key"}}"#.to_owned());
    let manners = Manners { answer, beat: None, greet: None };
    let day = Day::start(Scene { manners, ..scene(&["AAPL"], nothing) }).await;
    let off = day.state(seconds(5), FeedState::Off).await;
    assert_eq!(off.error.as_deref(), Some("not authorised: the fmp login: Invalid API KEY ***"));
    day.pass(seconds(120)).await;
    assert_eq!(day.stream.count(), 1);
    check_no_key(&day).await;
    day.stop().await;
}

#[tokio::test]
async fn a_drop_is_followed_by_a_new_login_and_kept_as_a_gap() {
    let day = day(&["AAPL"]).await;
    let line = day.line(0, 2).await;
    day.pass_to(at("2026-11-20T15:01:06Z")).await;
    line.send(snapshot("AAPL", "15:01:05", 190.25, "1000000"));
    day.pass(seconds(2)).await;
    let dropped = day.clock.now();
    line.hang_up();
    let dead = day.state(seconds(2), FeedState::Dead).await;
    assert!(dead.error.is_some() && dead.next_try.is_some_and(|next| next > dropped), "{dead:#?}");
    let again = day.line(1, 2).await;
    assert_eq!(again.heard(), line.heard());
    day.state(seconds(3), FeedState::Live).await;
    let holes = day.coverage("AAPL", 1).await;
    assert_eq!((holes.len(), holes[0].state), (1, CoverageState::Failed));
    assert!(holes[0].from <= dropped && again.opened <= holes[0].to, "{holes:?}");
    day.pass_to(at("2026-11-20T15:02:03.5Z")).await;
    day.expect_bars("AAPL", &["15:01 190.25 190.25 190.25 190.25 - - - regular fmp live r0 q1 [partial|sampled]"]).await;
    day.stop().await;
}

#[tokio::test]
async fn garbage_spoils_nothing() {
    let day = day(&["AAPL"]).await;
    let line = day.line(0, 2).await;
    day.pass_to(at("2026-11-20T15:01:06Z")).await;
    line.send("not JSON \u{1b}[2J");
    line.send(r#"{"symbol":"AAPL","price":500}"#);
    line.send(r#"{"event":"news","data":7}"#);
    line.send(snapshot("AAPL", "15:01:05", 190.25, "1000000"));
    line.send(snapshot("AAPL", "15:04:05", 500.0, "1000000"));
    day.pass_to(at("2026-11-20T15:02:03.5Z")).await;
    day.expect_bars("AAPL", &["15:01 190.25 190.25 190.25 190.25 - - - regular fmp live r0 q1 [sampled]"]).await;
    let reasons: Vec<_> = day.quarantine().await.iter().map(|row| row.reasons.join("|")).collect();
    assert_eq!(reasons, ["future"]);
    assert_eq!(day.log.count("a frame makes no sense"), 1);
    assert_eq!((day.feed().errors, day.stream.count()), (2, 1));
    day.stop().await;
}

#[tokio::test]
async fn many_are_looked_at_in_one_question() {
    let refusals = vec![Answer::status(503, ""); 200];
    let day = Day::start(Scene { refusals, ..scene(&["AAPL", "MSFT", "ZZZZ"], looks) }).await;
    day.until(seconds(10), "a look", |day| day.row("MSFT").last).await;
    let asked = day.rest.asked_for("/batch-quote");
    assert!(asked.iter().any(|asked| asked.value("symbols") == "AAPL,MSFT,ZZZZ"), "{asked:?}");
    assert!(asked.iter().all(|asked| asked.value("apikey") == KEY && asked.header("apikey").is_empty()));
    let row = day.row("AAPL");
    let last = row.last.unwrap();
    assert_eq!((last.value, last.ts_event), (190.0, at("2026-11-20T15:00:40Z")));
    assert_eq!((row.reference, row.volume), (Some(189.3), Some(999_000.0)));
    assert!(day.row("ZZZZ").last.is_none());
    day.state(seconds(30), FeedState::Polling).await;
    check_no_key(&day).await;
    day.stop().await;
}

#[tokio::test]
async fn a_plan_without_many_at_once_is_asked_one_by_one() {
    let refused = "Premium Query Parameter: 'Special Endpoint : This value set for 'symbol' is not available for you";
    let rest = move |asked: &Asked| match (asked.path.as_str(), asked.value("symbol")) {
        ("/batch-quote", _) => Answer::status(402, "Restricted Endpoint: This endpoint is not available for you"),
        ("/quote", "MSFT") => Answer::status(402, refused),
        _ => looks(asked),
    };
    let config = "requests_per_minute = 300\nrequests_per_day = 0\npoll_s = 30\nsocket = false";
    let day = Day::start(Scene { config, ..scene(&["AAPL", "MSFT"], rest) }).await;
    day.until(seconds(10), "a look", |day| day.row("AAPL").last).await;
    day.pass(seconds(100)).await;
    let asked = |path: &str, symbol: &str| day.rest.asked_for(path).into_iter().filter(|asked| asked.value("symbol") == symbol).count();
    assert_eq!(asked("/batch-quote", ""), 1, "what a plan does not hold is not asked for again");
    assert_eq!(asked("/quote", "MSFT"), 1);
    assert!(asked("/quote", "AAPL") >= 3);
    assert!(day.row("MSFT").last.is_none());
    assert_eq!(day.stream.count(), 0, "the socket is turned off");
    day.stop().await;
}

/// Each of them is one of the requests of the day.
#[tokio::test]
async fn prices_that_were_told_are_kept_when_a_later_one_fails() {
    let clock = Clock::manual(at(FROM));
    let rest = |asked: &Asked| match (asked.path.as_str(), asked.value("symbol")) {
        ("/batch-quote", _) => Answer::status(402, "Restricted Endpoint: This endpoint is not available for you"),
        ("/quote", "MSFT") => Answer::status(500, "{}"),
        _ => looks(asked),
    };
    let server = HttpServer::start(&clock, rest).await;
    let spec = PROVIDERS.iter().find(|spec| spec.name == "fmp").unwrap();
    let opened = open(spec, &server.url, &clock);
    let spellings = ["AAPL", "MSFT", "NVDA"].map(str::to_owned);
    let events = drive(&clock, Duration::from_millis(100), opened.provider.look(&spellings)).await.expect("one was told");
    assert!(!events.is_empty() && events.iter().all(|event| &*event.symbol == "AAPL"), "{events:?}");
    assert!(server.asked_for("/quote").iter().all(|asked| asked.value("symbol") != "NVDA"), "it would fail like the one before");
}

#[tokio::test]
async fn the_key_may_be_sent_in_a_header() {
    let config = "auth = \"header\"\nsocket = false";
    let day = Day::start(Scene { config, ..scene(&["AAPL"], looks) }).await;
    day.until(seconds(10), "a look", |day| day.row("AAPL").last).await;
    let asked = day.rest.asked();
    assert!(asked.iter().all(|asked| asked.header("apikey") == KEY && asked.value("apikey").is_empty()), "{asked:?}");
    day.stop().await;
}

/// A minute by the clock of New York.
fn minute(label: &str, price: u32) -> String {
    let (high, low) = (price + 1, price - 1);
    format!(r#"{{"date":"{label}:00","open":{price},"low":{low},"high":{high},"close":{price}.5,"volume":400}}"#)
}

fn minutes(rows: &[String]) -> Answer {
    Answer::json(format!("[{}]", rows.join(",")))
}

fn stored(time: &str, price: u32) -> String {
    format!("{time} {price} {} {} {price}.5 400 - - regular fmp backfill r0 q1 []", price + 1, price - 1)
}

#[tokio::test]
async fn history_is_written_as_the_source_has_it() {
    let rows = [
        minute("2026-11-20 09:36", 999),
        minute("2026-11-20 09:34", 104),
        // High below open: refused.
        r#"{"date":"2026-11-20 09:33:00","open":103,"low":102,"high":102.5,"close":102.5,"volume":1}"#.to_owned(),
        minute("2026-11-20 09:32", 102),
        minute("2026-11-20 09:32", 102),
        minute("2026-11-20 09:31", 101),
        minute("2026-11-20 09:30", 100),
        minute("2026-11-19 15:59", 999),
    ];
    let rest = move |asked: &Asked| if asked.path == "/historical-chart/1min" { minutes(&rows) } else { nothing(asked) };
    let mut day = Day::start(scene(&["AAPL"], rest)).await;
    let job = day.backfill("AAPL", "2026-11-20T14:30:00Z", "2026-11-20T14:35:00Z").await;
    assert_eq!((job.state, job.rows, job.done, job.total), (JobState::Done, 4, 1, 1), "{job:?}");
    let asked = day.rest.asked_for("/historical-chart/1min");
    assert_eq!((asked.len(), asked[0].value("symbol"), asked[0].value("apikey")), (1, "AAPL", KEY));
    assert_eq!((asked[0].value("from"), asked[0].value("to")), ("2026-11-19", "2026-11-21"));
    let expected = [stored("14:30", 100), stored("14:31", 101), stored("14:32", 102), stored("14:34", 104)];
    day.expect_bars("AAPL", &expected.each_ref().map(String::as_str)).await;
    let reasons: Vec<_> = day.quarantine().await.iter().map(|row| row.reasons.join("|")).collect();
    assert_eq!(reasons, ["high_below_body"]);
    assert!(day.rest.asked_for("/splits").is_empty(), "no split is later than today");
    check_no_key(&day).await;
    day.stop().await;
}

#[tokio::test]
async fn minutes_before_a_split_are_not_taken_for_prices_as_traded() {
    let rest = |asked: &Asked| match (asked.path.as_str(), asked.value("symbol")) {
        ("/historical-chart/1min", _) => minutes(&[minute("2026-11-18 09:31", 101), minute("2026-11-18 09:30", 100)]),
        ("/splits", "MSFT") => Answer::json(r#"[{"symbol":"MSFT","date":"2026-11-19","numerator":4,"denominator":1}]"#),
        // One that is announced, and one that is over.
        ("/splits", _) => Answer::json(r#"[{"date":"2026-12-01","numerator":2,"denominator":1},{"date":"2020-08-31","numerator":4}]"#),
        _ => nothing(asked),
    };
    let mut day = Day::start(scene(&["AAPL", "MSFT"], rest)).await;
    for (symbol, from, to) in [("AAPL", "14:30", "14:31"), ("MSFT", "14:30", "14:31"), ("AAPL", "14:31", "14:32")] {
        let job = day.backfill(symbol, &format!("2026-11-18T{from}:00Z"), &format!("2026-11-18T{to}:00Z")).await;
        assert_eq!((job.state, job.rows), (JobState::Done, 1), "{job:?}");
    }
    day.expect_bars("AAPL", &[&stored("14:30", 100), &stored("14:31", 101)]).await;
    day.expect_bars("MSFT", &[&stored("14:30", 100).replace("[]", "[adjusted]")]).await;
    assert_eq!(day.rest.asked_for("/historical-chart/1min").len(), 3);
    let asked = day.rest.asked_for("/splits");
    assert_eq!(asked.iter().filter(|asked| asked.value("symbol") == "AAPL").count(), 1, "they are believed for a day");
    day.stop().await;
}

#[tokio::test]
async fn a_backfill_outlives_a_busy_source() {
    let busy = in_order(vec![
        Answer::status(429, "").with("Retry-After", "30"),
        Answer::status(503, "Service Unavailable"),
        Answer::json("<html>"),
        minutes(&[minute("2026-11-20 09:30", 100)]),
    ]);
    let rest = move |asked: &Asked| if asked.path == "/historical-chart/1min" { busy(asked) } else { nothing(asked) };
    let mut day = Day::start(scene(&["AAPL"], rest)).await;
    let job = day.backfill("AAPL", "2026-11-20T14:30:00Z", "2026-11-20T14:31:00Z").await;
    assert_eq!((job.state, job.rows), (JobState::Done, 1), "{job:?}");
    let waits = waits(&day.rest.asked_for("/historical-chart/1min"));
    assert!(waits.len() == 3 && waits[0] >= 30.0, "{waits:?}");
    day.expect_bars("AAPL", &[&stored("14:30", 100)]).await;
    day.stop().await;
}

#[tokio::test]
async fn a_limit_in_disguise_is_waited_for() {
    let limit = r#"{"Error Message":"Limit Reach . Please upgrade your plan"}"#;
    for dressed in [Answer::status(429, limit), Answer::json(format!("[{limit}]"))] {
        let busy = in_order(vec![dressed, minutes(&[minute("2026-11-20 09:30", 100)])]);
        let rest = move |asked: &Asked| if asked.path == "/historical-chart/1min" { busy(asked) } else { nothing(asked) };
        let mut day = Day::start(scene(&["AAPL"], rest)).await;
        let job = day.backfill("AAPL", "2026-11-20T14:30:00Z", "2026-11-20T14:31:00Z").await;
        assert_eq!((job.state, job.rows), (JobState::Done, 1), "{job:?}");
        let waits = waits(&day.rest.asked_for("/historical-chart/1min"));
        assert!(waits.len() == 1 && waits[0] >= 59.0, "{waits:?}");
        day.stop().await;
    }
}

#[tokio::test]
async fn a_key_that_opens_no_history_fails_with_the_words_of_the_source() {
    let rest = |asked: &Asked| match asked.path.as_str() {
        "/historical-chart/1min" => Answer::status(401, r#"{"Error Message":"Invalid API KEY fmp-test-key. Feel free to create one"}"#),
        _ => nothing(asked),
    };
    let mut day = Day::start(scene(&["AAPL"], rest)).await;
    let job = day.backfill("AAPL", "2026-11-20T14:30:00Z", "2026-11-20T14:31:00Z").await;
    assert_eq!((job.state, day.rest.asked_for("/historical-chart/1min").len()), (JobState::Failed, 1), "{job:?}");
    let words = "not authorised: fmp 1m bars of AAPL: Invalid API KEY ***. Feel free to create one";
    assert!(job.note.contains(words), "{}", job.note);
    check_no_key(&day).await;
    day.stop().await;
}
