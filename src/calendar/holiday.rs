//! On which date a yearly rule falls; knows no venue.

use serde::Deserialize;

use crate::market::{Date, Weekday};

/// A day of the year, by one of the three ways in which holidays are fixed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum DayOfYear {
    /// Always the same day of the month.
    Fixed { month: u32, day: u32 },
    /// The `nth` such weekday of the month (from its end when negative), and then `plus` days.
    Nth {
        month: u32,
        weekday: Weekday,
        nth: i64,
        #[serde(default)]
        plus: i64,
    },
    /// Days after western Easter Sunday, negative before it.
    Easter { easter: i64 },
}

/// What becomes of a day that falls on a weekend.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Weekend {
    /// It stays there and costs no trading day.
    #[default]
    Stays,
    /// Saturday moves to Friday, Sunday to Monday.
    NearestWeekday,
    /// Both move to the Friday before.
    PreviousWeekday,
    /// Both move to the next weekday that is not a holiday already.
    NextWeekday,
    /// Sunday moves to the next weekday that is not a holiday already, Saturday stays.
    NextWeekdayIfSunday,
}

impl DayOfYear {
    /// The date in `year`; `None` where the year has no such day.
    #[must_use]
    pub fn in_year(self, year: i32) -> Option<Date> {
        match self {
            Self::Fixed { month, day } => Date::new(year, month, day),
            Self::Nth { month, weekday, nth, plus } => nth_weekday(year, month, weekday, nth).map(|date| date.plus_days(plus)),
            Self::Easter { easter: days } => easter(year).map(|date| date.plus_days(days)),
        }
    }
}

impl Weekend {
    /// Whether a day that falls on `date` is kept on another.
    #[must_use]
    pub fn moves(self, date: Date) -> bool {
        match self {
            Self::Stays => false,
            Self::NearestWeekday | Self::PreviousWeekday | Self::NextWeekday => is_weekend(date),
            Self::NextWeekdayIfSunday => date.weekday() == Weekday::Sunday,
        }
    }

    /// The date on which a day that falls on `date` is kept; `taken` tells which dates are holidays already.
    #[must_use]
    pub fn observed(self, date: Date, taken: impl Fn(Date) -> bool) -> Date {
        if !self.moves(date) {
            return date;
        }
        match self {
            Self::Stays => date,
            Self::NearestWeekday if date.weekday() == Weekday::Sunday => date.next(),
            Self::NearestWeekday | Self::PreviousWeekday => date.monday().plus_days(4),
            Self::NextWeekday | Self::NextWeekdayIfSunday => next_free_weekday(date, taken),
        }
    }
}

/// Whether `date` is a Saturday or a Sunday.
#[must_use]
pub fn is_weekend(date: Date) -> bool {
    matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday)
}

fn next_free_weekday(date: Date, taken: impl Fn(Date) -> bool) -> Date {
    let mut next = date.next();
    while is_weekend(next) || taken(next) {
        next = next.next();
    }
    next
}

fn nth_weekday(year: i32, month: u32, weekday: Weekday, nth: i64) -> Option<Date> {
    let first = Date::new(year, month, 1)?;
    let on_weekday = |date: &Date| date.weekday() == weekday;
    let date = if nth > 0 {
        (0..7).map(|days| first.plus_days(days)).find(on_weekday)?.plus_days(7 * (nth - 1))
    } else {
        let last = last_of_month(first);
        (0..7).map(|days| last.plus_days(-days)).find(on_weekday)?.plus_days(7 * (nth + 1))
    };
    (date.month() == month && date.year() == year).then_some(date)
}

fn last_of_month(first: Date) -> Date {
    let in_next = first.plus_days(31);
    in_next.plus_days(-i64::from(in_next.day()))
}

/// Western Easter Sunday, by the anonymous Gregorian computation.
fn easter(year: i32) -> Option<Date> {
    let golden = year.rem_euclid(19);
    let century = year.div_euclid(100);
    let in_century = year.rem_euclid(100);
    let correction = (century - (century + 8) / 25 + 1) / 3;
    let moon = (19 * golden + century - century / 4 - correction + 15).rem_euclid(30);
    let sunday = (32 + 2 * (century % 4) + 2 * (in_century / 4) - moon - in_century % 4).rem_euclid(7);
    let late = (golden + 11 * moon + 22 * sunday) / 451;
    Date::new(year, 3, 22).map(|earliest| earliest.plus_days(i64::from(moon + sunday - 7 * late)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> Date {
        text.parse().expect("a date")
    }

    #[test]
    fn easter_sundays() {
        for text in ["1990-04-15", "2000-04-23", "2008-03-23", "2011-04-24", "2024-03-31", "2026-04-05", "2030-04-21", "2038-04-25"] {
            assert_eq!(easter(date(text).year()), Some(date(text)));
        }
    }

    #[test]
    fn weekdays_counted_from_either_end() {
        let fourth_thursday = DayOfYear::Nth { month: 11, weekday: Weekday::Thursday, nth: 4, plus: 1 };
        assert_eq!(fourth_thursday.in_year(2026), Some(date("2026-11-27")));
        let last_monday = DayOfYear::Nth { month: 5, weekday: Weekday::Monday, nth: -1, plus: 0 };
        assert_eq!(last_monday.in_year(2026), Some(date("2026-05-25")));
        assert_eq!(last_monday.in_year(2027), Some(date("2027-05-31")));
        let fifth_monday = DayOfYear::Nth { month: 2, weekday: Weekday::Monday, nth: 5, plus: 0 };
        assert_eq!(fifth_monday.in_year(2026), None);
        assert_eq!(DayOfYear::Fixed { month: 2, day: 29 }.in_year(2027), None);
    }

    #[test]
    fn weekends_are_kept_where_the_rule_says() {
        let (saturday, sunday) = (date("2026-07-04"), date("2027-07-04"));
        let free = |_| false;
        for (weekend, of_saturday, of_sunday) in [
            (Weekend::Stays, "2026-07-04", "2027-07-04"),
            (Weekend::NearestWeekday, "2026-07-03", "2027-07-05"),
            (Weekend::PreviousWeekday, "2026-07-03", "2027-07-02"),
            (Weekend::NextWeekday, "2026-07-06", "2027-07-05"),
            (Weekend::NextWeekdayIfSunday, "2026-07-04", "2027-07-05"),
        ] {
            assert_eq!(weekend.observed(saturday, free), date(of_saturday), "{weekend:?}");
            assert_eq!(weekend.observed(sunday, free), date(of_sunday), "{weekend:?}");
        }
        let monday_taken = |day| day == date("2027-07-05");
        assert_eq!(Weekend::NextWeekday.observed(sunday, monday_taken), date("2027-07-06"));
    }
}
