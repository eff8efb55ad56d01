//! Binance spot as a provider: it asks, `body` and `decode` understand.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::config::Section;
use crate::market::{Interval, MarketEvent, Symbol, Timestamp};
use crate::provider::binance::ban::Ban;
use crate::provider::binance::body;
use crate::provider::binance::spec::spell;
use crate::provider::binance::stream::Feed;
use crate::provider::contract::{History, HistoryPage, Protocol, Provider, ProviderError};
use crate::provider::net::{Call, Net};

/// Bars of one request: the most that are answered.
const BARS: u32 = 1_000;

/// 2017-07-01, before the first trade that is kept.
const LAUNCH: Timestamp = Timestamp::from_seconds(1_498_867_200);

/// How often a symbol is looked at while the socket is down.
const POLL: Duration = Duration::from_secs(30);

/// Binance spot, ready to be asked.
pub struct Binance {
    net: Net,
    rest_url: String,
    stream_url: String,
    ban: Ban,
}

impl Binance {
    #[must_use]
    pub fn new(section: &Section, net: Net) -> Self {
        let rest_url = section.text("rest_url").trim_end_matches('/').to_owned();
        Self { net, rest_url, stream_url: section.text("stream_url").to_owned(), ban: Ban::default() }
    }

    async fn ask(&self, endpoint: &str, spelling: &str, mut query: Vec<(&'static str, String)>) -> Result<Vec<u8>, ProviderError> {
        self.ban.check(self.net.clock.now())?;
        query.insert(0, ("symbol", spelling.to_owned()));
        let call = Call {
            url: format!("{}/api/v3/{endpoint}", self.rest_url),
            query,
            headers: Vec::new(),
            what: format!("binance {endpoint} of {spelling}"),
            explain: body::explain,
        };
        self.net.http.get(&call).await.map_err(|error| self.ban.learn(error, self.net.clock.now()))
    }

    async fn look(&self, spelling: &str) -> Result<Vec<MarketEvent>, ProviderError> {
        let ticker = self.ask("ticker/24hr", spelling, Vec::new()).await?;
        body::look(&ticker, spelling, self.net.clock.now())
    }

    async fn history(&self, page: &HistoryPage) -> Result<History, ProviderError> {
        let millis = |at: Timestamp| at.as_micros().div_euclid(1_000);
        let query = vec![
            ("interval", page.interval.name().to_owned()),
            ("startTime", millis(page.from).to_string()),
            // Both ends count.
            ("endTime", (millis(page.to) - 1).to_string()),
            ("limit", BARS.to_string()),
        ];
        let body = self.ask("klines", &page.spelling, query).await?;
        Ok(History { bars: body::klines(&body, page, self.net.clock.now())?, adjusted: false })
    }
}

impl Provider for Binance {
    fn net(&self) -> &Net {
        &self.net
    }

    fn spell(&self, symbol: &Symbol) -> Option<String> {
        spell(symbol)
    }

    fn stream(&self) -> Option<Arc<dyn Protocol>> {
        Some(Arc::new(Feed::new(self.stream_url.clone())))
    }

    fn look<'a>(&'a self, spelling: &'a str) -> BoxFuture<'a, Result<Vec<MarketEvent>, ProviderError>> {
        Box::pin(Binance::look(self, spelling))
    }

    fn poll_every(&self) -> Option<Duration> {
        Some(POLL)
    }

    fn pages(&self, interval: Interval, from: Timestamp, to: Timestamp, now: Timestamp) -> Vec<(Timestamp, Timestamp)> {
        pages(interval, from, to, now)
    }

    fn history<'a>(&'a self, page: &'a HistoryPage) -> BoxFuture<'a, Result<History, ProviderError>> {
        Box::pin(Binance::history(self, page))
    }
}

/// Cuts `[from, to)` into pages of at most 1000 bars.
#[must_use]
pub fn pages(interval: Interval, from: Timestamp, to: Timestamp, now: Timestamp) -> Vec<(Timestamp, Timestamp)> {
    let mut pages = Vec::new();
    let (mut at, to) = (from.max(LAUNCH), to.min(now));
    while at < to {
        let end = (at + interval.duration() * BARS).min(to);
        pages.push((at, end));
        at = end;
    }
    pages
}
