//! The files of `assets/calendars` and the user's own, as they are written; what they mean is decided elsewhere.

use serde::Deserialize;

use crate::calendar::holiday::{DayOfYear, Weekend};
use crate::market::{Date, SessionKind, TimeOfDay, Weekday, Zone};

/// A whole file of one venue.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VenueRules {
    /// The market identifier code.
    pub venue: String,
    /// The name people use.
    pub name: String,
    /// Other codes with the same calendar.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// The zone of every wall-clock time in the file.
    pub zone: Zone,
    /// The first date the file speaks for.
    pub known_from: Date,
    /// The last date the file speaks for.
    pub known_to: Date,
    /// The weekdays with trading.
    pub week: Vec<Weekday>,
    /// The usual hours, oldest first.
    pub hours: Vec<Hours>,
    /// What returns every year.
    #[serde(default)]
    pub rules: Vec<YearlyRule>,
    /// What does not.
    #[serde(default)]
    pub days: Days<Option<String>>,
}

/// The usual hours from a date until the next entry.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hours {
    /// The first date with these hours.
    pub from: Date,
    /// What changed, told on the first date.
    #[serde(default)]
    pub name: Option<String>,
    /// The parts of the day, in time order.
    pub sessions: Vec<Part>,
}

/// One part of a trading day, by the wall clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// What the part is.
    pub kind: SessionKind,
    /// When it starts.
    pub open: TimeOfDay,
    /// Days from the trade date to the date of `open`.
    #[serde(default)]
    pub open_day: i64,
    /// When it ends.
    pub close: TimeOfDay,
    /// Days from the trade date to the date of `close`.
    #[serde(default)]
    pub close_day: i64,
}

/// A holiday, or an early close where `close` is given, that returns every year.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct YearlyRule {
    /// The name people use.
    pub name: String,
    /// When it falls.
    pub on: DayOfYear,
    /// What becomes of it on a weekend.
    #[serde(default)]
    pub weekend: Weekend,
    /// It holds on these weekdays only; on all when empty.
    #[serde(default)]
    pub weekdays: Vec<Weekday>,
    /// The first year.
    #[serde(default)]
    pub since: Option<i32>,
    /// The last year.
    #[serde(default)]
    pub until: Option<i32>,
    /// Years without it.
    #[serde(default)]
    pub except: Vec<i32>,
    /// The end of the regular session on that day.
    #[serde(default)]
    pub close: Option<TimeOfDay>,
}

impl YearlyRule {
    /// Whether the rule holds in `year`.
    #[must_use]
    pub fn holds_in(&self, year: i32) -> bool {
        self.since.is_none_or(|first| first <= year) && self.until.is_none_or(|last| year <= last) && !self.except.contains(&year)
    }
}

/// Single days that differ. `V` is how a row names its venue: a venue's own file need not, the user's file must.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, bound(deserialize = "V: Deserialize<'de>"))]
pub struct Days<V> {
    /// No trading at all.
    #[serde(default)]
    pub closed: Vec<ClosedDay<V>>,
    /// Regular trading ends before its time.
    #[serde(default)]
    pub early_close: Vec<EarlyCloseDay<V>>,
    /// Regular trading starts after its time.
    #[serde(default)]
    pub late_open: Vec<LateOpenDay<V>>,
    /// Other hours altogether.
    #[serde(default)]
    pub changed_hours: Vec<ChangedHoursDay<V>>,
    /// Trading, whatever the rules say.
    #[serde(default)]
    pub open: Vec<OpenDay<V>>,
}

/// A day without trading.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClosedDay<V> {
    /// Whose day.
    pub venue: V,
    /// Which day.
    pub date: Date,
    /// Why.
    pub name: String,
}

/// A day on which regular trading ends before its time.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EarlyCloseDay<V> {
    /// Whose day.
    pub venue: V,
    /// Which day.
    pub date: Date,
    /// The end of the regular session.
    pub close: TimeOfDay,
    /// Why.
    pub name: String,
}

/// A day on which regular trading starts after its time.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LateOpenDay<V> {
    /// Whose day.
    pub venue: V,
    /// Which day.
    pub date: Date,
    /// The start of the regular session.
    pub open: TimeOfDay,
    /// Why.
    pub name: String,
}

/// A day with hours of its own, in place of the usual ones.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangedHoursDay<V> {
    /// Whose day.
    pub venue: V,
    /// Which day.
    pub date: Date,
    /// The parts of the day, in time order.
    pub sessions: Vec<Part>,
    /// Why.
    pub name: String,
}

/// A day with the usual hours, whatever the rules say.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenDay<V> {
    /// Whose day.
    pub venue: V,
    /// Which day.
    pub date: Date,
}

/// How one day differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DayChange {
    /// No trading, and why.
    Closed(String),
    /// The end of the regular session, and why.
    EarlyClose(TimeOfDay, String),
    /// The start of the regular session, and why.
    LateOpen(TimeOfDay, String),
    /// All parts of the day, and why.
    ChangedHours(Vec<Part>, String),
    /// The usual hours after all.
    Open,
}

impl<V> Default for Days<V> {
    fn default() -> Self {
        Self { closed: Vec::new(), early_close: Vec::new(), late_open: Vec::new(), changed_hours: Vec::new(), open: Vec::new() }
    }
}

impl<V> Days<V> {
    /// Every row with its venue and date; openings first, so that a closed day of the same date wins.
    pub fn into_changes(self) -> impl Iterator<Item = (V, Date, DayChange)> {
        let open = self.open.into_iter().map(|row| (row.venue, row.date, DayChange::Open));
        let changed = self.changed_hours.into_iter().map(|row| (row.venue, row.date, DayChange::ChangedHours(row.sessions, row.name)));
        let late = self.late_open.into_iter().map(|row| (row.venue, row.date, DayChange::LateOpen(row.open, row.name)));
        let early = self.early_close.into_iter().map(|row| (row.venue, row.date, DayChange::EarlyClose(row.close, row.name)));
        let closed = self.closed.into_iter().map(|row| (row.venue, row.date, DayChange::Closed(row.name)));
        open.chain(changed).chain(late).chain(early).chain(closed)
    }
}
