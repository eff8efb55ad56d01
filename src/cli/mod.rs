//! The command line: one file a subcommand. The only part that knows all the others, and the only one that prints.
#![expect(clippy::print_stderr, reason = "this is the part that talks")]

mod args;
mod backfill;
mod bars;
mod compare;
mod config;
mod db;
mod demo;
mod discover;
mod exit;
mod export;
mod fundamentals;
mod health;
mod market;
mod monitor;
mod output;
mod paperwork;
mod providers;
mod quote;
mod record;
mod records;
mod replay;
mod run;
mod screen;
mod select;
mod session;
mod status;
mod symbols;
mod throwaway;
mod universe;

pub use args::{Cli, main};
