//! What instruments are called, by us and by sources.

use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params};

use crate::market::{InstrumentId, Symbol, Timestamp};
use crate::store::contract::{ListedCount, NameRow};
use crate::store::listing::{Entry, Listings, OURS, Renamed, price_unit};

/// What was not said stays as it is; a row that would not change is not written.
const COMPLETE: &str = "UPDATE instruments SET name = coalesce(?2, name), figi = coalesce(?3, figi), active = ?4, asset_class = ?5 \
     WHERE symbol = ?1 AND listed_to IS NULL AND (name, figi, active, asset_class) IS NOT (coalesce(?2, name), coalesce(?3, figi), ?4, ?5)";

/// A spelling that so far meant another instrument.
const CLOSE: &str = "UPDATE instrument_names SET valid_to = max(valid_from, ?3) WHERE provider = ?1 AND symbol = ?2 AND valid_to IS NULL \
     AND instrument_id <> (SELECT id FROM instruments WHERE symbol = ?4 AND listed_to IS NULL)";

/// A spelling that means nothing now.
const OPEN: &str = "INSERT INTO instrument_names (instrument_id, provider, symbol, valid_from) \
     SELECT id, ?1, ?2, ?3 FROM instruments WHERE symbol = ?4 AND listed_to IS NULL \
     AND NOT EXISTS (SELECT 1 FROM instrument_names n WHERE n.provider = ?1 AND n.symbol = ?2 AND n.valid_to IS NULL) \
     ON CONFLICT (provider, symbol, valid_from) DO UPDATE SET instrument_id = excluded.instrument_id, valid_to = NULL";

/// Makes and completes instruments, and keeps how `provider` spells them.
pub(crate) fn list(connection: &mut Connection, provider: &str, listed: &Listings, at: Timestamp) -> rusqlite::Result<ListedCount> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut count = ListedCount::default();
    for entry in &listed.instruments {
        if insert(&transaction, entry)? {
            count.new += 1;
        } else {
            let mut complete = transaction.prepare_cached(COMPLETE)?;
            complete.execute(params![entry.symbol.as_str(), entry.name, entry.figi, entry.active, entry.asset_class.name()])?;
            count.known += 1;
        }
    }
    for (spelling, symbol) in &listed.names {
        let name = params![provider, spelling, at.as_micros(), symbol.as_str()];
        transaction.prepare_cached(CLOSE)?.execute(name)?;
        transaction.prepare_cached(OPEN)?.execute(name)?;
    }
    transaction.commit()?;
    Ok(count)
}

/// Says whether the instrument was new.
fn insert(transaction: &Transaction<'_>, entry: &Entry) -> rusqlite::Result<bool> {
    let mut insert = transaction.prepare_cached(
        "INSERT INTO instruments (symbol, venue, asset_class, currency, price_unit, precision, name, active, figi) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT DO NOTHING",
    )?;
    let made = insert.execute(params![
        entry.symbol.as_str(),
        entry.venue,
        entry.asset_class.name(),
        entry.currency,
        price_unit(&entry.currency),
        entry.precision,
        entry.name.as_deref().unwrap_or_default(),
        entry.active,
        entry.figi,
    ])?;
    Ok(made == 1)
}

/// Gives an instrument another symbol; what it was called is over on that day.
pub(crate) fn rename(connection: &mut Connection, old: &Symbol, new: &Symbol, on: Timestamp) -> rusqlite::Result<Renamed> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let Some(id) = id_of(&transaction, old)? else { return Ok(Renamed::Missing) };
    if old == new {
        return Ok(Renamed::Done);
    }
    if id_of(&transaction, new)?.is_some() {
        return Ok(Renamed::Taken);
    }
    transaction.execute("UPDATE instruments SET symbol = ?2 WHERE id = ?1", params![id, new.as_str()])?;
    // Otherwise a job that waits would make an instrument of the old symbol.
    let jobs = "UPDATE jobs SET symbol = ?2 WHERE symbol = ?1 AND state IN ('queued', 'running')";
    transaction.execute(jobs, [old.as_str(), new.as_str()])?;
    let again = "ON CONFLICT (provider, symbol, valid_from) DO UPDATE SET instrument_id = excluded.instrument_id, valid_to = NULL";
    // The first time, since when the old symbol was ours: another instrument may have had it before.
    let first = format!(
        "INSERT INTO instrument_names (instrument_id, provider, symbol, valid_from) \
         SELECT id, ?2, ?3, coalesce((SELECT max(n.valid_to) FROM instrument_names n WHERE n.provider = ?2 AND n.symbol = ?3), listed_from, 0) \
         FROM instruments WHERE id = ?1 \
         AND NOT EXISTS (SELECT 1 FROM instrument_names n WHERE n.instrument_id = ?1 AND n.provider = ?2 AND n.valid_to IS NULL) {again}"
    );
    transaction.execute(&first, params![id, OURS, old.as_str()])?;
    let over = "UPDATE instrument_names SET valid_to = max(valid_from, ?2) WHERE instrument_id = ?1 AND valid_to IS NULL";
    transaction.execute(over, params![id, on.as_micros()])?;
    let now = format!("INSERT INTO instrument_names (instrument_id, provider, symbol, valid_from) VALUES (?1, ?2, ?3, ?4) {again}");
    transaction.execute(&now, params![id, OURS, new.as_str(), on.as_micros()])?;
    transaction.commit()?;
    Ok(Renamed::Done)
}

fn id_of(transaction: &Transaction<'_>, symbol: &Symbol) -> rusqlite::Result<Option<i64>> {
    let sql = "SELECT id FROM instruments WHERE symbol = ?1 AND listed_to IS NULL";
    transaction.query_row(sql, [symbol.as_str()], |row| row.get(0)).optional()
}

pub(crate) fn names(connection: &Connection, instrument: InstrumentId) -> rusqlite::Result<Vec<NameRow>> {
    let mut statement = connection.prepare_cached(
        "SELECT provider, symbol, valid_from, valid_to FROM instrument_names WHERE instrument_id = ?1 ORDER BY provider, valid_from, symbol",
    )?;
    let read = |row: &Row<'_>| {
        Ok(NameRow {
            provider: row.get(0)?,
            symbol: row.get(1)?,
            valid_from: Timestamp::from_micros(row.get(2)?),
            valid_to: row.get::<_, Option<i64>>(3)?.map(Timestamp::from_micros),
        })
    };
    statement.query_map([instrument.0], read)?.collect()
}
