//! The configuration as meant: every key has a value.

use std::collections::BTreeMap;

use secrecy::SecretString;

use crate::config::key::{KeyKind, SectionSpec};
use crate::config::raw::RawConfig;

/// Every section with every key, after defaults and checks.
#[derive(Clone, Debug)]
pub struct Config {
    sections: BTreeMap<String, Section>,
}

/// One table: what is not typed has its default.
#[derive(Clone, Debug, Default)]
pub struct Section {
    name: String,
    values: BTreeMap<String, toml::Value>,
    /// Keys to services. Printing one is not possible.
    secrets: BTreeMap<String, SecretString>,
}

/// What the machine says, gathered by the caller.
#[derive(Debug, Default)]
pub struct Facts {
    /// The environment, with `.env` beneath it.
    pub environment: BTreeMap<String, String>,
    /// Whether only its owner can read the config file.
    pub file_is_private: bool,
}

impl Config {
    /// Gives each key of `sections` its value: as typed, or its default.
    pub fn resolve(raw: &RawConfig, sections: &[SectionSpec], facts: &Facts) -> Result<Self, String> {
        let mut config = Self { sections: BTreeMap::new() };
        for spec in sections {
            let mut section = Section { name: spec.name.to_owned(), ..Section::default() };
            for key in spec.keys {
                let typed = raw.values.get(&(spec.name.to_owned(), key.name.to_owned()));
                if let KeyKind::Secret(variables) = key.kind {
                    let secret = secret(spec.name, key.name, typed, variables, facts)?;
                    section.secrets.extend(secret.map(|secret| (key.name.to_owned(), secret)));
                    continue;
                }
                section.values.insert(key.name.to_owned(), typed.cloned().unwrap_or_else(|| default_value(key.default)));
            }
            config.sections.insert(spec.name.to_owned(), section);
        }
        Ok(config)
    }

    /// The section of that name.
    ///
    /// # Panics
    /// When no [`SectionSpec`] has the name: that is a mistake in this program, not in a file.
    #[must_use]
    pub fn section(&self, name: &str) -> &Section {
        self.sections.get(name).unwrap_or_else(|| panic!("no section [{name}] is declared"))
    }

    /// Replaces a value: for options of the command line that stand above the file.
    #[must_use]
    pub fn with(mut self, section: &str, key: &str, value: impl Into<toml::Value>) -> Self {
        let known = self.sections.get_mut(section).and_then(|s| s.values.get_mut(key));
        *known.unwrap_or_else(|| panic!("no key {section}.{key} is declared")) = value.into();
        self
    }
}

fn default_value(text: &str) -> toml::Value {
    text.parse::<toml::Value>().expect("a default is TOML: a test parses them all")
}

impl Section {
    fn value(&self, key: &str) -> &toml::Value {
        self.values.get(key).unwrap_or_else(|| panic!("no key {}.{key} is declared", self.name))
    }

    /// A text, choice or URL.
    #[must_use]
    pub fn text(&self, key: &str) -> &str {
        self.value(key).as_str().expect("checked to be text")
    }

    #[must_use]
    pub fn flag(&self, key: &str) -> bool {
        self.value(key).as_bool().expect("checked to be a flag")
    }

    #[must_use]
    pub fn integer(&self, key: &str) -> u64 {
        self.value(key).as_integer().and_then(|n| u64::try_from(n).ok()).expect("checked to be a whole number from 0")
    }

    /// A key to a service, where there is one.
    #[must_use]
    pub fn secret(&self, key: &str) -> Option<&SecretString> {
        self.secrets.get(key)
    }

    /// Whether the section has such a key: some are optional.
    #[must_use]
    pub fn declares(&self, key: &str) -> bool {
        self.values.contains_key(key)
    }

    #[must_use]
    pub fn list(&self, key: &str) -> Vec<String> {
        let items = self.value(key).as_array().expect("checked to be a list");
        items.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect()
    }
}

/// The environment stands above the file, and a file that others can read holds no key.
fn secret(
    section: &str,
    key: &str,
    typed: Option<&toml::Value>,
    variables: &[&str],
    facts: &Facts,
) -> Result<Option<SecretString>, String> {
    let typed = typed.and_then(toml::Value::as_str).filter(|secret| !secret.trim().is_empty());
    if typed.is_some() && !facts.file_is_private {
        return Err(format!("[{section}] holds an {key}, but others can read the file: chmod 600 it, or use the environment"));
    }
    let told = variables.iter().filter_map(|variable| facts.environment.get(*variable)).find(|secret| !secret.trim().is_empty());
    // Such a key would be refused wherever it is sent, with words that do not tell why.
    if let Some(secret) = told.map(String::as_str).or(typed)
        && secret.trim().contains(|c: char| c.is_whitespace() || c.is_control())
    {
        let place = if told.is_some() { variables.join(" or ") } else { key.to_owned() };
        return Err(format!("[{section}] {place} holds a space or a line's end in its midst: that is no key"));
    }
    // A line's end that came with a copied key is no part of it.
    Ok(told.map(String::as_str).or(typed).map(|secret| SecretString::from(secret.trim())))
}
