//! Answers of the Finnhub REST interface in our words: errors in whatever dress, and the quote. It asks nothing.

use std::time::Duration;

use serde::Deserialize;

use crate::market::{EventKind, Last, MarketEvent, Timestamp};
use crate::provider::contract::ProviderError;
use crate::provider::net::Call;
use crate::provider::wire::{Text, positive, words};

/// How long nothing is asked when the limit is reached and no header says until when: the window is a minute, and half of it is over on
/// average.
const REST: Duration = Duration::from_secs(30);

/// "Rate limit" and "Authentication", <https://finnhub.io/docs/api>; it has been seen with status 200.
#[derive(Deserialize)]
struct Fault<'a> {
    #[serde(borrow)]
    error: Option<Text<'a>>,
}

/// "Quote", <https://finnhub.io/docs/api>.
#[derive(Deserialize)]
struct Quote {
    #[serde(rename = "c")]
    current: Option<f64>,
    #[serde(rename = "o")]
    open: Option<f64>,
    #[serde(rename = "h")]
    high: Option<f64>,
    #[serde(rename = "l")]
    low: Option<f64>,
    #[serde(rename = "pc")]
    previous_close: Option<f64>,
    /// Unix seconds of the last trade.
    #[serde(rename = "t")]
    time: Option<i64>,
}

/// The error that a body is in truth, by its words; what these do not tell is left to the status.
#[must_use]
pub fn refusal(body: &[u8], call: &Call, _now: Timestamp) -> Option<ProviderError> {
    let words = explain(body)?;
    let message = format!("{}: {words}", call.what);
    let words = words.to_ascii_lowercase();
    let says = |parts: &[&str]| parts.iter().any(|part| words.contains(part));
    if says(&["limit reached", "too many requests"]) {
        Some(ProviderError::RateLimited { after: Some(REST) })
    } else if says(&["api key", "token"]) {
        Some(ProviderError::Unauthorized { message })
    } else if says(&["access to this resource", "have access"]) {
        Some(ProviderError::NotEntitled { message })
    } else {
        None
    }
}

/// The source's own words for an error.
#[must_use]
pub fn explain(body: &[u8]) -> Option<String> {
    let fault: Fault<'_> = serde_json::from_slice(body).ok()?;
    words(fault.error.as_ref())
}

/// A look at one share. Zeros are what an unknown one is answered with, never a price.
pub fn look(body: &[u8], spelling: &str, ts_recv: Timestamp) -> Result<Vec<MarketEvent>, ProviderError> {
    let bad = || ProviderError::malformed("the finnhub quote is not as it should be", body);
    let quote: Quote = serde_json::from_slice(body).map_err(|_| bad())?;
    let (price, seconds) = quote.current.zip(quote.time).ok_or_else(bad)?;
    if price <= 0.0 || seconds <= 0 {
        return Err(ProviderError::NotFound { message: format!("finnhub has no price of {spelling}") });
    }
    let last = Last {
        price,
        reference: positive(quote.previous_close),
        day_open: positive(quote.open),
        day_high: positive(quote.high),
        day_low: positive(quote.low),
        day_volume: None,
    };
    let ts_event = Timestamp::from_seconds(seconds);
    Ok(vec![MarketEvent { symbol: spelling.into(), ts_event, ts_recv, kind: EventKind::Last(last) }])
}
