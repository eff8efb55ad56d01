//! What this build can do, from the lists of its parts.

use crate::calendar::Calendars;
use crate::config::{Config, SECTIONS, Section, SectionSpec};
use crate::export::FORMATS;
use crate::provider::PROVIDERS;
use crate::request::{Catalogue, FormatFacts, KeyState, ProviderFacts};

/// Everything that can be chosen, with what the config turned off.
#[must_use]
pub fn catalogue(config: &Config, calendars: &Calendars) -> Catalogue {
    let provider = |spec: &crate::provider::ProviderSpec| ProviderFacts {
        name: spec.name.to_owned(),
        sentence: spec.sentence.to_owned(),
        enabled: config.section(&format!("provider.{}", spec.name)).flag("enabled"),
        asset_classes: spec.capabilities.asset_classes.to_vec(),
        live: spec.capabilities.live,
        delay: spec.capabilities.delay,
        history: spec.capabilities.history.to_vec(),
        key: key_state(spec, config.section(&format!("provider.{}", spec.name))),
    };
    let format = |spec: &crate::export::FormatSpec| FormatFacts { name: spec.format.name().to_owned(), sentence: spec.sentence.to_owned() };
    Catalogue {
        providers: PROVIDERS.iter().map(provider).collect(),
        formats: FORMATS.iter().map(format).collect(),
        venues: calendars.iter().map(|calendar| calendar.venue().to_owned()).collect(),
    }
}

fn key_state(spec: &crate::provider::ProviderSpec, section: &Section) -> KeyState {
    match (spec.secrets().next(), spec.has_keys(section)) {
        (None, _) => KeyState::NotNeeded,
        (Some(_), true) => KeyState::Present,
        (Some(_), false) => KeyState::Missing,
    }
}

/// Every section that a config file may have, but for those of panes: the engine does not know of screens.
#[must_use]
pub fn config_sections() -> Vec<SectionSpec> {
    let mut sections = SECTIONS.to_vec();
    let of_provider = |spec: &'static crate::provider::ProviderSpec| SectionSpec {
        name: Box::leak(format!("provider.{}", spec.name).into_boxed_str()),
        sentence: spec.sentence,
        keys: spec.keys,
    };
    sections.extend(PROVIDERS.iter().map(of_provider));
    sections
}
