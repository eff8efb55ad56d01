//! Whole days with a made-up Massive: its frames and answers, and what the store has in the end.

use std::sync::atomic::{AtomicUsize, Ordering};

use openbell::quality::CoverageState;
use openbell::snapshot::{FeedState, JobState};

use crate::server::{Answer, Asked, Day, Manners, Scene, at, in_order, seconds, waits};

/// A Friday morning in New York.
const FROM: &str = "2026-11-20T15:00:50Z";
const KEY: &str = "polygon-test-key";
const CONFIG: &str = "requests_per_minute = 600";
const MANNERS: Manners = Manners { answer: acknowledge, beat: None, greet: Some(greet) };
const AUTH: &str = r#"{"action":"auth","params":"polygon-test-key"}"#;

fn greet() -> String {
    status("connected", "Connected Successfully")
}

fn status(status: &str, message: &str) -> String {
    format!(r#"[{{"ev":"status","status":"{status}","message":"{message}"}}]"#)
}

fn acknowledge(frame: &str) -> Option<String> {
    if frame.contains("\"auth\"") {
        let right = frame == AUTH;
        return Some(if right { status("auth_success", "authenticated") } else { status("auth_failed", "authentication failed") });
    }
    frame.contains("\"subscribe\"").then(|| status("success", "subscribed to: T.AAPL"))
}

fn millis(time: &str) -> i64 {
    at(&format!("2026-11-20T{time}Z")).as_micros() / 1_000
}

/// A trade at a time of the day, such as `15:01:05.25`.
fn trade(id: u64, time: &str, price: &str, size: &str, conditions: &str) -> String {
    let at = millis(time);
    format!(r#"{{"ev":"T","sym":"AAPL","i":"{id}","x":4,"p":{price},"s":{size},"c":[{conditions}],"t":{at},"q":{id},"z":3}}"#)
}

fn frame(rows: &[String]) -> String {
    format!("[{}]", rows.join(","))
}

/// The bar of 15:02 with its close and volume.
fn minute(close: &str, volume: u64) -> String {
    let (start, end) = (millis("15:02:00"), millis("15:03:00"));
    format!(
        r#"[{{"ev":"AM","sym":"AAPL","v":{volume},"av":1200,"op":98,"vw":100.25,"o":100,"c":{close},"h":101,"l":99,"a":100.1,"z":12.0,"s":{start},"e":{end}}}]"#
    )
}

/// No look is answered: then the socket is all there is.
fn nothing(_: &Asked) -> Answer {
    Answer::json(r#"{"status":"OK","request_id":"a1","count":0}"#)
}

/// A row of bars: high, low and close are counted from the open.
fn bar(time: &str, open: f64) -> String {
    let (high, low, close, vwap, at) = (open + 1.0, open - 1.0, open + 0.5, open + 0.25, at(time).as_micros() / 1_000);
    format!(r#"{{"o":{open},"h":{high},"l":{low},"c":{close},"v":3.0,"vw":{vwap},"n":7,"t":{at}}}"#)
}

fn bars(rows: &[String], next: Option<&str>) -> Answer {
    let next = next.map_or_else(String::new, |next| format!(r#","next_url":"{next}""#));
    Answer::json(format!(r#"{{"ticker":"AAPL","adjusted":false,"status":"OK","request_id":"a1","results":[{}]{next}}}"#, rows.join(",")))
}

fn is_history(asked: &Asked) -> bool {
    asked.path.contains("/v2/aggs/")
}

fn scene<A: Fn(&Asked) -> Answer + Send + Sync + 'static>(symbols: &'static [&'static str], rest: A) -> Scene<A> {
    Scene { provider: "polygon", from: FROM, symbols, config: CONFIG, manners: MANNERS, refusals: Vec::new(), rest }
}

fn history(day: &Day) -> Vec<Asked> {
    day.rest.asked().into_iter().filter(is_history).collect()
}

fn check_no_key(day: &Day) {
    let error = day.feed().error.unwrap_or_default();
    assert!(!error.contains(KEY), "{error}");
    assert_eq!(day.log.count(KEY), 0);
}

#[tokio::test]
async fn trades_and_minutes_of_the_source_become_bars() {
    let day = Day::start(scene(&["AAPL"], nothing)).await;
    let line = day.line(0, 2).await;
    assert_eq!(line.heard(), [AUTH, r#"{"action":"subscribe","params":"T.AAPL,Q.AAPL,AM.AAPL"}"#]);
    assert_eq!(day.stream.knocks()[0].path, "/stocks");
    line.send(frame(&[trade(1, "15:00:55", "97", "1", "")]));
    day.pass_to(at("2026-11-20T15:01:06Z")).await;
    let quote = format!(r#"{{"ev":"Q","sym":"AAPL","bp":96.75,"bs":3,"ap":97.25,"as":2,"c":0,"t":{}}}"#, millis("15:01:05"));
    let third = trade(3, "15:01:10", "101.5", "0.25", "14,41");
    for rows in [
        // Several kinds in one frame, and one trade twice.
        vec![trade(2, "15:01:01", "100", "0.5", ""), quote, third.clone(), third.clone()],
        vec![third],
        // Out of order, within the minute.
        vec![trade(4, "15:01:05", "102", "0.125", "")],
        // An odd lot counts and moves no price; an official open counts nothing.
        vec![trade(5, "15:01:20", "110", "1.125", "37"), trade(6, "15:01:21", "300", "500", "16")],
        vec![trade(7, "15:01:30", "99", "1", "")],
    ] {
        line.send(frame(&rows));
    }
    day.pass_to(at("2026-11-20T15:02:03.5Z")).await;
    let joined = "15:00 97 97 97 97 1 97 1 regular polygon live r0 q1 [partial]";
    let first = "15:01 100 102 99 99 3 103.625 5 regular polygon live r0 q1 []";
    day.expect_bars("AAPL", &[joined, first]).await;
    // A minute that the source made itself, and made again for a late trade.
    day.pass_to(at("2026-11-20T15:03:01Z")).await;
    line.send(minute("100.5", 500));
    let second = "15:02 100 101 99 100.5 500 100.25 - regular polygon live r0 q1 []";
    day.expect_bars("AAPL", &[joined, first, second]).await;
    line.send(minute("100.75", 501));
    let again = "15:02 100 101 99 100.75 501 100.25 - regular polygon live r1 q1 []";
    day.expect_bars("AAPL", &[joined, first, again]).await;
    let row = day.row("AAPL");
    assert_eq!((row.quote.bid, row.quote.ask, row.day_open, row.volume), (Some(96.75), Some(97.25), Some(98.0), Some(1_200.0)));
    assert_eq!(row.source.unwrap().as_str(), "polygon");
    assert!(day.quarantine().await.is_empty());
    assert_eq!((day.feed().state, day.feed().errors), (FeedState::Live, 0));
    check_no_key(&day);
    // What forms when the program ends is kept as partial.
    line.send(frame(&[trade(8, "15:03:01", "98", "1", "")]));
    day.until(seconds(5), "the last trade", |day| day.row("AAPL").last.filter(|last| last.value == 98.0)).await;
    let ended = day.stop().await;
    assert_eq!(ended.last_bar("AAPL").await, "15:03 98 98 98 98 1 98 1 regular polygon live r0 q1 [partial]");
}

#[tokio::test]
async fn a_dropped_connection_comes_back_and_leaves_a_hole() {
    let rest = |asked: &Asked| {
        if is_history(asked) {
            return bars(&[bar("2026-11-20T15:01:00Z", 100.0), bar("2026-11-20T15:02:00Z", 7.0)], None);
        }
        nothing(asked)
    };
    let mut day = Day::start(scene(&["AAPL"], rest)).await;
    let line = day.line(0, 2).await;
    day.pass_to(at("2026-11-20T15:01:06Z")).await;
    line.send(frame(&[trade(1, "15:01:05", "100", "1", "")]));
    day.pass_to(at("2026-11-20T15:01:30Z")).await;
    line.hang_up();
    day.state(seconds(2), FeedState::Dead).await;
    let again = day.line(1, 2).await;
    assert_eq!(again.heard(), line.heard(), "it logs in and subscribes again");
    again.send(frame(&[trade(2, "15:01:40", "101", "1", "")]));
    day.pass_to(at("2026-11-20T15:02:11Z")).await;
    again.send(frame(&[trade(3, "15:02:10", "102", "1", "")]));
    day.pass_to(at("2026-11-20T15:03:04Z")).await;
    let whole = "15:02 102 102 102 102 1 102 1 regular polygon live r0 q1 []";
    day.expect_bars("AAPL", &["15:01 100 101 100 101 2 100.5 2 regular polygon live r0 q1 [partial]", whole]).await;
    let holes = day.coverage("AAPL", 1).await;
    assert!(holes.iter().any(|hole| hole.state == CoverageState::Failed && hole.source.as_str() == "polygon"), "{holes:?}");
    // Only the minute that was touched is asked for again, and the source's own bar takes its place.
    let job = day.backfill("AAPL", "2026-11-20T15:01:00Z", "2026-11-20T15:03:00Z").await;
    assert_eq!((job.state, job.rows), (JobState::Done, 1), "{job:?}");
    let asked = history(&day);
    let (from, to) = (millis("15:01:00"), millis("15:02:00") - 1);
    assert_eq!(asked[0].path, format!("/v2/aggs/ticker/AAPL/range/1/minute/{from}/{to}"));
    day.expect_bars("AAPL", &["15:01 100 101 99 100.5 3 100.25 7 regular polygon backfill r0 q1 []", whole]).await;
    check_no_key(&day);
    day.stop().await;
}

#[tokio::test]
async fn garbage_is_told_once_and_the_rest_goes_on() {
    let day = Day::start(scene(&["AAPL"], nothing)).await;
    let line = day.line(0, 2).await;
    for frame in ["}{", "\u{1b}[2J", "{}", "[]", r#"[{"ev":"a new one"}]"#] {
        line.send(frame);
    }
    line.send(frame(&[trade(1, "15:00:52", "100", "1", "")]));
    day.until(seconds(2), "the price after the garbage", |day| day.row("AAPL").last.filter(|last| last.value > 99.0)).await;
    day.pass(seconds(5)).await;
    let feed = day.feed();
    assert_eq!((feed.state, feed.errors, feed.reconnects, day.stream.count()), (FeedState::Live, 3, 0, 1));
    assert_eq!(day.log.count("a frame makes no sense"), 1);
    day.stop().await;
}

#[tokio::test]
async fn a_channel_outside_the_plan_is_told_and_the_rest_goes_on() {
    let day = Day::start(scene(&["AAPL"], nothing)).await;
    let line = day.line(0, 2).await;
    line.send(status("error", "not authorized"));
    day.until(seconds(2), "the refusal", |day| day.feed().error.filter(|error| error == "not authorized")).await;
    line.send(frame(&[trade(1, "15:00:52", "100", "1", "")]));
    day.until(seconds(2), "a price", |day| day.row("AAPL").last).await;
    assert_eq!(day.stream.count(), 1);
    day.stop().await;
}

#[tokio::test]
async fn a_plan_without_sockets_does_not_knock_again_and_is_looked_at() {
    let answer = |frame: &str| {
        let refused = status("auth_failed", "Your plan doesn't include websocket access.");
        frame.contains("\"auth\"").then_some(refused)
    };
    let looks = |asked: &Asked| {
        if asked.path.ends_with("/us/markets/stocks/tickers") {
            return Answer::json(format!(
                r#"{{"status":"DELAYED","tickers":[{{"ticker":"AAPL","updated":{}000000,"min":{{"c":95}},"prevDay":{{"c":90}}}}]}}"#,
                millis("15:00:40")
            ));
        }
        nothing(asked)
    };
    let manners = Manners { answer, ..MANNERS };
    let day = Day::start(Scene { manners, ..scene(&["AAPL"], looks) }).await;
    let row = day.until(seconds(90), "a price", |day| Some(day.row("AAPL")).filter(|row| row.last.is_some())).await;
    assert_eq!((row.last.unwrap().value, row.reference), (95.0, Some(90.0)));
    day.pass(seconds(200)).await;
    assert_eq!(day.stream.count(), 1, "a plan is not asked again and again");
    assert!(day.log.count("websocket access") >= 1);
    let looked = day.rest.asked_for("/stocks/tickers");
    assert!(looked.iter().all(|asked| asked.value("tickers") == "AAPL"), "{looked:?}");
    assert!(looked.iter().all(|asked| asked.header("authorization") == format!("Bearer {KEY}")));
    check_no_key(&day);
    day.stop().await;
}

#[tokio::test]
async fn a_bad_key_is_told_without_the_key() {
    let answer = |frame: &str| frame.contains("\"auth\"").then(|| status("auth_failed", "authentication failed for polygon-test-key"));
    let manners = Manners { answer, ..MANNERS };
    let day = Day::start(Scene { manners, ..scene(&["AAPL"], nothing) }).await;
    let error = day.until(seconds(5), "the refusal", |day| day.feed().error.filter(|error| error.contains("not authorised"))).await;
    assert_eq!(error, "not authorised: authentication failed for ***");
    day.pass(seconds(120)).await;
    assert_eq!(day.stream.count(), 1);
    check_no_key(&day);
    day.stop().await;
}

#[tokio::test]
async fn two_programs_with_one_key_do_not_throw_each_other_out() {
    let day = Day::start(scene(&["AAPL"], nothing)).await;
    let line = day.line(0, 2).await;
    line.send(status("max_connections", "Maximum number of websocket connections exceeded. "));
    day.until(seconds(3), "the reason", |day| day.feed().error.filter(|error| error.contains("another program"))).await;
    day.pass(seconds(80)).await;
    assert_eq!(day.stream.count(), 1, "it waits");
    day.until(seconds(30), "the next try", |day| (day.stream.count() == 2).then_some(())).await;
    let again = day.line(1, 2).await;
    // The status may be lost, and the code says the same.
    again.close(1008, "policy");
    day.pass(seconds(60)).await;
    assert_eq!(day.stream.count(), 2, "it waits again");
    day.stop().await;
}

#[tokio::test]
async fn history_follows_the_list_through_limits_and_faults() {
    const RATE: &str = r#"{"status":"ERROR","request_id":"a1","error":"You've exceeded the maximum requests per minute, please wait."}"#;
    let troubles = in_order(vec![
        Answer::status(429, RATE).with("Retry-After", "30"),
        Answer::status(429, RATE),
        Answer::status(503, "<html>bad gateway</html>"),
        Answer::json("{}"),
    ]);
    let asked_before = AtomicUsize::new(0);
    let rest = move |asked: &Asked| {
        if !is_history(asked) {
            return nothing(asked);
        }
        if asked_before.fetch_add(1, Ordering::Relaxed) < 3 {
            return troubles(asked);
        }
        let goes_on = format!("http://{}{}?cursor=abc", asked.header("host"), asked.path);
        if asked.value("cursor") == "abc" {
            let hole = format!(r#"{{"o":104,"h":105,"l":103,"c":null,"v":1,"t":{}}}"#, at("2026-11-19T15:04:00Z").as_micros() / 1_000);
            let rows = [bar("2026-11-19T15:01:00Z", 102.0), bar("2026-11-19T15:03:00Z", 103.0), hole, bar("2026-11-19T15:06:00Z", 999.0)];
            // The same address again is the end.
            return bars(&rows, Some(&goes_on));
        }
        let rows = [bar("2026-11-19T14:59:00Z", 999.0), bar("2026-11-19T15:00:00Z", 100.0), bar("2026-11-19T15:01:00Z", 101.0)];
        bars(&rows, Some(&goes_on))
    };
    let mut day = Day::start(scene(&["AAPL"], rest)).await;
    let (from, to) = ("2026-11-19T15:00:00Z", "2026-11-19T15:06:00Z");
    let job = day.backfill("AAPL", from, to).await;
    assert_eq!((job.state, job.rows), (JobState::Done, 3), "{job:?}");
    let expected = [
        "15:00 100 101 99 100.5 3 100.25 7 regular polygon backfill r0 q1 []",
        "15:01 102 103 101 102.5 3 102.25 7 regular polygon backfill r0 q1 []",
        "15:03 103 104 102 103.5 3 103.25 7 regular polygon backfill r0 q1 []",
    ];
    day.expect_bars("AAPL", &expected).await;
    let asked = history(&day);
    assert_eq!(asked.len(), 5);
    assert_eq!((asked[0].value("adjusted"), asked[0].value("sort"), asked[0].value("limit")), ("false", "asc", "50000"));
    assert!(asked.iter().all(|asked| asked.header("authorization") == format!("Bearer {KEY}") && asked.value("apiKey").is_empty()));
    let waits = waits(&asked);
    assert!(waits[0] >= 30.0, "{waits:?}");
    // Without a header it is the next minute.
    assert!(asked[2].at.as_seconds() / 60 > asked[1].at.as_seconds() / 60, "{waits:?}");
    // What is there, and what the source said it has not, is not asked for again.
    let job = day.backfill("AAPL", from, to).await;
    assert_eq!((job.state, job.rows, job.total), (JobState::Done, 0, 0), "{job:?}");
    assert_eq!(history(&day).len(), 5);
    check_no_key(&day);
    day.stop().await;
}

#[tokio::test]
async fn a_list_that_goes_on_elsewhere_does_not_get_the_key() {
    let rest = |asked: &Asked| {
        if is_history(asked) {
            return bars(&[bar("2026-11-19T15:00:00Z", 100.0)], Some("https://api.massive.com.example.org/v2/aggs?cursor=abc"));
        }
        nothing(asked)
    };
    let mut day = Day::start(scene(&["AAPL"], rest)).await;
    let job = day.backfill("AAPL", "2026-11-19T15:00:00Z", "2026-11-19T15:06:00Z").await;
    assert_eq!((job.state, history(&day).len()), (JobState::Failed, 1), "{job:?}");
    assert!(job.note.contains("the list goes on at another host"), "{}", job.note);
    assert!(day.bars("AAPL").await.is_empty());
    day.stop().await;
}

#[tokio::test]
async fn a_plan_that_lacks_the_data_ends_a_backfill_at_once() {
    let refused = r#"{"status":"NOT_AUTHORIZED","request_id":"a1","message":"Your plan doesn't include this data timeframe."}"#;
    let rest = move |asked: &Asked| if is_history(asked) { Answer::status(403, refused) } else { nothing(asked) };
    let mut day = Day::start(scene(&["AAPL"], rest)).await;
    let job = day.backfill("AAPL", "2026-11-19T15:00:00Z", "2026-11-19T15:06:00Z").await;
    assert_eq!((job.state, history(&day).len()), (JobState::Failed, 1), "{job:?}");
    assert!(job.note.contains("Your plan doesn't include this data timeframe."), "{}", job.note);
    day.stop().await;
}
