//! Whole days with a made-up Alpaca: the frames and bodies that it sends, and what the store has in the end.

use openbell::market::{Delay, Timestamp};
use openbell::quality::CoverageState;
use openbell::snapshot::{FeedState, JobState};

use crate::server::{Answer, Asked, Day, Manners, Scene, at, in_order, seconds, waits};

const FROM: &str = "2026-11-20T15:00:50Z";
const MANNERS: Manners = Manners { answer: polite, beat: None, greet: Some(greeting) };
const AUTHENTICATION: &str = r#"{"action":"auth","key":"alpaca-test-id","secret":"alpaca-test-secret"}"#;

fn greeting() -> String {
    r#"[{"T":"success","msg":"connected"}]"#.to_owned()
}

/// Lets one in, and takes what is asked for.
fn polite(frame: &str) -> Option<String> {
    if frame == AUTHENTICATION {
        return Some(r#"[{"T":"success","msg":"authenticated"}]"#.to_owned());
    }
    let lists = frame.strip_prefix(r#"{"action":"subscribe","#)?;
    Some(format!(r#"[{{"T":"subscription",{lists}]"#))
}

fn error(code: u32, words: &str) -> String {
    format!(r#"[{{"T":"error","code":{code},"msg":"{words}"}}]"#)
}

fn subscribe(symbols: &str) -> String {
    format!(r#"{{"action":"subscribe","trades":[{symbols}],"quotes":[{symbols}],"bars":[{symbols}]}}"#)
}

/// A trade at a time of the day, such as `15:01:05.25`.
fn traded(symbol: &str, id: u64, time: &str, price: &str, size: &str, conditions: &str) -> String {
    format!(r#"{{"T":"t","S":"{symbol}","i":{id},"x":"V","p":{price},"s":{size},"t":"2026-11-20T{time}Z","c":[{conditions}],"z":"C"}}"#)
}

fn trade(symbol: &str, id: u64, time: &str, price: &str, size: &str) -> String {
    format!("[{}]", traded(symbol, id, time, price, size, r#""@""#))
}

/// The figures of a minute: open, high, low, close, volume, count and average.
fn figures(time: &str, [open, high, low, close, volume, count, vwap]: [&str; 7]) -> String {
    format!(r#""t":"2026-11-20T{time}:00Z","o":{open},"h":{high},"l":{low},"c":{close},"v":{volume},"n":{count},"vw":{vwap}"#)
}

fn bar(kind: &str, symbol: &str, time: &str, said: [&str; 7]) -> String {
    format!(r#"[{{"T":"{kind}","S":"{symbol}",{}}}]"#, figures(time, said))
}

/// A part of the history of one symbol, and where it goes on.
fn part(symbol: &str, rows: &[String], next: &str) -> Answer {
    let rows: Vec<_> = rows.iter().map(|row| format!("{{{row}}}")).collect();
    Answer::json(format!(r#"{{"bars":{{"{symbol}":[{}]}},"next_page_token":{next}}}"#, rows.join(",")))
}

/// Nobody is known, and there are no bars: then the socket is all there is.
fn nothing(asked: &Asked) -> Answer {
    Answer::json(if asked.path.ends_with("/bars") { r#"{"bars":{},"next_page_token":null}"# } else { "{}" })
}

fn scene<A: Fn(&Asked) -> Answer + Send + Sync + 'static>(symbols: &'static [&'static str], rest: A) -> Scene<A> {
    Scene { provider: "alpaca", from: FROM, symbols, config: "", manners: MANNERS, refusals: Vec::new(), rest }
}

/// No key is told anywhere.
fn check_keys(day: &Day) {
    let told = format!("{:?}", day.feed());
    for key in ["alpaca-test-id", "alpaca-test-secret"] {
        assert!(!told.contains(key), "{told}");
        assert_eq!(day.log.count(key), 0);
    }
}

#[tokio::test]
async fn trades_and_the_bars_of_the_source_become_minutes() {
    let row = figures("15:01", ["100", "102", "99", "100.5", "250", "3", "100.25"]);
    let rest = move |asked: &Asked| {
        if asked.path.ends_with("/bars") { part("AAPL", &[row.clone()], "null") } else { nothing(asked) }
    };
    let mut day = Day::start(scene(&["AAPL", "SPY"], rest)).await;
    let line = day.line(0, 2).await;
    assert_eq!(line.heard(), [AUTHENTICATION.to_owned(), subscribe(r#""AAPL","SPY""#)]);
    assert_eq!(day.stream.knocks()[0].path, "/iex");
    // The minute that was joined late is partial.
    line.send(trade("AAPL", 1, "15:00:52", "100", "10"));
    day.pass_to(at("2026-11-20T15:01:06Z")).await;
    let quote = r#"{"T":"q","S":"AAPL","bp":99.5,"bs":2,"ap":0,"as":0,"t":"2026-11-20T15:01:05Z","z":"C"}"#;
    let first = traded("AAPL", 2, "15:01:01", "100", "50", r#""@""#);
    line.send(format!("[{first},{quote},{}]", traded("AAPL", 3, "15:01:05", "102", "100", r#""@""#)));
    // Told again, and out of order.
    line.send(format!("[{first}]"));
    line.send(trade("AAPL", 4, "15:01:03", "99", "100"));
    // An odd lot moves the volume only.
    line.send(format!("[{}]", traded("AAPL", 5, "15:01:04", "110", "50", r#""@","I""#)));
    line.send(trade("SPY", 1, "15:01:05", "600.5", "100"));
    day.pass_to(at("2026-11-20T15:02:03.5Z")).await;
    let joined = "15:00 100 100 100 100 10 100 1 regular alpaca:iex live r0 q1 [partial]";
    let ours = "15:01 100 102 99 102 300 102 4 regular alpaca:iex live r0 q1 []";
    day.expect_bars("AAPL", &[joined, ours]).await;
    day.expect_bars("SPY", &["15:01 600.5 600.5 600.5 600.5 100 600.5 1 regular alpaca:iex live r0 q1 []"]).await;
    // The source's own bar is better than ours, and its later word better than its first.
    day.pass_to(at("2026-11-20T15:02:31Z")).await;
    line.send(trade("AAPL", 6, "15:02:10", "101", "100"));
    day.pass_to(at("2026-11-20T15:03:00.5Z")).await;
    line.send(bar("b", "AAPL", "15:02", ["101", "101.5", "100.5", "101", "150", "3", "101"]));
    day.pass_to(at("2026-11-20T15:03:04Z")).await;
    day.expect_bars("AAPL", &[joined, ours, "15:02 101 101.5 100.5 101 150 101 3 regular alpaca:iex live r0 q1 []"]).await;
    day.pass_to(at("2026-11-20T15:03:30Z")).await;
    line.send(bar("u", "AAPL", "15:02", ["101", "101.75", "100.5", "101", "160", "4", "101"]));
    let updated = "15:02 101 101.75 100.5 101 160 101 4 regular alpaca:iex live r1 q1 []";
    day.expect_bars("AAPL", &[joined, ours, updated]).await;
    assert!(day.coverage("AAPL", 0).await.is_empty(), "nothing was missed");
    check_row(&day);
    // A trade that is taken back: the minute that it was made in is asked again.
    line.send(r#"[{"T":"x","S":"AAPL","i":3,"x":"V","p":102,"s":100,"a":"C","t":"2026-11-20T15:03:31Z","z":"C"}]"#);
    let holes = day.coverage("AAPL", 1).await;
    assert_eq!(holes.len(), 1, "{holes:?}");
    assert_eq!((holes[0].from, holes[0].to), (at("2026-11-20T15:01:00Z"), at("2026-11-20T15:02:00Z")));
    assert_eq!((holes[0].state, holes[0].source.as_str()), (CoverageState::Failed, "alpaca:iex"));
    let job = day.backfill("AAPL", "2026-11-20T15:01:00Z", "2026-11-20T15:02:00Z").await;
    assert_eq!((job.state, job.rows), (JobState::Done, 1), "{job:?}");
    let asked = day.rest.asked_for("/v2/stocks/bars");
    assert_eq!(asked.len(), 1, "{asked:?}");
    check_question(&asked[0]);
    let corrected = "15:01 100 102 99 100.5 250 100.25 3 regular alpaca:iex backfill r1 q1 []";
    day.expect_bars("AAPL", &[joined, corrected, updated]).await;
    assert!(day.quarantine().await.is_empty());
    check_keys(&day);
    day.stop().await;
}

fn check_row(day: &Day) {
    let row = day.row("AAPL");
    assert_eq!((row.quote.bid, row.quote.bid_size, row.quote.ask), (Some(99.5), Some(2.0), None), "nobody asks");
    assert_eq!((row.source.unwrap().as_str(), row.delay), ("alpaca:iex", Delay::RealTime));
    let feed = day.feed();
    assert_eq!((feed.state, feed.symbols, feed.errors, feed.reconnects, feed.error), (FeedState::Live, 2, 0, 0, None));
}

fn check_question(asked: &Asked) {
    let expected = [
        ("symbols", "AAPL"),
        ("timeframe", "1Min"),
        ("start", "2026-11-20T15:01:00Z"),
        ("end", "2026-11-20T15:02:00Z"),
        ("limit", "10000"),
        ("adjustment", "raw"),
        ("feed", "iex"),
    ];
    for (name, value) in expected {
        assert_eq!(asked.value(name), value, "{name}");
    }
    assert_eq!((asked.header("apca-api-key-id"), asked.header("apca-api-secret-key")), ("alpaca-test-id", "alpaca-test-secret"));
}

/// Limits, failures and garbage are outlived, and a part without bars is not the last.
#[tokio::test]
async fn a_dropped_connection_comes_back_and_its_gap_is_repaired() {
    let answers = vec![
        Answer::status(429, r#"{"message":"too many requests."}"#).with("Retry-After", "30"),
        Answer::status(503, "<html>"),
        Answer::json("<html>"),
        Answer::json(r#"{"bars":{},"next_page_token":"more"}"#),
        Answer::status(429, r#"{"message":"too many requests."}"#),
        part("AAPL", &[figures("15:01", ["100", "101.5", "99.5", "101", "250", "9", "100.5"])], "null"),
    ];
    let busy = in_order(answers);
    let rest = move |asked: &Asked| if asked.path.ends_with("/bars") { busy(asked) } else { nothing(asked) };
    let mut day = Day::start(scene(&["AAPL", "SPY"], rest)).await;
    let line = day.line(0, 2).await;
    day.pass_to(at("2026-11-20T15:01:06Z")).await;
    line.send(trade("AAPL", 1, "15:01:05", "100", "100"));
    day.pass_to(at("2026-11-20T15:01:30Z")).await;
    let dropped = day.clock.now();
    line.hang_up();
    let dead = day.state(seconds(2), FeedState::Dead).await;
    assert!(dead.error.as_ref().is_some_and(|error| error.contains("the socket")), "{dead:#?}");
    let again = day.line(1, 2).await;
    assert_eq!(again.heard(), line.heard(), "one is let in and everything is subscribed again");
    day.pass_to(at("2026-11-20T15:01:50Z")).await;
    again.send(trade("AAPL", 2, "15:01:49", "101", "100"));
    day.pass_to(at("2026-11-20T15:02:11Z")).await;
    again.send(trade("AAPL", 3, "15:02:10", "102", "100"));
    day.pass_to(at("2026-11-20T15:03:04Z")).await;
    let whole = "15:02 102 102 102 102 100 102 1 regular alpaca:iex live r0 q1 []";
    day.expect_bars("AAPL", &["15:01 100 101 100 101 200 100.5 2 regular alpaca:iex live r0 q1 [partial]", whole]).await;
    for symbol in ["AAPL", "SPY"] {
        let holes = day.coverage(symbol, 1).await;
        assert_eq!(holes.len(), 1, "{holes:?}");
        assert_eq!((holes[0].state, holes[0].source.as_str()), (CoverageState::Failed, "alpaca:iex"));
        assert!(holes[0].from <= dropped && holes[0].to >= dropped, "{holes:?}");
    }
    let job = day.backfill("AAPL", "2026-11-20T15:01:00Z", "2026-11-20T15:03:00Z").await;
    assert_eq!((job.state, job.rows), (JobState::Done, 1), "{job:?}");
    let asked = day.rest.asked_for("/v2/stocks/bars");
    let parts: Vec<_> = asked.iter().map(|asked| asked.value("page_token")).collect();
    assert_eq!(parts, ["", "", "", "", "more", "more"]);
    assert!(waits(&asked)[0] >= 30.0, "{:?}", waits(&asked));
    day.expect_bars("AAPL", &["15:01 100 101.5 99.5 101 250 100.5 9 regular alpaca:iex backfill r0 q1 []", whole]).await;
    check_keys(&day);
    day.stop().await;
}

#[tokio::test]
async fn a_second_program_on_the_same_key_is_waited_for() {
    let answer = |_: &str| Some(error(406, "connection limit exceeded"));
    let day = Day::start(Scene { manners: Manners { answer, ..MANNERS }, ..scene(&["AAPL"], nothing) }).await;
    let dead = day.state(seconds(5), FeedState::Dead).await;
    let told = dead.error.unwrap();
    assert!(told.starts_with("another program holds the one connection of this key pair"), "{told}");
    day.until(seconds(120), "the next try", |day| (day.stream.count() > 1).then_some(())).await;
    let waited = waits(&day.stream.knocks());
    assert!(waited[0] >= 90.0, "{waited:?}");
    check_keys(&day);
    day.stop().await;
}

#[tokio::test]
async fn a_wrong_key_pair_turns_the_feed_off() {
    let answer = |_: &str| Some(error(402, "auth failed: alpaca-test-id, alpaca-test-secret"));
    let day = Day::start(Scene { manners: Manners { answer, ..MANNERS }, ..scene(&["AAPL"], nothing) }).await;
    let off = day.state(seconds(5), FeedState::Off).await;
    assert_eq!(off.error.as_deref(), Some("not authorised: alpaca does not take the key pair: auth failed: ***, *** (402)"));
    day.pass(seconds(300)).await;
    assert_eq!(day.stream.count(), 1, "it is not tried again");
    check_keys(&day);
    day.stop().await;
}

#[tokio::test]
async fn a_feed_that_is_not_in_the_plan_turns_it_off() {
    let answer = |frame: &str| if frame == AUTHENTICATION { Some(error(409, "insufficient subscription")) } else { None };
    let scene = Scene { manners: Manners { answer, ..MANNERS }, config: "feed = \"sip\"", ..scene(&["AAPL"], nothing) };
    let day = Day::start(scene).await;
    let off = day.state(seconds(5), FeedState::Off).await;
    assert!(off.error.as_ref().is_some_and(|error| error.contains("set feed to \"iex\"")), "{off:#?}");
    assert_eq!((day.stream.knocks()[0].path.as_str(), off.source.as_str()), ("/sip", "alpaca:sip"));
    day.stop().await;
}

#[tokio::test]
async fn no_more_symbols_are_asked_for_than_the_plan_holds() {
    let day = Day::start(Scene { config: "symbols_most = 1\nchannels = [\"trades\"]", ..scene(&["AAPL", "SPY"], nothing) }).await;
    let line = day.line(0, 2).await;
    assert_eq!(line.heard()[1], r#"{"action":"subscribe","trades":["AAPL"]}"#);
    day.pass(seconds(30)).await;
    assert_eq!((line.heard().len(), day.feed().symbols, day.feed().error), (2, 1, None));
    day.stop().await;
}

#[tokio::test]
async fn what_the_source_did_not_take_is_told_and_garbage_does_no_harm() {
    let answer = |frame: &str| {
        let taken = r#"[{"T":"subscription","trades":["AAPL","SPY"],"quotes":["AAPL"],"bars":["SPY","AAPL"]}]"#;
        if frame == AUTHENTICATION { polite(frame) } else { Some(taken.to_owned()) }
    };
    let day = Day::start(Scene { manners: Manners { answer, ..MANNERS }, ..scene(&["AAPL", "SPY"], nothing) }).await;
    let line = day.line(0, 2).await;
    let told = "not taken by the source: SPY";
    day.until(seconds(5), "the missing symbol", |day| day.feed().error.filter(|error| error == told)).await;
    line.send(error(405, "symbol limit exceeded"));
    day.until(seconds(2), "the limit", |day| day.feed().error.filter(|error| error.ends_with("symbol limit exceeded (405)"))).await;
    let errors = day.feed().errors;
    for frame in ["}{", "\u{1b}[2J", "{}", "[]", r#"[{"T":"new","S":1}]"#] {
        line.send(frame);
    }
    line.send(trade("AAPL", 1, "15:00:52", "100", "100"));
    day.until(seconds(2), "the price after the garbage", |day| day.row("AAPL").last.filter(|last| last.value > 99.0)).await;
    day.pass(seconds(3)).await;
    assert_eq!((day.feed().errors - errors, day.stream.count()), (3, 1));
    assert!(!day.feed().error.unwrap().contains('\u{1b}'));
    assert_eq!(day.log.count("a frame makes no sense"), 1);
    // A price that cannot be is kept apart.
    line.send(trade("AAPL", 2, "15:00:53", "-5", "100"));
    day.pass_to(at("2026-11-20T15:01:03.5Z")).await;
    day.expect_bars("AAPL", &["15:00 100 100 100 100 100 100 1 regular alpaca:iex live r0 q1 [partial]"]).await;
    let reasons: Vec<_> = day.quarantine().await.iter().map(|row| row.reasons.join("|")).collect();
    assert_eq!(reasons, ["price"]);
    check_keys(&day);
    day.stop().await;
}

#[tokio::test]
async fn a_halt_is_shown_until_trading_resumes() {
    let day = Day::start(scene(&["AAPL"], nothing)).await;
    let line = day.line(0, 2).await;
    let status = |code: &str, words: &str| {
        format!(r#"[{{"T":"s","S":"AAPL","sc":"{code}","sm":"{words}","rc":"","rm":"","t":"2026-11-20T15:00:52Z","z":"C"}}]"#)
    };
    line.send(status("H", "Trading Halt"));
    let halted = |day: &Day| day.row("AAPL").halt.filter(|reason| &**reason == "Trading Halt");
    day.until(seconds(2), "the halt", halted).await;
    line.send(status("Q", "Quotation Resumption"));
    day.pass(seconds(2)).await;
    assert!(day.row("AAPL").halt.is_some(), "quotes are no trades");
    line.send(status("T", "Trading Resumption"));
    day.until(seconds(2), "the resumption", |day| day.row("AAPL").halt.is_none().then_some(())).await;
    day.stop().await;
}

/// The newest prices of all venues are refused to the free plan: what is old enough is had all the same.
#[tokio::test]
async fn history_that_is_too_new_for_the_plan_is_asked_for_as_far_as_it_goes() {
    let refusal = r#"{"message":"subscription does not permit querying recent SIP data"}"#;
    let row = figures("14:40", ["100", "101", "99", "100.5", "300", "7", "100.25"]);
    let bars = in_order(vec![Answer::status(403, refusal), part("AAPL", &[row], "null")]);
    let rest = move |asked: &Asked| if asked.path.ends_with("/bars") { bars(asked) } else { nothing(asked) };
    let mut day = Day::start(Scene { config: "feed = \"sip\"", ..scene(&["AAPL"], rest) }).await;
    let job = day.backfill("AAPL", "2026-11-20T14:40:00Z", "2026-11-20T15:00:00Z").await;
    assert_eq!((job.state, job.rows), (JobState::Done, 1), "{job:?}");
    let asked = day.rest.asked_for("/v2/stocks/bars");
    let ends: Vec<Timestamp> = asked.iter().map(|asked| at(asked.value("end"))).collect();
    assert_eq!((ends.len(), ends[0]), (2, at("2026-11-20T15:00:00Z")));
    assert!(ends[1] + seconds(900) <= asked[1].at, "{asked:?}");
    assert!(asked.iter().all(|asked| asked.value("feed") == "sip"), "{asked:?}");
    day.expect_bars("AAPL", &["14:40 100 101 99 100.5 300 100.25 7 regular alpaca:sip backfill r0 q1 []"]).await;
    day.stop().await;
}

/// Looks at many prices at once stand in for a socket that is down.
#[tokio::test]
async fn a_socket_that_is_down_is_stood_in_for() {
    let snapshot = r#"{"latestTrade":{"t":"2026-11-20T15:00:30Z","x":"V","p":95,"s":100,"c":["@"],"i":1,"z":"C"},"latestQuote":{"t":"2026-11-20T15:00:31Z","ap":95.5,"as":1,"bp":94.5,"bs":1},"dailyBar":{"t":"2026-11-20T05:00:00Z","o":91,"h":96,"l":90,"c":95,"v":1234},"prevDailyBar":{"t":"2026-11-19T05:00:00Z","o":90,"h":91,"l":89,"c":90,"v":5}}"#;
    let looks = move |asked: &Asked| match asked.path.as_str() {
        "/v2/stocks/snapshots" => Answer::json(format!(r#"{{"AAPL":{snapshot},"SPY":{snapshot}}}"#)),
        _ => nothing(asked),
    };
    let refusals = vec![Answer::status(429, "").with("Retry-After", "600")];
    let day = Day::start(Scene { refusals, ..scene(&["AAPL", "SPY"], looks) }).await;
    let feed = day.state(seconds(20), FeedState::Polling).await;
    assert_eq!(feed.error.as_deref(), Some("rate limited by the source, wait 600 s"));
    day.pass(seconds(120)).await;
    let row = day.row("SPY");
    assert_eq!((row.last.unwrap().value, row.quote.bid, row.reference, row.volume), (95.0, Some(94.5), Some(90.0), Some(1234.0)));
    assert_eq!((row.day_open, row.day_high, row.day_low), (Some(91.0), Some(96.0), Some(90.0)));
    let looked = day.rest.asked_for("/v2/stocks/snapshots");
    assert!((2..=6).contains(&looked.len()), "{:?}", waits(&looked));
    let both = |asked: &Asked| ["AAPL,SPY", "SPY,AAPL"].contains(&asked.value("symbols")) && asked.value("feed") == "iex";
    assert!(looked.iter().all(both), "{looked:?}");
    check_keys(&day);
    day.stop().await;
}
