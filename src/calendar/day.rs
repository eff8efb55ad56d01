//! What a calendar answers: of one day, and of one instant.

use std::fmt;

use crate::market::{Date, SessionKind, Timestamp};

/// A trade date and what happens on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Day {
    /// The date that trades of the day carry.
    pub date: Date,
    /// The parts of the day in time order; none on a closed day; a lunch break parts the regular session in two.
    pub sessions: Vec<Session>,
    /// What is out of the ordinary.
    pub notes: Vec<Note>,
}

/// One part of a trading day: `[open, close)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    /// What the part is.
    pub kind: SessionKind,
    /// The first instant of the part.
    pub open: Timestamp,
    /// The first instant after the part.
    pub close: Timestamp,
    /// Where bars are counted from: the usual open, also on a day that opens late.
    pub anchor: Timestamp,
}

/// Something out of the ordinary, by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// What it does to the day.
    pub kind: NoteKind,
    /// The name people use, such as "Thanksgiving Day".
    pub name: String,
}

/// What a note does to its day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoteKind {
    /// No trading.
    Holiday,
    /// Regular trading ends before its time.
    EarlyClose,
    /// Regular trading starts after its time.
    LateOpen,
    /// The hours are not those of the day before.
    ChangedHours,
}

/// A calendar as seen from one instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The part that is open now.
    pub session: Option<Session>,
    /// Between two parts of one day.
    pub in_break: bool,
    /// The day whose hours hold the instant; the day of the local date when none does.
    pub day: Day,
    /// The next change of state, if there is one within 14 days.
    pub next: Option<Change>,
    /// Why the day is not an ordinary one.
    pub reason: Option<Reason>,
}

/// Open, in a break, or closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Between two days.
    Closed,
    /// Between two parts of one day.
    Break,
    /// In this part of a day.
    Open(SessionKind),
}

/// An instant at which the state becomes another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// When.
    pub at: Timestamp,
    /// What it becomes.
    pub to: State,
}

/// Why a day is not an ordinary one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A day that is no part of the venue's week.
    Weekend,
    /// A holiday, an early close and the like.
    Note(Note),
}

impl Day {
    /// Whether there is any trading.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !self.sessions.is_empty()
    }

    /// The first regular open and the last regular close.
    #[must_use]
    pub fn regular(&self) -> Option<(Timestamp, Timestamp)> {
        let mut parts = self.sessions.iter().filter(|part| part.kind == SessionKind::Regular);
        let first = parts.next()?;
        Some((first.open, parts.next_back().unwrap_or(first).close))
    }

    /// The first open and the last close of all parts.
    #[must_use]
    pub fn span(&self) -> Option<(Timestamp, Timestamp)> {
        Some((self.sessions.first()?.open, self.sessions.last()?.close))
    }

    /// Whether `t` lies between the first open and the last close, breaks included.
    #[must_use]
    pub fn holds(&self, t: Timestamp) -> bool {
        self.span().is_some_and(|(open, close)| open <= t && t < close)
    }

    /// The lunch break, from and to.
    #[must_use]
    pub fn breaks(&self) -> Option<(Timestamp, Timestamp)> {
        self.sessions.windows(2).find(|pair| pair[0].close < pair[1].open).map(|pair| (pair[0].close, pair[1].open))
    }

    /// Whether regular trading ends before its time.
    #[must_use]
    pub fn is_early_close(&self) -> bool {
        self.notes.iter().any(|note| note.kind == NoteKind::EarlyClose)
    }

    /// The part that is open at `t`.
    #[must_use]
    pub fn part_at(&self, t: Timestamp) -> Option<&Session> {
        self.sessions.iter().find(|part| part.open <= t && t < part.close)
    }
}

impl Moment {
    /// Open, in a break, or closed.
    #[must_use]
    pub fn state(&self) -> State {
        match self.session {
            Some(part) => State::Open(part.kind),
            None if self.in_break => State::Break,
            None => State::Closed,
        }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            NoteKind::Holiday => f.write_str(&self.name),
            NoteKind::EarlyClose => write!(f, "early close: {}", self.name),
            NoteKind::LateOpen => write!(f, "late open: {}", self.name),
            NoteKind::ChangedHours => write!(f, "changed hours: {}", self.name),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Weekend => f.write_str("weekend"),
            Self::Note(note) => fmt::Display::fmt(note, f),
        }
    }
}

/// The word a screen shows for a state.
impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("closed"),
            Self::Break => f.write_str("break"),
            Self::Open(kind) => fmt::Display::fmt(kind, f),
        }
    }
}
