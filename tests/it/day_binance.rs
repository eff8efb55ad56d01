//! Whole days with a made-up Binance: the frames and rows that it sends, and what the store has in the end.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use openbell::host::Clock;
use openbell::market::{Delay, Timestamp};
use openbell::provider::binance;
use openbell::provider::net::Sockets;
use openbell::quality::CoverageState;
use openbell::request::{Reply, Request};
use openbell::snapshot::{FeedState, JobState, Standing};
use tokio::net::TcpListener;
use tokio_tungstenite::tungstenite::Message;

use crate::server::{Answer, Asked, Day, Manners, Scene, at, drive, in_order, seconds, waits};

const FROM: &str = "2026-11-20T15:00:50Z";
const MANNERS: Manners = Manners { answer: acknowledge, beat: Some(book), greet: None };
const UNKNOWN: &str = r#"{"code":-1121,"msg":"Invalid symbol."}"#;
const SHUTDOWN: &str = r#"{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1795186890000}}"#;

/// Any request is confirmed by its number, whatever it asks for.
fn acknowledge(frame: &str) -> Option<String> {
    let (_, id) = frame.rsplit_once("\"id\":")?;
    Some(format!(r#"{{"result":null,"id":{}}}"#, id.trim_end_matches('}')))
}

/// The book has no time.
fn book(_: Timestamp) -> String {
    r#"{"stream":"btcusdt@bookTicker","data":{"u":400900217,"s":"BTCUSDT","b":"96.75","B":"0.12","a":"97.25","A":"1.5"}}"#.to_owned()
}

fn request(method: &str, symbols: &[&str], id: u64) -> String {
    let streams =
        symbols.iter().flat_map(|symbol| ["trade", "ticker", "bookTicker", "kline_1m"].map(|stream| format!("\"{symbol}@{stream}\"")));
    format!(r#"{{"method":"{method}","params":[{}],"id":{id}}}"#, streams.collect::<Vec<_>>().join(","))
}

fn millis(time: &str) -> i64 {
    at(time).as_micros() / 1_000
}

/// A trade at a time of the day, such as `15:01:05.25`.
fn trade(symbol: &str, id: u64, time: &str, price: &str, size: &str) -> String {
    let (stream, at) = (symbol.to_ascii_lowercase(), millis(&format!("2026-11-20T{time}Z")));
    format!(
        r#"{{"stream":"{stream}@trade","data":{{"e":"trade","E":{at},"s":"{symbol}","t":{id},"p":"{price}","q":"{size}","T":{at},"m":false,"M":true}}}}"#
    )
}

fn ticker(time: &str, price: &str) -> String {
    let at = millis(&format!("2026-11-20T{time}Z"));
    format!(
        r#"{{"stream":"btcusdt@ticker","data":{{"e":"24hrTicker","E":{at},"s":"BTCUSDT","p":"6.9","P":"7.667","w":"95","x":"90","c":"{price}","Q":"1","b":"1","B":"1","a":"2","A":"1","o":"90","h":"110","l":"85","v":"1234.5","q":"117277.5","O":1,"C":{at},"F":1,"L":2,"n":2}}}}"#
    )
}

/// One look at a symbol, before the day begins; there are no klines.
fn looks(asked: &Asked) -> Answer {
    if asked.path.ends_with("/klines") {
        return Answer::json("[]");
    }
    let at = millis("2026-11-20T15:00:40Z");
    Answer::json(format!(
        r#"{{"symbol":"{}","lastPrice":"95","bidPrice":"94.5","bidQty":"1","askPrice":"95.5","askQty":"1","openPrice":"90","highPrice":"110","lowPrice":"85","volume":"1234.5","closeTime":{at}}}"#,
        asked.value("symbol")
    ))
}

/// No look is answered: then the socket is all there is.
fn nothing(asked: &Asked) -> Answer {
    if asked.path.ends_with("/klines") { Answer::json("[]") } else { Answer::status(400, UNKNOWN) }
}

fn scene<A: Fn(&Asked) -> Answer + Send + Sync + 'static>(symbols: &'static [&'static str], rest: A) -> Scene<A> {
    Scene { provider: "binance", from: FROM, symbols, config: "", manners: MANNERS, refusals: Vec::new(), rest }
}

async fn day(symbols: &'static [&'static str]) -> Day {
    Day::start(scene(symbols, nothing)).await
}

#[tokio::test]
async fn trades_become_the_minutes_they_were_made_in() {
    let day = Day::start(scene(&["BTC-USDT", "ETH-USDT@binance"], looks)).await;
    let line = day.line(0, 1).await;
    assert_eq!(line.heard(), [request("SUBSCRIBE", &["btcusdt", "ethusdt"], 1)]);
    line.send(ticker("15:00:54", "96.9"));
    line.send(trade("BTCUSDT", 1_001, "15:00:55", "97", "1"));
    day.pass_to(at("2026-11-20T15:01:06Z")).await;
    let second = trade("BTCUSDT", 1_003, "15:01:10", "101.5", "0.25");
    for frame in [
        trade("BTCUSDT", 1_002, "15:01:01", "100", "0.5"),
        second.clone(),
        second,
        // Out of order, within the minute.
        trade("BTCUSDT", 1_004, "15:01:05", "102", "0.125"),
        trade("BTCUSDT", 1_005, "15:01:30", "99", "1"),
        trade("ETHUSDT", 7, "15:01:20", "3000.5", "1.5"),
    ] {
        line.send(frame);
    }
    day.pass_to(at("2026-11-20T15:02:03.5Z")).await;
    let joined = "15:00 97 97 97 97 1 97 1 regular binance live r0 q1 [partial]";
    let first = "15:01 100 102 99 99 1.875 99.8 4 regular binance live r0 q1 []";
    day.expect_bars("BTC-USDT", &[joined, first]).await;
    day.pass_to(at("2026-11-20T15:02:31Z")).await;
    for frame in [
        trade("BTCUSDT", 1_006, "15:02:00", "99.5", "2"),
        // Late: it reopens a minute that was sealed.
        trade("BTCUSDT", 1_007, "15:01:59.5", "103", "0.125"),
        trade("BTCUSDT", 1_008, "15:02:59.999", "98.25", "0.5"),
    ] {
        line.send(frame);
    }
    day.pass_to(at("2026-11-20T15:03:04Z")).await;
    let reopened = "15:01 100 103 99 103 2 100 5 regular binance live r1 q1 []";
    let second = "15:02 99.5 99.5 98.25 98.25 2.5 99.25 2 regular binance live r0 q1 []";
    day.expect_bars("BTC-USDT", &[joined, reopened, second]).await;
    day.expect_bars("ETH-USDT@binance", &["15:01 3000.5 3000.5 3000.5 3000.5 1.5 3000.5 1 regular binance live r0 q1 []"]).await;
    check_row(&day);
    assert!(day.quarantine().await.is_empty());
    assert!(day.coverage("BTC-USDT", 0).await.is_empty(), "no trade was lost and nothing was missed");
    // What forms when the program ends is kept as partial.
    line.send(trade("BTCUSDT", 1_009, "15:03:01", "98", "1"));
    day.until(seconds(5), "the last trade", |day| day.row("BTC-USDT").last.filter(|last| last.value == 98.0)).await;
    let ended = day.stop().await;
    assert_eq!(ended.last_bar("BTC-USDT").await, "15:03 98 98 98 98 1 98 1 regular binance live r0 q1 [partial]");
}

fn check_row(day: &Day) {
    let row = day.row("BTC-USDT");
    let last = row.last.unwrap();
    assert_eq!((last.value, last.ts_event), (98.25, at("2026-11-20T15:02:59.999Z")));
    // Of the book, and not of the ticker.
    assert_eq!((row.quote.bid, row.quote.bid_size, row.quote.ask, row.quote.ask_size), (Some(96.75), Some(0.12), Some(97.25), Some(1.5)));
    assert_eq!((row.reference, row.change()), (Some(90.0), Some(8.25)));
    assert_eq!((row.volume, row.day_high, row.day_low), (Some(1234.5), Some(110.0), Some(85.0)));
    assert_eq!((row.source.unwrap().as_str(), row.delay, row.tick), ("binance", Delay::RealTime, -1));
    assert_eq!(day.standing("BTC-USDT"), Standing::Fresh);
    let feed = day.feed();
    assert_eq!((feed.state, feed.symbols, feed.errors, feed.reconnects, feed.attempt), (FeedState::Live, 2, 0, 0, 0));
    assert_eq!((feed.error, feed.next_try), (None, None));
}

/// A minute of one price, as its stream tells of it.
fn candle(begin: &str, price: &str, volume: &str, count: u64, is_closed: bool) -> String {
    let begin = millis(&format!("2026-11-20T{begin}Z"));
    let turnover = price.parse::<f64>().unwrap() * volume.parse::<f64>().unwrap();
    format!(
        r#"{{"stream":"btcusdt@kline_1m","data":{{"e":"kline","E":{},"s":"BTCUSDT","k":{{"t":{begin},"T":{},"s":"BTCUSDT","i":"1m","f":1,"L":2,"o":"{price}","c":"{price}","h":"{price}","l":"{price}","v":"{volume}","n":{count},"x":{is_closed},"q":"{turnover}","V":"0","Q":"0","B":"0"}}}}}}"#,
        begin + 60_005,
        begin + 59_999
    )
}

/// The source's own candles: they make the minute whole that was joined late and the one that a trade of was lost, and say nothing of others.
#[tokio::test]
async fn candles_of_the_source_stand_before_ours() {
    let day = day(&["BTC-USDT"]).await;
    let line = day.line(0, 1).await;
    line.send(trade("BTCUSDT", 1_001, "15:00:55", "97", "1"));
    line.send(candle("15:00:00", "97", "2", 3, false));
    day.pass_to(at("2026-11-20T15:01:01Z")).await;
    line.send(candle("15:00:00", "97", "3", 4, true));
    line.send(trade("BTCUSDT", 1_002, "15:01:00.5", "98", "2"));
    let joined = "15:00 97 97 97 97 3 97 4 regular binance live r0 q1 []";
    day.expect_bars("BTC-USDT", &[joined]).await;
    day.pass_to(at("2026-11-20T15:02:04Z")).await;
    line.send(candle("15:01:00", "98", "2.00000000", 1, true));
    // A trade is lost on the way; the candle knows it.
    line.send(trade("BTCUSDT", 1_004, "15:02:03", "99", "1"));
    day.pass_to(at("2026-11-20T15:03:01Z")).await;
    line.send(candle("15:02:00", "99", "5", 2, true));
    let second = "15:01 98 98 98 98 2 98 1 regular binance live r0 q1 []";
    let third = "15:02 99 99 99 99 5 99 2 regular binance live r0 q1 []";
    day.expect_bars("BTC-USDT", &[joined, second, third]).await;
    assert!(day.quarantine().await.is_empty());
    assert_eq!((day.feed().state, day.feed().errors), (FeedState::Live, 0));
    day.stop().await;
}

#[tokio::test]
async fn a_long_list_is_asked_for_in_few_frames() {
    let symbols: Vec<&'static str> = (0..120).map(|n| -> &'static str { format!("A{n}-USDT").leak() }).collect();
    let day = day(symbols.leak()).await;
    let line = day.line(0, 2).await;
    day.pass(seconds(3)).await;
    let heard = line.heard();
    let streams: Vec<_> =
        heard.iter().map(|frame| ["@trade", "@ticker", "@bookTicker", "@kline_1m"].map(|kind| frame.matches(kind).count())).collect();
    assert_eq!(streams, [[100; 4], [20; 4]]);
    for (frame, id) in heard.iter().zip(1..) {
        assert!(frame.starts_with(r#"{"method":"SUBSCRIBE","params":["a"#) && frame.ends_with(&format!(r#"],"id":{id}}}"#)), "{frame}");
    }
    assert_eq!((day.feed().state, day.feed().symbols, day.feed().errors), (FeedState::Live, 120, 0));
    day.stop().await;
}

#[tokio::test]
async fn the_list_can_change_while_the_socket_is_open() {
    let mut day = day(&["BTC-USDT", "ETH-USDT"]).await;
    let line = day.line(0, 1).await;
    let reply = day.ask(Request::RemoveSymbol("ETH-USDT".parse().unwrap())).await;
    assert_eq!(reply, Reply::Done("ETH-USDT removed; its history stays".to_owned()));
    day.line(0, 2).await;
    let reply = day.ask(Request::AddSymbol("SOL-USDT".parse().unwrap())).await;
    assert_eq!(reply, Reply::Done("SOL-USDT added".to_owned()));
    day.line(0, 3).await;
    assert_eq!(line.heard()[1..], [request("UNSUBSCRIBE", &["ethusdt"], 2), request("SUBSCRIBE", &["solusdt"], 3)]);
    line.send(trade("SOLUSDT", 1, "15:00:52", "200", "1"));
    let price = |day: &Day| {
        let view = day.view();
        let row = view.instruments.iter().find(|row| row.instrument.symbol.as_str() == "SOL-USDT")?;
        row.last.filter(|last| (last.value - 200.0).abs() < 1e-9)
    };
    day.until(seconds(2), "a price of the new symbol", price).await;
    assert_eq!(day.stream.count(), 1);
    day.stop().await;
}

/// A server that says goodbye is left for another connection before it goes, and nothing is missed.
#[tokio::test]
async fn a_server_that_shuts_down_is_left_without_a_hole() {
    let day = day(&["BTC-USDT", "ETH-USDT"]).await;
    let line = day.line(0, 1).await;
    day.pass_to(at("2026-11-20T15:01:06Z")).await;
    line.send(trade("BTCUSDT", 1, "15:01:05", "100", "1"));
    day.pass_to(at("2026-11-20T15:01:30Z")).await;
    line.send(SHUTDOWN);
    let again = day.line(1, 1).await;
    assert_eq!(again.heard(), [request("SUBSCRIBE", &["btcusdt", "ethusdt"], 2)], "everything is subscribed before the old one is left");
    let over = |day: &Day| (day.log.count("went over to a new connection") == 1).then_some(());
    day.until(seconds(5), "the new connection", over).await;
    assert_eq!(day.log.count("the server announced that it shuts down: opening another connection"), 1);
    day.pass_to(at("2026-11-20T15:01:51Z")).await;
    // What the old one told as well is one trade.
    again.send(trade("BTCUSDT", 1, "15:01:05", "100", "1"));
    again.send(trade("BTCUSDT", 2, "15:01:50", "101", "1"));
    day.pass_to(at("2026-11-20T15:02:11Z")).await;
    again.send(trade("BTCUSDT", 3, "15:02:10", "102", "1"));
    day.pass_to(at("2026-11-20T15:03:04Z")).await;
    let expected =
        ["15:01 100 101 100 101 2 100.5 2 regular binance live r0 q1 []", "15:02 102 102 102 102 1 102 1 regular binance live r0 q1 []"];
    day.expect_bars("BTC-USDT", &expected).await;
    assert!(day.coverage("BTC-USDT", 0).await.is_empty());
    let feed = day.feed();
    assert_eq!((feed.state, feed.errors, feed.reconnects, feed.error), (FeedState::Live, 0, 0, None));
    assert_eq!(day.stream.count(), 2);
    day.stop().await;
}

#[tokio::test]
async fn a_dropped_connection_comes_back_and_its_gap_is_repaired() {
    let klines = |asked: &Asked| match asked.path.rsplit('/').next() {
        Some("klines") => Answer::json(format!("[{},{}]", kline("2026-11-20T15:01:00Z", 100.0), kline("2026-11-20T15:02:00Z", 7.0))),
        _ => nothing(asked),
    };
    let mut day = Day::start(scene(&["BTC-USDT", "ETH-USDT"], klines)).await;
    let line = day.line(0, 1).await;
    day.pass_to(at("2026-11-20T15:01:06Z")).await;
    line.send(trade("BTCUSDT", 1, "15:01:05", "100", "1"));
    day.pass_to(at("2026-11-20T15:01:30Z")).await;
    let dropped = day.clock.now();
    line.close(1001, "bye\u{1b}[2J");
    let dead = day.state(seconds(2), FeedState::Dead).await;
    assert_eq!(dead.error.as_deref(), Some("the source closed the socket (1001 bye[2J)"));
    assert_eq!((dead.attempt, dead.errors), (1, 1));
    let next = dead.next_try.unwrap();
    assert!(dropped < next && next.since(dropped) < seconds(3), "{next}");
    assert_eq!(day.standing("BTC-USDT"), Standing::Stale);
    let again = day.line(1, 1).await;
    assert_eq!(again.heard(), [request("SUBSCRIBE", &["btcusdt", "ethusdt"], 2)], "everything is subscribed again");
    let back = day.until(seconds(5), "a line without an error", |day| Some(day.feed()).filter(|feed| feed.error.is_none())).await;
    assert_eq!((back.state, back.reconnects, back.next_try), (FeedState::Live, 1, None));
    day.pass_to(at("2026-11-20T15:01:51Z")).await;
    again.send(trade("BTCUSDT", 2, "15:01:50", "101", "1"));
    day.pass_to(at("2026-11-20T15:02:11Z")).await;
    again.send(trade("BTCUSDT", 3, "15:02:10", "102", "1"));
    day.pass_to(at("2026-11-20T15:03:04Z")).await;
    let whole = "15:02 102 102 102 102 1 102 1 regular binance live r0 q1 []";
    day.expect_bars("BTC-USDT", &["15:01 100 101 100 101 2 100.5 2 regular binance live r0 q1 [partial]", whole]).await;
    for symbol in ["BTC-USDT", "ETH-USDT"] {
        let holes = day.coverage(symbol, 1).await;
        assert_eq!(holes.len(), 1, "{holes:?}");
        assert_eq!((holes[0].state, holes[0].source.as_str()), (CoverageState::Failed, "binance"));
        assert!(holes[0].from <= dropped && dropped.since(holes[0].from) < seconds(2), "{holes:?}");
        assert!(holes[0].to >= again.opened && holes[0].to.since(again.opened) < seconds(2), "{holes:?}");
    }
    // Only the minute that was touched is asked for again, and the source's own bar takes its place.
    let job = day.backfill("BTC-USDT", "2026-11-20T15:01:00Z", "2026-11-20T15:03:00Z").await;
    assert_eq!((job.state, job.rows), (JobState::Done, 1), "{job:?}");
    assert_eq!(spans(&day.rest.asked_for("/klines")), [span("2026-11-20T15:01:00Z", "2026-11-20T15:02:00Z")]);
    day.expect_bars("BTC-USDT", &["15:01 100 101 99 100.5 3 100 2 regular binance backfill r0 q1 []", whole]).await;
    assert_eq!(day.feed().attempt, 0);
    day.stop().await;
}

/// A connection lives for 24 hours, and ends without a word.
#[tokio::test]
async fn a_connection_that_ends_is_opened_anew_and_what_it_missed_is_known() {
    let day = day(&["BTC-USDT"]).await;
    let line = day.line(0, 1).await;
    day.pass_to(at("2026-11-20T15:01:06Z")).await;
    let heard = trade("BTCUSDT", 10, "15:01:05", "100", "1");
    line.send(heard.clone());
    day.pass(seconds(1)).await;
    line.hang_up();
    day.state(seconds(2), FeedState::Dead).await;
    let again = day.line(1, 1).await;
    assert_eq!(again.heard(), [request("SUBSCRIBE", &["btcusdt"], 2)]);
    // The last trade comes once more, and four were made meanwhile.
    again.send(heard);
    again.send(trade("BTCUSDT", 15, "15:01:12", "101", "1"));
    day.pass_to(at("2026-11-20T15:02:03.5Z")).await;
    day.expect_bars("BTC-USDT", &["15:01 100 101 100 101 2 100.5 2 regular binance live r0 q1 [partial]"]).await;
    let holes = day.coverage("BTC-USDT", 1).await;
    assert!(!holes.is_empty() && holes.iter().all(|hole| hole.state == CoverageState::Failed), "{holes:?}");
    assert_eq!((day.feed().state, day.feed().reconnects), (FeedState::Live, 1));
    day.stop().await;
}

#[tokio::test]
async fn a_lost_trade_leaves_a_hole() {
    let day = day(&["BTC-USDT"]).await;
    let line = day.line(0, 1).await;
    day.pass_to(at("2026-11-20T15:01:06Z")).await;
    line.send(trade("BTCUSDT", 10, "15:01:04", "100", "1"));
    line.send(trade("BTCUSDT", 13, "15:01:05", "100", "1"));
    let holes = day.coverage("BTC-USDT", 1).await;
    assert_eq!(holes.len(), 1, "{holes:?}");
    assert_eq!(holes[0].state, CoverageState::Failed);
    assert!(holes[0].from <= at("2026-11-20T15:01:05Z") && at("2026-11-20T15:01:05Z") <= holes[0].to, "{holes:?}");
    day.pass_to(at("2026-11-20T15:02:03.5Z")).await;
    day.expect_bars("BTC-USDT", &["15:01 100 100 100 100 2 100 2 regular binance live r0 q1 [partial]"]).await;
    day.stop().await;
}

#[tokio::test]
async fn garbage_is_told_once_and_the_rest_goes_on() {
    let day = day(&["BTC-USDT"]).await;
    let line = day.line(0, 1).await;
    for frame in ["}{", "\u{1b}[2J", "[]", r#"{"e":"a new one","x":[1]}"#, r#"{"stream":"btcusdt@depth5","data":{"bids":[]}}"#] {
        line.send(frame);
    }
    line.send(trade("BTCUSDT", 1, "15:00:52", "100", "1"));
    day.until(seconds(2), "the price after the garbage", |day| day.row("BTC-USDT").last.filter(|last| last.value > 99.0)).await;
    day.pass(seconds(5)).await;
    let feed = day.feed();
    // A type that is new is nothing wrong.
    assert_eq!((feed.state, feed.errors, feed.reconnects, day.stream.count()), (FeedState::Live, 3, 0, 1));
    let error = feed.error.unwrap();
    assert!(error.starts_with("a frame makes no sense: ") && !error.contains('\u{1b}'), "{error}");
    assert_eq!(day.log.count("a frame makes no sense"), 1);
    day.pass_to(at("2026-11-20T15:01:03.5Z")).await;
    day.expect_bars("BTC-USDT", &["15:00 100 100 100 100 1 100 1 regular binance live r0 q1 [partial]"]).await;
    // A request that was not understood is told in the source's words.
    line.send(r#"{"code":2,"msg":"Invalid request: unknown variant","id":1}"#);
    let refused = |day: &Day| day.feed().error.filter(|error| error == "Invalid request: unknown variant (2)");
    day.until(seconds(2), "the refusal", refused).await;
    day.stop().await;
}

#[tokio::test]
async fn a_symbol_that_is_confirmed_and_stays_silent_spoils_nothing() {
    let rest = |asked: &Asked| if asked.value("symbol") == "NOUSDT" { Answer::status(400, UNKNOWN) } else { looks(asked) };
    let mut day = Day::start(scene(&["NO-USDT", "BTC-USDT"], rest)).await;
    let line = day.line(0, 1).await;
    assert_eq!(line.heard(), [request("SUBSCRIBE", &["nousdt", "btcusdt"], 1)]);
    line.send(trade("BTCUSDT", 1, "15:00:52", "100", "1"));
    day.pass(seconds(200)).await;
    let feed = day.feed();
    assert_eq!((feed.state, feed.errors, feed.reconnects), (FeedState::Live, 0, 0));
    assert_eq!(day.row("BTC-USDT").last.unwrap().value.to_string(), "100");
    assert!(day.row("NO-USDT").last.is_none());
    let looked = |day: &Day| day.rest.asked_for("/ticker/24hr").iter().filter(|asked| asked.value("symbol") == "NOUSDT").count();
    assert_eq!(looked(&day), 1);
    assert_eq!(day.log.count("not found: binance ticker/24hr of NOUSDT: 400: Invalid symbol. (-1121)"), 1);
    let job = day.backfill("NO-USDT", "2026-11-20T10:00:00Z", "2026-11-20T10:10:00Z").await;
    assert_eq!(job.state, JobState::Failed, "{job:?}");
    assert!(job.note.contains("not found: binance klines of NOUSDT: 400: Invalid symbol. (-1121)"), "{}", job.note);
    assert_eq!(day.rest.asked_for("/klines").len(), 1, "what no retry can change is asked once");
    day.stop().await;
}

#[tokio::test]
async fn a_subscription_that_nobody_confirms_is_tried_again() {
    let manners = Manners { answer: |_| None, beat: None, greet: None };
    let day = Day::start(Scene { manners, ..scene(&["BTC-USDT"], nothing) }).await;
    let line = day.line(0, 1).await;
    let dead = day.state(seconds(14), FeedState::Dead).await;
    assert_eq!(dead.error.as_deref(), Some("the subscription was not confirmed"));
    assert!(day.clock.now().since(line.opened) >= seconds(10));
    day.line(1, 1).await;
    day.stop().await;
}

/// The source ends a connection whose pongs do not repeat its pings.
#[tokio::test]
async fn a_ping_is_answered_with_its_own_words() {
    let clock = Clock::manual(at(FROM));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/stream", listener.local_addr().unwrap());
    let protocol = binance::Feed::new(url);
    let sockets = Sockets::network(clock.clone());
    let client = async {
        let mut socket = sockets.open(&protocol).await.unwrap();
        while socket.next().await.is_some() {}
    };
    let server = async {
        let (stream, _) = listener.accept().await.unwrap();
        let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
        socket.send(Message::Ping(Bytes::from_static(b"1795186850000"))).await.unwrap();
        loop {
            if let Message::Pong(words) = socket.next().await.unwrap().unwrap() {
                return words;
            }
        }
    };
    let both = async {
        tokio::select! {
            words = server => words,
            () = client => panic!("the client left"),
        }
    };
    let words = drive(&clock, Duration::from_millis(1), both).await;
    assert_eq!(&words[..], b"1795186850000");
}

/// A row of klines: high, low and close are counted from the price, which is the average too.
fn kline(time: &str, price: f64) -> String {
    let open = millis(time);
    format!(
        r#"[{open},"{price}","{}","{}","{}","3",{},"{}",2,"1","{price}","0"]"#,
        price + 1.0,
        price - 1.0,
        price + 0.5,
        open + 59_999,
        price * 3.0
    )
}

/// What was asked for: the first millisecond, and the last.
fn spans(asked: &[Asked]) -> Vec<(String, String)> {
    asked.iter().map(|asked| (asked.value("startTime").to_owned(), asked.value("endTime").to_owned())).collect()
}

fn span(from: &str, to: &str) -> (String, String) {
    (millis(from).to_string(), (millis(to) - 1).to_string())
}

#[tokio::test]
async fn history_is_written_as_the_source_has_it_and_asked_once() {
    // With the row before the page, the one at its end, a doubled one, one with a hole, a silent minute, and one without trades.
    let rows = [
        kline("2026-11-20T09:59:00Z", 999.0),
        kline("2026-11-20T10:00:00Z", 100.0),
        kline("2026-11-20T10:01:00Z", 101.0),
        kline("2026-11-20T10:02:00Z", 102.0),
        format!(r#"[{},"1",null,"1","1","3",1,"3",1,"1","1","0"]"#, millis("2026-11-20T10:03:00Z")),
        // High below open: refused.
        format!(r#"[{},"104","103.5","103","104.5","3",1,"309",1,"1","1","0"]"#, millis("2026-11-20T10:04:00Z")),
        kline("2026-11-20T10:05:00Z", 105.0),
        kline("2026-11-20T10:05:00Z", 105.0),
        format!(r#"[{},"106","106","106","106","0",1,"0",0,"0","0","0"]"#, millis("2026-11-20T10:06:00Z")),
        kline("2026-11-20T10:08:00Z", 108.0),
        kline("2026-11-20T10:09:00Z", 109.0),
        kline("2026-11-20T10:10:00Z", 999.0),
    ];
    let body = format!("[{}]", rows.join(","));
    let rest = move |asked: &Asked| if asked.path.ends_with("/klines") { Answer::json(body.clone()) } else { looks(asked) };
    let mut day = Day::start(scene(&["BTC-USDT"], rest)).await;
    let (from, to) = ("2026-11-20T10:00:00Z", "2026-11-20T10:10:00Z");
    let job = day.backfill("BTC-USDT", from, to).await;
    assert_eq!((job.state, job.rows, job.done, job.total), (JobState::Done, 7, 1, 1), "{job:?}");
    let asked = day.rest.asked_for("/api/v3/klines");
    assert_eq!(spans(&asked), [span(from, to)]);
    assert_eq!((asked[0].value("symbol"), asked[0].value("interval"), asked[0].value("limit")), ("BTCUSDT", "1m", "1000"));
    let expected = [
        "10:00 100 101 99 100.5 3 100 2 regular binance backfill r0 q1 []",
        "10:01 101 102 100 101.5 3 101 2 regular binance backfill r0 q1 []",
        "10:02 102 103 101 102.5 3 102 2 regular binance backfill r0 q1 []",
        "10:05 105 106 104 105.5 3 105 2 regular binance backfill r0 q1 []",
        "10:06 106 106 106 106 0 - 0 regular binance backfill r0 q1 []",
        "10:08 108 109 107 108.5 3 108 2 regular binance backfill r0 q1 []",
        "10:09 109 110 108 109.5 3 109 2 regular binance backfill r0 q1 []",
    ];
    day.expect_bars("BTC-USDT", &expected).await;
    let covered: Vec<_> = day.coverage("BTC-USDT", 3).await.into_iter().map(|c| (c.from, c.to, c.state)).collect();
    let empty = |from: &str, to: &str| (at(from), at(to), CoverageState::EmptySaidSource);
    let whole = (at(from), at(to), CoverageState::Present);
    let silent = [empty("2026-11-20T10:03:00Z", "2026-11-20T10:04:00Z"), empty("2026-11-20T10:07:00Z", "2026-11-20T10:08:00Z")];
    assert_eq!(covered, [vec![whole], silent.to_vec()].concat());
    let refused = day.quarantine().await;
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert_eq!((refused[0].reasons.join("|"), refused[0].open_time), ("high_below_body".to_owned(), Some(at("2026-11-20T10:04:00Z"))));
    // What is there, and what the source said it has not, is not asked for again.
    let job = day.backfill("BTC-USDT", "2026-11-20T10:05:00Z", to).await;
    assert_eq!((job.state, job.rows, job.total), (JobState::Done, 0, 0), "{job:?}");
    assert_eq!(day.rest.asked_for("/klines").len(), 1);
    day.expect_bars("BTC-USDT", &expected).await;
    day.stop().await;
}

/// The klines of a question, as the vendor answers it: both ends count, oldest first, as many as the limit says.
fn klines(asked: &Asked) -> Answer {
    if !asked.path.ends_with("/klines") {
        return looks(asked);
    }
    let number = |key: &str| asked.value(key).parse::<i64>().expect(key);
    let (first, last) = ((number("startTime") + 59_999) / 60_000, number("endTime") / 60_000);
    let limit = usize::try_from(number("limit")).unwrap().min(1_000);
    let row = |minute: i64| kline(&Timestamp::from_seconds(minute * 60).to_string(), 100.0);
    let rows: Vec<_> = (first..=last).take(limit).map(row).collect();
    Answer::json(format!("[{}]", rows.join(",")))
}

#[tokio::test]
async fn a_long_history_is_asked_for_in_pages_of_1000() {
    let mut day = Day::start(scene(&["BTC-USDT"], klines)).await;
    let (from, middle, to) = ("2026-11-19T02:00:00Z", "2026-11-19T18:40:00Z", "2026-11-19T19:40:00Z");
    let job = day.backfill("BTC-USDT", from, to).await;
    assert_eq!((job.state, job.rows, job.done, job.total), (JobState::Done, 1_060, 2, 2), "{job:?}");
    assert_eq!(spans(&day.rest.asked_for("/klines")), [span(from, middle), span(middle, to)]);
    assert_eq!(day.bars("BTC-USDT").await.len(), 1_060);
    day.stop().await;
}

#[tokio::test]
async fn a_backfill_outlives_a_busy_source() {
    let mut answers = vec![Answer::status(429, r#"{"code":-1003,"msg":"Too many requests."}"#).with("Retry-After", "30")];
    answers.extend([Answer::status(503, "<html>"), Answer::json("<html>")]);
    answers.push(Answer::json(format!("[{}]", kline("2026-11-20T10:00:00Z", 100.0))));
    let busy = in_order(answers);
    let rest = move |asked: &Asked| if asked.path.ends_with("/klines") { busy(asked) } else { looks(asked) };
    let mut day = Day::start(scene(&["BTC-USDT"], rest)).await;
    let job = day.backfill("BTC-USDT", "2026-11-20T10:00:00Z", "2026-11-20T10:01:00Z").await;
    assert_eq!((job.state, job.rows), (JobState::Done, 1), "{job:?}");
    let waits = waits(&day.rest.asked_for("/klines"));
    assert_eq!(waits.len(), 3);
    assert!(waits[0] >= 30.0, "{waits:?}");
    day.expect_bars("BTC-USDT", &["10:00 100 101 99 100.5 3 100 2 regular binance backfill r0 q1 []"]).await;
    day.stop().await;
}

#[tokio::test]
async fn nothing_is_asked_of_a_source_that_banned_us() {
    let banned = Answer::status(418, r#"{"code":-1003,"msg":"Way too much request weight used; IP banned."}"#).with("Retry-After", "120");
    let answers = in_order(vec![banned, Answer::json(format!("[{}]", kline("2026-11-20T10:00:00Z", 100.0)))]);
    let rest = move |asked: &Asked| if asked.path.ends_with("/klines") { answers(asked) } else { looks(asked) };
    let mut day = Day::start(scene(&["BTC-USDT"], rest)).await;
    let (from, to) = ("2026-11-20T10:00:00Z", "2026-11-20T10:01:00Z");
    // The job waits for the end of the ban, and says so; nobody else asks before either.
    let job = day.backfill("BTC-USDT", from, to).await;
    assert_eq!((job.state, job.rows), (JobState::Done, 1), "{job:?}");
    let asked = day.rest.asked();
    let banned_at = day.rest.asked_for("/klines")[0].at;
    assert!(asked.iter().all(|asked| asked.at <= banned_at || asked.at >= banned_at + seconds(120)), "{asked:?}");
    assert_eq!(day.rest.asked_for("/klines").len(), 2, "whoever goes on asking is banned for longer");
    assert_eq!(day.log.count("the backfill waits: rate limited by the source, wait 120 s"), 1);
    day.stop().await;
}

/// The weight of an address is counted by the source: near its end nothing is asked until the next minute.
#[tokio::test]
async fn an_address_that_asked_nearly_enough_waits_for_the_next_minute() {
    let heavy = Answer::json(format!("[{}]", kline("2026-11-20T10:00:00Z", 100.0))).with("X-MBX-USED-WEIGHT-1M", "5400");
    let light = Answer::json(format!("[{}]", kline("2026-11-20T10:01:00Z", 101.0))).with("X-MBX-USED-WEIGHT-1M", "4");
    let answers = in_order(vec![heavy, light]);
    let rest = move |asked: &Asked| if asked.path.ends_with("/klines") { answers(asked) } else { nothing(asked) };
    let mut day = Day::start(scene(&["BTC-USDT"], rest)).await;
    for minute in ["2026-11-20T10:00:00Z", "2026-11-20T10:01:00Z"] {
        let job = day.backfill("BTC-USDT", minute, &(at(minute) + seconds(60)).to_string()).await;
        assert_eq!((job.state, job.rows), (JobState::Done, 1), "{job:?}");
    }
    let asked = day.rest.asked_for("/klines");
    let minute = |asked: &Asked| asked.at.as_seconds() / 60;
    assert_eq!(minute(&asked[1]), minute(&asked[0]) + 1, "{asked:?}");
    day.stop().await;
}

#[tokio::test]
async fn a_network_that_is_refused_is_told_once_and_left_alone() {
    let refusal = r#"{"code":0,"msg":"Service unavailable from a restricted location."}"#;
    let rest = move |_: &Asked| Answer::status(451, refusal);
    let refusals = vec![Answer::status(451, refusal)];
    let day = Day::start(Scene { refusals, ..scene(&["BTC-USDT"], rest) }).await;
    let off = day.state(seconds(3), FeedState::Off).await;
    assert_eq!(off.error.as_deref(), Some("not allowed: 127.0.0.1 answered 451 to the socket"));
    day.pass(seconds(300)).await;
    assert_eq!((day.feed().state, day.stream.knocks().len(), day.rest.asked().len()), (FeedState::Off, 1, 1));
    assert_eq!(day.log.count("Service unavailable from a restricted location. (0)"), 1);
    day.stop().await;
}
