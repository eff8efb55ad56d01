//! Whole days with a made-up Finnhub: its socket of last prices, its quotes, and what the store has in the end.

use openbell::market::{Delay, Timestamp};
use openbell::quality::CoverageState;
use openbell::snapshot::{FeedState, Standing};

use crate::server::{Answer, Asked, Day, Manners, Scene, at, in_order, seconds, waits};

/// A Tuesday morning in New York.
const FROM: &str = "2026-11-24T15:00:50Z";
const MANNERS: Manners = Manners { answer: |_| None, beat: None, greet: None };
const KEY: &str = "finnhub-test-key";
const ZEROS: &str = r#"{"c":0,"d":null,"dp":null,"h":0,"l":0,"o":0,"pc":0,"t":0}"#;

fn ping(_: Timestamp) -> String {
    r#"{"type":"ping"}"#.to_owned()
}

fn subscribe(symbol: &str) -> String {
    format!(r#"{{"type":"subscribe","symbol":"{symbol}"}}"#)
}

/// A row of a message, at a time of the day such as `15:01:05.25`.
fn row(symbol: &str, time: &str, price: &str, conditions: &str) -> String {
    let millis = at(&format!("2026-11-24T{time}Z")).as_micros() / 1_000;
    format!(r#"{{"c":{conditions},"p":{price},"s":"{symbol}","t":{millis},"v":100}}"#)
}

fn message(rows: &[String]) -> String {
    format!(r#"{{"data":[{}],"type":"trade"}}"#, rows.join(","))
}

fn trade(symbol: &str, time: &str, price: &str) -> String {
    message(&[row(symbol, time, price, r#"["1"]"#)])
}

/// A quote of 15:00:40.
fn quote() -> String {
    let time = at("2026-11-24T15:00:40Z").as_seconds();
    format!(r#"{{"c":271.5,"d":1.3,"dp":0.4811,"h":272.0,"l":269.2,"o":270.1,"pc":270.2,"t":{time}}}"#)
}

fn looks(_: &Asked) -> Answer {
    Answer::json(quote())
}

/// No share is known: then the socket is all there is.
fn nothing(_: &Asked) -> Answer {
    Answer::json(ZEROS)
}

fn scene<A: Fn(&Asked) -> Answer + Send + Sync + 'static>(symbols: &'static [&'static str], rest: A) -> Scene<A> {
    Scene { provider: "finnhub", from: FROM, symbols, config: "", manners: MANNERS, refusals: Vec::new(), rest }
}

async fn day(symbols: &'static [&'static str]) -> Day {
    Day::start(scene(symbols, nothing)).await
}

/// The key is nowhere but where it belongs.
fn check_no_key(day: &Day) {
    assert_eq!(day.log.count(KEY), 0);
    assert_eq!(day.log.count("finnhub%2Dtest"), 0);
    let error = day.feed().error.unwrap_or_default();
    assert!(!error.contains(KEY) && !error.contains("token"), "{error}");
}

#[tokio::test]
async fn last_prices_become_sampled_minutes() {
    let day = day(&["AAPL", "MSFT"]).await;
    let line = day.line(0, 2).await;
    assert_eq!(line.heard(), [subscribe("AAPL"), subscribe("MSFT")], "one symbol a message");
    let knock = &day.stream.knocks()[0];
    assert_eq!((knock.path.as_str(), knock.value("version"), knock.value("token")), ("/", "2", KEY));
    day.pass_to(at("2026-11-24T15:01:06Z")).await;
    let first = row("AAPL", "15:01:05", "190.25", r#"["1"]"#);
    for frame in [
        // Two symbols, and one trade twice.
        message(&[first.clone(), first, row("MSFT", "15:01:05.5", "411.00", r#"["1","8"]"#)]),
        trade("AAPL", "15:01:20", "190.75"),
        // From the past: out of order, it is left out.
        trade("AAPL", "15:01:15", "150.0"),
        // An odd lot, and an average of hours: no last prices.
        message(&[row("AAPL", "15:01:30", "195.0", r#"["1","12"]"#), row("AAPL", "15:01:31", "120.0", r#"["3"]"#)]),
        trade("AAPL", "15:01:50", "189.5"),
    ] {
        line.send(frame);
    }
    day.pass_to(at("2026-11-24T15:02:03.5Z")).await;
    let minute = "15:01 190.25 190.75 189.5 189.5 - - - regular finnhub live r0 q1 [sampled]";
    day.expect_bars("AAPL", &[minute]).await;
    day.expect_bars("MSFT", &["15:01 411 411 411 411 - - - regular finnhub live r0 q1 [sampled]"]).await;
    day.pass_to(at("2026-11-24T15:02:31Z")).await;
    line.send(trade("AAPL", "15:02:30", "190.26"));
    // Late, but nothing newer came: it reopens the minute.
    line.send(trade("MSFT", "15:01:58", "412.5"));
    day.pass_to(at("2026-11-24T15:03:04Z")).await;
    let second = "15:02 190.26 190.26 190.26 190.26 - - - regular finnhub live r0 q1 [sampled]";
    day.expect_bars("AAPL", &[minute, second]).await;
    day.expect_bars("MSFT", &["15:01 411 412.5 411 412.5 - - - regular finnhub live r1 q1 [sampled]"]).await;
    let row = day.row("AAPL");
    let last = row.last.unwrap();
    assert_eq!((last.value, last.ts_event), (190.26, at("2026-11-24T15:02:30Z")));
    assert_eq!((row.volume, row.source.unwrap().as_str(), row.delay), (None, "finnhub", Delay::RealTime));
    assert_eq!(day.standing("AAPL"), Standing::Fresh);
    let feed = day.feed();
    assert_eq!((feed.state, feed.symbols, feed.errors, feed.reconnects), (FeedState::Live, 2, 0, 0));
    assert!(day.quarantine().await.is_empty());
    check_no_key(&day);
    // What forms when the program ends is kept as partial.
    line.send(trade("AAPL", "15:03:03", "191"));
    day.until(seconds(5), "the last price", |day| day.row("AAPL").last.filter(|last| last.value > 190.9)).await;
    assert_eq!(day.stop().await.last_bar("AAPL").await, "15:03 191 191 191 191 - - - regular finnhub live r0 q1 [partial|sampled]");
}

#[tokio::test]
async fn currencies_and_a_coin_are_heard_by_the_names_of_their_exchanges() {
    let day = day(&["EUR/USD", "BTC-USDT@finnhub"]).await;
    let line = day.line(0, 2).await;
    assert_eq!(line.heard(), [subscribe("OANDA:EUR_USD"), subscribe("BINANCE:BTCUSDT")]);
    line.send(message(&[row("OANDA:EUR_USD", "15:00:51", "1.08512", "null"), row("BINANCE:BTCUSDT", "15:00:51", "68923.67", "null")]));
    let price = |symbol: &'static str| move |day: &Day| day.row(symbol).last.map(|last| last.value);
    assert_eq!(day.until(seconds(5), "a rate", price("EUR/USD")).await.to_string(), "1.08512");
    assert_eq!(day.until(seconds(5), "a coin", price("BTC-USDT@finnhub")).await.to_string(), "68923.67");
    day.pass(seconds(5)).await;
    assert!(day.rest.asked().is_empty(), "quotes are of shares");
    day.stop().await;
}

#[tokio::test]
async fn a_price_of_long_ago_is_shown_with_its_time_and_makes_no_bar() {
    let day = day(&["AAPL"]).await;
    let line = day.line(0, 1).await;
    line.send(trade("AAPL", "14:20:00", "188"));
    let last = day.until(seconds(5), "the old price", |day| day.row("AAPL").last).await;
    assert_eq!((last.value, last.ts_event), (188.0, at("2026-11-24T14:20:00Z")));
    day.pass_to(at("2026-11-24T15:01:10Z")).await;
    assert!(day.bars("AAPL").await.is_empty());
    day.stop().await;
}

#[tokio::test]
async fn a_dropped_connection_comes_back_and_its_hole_is_kept() {
    let day = day(&["AAPL"]).await;
    let line = day.line(0, 1).await;
    day.pass_to(at("2026-11-24T15:01:06Z")).await;
    line.send(trade("AAPL", "15:01:05", "190.25"));
    day.pass(seconds(2)).await;
    let dropped = day.clock.now();
    line.hang_up();
    let dead = day.state(seconds(2), FeedState::Dead).await;
    assert!(dead.error.as_ref().is_some_and(|error| error.contains("the socket")), "{dead:#?}");
    let again = day.line(1, 1).await;
    assert_eq!(again.heard(), [subscribe("AAPL")]);
    day.state(seconds(3), FeedState::Live).await;
    let holes = day.coverage("AAPL", 1).await;
    assert_eq!((holes.len(), holes[0].state), (1, CoverageState::Failed));
    assert!(holes[0].from <= dropped && again.opened <= holes[0].to, "{holes:?}");
    day.pass_to(at("2026-11-24T15:02:03.5Z")).await;
    day.expect_bars("AAPL", &["15:01 190.25 190.25 190.25 190.25 - - - regular finnhub live r0 q1 [partial|sampled]"]).await;
    check_no_key(&day);
    day.stop().await;
}

#[tokio::test]
async fn a_key_that_is_in_use_elsewhere_is_left_alone_for_a_while() {
    let day = day(&["AAPL"]).await;
    let line = day.line(0, 1).await;
    line.close(1000, "");
    let dead = day.state(seconds(3), FeedState::Dead).await;
    let error = dead.error.clone().unwrap();
    assert!(error.contains("another program may hold the one connection of this key"), "{error}");
    let closed = day.clock.now();
    assert!(dead.next_try.is_some_and(|next| next.since(closed) > seconds(110)), "{dead:#?}");
    day.pass(seconds(112)).await;
    assert_eq!(day.stream.count(), 1, "it does not take the connection away from the other program");
    let again = day.line(1, 1).await;
    again.send(trade("AAPL", "15:02:50", "190.25"));
    day.until(seconds(10), "a line without an error", |day| day.feed().error.is_none().then_some(())).await;
    day.stop().await;
}

#[tokio::test]
async fn a_wrong_key_turns_the_feed_off() {
    let refusals = vec![Answer::status(401, "")];
    let day = Day::start(Scene { refusals, ..scene(&["AAPL"], nothing) }).await;
    let off = day.state(seconds(10), FeedState::Off).await;
    assert_eq!((off.error.as_deref(), off.next_try), (Some("not authorised: 127.0.0.1 answered 401 to the socket"), None));
    day.pass(seconds(120)).await;
    assert_eq!(day.stream.knocks().len(), 1, "it is not tried again");
    check_no_key(&day);
    day.stop().await;
}

#[tokio::test]
async fn a_wrong_key_may_be_told_in_a_message_that_repeats_it() {
    let day = day(&["AAPL"]).await;
    let line = day.line(0, 1).await;
    line.send(format!(r#"{{"type":"error","msg":"Invalid API key {KEY}"}}"#));
    let off = day.state(seconds(3), FeedState::Off).await;
    assert_eq!(off.error.as_deref(), Some("not authorised: Invalid API key ***"));
    check_no_key(&day);
    day.stop().await;
}

#[tokio::test]
async fn a_key_carries_so_many_symbols() {
    let config = "symbols_most = 2";
    let day = Day::start(Scene { config, ..scene(&["AAPL", "MSFT", "NVDA"], nothing) }).await;
    let line = day.line(0, 2).await;
    day.pass(seconds(5)).await;
    assert_eq!(line.heard(), [subscribe("AAPL"), subscribe("MSFT")]);
    line.send(r#"{"type":"error","msg":"Subscribing to too many symbols\u001b[2J"}"#);
    let told = "Subscribing to too many symbols[2J";
    day.until(seconds(2), "the words of the source", |day| day.feed().error.filter(|error| error == told)).await;
    day.pass(seconds(5)).await;
    assert_eq!((day.feed().state, day.stream.count()), (FeedState::Live, 1), "the rest goes on");
    day.stop().await;
}

#[tokio::test]
async fn garbage_is_told_once_and_the_rest_goes_on() {
    let day = day(&["AAPL"]).await;
    let line = day.line(0, 1).await;
    for frame in ["}{", "\u{1b}[2J", "[]", r#"{"type":"news","data":7}"#, r#"{"type":"ping"}"#] {
        line.send(frame);
    }
    line.send(trade("AAPL", "15:00:52", "190.25"));
    day.until(seconds(2), "the price after the garbage", |day| day.row("AAPL").last).await;
    line.send(trade("AAPL", "15:00:53", "-5"));
    day.pass_to(at("2026-11-24T15:01:03.5Z")).await;
    day.expect_bars("AAPL", &["15:00 190.25 190.25 190.25 190.25 - - - regular finnhub live r0 q1 [partial|sampled]"]).await;
    let feed = day.feed();
    // A type that is new is nothing wrong.
    assert_eq!((feed.state, feed.errors, feed.reconnects), (FeedState::Live, 3, 0));
    let error = feed.error.unwrap();
    assert!(error.starts_with("a frame makes no sense: ") && !error.contains('\u{1b}'), "{error}");
    let reasons: Vec<_> = day.quarantine().await.iter().map(|row| row.reasons.join("|")).collect();
    assert_eq!(reasons, ["price"]);
    day.stop().await;
}

#[tokio::test]
async fn pings_alone_are_silence_in_a_session() {
    let manners = Manners { beat: Some(ping), ..MANNERS };
    let day = Day::start(Scene { manners, ..scene(&["AAPL"], nothing) }).await;
    day.line(0, 1).await;
    day.pass(seconds(110)).await;
    assert_eq!(day.feed().state, FeedState::Live);
    let silent = day.state(seconds(20), FeedState::Silent).await;
    assert_eq!(silent.errors, 0);
    day.pass(seconds(225)).await;
    assert_eq!((day.feed().state, day.stream.count()), (FeedState::Silent, 1));
    let dead = day.state(seconds(30), FeedState::Dead).await;
    assert!(dead.error.as_ref().is_some_and(|error| error.starts_with("no data for 36")), "{dead:#?}");
    assert_eq!(day.line(1, 1).await.heard(), [subscribe("AAPL")]);
    day.stop().await;
}

#[tokio::test]
async fn pings_alone_are_quiet_while_the_market_is_closed() {
    let manners = Manners { beat: Some(ping), ..MANNERS };
    let day = Day::start(Scene { manners, from: "2026-11-28T15:00:50Z", ..scene(&["AAPL"], nothing) }).await;
    day.line(0, 1).await;
    let quiet = day.state(seconds(130), FeedState::Quiet).await;
    assert_eq!((quiet.error, quiet.errors), (None, 0));
    day.pass(seconds(300)).await;
    assert_eq!((day.feed().state, day.stream.count()), (FeedState::Quiet, 1));
    day.stop().await;
}

#[tokio::test]
async fn a_socket_without_a_frame_is_dead() {
    // A day without a session: what is missing is not data but any sign of life.
    let manners = Manners { beat: Some(ping), ..MANNERS };
    let day = Day::start(Scene { manners, from: "2026-11-28T15:00:50Z", ..scene(&["AAPL"], nothing) }).await;
    let line = day.line(0, 1).await;
    day.pass(seconds(10)).await;
    line.stall();
    let dead = day.state(seconds(160), FeedState::Dead).await;
    assert!(dead.error.as_ref().is_some_and(|error| error.starts_with("no frame for 15")), "{dead:#?}");
    day.line(1, 1).await;
    day.stop().await;
}

#[tokio::test]
async fn quotes_stand_in_while_the_socket_is_down() {
    let refusals = vec![Answer::status(503, "<html>"); 200];
    let day = Day::start(Scene { refusals, ..scene(&["AAPL"], looks) }).await;
    day.state(seconds(20), FeedState::Polling).await;
    day.pass(seconds(130)).await;
    let row = day.row("AAPL");
    let last = row.last.unwrap();
    assert_eq!((last.value, last.ts_event), (271.5, at("2026-11-24T15:00:40Z")));
    assert_eq!((row.reference, row.day_high, row.day_low, row.volume), (Some(270.2), Some(272.0), Some(269.2), None));
    let asked = day.rest.asked_for("/quote");
    assert!((2..=4).contains(&asked.len()) && waits(&asked).iter().all(|wait| *wait >= 59.0), "{:?}", waits(&asked));
    for asked in &asked {
        assert_eq!((asked.value("symbol"), asked.header("x-finnhub-token")), ("AAPL", KEY));
        assert!(!asked.query.iter().any(|(_, value)| value.contains(KEY)), "the key is in no URL: {asked:?}");
    }
    check_no_key(&day);
    day.stop().await;
}

#[tokio::test]
async fn zeros_are_told_once_and_are_no_price() {
    let day = day(&["AAPL"]).await;
    day.line(0, 1).await;
    day.pass(seconds(90)).await;
    assert_eq!(day.rest.asked_for("/quote").len(), 1, "what is not known is left alone");
    assert_eq!(day.log.count("not found: finnhub has no price of AAPL"), 1);
    assert!(day.row("AAPL").last.is_none());
    day.stop().await;
}

#[tokio::test]
async fn a_limit_is_kept_and_a_broken_house_is_asked_again() {
    let limit = r#"{"error":"API limit reached. Please try again later. Remaining Limit: 0"}"#;
    let rest = in_order(vec![
        Answer::status(429, limit).with("Retry-After", "45"),
        // In disguise, and without a word of how long.
        Answer::json(limit),
        Answer::status(502, "<html>"),
        Answer::json(quote()),
    ]);
    let day = Day::start(scene(&["AAPL"], rest)).await;
    day.line(0, 1).await;
    let last = day.until(seconds(150), "the price", |day| day.row("AAPL").last).await;
    assert_eq!(last.value, 271.5);
    let waits = waits(&day.rest.asked_for("/quote"));
    assert_eq!(waits.len(), 3, "{waits:?}");
    assert!(waits[0] >= 45.0 && waits[1] >= 30.0 && waits[2] >= 0.5, "{waits:?}");
    day.stop().await;
}

#[tokio::test]
async fn what_the_plan_has_not_is_told_without_the_key() {
    let refused = format!(r#"{{"error":"You don't have access to this resource. {KEY}"}}"#);
    let rest = move |_: &Asked| Answer::status(403, refused.clone());
    let day = Day::start(scene(&["AAPL"], rest)).await;
    let line = day.line(0, 1).await;
    let told = "not allowed: finnhub quote of AAPL: You don't have access to this resource. ***";
    day.until(seconds(10), "the words of the source", |day| day.feed().error.filter(|error| error == told)).await;
    line.send(trade("AAPL", "15:00:55", "190.25"));
    day.until(seconds(5), "the socket's price", |day| day.row("AAPL").last).await;
    day.state(seconds(3), FeedState::Live).await;
    check_no_key(&day);
    day.stop().await;
}
