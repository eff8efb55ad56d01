//! The contract, kept by a pool of connections.

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Client, Object, Pool};
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use tokio::sync::Semaphore;
use tokio_postgres::types::ToSql;

use crate::config::PostgresUrl;
use crate::host::Clock;
use crate::market::{Bar, Instrument, InstrumentId, Listed, Symbol, Timestamp};
use crate::pipeline::Ranks;
use crate::quality::{Coverage, Quarantined};
use crate::store::contract::{
    Ack, ActionRow, BarQuery, Batch, Claim, Creation, FundamentalRow, JobQuery, JobRecord, ListedCount, NameRow, RecordQuery, RequestCount,
    Store, StoreStatus, ViolationRow,
};
use crate::store::error::StoreError;
use crate::store::listing::Listings;
use crate::store::postgres::bar::{Reader, seconds};
use crate::store::postgres::connect::Connector;
use crate::store::postgres::explain::explain_pool;
use crate::store::postgres::failure::Failure;
use crate::store::postgres::known::Known;
use crate::store::postgres::stream::{Question, streamed};
use crate::store::postgres::types::Time;
use crate::store::postgres::{append, check, claim, count, listing, open, read, reference, rows};
use crate::store::table::{Row, TableSpec};

/// How long one question or one live batch may take before the link counts as lost.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);
/// What each row of a large batch may take more.
const LIMIT_OF_ROW: Duration = Duration::from_millis(2);
/// Long answers that may be on their way at once: readers who take their time leave connections to the others.
const STREAMS: usize = 3;
/// How long looking through whole tables may take.
const LONG: Duration = Duration::from_secs(3_600);

/// A store in a database of a PostgreSQL server.
pub struct Postgres {
    pub(crate) connector: Connector,
    pool: Pool,
    clock: Clock,
    known: Arc<Known>,
    streams: Arc<Semaphore>,
}

impl Postgres {
    /// Connects, and makes the tables where `creation` allows it; sources are fused by `ranks`.
    pub async fn open(url: &PostgresUrl, creation: Creation, ranks: Ranks) -> Result<Self, StoreError> {
        let name = url.to_string();
        let connector = Connector::new(url)?;
        open::prepare(&connector, creation).await?;
        let pool = connector.pool()?;
        let client = pool.get().await.map_err(|error| explain_pool("open", &name, &error))?;
        let known = Known::find(&client, ranks).await.map_err(|failure| failure.explain("open", &name))?;
        let streams = Arc::new(Semaphore::new(STREAMS));
        Ok(Self { connector, pool, clock: Clock::system(), known: Arc::new(known), streams })
    }

    /// A connection does `work`, in the usual time.
    fn with<'s, T, F>(&'s self, doing: &'static str, work: F) -> BoxFuture<'s, Result<T, StoreError>>
    where
        T: Send + 's,
        F: for<'c> FnOnce(&'c mut Client) -> BoxFuture<'c, Result<T, Failure>> + Send + 's,
    {
        self.within(LIMIT, doing, work)
    }

    /// A connection does `work`. One that does not answer in time is given up: nobody else shall wait for it.
    fn within<'s, T, F>(&'s self, limit: Duration, doing: &'static str, work: F) -> BoxFuture<'s, Result<T, StoreError>>
    where
        T: Send + 's,
        F: for<'c> FnOnce(&'c mut Client) -> BoxFuture<'c, Result<T, Failure>> + Send + 's,
    {
        Box::pin(async move {
            let name = self.name();
            let mut client = self.pool.get().await.map_err(|error| explain_pool(doing, &name, &error))?;
            match self.clock.timeout(limit, work(&mut client)).await {
                Ok(Ok(answer)) => Ok(answer),
                Ok(Err(failure)) => Err(failure.explain(doing, &name)),
                Err(_) => {
                    drop(Object::take(client));
                    Err(StoreError::Away { name, message: format!("no answer for {} s", limit.as_secs()) })
                }
            }
        })
    }

    /// As [`Postgres::with`], for what only the store that was opened may be told.
    fn save<T, F>(&self, doing: &'static str, work: F) -> BoxFuture<'_, Result<T, StoreError>>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut Client) -> BoxFuture<'c, Result<T, Failure>> + Send + 'static,
    {
        let known = Arc::clone(&self.known);
        self.with(doing, move |client| {
            Box::pin(async move {
                known.is_the_same(client).await?;
                work(client).await
            })
        })
    }

    fn question(&self, limit: Duration) -> Question {
        let (pool, streams) = (self.pool.clone(), Arc::clone(&self.streams));
        Question { pool, streams, clock: self.clock.clone(), name: self.name(), limit }
    }
}

/// How long so many rows may take.
fn limit_for(rows: usize) -> Duration {
    LIMIT + LIMIT_OF_ROW * u32::try_from(rows).unwrap_or(u32::MAX)
}

impl Store for Postgres {
    fn name(&self) -> String {
        self.connector.name()
    }

    fn append(&self, batch: Batch) -> BoxFuture<'_, Result<Ack, StoreError>> {
        let known = Arc::clone(&self.known);
        self.within(limit_for(batch.len()), "write", move |client| Box::pin(async move { append::append(client, batch, &known).await }))
    }

    fn instrument(&self, symbol: Symbol) -> BoxFuture<'_, Result<Instrument, StoreError>> {
        self.save("write", move |client| Box::pin(async move { read::instrument(client, &symbol).await }))
    }

    fn instruments(&self) -> BoxFuture<'_, Result<Vec<Instrument>, StoreError>> {
        self.with("read", |client| Box::pin(read::instruments(client)))
    }

    fn watchlist(&self) -> BoxFuture<'_, Result<Option<Vec<Instrument>>, StoreError>> {
        self.with("read", |client| Box::pin(read::watchlist(client)))
    }

    fn set_watchlist(&self, instruments: Vec<InstrumentId>) -> BoxFuture<'_, Result<(), StoreError>> {
        self.save("write", move |client| Box::pin(async move { read::set_watchlist(client, &instruments).await }))
    }

    fn bars(&self, query: BarQuery) -> BoxStream<'_, Result<Vec<Bar>, StoreError>> {
        let parameters: Vec<Box<dyn ToSql + Sync + Send>> = vec![
            Box::new(query.instrument.0),
            Box::new(seconds(query.interval)),
            Box::new(Time(query.from)),
            Box::new(Time(query.to)),
            Box::new(query.min_quality),
        ];
        let mut reader = Reader::default();
        streamed(self.question(LIMIT), read::bars_sql(&query), parameters, move |row| reader.read(row))
    }

    fn coverage(&self, query: BarQuery) -> BoxFuture<'_, Result<Vec<Coverage>, StoreError>> {
        self.with("read", move |client| Box::pin(async move { read::coverage(client, &query).await }))
    }

    fn violations(&self, query: RecordQuery) -> BoxFuture<'_, Result<Vec<ViolationRow>, StoreError>> {
        self.with("read", move |client| Box::pin(async move { read::violations(client, &query).await }))
    }

    fn quarantine(&self, query: RecordQuery) -> BoxFuture<'_, Result<Vec<Quarantined>, StoreError>> {
        self.with("read", move |client| Box::pin(async move { read::quarantine(client, &query).await }))
    }

    fn save_job(&self, job: JobRecord) -> BoxFuture<'_, Result<i64, StoreError>> {
        self.save("write", move |client| {
            Box::pin(async move {
                let transaction = client.transaction().await?;
                let id = append::save_job(&transaction, &job).await?;
                transaction.commit().await?;
                Ok(id)
            })
        })
    }

    fn jobs(&self, which: JobQuery) -> BoxFuture<'_, Result<Vec<JobRecord>, StoreError>> {
        self.with("read", move |client| Box::pin(read::jobs(client, which)))
    }

    fn status(&self) -> BoxFuture<'_, Result<StoreStatus, StoreError>> {
        self.within(LONG, "read", |client| Box::pin(read::status(client)))
    }

    fn size(&self) -> BoxFuture<'_, Result<u64, StoreError>> {
        self.with("read", |client| Box::pin(read::size(client)))
    }

    fn settle(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        // The server keeps its own files in order.
        Box::pin(std::future::ready(Ok(())))
    }

    fn check(&self) -> BoxFuture<'_, Result<Vec<String>, StoreError>> {
        self.within(LONG, "read", |client| Box::pin(check::check(client)))
    }

    fn claim(&self) -> BoxFuture<'_, Result<Claim, StoreError>> {
        Box::pin(claim::claim(self.connector.clone()))
    }

    fn prune(&self, table: &'static TableSpec, before: Timestamp, at_most: u32) -> BoxFuture<'_, Result<u64, StoreError>> {
        self.save("prune", move |client| Box::pin(rows::prune(client, table, before, at_most)))
    }

    fn rows(&self, table: &'static TableSpec, after: Option<Row>) -> BoxStream<'_, Result<Vec<Row>, StoreError>> {
        let sql = if after.is_some() { rows::select_after_sql(table) } else { rows::select_sql(table) };
        let key = after.unwrap_or_default();
        let parameters = table.columns.iter().zip(&key).map(|(column, field)| rows::parameter(column.kind, field)).collect();
        streamed(self.question(LONG), sql, parameters, |row| rows::fields(table.columns, row))
    }

    fn put(&self, table: &'static TableSpec, rows: Vec<Row>) -> BoxFuture<'_, Result<u64, StoreError>> {
        let known = Arc::clone(&self.known);
        self.within(limit_for(rows.len()), "write", move |client| {
            Box::pin(async move {
                known.partitions.make(client, rows::intraday_opens(table, &rows)).await?;
                rows::put(client, table, &rows).await
            })
        })
    }

    fn last_key(&self, table: &'static TableSpec) -> BoxFuture<'_, Result<Option<Row>, StoreError>> {
        self.with("read", move |client| Box::pin(rows::last_key(client, table)))
    }

    fn count_requests(&self, counts: Vec<RequestCount>) -> BoxFuture<'_, Result<Vec<u64>, StoreError>> {
        self.save("write", move |client| Box::pin(async move { count::count_requests(client, &counts).await }))
    }

    fn request_counts(&self, since: Timestamp) -> BoxFuture<'_, Result<Vec<RequestCount>, StoreError>> {
        self.with("read", move |client| Box::pin(count::request_counts(client, since)))
    }

    fn actions(&self, instrument: InstrumentId) -> BoxFuture<'_, Result<Vec<ActionRow>, StoreError>> {
        self.with("read", move |client| Box::pin(reference::actions(client, instrument)))
    }

    fn fundamentals(&self, instrument: InstrumentId) -> BoxFuture<'_, Result<Vec<FundamentalRow>, StoreError>> {
        self.with("read", move |client| Box::pin(reference::fundamentals(client, instrument)))
    }

    fn names(&self, instrument: InstrumentId) -> BoxFuture<'_, Result<Vec<NameRow>, StoreError>> {
        self.with("read", move |client| Box::pin(listing::names(client, instrument)))
    }

    fn list(&self, provider: String, listed: Vec<Listed>, at: Timestamp) -> BoxFuture<'_, Result<ListedCount, StoreError>> {
        let (known, limit) = (Arc::clone(&self.known), limit_for(listed.len()));
        let listed = Listings::of(listed);
        self.within(limit, "write", move |client| {
            Box::pin(async move {
                known.is_the_same(client).await?;
                listing::list(client, &provider, &listed, at).await
            })
        })
    }

    fn rename(&self, old: Symbol, new: Symbol, on: Timestamp) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let (from, to) = (old.clone(), new.clone());
            let work = self.save("write", move |client| Box::pin(async move { listing::rename(client, &from, &to, on).await }));
            work.await?.told(self.name(), &old, &new)
        })
    }

    fn clear(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.within(LONG, "empty", |client| Box::pin(rows::clear(client)))
    }

    fn about(&self, key: &'static str) -> BoxFuture<'_, Result<Option<String>, StoreError>> {
        self.with("read", move |client| Box::pin(rows::about(client, key)))
    }

    fn set_about(&self, key: &'static str, value: Option<String>) -> BoxFuture<'_, Result<(), StoreError>> {
        self.with("write", move |client| Box::pin(async move { rows::set_about(client, key, value.as_deref()).await }))
    }
}
