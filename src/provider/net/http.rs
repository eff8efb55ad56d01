//! HTTP: one question, asked as often as it takes and as rarely as it must be.

use std::borrow::Cow;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use reqwest::header::HeaderMap;
use reqwest::{Client, Response, StatusCode};

use crate::host::Clock;
use crate::market::{Timestamp, clean};
use crate::provider::contract::ProviderError;
use crate::provider::net::headers::retry_after;
use crate::provider::net::limit::{Limiter, Limits, PATIENCE};
use crate::provider::net::record::Recorder;
use crate::provider::net::redact::Redact;
use crate::provider::net::tls::client_config;

/// Connecting, asking, and the first byte of the answer.
const ANSWER: Duration = Duration::from_secs(20);
/// Between two pieces of the answer.
const READ: Duration = Duration::from_secs(15);
const WHOLE: Duration = Duration::from_secs(60);
/// No honest answer is larger.
const MAX_BODY: usize = 64 << 20;

/// The HTTP side of one provider.
#[derive(Clone, Debug)]
pub struct Http {
    client: Client,
    clock: Clock,
    limiter: Limiter,
    headers: fn(&HeaderMap, Timestamp) -> Option<Timestamp>,
    redact: Redact,
    recorder: Recorder,
    tries: usize,
    requests: Arc<AtomicU64>,
}

/// What a provider's HTTP is made with.
#[derive(Clone, Debug)]
pub struct HttpOptions {
    pub source: &'static str,
    pub user_agent: String,
    pub limits: Limits,
    /// Until when the headers of an answer ask for no further request.
    pub headers: fn(&HeaderMap, Timestamp) -> Option<Timestamp>,
    pub redact: Redact,
    pub recorder: Recorder,
    /// How often a question is asked, at most, before the answer is that there is none.
    pub tries: usize,
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
    /// The error that a body is in truth, whatever its status says.
    pub disguised: fn(&[u8], &Call, Timestamp) -> Option<ProviderError>,
    pub body: Body,
    /// How much of the limit it takes.
    pub weight: NonZeroU32,
}

/// What an answer is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    Json,
    /// Lines of text, or JSON where the source has something else to say.
    Csv,
    /// Only the headers matter: a page that is not there has them too.
    Ignored,
}

impl Default for Call {
    fn default() -> Self {
        Self {
            url: String::new(),
            query: Vec::new(),
            headers: Vec::new(),
            what: String::new(),
            explain: |_| None,
            disguised: |_, _, _| None,
            body: Body::Json,
            weight: NonZeroU32::MIN,
        }
    }
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
            // Another host would be sent our keys.
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .expect("the client has only values that were checked");
        let limiter = Limiter::new(options.source, options.limits, clock.clone());
        let HttpOptions { headers, redact, recorder, tries, .. } = options.clone();
        Self { client, clock, limiter, headers, redact, recorder, tries, requests: Arc::default() }
    }

    /// Asks until there is an answer in the language of the call, or a reason to stop.
    pub async fn get(&self, call: &Call) -> Result<Vec<u8>, ProviderError> {
        self.get_with_headers(call).await.map(|(body, _)| body)
    }

    /// The same, with the headers of the answer.
    pub async fn get_with_headers(&self, call: &Call) -> Result<(Vec<u8>, HeaderMap), ProviderError> {
        let pace = ExponentialBuilder::default()
            .with_jitter()
            .with_min_delay(Duration::from_millis(500))
            .with_max_delay(Duration::from_secs(20))
            .with_max_times(self.tries.saturating_sub(1));
        (|| self.once(call))
            .retry(pace)
            .sleep(self.clock.clone())
            .when(|error| self.is_worth_another(error) && error.after(self.clock.now()).is_none_or(|wait| wait <= PATIENCE))
            .adjust(|error, pause| pause.map(|pause| error.after(self.clock.now()).map_or(pause, |wait| wait.max(pause))))
            .await
    }

    /// An answer that makes no sense is not bought three times more where requests are counted by the day.
    fn is_worth_another(&self, error: &ProviderError) -> bool {
        error.is_retryable() && !(self.limiter.is_capped() && matches!(error, ProviderError::Malformed { .. }))
    }

    /// Takes the keys out of a text.
    #[must_use]
    pub fn redact(&self) -> &Redact {
        &self.redact
    }

    /// Where what arrives is kept, if it is.
    #[must_use]
    pub fn recorder(&self) -> &Recorder {
        &self.recorder
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

    async fn once(&self, call: &Call) -> Result<(Vec<u8>, HeaderMap), ProviderError> {
        if let Some((status, body)) = self.recorder.taped(call) {
            let headers = HeaderMap::new();
            return self.understand(call, status, &headers, body).map(|body| (body, headers));
        }
        self.limiter.turn(&host(call), call.weight).await?;
        self.requests.fetch_add(1, Ordering::Relaxed);
        let mut request = self.client.get(&call.url).query(&call.query);
        for (name, value) in &call.headers {
            request = request.header(*name, value);
        }
        let sent = self.clock.timeout(ANSWER, request.send()).await.map_err(|_| slow_source(call))?;
        let response = sent.map_err(|e| unreachable_source(call, &e))?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = self.clock.timeout(WHOLE, self.read_body(response, call)).await.map_err(|_| slow_source(call))??;
        let body = match self.redact.bytes(&body) {
            Cow::Borrowed(_) => body,
            Cow::Owned(hidden) => hidden,
        };
        self.recorder.body(call, &body, status.as_u16(), self.clock.now());
        if let Some(until) = (self.headers)(&headers, self.clock.now()) {
            self.limiter.rest(until);
        }
        self.understand(call, status, &headers, body).map(|body| (body, headers))
    }

    /// The body, unless it is an error in whatever dress; what a source asks for is kept by all who ask it.
    fn understand(&self, call: &Call, status: StatusCode, headers: &HeaderMap, body: Vec<u8>) -> Result<Vec<u8>, ProviderError> {
        let now = self.clock.now();
        let understood = match (call.disguised)(&body, call, now) {
            // What the header says of the wait counts, in whatever dress the refusal came.
            Some(ProviderError::RateLimited { after }) => Err(ProviderError::RateLimited { after: retry_after(headers, now).or(after) }),
            Some(error) => Err(error),
            None if call.body == Body::Ignored && status != StatusCode::TOO_MANY_REQUESTS && !status.is_server_error() => Ok(body),
            None if !status.is_success() => Err(refusal(call, status, headers, &body, now)),
            None => written_in(call, body),
        };
        understood.map_err(|error| {
            if let Some(wait) = error.after(now) {
                self.limiter.rest(now + wait);
            }
            self.redact.error(error)
        })
    }

    async fn read_body(&self, mut response: Response, call: &Call) -> Result<Vec<u8>, ProviderError> {
        let large = || ProviderError::Fatal { message: format!("{}: the answer is larger than {} MB", call.what, MAX_BODY >> 20) };
        if response.content_length().is_some_and(|announced| announced > MAX_BODY as u64) {
            return Err(large());
        }
        let mut body = Vec::new();
        loop {
            let chunk = self.clock.timeout(READ, response.chunk()).await.map_err(|_| slow_source(call))?;
            let Some(chunk) = chunk.map_err(|e| unreachable_source(call, &e))? else { return Ok(body) };
            self.limiter.received(chunk.len());
            if body.len() + chunk.len() > MAX_BODY {
                return Err(large());
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

/// What begins like something else is not what was asked for.
fn written_in(call: &Call, body: Vec<u8>) -> Result<Vec<u8>, ProviderError> {
    let malformed = |what: &str| ProviderError::malformed(format!("{}: {what}", call.what), &body);
    match (body.iter().find(|byte| !byte.is_ascii_whitespace()), call.body) {
        (Some(b'{' | b'['), _) | (_, Body::Ignored) => Ok(body),
        (None, _) => Err(malformed("an empty body")),
        (Some(b'<'), Body::Json) => Err(malformed("HTML instead of JSON")),
        (Some(b'<'), Body::Csv) => Err(malformed("HTML instead of CSV")),
        (Some(_), Body::Json) => Err(malformed("text instead of JSON")),
        (Some(_), Body::Csv) => Ok(body),
    }
}
