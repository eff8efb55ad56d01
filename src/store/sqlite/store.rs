//! The contract, kept by threads.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use rusqlite::Connection;

use crate::host::{EngineLock, LockError};
use crate::market::{Bar, Instrument, InstrumentId, Listed, Symbol, Timestamp};
use crate::pipeline::Ranks;
use crate::quality::{Coverage, Quarantined};
use crate::store::contract::{
    Ack, ActionRow, BarQuery, Batch, Claim, Creation, FundamentalRow, JobQuery, JobRecord, ListedCount, NameRow, RecordQuery, RequestCount,
    Store, StoreStatus, ViolationRow,
};
use crate::store::error::StoreError;
use crate::store::listing::Listings;
use crate::store::sqlite::open::{explain, open_reader, open_writer};
use crate::store::sqlite::thread::{CHUNK, ConnectionThread};
use crate::store::sqlite::{append, count, listing, read, reference, rows};
use crate::store::table::{Row, TableSpec};

/// How many connections stream bars: a slow reader holds one.
const STREAMS: usize = 2;

/// A store in one file.
#[derive(Debug)]
pub struct Sqlite {
    path: PathBuf,
    ranks: Arc<Ranks>,
    writer: ConnectionThread,
    /// Answers short questions; nobody waits here for a stream.
    reader: ConnectionThread,
    streams: [ConnectionThread; STREAMS],
    next: AtomicUsize,
}

impl Sqlite {
    /// Opens a file and makes its tables where `creation` allows it; sources are fused by `ranks`.
    pub fn open(path: &Path, creation: Creation, ranks: Ranks) -> Result<Self, StoreError> {
        let name = path.display().to_string();
        let started = |e: std::io::Error| StoreError::Engine { doing: "start a thread for", name: name.clone(), message: e.to_string() };
        let writer = ConnectionThread::start("store-writer", open_writer(path, creation)?).map_err(started)?;
        let reader = || ConnectionThread::start("store-reader", open_reader(path)?).map_err(started);
        Ok(Self {
            path: path.to_owned(),
            ranks: Arc::new(ranks),
            writer,
            reader: reader()?,
            streams: [reader()?, reader()?],
            next: AtomicUsize::new(0),
        })
    }

    fn stream(&self) -> &ConnectionThread {
        &self.streams[self.next.fetch_add(1, Ordering::Relaxed) % STREAMS]
    }

    fn path_name(&self) -> String {
        self.path.display().to_string()
    }

    /// Asks a reading connection.
    fn load<T, F>(&self, question: F) -> BoxFuture<'_, Result<T, StoreError>>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let name = self.path_name();
        Box::pin(self.reader.ask(move |connection| question(connection).map_err(|e| explain("read", &name, &e))))
    }

    /// Asks the writing connection.
    fn save<T, F>(&self, question: F) -> BoxFuture<'_, Result<T, StoreError>>
    where
        T: Send + 'static,
        F: FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let name = self.path_name();
        Box::pin(self.writer.ask(move |connection| question(connection).map_err(|e| explain("write", &name, &e))))
    }
}

impl Store for Sqlite {
    fn name(&self) -> String {
        format!("sqlite:{}", self.path.display())
    }

    fn append(&self, batch: Batch) -> BoxFuture<'_, Result<Ack, StoreError>> {
        let ranks = Arc::clone(&self.ranks);
        self.save(move |connection| append::append(connection, batch, &ranks))
    }

    fn instrument(&self, symbol: Symbol) -> BoxFuture<'_, Result<Instrument, StoreError>> {
        self.save(move |connection| read::instrument(connection, &symbol))
    }

    fn instruments(&self) -> BoxFuture<'_, Result<Vec<Instrument>, StoreError>> {
        self.load(read::instruments)
    }

    fn watchlist(&self) -> BoxFuture<'_, Result<Option<Vec<Instrument>>, StoreError>> {
        self.load(read::watchlist)
    }

    fn set_watchlist(&self, instruments: Vec<InstrumentId>) -> BoxFuture<'_, Result<(), StoreError>> {
        self.save(move |connection| read::set_watchlist(connection, &instruments))
    }

    fn bars(&self, query: BarQuery) -> BoxStream<'_, Result<Vec<Bar>, StoreError>> {
        self.stream().streamed(self.path_name(), move |connection, take| read::bars(connection, &query, CHUNK, take))
    }

    fn coverage(&self, query: BarQuery) -> BoxFuture<'_, Result<Vec<Coverage>, StoreError>> {
        self.load(move |connection| read::coverage(connection, &query))
    }

    fn violations(&self, query: RecordQuery) -> BoxFuture<'_, Result<Vec<ViolationRow>, StoreError>> {
        self.load(move |connection| read::violations(connection, &query))
    }

    fn quarantine(&self, query: RecordQuery) -> BoxFuture<'_, Result<Vec<Quarantined>, StoreError>> {
        self.load(move |connection| read::quarantine(connection, &query))
    }

    fn save_job(&self, job: JobRecord) -> BoxFuture<'_, Result<i64, StoreError>> {
        self.save(move |connection| append::save_job(connection, &job))
    }

    fn jobs(&self, which: JobQuery) -> BoxFuture<'_, Result<Vec<JobRecord>, StoreError>> {
        self.load(move |connection| read::jobs(connection, which))
    }

    fn status(&self) -> BoxFuture<'_, Result<StoreStatus, StoreError>> {
        self.load(read::status)
    }

    fn size(&self) -> BoxFuture<'_, Result<u64, StoreError>> {
        self.load(read::size)
    }

    fn settle(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        // What a reader still needs stays in the log.
        self.save(|connection| connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())))
    }

    fn check(&self) -> BoxFuture<'_, Result<Vec<String>, StoreError>> {
        self.load(read::check)
    }

    fn claim(&self) -> BoxFuture<'_, Result<Claim, StoreError>> {
        let name = self.path_name();
        let taken = EngineLock::take(&self.path).map(|lock| Box::new(lock) as Claim).map_err(|error| match error {
            LockError::Held { pid, .. } => StoreError::Held { name, holder: format!("pid {pid}") },
            LockError::Io { source, .. } => StoreError::Engine { doing: "lock", name, message: source.to_string() },
        });
        Box::pin(std::future::ready(taken))
    }

    fn prune(&self, table: &'static TableSpec, before: Timestamp, at_most: u32) -> BoxFuture<'_, Result<u64, StoreError>> {
        self.save(move |connection| rows::prune(connection, table, before, at_most))
    }

    fn rows(&self, table: &'static TableSpec, after: Option<Row>) -> BoxStream<'_, Result<Vec<Row>, StoreError>> {
        self.stream().streamed(self.path_name(), move |connection, take| rows::rows(connection, table, after.as_ref(), CHUNK, take))
    }

    fn put(&self, table: &'static TableSpec, rows: Vec<Row>) -> BoxFuture<'_, Result<u64, StoreError>> {
        self.save(move |connection| rows::put(connection, table, &rows))
    }

    fn last_key(&self, table: &'static TableSpec) -> BoxFuture<'_, Result<Option<Row>, StoreError>> {
        self.load(move |connection| rows::last_key(connection, table))
    }

    fn count_requests(&self, counts: Vec<RequestCount>) -> BoxFuture<'_, Result<Vec<u64>, StoreError>> {
        self.save(move |connection| count::count_requests(connection, &counts))
    }

    fn request_counts(&self, since: Timestamp) -> BoxFuture<'_, Result<Vec<RequestCount>, StoreError>> {
        self.load(move |connection| count::request_counts(connection, since))
    }

    fn actions(&self, instrument: InstrumentId) -> BoxFuture<'_, Result<Vec<ActionRow>, StoreError>> {
        self.load(move |connection| reference::actions(connection, instrument))
    }

    fn fundamentals(&self, instrument: InstrumentId) -> BoxFuture<'_, Result<Vec<FundamentalRow>, StoreError>> {
        self.load(move |connection| reference::fundamentals(connection, instrument))
    }

    fn names(&self, instrument: InstrumentId) -> BoxFuture<'_, Result<Vec<NameRow>, StoreError>> {
        self.load(move |connection| listing::names(connection, instrument))
    }

    fn list(&self, provider: String, listed: Vec<Listed>, at: Timestamp) -> BoxFuture<'_, Result<ListedCount, StoreError>> {
        self.save(move |connection| listing::list(connection, &provider, &Listings::of(listed), at))
    }

    fn rename(&self, old: Symbol, new: Symbol, on: Timestamp) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let (from, to) = (old.clone(), new.clone());
            let renamed = self.save(move |connection| listing::rename(connection, &from, &to, on)).await?;
            renamed.told(self.path_name(), &old, &new)
        })
    }

    fn clear(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.save(rows::clear)
    }

    fn about(&self, key: &'static str) -> BoxFuture<'_, Result<Option<String>, StoreError>> {
        self.load(move |connection| rows::about(connection, key))
    }

    fn set_about(&self, key: &'static str, value: Option<String>) -> BoxFuture<'_, Result<(), StoreError>> {
        self.save(move |connection| rows::set_about(connection, key, value.as_deref()))
    }
}
