//! Whole days with a made-up Kraken: the frames and rows that it sends, and what the store has in the end.

use std::time::Duration;

use openbell::market::{Delay, Timestamp};
use openbell::quality::CoverageState;
use openbell::request::{Reply, Request};
use openbell::snapshot::{FeedState, JobState, Standing};

use crate::server::{Answer, Asked, Day, Manners, Scene, at, in_order, seconds, waits};

const FROM: &str = "2026-11-20T15:00:50Z";
const MANNERS: Manners = Manners { answer: acknowledge, beat: Some(heartbeat), greet: None };
const UNKNOWN_PAIR: &str = r#"{"error":["EQuery:Unknown asset pair"]}"#;

fn acknowledge(_: &str) -> Option<String> {
    Some(r#"{"method":"subscribe","result":{"channel":"ticker","snapshot":true,"symbol":"BTC/USD"},"success":true}"#.to_owned())
}

fn heartbeat(_: Timestamp) -> String {
    r#"{"channel":"heartbeat"}"#.to_owned()
}

/// The frames that ask for these pairs.
fn subscribe(pairs: &str) -> [String; 3] {
    let frame = |channel: &str, rest: &str| {
        format!(r#"{{"method":"subscribe","params":{{"channel":"{channel}","symbol":[{pairs}],"snapshot":{rest}}}}}"#)
    };
    [frame("ticker", "true"), frame("trade", "true"), frame("ohlc", r#"false,"interval":1"#)]
}

fn unsubscribe(pairs: &str) -> [String; 3] {
    [("ticker", ""), ("trade", ""), ("ohlc", r#","interval":1"#)]
        .map(|(channel, rest)| format!(r#"{{"method":"unsubscribe","params":{{"channel":"{channel}","symbol":[{pairs}]{rest}}}}}"#))
}

/// A row of trades at a time of the day, such as `15:01:05.25`.
fn row(pair: &str, id: u64, time: &str, price: &str, size: &str) -> String {
    format!(
        r#"{{"symbol":"{pair}","side":"buy","price":{price},"qty":{size},"ord_type":"limit","trade_id":{id},"timestamp":"2026-11-20T{time}Z"}}"#
    )
}

fn trades(kind: &str, rows: &[String]) -> String {
    format!(r#"{{"channel":"trade","type":"{kind}","data":[{}]}}"#, rows.join(","))
}

fn trade(pair: &str, id: u64, time: &str, price: &str, size: &str) -> String {
    trades("update", &[row(pair, id, time, price, size)])
}

fn ticker(time: &str, last: &str) -> String {
    format!(
        r#"{{"channel":"ticker","type":"snapshot","data":[{{"symbol":"BTC/USD","bid":96.75,"bid_qty":0.12,"ask":97.25,"ask_qty":1.50,"last":{last},"volume":1234.5,"vwap":95.1,"low":85.0,"high":110.0,"change":6.9,"change_pct":7.6,"timestamp":"2026-11-20T{time}Z"}}]}}"#
    )
}

/// One look at a pair; there are no candles.
fn looks(asked: &Asked) -> Answer {
    match asked.path.as_str() {
        "/0/public/Ticker" => Answer::json(
            r#"{"error":[],"result":{"XXBTZUSD":{"a":["95.5","1","1.0"],"b":["94.5","1","1.0"],"c":["95.0","1"],"v":["1","1234.5"],"l":["90","85"],"h":["100","110"],"o":"91"}}}"#,
        ),
        _ => Answer::json(ohlc(&[])),
    }
}

/// No look is answered: then the socket is all there is.
fn nothing(asked: &Asked) -> Answer {
    if asked.path.ends_with("/OHLC") { Answer::json(ohlc(&[])) } else { Answer::json(UNKNOWN_PAIR) }
}

/// A row of candles: high, low and close are counted from the open.
fn candle(time: &str, open: f64) -> String {
    let (high, low, close, vwap) = (open + 1.0, open - 1.0, open + 0.5, open + 0.25);
    format!(r#"[{},"{open}","{high}","{low}","{close}","{vwap}","3.00000000",7]"#, at(time).as_seconds())
}

fn ohlc(rows: &[String]) -> String {
    format!(r#"{{"error":[],"result":{{"XXBTZUSD":[{}],"last":1795186800}}}}"#, rows.join(","))
}

fn scene<A: Fn(&Asked) -> Answer + Send + Sync + 'static>(symbols: &'static [&'static str], rest: A) -> Scene<A> {
    Scene { provider: "kraken", from: FROM, symbols, config: "", manners: MANNERS, refusals: Vec::new(), rest }
}

async fn day(symbols: &'static [&'static str]) -> Day {
    Day::start(scene(symbols, nothing)).await
}

#[tokio::test]
async fn trades_become_the_minutes_they_were_made_in() {
    let day = day(&["BTC-USD@kraken", "ETH-USD"]).await;
    let line = day.line(0, 3).await;
    assert_eq!(line.heard(), subscribe(r#""BTC/USD","ETH/USD""#));
    line.send(r#"{"channel":"status","type":"update","data":[{"system":"online","api_version":"v2","connection_id":1,"version":"2.0"}]}"#);
    // Trades of hours ago are where the ids start; the minute that was joined late is partial.
    let before = [row("BTC/USD", 998, "12:00:01", "40", "9"), row("BTC/USD", 999, "14:00:49", "50", "9")];
    line.send(trades("snapshot", &[before[0].clone(), before[1].clone(), row("BTC/USD", 1_000, "15:00:45", "96", "1")]));
    line.send(ticker("15:00:54", "96.9"));
    line.send(trade("BTC/USD", 1_001, "15:00:55", "97", "1"));
    day.pass_to(at("2026-11-20T15:01:06Z")).await;
    let third = row("BTC/USD", 1_003, "15:01:10", "101.5", "0.25");
    for frame in [
        // The newest first within a message, one of them twice, and one that is told again.
        trades("update", &[third.clone(), third.clone(), row("BTC/USD", 1_002, "15:01:01", "100", "0.5")]),
        trades("update", &[third]),
        // Out of order, within the minute.
        trade("BTC/USD", 1_004, "15:01:05", "102", "0.125"),
        trade("BTC/USD", 1_005, "15:01:30", "99", "1"),
        trade("ETH/USD", 7, "15:01:20", "3000.50", "1.5"),
    ] {
        line.send(frame);
    }
    day.pass_to(at("2026-11-20T15:02:03.5Z")).await;
    let joined = "15:00 96 97 96 97 2 96.5 2 regular kraken live r0 q1 [partial]";
    let first = "15:01 100 102 99 99 1.875 99.8 4 regular kraken live r0 q1 []";
    day.expect_bars("BTC-USD@kraken", &[joined, first]).await;
    day.pass_to(at("2026-11-20T15:02:31Z")).await;
    for frame in [
        trade("BTC/USD", 1_006, "15:02:00", "99.5", "2"),
        // Late: it reopens a minute that was sealed.
        trade("BTC/USD", 1_007, "15:01:59.5", "103", "0.125"),
        trade("BTC/USD", 1_008, "15:02:59.999999", "98.25", "0.5"),
    ] {
        line.send(frame);
    }
    day.pass_to(at("2026-11-20T15:03:04Z")).await;
    let reopened = "15:01 100 103 99 103 2 100 5 regular kraken live r1 q1 []";
    let second = "15:02 99.5 99.5 98.25 98.25 2.5 99.25 2 regular kraken live r0 q1 []";
    day.expect_bars("BTC-USD@kraken", &[joined, reopened, second]).await;
    day.expect_bars("ETH-USD", &["15:01 3000.5 3000.5 3000.5 3000.5 1.5 3000.5 1 regular kraken live r0 q1 []"]).await;
    check_row(&day);
    assert!(day.quarantine().await.is_empty());
    assert!(day.coverage("BTC-USD@kraken", 0).await.is_empty(), "no trade was lost and nothing was missed");
    // What forms when the program ends is kept as partial.
    line.send(trade("BTC/USD", 1_009, "15:03:01", "98", "1"));
    day.until(seconds(5), "the last trade", |day| day.row("BTC-USD@kraken").last.filter(|last| last.value == 98.0)).await;
    let ended = day.stop().await;
    assert_eq!(ended.last_bar("BTC-USD@kraken").await, "15:03 98 98 98 98 1 98 1 regular kraken live r0 q1 [partial]");
}

fn check_row(day: &Day) {
    let row = day.row("BTC-USD@kraken");
    let last = row.last.unwrap();
    assert_eq!((last.value, last.ts_event), (98.25, at("2026-11-20T15:02:59.999999Z")));
    assert_eq!((row.quote.bid, row.quote.bid_size, row.quote.ask, row.quote.ask_size), (Some(96.75), Some(0.12), Some(97.25), Some(1.5)));
    assert_eq!((row.reference, row.change()), (Some(90.0), Some(8.25)));
    assert_eq!((row.volume, row.day_high, row.day_low), (Some(1234.5), Some(110.0), Some(85.0)));
    assert_eq!((row.source.unwrap().as_str(), row.delay), ("kraken", Delay::RealTime));
    assert_eq!(day.standing("BTC-USD@kraken"), Standing::Fresh);
    let feed = day.feed();
    assert_eq!((feed.state, feed.symbols, feed.errors, feed.reconnects, feed.attempt), (FeedState::Live, 2, 0, 0, 0));
    assert_eq!((feed.error, feed.next_try), (None, None));
}

/// A minute of one price, as the source has it so far.
fn ohlc_update(begin: &str, price: &str, volume: &str, count: u64) -> String {
    format!(
        r#"{{"channel":"ohlc","type":"update","data":[{{"symbol":"BTC/USD","open":{price},"high":{price},"low":{price},"close":{price},"trades":{count},"volume":{volume},"vwap":{price},"interval_begin":"2026-11-20T{begin}.000000000Z","interval":1,"timestamp":"2026-11-20T{begin}.000000Z"}}]}}"#
    )
}

/// The source's own candles: they make the minute whole that was joined late and the one that a trade of was lost, and say nothing of others.
#[tokio::test]
async fn candles_of_the_source_stand_before_ours() {
    let day = day(&["BTC-USD"]).await;
    let line = day.line(0, 3).await;
    line.send(trade("BTC/USD", 1_001, "15:00:55", "97", "1"));
    line.send(ohlc_update("15:00:00", "97", "3", 4));
    day.pass_to(at("2026-11-20T15:01:01Z")).await;
    line.send(trade("BTC/USD", 1_002, "15:01:00.5", "98", "2"));
    line.send(ohlc_update("15:01:00", "98", "2", 1));
    let joined = "15:00 97 97 97 97 3 97 4 regular kraken live r0 q1 []";
    day.expect_bars("BTC-USD", &[joined]).await;
    day.pass_to(at("2026-11-20T15:02:30Z")).await;
    let second = "15:01 98 98 98 98 2 98 1 regular kraken live r0 q1 []";
    day.expect_bars("BTC-USD", &[joined, second]).await;
    // A trade is lost on the way; the candle knows it.
    line.send(trade("BTC/USD", 1_004, "15:02:20", "99", "1"));
    line.send(ohlc_update("15:02:00", "99", "5", 2));
    day.pass_to(at("2026-11-20T15:03:10Z")).await;
    line.send(trade("BTC/USD", 1_005, "15:03:08", "100", "1"));
    line.send(ohlc_update("15:03:00", "100", "1", 1));
    let third = "15:02 99 99 99 99 5 99 2 regular kraken live r1 q1 []";
    day.expect_bars("BTC-USD", &[joined, second, third]).await;
    // What was told of a minute before the line is cut is not its last word.
    line.hang_up();
    day.state(seconds(2), FeedState::Dead).await;
    let again = day.line(1, 3).await;
    again.send(trade("BTC/USD", 1_006, "15:04:01", "101", "1"));
    day.pass_to(at("2026-11-20T15:04:10Z")).await;
    again.send(ohlc_update("15:04:00", "101", "1", 1));
    let cut = "15:03 100 100 100 100 1 100 1 regular kraken live r0 q1 [partial]";
    day.expect_bars("BTC-USD", &[joined, second, third, cut]).await;
    assert!(day.quarantine().await.is_empty());
    assert_eq!(day.feed().errors, 1, "the line that was cut");
    day.stop().await;
}

#[tokio::test]
async fn the_list_can_change_while_the_socket_is_open() {
    let mut day = day(&["BTC-USD", "ETH-USD"]).await;
    let line = day.line(0, 3).await;
    let reply = day.ask(Request::RemoveSymbol("ETH-USD".parse().unwrap())).await;
    assert_eq!(reply, Reply::Done("ETH-USD removed; its history stays".to_owned()));
    day.line(0, 6).await;
    let reply = day.ask(Request::AddSymbol("SOL-USD".parse().unwrap())).await;
    assert_eq!(reply, Reply::Done("SOL-USD added".to_owned()));
    day.line(0, 9).await;
    let expected = [unsubscribe(r#""ETH/USD""#), subscribe(r#""SOL/USD""#)].concat();
    assert_eq!(line.heard()[3..], expected);
    line.send(trade("SOL/USD", 1, "15:00:52", "200", "1"));
    let price = |day: &Day| {
        let view = day.view();
        let row = view.instruments.iter().find(|row| row.instrument.symbol.as_str() == "SOL-USD")?;
        row.last.filter(|last| (last.value - 200.0).abs() < 1e-9)
    };
    day.until(seconds(2), "a price of the new symbol", price).await;
    assert_eq!(day.stream.count(), 1);
    day.stop().await;
}

/// What was missed for a moment is told by the snapshot; the minute is asked for again all the same.
#[tokio::test]
async fn a_dropped_connection_comes_back_and_its_gap_is_repaired() {
    let candles = |asked: &Asked| match asked.path.as_str() {
        "/0/public/OHLC" => Answer::json(ohlc(&[candle("2026-11-20T15:01:00Z", 100.0), candle("2026-11-20T15:02:00Z", 7.0)])),
        _ => nothing(asked),
    };
    let mut day = Day::start(scene(&["BTC-USD", "ETH-USD"], candles)).await;
    let line = day.line(0, 3).await;
    day.pass_to(at("2026-11-20T15:01:06Z")).await;
    line.send(trade("BTC/USD", 1, "15:01:05", "100", "1"));
    day.pass_to(at("2026-11-20T15:01:30Z")).await;
    let dropped = day.clock.now();
    line.hang_up();
    let dead = day.state(seconds(2), FeedState::Dead).await;
    assert!(dead.error.as_ref().is_some_and(|error| error.contains("the socket")), "{dead:#?}");
    assert_eq!((dead.attempt, dead.errors), (1, 1));
    assert_eq!(day.standing("BTC-USD"), Standing::Stale);
    let again = day.line(1, 3).await;
    assert_eq!(again.heard(), line.heard(), "everything is subscribed again");
    again.send(trades("snapshot", &[row("BTC/USD", 1, "15:01:05", "100", "1"), row("BTC/USD", 2, "15:01:30.5", "101", "1")]));
    day.pass_to(at("2026-11-20T15:02:11Z")).await;
    again.send(trade("BTC/USD", 3, "15:02:10", "102", "1"));
    day.pass_to(at("2026-11-20T15:03:04Z")).await;
    let whole = "15:02 102 102 102 102 1 102 1 regular kraken live r0 q1 []";
    day.expect_bars("BTC-USD", &["15:01 100 101 100 101 2 100.5 2 regular kraken live r0 q1 [partial]", whole]).await;
    for symbol in ["BTC-USD", "ETH-USD"] {
        let holes = day.coverage(symbol, 1).await;
        assert_eq!(holes.len(), 1, "{holes:?}");
        assert_eq!((holes[0].state, holes[0].source.as_str()), (CoverageState::Failed, "kraken"));
        assert!(dropped.seconds_since(holes[0].from).abs() < 2.0, "{holes:?}");
    }
    // Only the minute that was touched is asked for again, and the source's own bar takes its place.
    let job = day.backfill("BTC-USD", "2026-11-20T15:01:00Z", "2026-11-20T15:03:00Z").await;
    assert_eq!((job.state, job.rows), (JobState::Done, 1), "{job:?}");
    let asked = day.rest.asked_for("/OHLC");
    assert_eq!((asked.len(), asked[0].unix("since")), (1, at("2026-11-20T15:00:59Z")));
    day.expect_bars("BTC-USD", &["15:01 100 101 99 100.5 3 100.25 7 regular kraken backfill r0 q1 []", whole]).await;
    assert_eq!(day.log.count("the feed is back"), 1);
    day.stop().await;
}

/// It was said, and is no price: whoever looks for it finds it with the reason.
#[tokio::test]
async fn a_candle_that_cannot_be_read_is_kept_apart() {
    let candles = |asked: &Asked| {
        let bad = candle("2026-11-20T14:31:00Z", 101.0).replace("\"101\"", "\"cheap\"");
        let rows = [candle("2026-11-20T14:30:00Z", 100.0), bad, candle("2026-11-20T14:32:00Z", 102.0)];
        if asked.path.ends_with("/OHLC") { Answer::json(ohlc(&rows)) } else { nothing(asked) }
    };
    let mut day = Day::start(scene(&["BTC-USD"], candles)).await;
    let job = day.backfill("BTC-USD", "2026-11-20T14:30:00Z", "2026-11-20T14:33:00Z").await;
    assert_eq!((job.state, job.rows), (JobState::Done, 2), "{job:?}");
    let refused = day.quarantine().await;
    assert_eq!(
        refused.iter().map(|row| (row.open_time, row.reasons.join("|"))).collect::<Vec<_>>(),
        [(Some(at("2026-11-20T14:31:00Z")), "price".to_owned())]
    );
    day.stop().await;
}

#[tokio::test]
async fn a_lost_trade_leaves_a_hole() {
    let day = day(&["BTC-USD"]).await;
    let line = day.line(0, 3).await;
    day.pass_to(at("2026-11-20T15:01:06Z")).await;
    // Ids start with the old trades: what follows them at once is no loss, what does not is one.
    line.send(trades("snapshot", &[row("BTC/USD", 8, "13:01:04", "90", "1"), row("BTC/USD", 9, "14:01:04", "90", "1")]));
    line.send(trade("BTC/USD", 10, "15:01:04", "100", "1"));
    day.pass(seconds(3)).await;
    assert!(day.coverage("BTC-USD", 0).await.is_empty());
    line.send(trade("BTC/USD", 13, "15:01:05", "100", "1"));
    let holes = day.coverage("BTC-USD", 1).await;
    assert_eq!(holes.len(), 1, "{holes:?}");
    assert_eq!(holes[0].state, CoverageState::Failed);
    assert!(holes[0].from <= at("2026-11-20T15:01:05Z") && at("2026-11-20T15:01:05Z") <= holes[0].to, "{holes:?}");
    day.stop().await;
}

#[tokio::test]
async fn garbage_is_told_once_and_the_rest_goes_on() {
    let day = day(&["BTC-USD"]).await;
    let line = day.line(0, 3).await;
    for frame in ["}{", "\u{1b}[2J", "[]", r#"{"channel":"a new one","data":{"x":[1]}}"#, r#"{"method":"pong","req_id":1}"#] {
        line.send(frame);
    }
    line.send(trade("BTC/USD", 1, "15:00:52", "100", "1"));
    day.until(seconds(2), "the price after the garbage", |day| day.row("BTC-USD").last.filter(|last| last.value > 99.0)).await;
    day.pass(seconds(5)).await;
    let feed = day.feed();
    // A channel or method that is new is nothing wrong.
    assert_eq!((feed.state, feed.errors, feed.reconnects, day.stream.count()), (FeedState::Live, 3, 0, 1));
    let error = feed.error.unwrap();
    assert!(error.starts_with("a frame makes no sense: ") && !error.contains('\u{1b}'), "{error}");
    assert_eq!(day.log.count("a frame makes no sense"), 1);
    day.pass_to(at("2026-11-20T15:01:03.5Z")).await;
    day.expect_bars("BTC-USD", &["15:00 100 100 100 100 1 100 1 regular kraken live r0 q1 [partial]"]).await;
    day.stop().await;
}

#[tokio::test]
async fn a_price_that_cannot_be_is_kept_apart() {
    let day = day(&["BTC-USD"]).await;
    let line = day.line(0, 3).await;
    day.pass_to(at("2026-11-20T15:01:06Z")).await;
    line.send(trade("BTC/USD", 1, "15:01:01", "100", "1"));
    line.send(trade("BTC/USD", 2, "15:01:02", "-5", "1"));
    line.send(trade("BTC/USD", 3, "15:02:40", "500", "1"));
    day.pass_to(at("2026-11-20T15:02:03.5Z")).await;
    day.expect_bars("BTC-USD", &["15:01 100 100 100 100 1 100 1 regular kraken live r0 q1 []"]).await;
    let reasons: Vec<_> = day.quarantine().await.iter().map(|row| row.reasons.join("|")).collect();
    assert_eq!(reasons, ["price", "future"]);
    day.stop().await;
}

#[tokio::test]
async fn a_socket_without_a_frame_is_dead() {
    let day = day(&["BTC-USD"]).await;
    let line = day.line(0, 3).await;
    day.pass(seconds(5)).await;
    assert_eq!(day.feed().state, FeedState::Live);
    let stalled = day.clock.now();
    line.stall();
    let dead = day.state(seconds(14), FeedState::Dead).await;
    let error = dead.error.unwrap();
    assert!(error.starts_with("no frame for 1"), "{error}");
    assert!(day.clock.now().since(stalled) >= seconds(9), "{}", day.clock.now());
    let again = day.line(1, 3).await;
    assert_eq!(again.heard(), subscribe(r#""BTC/USD""#));
    day.state(seconds(3), FeedState::Live).await;
    day.stop().await;
}

#[tokio::test]
async fn heartbeats_without_trades_are_quiet() {
    let day = day(&["BTC-USD"]).await;
    let line = day.line(0, 3).await;
    line.send(trade("BTC/USD", 1, "15:00:51", "100", "1"));
    day.pass(seconds(50)).await;
    assert_eq!(day.feed().state, FeedState::Live);
    let quiet = day.state(seconds(15), FeedState::Quiet).await;
    assert_eq!((quiet.error, quiet.errors), (None, 0));
    day.pass(seconds(300)).await;
    assert_eq!((day.feed().state, day.stream.count(), day.standing("BTC-USD")), (FeedState::Quiet, 1, Standing::Quiet));
    line.send(trade("BTC/USD", 2, "15:07:00", "100", "1"));
    day.state(seconds(3), FeedState::Live).await;
    day.stop().await;
}

#[tokio::test]
async fn pongs_without_heartbeats_are_silence() {
    let day = day(&["BTC-USD"]).await;
    let line = day.line(0, 3).await;
    day.pass(seconds(2)).await;
    line.hush();
    day.pass(seconds(52)).await;
    assert_eq!(day.feed().state, FeedState::Live);
    let silent = day.state(seconds(15), FeedState::Silent).await;
    assert_eq!(silent.errors, 0);
    day.pass(seconds(110)).await;
    let dead = day.state(seconds(20), FeedState::Dead).await;
    let error = dead.error.unwrap();
    assert!(error.starts_with("no data for 18") && error.ends_with("s while the market trades"), "{error}");
    day.line(1, 3).await;
    day.stop().await;
}

#[tokio::test]
async fn a_pair_that_does_not_exist_spoils_nothing() {
    let answer = |frame: &str| {
        let refusal = r#"{"error":"Currency pair not supported NO/USD\u001b[2J","method":"subscribe","success":false,"symbol":"NO/USD"}"#;
        if frame.contains("NO/USD") { Some(refusal.to_owned()) } else { acknowledge(frame) }
    };
    let manners = Manners { answer, ..MANNERS };
    let day = Day::start(Scene { manners, ..scene(&["NO-USD", "BTC-USD"], nothing) }).await;
    let line = day.line(0, 3).await;
    line.send(acknowledge("").unwrap());
    line.send(trade("BTC/USD", 1, "15:00:52", "100", "1"));
    day.pass(seconds(200)).await;
    let feed = day.feed();
    assert_eq!(feed.error.as_deref(), Some("Currency pair not supported NO/USD[2J"));
    assert_eq!((feed.errors, feed.reconnects), (3, 0), "one for each channel");
    assert!(feed.state.is_healthy(), "{feed:#?}");
    assert_eq!(day.log.count("the source refuses"), 1, "the same words are told once");
    assert_eq!(day.row("BTC-USD").last.unwrap().value.to_string(), "100");
    assert!(day.row("NO-USD").last.is_none());
    // A pair that is not known is not asked for again and again.
    let looked = day.rest.asked_for("/Ticker").into_iter().filter(|asked| asked.value("pair") == "NOUSD").count();
    assert_eq!(looked, 1);
    assert_eq!(day.log.count("not found: kraken ticker of NO/USD: EQuery:Unknown asset pair"), 1);
    day.stop().await;
}

#[tokio::test]
async fn a_closed_house_and_a_limit_are_told() {
    let day = day(&["BTC-USD"]).await;
    let line = day.line(0, 3).await;
    line.send(r#"{"channel":"status","type":"update","data":[{"system":"maintenance"}]}"#);
    let told = "kraken is not open for trading: maintenance";
    day.until(seconds(2), "the status", |day| day.feed().error.filter(|error| error == told)).await;
    line.send(r#"{"Error":"Exceeded msg rate"}"#);
    day.until(seconds(2), "the limit", |day| day.feed().error.filter(|error| error == "Exceeded msg rate")).await;
    assert_eq!((day.feed().errors, day.stream.count()), (2, 1));
    line.close(1001, "CloudFlare WebSocket proxy restarting");
    let dead = day.state(seconds(3), FeedState::Dead).await;
    assert_eq!(dead.error.as_deref(), Some("the source closed the socket (1001 CloudFlare WebSocket proxy restarting)"));
    day.line(1, 3).await;
    day.until(seconds(5), "a line without an error", |day| day.feed().error.is_none().then_some(())).await;
    day.stop().await;
}

#[tokio::test]
async fn a_subscription_that_nobody_confirms_is_tried_again() {
    let manners = Manners { answer: |_| None, beat: None, greet: None };
    let day = Day::start(Scene { manners, ..scene(&["BTC-USD"], nothing) }).await;
    let line = day.line(0, 3).await;
    let dead = day.state(seconds(14), FeedState::Dead).await;
    assert_eq!(dead.error.as_deref(), Some("the subscription was not confirmed"));
    assert!(day.clock.now().since(line.opened) >= seconds(10));
    day.line(1, 3).await;
    day.stop().await;
}

/// Looks at each price stand in for a socket that is down.
#[tokio::test]
async fn a_socket_that_is_down_is_stood_in_for() {
    let refusals = vec![Answer::status(429, "").with("Retry-After", "600")];
    let day = Day::start(Scene { refusals, ..scene(&["BTC-USD"], looks) }).await;
    let feed = day.state(seconds(20), FeedState::Polling).await;
    assert_eq!(feed.error.as_deref(), Some("rate limited by the source, wait 600 s"));
    day.pass(seconds(120)).await;
    assert_eq!((day.feed().state, day.standing("BTC-USD")), (FeedState::Polling, Standing::Fresh));
    let row = day.row("BTC-USD");
    assert_eq!((row.last.unwrap().value, row.quote.bid, row.day_high, row.volume), (95.0, Some(94.5), Some(110.0), Some(1234.5)));
    let looked = day.rest.asked_for("/0/public/Ticker");
    assert!((3..=6).contains(&looked.len()), "{:?}", waits(&looked));
    assert!(looked.iter().all(|asked| asked.value("pair") == "XBTUSD"), "{looked:?}");
    day.stop().await;
}

#[tokio::test]
async fn history_is_written_as_the_source_has_it_and_asked_once() {
    let second = |time: &str| at(time).as_seconds();
    // With the row before the page, the one at its end, a doubled one, one with a hole, two silent minutes, and one that forms.
    let rows = [
        candle("2026-11-20T09:59:00Z", 999.0),
        candle("2026-11-20T10:00:00Z", 100.0),
        candle("2026-11-20T10:01:00Z", 101.0),
        candle("2026-11-20T10:02:00Z", 102.0),
        format!(r#"[{},"1",null,"1","1","1","3",1]"#, second("2026-11-20T10:03:00Z")),
        // High below open: refused.
        format!(r#"[{},"104","103.5","103","104.5","104","3",1]"#, second("2026-11-20T10:04:00Z")),
        candle("2026-11-20T10:05:00Z", 105.0),
        candle("2026-11-20T10:05:00Z", 105.0),
        candle("2026-11-20T10:06:00Z", 106.0),
        format!(r#"[{},"106.5","106.5","106.5","106.5","0.0","0.00000000",0]"#, second("2026-11-20T10:07:00Z")),
        candle("2026-11-20T10:08:00Z", 108.0),
        candle("2026-11-20T10:09:00Z", 109.0),
        candle("2026-11-20T10:10:00Z", 999.0),
        candle("2026-11-20T15:00:00Z", 999.0),
    ];
    let body = ohlc(&rows);
    let rest = move |asked: &Asked| if asked.path.ends_with("/OHLC") { Answer::json(body.clone()) } else { looks(asked) };
    let mut day = Day::start(scene(&["BTC-USD"], rest)).await;
    let (from, to) = ("2026-11-20T10:00:00Z", "2026-11-20T10:10:00Z");
    let job = day.backfill("BTC-USD", from, to).await;
    assert_eq!((job.state, job.rows, job.done, job.total), (JobState::Done, 7, 1, 1), "{job:?}");
    let asked = day.rest.asked_for("/0/public/OHLC");
    assert_eq!((asked.len(), asked[0].value("pair"), asked[0].value("interval")), (1, "XBTUSD", "1"));
    assert_eq!(asked[0].unix("since"), at("2026-11-20T09:59:59Z"));
    let expected = [
        "10:00 100 101 99 100.5 3 100.25 7 regular kraken backfill r0 q1 []",
        "10:01 101 102 100 101.5 3 101.25 7 regular kraken backfill r0 q1 []",
        "10:02 102 103 101 102.5 3 102.25 7 regular kraken backfill r0 q1 []",
        "10:05 105 106 104 105.5 3 105.25 7 regular kraken backfill r0 q1 []",
        "10:06 106 107 105 106.5 3 106.25 7 regular kraken backfill r0 q1 []",
        "10:08 108 109 107 108.5 3 108.25 7 regular kraken backfill r0 q1 []",
        "10:09 109 110 108 109.5 3 109.25 7 regular kraken backfill r0 q1 []",
    ];
    day.expect_bars("BTC-USD", &expected).await;
    let covered: Vec<_> = day.coverage("BTC-USD", 3).await.into_iter().map(|c| (c.from, c.to, c.state)).collect();
    let empty = |from: &str, to: &str| (at(from), at(to), CoverageState::EmptySaidSource);
    let whole = (at(from), at(to), CoverageState::Present);
    let silent = [empty("2026-11-20T10:03:00Z", "2026-11-20T10:04:00Z"), empty("2026-11-20T10:07:00Z", "2026-11-20T10:08:00Z")];
    assert_eq!(covered, [vec![whole], silent.to_vec()].concat());
    let reasons: Vec<_> = day.quarantine().await.iter().map(|row| (row.reasons.join("|"), row.open_time)).collect();
    assert_eq!(reasons, [("high_below_body".to_owned(), Some(at("2026-11-20T10:04:00Z")))]);
    // What is there, and what the source said it has not, is not asked for again.
    let job = day.backfill("BTC-USD", "2026-11-20T10:05:00Z", to).await;
    assert_eq!((job.state, job.rows, job.total), (JobState::Done, 0, 0), "{job:?}");
    assert_eq!(day.rest.asked_for("/OHLC").len(), 1);
    day.expect_bars("BTC-USD", &expected).await;
    day.stop().await;
}

#[tokio::test]
async fn a_backfill_outlives_a_busy_source() {
    let answers = vec![
        Answer::json(r#"{"error":["EAPI:Rate limit exceeded"]}"#),
        Answer::status(429, "").with("Retry-After", "30"),
        Answer::json(r#"{"error":["EService:Busy"]}"#),
        Answer::json(ohlc(&[candle("2026-11-20T10:00:00Z", 100.0)])),
    ];
    let busy = in_order(answers);
    let rest = move |asked: &Asked| if asked.path.ends_with("/OHLC") { busy(asked) } else { nothing(asked) };
    let mut day = Day::start(scene(&["BTC-USD"], rest)).await;
    let job = day.backfill("BTC-USD", "2026-11-20T10:00:00Z", "2026-11-20T10:01:00Z").await;
    assert_eq!((job.state, job.rows), (JobState::Done, 1), "{job:?}");
    let waits = waits(&day.rest.asked_for("/OHLC"));
    assert_eq!(waits.len(), 3);
    assert!(waits[0] >= 5.0 && waits[1] >= 30.0 && waits[2] >= 2.0, "{waits:?}");
    day.expect_bars("BTC-USD", &["10:00 100 101 99 100.5 3 100.25 7 regular kraken backfill r0 q1 []"]).await;
    day.stop().await;
}

#[tokio::test]
async fn pages_in_the_place_of_answers_are_not_answers() {
    let answers = vec![
        Answer::status(520, "<html>"),
        Answer::json("<html>"),
        Answer::Truncated("{\"error\":[".to_owned()),
        Answer::json(ohlc(&[candle("2026-11-20T10:00:00Z", 100.0)])),
    ];
    let broken = in_order(answers);
    let rest = move |asked: &Asked| if asked.path.ends_with("/OHLC") { broken(asked) } else { nothing(asked) };
    let mut day = Day::start(scene(&["BTC-USD"], rest)).await;
    let job = day.backfill("BTC-USD", "2026-11-20T10:00:00Z", "2026-11-20T10:01:00Z").await;
    assert_eq!((job.state, job.rows), (JobState::Done, 1), "{job:?}");
    assert_eq!(day.rest.asked_for("/OHLC").len(), 4);
    day.stop().await;
}

#[tokio::test]
async fn a_limit_that_stays_and_a_range_out_of_reach_end_a_backfill() {
    let limit = |asked: &Asked| match asked.path.as_str() {
        "/0/public/OHLC" => Answer::json(r#"{"error":["EAPI:Rate limit exceeded"]}"#),
        _ => nothing(asked),
    };
    let mut day = Day::start(scene(&["BTC-USD"], limit)).await;
    let job = day.backfill("BTC-USD", "2026-11-20T10:00:00Z", "2026-11-20T10:01:00Z").await;
    assert_eq!((job.state, day.rest.asked_for("/OHLC").len()), (JobState::Failed, 4), "{job:?}");
    assert!(job.note.contains("rate limited by the source"), "{}", job.note);
    let waits = waits(&day.rest.asked_for("/OHLC"));
    assert!(waits.iter().all(|wait| *wait >= 5.0), "{waits:?}");
    // 720 minutes are kept, whatever is asked for.
    let job = day.backfill("BTC-USD", "2026-11-19T10:00:00Z", "2026-11-19T11:00:00Z").await;
    assert_eq!(job.state, JobState::Failed, "{job:?}");
    assert!(job.note.contains("kraken does not keep 1m bars that old"), "{}", job.note);
    assert_eq!(day.rest.asked_for("/OHLC").len(), 4, "what is out of reach is not asked for");
    day.stop().await;
}

#[tokio::test]
async fn a_pair_without_candles_fails_with_the_words_of_the_source() {
    let mut day = Day::start(scene(&["BTC-USD"], |_: &Asked| Answer::json(UNKNOWN_PAIR))).await;
    let job = day.backfill("BTC-USD", "2026-11-20T10:00:00Z", "2026-11-20T10:01:00Z").await;
    assert_eq!((job.state, day.rest.asked_for("/OHLC").len()), (JobState::Failed, 1), "{job:?}");
    assert!(job.note.contains("not found: kraken candles of BTC/USD: EQuery:Unknown asset pair"), "{}", job.note);
    day.pass(Duration::from_secs(1)).await;
    day.stop().await;
}
