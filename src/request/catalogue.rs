//! What this build can do, for forms and lists: it names no store and no socket.

use serde::{Deserialize, Serialize};

use crate::market::{AssetClass, Delay, Interval};

/// Everything that can be chosen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Catalogue {
    pub providers: Vec<ProviderFacts>,
    pub formats: Vec<FormatFacts>,
    pub venues: Vec<String>,
}

/// One provider.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProviderFacts {
    pub name: String,
    pub sentence: String,
    pub enabled: bool,
    pub asset_classes: Vec<AssetClass>,
    pub live: SourceKind,
    pub delay: Delay,
    /// Intervals of its history; empty means it has none.
    pub history: Vec<Interval>,
    /// Whether it needs a key, and has it.
    pub key: KeyState,
}

/// Whether a provider's key is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyState {
    NotNeeded,
    Present,
    Missing,
}

impl KeyState {
    /// The word in lists.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotNeeded => "not needed",
            Self::Present => "present",
            Self::Missing => "missing",
        }
    }
}

/// One export format.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FormatFacts {
    pub name: String,
    pub sentence: String,
}

/// How live data come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SourceKind {
    /// A socket that sends every trade.
    Trades,
    /// A socket or poll that samples the last price.
    Prices,
    None,
}
