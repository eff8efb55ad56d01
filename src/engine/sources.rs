//! Which sources may answer for a symbol, in order: per need, by the class of the instrument, as the config has it.

use std::sync::Arc;

use crate::config::Config;
use crate::engine::setup::{Opened, open_providers};
use crate::host::Clock;
use crate::market::{AssetClass, Interval, Symbol};
use crate::provider::{PROVIDERS, ProviderSpec};
use crate::request::SourceKind;

/// What a source is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    Live,
    History,
    Details,
}

/// The opened providers, and the orders in which they are asked.
#[derive(Clone)]
pub struct Sources {
    opened: Arc<[Opened]>,
    config: Arc<Config>,
}

/// A source that has a symbol, and how it spells it.
#[derive(Clone)]
pub struct Candidate {
    /// Its place among the opened providers.
    pub number: usize,
    pub opened: Opened,
    pub spelling: String,
}

impl Need {
    const ALL: [Self; 3] = [Self::Live, Self::History, Self::Details];

    const fn section(self) -> &'static str {
        match self {
            Self::Live => "sources.live",
            Self::History => "sources.history",
            Self::Details => "sources.details",
        }
    }
}

/// What the orders of the config ask in vain: sources that cannot have what they are named for.
#[must_use]
pub fn misplaced(config: &Config) -> Vec<String> {
    let mut found = Vec::new();
    for (need, class) in Need::ALL.into_iter().flat_map(|need| AssetClass::ALL.map(|class| (need, class))) {
        let names = names(config, need, class);
        let specs = names.iter().filter_map(|name| PROVIDERS.iter().find(|spec| name.split(':').next() == Some(spec.name)));
        found.extend(specs.filter_map(|spec| {
            let reason = lacks(spec, need, class)?;
            Some(format!("[{}] {class} names {}, which {reason}", need.section(), spec.name))
        }));
    }
    found
}

fn lacks(spec: &ProviderSpec, need: Need, class: AssetClass) -> Option<String> {
    let able = spec.capabilities;
    match need {
        _ if !able.asset_classes.contains(&class) => Some(format!("knows nothing of the class {class}")),
        Need::Live if able.live == SourceKind::None => Some("tells no current prices".to_owned()),
        Need::History if able.history.is_empty() => Some("has no history".to_owned()),
        Need::Live | Need::History | Need::Details => None,
    }
}

impl Sources {
    /// These providers, in the orders of the config.
    #[must_use]
    pub fn new(opened: Vec<Opened>, config: &Config) -> Self {
        Self { opened: opened.into(), config: Arc::new(config.clone()) }
    }

    /// Every provider that can be called.
    #[must_use]
    pub fn open(config: &Config, clock: &Clock) -> Self {
        Self::new(open_providers(config, clock), config)
    }

    /// The providers, by number.
    #[must_use]
    pub fn opened(&self) -> &[Opened] {
        &self.opened
    }

    /// Every provider that has the symbol, best first. A source that the symbol is pinned to needs no place in the lists.
    #[must_use]
    pub fn candidates(&self, need: Need, symbol: &Symbol) -> Vec<Candidate> {
        let class = symbol.listing().asset_class;
        let names = symbol.pinned_source().map_or_else(|| names(&self.config, need, class), |source| vec![source.to_owned()]);
        let mut found: Vec<Candidate> = Vec::new();
        for name in names {
            let Some((number, opened)) = self.find(&name) else { continue };
            let has = opened.spec.capabilities.asset_classes.contains(&class);
            let able = need != Need::Live || (opened.spec.capabilities.live != SourceKind::None && opened.provider.hears(symbol));
            let known = found.iter().any(|candidate| candidate.number == number);
            if let Some(spelling) = opened.provider.spell(symbol).filter(|_| has && able && !known) {
                found.push(Candidate { number, opened: opened.clone(), spelling });
            }
        }
        found
    }

    /// Every provider for a class, best first.
    #[must_use]
    pub fn of_class(&self, need: Need, class: AssetClass) -> Vec<Opened> {
        names(&self.config, need, class).iter().filter_map(|name| self.find(name)).map(|(_, opened)| opened.clone()).collect()
    }

    /// Whether one of them has a cap that must be counted wherever it is asked from.
    #[must_use]
    pub fn any_is_capped(&self) -> bool {
        self.opened.iter().any(|opened| opened.provider.net().http.limiter().is_capped())
    }

    /// The provider that somebody called by its name.
    pub fn called(&self, name: &str) -> Result<(usize, &Opened), String> {
        self.find(name).ok_or_else(|| format!("there is no source '{name}', or it is turned off or has no key"))
    }

    /// The provider of this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<(usize, &Opened)> {
        self.opened.iter().enumerate().find(|(_, opened)| name == opened.spec.name || name == opened.source.as_str())
    }

    /// The source for a symbol's history: the one that is named, or the first that has the symbol and the interval.
    pub fn history(&self, symbol: &Symbol, interval: Interval, named: Option<&str>) -> Result<(Opened, String), String> {
        let able = match named {
            Some(name) => self.named(symbol, name)?,
            None => self.candidates(Need::History, symbol),
        };
        let keeps = |candidate: &&Candidate| candidate.opened.spec.capabilities.history.contains(&interval);
        match (able.iter().find(keeps), able.first()) {
            (Some(found), _) => Ok((found.opened.clone(), found.spelling.clone())),
            (None, Some(Candidate { opened, .. })) => {
                let has: Vec<_> = opened.spec.capabilities.history.iter().map(|interval| interval.name()).collect();
                let has = if has.is_empty() { "none at all".to_owned() } else { format!("only {}", has.join(", ")) };
                Err(format!("{} has no {interval} history of {symbol}, {has}", opened.spec.name))
            }
            (None, None) => Err(format!("no enabled source has {symbol}")),
        }
    }

    /// The source that somebody called by its name, as far as it has the symbol.
    pub fn named(&self, symbol: &Symbol, name: &str) -> Result<Vec<Candidate>, String> {
        let (number, opened) = self.called(name)?;
        let spelling = opened.provider.spell(symbol).into_iter();
        Ok(spelling.map(|spelling| Candidate { number, opened: opened.clone(), spelling }).collect())
    }
}

/// The order for a class. Classes that no list is there for, futures, have no source.
fn names(config: &Config, need: Need, class: AssetClass) -> Vec<String> {
    let section = config.section(need.section());
    if section.declares(class.name()) { section.list(class.name()) } else { Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Facts, RawConfig};
    use crate::engine::catalogue::config_sections;

    fn of(text: &str) -> Vec<String> {
        let sections = config_sections();
        let raw = RawConfig::parse(text, &sections).expect("a right config");
        misplaced(&Config::resolve(&raw, &sections, &Facts::default()).expect("a right config"))
    }

    #[test]
    fn the_orders_that_are_given_ask_nobody_in_vain() {
        assert_eq!(of(""), Vec::<String>::new());
    }

    #[test]
    fn who_is_asked_in_vain_is_told_of() {
        let text = "[sources.history]\ncrypto = [\"finnhub\", \"kraken\"]\n[sources.live]\nequity = [\"alpaca:iex\", \"kraken\"]\n";
        let expected = [
            "[sources.live] equity names kraken, which knows nothing of the class equity",
            "[sources.history] crypto names finnhub, which has no history",
        ];
        assert_eq!(of(text), expected);
    }
}
