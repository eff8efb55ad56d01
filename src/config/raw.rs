//! The config file as typed: every key with its place, checked against the keys that exist.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use thiserror::Error;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::config::key::{KeyKind, KeySpec, SectionSpec};
use crate::market::clean;

/// What was typed: section and key to value. Nothing is defaulted yet.
#[derive(Default)]
pub struct RawConfig {
    pub(crate) values: BTreeMap<(String, String), toml::Value>,
}

/// Names only: a value may be a key to a paid service.
impl fmt::Debug for RawConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.values.keys()).finish()
    }
}

/// A mistake in a config file, with its place.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("line {line}, column {column}: {message}")]
pub struct ConfigError {
    pub line: usize,
    pub column: usize,
    pub message: String,
}

/// The deepest nesting that a section name has: `provider.yahoo`.
const SECTION_DEPTH: usize = 2;

impl RawConfig {
    /// Reads `text` and checks each key against `sections`.
    pub fn parse(text: &str, sections: &[SectionSpec]) -> Result<Self, ConfigError> {
        let root = DeTable::parse(text).map_err(|error| {
            let place = error.span().unwrap_or(0..0);
            // The parser's message can quote the text around the mistake, which may be a key somebody typed.
            ConfigError::at(text, &place, error.message())
        })?;
        let mut raw = Self::default();
        for (name, value) in root.get_ref() {
            raw.take(text, sections, "", name, value)?;
        }
        Ok(raw)
    }

    fn take(
        &mut self,
        text: &str,
        sections: &[SectionSpec],
        above: &str,
        name: &Spanned<std::borrow::Cow<'_, str>>,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<(), ConfigError> {
        let key = name.get_ref().as_ref();
        let path = if above.is_empty() { key.to_owned() } else { format!("{above}.{key}") };
        if let DeValue::Table(table) = value.get_ref()
            && above.split('.').count() < SECTION_DEPTH
        {
            if !sections.iter().any(|section| section.name == path || section.name.starts_with(&format!("{path}."))) {
                let near = nearest(&path, sections.iter().map(|section| section.name));
                return Err(ConfigError::at(text, &name.span(), &format!("there is no section [{path}]{near}")));
            }
            return table.iter().try_for_each(|(inner, value)| self.take(text, sections, &path, inner, value));
        }
        let spec = find(sections, above, key).ok_or_else(|| {
            let near = nearest(key, sections.iter().filter(|s| s.name == above).flat_map(|s| s.keys).map(|k| k.name));
            let place = if above.is_empty() { "at the top level".to_owned() } else { format!("in [{above}]") };
            ConfigError::at(text, &name.span(), &format!("there is no key '{key}' {place}{near}"))
        })?;
        let plain = plain_value(value.get_ref());
        check(spec.kind, &plain, sections).map_err(|message| ConfigError::at(text, &value.span(), &format!("{path} {message}")))?;
        self.values.insert((above.to_owned(), key.to_owned()), plain);
        Ok(())
    }
}

fn find(sections: &[SectionSpec], section: &str, key: &str) -> Option<&'static KeySpec> {
    sections.iter().find(|s| s.name == section)?.keys.iter().find(|k| k.name == key)
}

fn nearest<'a>(typed: &str, known: impl Iterator<Item = &'a str>) -> String {
    known
        .map(|name| (strsim::damerau_levenshtein(typed, name), name))
        .min()
        .filter(|(distance, name)| *distance <= name.len().max(3) / 2)
        .map_or_else(String::new, |(_, name)| format!("; did you mean '{name}'?"))
}

fn plain_value(value: &DeValue<'_>) -> toml::Value {
    match value {
        DeValue::String(text) => toml::Value::String(text.to_string()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or_else(|_| toml::Value::String(number.to_string()), toml::Value::Integer),
        DeValue::Boolean(flag) => toml::Value::Boolean(*flag),
        DeValue::Array(items) => toml::Value::Array(items.iter().map(|item| plain_value(item.get_ref())).collect()),
        DeValue::Float(number) => toml::Value::String(number.to_string()),
        DeValue::Datetime(time) => toml::Value::Datetime(*time),
        DeValue::Table(_) => toml::Value::Table(toml::Table::new()),
    }
}

/// Says what a key wants when `value` is not that.
fn check(kind: KeyKind, value: &toml::Value, sections: &[SectionSpec]) -> Result<(), String> {
    let right = match kind {
        KeyKind::Text | KeyKind::Secret(_) => value.is_str(),
        KeyKind::Url => value
            .as_str()
            .is_some_and(|url| url.split_once("://").is_some_and(|(scheme, rest)| SCHEMES.contains(&scheme) && !rest.is_empty())),
        KeyKind::Flag => value.is_bool(),
        KeyKind::Integer { min, max } => value.as_integer().is_some_and(|number| (min..=max).contains(&number)),
        KeyKind::Choice(choices) => value.as_str().is_some_and(|choice| choices.contains(&choice)),
        KeyKind::TextList | KeyKind::Sources => texts(value).is_some(),
        KeyKind::Choices(choices) => texts(value).is_some_and(|items| items.iter().all(|item| choices.contains(item))),
    };
    if !right {
        return Err(wanted(kind, value));
    }
    match kind {
        KeyKind::Sources => check_sources(&texts(value).unwrap_or_default(), sections),
        KeyKind::Choices(_) => once(&texts(value).unwrap_or_default()),
        KeyKind::Text
        | KeyKind::Url
        | KeyKind::Flag
        | KeyKind::Integer { .. }
        | KeyKind::Choice(_)
        | KeyKind::TextList
        | KeyKind::Secret(_) => Ok(()),
    }
}

/// The items of a list; `None` when it is none, or not of texts.
fn texts(value: &toml::Value) -> Option<Vec<&str>> {
    value.as_array()?.iter().map(toml::Value::as_str).collect()
}

fn once(items: &[&str]) -> Result<(), String> {
    let again = items.iter().enumerate().find(|(at, item)| items[..*at].contains(item));
    again.map_or(Ok(()), |(_, item)| Err(format!("names '{item}' twice")))
}

/// A source is a provider, or one of its feeds: `alpaca:iex`.
fn check_sources(names: &[&str], sections: &[SectionSpec]) -> Result<(), String> {
    let known = || sections.iter().filter_map(|section| section.name.strip_prefix("provider."));
    for name in names {
        let (provider, feed) = name.split_once(':').map_or((*name, None), |(provider, feed)| (provider, Some(feed)));
        if !known().any(|known| known == provider) {
            return Err(format!("names no source with '{name}'{}", nearest(provider, known())));
        }
        let feeds = feeds_of(provider, sections);
        if let Some(feed) = feed.filter(|feed| !feeds.contains(feed)) {
            let has = if feeds.is_empty() { "has no feeds of its own".to_owned() } else { format!("has {}", feeds.join(", ")) };
            return Err(format!("names no feed with '{name}': {provider} {has}{}", nearest(feed, feeds.iter().copied())));
        }
    }
    once(names)
}

/// What its key `feed` may say.
fn feeds_of(provider: &str, sections: &[SectionSpec]) -> &'static [&'static str] {
    let key = find(sections, &format!("provider.{provider}"), "feed");
    if let Some(KeyKind::Choice(feeds)) = key.map(|key| key.kind) { feeds } else { &[] }
}

const SCHEMES: [&str; 4] = ["http", "https", "ws", "wss"];

fn wanted(kind: KeyKind, value: &toml::Value) -> String {
    match kind {
        KeyKind::Text | KeyKind::Secret(_) => "must be a text in quotes".to_owned(),
        KeyKind::Url => "must be a URL that begins with http, https, ws or wss".to_owned(),
        KeyKind::Flag => "must be true or false".to_owned(),
        KeyKind::Integer { min, max } => format!("must be a whole number from {min} to {max}"),
        KeyKind::Choice(choices) => {
            let near = value.as_str().map_or_else(String::new, |typed| nearest(typed, choices.iter().copied()));
            format!("must be one of {}{near}", choices.join(", "))
        }
        KeyKind::TextList => "must be a list of texts, such as [\"AAPL\", \"BTC-USD\"]".to_owned(),
        KeyKind::Choices(choices) => {
            let odd = texts(value).and_then(|items| items.into_iter().find(|item| !choices.contains(item)));
            let near = odd.map_or_else(String::new, |odd| format!(", not '{odd}'{}", nearest(odd, choices.iter().copied())));
            format!("must be a list of {}{near}", choices.join(", "))
        }
        KeyKind::Sources => "must be a list of sources, such as [\"coinbase\", \"yahoo\"]".to_owned(),
    }
}

impl ConfigError {
    fn at(text: &str, span: &Range<usize>, message: &str) -> Self {
        let before = text.get(..span.start.min(text.len())).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |last| last.chars().count()) + 1;
        Self { line, column, message: clean(message).into_owned() }
    }
}
