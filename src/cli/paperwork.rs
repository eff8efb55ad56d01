//! `openbell completions` and `openbell man`: made from the same table as the help.

use std::io::stdout;

use anyhow::{Context, Result};
use clap::CommandFactory;
use clap_complete::Shell;

use crate::cli::args::Cli;
use crate::cli::exit::Done;
use crate::cli::output::print;

/// Prints a shell's completions.
pub(crate) fn completions(shell: Shell) -> Result<Done> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "openbell", &mut text);
    print(std::str::from_utf8(&text).context("completions are text")?)?;
    Ok(Done::Yes)
}

/// Prints the manual page, with a section for each command.
pub(crate) fn man() -> Result<Done> {
    let mut out = stdout().lock();
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    clap_mangen::Man::new(command.clone()).render(&mut out)?;
    for sub in command.get_subcommands() {
        clap_mangen::Man::new(sub.clone()).render_description_section(&mut out)?;
        clap_mangen::Man::new(sub.clone()).render_options_section(&mut out)?;
    }
    Ok(Done::Yes)
}
