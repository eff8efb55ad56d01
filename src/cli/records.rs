//! `openbell quarantine` and `openbell violations`: what was refused, and what is doubtful.

use anyhow::{Result, bail};
use clap::Args;

use crate::cli::exit::Done;
use crate::cli::output::{FormatArg, Rows};
use crate::cli::select::{RangeArgs, instruments, symbol};
use crate::cli::session::{Globals, Session, block_on};
use crate::export::{Describe, QUARANTINE, VIOLATIONS, quarantine_row, violation_row};
use crate::market::{Interval, Symbol};
use crate::request::Table;
use crate::store::{Creation, RecordQuery};

/// Whose rows, and when.
#[derive(Debug, Args)]
pub(crate) struct RecordArgs {
    /// Whose rows; all when none is named.
    #[arg(value_parser = symbol)]
    symbols: Vec<Symbol>,
    #[command(flatten)]
    range: RangeArgs,
    #[command(flatten)]
    format: FormatArg,
}

/// Prints the rows, oldest first.
pub(crate) fn run(globals: &Globals, table: Table, args: &RecordArgs) -> Result<Done> {
    let session = Session::new(globals)?;
    let calendars = session.calendars()?;
    block_on(async {
        let store = session.open_store(Creation::Never).await?;
        let (found, missing) = instruments(&*store, &args.symbols).await?;
        if let Some(symbol) = missing.first() {
            bail!("{symbol} is not in the store");
        }
        let (from, to) = args.range.resolve(Interval::OneMinute, args.symbols.first(), &calendars)?;
        let query = RecordQuery { instruments: found.iter().map(|instrument| instrument.id).collect(), from, to };
        let names = Describe::new(store.instruments().await?);
        let mut rows = Rows::begin(if table == Table::Quarantine { QUARANTINE } else { VIOLATIONS }, args.format.format)?;
        if table == Table::Quarantine {
            store.quarantine(query).await?.iter().try_for_each(|row| rows.row(&quarantine_row(row, &names)))?;
        } else {
            store.violations(query).await?.iter().try_for_each(|row| rows.row(&violation_row(row, &names)))?;
        }
        rows.end()?;
        Ok(Done::Yes)
    })
}
