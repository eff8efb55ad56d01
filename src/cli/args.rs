//! The subcommands.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::cli::exit::exit_code;
use crate::cli::output::FormatArg;
use crate::cli::session::Globals;
use crate::cli::{
    backfill, bars, config, db, demo, export, fundamentals, market, monitor, paperwork, providers, quote, record, records, replay, run,
    screen, status, symbols,
};
use crate::provider::net::install_crypto;
use crate::request::Table;

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
    Quote(quote::QuoteArgs),
    Backfill(backfill::BackfillArgs),
    Bars(bars::BarsArgs),
    Export(export::ExportArgs),
    Record(record::RecordingArgs),
    Replay(replay::ReplayArgs),
    Market(market::MarketArgs),
    Symbols(symbols::SymbolsArgs),
    Fundamentals(fundamentals::FundamentalsArgs),
    /// What was refused, with the reason and what the source said.
    #[command(after_help = "Example: openbell quarantine AAPL --from 2026-11-01 --format csv")]
    Quarantine(records::RecordArgs),
    /// Broken rules of bars.
    #[command(after_help = "Example: openbell violations AAPL --from 2026-11-01 --format csv")]
    Violations(records::RecordArgs),
    /// What the store holds, and whether an engine records into it.
    Status(FormatArg),
    #[command(subcommand)]
    Db(db::Db),
    #[command(subcommand)]
    Config(config::ConfigCommand),
    Providers(providers::ProvidersArgs),
    /// Print completions for a shell.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
    /// Print the manual page.
    Man,
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
        Some(Command::Quote(args)) => quote::run(&globals, &args),
        Some(Command::Backfill(args)) => backfill::run(&globals, &args),
        Some(Command::Bars(args)) => bars::run(&globals, &args),
        Some(Command::Export(args)) => export::run(&globals, &args),
        Some(Command::Record(args)) => record::run(&globals, &args),
        Some(Command::Replay(args)) => replay::run(&globals, &args),
        Some(Command::Market(args)) => market::run(&globals, &args),
        Some(Command::Fundamentals(args)) => fundamentals::run(&globals, &args),
        Some(Command::Symbols(args)) => symbols::run(&globals, &args),
        Some(Command::Quarantine(args)) => records::run(&globals, Table::Quarantine, &args),
        Some(Command::Violations(args)) => records::run(&globals, Table::Violations, &args),
        Some(Command::Status(format)) => status::run(&globals, format),
        Some(Command::Db(what)) => db::run(&globals, &what),
        Some(Command::Config(what)) => config::run(&globals, &what),
        Some(Command::Providers(args)) => providers::run(&globals, &args),
        Some(Command::Completions { shell }) => paperwork::completions(shell),
        Some(Command::Man) => paperwork::man(),
    })
}
