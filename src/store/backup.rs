//! Backups: one file with a whole store in it, and beside it one that says what is in there.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::task::spawn_blocking;

use crate::config::{PostgresUrl, StoreUrl};
use crate::host::expand_home;
use crate::market::Timestamp;
use crate::pipeline::Ranks;
use crate::store::contract::{Creation, Store};
use crate::store::copy::{COPYING, CopyError, Meter, Tell, compare, counted, digests};
use crate::store::digest::Digests;
use crate::store::error::StoreError;
use crate::store::postgres::{Dumper, has_tool, prove};
use crate::store::sqlite::{Archive, Sqlite, copy_pages};

/// What stands beside a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    pub made_at: String,
    /// Of the store that was backed up.
    pub engine: String,
    pub kind: BackupKind,
    pub schema: u32,
    /// The store's id.
    pub store: String,
    pub file: String,
    pub bytes: u64,
    /// Of the file, in hexadecimal.
    pub sha256: String,
    pub tables: Digests,
}

/// What kind of file a backup is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BackupKind {
    Sqlite,
    PgDump,
}

/// How a store is written into a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BackupWay {
    /// Page by page, from SQLite.
    Pages,
    PgDump,
    /// Row by row from PostgreSQL into a SQLite file, because of what is said here.
    Rows(String),
}

/// A backup that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backup {
    pub path: PathBuf,
    pub manifest: Manifest,
}

/// What is wanted.
#[derive(Clone, Copy, Debug)]
pub struct BackupOrder<'a> {
    pub url: &'a StoreUrl,
    pub folder: &'a Path,
    pub at: Timestamp,
}

impl fmt::Display for BackupWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pages => f.write_str("by SQLite's online backup"),
            Self::PgDump => f.write_str("by pg_dump"),
            Self::Rows(reason) => write!(f, "as a SQLite file, row by row: {reason}"),
        }
    }
}

impl BackupKind {
    fn extension(self) -> &'static str {
        match self {
            Self::Sqlite => "db",
            Self::PgDump => "dump",
        }
    }
}

impl Manifest {
    /// What stands beside `file`; `None` when nothing does.
    pub fn beside(file: &Path) -> Result<Option<Self>, StoreError> {
        let path = file.with_extension("json");
        let text = match fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            read => read.map_err(|e| failed("read", &path, &e))?,
        };
        serde_json::from_slice(&text).map(Some).map_err(|e| failed("read", &path, &io::Error::other(e)))
    }
}

/// How a store can be backed up here.
pub async fn backup_way(url: &StoreUrl) -> Result<BackupWay, StoreError> {
    Ok(match url {
        StoreUrl::Sqlite(_) => BackupWay::Pages,
        StoreUrl::Postgres(url) => Dumper::new(url)?.hindrance().await?.map_or(BackupWay::PgDump, BackupWay::Rows),
    })
}

/// Writes a whole store into a file, whoever writes into the store meanwhile. The file gets its name when it was read back.
pub async fn back_up(store: &dyn Store, order: &BackupOrder<'_>, way: &BackupWay, tell: Tell<'_>) -> Result<Backup, CopyError> {
    if store.about(COPYING).await?.is_some() {
        return Err(StoreError::HalfCopied(store.name()).into());
    }
    let id = store.about("id").await?.unwrap_or_else(|| store.name());
    let draft = Draft::begin(order.folder, order.at)?;
    let meter = &mut Meter::new("backing up", 0, tell);
    let (kind, schema, tables) = match order.url {
        StoreUrl::Sqlite(path) => {
            copy_pages(&expand_home(path), &draft.part(), meter).await?;
            let (schema, tables) = read_back(&draft.part(), meter).await?;
            (BackupKind::Sqlite, schema, tables)
        }
        StoreUrl::Postgres(url) if *way == BackupWay::PgDump => dump(url, &draft, meter).await?,
        StoreUrl::Postgres(url) => by_rows(store, url, &draft, meter).await?,
    };
    let (bytes, sha256) = checksum(&draft.part()).await?;
    let engine = match order.url {
        StoreUrl::Sqlite(_) => "sqlite",
        StoreUrl::Postgres(_) => "postgres",
    };
    let manifest = Manifest {
        made_at: order.at.to_string(),
        engine: engine.to_owned(),
        kind,
        schema,
        store: id,
        file: format!("{}.{}", draft.stem, kind.extension()),
        bytes,
        sha256,
        tables,
    };
    let path = draft.finish(&manifest)?;
    Ok(Backup { path, manifest })
}

/// What a file holds: its kind, its schema, its tables.
type Written = (BackupKind, u32, Digests);

async fn dump(url: &PostgresUrl, draft: &Draft, meter: &mut Meter<'_>) -> Result<Written, CopyError> {
    let dumper = Dumper::new(url)?;
    let schema = dumper.schema().await?.unwrap_or(0);
    let tables = dumper.dump(&draft.part(), meter).await?;
    if has_tool("pg_restore") {
        prove(&draft.part()).await?;
    }
    Ok((BackupKind::PgDump, schema, tables))
}

/// Into a store of its own first, and from there into one file: what SQLite keeps beside a store does not belong to a backup.
async fn by_rows(store: &dyn Store, url: &PostgresUrl, draft: &Draft, meter: &mut Meter<'_>) -> Result<Written, CopyError> {
    let work = draft.work();
    let target = Sqlite::open(&work, Creation::IfEmpty, Ranks::default())?;
    meter.next("backing up", counted(store).await);
    let wanted = Dumper::new(url)?.spill(&target, meter).await?;
    drop(target);
    meter.next("backing up", 0);
    copy_pages(&work, &draft.part(), meter).await?;
    let (schema, tables) = read_back(&draft.part(), meter).await?;
    compare(&draft.part().display().to_string(), &tables, &wanted)?;
    Ok((BackupKind::Sqlite, schema, tables))
}

/// A file that cannot be read is no backup, however well it was written.
async fn read_back(part: &Path, meter: &mut Meter<'_>) -> Result<(u32, Digests), CopyError> {
    let archive = Archive::open(part)?;
    if let Some(damage) = archive.check().await?.into_iter().next() {
        let name = part.display().to_string();
        return Err(StoreError::Engine { doing: "vouch for", name, message: format!("{damage}; 'openbell db check' says more") }.into());
    }
    meter.next("reading back", 0);
    let tables = digests(|table| archive.rows(table), meter).await?;
    Ok((archive.schema().await?.unwrap_or(0), tables))
}

/// Deletes the oldest backups of a store, but for the newest `keep`; the answer is what was deleted.
pub fn keep_newest(folder: &Path, store: &str, keep: usize) -> Result<Vec<PathBuf>, StoreError> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(|e| failed("look into", folder, &e))? {
        let sidecar = entry.map_err(|e| failed("look into", folder, &e))?.path();
        found.extend(backup_of(&sidecar, store).map(|file| (file, sidecar)));
    }
    // Their names tell their age.
    found.sort();
    found.truncate(found.len().saturating_sub(keep));
    for (file, sidecar) in &found {
        // The sidecar last: a file without one is nobody's, and would stay for ever.
        fs::remove_file(file).map_err(|e| failed("delete", file, &e))?;
        fs::remove_file(sidecar).map_err(|e| failed("delete", sidecar, &e))?;
    }
    Ok(found.into_iter().map(|(file, _)| file).collect())
}

/// The backup that a sidecar stands beside, if it is one of this store.
fn backup_of(sidecar: &Path, store: &str) -> Option<PathBuf> {
    if !sidecar.file_stem()?.to_str()?.starts_with(PREFIX) || sidecar.extension()? != "json" {
        return None;
    }
    let manifest: Manifest = serde_json::from_slice(&fs::read(sidecar).ok()?).ok()?;
    let file = sidecar.with_extension(manifest.kind.extension());
    // What a sidecar says is no reason to delete anything else.
    let beside = file.file_name()?.to_str()? == manifest.file;
    (beside && manifest.store == store && file.is_file()).then_some(file)
}

/// Bytes and SHA-256 of a file.
pub(crate) async fn checksum(path: &Path) -> Result<(u64, String), StoreError> {
    let owned = path.to_owned();
    let work = spawn_blocking(move || {
        let mut hasher = Sha256::new();
        let bytes = io::copy(&mut File::open(owned)?, &mut hasher)?;
        Ok::<_, io::Error>((bytes, format!("{:x}", hasher.finalize())))
    });
    work.await.map_err(io::Error::other).flatten().map_err(|e| failed("read", path, &e))
}

/// An error of the system in the store's words.
pub(crate) fn failed(doing: &'static str, path: &Path, error: &io::Error) -> StoreError {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => StoreError::Full(path.display().to_string()),
        _ => StoreError::Engine { doing, name: path.display().to_string(), message: error.to_string() },
    }
}

const PREFIX: &str = "openbell-";

/// A backup in the making: what it leaves behind has no name that anybody would take for a backup's.
struct Draft {
    folder: PathBuf,
    stem: String,
}

/// What backups that were killed left behind is deleted after a day; while one is at work its file is younger.
fn forget_the_dead(folder: &Path, now: Timestamp) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let ours =
            name.strip_prefix('.').is_some_and(|name| name.starts_with(PREFIX) && (name.contains(".part") || name.contains(".work")));
        let changed = entry.metadata().and_then(|meta| meta.modified()).ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        if ours && changed.is_some_and(|time| now.since(Timestamp::from_seconds(0)) > time + DAY) {
            // Whoever may not delete it can still make a backup.
            let _ = fs::remove_file(entry.path());
        }
    }
}

const DAY: Duration = Duration::from_secs(86_400);

impl Draft {
    /// Takes the name of this second, or of the next that is free: another backup may be at work in the same folder.
    fn begin(folder: &Path, mut at: Timestamp) -> Result<Self, StoreError> {
        fs::create_dir_all(folder).map_err(|e| failed("make", folder, &e))?;
        forget_the_dead(folder, at);
        loop {
            let stem = format!("{PREFIX}{}", at.format("%Y%m%dT%H%M%SZ"));
            let path = folder.join(format!(".{stem}.part"));
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(_) => {
                    let draft = Self { folder: folder.to_owned(), stem };
                    // Looked for only now: whoever had this name before gave its file the last name first.
                    if ["db", "dump", "json"].iter().all(|extension| !draft.path(extension).exists()) {
                        return Ok(draft);
                    }
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(failed("write", &path, &error)),
            }
            at = at + Duration::from_secs(1);
        }
    }

    fn path(&self, extension: &str) -> PathBuf {
        self.folder.join(format!("{}.{extension}", self.stem))
    }

    fn hidden(&self, ending: &str) -> PathBuf {
        self.folder.join(format!(".{}.{ending}", self.stem))
    }

    fn part(&self) -> PathBuf {
        self.hidden("part")
    }

    fn work(&self) -> PathBuf {
        self.hidden("work")
    }

    /// Gives both files their names, that of the backup last: where it is, all of it is.
    fn finish(&self, manifest: &Manifest) -> Result<PathBuf, StoreError> {
        let (part, sidecar) = (self.hidden("json"), self.path("json"));
        let (text, path) = (serde_json::to_vec_pretty(manifest).map_err(io::Error::other), self.path(manifest.kind.extension()));
        let written = text.and_then(|text| {
            let mut file = File::create(&part)?;
            file.write_all(&text).and_then(|()| file.write_all(b"\n")).and_then(|()| file.sync_all())
        });
        written.map_err(|e| failed("write", &part, &e))?;
        let synced = OpenOptions::new().write(true).open(self.part()).and_then(|file| file.sync_all());
        synced.map_err(|e| failed("write", &path, &e))?;
        fs::rename(&part, &sidecar).map_err(|e| failed("write", &sidecar, &e))?;
        if let Err(error) = fs::rename(self.part(), &path) {
            let _ = fs::remove_file(&sidecar);
            return Err(failed("write", &path, &error));
        }
        // Where a folder cannot be synchronised, its names are safe by themselves or not at all.
        let _ = File::open(&self.folder).and_then(|folder| folder.sync_all());
        Ok(path)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // Whatever has its last name is not found under these any more.
        for ending in ["part", "part-journal", "part-wal", "part-shm", "work", "work-wal", "work-shm", "json"] {
            let _ = fs::remove_file(self.hidden(ending));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_backups_in_one_second_have_two_names() {
        let folder = tempfile::TempDir::new().unwrap();
        let at = "2026-11-21T06:04:59Z".parse().unwrap();
        let (one, other) = (Draft::begin(folder.path(), at).unwrap(), Draft::begin(folder.path(), at).unwrap());
        assert_eq!((one.stem.as_str(), other.stem.as_str()), ("openbell-20261121T060459Z", "openbell-20261121T060500Z"));
        drop((one, other));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left of them");
        fs::write(folder.path().join("openbell-20261121T060459Z.dump"), "whole").unwrap();
        assert_eq!(Draft::begin(folder.path(), at).unwrap().stem, "openbell-20261121T060500Z");
    }
}
