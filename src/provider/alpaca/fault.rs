//! What Alpaca refuses, and what that means for us.

use std::time::Duration;

use serde::Deserialize;

use crate::market::Timestamp;
use crate::provider::alpaca::wire;
use crate::provider::contract::ProviderError;
use crate::provider::net::Call;
use crate::provider::protocol::StreamItem;
use crate::provider::wire::{Text, words};

/// How long the socket's server keeps a session whose line broke.
const HALF_DEAD: Duration = Duration::from_secs(90);

/// What to do about a key pair that is not taken.
const PAIR: &str = "a key pair is one of paper trading or of live trading: see trading_url";

/// The body of a refusal: "Market Data FAQ", <https://docs.alpaca.markets>.
#[derive(Deserialize)]
struct Refusal<'a> {
    #[serde(borrow)]
    message: Option<Text<'a>>,
}

/// An error of the socket, by its code: "Errors" of "WebSocket Stream", <https://docs.alpaca.markets>.
#[must_use]
pub fn fault(told: &wire::Notice<'_>) -> Option<StreamItem> {
    let words = words(told.words.as_ref()).unwrap_or_else(|| "no reason given".to_owned());
    let code = told.code.unwrap_or_default();
    let message = format!("{words} ({code})");
    let retryable = |message: String, after: Option<Duration>| ProviderError::Retryable { message, after };
    let error = match code {
        402 => ProviderError::Unauthorized { message: format!("alpaca does not take the key pair: {message}") },
        // What is asked for was done before.
        403 => return None,
        406 => {
            let who = "another program holds the one connection of this key pair, or our last one is not let go of yet";
            retryable(format!("{who}: {message}"), Some(HALF_DEAD))
        }
        401 | 404 | 407 | 500 => retryable(format!("alpaca ends the connection: {message}"), None),
        408 | 411 => ProviderError::NotEntitled { message: format!("the plan has no such stream: {message}") },
        409 => ProviderError::NotEntitled { message: format!("the plan does not hold this feed, set feed to \"iex\": {message}") },
        405 => return Some(StreamItem::Refused(format!("more symbols than the plan holds, set symbols_most lower: {message}"))),
        _ => return Some(StreamItem::Refused(message)),
    };
    Some(StreamItem::Ended(error))
}

/// The refusal in a body, if it is one that its status does not tell of.
#[must_use]
pub fn refusal(body: &[u8], what: &str) -> Option<ProviderError> {
    let words = explain(body)?;
    let message = format!("{what}: {words}");
    let small = words.to_ascii_lowercase();
    let says = |parts: &[&str]| parts.iter().any(|part| small.contains(part));
    if says(&["subscription does not permit"]) {
        Some(ProviderError::NotEntitled { message })
    } else if says(&["invalid symbol", "symbol not found", "asset not found"]) {
        Some(ProviderError::NotFound { message })
    } else if small.trim_end_matches('.') == "forbidden" || says(&["unauthorized", "request is not authorized"]) {
        Some(ProviderError::Unauthorized { message: format!("{message} ({PAIR})") })
    } else {
        None
    }
}

/// The same, for a call.
#[must_use]
pub fn disguised(body: &[u8], call: &Call, _: Timestamp) -> Option<ProviderError> {
    refusal(body, &call.what)
}

/// The source's own words for an error.
#[must_use]
pub fn explain(body: &[u8]) -> Option<String> {
    // A list could be read as one as well.
    let body = body.trim_ascii_start();
    let refusal: Refusal<'_> = serde_json::from_slice(body).ok().filter(|_| body.starts_with(b"{"))?;
    words(refusal.message.as_ref())
}
