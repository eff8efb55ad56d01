//! `openbell status`: what the store holds, whether an engine records into it, and what was asked of its sources.

use std::collections::BTreeMap;

use anyhow::Result;

use crate::cli::exit::Done;
use crate::cli::health::{notes, standing};
use crate::cli::output::{FormatArg, Rows};
use crate::cli::session::{Globals, Session, block_on};
use crate::engine::{HealthNote, Opened, Sources};
use crate::export::Value;
use crate::market::Timestamp;
use crate::store::{Creation, StoreError};
use crate::widget::bytes;

const COLUMNS: &[&str] = &["symbol", "interval", "bars", "first", "last", "validated_pct"];

/// Prints counts on stderr and a row for each symbol and interval on stdout.
pub(crate) fn run(globals: &Globals, format: FormatArg) -> Result<Done> {
    let session = Session::new(globals)?;
    let sources = Sources::open(&session.config, &session.clock);
    let (status, engine, spooled, notes) = block_on(async {
        let store = session.open_store(Creation::Never).await?;
        let engine = match store.claim().await {
            Ok(_) => None,
            Err(StoreError::Held { holder, .. }) => Some(holder),
            Err(_) => Some("unknown".to_owned()),
        };
        let _ = session.counted(&sources).await;
        let notes = notes(&*store, session.clock.now()).await;
        Ok((store.status().await?, engine, session.spooled(&*store).await?, notes))
    })?;
    eprintln!("store       {} ({}, schema {})", session.store_url, bytes(status.size), status.schema);
    eprintln!("engine      {}", engine.as_deref().unwrap_or("none is running"));
    eprintln!("bars        {}", status.bars);
    eprintln!("quarantine  {}", status.quarantined);
    eprintln!("violations  {}", status.violations);
    if spooled > 0 {
        eprintln!("spool       {spooled} rows wait on this machine for the store");
    }
    for opened in sources.opened() {
        eprintln!("source      {}", asked(opened, &notes, session.clock.now()));
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

/// What was asked of a source today, and how its feed stands where an engine runs.
fn asked(opened: &Opened, notes: &BTreeMap<String, HealthNote>, now: Timestamp) -> String {
    let usage = opened.provider.net().http.limiter().usage();
    let cap = usage.requests_per_day.map_or_else(String::new, |cap| format!("/{cap}"));
    let health = notes.get(opened.source.as_str()).map_or_else(String::new, |note| format!("; {}", standing(note, now)));
    format!("{}: {}{cap} requests today, {} today{health}", opened.source, usage.requests_today, bytes(usage.bytes_today))
}
