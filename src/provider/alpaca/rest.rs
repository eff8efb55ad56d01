//! Alpaca as a provider: it asks, the other files understand.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use secrecy::{ExposeSecret, SecretString};

use crate::config::Section;
use crate::market::{Interval, MarketEvent, SourceBar, Symbol, Timestamp};
use crate::provider::ability::{Actions, Directory, MarketHours};
use crate::provider::alpaca::bars::{LATE, ROWS, asked_as, bars, pages};
use crate::provider::alpaca::choice::{Channel, Choice, DataFeed};
use crate::provider::alpaca::fault::{disguised, explain};
use crate::provider::alpaca::look::look;
use crate::provider::alpaca::spec::{spell, unspell};
use crate::provider::alpaca::stream::Feed;
use crate::provider::contract::{History, HistoryPage, Polling, Provider, ProviderError, Variant, in_order};
use crate::provider::net::{Call, Net};
use crate::provider::protocol::Protocol;

/// How often symbols are looked at while the socket is down.
const POLL: Duration = Duration::from_secs(30);

/// How many symbols one look names.
const AT_ONCE: usize = 50;

/// More parts than this no list has.
pub(crate) const PARTS: usize = 1_000;

/// Names and values behind the question mark.
pub(crate) type Query = Vec<(&'static str, String)>;

/// Alpaca, ready to be asked.
pub struct Alpaca {
    net: Net,
    rest_url: String,
    trading_url: String,
    stream_url: String,
    key_id: SecretString,
    secret_key: SecretString,
    choice: Choice,
}

impl Alpaca {
    /// Nothing is sent yet.
    #[must_use]
    pub fn new(section: &Section, net: Net) -> Self {
        let url = |key: &str| section.text(key).trim_end_matches('/').to_owned();
        let secret = |key: &str| section.secret(key).cloned().unwrap_or_default();
        let choice = Choice {
            feed: DataFeed::named(section.text("feed")),
            channels: Channel::chosen(&section.list("channels")),
            symbols_most: section.integer("symbols_most"),
        };
        Self {
            net,
            rest_url: url("rest_url"),
            trading_url: url("trading_url"),
            stream_url: section.text("stream_url").to_owned(),
            key_id: secret("api_key_id"),
            secret_key: secret("api_secret_key"),
            choice,
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.net.clock.now()
    }

    /// Asks the host of the account, such as for its `clock`.
    pub(crate) async fn ask_trading(&self, name: &str, query: Query, what: String) -> Result<Vec<u8>, ProviderError> {
        self.ask(format!("{}/v2/{name}", self.trading_url), query, what).await
    }

    /// One part of a list of the data host: the first one, or the one that the part before named.
    pub(crate) async fn ask_part(&self, path: &str, query: &Query, part: Option<String>, what: &str) -> Result<Vec<u8>, ProviderError> {
        let mut query = query.clone();
        query.extend(part.map(|part| ("page_token", part)));
        self.ask(format!("{}{path}", self.rest_url), query, what.to_owned()).await
    }

    /// The pair goes in headers, never in a URL: "Authentication", <https://docs.alpaca.markets>.
    async fn ask(&self, url: String, query: Query, what: String) -> Result<Vec<u8>, ProviderError> {
        let headers = vec![
            ("APCA-API-KEY-ID", self.key_id.expose_secret().to_owned()),
            ("APCA-API-SECRET-KEY", self.secret_key.expose_secret().to_owned()),
        ];
        self.net.http.get(&Call { url, query, headers, what, explain, disguised, ..Call::default() }).await
    }

    async fn snapshots(&self, spellings: &[String]) -> Result<Vec<MarketEvent>, ProviderError> {
        let query = vec![("symbols", spellings.join(",")), ("feed", self.choice.feed.of_looks().to_owned())];
        let what = match spellings {
            [only] => format!("alpaca snapshot of {only}"),
            several => format!("alpaca snapshots of {} symbols", several.len()),
        };
        look(&self.ask(format!("{}/v2/stocks/snapshots", self.rest_url), query, what).await?, spellings, self.now())
    }

    async fn history_of(&self, page: &HistoryPage) -> Result<History, ProviderError> {
        Ok(History { bars: self.bars_of(page).await?, ..History::default() })
    }

    /// The newest prices of all venues are refused to the free plan, and late by agreement on the delayed feed.
    async fn bars_of(&self, page: &HistoryPage) -> Result<Vec<SourceBar>, ProviderError> {
        let free = self.now() - LATE;
        match self.choice.feed {
            DataFeed::Iex | DataFeed::Test => self.bars_until(page, page.to).await,
            DataFeed::DelayedSip => self.bars_until(page, page.to.min(free)).await,
            DataFeed::Sip => match self.bars_until(page, page.to).await {
                Err(ProviderError::NotEntitled { .. }) if page.to > free => self.bars_until(page, free).await,
                answer => answer,
            },
        }
    }

    async fn bars_until(&self, page: &HistoryPage, end: Timestamp) -> Result<Vec<SourceBar>, ProviderError> {
        let Some(timeframe) = asked_as(page.interval) else {
            return Err(ProviderError::Fatal { message: format!("alpaca has no {} bars", page.interval) });
        };
        if end <= page.from {
            return Ok(Vec::new());
        }
        let query = vec![
            ("symbols", page.spelling.clone()),
            ("timeframe", timeframe.to_owned()),
            ("start", page.from.to_string()),
            ("end", end.to_string()),
            ("limit", ROWS.to_string()),
            ("adjustment", "raw".to_owned()),
            ("feed", self.choice.feed.of_bars().to_owned()),
            ("sort", "asc".to_owned()),
        ];
        let what = format!("alpaca {} bars of {}", page.interval, page.spelling);
        let (mut all, mut next) = (Vec::new(), None);
        for _ in 0..PARTS {
            let body = self.ask_part("/v2/stocks/bars", &query, next, &what).await?;
            let part = bars(&body, page, self.now())?;
            all.extend(part.bars);
            if part.next.is_none() {
                return Ok(in_order(all));
            }
            next = part.next;
        }
        Err(endless(&what))
    }

    async fn ask_check(&self) -> Result<String, ProviderError> {
        Ok(format!("the market is {}", self.clock().await?.state))
    }
}

impl Provider for Alpaca {
    fn net(&self) -> &Net {
        &self.net
    }

    fn spell(&self, symbol: &Symbol) -> Option<String> {
        spell(symbol)
    }

    fn variant(&self) -> Option<Variant> {
        let feed = self.choice.feed;
        Some(Variant { feed: feed.name().to_owned(), delay: feed.delay() })
    }

    fn unspell(&self, spelling: &str) -> Option<Symbol> {
        unspell(spelling)
    }

    fn hears(&self, symbol: &Symbol) -> bool {
        spell(symbol).is_some_and(|spelling| self.choice.feed.has(&spelling))
    }

    fn stream(&self) -> Option<Arc<dyn Protocol>> {
        let keys = (self.key_id.clone(), self.secret_key.clone());
        Some(Arc::new(Feed::new(&self.stream_url, keys, self.choice.clone())))
    }

    fn look<'a>(&'a self, spellings: &'a [String]) -> BoxFuture<'a, Result<Vec<MarketEvent>, ProviderError>> {
        Box::pin(self.snapshots(spellings))
    }

    /// What is made up has no price to look at.
    fn polling(&self) -> Option<Polling> {
        (self.choice.feed != DataFeed::Test).then_some(Polling { every: POLL, at_once: AT_ONCE, requests: 1 })
    }

    fn pages(&self, interval: Interval, from: Timestamp, to: Timestamp, now: Timestamp) -> Vec<(Timestamp, Timestamp)> {
        pages(interval, from, to, now)
    }

    fn history<'a>(&'a self, page: &'a HistoryPage) -> BoxFuture<'a, Result<History, ProviderError>> {
        Box::pin(self.history_of(page))
    }

    fn check(&self) -> BoxFuture<'_, Result<String, ProviderError>> {
        Box::pin(self.ask_check())
    }

    fn directory(&self) -> Option<&dyn Directory> {
        Some(self)
    }

    fn actions(&self) -> Option<&dyn Actions> {
        Some(self)
    }

    fn market_hours(&self) -> Option<&dyn MarketHours> {
        Some(self)
    }
}

/// A list whose parts name each other for ever.
pub(crate) fn endless(what: &str) -> ProviderError {
    ProviderError::Fatal { message: format!("{what}: the list does not end after {PARTS} parts") }
}
