//! What companies did and reported, as rows.

use rusqlite::types::Type;
use rusqlite::{Connection, Row, Transaction, params};

use crate::market::{InstrumentId, Source, Timestamp};
use crate::store::contract::{ActionRow, FundamentalRow};
use crate::store::reference::{ActionCells, fields_text, fundamental};

/// The newest word of a source stands.
pub(crate) fn write_actions(transaction: &Transaction<'_>, rows: &[ActionRow]) -> rusqlite::Result<()> {
    let mut upsert = transaction.prepare_cached(
        "INSERT INTO corporate_actions AS a (instrument_id, source, kind, ex_date, numerator, denominator, amount, currency) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) \
         ON CONFLICT (instrument_id, kind, ex_date, source) DO UPDATE SET numerator = excluded.numerator, \
         denominator = excluded.denominator, amount = excluded.amount, currency = excluded.currency \
         WHERE (a.numerator, a.denominator, a.amount, a.currency) \
         IS NOT (excluded.numerator, excluded.denominator, excluded.amount, excluded.currency)",
    )?;
    for row in rows {
        let ActionCells { numerator, denominator, amount, currency } = ActionCells::of(&row.action);
        let (kind, ex_date) = (row.action.kind.name(), row.action.ex_date.midnight().as_micros());
        upsert.execute(params![row.instrument.0, row.source.as_str(), kind, ex_date, numerator, denominator, amount, currency])?;
    }
    Ok(())
}

/// The newest word of a source stands: what was asked for earlier does not take its place.
pub(crate) fn write_fundamentals(transaction: &Transaction<'_>, rows: &[FundamentalRow]) -> rusqlite::Result<()> {
    let mut upsert = transaction.prepare_cached(
        "INSERT INTO fundamentals AS f (instrument_id, source, statement, period, fiscal_date, fields, asked_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) \
         ON CONFLICT (instrument_id, statement, period, fiscal_date, source) DO UPDATE SET fields = excluded.fields, asked_at = excluded.asked_at \
         WHERE f.asked_at <= excluded.asked_at AND (f.fields, f.asked_at) IS NOT (excluded.fields, excluded.asked_at)",
    )?;
    for row in rows {
        let report = &row.fundamental;
        let (statement, period, date) = (report.statement.name(), report.period.name(), report.fiscal_date.midnight().as_micros());
        let (fields, asked_at) = (fields_text(report), row.asked_at.as_micros());
        upsert.execute(params![row.instrument.0, row.source.as_str(), statement, period, date, fields, asked_at])?;
    }
    Ok(())
}

pub(crate) fn actions(connection: &Connection, instrument: InstrumentId) -> rusqlite::Result<Vec<ActionRow>> {
    let mut statement = connection.prepare_cached(
        "SELECT kind, ex_date, source, numerator, denominator, amount, currency FROM corporate_actions \
         WHERE instrument_id = ?1 ORDER BY ex_date, kind, source",
    )?;
    let rows = statement.query_map([instrument.0], |row| read_action(row, instrument))?;
    rows.filter_map(Result::transpose).collect()
}

fn read_action(row: &Row<'_>, instrument: InstrumentId) -> rusqlite::Result<Option<ActionRow>> {
    let (kind, ex_date) = (row.get_ref(0)?.as_str()?, Timestamp::from_micros(row.get(1)?));
    let source = Source::new(row.get_ref(2)?.as_str()?);
    let cells = ActionCells { numerator: row.get(3)?, denominator: row.get(4)?, amount: row.get(5)?, currency: row.get(6)? };
    Ok(cells.action(kind, ex_date).map(|action| ActionRow { instrument, source, action }))
}

pub(crate) fn fundamentals(connection: &Connection, instrument: InstrumentId) -> rusqlite::Result<Vec<FundamentalRow>> {
    let mut statement = connection.prepare_cached(
        "SELECT statement, period, fiscal_date, source, fields, asked_at FROM fundamentals \
         WHERE instrument_id = ?1 ORDER BY fiscal_date DESC, statement, period, source",
    )?;
    let rows = statement.query_map([instrument.0], |row| read_fundamental(row, instrument))?;
    rows.filter_map(Result::transpose).collect()
}

fn read_fundamental(row: &Row<'_>, instrument: InstrumentId) -> rusqlite::Result<Option<FundamentalRow>> {
    let (statement, period) = (row.get_ref(0)?.as_str()?, row.get_ref(1)?.as_str()?);
    let (fiscal_date, fields) = (Timestamp::from_micros(row.get(2)?), row.get_ref(4)?.as_str()?);
    let report = fundamental(statement, period, fiscal_date, fields)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(4, Type::Text, Box::new(error)))?;
    let (source, asked_at) = (Source::new(row.get_ref(3)?.as_str()?), Timestamp::from_micros(row.get(5)?));
    Ok(report.map(|fundamental| FundamentalRow { instrument, source, fundamental, asked_at }))
}
