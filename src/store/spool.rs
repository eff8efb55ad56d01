//! Store and forward: where batches wait while the server is away, on the disk of this machine.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, params};

use crate::market::Timestamp;
use crate::store::contract::Batch;
use crate::store::error::StoreError;
use crate::store::sqlite::{ConnectionThread, explain};

/// Batches in the order they came; what was pushed survives the end of the process.
#[derive(Debug)]
pub struct Spool {
    name: String,
    thread: ConnectionThread,
    limit: u64,
    held: Held,
}

/// What waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    pub rows: u64,
    pub bytes: u64,
    /// When the first of it was pushed.
    pub since: Option<Timestamp>,
}

/// Batches that go to the store together.
#[derive(Debug, PartialEq)]
pub struct Bundle {
    pub batch: Batch,
    /// The last of them.
    last: i64,
}

/// The tables; `body` is MessagePack with the names of the fields, so that a later version can read it.
const SCHEMA: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
    CREATE TABLE IF NOT EXISTS batches (id INTEGER PRIMARY KEY, rows INTEGER NOT NULL, at INTEGER NOT NULL, body BLOB NOT NULL); \
    CREATE TABLE IF NOT EXISTS aside (id INTEGER PRIMARY KEY, rows INTEGER NOT NULL, at INTEGER NOT NULL, body BLOB NOT NULL); \
    CREATE TABLE IF NOT EXISTS about (key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;";

impl Spool {
    /// Opens the spool of the store with the id `store`; it takes at most `limit` bytes of batches.
    pub fn open(path: &Path, store: &str, limit: u64) -> Result<Self, StoreError> {
        let name = path.display().to_string();
        let failed = |error: rusqlite::Error| explain("open", &name, &error);
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(|e| engine("make the folder of", &name, &e))?;
        }
        let connection = Connection::open(path).map_err(failed)?;
        keep_private(path).map_err(|e| engine("guard", &name, &e))?;
        connection.execute_batch(SCHEMA).map_err(failed)?;
        connection.execute("INSERT INTO about (key, value) VALUES ('store', ?1) ON CONFLICT DO NOTHING", [store]).map_err(failed)?;
        let of: String = connection.query_row("SELECT value FROM about WHERE key = 'store'", [], |row| row.get(0)).map_err(failed)?;
        if of != store {
            // Its rows point to instruments by numbers that mean others here.
            return Err(engine("use", &name, &"it holds rows of another store"));
        }
        let held = held(&connection).map_err(failed)?;
        let thread = ConnectionThread::start("spool", connection).map_err(|e| engine("start a thread for", &name, &e))?;
        Ok(Self { name, thread, limit, held })
    }

    /// What waits.
    #[must_use]
    pub const fn held(&self) -> Held {
        self.held
    }

    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.held.rows == 0
    }

    /// Keeps a batch on disk; the answer comes when it is there. A spool that has no room takes nothing.
    pub async fn push(&mut self, batch: &Batch) -> Result<(), StoreError> {
        let body = rmp_serde::to_vec_named(batch).map_err(|e| engine("write", &self.name, &e))?;
        let (rows, bytes, at) = (batch.len() as u64, body.len() as u64, batch.at);
        if self.held.bytes + bytes > self.limit {
            return Err(StoreError::SpoolFull(self.name.clone()));
        }
        self.ask("write", move |connection| {
            let sql = "INSERT INTO batches (rows, at, body) VALUES (?1, ?2, ?3)";
            connection.prepare_cached(sql)?.execute(params![i64::try_from(rows).unwrap_or(i64::MAX), at.as_micros(), body]).map(drop)
        })
        .await?;
        self.held.rows += rows;
        self.held.bytes += bytes;
        self.held.since = self.held.since.or(Some(at));
        Ok(())
    }

    /// The oldest batches, up to so many rows; they stay until [`Spool::forget`].
    pub async fn oldest(&mut self, rows: usize) -> Result<Option<Bundle>, StoreError> {
        let bodies = self.ask("read", move |connection| bodies(connection, rows)).await?;
        let mut bundle: Option<Bundle> = None;
        for (id, body) in bodies {
            let batch: Batch = match rmp_serde::from_slice(&body) {
                Ok(batch) => batch,
                Err(error) => {
                    self.set_aside(id, &error).await?;
                    continue;
                }
            };
            match &mut bundle {
                // A job's progress is that of its own rows: it is never put behind another's.
                Some(bundle) if bundle.batch.checkpoint.is_some() => break,
                Some(bundle) => {
                    bundle.batch.merge(batch);
                    bundle.last = id;
                }
                None => bundle = Some(Bundle { batch, last: id }),
            }
        }
        Ok(bundle)
    }

    /// One batch that cannot be read keeps the others from nothing; it stays in the file for whoever can read it.
    async fn set_aside(&mut self, id: i64, error: &rmp_serde::decode::Error) -> Result<(), StoreError> {
        tracing::error!(id, "a batch in {} cannot be read, it is left in its table 'aside': {error}", self.name);
        self.held = self
            .ask("write", move |connection| {
                let sql =
                    format!("BEGIN; INSERT INTO aside SELECT * FROM batches WHERE id = {id}; DELETE FROM batches WHERE id = {id}; COMMIT");
                connection.execute_batch(&sql)?;
                held(connection)
            })
            .await?;
        Ok(())
    }

    /// Lets go of batches that the store has.
    pub async fn forget(&mut self, bundle: &Bundle) -> Result<(), StoreError> {
        let last = bundle.last;
        self.held = self
            .ask("write", move |connection| {
                connection.execute("DELETE FROM batches WHERE id <= ?1", [last])?;
                let held = held(connection)?;
                if held.rows == 0 {
                    // The room goes back to whoever else needs the disk; where that fails it is used again here.
                    let _ = connection.execute_batch("VACUUM; PRAGMA wal_checkpoint(TRUNCATE);");
                }
                Ok(held)
            })
            .await?;
        Ok(())
    }

    async fn ask<T, F>(&self, doing: &'static str, question: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let name = self.name.clone();
        self.thread.ask(move |connection| question(connection).map_err(|error| explain(doing, &name, &error))).await
    }
}

/// What is on its way to a guarded server is not for everybody on this machine.
fn keep_private(path: &Path) -> std::io::Result<()> {
    #[cfg(unix)]
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    Ok(())
}

fn held(connection: &Connection) -> rusqlite::Result<Held> {
    let sum = "SELECT ifnull(sum(rows), 0), ifnull(sum(length(body)), 0) FROM batches";
    let count = |n: i64| u64::try_from(n).unwrap_or(0);
    let (rows, bytes) = connection.query_row(sum, [], |row| Ok((count(row.get(0)?), count(row.get(1)?))))?;
    let since = connection.query_row("SELECT at FROM batches ORDER BY id LIMIT 1", [], |row| row.get(0)).optional()?;
    Ok(Held { rows, bytes, since: since.map(Timestamp::from_micros) })
}

/// The oldest bodies, until so many rows are together; one at least.
fn bodies(connection: &Connection, rows: usize) -> rusqlite::Result<Vec<(i64, Vec<u8>)>> {
    let mut statement = connection.prepare_cached("SELECT id, rows, body FROM batches ORDER BY id")?;
    let mut found = statement.query([])?;
    let (mut taken, mut bodies) = (0, Vec::new());
    while let Some(row) = found.next()? {
        taken += row.get::<_, i64>(1).map(|n| usize::try_from(n).unwrap_or(usize::MAX))?;
        if taken > rows && !bodies.is_empty() {
            break;
        }
        bodies.push((row.get(0)?, row.get(2)?));
    }
    Ok(bodies)
}

fn engine(doing: &'static str, name: &str, error: &dyn std::fmt::Display) -> StoreError {
    StoreError::Engine { doing, name: name.to_owned(), message: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::{ActionKind, CorporateAction, Fundamental, InstrumentId, Period, Source, Statement};
    use crate::store::contract::{ActionRow, FundamentalRow, QuoteRow, TradeRow};

    fn batch(n: i64) -> Batch {
        let (instrument, ts_event) = (InstrumentId(n), Timestamp::from_seconds(n));
        let (source, ts_recv) = (Source::new("best"), ts_event);
        let (last, bid, bid_size, ask, ask_size, volume) = (Some(0.1 + 0.2), None, None, Some(1e300), None, None);
        let quote = QuoteRow { instrument, source, ts_event, ts_recv, last, bid, bid_size, ask, ask_size, volume };
        Batch { quotes: vec![quote], at: ts_event, ..Batch::default() }
    }

    #[tokio::test]
    async fn rows_of_every_kind_come_back_as_they_were() {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = Spool::open(&folder.path().join("spool.db"), "one", 1 << 20).unwrap();
        let (instrument, source, at) = (InstrumentId(7), Source::new("fmp"), Timestamp::from_seconds(7));
        let date = at.date();
        let action = |kind: ActionKind| ActionRow { instrument, source: source.clone(), action: CorporateAction { ex_date: date, kind } };
        let fields = serde_json::json!({ "revenue": 1.5e11, "shares": 7, "loss": -3, "none": null, "ä": [true] });
        let fields = fields.as_object().expect("an object").clone();
        let fundamental = Fundamental { statement: Statement::BalanceSheet, period: Period::Quarter, fiscal_date: date, fields };
        let (venue, conditions) = (Some("V".to_owned()), None);
        let trade = TradeRow {
            instrument,
            source: source.clone(),
            trade_id: "7".to_owned(),
            ts_event: at,
            ts_recv: at,
            price: 1.5,
            size: 2.0,
            taker: None,
            moves: 7,
            venue,
            conditions,
        };
        let whole = Batch {
            trades: vec![trade],
            actions: vec![
                action(ActionKind::Split { numerator: 4.0, denominator: 1.0 }),
                action(ActionKind::Dividend { amount: 0.25, currency: Some("USD".to_owned()) }),
            ],
            fundamentals: vec![FundamentalRow { instrument, source: source.clone(), fundamental, asked_at: at }],
            at,
            ..Batch::default()
        };
        spool.push(&whole).await.unwrap();
        assert_eq!((spool.held().rows, whole.len(), whole.is_empty()), (4, 4, false));
        assert_eq!(spool.oldest(100).await.unwrap().expect("it waits").batch, whole);
        let (first, second) = whole.clone().halves().expect("there are two halves");
        let mut again = first;
        again.merge(second);
        assert_eq!(again, whole);
    }

    /// What a batch was before it had fields for these rows.
    #[derive(serde::Serialize)]
    struct Older {
        quotes: Vec<QuoteRow>,
        at: Timestamp,
    }

    #[test]
    fn a_batch_of_an_older_version_can_be_read() {
        let Batch { quotes, at, .. } = batch(1);
        let body = rmp_serde::to_vec_named(&Older { quotes, at }).unwrap();
        assert_eq!(rmp_serde::from_slice::<Batch>(&body).unwrap(), batch(1));
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_set_aside_and_the_rest_comes_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("spool.db");
        let mut spool = Spool::open(&path, "one", 1 << 20).unwrap();
        for n in 1..=3 {
            spool.push(&batch(n)).await.unwrap();
        }
        Connection::open(&path).unwrap().execute("UPDATE batches SET body = x'00' WHERE id = 2", []).unwrap();
        let bundle = spool.oldest(100).await.unwrap().expect("two are whole");
        assert_eq!(bundle.batch.quotes, [batch(1), batch(3)].map(|batch| batch.quotes[0].clone()));
        assert_eq!((spool.held().rows, spool.held().since), (2, Some(Timestamp::from_seconds(1))));
        spool.forget(&bundle).await.unwrap();
        assert_eq!((spool.held(), spool.oldest(100).await.unwrap()), (Held::default(), None));
        let aside: i64 = Connection::open(&path).unwrap().query_row("SELECT count(*) FROM aside", [], |row| row.get(0)).unwrap();
        assert_eq!(aside, 1);
        let error = Spool::open(&path, "other", 1 << 20).expect_err("its numbers mean others").to_string();
        assert!(error.contains("another store"), "{error}");
    }
}
