//! `openbell status`: what the store holds, and whether an engine records into it.

use anyhow::Result;

use crate::cli::exit::Done;
use crate::cli::output::{FormatArg, Rows};
use crate::cli::session::{Globals, Session, block_on};
use crate::export::Value;
use crate::store::{Creation, StoreError};
use crate::widget::bytes;

const COLUMNS: &[&str] = &["symbol", "interval", "bars", "first", "last", "validated_pct"];

/// Prints counts on stderr and a row for each symbol and interval on stdout.
pub(crate) fn run(globals: &Globals, format: FormatArg) -> Result<Done> {
    let session = Session::new(globals)?;
    let (status, engine, spooled) = block_on(async {
        let store = session.open_store(Creation::Never).await?;
        let engine = match store.claim().await {
            Ok(_) => None,
            Err(StoreError::Held { holder, .. }) => Some(holder),
            Err(_) => Some("unknown".to_owned()),
        };
        Ok((store.status().await?, engine, session.spooled(&*store).await?))
    })?;
    eprintln!("store       {} ({}, schema {})", session.store_url, bytes(status.size), status.schema);
    eprintln!("engine      {}", engine.as_deref().unwrap_or("none is running"));
    eprintln!("bars        {}", status.bars);
    eprintln!("quarantine  {}", status.quarantined);
    eprintln!("violations  {}", status.violations);
    if spooled > 0 {
        eprintln!("spool       {spooled} rows wait on this machine for the store");
    }
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
