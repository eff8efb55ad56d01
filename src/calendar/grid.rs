//! Where intraday bars start and end: counted from the open of each part of a day, cut at its close.

use std::time::Duration;

use crate::calendar::day::{Day, Session};
use crate::calendar::error::NotKnown;
use crate::calendar::venue::Calendar;
use crate::market::{SessionKind, Timestamp};

/// The time a bar covers: `[open, close)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The first instant of the bar.
    pub open: Timestamp,
    /// The first instant after the bar; sooner than an interval later where the part of the day ends.
    pub close: Timestamp,
    /// The part of the day that the bar belongs to.
    pub kind: SessionKind,
}

/// The bar that covers `t`; `None` while the venue is closed or in a break.
pub fn bar_bounds(calendar: &Calendar, interval: Duration, t: Timestamp) -> Result<Option<Bounds>, NotKnown> {
    let day = calendar.day_at(t)?;
    Ok(day.part_at(t).map(|part| bounds(part, interval, t)))
}

/// Every bar of a day in the parts of these kinds, in time order; none for an interval of zero.
#[must_use]
pub fn bar_opens(day: &Day, interval: Duration, kinds: &[SessionKind]) -> Vec<Bounds> {
    if interval.is_zero() {
        return Vec::new();
    }
    let wanted = day.sessions.iter().filter(|part| kinds.contains(&part.kind));
    wanted.flat_map(|part| bars_of(part, interval)).collect()
}

fn bars_of(part: &Session, interval: Duration) -> impl Iterator<Item = Bounds> {
    let next = move |bar: &Bounds| (bar.close < part.close).then(|| bounds(part, interval, bar.close));
    std::iter::successors((part.open < part.close).then(|| bounds(part, interval, part.open)), next)
}

/// On a day that opens late the first bar may start before the open: the grid is that of every day.
fn bounds(part: &Session, interval: Duration, t: Timestamp) -> Bounds {
    let open = t.floor_to(interval, part.anchor);
    Bounds { open, close: (open + interval).min(part.close), kind: part.kind }
}
