//! What can be traded, and where.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::market::symbol::Symbol;

/// The store's key of an instrument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct InstrumentId(pub i64);

/// The kind of thing an instrument is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AssetClass {
    Equity,
    Etf,
    Index,
    Option,
    Future,
    Fx,
    Crypto,
}

/// What a symbol's spelling tells before any source was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// ISO 10383 code, or `CRYPTO` or `FX`.
    pub venue: Arc<str>,
    pub asset_class: AssetClass,
    /// ISO 4217 code, or a fraction of one (`GBp` = 0.01 GBP).
    pub currency: Arc<str>,
    /// Decimals of a price on a screen.
    pub precision: u8,
}

/// An instrument as the store knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instrument {
    pub id: InstrumentId,
    pub symbol: Symbol,
    /// ISO 10383 code, or `CRYPTO` or `FX`.
    pub venue: Arc<str>,
    pub asset_class: AssetClass,
    /// ISO 4217 code, or a fraction of one (`GBp` = 0.01 GBP).
    pub currency: Arc<str>,
    /// Decimals of a price on a screen.
    pub precision: u8,
    pub name: Arc<str>,
    /// False once it was taken off the list: its history stays.
    pub active: bool,
}

impl AssetClass {
    pub const ALL: [Self; 7] = [Self::Equity, Self::Etf, Self::Index, Self::Option, Self::Future, Self::Fx, Self::Crypto];

    /// The word used in files, on screens and in the store.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Equity => "equity",
            Self::Etf => "etf",
            Self::Index => "index",
            Self::Option => "option",
            Self::Future => "future",
            Self::Fx => "fx",
            Self::Crypto => "crypto",
        }
    }
}

impl fmt::Display for AssetClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for AssetClass {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|class| class.name() == text).ok_or_else(|| format!("'{text}' is not an asset class"))
    }
}

impl Listing {
    #[must_use]
    pub fn new(venue: &str, asset_class: AssetClass, currency: &str, precision: u8) -> Self {
        Self { venue: venue.into(), asset_class, currency: currency.into(), precision }
    }
}

impl Instrument {
    /// The instrument that a symbol's spelling tells of.
    #[must_use]
    pub fn listed(id: InstrumentId, symbol: Symbol) -> Self {
        let Listing { venue, asset_class, currency, precision } = symbol.listing();
        Self { id, symbol, venue, asset_class, currency, precision, name: "".into(), active: true }
    }
}
