//! All calendars together: those that come with the program, and the days that a user adds to them.

use toml::Spanned;

use crate::calendar::VENUES;
use crate::calendar::error::{CalendarError, Refusal};
use crate::calendar::rules::{DayChange, Days};
use crate::calendar::venue::Calendar;
use crate::market::Date;

/// The calendars of all venues.
#[derive(Clone, Debug)]
pub struct Calendars(Vec<Calendar>);

impl Calendars {
    /// The calendars that come with the program.
    ///
    /// # Panics
    ///
    /// Not in a program that passed its tests: they read every embedded file.
    #[must_use]
    pub fn embedded() -> Self {
        let calendar = |text: &&str| Calendar::new(toml::from_str(text).expect("an embedded calendar has the form of one"));
        Self(VENUES.iter().map(calendar).collect())
    }

    /// Adds the days of a user's file, each of which names its venue.
    pub fn with_user_days(mut self, text: &str) -> Result<Self, CalendarError> {
        let days: Days<Spanned<String>> =
            toml::from_str(text).map_err(|error| CalendarError::Form(error.to_string().trim_end().to_owned()))?;
        for (venue, date, change) in days.into_changes() {
            let (line, column) = line_and_column(text, venue.span().start);
            self.change(venue.get_ref(), date, change).map_err(|refusal| CalendarError::Day { line, column, refusal })?;
        }
        Ok(self)
    }

    /// The calendar of a venue, by its code or that of a venue that shares it, in any case of letters.
    #[must_use]
    pub fn get(&self, venue: &str) -> Option<&Calendar> {
        self.0.iter().find(|calendar| calendar.answers_to(venue))
    }

    /// Every calendar, in the order of the registry.
    pub fn iter(&self) -> std::slice::Iter<'_, Calendar> {
        self.0.iter()
    }

    fn change(&mut self, venue: &str, date: Date, change: DayChange) -> Result<(), Refusal> {
        let Some(index) = self.0.iter().position(|calendar| calendar.answers_to(venue)) else {
            return Err(Refusal::UnknownVenue { venue: venue.to_owned(), known: self.names() });
        };
        self.0[index].change(date, change)
    }

    fn names(&self) -> String {
        self.0.iter().map(Calendar::venue).collect::<Vec<_>>().join(", ")
    }
}

impl<'a> IntoIterator for &'a Calendars {
    type Item = &'a Calendar;
    type IntoIter = std::slice::Iter<'a, Calendar>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Both counted from 1.
fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|character| *character != '\n').count() + 1;
    (line, column)
}
