//! `openbell db`: make a store, or look it over.

use anyhow::Result;
use clap::Subcommand;

use crate::cli::exit::Done;
use crate::cli::session::{Globals, Session, block_on};
use crate::store::Creation;

/// Make a store, or look it over.
#[derive(Debug, Subcommand)]
pub(crate) enum Db {
    /// Make the tables, even beside those of another program.
    Init,
    /// Read the whole store for damage.
    Check,
}

/// Makes or checks the store.
pub(crate) fn run(globals: &Globals, what: &Db) -> Result<Done> {
    let session = Session::new(globals)?;
    let creation = if matches!(what, Db::Init) { Creation::Always } else { Creation::Never };
    let store = session.open_store(creation)?;
    if matches!(what, Db::Init) {
        eprintln!("openbell: {} is ready", session.store_url);
        return Ok(Done::Yes);
    }
    let (found, status) = block_on(async { Ok((store.check().await?, store.status().await?)) })?;
    for line in &found {
        eprintln!("openbell: {line}");
    }
    if found.is_empty() {
        eprintln!(
            "openbell: {} is sound: {} bars, {} refused, {} violations",
            session.store_url, status.bars, status.quarantined, status.violations
        );
    }
    Ok(if found.is_empty() { Done::Yes } else { Done::No })
}
