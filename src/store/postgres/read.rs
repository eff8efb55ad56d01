//! Questions to the store.

use deadpool_postgres::{Client, GenericClient};
use tokio_postgres::Row;

use crate::market::{Instrument, InstrumentId, Interval, Source, Symbol, Timestamp};
use crate::quality::{Coverage, CoverageState, Quarantined, Severity, Violation};
use crate::snapshot::JobState;
use crate::store::contract::{BarQuery, JobQuery, JobRecord, RecordQuery, StoreStatus, SymbolStatus, ViolationRow};
use crate::store::listing::price_unit;
use crate::store::postgres::bar::{COLUMNS, interval, parsed, seconds};
use crate::store::postgres::claim::WRITES;
use crate::store::postgres::failure::Failure;
use crate::store::postgres::open::schema;
use crate::store::postgres::types::Time;
use crate::store::table::KEPT;

/// The one list that the monitor shows.
const LIST: &str = "main";
const INSTRUMENT: &str = "i.id, i.symbol, i.venue, i.asset_class, i.currency, i.precision, i.name, i.active";

/// The SQL of a question for bars: one look at the key, in its order.
pub(crate) fn bars_sql(query: &BarQuery) -> String {
    let key = "instrument_id = $1 AND interval_s = $2 AND open_time >= $3 AND open_time < $4 AND quality >= $5";
    match query.newest {
        None => format!("SELECT {COLUMNS} FROM bars WHERE {key} ORDER BY open_time"),
        Some(n) => {
            format!("SELECT * FROM (SELECT {COLUMNS} FROM bars WHERE {key} ORDER BY open_time DESC LIMIT {n}) AS newest ORDER BY open_time")
        }
    }
}

/// The instrument of a symbol, made when it is new.
pub(crate) async fn instrument(client: &Client, symbol: &Symbol) -> Result<Instrument, Failure> {
    let find = format!("SELECT {INSTRUMENT} FROM instruments i WHERE symbol = $1 AND listed_to IS NULL");
    if let Some(row) = client.query_opt(&find, &[&symbol.as_str()]).await? {
        return read_instrument(&row);
    }
    let new = Instrument::listed(InstrumentId(0), symbol.clone());
    let unit = price_unit(&new.currency);
    let sql = "INSERT INTO instruments (symbol, venue, asset_class, currency, price_unit, precision) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING";
    let (venue, class, currency) = (&*new.venue, new.asset_class.name(), &*new.currency);
    client.execute(sql, &[&symbol.as_str(), &venue, &class, &currency, &unit, &i16::from(new.precision)]).await?;
    read_instrument(&client.query_one(&find, &[&symbol.as_str()]).await?)
}

pub(crate) async fn instruments(client: &Client) -> Result<Vec<Instrument>, Failure> {
    let statement = client.prepare_cached(&format!("SELECT {INSTRUMENT} FROM instruments i ORDER BY symbol")).await?;
    client.query(&statement, &[]).await?.iter().map(read_instrument).collect()
}

pub(crate) async fn watchlist(client: &Client) -> Result<Option<Vec<Instrument>>, Failure> {
    // A list that was emptied is not one that was never kept. In an older store whoever left it is inactive, and no source
    // that lists instruments made it so.
    let kept = client
        .prepare_cached(
            "SELECT EXISTS (SELECT FROM watchlist) OR EXISTS (SELECT FROM about WHERE key = $1) OR EXISTS (SELECT FROM instruments i \
             WHERE NOT i.active AND NOT EXISTS (SELECT FROM instrument_names n WHERE n.instrument_id = i.id))",
        )
        .await?;
    let list = client
        .prepare_cached(&format!(
            "SELECT {INSTRUMENT} FROM watchlist w JOIN instruments i ON i.id = w.instrument_id WHERE list = $1 ORDER BY position"
        ))
        .await?;
    let kept: bool = client.query_one(&kept, &[&KEPT]).await?.try_get(0)?;
    let rows = client.query(&list, &[&LIST]).await?;
    let list = rows.iter().map(read_instrument).collect::<Result<_, _>>()?;
    Ok(kept.then_some(list))
}

pub(crate) async fn set_watchlist(client: &mut Client, ids: &[InstrumentId]) -> Result<(), Failure> {
    let ids: Vec<_> = ids.iter().map(|id| id.0).collect();
    let transaction = client.transaction().await?;
    WRITES.wait(&transaction).await?;
    let leave = "UPDATE instruments SET active = false WHERE active AND id <> ALL ($2) AND id IN (SELECT instrument_id FROM watchlist WHERE list = $1)";
    transaction.execute(leave, &[&LIST, &ids]).await?;
    transaction.execute("DELETE FROM watchlist WHERE list = $1", &[&LIST]).await?;
    let join = "INSERT INTO watchlist (list, position, instrument_id) SELECT $1, n.position - 1, n.id FROM unnest($2::bigint[]) WITH ORDINALITY AS n (id, position)";
    transaction.execute(join, &[&LIST, &ids]).await?;
    transaction.execute("UPDATE instruments SET active = true WHERE NOT active AND id = ANY ($1)", &[&ids]).await?;
    transaction.execute("INSERT INTO about (key, value) VALUES ($1, $2) ON CONFLICT DO NOTHING", &[&KEPT, &LIST]).await?;
    transaction.commit().await?;
    Ok(())
}

fn read_instrument(row: &Row) -> Result<Instrument, Failure> {
    let text = |column: usize| row.try_get::<_, &str>(column);
    Ok(Instrument {
        id: InstrumentId(row.try_get(0)?),
        symbol: parsed(text(1)?)?,
        venue: text(2)?.into(),
        asset_class: parsed(text(3)?)?,
        currency: text(4)?.into(),
        precision: u8::try_from(row.try_get::<_, i16>(5)?).unwrap_or(0),
        name: text(6)?.into(),
        active: row.try_get(7)?,
    })
}

pub(crate) async fn coverage(client: &Client, query: &BarQuery) -> Result<Vec<Coverage>, Failure> {
    let statement = client
        .prepare_cached(
            "SELECT source, from_time, to_time, state, asked_at FROM coverage \
             WHERE instrument_id = $1 AND interval_s = $2 AND from_time < $4 AND to_time > $3 ORDER BY from_time, source",
        )
        .await?;
    let key = (query.instrument.0, seconds(query.interval));
    let rows = client.query(&statement, &[&key.0, &key.1, &Time(query.from), &Time(query.to)]).await?;
    let read = |row: &Row| {
        let state: &str = row.try_get(3)?;
        Ok(Coverage {
            instrument: query.instrument,
            interval: query.interval,
            source: Source::new(row.try_get(0)?),
            from: row.try_get::<_, Time>(1)?.0,
            to: row.try_get::<_, Time>(2)?.0,
            state: CoverageState::ALL.into_iter().find(|s| s.name() == state).unwrap_or(CoverageState::Failed),
            asked_at: row.try_get::<_, Time>(4)?.0,
        })
    };
    rows.iter().map(read).collect()
}

pub(crate) async fn violations(client: &Client, query: &RecordQuery) -> Result<Vec<ViolationRow>, Failure> {
    let statement = client
        .prepare_cached(
            "SELECT time, instrument_id, interval_s, open_time, source, rule, severity, message, acknowledged FROM violations \
             WHERE time >= $1 AND time < $2 AND (cardinality($3::bigint[]) = 0 OR instrument_id = ANY ($3)) ORDER BY time, id",
        )
        .await?;
    let (from, to, ids) = asked(query);
    let read = |row: &Row| {
        let severity: &str = row.try_get(6)?;
        Ok(ViolationRow {
            violation: Violation {
                time: row.try_get::<_, Time>(0)?.0,
                instrument: InstrumentId(row.try_get(1)?),
                interval: interval(row.try_get(2)?)?,
                open_time: row.try_get::<_, Time>(3)?.0,
                source: Source::new(row.try_get(4)?),
                rule: row.try_get(5)?,
                severity: Severity::ALL.into_iter().find(|s| s.name() == severity).unwrap_or(Severity::Warning),
                message: row.try_get(7)?,
            },
            acknowledged: row.try_get(8)?,
        })
    };
    client.query(&statement, &[&from, &to, &ids]).await?.iter().map(read).collect()
}

pub(crate) async fn quarantine(client: &Client, query: &RecordQuery) -> Result<Vec<Quarantined>, Failure> {
    let statement = client
        .prepare_cached(
            "SELECT received_at, source, instrument_id, interval_s, open_time, reasons, payload FROM quarantine \
             WHERE received_at >= $1 AND received_at < $2 AND (cardinality($3::bigint[]) = 0 OR instrument_id = ANY ($3)) \
             ORDER BY received_at, id",
        )
        .await?;
    let (from, to, ids) = asked(query);
    let read = |row: &Row| {
        let reasons: &str = row.try_get(5)?;
        Ok(Quarantined {
            received_at: row.try_get::<_, Time>(0)?.0,
            source: Source::new(row.try_get(1)?),
            instrument: InstrumentId(row.try_get(2)?),
            interval: row.try_get::<_, Option<i32>>(3)?.map(interval).transpose()?,
            open_time: row.try_get::<_, Option<Time>>(4)?.map(|time| time.0),
            reasons: reasons.split('|').map(str::to_owned).collect(),
            payload: row.try_get(6)?,
        })
    };
    client.query(&statement, &[&from, &to, &ids]).await?.iter().map(read).collect()
}

fn asked(query: &RecordQuery) -> (Time, Time, Vec<i64>) {
    let (from, to) = (query.from.unwrap_or(Timestamp::MIN), query.to.unwrap_or(Timestamp::MAX));
    (Time(from), Time(to), query.instruments.iter().map(|id| id.0).collect())
}

pub(crate) async fn jobs(client: &Client, which: JobQuery) -> Result<Vec<JobRecord>, Failure> {
    let only = match which {
        JobQuery::All => "",
        JobQuery::Open => "WHERE state IN ('queued', 'running')",
    };
    let sql = format!(
        "SELECT id, kind, symbol, interval_s, from_time, to_time, source, state, done, total, rows, attempts, error, created_at, updated_at \
         FROM jobs {only} ORDER BY id"
    );
    let statement = client.prepare_cached(&sql).await?;
    client.query(&statement, &[]).await?.iter().map(read_job).collect()
}

fn read_job(row: &Row) -> Result<JobRecord, Failure> {
    let count = |column: usize| row.try_get::<_, i64>(column).map(|n| u64::try_from(n).unwrap_or(0));
    let time = |column: usize| row.try_get::<_, Option<Time>>(column).map(|time| time.map(|time| time.0));
    let state: &str = row.try_get(7)?;
    Ok(JobRecord {
        id: row.try_get(0)?,
        kind: row.try_get(1)?,
        symbol: row.try_get::<_, Option<&str>>(2)?.and_then(|symbol| symbol.parse().ok()),
        interval: row.try_get::<_, Option<i32>>(3)?.and_then(|seconds| Interval::from_seconds(u32::try_from(seconds).ok()?)),
        from: time(4)?,
        to: time(5)?,
        source: row.try_get(6)?,
        state: JobState::ALL.into_iter().find(|s| s.name() == state).unwrap_or(JobState::Failed),
        done: count(8)?,
        total: count(9)?,
        rows: count(10)?,
        attempts: u32::try_from(row.try_get::<_, i64>(11)?).unwrap_or(u32::MAX),
        error: row.try_get(12)?,
        created_at: time(13)?.unwrap_or_default(),
        updated_at: time(14)?.unwrap_or_default(),
    })
}

pub(crate) async fn status(client: &Client) -> Result<StoreStatus, Failure> {
    let sql = "SELECT i.symbol, b.interval_s, count(*), min(b.open_time), max(b.open_time), avg((b.quality >= 0.85)::int)::float8 \
               FROM bars b JOIN instruments i ON i.id = b.instrument_id GROUP BY i.symbol, b.instrument_id, b.interval_s ORDER BY 1, 2";
    let read = |row: &Row| {
        Ok(SymbolStatus {
            symbol: parsed(row.try_get(0)?)?,
            interval: interval(row.try_get(1)?)?,
            bars: u64::try_from(row.try_get::<_, i64>(2)?).unwrap_or(0),
            first: row.try_get::<_, Time>(3)?.0,
            last: row.try_get::<_, Time>(4)?.0,
            validated: row.try_get(5)?,
        })
    };
    let symbols = client.query(sql, &[]).await?.iter().map(read).collect::<Result<Vec<_>, Failure>>()?;
    Ok(StoreStatus {
        schema: schema(client).await?.unwrap_or(0),
        size: size(client).await?,
        bars: symbols.iter().map(|symbol| symbol.bars).sum(),
        quarantined: count(client, "SELECT count(*) FROM quarantine").await?,
        violations: count(client, "SELECT count(*) FROM violations").await?,
        symbols,
    })
}

/// Bytes of the database on the server's disk, with what else is in it.
pub(crate) async fn size(client: &Client) -> Result<u64, Failure> {
    count(client, "SELECT pg_database_size(current_database())").await
}

async fn count(client: &impl GenericClient, sql: &str) -> Result<u64, Failure> {
    let row = client.query_one(sql, &[]).await?;
    Ok(u64::try_from(row.try_get::<_, i64>(0)?).unwrap_or(0))
}
