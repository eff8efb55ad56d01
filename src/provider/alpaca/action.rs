//! Splits and dividends.

use futures_util::future::BoxFuture;
use serde::Deserialize;

use crate::market::{ActionKind, CorporateAction, Date};
use crate::provider::ability::Actions;
use crate::provider::alpaca::rest::{Alpaca, PARTS, endless};
use crate::provider::contract::ProviderError;
use crate::provider::wire::{Text, positive, said};

/// What is asked for.
const TYPES: &str = "forward_split,reverse_split,cash_dividend";

/// Rows of one answer: the most that are given.
const ROWS: u32 = 1_000;

/// How far ahead actions are announced.
const AHEAD: i64 = 90;

/// "Corporate actions", <https://docs.alpaca.markets>: a list of each type that was found.
#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    corporate_actions: Option<Lists<'a>>,
    next_page_token: Option<String>,
}

#[derive(Deserialize)]
struct Lists<'a> {
    #[serde(borrow)]
    forward_splits: Option<Vec<Row<'a>>>,
    #[serde(borrow)]
    reverse_splits: Option<Vec<Row<'a>>>,
    #[serde(borrow)]
    cash_dividends: Option<Vec<Row<'a>>>,
}

#[derive(Deserialize)]
struct Row<'a> {
    #[serde(borrow)]
    symbol: Option<Text<'a>>,
    #[serde(borrow)]
    ex_date: Option<Text<'a>>,
    /// So many shares after a split, for `old_rate` before it.
    new_rate: Option<f64>,
    old_rate: Option<f64>,
    /// Cash for each share.
    rate: Option<f64>,
}

/// The actions of one answer in the order of their types, and where the list goes on.
pub fn actions(body: &[u8], spelling: &str, since: Date) -> Result<(Vec<CorporateAction>, Option<String>), ProviderError> {
    let bad = || ProviderError::malformed("alpaca corporate actions are not as they should be", body);
    let told: Body<'_> = serde_json::from_slice(body).map_err(|_| bad())?;
    let lists = told.corporate_actions.ok_or_else(bad)?;
    let splits = lists.forward_splits.iter().chain(&lists.reverse_splits).flatten().map(|row| (row, split(row)));
    let dividends = lists.cash_dividends.iter().flatten().map(|row| (row, dividend(row)));
    let ours = |row: &Row<'_>| said(row.symbol.as_ref()).is_none_or(|symbol| symbol == spelling);
    let action = |(row, kind): (&Row<'_>, Option<ActionKind>)| {
        let ex_date = said(row.ex_date.as_ref())?.parse().ok()?;
        Some(CorporateAction { ex_date, kind: kind? }).filter(|action| ours(row) && action.ex_date >= since)
    };
    Ok((splits.chain(dividends).filter_map(action).collect(), told.next_page_token.filter(|token| !token.is_empty())))
}

fn split(row: &Row<'_>) -> Option<ActionKind> {
    let (numerator, denominator) = (positive(row.new_rate)?, positive(row.old_rate)?);
    Some(ActionKind::Split { numerator, denominator })
}

/// The currency is not told.
fn dividend(row: &Row<'_>) -> Option<ActionKind> {
    Some(ActionKind::Dividend { amount: positive(row.rate)?, currency: None })
}

impl Alpaca {
    async fn actions_of(&self, spelling: &str, since: Date) -> Result<Vec<CorporateAction>, ProviderError> {
        let last = self.now().date().plus_days(AHEAD);
        let query = vec![
            ("symbols", spelling.to_owned()),
            ("types", TYPES.to_owned()),
            ("start", since.to_string()),
            ("end", last.to_string()),
            ("limit", ROWS.to_string()),
            ("sort", "asc".to_owned()),
        ];
        let what = format!("alpaca splits and dividends of {spelling}");
        let (mut found, mut next) = (Vec::new(), None);
        for _ in 0..PARTS {
            let body = self.ask_part("/v1/corporate-actions", &query, next, &what).await?;
            let (part, further) = actions(&body, spelling, since)?;
            found.extend(part);
            if further.is_none() {
                found.sort_by_key(|action: &CorporateAction| action.ex_date);
                return Ok(found);
            }
            next = further;
        }
        Err(endless(&what))
    }
}

impl Actions for Alpaca {
    fn actions<'a>(&'a self, spelling: &'a str, since: Date) -> BoxFuture<'a, Result<Vec<CorporateAction>, ProviderError>> {
        Box::pin(self.actions_of(spelling, since))
    }
}
