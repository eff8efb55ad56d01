//! `openbell status`: what the store holds, and whether an engine records into it.

use anyhow::Result;

use crate::cli::exit::Done;
use crate::cli::output::{FormatArg, Rows};
use crate::cli::session::{Globals, Session, block_on};
use crate::export::Value;
use crate::host::LockError;
use crate::store::Creation;
use crate::widget::bytes;

const COLUMNS: &[&str] = &["symbol", "interval", "bars", "first", "last", "validated_pct"];

/// Prints counts on stderr and a row for each symbol and interval on stdout.
pub(crate) fn run(globals: &Globals, format: FormatArg) -> Result<Done> {
    let session = Session::new(globals)?;
    let store = session.open_store(Creation::Never)?;
    let engine = match session.lock() {
        Err(error) => error.downcast_ref().map(|held| match held {
            LockError::Held { pid, .. } => format!("pid {pid}"),
            LockError::Io { .. } => "unknown".to_owned(),
        }),
        Ok(_) => None,
    };
    let status = block_on(async { Ok(store.status().await?) })?;
    eprintln!("store       {} ({}, schema {})", session.store_url, bytes(status.size), status.schema);
    eprintln!("engine      {}", engine.as_deref().unwrap_or("none is running"));
    eprintln!("bars        {}", status.bars);
    eprintln!("quarantine  {}", status.quarantined);
    eprintln!("violations  {}", status.violations);
    let mut rows = Rows::begin(COLUMNS, format.format)?;
    for symbol in &status.symbols {
        rows.row(&[
            symbol.symbol.as_str().into(),
            symbol.interval.name().into(),
            symbol.bars.into(),
            symbol.first.into(),
            symbol.last.into(),
            Value::Number((symbol.validated * 1_000.0).round() / 10.0),
        ])?;
    }
    rows.end()?;
    Ok(Done::Yes)
}
