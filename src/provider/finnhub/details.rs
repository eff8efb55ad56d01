//! What Finnhub says of companies and of market hours, in our words. It asks nothing.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::market::{Date, Fundamental, Period, Statement, TimeOfDay, clean};
use crate::provider::ability::{SaidDay, SaidStatus};
use crate::provider::contract::ProviderError;
use crate::provider::wire::{Text, said, words};

/// Our calendar of the exchange that is called `US` there.
const VENUE: &str = "XNYS";

/// "Market Status", <https://finnhub.io/docs/api>.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status<'a> {
    #[serde(borrow)]
    exchange: Option<Text<'a>>,
    /// `pre-market`, `regular` or `post-market`; null when it is closed.
    #[serde(borrow)]
    session: Option<Text<'a>>,
    #[serde(borrow)]
    holiday: Option<Text<'a>>,
    is_open: Option<bool>,
}

/// "Market Holiday", <https://finnhub.io/docs/api>.
#[derive(Deserialize)]
struct Holidays<'a> {
    #[serde(borrow)]
    data: Vec<Holiday<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Holiday<'a> {
    #[serde(borrow)]
    at_date: Option<Text<'a>>,
    /// Empty when it is closed, else as in `09:30-13:00`.
    #[serde(borrow)]
    trading_hour: Option<Text<'a>>,
}

/// "Company Profile 2", <https://finnhub.io/docs/api>: an unknown symbol has an empty one.
pub fn overview(body: &[u8], asked_on: Date) -> Result<Vec<Fundamental>, ProviderError> {
    let mut fields: Map<String, Value> =
        serde_json::from_slice(body).map_err(|_| ProviderError::malformed("the finnhub profile is not a list of fields", body))?;
    for value in fields.values_mut() {
        if let Value::String(text) = value {
            *text = clean(text).into_owned();
        }
    }
    let is_known = fields.values().any(|value| !value.is_null());
    let overview = Fundamental { statement: Statement::Overview, period: Period::Latest, fiscal_date: asked_on, fields };
    Ok(if is_known { vec![overview] } else { Vec::new() })
}

/// Whether the market of the United States is open.
pub fn status(body: &[u8]) -> Result<SaidStatus, ProviderError> {
    let bad = || ProviderError::malformed("the finnhub market status is not as it should be", body);
    let status: Status<'_> = serde_json::from_slice(body).map_err(|_| bad())?;
    let exchange = words(status.exchange.as_ref()).ok_or_else(bad)?;
    let session = words(status.session.as_ref());
    let open = match (session.as_deref(), status.is_open) {
        (Some(session), _) => session == "regular",
        (None, Some(open)) => open,
        (None, None) => return Err(bad()),
    };
    let otherwise = if open { "open" } else { "closed" };
    let state = session.or_else(|| words(status.holiday.as_ref())).unwrap_or_else(|| otherwise.to_owned());
    Ok(SaidStatus { venue: (exchange == "US").then_some(VENUE), market: exchange, state, open })
}

/// Holidays and early closes of the United States between two dates, both of them included; ordinary days are not told.
pub fn days(body: &[u8], from: Date, to: Date) -> Result<Vec<SaidDay>, ProviderError> {
    let holidays: Holidays<'_> =
        serde_json::from_slice(body).map_err(|_| ProviderError::malformed("the finnhub market holidays are not a list of days", body))?;
    let mut days: Vec<SaidDay> = holidays.data.iter().filter_map(day).filter(|day| from <= day.date && day.date <= to).collect();
    days.sort_by_key(|day| day.date);
    days.dedup_by_key(|day| day.date);
    Ok(days)
}

/// A day without a date, or with hours that are none, says nothing.
fn day(holiday: &Holiday<'_>) -> Option<SaidDay> {
    let date: Date = holiday.at_date.as_ref()?.as_str().parse().ok()?;
    let hours = match said(holiday.trading_hour.as_ref()) {
        Some(said) => Some(hours(said)?),
        None => None,
    };
    Some(SaidDay { venue: VENUE, date, hours })
}

fn hours(said: &str) -> Option<(TimeOfDay, TimeOfDay)> {
    let (open, close) = said.split_once('-')?;
    Some((open.trim().parse().ok()?, close.trim().parse().ok()?))
}
