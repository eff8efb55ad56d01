//! Coinbase Exchange as a provider: it asks, `body` and `decode` understand.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::config::Section;
use crate::market::{Interval, MarketEvent, Symbol, Timestamp};
use crate::provider::ability::Directory;
use crate::provider::coinbase::body;
use crate::provider::coinbase::spec::{spell, unspell};
use crate::provider::coinbase::stream::Feed;
use crate::provider::contract::{History, HistoryPage, Polling, Provider, ProviderError, cut, only};
use crate::provider::net::{Call, Net};
use crate::provider::protocol::Protocol;

/// Buckets of one request: at most 300 are answered, and both ends count.
const BUCKETS: u32 = 299;

/// 2015-01-01, before the first trade that is kept.
const LAUNCH: Timestamp = Timestamp::from_seconds(1_420_070_400);

/// How often a product is looked at while the socket is down.
const POLL: Duration = Duration::from_secs(30);

type Query = Vec<(&'static str, String)>;

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

    pub(crate) async fn ask(&self, path: &str, query: Query, what: String) -> Result<Vec<u8>, ProviderError> {
        let call = Call { url: format!("{}/{path}", self.rest_url), query, what, explain: body::explain, ..Call::default() };
        self.net.http.get(&call).await
    }

    async fn of_product(&self, spelling: &str, endpoint: &str, query: Query) -> Result<Vec<u8>, ProviderError> {
        self.ask(&format!("products/{spelling}/{endpoint}"), query, format!("coinbase {endpoint} of {spelling}")).await
    }

    async fn look(&self, spelling: &str) -> Result<Vec<MarketEvent>, ProviderError> {
        let ticker = self.of_product(spelling, "ticker", Vec::new()).await?;
        // A price without its change is better than none.
        let stats = self.of_product(spelling, "stats", Vec::new()).await.ok();
        body::look(&ticker, stats.as_deref(), spelling, self.net.clock.now())
    }

    async fn history(&self, page: &HistoryPage) -> Result<History, ProviderError> {
        // The vendor ignores both ends when one is missing.
        let query =
            vec![("granularity", page.interval.seconds().to_string()), ("start", page.from.to_string()), ("end", page.to.to_string())];
        let body = self.of_product(&page.spelling, "candles", query).await?;
        Ok(History { bars: body::candles(&body, page, self.net.clock.now())?, ..History::default() })
    }

    async fn check(&self) -> Result<String, ProviderError> {
        body::clock(&self.ask("time", Vec::new(), "coinbase time".to_owned()).await?)
    }
}

impl Provider for Coinbase {
    fn net(&self) -> &Net {
        &self.net
    }

    fn spell(&self, symbol: &Symbol) -> Option<String> {
        spell(symbol)
    }

    fn unspell(&self, spelling: &str) -> Option<Symbol> {
        unspell(spelling)
    }

    fn stream(&self) -> Option<Arc<dyn Protocol>> {
        Some(Arc::new(Feed { url: self.stream_url.clone() }))
    }

    fn look<'a>(&'a self, spellings: &'a [String]) -> BoxFuture<'a, Result<Vec<MarketEvent>, ProviderError>> {
        Box::pin(Coinbase::look(self, only(spellings)))
    }

    fn polling(&self) -> Option<Polling> {
        Some(Polling { every: POLL, at_once: 1, requests: 2 })
    }

    fn pages(&self, interval: Interval, from: Timestamp, to: Timestamp, now: Timestamp) -> Vec<(Timestamp, Timestamp)> {
        pages(interval, from, to, now)
    }

    fn history<'a>(&'a self, page: &'a HistoryPage) -> BoxFuture<'a, Result<History, ProviderError>> {
        Box::pin(Coinbase::history(self, page))
    }

    fn check(&self) -> BoxFuture<'_, Result<String, ProviderError>> {
        Box::pin(Coinbase::check(self))
    }

    fn directory(&self) -> Option<&dyn Directory> {
        Some(self)
    }
}

/// Cuts `[from, to)` into pages of at most 299 buckets; an interval that is not kept has none.
#[must_use]
pub fn pages(interval: Interval, from: Timestamp, to: Timestamp, now: Timestamp) -> Vec<(Timestamp, Timestamp)> {
    if matches!(interval, Interval::ThirtyMinutes | Interval::OneWeek | Interval::OneMonth) {
        return Vec::new();
    }
    cut(from.max(LAUNCH), to.min(now), interval.duration() * BUCKETS)
}
