//! Every integration test, in one binary: each further one would link everything again.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "tests wait for real processes, and may panic")]
#![allow(clippy::pedantic, clippy::type_complexity, clippy::cloned_ref_to_slice_refs, reason = "a test is read once, beside what it tests")]

mod bench_smoke;
mod calendar;
mod config;
mod day_coinbase;
mod day_yahoo;
mod decode_coinbase;
mod decode_yahoo;
mod kill;
mod model;
mod net;
mod pipeline;
mod pty;
mod quality;
mod registries;
mod screens;
mod server;
mod store_story;
mod terminal;
mod tidy;
