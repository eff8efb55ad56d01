//! What a rule is, and what judging says.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::market::{Bar, BarFlags, InstrumentId, Interval, Source, Timestamp};
use crate::quality::recent::Recent;

/// One rule: it describes itself, and looks at one bar in its context.
pub struct Rule {
    pub name: &'static str,
    pub sentence: &'static str,
    pub severity: Severity,
    pub check: fn(&Bar, &Context<'_>) -> Option<Finding>,
}

/// What breaking a rule means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The bar is marked; it costs nothing.
    Info,
    /// The bar is kept and its score falls.
    Warning,
    /// The bar is refused and goes to quarantine.
    Error,
}

/// What is known around a bar when it is judged.
pub struct Context<'a> {
    /// The bars before it of the same instrument, interval, session and source.
    pub recent: &'a Recent,
    pub ts_recv: Timestamp,
    /// Whether the calendar has a bar that opens then.
    pub grid: Grid,
    /// Whether the instrument may trade at or below zero, as futures do.
    pub may_be_negative: bool,
    /// The same bar as another source has it.
    pub rival: Option<&'a Bar>,
}

/// Where a bar's open time falls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grid {
    On,
    Off,
    /// Outside the years the calendar knows.
    Unknown,
}

/// A broken rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// What the score loses.
    pub cost: f64,
    pub flag: BarFlags,
    /// What was seen, with its figures.
    pub message: String,
}

/// What judging one bar says.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// From 0 to 1: 1 less the costs.
    pub quality: f64,
    pub flags: BarFlags,
    pub refused: bool,
    /// The broken rules by name and severity, with what was seen.
    pub findings: Vec<(&'static str, Severity, Finding)>,
}

/// A broken rule, as the store and the screen have it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Violation {
    pub time: Timestamp,
    pub instrument: InstrumentId,
    pub interval: Interval,
    pub open_time: Timestamp,
    pub source: Source,
    pub rule: String,
    pub severity: Severity,
    pub message: String,
}

/// Something refused, kept with the reason.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quarantined {
    pub received_at: Timestamp,
    pub source: Source,
    pub instrument: InstrumentId,
    /// `None` for what is no bar.
    pub interval: Option<Interval>,
    pub open_time: Option<Timestamp>,
    /// Sorted names of the broken rules.
    pub reasons: Vec<String>,
    /// What the source said, as JSON.
    pub payload: String,
}

impl Severity {
    pub const ALL: [Self; 3] = [Self::Info, Self::Warning, Self::Error];

    /// The word used in files, on screens and in the store.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
