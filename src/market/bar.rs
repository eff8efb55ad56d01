//! Bars: what the store keeps.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use bitflags::bitflags;
use serde::{Deserialize, Serialize};

use crate::market::instrument::InstrumentId;
use crate::market::interval::Interval;
use crate::market::session::SessionKind;
use crate::market::time::Timestamp;

/// What makes a bar unique.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BarKey {
    pub instrument: InstrumentId,
    pub interval: Interval,
    pub open_time: Timestamp,
}

/// Open, high, low, close and volume of one instrument over `[open_time, min(open_time + interval, end of its session part))`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bar {
    pub instrument: InstrumentId,
    pub interval: Interval,
    /// An instant for intraday bars; the session date at 00:00Z for a day, its Monday for a week.
    pub open_time: Timestamp,
    pub open: f64,
    pub high: f64,
    pub low: f64,
    pub close: f64,
    pub volume: Option<f64>,
    pub vwap: Option<f64>,
    pub n_trades: Option<u64>,
    pub session: Option<SessionKind>,
    pub source: Source,
    pub origin: Origin,
    /// Rises when the same source says otherwise.
    pub revision: u32,
    /// From 0 to 1; 0.85 and above is validated, below 0.5 is kept out of validated queries.
    pub quality: f64,
    pub flags: BarFlags,
}

/// Who said it: `provider` or `provider:feed`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Source(Arc<str>);

/// How a bar came to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    Live,
    Backfill,
    Import,
    Derived,
}

bitflags! {
    /// Marks on a bar, in alphabetical order.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
    #[serde(transparent)]
    pub struct BarFlags: u16 {
        /// Prices are split-adjusted by splits we do not know.
        const ADJUSTED = 1;
        /// The session opened more than 10 % away from the last close.
        const GAP = 1 << 1;
        /// Two sources disagree by more than 0.2 %.
        const MISMATCH = 1 << 2;
        /// Still forming when it was written.
        const PARTIAL = 1 << 3;
        /// Made from sampled prices, not from trades.
        const SAMPLED = 1 << 4;
    }
}

impl Bar {
    #[must_use]
    pub const fn key(&self) -> BarKey {
        BarKey { instrument: self.instrument, interval: self.interval, open_time: self.open_time }
    }

    /// Whether prices and volume are the same, whoever says them.
    #[must_use]
    pub fn same_figures(&self, other: &Self) -> bool {
        (self.open, self.high, self.low, self.close) == (other.open, other.high, other.low, other.close)
            && self.volume == other.volume
            && self.vwap == other.vwap
            && self.n_trades == other.n_trades
    }
}

impl Source {
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The provider, without its feed.
    #[must_use]
    pub fn provider(&self) -> &str {
        self.0.split_once(':').map_or(&*self.0, |(provider, _)| provider)
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl Origin {
    pub const ALL: [Self; 4] = [Self::Live, Self::Backfill, Self::Import, Self::Derived];

    /// The word used in files, on screens and in the store.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Backfill => "backfill",
            Self::Import => "import",
            Self::Derived => "derived",
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Origin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|origin| origin.name() == text).ok_or_else(|| format!("'{text}' is not an origin"))
    }
}

impl BarFlags {
    /// Reads names joined by `|`; those that this version does not know are left out.
    #[must_use]
    pub fn read(text: &str) -> Self {
        if text.is_empty() {
            return Self::empty();
        }
        text.split('|').filter_map(|name| Self::from_name(&name.to_ascii_uppercase())).fold(Self::empty(), |all, flag| all | flag)
    }
}

/// Sorted names joined by `|`, as in files.
impl fmt::Display for BarFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (name, _)) in self.iter_names().enumerate() {
            if i > 0 {
                f.write_str("|")?;
            }
            f.write_str(&name.to_ascii_lowercase())?;
        }
        Ok(())
    }
}
