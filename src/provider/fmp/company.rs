//! Statements and profiles of companies, with every member as the source names it: a 0 may stand for what was not reported.

use serde_json::{Map, Value};

use crate::market::{Date, Fundamental, Period, Statement, clean};
use crate::provider::ability::CompanyQuery;
use crate::provider::contract::ProviderError;
use crate::provider::fmp::wire::rows;

/// The statements of an answer, newest first. Where the period is not understood, years are sent for quarters: these are left out.
pub fn statements(body: &[u8], query: &CompanyQuery) -> Result<Vec<Fundamental>, ProviderError> {
    let rows = rows::<Map<String, Value>>(body, &format!("fmp {} of {}", query.statement, query.spelling))?;
    let mut found: Vec<_> = rows.into_iter().flatten().filter_map(|row| statement(row, query)).collect();
    found.sort_by_key(|report| std::cmp::Reverse(report.fiscal_date));
    found.truncate(query.limit);
    Ok(found)
}

/// The profile of a company, as it is today.
pub fn overview(body: &[u8], today: Date) -> Result<Vec<Fundamental>, ProviderError> {
    let rows = rows::<Map<String, Value>>(body, "fmp profile")?;
    let (statement, period, fiscal_date) = (Statement::Overview, Period::Latest, today);
    let report = |fields| Fundamental { statement, period, fiscal_date, fields: safe(fields) };
    Ok(rows.into_iter().flatten().take(1).map(report).collect())
}

/// How a statement is asked for, and how its period.
pub(crate) fn endpoint(statement: Statement) -> &'static str {
    match statement {
        Statement::Income => "income-statement",
        Statement::BalanceSheet => "balance-sheet-statement",
        Statement::CashFlow => "cash-flow-statement",
        Statement::Overview => "profile",
    }
}

/// How a period is asked for.
pub(crate) fn period(period: Period) -> &'static str {
    match period {
        Period::Annual | Period::Latest => "annual",
        Period::Quarter => "quarter",
    }
}

fn statement(fields: Map<String, Value>, query: &CompanyQuery) -> Option<Fundamental> {
    let asked = if query.period == Period::Quarter { Period::Quarter } else { Period::Annual };
    let period = match fields.get("period").and_then(Value::as_str) {
        Some("FY") => Period::Annual,
        Some("Q1" | "Q2" | "Q3" | "Q4") => Period::Quarter,
        Some(_) | None => asked,
    };
    let fiscal_date = fields.get("date").and_then(Value::as_str)?.get(..10)?.parse().ok()?;
    (period == asked).then(|| Fundamental { statement: query.statement, period, fiscal_date, fields: safe(fields) })
}

/// Texts are made safe to show.
fn safe(fields: Map<String, Value>) -> Map<String, Value> {
    let made_safe = |value: Value| match value {
        Value::String(text) => Value::String(clean(&text).into_owned()),
        other => other,
    };
    fields.into_iter().map(|(name, value)| (clean(&name).into_owned(), made_safe(value))).collect()
}
