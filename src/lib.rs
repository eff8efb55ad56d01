//! A live market monitor for the terminal that also records, checks and repairs what it sees.
//!
//! ```text
//!             bytes            events             judged bars          rows
//!  provider ────────> decode ────────> pipeline ──────────────> store writer
//!     ^                                   │
//!     │ requests                          │ updates
//!     │                                   v
//!  engine <──────── Request ─────────  snapshot ────> pane ────> terminal
//! ```
//!
//! The modules are listed in the order of the pipeline; a module uses only those above it.

// Compute: pure; the caller passes time and text in.
pub mod market;
pub mod calendar;
pub mod config;
pub mod quality;
pub mod pipeline;
pub mod snapshot;
pub mod request;
// Show: pure; it cannot name a store or a socket, because those come below.
pub mod widget;
pub mod pane;
pub mod tui;
// Wait: I/O.
pub mod host;
pub mod terminal;
pub mod store;
pub mod provider;
pub mod job;
pub mod export;
pub mod engine;
// Wire.
pub mod cli;
