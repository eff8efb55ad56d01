//! The command line: one file a subcommand. The only part that knows all the others, and the only one that prints.
#![expect(clippy::print_stderr, reason = "this is the part that talks")]

mod args;
mod demo;
mod exit;
mod monitor;
mod output;
mod run;
mod screen;
mod session;

pub use args::{Cli, main};
