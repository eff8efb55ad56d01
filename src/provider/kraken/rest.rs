//! Kraken as a provider: it asks, `body` and `decode` understand.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::config::Section;
use crate::market::{Interval, MarketEvent, Symbol, Timestamp};
use crate::provider::ability::Directory;
use crate::provider::contract::{History, HistoryPage, Polling, Provider, ProviderError, only};
use crate::provider::kraken::body;
use crate::provider::kraken::spec::{pair, spell, unspell};
use crate::provider::kraken::stream::Feed;
use crate::provider::net::{Call, Net};
use crate::provider::protocol::Protocol;

/// How many buckets before the one that forms are asked for. The newest 720 are kept, this one among them; the rest is a
/// margin for the time between the plan and the question.
const KEPT: u32 = 715;

/// How often a pair is looked at while the socket is down.
const POLL: Duration = Duration::from_secs(30);

/// Kraken, ready to be asked.
pub struct Kraken {
    net: Net,
    rest_url: String,
    stream_url: String,
}

impl Kraken {
    #[must_use]
    pub fn new(section: &Section, net: Net) -> Self {
        let rest_url = section.text("rest_url").trim_end_matches('/').to_owned();
        Self { net, rest_url, stream_url: section.text("stream_url").to_owned() }
    }

    /// A refusal comes with status 200, so it is looked for in every body.
    pub(crate) async fn ask(&self, endpoint: &str, query: Vec<(&'static str, String)>, what: String) -> Result<Vec<u8>, ProviderError> {
        let call = Call {
            url: format!("{}/0/public/{endpoint}", self.rest_url),
            query,
            what,
            explain: body::explain,
            disguised: |answer, call, now| body::refusal(answer, &call.what, now),
            ..Call::default()
        };
        self.net.http.get(&call).await
    }

    async fn look(&self, spelling: &str) -> Result<Vec<MarketEvent>, ProviderError> {
        let body = self.ask("Ticker", vec![("pair", pair(spelling))], format!("kraken ticker of {spelling}")).await?;
        body::look(&body, spelling, self.net.clock.now())
    }

    async fn history(&self, page: &HistoryPage) -> Result<History, ProviderError> {
        let minutes = page.interval.seconds() / 60;
        // Whether the row of that very second is in the answer is not documented.
        let since = page.from - Duration::from_secs(1);
        let query = vec![("pair", pair(&page.spelling)), ("interval", minutes.to_string()), ("since", since.as_seconds().to_string())];
        let body = self.ask("OHLC", query, format!("kraken candles of {}", page.spelling)).await?;
        Ok(History { bars: body::candles(&body, page, self.net.clock.now())?, ..History::default() })
    }

    async fn check(&self) -> Result<String, ProviderError> {
        body::status(&self.ask("SystemStatus", Vec::new(), "kraken status".to_owned()).await?)
    }
}

impl Provider for Kraken {
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
        Box::pin(Kraken::look(self, only(spellings)))
    }

    fn polling(&self) -> Option<Polling> {
        Some(Polling { every: POLL, at_once: 1, requests: 1 })
    }

    fn pages(&self, interval: Interval, from: Timestamp, to: Timestamp, now: Timestamp) -> Vec<(Timestamp, Timestamp)> {
        pages(interval, from, to, now)
    }

    fn history<'a>(&'a self, page: &'a HistoryPage) -> BoxFuture<'a, Result<History, ProviderError>> {
        Box::pin(Kraken::history(self, page))
    }

    fn check(&self) -> BoxFuture<'_, Result<String, ProviderError>> {
        Box::pin(Kraken::check(self))
    }

    fn directory(&self) -> Option<&dyn Directory> {
        Some(self)
    }
}

/// The part of `[from, to)` that is within reach, in one page; an interval that is not kept has none.
#[must_use]
pub fn pages(interval: Interval, from: Timestamp, to: Timestamp, now: Timestamp) -> Vec<(Timestamp, Timestamp)> {
    let length = interval.duration();
    let first = now.floor_to(length, Timestamp::from_seconds(0)) - length * KEPT;
    let (from, to) = (from.max(first), to.min(now));
    if matches!(interval, Interval::OneWeek | Interval::OneMonth) || from >= to { Vec::new() } else { vec![(from, to)] }
}
