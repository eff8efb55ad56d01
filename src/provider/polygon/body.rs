//! What all answers of Massive have in common: errors in several dresses. It asks nothing.

use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::market::{Timestamp, clean};
use crate::provider::contract::ProviderError;
use crate::provider::net::Call;
use crate::provider::polygon::raw::{Raw, text};

/// No error is longer, and no answer that is not searched for one is lost.
const LONGEST_FAULT: usize = 4_096;

const MINUTE: Duration = Duration::from_secs(60);

/// "REST quickstart", <https://massive.com/docs/rest/quickstart>: the words stand in one of two members.
#[derive(Deserialize)]
struct Fault<'a> {
    #[serde(borrow)]
    status: Raw<'a>,
    #[serde(borrow)]
    error: Raw<'a>,
    #[serde(borrow)]
    message: Raw<'a>,
}

/// A part of a list, and where it goes on. A row that makes no sense does not cost the others.
#[derive(Deserialize)]
pub struct List<'a> {
    #[serde(borrow)]
    pub results: Option<Vec<&'a RawValue>>,
    #[serde(borrow)]
    pub next_url: Raw<'a>,
}

/// The source's own words for an error.
#[must_use]
pub fn explain(body: &[u8]) -> Option<String> {
    fault(body)?.words()
}

/// The error that a body is, whatever its status says; what the status tells well enough is left to it.
#[must_use]
pub fn disguised(body: &[u8], call: &Call, now: Timestamp) -> Option<ProviderError> {
    let fault = fault(body)?;
    let words = fault.words().unwrap_or_default();
    let message = || if words.is_empty() { call.what.clone() } else { format!("{}: {words}", call.what) };
    match text(fault.status).as_deref() {
        Some("ERROR") if words.contains("maximum requests per minute") => {
            // It counts from minute to minute.
            let next = now.floor_to(MINUTE, Timestamp::from_seconds(0)) + MINUTE;
            Some(ProviderError::RateLimited { after: Some(next.since(now)) })
        }
        Some("ERROR") if words.contains("API Key") => Some(ProviderError::Unauthorized { message: message() }),
        Some("NOT_AUTHORIZED") => Some(ProviderError::NotEntitled { message: message() }),
        Some("NOT_FOUND") => Some(ProviderError::NotFound { message: message() }),
        _ => None,
    }
}

/// Reads an answer that is no error.
pub fn parse<'a, T: Deserialize<'a>>(body: &'a [u8], what: &str) -> Result<T, ProviderError> {
    if let Some(fault) = fault(body).filter(|fault| text(fault.status).as_deref() == Some("ERROR")) {
        let words = fault.words().unwrap_or_else(|| "no reason given".to_owned());
        return Err(ProviderError::Fatal { message: format!("{what}: {words}") });
    }
    serde_json::from_slice(body).map_err(|_| ProviderError::malformed(format!("{what} are not as they should be"), body))
}

/// Where a list goes on; blank is the end as well.
#[must_use]
pub fn next(raw: Raw<'_>) -> Option<String> {
    text(raw).map(|next| next.trim().to_owned()).filter(|next| !next.is_empty())
}

/// A text of the source, fit to be shown.
#[must_use]
pub fn cleaned(raw: Raw<'_>) -> Option<String> {
    text(raw).map(|text| clean(&text).trim().to_owned()).filter(|text| !text.is_empty())
}

fn fault(body: &[u8]) -> Option<Fault<'_>> {
    if body.len() > LONGEST_FAULT { None } else { serde_json::from_slice(body).ok() }
}

impl Fault<'_> {
    fn words(&self) -> Option<String> {
        cleaned(self.error).or_else(|| cleaned(self.message))
    }
}
