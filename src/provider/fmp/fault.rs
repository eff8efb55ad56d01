//! Errors of Financial Modeling Prep, which come with any status, as an object, as a list with one element, or as plain text.

use std::time::Duration;

use serde::Deserialize;

use crate::market::{Timestamp, clean};
use crate::provider::contract::ProviderError;
use crate::provider::net::{Call, next_day};
use crate::provider::wire::{Text, is_json};

/// The member that an error is told in.
const MARK: &[u8] = b"\"Error Message\"";
/// Where it stands if the first element of a list is an error.
const HEAD: usize = 256;
/// How much of a plain text is read: far more than is ever told, so that a key that is cut here is not told in part.
pub(crate) const WORDS: usize = 8_192;
/// The limit is one of the minute, as far as we know: that of the day is counted by ourselves.
const WINDOW: Duration = Duration::from_secs(60);

/// "Financial Modeling Prep API Documentation", <https://site.financialmodelingprep.com/developer/docs>.
#[derive(Deserialize)]
struct Fault<'a> {
    #[serde(rename = "Error Message", borrow)]
    error: Option<Text<'a>>,
}

/// The error that a body is in truth, whatever its status.
#[must_use]
pub fn disguised(body: &[u8], call: &Call, now: Timestamp) -> Option<ProviderError> {
    let words = words(body)?;
    let unknown = || ProviderError::Fatal { message: format!("{}: {words}", call.what) };
    // Plain text that is not known says less than its status.
    meant(&words, &call.what, now).or_else(|| is_json(body).then(unknown))
}

/// The source's own words for an error.
#[must_use]
pub fn explain(body: &[u8]) -> Option<String> {
    words(body)
}

/// What words of the source mean, where they are known.
pub(crate) fn meant(words: &str, what: &str, now: Timestamp) -> Option<ProviderError> {
    let lower = words.to_ascii_lowercase();
    let says = |texts: &[&str]| texts.iter().any(|text| lower.contains(text));
    let message = format!("{what}: {words}");
    Some(if says(&["limit reach"]) {
        limit(&lower, message, now)
    } else if says(&["invalid api key", "api key is missing"]) {
        ProviderError::Unauthorized { message }
    } else if says(&["legacy endpoint"]) {
        let advice = "legacy addresses are closed to keys made since September 2025";
        ProviderError::NotEntitled { message: format!("{what}: {advice}; rest_url has to be https://financialmodelingprep.com/stable") }
    } else if says(&["restricted endpoint", "exclusive endpoint", "special endpoint", "premium", "current subscription"]) {
        ProviderError::NotEntitled { message }
    } else if says(&["invalid exchange"]) {
        ProviderError::NotFound { message }
    } else if says(&["query error"]) {
        ProviderError::Fatal { message }
    } else if says(&["server error", "try again", "temporar", "timeout", "timed out"]) {
        ProviderError::Retryable { message, after: None }
    } else {
        return None;
    })
}

/// The source's words, made safe to show. They are cut where keys are taken out of them: half a key would not be known there.
pub(crate) fn kept(words: &str) -> String {
    clean(words).trim().to_owned()
}

/// The volume of thirty days is back in parts only; it is asked for again on the next day.
fn limit(lower: &str, message: String, now: Timestamp) -> ProviderError {
    if lower.contains("bandwidth") {
        ProviderError::UsedUp { message, until: next_day(now) }
    } else {
        ProviderError::RateLimited { after: Some(WINDOW) }
    }
}

fn words(body: &[u8]) -> Option<String> {
    let body = body.trim_ascii_start();
    let words = match body.first()? {
        b'{' => serde_json::from_slice::<Fault<'_>>(body).ok()?.error?.0.into_owned(),
        b'[' if body[..body.len().min(HEAD)].windows(MARK.len()).any(|part| part == MARK) => {
            serde_json::from_slice::<Vec<Fault<'_>>>(body).ok()?.into_iter().next()?.error?.0.into_owned()
        }
        b'[' | b'<' => return None,
        _ => String::from_utf8_lossy(&body[..body.len().min(WORDS)]).into_owned(),
    };
    Some(kept(&words))
}
