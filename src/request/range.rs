//! Ranges as people type them.

use std::time::Duration;

use crate::calendar::Calendar;
use crate::market::{Date, Interval, TimeOfDay, Timestamp, Zone};

/// The instant of a typed date or time: a date means midnight at the venue for intraday bars and the label of its
/// session for longer ones; an RFC 3339 time is exact.
pub fn instant(text: &str, interval: Interval, calendar: Option<&Calendar>) -> Result<Timestamp, String> {
    let text = text.trim();
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(if interval.is_intraday() { time } else { label_of(time, calendar) });
    }
    let date: Date =
        text.parse().map_err(|_| format!("'{text}' is neither a date such as 2026-11-27 nor a time such as 2026-11-27T14:30:00Z"))?;
    let zone = calendar.map_or(Zone::UTC, Calendar::zone);
    let midnight = TimeOfDay::new(0, 0).expect("midnight exists");
    Ok(if interval.is_intraday() { date.at(midnight, zone) } else { date.midnight() })
}

/// For days, a time is compared with the regular open: the first session that opens at or after it.
fn label_of(time: Timestamp, calendar: Option<&Calendar>) -> Timestamp {
    let Some(calendar) = calendar else { return time };
    let (date, _) = time.in_zone(calendar.zone());
    let opened_before = calendar.day(date).ok().and_then(|day| day.regular()).is_some_and(|(open, _)| open < time);
    if opened_before { date.next().midnight() } else { date.midnight() }
}

/// A typed range: `30` or `30d` for so many days up to now, `FROM..TO`, `FROM..`, `..TO`.
pub fn range(text: &str, interval: Interval, calendar: Option<&Calendar>, now: Timestamp) -> Result<(Timestamp, Timestamp), String> {
    let text = text.trim();
    if let Some((from, to)) = text.split_once("..") {
        let from = if from.is_empty() { Timestamp::MIN } else { instant(from, interval, calendar)? };
        let to = if to.is_empty() { now } else { instant(to, interval, calendar)? };
        return if from < to { Ok((from, to)) } else { Err("the range ends before it begins".to_owned()) };
    }
    let days: u32 = text
        .trim_end_matches('d')
        .trim()
        .parse()
        .map_err(|_| format!("'{text}' is no range: 30 (days), 2026-11-01..2026-11-27 or 2026-11-01.."))?;
    if days == 0 || days > MAX_DAYS {
        return Err(format!("days must be from 1 to {MAX_DAYS}"));
    }
    Ok((days_back(days, interval, now), now))
}

/// A hundred years.
const MAX_DAYS: u32 = 36_525;

/// So many calendar days before `now`; a day's bar counts by its label.
#[must_use]
pub fn days_back(days: u32, interval: Interval, now: Timestamp) -> Timestamp {
    let from = now - Duration::from_secs(86_400) * days;
    if interval.is_intraday() { from } else { from.date().midnight() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar::Calendars;

    #[test]
    fn ranges_as_typed() {
        let calendars = Calendars::embedded();
        let nyse = calendars.get("XNYS");
        let now: Timestamp = "2026-11-25T15:42:00Z".parse().unwrap();
        let check = |text: &str, interval, from: &str, to: &str| {
            let (a, b) = range(text, interval, nyse, now).unwrap();
            assert_eq!((a.to_string().as_str(), b.to_string().as_str()), (from, to), "{text}");
        };
        check("2", Interval::OneMinute, "2026-11-23T15:42:00Z", "2026-11-25T15:42:00Z");
        check("2d", Interval::OneDay, "2026-11-23T00:00:00Z", "2026-11-25T15:42:00Z");
        check("2026-11-02..2026-11-03", Interval::OneMinute, "2026-11-02T05:00:00Z", "2026-11-03T05:00:00Z");
        check("2026-10-30..2026-10-31", Interval::OneMinute, "2026-10-30T04:00:00Z", "2026-10-31T04:00:00Z");
        check("2026-11-02..2026-11-03", Interval::OneDay, "2026-11-02T00:00:00Z", "2026-11-03T00:00:00Z");
        check("2026-11-02T15:00:00Z..", Interval::OneDay, "2026-11-03T00:00:00Z", "2026-11-25T15:42:00Z");
        for bad in ["", "x", "0", "-1", "2026-11-03..2026-11-02", "2026-13-01..", "99999999999"] {
            assert!(range(bad, Interval::OneMinute, nyse, now).is_err(), "{bad}");
        }
    }
}
