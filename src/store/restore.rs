//! A backup into a store. Nothing is touched before the file has proven whole, and nothing counts as done before the store was
//! read and found to hold what was backed up.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use crate::config::{PostgresUrl, StoreUrl};
use crate::host::expand_home;
use crate::pipeline::Ranks;
use crate::store::backup::{BackupKind, Manifest, checksum, failed};
use crate::store::contract::{Creation, Store};
use crate::store::copy::{COPYING, Meter, Tell, compare, digests, fill, is_empty, verify};
use crate::store::digest::Digests;
use crate::store::error::StoreError;
use crate::store::open::open;
use crate::store::postgres::{Dumper, has_tool, prove, schema_in};
use crate::store::sqlite::{Archive, Sqlite};

/// What is wanted.
#[derive(Clone, Debug)]
pub struct RestoreOrder<'a> {
    pub file: &'a Path,
    /// What stands beside the file; without it, the file must vouch for itself.
    pub manifest: Option<Manifest>,
    pub url: &'a StoreUrl,
    pub ranks: Ranks,
    pub occupied: Occupied,
}

/// What becomes of a store that is not empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occupied {
    Refuse,
    Replace,
}

/// A half restored store says so by this, and by which file.
const RESTORING: &str = "the backup ";

/// Restores a backup; the answer is what the store holds now.
pub async fn restore(order: &RestoreOrder<'_>, tell: Tell<'_>) -> Result<Digests> {
    let mut meter = Meter::new("restoring", order.manifest.as_ref().map_or(0, rows_of), tell);
    if let Some(manifest) = &order.manifest {
        check_file(order.file, manifest).await?;
    }
    let (tables, store) = match (kind_of(order.file)?, order.url) {
        (BackupKind::Sqlite, _) => {
            let archive = Readable::open(order).await?;
            from_rows(order, &archive, &mut meter).await?
        }
        (BackupKind::PgDump, StoreUrl::Postgres(url)) => from_dump(order, url, &mut meter).await?,
        (BackupKind::PgDump, StoreUrl::Sqlite(_)) => {
            bail!("{} was written by pg_dump: it can be restored into PostgreSQL only", order.file.display())
        }
    };
    if let Some(manifest) = &order.manifest {
        check_tables(&store.name(), manifest, known(manifest.kind), &tables)?;
    }
    // A store that was restored is a store of its own: what was spooled for the one it replaces does not fit into it.
    store.set_about("id", Some(format!("{:032x}", fastrand::u128(..)))).await?;
    store.set_about(COPYING, None).await?;
    Ok(tables)
}

fn rows_of(manifest: &Manifest) -> u64 {
    manifest.tables.values().map(|table| table.rows).sum()
}

fn known(kind: BackupKind) -> u32 {
    match kind {
        BackupKind::Sqlite => Archive::known_schema(),
        BackupKind::PgDump => Dumper::known_schema(),
    }
}

/// The file is the one that was written, to the last byte.
async fn check_file(file: &Path, manifest: &Manifest) -> Result<()> {
    let (bytes, sha256) = checksum(file).await?;
    ensure!(
        bytes == manifest.bytes && sha256 == manifest.sha256,
        "{} is damaged: it is not the file whose checksum is in {}; nothing was restored",
        file.display(),
        file.with_extension("json").display()
    );
    Ok(())
}

fn kind_of(file: &Path) -> Result<BackupKind> {
    let mut head = Vec::new();
    File::open(file).and_then(|file| file.take(16).read_to_end(&mut head)).map_err(|e| failed("read", file, &e))?;
    match &head[..] {
        b"SQLite format 3\0" => Ok(BackupKind::Sqlite),
        head if head.starts_with(b"PGDMP") => Ok(BackupKind::PgDump),
        _ => bail!("{} is no backup: neither a SQLite file nor one of pg_dump", file.display()),
    }
}

/// The tables' columns are those of this program only where the schema is the same; rows are neither made nor lost by a migration.
fn check_tables(name: &str, manifest: &Manifest, schema: u32, found: &Digests) -> Result<()> {
    if manifest.schema == schema {
        return Ok(compare(name, found, &manifest.tables)?);
    }
    for (table, wanted) in &manifest.tables {
        let rows = found.get(table).map_or(0, |found| found.rows);
        ensure!(rows == wanted.rows, "the table {table} of {name} has {rows} rows, and {} were backed up", wanted.rows);
    }
    Ok(())
}

/// A SQLite backup that has the columns of this program.
struct Readable {
    archive: Archive,
    /// Where it is brought up to date, when it is older.
    _upgraded: Option<Upgraded>,
}

impl Readable {
    async fn open(order: &RestoreOrder<'_>) -> Result<Self> {
        let file = order.file;
        let name = file.display().to_string();
        if let StoreUrl::Sqlite(path) = order.url {
            let same = fs::canonicalize(file).ok().is_some_and(|file| fs::canonicalize(expand_home(path)).ok() == Some(file));
            ensure!(!same, "{name} is the store itself");
        }
        let archive = Archive::open(file)?;
        let Some(found) = archive.schema().await? else { bail!("{name} holds no tables of ours") };
        let known = known(BackupKind::Sqlite);
        if found > known {
            return Err(StoreError::Newer { name, found, known }.into());
        }
        if order.manifest.is_none()
            && let Some(damage) = archive.check().await?.first()
        {
            bail!("{name} is damaged: {damage}; nothing was restored");
        }
        if found < known {
            let upgraded = Upgraded::make(file)?;
            return Ok(Self { archive: Archive::open(&upgraded.0)?, _upgraded: Some(upgraded) });
        }
        if archive.about(COPYING).await?.is_some() {
            return Err(StoreError::HalfCopied(name).into());
        }
        Ok(Self { archive, _upgraded: None })
    }
}

/// A copy of an older backup, with the tables of this program. The backup itself is never written to.
struct Upgraded(PathBuf);

impl Upgraded {
    fn make(file: &Path) -> Result<Self> {
        // Nobody can have put a file or a link there before us.
        let upgraded = Self(std::env::temp_dir().join(format!("openbell-restore-{:032x}.db", fastrand::u128(..))));
        let copied = File::create_new(&upgraded.0).and_then(|mut copy| std::io::copy(&mut File::open(file)?, &mut copy));
        copied.map_err(|e| failed("write", &upgraded.0, &e))?;
        Sqlite::open(&upgraded.0, Creation::Never, Ranks::default())?;
        Ok(upgraded)
    }

    fn remove(&self) {
        for ending in ["", "-wal", "-shm"] {
            let _ = fs::remove_file(format!("{}{ending}", self.0.display()));
        }
    }
}

impl Drop for Upgraded {
    fn drop(&mut self) {
        self.remove();
    }
}

type Restored = (Digests, std::sync::Arc<dyn Store>);

async fn from_rows(order: &RestoreOrder<'_>, readable: &Readable, meter: &mut Meter<'_>) -> Result<Restored> {
    let store = open(order.url, Creation::IfEmpty, order.ranks.clone()).await?;
    let _claim = store.claim().await?;
    make_room(&*store, order).await?;
    store.set_about(COPYING, Some(mark(order))).await?;
    let tables = fill(|table| readable.archive.rows(table), &*store, meter).await?;
    verify(&*store, &tables, meter).await?;
    Ok((tables, store))
}

fn mark(order: &RestoreOrder<'_>) -> String {
    format!("{RESTORING}{}", order.file.display())
}

/// Empties the store where that is allowed; one that a restore left half full may always be emptied.
async fn make_room(store: &dyn Store, order: &RestoreOrder<'_>) -> Result<()> {
    let half_restored = store.about(COPYING).await?.is_some_and(|from| from.starts_with(RESTORING));
    if half_restored || order.occupied == Occupied::Replace {
        return store.clear().await.context("empty the store");
    }
    ensure!(is_empty(store).await?, "{} is not empty: --replace gives up what is in it", store.name());
    Ok(())
}

async fn from_dump(order: &RestoreOrder<'_>, url: &PostgresUrl, meter: &mut Meter<'_>) -> Result<Restored> {
    let name = order.file.display().to_string();
    ensure!(has_tool("pg_restore"), "{name} was written by pg_dump: pg_restore is needed, and it is not on the path");
    prove(order.file).await.with_context(|| format!("{name} cannot be read from beginning to end; nothing was restored"))?;
    let Some(found) = schema_in(order.file).await? else { bail!("{name} holds no tables of ours") };
    let known = known(BackupKind::PgDump);
    if found > known {
        return Err(StoreError::Newer { name, found, known }.into());
    }
    let store = match open(order.url, Creation::IfEmpty, order.ranks.clone()).await {
        // What an earlier restore took away and did not put back.
        Err(StoreError::HalfCopied(_)) => open(order.url, Creation::Always, order.ranks.clone()).await?,
        opened => opened?,
    };
    let _claim = store.claim().await?;
    if order.occupied == Occupied::Refuse {
        make_room(&*store, order).await?;
    }
    Dumper::new(url)?.load(order.file).await.with_context(|| format!("{} may have no tables now: run this again", store.name()))?;
    let store = open(order.url, Creation::Never, order.ranks.clone()).await?;
    store.set_about(COPYING, Some(mark(order))).await?;
    meter.next("checking", order.manifest.as_ref().map_or(0, rows_of));
    let tables = digests(|table| store.rows(table, None), meter).await?;
    Ok((tables, store))
}
