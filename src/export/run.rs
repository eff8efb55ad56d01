//! One export: rows from the store into a file that is there whole or not at all.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use futures_util::StreamExt;

use crate::export::FORMATS;
use crate::export::contract::{Format, Value};
use crate::export::rows::{BARS, Describe, QUARANTINE, VIOLATIONS, bar_row, quarantine_row, violation_row};
use crate::host::expand_home;
use crate::market::{Instrument, Timestamp};
use crate::request::{ExportAsk, Table};
use crate::store::{BarQuery, RecordQuery, Store};

/// What was written, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    pub path: PathBuf,
    pub rows: u64,
}

/// Writes what is asked for; the file gets its name when it is whole.
pub async fn export(store: &dyn Store, ask: &ExportAsk) -> Result<Exported> {
    let path = place(&ask.path)?;
    let known = store.instruments().await.context("load the instruments")?;
    let mut chosen = Vec::new();
    for symbol in &ask.symbols {
        let Some(instrument) = known.iter().find(|instrument| instrument.symbol == *symbol) else { bail!("{symbol} is not in the store") };
        chosen.push(instrument.clone());
    }
    if ask.symbols.is_empty() {
        chosen.clone_from(&known);
    }
    let unfinished = Unfinished(path.with_added_extension("part"));
    let file = File::create(&unfinished.0).with_context(|| format!("make {}", unfinished.0.display()))?;
    let mut out = Out { file: BufWriter::new(file), rows: 0, format: open_format(ask) };
    write(store, ask, &chosen, &Describe::new(known), &mut out).await?;
    finish(out.file, &unfinished.0, &path)?;
    Ok(Exported { path, rows: out.rows })
}

/// Where the file goes: behind a link, what it leads to. A device or a pipe would be replaced by a file.
fn place(path: &Path) -> Result<PathBuf> {
    let path = std::path::absolute(expand_home(path)).context("find the folder")?;
    match std::fs::metadata(&path) {
        Ok(there) if !there.is_file() => bail!("{} is no file: an export goes into one", path.display()),
        Ok(_) => path.canonicalize().with_context(|| format!("find {}", path.display())),
        Err(_) => Ok(path),
    }
}

/// Half a file under any name would be taken for a whole one: it goes, whatever ended the work.
struct Unfinished(PathBuf);

impl Drop for Unfinished {
    fn drop(&mut self) {
        // Once it has its name there is nothing left to remove.
        let _ = std::fs::remove_file(&self.0);
    }
}

struct Out {
    file: BufWriter<File>,
    rows: u64,
    format: Box<dyn Format>,
}

impl Out {
    fn row(&mut self, values: &[Value]) -> Result<()> {
        self.rows += 1;
        self.format.row(&mut self.file, values).context("write the export")
    }
}

fn open_format(ask: &ExportAsk) -> Box<dyn Format> {
    let spec = FORMATS.iter().find(|spec| spec.format == ask.format).expect("every format is in the list: a test holds it");
    let columns = match ask.table {
        Table::Bars => BARS,
        Table::Violations => VIOLATIONS,
        Table::Quarantine => QUARANTINE,
    };
    (spec.new)(columns)
}

async fn write(store: &dyn Store, ask: &ExportAsk, chosen: &[Instrument], names: &Describe, out: &mut Out) -> Result<()> {
    out.format.begin(&mut out.file).context("write the export")?;
    let records = RecordQuery {
        instruments: if ask.symbols.is_empty() { Vec::new() } else { chosen.iter().map(|instrument| instrument.id).collect() },
        from: ask.from,
        to: ask.to,
    };
    match ask.table {
        Table::Bars => write_bars(store, ask, chosen, names, out).await?,
        Table::Violations => store.violations(records).await?.iter().try_for_each(|row| out.row(&violation_row(row, names)))?,
        Table::Quarantine => store.quarantine(records).await?.iter().try_for_each(|row| out.row(&quarantine_row(row, names)))?,
    }
    Ok(())
}

async fn write_bars(store: &dyn Store, ask: &ExportAsk, chosen: &[Instrument], names: &Describe, out: &mut Out) -> Result<()> {
    for instrument in chosen {
        let all = BarQuery::all(instrument.id, ask.interval);
        let query = BarQuery { from: ask.from.unwrap_or(Timestamp::MIN), to: ask.to.unwrap_or(Timestamp::MAX), ..all };
        let mut chunks = store.bars(query);
        while let Some(chunk) = chunks.next().await {
            chunk?.iter().try_for_each(|bar| out.row(&bar_row(bar, names)))?;
        }
    }
    Ok(())
}

fn finish(file: BufWriter<File>, unfinished: &Path, path: &Path) -> Result<()> {
    let mut file =
        file.into_inner().map_err(std::io::IntoInnerError::into_error).with_context(|| format!("write {}", unfinished.display()))?;
    file.flush().and_then(|()| file.sync_all()).with_context(|| format!("write {}", unfinished.display()))?;
    std::fs::rename(unfinished, path).with_context(|| format!("give {} its name", path.display()))
}
