//! Whole days with a made-up Coinbase: the frames and rows that it sends, and what the store has in the end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use openbell::market::{Delay, Timestamp};
use openbell::quality::CoverageState;
use openbell::request::{Reply, Request};
use openbell::snapshot::{FeedState, JobState, Standing};

use crate::server::{Answer, Asked, Day, Manners, Scene, at, in_order, seconds, waits};

const FROM: &str = "2026-11-20T15:00:50Z";
const MANNERS: Manners = Manners { answer: acknowledge, beat: Some(heartbeat), greet: None };

fn acknowledge(_: &str) -> Option<String> {
    Some(r#"{"type":"subscriptions","channels":[{"name":"ticker","product_ids":["BTC-USD"]}]}"#.to_owned())
}

fn heartbeat(now: Timestamp) -> String {
    format!(r#"{{"type":"heartbeat","sequence":90,"last_trade_id":0,"product_id":"BTC-USD","time":"{now}"}}"#)
}

fn subscribe(kind: &str, product: &str) -> String {
    format!(r#"{{"type":"{kind}","product_ids":["{product}"],"channels":["ticker","matches","heartbeat"]}}"#)
}

/// A trade at a time of the day, such as `15:01:05.25`.
fn trade(product: &str, id: u64, time: &str, price: &str, size: &str) -> String {
    format!(
        r#"{{"type":"match","trade_id":{id},"maker_order_id":"a","taker_order_id":"b","side":"sell","size":"{size}","price":"{price}","product_id":"{product}","sequence":{id},"time":"2026-11-20T{time}Z"}}"#
    )
}

fn ticker(time: &str, price: &str) -> String {
    format!(
        r#"{{"type":"ticker","sequence":1,"product_id":"BTC-USD","price":"{price}","open_24h":"90","volume_24h":"1234.5","low_24h":"85","high_24h":"110","volume_30d":"1","best_bid":"96.75","best_bid_size":"0.12","best_ask":"97.25","best_ask_size":"1.5","side":"buy","time":"2026-11-20T{time}Z","trade_id":1,"last_size":"1"}}"#
    )
}

/// One look at a product, before the day begins; there are no candles.
fn looks(asked: &Asked) -> Answer {
    match asked.path.rsplit('/').next() {
        Some("ticker") => Answer::json(
            r#"{"price":"95","bid":"94.5","ask":"95.5","volume":"1234.5","time":"2026-11-20T15:00:40Z","trade_id":1,"size":"1"}"#,
        ),
        Some("stats") => Answer::json(r#"{"open":"90","high":"110","low":"85","last":"95","volume":"1234.5"}"#),
        _ => Answer::json("[]"),
    }
}

/// No look is answered: then the socket is all there is.
fn nothing(asked: &Asked) -> Answer {
    if asked.path.ends_with("/candles") { Answer::json("[]") } else { Answer::status(404, r#"{"message":"NotFound"}"#) }
}

fn scene<A: Fn(&Asked) -> Answer + Send + Sync + 'static>(symbols: &'static [&'static str], rest: A) -> Scene<A> {
    Scene { provider: "coinbase", from: FROM, symbols, config: "", manners: MANNERS, refusals: Vec::new(), rest }
}

async fn day(symbols: &'static [&'static str]) -> Day {
    Day::start(scene(symbols, nothing)).await
}

#[tokio::test]
async fn trades_become_the_minutes_they_were_made_in() {
    let day = Day::start(scene(&["BTC-USD", "ETH-USD"], looks)).await;
    let line = day.line(0, 2).await;
    assert_eq!(line.heard(), [subscribe("subscribe", "BTC-USD"), subscribe("subscribe", "ETH-USD")]);
    // Where the ids start is no trade; the minute that was joined late is partial.
    line.send(trade("BTC-USD", 1_000, "15:00:49", "50", "9").replace("match", "last_match"));
    line.send(ticker("15:00:54", "96.9"));
    line.send(trade("BTC-USD", 1_001, "15:00:55", "97", "1"));
    day.pass_to(at("2026-11-20T15:01:06Z")).await;
    let second = trade("BTC-USD", 1_003, "15:01:10", "101.5", "0.25");
    for frame in [
        trade("BTC-USD", 1_002, "15:01:01", "100", "0.5"),
        second.clone(),
        second,
        // Out of order, within the minute.
        trade("BTC-USD", 1_004, "15:01:05", "102", "0.125"),
        trade("BTC-USD", 1_005, "15:01:30", "99", "1"),
        trade("ETH-USD", 7, "15:01:20", "3000.5", "1.5"),
    ] {
        line.send(frame);
    }
    day.pass_to(at("2026-11-20T15:02:03.5Z")).await;
    let joined = "15:00 97 97 97 97 1 97 1 regular coinbase live r0 q1 [partial]";
    let first = "15:01 100 102 99 99 1.875 99.8 4 regular coinbase live r0 q1 []";
    day.expect_bars("BTC-USD", &[joined, first]).await;
    day.pass_to(at("2026-11-20T15:02:31Z")).await;
    for frame in [
        trade("BTC-USD", 1_006, "15:02:00", "99.5", "2"),
        // Late: it reopens a minute that was sealed.
        trade("BTC-USD", 1_007, "15:01:59.5", "103", "0.125"),
        trade("BTC-USD", 1_008, "15:02:59.999999", "98.25", "0.5"),
    ] {
        line.send(frame);
    }
    day.pass_to(at("2026-11-20T15:03:04Z")).await;
    let reopened = "15:01 100 103 99 103 2 100 5 regular coinbase live r1 q1 []";
    let second = "15:02 99.5 99.5 98.25 98.25 2.5 99.25 2 regular coinbase live r0 q1 []";
    day.expect_bars("BTC-USD", &[joined, reopened, second]).await;
    day.expect_bars("ETH-USD", &["15:01 3000.5 3000.5 3000.5 3000.5 1.5 3000.5 1 regular coinbase live r0 q1 []"]).await;
    check_row(&day);
    assert!(day.quarantine().await.is_empty());
    assert!(day.coverage("BTC-USD", 0).await.is_empty(), "no trade was lost and nothing was missed");
    // What forms when the program ends is kept as partial.
    line.send(trade("BTC-USD", 1_009, "15:03:01", "98", "1"));
    day.until(seconds(5), "the last trade", |day| day.row("BTC-USD").last.filter(|last| last.value == 98.0)).await;
    let ended = day.stop().await;
    assert_eq!(ended.last_bar("BTC-USD").await, "15:03 98 98 98 98 1 98 1 regular coinbase live r0 q1 [partial]");
}

fn check_row(day: &Day) {
    let row = day.row("BTC-USD");
    let last = row.last.unwrap();
    assert_eq!((last.value, last.ts_event), (98.25, at("2026-11-20T15:02:59.999999Z")));
    assert_eq!((row.quote.bid, row.quote.bid_size, row.quote.ask, row.quote.ask_size), (Some(96.75), Some(0.12), Some(97.25), Some(1.5)));
    assert_eq!((row.reference, row.change()), (Some(90.0), Some(8.25)));
    assert_eq!((row.volume, row.day_high, row.day_low), (Some(1234.5), Some(110.0), Some(85.0)));
    assert_eq!((row.source.unwrap().as_str(), row.delay, row.tick), ("coinbase", Delay::RealTime, -1));
    assert_eq!(day.standing("BTC-USD"), Standing::Fresh);
    let feed = day.feed();
    assert_eq!((feed.state, feed.symbols, feed.errors, feed.reconnects, feed.attempt), (FeedState::Live, 2, 0, 0, 0));
    assert_eq!((feed.error, feed.next_try), (None, None));
}

#[tokio::test]
async fn figures_of_a_feed_are_those_of_its_server() {
    let day = day(&["BTC-USD"]).await;
    let line = day.line(0, 1).await;
    line.hush();
    day.pass_to(at("2026-11-20T15:00:55Z")).await;
    for second in 0..12_u64 {
        for number in 0..5 {
            let time = format!("15:00:{}.5", 52 + second % 3);
            line.send(trade("BTC-USD", 100 + second * 5 + number, &time, "100", "1"));
        }
        for _ in 0..10 {
            day.pass(Duration::from_millis(100)).await;
        }
    }
    let sent = line.sent();
    day.until(seconds(2), "every frame counted", |day| Some(day.feed()).filter(|feed| feed.messages == sent)).await;
    assert!(sent > 60, "{sent}");
    // Every frame is in one of the seconds that are kept, whichever it was received in.
    let feed = day
        .until(seconds(5), "the last second closed", |day| {
            Some(day.feed()).filter(|feed| feed.rate.seconds.iter().map(|count| u64::from(*count)).sum::<u64>() == sent)
        })
        .await;
    let last_ten: u32 = feed.rate.seconds.iter().rev().take(10).sum();
    assert!((feed.rate.per_second() - f64::from(last_ten) / 10.0).abs() < 1e-9, "{:?}", feed.rate);
    // The last trades were five each second up to 15:01:06, of 15:00:54.5.
    let lag = feed.lag.unwrap();
    assert!((11.5..12.5).contains(&lag), "{lag}");
    // Bytes that make no sense are frames and errors too.
    for garbage in ["}{", "<html>", r#"{"type":"match"}"#] {
        line.send(garbage);
    }
    let feed = day.until(seconds(2), "three errors", |day| Some(day.feed()).filter(|feed| feed.errors == 3)).await;
    assert_eq!(feed.messages, sent + 3);
    day.stop().await;
}

#[tokio::test]
async fn the_list_can_change_while_the_socket_is_open() {
    let mut day = day(&["BTC-USD", "ETH-USD"]).await;
    let line = day.line(0, 2).await;
    let reply = day.ask(Request::RemoveSymbol("ETH-USD".parse().unwrap())).await;
    assert_eq!(reply, Reply::Done("ETH-USD removed; its history stays".to_owned()));
    let reply = day.ask(Request::AddSymbol("SOL-USD".parse().unwrap())).await;
    assert_eq!(reply, Reply::Done("SOL-USD added".to_owned()));
    day.line(0, 4).await;
    assert_eq!(line.heard()[2..], [subscribe("unsubscribe", "ETH-USD"), subscribe("subscribe", "SOL-USD")]);
    line.send(trade("SOL-USD", 1, "15:00:52", "200", "1"));
    let price = |day: &Day| {
        let view = day.view();
        let row = view.instruments.iter().find(|row| row.instrument.symbol.as_str() == "SOL-USD")?;
        row.last.filter(|last| (last.value - 200.0).abs() < 1e-9)
    };
    day.until(seconds(2), "a price of the new symbol", price).await;
    day.until(seconds(2), "two symbols on the feed's line", |day| Some(()).filter(|()| day.feed().symbols == 2)).await;
    assert_eq!(day.stream.count(), 1);
    day.stop().await;
}

#[tokio::test]
async fn a_dropped_connection_comes_back_and_its_gap_is_repaired() {
    let candles = |asked: &Asked| match asked.path.rsplit('/').next() {
        Some("candles") => Answer::json(format!("[{},{}]", candle("2026-11-20T15:02:00Z", 7.0), candle("2026-11-20T15:01:00Z", 100.0))),
        _ => nothing(asked),
    };
    let mut day = Day::start(scene(&["BTC-USD", "ETH-USD"], candles)).await;
    let line = day.line(0, 2).await;
    day.pass_to(at("2026-11-20T15:01:06Z")).await;
    line.send(trade("BTC-USD", 1, "15:01:05", "100", "1"));
    day.pass_to(at("2026-11-20T15:01:30Z")).await;
    let dropped = day.clock.now();
    line.hang_up();
    let dead = day.state(seconds(2), FeedState::Dead).await;
    assert!(dead.error.as_ref().is_some_and(|error| error.contains("the socket")), "{dead:#?}");
    assert_eq!((dead.attempt, dead.errors), (1, 1));
    let next = dead.next_try.unwrap();
    assert!(dropped < next && next.since(dropped) < seconds(3), "{next}");
    assert_eq!(day.standing("BTC-USD"), Standing::Stale);
    assert_eq!(day.row("BTC-USD").last.unwrap().value.to_string(), "100", "the last known price stays on screen");
    let again = day.line(1, 2).await;
    assert_eq!(again.heard(), line.heard(), "everything is subscribed again");
    assert!(Duration::from_millis(500) <= again.opened.since(dropped) && again.opened >= next, "not before the next try");
    let back = day.until(seconds(5), "a line without an error", |day| Some(day.feed()).filter(|feed| feed.error.is_none())).await;
    assert_eq!((back.state, back.reconnects, back.next_try), (FeedState::Live, 1, None));
    day.pass_to(at("2026-11-20T15:01:51Z")).await;
    again.send(trade("BTC-USD", 2, "15:01:50", "101", "1"));
    day.pass_to(at("2026-11-20T15:02:11Z")).await;
    again.send(trade("BTC-USD", 3, "15:02:10", "102", "1"));
    day.pass_to(at("2026-11-20T15:03:04Z")).await;
    let whole = "15:02 102 102 102 102 1 102 1 regular coinbase live r0 q1 []";
    day.expect_bars("BTC-USD", &["15:01 100 101 100 101 2 100.5 2 regular coinbase live r0 q1 [partial]", whole]).await;
    for symbol in ["BTC-USD", "ETH-USD"] {
        let holes = day.coverage(symbol, 1).await;
        assert_eq!(holes.len(), 1, "{holes:?}");
        assert_eq!((holes[0].state, holes[0].source.as_str()), (CoverageState::Failed, "coinbase"));
        assert!(holes[0].from <= dropped && dropped.since(holes[0].from) < seconds(2), "{holes:?}");
        assert!(holes[0].to >= again.opened && holes[0].to.since(again.opened) < seconds(2), "{holes:?}");
    }
    // Only the minute that was touched is asked for again, and the source's own bar takes its place.
    let job = day.backfill("BTC-USD", "2026-11-20T15:01:00Z", "2026-11-20T15:03:00Z").await;
    assert_eq!((job.state, job.rows), (JobState::Done, 1), "{job:?}");
    assert_eq!(spans(&day.rest.asked_for("/candles")), [("2026-11-20T15:01:00Z".to_owned(), "2026-11-20T15:02:00Z".to_owned())]);
    day.expect_bars("BTC-USD", &["15:01 100 101 99 100.5 3 - - regular coinbase backfill r0 q1 []", whole]).await;
    let asked: Vec<_> = day.coverage("BTC-USD", 1).await.into_iter().map(|c| (c.from, c.to, c.state)).collect();
    let filled = (at("2026-11-20T15:01:00Z"), at("2026-11-20T15:02:00Z"), CoverageState::Present);
    assert_eq!(asked, [filled], "a hole that was filled is none any more");
    assert_eq!(day.coverage("ETH-USD", 1).await[0].state, CoverageState::Failed, "the other one still is");
    // A minute of health is a fresh start.
    assert_eq!(day.feed().attempt, 0);
    assert_eq!(day.log.count("the feed is back"), 1);
    day.stop().await;
}

/// A bar that was cut by one drop is not made whole by the next one.
#[tokio::test]
async fn a_bar_stays_partial_when_the_feed_drops_again() {
    let day = day(&["BTC-USD"]).await;
    let line = day.line(0, 1).await;
    line.send(trade("BTC-USD", 1, "15:00:55", "100", "1"));
    day.pass_to(at("2026-11-20T15:01:00Z")).await;
    // The last frame is of the next minute, and the feed is back before this one is sealed.
    line.send(heartbeat(day.clock.now()));
    day.pass(Duration::from_millis(100)).await;
    line.hang_up();
    let again = day.line(1, 1).await;
    day.pass_to(at("2026-11-20T15:01:04Z")).await;
    day.expect_bars("BTC-USD", &["15:00 100 100 100 100 1 100 1 regular coinbase live r0 q1 [partial]"]).await;
    assert!(again.opened < at("2026-11-20T15:01:03Z"), "{}", again.opened);
    day.stop().await;
}

#[tokio::test]
async fn a_lost_trade_leaves_a_hole() {
    let day = day(&["BTC-USD"]).await;
    let line = day.line(0, 1).await;
    day.pass_to(at("2026-11-20T15:01:06Z")).await;
    line.send(trade("BTC-USD", 10, "15:01:04", "100", "1"));
    line.send(trade("BTC-USD", 13, "15:01:05", "100", "1"));
    let holes = day.coverage("BTC-USD", 1).await;
    assert_eq!(holes.len(), 1, "{holes:?}");
    assert_eq!(holes[0].state, CoverageState::Failed);
    assert!(holes[0].from <= at("2026-11-20T15:01:05Z") && at("2026-11-20T15:01:05Z") <= holes[0].to, "{holes:?}");
    // A heartbeat that knows of far newer trades shows a loss in silence; one that is a few ahead, or knows nothing, does not.
    let beat = |id: &str| heartbeat(at("2026-11-20T15:01:09Z")).replace(":0,", &format!(":{id},"));
    line.send(beat("0"));
    line.send(beat("14"));
    day.pass(seconds(3)).await;
    assert_eq!(day.coverage("BTC-USD", 1).await.len(), 1);
    line.send(beat("500"));
    assert_eq!(day.coverage("BTC-USD", 2).await.len(), 2);
    day.stop().await;
}

#[tokio::test]
async fn garbage_is_told_once_and_the_rest_goes_on() {
    let day = day(&["BTC-USD"]).await;
    let line = day.line(0, 1).await;
    for frame in ["}{", "\u{1b}[2J", "[]", r#"{"type":"a new one","x":[1]}"#] {
        line.send(frame);
    }
    line.send(trade("BTC-USD", 1, "15:00:52", "100", "1"));
    day.until(seconds(2), "the price after the garbage", |day| day.row("BTC-USD").last.filter(|last| last.value > 99.0)).await;
    day.pass(seconds(5)).await;
    let feed = day.feed();
    // A type that is new is nothing wrong.
    assert_eq!((feed.state, feed.errors, feed.reconnects, day.stream.count()), (FeedState::Live, 3, 0, 1));
    let error = feed.error.unwrap();
    assert!(error.starts_with("a frame makes no sense: ") && !error.contains('\u{1b}'), "{error}");
    assert_eq!(day.log.count("a frame makes no sense"), 1);
    day.pass_to(at("2026-11-20T15:01:03.5Z")).await;
    day.expect_bars("BTC-USD", &["15:00 100 100 100 100 1 100 1 regular coinbase live r0 q1 [partial]"]).await;
    day.stop().await;
}

#[tokio::test]
async fn a_price_that_cannot_be_is_kept_apart() {
    let day = day(&["BTC-USD"]).await;
    let line = day.line(0, 1).await;
    day.pass_to(at("2026-11-20T15:01:06Z")).await;
    line.send(trade("BTC-USD", 1, "15:01:01", "100", "1"));
    line.send(trade("BTC-USD", 2, "15:01:02", "-5", "1"));
    line.send(trade("BTC-USD", 3, "15:01:03", "0", "1"));
    line.send(trade("BTC-USD", 4, "15:02:40", "500", "1"));
    // A minute ahead is a clock that differs.
    line.send(trade("BTC-USD", 5, "15:01:40", "101", "1"));
    day.pass_to(at("2026-11-20T15:02:03.5Z")).await;
    day.expect_bars("BTC-USD", &["15:01 100 101 100 101 2 100.5 2 regular coinbase live r0 q1 []"]).await;
    let refused = day.quarantine().await;
    let reasons: Vec<_> = refused.iter().map(|row| (row.reasons.join("|"), row.source.as_str().to_owned())).collect();
    assert_eq!(reasons, ["price", "price", "future"].map(|reason| (reason.to_owned(), "coinbase".to_owned())));
    for (row, price) in refused.iter().zip(["-5", "0", "500"]) {
        assert!(row.payload.contains(price), "{row:?}");
        assert!(serde_json::from_str::<serde_json::Value>(&row.payload).is_ok_and(|said| said.is_object()), "{row:?}");
    }
    assert_eq!(day.row("BTC-USD").last.unwrap().value.to_string(), "101");
    day.pass_to(at("2026-11-20T15:03:44Z")).await;
    assert_eq!(day.bars("BTC-USD").await.len(), 1, "the future never came");
    day.stop().await;
}

#[tokio::test]
async fn a_socket_without_a_frame_is_dead() {
    let day = day(&["BTC-USD"]).await;
    let line = day.line(0, 1).await;
    day.pass(seconds(5)).await;
    assert_eq!(day.feed().state, FeedState::Live);
    let stalled = day.clock.now();
    line.stall();
    let dead = day.state(seconds(14), FeedState::Dead).await;
    let error = dead.error.unwrap();
    assert!(error.starts_with("no frame for 1"), "{error}");
    assert!(day.clock.now().since(stalled) >= seconds(9), "{}", day.clock.now());
    let again = day.line(1, 1).await;
    assert_eq!(again.heard(), [subscribe("subscribe", "BTC-USD")]);
    day.state(seconds(3), FeedState::Live).await;
    day.stop().await;
}

#[tokio::test]
async fn heartbeats_without_trades_are_quiet() {
    let day = day(&["BTC-USD"]).await;
    let line = day.line(0, 1).await;
    line.send(trade("BTC-USD", 1, "15:00:51", "100", "1"));
    day.pass(seconds(50)).await;
    assert_eq!(day.feed().state, FeedState::Live);
    let quiet = day.state(seconds(15), FeedState::Quiet).await;
    assert_eq!((quiet.error, quiet.errors), (None, 0));
    day.pass(seconds(300)).await;
    assert_eq!((day.feed().state, day.stream.count(), day.standing("BTC-USD")), (FeedState::Quiet, 1, Standing::Quiet));
    line.send(trade("BTC-USD", 2, "15:07:00", "100", "1"));
    day.state(seconds(3), FeedState::Live).await;
    day.stop().await;
}

#[tokio::test]
async fn pongs_alone_are_silence_while_the_venue_trades() {
    let day = day(&["BTC-USD"]).await;
    let line = day.line(0, 1).await;
    day.pass(seconds(2)).await;
    line.hush();
    day.pass(seconds(52)).await;
    assert_eq!(day.feed().state, FeedState::Live);
    let silent = day.state(seconds(15), FeedState::Silent).await;
    assert_eq!(silent.errors, 0);
    day.pass(seconds(110)).await;
    assert_eq!(day.feed().state, FeedState::Silent);
    let dead = day.state(seconds(20), FeedState::Dead).await;
    let error = dead.error.unwrap();
    assert!(error.starts_with("no data for 18") && error.ends_with("s while the market trades"), "{error}");
    day.line(1, 1).await;
    day.stop().await;
}

#[tokio::test]
async fn a_product_that_does_not_exist_spoils_nothing() {
    let answer = |frame: &str| {
        let refusal = r#"{"type":"error","message":"Failed to subscribe","reason":"NO-USD is not a valid product\u001b[2J"}"#;
        if frame.contains("NO-USD") { Some(refusal.to_owned()) } else { acknowledge(frame) }
    };
    let rest = |asked: &Asked| if asked.path.contains("NO-USD") { Answer::status(404, r#"{"message":"NotFound"}"#) } else { looks(asked) };
    let manners = Manners { answer, ..MANNERS };
    let day = Day::start(Scene { manners, ..scene(&["NO-USD", "BTC-USD"], rest) }).await;
    let line = day.line(0, 2).await;
    line.send(trade("BTC-USD", 1, "15:00:52", "100", "1"));
    line.send(answer("NO-USD").unwrap());
    day.pass(seconds(200)).await;
    let feed = day.feed();
    assert_eq!(feed.error.as_deref(), Some("Failed to subscribe: NO-USD is not a valid product[2J"));
    assert_eq!((feed.errors, feed.reconnects), (2, 0));
    assert!(feed.state.is_healthy(), "{feed:#?}");
    assert_eq!(day.log.count("the source refuses"), 1, "the same words are told once");
    assert_eq!(day.row("BTC-USD").last.unwrap().value.to_string(), "100");
    assert!(day.row("NO-USD").last.is_none());
    // A symbol that is not known is not asked for again and again.
    assert_eq!(day.rest.asked_for("/NO-USD/ticker").len(), 1);
    assert_eq!(day.log.count("not found: coinbase ticker of NO-USD: 404: NotFound"), 1);
    day.stop().await;
}

#[tokio::test]
async fn a_subscription_that_nobody_confirms_is_tried_again() {
    let manners = Manners { answer: |_| None, beat: None, greet: None };
    let day = Day::start(Scene { manners, ..scene(&["BTC-USD"], nothing) }).await;
    let line = day.line(0, 1).await;
    let dead = day.state(seconds(9), FeedState::Dead).await;
    assert_eq!(dead.error.as_deref(), Some("the subscription was not confirmed"));
    assert!(day.clock.now().since(line.opened) >= seconds(5));
    day.line(1, 1).await;
    day.stop().await;
}

#[tokio::test]
async fn a_goodbye_is_told_with_its_reason() {
    let day = day(&["BTC-USD"]).await;
    day.line(0, 1).await.close(1001, "restarting\u{1b}[2J");
    let dead = day.state(seconds(3), FeedState::Dead).await;
    assert_eq!(dead.error.as_deref(), Some("the source closed the socket (1001 restarting[2J)"));
    day.line(1, 1).await;
    day.stop().await;
}

async fn refused(refusals: Vec<Answer>) -> Day {
    Day::start(Scene { refusals, ..scene(&["BTC-USD"], nothing) }).await
}

#[tokio::test]
async fn a_handshake_is_tried_again_more_and_more_rarely() {
    let day = refused(vec![Answer::status(503, ""); 5]).await;
    let dead = day.state(seconds(3), FeedState::Dead).await;
    assert_eq!(dead.error.as_deref(), Some("127.0.0.1 answered 503 to the socket"));
    day.until(seconds(60), "a connection", |day| (day.stream.count() > 0).then_some(())).await;
    let waits = waits(&day.stream.knocks());
    assert_eq!(waits.len(), 5, "{waits:?}");
    for (wait, least) in waits.iter().zip([0.5, 1.0, 2.0, 4.0, 8.0]) {
        assert!((least..least * 2.0 + 1.5).contains(wait), "{waits:?}");
    }
    day.until(seconds(5), "a line without an error", |day| day.feed().error.is_none().then_some(())).await;
    assert_eq!((day.feed().errors, day.feed().attempt), (5, 5));
    assert_eq!(day.log.count("answered 503"), 1, "the same words are told once");
    day.stop().await;
}

#[tokio::test]
async fn a_handshake_waits_as_long_as_it_is_told() {
    let day = refused(vec![Answer::status(429, "").with("Retry-After", "40")]).await;
    let dead = day.state(seconds(3), FeedState::Dead).await;
    assert_eq!(dead.error.as_deref(), Some("rate limited by the source, wait 40 s"));
    let knock = day.stream.knocks()[0].at;
    let next = dead.next_try.unwrap().since(knock);
    assert!(seconds(40) <= next && next < seconds(43), "{next:?}");
    day.pass_to(knock + seconds(39)).await;
    assert_eq!(day.stream.knocks().len(), 1);
    day.line(0, 1).await;
    assert!(waits(&day.stream.knocks())[0] >= 40.0);
    day.stop().await;
}

#[tokio::test]
async fn a_handshake_waits_until_the_date_it_is_told() {
    let day = refused(vec![Answer::status(429, "").with("Retry-After", "Fri, 20 Nov 2026 15:01:40 GMT")]).await;
    let until = at("2026-11-20T15:01:40Z");
    day.pass_to(until - seconds(1)).await;
    assert_eq!(day.stream.knocks().len(), 1);
    let line = day.line(0, 1).await;
    assert!(until <= line.opened && line.opened < until + seconds(3), "{}", line.opened);
    day.stop().await;
}

/// Looks at each price stand in for a socket that is down, and the line says so beside what went wrong.
#[tokio::test]
async fn a_socket_that_is_down_is_stood_in_for() {
    let refusals = vec![Answer::status(503, ""); 100];
    let day = Day::start(Scene { refusals, ..scene(&["BTC-USD"], looks) }).await;
    let feed = day.state(seconds(20), FeedState::Polling).await;
    assert_eq!(feed.error.as_deref(), Some("127.0.0.1 answered 503 to the socket"));
    day.pass(seconds(120)).await;
    let feed = day.feed();
    assert_eq!((feed.state, feed.error.is_some(), day.standing("BTC-USD")), (FeedState::Polling, true, Standing::Fresh));
    assert!(feed.next_try.is_some() && feed.attempt > 3, "{feed:#?}");
    let last = day.row("BTC-USD").last.unwrap();
    assert_eq!((last.value, last.ts_event), (95.0, at("2026-11-20T15:00:40Z")));
    let looked = day.rest.asked_for("/ticker");
    assert!((3..=5).contains(&looked.len()), "{:?}", waits(&looked));
    day.stop().await;
}

#[tokio::test]
async fn a_feed_that_may_not_listen_is_off() {
    let day = refused(vec![Answer::status(403, "")]).await;
    let off = day.state(seconds(3), FeedState::Off).await;
    assert_eq!(off.error.as_deref(), Some("not allowed: 127.0.0.1 answered 403 to the socket"));
    assert_eq!((off.next_try, off.attempt), (None, 1));
    day.pass(seconds(300)).await;
    assert_eq!((day.feed().state, day.stream.knocks().len()), (FeedState::Off, 1));
    day.stop().await;
}

/// A row of candles: open, high, low, close and volume are counted from the price.
fn candle(time: &str, price: f64) -> String {
    format!("[{},{},{},{price},{},3]", at(time).as_seconds(), price - 1.0, price + 1.0, price + 0.5)
}

fn spans(asked: &[Asked]) -> Vec<(String, String)> {
    asked.iter().map(|asked| (asked.value("start").to_owned(), asked.value("end").to_owned())).collect()
}

#[tokio::test]
async fn history_is_written_as_the_source_has_it_and_asked_once() {
    // Newest first, with the row before the page, the one at its end, a doubled one, one with a hole, and two silent minutes.
    let rows = [
        candle("2026-11-20T10:10:00Z", 999.0),
        candle("2026-11-20T10:09:00Z", 109.0),
        candle("2026-11-20T10:08:00Z", 108.0),
        candle("2026-11-20T10:06:00Z", 106.0),
        candle("2026-11-20T10:05:00Z", 105.0),
        candle("2026-11-20T10:05:00Z", 105.0),
        // High below open: refused.
        format!("[{},103,103.5,104,104.5,3]", at("2026-11-20T10:04:00Z").as_seconds()),
        format!("[{},1,null,1,1,3]", at("2026-11-20T10:03:00Z").as_seconds()),
        candle("2026-11-20T10:02:00Z", 102.0),
        candle("2026-11-20T10:01:00Z", 101.0),
        candle("2026-11-20T10:00:00Z", 100.0),
        candle("2026-11-20T09:59:00Z", 999.0),
    ];
    let body = format!("[{}]", rows.join(","));
    let rest = move |asked: &Asked| if asked.path.ends_with("/candles") { Answer::json(body.clone()) } else { looks(asked) };
    let mut day = Day::start(scene(&["BTC-USD"], rest)).await;
    let (from, to) = ("2026-11-20T10:00:00Z", "2026-11-20T10:10:00Z");
    let job = day.backfill("BTC-USD", from, to).await;
    assert_eq!((job.state, job.rows, job.done, job.total), (JobState::Done, 7, 1, 1), "{job:?}");
    let asked = day.rest.asked_for("/products/BTC-USD/candles");
    assert_eq!(spans(&asked), [(from.to_owned(), to.to_owned())]);
    assert_eq!(asked[0].value("granularity"), "60");
    assert!(asked[0].header("user-agent").starts_with("openbell/"), "{asked:?}");
    let expected = [
        "10:00 100 101 99 100.5 3 - - regular coinbase backfill r0 q1 []",
        "10:01 101 102 100 101.5 3 - - regular coinbase backfill r0 q1 []",
        "10:02 102 103 101 102.5 3 - - regular coinbase backfill r0 q1 []",
        "10:05 105 106 104 105.5 3 - - regular coinbase backfill r0 q1 []",
        "10:06 106 107 105 106.5 3 - - regular coinbase backfill r0 q1 []",
        "10:08 108 109 107 108.5 3 - - regular coinbase backfill r0 q1 []",
        "10:09 109 110 108 109.5 3 - - regular coinbase backfill r0 q1 []",
    ];
    day.expect_bars("BTC-USD", &expected).await;
    let covered: Vec<_> = day.coverage("BTC-USD", 3).await.into_iter().map(|c| (c.from, c.to, c.state)).collect();
    let empty = |from: &str, to: &str| (at(from), at(to), CoverageState::EmptySaidSource);
    let whole = (at("2026-11-20T10:00:00Z"), at("2026-11-20T10:10:00Z"), CoverageState::Present);
    let silent = [empty("2026-11-20T10:03:00Z", "2026-11-20T10:04:00Z"), empty("2026-11-20T10:07:00Z", "2026-11-20T10:08:00Z")];
    assert_eq!(covered, [vec![whole], silent.to_vec()].concat());
    let refused = day.quarantine().await;
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert_eq!((refused[0].reasons.join("|"), refused[0].open_time), ("high_below_body".to_owned(), Some(at("2026-11-20T10:04:00Z"))));
    // What is there, and what the source said it has not, is not asked for again.
    let job = day.backfill("BTC-USD", "2026-11-20T10:05:00Z", to).await;
    assert_eq!((job.state, job.rows, job.total), (JobState::Done, 0, 0), "{job:?}");
    assert_eq!(day.rest.asked_for("/candles").len(), 1);
    day.expect_bars("BTC-USD", &expected).await;
    day.stop().await;
}

/// What a source has: a bar each minute, but for each seventeenth.
fn has(minute: i64) -> bool {
    minute % 17 != 5
}

/// The candles of a question, as the vendor answers it: both ends count, newest first, 300 at most.
fn candles(asked: &Asked) -> Answer {
    if !asked.path.ends_with("/candles") {
        return looks(asked);
    }
    let minute = |key: &str| at(asked.value(key)).as_seconds() / 60;
    let (first, last) = (minute("start"), minute("end"));
    if last - first >= 300 {
        return Answer::status(400, r#"{"message":"Count of aggregations requested exceeds 300"}"#);
    }
    let rows = (first..=last).rev().filter(|minute| has(*minute));
    let rows: Vec<_> =
        rows.map(|minute| format!("[{},{},{},{},{},2]", minute * 60, 99, 201, 100 + minute % 90, 101 + minute % 90)).collect();
    Answer::json(format!("[{}]", rows.join(",")))
}

const MORNING: (&str, &str) = ("2026-11-20T02:00:00Z", "2026-11-20T13:40:00Z");

/// The stored minutes of a file, by number.
fn stored(file: &std::path::Path) -> BTreeMap<i64, (f64, f64)> {
    let connection = rusqlite::Connection::open(file).unwrap();
    let mut statement =
        connection.prepare("SELECT open_time, open, close FROM bars WHERE interval_s = 60 AND origin = 'backfill'").unwrap();
    let rows = statement.query_map([], |row| Ok((row.get::<_, i64>(0)? / 60_000_000, (row.get(1)?, row.get(2)?)))).unwrap();
    rows.map(Result::unwrap).collect()
}

/// Runs of minutes as the texts of a question: from the first, to the end of the last.
fn runs(minutes: &[i64]) -> Vec<(String, String)> {
    let text = |minute: i64| Timestamp::from_seconds(minute * 60).to_string();
    minutes.chunk_by(|a, b| b - a == 1).map(|run| (text(run[0]), text(run[run.len() - 1] + 1))).collect()
}

#[tokio::test]
async fn only_what_is_missing_is_asked_for_again() {
    let mut day = Day::start(scene(&["BTC-USD"], candles)).await;
    let job = day.backfill("BTC-USD", MORNING.0, MORNING.1).await;
    assert_eq!((job.state, job.done, job.total), (JobState::Done, 3, 3), "{job:?}");
    let pages = [MORNING.0, "2026-11-20T06:59:00Z", "2026-11-20T11:58:00Z", MORNING.1];
    let expected: Vec<_> = pages.windows(2).map(|ends| (ends[0].to_owned(), ends[1].to_owned())).collect();
    assert_eq!(spans(&day.rest.asked_for("/candles")), expected);
    let whole = stored(&day.file);
    let first = at(MORNING.0).as_seconds() / 60;
    assert_eq!(whole.keys().copied().collect::<Vec<_>>(), (first..first + 700).filter(|minute| has(*minute)).collect::<Vec<_>>());
    let seed = fastrand::u64(..);
    let mut random = fastrand::Rng::with_seed(seed);
    for round in 0..3 {
        let asked_before = day.rest.asked_for("/candles").len();
        for _ in 0..3 {
            let from = first + random.i64(1..650);
            let to = from + random.i64(1..40);
            let connection = rusqlite::Connection::open(&day.file).unwrap();
            connection.busy_timeout(seconds(5)).unwrap();
            let range = [from * 60_000_000, to * 60_000_000];
            connection.execute("DELETE FROM bars WHERE open_time >= ?1 AND open_time < ?2", range).unwrap();
        }
        let left = stored(&day.file);
        let missing: Vec<_> = whole.keys().copied().filter(|minute| !left.contains_key(minute)).collect();
        assert!(!missing.is_empty());
        let job = day.backfill("BTC-USD", MORNING.0, MORNING.1).await;
        assert_eq!((job.state, job.rows), (JobState::Done, missing.len() as u64), "seed {seed}, round {round}: {job:?}");
        let asked = spans(&day.rest.asked_for("/candles")[asked_before..]);
        assert_eq!(asked, runs(&missing), "seed {seed}, round {round}");
        assert_eq!(stored(&day.file), whole, "seed {seed}, round {round}");
    }
    day.stop().await;
}

#[tokio::test]
async fn a_backfill_that_failed_goes_on_where_it_stopped() {
    let broken = Arc::new(AtomicBool::new(true));
    let breaks = Arc::clone(&broken);
    let rest = move |asked: &Asked| {
        let second = asked.value("start") == "2026-11-20T06:59:00Z";
        if second && breaks.load(Ordering::Relaxed) { Answer::status(400, r#"{"message":"not today"}"#) } else { candles(asked) }
    };
    let mut day = Day::start(scene(&["BTC-USD"], rest)).await;
    let job = day.backfill("BTC-USD", MORNING.0, MORNING.1).await;
    assert_eq!((job.state, job.done, job.total), (JobState::Failed, 1, 3), "{job:?}");
    assert!(job.note.contains("coinbase candles of BTC-USD: 400: not today"), "{}", job.note);
    assert_eq!(stored(&day.file).len() as u64, job.rows, "what came before is kept");
    let before = day.rest.asked_for("/candles").len();
    assert_eq!(before, 2, "what no retry can change is asked once");
    broken.store(false, Ordering::Relaxed);
    let job = day.backfill("BTC-USD", MORNING.0, MORNING.1).await;
    assert_eq!(job.state, JobState::Done, "{job:?}");
    let asked = spans(&day.rest.asked_for("/candles")[before..]);
    let expected = [("2026-11-20T06:59:00Z", "2026-11-20T11:58:00Z"), ("2026-11-20T11:58:00Z", MORNING.1)];
    assert_eq!(asked, expected.map(|(from, to)| (from.to_owned(), to.to_owned())));
    let first = at(MORNING.0).as_seconds() / 60;
    assert_eq!(stored(&day.file).len(), (first..first + 700).filter(|minute| has(*minute)).count());
    day.stop().await;
}

#[tokio::test]
async fn a_backfill_outlives_a_busy_source() {
    let mut answers = vec![Answer::status(429, "").with("Retry-After", "30"), Answer::status(503, "<html>"), Answer::json("<html>")];
    answers.push(Answer::json(format!("[{}]", candle("2026-11-20T10:00:00Z", 100.0))));
    let busy = in_order(answers);
    let rest = move |asked: &Asked| if asked.path.ends_with("/candles") { busy(asked) } else { looks(asked) };
    let mut day = Day::start(scene(&["BTC-USD"], rest)).await;
    let job = day.backfill("BTC-USD", "2026-11-20T10:00:00Z", "2026-11-20T10:01:00Z").await;
    assert_eq!((job.state, job.rows), (JobState::Done, 1), "{job:?}");
    let waits = waits(&day.rest.asked_for("/candles"));
    assert_eq!(waits.len(), 3);
    assert!(waits[0] >= 30.0, "{waits:?}");
    day.expect_bars("BTC-USD", &["10:00 100 101 99 100.5 3 - - regular coinbase backfill r0 q1 []"]).await;
    day.stop().await;
}
