//! The example config file: every key, its default, one comment.

use std::fmt::Write;

use crate::config::key::SectionSpec;

/// The text of `config.example.toml`.
#[must_use]
pub fn example(sections: &[SectionSpec]) -> String {
    let mut text = String::from("# openbell: every key with its default. Copy what you change into config.toml (openbell config path).\n");
    for section in sections {
        let _ = write!(text, "\n# {}\n[{}]\n", section.sentence, section.name);
        for key in section.keys {
            let _ = write!(text, "# {}\n{} = {}\n", key.sentence, key.name, key.default);
        }
    }
    text
}
