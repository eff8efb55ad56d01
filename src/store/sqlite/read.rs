//! Questions to the store.

use rusqlite::{Connection, Row, params};

use crate::market::{Bar, Instrument, InstrumentId, Interval, Source, Symbol, Timestamp};
use crate::quality::{Coverage, CoverageState, Quarantined, Severity, Violation};
use crate::snapshot::JobState;
use crate::store::contract::{BarQuery, JobQuery, JobRecord, RecordQuery, StoreStatus, SymbolStatus, ViolationRow};
use crate::store::listing::price_unit;
use crate::store::sqlite::bar::{COLUMNS, Reader, parsed};
use crate::store::sqlite::open::schema;
use crate::store::table::KEPT;

/// The one list that the monitor shows.
const LIST: &str = "main";
const INSTRUMENT: &str = "i.id, i.symbol, i.venue, i.asset_class, i.currency, i.precision, i.name, i.active";

/// Hands bars to `take` in chunks of `size`, until it says that nobody listens.
pub(crate) fn bars(connection: &Connection, query: &BarQuery, size: usize, take: &mut dyn FnMut(Vec<Bar>) -> bool) -> rusqlite::Result<()> {
    let key = "instrument_id = ?1 AND interval_s = ?2 AND open_time >= ?3 AND open_time < ?4 AND quality >= ?5";
    let sql = match query.newest {
        None => format!("SELECT {COLUMNS} FROM bars WHERE {key} ORDER BY open_time"),
        Some(n) => {
            format!("SELECT * FROM (SELECT {COLUMNS} FROM bars WHERE {key} ORDER BY open_time DESC LIMIT {n}) ORDER BY open_time")
        }
    };
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params![
        query.instrument.0,
        query.interval.seconds(),
        query.from.as_micros(),
        query.to.as_micros(),
        query.min_quality
    ])?;
    let mut reader = Reader::default();
    let mut chunk = Vec::with_capacity(size);
    while let Some(row) = rows.next()? {
        chunk.push(reader.read(row)?);
        if chunk.len() == size && !take(std::mem::replace(&mut chunk, Vec::with_capacity(size))) {
            return Ok(());
        }
    }
    if !chunk.is_empty() {
        take(chunk);
    }
    Ok(())
}

/// The instrument of a symbol, made when it is new.
pub(crate) fn instrument(connection: &Connection, symbol: &Symbol) -> rusqlite::Result<Instrument> {
    let new = Instrument::listed(InstrumentId(0), symbol.clone());
    connection.execute(
        "INSERT INTO instruments (symbol, venue, asset_class, currency, price_unit, precision) VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING",
        params![symbol.as_str(), &*new.venue, new.asset_class.name(), &*new.currency, price_unit(&new.currency), new.precision],
    )?;
    let sql = format!("SELECT {INSTRUMENT} FROM instruments i WHERE symbol = ?1 AND listed_to IS NULL");
    connection.query_row(&sql, [symbol.as_str()], read_instrument)
}

pub(crate) fn instruments(connection: &Connection) -> rusqlite::Result<Vec<Instrument>> {
    let sql = format!("SELECT {INSTRUMENT} FROM instruments i ORDER BY symbol");
    connection.prepare_cached(&sql)?.query_map([], read_instrument)?.collect()
}

pub(crate) fn watchlist(connection: &Connection) -> rusqlite::Result<Option<Vec<Instrument>>> {
    // A list that was emptied is not one that was never kept. In an older store whoever left it is inactive, and no source
    // that lists instruments made it so.
    let sql = "SELECT 1 FROM watchlist UNION ALL SELECT 1 FROM about WHERE key = ?1 \
               UNION ALL SELECT 1 FROM instruments i WHERE active = 0 AND id NOT IN (SELECT instrument_id FROM instrument_names) LIMIT 1";
    let kept = connection.prepare_cached(sql)?.exists([KEPT])?;
    let sql =
        format!("SELECT {INSTRUMENT} FROM watchlist w JOIN instruments i ON i.id = w.instrument_id WHERE list = ?1 ORDER BY position");
    let list = connection.prepare_cached(&sql)?.query_map([LIST], read_instrument)?.collect::<rusqlite::Result<_>>()?;
    Ok(kept.then_some(list))
}

pub(crate) fn set_watchlist(connection: &mut Connection, ids: &[InstrumentId]) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    transaction.execute("UPDATE instruments SET active = 0 WHERE id IN (SELECT instrument_id FROM watchlist WHERE list = ?1)", [LIST])?;
    transaction.execute("DELETE FROM watchlist WHERE list = ?1", [LIST])?;
    for (position, id) in ids.iter().enumerate() {
        let position = i64::try_from(position).unwrap_or(i64::MAX);
        transaction.execute("INSERT INTO watchlist (list, position, instrument_id) VALUES (?1, ?2, ?3)", params![LIST, position, id.0])?;
        transaction.execute("UPDATE instruments SET active = 1 WHERE id = ?1", [id.0])?;
    }
    transaction.execute("INSERT INTO about (key, value) VALUES (?1, ?2) ON CONFLICT DO NOTHING", [KEPT, LIST])?;
    transaction.commit()
}

fn read_instrument(row: &Row<'_>) -> rusqlite::Result<Instrument> {
    Ok(Instrument {
        id: InstrumentId(row.get(0)?),
        symbol: parsed(row, 1)?,
        venue: row.get::<_, String>(2)?.into(),
        asset_class: parsed(row, 3)?,
        currency: row.get::<_, String>(4)?.into(),
        precision: row.get(5)?,
        name: row.get::<_, String>(6)?.into(),
        active: row.get(7)?,
    })
}

pub(crate) fn coverage(connection: &Connection, query: &BarQuery) -> rusqlite::Result<Vec<Coverage>> {
    let mut statement = connection.prepare_cached(
        "SELECT source, from_time, to_time, state, asked_at FROM coverage \
         WHERE instrument_id = ?1 AND interval_s = ?2 AND from_time < ?4 AND to_time > ?3 ORDER BY from_time",
    )?;
    let key = params![query.instrument.0, query.interval.seconds(), query.from.as_micros(), query.to.as_micros()];
    let rows = statement.query_map(key, |row| {
        let state: String = row.get(3)?;
        Ok(Coverage {
            instrument: query.instrument,
            interval: query.interval,
            source: Source::new(row.get_ref(0)?.as_str()?),
            from: Timestamp::from_micros(row.get(1)?),
            to: Timestamp::from_micros(row.get(2)?),
            state: CoverageState::ALL.into_iter().find(|s| s.name() == state).unwrap_or(CoverageState::Failed),
            asked_at: Timestamp::from_micros(row.get(4)?),
        })
    })?;
    rows.collect()
}

pub(crate) fn violations(connection: &Connection, query: &RecordQuery) -> rusqlite::Result<Vec<ViolationRow>> {
    let mut statement = connection.prepare_cached(
        "SELECT time, instrument_id, interval_s, open_time, source, rule, severity, message, acknowledged FROM violations \
         WHERE time >= ?1 AND time < ?2 ORDER BY time, id",
    )?;
    let rows = statement.query_map(range(query), |row| {
        let severity: String = row.get(6)?;
        Ok(ViolationRow {
            violation: Violation {
                time: Timestamp::from_micros(row.get(0)?),
                instrument: InstrumentId(row.get(1)?),
                interval: interval(row, 2)?,
                open_time: Timestamp::from_micros(row.get(3)?),
                source: Source::new(row.get_ref(4)?.as_str()?),
                rule: row.get(5)?,
                severity: Severity::ALL.into_iter().find(|s| s.name() == severity).unwrap_or(Severity::Warning),
                message: row.get(7)?,
            },
            acknowledged: row.get(8)?,
        })
    })?;
    rows.filter(|row| row.as_ref().map_or(true, |row| wanted(query, row.violation.instrument))).collect()
}

pub(crate) fn quarantine(connection: &Connection, query: &RecordQuery) -> rusqlite::Result<Vec<Quarantined>> {
    let mut statement = connection.prepare_cached(
        "SELECT received_at, source, instrument_id, interval_s, open_time, reasons, payload FROM quarantine \
         WHERE received_at >= ?1 AND received_at < ?2 ORDER BY received_at, id",
    )?;
    let rows = statement.query_map(range(query), |row| {
        let reasons: String = row.get(5)?;
        Ok(Quarantined {
            received_at: Timestamp::from_micros(row.get(0)?),
            source: Source::new(row.get_ref(1)?.as_str()?),
            instrument: InstrumentId(row.get(2)?),
            interval: row.get::<_, Option<u32>>(3)?.and_then(Interval::from_seconds),
            open_time: row.get::<_, Option<i64>>(4)?.map(Timestamp::from_micros),
            reasons: reasons.split('|').map(str::to_owned).collect(),
            payload: row.get(6)?,
        })
    })?;
    rows.filter(|row| row.as_ref().map_or(true, |row| wanted(query, row.instrument))).collect()
}

fn range(query: &RecordQuery) -> [i64; 2] {
    [query.from.unwrap_or(Timestamp::MIN).as_micros(), query.to.unwrap_or(Timestamp::MAX).as_micros()]
}

fn wanted(query: &RecordQuery, instrument: InstrumentId) -> bool {
    query.instruments.is_empty() || query.instruments.contains(&instrument)
}

pub(crate) fn jobs(connection: &Connection, which: JobQuery) -> rusqlite::Result<Vec<JobRecord>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, kind, symbol, interval_s, from_time, to_time, source, state, done, total, rows, attempts, error, created_at, updated_at FROM jobs \
         WHERE ?1 OR state IN ('queued', 'running') ORDER BY id",
    )?;
    let count = |row: &Row<'_>, column| row.get::<_, i64>(column).map(|n| u64::try_from(n).unwrap_or(0));
    let rows = statement.query_map([which == JobQuery::All], |row| {
        let state: String = row.get(7)?;
        Ok(JobRecord {
            id: row.get(0)?,
            kind: row.get(1)?,
            symbol: row.get::<_, Option<String>>(2)?.and_then(|symbol| symbol.parse().ok()),
            interval: row.get::<_, Option<u32>>(3)?.and_then(Interval::from_seconds),
            from: row.get::<_, Option<i64>>(4)?.map(Timestamp::from_micros),
            to: row.get::<_, Option<i64>>(5)?.map(Timestamp::from_micros),
            source: row.get(6)?,
            state: JobState::ALL.into_iter().find(|s| s.name() == state).unwrap_or(JobState::Failed),
            done: count(row, 8)?,
            total: count(row, 9)?,
            rows: count(row, 10)?,
            attempts: row.get(11)?,
            error: row.get(12)?,
            created_at: Timestamp::from_micros(row.get(13)?),
            updated_at: Timestamp::from_micros(row.get(14)?),
        })
    })?;
    rows.collect()
}

pub(crate) fn status(connection: &Connection) -> rusqlite::Result<StoreStatus> {
    let count = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).map(|n| u64::try_from(n).unwrap_or(0));
    let mut statement = connection.prepare_cached(
        "SELECT i.symbol, b.interval_s, count(*), min(b.open_time), max(b.open_time), avg(b.quality >= 0.85) \
         FROM bars b JOIN instruments i ON i.id = b.instrument_id GROUP BY b.instrument_id, b.interval_s ORDER BY i.symbol, b.interval_s",
    )?;
    let symbols = statement.query_map([], |row| {
        Ok(SymbolStatus {
            symbol: parsed(row, 0)?,
            interval: interval(row, 1)?,
            bars: row.get::<_, i64>(2).map(|n| u64::try_from(n).unwrap_or(0))?,
            first: Timestamp::from_micros(row.get(3)?),
            last: Timestamp::from_micros(row.get(4)?),
            validated: row.get(5)?,
        })
    })?;
    Ok(StoreStatus {
        schema: schema(connection)?.unwrap_or(0),
        size: size(connection)?,
        bars: count("SELECT count(*) FROM bars")?,
        quarantined: count("SELECT count(*) FROM quarantine")?,
        violations: count("SELECT count(*) FROM violations")?,
        symbols: symbols.collect::<rusqlite::Result<_>>()?,
    })
}

/// Bytes of the database, without its log.
pub(crate) fn size(connection: &Connection) -> rusqlite::Result<u64> {
    let pragma = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    Ok(u64::try_from(pragma("page_count")? * pragma("page_size")?).unwrap_or(0))
}

/// What SQLite and the references find wrong.
pub(crate) fn check(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut found: Vec<String> =
        connection.prepare("PRAGMA integrity_check")?.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    found.retain(|line| line != "ok");
    let dangling = connection.prepare("PRAGMA foreign_key_check")?.query_map([], |row| row.get::<_, String>(0))?.count();
    if dangling > 0 {
        found.push(format!("{dangling} rows belong to no instrument"));
    }
    Ok(found)
}

fn interval(row: &Row<'_>, column: usize) -> rusqlite::Result<Interval> {
    let seconds: u32 = row.get(column)?;
    Interval::from_seconds(seconds).ok_or(rusqlite::Error::IntegralValueOutOfRange(column, seconds.into()))
}
