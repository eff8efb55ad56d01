//! What lets one ask for quotes: a cookie, and the crumb that belongs to it. Where they are not to be had, that way is left alone
//! for a while.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use reqwest::header::{HeaderMap, SET_COOKIE};

use crate::config::Section;
use crate::market::{MarketEvent, Timestamp};
use crate::provider::contract::ProviderError;
use crate::provider::net::{Body, Call, Net};
use crate::provider::yahoo::chart::explain;
use crate::provider::yahoo::quote::quotes;

/// How many symbols one question names: since March 2025 it fails with a hundred.
pub const AT_ONCE: usize = 50;

/// How long that way is left alone after it failed: asking for another crumb makes a block worse.
const CLOSED: Duration = Duration::from_secs(900);

/// A crumb is about eleven characters long.
const LONGEST_CRUMB: usize = 32;

/// The way to quotes of many symbols.
pub struct Quotes {
    quote_url: String,
    cookie_url: String,
    /// Held while one is fetched, so that only one is.
    pass: tokio::sync::Mutex<Option<Pass>>,
    /// Never held while waiting.
    closed_until: Mutex<Timestamp>,
}

/// A cookie, and the crumb that belongs to it.
struct Pass {
    cookie: String,
    crumb: String,
}

impl Quotes {
    /// Nothing is sent yet.
    #[must_use]
    pub fn new(section: &Section) -> Self {
        let url = |key: &str| section.text(key).trim_end_matches('/').to_owned();
        let (quote_url, cookie_url) = (url("quote_url"), url("cookie_url"));
        let closed_until = Mutex::new(if section.flag("quotes") { Timestamp::MIN } else { Timestamp::MAX });
        Self { quote_url, cookie_url, pass: tokio::sync::Mutex::default(), closed_until }
    }

    /// Prices of these symbols; `None` while this way is closed, or when it was found to be.
    pub async fn ask(&self, net: &Net, spellings: &[String]) -> Option<Vec<MarketEvent>> {
        if net.clock.now() < self.closed_until() {
            return None;
        }
        let mut events = Vec::new();
        for some in spellings.chunks(AT_ONCE) {
            match self.some(net, some).await {
                Ok(found) => events.extend(found),
                Err(error) => {
                    tracing::info!(feed = "yahoo", "quotes cannot be had, charts stand in for {} s: {error}", CLOSED.as_secs());
                    self.close_until(net.clock.now() + CLOSED);
                    return None;
                }
            }
        }
        Some(events)
    }

    /// With the pass that is known, or else with a new one; a new one that is refused is a refusal.
    async fn some(&self, net: &Net, spellings: &[String]) -> Result<Vec<MarketEvent>, ProviderError> {
        let mut kept = self.pass.lock().await;
        if let Some(pass) = &*kept {
            match self.with(net, pass, spellings).await {
                Err(ProviderError::Unauthorized { .. } | ProviderError::NotEntitled { .. }) => {}
                answer => return answer,
            }
        }
        *kept = None;
        let pass = self.fetch(net).await?;
        let events = self.with(net, &pass, spellings).await?;
        *kept = Some(pass);
        Ok(events)
    }

    async fn with(&self, net: &Net, pass: &Pass, spellings: &[String]) -> Result<Vec<MarketEvent>, ProviderError> {
        let mut headers = browser_headers();
        headers.push(("Cookie", pass.cookie.clone()));
        let call = Call {
            url: format!("{}/v7/finance/quote", self.quote_url),
            query: vec![("symbols", spellings.join(",")), ("overnightPrice", "true".to_owned()), ("crumb", pass.crumb.clone())],
            headers,
            what: format!("yahoo quotes of {} symbols", spellings.len()),
            explain,
            disguised: no_json,
            ..Call::default()
        };
        quotes(&net.http.get(&call).await?, spellings, net.clock.now())
    }

    /// The cookie's page does not exist, and sets it all the same. Where none is set, as in a recording, the crumb decides.
    async fn fetch(&self, net: &Net) -> Result<Pass, ProviderError> {
        let page = Call {
            url: self.cookie_url.clone(),
            headers: browser_headers(),
            what: "yahoo cookie".to_owned(),
            body: Body::Ignored,
            ..Call::default()
        };
        let (_, headers) = net.http.get_with_headers(&page).await?;
        let cookie = cookies(&headers);
        let mut headers = browser_headers();
        headers.push(("Cookie", cookie.clone()));
        let call = Call {
            url: format!("{}/v1/test/getcrumb", self.quote_url),
            headers,
            what: "yahoo crumb".to_owned(),
            disguised: |body, call, _| crumb(body).is_none().then(|| no_crumb(call)),
            body: Body::Csv,
            ..Call::default()
        };
        let crumb = crumb(&net.http.get(&call).await?).ok_or_else(|| no_crumb(&call))?;
        Ok(Pass { cookie, crumb })
    }

    fn closed_until(&self) -> Timestamp {
        *self.closed_until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close_until(&self, until: Timestamp) {
        *self.closed_until.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }
}

/// What a browser sends beside its name.
#[must_use]
pub fn browser_headers() -> Vec<(&'static str, String)> {
    vec![("Accept", "*/*".to_owned()), ("Accept-Language", "en-US,en;q=0.9".to_owned())]
}

/// The crumb in a body; `None` for a page, an error or a refusal, which come in its place, with any status.
#[must_use]
pub fn crumb(body: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?.trim();
    let is_odd = |c: char| c == '<' || c == '{' || c.is_whitespace() || c.is_control();
    let is_one = !text.is_empty() && text.len() <= LONGEST_CRUMB && !text.contains(is_odd);
    // A slash may be written as JSON may write it.
    is_one.then(|| text.replace("\\u002F", "/").replace("\\u002f", "/"))
}

/// The cookies that an answer sets, as they are sent back.
#[must_use]
pub fn cookies(headers: &HeaderMap) -> String {
    let set = headers.get_all(SET_COOKIE).iter().filter_map(|value| value.to_str().ok()?.split(';').next());
    let has_value = |cookie: &&str| cookie.split_once('=').is_some_and(|(name, value)| !name.is_empty() && !value.is_empty());
    set.map(str::trim).filter(has_value).collect::<Vec<_>>().join("; ")
}

/// It is not asked for again: that makes a block worse.
fn no_crumb(call: &Call) -> ProviderError {
    ProviderError::Fatal { message: format!("{}: what came is none", call.what) }
}

/// A block is text or HTML, with any status: it is not asked again, and the charts know nothing of it.
fn no_json(body: &[u8], call: &Call, _: Timestamp) -> Option<ProviderError> {
    let is_json = body.trim_ascii_start().starts_with(b"{");
    (!is_json).then(|| ProviderError::Fatal { message: format!("{}: no JSON", call.what) })
}
