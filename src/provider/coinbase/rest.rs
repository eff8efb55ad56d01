//! Coinbase Exchange as a provider: it asks, `body` and `decode` understand.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::config::Section;
use crate::market::{Interval, MarketEvent, Symbol, Timestamp};
use crate::provider::coinbase::body;
use crate::provider::coinbase::spec::spell;
use crate::provider::coinbase::stream::Feed;
use crate::provider::contract::{History, HistoryPage, Protocol, Provider, ProviderError};
use crate::provider::net::{Call, Net};

/// Buckets of one request: at most 300 are answered, and both ends count.
const BUCKETS: u32 = 299;

/// 2015-01-01, before the first trade that is kept.
const LAUNCH: Timestamp = Timestamp::from_seconds(1_420_070_400);

/// How often a product is looked at while the socket is down.
const POLL: Duration = Duration::from_secs(30);

/// Coinbase Exchange, ready to be asked.
pub struct Coinbase {
    net: Net,
    rest_url: String,
    stream_url: String,
}

impl Coinbase {
    #[must_use]
    pub fn new(section: &Section, net: Net) -> Self {
        let rest_url = section.text("rest_url").trim_end_matches('/').to_owned();
        Self { net, rest_url, stream_url: section.text("stream_url").to_owned() }
    }

    async fn ask(&self, spelling: &str, endpoint: &str, query: Vec<(&'static str, String)>) -> Result<Vec<u8>, ProviderError> {
        let call = Call {
            url: format!("{}/products/{spelling}/{endpoint}", self.rest_url),
            query,
            headers: Vec::new(),
            what: format!("coinbase {endpoint} of {spelling}"),
            explain: body::explain,
        };
        self.net.http.get(&call).await
    }

    async fn look(&self, spelling: &str) -> Result<Vec<MarketEvent>, ProviderError> {
        let ticker = self.ask(spelling, "ticker", Vec::new()).await?;
        // A price without its change is better than none.
        let stats = self.ask(spelling, "stats", Vec::new()).await.ok();
        body::look(&ticker, stats.as_deref(), spelling, self.net.clock.now())
    }

    async fn history(&self, page: &HistoryPage) -> Result<History, ProviderError> {
        // The vendor ignores both ends when one is missing.
        let query =
            vec![("granularity", page.interval.seconds().to_string()), ("start", page.from.to_string()), ("end", page.to.to_string())];
        let body = self.ask(&page.spelling, "candles", query).await?;
        Ok(History { bars: body::candles(&body, page, self.net.clock.now())?, adjusted: false })
    }
}

impl Provider for Coinbase {
    fn net(&self) -> &Net {
        &self.net
    }

    fn spell(&self, symbol: &Symbol) -> Option<String> {
        spell(symbol)
    }

    fn stream(&self) -> Option<Arc<dyn Protocol>> {
        Some(Arc::new(Feed { url: self.stream_url.clone() }))
    }

    fn look<'a>(&'a self, spelling: &'a str) -> BoxFuture<'a, Result<Vec<MarketEvent>, ProviderError>> {
        Box::pin(Coinbase::look(self, spelling))
    }

    fn poll_every(&self) -> Option<Duration> {
        Some(POLL)
    }

    fn pages(&self, interval: Interval, from: Timestamp, to: Timestamp, now: Timestamp) -> Vec<(Timestamp, Timestamp)> {
        pages(interval, from, to, now)
    }

    fn history<'a>(&'a self, page: &'a HistoryPage) -> BoxFuture<'a, Result<History, ProviderError>> {
        Box::pin(Coinbase::history(self, page))
    }
}

/// Cuts `[from, to)` into pages of at most 299 buckets; an interval that is not kept has none.
#[must_use]
pub fn pages(interval: Interval, from: Timestamp, to: Timestamp, now: Timestamp) -> Vec<(Timestamp, Timestamp)> {
    let mut pages = Vec::new();
    if matches!(interval, Interval::ThirtyMinutes | Interval::OneWeek) {
        return pages;
    }
    let (mut at, to) = (from.max(LAUNCH), to.min(now));
    while at < to {
        let end = (at + interval.duration() * BUCKETS).min(to);
        pages.push((at, end));
        at = end;
    }
    pages
}
