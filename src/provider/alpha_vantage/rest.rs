//! Alpha Vantage as a provider: it asks, the other files understand.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use secrecy::{ExposeSecret, SecretString};

use crate::config::Section;
use crate::market::{AssetClass, Delay, EventKind, Interval, MarketEvent, Symbol, Timestamp, Zone};
use crate::provider::ability::{Actions, Company, Directory, MarketHours};
use crate::provider::alpha_vantage::bars::{ADJUSTED_DAYS, DAYS, Days, Question, history, question, what};
use crate::provider::alpha_vantage::fault::{disguised, not_in_plan};
use crate::provider::alpha_vantage::pages::{Reach, pages};
use crate::provider::alpha_vantage::quote::look;
use crate::provider::alpha_vantage::spell::{spell, unspell};
use crate::provider::contract::{History, HistoryPage, Polling, Provider, ProviderError, Variant, only};
use crate::provider::net::{Body, Call, Net};
use crate::provider::protocol::Protocol;
use crate::provider::refused::Refused;

/// How late the plans with delayed prices are, and how late a price is at least where the plan has none of today.
const LATE: u32 = 900;

/// All days, as refusals know them: a plan may have the last hundred only.
const ALL_DAYS: &str = "TIME_SERIES_DAILY full";

/// Alpha Vantage, ready to be asked.
pub struct AlphaVantage {
    net: Net,
    rest_url: String,
    key: SecretString,
    entitlement: Entitlement,
    as_text: bool,
    /// What the config wishes for.
    days: Days,
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
            days: Days { full: section.text("outputsize") == "full", adjusted: section.flag("adjusted") },
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
        let dataset = dataset(function, &query);
        if self.refused.holds(dataset, self.now()) {
            return Err(ProviderError::NotEntitled { message: format!("{what}: it is not in the plan of the key; asked again in a day") });
        }
        let mut full = vec![("function", function.to_owned())];
        full.extend(query);
        // There is no other place for the key.
        full.push(("apikey", self.key.expose_secret().to_owned()));
        let call = Call { url: format!("{}/query", self.rest_url), query: full, what, disguised, body, ..Call::default() };
        let answer = self.net.http.get(&call).await;
        // The words alone count: a status without them may be that of anybody on the way.
        let refusal = self.net.http.redact().error(not_in_plan(&call.what));
        if answer.as_ref().is_err_and(|error| *error == refusal) {
            self.learn(dataset);
        }
        answer
    }

    /// Keeps a refusal in mind, and says once what is done without.
    fn learn(&self, dataset: &str) {
        if self.refused.learn(dataset, self.now())
            && let Some(less) = less(dataset)
        {
            tracing::warn!(feed = "alpha-vantage", "{less}; asked again in a day");
        }
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
        let (body, days) = self.page(page).await?;
        let now = self.now();
        let as_of = if page.interval.is_intraday() { self.reach(now).newest(now) } else { now };
        history(&body, page, days.full, as_of)
    }

    /// A page as it was sent, and which days were asked for. Of what turns out to be refused, the next best is asked for.
    async fn page(&self, page: &HistoryPage) -> Result<(Vec<u8>, Days), ProviderError> {
        let form = if self.as_text { Body::Csv } else { Body::Json };
        loop {
            let days = self.days(self.now());
            let Some((function, query)) = self.question(page, days) else {
                return Err(ProviderError::Fatal { message: format!("alpha-vantage has no {} bars of {}", page.interval, page.spelling) });
            };
            let answer = self.ask_as(form, function, query, what(page)).await;
            let is_refused = matches!(answer, Err(ProviderError::NotEntitled { .. }));
            if !is_refused || self.question(page, self.days(self.now())) == self.question(page, days) {
                return answer.map(|body| (body, days));
            }
        }
    }

    fn question(&self, page: &HistoryPage, days: Days) -> Option<Question> {
        let (function, mut query) = question(page, days)?;
        if page.interval.is_intraday() {
            query.extend(self.entitlement.name().map(|name| ("entitlement", name.to_owned())));
        }
        if self.as_text {
            query.push(("datatype", "csv".to_owned()));
        }
        Some((function, query))
    }

    /// Which days there are in the plan, as far as it is known.
    fn days(&self, now: Timestamp) -> Days {
        let has = |wanted: bool, dataset: &str| wanted && !self.refused.holds(dataset, now);
        Days { full: has(self.days.full, ALL_DAYS), adjusted: has(self.days.adjusted, ADJUSTED_DAYS) }
    }

    fn reach(&self, now: Timestamp) -> Reach {
        Reach { late: self.entitlement.name().map(|_| self.entitlement.late()), full: self.days(now).full }
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
        Some(Polling { every: self.poll, at_once: 1, requests: 1 })
    }

    fn pages(&self, interval: Interval, from: Timestamp, to: Timestamp, now: Timestamp) -> Vec<(Timestamp, Timestamp)> {
        pages(self.reach(now), interval, from, to, now)
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

/// What a refusal is of: all days may be refused where the last hundred are not, anything else is in a plan or it is not.
fn dataset<'a>(function: &'a str, query: &[(&'static str, String)]) -> &'a str {
    let is_full = query.iter().any(|(name, value)| *name == "outputsize" && value == "full");
    if function == DAYS && is_full { ALL_DAYS } else { function }
}

/// What it comes to that a dataset was refused; `None` where nothing stands in for it, and the question fails.
fn less(dataset: &str) -> Option<&'static str> {
    match dataset {
        ADJUSTED_DAYS => Some("days come without splits and dividends: adjusted days are not in the plan of the key"),
        ALL_DAYS => Some("days are the last 100 only: all of them are not in the plan of the key"),
        _ => None,
    }
}
