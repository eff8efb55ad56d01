//! Every integration test, in one binary: each further one would link everything again.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "tests wait for real processes, and may panic")]
#![allow(clippy::print_stdout, reason = "a story says what it went through, and what was left out")]
#![allow(clippy::pedantic, clippy::type_complexity, clippy::cloned_ref_to_slice_refs, reason = "a test is read once, beside what it tests")]

mod archive;
mod bench_smoke;
mod calendar;
mod commands;
mod config;
mod connect;
mod day_alpaca;
mod day_alpha_vantage;
mod day_binance;
mod day_coinbase;
mod day_finnhub;
mod day_fmp;
mod day_kraken;
mod day_polygon;
mod day_store;
mod day_yahoo;
mod decode_alpaca;
mod decode_alpha_vantage;
mod decode_binance;
mod decode_coinbase;
mod decode_finnhub;
mod decode_fmp;
mod decode_kraken;
mod decode_polygon;
mod decode_yahoo;
mod disk;
mod failover;
mod faults;
mod fuzz_targets;
mod kill;
mod limits;
mod migrations;
mod model;
mod net;
mod pipeline;
mod poll;
mod postgres;
mod proxy;
mod pty;
mod quality;
mod registries;
mod replay;
mod screens;
mod server;
mod sizes;
mod soak;
mod socket;
mod spool;
mod store_story;
mod tables;
mod terminal;
mod tidy;
