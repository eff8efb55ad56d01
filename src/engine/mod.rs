//! The engine: starts feeds, pipeline, writer and jobs; requests in, the picture and events out.

mod catalogue;
mod core;
mod feeds;
mod jobs;
mod requests;
mod setup;
mod start;
mod watch;

pub use catalogue::{catalogue, config_sections};
pub use jobs::{history_route, new_record};
pub use setup::{Duty, Opened, Setup, open_provider, open_providers, route};
pub use start::{Engine, EngineHandle};
pub use watch::watchlist;
