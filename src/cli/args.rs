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
    #[command(after_help = "Example: openbell demo")]
    Demo,
    Screen(screen::ScreenArgs),
    /// Record without a screen, in the foreground, until a signal comes.
    #[command(after_help = "Example: openbell run --store postgres://desk@db.example.com/market")]
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
    /// What the store holds, and whether an engine records into it, and what was asked of its sources.
    #[command(after_help = "Example: openbell status --format json 2>/dev/null")]
    Status(FormatArg),
    #[command(subcommand)]
    Db(db::Db),
    #[command(subcommand)]
    Config(config::ConfigCommand),
    Providers(providers::ProvidersArgs),
    /// Print completions for a shell.
    #[command(after_help = "Example: openbell completions bash > ~/.local/share/bash-completion/completions/openbell")]
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
    /// Print the manual page.
    #[command(after_help = "Example: openbell man | man -l -")]
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

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    /// The commands that do something, with their whole names.
    fn leaves(command: &clap::Command, above: &str) -> Vec<(String, Option<String>)> {
        let name = format!("{above}{}", command.get_name());
        let below: Vec<_> = command.get_subcommands().flat_map(|inner| leaves(inner, &format!("{name} "))).collect();
        let own = (name, command.get_after_help().map(ToString::to_string));
        if below.is_empty() { vec![own] } else { below }
    }

    #[test]
    fn the_help_of_every_command_has_an_example_of_it() {
        for (name, help) in leaves(&Cli::command(), "") {
            let help = help.unwrap_or_default();
            assert!(help.starts_with("Example: ") && help.contains(&format!("{name} ")) || help.ends_with(&name), "{name}: {help:?}");
        }
    }
}
