//! Master data, splits and dividends of Massive.

use futures_util::future::BoxFuture;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::market::{ActionKind, CorporateAction, Date, Fundamental, Period, Statement, Zone};
use crate::provider::ability::{Actions, Company, CompanyQuery};
use crate::provider::contract::{Provider, ProviderError};
use crate::provider::polygon::body::{List, cleaned, next, parse};
use crate::provider::polygon::raw::{Raw, text};
use crate::provider::polygon::rest::{Polygon, encoded};
use crate::provider::polygon::spell::Cluster;
use crate::provider::wire::positive;

/// Rows of one answer.
const ROWS: &str = "1000";

/// "Ticker overview", <https://massive.com/docs/rest/stocks/tickers/ticker-overview>.
#[derive(Deserialize)]
struct Overview {
    results: Option<Map<String, Value>>,
}

/// "Splits", <https://massive.com/docs/rest/stocks/corporate-actions/splits>: neither side is always whole.
#[derive(Deserialize)]
struct Split<'a> {
    #[serde(borrow)]
    execution_date: Raw<'a>,
    #[serde(borrow)]
    split_from: Raw<'a>,
    #[serde(borrow)]
    split_to: Raw<'a>,
}

/// "Dividends", <https://massive.com/docs/rest/stocks/corporate-actions/dividends>: the amount is that of the day it was told.
#[derive(Deserialize)]
struct Dividend<'a> {
    #[serde(borrow)]
    ex_dividend_date: Raw<'a>,
    #[serde(borrow)]
    cash_amount: Raw<'a>,
    #[serde(borrow)]
    currency: Raw<'a>,
}

/// A part of a list of actions, and where it goes on.
type Part = (Vec<CorporateAction>, Option<String>);

impl Company for Polygon {
    fn statements(&self) -> &'static [Statement] {
        &[Statement::Overview]
    }

    fn fundamentals<'a>(&'a self, query: &'a CompanyQuery) -> BoxFuture<'a, Result<Vec<Fundamental>, ProviderError>> {
        Box::pin(async move {
            if query.statement != Statement::Overview {
                return Ok(Vec::new());
            }
            let path = format!("/v3/reference/tickers/{}", encoded(&query.spelling));
            let body = self.ask(&path, Vec::new(), format!("massive overview of {}", query.spelling)).await?;
            let (today, _) = self.net().clock.now().in_zone(Zone::NEW_YORK);
            Ok(overview(&body, today)?.into_iter().collect())
        })
    }
}

impl Actions for Polygon {
    fn actions<'a>(&'a self, spelling: &'a str, since: Date) -> BoxFuture<'a, Result<Vec<CorporateAction>, ProviderError>> {
        Box::pin(async move {
            if Cluster::of(spelling) != Cluster::Stocks {
                return Ok(Vec::new());
            }
            let ask = |by: &'static str, sort: &str| {
                vec![("ticker", spelling.to_owned()), (by, since.to_string()), ("sort", sort.to_owned()), ("limit", ROWS.to_owned())]
            };
            let query = ask("execution_date.gte", "execution_date.asc");
            let what = format!("massive splits of {spelling}");
            let mut found = self.list("/stocks/v1/splits", query, &what, splits).await?;
            let query = ask("ex_dividend_date.gte", "ex_dividend_date.asc");
            let what = format!("massive dividends of {spelling}");
            found.extend(self.list("/stocks/v1/dividends", query, &what, dividends).await?);
            found.retain(|action| since <= action.ex_date);
            found.sort_by_key(|action| action.ex_date);
            Ok(found)
        })
    }
}

impl Polygon {
    async fn list(
        &self,
        path: &str,
        query: Vec<(&'static str, String)>,
        what: &str,
        read: fn(&[u8]) -> Result<Part, ProviderError>,
    ) -> Result<Vec<CorporateAction>, ProviderError> {
        let mut all = Vec::new();
        let first = self.ask(path, query, what.to_owned()).await?;
        let take = |body: &[u8]| -> Result<Option<String>, ProviderError> {
            let (part, next) = read(body)?;
            all.extend(part);
            Ok(next)
        };
        self.follow(first, what, take).await?;
        Ok(all)
    }
}

/// What is known of a ticker today, with every member as it is named there.
pub fn overview(body: &[u8], today: Date) -> Result<Option<Fundamental>, ProviderError> {
    let body: Overview = parse(body, "massive overviews")?;
    let of = |fields| Fundamental { statement: Statement::Overview, period: Period::Latest, fiscal_date: today, fields };
    Ok(body.results.filter(|fields| !fields.is_empty()).map(of))
}

/// Splits of one answer; a stock dividend is one too.
pub fn splits(body: &[u8]) -> Result<Part, ProviderError> {
    let body: List<'_> = parse(body, "massive splits")?;
    let rows = body.results.unwrap_or_default();
    let read = |row: &&RawValue| {
        let row: Split<'_> = serde_json::from_str(row.get()).ok()?;
        let (numerator, denominator) = (positive(row.split_to)?, positive(row.split_from)?);
        Some(CorporateAction { ex_date: date(row.execution_date)?, kind: ActionKind::Split { numerator, denominator } })
    };
    Ok((rows.iter().filter_map(read).collect(), next(body.next_url)))
}

/// Dividends of one answer.
pub fn dividends(body: &[u8]) -> Result<Part, ProviderError> {
    let body: List<'_> = parse(body, "massive dividends")?;
    let rows = body.results.unwrap_or_default();
    let read = |row: &&RawValue| {
        let row: Dividend<'_> = serde_json::from_str(row.get()).ok()?;
        let kind = ActionKind::Dividend { amount: positive(row.cash_amount)?, currency: cleaned(row.currency) };
        Some(CorporateAction { ex_date: date(row.ex_dividend_date)?, kind })
    };
    Ok((rows.iter().filter_map(read).collect(), next(body.next_url)))
}

fn date(raw: Raw<'_>) -> Option<Date> {
    text(raw)?.parse().ok()
}
