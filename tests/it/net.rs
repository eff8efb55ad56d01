//! HTTP against a server that does not always answer well: when it is asked again, and what is said of it.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use openbell::config::{KeyKind, KeySpec};
use openbell::host::Clock;
use openbell::market::Timestamp;
use openbell::provider::net::{Call, Http, HttpOptions, Limits, Recorder, Redact, install_crypto, next_day, standard_headers};
use openbell::provider::{DecodeError, PROVIDERS, Promise, Protocol, ProviderError, ProviderSpec, StreamItem};
use openbell::snapshot::{FeedState, FeedView};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection};
use url::form_urlencoded::byte_serialize;

use crate::postgres::{make_ssl_files, or_left_out};
use crate::server::{Answer, Asked, Day, HttpServer, KEYS, Manners, Scene, at, drive, in_order, seconds, waits};
use crate::sizes::{ask_all, open};

const NOON: &str = "2026-11-24T12:00:00Z";
const STEP: Duration = Duration::from_millis(100);
pub const WHAT: &str = "yahoo bars of AAPL";
/// A key in a query, which nobody is ever shown.
const SECRET: &str = "s3cr3t";

struct Ground {
    clock: Clock,
    server: HttpServer,
    http: Http,
}

impl Ground {
    async fn new(answers: Vec<Answer>) -> Self {
        let clock = Clock::manual(at(NOON));
        let server = HttpServer::start(&clock, in_order(answers)).await;
        let http = http(&clock, 600);
        Self { clock, server, http }
    }

    async fn get(&self) -> Result<Vec<u8>, ProviderError> {
        drive(&self.clock, STEP, self.http.get(&call(&self.server.url))).await
    }
}

pub fn http(clock: &Clock, per_minute: u32) -> Http {
    http_with(clock, per_minute, SECRET)
}

fn http_with(clock: &Clock, per_minute: u32, key: &str) -> Http {
    let limits = Limits { per_minute: NonZeroU32::new(per_minute).unwrap(), per_day: None, bytes_per_month: None };
    let options = HttpOptions {
        source: "test",
        user_agent: "openbell-test/1".to_owned(),
        limits,
        headers: standard_headers,
        redact: Redact::new(vec![key.into()]),
        recorder: Recorder::default(),
        tries: 4,
    };
    Http::new(&options, clock.clone())
}

pub fn call(url: &str) -> Call {
    Call {
        url: format!("{url}/v8/chart/AAPL"),
        query: vec![("interval", "1m".to_owned()), ("apikey", SECRET.to_owned())],
        headers: vec![("Accept-Language", "en".to_owned())],
        what: WHAT.to_owned(),
        explain: |body| body.starts_with(b"{").then(|| "the source's own words\u{1b}[2J".to_owned()),
        ..Call::default()
    }
}

fn good() -> Answer {
    Answer::json(r#" {"ok":true}"#)
}

#[tokio::test]
async fn a_request_carries_who_we_are_and_what_was_asked() {
    let ground = Ground::new(vec![good()]).await;
    assert_eq!(ground.get().await.unwrap(), br#" {"ok":true}"#);
    let asked = ground.server.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!((asked[0].method.as_str(), asked[0].path.as_str()), ("GET", "/v8/chart/AAPL"));
    assert_eq!((asked[0].value("interval"), asked[0].value("apikey"), asked[0].query.len()), ("1m", SECRET, 2));
    assert_eq!((asked[0].header("user-agent"), asked[0].header("accept-language")), ("openbell-test/1", "en"));
    assert_eq!(ground.http.requests(), 1);
}

#[tokio::test]
async fn retry_after_in_seconds_is_kept() {
    for status in [429, 503] {
        let ground = Ground::new(vec![Answer::status(status, "Too Many Requests").with("Retry-After", "17"), good()]).await;
        assert!(ground.get().await.is_ok());
        let waits = ground.server.waits();
        assert_eq!(waits.len(), 1);
        assert!((17.0..19.0).contains(&waits[0]), "{status}: {waits:?}");
    }
}

#[tokio::test]
async fn retry_after_as_a_date_is_kept() {
    let ground = Ground::new(vec![Answer::status(429, "").with("Retry-After", "Tue, 24 Nov 2026 12:00:23 GMT"), good()]).await;
    assert!(ground.get().await.is_ok());
    let again = ground.server.asked()[1].at;
    assert!(at("2026-11-24T12:00:23Z") <= again && again < at("2026-11-24T12:00:25Z"), "{again}");
}

#[tokio::test]
async fn a_long_retry_after_is_told_at_once() {
    let ground = Ground::new(vec![Answer::status(429, "").with("Retry-After", "300"), good()]).await;
    assert_eq!(ground.get().await, Err(ProviderError::RateLimited { after: Some(seconds(300)) }));
    assert_eq!(ground.server.asked().len(), 1);
}

#[tokio::test]
async fn a_refusal_without_a_time_is_asked_again_more_and_more_rarely() {
    for (status, last) in [
        (429, ProviderError::RateLimited { after: None }),
        (500, retryable("yahoo bars of AAPL: 500")),
        (503, retryable("yahoo bars of AAPL: 503")),
    ] {
        let ground = Ground::new(vec![Answer::status(status, "down")]).await;
        assert_eq!(ground.get().await, Err(last));
        let waits = ground.server.waits();
        assert_eq!(waits.len(), 3, "{status}: {waits:?}");
        for (wait, least) in waits.iter().zip([0.5, 1.0, 2.0]) {
            assert!((least..least * 2.0 + 1.0).contains(wait), "{status}: {waits:?}");
        }
    }
    let ground = Ground::new(vec![Answer::status(502, "down"), Answer::status(503, "down"), good()]).await;
    assert!(ground.get().await.is_ok());
    assert_eq!(ground.http.requests(), 3);
}

fn retryable(message: &str) -> ProviderError {
    ProviderError::Retryable { message: message.to_owned(), after: None }
}

#[tokio::test]
async fn what_no_retry_can_change_is_asked_once() {
    let said = |status: u16| format!("{WHAT}: {status}: the source's own words[2J");
    for status in [400, 401, 402, 403, 404, 451] {
        let ground = Ground::new(vec![Answer::status(status, "{}"), good()]).await;
        let message = said(status);
        let expected = match status {
            401 => ProviderError::Unauthorized { message },
            402 | 403 | 451 => ProviderError::NotEntitled { message },
            404 => ProviderError::NotFound { message },
            _ => ProviderError::Fatal { message },
        };
        assert_eq!(ground.get().await, Err(expected));
        assert_eq!(ground.server.asked().len(), 1, "{status}");
    }
}

#[tokio::test]
async fn what_cannot_be_json_is_malformed_and_asked_again() {
    let page = "<!DOCTYPE html><title>Will be\u{1b}[2J right back</title>";
    for (body, words, payload) in [
        (page, "HTML instead of JSON", "<!DOCTYPE html><title>Will be[2J right back</title>"),
        ("Too Many Requests", "text instead of JSON", "Too Many Requests"),
        ("", "an empty body", ""),
        (" \r\n ", "an empty body", "    "),
    ] {
        let ground = Ground::new(vec![Answer::json(body)]).await;
        let expected = ProviderError::Malformed { message: format!("{WHAT}: {words}"), payload: payload.to_owned() };
        assert_eq!(ground.get().await, Err(expected));
        assert_eq!(ground.server.asked().len(), 4, "{words}");
        let ground = Ground::new(vec![Answer::json(body), good()]).await;
        assert!(ground.get().await.is_ok(), "{words}");
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_asked_again() {
    for broken in [Answer::Truncated("[[1,2".to_owned()), Answer::Close] {
        let ground = Ground::new(vec![broken.clone()]).await;
        let error = ground.get().await.unwrap_err();
        check_words(&error, "broke off");
        assert_eq!(ground.server.asked().len(), 4);
        let ground = Ground::new(vec![broken, good()]).await;
        assert_eq!(ground.get().await.unwrap(), br#" {"ok":true}"#);
    }
}

#[tokio::test]
async fn a_source_that_is_not_there_is_named_by_its_host() {
    let clock = Clock::manual(at(NOON));
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error = drive(&clock, STEP, http(&clock, 600).get(&call(&format!("http://127.0.0.1:{port}")))).await.unwrap_err();
    check_words(&error, "cannot be reached");
}

/// A wait is a wait of the clock that everything else has: a source that says nothing costs a fast day no minute.
#[tokio::test]
async fn a_source_that_says_nothing_is_given_up_in_time() {
    let ground = Ground::new(vec![Answer::Hang]).await;
    let error = drive(&ground.clock, seconds(1), ground.http.get(&call(&ground.server.url))).await.unwrap_err();
    check_words(&error, "did not answer in time");
    let waits = ground.server.waits();
    assert_eq!(waits.len(), 3, "{waits:?}");
    assert!(waits.iter().all(|wait| (10.0..70.0).contains(wait)), "{waits:?}");
    let ground = Ground::new(vec![Answer::Hang, good()]).await;
    assert!(drive(&ground.clock, seconds(1), ground.http.get(&call(&ground.server.url))).await.is_ok());
}

/// What failed, where, and how; never the query.
fn check_words(error: &ProviderError, words: &str) {
    assert!(matches!(error, ProviderError::Retryable { .. }), "{error:?}");
    let text = format!("{error} {error:?}");
    assert!(text.contains(WHAT) && text.contains("127.0.0.1") && text.contains(words), "{text}");
    assert!(!text.contains(SECRET) && !text.contains("apikey") && !text.contains('?'), "{text}");
}

#[tokio::test]
async fn the_rate_limit_is_kept_by_all_who_share_it() {
    let clock = Clock::manual(at(NOON));
    let server = HttpServer::start(&clock, in_order(vec![good()])).await;
    // Two a second, and a tenth of a minute's calls at once.
    let (http, same) = (http(&clock, 120), http(&clock, 120));
    let shared = http.clone();
    let calls = async {
        for number in 0..36 {
            let client = if number % 2 == 0 { &http } else { &shared };
            client.get(&call(&server.url)).await.unwrap();
        }
    };
    drive(&clock, Duration::from_millis(50), calls).await;
    let asked = server.asked();
    assert_eq!(asked.len(), 36);
    for (number, one) in asked.iter().enumerate().skip(12) {
        let least = f64::from(u32::try_from(number - 11).unwrap()) * 0.5;
        let since = one.at.seconds_since(asked[0].at);
        assert!(since > least - 0.3, "call {number} came after {since} s, not {least}");
    }
    let whole = asked[35].at.seconds_since(asked[0].at);
    assert!((11.7..18.0).contains(&whole), "{whole}: {:?}", waits(&asked));
    // Another client has a limit of its own: a tenth of a minute's calls are there at once.
    let before = clock.now();
    for _ in 0..12 {
        drive(&clock, Duration::from_millis(50), same.get(&call(&server.url))).await.unwrap();
    }
    assert!(clock.now().since(before) < seconds(4));
    assert_eq!((http.requests(), same.requests()), (36, 12));
}

// ── a server that is not who it says ──

/// A server that speaks TLS with a certificate by an authority that nobody knows; the answer is its port.
fn guarded() -> Option<u16> {
    let folder = tempfile::tempdir().unwrap();
    let files = or_left_out("a certificate", make_ssl_files(folder.path(), "DNS:localhost, IP:127.0.0.1"))?;
    install_crypto();
    let certificates = CertificateDer::pem_file_iter(&files.certificate).unwrap().collect::<Result<Vec<_>, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_file(&files.key).unwrap();
    let config = Arc::new(ServerConfig::builder().with_no_client_auth().with_single_cert(certificates, key).unwrap());
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut session = ServerConnection::new(Arc::clone(&config)).unwrap();
            // Who does not trust it goes away in the middle of this.
            let _ = session.complete_io(&mut stream);
        }
    });
    Some(port)
}

fn check_certificate_error(error: &ProviderError) {
    assert!(matches!(error, ProviderError::Retryable { .. }), "{error:?}");
    let text = format!("{error} {error:?}");
    assert!(text.contains("127.0.0.1") && text.contains("certificate"), "{text}");
    assert!(!text.contains(SECRET) && !text.contains('?'), "{text}");
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_is_called_that() {
    let Some(port) = guarded() else { return };
    let clock = Clock::manual(at(NOON));
    let asking = http(&clock, 600);
    // Slowly: a handshake takes its time in a build that is not optimised.
    let error = drive(&clock, Duration::from_millis(10), asking.get(&call(&format!("https://127.0.0.1:{port}")))).await.unwrap_err();
    check_certificate_error(&error);
    assert!(error.to_string().starts_with(WHAT), "{error}");
}

#[tokio::test]
async fn a_socket_whose_certificate_is_not_trusted_says_so() {
    let Some(port) = guarded() else { return };
    let clock = Clock::manual(at(NOON));
    let kraken = PROVIDERS.iter().find(|spec| spec.name == "kraken").unwrap();
    let protocol = Guarded(open(kraken, "http://127.0.0.1:9", &clock).provider.stream().unwrap(), port);
    let opened = open(kraken, "http://127.0.0.1:9", &clock);
    let error = opened.provider.net().sockets.open(&protocol).await.map(drop).unwrap_err();
    check_certificate_error(&error);
}

/// A language that is spoken at another place, with a key in its address.
struct Guarded(Arc<dyn Protocol>, u16);

impl Protocol for Guarded {
    fn url(&self) -> String {
        format!("wss://127.0.0.1:{}/?token={SECRET}", self.1)
    }

    fn subscribe(&self, spellings: &[String]) -> Vec<String> {
        self.0.subscribe(spellings)
    }

    fn unsubscribe(&self, spellings: &[String]) -> Vec<String> {
        self.0.unsubscribe(spellings)
    }

    fn promise(&self) -> Promise {
        self.0.promise()
    }

    fn decode(&self, frame: &[u8], ts_recv: Timestamp) -> Result<Vec<StreamItem>, DecodeError> {
        self.0.decode(frame, ts_recv)
    }
}

// ── a source that repeats the key ──

/// A key with all that a URL may write in another way.
const KEY: &str = "k3y-of/ours+and=more.of_it";

/// A key as it is, as URLs write it, as a query has it and with everything but letters and digits encoded, and as JSON may write it.
fn forms(key: &str) -> Vec<String> {
    let every = key.bytes().map(|byte| match byte {
        byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    });
    let escaped = key.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_string() } else { format!("\\u{:04x}", u32::from(c)) });
    let mut forms =
        vec![key.to_owned(), byte_serialize(key.as_bytes()).collect(), every.collect(), key.replace('/', "\\/"), escaped.collect()];
    forms.dedup();
    forms
}

#[track_caller]
fn check_no_key(key: &str, text: &str) {
    let text = text.to_ascii_lowercase();
    for form in forms(key) {
        assert!(!text.contains(&form.to_ascii_lowercase()), "{form} in {text}");
    }
}

fn words(body: &[u8]) -> String {
    String::from_utf8_lossy(body).into_owned()
}

/// What a body may be in truth: each kind of error that has words.
fn dresses() -> [fn(&[u8], &Call, Timestamp) -> Option<ProviderError>; 7] {
    [
        |_: &[u8], _: &Call, _: Timestamp| None,
        |body: &[u8], _: &Call, _: Timestamp| Some(ProviderError::Unauthorized { message: words(body) }),
        |body: &[u8], _: &Call, _: Timestamp| Some(ProviderError::NotEntitled { message: words(body) }),
        |body: &[u8], _: &Call, _: Timestamp| Some(ProviderError::NotFound { message: words(body) }),
        |body: &[u8], _: &Call, _: Timestamp| Some(ProviderError::Fatal { message: words(body) }),
        |body: &[u8], _: &Call, now: Timestamp| Some(ProviderError::UsedUp { message: words(body), until: next_day(now) }),
        |body: &[u8], _: &Call, _: Timestamp| Some(ProviderError::Retryable { message: words(body), after: Some(seconds(120)) }),
    ]
}

#[tokio::test]
async fn a_key_that_an_answer_repeats_is_told_to_nobody() {
    for form in forms(KEY) {
        for (status, body) in [
            (400, format!(r#"{{"error":"no access with {form}"}}"#)),
            (401, format!("wrong key: {form}")),
            (403, format!("GET /v8/chart/AAPL?interval=1m&apikey={form} is not for you")),
            (404, form.clone()),
            (429, format!("slow down, {form}")),
            (500, format!(r#"{{"trace":["apikey={form}"]}}"#)),
            (200, format!("<html><body>{form}</body></html>")),
            (200, format!("Hello {form}")),
        ] {
            for disguised in dresses() {
                let clock = Clock::manual(at(NOON));
                let server = HttpServer::start(&clock, in_order(vec![Answer::status(status, body.clone())])).await;
                let query = vec![("apikey", KEY.to_owned())];
                let call = Call { query, explain: |body| Some(words(body)), disguised, ..call(&server.url) };
                let error = drive(&clock, STEP, http_with(&clock, 600, KEY).get(&call)).await.unwrap_err();
                check_no_key(KEY, &format!("{error} {error:?}"));
            }
        }
    }
}

/// Half a key is a key that somebody can guess.
#[tokio::test]
async fn a_key_at_the_end_of_what_is_kept_of_a_page_is_told_to_nobody() {
    let page = format!("<html>{}", "x".repeat(2_000 - 6 - 10));
    let ground = Ground::new(vec![Answer::json(format!("{page}{KEY}</html>"))]).await;
    let asking = http_with(&ground.clock, 600, KEY);
    let error = drive(&ground.clock, STEP, asking.get(&call(&ground.server.url))).await.unwrap_err();
    let ProviderError::Malformed { payload, .. } = &error else { panic!("{error:?}") };
    assert!(payload.starts_with(&page) && !payload.contains(&KEY[..8]), "{payload}");
}

/// What is no error is stored and shown.
#[tokio::test]
async fn a_key_that_is_told_as_data_is_not_among_them() {
    for form in forms(KEY) {
        let ground = Ground::new(vec![Answer::json(format!(r#"{{"name":"Apple of {form}","price":1}}"#))]).await;
        let asking = http_with(&ground.clock, 600, KEY);
        let body = drive(&ground.clock, STEP, asking.get(&call(&ground.server.url))).await.unwrap();
        assert_eq!(words(&body), r#"{"name":"Apple of ***","price":1}"#, "{form}");
    }
}

/// The variables that hold the keys to a provider.
fn variables(spec: &ProviderSpec) -> Vec<&'static str> {
    let of_key = |key: &KeySpec| if let KeyKind::Secret(variables) = key.kind { variables } else { &[] };
    spec.secrets().flat_map(of_key).copied().collect()
}

/// What a provider reads itself, after the answer was one by its looks.
#[tokio::test]
async fn no_provider_tells_its_keys() {
    let all: Vec<String> = KEYS.iter().flat_map(|(_, key)| forms(key)).collect();
    let all = all.join(" ");
    for spec in PROVIDERS.iter().filter(|spec| spec.secrets().next().is_some()) {
        let clock = Clock::manual(at(NOON));
        let next = Arc::new(Mutex::new(Answer::Close));
        let said = Arc::clone(&next);
        let server = HttpServer::start(&clock, move |_: &Asked| said.lock().unwrap().clone()).await;
        for body in [
            format!(r#"{{"error":"{all}","message":"{all}","Error Message":"{all}","status":"ERROR","code":"{all}"}}"#),
            format!(r#"["{all}"]"#),
            format!(r#"[{{"symbol":"{all}","price":"{all}","c":"{all}","t":"{all}"}}]"#),
            format!(r#"{{"data":"{all}","results":"{all}","tickers":"{all}","quotes":"{all}","c":"{all}","t":"{all}","status":"OK"}}"#),
            format!("<html>{all}</html>"),
            all.clone(),
        ] {
            // What is learnt of a refusal is not carried on to the next.
            let opened = open(spec, &server.url, &clock);
            for status in [200, 400, 401, 403] {
                *next.lock().unwrap() = Answer::status(status, body.clone());
                for error in ask_all(&opened, &clock).await.into_iter().filter_map(Result::err) {
                    // A source knows the keys to itself only.
                    let own = KEYS.iter().filter(|(variable, _)| variables(spec).contains(variable));
                    own.for_each(|(_, key)| check_no_key(key, &error.to_string()));
                }
            }
        }
    }
}

const FROM: &str = "2026-11-24T15:00:50Z";
const NOTHING: fn(&str) -> Option<String> = |_| None;

/// A day on which the answers over HTTP repeat the key too.
async fn day(provider: &'static str, manners: Manners) -> Day {
    let rest = |_: &Asked| {
        let all: Vec<String> = KEYS.iter().flat_map(|(_, key)| forms(key)).collect();
        let said = all.join(" ");
        Answer::status(403, format!(r#"{{"error":"you don't have access with {said}","message":"{said}","status":"NOT_AUTHORIZED"}}"#))
    };
    Day::start(Scene { provider, from: FROM, symbols: &["AAPL"], config: "", manners, refusals: Vec::new(), rest }).await
}

/// Neither on the feed's line, nor in the log, nor among what was refused.
async fn check_day(day: &Day, key: &str) {
    check_no_key(key, &format!("{:?}", day.view()));
    check_no_key(key, &format!("{:?}", day.quarantine().await));
    for form in forms(key) {
        assert_eq!(day.log.count(&form), 0, "{form}");
    }
}

/// The feed's line, once its error has these words.
async fn told(day: &Day, what: &str) -> FeedView {
    let told = |day: &Day| Some(day.feed()).filter(|feed| feed.error.as_ref().is_some_and(|error| error.contains(what)));
    day.until(seconds(10), what, told).await
}

#[tokio::test]
async fn a_key_in_a_refusal_or_a_goodbye_of_a_socket_is_told_to_nobody() {
    let key = "finnhub-test-key";
    let day = day("finnhub", Manners { answer: NOTHING, beat: None, greet: None }).await;
    let line = day.line(0, 1).await;
    for (number, form) in forms(key).into_iter().enumerate() {
        line.send(format!(r#"{{"type":"error","msg":"refusal {number} of {form}"}}"#));
        told(&day, &format!("refusal {number} of ***")).await;
    }
    // A figure that is none, which parsers like to repeat.
    line.send(format!(r#"{{"type":"trade","data":[{{"s":"AAPL","p":"{key}","t":1}}]}}"#));
    told(&day, "makes no sense").await;
    // Who is thrown out at once is told something else.
    day.pass(seconds(8)).await;
    line.close(4_000, "farewell finnhub-test-key and finnhub%2Dtest%2Dkey");
    let error = day.state(seconds(5), FeedState::Dead).await.error.unwrap_or_default();
    assert!(error.contains("4000 farewell *** and ***"), "{error}");
    check_day(&day, key).await;
    day.stop().await;
}

fn connected() -> String {
    r#"[{"ev":"status","status":"connected","message":"Connected Successfully"}]"#.to_owned()
}

#[tokio::test]
async fn a_key_in_the_answer_to_a_login_is_told_to_nobody() {
    let refusals: [fn(&str) -> Option<String>; 2] = [
        |_: &str| {
            let words = "no such key: polygon-test-key, polygon%2Dtest%2Dkey";
            Some(format!(r#"[{{"ev":"status","status":"auth_failed","message":"{words}"}}]"#))
        },
        |_: &str| {
            let words = "your plan has no websocket access, polygon-test-key, polygon%2Dtest%2Dkey";
            Some(format!(r#"[{{"ev":"status","status":"auth_failed","message":"{words}"}}]"#))
        },
    ];
    for answer in refusals {
        let day = day("polygon", Manners { answer, beat: None, greet: Some(connected) }).await;
        let off = day.state(seconds(20), FeedState::Off).await;
        let error = off.error.unwrap_or_default();
        assert!(error.contains("***"), "{error}");
        check_day(&day, "polygon-test-key").await;
        day.stop().await;
    }
}
