//! Judging bars: one rule, one function; a score; the holes against the calendar. Bad data is a value, not an error.

mod contract;
mod gap;
mod judge;
mod recent;
mod rule;

pub use contract::{Context, Finding, Grid, Quarantined, Rule, Severity, Verdict, Violation};
pub use gap::{Coverage, CoverageState, Gap, expected, gaps};
pub use judge::{judge, judge_sources};
pub use recent::Recent;

/// Every rule, in the order they are judged.
pub const RULES: &[Rule] = &[
    rule::HIGH_BELOW_BODY,
    rule::LOW_ABOVE_BODY,
    rule::PRICE,
    rule::NEGATIVE_VOLUME,
    rule::FUTURE,
    rule::OFF_GRID,
    rule::JUMP,
    rule::OVERNIGHT_GAP,
    rule::VOLUME_SPIKE,
    rule::VOLUME_DROUGHT,
    rule::MISMATCH,
];
