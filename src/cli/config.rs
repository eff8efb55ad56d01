//! `openbell config`: where it is, whether it is right, what it can hold.

use anyhow::Result;
use clap::Subcommand;

use crate::cli::exit::{Done, Usage};
use crate::cli::output::print;
use crate::cli::session::{Globals, Session, sections};
use crate::config::example;
use crate::engine::misplaced;
use crate::host::Folders;

/// Where the config is, whether it is right, what it can hold.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print the paths of config, store and log.
    #[command(after_help = "Example: openbell config path")]
    Path,
    /// Read the config and say what is wrong with it.
    #[command(after_help = "Example: openbell config check --config ./openbell.toml")]
    Check,
    /// Print every key with its default.
    #[command(after_help = "Example: openbell config example > ~/.config/openbell/config.toml")]
    Example,
}

/// Prints or checks.
pub(crate) fn run(globals: &Globals, what: &ConfigCommand) -> Result<Done> {
    match what {
        ConfigCommand::Example => print(&example(&sections()))?,
        ConfigCommand::Path => {
            // Told even when the file is wrong: that is when one looks for it.
            let folders = Folders::of_user();
            let file = globals.config.clone().or_else(|| folders.as_ref().map(Folders::config_file));
            let show = |path: Option<std::path::PathBuf>| path.map_or_else(|| "-".to_owned(), |path| path.display().to_string());
            let store = Session::new(globals)
                .map_or_else(|_| show(folders.as_ref().map(Folders::store_file)), |session| session.store_url.to_string());
            print(&format!("config  {}\nstore   {store}\nlog     {}\n", show(file), show(folders.map(|f| f.state))))?;
        }
        ConfigCommand::Check => {
            let session = Session::new(globals)?;
            session.calendars()?;
            session.first_symbols()?;
            let misplaced = misplaced(&session.config);
            if !misplaced.is_empty() {
                return Err(Usage(format!("{}: {}", session.config_file.display(), misplaced.join("; "))).into());
            }
            let state = if session.config_file.exists() { "is right" } else { "is not there: every key has its default" };
            eprintln!("openbell: {} {state}", session.config_file.display());
        }
    }
    Ok(Done::Yes)
}
