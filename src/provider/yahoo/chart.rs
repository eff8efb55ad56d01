//! The chart answer of Yahoo as it is on the wire. The vendor documents it nowhere, and any member may be missing or null.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::market::{Zone, clean};
use crate::provider::contract::ProviderError;

#[derive(Deserialize)]
struct Envelope {
    chart: Option<Answer>,
    /// Some errors come under this name.
    finance: Option<Answer>,
}

#[derive(Deserialize)]
struct Answer {
    result: Option<Vec<Series>>,
    error: Option<Fault>,
}

/// Why there is no answer; quotes have the same shape.
#[derive(Deserialize)]
pub struct Fault {
    code: Option<String>,
    description: Option<String>,
}

/// One symbol's chart: `v8/finance/chart`, which the vendor documents nowhere.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Series {
    pub meta: Option<Meta>,
    /// Unix seconds; an empty range has none.
    pub timestamp: Option<Vec<Option<i64>>>,
    pub indicators: Option<Indicators>,
    pub events: Option<Events>,
}

/// What a chart says of its symbol.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Meta {
    pub currency: Option<String>,
    pub instrument_type: Option<String>,
    pub exchange_timezone_name: Option<String>,
    pub regular_market_time: Option<i64>,
    pub regular_market_price: Option<f64>,
    pub regular_market_day_high: Option<f64>,
    pub regular_market_day_low: Option<f64>,
    pub regular_market_volume: Option<f64>,
    /// Of the previous session; only with intraday charts.
    pub previous_close: Option<f64>,
    /// Of the session before the range that was asked for.
    pub chart_previous_close: Option<f64>,
    /// Of the current or latest session, whatever range was asked for.
    pub current_trading_period: Option<Parts>,
    pub trading_periods: Option<Periods>,
    /// The interval that was answered, which is not always the one that was asked for.
    pub data_granularity: Option<String>,
}

/// The parts of one session.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Parts {
    pub pre: Option<Period>,
    pub regular: Option<Period>,
    pub post: Option<Period>,
}

/// The sessions of a chart, in either of two shapes.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Periods {
    Regular(Vec<Vec<Period>>),
    Parts {
        #[serde(default)]
        pre: Vec<Vec<Period>>,
        #[serde(default)]
        regular: Vec<Vec<Period>>,
        #[serde(default)]
        post: Vec<Vec<Period>>,
    },
    /// A shape not seen yet.
    Other(IgnoredAny),
}

/// From `start` to `end`, in Unix seconds.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Period {
    pub start: Option<i64>,
    pub end: Option<i64>,
}

/// The figures of a chart.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Indicators {
    pub quote: Option<Vec<Columns>>,
}

/// Prices by column; a column may be missing, shorter than the times, or null in any cell.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Columns {
    pub open: Option<Vec<Option<f64>>>,
    pub high: Option<Vec<Option<f64>>>,
    pub low: Option<Vec<Option<f64>>>,
    pub close: Option<Vec<Option<f64>>>,
    pub volume: Option<Vec<Option<f64>>>,
}

/// What happened to a share, by its time as text.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Events {
    pub splits: Option<BTreeMap<String, WireSplit>>,
    pub dividends: Option<BTreeMap<String, WireDividend>>,
}

/// A dividend as sent: by the shares of today.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct WireDividend {
    /// Unix seconds of the first session without it.
    pub date: Option<i64>,
    pub amount: Option<f64>,
    /// Where it is not paid in the currency of the prices.
    pub currency: Option<String>,
}

/// A split as sent: 4 for 1 has the numerator 4.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub struct WireSplit {
    /// Unix seconds of the first session at the new price.
    pub date: Option<i64>,
    pub numerator: Option<f64>,
    pub denominator: Option<f64>,
}

/// The chart in an answer, or the error that came in its place.
pub fn chart(body: &[u8]) -> Result<Series, ProviderError> {
    let bad = || ProviderError::malformed("the yahoo chart is not the JSON it should be", body);
    let envelope: Envelope = serde_json::from_slice(body).map_err(|_| bad())?;
    let nothing = || ProviderError::malformed("the yahoo chart has no result", body);
    let answer = envelope.chart.or(envelope.finance).ok_or_else(nothing)?;
    match answer.error {
        Some(fault) => Err(fault.into_error()),
        None => answer.result.and_then(|series| series.into_iter().next()).ok_or_else(nothing),
    }
}

/// The source's own words for an error.
#[must_use]
pub fn explain(body: &[u8]) -> Option<String> {
    let envelope: Envelope = serde_json::from_slice(body).ok()?;
    Some(envelope.chart.or(envelope.finance)?.error?.words())
}

impl Fault {
    fn words(&self) -> String {
        let said = [&self.code, &self.description].into_iter().flatten().map(|text| clean(text));
        said.collect::<Vec<_>>().join(": ")
    }

    /// The error by its code.
    #[must_use]
    pub fn into_error(self) -> ProviderError {
        let message = format!("yahoo says {}", self.words());
        match self.code.as_deref() {
            Some("Not Found") => ProviderError::NotFound { message },
            Some("Unauthorized") => ProviderError::Unauthorized { message },
            Some("Bad Request" | "Unprocessable Entity") => ProviderError::Fatal { message },
            _ => ProviderError::Retryable { message, after: None },
        }
    }
}

impl Series {
    /// The exchange's zone. Greenwich where none is known: there the date of an opening is the same on most exchanges.
    #[must_use]
    pub fn zone(&self) -> Zone {
        let name = self.meta.as_ref().and_then(|meta| meta.exchange_timezone_name.as_deref());
        name.and_then(|name| name.parse().ok()).unwrap_or(Zone::UTC)
    }

    /// Whether it is a kind of thing that is ever split; what is not named may be.
    #[must_use]
    pub fn may_split(&self) -> bool {
        let kind = self.meta.as_ref().and_then(|meta| meta.instrument_type.as_deref());
        !matches!(kind, Some("CRYPTOCURRENCY" | "CURRENCY" | "INDEX" | "FUTURE" | "OPTION"))
    }
}

impl Period {
    /// Both ends, where there are both and the second is later: exchanges that never close send empty parts.
    #[must_use]
    pub fn bounds(self) -> Option<(i64, i64)> {
        self.start.zip(self.end).filter(|(start, end)| start < end)
    }
}
