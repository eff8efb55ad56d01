//! `openbell export`: write rows of the store to a file.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use crate::cli::exit::{Done, Usage};
use crate::cli::select::{RangeArgs, interval, symbol};
use crate::cli::session::{Globals, Session, block_on};
use crate::export::export;
use crate::market::{Interval, Symbol};
use crate::request::{ExportAsk, ExportFormat, Table};
use crate::store::Creation;

/// Write rows of the store to a file.
#[derive(Debug, Args)]
#[command(after_help = "Example: openbell export bars AAPL --interval 1m --from 2026-11-01 --out aapl.csv")]
pub(crate) struct ExportArgs {
    /// bars, violations or quarantine.
    table: Table,
    /// Whose rows; all when none is named.
    #[arg(value_parser = symbol)]
    symbols: Vec<Symbol>,
    /// The file.
    #[arg(long, value_name = "PATH")]
    out: PathBuf,
    /// csv or jsonl; by default what the file's name ends in.
    #[arg(long)]
    format: Option<ExportFormat>,
    /// Of which bars.
    #[arg(long, default_value = "1d", value_parser = interval)]
    interval: Interval,
    #[command(flatten)]
    range: RangeArgs,
}

/// Writes the file; it gets its name when it is whole.
pub(crate) fn run(globals: &Globals, args: &ExportArgs) -> Result<Done> {
    let session = Session::new(globals)?;
    let calendars = session.calendars()?;
    let by_name = args.out.extension().and_then(|end| end.to_str()).and_then(|end| end.parse().ok());
    let format = args.format.or(by_name).ok_or_else(|| Usage("--format is missing: csv or jsonl".to_owned()))?;
    let (from, to) = args.range.resolve(args.interval, args.symbols.first(), &calendars)?;
    let ask =
        ExportAsk { table: args.table, symbols: args.symbols.clone(), interval: args.interval, from, to, format, path: args.out.clone() };
    let done = block_on(async {
        let store = session.open_store(Creation::Never).await?;
        export(&*store, &ask).await
    })?;
    eprintln!("openbell: {} rows in {}", done.rows, done.path.display());
    if done.rows == 0 && args.table == Table::Bars {
        eprintln!(
            "openbell: no {} bars are stored there; --interval chooses others, and 'openbell status' says which there are",
            args.interval
        );
    }
    Ok(Done::Yes)
}
