//! Massive as a provider: it asks, the other files understand.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};

use crate::config::Section;
use crate::market::{Delay, Interval, MarketEvent, Symbol, Timestamp};
use crate::provider::ability::{Actions, Company, Directory, MarketHours};
use crate::provider::contract::{History, HistoryPage, Polling, Provider, ProviderError, Variant, in_order};
use crate::provider::net::{Call, Net};
use crate::provider::polygon::bars::{bars, misfit, pages, range};
use crate::provider::polygon::body::{disguised, explain};
use crate::provider::polygon::hours;
use crate::provider::polygon::look::{snapshots, unified};
use crate::provider::polygon::spell::{Cluster, cluster_of, spell, unspell};
use crate::provider::polygon::stream::{Feed, is_delayed};
use crate::provider::protocol::Protocol;

/// Parts of one list that are asked for at most.
const PARTS: usize = 50;

/// How many prices are looked at together.
const AT_ONCE: usize = 100;

/// What may stand in a path as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

type Query = Vec<(&'static str, String)>;

/// Massive, ready to be asked.
pub struct Polygon {
    net: Net,
    api_key: SecretString,
    rest_url: String,
    stream_url: String,
    cluster: Cluster,
    channels: Vec<String>,
    poll: Duration,
}

impl Polygon {
    /// Nothing is sent yet.
    #[must_use]
    pub fn new(section: &Section, net: Net) -> Self {
        Self {
            net,
            api_key: section.secret("api_key").cloned().unwrap_or_default(),
            rest_url: section.text("rest_url").trim_end_matches('/').to_owned(),
            stream_url: section.text("stream_url").to_owned(),
            cluster: Cluster::named(section.text("cluster")).unwrap_or(Cluster::Stocks),
            channels: section.list("channels"),
            poll: Duration::from_secs(section.integer("poll_s")),
        }
    }

    pub(crate) async fn ask(&self, path: &str, query: Query, what: String) -> Result<Vec<u8>, ProviderError> {
        self.call(format!("{}{path}", self.rest_url), query, what).await
    }

    /// Asks where a list goes on. The address comes from outside: the key is not sent to another house.
    pub(crate) async fn go_on(&self, next: &str, what: String) -> Result<Vec<u8>, ProviderError> {
        if !same_house(next, &self.rest_url) {
            return Err(ProviderError::Fatal { message: format!("{what}: the list goes on at another host, which is not asked") });
        }
        self.call(next.to_owned(), Vec::new(), what).await
    }

    /// Takes the first part of a list and those after it; `take` says where it goes on.
    pub(crate) async fn follow(
        &self,
        first: Vec<u8>,
        what: &str,
        mut take: impl FnMut(&[u8]) -> Result<Option<String>, ProviderError> + Send,
    ) -> Result<(), ProviderError> {
        let mut body = first;
        let mut followed: Vec<String> = Vec::new();
        while let Some(next) = take(&body)?.filter(|next| !followed.contains(next)) {
            if followed.len() + 1 == PARTS {
                return Err(ProviderError::Fatal { message: format!("{what}: the list does not end") });
            }
            body = self.go_on(&next, what.to_owned()).await?;
            followed.push(next);
        }
        Ok(())
    }

    async fn call(&self, url: String, query: Query, what: String) -> Result<Vec<u8>, ProviderError> {
        // In a header: addresses are logged on the way.
        let headers = vec![("Authorization", format!("Bearer {}", self.api_key.expose_secret()))];
        self.net.http.get(&Call { url, query, headers, what, explain, disguised, ..Call::default() }).await
    }

    async fn bars_of(&self, page: &HistoryPage) -> Result<History, ProviderError> {
        let cluster = Cluster::of(&page.spelling);
        if let Some(why) = misfit(cluster, page.interval) {
            return Err(ProviderError::Fatal { message: why.to_owned() });
        }
        let now = self.net.clock.now();
        let Some(range) = range(page, now) else { return Ok(History::default()) };
        let path = format!("/v2/aggs/ticker/{}/range/{range}", encoded(&page.spelling));
        let mut query = vec![("sort", "asc".to_owned()), ("limit", "50000".to_owned())];
        if cluster != Cluster::Indices {
            query.push(("adjusted", "false".to_owned()));
        }
        let what = format!("massive {} bars of {}", page.interval, page.spelling);
        let first = self.ask(&path, query, what.clone()).await?;
        let mut all = Vec::new();
        let take = |body: &[u8]| -> Result<Option<String>, ProviderError> {
            let (found, next) = bars(body, page, now)?;
            all.extend(found);
            Ok(next)
        };
        self.follow(first, &what, take).await?;
        Ok(History { bars: in_order(all), ..History::default() })
    }

    async fn see(&self, spellings: &[String]) -> Result<Vec<MarketEvent>, ProviderError> {
        let (mut events, mut refused) = (Vec::new(), None);
        for kind in Snapshot::ALL {
            let own: Vec<&str> = spellings.iter().filter(|spelling| kind.shows(Cluster::of(spelling))).map(String::as_str).collect();
            if own.is_empty() {
                continue;
            }
            match self.snapshot(kind, &own.join(",")).await {
                Ok(found) => events.extend(found),
                // A plan may hold one class and not the other.
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        match refused {
            Some(error) if events.is_empty() => Err(error),
            None if events.is_empty() => {
                Err(ProviderError::NotFound { message: format!("massive has no price of {}", spellings.join(", ")) })
            }
            _ => Ok(events),
        }
    }

    async fn snapshot(&self, kind: Snapshot, names: &str) -> Result<Vec<MarketEvent>, ProviderError> {
        let mut query = vec![(kind.parameter(), names.to_owned())];
        query.extend(kind.more().map(|(name, value)| (name, value.to_owned())));
        let body = self.ask(kind.path(), query, format!("massive snapshot of {names}")).await?;
        let now = self.net.clock.now();
        match kind {
            Snapshot::Stocks | Snapshot::Forex | Snapshot::Crypto => snapshots(&body, now),
            Snapshot::Unified => unified(&body, now),
        }
    }
}

impl Provider for Polygon {
    fn net(&self) -> &Net {
        &self.net
    }

    fn spell(&self, symbol: &Symbol) -> Option<String> {
        spell(symbol)
    }

    fn variant(&self) -> Option<Variant> {
        is_delayed(&self.stream_url).then(|| Variant { feed: "delayed".to_owned(), delay: Delay::Seconds(900) })
    }

    fn unspell(&self, spelling: &str) -> Option<Symbol> {
        unspell(spelling)
    }

    /// A key may open one connection to each cluster, and one cluster is listened to.
    fn hears(&self, symbol: &Symbol) -> bool {
        cluster_of(symbol) == Some(self.cluster)
    }

    fn stream(&self) -> Option<Arc<dyn Protocol>> {
        Some(Arc::new(Feed::new(&self.stream_url, self.api_key.clone(), self.cluster, &self.channels)))
    }

    fn look<'a>(&'a self, spellings: &'a [String]) -> BoxFuture<'a, Result<Vec<MarketEvent>, ProviderError>> {
        Box::pin(self.see(spellings))
    }

    fn polling(&self) -> Option<Polling> {
        Some(Polling { every: self.poll, at_once: AT_ONCE, requests: 2 })
    }

    fn pages(&self, interval: Interval, from: Timestamp, to: Timestamp, now: Timestamp) -> Vec<(Timestamp, Timestamp)> {
        pages(interval, from, to, now)
    }

    fn history<'a>(&'a self, page: &'a HistoryPage) -> BoxFuture<'a, Result<History, ProviderError>> {
        Box::pin(self.bars_of(page))
    }

    fn check(&self) -> BoxFuture<'_, Result<String, ProviderError>> {
        Box::pin(async move {
            let state = hours::state(&self.market_now().await?)?;
            Ok(format!("the market is {state}"))
        })
    }

    fn directory(&self) -> Option<&dyn Directory> {
        Some(self)
    }

    fn company(&self) -> Option<&dyn Company> {
        Some(self)
    }

    fn actions(&self) -> Option<&dyn Actions> {
        Some(self)
    }

    fn market_hours(&self) -> Option<&dyn MarketHours> {
        Some(self)
    }
}

/// Where prices are looked at.
#[derive(Clone, Copy)]
enum Snapshot {
    Stocks,
    Forex,
    Crypto,
    /// Of all classes, with fewer figures.
    Unified,
}

impl Snapshot {
    const ALL: [Self; 4] = [Self::Stocks, Self::Forex, Self::Crypto, Self::Unified];

    fn shows(self, cluster: Cluster) -> bool {
        match self {
            Self::Stocks => cluster == Cluster::Stocks,
            Self::Forex => cluster == Cluster::Forex,
            Self::Crypto => cluster == Cluster::Crypto,
            Self::Unified => matches!(cluster, Cluster::Options | Cluster::Indices),
        }
    }

    const fn path(self) -> &'static str {
        match self {
            Self::Stocks => "/v2/snapshot/locale/us/markets/stocks/tickers",
            Self::Forex => "/v2/snapshot/locale/global/markets/forex/tickers",
            Self::Crypto => "/v2/snapshot/locale/global/markets/crypto/tickers",
            Self::Unified => "/v3/snapshot",
        }
    }

    const fn parameter(self) -> &'static str {
        match self {
            Self::Stocks | Self::Forex | Self::Crypto => "tickers",
            Self::Unified => "ticker.any_of",
        }
    }

    /// Ten rows are answered where no number is named.
    const fn more(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Stocks => Some(("include_otc", "true")),
            Self::Unified => Some(("limit", "250")),
            Self::Forex | Self::Crypto => None,
        }
    }
}

/// Whether an address belongs to the house that is asked: its old and its new name are one.
#[must_use]
pub fn same_house(address: &str, base: &str) -> bool {
    let house = |address: &str| {
        let url = Url::parse(address).ok()?;
        let host = url.host_str()?;
        let host = host.strip_suffix(".polygon.io").map_or_else(|| host.to_owned(), |stem| format!("{stem}.massive.com"));
        url.username().is_empty().then(|| (url.scheme().to_owned(), host, url.port_or_known_default()))
    };
    house(address).is_some_and(|there| house(base) == Some(there))
}

/// A spelling as part of a path.
pub(crate) fn encoded(spelling: &str) -> String {
    utf8_percent_encode(spelling, PLAIN).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_stays_in_the_house() {
        let (new, old) = ("https://api.massive.com", "https://api.polygon.io");
        for base in [new, old] {
            for inside in ["https://api.massive.com/x?cursor=1", "https://api.polygon.io/x?cursor=1", "https://api.massive.com:443/"] {
                assert!(same_house(inside, base), "{inside} of {base}");
            }
            for outside in [
                "http://api.massive.com/",
                "https://api.massive.com:8443/",
                "https://api.massive.com.example.org/",
                "https://massive.com@example.org/",
                "https://someone@api.massive.com/",
                "https://files.massive.com/",
                "/v2/aggs",
                "",
            ] {
                assert!(!same_house(outside, base), "{outside} of {base}");
            }
        }
        assert!(same_house("http://127.0.0.1:8080/x", "http://127.0.0.1:8080"));
        assert!(!same_house("https://api.massive.com/x", "http://127.0.0.1:8080"));
    }

    #[test]
    fn a_spelling_fits_a_path() {
        for (spelling, expected) in [("AAPL", "AAPL"), ("BRK.B", "BRK.B"), ("X:BTCUSD", "X%3ABTCUSD"), ("a/b?", "a%2Fb%3F")] {
            assert_eq!(encoded(spelling), expected);
        }
    }
}
