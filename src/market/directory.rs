//! What can be found at a source.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::market::instrument::AssetClass;
use crate::market::symbol::Symbol;

/// A part of the world's instruments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    UsEquities,
    Etf,
    Crypto,
    Fx,
    Indices,
    Otc,
    Options,
}

/// An instrument as a source lists it. What it does not say is `None`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Listed {
    pub symbol: Symbol,
    /// As the source spells it.
    pub spelling: String,
    pub asset_class: AssetClass,
    pub name: Option<String>,
    /// ISO 10383, where the source says it.
    pub venue: Option<String>,
    pub currency: Option<String>,
    pub figi: Option<String>,
    pub active: bool,
}

impl Category {
    pub const ALL: [Self; 7] = [Self::UsEquities, Self::Etf, Self::Crypto, Self::Fx, Self::Indices, Self::Otc, Self::Options];

    /// The word used on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::UsEquities => "us_equities",
            Self::Etf => "etf",
            Self::Crypto => "crypto",
            Self::Fx => "fx",
            Self::Indices => "indices",
            Self::Otc => "otc",
            Self::Options => "options",
        }
    }
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Category {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = || Self::ALL.map(Self::name).join(", ");
        Self::ALL.into_iter().find(|category| category.name() == text).ok_or_else(|| format!("'{text}' is none of {}", known()))
    }
}
