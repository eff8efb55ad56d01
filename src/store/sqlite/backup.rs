//! Every page of a store into another file, while an engine writes; and reading such a file without changing it.

use std::path::Path;

use futures_util::stream::BoxStream;
use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use crate::store::copy::Meter;
use crate::store::error::StoreError;
use crate::store::sqlite::open::{explain, known_schema, open_reader, schema};
use crate::store::sqlite::thread::{CHUNK, ConnectionThread};
use crate::store::sqlite::{read, rows};
use crate::store::table::{Row, TableSpec};

/// Pages between two words on how far it is.
const STEP: i32 = 1_024;

/// Copies the store at `from`, as it is at this moment, into the file `to`, which then stands alone.
pub(crate) async fn copy_pages(from: &Path, to: &Path, meter: &mut Meter<'_>) -> Result<(), StoreError> {
    let name = to.display().to_string();
    let (from, to) = (from.to_owned(), to.to_owned());
    let (steps, mut told) = mpsc::channel(4);
    // Nobody listens any more when the backup was cancelled: then it is not brought to its end.
    let work = spawn_blocking(move || pages(&from, &to, |done, total| steps.blocking_send((done, total)).is_ok()));
    while let Some((done, total)) = told.recv().await {
        meter.at("pages", done, total);
    }
    work.await.map_err(|e| StoreError::Engine { doing: "write", name, message: e.to_string() })?
}

fn pages(from: &Path, to: &Path, mut tell: impl FnMut(u64, u64) -> bool) -> Result<(), StoreError> {
    // It is a folder that gets full.
    let name = to.parent().unwrap_or(to).display().to_string();
    let failed = |e| explain("write a backup into", &name, &e);
    let source = open_reader(from)?;
    // One read transaction from the first page to the last: an engine that writes meanwhile neither waits nor begins this anew.
    source
        .execute_batch("BEGIN")
        .and_then(|()| source.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())))
        .map_err(|e| explain("read", &from.display().to_string(), &e))?;
    let mut copy = Connection::open(to).map_err(failed)?;
    // Half a file is thrown away, and a whole one is synchronised once: no journal is needed.
    copy.execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF").map_err(failed)?;
    let backup = Backup::new(&source, &mut copy).map_err(failed)?;
    loop {
        match backup.step(STEP).map_err(failed)? {
            StepResult::Done => break,
            StepResult::More => {}
            _ => return Err(StoreError::Locked(name.clone())),
        }
        let progress = backup.progress();
        let pages = |count: i32| u64::try_from(count).unwrap_or(0);
        if !tell(pages(progress.pagecount - progress.remaining), pages(progress.pagecount)) {
            return Err(StoreError::Closed);
        }
    }
    drop(backup);
    // The store keeps a log beside it, and says so on its first page; a backup is one file.
    copy.pragma_update(None, "journal_mode", "DELETE").map_err(failed)?;
    copy.close().map_err(|(_, e)| failed(e))
}

/// A store in a file that is only read.
pub(crate) struct Archive {
    name: String,
    reader: ConnectionThread,
}

impl Archive {
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        let name = path.display().to_string();
        let reader = ConnectionThread::start("archive", open_reader(path)?);
        let reader = reader.map_err(|e| StoreError::Engine { doing: "start a thread for", name: name.clone(), message: e.to_string() })?;
        Ok(Self { name, reader })
    }

    /// Its schema; `None` when it has no tables of ours.
    pub(crate) async fn schema(&self) -> Result<Option<u32>, StoreError> {
        self.ask(schema).await
    }

    /// The newest schema this program knows.
    pub(crate) fn known_schema() -> u32 {
        known_schema()
    }

    /// Reads all of it for damage.
    pub(crate) async fn check(&self) -> Result<Vec<String>, StoreError> {
        self.ask(read::check).await
    }

    /// What it says of itself.
    pub(crate) async fn about(&self, key: &'static str) -> Result<Option<String>, StoreError> {
        self.ask(move |connection| rows::about(connection, key)).await
    }

    async fn ask<T, F>(&self, question: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let name = self.name.clone();
        self.reader.ask(move |connection| question(connection).map_err(|e| explain("read", &name, &e))).await
    }

    /// The rows of a table in the order of its key, streamed.
    pub(crate) fn rows(&self, table: &'static TableSpec) -> BoxStream<'_, Result<Vec<Row>, StoreError>> {
        self.reader.streamed(self.name.clone(), move |connection, take| rows::rows(connection, table, None, CHUNK, take))
    }
}
