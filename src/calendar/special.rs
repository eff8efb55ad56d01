//! From rules to dates: every day of a venue that is not like the others, worked out once when its file is read.

use std::collections::HashMap;

use crate::calendar::holiday::is_weekend;
use crate::calendar::rules::{DayChange, Part, VenueRules, YearlyRule};
use crate::market::{Date, TimeOfDay};

/// How a date differs from the usual day; nothing set means not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Special {
    /// No trading, and why.
    pub closed: Option<String>,
    /// Trading even on a day that the week leaves out.
    pub opened: bool,
    /// Other parts of the day, and why.
    pub changed_hours: Option<(Vec<Part>, String)>,
    /// The start of the regular session, and why.
    pub late_open: Option<(TimeOfDay, String)>,
    /// The end of the regular session, and why.
    pub early_close: Option<(TimeOfDay, String)>,
}

/// The days that differ, by date.
pub type Specials = HashMap<Date, Special>;

impl Special {
    /// Adds a change; one of the same kind replaces what was there.
    pub fn apply(&mut self, change: DayChange) {
        match change {
            DayChange::Closed(name) => self.closed = Some(name),
            DayChange::EarlyClose(close, name) => self.early_close = Some((close, name)),
            DayChange::LateOpen(open, name) => self.late_open = Some((open, name)),
            DayChange::ChangedHours(parts, name) => {
                *self = Self { opened: true, changed_hours: Some((parts, name)), ..Self::default() };
            }
            DayChange::Open => *self = Self { opened: true, ..Self::default() },
        }
    }
}

/// The days that differ by the rules and the single days of one venue's file.
#[must_use]
pub fn expand(rules: &VenueRules) -> Specials {
    let mut specials = Specials::new();
    for (_, date, change) in rules.days.clone().into_changes() {
        specials.entry(date).or_default().apply(change);
    }
    for year in rules.known_from.year()..=rules.known_to.year() {
        let in_force = || rules.rules.iter().filter(move |rule| rule.holds_in(year));
        add_holidays(&mut specials, year, in_force().filter(|rule| rule.close.is_none()));
        add_early_closes(&mut specials, year, in_force());
    }
    specials
}

/// Those that fall on their own day come first, so that a substitute day finds the next free one.
fn add_holidays<'r>(specials: &mut Specials, year: i32, rules: impl Iterator<Item = &'r YearlyRule>) {
    let dated = rules.filter_map(|rule| Some((rule, rule.on.in_year(year)?)));
    let (moved, kept): (Vec<_>, Vec<_>) = dated.partition(|(rule, date)| rule.weekend.moves(*date));
    for (rule, date) in kept {
        close(specials, date, rule.name.clone());
    }
    for (rule, date) in moved {
        let observed = rule.weekend.observed(date, |day| is_closed(specials, day));
        close(specials, observed, format!("{} (observed)", rule.name));
    }
}

fn add_early_closes<'r>(specials: &mut Specials, year: i32, rules: impl Iterator<Item = &'r YearlyRule>) {
    for rule in rules {
        let (Some(close), Some(date)) = (rule.close, rule.on.in_year(year)) else { continue };
        let date = rule.weekend.observed(date, |day| is_closed(specials, day));
        let on_its_weekday = rule.weekdays.is_empty() || rule.weekdays.contains(&date.weekday());
        if on_its_weekday && !is_weekend(date) && !is_closed(specials, date) {
            specials.entry(date).or_default().early_close.get_or_insert_with(|| (close, rule.name.clone()));
        }
    }
}

fn is_closed(specials: &Specials, date: Date) -> bool {
    specials.get(&date).is_some_and(|special| special.closed.is_some())
}

/// A single day of the file is the better word: it stays.
fn close(specials: &mut Specials, date: Date, name: String) {
    let special = specials.entry(date).or_default();
    if !special.opened {
        special.closed.get_or_insert(name);
    }
}
