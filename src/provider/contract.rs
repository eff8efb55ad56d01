//! What a source of market data is to the rest of the program.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use thiserror::Error;

use crate::config::{KeySpec, Section};
use crate::market::{AssetClass, Delay, Interval, MarketEvent, SourceBar, Symbol, Timestamp};
use crate::provider::net::Net;
use crate::request::SourceKind;

/// A provider describes itself.
pub struct ProviderSpec {
    pub name: &'static str,
    pub sentence: &'static str,
    pub capabilities: Capabilities,
    /// The keys of `[provider.NAME]`.
    pub keys: &'static [KeySpec],
    /// Makes it ready to be asked; nothing is sent yet.
    pub open: fn(&Section, Net) -> Arc<dyn Provider>,
}

/// What a provider can do.
#[derive(Clone, Copy, Debug)]
pub struct Capabilities {
    pub asset_classes: &'static [AssetClass],
    pub live: SourceKind,
    pub delay: Delay,
    /// Intervals of its history; empty means it has none.
    pub history: &'static [Interval],
    /// Whether a key is needed.
    pub needs_key: bool,
}

/// A source of market data.
pub trait Provider: Send + Sync {
    /// What it reaches the world with.
    fn net(&self) -> &Net;

    /// Our symbol as this source spells it; `None` when it does not have such a thing.
    fn spell(&self, symbol: &Symbol) -> Option<String>;

    /// How to speak with its socket; `None` when it has none.
    fn stream(&self) -> Option<Arc<dyn Protocol>>;

    /// One look at the current price of one symbol.
    fn look<'a>(&'a self, spelling: &'a str) -> BoxFuture<'a, Result<Vec<MarketEvent>, ProviderError>>;

    /// How often a symbol is looked at while the socket is down; `None` when it is not.
    fn poll_every(&self) -> Option<Duration>;

    /// Cuts `[from, to)` into pages of one request each, oldest first; what the source does not keep is left out.
    fn pages(&self, interval: Interval, from: Timestamp, to: Timestamp, now: Timestamp) -> Vec<(Timestamp, Timestamp)>;

    /// One page of history: sealed bars that open in `[from, to)`, oldest first.
    fn history<'a>(&'a self, page: &'a HistoryPage) -> BoxFuture<'a, Result<History, ProviderError>>;
}

/// One page to ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryPage {
    pub spelling: String,
    pub interval: Interval,
    pub from: Timestamp,
    pub to: Timestamp,
}

/// One page of history.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    pub bars: Vec<SourceBar>,
    /// Whether the prices are adjusted by splits that are not known to us.
    pub adjusted: bool,
}

/// The language of a socket: pure; the connection is somebody else's.
pub trait Protocol: Send + Sync {
    fn url(&self) -> String;

    /// Headers beyond those of the handshake.
    fn headers(&self) -> Vec<(&'static str, String)>;

    /// Frames that ask for these symbols.
    fn subscribe(&self, spellings: &[String]) -> Vec<String>;

    /// Frames that give them back.
    fn unsubscribe(&self, spellings: &[String]) -> Vec<String>;

    /// What the source promises of its frames.
    fn promise(&self) -> Promise;

    /// One frame in our words.
    fn decode(&self, frame: &[u8], ts_recv: Timestamp) -> Result<Vec<StreamItem>, DecodeError>;
}

/// What a socket promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Promise {
    /// Longest time without any frame, heartbeat and pong included.
    pub frame: Duration,
    /// Longest time without data while a subscribed venue trades.
    pub data: Duration,
    /// How often the subscription is sent again to keep it.
    pub resubscribe: Option<Duration>,
    /// How long after a subscription its first answer may take; `None` when there is none.
    pub acknowledged_within: Option<Duration>,
}

/// One thing in a frame.
#[derive(Clone, Debug, PartialEq)]
pub enum StreamItem {
    Event(MarketEvent),
    /// The source confirmed a subscription.
    Subscribed,
    /// The source refused something, in its words.
    Refused(String),
}

/// A frame or body that is not what it should be.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{message}")]
pub struct DecodeError {
    pub message: String,
}

/// Why a source did not answer as asked.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum ProviderError {
    /// The network or the source failed; trying again may help.
    #[error("{message}")]
    Retryable { message: String, after: Option<Duration> },
    #[error("rate limited by the source{}", .after.map_or_else(String::new, |d| format!(", wait {} s", d.as_secs())))]
    RateLimited { after: Option<Duration> },
    #[error("not authorised: {message}")]
    Unauthorized { message: String },
    #[error("not allowed: {message}")]
    NotEntitled { message: String },
    #[error("not found: {message}")]
    NotFound { message: String },
    #[error("{message}")]
    Malformed { message: String, payload: String },
    #[error("{message}")]
    Fatal { message: String },
}

impl DecodeError {
    /// A mistake in words that are ours; what the source wrote stays out of it.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into() }
    }
}

impl ProviderError {
    /// Whether asking the same again may be answered.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Retryable { .. } | Self::RateLimited { .. } | Self::Malformed { .. })
    }
}
