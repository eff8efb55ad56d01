//! `openbell providers`: the sources, and what each can do.

use anyhow::Result;

use crate::cli::exit::Done;
use crate::cli::output::{FormatArg, Rows};
use crate::cli::session::{Globals, Session};
use crate::engine::catalogue;
use crate::export::Value;
use crate::request::SourceKind;

const COLUMNS: &[&str] = &["name", "enabled", "key", "live", "delay", "history", "assets", "sentence"];

/// Prints a row for each source.
pub(crate) fn run(globals: &Globals, format: FormatArg) -> Result<Done> {
    let session = Session::new(globals)?;
    let mut rows = Rows::begin(COLUMNS, format.format)?;
    for provider in catalogue(&session.config, &session.calendars()?).providers {
        let joined = |names: Vec<&'static str>| names.join("|");
        let live = match provider.live {
            SourceKind::Trades => "trades",
            SourceKind::Prices => "prices",
            SourceKind::None => "none",
        };
        rows.row(&[
            provider.name.as_str().into(),
            Value::Flag(provider.enabled),
            if provider.needs_key { "needed" } else { "not needed" }.into(),
            live.into(),
            provider.delay.to_string().as_str().into(),
            joined(provider.history.iter().map(|interval| interval.name()).collect()).as_str().into(),
            joined(provider.asset_classes.iter().map(|class| class.name()).collect()).as_str().into(),
            provider.sentence.as_str().into(),
        ])?;
    }
    rows.end()?;
    Ok(Done::Yes)
}
