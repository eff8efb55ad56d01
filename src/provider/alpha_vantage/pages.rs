//! Which pages of history there are: a month of minutes in each, and all of the days, weeks or months in one.

use std::time::Duration;

use crate::market::{Date, Interval, TimeOfDay, Timestamp, Weekday, Zone};

/// The first month of minutes is that of January 2000.
const FIRST_MINUTE: Timestamp = Timestamp::from_seconds(946_702_800);

/// 1970-01-01: nothing is asked for from before.
const FIRST_DAY: Timestamp = Timestamp::from_seconds(0);

/// A hundred rows, one for each weekday at most, reach back so many days from the last one.
const COMPACT_DAYS: i64 = 137;

/// What the plan of the key reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach {
    /// How late minutes are; `None` when those of a day are there only after it.
    pub late: Option<Duration>,
    /// Whether all days are sent, and not the last hundred only.
    pub full: bool,
}

impl Reach {
    /// The first instant whose minutes are not there yet.
    #[must_use]
    pub fn newest(self, now: Timestamp) -> Timestamp {
        let (today, _) = now.in_zone(Zone::NEW_YORK);
        match self.late {
            Some(late) => now - late,
            None => today.at(TimeOfDay::MIDNIGHT, Zone::NEW_YORK),
        }
    }
}

/// Cuts `[from, to)` into pages. What may still change is in none: what is not in an answer would count as never traded.
#[must_use]
pub fn pages(reach: Reach, interval: Interval, from: Timestamp, to: Timestamp, now: Timestamp) -> Vec<(Timestamp, Timestamp)> {
    match interval {
        Interval::OneMinute | Interval::FiveMinutes | Interval::FifteenMinutes | Interval::ThirtyMinutes => {
            months(from.max(FIRST_MINUTE), to.min(reach.newest(now)))
        }
        Interval::OneHour => Vec::new(),
        Interval::OneDay if !reach.full => {
            let (today, _) = now.in_zone(Zone::NEW_YORK);
            whole(from.max(today.plus_days(-COMPACT_DAYS).midnight()), to.min(unsettled(interval, now)))
        }
        Interval::OneDay | Interval::OneWeek | Interval::OneMonth => whole(from.max(FIRST_DAY), to.min(unsettled(interval, now))),
    }
}

/// The month that a page of minutes lies in, as it is asked for: `2026-11`.
pub(crate) fn month(page_from: Timestamp) -> String {
    page_from.format_in(Zone::NEW_YORK, "%Y-%m")
}

/// When the row of a label changes no more. At which hour after the close a day is published is not documented: the next day is safe.
pub(crate) fn settles(interval: Interval, label: Date) -> Timestamp {
    let mut last = interval.next_label(label).previous();
    while last > label && matches!(last.weekday(), Weekday::Saturday | Weekday::Sunday) {
        last = last.previous();
    }
    last.next().at(TimeOfDay::MIDNIGHT, Zone::NEW_YORK)
}

/// The first label whose row may still change.
fn unsettled(interval: Interval, now: Timestamp) -> Timestamp {
    let (today, _) = now.in_zone(Zone::NEW_YORK);
    let label = interval.label(today);
    let first = if settles(interval, label) <= now { interval.next_label(label) } else { label };
    first.midnight()
}

fn whole(from: Timestamp, to: Timestamp) -> Vec<(Timestamp, Timestamp)> {
    if from < to { vec![(from, to)] } else { Vec::new() }
}

fn months(from: Timestamp, to: Timestamp) -> Vec<(Timestamp, Timestamp)> {
    let (mut at, mut pages) = (from, Vec::new());
    while at < to {
        let (date, _) = at.in_zone(Zone::NEW_YORK);
        let next = Interval::OneMonth.next_label(date.first_of_month());
        let end = next.at(TimeOfDay::MIDNIGHT, Zone::NEW_YORK).min(to);
        pages.push((at, end));
        at = end;
    }
    pages
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect(text)
    }

    #[test]
    fn a_week_is_over_on_its_last_weekday() {
        let monday: Date = "2026-11-16".parse().expect("a date");
        assert_eq!(settles(Interval::OneWeek, monday), at("2026-11-21T05:00:00Z"));
        // October ends on a Saturday.
        let october: Date = "2026-10-01".parse().expect("a date");
        assert_eq!(settles(Interval::OneMonth, october), at("2026-10-31T04:00:00Z"));
    }

    #[test]
    fn minutes_are_there_as_late_as_the_plan_has_them() {
        let now = at("2026-11-20T15:00:00Z");
        let newest = |late: Option<u64>, now: Timestamp| Reach { late: late.map(Duration::from_secs), full: false }.newest(now);
        assert_eq!(newest(None, now), at("2026-11-20T05:00:00Z"));
        assert_eq!(newest(None, at("2026-11-21T04:59:59Z")), at("2026-11-20T05:00:00Z"));
        assert_eq!(newest(Some(900), now), at("2026-11-20T14:45:00Z"));
        assert_eq!(month(at("2026-11-01T03:59:59Z")), "2026-10");
    }
}
