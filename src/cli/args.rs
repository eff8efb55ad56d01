//! The subcommands.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::cli::exit::exit_code;
use crate::cli::session::Globals;
use crate::cli::{demo, monitor, run, screen};
use crate::provider::net::install_crypto;

/// A live market monitor for the terminal that also records, checks and repairs what it sees.
#[derive(Debug, Parser)]
#[command(name = "openbell", version, after_help = "Without a command: the monitor. Try it without a key or a network: openbell demo")]
pub struct Cli {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The monitor on a made-up exchange and a throwaway store: no key, no network, not real.
    Demo,
    Screen(screen::ScreenArgs),
    /// Record without a screen, in the foreground, until a signal comes.
    Run,
}

/// Parses the arguments of this process and does what they say.
#[must_use]
pub fn main() -> ExitCode {
    install_crypto();
    let Cli { globals, command } = Cli::parse();
    exit_code(match command {
        None => monitor::run(&globals),
        Some(Command::Demo) => demo::run(&globals),
        Some(Command::Screen(args)) => screen::run(&globals, &args),
        Some(Command::Run) => run::run(&globals),
    })
}
