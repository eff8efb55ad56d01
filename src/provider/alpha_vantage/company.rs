//! Statements and master data of companies, with every member as the source names it.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::market::{Date, Fundamental, Period, Statement, clean};
use crate::provider::ability::CompanyQuery;
use crate::provider::alpha_vantage::wire::is_nothing;
use crate::provider::contract::ProviderError;

/// "API Documentation", <https://www.alphavantage.co/documentation/>. Who is not known has an empty object.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reports {
    #[serde(default)]
    annual_reports: Vec<Value>,
    #[serde(default)]
    quarterly_reports: Vec<Value>,
}

/// The statements of an answer, newest first.
pub fn statements(body: &[u8], query: &CompanyQuery) -> Result<Vec<Fundamental>, ProviderError> {
    let what = || format!("alpha-vantage {} of {}: there are no reports", query.statement, query.spelling);
    let reports: Reports = serde_json::from_slice(body).map_err(|_| ProviderError::malformed(what(), body))?;
    let (period, rows) = match query.period {
        Period::Quarter => (Period::Quarter, reports.quarterly_reports),
        Period::Annual | Period::Latest => (Period::Annual, reports.annual_reports),
    };
    let read = |row: Value| {
        let Value::Object(fields) = row else { return None };
        let fiscal_date = fields.get("fiscalDateEnding")?.as_str()?.parse().ok()?;
        Some(Fundamental { statement: query.statement, period, fiscal_date, fields: tidied(fields) })
    };
    let mut found: Vec<_> = rows.into_iter().filter_map(read).collect();
    found.sort_by_key(|report| std::cmp::Reverse(report.fiscal_date));
    found.truncate(query.limit);
    Ok(found)
}

/// The master data of a company, as they are today; none of funds, and at times none of companies that are known.
pub fn overview(body: &[u8], today: Date) -> Result<Vec<Fundamental>, ProviderError> {
    let fields: Map<String, Value> =
        serde_json::from_slice(body).map_err(|_| ProviderError::malformed("the alpha-vantage overview is no object", body))?;
    if fields.is_empty() {
        return Ok(Vec::new());
    }
    let (statement, period) = (Statement::Overview, Period::Latest);
    Ok(vec![Fundamental { statement, period, fiscal_date: today, fields: tidied(fields) }])
}

/// The function that a statement is asked for by.
pub(crate) fn function(statement: Statement) -> &'static str {
    match statement {
        Statement::Income => "INCOME_STATEMENT",
        Statement::BalanceSheet => "BALANCE_SHEET",
        Statement::CashFlow => "CASH_FLOW",
        Statement::Overview => "OVERVIEW",
    }
}

/// Words for what is not known become nothing, and texts are made safe to show.
fn tidied(fields: Map<String, Value>) -> Map<String, Value> {
    let value = |value: Value| match value {
        Value::String(text) if is_nothing(&text) => Value::Null,
        Value::String(text) => Value::String(clean(&text).into_owned()),
        other => other,
    };
    fields.into_iter().map(|(name, field)| (clean(&name).into_owned(), value(field))).collect()
}
