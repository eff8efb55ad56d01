//! What companies did and reported, as rows.

use deadpool_postgres::{Client, Transaction};
use futures_util::future::try_join_all;
use tokio_postgres::Row;

use crate::market::{InstrumentId, Source};
use crate::store::contract::{ActionRow, FundamentalRow};
use crate::store::postgres::failure::Failure;
use crate::store::postgres::types::{Json, Time, json_text, text};
use crate::store::reference::{ActionCells, fields_text, fundamental};

/// The newest word of a source stands.
pub(crate) async fn write_actions(transaction: &Transaction<'_>, rows: &[ActionRow]) -> Result<(), Failure> {
    if rows.is_empty() {
        return Ok(());
    }
    let upsert = transaction
        .prepare_cached(
            "INSERT INTO corporate_actions AS a (instrument_id, source, kind, ex_date, numerator, denominator, amount, currency) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
             ON CONFLICT (instrument_id, kind, ex_date, source) DO UPDATE SET numerator = excluded.numerator, \
             denominator = excluded.denominator, amount = excluded.amount, currency = excluded.currency \
             WHERE (a.numerator, a.denominator, a.amount, a.currency) \
             IS DISTINCT FROM (excluded.numerator, excluded.denominator, excluded.amount, excluded.currency)",
        )
        .await?;
    let write = async |row: &ActionRow| {
        let cells = ActionCells::of(&row.action);
        let (source, kind, ex_date) = (row.source.as_str(), row.action.kind.name(), Time(row.action.ex_date.midnight()));
        let (numerator, denominator, amount) = (cells.numerator, cells.denominator, cells.amount);
        let currency = cells.currency.as_deref().map(text);
        transaction.execute(&upsert, &[&row.instrument.0, &source, &kind, &ex_date, &numerator, &denominator, &amount, &currency]).await
    };
    try_join_all(rows.iter().map(write)).await?;
    Ok(())
}

/// The newest word of a source stands: what was asked for earlier does not take its place.
pub(crate) async fn write_fundamentals(transaction: &Transaction<'_>, rows: &[FundamentalRow]) -> Result<(), Failure> {
    if rows.is_empty() {
        return Ok(());
    }
    let upsert = transaction
        .prepare_cached(
            "INSERT INTO fundamentals AS f (instrument_id, source, statement, period, fiscal_date, fields, asked_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7) \
             ON CONFLICT (instrument_id, statement, period, fiscal_date, source) DO UPDATE SET fields = excluded.fields, asked_at = excluded.asked_at \
             WHERE f.asked_at <= excluded.asked_at AND (f.fields, f.asked_at) IS DISTINCT FROM (excluded.fields, excluded.asked_at)",
        )
        .await?;
    let write = async |row: &FundamentalRow| {
        let report = &row.fundamental;
        let (source, statement, period) = (row.source.as_str(), report.statement.name(), report.period.name());
        let (date, asked_at) = (Time(report.fiscal_date.midnight()), Time(row.asked_at));
        let fields = json_text(fields_text(report));
        transaction.execute(&upsert, &[&row.instrument.0, &source, &statement, &period, &date, &Json(&fields), &asked_at]).await
    };
    try_join_all(rows.iter().map(write)).await?;
    Ok(())
}

pub(crate) async fn actions(client: &Client, instrument: InstrumentId) -> Result<Vec<ActionRow>, Failure> {
    let statement = client
        .prepare_cached(
            "SELECT kind, ex_date, source, numerator, denominator, amount, currency FROM corporate_actions \
             WHERE instrument_id = $1 ORDER BY ex_date, kind, source",
        )
        .await?;
    let read = |row: &Row| read_action(row, instrument).transpose();
    client.query(&statement, &[&instrument.0]).await?.iter().filter_map(read).collect()
}

fn read_action(row: &Row, instrument: InstrumentId) -> Result<Option<ActionRow>, Failure> {
    let (kind, ex_date): (&str, Time) = (row.try_get(0)?, row.try_get(1)?);
    let source = Source::new(row.try_get(2)?);
    let cells =
        ActionCells { numerator: row.try_get(3)?, denominator: row.try_get(4)?, amount: row.try_get(5)?, currency: row.try_get(6)? };
    Ok(cells.action(kind, ex_date.0).map(|action| ActionRow { instrument, source, action }))
}

pub(crate) async fn fundamentals(client: &Client, instrument: InstrumentId) -> Result<Vec<FundamentalRow>, Failure> {
    let statement = client
        .prepare_cached(
            "SELECT statement, period, fiscal_date, source, fields::text, asked_at FROM fundamentals \
             WHERE instrument_id = $1 ORDER BY fiscal_date DESC, statement, period, source",
        )
        .await?;
    let read = |row: &Row| read_fundamental(row, instrument).transpose();
    client.query(&statement, &[&instrument.0]).await?.iter().filter_map(read).collect()
}

fn read_fundamental(row: &Row, instrument: InstrumentId) -> Result<Option<FundamentalRow>, Failure> {
    let (statement, period, fields): (&str, &str, &str) = (row.try_get(0)?, row.try_get(1)?, row.try_get(4)?);
    let (fiscal_date, asked_at): (Time, Time) = (row.try_get(2)?, row.try_get(5)?);
    let report = fundamental(statement, period, fiscal_date.0, fields).map_err(|error| Failure::Odd(error.to_string()))?;
    let source = Source::new(row.try_get(3)?);
    Ok(report.map(|fundamental| FundamentalRow { instrument, source, fundamental, asked_at: asked_at.0 }))
}
