//! Writing rows out: one file a format.

mod contract;
mod csv;
mod jsonl;
mod rows;
mod run;

pub use contract::{Format, FormatSpec, Sink, Value};
pub use rows::{BARS, Describe, QUARANTINE, VIOLATIONS, bar_row, quarantine_row, violation_row};
pub use run::{Exported, export};

/// Every format, in the order lists show them.
pub const FORMATS: &[FormatSpec] = &[csv::SPEC, jsonl::SPEC];
