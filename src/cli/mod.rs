//! The command line: one file a subcommand. The only part that knows all the others, and the only one that prints.
#![expect(clippy::print_stderr, reason = "this is the part that talks")]

mod args;
mod backfill;
mod bars;
mod config;
mod db;
mod demo;
mod exit;
mod export;
mod market;
mod monitor;
mod output;
mod paperwork;
mod providers;
mod quote;
mod records;
mod run;
mod screen;
mod select;
mod session;
mod status;
mod symbols;

pub use args::{Cli, main};
