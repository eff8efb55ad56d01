//! One venue's calendar: which parts a date has, and where an instant lies among them.

use std::time::Duration;

use crate::calendar::day::{Change, Day, Moment, Note, NoteKind, Reason, Session, State};
use crate::calendar::error::{NotKnown, Refusal};
use crate::calendar::rules::{DayChange, Hours, Part, VenueRules};
use crate::calendar::special::{Special, Specials, expand};
use crate::market::{Date, SessionKind, TimeOfDay, Timestamp, Zone};

/// How far ahead a change of state is looked for: 14 days.
const LOOK_AHEAD: Duration = Duration::from_secs(14 * 86_400);

/// When one venue is open. Cheap to ask: whatever differs from the usual day is worked out when the calendar is built.
#[derive(Clone, Debug)]
pub struct Calendar {
    rules: VenueRules,
    specials: Specials,
}

impl Calendar {
    /// Builds a calendar from the rules of its file.
    #[must_use]
    pub fn new(rules: VenueRules) -> Self {
        let specials = expand(&rules);
        Self { rules, specials }
    }

    /// The market identifier code.
    #[must_use]
    pub fn venue(&self) -> &str {
        &self.rules.venue
    }

    /// The name people use.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.rules.name
    }

    /// The codes of venues that keep the same calendar.
    #[must_use]
    pub fn aliases(&self) -> &[String] {
        &self.rules.aliases
    }

    /// The zone in which the venue's clocks run.
    #[must_use]
    pub fn zone(&self) -> Zone {
        self.rules.zone
    }

    /// The first known date.
    #[must_use]
    pub fn known_from(&self) -> Date {
        self.rules.known_from
    }

    /// The last known date.
    #[must_use]
    pub fn known_to(&self) -> Date {
        self.rules.known_to
    }

    /// The day of `date`, without sessions where the venue is closed.
    pub fn day(&self, date: Date) -> Result<Day, NotKnown> {
        self.check(date)?;
        Ok(match self.specials.get(&date) {
            Some(special) => self.special_day(date, special),
            None => self.usual_day(date),
        })
    }

    /// The open days from `from` until before `to`.
    pub fn days(&self, from: Date, to: Date) -> impl Iterator<Item = Result<Day, NotKnown>> {
        std::iter::successors(Some(from), |date| Some(date.next()))
            .take_while(move |date| *date < to)
            .map(move |date| self.day(date))
            .filter(|day| day.as_ref().map_or_else(|_| true, Day::is_open))
    }

    /// What the venue does at `t`, and what it does next.
    pub fn at(&self, t: Timestamp) -> Result<Moment, NotKnown> {
        let day = self.day_at(t)?;
        let session = day.part_at(t).copied();
        let in_break = session.is_none() && day.holds(t);
        let reason = self.reason(&day);
        let mut moment = Moment { session, in_break, day, next: None, reason };
        moment.next = self.next_change(t, moment.state());
        Ok(moment)
    }

    /// The day whose hours hold `t`, breaks included; the day of the local date when none does.
    pub fn day_at(&self, t: Timestamp) -> Result<Day, NotKnown> {
        let local = self.local_date(t);
        let today = self.day(local)?;
        if today.holds(t) {
            return Ok(today);
        }
        let around = [local.next(), local.previous()];
        Ok(around.into_iter().filter_map(|date| self.day(date).ok()).find(|day| day.holds(t)).unwrap_or(today))
    }

    /// Whether a session is open; cheaper than [`at`](Self::at), which also looks ahead.
    pub fn is_trading(&self, t: Timestamp) -> Result<bool, NotKnown> {
        Ok(self.day_at(t)?.part_at(t).is_some())
    }

    /// The trade date of an instant: the day whose hours hold it, else the next open day.
    pub fn session_date(&self, t: Timestamp) -> Result<Date, NotKnown> {
        let day = self.day_at(t)?;
        let is_ahead = day.span().is_some_and(|(open, _)| t < open);
        if is_ahead || day.holds(t) {
            return Ok(day.date);
        }
        self.next_open_day(day.date).map(|next| next.date)
    }

    /// The first open day after `date`.
    pub fn next_open_day(&self, date: Date) -> Result<Day, NotKnown> {
        self.open_day_from(date.next(), Date::next)
    }

    /// The last open day before `date`.
    pub fn previous_open_day(&self, date: Date) -> Result<Day, NotKnown> {
        self.open_day_from(date.previous(), Date::previous)
    }

    /// Whether `code` is the venue's, or that of one with the same calendar, in any case of letters.
    #[must_use]
    pub fn answers_to(&self, code: &str) -> bool {
        std::iter::once(&self.rules.venue).chain(&self.rules.aliases).any(|own| own.eq_ignore_ascii_case(code))
    }

    /// Changes one day, as the user's file says.
    pub fn change(&mut self, date: Date, change: DayChange) -> Result<(), Refusal> {
        self.check(date)?;
        if let DayChange::EarlyClose(time, _) | DayChange::LateOpen(time, _) = &change {
            self.check_inside_hours(date, *time)?;
        }
        self.specials.entry(date).or_default().apply(change);
        Ok(())
    }

    fn check(&self, date: Date) -> Result<(), NotKnown> {
        let (from, to) = (self.rules.known_from, self.rules.known_to);
        if from <= date && date <= to {
            return Ok(());
        }
        Err(NotKnown { venue: self.rules.venue.clone(), from, to, date })
    }

    fn check_inside_hours(&self, date: Date, time: TimeOfDay) -> Result<(), Refusal> {
        let Some((open, close)) = self.trading_day(date).regular() else { return Ok(()) };
        let at = date.at(time, self.rules.zone);
        if open < at && at < close {
            return Ok(());
        }
        let (open, close) = (open.in_zone(self.rules.zone).1, close.in_zone(self.rules.zone).1);
        Err(Refusal::OutsideHours { venue: self.rules.venue.clone(), date, open, close, time })
    }

    fn local_date(&self, t: Timestamp) -> Date {
        t.in_zone(self.rules.zone).0
    }

    fn open_day_from(&self, first: Date, step: fn(Date) -> Date) -> Result<Day, NotKnown> {
        let mut date = first;
        loop {
            let day = self.day(date)?;
            if day.is_open() {
                return Ok(day);
            }
            date = step(date);
        }
    }

    fn usual_day(&self, date: Date) -> Day {
        if self.rules.week.contains(&date.weekday()) {
            return self.trading_day(date);
        }
        Day { date, sessions: Vec::new(), notes: Vec::new() }
    }

    fn trading_day(&self, date: Date) -> Day {
        let hours = self.hours(date);
        let sessions = hours.map_or_else(Vec::new, |hours| self.sessions(date, &hours.sessions));
        let renamed = hours.filter(|hours| hours.from == date).and_then(|hours| hours.name.clone());
        let notes = renamed.map(|name| Note { kind: NoteKind::ChangedHours, name }).into_iter().collect();
        Day { date, sessions, notes }
    }

    fn special_day(&self, date: Date, special: &Special) -> Day {
        if let Some(name) = &special.closed {
            return Day { date, sessions: Vec::new(), notes: vec![Note { kind: NoteKind::Holiday, name: name.clone() }] };
        }
        let mut day = if special.opened { self.trading_day(date) } else { self.usual_day(date) };
        if !day.is_open() {
            return day;
        }
        if let Some((parts, name)) = &special.changed_hours {
            day.sessions = self.sessions(date, parts);
            day.notes.push(Note { kind: NoteKind::ChangedHours, name: name.clone() });
        }
        if let Some((time, name)) = &special.late_open {
            open_late(&mut day, date.at(*time, self.rules.zone));
            day.notes.push(Note { kind: NoteKind::LateOpen, name: name.clone() });
        }
        if let Some((time, name)) = &special.early_close {
            close_early(&mut day, date.at(*time, self.rules.zone));
            day.notes.push(Note { kind: NoteKind::EarlyClose, name: name.clone() });
        }
        day
    }

    fn hours(&self, date: Date) -> Option<&Hours> {
        self.rules.hours.iter().rev().find(|hours| hours.from <= date)
    }

    fn sessions(&self, date: Date, parts: &[Part]) -> Vec<Session> {
        let zone = self.rules.zone;
        let session = |part: &Part| {
            let open = date.plus_days(part.open_day).at(part.open, zone);
            Session { kind: part.kind, open, close: date.plus_days(part.close_day).at(part.close, zone), anchor: open }
        };
        parts.iter().map(session).collect()
    }

    fn reason(&self, day: &Day) -> Option<Reason> {
        if let Some(note) = day.notes.first() {
            return Some(Reason::Note(note.clone()));
        }
        (!self.rules.week.contains(&day.date.weekday()) && !day.is_open()).then_some(Reason::Weekend)
    }

    /// Follows the stretches of equal state from `t` on. `edge` is the instant up to which the state is still `now`.
    fn next_change(&self, t: Timestamp, now: State) -> Option<Change> {
        let today = self.local_date(t);
        let last = self.local_date(t + LOOK_AHEAD).next();
        let dates = std::iter::successors(Some(today.previous()), |date| Some(date.next())).take_while(|date| *date <= last);
        let stretches = dates.filter_map(|date| self.day(date).ok()).flat_map(|day| stretches(&day));
        let mut edge = t;
        for (open, close, state) in stretches.filter(|(_, close, _)| *close > t) {
            if edge < open && now != State::Closed {
                break;
            }
            if state != now {
                return within_look_ahead(t, Change { at: open.max(t), to: state });
            }
            edge = close;
        }
        if now == State::Closed {
            return None;
        }
        within_look_ahead(t, Change { at: edge, to: State::Closed })
    }
}

fn within_look_ahead(t: Timestamp, change: Change) -> Option<Change> {
    (change.at <= t + LOOK_AHEAD).then_some(change)
}

/// The parts of a day and the breaks between them, in time order.
fn stretches(day: &Day) -> Vec<(Timestamp, Timestamp, State)> {
    let mut all = Vec::with_capacity(day.sessions.len() + 1);
    let mut previous_close = None;
    for part in &day.sessions {
        if let Some(close) = previous_close.filter(|close| *close < part.open) {
            all.push((close, part.open, State::Break));
        }
        all.push((part.open, part.close, State::Open(part.kind)));
        previous_close = Some(part.close);
    }
    all
}

/// Parts over by then are lost; what comes before the regular session lasts until the late open.
fn open_late(day: &mut Day, open: Timestamp) {
    let Some((usual, _)) = day.regular() else { return };
    day.sessions.retain(|part| part.kind != SessionKind::Regular || part.close > open);
    for part in &mut day.sessions {
        if part.kind == SessionKind::Regular {
            part.open = part.open.max(open);
        } else if part.close == usual {
            part.close = open;
        }
    }
}

/// Parts that would start later are lost; what follows the regular session keeps its length and moves forward.
fn close_early(day: &mut Day, close: Timestamp) {
    let Some((_, usual)) = day.regular() else { return };
    let sooner = usual.since(close);
    day.sessions.retain(|part| part.kind != SessionKind::Regular || part.open < close);
    for part in &mut day.sessions {
        if part.kind == SessionKind::Regular {
            part.close = part.close.min(close);
        } else if part.open >= usual {
            (part.open, part.close, part.anchor) = (part.open - sooner, part.close - sooner, part.anchor - sooner);
        }
    }
}
