//! Opening a file: everything is checked before anything is written.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::host::Clock;
use crate::store::contract::Creation;
use crate::store::error::StoreError;

mod embedded {
    refinery::embed_migrations!("src/store/sqlite/migrations");
}

/// How long a statement waits for another process.
const BUSY: Duration = Duration::from_secs(5);
const AGAIN: Duration = Duration::from_millis(20);

/// Checks the file, makes or migrates the tables, and opens a connection that writes.
pub(crate) fn open_writer(path: &Path, creation: Creation) -> Result<Connection, StoreError> {
    let name = path.display().to_string();
    if path.exists() {
        check_before_writing(path, creation, &name)?;
    } else if creation == Creation::Never {
        return Err(StoreError::Missing(name));
    } else if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(|e| StoreError::Engine {
            doing: "make the folder of",
            name: name.clone(),
            message: e.to_string(),
        })?;
    }
    // SQLite itself does not wait for a file that another process makes into a store in this moment.
    let clock = Clock::system();
    let until = clock.now() + BUSY;
    loop {
        match make_ready(path, &name) {
            Err(StoreError::Locked(_)) if clock.now() < until => std::thread::sleep(AGAIN),
            made => return made,
        }
    }
}

fn make_ready(path: &Path, name: &str) -> Result<Connection, StoreError> {
    let failed = |e| explain("open", name, &e);
    let mut connection = Connection::open(path).map_err(failed)?;
    connection.busy_timeout(BUSY).map_err(failed)?;
    if connection.is_readonly("main").map_err(failed)? {
        return Err(StoreError::ReadOnly(name.to_owned()));
    }
    connection.pragma_update(None, "journal_mode", "WAL").map_err(failed)?;
    connection.execute_batch("PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON; PRAGMA cache_size = -8000; PRAGMA mmap_size = 0; PRAGMA wal_autocheckpoint = 16000;").map_err(failed)?;
    migrate(&mut connection, name)?;
    Ok(connection)
}

/// Opens one more connection, to read.
pub(crate) fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    let name = path.display().to_string();
    let failed = |e| explain("read", &name, &e);
    let connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(failed)?;
    connection.busy_timeout(BUSY).map_err(failed)?;
    connection.execute_batch("PRAGMA cache_size = -8000; PRAGMA mmap_size = 0; PRAGMA query_only = ON;").map_err(failed)?;
    Ok(connection)
}

/// The newest schema this program knows.
pub(crate) fn known_schema() -> u32 {
    let newest = embedded::migrations::runner().get_migrations().iter().map(refinery::Migration::version).max();
    newest.and_then(|version| u32::try_from(version).ok()).unwrap_or(0)
}

/// The schema of a store; `None` when it has no tables of ours.
pub(crate) fn schema(connection: &Connection) -> rusqlite::Result<Option<u32>> {
    let ours = connection.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'refinery_schema_history'")?.exists([])?;
    if !ours {
        return Ok(None);
    }
    // A history without a line is that of a store whose making was cut short, or is under way.
    let newest: u32 = connection.query_row("SELECT ifnull(max(version), 0) FROM refinery_schema_history", [], |row| row.get(0))?;
    // Other programs may keep a history by the same means.
    let ours = newest == 0 || connection.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'bars'")?.exists([])?;
    Ok(ours.then_some(newest))
}

fn check_before_writing(path: &Path, creation: Creation, name: &str) -> Result<(), StoreError> {
    let failed = |e| explain("open", name, &e);
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(failed)?;
    connection.busy_timeout(BUSY).map_err(failed)?;
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(failed)?;
    match schema(&connection).map_err(failed)? {
        Some(found) if found > known_schema() => Err(StoreError::Newer { name: name.to_owned(), found, known: known_schema() }),
        None if tables > 0 && creation != Creation::Always => Err(StoreError::Foreign(name.to_owned())),
        None if creation == Creation::Never => Err(StoreError::Missing(name.to_owned())),
        Some(_) | None => Ok(()),
    }
}

fn migrate(connection: &mut Connection, name: &str) -> Result<(), StoreError> {
    let current = schema(connection).map_err(|e| explain("read", name, &e))?;
    if current == Some(known_schema()) {
        return Ok(());
    }
    let Err(error) = embedded::migrations::runner().set_grouped(true).run(connection) else { return Ok(()) };
    // Another process may have been faster: then all is well.
    if schema(connection).map_err(|e| explain("read", name, &e))? == Some(known_schema()) {
        return Ok(());
    }
    // Nothing was made: nothing is left that looks as if something had been.
    if schema(connection).is_ok_and(|schema| schema == Some(0)) {
        let _ = connection.execute_batch("DROP TABLE refinery_schema_history");
    }
    Err(StoreError::Engine { doing: "make the tables of", name: name.to_owned(), message: error.to_string() })
}

/// An error of SQLite in our words.
pub(crate) fn explain(doing: &'static str, name: &str, error: &rusqlite::Error) -> StoreError {
    let name = name.to_owned();
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => StoreError::NotADatabase(name),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Locked(name),
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => StoreError::ReadOnly(name),
        Some(ErrorCode::DiskFull) => StoreError::Full(name),
        Some(ErrorCode::ConstraintViolation) => StoreError::Unfit { name, message: error.to_string() },
        _ => StoreError::Engine { doing, name, message: error.to_string() },
    }
}
