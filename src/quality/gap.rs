//! Holes: what the calendar expects and the store does not have.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::calendar::{Calendar, NotKnown, bar_opens};
use crate::market::{InstrumentId, Interval, SessionKind, Source, Timestamp};

/// A stretch of bars that should be there and are not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// The first missing bar's open time.
    pub from: Timestamp,
    /// The end of the last missing bar.
    pub to: Timestamp,
    pub missing: usize,
    pub session: Option<SessionKind>,
}

/// What a source was asked, and what it said: a range that is known to be empty is no gap.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    pub instrument: InstrumentId,
    pub interval: Interval,
    pub source: Source,
    pub from: Timestamp,
    pub to: Timestamp,
    pub state: CoverageState,
    pub asked_at: Timestamp,
}

/// The outcome of asking for a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CoverageState {
    Present,
    EmptySaidSource,
    /// Not received, or lost: a hole until somebody fills it.
    Failed,
}

impl CoverageState {
    pub const ALL: [Self; 3] = [Self::Present, Self::EmptySaidSource, Self::Failed];

    /// The word used in the store.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Present => "present",
            Self::EmptySaidSource => "empty-said-source",
            Self::Failed => "failed",
        }
    }
}

/// The bars of the regular session missing from `present` over `[from, to)`; `covered` are ranges where a source
/// was asked and its answer stands, so that a minute without trades is no hole.
pub fn gaps(
    calendar: &Calendar,
    interval: Interval,
    (from, to): (Timestamp, Timestamp),
    present: &BTreeSet<Timestamp>,
    covered: &[(Timestamp, Timestamp)],
) -> Result<Vec<Gap>, NotKnown> {
    let mut found: Vec<Gap> = Vec::new();
    for (open, close, session) in expected(calendar, interval, from, to)? {
        let known = present.contains(&open) || covered.iter().any(|(from, to)| *from <= open && open < *to);
        if known {
            continue;
        }
        match found.last_mut() {
            Some(gap) if gap.to == open && gap.session == session => {
                gap.to = close;
                gap.missing += 1;
            }
            _ => found.push(Gap { from: open, to: close, missing: 1, session }),
        }
    }
    Ok(found)
}

type Expected = (Timestamp, Timestamp, Option<SessionKind>);

/// Every bar of the regular session that opens in `[from, to)`.
pub fn expected(calendar: &Calendar, interval: Interval, from: Timestamp, to: Timestamp) -> Result<Vec<Expected>, NotKnown> {
    let mut bars = Vec::new();
    let (first, last) = (from.date().previous(), to.date().plus_days(2));
    for day in calendar.days(first, last) {
        let day = day?;
        if interval.is_intraday() {
            let opens = bar_opens(&day, interval.duration(), &[SessionKind::Regular]);
            bars.extend(opens.into_iter().map(|b| (b.open, b.close, Some(b.kind))));
        } else {
            let label = interval.label(day.date);
            bars.push((label.midnight(), interval.next_label(label).midnight(), None));
        }
    }
    bars.dedup();
    bars.retain(|(open, ..)| from <= *open && *open < to);
    Ok(bars)
}
