//! Binance spot as a provider: it asks, `body` and `decode` understand.

use std::num::NonZeroU32;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::config::Section;
use crate::market::{Interval, MarketEvent, Symbol, Timestamp};
use crate::provider::ability::Directory;
use crate::provider::binance::body;
use crate::provider::binance::spec::{spell, unspell};
use crate::provider::binance::stream::Feed;
use crate::provider::contract::{History, HistoryPage, Polling, Provider, ProviderError, cut, only};
use crate::provider::net::{Call, Net};
use crate::provider::protocol::Protocol;

/// Bars of one request: the most that are answered.
const BARS: u32 = 1_000;

/// 2017-07-01, before the first trade that is kept.
const LAUNCH: Timestamp = Timestamp::from_seconds(1_498_867_200);

/// How often a symbol is looked at while the socket is down.
const POLL: Duration = Duration::from_secs(30);

/// What a question weighs: "Kline/Candlestick data" and "24hr ticker price change statistics" of one symbol, "Exchange information",
/// "Check server time"; `rest-api.md`, <https://github.com/binance/binance-spot-api-docs>.
const KLINES: NonZeroU32 = NonZeroU32::new(2).expect("2 is not 0");
const TICKER: NonZeroU32 = NonZeroU32::new(2).expect("2 is not 0");
const EXCHANGE_INFO: NonZeroU32 = NonZeroU32::new(20).expect("20 is not 0");
const TIME: NonZeroU32 = NonZeroU32::MIN;

/// How the words begin that follow the name of a question that this network may not ask.
const BLOCKED: &str = ": 451";

type Query = Vec<(&'static str, String)>;

/// Binance spot, ready to be asked.
pub struct Binance {
    net: Net,
    rest_url: String,
    stream_url: String,
    /// The refusal of this network, which lasts as long as we run.
    blocked: OnceLock<String>,
}

impl Binance {
    #[must_use]
    pub fn new(section: &Section, net: Net) -> Self {
        let rest_url = section.text("rest_url").trim_end_matches('/').to_owned();
        Self { net, rest_url, stream_url: section.text("stream_url").to_owned(), blocked: OnceLock::new() }
    }

    /// Every symbol there is: several megabytes.
    pub(crate) async fn exchange_info(&self) -> Result<Vec<u8>, ProviderError> {
        self.ask("exchangeInfo", Vec::new(), EXCHANGE_INFO, "binance symbols".to_owned()).await
    }

    async fn ask(&self, endpoint: &str, query: Query, weight: NonZeroU32, what: String) -> Result<Vec<u8>, ProviderError> {
        if let Some(message) = self.blocked.get() {
            return Err(ProviderError::NotEntitled { message: message.clone() });
        }
        let url = format!("{}/api/v3/{endpoint}", self.rest_url);
        let call = Call { url, query, what, explain: body::explain, weight, ..Call::default() };
        let answer = self.net.http.get(&call).await;
        if let Err(ProviderError::NotEntitled { message }) = &answer
            && message.contains(BLOCKED)
        {
            // Who was first does not matter: the words are the same.
            let _ = self.blocked.set(message.clone());
        }
        answer.map_err(body::by_its_name)
    }

    async fn look(&self, spelling: &str) -> Result<Vec<MarketEvent>, ProviderError> {
        let query = vec![("symbol", spelling.to_owned())];
        let ticker = self.ask("ticker/24hr", query, TICKER, format!("binance ticker/24hr of {spelling}")).await?;
        body::look(&ticker, spelling, self.net.clock.now())
    }

    async fn history(&self, page: &HistoryPage) -> Result<History, ProviderError> {
        let millis = |at: Timestamp| at.as_micros().div_euclid(1_000);
        let query = vec![
            ("symbol", page.spelling.clone()),
            ("interval", body::asked_as(page.interval).to_owned()),
            ("startTime", millis(page.from).to_string()),
            // Both ends count.
            ("endTime", (millis(page.to) - 1).to_string()),
            ("limit", BARS.to_string()),
        ];
        let body = self.ask("klines", query, KLINES, format!("binance klines of {}", page.spelling)).await?;
        Ok(History { bars: body::klines(&body, page, self.net.clock.now())?, ..History::default() })
    }

    async fn check(&self) -> Result<String, ProviderError> {
        body::clock(&self.ask("time", Vec::new(), TIME, "binance time".to_owned()).await?)
    }
}

impl Provider for Binance {
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
        Some(Arc::new(Feed::new(self.stream_url.clone())))
    }

    fn look<'a>(&'a self, spellings: &'a [String]) -> BoxFuture<'a, Result<Vec<MarketEvent>, ProviderError>> {
        Box::pin(Binance::look(self, only(spellings)))
    }

    fn polling(&self) -> Option<Polling> {
        Some(Polling { every: POLL, at_once: 1, requests: 2 })
    }

    fn pages(&self, interval: Interval, from: Timestamp, to: Timestamp, now: Timestamp) -> Vec<(Timestamp, Timestamp)> {
        pages(interval, from, to, now)
    }

    fn history<'a>(&'a self, page: &'a HistoryPage) -> BoxFuture<'a, Result<History, ProviderError>> {
        Box::pin(Binance::history(self, page))
    }

    fn check(&self) -> BoxFuture<'_, Result<String, ProviderError>> {
        Box::pin(Binance::check(self))
    }

    fn directory(&self) -> Option<&dyn Directory> {
        Some(self)
    }
}

/// Cuts `[from, to)` into pages of at most 1000 bars.
#[must_use]
pub fn pages(interval: Interval, from: Timestamp, to: Timestamp, now: Timestamp) -> Vec<(Timestamp, Timestamp)> {
    cut(from.max(LAUNCH), to.min(now), interval.duration() * BARS)
}
