//! What is said of the hours of the New York Stock Exchange.

use serde::Deserialize;

use crate::market::{Date, TimeOfDay, clean};
use crate::provider::ability::{SaidDay, SaidStatus};
use crate::provider::contract::ProviderError;
use crate::provider::fmp::wire::rows;
use crate::provider::wire::Text;

/// Its calendar of ours.
const VENUE: &str = "XNYS";

/// "Exchange Market Hours", <https://site.financialmodelingprep.com/developer/docs>.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Hours<'a> {
    #[serde(borrow)]
    exchange: Option<Text<'a>>,
    is_market_open: Option<bool>,
}

/// "Holidays By Exchange", <https://site.financialmodelingprep.com/developer/docs>. The times are the venue's own.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Holiday<'a> {
    #[serde(borrow)]
    date: Option<Text<'a>>,
    is_closed: Option<bool>,
    #[serde(borrow)]
    adj_open_time: Option<Text<'a>>,
    #[serde(borrow)]
    adj_close_time: Option<Text<'a>>,
}

/// Whether the exchange is open now.
pub fn status(body: &[u8]) -> Result<Vec<SaidStatus>, ProviderError> {
    let rows = rows::<Hours<'_>>(body, "fmp hours of NYSE")?;
    let said: Vec<_> = rows.iter().flatten().filter_map(said).collect();
    if said.is_empty() { Err(ProviderError::malformed("the fmp hours of NYSE do not say whether it is open", body)) } else { Ok(said) }
}

/// The days that are not as others are.
pub fn days(body: &[u8], from: Date, to: Date) -> Result<Vec<SaidDay>, ProviderError> {
    let rows = rows::<Holiday<'_>>(body, "fmp holidays of NYSE")?;
    let mut days: Vec<_> = rows.iter().flatten().filter_map(day).filter(|day| from <= day.date && day.date <= to).collect();
    days.sort_by_key(|day| day.date);
    days.dedup();
    Ok(days)
}

fn said(row: &Hours<'_>) -> Option<SaidStatus> {
    let open = row.is_market_open?;
    let market = row.exchange.as_ref().map_or("NYSE", Text::as_str);
    let venue = market.eq_ignore_ascii_case("NYSE").then_some(VENUE);
    Some(SaidStatus { venue, market: clean(market).into_owned(), state: if open { "open" } else { "closed" }.to_owned(), open })
}

/// A row that says neither that it is closed nor when it opens or closes says nothing.
fn day(row: &Holiday<'_>) -> Option<SaidDay> {
    let date = row.date.as_ref()?.as_str().get(..10)?.parse().ok()?;
    if row.is_closed == Some(true) {
        return Some(SaidDay { venue: VENUE, date, hours: None });
    }
    let (open, close) = (time(row.adj_open_time.as_ref()), time(row.adj_close_time.as_ref()));
    if open.is_none() && close.is_none() {
        return None;
    }
    let hours = (open.or_else(|| TimeOfDay::new(9, 30))?, close.or_else(|| TimeOfDay::new(16, 0))?);
    Some(SaidDay { venue: VENUE, date, hours: Some(hours) })
}

fn time(text: Option<&Text<'_>>) -> Option<TimeOfDay> {
    text?.as_str().get(..5)?.parse().ok()
}
