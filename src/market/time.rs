//! Instants, dates and zones: the only place, with `calendar`, that knows the date library.

use std::fmt;
use std::ops::{Add, Sub};
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Utc};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// An instant: microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

/// A day of the civil calendar, without a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(NaiveDate);

/// A wall-clock time of day, without a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimeOfDay(NaiveTime);

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Weekday {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

/// A zone of the time-zone database, such as `America/New_York`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Zone(chrono_tz::Tz);

/// A text that is not the time, date or zone it should be.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum TimeError {
    #[error("'{0}' is not a time such as 2026-11-27T14:30:00Z")]
    Timestamp(String),
    #[error("'{0}' is not a date such as 2026-11-27")]
    Date(String),
    #[error("'{0}' is not a time of day such as 09:30")]
    TimeOfDay(String),
    #[error("'{0}' is not a time zone such as America/New_York")]
    Zone(String),
}

impl Timestamp {
    /// The first instant that can be told: used as "since ever".
    pub const MIN: Self = Self(i64::MIN);
    /// The last instant that can be told: used as "for ever".
    pub const MAX: Self = Self(i64::MAX);

    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Saturates: a source may send any number.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1_000))
    }

    /// Saturates: a source may send any number.
    #[must_use]
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1_000_000))
    }

    #[must_use]
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    #[must_use]
    pub const fn as_seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// Reads a date as HTTP headers write it: `Fri, 27 Nov 2026 14:30:00 GMT`.
    #[must_use]
    pub fn from_http_date(text: &str) -> Option<Self> {
        DateTime::parse_from_rfc2822(text).ok().map(|t| Self(t.timestamp_micros()))
    }

    /// The time from `earlier` to here; zero when `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// The signed time from `earlier` to here, in seconds.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a difference of instants, read by people")]
    pub fn seconds_since(self, earlier: Self) -> f64 {
        self.0.saturating_sub(earlier.0) as f64 / 1e6
    }

    /// The greatest multiple of `step` after `anchor` that is not later than this instant.
    #[must_use]
    pub fn floor_to(self, step: Duration, anchor: Self) -> Self {
        let step = i64::try_from(step.as_micros()).unwrap_or(i64::MAX).max(1);
        let offset = self.0.saturating_sub(anchor.0).rem_euclid(step);
        Self(self.0.saturating_sub(offset))
    }

    /// The date in Greenwich.
    #[must_use]
    pub fn date(self) -> Date {
        Date(self.utc().date_naive())
    }

    /// The wall clock and date in `zone`.
    #[must_use]
    pub fn in_zone(self, zone: Zone) -> (Date, TimeOfDay) {
        let local = self.utc().with_timezone(&zone.0);
        (Date(local.date_naive()), TimeOfDay(local.time()))
    }

    /// The short name of the zone's time at this instant, such as `EST` or `EDT`.
    #[must_use]
    pub fn zone_name(self, zone: Zone) -> String {
        self.utc().with_timezone(&zone.0).format("%Z").to_string()
    }

    /// Text by a `strftime` pattern, in UTC.
    #[must_use]
    pub fn format(self, pattern: &str) -> String {
        self.utc().format(pattern).to_string()
    }

    /// Text by a `strftime` pattern, in `zone`.
    #[must_use]
    pub fn format_in(self, zone: Zone, pattern: &str) -> String {
        self.utc().with_timezone(&zone.0).format(pattern).to_string()
    }

    fn utc(self) -> DateTime<Utc> {
        // A day inside what can be written: a zone may be hours away from Greenwich on either side.
        let day = chrono::TimeDelta::days(1);
        let (first, last) = (DateTime::<Utc>::MIN_UTC + day, DateTime::<Utc>::MAX_UTC - day);
        DateTime::from_timestamp_micros(self.0).unwrap_or(if self.0 < 0 { first } else { last }).clamp(first, last)
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;

    fn sub(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)))
    }
}

/// RFC 3339 in UTC; fractions of a second only where there are any.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.utc().format("%Y-%m-%dT%H:%M:%S%.fZ"))
    }
}

/// RFC 3339 with any offset.
impl FromStr for Timestamp {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        DateTime::parse_from_rfc3339(text).map(|t| Self(t.timestamp_micros())).map_err(|_| TimeError::Timestamp(text.to_owned()))
    }
}

impl Date {
    /// `None` for a day that does not exist, such as 30 February.
    #[must_use]
    pub fn new(year: i32, month: u32, day: u32) -> Option<Self> {
        NaiveDate::from_ymd_opt(year, month, day).map(Self)
    }

    #[must_use]
    pub fn year(self) -> i32 {
        self.0.year()
    }

    #[must_use]
    pub fn month(self) -> u32 {
        self.0.month()
    }

    #[must_use]
    pub fn day(self) -> u32 {
        self.0.day()
    }

    #[must_use]
    pub fn weekday(self) -> Weekday {
        match self.0.weekday() {
            chrono::Weekday::Mon => Weekday::Monday,
            chrono::Weekday::Tue => Weekday::Tuesday,
            chrono::Weekday::Wed => Weekday::Wednesday,
            chrono::Weekday::Thu => Weekday::Thursday,
            chrono::Weekday::Fri => Weekday::Friday,
            chrono::Weekday::Sat => Weekday::Saturday,
            chrono::Weekday::Sun => Weekday::Sunday,
        }
    }

    /// The date `days` later (earlier when negative); saturates at the ends of the calendar.
    #[must_use]
    pub fn plus_days(self, days: i64) -> Self {
        let end = if days < 0 { NaiveDate::MIN } else { NaiveDate::MAX };
        Self(chrono::TimeDelta::try_days(days).and_then(|d| self.0.checked_add_signed(d)).unwrap_or(end))
    }

    #[must_use]
    pub fn next(self) -> Self {
        self.plus_days(1)
    }

    #[must_use]
    pub fn previous(self) -> Self {
        self.plus_days(-1)
    }

    /// Days from `earlier` to here; negative when `earlier` is later.
    #[must_use]
    pub fn days_since(self, earlier: Self) -> i64 {
        self.0.signed_duration_since(earlier.0).num_days()
    }

    /// The Monday of this date's week.
    #[must_use]
    pub fn monday(self) -> Self {
        self.plus_days(-i64::from(self.0.weekday().num_days_from_monday()))
    }

    /// The first day of this date's month.
    #[must_use]
    pub fn first_of_month(self) -> Self {
        self.plus_days(1 - i64::from(self.0.day()))
    }

    /// 00:00 in Greenwich on this date.
    #[must_use]
    pub fn midnight(self) -> Timestamp {
        Timestamp(self.0.and_time(NaiveTime::MIN).and_utc().timestamp_micros())
    }

    /// The instant of a wall-clock time in `zone`: the earlier one when the clock shows it twice, the first
    /// instant after the jump when it never does.
    #[must_use]
    pub fn at(self, time: TimeOfDay, zone: Zone) -> Timestamp {
        let wall = NaiveDateTime::new(self.0, time.0);
        let local = zone.0.from_local_datetime(&wall).earliest().or_else(|| {
            let before = zone.0.from_local_datetime(&(wall - chrono::TimeDelta::hours(1))).latest()?;
            Some(before + chrono::TimeDelta::hours(1))
        });
        Timestamp(local.map_or_else(|| wall.and_utc().timestamp_micros(), |t| t.timestamp_micros()))
    }

    /// Text by a `strftime` pattern.
    #[must_use]
    pub fn format(self, pattern: &str) -> String {
        self.0.format(pattern).to_string()
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.format("%Y-%m-%d"))
    }
}

impl FromStr for Date {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        NaiveDate::parse_from_str(text, "%Y-%m-%d").map(Self).map_err(|_| TimeError::Date(text.to_owned()))
    }
}

impl TimeOfDay {
    /// The start of a day.
    pub const MIDNIGHT: Self = Self(NaiveTime::MIN);

    /// `None` outside 00:00 to 23:59.
    #[must_use]
    pub fn new(hour: u32, minute: u32) -> Option<Self> {
        NaiveTime::from_hms_opt(hour, minute, 0).map(Self)
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.format("%H:%M"))
    }
}

impl FromStr for TimeOfDay {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        NaiveTime::parse_from_str(text, "%H:%M").map(Self).map_err(|_| TimeError::TimeOfDay(text.to_owned()))
    }
}

impl Zone {
    pub const UTC: Self = Self(chrono_tz::UTC);
    pub const NEW_YORK: Self = Self(chrono_tz::America::New_York);

    /// The name in the time-zone database.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.0.name()
    }
}

impl FromStr for Zone {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        text.parse().map(Self).map_err(|_| TimeError::Zone(text.to_owned()))
    }
}

/// Serde by the text forms above, so that files and the wire read as people write.
macro_rules! serde_as_text {
    ($($kind:ty),+) => {$(
        impl Serialize for $kind {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $kind {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )+};
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

serde_as_text!(Date, TimeOfDay, Zone);

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    #[test]
    fn prints_what_it_parses() {
        for text in ["2026-11-27T14:30:00Z", "1969-12-31T23:59:59Z", "2026-11-20T15:04:05.678901Z"] {
            assert_eq!(at(text).to_string(), text);
        }
        assert_eq!(at("2026-11-27T09:30:00-05:00").to_string(), "2026-11-27T14:30:00Z");
    }

    #[test]
    fn floors_before_and_after_the_anchor() {
        let anchor = at("2026-11-27T14:30:00Z");
        let hour = Duration::from_secs(3600);
        assert_eq!(at("2026-11-27T16:10:00Z").floor_to(hour, anchor), at("2026-11-27T15:30:00Z"));
        assert_eq!(at("2026-11-27T14:10:00Z").floor_to(hour, anchor), at("2026-11-27T13:30:00Z"));
    }

    #[test]
    fn wall_clock_follows_daylight_saving() {
        let open: TimeOfDay = "09:30".parse().expect("a time of day");
        let day = |text: &str| text.parse::<Date>().expect("a date");
        assert_eq!(day("2026-10-30").at(open, Zone::NEW_YORK), at("2026-10-30T13:30:00Z"));
        assert_eq!(day("2026-11-02").at(open, Zone::NEW_YORK), at("2026-11-02T14:30:00Z"));
        let skipped: TimeOfDay = "02:30".parse().expect("a time of day");
        assert_eq!(day("2026-03-08").at(skipped, Zone::NEW_YORK), at("2026-03-08T07:30:00Z"));
    }

    #[test]
    fn absurd_numbers_saturate() {
        assert_eq!(Timestamp::from_seconds(i64::MAX), Timestamp::MAX);
        assert!(!Timestamp::MAX.to_string().is_empty());
        assert_eq!((Timestamp::MAX + Duration::from_secs(1)), Timestamp::MAX);
    }
}
