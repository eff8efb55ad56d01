//! What instruments are called, by us and by sources.

use deadpool_postgres::{Client, Transaction};
use tokio_postgres::Row;

use crate::market::{InstrumentId, Symbol, Timestamp};
use crate::store::contract::{ListedCount, NameRow};
use crate::store::listing::{Entry, Listings, OURS, Renamed, price_unit};
use crate::store::postgres::claim::WRITES;
use crate::store::postgres::failure::Failure;
use crate::store::postgres::types::{Time, text};

/// What was not said stays as it is; a row that would not change is not written.
const COMPLETE: &str = "UPDATE instruments AS i SET name = coalesce(n.name, i.name), figi = coalesce(n.figi, i.figi), active = n.active, \
     asset_class = n.class \
     FROM unnest($1::text[], $2::text[], $3::text[], $4::boolean[], $5::text[]) AS n (symbol, name, figi, active, class) \
     WHERE i.symbol = n.symbol AND i.listed_to IS NULL AND (i.name, i.figi, i.active, i.asset_class) \
     IS DISTINCT FROM (coalesce(n.name, i.name), coalesce(n.figi, i.figi), n.active, n.class)";

const INSERT: &str = "INSERT INTO instruments (symbol, venue, asset_class, currency, price_unit, precision, name, active, figi) \
     SELECT n.symbol, n.venue, n.class, n.currency, n.unit, n.precision, n.name, n.active, n.figi \
     FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::float8[], $6::smallint[], $7::text[], $8::boolean[], $9::text[]) \
          AS n (symbol, venue, class, currency, unit, precision, name, active, figi) \
     WHERE NOT EXISTS (SELECT FROM instruments i WHERE i.symbol = n.symbol AND i.listed_to IS NULL) ON CONFLICT DO NOTHING";

/// Spellings that so far meant other instruments.
const CLOSE: &str = "UPDATE instrument_names AS o SET valid_to = greatest(o.valid_from, $4) \
     FROM unnest($2::text[], $3::text[]) AS n (spelling, symbol) JOIN instruments i ON i.symbol = n.symbol AND i.listed_to IS NULL \
     WHERE o.provider = $1 AND o.symbol = n.spelling AND o.valid_to IS NULL AND o.instrument_id <> i.id";

/// Spellings that mean nothing now.
const OPEN: &str = "INSERT INTO instrument_names (instrument_id, provider, symbol, valid_from) \
     SELECT i.id, $1::text, n.spelling, $4::timestamptz \
     FROM unnest($2::text[], $3::text[]) AS n (spelling, symbol) JOIN instruments i ON i.symbol = n.symbol AND i.listed_to IS NULL \
     WHERE NOT EXISTS (SELECT FROM instrument_names o WHERE o.provider = $1::text AND o.symbol = n.spelling AND o.valid_to IS NULL) \
     ON CONFLICT (provider, symbol, valid_from) DO UPDATE SET instrument_id = excluded.instrument_id, valid_to = NULL";

/// Makes and completes instruments, and keeps how `provider` spells them.
pub(crate) async fn list(client: &mut Client, provider: &str, listed: &Listings, at: Timestamp) -> Result<ListedCount, Failure> {
    let transaction = client.transaction().await?;
    WRITES.wait(&transaction).await?;
    if listed.instruments.is_empty() {
        return Ok(ListedCount::default());
    }
    // First what is there: what is made afterwards is as it was said already.
    complete(&transaction, &listed.instruments).await?;
    let new = insert(&transaction, &listed.instruments).await?;
    let spellings: Vec<_> = listed.names.iter().map(|(spelling, _)| text(spelling)).collect();
    let symbols: Vec<_> = listed.names.iter().map(|(_, symbol)| symbol.as_str()).collect();
    for sql in [CLOSE, OPEN] {
        let statement = transaction.prepare_cached(sql).await?;
        transaction.execute(&statement, &[&provider, &spellings, &symbols, &Time(at)]).await?;
    }
    transaction.commit().await?;
    Ok(ListedCount { new, known: listed.instruments.len() as u64 - new })
}

async fn complete(transaction: &Transaction<'_>, entries: &[Entry]) -> Result<(), Failure> {
    let statement = transaction.prepare_cached(COMPLETE).await?;
    transaction
        .execute(
            &statement,
            &[
                &entries.iter().map(|entry| entry.symbol.as_str()).collect::<Vec<_>>(),
                &entries.iter().map(|entry| entry.name.as_deref().map(text)).collect::<Vec<_>>(),
                &entries.iter().map(|entry| entry.figi.as_deref().map(text)).collect::<Vec<_>>(),
                &entries.iter().map(|entry| entry.active).collect::<Vec<_>>(),
                &entries.iter().map(|entry| entry.asset_class.name()).collect::<Vec<_>>(),
            ],
        )
        .await?;
    Ok(())
}

/// Makes those that are not there; the answer is how many.
async fn insert(transaction: &Transaction<'_>, entries: &[Entry]) -> Result<u64, Failure> {
    let statement = transaction.prepare_cached(INSERT).await?;
    let made = transaction
        .execute(
            &statement,
            &[
                &entries.iter().map(|entry| entry.symbol.as_str()).collect::<Vec<_>>(),
                &entries.iter().map(|entry| text(&entry.venue)).collect::<Vec<_>>(),
                &entries.iter().map(|entry| entry.asset_class.name()).collect::<Vec<_>>(),
                &entries.iter().map(|entry| text(&entry.currency)).collect::<Vec<_>>(),
                &entries.iter().map(|entry| price_unit(&entry.currency)).collect::<Vec<_>>(),
                &entries.iter().map(|entry| i16::from(entry.precision)).collect::<Vec<_>>(),
                &entries.iter().map(|entry| text(entry.name.as_deref().unwrap_or_default())).collect::<Vec<_>>(),
                &entries.iter().map(|entry| entry.active).collect::<Vec<_>>(),
                &entries.iter().map(|entry| entry.figi.as_deref().map(text)).collect::<Vec<_>>(),
            ],
        )
        .await?;
    Ok(made)
}

/// Gives an instrument another symbol; what it was called is over on that day.
pub(crate) async fn rename(client: &mut Client, old: &Symbol, new: &Symbol, on: Timestamp) -> Result<Renamed, Failure> {
    let transaction = client.transaction().await?;
    WRITES.wait(&transaction).await?;
    let Some(id) = id_of(&transaction, old).await? else { return Ok(Renamed::Missing) };
    if old == new {
        return Ok(Renamed::Done);
    }
    if id_of(&transaction, new).await?.is_some() {
        return Ok(Renamed::Taken);
    }
    transaction.execute("UPDATE instruments SET symbol = $2 WHERE id = $1", &[&id, &new.as_str()]).await?;
    // Otherwise a job that waits would make an instrument of the old symbol.
    let jobs = "UPDATE jobs SET symbol = $2 WHERE symbol = $1 AND state IN ('queued', 'running')";
    transaction.execute(jobs, &[&old.as_str(), &new.as_str()]).await?;
    let again = "ON CONFLICT (provider, symbol, valid_from) DO UPDATE SET instrument_id = excluded.instrument_id, valid_to = NULL";
    // The first time, since when the old symbol was ours: another instrument may have had it before.
    let first = format!(
        "INSERT INTO instrument_names (instrument_id, provider, symbol, valid_from) \
         SELECT i.id, $2::text, $3::text, \
         coalesce((SELECT max(n.valid_to) FROM instrument_names n WHERE n.provider = $2::text AND n.symbol = $3::text), i.listed_from, 'epoch') \
         FROM instruments i WHERE i.id = $1 \
         AND NOT EXISTS (SELECT FROM instrument_names n WHERE n.instrument_id = $1 AND n.provider = $2::text AND n.valid_to IS NULL) {again}"
    );
    transaction.execute(&first, &[&id, &OURS, &old.as_str()]).await?;
    let over = "UPDATE instrument_names SET valid_to = greatest(valid_from, $2) WHERE instrument_id = $1 AND valid_to IS NULL";
    transaction.execute(over, &[&id, &Time(on)]).await?;
    let now = format!("INSERT INTO instrument_names (instrument_id, provider, symbol, valid_from) VALUES ($1, $2, $3, $4) {again}");
    transaction.execute(&now, &[&id, &OURS, &new.as_str(), &Time(on)]).await?;
    transaction.commit().await?;
    Ok(Renamed::Done)
}

async fn id_of(transaction: &Transaction<'_>, symbol: &Symbol) -> Result<Option<i64>, Failure> {
    let sql = "SELECT id FROM instruments WHERE symbol = $1 AND listed_to IS NULL";
    let row = transaction.query_opt(sql, &[&symbol.as_str()]).await?;
    Ok(row.map(|row| row.try_get(0)).transpose()?)
}

pub(crate) async fn names(client: &Client, instrument: InstrumentId) -> Result<Vec<NameRow>, Failure> {
    let statement = client
        .prepare_cached(
            "SELECT provider, symbol, valid_from, valid_to FROM instrument_names WHERE instrument_id = $1 \
             ORDER BY provider, valid_from, symbol",
        )
        .await?;
    let read = |row: &Row| {
        Ok(NameRow {
            provider: row.try_get(0)?,
            symbol: row.try_get(1)?,
            valid_from: row.try_get::<_, Time>(2)?.0,
            valid_to: row.try_get::<_, Option<Time>>(3)?.map(|time| time.0),
        })
    };
    client.query(&statement, &[&instrument.0]).await?.iter().map(read).collect()
}
