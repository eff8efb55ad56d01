//! Whole days with a made-up Yahoo: its streamer of last prices, its charts, and what the store has in the end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use openbell::host::Clock;
use openbell::market::{Delay, Timestamp};
use openbell::quality::CoverageState;
use openbell::request::{Reply, Request};
use openbell::snapshot::{FeedState, JobState, Standing};

use crate::server::{Answer, Asked, Day, HttpServer, Manners, Scene, at, in_order, seconds, waits};

/// A Tuesday morning in New York.
const FROM: &str = "2026-11-24T15:00:50Z";
const MANNERS: Manners = Manners { answer: |_| None, beat: None, greet: None };
/// Looks often enough for a short test, and each of them is a chart.
const CONFIG: &str = "requests_per_minute = 120\npoll_s = 30\nuser_agent = \"Mozilla/5.0 (test)\"\nquotes = false";

/// A price as the streamer sends it; the previous close is 189.3 where it can be told.
struct Tick<'a> {
    id: &'a str,
    /// Such as `15:01:05`.
    time: &'a str,
    price: f32,
    day_volume: Option<u64>,
    quote: Option<(f32, u64, f32, u64)>,
}

fn tick(id: &'static str, time: &'static str, price: f32, day_volume: u64) -> Tick<'static> {
    Tick { id, time, price, day_volume: Some(day_volume), quote: None }
}

impl Tick<'_> {
    /// The frame of version 2: protobuf, in base64, in JSON. Written by hand, so that reading is not its own witness.
    fn frame(&self) -> String {
        let millis = at(&format!("2026-11-24T{}Z", self.time)).as_micros() / 1_000;
        let mut bytes = Vec::new();
        text(&mut bytes, 1, self.id);
        float(&mut bytes, 2, self.price);
        zigzag(&mut bytes, 3, u64::try_from(millis).unwrap());
        text(&mut bytes, 5, "NMS");
        varint(&mut bytes, 6 << 3, 8);
        varint(&mut bytes, 7 << 3, 1);
        if let Some(volume) = self.day_volume {
            zigzag(&mut bytes, 9, volume);
        }
        float(&mut bytes, 12, self.price - 189.3);
        if let Some((bid, bid_size, ask, ask_size)) = self.quote {
            float(&mut bytes, 23, bid);
            zigzag(&mut bytes, 24, bid_size);
            float(&mut bytes, 25, ask);
            zigzag(&mut bytes, 26, ask_size);
        }
        format!(r#"{{"type":"pricing","message":"{}"}}"#, STANDARD.encode(bytes))
    }
}

/// A key and a number, seven bits a byte.
fn varint(bytes: &mut Vec<u8>, key: u64, number: u64) {
    for mut rest in [key, number] {
        while rest >= 0x80 {
            bytes.push(u8::try_from(rest & 0x7f).unwrap() | 0x80);
            rest >>= 7;
        }
        bytes.push(u8::try_from(rest).unwrap());
    }
}

fn zigzag(bytes: &mut Vec<u8>, field: u64, number: u64) {
    varint(bytes, field << 3, number * 2);
}

fn float(bytes: &mut Vec<u8>, field: u64, number: f32) {
    let mut key = Vec::new();
    varint(&mut key, (field << 3) | 5, 0);
    key.pop();
    bytes.extend(key);
    bytes.extend(number.to_le_bytes());
}

fn text(bytes: &mut Vec<u8>, field: u64, text: &str) {
    varint(bytes, (field << 3) | 2, text.len() as u64);
    bytes.extend(text.as_bytes());
}

/// A chart without rows, with the price of 15:00:40.
fn price_chart(symbol: &str, price: f64) -> String {
    let time = at("2026-11-24T15:00:40Z").as_seconds();
    format!(
        r#"{{"chart":{{"error":null,"result":[{{"meta":{{"currency":"USD","symbol":"{symbol}","instrumentType":"EQUITY","exchangeTimezoneName":"America/New_York","regularMarketPrice":{price},"regularMarketTime":{time},"regularMarketVolume":999000,"previousClose":189.3,"chartPreviousClose":188.0,"dataGranularity":"1m"}},"indicators":{{"quote":[{{}}]}}}}]}}}}"#
    )
}

fn symbol(asked: &Asked) -> &str {
    asked.path.rsplit('/').next().unwrap_or_default()
}

fn looks(asked: &Asked) -> Answer {
    match symbol(asked) {
        "ZZZZ" => Answer::status(
            404,
            r#"{"chart":{"result":null,"error":{"code":"Not Found","description":"No data found, symbol may be delisted"}}}"#,
        ),
        symbol => Answer::json(price_chart(symbol, 190.0)),
    }
}

/// No look is answered: then the socket is all there is.
fn nothing(_: &Asked) -> Answer {
    Answer::status(404, "{}")
}

fn scene<A: Fn(&Asked) -> Answer + Send + Sync + 'static>(symbols: &'static [&'static str], rest: A) -> Scene<A> {
    Scene { provider: "yahoo", from: FROM, symbols, config: CONFIG, manners: MANNERS, refusals: Vec::new(), rest }
}

async fn day(symbols: &'static [&'static str]) -> Day {
    Day::start(scene(symbols, looks)).await
}

#[tokio::test]
async fn last_prices_become_sampled_minutes() {
    let day = day(&["AAPL", "MSFT"]).await;
    let line = day.line(0, 1).await;
    assert_eq!(line.heard(), [r#"{"subscribe":["AAPL","MSFT"]}"#]);
    let knock = &day.stream.knocks()[0];
    assert_eq!((knock.path.as_str(), knock.value("version")), ("/", "2"));
    assert_eq!((knock.header("origin"), knock.header("user-agent")), ("https://finance.yahoo.com", "Mozilla/5.0 (test)"));
    let looked = |day: &Day| (day.row("AAPL").last.is_some() && day.row("MSFT").last.is_some()).then_some(());
    day.until(seconds(5), "a look at each", looked).await;
    day.pass_to(at("2026-11-24T15:01:06Z")).await;
    for tick in [
        tick("AAPL", "15:01:05", 190.25, 1_000_000),
        tick("AAPL", "15:01:20", 190.75, 1_000_500),
        // From the past: out of order, it is left out.
        tick("AAPL", "15:01:15", 150.0, 1_000_400),
        tick("AAPL", "15:01:50", 189.5, 1_001_200),
        Tick { id: "MSFT", time: "15:01:10", price: 411.0, day_volume: None, quote: None },
    ] {
        line.send(tick.frame());
    }
    day.pass_to(at("2026-11-24T15:02:03.5Z")).await;
    // A price of the poll, of the minute that was joined late.
    let joined = "15:00 190 190 190 190 - - - regular yahoo live r0 q1 [partial|sampled]";
    let first = "15:01 190.25 190.75 189.5 189.5 2200 - - regular yahoo live r0 q1 [sampled]";
    day.expect_bars("AAPL", &[joined, first]).await;
    day.expect_bars("MSFT", &[joined, "15:01 411 411 411 411 - - - regular yahoo live r0 q1 [sampled]"]).await;
    day.pass_to(at("2026-11-24T15:02:31Z")).await;
    let quote = Some((190.25, 2, 190.27, 3));
    for tick in [
        Tick { quote, ..tick("AAPL", "15:02:30", 190.26, 1_001_300) },
        tick("AAPL", "15:02:30", 190.26, 1_001_300),
        // Late, but nothing newer came: it reopens the minute.
        Tick { id: "MSFT", time: "15:01:58", price: 412.5, day_volume: None, quote: None },
    ] {
        line.send(tick.frame());
    }
    day.pass_to(at("2026-11-24T15:03:04Z")).await;
    // A float32 is what it says, not what it is.
    day.expect_bars(
        "AAPL",
        &[
            joined,
            // The feed was silent in session from its last price on: what it did not say then is not known.
            "15:01 190.25 190.75 189.5 189.5 2200 - - regular yahoo live r1 q1 [partial|sampled]",
            "15:02 190.26 190.26 190.26 190.26 100 - - regular yahoo live r0 q1 [partial|sampled]",
        ],
    )
    .await;
    day.expect_bars("MSFT", &[joined, "15:01 411 412.5 411 412.5 - - - regular yahoo live r1 q1 [partial|sampled]"]).await;
    check_row(&day);
    // The list is sent again every fifteen seconds: a feed that does not hear it falls quiet.
    let heard = line.heard();
    let expected = usize::try_from(day.clock.now().since(line.opened).as_secs() / 15).unwrap() + 1;
    assert!((expected - 1..=expected).contains(&heard.len()), "{} of {expected}", heard.len());
    assert!(heard.iter().all(|frame| *frame == heard[0]));
    line.send(tick("AAPL", "15:03:03", 191.0, 1_001_300).frame());
    day.pass(seconds(1)).await;
    assert_eq!(day.stop().await.last_bar("AAPL").await, "15:03 191 191 191 191 - - - regular yahoo live r0 q1 [partial|sampled]");
}

fn check_row(day: &Day) {
    let row = day.row("AAPL");
    let last = row.last.unwrap();
    assert_eq!((last.value, last.ts_event), (190.26, at("2026-11-24T15:02:30Z")));
    assert_eq!((row.quote.bid, row.quote.bid_size, row.quote.ask, row.quote.ask_size), (Some(190.25), Some(2.0), Some(190.27), Some(3.0)));
    assert_eq!((row.reference, row.volume), (Some(189.3), Some(1_001_300.0)));
    assert_eq!((row.source.unwrap().as_str(), row.delay), ("yahoo", Delay::RealTime));
    assert_eq!(day.standing("AAPL"), Standing::Fresh);
    let feed = day.feed();
    assert_eq!(
        (feed.state, feed.symbols, feed.errors, feed.messages, feed.error),
        (FeedState::Live, 2, 0, day.stream.line(0).sent(), None)
    );
}

#[tokio::test]
async fn a_look_is_a_chart_of_today() {
    let day = day(&["BRK.B"]).await;
    day.until(seconds(5), "a look", |day| day.row("BRK.B").last).await;
    let asked = day.rest.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].path, "/v8/finance/chart/BRK-B");
    assert_eq!((asked[0].value("range"), asked[0].value("interval"), asked[0].value("includePrePost")), ("1d", "1m", "true"));
    assert_eq!(asked[0].header("user-agent"), "Mozilla/5.0 (test)");
    let row = day.row("BRK.B");
    let last = row.last.unwrap();
    assert_eq!((last.value, last.ts_event, row.reference, row.volume), (190.0, at("2026-11-24T15:00:40Z"), Some(189.3), Some(999_000.0)));
    day.stop().await;
}

#[tokio::test]
async fn pongs_alone_are_silence_in_a_session() {
    let day = Day::start(scene(&["AAPL"], nothing)).await;
    let line = day.line(0, 1).await;
    line.send(tick("AAPL", "15:00:51", 190.25, 1_000_000).frame());
    day.pass(seconds(50)).await;
    assert_eq!((day.feed().state, day.standing("AAPL")), (FeedState::Live, Standing::Fresh));
    let silent = day.state(seconds(15), FeedState::Silent).await;
    assert_eq!((silent.errors, day.standing("AAPL")), (0, Standing::Stale));
    day.pass(seconds(110)).await;
    assert_eq!((day.feed().state, day.stream.count()), (FeedState::Silent, 1));
    let dead = day.state(seconds(20), FeedState::Dead).await;
    assert_eq!(dead.attempt, 1);
    assert!(dead.error.as_ref().is_some_and(|error| error.starts_with("no data for 18")), "{dead:#?}");
    let again = day.line(1, 1).await;
    assert_eq!(again.heard()[0], line.heard()[0]);
    day.stop().await;
}

#[tokio::test]
async fn pongs_alone_are_quiet_while_the_market_is_closed() {
    let day = Day::start(Scene { from: "2026-11-28T15:00:50Z", ..scene(&["AAPL"], looks) }).await;
    day.line(0, 1).await;
    day.pass(seconds(50)).await;
    let quiet = day.state(seconds(15), FeedState::Quiet).await;
    assert_eq!((quiet.error, quiet.errors), (None, 0));
    day.pass(seconds(200)).await;
    assert_eq!((day.feed().state, day.stream.count(), day.standing("AAPL")), (FeedState::Quiet, 1, Standing::Quiet));
    day.stop().await;
}

#[tokio::test]
async fn a_drop_is_followed_by_a_new_subscription_and_kept_as_a_gap() {
    let day = Day::start(scene(&["AAPL"], nothing)).await;
    let line = day.line(0, 1).await;
    day.pass_to(at("2026-11-24T15:01:06Z")).await;
    line.send(tick("AAPL", "15:01:05", 190.25, 1_000_000).frame());
    day.pass(seconds(2)).await;
    let dropped = day.clock.now();
    line.hang_up();
    let dead = day.state(seconds(2), FeedState::Dead).await;
    assert!(dead.error.is_some() && dead.next_try.is_some_and(|next| next > dropped), "{dead:#?}");
    let again = day.line(1, 1).await;
    assert_eq!(again.heard(), [r#"{"subscribe":["AAPL"]}"#]);
    day.state(seconds(3), FeedState::Live).await;
    let holes = day.coverage("AAPL", 1).await;
    assert_eq!((holes.len(), holes[0].state), (1, CoverageState::Failed));
    assert!(holes[0].from <= dropped && again.opened <= holes[0].to, "{holes:?}");
    day.pass_to(at("2026-11-24T15:02:03.5Z")).await;
    day.expect_bars("AAPL", &["15:01 190.25 190.25 190.25 190.25 - - - regular yahoo live r0 q1 [partial|sampled]"]).await;
    day.stop().await;
}

#[tokio::test]
async fn charts_stand_in_while_the_socket_is_down() {
    let refusals = vec![Answer::status(503, ""); 200];
    let day = Day::start(Scene { refusals, ..scene(&["AAPL", "MSFT", "ZZZZ"], looks) }).await;
    day.pass(seconds(95)).await;
    let feed = day.feed();
    assert_eq!((feed.state, feed.error.as_deref()), (FeedState::Polling, Some("127.0.0.1 answered 503 to the socket")));
    for name in ["AAPL", "MSFT"] {
        let asked = day.rest.asked_for(name);
        assert!((3..=4).contains(&asked.len()), "{name}: {:?}", waits(&asked));
        assert!(waits(&asked).iter().all(|wait| (30.0..34.0).contains(wait)), "{name}: {:?}", waits(&asked));
        // The price is that of its time, and the look says that it still is the price.
        let confirmed = |day: &Day| {
            let newest = day.rest.asked_for(name).last()?.at;
            day.row(name).last.filter(|last| last.confirmed >= newest && newest > at("2026-11-24T15:01:50Z"))
        };
        let last = day.until(seconds(5), "an answer", confirmed).await;
        assert_eq!((last.value, last.ts_event), (190.0, at("2026-11-24T15:00:40Z")));
        assert_eq!(day.standing(name), Standing::Fresh);
    }
    // What is not known is told once, and left alone.
    assert_eq!(day.rest.asked_for("ZZZZ").len(), 1);
    assert_eq!(day.log.count("not found: yahoo price of ZZZZ: 404: Not Found: No data found, symbol may be delisted"), 1);
    assert_eq!(day.log.count("ZZZZ"), 1);
    assert_eq!(day.log.count("answered 503"), 1);
    day.stop().await;
}

/// While the socket is well a look is rare; once it is not, the next look does not wait for the rare one's turn.
#[tokio::test]
async fn looks_become_frequent_when_the_socket_goes_down() {
    let day = day(&["AAPL", "MSFT"]).await;
    let line = day.line(0, 1).await;
    let times = ["15:01:10", "15:01:30", "15:01:50", "15:02:10", "15:02:30", "15:02:50", "15:03:10"];
    for time in times {
        day.pass_to(at(&format!("2026-11-24T{time}Z"))).await;
        line.send(tick("AAPL", time, 190.25, 1_000_000).frame());
    }
    day.pass(seconds(10)).await;
    assert_eq!(day.feed().state, FeedState::Live);
    let well = day.rest.asked().len();
    assert!((2..=4).contains(&well), "{well} looks in two and a half minutes");
    day.stream.refuse(200, &Answer::status(503, ""));
    let dropped = day.clock.now();
    line.hang_up();
    day.pass(seconds(70)).await;
    for name in ["AAPL", "MSFT"] {
        let after: Vec<_> = day.rest.asked_for(name).into_iter().filter(|asked| asked.at > dropped).collect();
        assert!((2..=3).contains(&after.len()), "{name}: {} looks in 70 s", after.len());
        assert!(after[0].at.since(dropped) < seconds(36), "{name}: {}", after[0].at);
    }
    day.stop().await;
}

#[tokio::test]
async fn looks_stand_in_for_a_mute_socket() {
    let day = day(&["AAPL"]).await;
    day.line(0, 1).await;
    day.pass(seconds(150)).await;
    // The socket is open, its pongs come, and not one price.
    assert_eq!((day.feed().state, day.stream.count(), day.standing("AAPL")), (FeedState::Polling, 1, Standing::Fresh));
    assert!(day.rest.asked().len() >= 4, "{:?}", waits(&day.rest.asked()));
    day.stop().await;
}

#[tokio::test]
async fn trouble_with_looks_is_told_once_and_ends() {
    let broken = Arc::new(AtomicBool::new(true));
    let breaks = Arc::clone(&broken);
    let rest = move |asked: &Asked| if breaks.load(Ordering::Relaxed) { Answer::json("<html>Will be right back") } else { looks(asked) };
    let mut day = Day::start(scene(&["AAPL", "MSFT"], rest)).await;
    let line = day.line(0, 1).await;
    line.send(tick("AAPL", "15:00:51", 190.25, 1_000_000).frame());
    day.pass(seconds(30)).await;
    let feed = day.feed();
    assert_eq!(feed.state, FeedState::Live, "the socket is well");
    let error = feed.error.unwrap();
    assert!(error.starts_with("yahoo price of ") && error.ends_with(": HTML instead of JSON"), "{error}");
    assert_eq!(day.log.count("HTML instead of JSON"), 1, "not once for each symbol");
    assert!(day.row("MSFT").last.is_none());
    broken.store(false, Ordering::Relaxed);
    assert_eq!(day.ask(Request::Refresh).await, Reply::Done("asking every source".to_owned()));
    day.until(seconds(10), "a price", |day| day.row("MSFT").last).await;
    day.until(seconds(5), "a line without an error", |day| day.feed().error.is_none().then_some(())).await;
    assert_eq!(day.log.count("the source answers again"), 1);
    day.stop().await;
}

#[tokio::test]
async fn a_price_that_cannot_be_makes_no_bar() {
    let day = day(&["AAPL"]).await;
    let line = day.line(0, 1).await;
    day.pass_to(at("2026-11-24T15:01:30Z")).await;
    line.send(tick("AAPL", "15:01:02", 190.25, 1_000_000).frame());
    line.send(tick("AAPL", "15:02:40", 500.0, 1_000_100).frame());
    line.send(tick("AAPL", "15:01:03", -5.0, 1_000_200).frame());
    line.send("neither JSON nor base64 \u{1b}[2J");
    line.send(r#"{"type":"news","message":7}"#);
    line.send(tick("AAPL", "15:01:40", 191.0, 1_000_300).frame());
    day.pass_to(at("2026-11-24T15:02:04Z")).await;
    let bar = "15:01 190.25 191 190.25 191 1300 - - regular yahoo live r0 q1 [sampled]";
    let joined = "15:00 190 190 190 190 - - - regular yahoo live r0 q1 [partial|sampled]";
    day.expect_bars("AAPL", &[joined, bar]).await;
    let future: Vec<_> = day.quarantine().await.into_iter().filter(|row| row.reasons == ["future"]).collect();
    assert_eq!(future.len(), 1);
    assert!(future[0].payload.contains("500"), "{future:?}");
    let feed = day.feed();
    assert_eq!((feed.state, feed.reconnects), (FeedState::Live, 0));
    assert!((1..=2).contains(&feed.errors), "what is no frame is an error, a type that is new is not: {}", feed.errors);
    assert_eq!(day.log.count("a frame makes no sense"), 1);
    assert_eq!(day.row("AAPL").last.unwrap().value.to_string(), "191");
    day.pass_to(at("2026-11-24T15:03:44Z")).await;
    assert_eq!(day.bars("AAPL").await.len(), 2, "the future never came");
    day.stop().await;
}

/// Ten minutes of a morning: one without a trade, and the live price at the end.
#[expect(clippy::cast_possible_truncation, reason = "the vendor's prices are float32")]
fn minutes(asked: &Asked) -> Answer {
    if !asked.value("range").is_empty() {
        return looks(asked);
    }
    if asked.value("interval") == "1d" {
        return Answer::json(price_chart(symbol(asked), 190.0).replace("\"1m\"", "\"1d\""));
    }
    // The end counts, as it does with the vendor.
    let (from, to) = (asked.unix("period1"), asked.unix("period2"));
    let rows: Vec<(i64, f64)> =
        (0..11).map(|n| (at("2026-11-24T14:30:00Z").as_seconds() + n * 60, f64::from(i32::try_from(n).unwrap()))).collect();
    let rows: Vec<_> = rows.into_iter().filter(|(time, _)| (from.as_seconds()..=to.as_seconds()).contains(time)).collect();
    let cells = |cell: &dyn Fn(f64) -> String| {
        let cells: Vec<_> = rows.iter().map(|(_, n)| if (*n - 3.0).abs() < 0.5 { "null".to_owned() } else { cell(*n) }).collect();
        cells.join(",")
    };
    // Prices are float32 printed as double.
    let wide = |price: f64| cells(&|n| f64::from((price + n) as f32).to_string());
    let times: Vec<_> = rows.iter().map(|(time, _)| time.to_string()).collect();
    let columns = format!(
        r#""open":[{}],"high":[{}],"low":[{}],"close":[{}],"volume":[{}]"#,
        wide(100.1),
        wide(101.3),
        wide(99.7),
        wide(100.9),
        cells(&|n| (1_000.0 + n).to_string())
    );
    let chart = price_chart(symbol(asked), 190.0);
    Answer::json(
        chart
            .replace(r#""quote":[{}]"#, &format!(r#""quote":[{{{columns}}}]"#))
            .replace(r#""indicators""#, &format!(r#""timestamp":[{}],"indicators""#, times.join(","))),
    )
}

#[tokio::test]
async fn history_is_written_as_the_source_has_it_and_asked_once() {
    let mut day = Day::start(scene(&["AAPL"], minutes)).await;
    let (from, to) = ("2026-11-24T14:30:00Z", "2026-11-24T14:40:00Z");
    let job = day.backfill("AAPL", from, to).await;
    assert_eq!((job.state, job.rows, job.done, job.total), (JobState::Done, 9, 1, 1), "{job:?}");
    let asked = |day: &Day| -> Vec<(Timestamp, Timestamp)> {
        let asked =
            day.rest.asked_for("/v8/finance/chart/AAPL").into_iter().filter(|a| a.value("interval") == "1m" && a.value("range").is_empty());
        asked.map(|asked| (asked.unix("period1"), asked.unix("period2"))).collect()
    };
    assert_eq!(asked(&day), [(at(from), at(to))]);
    let expected = [
        "14:30 100.1 101.3 99.7 100.9 1000 - - regular yahoo backfill r0 q1 []",
        "14:31 101.1 102.3 100.7 101.9 1001 - - regular yahoo backfill r0 q1 []",
        "14:32 102.1 103.3 101.7 102.9 1002 - - regular yahoo backfill r0 q1 []",
        "14:34 104.1 105.3 103.7 104.9 1004 - - regular yahoo backfill r0 q1 []",
        "14:35 105.1 106.3 104.7 105.9 1005 - - regular yahoo backfill r0 q1 []",
        "14:36 106.1 107.3 105.7 106.9 1006 - - regular yahoo backfill r0 q1 []",
        "14:37 107.1 108.3 106.7 107.9 1007 - - regular yahoo backfill r0 q1 []",
        "14:38 108.1 109.3 107.7 108.9 1008 - - regular yahoo backfill r0 q1 []",
        "14:39 109.1 110.3 108.7 109.9 1009 - - regular yahoo backfill r0 q1 []",
    ];
    // The poll's own minute is not of this story.
    let stored = |bars: Vec<String>| bars.into_iter().filter(|bar| bar.starts_with("14:")).collect::<Vec<_>>();
    assert_eq!(stored(day.bars("AAPL").await), expected);
    let covered: Vec<_> = day.coverage("AAPL", 2).await.into_iter().map(|c| (c.from, c.to, c.state)).collect();
    let whole = (at("2026-11-24T14:30:00Z"), at("2026-11-24T14:40:00Z"), CoverageState::Present);
    assert_eq!(covered, [whole, (at("2026-11-24T14:33:00Z"), at("2026-11-24T14:34:00Z"), CoverageState::EmptySaidSource)]);
    // Prices are as traded: whether there was a split since is asked, once a day.
    let splits = day.rest.asked().into_iter().filter(|asked| asked.value("interval") == "1d").count();
    assert_eq!(splits, 1);
    let job = day.backfill("AAPL", from, to).await;
    assert_eq!((job.state, job.rows, job.total), (JobState::Done, 0, 0), "{job:?}");
    assert_eq!(asked(&day).len(), 1);
    let connection = rusqlite::Connection::open(&day.file).unwrap();
    connection.busy_timeout(Duration::from_secs(5)).unwrap();
    let range = [at("2026-11-24T14:35:00Z"), at("2026-11-24T14:37:00Z")].map(Timestamp::as_micros);
    assert_eq!(connection.execute("DELETE FROM bars WHERE open_time >= ?1 AND open_time < ?2", range).unwrap(), 2);
    let job = day.backfill("AAPL", from, to).await;
    assert_eq!((job.state, job.rows), (JobState::Done, 2), "{job:?}");
    assert_eq!(asked(&day)[1..], [(at("2026-11-24T14:35:00Z"), at("2026-11-24T14:37:00Z"))]);
    assert_eq!(stored(day.bars("AAPL").await), expected);
    assert_eq!(day.rest.asked().into_iter().filter(|asked| asked.value("interval") == "1d").count(), 1);
    day.stop().await;
}

const INVALID_CRUMB: &str = r#"{"finance":{"result":null,"error":{"code":"Unauthorized","description":"Invalid Crumb"}}}"#;

/// A row of quotes in regular hours.
fn quote_row(symbol: &str) -> String {
    let time = at("2026-11-24T15:00:40Z").as_seconds();
    format!(
        r#"{{"symbol":"{symbol}","quoteType":"EQUITY","marketState":"REGULAR","regularMarketPrice":190.5,"regularMarketTime":{time},"regularMarketPreviousClose":189.3,"regularMarketVolume":999000,"bid":190.25,"bidSize":2,"ask":190.75,"askSize":3}}"#
    )
}

/// The quotes of those that are asked for; of ZZZZ nothing is known, and nothing is said.
fn quotes(asked: &Asked) -> Answer {
    let rows: Vec<_> = asked.value("symbols").split(',').filter(|symbol| *symbol != "ZZZZ").map(quote_row).collect();
    Answer::json(format!(r#"{{"quoteResponse":{{"error":null,"result":[{}]}}}}"#, rows.join(",")))
}

/// The cookie's page and the crumb; quotes are answered by `quotes`.
fn passes(quotes: impl Fn(&Asked) -> Answer + Send + Sync) -> impl Fn(&Asked) -> Answer + Send + Sync {
    move |asked| match asked.path.as_str() {
        "/" => {
            let page = Answer::status(404, "<html>").with("set-cookie", "A1=d=one&S=two; Max-Age=31557600; Secure");
            page.with("set-cookie", "A3=three; Path=/")
        }
        "/v1/test/getcrumb" => Answer::json("ab/C.d=12"),
        "/v7/finance/quote" => quotes(asked),
        path => panic!("nobody asks for {path}"),
    }
}

/// A day whose quotes are answered by a server of their own; its clock stands still.
async fn quoted(symbols: &'static [&'static str], quotes: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> (Day, HttpServer) {
    let server = HttpServer::start(&Clock::manual(at(FROM)), quotes).await;
    let url = &server.url;
    let config = format!("requests_per_minute = 120\npoll_s = 30\nquote_url = \"{url}\"\ncookie_url = \"{url}\"");
    let refusals = vec![Answer::status(503, ""); 200];
    let day = Day::start(Scene { config: config.leak(), refusals, ..scene(symbols, looks) }).await;
    (day, server)
}

#[tokio::test]
async fn prices_of_many_symbols_are_one_question() {
    let (day, server) = quoted(&["AAPL", "BRK.B", "ZZZZ"], passes(quotes)).await;
    day.until(seconds(10), "a quote of each", |day| day.row("AAPL").last.zip(day.row("BRK.B").last)).await;
    day.pass(seconds(65)).await;
    let asked = server.asked_for("/v7/finance/quote");
    assert!((2..=4).contains(&asked.len()), "{asked:?}");
    assert_eq!((asked[0].value("symbols"), asked[0].value("crumb")), ("AAPL,BRK-B,ZZZZ", "ab/C.d=12"));
    assert_eq!(asked[0].header("cookie"), "A1=d=one&S=two; A3=three");
    assert_eq!((server.asked_for("/getcrumb").len(), server.asked_for("/getcrumb")[0].header("cookie")), (1, "A1=d=one&S=two; A3=three"));
    assert!(day.rest.asked().is_empty(), "no chart is needed");
    let row = day.row("BRK.B");
    let last = row.last.unwrap();
    assert_eq!((last.value, last.ts_event, row.reference, row.volume), (190.5, at("2026-11-24T15:00:40Z"), Some(189.3), Some(999_000.0)));
    assert_eq!((row.quote.bid, row.quote.ask), (Some(190.25), Some(190.75)));
    assert!(day.row("ZZZZ").last.is_none());
    assert_eq!((day.feed().state, day.standing("AAPL")), (FeedState::Polling, Standing::Fresh));
    day.stop().await;
}

#[tokio::test]
async fn a_crumb_that_is_refused_is_fetched_anew_once() {
    let refused = Arc::new(AtomicBool::new(false));
    let refuses = Arc::clone(&refused);
    // The second question is refused, and the third has a new crumb.
    let count = AtomicUsize::new(0);
    let (day, server) = quoted(
        &["AAPL"],
        passes(move |asked| {
            if count.fetch_add(1, Ordering::Relaxed) == 1 {
                refuses.store(true, Ordering::Relaxed);
                return Answer::status(401, INVALID_CRUMB);
            }
            quotes(asked)
        }),
    )
    .await;
    day.until(seconds(60), "the refusal", |_| refused.load(Ordering::Relaxed).then_some(())).await;
    day.pass(seconds(5)).await;
    assert_eq!((server.asked_for("/getcrumb").len(), server.asked_for("/quote").len()), (2, 3));
    assert!(day.rest.asked().is_empty(), "no chart is needed");
    assert_eq!(day.feed().error.as_deref(), Some("127.0.0.1 answered 503 to the socket"));
    day.stop().await;
}

/// Every way in which that path was seen to fail: each look goes on with charts, without an error.
#[tokio::test]
async fn charts_stand_in_where_quotes_cannot_be_had() {
    let page = || Answer::status(404, "").with("set-cookie", "A1=one");
    let too_many = || Answer::status(429, "Too Many Requests");
    let ways = [
        ("no crumb", vec![page(), too_many()]),
        ("a page as crumb", vec![page(), Answer::json("<!DOCTYPE html><html>")]),
        ("words as crumb", vec![page(), Answer::json("Too Many Requests")]),
        ("an error as crumb", vec![page(), Answer::json(INVALID_CRUMB)]),
        ("an empty crumb", vec![page(), Answer::json("")]),
        ("no quotes", vec![page(), Answer::json("crumb"), too_many()]),
        ("a page as quotes", vec![page(), Answer::json("crumb"), Answer::json("<html>Will be right back")]),
        ("a new crumb that is refused", vec![page(), Answer::json("crumb"), Answer::status(401, INVALID_CRUMB)]),
    ];
    for (way, answers) in ways {
        let questions = answers.len();
        let (day, server) = quoted(&["AAPL"], in_order(answers)).await;
        day.until(seconds(10), way, |day| day.row("AAPL").last).await;
        day.pass(seconds(65)).await;
        assert_eq!(server.asked().len(), questions, "{way}: it is left alone for a while");
        assert!(day.rest.asked_for("AAPL").len() >= 2, "{way}");
        let feed = day.feed();
        assert_eq!((feed.state, day.standing("AAPL")), (FeedState::Polling, Standing::Fresh), "{way}: {feed:#?}");
        assert_eq!(feed.error.as_deref(), Some("127.0.0.1 answered 503 to the socket"), "{way}");
        assert_eq!(day.log.count("quotes cannot be had, charts stand in for 900 s"), 1, "{way}");
        day.stop().await;
    }
}

/// After a quarter of an hour it is tried again.
#[tokio::test]
async fn quotes_are_tried_again_after_a_while() {
    let closed = Arc::new(AtomicBool::new(true));
    let closes = Arc::clone(&closed);
    let open = passes(quotes);
    let rest = move |asked: &Asked| if closes.load(Ordering::Relaxed) { Answer::status(429, "Too Many Requests") } else { open(asked) };
    let (day, server) = quoted(&["AAPL"], rest).await;
    day.until(seconds(10), "a chart", |day| day.row("AAPL").last).await;
    closed.store(false, Ordering::Relaxed);
    day.pass(seconds(840)).await;
    assert!(server.asked_for("/v7/finance/quote").is_empty());
    day.pass(seconds(120)).await;
    assert!(!server.asked_for("/v7/finance/quote").is_empty());
    let charts = day.rest.asked_for("AAPL").len();
    day.pass(seconds(65)).await;
    assert_eq!(day.rest.asked_for("AAPL").len(), charts, "no chart is needed any more");
    day.stop().await;
}
