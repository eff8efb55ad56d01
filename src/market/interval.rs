//! The lengths of bars.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::market::time::Date;

/// The length of a bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Interval {
    OneMinute,
    FiveMinutes,
    FifteenMinutes,
    ThirtyMinutes,
    OneHour,
    /// Labelled by its session date; how long it lasts is the calendar's word.
    OneDay,
    /// Labelled by its Monday.
    OneWeek,
    /// Labelled by its first day.
    OneMonth,
}

/// A text that is no interval.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("'{0}' is not an interval: one of 1m, 5m, 15m, 30m, 1h, 1d, 1w, 1mo")]
pub struct IntervalError(String);

impl Interval {
    pub const ALL: [Self; 8] = [
        Self::OneMinute,
        Self::FiveMinutes,
        Self::FifteenMinutes,
        Self::ThirtyMinutes,
        Self::OneHour,
        Self::OneDay,
        Self::OneWeek,
        Self::OneMonth,
    ];

    /// As typed and stored: `1m`, `5m`, `15m`, `30m`, `1h`, `1d`, `1w`, `1mo`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OneMinute => "1m",
            Self::FiveMinutes => "5m",
            Self::FifteenMinutes => "15m",
            Self::ThirtyMinutes => "30m",
            Self::OneHour => "1h",
            Self::OneDay => "1d",
            Self::OneWeek => "1w",
            Self::OneMonth => "1mo",
        }
    }

    /// The nominal length in seconds, the store's key; a month has thirty days there.
    #[must_use]
    pub const fn seconds(self) -> u32 {
        match self {
            Self::OneMinute => 60,
            Self::FiveMinutes => 300,
            Self::FifteenMinutes => 900,
            Self::ThirtyMinutes => 1_800,
            Self::OneHour => 3_600,
            Self::OneDay => 86_400,
            Self::OneWeek => 604_800,
            Self::OneMonth => 2_592_000,
        }
    }

    #[must_use]
    pub fn from_seconds(seconds: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|interval| interval.seconds() == seconds)
    }

    #[must_use]
    pub const fn duration(self) -> Duration {
        Duration::from_secs(self.seconds() as u64)
    }

    /// The label of the day, week or month that a date is in.
    #[must_use]
    pub fn label(self, date: Date) -> Date {
        match self {
            Self::OneWeek => date.monday(),
            Self::OneMonth => date.first_of_month(),
            Self::OneMinute | Self::FiveMinutes | Self::FifteenMinutes | Self::ThirtyMinutes | Self::OneHour | Self::OneDay => date,
        }
    }

    /// The label after a label.
    #[must_use]
    pub fn next_label(self, label: Date) -> Date {
        match self {
            Self::OneWeek => label.plus_days(7),
            Self::OneMonth => label.plus_days(31).first_of_month(),
            Self::OneMinute | Self::FiveMinutes | Self::FifteenMinutes | Self::ThirtyMinutes | Self::OneHour | Self::OneDay => label.next(),
        }
    }

    /// Whether bars of this length can be built of `shorter` ones: a week may lie in two months.
    #[must_use]
    pub fn is_built_of(self, shorter: Self) -> bool {
        shorter < self && !(self == Self::OneMonth && shorter == Self::OneWeek)
    }

    /// Whether `open_time` is an instant on a session's grid; a label of a date otherwise.
    #[must_use]
    pub const fn is_intraday(self) -> bool {
        self.seconds() < 86_400
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Interval {
    type Err = IntervalError;

    fn from_str(text: &str) -> Result<Self, IntervalError> {
        Self::ALL.into_iter().find(|interval| interval.name() == text).ok_or_else(|| IntervalError(text.to_owned()))
    }
}

impl TryFrom<String> for Interval {
    type Error = IntervalError;

    fn try_from(text: String) -> Result<Self, IntervalError> {
        text.parse()
    }
}

impl From<Interval> for String {
    fn from(interval: Interval) -> Self {
        interval.name().to_owned()
    }
}
