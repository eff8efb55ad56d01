//! What a source lists and what a rename comes to, made ready for the tables: the same for every engine.

use std::collections::BTreeMap;

use crate::market::{AssetClass, Listed, Listing, Symbol};
use crate::store::error::StoreError;

/// The provider under which our own symbols are kept.
pub(crate) const OURS: &str = "openbell";

/// Each instrument once, and each spelling once.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Listings {
    /// By symbol.
    pub(crate) instruments: Vec<Entry>,
    /// Spellings, and what they mean.
    pub(crate) names: Vec<(String, Symbol)>,
}

/// An instrument as it is inserted; what is `None` was not said.
#[derive(Debug, PartialEq)]
pub(crate) struct Entry {
    pub(crate) symbol: Symbol,
    pub(crate) venue: String,
    pub(crate) asset_class: AssetClass,
    pub(crate) currency: String,
    pub(crate) precision: u8,
    pub(crate) name: Option<String>,
    pub(crate) figi: Option<String>,
    pub(crate) active: bool,
}

/// What came of a rename.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Renamed {
    Done,
    /// There is no instrument of the old symbol.
    Missing,
    /// The new symbol is another instrument's.
    Taken,
}

impl Listings {
    /// A later word about an instrument counts more than an earlier one, and a listing that lasts more than one that is over.
    pub(crate) fn of(mut listed: Vec<Listed>) -> Self {
        listed.sort_by_key(|one| one.active);
        let mut instruments: BTreeMap<Symbol, Listed> = BTreeMap::new();
        let mut names = BTreeMap::new();
        for one in listed {
            if !one.spelling.is_empty() {
                names.insert(one.spelling.clone(), one.symbol.clone());
            }
            let one = match instruments.remove(&one.symbol) {
                Some(earlier) => completed(one, earlier),
                None => one,
            };
            instruments.insert(one.symbol.clone(), one);
        }
        Self { instruments: instruments.into_values().map(Entry::of).collect(), names: names.into_iter().collect() }
    }
}

impl Entry {
    fn of(listed: Listed) -> Self {
        let Listing { venue, currency, precision, .. } = listed.symbol.listing();
        Self {
            venue: said(listed.venue).unwrap_or_else(|| venue.as_ref().to_owned()),
            currency: said(listed.currency).unwrap_or_else(|| currency.as_ref().to_owned()),
            asset_class: listed.asset_class,
            precision,
            name: said(listed.name),
            figi: said(listed.figi),
            active: listed.active,
            symbol: listed.symbol,
        }
    }
}

impl Renamed {
    /// The outcome in the store's words.
    pub(crate) fn told(self, name: String, old: &Symbol, new: &Symbol) -> Result<(), StoreError> {
        match self {
            Self::Done => Ok(()),
            Self::Missing => Err(StoreError::Unknown { name, symbol: old.to_string() }),
            Self::Taken => Err(StoreError::Taken { name, old: old.to_string(), new: new.to_string() }),
        }
    }
}

/// What 1 in a price is worth in the main currency.
pub(crate) fn price_unit(currency: &str) -> f64 {
    if currency == "GBp" { 0.01 } else { 1.0 }
}

fn completed(one: Listed, earlier: Listed) -> Listed {
    Listed {
        name: said(one.name).or(earlier.name),
        venue: said(one.venue).or(earlier.venue),
        currency: said(one.currency).or(earlier.currency),
        figi: said(one.figi).or(earlier.figi),
        ..one
    }
}

/// An empty text says nothing.
fn said(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(symbol: &str, spelling: &str, name: &str, active: bool) -> Listed {
        Listed {
            symbol: symbol.parse().unwrap(),
            spelling: spelling.to_owned(),
            asset_class: AssetClass::Equity,
            name: Some(name.to_owned()),
            venue: None,
            currency: None,
            figi: None,
            active,
        }
    }

    #[test]
    fn each_instrument_comes_out_once_with_all_that_was_said_of_it() {
        let figi = Listed { figi: Some("BBG000".to_owned()), ..listed("FB", "FB.old", "Facebook", false) };
        let found = Listings::of(vec![listed("FB", "FB", "ProShares", true), figi, listed("VOD:XLON", "VOD.L", " ", true)]);
        let told: Vec<_> = found.instruments.iter().map(|one| (one.symbol.as_str(), one.name.as_deref(), one.active)).collect();
        assert_eq!(told, [("FB", Some("ProShares"), true), ("VOD:XLON", None, true)], "what lasts counts more");
        assert_eq!(found.instruments[0].figi.as_deref(), Some("BBG000"));
        assert_eq!((found.instruments[1].venue.as_str(), found.instruments[1].currency.as_str()), ("XLON", "GBp"));
        let spellings: Vec<_> = found.names.iter().map(|(spelling, symbol)| (spelling.as_str(), symbol.as_str())).collect();
        assert_eq!(spellings, [("FB", "FB"), ("FB.old", "FB"), ("VOD.L", "VOD:XLON")]);
        assert_eq!(Listings::of(Vec::new()), Listings::default());
    }
}
