//! The one engine of sockets, through the providers that use it: how one is let in, and how a connection follows another without a hole.

use std::sync::Arc;
use std::time::Duration;

use openbell::market::Timestamp;
use openbell::quality::CoverageState;
use openbell::request::{Reply, Request};
use openbell::snapshot::FeedState;

use crate::server::{Answer, Asked, Day, Line, Manners, Scene, at, seconds, waits};

/// A Friday morning in New York.
const FROM: &str = "2026-11-20T15:00:50Z";
/// Says nothing of itself: what a source says is said by the test.
const MUTE: Manners = Manners { answer: |_| None, beat: None, greet: None };

fn scene(provider: &'static str, symbols: &'static [&'static str], manners: Manners) -> Scene<fn(&Asked) -> Answer> {
    Scene { provider, from: FROM, symbols, config: "", manners, refusals: Vec::new(), rest: nothing }
}

/// No look is answered: then the socket is all there is.
fn nothing(asked: &Asked) -> Answer {
    if asked.path.ends_with("/klines") { Answer::json("[]") } else { Answer::status(404, "{}") }
}

// Being let in.

const POLYGON_LOGIN: &str = r#"{"action":"auth","params":"polygon-test-key"}"#;
const POLYGON_SUBSCRIBE: &str = r#"{"action":"subscribe","params":"T.AAPL,Q.AAPL,AM.AAPL"}"#;

fn polygon_says(status: &str, message: &str) -> String {
    format!(r#"[{{"ev":"status","status":"{status}","message":"{message}"}}]"#)
}

fn polygon_trade(id: u64, time: &str, price: &str) -> String {
    let at = at(&format!("2026-11-20T{time}Z")).as_micros() / 1_000;
    format!(r#"[{{"ev":"T","sym":"AAPL","i":"{id}","x":4,"p":{price},"s":100,"t":{at},"q":{id},"z":3}}]"#)
}

/// With one connection a key, the second program would throw the first one out, and the first the second.
#[tokio::test]
async fn the_one_connection_of_a_key_is_left_to_whoever_holds_it() {
    let folder = tempfile::tempdir().unwrap();
    let first = Day::beside(scene("finnhub", &["AAPL"], MUTE), folder.path()).await;
    first.line(0, 1).await;
    let second = Day::beside(scene("finnhub", &["AAPL"], MUTE), folder.path()).await;
    let feed = second.state(seconds(5), FeedState::Dead).await;
    let told = format!("another openbell on this machine (pid {}) holds the one connection of this key", std::process::id());
    assert_eq!(feed.error.as_deref(), Some(told.as_str()));
    second.pass(seconds(45)).await;
    assert_eq!(second.stream.count(), 0, "nothing is opened");
    first.stop().await;
    let opened = |day: &Day| (day.stream.count() > 0).then_some(());
    second.until(seconds(60), "its turn", opened).await;
    second.line(0, 1).await;
    second.stop().await;
}

#[tokio::test]
async fn a_source_that_greets_is_waited_for_before_the_login_and_after_it() {
    let day = Day::start(scene("polygon", &["AAPL"], MUTE)).await;
    let line = day.line(0, 0).await;
    day.pass(seconds(5)).await;
    assert!(line.heard().is_empty(), "nothing before the greeting: {:?}", line.heard());
    line.send(polygon_says("connected", "Connected Successfully"));
    day.line(0, 1).await;
    day.pass(seconds(5)).await;
    assert_eq!(line.heard(), [POLYGON_LOGIN], "nothing before it is let in");
    // What is sent to nobody is nobody's.
    line.send(polygon_trade(1, "15:00:55", "90"));
    line.send(polygon_says("auth_success", "authenticated"));
    day.line(0, 2).await;
    assert_eq!(line.heard(), [POLYGON_LOGIN, POLYGON_SUBSCRIBE]);
    line.send(polygon_trade(2, "15:01:00", "100"));
    let last = day.until(seconds(5), "a price", |day| day.row("AAPL").last).await;
    assert_eq!(last.value.to_string(), "100");
    assert_eq!((day.stream.count(), day.feed().reconnects), (1, 0));
    day.stop().await;
}

#[tokio::test]
async fn a_source_that_does_not_greet_is_tried_again() {
    let day = Day::start(scene("polygon", &["AAPL"], MUTE)).await;
    let line = day.line(0, 0).await;
    let dead = day.state(seconds(20), FeedState::Dead).await;
    assert_eq!(dead.error.as_deref(), Some("the source did not greet"));
    assert!(day.clock.now().since(line.opened) >= seconds(15), "{}", day.clock.now());
    let again = day.line(1, 0).await;
    again.send(polygon_says("connected", "Connected Successfully"));
    day.line(1, 1).await;
    again.send(polygon_says("auth_success", "authenticated"));
    day.line(1, 2).await;
    assert_eq!(again.heard(), [POLYGON_LOGIN, POLYGON_SUBSCRIBE]);
    assert!(line.heard().is_empty());
    day.state(seconds(5), FeedState::Live).await;
    day.stop().await;
}

const FMP_LOGIN: &str = r#"{"event":"login","data":{"apiKey":"fmp-test-key"}}"#;
const FMP_ADMITTED: &str = r#"{"event":"login","data":{"status":200,"message":"Authenticated"}}"#;
const FMP_SUBSCRIBED: &str = r#"{"event":"subscribe","data":{"status":200,"message":"Subscribed"}}"#;

#[tokio::test]
async fn a_login_that_is_not_answered_is_tried_again() {
    let day = Day::start(scene("fmp", &["AAPL"], MUTE)).await;
    let line = day.line(0, 1).await;
    day.pass(seconds(10)).await;
    assert_eq!(line.heard(), [FMP_LOGIN], "said at once, and nothing is subscribed before it is let in");
    let dead = day.state(seconds(10), FeedState::Dead).await;
    assert_eq!(dead.error.as_deref(), Some("the login was not answered"));
    assert!(day.clock.now().since(line.opened) >= seconds(15), "{}", day.clock.now());
    assert_eq!((dead.attempt, dead.errors), (1, 1));
    let again = day.line(1, 1).await;
    again.send(FMP_ADMITTED);
    day.line(1, 2).await;
    let heard = again.heard();
    assert_eq!((heard.len(), heard[0].as_str()), (2, FMP_LOGIN));
    assert!(heard[1].contains("\"subscribe\"") && heard[1].contains("AAPL"), "{heard:?}");
    again.send(FMP_SUBSCRIBED);
    let live = day.state(seconds(5), FeedState::Live).await;
    assert_eq!((live.reconnects, live.next_try), (0, None), "a connection that nobody was let in by is none");
    assert_eq!(line.heard(), [FMP_LOGIN]);
    assert_eq!(day.log.count("fmp-test-key"), 0);
    day.stop().await;
}

// One connection after the other.

const SHUTDOWN: &str = r#"{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1795186890000}}"#;
const OVER: &str = "went over to a new connection";
/// Any request is confirmed by its number, and each second there is a best bid and ask.
const BINANCE: Manners = Manners { answer: confirm, beat: Some(book), greet: None };

fn confirm(frame: &str) -> Option<String> {
    let (_, id) = frame.rsplit_once("\"id\":")?;
    Some(confirmed(id.trim_end_matches('}').parse().ok()?))
}

fn confirmed(id: u64) -> String {
    format!(r#"{{"result":null,"id":{id}}}"#)
}

fn book(_: Timestamp) -> String {
    r#"{"stream":"btcusdt@bookTicker","data":{"u":400900217,"s":"BTCUSDT","b":"96.75","B":"0.12","a":"97.25","A":"1.5"}}"#.to_owned()
}

fn request(method: &str, symbols: &[&str], id: u64) -> String {
    let streams =
        symbols.iter().flat_map(|symbol| ["trade", "ticker", "bookTicker", "kline_1m"].map(|stream| format!("\"{symbol}@{stream}\"")));
    format!(r#"{{"method":"{method}","params":[{}],"id":{id}}}"#, streams.collect::<Vec<_>>().join(","))
}

/// A trade of a size of 1, made at an instant.
fn trade(id: u64, made: Timestamp, price: f64) -> String {
    let at = made.as_micros() / 1_000;
    format!(
        r#"{{"stream":"btcusdt@trade","data":{{"e":"trade","E":{at},"s":"BTCUSDT","t":{id},"p":"{price}","q":"1","T":{at},"m":false,"M":true}}}}"#
    )
}

fn trade_at(id: u64, time: &str, price: f64) -> String {
    trade(id, at(&format!("2026-11-20T{time}Z")), price)
}

async fn shows(day: &Day, price: f64) {
    let shown = |day: &Day| day.row("BTC-USDT").last.filter(|last| (last.value - price).abs() < 1e-9);
    day.until(seconds(5), &format!("a price of {price}"), shown).await;
}

async fn went_over(day: &Day, times: usize) {
    day.until(seconds(15), "the new connection", |day| (day.log.count(OVER) == times).then_some(())).await;
}

/// Nothing was missed, as far as anybody knows.
async fn check_no_hole(day: &Day) {
    assert!(day.coverage("BTC-USDT", 0).await.is_empty());
    assert_eq!(day.log.count("nothing was heard"), 0);
    let feed = day.feed();
    assert_eq!((feed.state, feed.reconnects, feed.errors, feed.attempt), (FeedState::Live, 0, 0, 0), "{feed:#?}");
}

/// A connection that was opened and confirmed by hand.
async fn confirmed_line(day: &Day) -> Arc<Line> {
    let line = day.line(0, 1).await;
    line.send(confirmed(1));
    line
}

#[tokio::test]
async fn two_connections_overlap_and_a_trade_of_both_is_one() {
    let day = Day::start(scene("binance", &["BTC-USDT"], MUTE)).await;
    let line = confirmed_line(&day).await;
    day.pass_to(at("2026-11-20T15:01:06Z")).await;
    line.send(trade_at(1, "15:01:05", 100.0));
    shows(&day, 100.0).await;
    line.send(SHUTDOWN);
    let next = day.line(1, 1).await;
    assert_eq!(next.heard(), [request("SUBSCRIBE", &["btcusdt"], 2)]);
    // The new one was not confirmed yet: the old one still delivers.
    line.send(trade_at(2, "15:01:06", 101.0));
    shows(&day, 101.0).await;
    assert_eq!(day.log.count(OVER), 0);
    // Both say it.
    next.send(trade_at(2, "15:01:06", 101.0));
    line.send(trade_at(3, "15:01:07", 102.0));
    next.send(trade_at(3, "15:01:07", 102.0));
    went_over(&day, 1).await;
    day.pass(seconds(2)).await;
    next.send(trade_at(4, "15:01:08", 103.0));
    shows(&day, 103.0).await;
    day.pass_to(at("2026-11-20T15:01:40Z")).await;
    next.send(trade_at(5, "15:01:39", 104.0));
    day.pass_to(at("2026-11-20T15:02:04Z")).await;
    day.expect_bars("BTC-USDT", &["15:01 100 104 100 104 5 102 5 regular binance live r0 q1 []"]).await;
    check_no_hole(&day).await;
    assert_eq!(day.stream.count(), 2);
    day.stop().await;
}

/// What is put on the list meanwhile is asked for on both.
#[tokio::test]
async fn the_list_can_change_while_a_connection_follows_another() {
    let mut day = Day::start(scene("binance", &["BTC-USDT", "ETH-USDT"], MUTE)).await;
    let line = confirmed_line(&day).await;
    day.pass(seconds(5)).await;
    line.send(SHUTDOWN);
    let next = day.line(1, 1).await;
    let reply = day.ask(Request::AddSymbol("SOL-USDT".parse().unwrap())).await;
    assert_eq!(reply, Reply::Done("SOL-USDT added".to_owned()));
    day.line(0, 2).await;
    assert_eq!(line.heard()[1..], [request("SUBSCRIBE", &["solusdt"], 3)]);
    assert_eq!(next.heard(), [request("SUBSCRIBE", &["btcusdt", "ethusdt"], 2)]);
    next.send(confirmed(2));
    went_over(&day, 1).await;
    day.line(1, 2).await;
    assert_eq!(next.heard()[1..], [request("SUBSCRIBE", &["solusdt"], 4)]);
    day.stop().await;
}

/// A connection that confirms nothing is none, where a confirmation is promised: what delivers is not given up for it.
#[tokio::test]
async fn a_successor_that_is_not_confirmed_leaves_the_old_one_alone() {
    let day = Day::start(scene("binance", &["BTC-USDT"], MUTE)).await;
    let line = confirmed_line(&day).await;
    day.pass(seconds(5)).await;
    line.send(SHUTDOWN);
    day.line(1, 1).await;
    day.pass(seconds(20)).await;
    line.send(trade(1, day.clock.now(), 100.0));
    shows(&day, 100.0).await;
    assert_eq!(day.log.count(OVER), 0);
    check_no_hole(&day).await;
    let heard = |day: &Day| (day.stream.count() > 2).then(|| day.stream.line(2)).filter(|line| !line.heard().is_empty());
    let next = day.until(seconds(40), "the next one", heard).await;
    next.send(confirmed(3));
    went_over(&day, 1).await;
    next.send(trade(2, day.clock.now(), 101.0));
    shows(&day, 101.0).await;
    check_no_hole(&day).await;
    day.stop().await;
}

#[tokio::test]
async fn a_successor_that_cannot_be_opened_leaves_the_old_one_alone() {
    let day = Day::start(scene("binance", &["BTC-USDT"], BINANCE)).await;
    let line = day.line(0, 1).await;
    day.pass_to(at("2026-11-20T15:01:06Z")).await;
    line.send(trade_at(1, "15:01:05", 100.0));
    day.stream.refuse(2, &Answer::status(503, ""));
    line.send(SHUTDOWN);
    let refused = |day: &Day| (day.log.count("another connection could not be opened yet") == 1).then_some(());
    day.until(seconds(5), "the refusal", refused).await;
    line.send(trade_at(2, "15:01:07", 101.0));
    shows(&day, 101.0).await;
    day.pass_to(at("2026-11-20T15:01:50Z")).await;
    line.send(trade_at(3, "15:01:49", 102.0));
    shows(&day, 102.0).await;
    assert_eq!((day.stream.count(), day.stream.knocks().len()), (1, 3));
    day.pass_to(at("2026-11-20T15:02:00Z")).await;
    let next = day.until(seconds(30), "the next one", |day| (day.stream.count() == 2).then(|| day.stream.line(1))).await;
    went_over(&day, 1).await;
    let waits = waits(&day.stream.knocks());
    assert!(waits[1..].iter().all(|wait| (30.0..34.0).contains(wait)), "{waits:?}");
    next.send(trade(4, day.clock.now(), 103.0));
    shows(&day, 103.0).await;
    day.expect_bars("BTC-USDT", &["15:01 100 102 100 102 3 101 3 regular binance live r0 q1 []"]).await;
    check_no_hole(&day).await;
    day.stop().await;
}

/// Then it is a connection that was lost like any other.
#[tokio::test]
async fn an_old_one_that_goes_before_the_new_one_stands_leaves_a_hole() {
    let day = Day::start(scene("binance", &["BTC-USDT"], BINANCE)).await;
    let line = day.line(0, 1).await;
    day.pass_to(at("2026-11-20T15:01:06Z")).await;
    day.stream.refuse(1, &Answer::Hang);
    line.send(SHUTDOWN);
    day.until(seconds(5), "the next handshake", |day| (day.stream.knocks().len() == 2).then_some(())).await;
    let dropped = day.clock.now();
    line.close(1001, "bye");
    let dead = day.state(seconds(3), FeedState::Dead).await;
    assert_eq!(dead.error.as_deref(), Some("the source closed the socket (1001 bye)"));
    let again = day.line(1, 1).await;
    assert_eq!(again.heard().len(), 1);
    let holes = day.coverage("BTC-USDT", 1).await;
    assert_eq!((holes.len(), holes[0].state), (1, CoverageState::Failed), "{holes:?}");
    // A pong may still come before the goodbye does.
    assert!(holes[0].from <= dropped + seconds(1) && again.opened <= holes[0].to, "{holes:?}");
    let live = day.state(seconds(5), FeedState::Live).await;
    assert_eq!(live.reconnects, 1);
    day.pass(seconds(20)).await;
    assert_eq!((day.stream.count(), day.log.count(OVER)), (2, 0), "the one that was waited for is forgotten");
    day.stop().await;
}

/// Binance ends each connection after 24 hours.
#[tokio::test]
async fn a_connection_is_replaced_before_it_ends() {
    const LIFE: f64 = 86_400.0;
    const NEAR: &str = "the connection is near the end of its life: opening another connection";
    let day = Day::start(scene("binance", &["BTC-USDT"], BINANCE)).await;
    let line = day.line(0, 1).await;
    let mut id = 0_u32;
    // A trade in each stride: none is so long that the socket would count as dead.
    while day.log.count(NEAR) == 0 {
        day.clock.advance(seconds(45));
        id += 1;
        line.send(trade(u64::from(id), day.clock.now(), 100.0 + f64::from(id % 50)));
        shows(&day, 100.0 + f64::from(id % 50)).await;
        assert!(day.clock.now().seconds_since(line.opened) < LIFE, "no other connection by {}", day.clock.now());
    }
    let next = day.line(1, 1).await;
    went_over(&day, 1).await;
    let age = next.opened.seconds_since(line.opened);
    assert!((LIFE - 1_260.0..LIFE - 540.0).contains(&age), "{age}");
    assert_eq!(day.log.count(NEAR), 1);
    next.send(trade(u64::from(id) + 1, day.clock.now(), 200.0));
    shows(&day, 200.0).await;
    day.pass(Duration::from_secs(5)).await;
    check_no_hole(&day).await;
    assert_eq!(day.stream.count(), 2);
    day.stop().await;
}
