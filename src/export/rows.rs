//! The tables that are written out: their columns, and a row of each. Columns are only ever appended.

use std::collections::HashMap;
use std::sync::Arc;

use crate::export::contract::Value;
use crate::market::{Bar, Instrument, InstrumentId, Interval, SessionKind};
use crate::quality::Quarantined;
use crate::store::ViolationRow;

pub const BARS: &[&str] = &[
    "symbol",
    "interval",
    "open_time",
    "open",
    "high",
    "low",
    "close",
    "volume",
    "vwap",
    "n_trades",
    "source",
    "quality",
    "flags",
    "session",
    "origin",
    "revision",
    "currency",
];
pub const QUARANTINE: &[&str] = &["received_at", "source", "symbol", "interval", "open_time", "reasons", "payload"];
pub const VIOLATIONS: &[&str] = &["time", "symbol", "interval", "open_time", "source", "rule", "severity", "message", "acknowledged"];

/// Names of instruments, for tables that have their ids.
#[derive(Clone, Debug, Default)]
pub struct Describe(HashMap<InstrumentId, Arc<Instrument>>);

impl Describe {
    #[must_use]
    pub fn new(instruments: Vec<Instrument>) -> Self {
        Self(instruments.into_iter().map(|instrument| (instrument.id, Arc::new(instrument))).collect())
    }

    /// The symbol of an instrument; empty when it is not known.
    #[must_use]
    pub fn symbol(&self, id: InstrumentId) -> &str {
        self.0.get(&id).map_or("", |instrument| instrument.symbol.as_str())
    }

    fn currency(&self, id: InstrumentId) -> Value {
        self.0.get(&id).map(|instrument| &*instrument.currency).into()
    }
}

/// A row of [`BARS`].
#[must_use]
pub fn bar_row(bar: &Bar, names: &Describe) -> Vec<Value> {
    vec![
        names.symbol(bar.instrument).into(),
        bar.interval.name().into(),
        bar.open_time.into(),
        bar.open.into(),
        bar.high.into(),
        bar.low.into(),
        bar.close.into(),
        bar.volume.into(),
        bar.vwap.into(),
        bar.n_trades.into(),
        bar.source.as_str().into(),
        bar.quality.into(),
        bar.flags.to_string().as_str().into(),
        bar.session.map(SessionKind::name).into(),
        bar.origin.name().into(),
        u64::from(bar.revision).into(),
        names.currency(bar.instrument),
    ]
}

/// A row of [`QUARANTINE`].
#[must_use]
pub fn quarantine_row(row: &Quarantined, names: &Describe) -> Vec<Value> {
    vec![
        row.received_at.into(),
        row.source.as_str().into(),
        names.symbol(row.instrument).into(),
        row.interval.map(Interval::name).into(),
        row.open_time.into(),
        row.reasons.join("|").as_str().into(),
        row.payload.as_str().into(),
    ]
}

/// A row of [`VIOLATIONS`].
#[must_use]
pub fn violation_row(row: &ViolationRow, names: &Describe) -> Vec<Value> {
    let violation = &row.violation;
    vec![
        violation.time.into(),
        names.symbol(violation.instrument).into(),
        violation.interval.name().into(),
        violation.open_time.into(),
        violation.source.as_str().into(),
        violation.rule.as_str().into(),
        violation.severity.name().into(),
        violation.message.as_str().into(),
        Value::Flag(row.acknowledged),
    ]
}
