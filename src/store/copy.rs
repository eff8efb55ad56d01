//! One store into another: every table in the order of its key, so that a copy that was stopped goes on where it was.

use std::collections::BTreeMap;

use futures_util::TryStreamExt;
use futures_util::stream::BoxStream;
use thiserror::Error;

use crate::store::contract::Store;
use crate::store::digest::{Digester, Digests, TableDigest};
use crate::store::error::StoreError;
use crate::store::table::{Row, TABLES, TableSpec};

/// What a store says of itself while it is being filled: from what.
pub const COPYING: &str = "copying_from";
/// Rows in one transaction.
const BATCH: usize = 50_000;

/// How far a copy, a backup or a restore is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CopyProgress {
    pub doing: &'static str,
    /// A table, or `pages`.
    pub what: &'static str,
    pub done: u64,
    /// 0 when it is not known.
    pub total: u64,
}

/// Who is told how far it is.
pub type Tell<'a> = &'a mut (dyn FnMut(CopyProgress) + Send);

/// What was copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyReport {
    /// As both stores have them.
    pub tables: Digests,
    /// Whether a copy that was stopped was brought to its end.
    pub went_on: bool,
}

/// Why a copy was not made.
#[derive(Debug, Error)]
pub enum CopyError {
    #[error("{0} is the source and the target")]
    Same(String),
    #[error("{0} is not empty: a copy goes into a store that nothing was written into")]
    NotEmpty(String),
    #[error("a copy of another store into {0} was begun and not finished: run that one again, or take an empty store")]
    OtherCopy(String),
    #[error("the table {table} of {name} is not what it should be ({found}; wanted {wanted}): take an empty store and begin again")]
    Differs { name: String, table: String, found: TableDigest, wanted: TableDigest },
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl CopyReport {
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.tables.values().map(|table| table.rows).sum()
    }
}

/// Copies every table, and reads both stores to see that they are the same. The mark is taken off only then. No engine may record
/// into either meanwhile.
pub async fn copy(source: &dyn Store, target: &dyn Store, tell: Tell<'_>) -> Result<CopyReport, CopyError> {
    let id = source.about("id").await?.unwrap_or_else(|| source.name());
    if source.about(COPYING).await?.is_some() {
        return Err(StoreError::HalfCopied(source.name()).into());
    }
    if target.about("id").await?.as_ref() == Some(&id) {
        return Err(CopyError::Same(target.name()));
    }
    // What is read must not change, and nobody else may fill the target.
    let _claims = (source.claim().await?, target.claim().await?);
    let went_on = begin(target, &id).await?;
    let mut meter = Meter::new("copying", counted(source).await, tell);
    let tables = if went_on {
        meter.done = counted(target).await;
        go_on(source, target, &mut meter).await?
    } else {
        fill(|table| source.rows(table, None), target, &mut meter).await?
    };
    verify(target, &tables, &mut meter).await?;
    target.set_about(COPYING, None).await?;
    Ok(CopyReport { tables, went_on })
}

/// Marks an empty target; whether it bears this mark already.
async fn begin(target: &dyn Store, mark: &str) -> Result<bool, CopyError> {
    match target.about(COPYING).await? {
        Some(found) if found == mark => Ok(true),
        Some(_) => Err(CopyError::OtherCopy(target.name())),
        None if is_empty(target).await? => {
            target.set_about(COPYING, Some(mark.to_owned())).await?;
            Ok(false)
        }
        None => Err(CopyError::NotEmpty(target.name())),
    }
}

/// Copies what comes after the last rows of the target. What is before was read at another time, so the source is read once more.
async fn go_on(source: &dyn Store, target: &dyn Store, meter: &mut Meter<'_>) -> Result<Digests, CopyError> {
    let mut last: BTreeMap<&str, Option<Row>> = BTreeMap::new();
    for table in TABLES {
        last.insert(table.name, target.last_key(table).await?);
    }
    fill(|table| source.rows(table, last.get(table.name).cloned().flatten()), target, meter).await?;
    meter.next("reading", meter.done);
    digests(|table| source.rows(table, None), meter).await
}

/// Whether no table has a row.
pub(crate) async fn is_empty(store: &dyn Store) -> Result<bool, StoreError> {
    for table in TABLES {
        if store.last_key(table).await?.is_some() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// About how many rows there are: the smaller tables are not counted. It is for the eye, so not knowing is no failure.
pub(crate) async fn counted(store: &dyn Store) -> u64 {
    store.status().await.map_or(0, |status| status.bars + status.quarantined + status.violations)
}

/// One table's rows on their way.
pub(crate) type Rows<'a> = BoxStream<'a, Result<Vec<Row>, StoreError>>;

/// Writes what `rows` says of each table into the target; the answer is what was read.
pub(crate) async fn fill<'a, F>(rows: F, target: &dyn Store, meter: &mut Meter<'_>) -> Result<Digests, CopyError>
where
    F: Fn(&'static TableSpec) -> Rows<'a>,
{
    let mut tables = Digests::new();
    for table in TABLES {
        let mut digester = Digester::new(table);
        let (mut chunks, mut batch) = (rows(table), Vec::new());
        while let Some(mut chunk) = chunks.try_next().await? {
            digester.add(&chunk);
            if batch.len() + chunk.len() > BATCH && !batch.is_empty() {
                put(table, &mut batch, target, meter).await?;
            }
            batch.append(&mut chunk);
        }
        put(table, &mut batch, target, meter).await?;
        tables.insert(table.name.to_owned(), digester.finish());
    }
    Ok(tables)
}

async fn put(table: &'static TableSpec, batch: &mut Vec<Row>, target: &dyn Store, meter: &mut Meter<'_>) -> Result<(), StoreError> {
    if batch.is_empty() {
        return Ok(());
    }
    let count = batch.len();
    target.put(table, std::mem::take(batch)).await?;
    meter.add(table.name, count);
    Ok(())
}

/// The digests of what `rows` says of each table.
pub(crate) async fn digests<'a, F>(rows: F, meter: &mut Meter<'_>) -> Result<Digests, CopyError>
where
    F: Fn(&'static TableSpec) -> Rows<'a>,
{
    let mut tables = Digests::new();
    for table in TABLES {
        let mut digester = Digester::new(table);
        let mut chunks = rows(table);
        while let Some(chunk) = chunks.try_next().await? {
            digester.add(&chunk);
            meter.add(table.name, chunk.len());
        }
        tables.insert(table.name.to_owned(), digester.finish());
    }
    Ok(tables)
}

/// Reads the target and holds it against what was copied.
pub(crate) async fn verify(target: &dyn Store, wanted: &Digests, meter: &mut Meter<'_>) -> Result<(), CopyError> {
    meter.next("checking", wanted.values().map(|table| table.rows).sum());
    let found = digests(|table| target.rows(table, None), meter).await?;
    compare(&target.name(), &found, wanted)
}

/// The first table that is not as it should be; one that is not named in `wanted` may hold anything.
pub(crate) fn compare(name: &str, found: &Digests, wanted: &Digests) -> Result<(), CopyError> {
    for (table, found) in found {
        if let Some(wanted) = wanted.get(table).filter(|wanted| *wanted != found) {
            let (name, table) = (name.to_owned(), table.clone());
            return Err(CopyError::Differs { name, table, found: found.clone(), wanted: wanted.clone() });
        }
    }
    Ok(())
}

/// Counts what is done and tells of it.
pub(crate) struct Meter<'a> {
    doing: &'static str,
    done: u64,
    total: u64,
    tell: Tell<'a>,
}

impl<'a> Meter<'a> {
    pub(crate) fn new(doing: &'static str, total: u64, tell: Tell<'a>) -> Self {
        Self { doing, done: 0, total, tell }
    }

    /// The next part of the work begins.
    pub(crate) fn next(&mut self, doing: &'static str, total: u64) {
        (self.doing, self.done, self.total) = (doing, 0, total);
    }

    pub(crate) fn add(&mut self, what: &'static str, count: usize) {
        self.at(what, self.done + count as u64, self.total);
    }

    /// So much is done of so much.
    pub(crate) fn at(&mut self, what: &'static str, done: u64, total: u64) {
        (self.done, self.total) = (done, if total == 0 { 0 } else { total.max(done) });
        (self.tell)(CopyProgress { doing: self.doing, what, done: self.done, total: self.total });
    }
}
