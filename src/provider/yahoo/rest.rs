//! Yahoo Finance as a provider: it asks, the other files understand.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::config::Section;
use crate::market::{Interval, MarketEvent, Symbol, Timestamp};
use crate::provider::ability::{Actions, Directory};
use crate::provider::contract::{History, HistoryPage, Polling, Provider, ProviderError, cut};
use crate::provider::net::{Call, Net};
use crate::provider::protocol::Protocol;
use crate::provider::yahoo::action::actions;
use crate::provider::yahoo::bars::{asked_as, bars};
use crate::provider::yahoo::chart::{Series, chart, explain};
use crate::provider::yahoo::look::look;
use crate::provider::yahoo::pass::{AT_ONCE, Quotes, browser_headers};
use crate::provider::yahoo::spell::{spell, unspell};
use crate::provider::yahoo::split::{Split, splits, unadjust};
use crate::provider::yahoo::stream::Feed;
use crate::provider::yahoo::turn::Turns;

const DAY: Duration = Duration::from_secs(86_400);

/// 1900-01-01: no chart begins earlier.
const FIRST: Timestamp = Timestamp::from_seconds(-2_208_988_800);

/// How long the splits of a symbol are believed.
const SPLITS_KEPT: Duration = DAY;

/// What is always there.
const INDEX: &str = "^GSPC";

/// Yahoo Finance, ready to be asked.
pub struct Yahoo {
    net: Net,
    rest_url: String,
    stream_url: String,
    user_agent: String,
    poll: Duration,
    quotes: Quotes,
    turns: Turns,
    /// By spelling. Never held while waiting.
    splits: Mutex<HashMap<String, Known>>,
}

/// The splits of one symbol since an instant, as they were at another.
struct Known {
    since: Timestamp,
    asked_at: Timestamp,
    splits: Vec<Split>,
}

/// What is asked of an endpoint.
pub type Query = Vec<(&'static str, String)>;

impl Yahoo {
    /// Nothing is sent yet.
    #[must_use]
    pub fn new(section: &Section, net: Net) -> Self {
        Self {
            net,
            rest_url: section.text("rest_url").trim_end_matches('/').to_owned(),
            stream_url: section.text("stream_url").to_owned(),
            user_agent: section.text("user_agent").to_owned(),
            poll: Duration::from_secs(section.integer("poll_s")),
            quotes: Quotes::new(section),
            turns: Turns::default(),
            splits: Mutex::default(),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.net.clock.now()
    }

    /// One symbol's chart.
    pub(crate) async fn ask(&self, spelling: &str, query: Query, what: &str) -> Result<Series, ProviderError> {
        let call = Call {
            url: format!("{}/v8/finance/chart/{}", self.rest_url, path(spelling)),
            query,
            headers: browser_headers(),
            what: format!("yahoo {what} of {spelling}"),
            explain,
            ..Call::default()
        };
        chart(&self.net.http.get(&call).await?)
    }

    /// What a text names.
    pub(crate) async fn search(&self, text: &str) -> Result<Vec<u8>, ProviderError> {
        let query = [("q", text), ("quotesCount", "20"), ("newsCount", "0"), ("enableFuzzyQuery", "false")];
        let call = Call {
            url: format!("{}/v1/finance/search", self.rest_url),
            query: query.map(|(key, value)| (key, value.to_owned())).into(),
            headers: browser_headers(),
            what: "yahoo search".to_owned(),
            explain,
            ..Call::default()
        };
        self.net.http.get(&call).await
    }

    async fn look(&self, spellings: &[String]) -> Result<Vec<MarketEvent>, ProviderError> {
        match self.quotes.ask(&self.net, spellings).await {
            Some(events) if events.is_empty() => Err(unknown(spellings)),
            Some(events) => Ok(events),
            None => self.look_at_charts(spellings).await,
        }
    }

    /// One chart each, while quotes cannot be had. What is wrong with one symbol does not cost the others.
    async fn look_at_charts(&self, spellings: &[String]) -> Result<Vec<MarketEvent>, ProviderError> {
        let (mut events, mut troubles) = (Vec::new(), Vec::new());
        for spelling in self.turns.next(spellings, self.now()) {
            let answer = self.price(&spelling).await;
            let is_known = !matches!(answer, Err(ProviderError::NotFound { .. }));
            self.turns.had(spelling, is_known, self.now());
            match answer {
                Ok(found) => events.extend(found),
                Err(error) => {
                    let is_alone = is_of_one_symbol(&error);
                    troubles.push(error);
                    if !is_alone {
                        break;
                    }
                }
            }
        }
        if events.is_empty() {
            return Err(troubles.into_iter().next().unwrap_or_else(|| unknown(spellings)));
        }
        for error in troubles {
            tracing::warn!(feed = "yahoo", "{error}");
        }
        Ok(events)
    }

    async fn price(&self, spelling: &str) -> Result<Vec<MarketEvent>, ProviderError> {
        let query = [("range", "1d"), ("interval", "1m"), ("includePrePost", "true")];
        let series = self.ask(spelling, query.map(|(key, value)| (key, value.to_owned())).into(), "price").await?;
        look(&series, spelling, self.now())
    }

    async fn history(&self, page: &HistoryPage) -> Result<History, ProviderError> {
        let now = self.now();
        let series = self.ask(&page.spelling, page_query(page, now), &format!("{} bars", page.interval)).await?;
        let mut bars = bars(&series, page, now)?;
        if bars.is_empty() || !series.may_split() {
            return Ok(History { bars, ..History::default() });
        }
        // Only a chart that reaches to this day shows every split that its prices are adjusted by.
        let splits = if page.interval.is_intraday() { self.later_splits(page, now).await } else { splits(&series) };
        let Some(splits) = splits else { return Ok(History { bars, adjusted: true, ..History::default() }) };
        unadjust(&mut bars, &splits, series.zone());
        Ok(History { bars, adjusted: false, actions: actions(&series, &splits) })
    }

    async fn check(&self) -> Result<String, ProviderError> {
        let query = [("range", "1d"), ("interval", "1d")].map(|(key, value)| (key, value.to_owned()));
        let series = self.ask(INDEX, query.into(), "chart").await?;
        let price = series.meta.as_ref().and_then(|meta| meta.regular_market_price);
        Ok(price.map_or_else(|| format!("a chart of {INDEX} without a price"), |price| format!("{INDEX} stands at {price:.2}")))
    }

    /// The splits since the page's start; `None` when they could not be had.
    async fn later_splits(&self, page: &HistoryPage, now: Timestamp) -> Option<Vec<Split>> {
        if let Some(known) = self.known_splits(page, now) {
            return Some(known);
        }
        let query = span_query(Interval::OneDay, page.from - DAY, now);
        let found = match self.ask(&page.spelling, query, "splits").await {
            Ok(series) => splits(&series),
            Err(error) => {
                tracing::warn!(symbol = %page.spelling, %error, "bars are kept split-adjusted: the splits could not be had");
                None
            }
        }?;
        let known = Known { since: page.from, asked_at: now, splits: found.clone() };
        self.splits.lock().unwrap_or_else(PoisonError::into_inner).insert(page.spelling.clone(), known);
        Some(found)
    }

    fn known_splits(&self, page: &HistoryPage, now: Timestamp) -> Option<Vec<Split>> {
        let all = self.splits.lock().unwrap_or_else(PoisonError::into_inner);
        let known = all.get(&page.spelling)?;
        (known.since <= page.from && now.since(known.asked_at) < SPLITS_KEPT).then(|| known.splits.clone())
    }
}

impl Provider for Yahoo {
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
        Some(Arc::new(Feed { url: self.stream_url.clone(), user_agent: self.user_agent.clone() }))
    }

    fn look<'a>(&'a self, spellings: &'a [String]) -> BoxFuture<'a, Result<Vec<MarketEvent>, ProviderError>> {
        Box::pin(Yahoo::look(self, spellings))
    }

    fn polling(&self) -> Option<Polling> {
        Some(Polling { every: self.poll, at_once: AT_ONCE, requests: 1 })
    }

    fn pages(&self, interval: Interval, from: Timestamp, to: Timestamp, now: Timestamp) -> Vec<(Timestamp, Timestamp)> {
        pages(interval, from, to, now)
    }

    fn history<'a>(&'a self, page: &'a HistoryPage) -> BoxFuture<'a, Result<History, ProviderError>> {
        Box::pin(Yahoo::history(self, page))
    }

    fn check(&self) -> BoxFuture<'_, Result<String, ProviderError>> {
        Box::pin(Yahoo::check(self))
    }

    fn directory(&self) -> Option<&dyn Directory> {
        Some(self)
    }

    fn actions(&self) -> Option<&dyn Actions> {
        Some(self)
    }
}

fn unknown(spellings: &[String]) -> ProviderError {
    ProviderError::NotFound { message: format!("yahoo has no price of {}", spellings.join(", ")) }
}

/// A symbol that does not exist, or a chart without a price, as opposed to a page in the place of a chart.
fn is_of_one_symbol(error: &ProviderError) -> bool {
    match error {
        ProviderError::NotFound { .. } => true,
        ProviderError::Malformed { payload, .. } => payload.is_empty(),
        ProviderError::Retryable { .. }
        | ProviderError::RateLimited { .. }
        | ProviderError::UsedUp { .. }
        | ProviderError::Unauthorized { .. }
        | ProviderError::NotEntitled { .. }
        | ProviderError::Fatal { .. } => false,
    }
}

/// Cuts `[from, to)` into pages. Yahoo counts its limits in seconds from now: a day is left as a margin.
#[must_use]
pub fn pages(interval: Interval, from: Timestamp, to: Timestamp, now: Timestamp) -> Vec<(Timestamp, Timestamp)> {
    let (kept, length): (Option<u32>, Option<u32>) = match interval {
        Interval::OneMinute => (Some(28), Some(7)),
        Interval::FiveMinutes | Interval::FifteenMinutes | Interval::ThirtyMinutes => (Some(58), None),
        Interval::OneHour => (Some(728), None),
        Interval::OneDay | Interval::OneWeek | Interval::OneMonth => (None, None),
    };
    let first = kept.map_or(FIRST, |days| now - DAY * days);
    let (from, to) = (from.max(first), to.min(now));
    cut(from, to, length.map_or_else(|| to.since(from), |days| DAY * days))
}

/// A label may be a day away from its row's instant, and the row of a week or month stands at its start. All of these are asked for
/// up to now, because the splits after the page are in the same answer.
fn page_query(page: &HistoryPage, now: Timestamp) -> Query {
    match page.interval {
        Interval::OneDay => span_query(page.interval, page.from - DAY, now),
        Interval::OneWeek => span_query(page.interval, page.from - DAY * 7, now),
        Interval::OneMonth => span_query(page.interval, page.from - DAY * 31, now),
        _ => span_query(page.interval, page.from, page.to),
    }
}

/// A chart of the bars of a time, with what happened in it.
#[must_use]
pub fn span_query(interval: Interval, from: Timestamp, to: Timestamp) -> Query {
    vec![
        ("period1", from.as_seconds().to_string()),
        ("period2", to.as_seconds().to_string()),
        ("interval", asked_as(interval).to_owned()),
        ("includePrePost", interval.is_intraday().to_string()),
        ("events", "div,splits".to_owned()),
    ]
}

/// A spelling as part of a path: `^GSPC` is `%5EGSPC`.
fn path(spelling: &str) -> String {
    let mut path = String::with_capacity(spelling.len());
    for byte in spelling.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~=".contains(&byte) {
            path.push(char::from(byte));
        } else {
            write!(path, "%{byte:02X}").expect("writing to a string cannot fail");
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    #[test]
    fn a_spelling_fits_a_path() {
        for (spelling, expected) in [("^GSPC", "%5EGSPC"), ("EURUSD=X", "EURUSD=X"), ("VOD.L", "VOD.L"), ("a/b?", "a%2Fb%3F")] {
            assert_eq!(path(spelling), expected);
        }
    }

    #[test]
    fn pages_keep_what_yahoo_keeps() {
        let now = at("2026-11-27T12:00:00Z");
        let minutes = pages(Interval::OneMinute, Timestamp::MIN, Timestamp::MAX, now);
        let edges =
            ["2026-10-30T12:00:00Z", "2026-11-06T12:00:00Z", "2026-11-13T12:00:00Z", "2026-11-20T12:00:00Z", "2026-11-27T12:00:00Z"];
        let expected: Vec<_> = edges.windows(2).map(|edges| (at(edges[0]), at(edges[1]))).collect();
        assert_eq!(minutes, expected);
        let (from, to) = (at("2001-01-01T00:00:00Z"), at("2002-01-01T00:00:00Z"));
        assert_eq!(pages(Interval::OneDay, from, to, now), [(from, to)]);
        assert!(pages(Interval::OneHour, from, to, now).is_empty());
        assert_eq!(pages(Interval::ThirtyMinutes, from, now, now), [(at("2026-09-30T12:00:00Z"), now)]);
    }
}
