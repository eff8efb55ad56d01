//! How late a source is by agreement.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How late a source's prices are by agreement. Being delayed is not being stale.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Delay {
    RealTime,
    /// Late by this many seconds.
    Seconds(u32),
    EndOfDay,
    #[default]
    Unknown,
}

impl Delay {
    /// The agreed lateness in seconds; nothing is agreed for end-of-day and unknown sources.
    #[must_use]
    pub const fn seconds(self) -> Option<u32> {
        match self {
            Self::RealTime => Some(0),
            Self::Seconds(seconds) => Some(seconds),
            Self::EndOfDay | Self::Unknown => None,
        }
    }

    /// The mark next to a price: empty in real time, `D15` for 15 minutes, `EOD`, `D?`.
    #[must_use]
    pub fn mark(self) -> String {
        match self {
            Self::RealTime => String::new(),
            Self::Seconds(seconds) => format!("D{}", seconds.div_ceil(60)),
            Self::EndOfDay => "EOD".to_owned(),
            Self::Unknown => "D?".to_owned(),
        }
    }
}

impl fmt::Display for Delay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RealTime => f.write_str("real-time"),
            Self::Seconds(seconds) => write!(f, "delayed {seconds} s"),
            Self::EndOfDay => f.write_str("end-of-day"),
            Self::Unknown => f.write_str("unknown"),
        }
    }
}
