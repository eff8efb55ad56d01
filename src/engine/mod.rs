//! The engine: starts feeds, pipeline, writer and jobs; requests in, the picture and events out.

mod catalogue;
mod core;
mod desk;
mod feeds;
mod jobs;
mod notice;
mod requests;
mod retain;
mod setup;
mod start;
mod ticks;
mod watch;

pub use catalogue::{catalogue, config_sections};
pub use jobs::{history_route, new_record};
pub use setup::{Duty, Opened, Setup, open_provider, open_providers, route, spool_limit};
pub use start::{Engine, EngineHandle};
pub use watch::watchlist;
