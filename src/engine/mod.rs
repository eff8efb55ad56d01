//! The engine: starts feeds, pipeline, writer and jobs; requests in, the picture and events out.

mod catalogue;
mod core;
mod desk;
mod failover;
mod feeds;
mod health;
mod jobs;
mod notice;
mod repair;
mod replay;
mod requests;
mod retain;
mod setup;
mod sources;
mod start;
mod survey;
mod ticks;
mod usage;
mod watch;

pub use catalogue::{catalogue, config_sections};
pub use health::{HEALTH, HealthNote};
pub use jobs::new_record;
pub use replay::{Played, Replay, ReplaySetup, Speed};
pub use setup::{
    Duty, Keeps, Opened, Setup, open_for_check, open_for_replay, open_provider, open_providers, open_providers_once, open_providers_with,
    spool_limit,
};
pub use sources::{Candidate, Need, Sources, misplaced};
pub use start::{Engine, EngineHandle};
pub use survey::{Reel, Survey, survey};
pub use usage::{load_counts, save_counts};
pub use watch::watchlist;
