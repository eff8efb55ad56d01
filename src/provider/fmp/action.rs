//! Rows of `splits` and `dividends`.

use serde::Deserialize;

use crate::market::{ActionKind, CorporateAction, Date};
use crate::provider::contract::ProviderError;
use crate::provider::fmp::wire::rows;
use crate::provider::wire::{Figure, Text, positive};

/// "Stock Splits" and "Dividends Company", <https://site.financialmodelingprep.com/developer/docs>. The dividend is as declared, not
/// as later splits would have it.
#[derive(Deserialize)]
struct Row<'a> {
    /// The first day at the new price.
    #[serde(borrow)]
    date: Option<Text<'a>>,
    #[serde(borrow)]
    numerator: Option<Figure<'a>>,
    #[serde(borrow)]
    denominator: Option<Figure<'a>>,
    #[serde(borrow)]
    dividend: Option<Figure<'a>>,
}

/// Splits since a date, oldest first.
pub fn splits(body: &[u8], since: Date) -> Result<Vec<CorporateAction>, ProviderError> {
    actions(body, "fmp splits", since, |row| {
        Some(ActionKind::Split { numerator: positive(row.numerator)?, denominator: positive(row.denominator)? })
    })
}

/// Dividends since a date, oldest first; in which currency is not said.
pub fn dividends(body: &[u8], since: Date) -> Result<Vec<CorporateAction>, ProviderError> {
    actions(body, "fmp dividends", since, |row| Some(ActionKind::Dividend { amount: positive(row.dividend)?, currency: None }))
}

/// The dates of all splits, those whose ratio makes no sense too.
pub(crate) fn split_dates(body: &[u8]) -> Result<Vec<Date>, ProviderError> {
    Ok(rows::<Row<'_>>(body, "fmp splits")?.iter().flatten().filter_map(date).collect())
}

fn actions(
    body: &[u8],
    what: &str,
    since: Date,
    kind: impl Fn(&Row<'_>) -> Option<ActionKind>,
) -> Result<Vec<CorporateAction>, ProviderError> {
    let rows = rows::<Row<'_>>(body, what)?;
    let read = |row: &Row<'_>| Some(CorporateAction { ex_date: date(row)?, kind: kind(row)? });
    let mut actions: Vec<_> = rows.iter().flatten().filter_map(read).filter(|action| action.ex_date >= since).collect();
    actions.sort_by_key(|action| action.ex_date);
    actions.dedup();
    Ok(actions)
}

fn date(row: &Row<'_>) -> Option<Date> {
    row.date.as_ref()?.as_str().get(..10)?.parse().ok()
}
