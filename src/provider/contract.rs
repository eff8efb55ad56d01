//! What a source of market data is to the rest of the program.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use reqwest::header::HeaderMap;
use thiserror::Error;

use crate::config::{KeyKind, KeySpec, Section};
use crate::market::{AssetClass, CorporateAction, Delay, Interval, MarketEvent, SourceBar, Symbol, Timestamp, clean};
use crate::provider::ability::{Actions, Company, Directory, MarketHours};
use crate::provider::net::Net;
use crate::provider::protocol::Protocol;
use crate::request::SourceKind;

/// How much of a bad answer is kept.
const EXCERPT: usize = 2_000;

/// A provider describes itself.
pub struct ProviderSpec {
    pub name: &'static str,
    pub sentence: &'static str,
    pub capabilities: Capabilities,
    /// The keys of `[provider.NAME]`. Those of the kind `Secret` are the keys without which it is never called;
    /// `requests_per_minute` is required, `requests_per_day` and `megabytes_per_month` are caps that a restart does not lift.
    pub keys: &'static [KeySpec],
    /// Until when the headers of an answer ask for no further request; `net::standard_headers` reads the usual ones.
    pub headers: fn(&HeaderMap, Timestamp) -> Option<Timestamp>,
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
}

/// A source of market data.
pub trait Provider: Send + Sync {
    /// What it reaches the world with.
    fn net(&self) -> &Net;

    /// Our symbol as this source spells it; `None` when it does not have such a thing.
    fn spell(&self, symbol: &Symbol) -> Option<String>;

    /// Which of the provider's feeds it is, where it has several.
    fn variant(&self) -> Option<Variant> {
        None
    }

    /// The symbol that this source spells so; `None` when it is none of ours.
    fn unspell(&self, spelling: &str) -> Option<Symbol>;

    /// Whether its socket or polls can bring this symbol, which it spells: some connections carry one kind only.
    fn hears(&self, symbol: &Symbol) -> bool {
        let _ = symbol;
        true
    }

    /// How to speak with its socket; `None` when it has none.
    fn stream(&self) -> Option<Arc<dyn Protocol>>;

    /// One look at the current prices of at most [`Polling::at_once`] symbols. Who is unknown is left out; that alone is no error
    /// unless nobody is left.
    fn look<'a>(&'a self, spellings: &'a [String]) -> BoxFuture<'a, Result<Vec<MarketEvent>, ProviderError>>;

    /// How prices are looked at while there is no socket or it is down; `None` when they are not.
    fn polling(&self) -> Option<Polling>;

    /// Cuts `[from, to)` into pages of one request each, oldest first; what the source does not keep is left out.
    fn pages(&self, interval: Interval, from: Timestamp, to: Timestamp, now: Timestamp) -> Vec<(Timestamp, Timestamp)>;

    /// One page of history: sealed bars that open in `[from, to)`, oldest first.
    fn history<'a>(&'a self, page: &'a HistoryPage) -> BoxFuture<'a, Result<History, ProviderError>>;

    /// The smallest real request; the answer says in a few words what came back.
    fn check(&self) -> BoxFuture<'_, Result<String, ProviderError>>;

    fn directory(&self) -> Option<&dyn Directory> {
        None
    }

    fn company(&self) -> Option<&dyn Company> {
        None
    }

    fn actions(&self) -> Option<&dyn Actions> {
        None
    }

    fn market_hours(&self) -> Option<&dyn MarketHours> {
        None
    }
}

/// One of the feeds of a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variant {
    /// The part behind the colon: `iex` of `alpaca:iex`.
    pub feed: String,
    pub delay: Delay,
}

/// How prices are looked at one by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Polling {
    /// The shortest time between two looks at the same symbol.
    pub every: Duration,
    /// How many symbols one look may name.
    pub at_once: usize,
    /// How many requests, or how much of their weight, one look takes.
    pub requests: u32,
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
    /// Splits and dividends that came with the bars.
    pub actions: Vec<CorporateAction>,
}

/// Why a source did not answer as asked.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum ProviderError {
    /// The network or the source failed; trying again may help.
    #[error("{message}")]
    Retryable { message: String, after: Option<Duration> },
    #[error("rate limited by the source{}", .after.map_or_else(String::new, |d| format!(", wait {} s", d.as_secs())))]
    RateLimited { after: Option<Duration> },
    /// A cap of a day or month is used up: nothing is sent before.
    #[error("{message}; next at {until}")]
    UsedUp { message: String, until: Timestamp },
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

impl ProviderSpec {
    /// The keys of the config that hold keys to the service.
    pub fn secrets(&self) -> impl Iterator<Item = &'static KeySpec> {
        self.keys.iter().filter(|key| matches!(key.kind, KeyKind::Secret(_)))
    }

    /// Whether it can be called: every key that it needs is there.
    #[must_use]
    pub fn has_keys(&self, section: &Section) -> bool {
        self.secrets().all(|key| section.secret(key.name).is_some())
    }
}

impl HistoryPage {
    /// What belongs into this page: bars that open in it and were over at `now`, oldest first, and of two for the same time the one that
    /// came later.
    pub fn keep(&self, bars: impl IntoIterator<Item = SourceBar>, end: impl Fn(&SourceBar) -> Timestamp, now: Timestamp) -> Vec<SourceBar> {
        let inside = |bar: &SourceBar| self.from <= bar.open_time && bar.open_time < self.to;
        in_order(bars.into_iter().filter(|bar| inside(bar) && end(bar) <= now).collect())
    }
}

impl ProviderError {
    /// An answer that is not what it should be, with its start.
    pub fn malformed(message: impl Into<String>, body: &[u8]) -> Self {
        let start = String::from_utf8_lossy(&body[..body.len().min(EXCERPT)]);
        Self::Malformed { message: message.into(), payload: clean(&start).into_owned() }
    }

    /// How long it wants to be left alone, where it said so.
    #[must_use]
    pub fn after(&self, now: Timestamp) -> Option<Duration> {
        match self {
            Self::Retryable { after, .. } | Self::RateLimited { after } => *after,
            Self::UsedUp { until, .. } => Some(until.since(now)),
            Self::Unauthorized { .. } | Self::NotEntitled { .. } | Self::NotFound { .. } | Self::Malformed { .. } | Self::Fatal { .. } => {
                None
            }
        }
    }

    /// Whether asking the same again may be answered.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Retryable { .. } | Self::RateLimited { .. } | Self::UsedUp { .. } | Self::Malformed { .. })
    }
}

/// `[from, to)` in pieces of this length; the last may be shorter.
pub(crate) fn cut(from: Timestamp, to: Timestamp, length: Duration) -> Vec<(Timestamp, Timestamp)> {
    let begins = std::iter::successors(Some(from), |at| Some(*at + length)).take_while(|at| *at < to);
    begins.map(|at| (at, (at + length).min(to))).collect()
}

/// Oldest first, and of two for the same time the one that came later.
pub(crate) fn in_order(mut bars: Vec<SourceBar>) -> Vec<SourceBar> {
    bars.reverse();
    bars.sort_by_key(|bar| bar.open_time);
    bars.dedup_by_key(|bar| bar.open_time);
    bars
}

/// The one spelling that a look names where [`Polling::at_once`] is 1.
pub(crate) fn only(spellings: &[String]) -> &str {
    spellings.first().map_or("", String::as_str)
}
