//! Splits and dividends: rows of `SPLITS` and `DIVIDENDS`, and what adjusted days say of them.

use crate::market::{ActionKind, CorporateAction, Date};
use crate::provider::alpha_vantage::series::Row;
use crate::provider::alpha_vantage::wire::{Cells, rows};
use crate::provider::contract::ProviderError;
use crate::provider::wire::positive;

/// Splits since a date, oldest first: "API Documentation", <https://www.alphavantage.co/documentation/>.
pub fn splits(body: &[u8], since: Date) -> Result<Vec<CorporateAction>, ProviderError> {
    actions(body, "alpha-vantage splits", "effective_date", since, |row| {
        let (numerator, denominator) = ratio(row.text("split_factor")?)?;
        Some(ActionKind::Split { numerator, denominator })
    })
}

/// Dividends since a date, oldest first; in which currency is not said.
pub fn dividends(body: &[u8], since: Date) -> Result<Vec<CorporateAction>, ProviderError> {
    actions(body, "alpha-vantage dividends", "ex_dividend_date", since, |row| {
        Some(ActionKind::Dividend { amount: row.positive("amount")?, currency: None })
    })
}

/// What happened on the days of a series, oldest first: "API Documentation", `TIME_SERIES_DAILY_ADJUSTED`,
/// <https://www.alphavantage.co/documentation/>.
pub(crate) fn of_days(rows: &[Row]) -> Vec<CorporateAction> {
    let mut actions: Vec<_> = rows.iter().flat_map(of_day).collect();
    actions.sort_by_key(|action| action.ex_date);
    actions
}

/// The split and the dividend of a day: it is the first one at the new price.
fn of_day(row: &Row) -> Vec<CorporateAction> {
    let Some(ex_date) = row.label.get(..10).and_then(|date| date.parse().ok()) else { return Vec::new() };
    let split = row.split.filter(|coefficient| (*coefficient - 1.0).abs() > f64::EPSILON);
    let split = split.map(|numerator| ActionKind::Split { numerator, denominator: 1.0 });
    let dividend = row.dividend.map(|amount| ActionKind::Dividend { amount, currency: None });
    split.into_iter().chain(dividend).map(|kind| CorporateAction { ex_date, kind }).collect()
}

fn actions(
    body: &[u8],
    what: &str,
    day: &str,
    since: Date,
    kind: impl Fn(&Cells<'_>) -> Option<ActionKind>,
) -> Result<Vec<CorporateAction>, ProviderError> {
    let rows = rows(body, "data", what)?;
    let read = |row: &Cells<'_>| Some(CorporateAction { ex_date: row.text(day)?.parse().ok()?, kind: kind(row)? });
    let mut actions: Vec<_> = rows.iter().filter_map(read).filter(|action| action.ex_date >= since).collect();
    actions.sort_by_key(|action| action.ex_date);
    actions.dedup();
    Ok(actions)
}

/// `4.0000`: how many new shares one old one becomes; or both numbers, with a colon between.
fn ratio(text: &str) -> Option<(f64, f64)> {
    let (new, old) = text.split_once(':').unwrap_or((text, "1"));
    let number = |text: &str| positive(text.trim().parse::<f64>().ok());
    Some((number(new)?, number(old)?))
}
