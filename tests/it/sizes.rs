//! Answers and frames that no honest source sends: too large, too deep, or no text at all. They are errors in a few words, never the
//! end of the program or of its memory.

use std::io::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flate2::write::GzEncoder;
use flate2::{Compress, Compression, FlushCompress};
use openbell::config::{Config, Facts, KeyKind, RawConfig};
use openbell::engine::{Opened, config_sections, open_provider};
use openbell::host::Clock;
use openbell::market::{EventKind, Symbol, Timestamp};
use openbell::provider::net::Http;
use openbell::provider::{HistoryPage, PROVIDERS, ProviderError, ProviderSpec, StreamItem};
use openbell::snapshot::FeedState;

use crate::net::{WHAT, call, http};
use crate::server::{Answer, Asked, Day, HttpServer, KEYS, Manners, Scene, at, drive, in_order, seconds};

const NOON: &str = "2026-11-24T12:00:00Z";
const STEP: Duration = Duration::from_millis(100);
/// A test that waits for bytes and not for the clock fails after so much real time.
const LIMIT: Duration = Duration::from_secs(120);
/// What is read of a body at most.
const MOST: u64 = 64 << 20;
/// What may lie in the buffers between a server and whoever reads.
const BUFFERS: u64 = 24 << 20;
const PIECE: usize = 64 << 10;
/// How deep the nested texts are.
const DEEP: usize = 10_000;

/// A provider whose every address is this one, with keys that open nothing.
pub fn open(spec: &'static ProviderSpec, url: &str, clock: &Clock) -> Opened {
    let mut text = format!("[provider.{}]\n", spec.name);
    for key in spec.keys {
        match key.kind {
            KeyKind::Url if key.name == "stream_url" => {}
            KeyKind::Url => text += &format!("{} = \"{url}\"\n", key.name),
            KeyKind::Integer { max, .. } if key.name == "requests_per_minute" => text += &format!("{} = {}\n", key.name, max.min(600)),
            _ => {}
        }
    }
    let sections = config_sections();
    let raw = RawConfig::parse(&text, &sections).unwrap();
    let facts = Facts { environment: KEYS.map(|(name, key)| (name.to_owned(), key.to_owned())).into(), file_is_private: true };
    open_provider(spec, &Config::resolve(&raw, &sections, &facts).unwrap(), clock)
}

/// What a look, a page of history and a check come to; of a success, how many prices or bars there are.
pub async fn ask_all(opened: &Opened, clock: &Clock) -> Vec<Result<usize, ProviderError>> {
    let (provider, now) = (&opened.provider, clock.now());
    let symbols: [Symbol; 3] = ["AAPL", "BTC-USD", "BTC-USDT"].map(|symbol| symbol.parse().unwrap());
    let spelling = symbols.iter().find_map(|symbol| provider.spell(symbol)).expect(opened.spec.name);
    let spellings = [spelling.clone()];
    let mut answers = vec![drive(clock, STEP, provider.look(&spellings)).await.map(|events| events.len())];
    let interval = opened.spec.capabilities.history.first().copied();
    let page = interval.and_then(|interval| Some((interval, *provider.pages(interval, now - seconds(2 * 86_400), now, now).first()?)));
    if let Some((interval, (from, to))) = page {
        let page = HistoryPage { spelling, interval, from, to };
        answers.push(drive(clock, STEP, provider.history(&page)).await.map(|history| history.bars.len()));
    }
    answers.push(drive(clock, STEP, provider.check()).await.map(|_| 0));
    answers
}

/// Pieces of a body behind this head; with it, how much of them was taken.
fn stream(head: &str, lead: &[u8], piece: Vec<u8>, times: u64) -> (Answer, Arc<AtomicU64>) {
    let taken = Arc::new(AtomicU64::new(0));
    let mut head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\n{head}\r\n").into_bytes();
    head.extend_from_slice(lead);
    (Answer::Stream { head, piece: piece.into(), times, taken: Arc::clone(&taken) }, taken)
}

/// Asks once, on a clock that stands still: what ends the answer is its size.
async fn get(http: &Http, server: &HttpServer) -> Result<Vec<u8>, ProviderError> {
    tokio::time::timeout(LIMIT, http.get(&call(&server.url))).await.expect("it is cut off")
}

fn too_large() -> ProviderError {
    ProviderError::Fatal { message: format!("{WHAT}: the answer is larger than 64 MB") }
}

// ── too large ──

#[tokio::test]
async fn a_body_without_an_end_is_cut_off() {
    let chunk = format!("{PIECE:x}\r\n{}\r\n", "1".repeat(PIECE)).into_bytes();
    for (head, piece, times) in [
        ("content-type: application/json\r\ncontent-length: 2147483648\r\n", vec![b'1'; PIECE], 32_768),
        ("content-type: application/json\r\ntransfer-encoding: chunked\r\n", chunk, u64::MAX),
        // Until the connection ends, which it does not.
        ("content-type: application/json\r\n", vec![b' '; PIECE], u64::MAX),
    ] {
        let clock = Clock::manual(at(NOON));
        let (answer, taken) = stream(head, b"", piece, times);
        let server = HttpServer::start(&clock, in_order(vec![answer])).await;
        assert_eq!(get(&http(&clock, 600), &server).await, Err(too_large()), "{head}");
        assert_eq!(server.asked().len(), 1, "it is not asked for again: {head}");
        // Whatever is on its way ends there: the connection is given up.
        tokio::time::sleep(Duration::from_millis(100)).await;
        let much = taken.load(Ordering::Relaxed);
        assert!(much <= MOST + BUFFERS, "{much} bytes were taken: {head}");
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(taken.load(Ordering::Relaxed), much, "it is still read: {head}");
    }
}

/// What a gzip stream begins with.
const GZIP: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
const COMPRESSED: &str = "content-type: application/json\r\ncontent-encoding: gzip\r\n";

/// A mebibyte of zeros, so that it can follow itself in one stream.
fn squeezed() -> Vec<u8> {
    let mut compress = Compress::new(Compression::default(), false);
    let mut squeezed = Vec::with_capacity(PIECE);
    compress.compress_vec(&vec![0; 1 << 20], &mut squeezed, FlushCompress::Full).unwrap();
    assert_eq!(compress.total_in(), 1 << 20);
    squeezed
}

#[tokio::test]
async fn a_small_body_that_becomes_a_large_one_is_cut_off() {
    let clock = Clock::manual(at(NOON));
    let piece = squeezed();
    assert!(piece.len() < 4_096, "1024 of them are a few megabytes: {}", piece.len());
    let (answer, _) = stream(COMPRESSED, &GZIP, piece, 1_024);
    let server = HttpServer::start(&clock, in_order(vec![answer])).await;
    assert_eq!(get(&http(&clock, 600), &server).await, Err(too_large()));
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn a_compressed_body_is_read_and_a_broken_one_is_asked_for_again() {
    let clock = Clock::manual(at(NOON));
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(br#"{"ok":true}"#).unwrap();
    let (good, _) = stream(COMPRESSED, b"", gzip.finish().unwrap(), 1);
    let (broken, _) = stream(COMPRESSED, &GZIP, vec![0xff; 100], 1);
    let server = HttpServer::start(&clock, in_order(vec![broken.clone(), good])).await;
    assert_eq!(drive(&clock, STEP, http(&clock, 600).get(&call(&server.url))).await.unwrap(), br#"{"ok":true}"#);
    assert_eq!(server.asked().len(), 2);
    let server = HttpServer::start(&clock, in_order(vec![broken])).await;
    let error = drive(&clock, STEP, http(&clock, 600).get(&call(&server.url))).await.unwrap_err();
    assert!(matches!(error, ProviderError::Retryable { .. }) && error.to_string().starts_with(WHAT), "{error:?}");
}

// ── no text ──

fn noise(length: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(7);
    (0..length).map(|_| random.u8(..)).collect()
}

#[tokio::test]
async fn a_body_of_noise_is_malformed_and_cannot_steer_the_terminal() {
    let clock = Clock::manual(at(NOON));
    let body = [vec![0xff], noise(50_000)].concat();
    let (answer, _) = stream("content-type: application/json\r\n", b"", body, 1);
    let server = HttpServer::start(&clock, in_order(vec![answer])).await;
    let error = drive(&clock, STEP, http(&clock, 600).get(&call(&server.url))).await.unwrap_err();
    let ProviderError::Malformed { message, payload } = error else { panic!("{error:?}") };
    assert_eq!(message, format!("{WHAT}: text instead of JSON"));
    assert!(!payload.chars().any(char::is_control), "{payload:?}");
    assert!(payload.chars().count() <= 2_000);
    assert_eq!(server.asked().len(), 4);
}

// ── too deep ──

/// Texts that are nested so deep that whoever follows them inwards falls off the stack.
fn deep() -> Vec<String> {
    let list = format!("{}{}", "[".repeat(DEEP), "]".repeat(DEEP));
    let object = format!("{}1{}", r#"{"a":"#.repeat(DEEP), "}".repeat(DEEP));
    let mixed = format!("{}1{}", r#"[{"a":"#.repeat(DEEP), "}]".repeat(DEEP));
    let mut texts = vec!["[".repeat(DEEP), r#"{"a":"#.repeat(DEEP)];
    // Where sources keep their data, and what says of what kind a message is.
    for name in ["data", "type", "e", "ev", "event", "channel", "method", "result", "results", "stream", "message", "error", "status"] {
        texts.push(format!(r#"{{"{name}":{list}}}"#));
        texts.push(format!(r#"{{"{name}":{object}}}"#));
        texts.push(format!(r#"[{{"{name}":{list}}}]"#));
    }
    for name in ["chart", "quoteResponse", "tickers", "ticker", "quotes", "bars", "trades", "T", "t", "c", "p"] {
        texts.push(format!(r#"{{"{name}":{mixed}}}"#));
    }
    // A right beginning, and then the depth.
    texts.push(format!(r#"{{"type":"trade","data":[{{"s":{list}}}]}}"#));
    texts.push(format!(r#"{{"channel":"trade","type":"update","data":{list}}}"#));
    texts.push(format!(r#"{{"error":[],"result":{object}}}"#));
    texts.extend([list, object, mixed]);
    texts
}

/// Few words, none of which steers a terminal.
fn check_words(whose: &str, words: &str) {
    assert!(words.len() < 1_000, "{whose}: {} bytes of error: {}", words.len(), &words[..words.floor_char_boundary(200)]);
    assert!(!words.chars().any(char::is_control), "{whose}: {words:?}");
}

#[tokio::test]
async fn a_frame_that_is_nested_deep_or_noise_is_an_error_of_few_words() {
    let clock = Clock::manual(at(NOON));
    let (noise, mut heard) = (noise(20_000), 0);
    for spec in PROVIDERS {
        let Some(protocol) = open(spec, "http://127.0.0.1:9", &clock).provider.stream() else { continue };
        let frames = deep().into_iter().map(String::into_bytes).chain(noise.chunks(100).map(<[u8]>::to_vec));
        for frame in frames {
            match protocol.decode(&frame, clock.now()) {
                Ok(items) => {
                    let says = |item: &StreamItem| matches!(item, StreamItem::Event(event) if !is_heartbeat(&event.kind));
                    assert!(!items.iter().any(says), "{}: {items:?}", spec.name);
                }
                Err(error) => check_words(spec.name, &error.message),
            }
        }
        for unfinished in ["[".repeat(DEEP), r#"{"a":"#.repeat(DEEP)] {
            assert!(protocol.decode(unfinished.as_bytes(), clock.now()).is_err(), "{}", spec.name);
        }
        heard += 1;
    }
    assert!(heard > 4, "the sockets were not found");
}

fn is_heartbeat(kind: &EventKind) -> bool {
    matches!(kind, EventKind::Heartbeat { .. })
}

#[tokio::test]
async fn a_body_that_is_nested_deep_or_noise_is_an_error_of_few_words() {
    let clock = Clock::manual(at(NOON));
    let mut bodies: Vec<Vec<u8>> = deep().into_iter().map(String::into_bytes).collect();
    bodies.extend([b"{".to_vec(), b"[".to_vec()].map(|start| [start, noise(1_000)].concat()));
    let head = "content-type: application/json\r\n";
    for spec in PROVIDERS.iter().filter(|spec| spec.keys.iter().any(|key| key.name == "rest_url")) {
        let next = Arc::new(Mutex::new(Answer::Close));
        let said = Arc::clone(&next);
        let server = HttpServer::start(&clock, move |_: &Asked| said.lock().unwrap().clone()).await;
        let opened = open(spec, &server.url, &clock);
        for body in &bodies {
            let (answer, _) = stream(head, b"", body.clone(), 1);
            *next.lock().unwrap() = answer;
            for answer in ask_all(&opened, &clock).await {
                match answer {
                    Ok(found) => assert_eq!(found, 0, "{}", spec.name),
                    Err(error) => check_words(spec.name, &error.to_string()),
                }
            }
        }
    }
}

/// Who says nothing of what was asked has not answered it.
#[tokio::test]
async fn a_check_that_is_answered_with_nothing_fails() {
    let clock = Clock::manual(at(NOON));
    for spec in PROVIDERS.iter().filter(|spec| spec.keys.iter().any(|key| key.name == "rest_url")) {
        for body in ["{}", "[]", "null", "\"\"", ""] {
            let server = HttpServer::start(&clock, move |_: &Asked| Answer::json(body)).await;
            let opened = open(spec, &server.url, &clock);
            let answer = drive(&clock, STEP, opened.provider.check()).await;
            let error = answer.expect_err(&format!("{} took {body:?} for an answer", spec.name));
            check_words(spec.name, &error.to_string());
        }
    }
}

// ── through a whole day ──

const FROM: &str = "2026-11-20T15:00:50Z";
const MANNERS: Manners = Manners { answer: acknowledge, beat: Some(heartbeat), greet: None };

fn acknowledge(_: &str) -> Option<String> {
    Some(r#"{"method":"subscribe","result":{"channel":"ticker","snapshot":true,"symbol":"BTC/USD"},"success":true}"#.to_owned())
}

fn heartbeat(_: Timestamp) -> String {
    r#"{"channel":"heartbeat"}"#.to_owned()
}

fn trade(id: u64, price: &str) -> String {
    format!(
        r#"{{"channel":"trade","type":"update","data":[{{"symbol":"BTC/USD","side":"buy","price":{price},"qty":1,"ord_type":"limit","trade_id":{id},"timestamp":"2026-11-20T15:00:51Z"}}]}}"#
    )
}

async fn day() -> Day {
    let rest = |_: &Asked| Answer::json(r#"{"error":["EQuery:Unknown asset pair"]}"#);
    let symbols = &["BTC-USD@kraken"];
    Day::start(Scene { provider: "kraken", from: FROM, symbols, config: "", manners: MANNERS, refusals: Vec::new(), rest }).await
}

#[tokio::test]
async fn a_frame_of_ten_megabytes_ends_the_connection_and_another_is_opened() {
    let day = day().await;
    let line = day.line(0, 3).await;
    line.send("x".repeat(10 << 20));
    let dead = day.state(seconds(30), FeedState::Dead).await;
    let error = dead.error.unwrap_or_default();
    assert!(error.contains("larger than any honest one") && error.len() < 200, "{error}");
    assert!(dead.next_try.is_some_and(|next| next > dead.since), "{:?} {:?}", dead.next_try, dead.since);
    let again = day.line(1, 3).await;
    day.state(seconds(10), FeedState::Live).await;
    again.send(trade(1, "97"));
    day.until(seconds(5), "a price of the new connection", |day| day.row("BTC-USD@kraken").last).await;
    day.stop().await;
}

#[tokio::test]
async fn a_frame_that_is_nested_deep_costs_no_connection() {
    let day = day().await;
    let line = day.line(0, 3).await;
    line.send("[".repeat(DEEP));
    let told = |day: &Day| Some(day.feed()).filter(|feed| feed.error.as_ref().is_some_and(|error| error.contains("makes no sense")));
    let feed = day.until(seconds(5), "the complaint", told).await;
    check_words("kraken", &feed.error.unwrap_or_default());
    line.send(trade(1, "97"));
    day.until(seconds(5), "a price", |day| day.row("BTC-USD@kraken").last).await;
    assert_eq!(day.stream.count(), 1);
    day.stop().await;
}
