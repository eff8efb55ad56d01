//! What a calendar cannot answer, and what it does not accept.

use thiserror::Error;

use crate::market::{Date, TimeOfDay};

/// A date outside what a calendar knows: the answer is "unknown", not "open" and not "closed".
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("the calendar of {venue} is known from {from} to {to}, not for {date}")]
pub struct NotKnown {
    /// Whose calendar.
    pub venue: String,
    /// The first known date.
    pub from: Date,
    /// The last known date.
    pub to: Date,
    /// The date that was asked for.
    pub date: Date,
}

/// A user's file of days that cannot be used.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum CalendarError {
    /// It does not have the form of such a file; the text names line and column.
    #[error("{0}")]
    Form(String),
    /// One of its days makes no sense.
    #[error("line {line}, column {column}: {refusal}")]
    Day {
        /// Counted from 1.
        line: usize,
        /// Counted from 1, in characters.
        column: usize,
        /// What is wrong with the day.
        refusal: Refusal,
    },
}

/// Why a calendar does not take a day of the user's.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such calendar.
    #[error("no calendar is named '{venue}'; the calendars are {known}")]
    UnknownVenue {
        /// The name as typed.
        venue: String,
        /// The names that would do.
        known: String,
    },
    /// The calendar ends before that day, or starts after it.
    #[error(transparent)]
    NotKnown(#[from] NotKnown),
    /// An early close or a late open that is none.
    #[error("regular trading of {venue} on {date} is from {open} to {close}: {time} is not between them")]
    OutsideHours {
        /// Whose calendar.
        venue: String,
        /// Which day.
        date: Date,
        /// The usual open.
        open: TimeOfDay,
        /// The usual close.
        close: TimeOfDay,
        /// The time as typed.
        time: TimeOfDay,
    },
}
