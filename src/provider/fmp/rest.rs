//! Financial Modeling Prep as a provider: it asks, the other files understand.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use secrecy::{ExposeSecret, SecretString};

use crate::config::Section;
use crate::market::{AssetClass, Date, Interval, MarketEvent, Symbol, Timestamp, Zone};
use crate::provider::ability::{Actions, Company, Directory, MarketHours};
use crate::provider::contract::{History, HistoryPage, Polling, Provider, ProviderError};
use crate::provider::fmp::action::split_dates;
use crate::provider::fmp::bars::{bars, endpoint, pages, span};
use crate::provider::fmp::fault::{disguised, explain};
use crate::provider::fmp::hours::status;
use crate::provider::fmp::quote::look;
use crate::provider::fmp::spell::{class, spell, unspell};
use crate::provider::fmp::stream::Feed;
use crate::provider::net::{Call, Net};
use crate::provider::protocol::Protocol;
use crate::provider::refused::Refused;

/// How many symbols one question names: 120 were answered.
const AT_ONCE: usize = 100;

/// How long the splits of a symbol are believed.
const SPLITS_KEPT: Duration = Duration::from_secs(86_400);

/// Several symbols in one question, which small plans do not have.
const BATCH: &str = "batch-quote";

/// Financial Modeling Prep, ready to be asked.
pub struct Fmp {
    net: Net,
    rest_url: String,
    stream_url: String,
    key: SecretString,
    in_header: bool,
    has_socket: bool,
    poll: Duration,
    refused: Refused,
    /// When each symbol's splits were asked for, and the newest of them. Never held while waiting.
    splits: Mutex<HashMap<String, (Timestamp, Option<Date>)>>,
}

/// Names and values of a question.
pub(crate) type Query = Vec<(&'static str, String)>;

impl Fmp {
    /// Nothing is sent yet.
    #[must_use]
    pub fn new(section: &Section, net: Net) -> Self {
        Self {
            net,
            rest_url: section.text("rest_url").trim_end_matches('/').to_owned(),
            stream_url: section.text("stream_url").to_owned(),
            key: section.secret("api_key").cloned().unwrap_or_default(),
            in_header: section.text("auth") == "header",
            has_socket: section.flag("socket"),
            poll: Duration::from_secs(section.integer("poll_s")),
            refused: Refused::default(),
            splits: Mutex::default(),
        }
    }

    /// Asks by a name of the documentation, such as `quote`.
    pub(crate) async fn ask(&self, name: &str, mut query: Query, what: String) -> Result<Vec<u8>, ProviderError> {
        let mut headers = Vec::new();
        let key = ("apikey", self.key.expose_secret().to_owned());
        if self.in_header {
            headers.push(key);
        } else {
            query.push(key);
        }
        let call = Call { url: format!("{}/{name}", self.rest_url), query, headers, what, explain, disguised, ..Call::default() };
        self.net.http.get(&call).await
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.net.clock.now()
    }

    /// Many in one question where the plan has that; a plan that leaves out one of them refuses all, and then each is asked for alone.
    async fn look(&self, spellings: &[String]) -> Result<Vec<MarketEvent>, ProviderError> {
        if spellings.len() < 2 || self.refused.holds(BATCH, self.now()) {
            return self.look_singly(spellings).await;
        }
        let query = vec![("symbols", spellings.join(","))];
        match self.ask(BATCH, query, format!("fmp quotes of {} symbols", spellings.len())).await {
            Ok(body) => look(&body, spellings, self.now()),
            Err(ProviderError::NotEntitled { message }) => {
                tracing::info!(feed = "fmp", "{message}: prices are asked for one by one for a day");
                self.refused.learn(BATCH, self.now());
                self.look_singly(spellings).await
            }
            Err(error) => Err(error),
        }
    }

    async fn look_singly(&self, spellings: &[String]) -> Result<Vec<MarketEvent>, ProviderError> {
        let (mut events, mut wrong) = (Vec::new(), None);
        for spelling in spellings {
            match self.look_at(spelling).await {
                Ok(found) => events.extend(found),
                Err(error) => {
                    let is_its_own = matches!(error, ProviderError::NotFound { .. } | ProviderError::NotEntitled { .. });
                    tracing::debug!(feed = "fmp", "{error}");
                    wrong = Some(error);
                    if !is_its_own {
                        // It would be that of the next ones as well.
                        break;
                    }
                }
            }
        }
        match wrong {
            Some(error) if events.is_empty() => Err(error),
            Some(_) | None => Ok(events),
        }
    }

    async fn look_at(&self, spelling: &str) -> Result<Vec<MarketEvent>, ProviderError> {
        let what = format!("fmp quote of {spelling}");
        if self.refused.holds(spelling, self.now()) {
            return Err(ProviderError::NotEntitled { message: format!("{what}: the plan does not cover it; asked again in a day") });
        }
        match self.ask("quote", vec![("symbol", spelling.to_owned())], what).await {
            Ok(body) => look(&body, &[spelling.to_owned()], self.now()),
            Err(error) => {
                if matches!(error, ProviderError::NotEntitled { .. }) {
                    self.refused.learn(spelling, self.now());
                }
                Err(error)
            }
        }
    }

    async fn history(&self, page: &HistoryPage) -> Result<History, ProviderError> {
        let Some(name) = endpoint(page) else {
            return Err(ProviderError::Fatal { message: format!("fmp has no {} bars", page.interval) });
        };
        let (from, to) = span(page);
        let query = vec![("symbol", page.spelling.clone()), ("from", from.to_string()), ("to", to.to_string())];
        let body = self.ask(name, query, format!("fmp {} bars of {}", page.interval, page.spelling)).await?;
        let bars = bars(&body, page, self.now())?;
        let adjusted = !bars.is_empty() && page.interval.is_intraday() && self.may_be_adjusted(page).await;
        Ok(History { bars, adjusted, ..History::default() })
    }

    /// Whether minutes of shares are adjusted is not documented. Where no split followed they are as traded in any case; where one
    /// did, or that is not known, they are not to be mixed with prices as traded.
    async fn may_be_adjusted(&self, page: &HistoryPage) -> bool {
        let date = |at: Timestamp| at.in_zone(Zone::NEW_YORK).0;
        let (first, today) = (date(page.from), date(self.now()));
        if class(&page.spelling) != AssetClass::Equity || first >= today {
            return false;
        }
        match self.newest_split(&page.spelling, today).await {
            Ok(newest) => newest.is_some_and(|split| split > first),
            Err(error) => {
                tracing::warn!(symbol = %page.spelling, %error, "bars are kept as adjusted: the splits could not be had");
                true
            }
        }
    }

    /// The newest split up to today.
    async fn newest_split(&self, spelling: &str, today: Date) -> Result<Option<Date>, ProviderError> {
        let known = self.splits.lock().unwrap_or_else(PoisonError::into_inner).get(spelling).copied();
        if let Some((asked_at, newest)) = known
            && self.now().since(asked_at) < SPLITS_KEPT
        {
            return Ok(newest);
        }
        let query = vec![("symbol", spelling.to_owned()), ("limit", "1000".to_owned())];
        let body = self.ask("splits", query, format!("fmp splits of {spelling}")).await?;
        let newest = split_dates(&body)?.into_iter().filter(|date| *date <= today).max();
        self.splits.lock().unwrap_or_else(PoisonError::into_inner).insert(spelling.to_owned(), (self.now(), newest));
        Ok(newest)
    }

    async fn check(&self) -> Result<String, ProviderError> {
        let body = self.ask("exchange-market-hours", vec![("exchange", "NYSE".to_owned())], "fmp hours of NYSE".to_owned()).await?;
        let said = status(&body)?;
        Ok(said.first().map_or_else(|| "no hours of NYSE".to_owned(), |said| format!("{} is {}", said.market, said.state)))
    }
}

impl Provider for Fmp {
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
        self.has_socket.then(|| Arc::new(Feed::new(self.stream_url.clone(), self.key.clone())) as Arc<dyn Protocol>)
    }

    fn look<'a>(&'a self, spellings: &'a [String]) -> BoxFuture<'a, Result<Vec<MarketEvent>, ProviderError>> {
        Box::pin(Fmp::look(self, spellings))
    }

    fn polling(&self) -> Option<Polling> {
        let at_once = if self.refused.holds(BATCH, self.now()) { 1 } else { AT_ONCE };
        Some(Polling { every: self.poll, at_once, requests: 1 })
    }

    fn pages(&self, interval: Interval, from: Timestamp, to: Timestamp, now: Timestamp) -> Vec<(Timestamp, Timestamp)> {
        pages(interval, from, to, now)
    }

    fn history<'a>(&'a self, page: &'a HistoryPage) -> BoxFuture<'a, Result<History, ProviderError>> {
        Box::pin(Fmp::history(self, page))
    }

    fn check(&self) -> BoxFuture<'_, Result<String, ProviderError>> {
        Box::pin(Fmp::check(self))
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
