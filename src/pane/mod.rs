//! What a user looks at: one file a pane.

mod alerts;
mod contract;
mod cursor;
mod detail;
mod feed;
mod filter;
mod ingestion;
mod jobs;
mod logs;
mod market;
mod segments;
mod spent;
mod watchlist;

pub use contract::{Action, Command, Context, Effect, Motion, Pane, PaneSpec, Popup};
pub use cursor::Cursor;

/// Every pane, in the order of their numbers.
pub const PANES: &[PaneSpec] = &[watchlist::SPEC, market::SPEC, ingestion::SPEC, alerts::SPEC, jobs::SPEC, logs::SPEC];
