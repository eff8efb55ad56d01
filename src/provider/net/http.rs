//! HTTP: one question, asked as often as it takes and as rarely as it must be.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode};

use crate::host::Clock;
use crate::market::{Timestamp, clean};
use crate::provider::contract::ProviderError;
use crate::provider::net::limit::Limiter;
use crate::provider::net::tls::client_config;

/// Connecting, asking, and the first byte of the answer.
const ANSWER: Duration = Duration::from_secs(20);
/// Between two pieces of the answer.
const READ: Duration = Duration::from_secs(15);
const WHOLE: Duration = Duration::from_secs(60);
/// No honest answer is larger.
const MAX_BODY: usize = 64 << 20;
/// A longer `Retry-After` is told to the caller, who has other things to do.
const PATIENCE: Duration = Duration::from_secs(60);
const TRIES: usize = 4;
/// How much of a wrong answer is kept.
const PAYLOAD: usize = 2_000;

/// The HTTP side of one provider.
#[derive(Clone, Debug)]
pub struct Http {
    client: Client,
    clock: Clock,
    limiter: Limiter,
    requests: Arc<AtomicU64>,
}

/// What a provider's HTTP is made with.
#[derive(Clone, Debug)]
pub struct HttpOptions {
    pub user_agent: String,
    pub requests_per_minute: NonZeroU32,
}

/// One question.
#[derive(Clone, Debug)]
pub struct Call {
    pub url: String,
    pub query: Vec<(&'static str, String)>,
    pub headers: Vec<(&'static str, String)>,
    /// For errors: `coinbase candles of BTC-USD`.
    pub what: String,
    /// The source's own words in the body of a refusal.
    pub explain: fn(&[u8]) -> Option<String>,
}

impl Http {
    /// Makes the client; nothing is sent yet.
    ///
    /// # Panics
    /// When the TLS library cannot be set up at all.
    #[must_use]
    pub fn new(options: &HttpOptions, clock: Clock) -> Self {
        let client = Client::builder()
            .tls_backend_preconfigured(client_config().as_ref().clone())
            .user_agent(options.user_agent.clone())
            .build()
            .expect("the client has only values that were checked");
        let limiter = Limiter::per_minute(options.requests_per_minute, clock.clone());
        Self { client, clock, limiter, requests: Arc::default() }
    }

    /// Asks until there is an answer that can be JSON, or a reason to stop.
    pub async fn get(&self, call: &Call) -> Result<Vec<u8>, ProviderError> {
        let pace = ExponentialBuilder::default()
            .with_jitter()
            .with_min_delay(Duration::from_millis(500))
            .with_max_delay(Duration::from_secs(20))
            .with_max_times(TRIES - 1);
        (|| self.once(call))
            .retry(pace)
            .sleep(self.clock.clone())
            .when(|error| error.is_retryable() && asked_to_wait(error).is_none_or(|wait| wait <= PATIENCE))
            .adjust(|error, pause| pause.map(|pause| asked_to_wait(error).map_or(pause, |wait| wait.max(pause))))
            .await
    }

    /// The limit that calls wait for.
    #[must_use]
    pub fn limiter(&self) -> &Limiter {
        &self.limiter
    }

    /// How many requests were sent.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    async fn once(&self, call: &Call) -> Result<Vec<u8>, ProviderError> {
        self.limiter.turn().await;
        self.requests.fetch_add(1, Ordering::Relaxed);
        let mut request = self.client.get(&call.url).query(&call.query);
        for (name, value) in &call.headers {
            request = request.header(*name, value);
        }
        let sent = self.clock.timeout(ANSWER, request.send()).await.map_err(|_| slow_source(call))?;
        let response = sent.map_err(|e| unreachable_source(call, &e))?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = self.clock.timeout(WHOLE, self.read_body(response, call)).await.map_err(|_| slow_source(call))??;
        if !status.is_success() {
            return Err(refusal(call, status, &headers, &body, self.clock.now()));
        }
        match body.iter().find(|byte| !byte.is_ascii_whitespace()) {
            Some(b'{' | b'[') => Ok(body),
            None => Err(malformed(call, "an empty body", &body)),
            Some(b'<') => Err(malformed(call, "HTML instead of JSON", &body)),
            Some(_) => Err(malformed(call, "text instead of JSON", &body)),
        }
    }

    async fn read_body(&self, mut response: Response, call: &Call) -> Result<Vec<u8>, ProviderError> {
        let mut body = Vec::new();
        loop {
            let chunk = self.clock.timeout(READ, response.chunk()).await.map_err(|_| slow_source(call))?;
            let Some(chunk) = chunk.map_err(|e| unreachable_source(call, &e))? else { return Ok(body) };
            if body.len() + chunk.len() > MAX_BODY {
                return Err(ProviderError::Fatal { message: format!("{}: the answer is larger than {} MB", call.what, MAX_BODY >> 20) });
            }
            body.extend_from_slice(&chunk);
        }
    }
}

fn slow_source(call: &Call) -> ProviderError {
    ProviderError::Retryable { message: format!("{}: {} did not answer in time", call.what, host(call)), after: None }
}

fn host(call: &Call) -> String {
    reqwest::Url::parse(&call.url).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default()
}

/// Never the URL: a key may be in it.
fn unreachable_source(call: &Call, error: &reqwest::Error) -> ProviderError {
    let why = if error.is_connect() {
        format!("cannot be reached ({})", root_cause(error))
    } else {
        format!("broke off ({})", root_cause(error))
    };
    ProviderError::Retryable { message: format!("{}: {} {why}", call.what, host(call)), after: None }
}

fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    clean(&cause.to_string()).into_owned()
}

fn refusal(call: &Call, status: StatusCode, headers: &HeaderMap, body: &[u8], now: Timestamp) -> ProviderError {
    let said = (call.explain)(body).map_or_else(String::new, |words| format!(": {}", clean(&words)));
    let message = format!("{}: {}{said}", call.what, status.as_u16());
    let after = retry_after(headers, now);
    match status {
        StatusCode::TOO_MANY_REQUESTS | StatusCode::IM_A_TEAPOT => ProviderError::RateLimited { after },
        StatusCode::UNAUTHORIZED => ProviderError::Unauthorized { message },
        StatusCode::FORBIDDEN | StatusCode::PAYMENT_REQUIRED | StatusCode::UNAVAILABLE_FOR_LEGAL_REASONS => {
            ProviderError::NotEntitled { message }
        }
        StatusCode::NOT_FOUND => ProviderError::NotFound { message },
        StatusCode::REQUEST_TIMEOUT => ProviderError::Retryable { message, after },
        status if status.is_server_error() => ProviderError::Retryable { message, after },
        _ => ProviderError::Fatal { message },
    }
}

/// Seconds or a date, as RFC 9110 section 10.2.3 has it.
pub(crate) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    match text.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => Timestamp::from_http_date(text).map(|at| at.since(now)),
    }
}

fn asked_to_wait(error: &ProviderError) -> Option<Duration> {
    match error {
        ProviderError::Retryable { after, .. } | ProviderError::RateLimited { after } => *after,
        ProviderError::Unauthorized { .. }
        | ProviderError::NotEntitled { .. }
        | ProviderError::NotFound { .. }
        | ProviderError::Malformed { .. }
        | ProviderError::Fatal { .. } => None,
    }
}

fn malformed(call: &Call, what: &str, body: &[u8]) -> ProviderError {
    let start = &body[..body.len().min(PAYLOAD)];
    ProviderError::Malformed { message: format!("{}: {what}", call.what), payload: clean(&String::from_utf8_lossy(start)).into_owned() }
}
