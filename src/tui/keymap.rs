//! Which key does what: the pane's own commands first, then those that work everywhere.

use std::collections::HashMap;
use std::fmt::Write;

use crate::pane::{Command, PANES};
use crate::tui::command::{COMMANDS, GlobalCommand};
use crate::tui::key::Key;

/// Keys to commands.
pub struct Keymap {
    global: HashMap<Key, &'static GlobalCommand>,
    panes: HashMap<(&'static str, Key), &'static Command>,
}

/// What a key means.
#[derive(Clone, Copy)]
pub enum Meaning {
    Global(&'static GlobalCommand),
    Pane(&'static Command),
}

impl Keymap {
    /// The keys of the tables.
    ///
    /// # Panics
    /// When a table names a key that does not exist: a test reads them all.
    #[must_use]
    pub fn new() -> Self {
        let key = |name: &str| name.parse::<Key>().expect("a table names keys that exist");
        let global = COMMANDS.iter().flat_map(|row| row.command.keys.iter().map(move |name| (key(name), row))).collect();
        let of_pane = |spec: &'static crate::pane::PaneSpec| {
            spec.commands.iter().flat_map(move |command| command.keys.iter().map(move |name| ((spec.name, key(name)), command)))
        };
        Self { global, panes: PANES.iter().flat_map(of_pane).collect() }
    }

    /// What a key means while a pane has the keys.
    #[must_use]
    pub fn meaning(&self, pane: &'static str, key: Key) -> Option<Meaning> {
        let own = self.panes.get(&(pane, key)).copied().map(Meaning::Pane);
        own.or_else(|| self.global.get(&key).copied().map(Meaning::Global))
    }
}

impl Default for Keymap {
    fn default() -> Self {
        Self::new()
    }
}

/// The table of keys, for the docs.
#[must_use]
pub fn key_table() -> String {
    let mut text = String::from("| Keys | Command | What it does |\n| --- | --- | --- |\n");
    let line = |text: &mut String, command: &Command| {
        let keys: Vec<_> = command.keys.iter().map(|key| if *key == "`" { "`` ` ``".to_owned() } else { format!("`{key}`") }).collect();
        let _ = writeln!(text, "| {} | {} | {} |", keys.join(" "), command.name, command.sentence);
    };
    for row in COMMANDS {
        line(&mut text, &row.command);
    }
    for pane in PANES.iter().filter(|pane| !pane.commands.is_empty()) {
        let _ = writeln!(text, "| | **{}** | {} |", pane.name, pane.sentence);
        for command in pane.commands {
            line(&mut text, command);
        }
    }
    text
}
