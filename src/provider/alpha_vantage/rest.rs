//! Alpha Vantage as a provider: it asks, the other files understand.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use secrecy::{ExposeSecret, SecretString};

use crate::config::Section;
use crate::market::{AssetClass, Delay, EventKind, Interval, MarketEvent, Symbol, Timestamp, Zone};
use crate::provider::ability::{Actions, Company, Directory, MarketHours};
use crate::provider::alpha_vantage::bars::{bars, question, what};
use crate::provider::alpha_vantage::fault::disguised;
use crate::provider::alpha_vantage::pages::{Reach, pages};
use crate::provider::alpha_vantage::quote::look;
use crate::provider::alpha_vantage::refused::Refused;
use crate::provider::alpha_vantage::spell::{spell, unspell};
use crate::provider::contract::{History, HistoryPage, Polling, Provider, ProviderError, Variant, only};
use crate::provider::net::{Body, Call, Net};
use crate::provider::protocol::Protocol;

/// How late the plans with delayed prices are, and how late a price is at least where the plan has none of today.
const LATE: u32 = 900;

/// Alpha Vantage, ready to be asked.
pub struct AlphaVantage {
    net: Net,
    rest_url: String,
    key: SecretString,
    entitlement: Entitlement,
    as_text: bool,
    full: bool,
    poll: Duration,
    refused: Refused,
}

/// What the plan has of today's prices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entitlement {
    None,
    Delayed,
    Realtime,
}

/// Names and values of a question.
pub(crate) type Query = Vec<(&'static str, String)>;

impl Entitlement {
    fn read(text: &str) -> Self {
        match text {
            "delayed" => Self::Delayed,
            "realtime" => Self::Realtime,
            _ => Self::None,
        }
    }

    /// What is asked for; without it the prices of the last close are sent, and no error.
    fn name(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Delayed => Some("delayed"),
            Self::Realtime => Some("realtime"),
        }
    }

    /// How old a price is at least.
    fn late(self) -> Duration {
        match self {
            Self::None | Self::Delayed => Duration::from_secs(u64::from(LATE)),
            Self::Realtime => Duration::ZERO,
        }
    }

    fn variant(self) -> Option<Variant> {
        let delay = if self == Self::Realtime { Delay::RealTime } else { Delay::Seconds(LATE) };
        self.name().map(|feed| Variant { feed: feed.to_owned(), delay })
    }
}

impl AlphaVantage {
    /// Nothing is sent yet.
    #[must_use]
    pub fn new(section: &Section, net: Net) -> Self {
        Self {
            net,
            rest_url: section.text("rest_url").trim_end_matches('/').to_owned(),
            key: section.secret("api_key").cloned().unwrap_or_default(),
            entitlement: Entitlement::read(section.text("entitlement")),
            as_text: section.text("datatype") == "csv",
            full: section.text("outputsize") == "full",
            poll: Duration::from_secs(section.integer("poll_s")),
            refused: Refused::default(),
        }
    }

    /// Asks by the name of a function of the documentation, such as `OVERVIEW`.
    pub(crate) async fn ask(&self, function: &str, query: Query, what: String) -> Result<Vec<u8>, ProviderError> {
        self.ask_as(Body::Json, function, query, what).await
    }

    /// The same, in another form. What the plan was found not to have is not asked for again for a day.
    pub(crate) async fn ask_as(&self, body: Body, function: &str, query: Query, what: String) -> Result<Vec<u8>, ProviderError> {
        let is_full = query.iter().any(|(name, value)| *name == "outputsize" && value == "full");
        let dataset = if is_full { format!("{function} full") } else { function.to_owned() };
        if self.refused.holds(&dataset, self.now()) {
            return Err(ProviderError::NotEntitled { message: format!("{what}: it is not in the plan of the key; asked again in a day") });
        }
        let mut full = vec![("function", function.to_owned())];
        full.extend(query);
        // There is no other place for the key.
        full.push(("apikey", self.key.expose_secret().to_owned()));
        let call = Call { url: format!("{}/query", self.rest_url), query: full, what, disguised, body, ..Call::default() };
        let answer = self.net.http.get(&call).await;
        if matches!(answer, Err(ProviderError::NotEntitled { .. })) {
            self.refused.learn(&dataset, self.now());
        }
        answer
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.net.clock.now()
    }

    async fn look_at(&self, spelling: &str) -> Result<MarketEvent, ProviderError> {
        let mut query = vec![("symbol", spelling.to_owned())];
        query.extend(self.entitlement.name().map(|name| ("entitlement", name.to_owned())));
        let body = self.ask("GLOBAL_QUOTE", query, format!("alpha-vantage quote of {spelling}")).await?;
        look(&body, spelling, self.entitlement.late(), self.now())
    }

    async fn look(&self, spellings: &[String]) -> Result<Vec<MarketEvent>, ProviderError> {
        self.look_at(only(spellings)).await.map(|event| vec![event])
    }

    async fn history(&self, page: &HistoryPage) -> Result<History, ProviderError> {
        let Some((function, mut query)) = question(page, self.full) else {
            return Err(ProviderError::Fatal { message: format!("alpha-vantage has no {} bars of {}", page.interval, page.spelling) });
        };
        let is_intraday = page.interval.is_intraday();
        if is_intraday {
            query.extend(self.entitlement.name().map(|name| ("entitlement", name.to_owned())));
        }
        let form = if self.as_text { Body::Csv } else { Body::Json };
        if self.as_text {
            query.push(("datatype", "csv".to_owned()));
        }
        let body = self.ask_as(form, function, query, what(page)).await?;
        let as_of = if is_intraday { self.reach().newest(self.now()) } else { self.now() };
        Ok(History { bars: bars(&body, page, self.full, as_of)?, ..History::default() })
    }

    fn reach(&self) -> Reach {
        Reach { late: self.entitlement.name().map(|_| self.entitlement.late()), full: self.full }
    }

    /// There is nothing that is free: it is one request of the day.
    async fn check(&self) -> Result<String, ProviderError> {
        let event = self.look_at("IBM").await?;
        let (day, _) = event.ts_event.in_zone(Zone::NEW_YORK);
        let EventKind::Last(last) = event.kind else { return Ok(format!("no price of IBM on {day}; one request of the day")) };
        Ok(format!("IBM at {} on {day}; this was one request of the day", last.price))
    }
}

impl Provider for AlphaVantage {
    fn net(&self) -> &Net {
        &self.net
    }

    fn spell(&self, symbol: &Symbol) -> Option<String> {
        spell(symbol)
    }

    fn variant(&self) -> Option<Variant> {
        self.entitlement.variant()
    }

    fn unspell(&self, spelling: &str) -> Option<Symbol> {
        unspell(spelling)
    }

    /// Indices have history only.
    fn hears(&self, symbol: &Symbol) -> bool {
        symbol.listing().asset_class != AssetClass::Index
    }

    fn stream(&self) -> Option<Arc<dyn Protocol>> {
        None
    }

    fn look<'a>(&'a self, spellings: &'a [String]) -> BoxFuture<'a, Result<Vec<MarketEvent>, ProviderError>> {
        Box::pin(AlphaVantage::look(self, spellings))
    }

    fn polling(&self) -> Option<Polling> {
        Some(Polling { every: self.poll, at_once: 1 })
    }

    fn pages(&self, interval: Interval, from: Timestamp, to: Timestamp, now: Timestamp) -> Vec<(Timestamp, Timestamp)> {
        pages(self.reach(), interval, from, to, now)
    }

    fn history<'a>(&'a self, page: &'a HistoryPage) -> BoxFuture<'a, Result<History, ProviderError>> {
        Box::pin(AlphaVantage::history(self, page))
    }

    fn check(&self) -> BoxFuture<'_, Result<String, ProviderError>> {
        Box::pin(AlphaVantage::check(self))
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
