//! Opening a database: everything is looked at before anything is made.

use std::pin::pin;

use tokio_postgres::Client;

use crate::host::Clock;
use crate::store::contract::Creation;
use crate::store::error::StoreError;
use crate::store::postgres::claim::MIGRATES;
use crate::store::postgres::connect::{Alone, Connector};
use crate::store::postgres::explain::explain;
use crate::store::postgres::store::LIMIT;

mod embedded {
    refinery::embed_migrations!("src/store/postgres/migrations");
}

/// The newest schema this program knows.
pub(crate) fn known_schema() -> u32 {
    let newest = embedded::migrations::runner().get_migrations().iter().map(refinery::Migration::version).max();
    newest.and_then(|version| u32::try_from(version).ok()).unwrap_or(0)
}

/// Looks at the database, and makes or migrates the tables where `creation` allows it.
pub(crate) async fn prepare(connector: &Connector, creation: Creation) -> Result<(), StoreError> {
    let Alone { mut client, connection } = connector.alone().await?;
    let name = connector.name();
    let mut work = pin!(prepare_with(&mut client, &name, creation));
    tokio::select! {
        done = &mut work => done,
        () = connection => work.await,
    }
}

async fn prepare_with(client: &mut Client, name: &str, creation: Creation) -> Result<(), StoreError> {
    let failed = |error| explain("open", name, &error);
    let before = known(client, name).await?;
    if creation != Creation::Always && exists(client, HALF_RESTORED).await.map_err(failed)? {
        return Err(StoreError::HalfCopied(name.to_owned()));
    }
    match before {
        Some(true) => return may_write(client, name, creation).await,
        None if creation == Creation::Never => return Err(StoreError::Missing(name.to_owned())),
        // Whoever only reads leaves the tables to those who record: their program may be the older one.
        Some(false) if creation == Creation::Never => return Err(older(client, name).await),
        Some(false) | None => may_write(client, name, Creation::IfEmpty).await?,
    }
    // Two programs that start together make the tables one after the other: the second finds them made.
    MIGRATES.wait_for_session(client).await.map_err(failed)?;
    match known(client, name).await? {
        Some(true) => return Ok(()),
        None if creation != Creation::Always && has_tables(client, name).await? => return Err(StoreError::Foreign(name.to_owned())),
        Some(false) | None => {}
    }
    let made = embedded::migrations::runner().set_grouped(true).run_async(client).await;
    if made.is_err() {
        // Nothing was made: nothing is left that looks as if something had been.
        let sql = "DO $$ BEGIN IF NOT EXISTS (SELECT FROM refinery_schema_history) THEN DROP TABLE refinery_schema_history; END IF; END $$";
        let _ = client.batch_execute(sql).await;
    }
    made.map(drop).map_err(|error| match std::error::Error::source(&error).and_then(|cause| cause.downcast_ref()) {
        Some(cause) => explain("make the tables of", name, cause),
        None => StoreError::Engine { doing: "make the tables of", name: name.to_owned(), message: error.to_string() },
    })
}

/// Whether our tables are as this program knows them; `None` when there are none, an error when they are newer.
async fn known(client: &Client, name: &str) -> Result<Option<bool>, StoreError> {
    let Ok(found) = Clock::system().timeout(LIMIT, schema(client)).await else {
        return Err(StoreError::Away { name: name.to_owned(), message: "it does not answer".to_owned() });
    };
    match found.map_err(|error| explain("open", name, &error))? {
        Some(found) if found > known_schema() => Err(StoreError::Newer { name: name.to_owned(), found, known: known_schema() }),
        found => Ok(found.map(|found| found == known_schema())),
    }
}

/// The schema of a store; `None` when it has no tables of ours.
pub(crate) async fn schema(client: &Client) -> Result<Option<u32>, tokio_postgres::Error> {
    let there = client.query_one("SELECT to_regclass('refinery_schema_history') IS NOT NULL, to_regclass('bars') IS NOT NULL", &[]).await?;
    if !there.try_get::<_, bool>(0)? {
        return Ok(None);
    }
    // A history without a line is that of a store whose making was cut short, or is under way.
    let newest: i32 = client.query_one("SELECT coalesce(max(version), 0)::int FROM refinery_schema_history", &[]).await?.try_get(0)?;
    // Other programs may keep a history by the same means.
    let ours = newest == 0 || there.try_get(1)?;
    Ok(u32::try_from(newest).ok().filter(|_| ours))
}

/// A table that stands where ours were taken away and a backup is not in their place yet.
pub(crate) const HALF_RESTORED: &str = "openbell_half_restored";

async fn exists(client: &Client, table: &str) -> Result<bool, tokio_postgres::Error> {
    client.query_one("SELECT to_regclass($1) IS NOT NULL", &[&table]).await?.try_get(0)
}

async fn older(client: &Client, name: &str) -> StoreError {
    let found = schema(client).await.ok().flatten().unwrap_or(0);
    StoreError::Older { name: name.to_owned(), found, known: known_schema() }
}

/// Whether somebody else keeps tables here; those of extensions are nobody's.
async fn has_tables(client: &Client, name: &str) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT FROM pg_class c WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') \
               AND c.relnamespace = to_regnamespace(current_schema()) \
               AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e'))";
    let row = client.query_one(sql, &[]).await.map_err(|error| explain("open", name, &error))?;
    row.try_get(0).map_err(|error| explain("open", name, &error))
}

/// A replica answers questions; nothing is recorded into it.
async fn may_write(client: &Client, name: &str, creation: Creation) -> Result<(), StoreError> {
    if creation == Creation::Never {
        return Ok(());
    }
    let row = client.query_one("SELECT current_setting('transaction_read_only')::bool", &[]).await;
    let read_only = row.and_then(|row| row.try_get::<_, bool>(0)).map_err(|error| explain("open", name, &error))?;
    if read_only { Err(StoreError::ReadOnly(name.to_owned())) } else { Ok(()) }
}
