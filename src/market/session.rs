//! The parts of a trading day.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Which part of a trading day an instant or a bar belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SessionKind {
    /// Trading in the night before, that counts for this date.
    Overnight,
    /// Before the opening auction.
    Pre,
    /// Continuous trading between the auctions.
    Regular,
    /// After the closing auction.
    Post,
}

impl SessionKind {
    pub const ALL: [Self; 4] = [Self::Overnight, Self::Pre, Self::Regular, Self::Post];

    /// The word used in files, on screens and in the store.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Overnight => "overnight",
            Self::Pre => "pre",
            Self::Regular => "regular",
            Self::Post => "post",
        }
    }
}

impl fmt::Display for SessionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for SessionKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|kind| kind.name() == text).ok_or_else(|| format!("'{text}' is not a session kind"))
    }
}
