//! Yahoo Finance as a provider: it asks, the other files understand.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::config::Section;
use crate::market::{Interval, MarketEvent, Symbol, Timestamp};
use crate::provider::contract::{History, HistoryPage, Protocol, Provider, ProviderError};
use crate::provider::net::{Call, Net};
use crate::provider::yahoo::bars::{asked_as, bars};
use crate::provider::yahoo::chart::{Series, chart, explain};
use crate::provider::yahoo::look::look;
use crate::provider::yahoo::spell::spell;
use crate::provider::yahoo::split::{Split, splits, unadjust};
use crate::provider::yahoo::stream::Feed;

const DAY: Duration = Duration::from_secs(86_400);

/// 1900-01-01: no chart begins earlier.
const FIRST: Timestamp = Timestamp::from_seconds(-2_208_988_800);

/// How long the splits of a symbol are believed.
const SPLITS_KEPT: Duration = DAY;

/// Yahoo Finance, ready to be asked.
pub struct Yahoo {
    net: Net,
    rest_url: String,
    stream_url: String,
    user_agent: String,
    poll: Duration,
    /// By spelling. Never held while waiting.
    splits: Mutex<HashMap<String, Known>>,
}

/// The splits of one symbol since an instant, as they were at another.
struct Known {
    since: Timestamp,
    asked_at: Timestamp,
    splits: Vec<Split>,
}

type Query = Vec<(&'static str, String)>;

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
            splits: Mutex::default(),
        }
    }

    async fn ask(&self, spelling: &str, query: Query, what: &str) -> Result<Series, ProviderError> {
        let call = Call {
            url: format!("{}/v8/finance/chart/{}", self.rest_url, path(spelling)),
            query,
            headers: vec![("Accept", "*/*".to_owned()), ("Accept-Language", "en-US,en;q=0.9".to_owned())],
            what: format!("yahoo {what} of {spelling}"),
            explain,
        };
        chart(&self.net.http.get(&call).await?)
    }

    async fn look(&self, spelling: &str) -> Result<Vec<MarketEvent>, ProviderError> {
        let query = [("range", "1d"), ("interval", "1m"), ("includePrePost", "true")];
        let series = self.ask(spelling, query.map(|(key, value)| (key, value.to_owned())).into(), "price").await?;
        look(&series, spelling, self.net.clock.now())
    }

    async fn history(&self, page: &HistoryPage) -> Result<History, ProviderError> {
        let now = self.net.clock.now();
        let series = self.ask(&page.spelling, page_query(page, now), &format!("{} bars", page.interval)).await?;
        let mut bars = bars(&series, page, now)?;
        if bars.is_empty() || !series.may_split() {
            return Ok(History { bars, adjusted: false });
        }
        // Only a chart that reaches to this day shows every split that its prices are adjusted by.
        let splits = if page.interval.is_intraday() { self.later_splits(page, now).await } else { splits(&series) };
        let adjusted = splits.is_none();
        unadjust(&mut bars, &splits.unwrap_or_default(), series.zone());
        Ok(History { bars, adjusted })
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

    fn stream(&self) -> Option<Arc<dyn Protocol>> {
        Some(Arc::new(Feed { url: self.stream_url.clone(), user_agent: self.user_agent.clone() }))
    }

    fn look<'a>(&'a self, spelling: &'a str) -> BoxFuture<'a, Result<Vec<MarketEvent>, ProviderError>> {
        Box::pin(Yahoo::look(self, spelling))
    }

    fn poll_every(&self) -> Option<Duration> {
        Some(self.poll)
    }

    fn pages(&self, interval: Interval, from: Timestamp, to: Timestamp, now: Timestamp) -> Vec<(Timestamp, Timestamp)> {
        pages(interval, from, to, now)
    }

    fn history<'a>(&'a self, page: &'a HistoryPage) -> BoxFuture<'a, Result<History, ProviderError>> {
        Box::pin(Yahoo::history(self, page))
    }
}

/// Cuts `[from, to)` into pages. Yahoo counts its limits in seconds from now: a day is left as a margin.
#[must_use]
pub fn pages(interval: Interval, from: Timestamp, to: Timestamp, now: Timestamp) -> Vec<(Timestamp, Timestamp)> {
    let (kept, length): (Option<u32>, Option<u32>) = match interval {
        Interval::OneMinute => (Some(28), Some(7)),
        Interval::FiveMinutes | Interval::FifteenMinutes | Interval::ThirtyMinutes => (Some(58), None),
        Interval::OneHour => (Some(728), None),
        Interval::OneDay | Interval::OneWeek => (None, None),
    };
    let first = kept.map_or(FIRST, |days| now - DAY * days);
    let (mut at, to) = (from.max(first), to.min(now));
    let mut pages = Vec::new();
    while at < to {
        let end = length.map_or(to, |days| (at + DAY * days).min(to));
        pages.push((at, end));
        at = end;
    }
    pages
}

/// A label may be a day away from its row's instant, and a week's row stands on its Monday. Days and weeks are asked for up to now,
/// because the splits after the page are in the same answer.
fn page_query(page: &HistoryPage, now: Timestamp) -> Query {
    match page.interval {
        Interval::OneDay => span_query(page.interval, page.from - DAY, now),
        Interval::OneWeek => span_query(page.interval, page.from - DAY * 7, now),
        _ => span_query(page.interval, page.from, page.to),
    }
}

fn span_query(interval: Interval, from: Timestamp, to: Timestamp) -> Query {
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
