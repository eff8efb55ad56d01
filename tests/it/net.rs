//! HTTP against a server that does not always answer well: when it is asked again, and what is said of it.

use std::num::NonZeroU32;
use std::time::Duration;

use openbell::host::Clock;
use openbell::provider::ProviderError;
use openbell::provider::net::{Call, Http, HttpOptions};

use crate::server::{Answer, HttpServer, at, drive, in_order, seconds, waits};

const NOON: &str = "2026-11-24T12:00:00Z";
const STEP: Duration = Duration::from_millis(100);
const WHAT: &str = "yahoo bars of AAPL";
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

fn http(clock: &Clock, per_minute: u32) -> Http {
    let options = HttpOptions { user_agent: "openbell-test/1".to_owned(), requests_per_minute: NonZeroU32::new(per_minute).unwrap() };
    Http::new(&options, clock.clone())
}

fn call(url: &str) -> Call {
    Call {
        url: format!("{url}/v8/chart/AAPL"),
        query: vec![("interval", "1m".to_owned()), ("apikey", SECRET.to_owned())],
        headers: vec![("Accept-Language", "en".to_owned())],
        what: WHAT.to_owned(),
        explain: |body| body.starts_with(b"{").then(|| "the source's own words\u{1b}[2J".to_owned()),
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
