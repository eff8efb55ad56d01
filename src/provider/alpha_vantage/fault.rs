//! Errors of Alpha Vantage, which come with the status 200. Their texts may repeat the key: what they mean is told in our own words.

use std::time::Duration;

use serde::Deserialize;

use crate::market::Timestamp;
use crate::provider::contract::ProviderError;
use crate::provider::net::{Call, next_day};
use crate::provider::wire::Text;

/// After a burst: one request a second is allowed, and five a minute by other pages.
const BURST: Duration = Duration::from_secs(12);

/// After words that nobody knows.
const UNKNOWN: Duration = Duration::from_secs(900);

/// The three members that an error is told in: "API Documentation" and "Support", <https://www.alphavantage.co/documentation/>,
/// <https://www.alphavantage.co/support/>. The second was called as the third for years.
#[derive(Deserialize)]
struct Fault<'a> {
    #[serde(rename = "Error Message", borrow)]
    error: Option<Text<'a>>,
    #[serde(rename = "Information", borrow)]
    information: Option<Text<'a>>,
    #[serde(rename = "Note", borrow)]
    note: Option<Text<'a>>,
}

/// The error that a body is in truth, whatever its status.
#[must_use]
pub fn disguised(body: &[u8], call: &Call, now: Timestamp) -> Option<ProviderError> {
    let body = body.trim_ascii_start();
    if body.first() != Some(&b'{') {
        return None;
    }
    let fault: Fault<'_> = serde_json::from_slice(body).ok()?;
    if let Some(error) = &fault.error {
        return Some(rejected(&error.as_str().to_ascii_lowercase(), &call.what));
    }
    let words = fault.information.as_ref().or(fault.note.as_ref())?;
    Some(told(&words.as_str().to_ascii_lowercase(), &call.what, now))
}

/// What the words for a paid function come to.
pub(crate) fn not_in_plan(what: &str) -> ProviderError {
    ProviderError::NotEntitled { message: format!("{what}: it is not in the plan of the key") }
}

/// A bad symbol and a bad parameter look the same.
fn rejected(lower: &str, what: &str) -> ProviderError {
    if lower.contains("apikey") {
        return ProviderError::Unauthorized { message: format!("{what}: the key is missing or is none of theirs") };
    }
    ProviderError::NotFound { message: format!("{what}: the source rejects it, as it does what it does not know") }
}

/// The texts of a burst and of a used up day advertise premium plans and premium endpoints too, and the one names the limit of the
/// other: what only one of them says is looked for first.
fn told(lower: &str, what: &str, now: Timestamp) -> ProviderError {
    let says = |texts: &[&str]| texts.iter().any(|text| lower.contains(text));
    let used_up = || ProviderError::UsedUp { message: format!("{what}: the requests of the day are used up"), until: next_day(now) };
    if says(&["detected your api key"]) {
        used_up()
    } else if says(&["spreading out"]) {
        ProviderError::RateLimited { after: Some(BURST) }
    } else if says(&["premium"]) && says(&["endpoint", "feature"]) {
        not_in_plan(what)
    } else if says(&["per second", "per minute"]) {
        ProviderError::RateLimited { after: Some(BURST) }
    } else if says(&["per day"]) {
        used_up()
    } else if says(&["demo"]) {
        let message = format!("{what}: the demo key is good for the examples of the documentation only");
        ProviderError::Unauthorized { message }
    } else {
        ProviderError::Retryable { message: format!("{what}: a notice instead of an answer"), after: Some(UNKNOWN) }
    }
}
