//! The config file: what was typed, and what it means. Its errors are shown like those of a source.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use openbell::config::{Config, Facts, RawConfig, SectionSpec};
use openbell::engine::config_sections;
use openbell::pane::PANES;
use openbell_fuzz::{Function, feed, law};

const FUNCTIONS: [Function; 2] = [|bytes| read(bytes, &Facts::default()), |bytes| read(bytes, &private())];

/// Every section that a file may have, those of panes too. Made once: their names are never freed.
static SECTIONS: LazyLock<Vec<SectionSpec>> = LazyLock::new(|| {
    let panes = PANES.iter().filter(|spec| !spec.keys.is_empty());
    let of_pane = panes.map(|spec| SectionSpec { name: format!("pane.{}", spec.name).leak(), sentence: spec.sentence, keys: spec.keys });
    config_sections().into_iter().chain(of_pane).collect()
});

fuzz_target!(|input: &[u8]| feed(&FUNCTIONS, input));

fn read(bytes: &[u8], facts: &Facts) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let raw = match RawConfig::parse(text, &SECTIONS) {
        Ok(raw) => raw,
        Err(error) => return law::words(&error.to_string()),
    };
    if let Err(message) = Config::resolve(&raw, &SECTIONS, facts) {
        law::words(&message);
    }
}

/// A file that only its owner can read may hold keys.
fn private() -> Facts {
    Facts { file_is_private: true, ..Facts::default() }
}
