//! Finnhub as a provider: it asks, `body` and `decode` understand.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use secrecy::{ExposeSecret, SecretString};

use crate::config::Section;
use crate::market::{Interval, MarketEvent, Symbol, Timestamp};
use crate::provider::ability::{Company, Directory, MarketHours, SaidStatus};
use crate::provider::contract::{History, HistoryPage, Polling, Provider, ProviderError, only};
use crate::provider::finnhub::body;
use crate::provider::finnhub::details;
use crate::provider::finnhub::spec::{spell, unspell};
use crate::provider::finnhub::stream::Feed;
use crate::provider::net::{Call, Net};
use crate::provider::protocol::Protocol;

/// How often a share is looked at while the socket says nothing of it: the vendor wants the socket used, and fifty shares fit into a
/// minute's requests.
const POLL: Duration = Duration::from_secs(60);

/// Finnhub, ready to be asked.
pub struct Finnhub {
    net: Net,
    rest_url: String,
    stream_url: String,
    key: SecretString,
    symbols_most: usize,
}

impl Finnhub {
    #[must_use]
    pub fn new(section: &Section, net: Net) -> Self {
        Self {
            net,
            rest_url: section.text("rest_url").trim_end_matches('/').to_owned(),
            stream_url: section.text("stream_url").to_owned(),
            key: section.secret("api_key").cloned().unwrap_or_default(),
            symbols_most: usize::try_from(section.integer("symbols_most")).unwrap_or(usize::MAX),
        }
    }

    /// Asks one endpoint; the key goes in a header, so that it is in no URL.
    pub(crate) async fn ask(&self, endpoint: &str, query: Vec<(&'static str, String)>, what: String) -> Result<Vec<u8>, ProviderError> {
        let call = Call {
            url: format!("{}/{endpoint}", self.rest_url),
            query,
            headers: vec![("X-Finnhub-Token", self.key.expose_secret().to_owned())],
            what,
            explain: body::explain,
            disguised: body::refusal,
            ..Call::default()
        };
        let body = self.net.http.get(&call).await?;
        // An error that nobody knows, on an answer that calls itself one.
        match body::explain(&body) {
            Some(words) => Err(ProviderError::Fatal { message: format!("{}: {words}", call.what) }),
            None => Ok(body),
        }
    }

    /// The smallest real answer.
    pub(crate) async fn market(&self) -> Result<SaidStatus, ProviderError> {
        let body = self.ask("stock/market-status", vec![("exchange", "US".to_owned())], "finnhub market status".to_owned()).await?;
        details::status(&body)
    }

    async fn quote(&self, spelling: &str) -> Result<Vec<MarketEvent>, ProviderError> {
        // The quote is that of shares; of what is on other exchanges it has zeros.
        if spelling.contains(':') {
            return Err(ProviderError::NotFound { message: format!("finnhub has no quote of {spelling}, which its socket has") });
        }
        let body = self.ask("quote", vec![("symbol", spelling.to_owned())], format!("finnhub quote of {spelling}")).await?;
        body::look(&body, spelling, self.net.clock.now())
    }
}

impl Provider for Finnhub {
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
        Some(Arc::new(Feed { url: self.stream_url.clone(), key: self.key.clone(), most: self.symbols_most }))
    }

    fn look<'a>(&'a self, spellings: &'a [String]) -> BoxFuture<'a, Result<Vec<MarketEvent>, ProviderError>> {
        Box::pin(self.quote(only(spellings)))
    }

    fn polling(&self) -> Option<Polling> {
        Some(Polling { every: POLL, at_once: 1, requests: 1 })
    }

    fn pages(&self, _: Interval, _: Timestamp, _: Timestamp, _: Timestamp) -> Vec<(Timestamp, Timestamp)> {
        Vec::new()
    }

    fn history<'a>(&'a self, page: &'a HistoryPage) -> BoxFuture<'a, Result<History, ProviderError>> {
        let message = format!("finnhub has no {} bars of {} for a free key", page.interval, page.spelling);
        Box::pin(std::future::ready(Err(ProviderError::NotEntitled { message })))
    }

    fn check(&self) -> BoxFuture<'_, Result<String, ProviderError>> {
        Box::pin(async move {
            let SaidStatus { market, state, .. } = self.market().await?;
            Ok(format!("market status of {market}: {state}"))
        })
    }

    fn directory(&self) -> Option<&dyn Directory> {
        Some(self)
    }

    fn company(&self) -> Option<&dyn Company> {
        Some(self)
    }

    fn market_hours(&self) -> Option<&dyn MarketHours> {
        Some(self)
    }
}
