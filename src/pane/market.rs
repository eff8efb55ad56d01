//! When each venue trades: its state, what comes next and when, and the days out of the ordinary. It knows no price.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::calendar::{Calendar, Day, Note, NoteKind};
use crate::config::Section;
use crate::market::{Date, Timestamp, Zone, clean};
use crate::pane::contract::{Action, Command, Context, Effect, Motion, Pane, PaneSpec};
use crate::pane::cursor::Cursor;
use crate::pane::filter::Filter;
use crate::pane::segments::{Segment, flow, sentence, shows_seconds};
use crate::snapshot::VenueView;
use crate::widget::{Align, Cell, Column, Role, Table, Theme, countdown};

/// The clocks of the venues.
pub(crate) const SPEC: PaneSpec = PaneSpec {
    name: "market",
    sentence: "When each venue trades: its state, the time to the next change, holidays and early closes.",
    keys: &[],
    commands: &[Command {
        name: "holidays",
        sentence: "Show the next holidays and early closes, or the clocks.",
        keys: &["h"],
        hint: "holidays",
    }],
    new: open,
};

/// Holidays are listed so many days ahead; a venue without any in that time shows its next one.
const DAYS_AHEAD: i64 = 30;
const DAYS_SEARCHED: i64 = 366;
/// From this height on the time in Greenwich stands above the table.
const ROOM_FOR_UTC: u16 = 4;
/// From this width on the venue's name is shown.
const ROOM_FOR_NAME: u16 = 84;

const CLOCK_COLUMNS: &[Column] = &[
    Column { title: "venue", align: Align::Left, rank: 0, may_shorten: false },
    Column { title: "state", align: Align::Left, rank: 2, may_shorten: false },
    Column { title: "next", align: Align::Left, rank: 1, may_shorten: false },
    Column { title: "there", align: Align::Left, rank: 3, may_shorten: false },
    Column { title: "today", align: Align::Left, rank: 4, may_shorten: true },
    Column { title: "name", align: Align::Left, rank: 5, may_shorten: true },
];

const HOLIDAY_COLUMNS: &[Column] = &[
    Column { title: "date", align: Align::Left, rank: 1, may_shorten: false },
    Column { title: "when", align: Align::Left, rank: 4, may_shorten: false },
    Column { title: "venue", align: Align::Left, rank: 0, may_shorten: false },
    Column { title: "what", align: Align::Left, rank: 2, may_shorten: false },
    Column { title: "hours", align: Align::Left, rank: 3, may_shorten: false },
    Column { title: "name", align: Align::Left, rank: 5, may_shorten: true },
];

#[derive(Debug, Default)]
struct Market {
    shown: Shown,
    filter: Filter,
    cursor: Cursor,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Shown {
    #[default]
    Clocks,
    Holidays,
}

/// A day out of the ordinary.
struct Holiday {
    venue: String,
    date: Date,
    days_ahead: i64,
    kind: NoteKind,
    hours: String,
    name: String,
}

fn open(_: &Section) -> Box<dyn Pane> {
    Box::new(Market::default())
}

impl Pane for Market {
    fn title(&self, context: &Context<'_>) -> String {
        let venues = &context.view.venues;
        match self.shown {
            Shown::Holidays => "market holidays".to_owned(),
            Shown::Clocks if venues.is_empty() => "market".to_owned(),
            Shown::Clocks => {
                let open = venues.iter().filter(|venue| venue.state == "regular").count();
                format!("market {open} of {} open", venues.len())
            }
        }
    }

    fn act(&mut self, action: Action<'_>, context: &Context<'_>) -> Vec<Effect> {
        match action {
            Action::Move(motion) => self.go(motion, context),
            Action::Command("holidays") => {
                self.shown = match self.shown {
                    Shown::Clocks => Shown::Holidays,
                    Shown::Holidays => Shown::Clocks,
                };
                self.cursor = Cursor::default();
            }
            Action::Filter(text) => self.filter = Filter::new(text),
            Action::Command(_) | Action::Event(_) | Action::Open => {}
        }
        Vec::new()
    }

    fn render(&self, area: Rect, buf: &mut Buffer, context: &Context<'_>) {
        let list = below_utc(area);
        if list.y > area.y {
            draw_utc(area, buf, context);
        }
        let rows = self.rows(context);
        if rows.is_empty() {
            sentence(&self.filter.nothing(self.empty()), list, buf, context.theme.style(Role::Dim));
            return;
        }
        let height = usize::from(list.height.saturating_sub(1));
        let (len, window) = (rows.len(), self.cursor.window(rows.len(), height));
        Table {
            columns: self.columns(area.width),
            rows: rows.into_iter().skip(window.start).take(window.len()).collect(),
            header: context.theme.style(Role::Dim),
            selected: self.cursor.in_window(len, height),
            selection: context.theme.style(Role::Selected),
        }
        .render(list, buf);
    }

    fn ticks(&self, context: &Context<'_>) -> bool {
        let counts = |at: Timestamp| at > context.now && shows_seconds(at.since(context.now));
        self.shown == Shown::Clocks && context.view.venues.iter().any(|venue| venue.next.as_ref().is_some_and(|(at, _)| counts(*at)))
    }
}

impl Market {
    fn go(&mut self, motion: Motion, context: &Context<'_>) {
        let area = Rect::new(0, 0, context.size.0, context.size.1);
        let height = usize::from(below_utc(area).height.saturating_sub(1));
        self.cursor.go(motion, self.rows(context).len(), height);
    }

    fn rows(&self, context: &Context<'_>) -> Vec<Vec<Cell>> {
        match self.shown {
            Shown::Clocks => self.venues(context).map(|venue| clock_row(venue, context)).collect(),
            Shown::Holidays => self.holidays(context).iter().map(|holiday| holiday_row(holiday, context.theme)).collect(),
        }
    }

    fn columns(&self, width: u16) -> &'static [Column] {
        match self.shown {
            Shown::Clocks if width < ROOM_FOR_NAME => &CLOCK_COLUMNS[..5],
            Shown::Clocks => CLOCK_COLUMNS,
            Shown::Holidays => HOLIDAY_COLUMNS,
        }
    }

    fn empty(&self) -> &'static str {
        match self.shown {
            Shown::Clocks => "no venue yet: a adds a symbol, and its venue's clock appears here",
            Shown::Holidays => "no holiday or early close is known for the coming year: h shows the clocks again",
        }
    }

    fn venues<'a>(&'a self, context: &Context<'a>) -> impl Iterator<Item = &'a VenueView> {
        let shown = move |venue: &&VenueView| self.filter.matches(&[&venue.venue, &venue.name, &venue.state]);
        context.view.venues.iter().map(|venue| &**venue).filter(shown)
    }

    fn holidays(&self, context: &Context<'_>) -> Vec<Holiday> {
        let mut all: Vec<_> = self.venues(context).flat_map(|venue| holidays_of(venue, context)).collect();
        all.sort_by(|a, b| (a.date, &a.venue).cmp(&(b.date, &b.venue)));
        all
    }
}

fn below_utc(area: Rect) -> Rect {
    let taken = u16::from(area.height >= ROOM_FOR_UTC);
    Rect { y: area.y + taken, height: area.height - taken, ..area }
}

fn draw_utc(area: Rect, buf: &mut Buffer, context: &Context<'_>) {
    let time = Segment::fact(context.now.format("UTC %H:%M"), context.theme.style(Role::Accent));
    let date = Segment::fact(context.now.format("%a %d %b %Y"), context.theme.style(Role::Dim));
    // What flows into a second line has no room.
    if let Some(line) = flow(vec![time, date], usize::from(area.width)).first() {
        line.draw(area, buf);
    }
}

fn clock_row(venue: &VenueView, context: &Context<'_>) -> Vec<Cell> {
    let text = context.theme.style(Role::Text);
    let dim = context.theme.style(Role::Dim);
    let (mark, state) = state_look(&venue.state, context.theme);
    let there = format!("{} {}", context.now.format_in(venue.zone, "%H:%M"), context.now.zone_name(venue.zone));
    vec![
        Cell::new(format!("{mark} {}", clean(&venue.venue)), state),
        Cell::new(clean(&venue.state), state),
        Cell::new(next_text(venue, context.now), text),
        Cell::new(there, text),
        Cell::new(clean(&note_text(venue, context)), context.theme.style(Role::Warning)),
        Cell::new(clean(&venue.name), dim),
    ]
}

/// The mark beside a state's word, and its colour.
fn state_look(state: &str, theme: &Theme) -> (char, Style) {
    let (mark, role) = match state {
        "regular" => ('●', Role::Up),
        "pre" | "overnight" => ('◐', Role::Warning),
        "post" => ('◑', Role::Warning),
        "break" => ('=', Role::Warning),
        "closed" => ('○', Role::Dim),
        _ => ('?', Role::Dim),
    };
    (mark, theme.style(role))
}

/// What comes, and how soon: `closes in 5 h 28 min`.
fn next_text(venue: &VenueView, now: Timestamp) -> String {
    let Some((at, to)) = &venue.next else {
        return if venue.is_open { "stays open".to_owned() } else { "-".to_owned() };
    };
    let what = match (venue.state.as_str(), to.as_str()) {
        (_, "break") => "breaks".to_owned(),
        ("break", "regular") => "reopens".to_owned(),
        (_, "regular") => "opens".to_owned(),
        ("regular" | "break", "post" | "closed" | "overnight") => "closes".to_owned(),
        (state, "closed") => format!("{} closes", clean(state)),
        (_, to) => format!("{} opens", clean(to)),
    };
    let span = at.since(now);
    if span.is_zero() { format!("{what} now") } else { format!("{what} in {}", countdown(span)) }
}

/// What is out of the ordinary today: the calendar says of which kind, the picture only by name.
fn note_text(venue: &VenueView, context: &Context<'_>) -> String {
    let day = context.calendars.get(&venue.venue).and_then(|calendar| calendar.day_at(context.now).ok());
    let notes = day.map_or_else(Vec::new, |day| day.notes.iter().map(ToString::to_string).collect());
    if notes.is_empty() { venue.note.clone().unwrap_or_default() } else { notes.join(", ") }
}

fn holidays_of(venue: &VenueView, context: &Context<'_>) -> Vec<Holiday> {
    let Some(calendar) = context.calendars.get(&venue.venue) else { return Vec::new() };
    let today = context.now.in_zone(venue.zone).0;
    let mut days: Vec<Day> = noted(calendar, today, 0, DAYS_AHEAD).collect();
    if days.is_empty() {
        days.extend(noted(calendar, today, DAYS_AHEAD + 1, DAYS_SEARCHED).next());
    }
    let of_day = |day: &Day| day.notes.iter().map(|note| holiday(venue, today, day, note)).collect::<Vec<_>>();
    days.iter().flat_map(of_day).collect()
}

/// The days with notes, from so many to so many days after `today`.
fn noted(calendar: &Calendar, today: Date, first: i64, last: i64) -> impl Iterator<Item = Day> {
    (first..=last).filter_map(move |ahead| calendar.day(today.plus_days(ahead)).ok()).filter(|day| !day.notes.is_empty())
}

fn holiday(venue: &VenueView, today: Date, day: &Day, note: &Note) -> Holiday {
    Holiday {
        venue: clean(&venue.venue).into_owned(),
        date: day.date,
        days_ahead: day.date.days_since(today),
        kind: note.kind,
        hours: hours_text(day, note.kind, venue.zone),
        name: clean(&note.name).into_owned(),
    }
}

fn hours_text(day: &Day, kind: NoteKind, zone: Zone) -> String {
    let Some((open, close)) = day.regular() else { return "closed".to_owned() };
    let (open, close) = (open.format_in(zone, "%H:%M"), close.format_in(zone, "%H:%M"));
    match kind {
        NoteKind::Holiday => "closed".to_owned(),
        NoteKind::EarlyClose => format!("to {close}"),
        NoteKind::LateOpen => format!("from {open}"),
        NoteKind::ChangedHours => format!("{open} to {close}"),
    }
}

fn holiday_row(holiday: &Holiday, theme: &Theme) -> Vec<Cell> {
    let text = theme.style(Role::Text);
    let what = match holiday.kind {
        NoteKind::Holiday => "holiday",
        NoteKind::EarlyClose => "early close",
        NoteKind::LateOpen => "late open",
        NoteKind::ChangedHours => "changed hours",
    };
    let when = match holiday.days_ahead {
        0 => "today".to_owned(),
        1 => "tomorrow".to_owned(),
        days => format!("in {days} days"),
    };
    vec![
        Cell::new(holiday.date.format("%a %d %b"), text),
        Cell::new(when, theme.style(if holiday.days_ahead < 2 { Role::Warning } else { Role::Dim })),
        Cell::new(holiday.venue.clone(), text),
        Cell::new(what, theme.style(Role::Warning)),
        Cell::new(holiday.hours.clone(), text),
        Cell::new(holiday.name.clone(), text),
    ]
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::pane::segments::screens::World;
    use crate::snapshot::venue_view;

    fn world(now: &str) -> World {
        let mut world = World::new(now);
        world.view.venues = world.calendars().iter().map(|calendar| Arc::new(venue_view(calendar, world.now))).collect();
        world
    }

    #[test]
    fn each_venue_says_what_it_does_and_what_comes() {
        let world = world("2026-11-27T14:30:00Z");
        let screen = world.draw(&Market::default(), 200, 12);
        let new_york = screen.lines().find(|line| line.contains("XNYS")).unwrap();
        for part in ["● XNYS", "regular", "closes in 3 h 30 min", "09:30 EST", "early close: ", "US equities"] {
            assert!(new_york.contains(part), "{part} in\n{screen}");
        }
        assert!(screen.starts_with("UTC 14:30  Fri 27 Nov 2026"), "{screen}");
        let crypto = screen.lines().find(|line| line.contains("CRYPTO")).unwrap();
        assert!(crypto.contains("stays open"), "{screen}");
        assert!(Market::default().title(&world.context(80, 10)).starts_with("market "));
    }

    #[test]
    fn the_words_of_each_change() {
        let now: Timestamp = "2026-11-27T00:00:00Z".parse().unwrap();
        let mut venue = venue_view(world("2026-11-27T00:00:00Z").calendars().get("XNYS").unwrap(), now);
        let table = [
            ("regular", "post", 19_680, "closes in 5 h 28 min"),
            ("regular", "break", 1_200, "breaks in 20 min"),
            ("break", "regular", 1_200, "reopens in 20 min"),
            ("pre", "regular", 45, "opens in 45 s"),
            ("closed", "pre", 1_200, "pre opens in 20 min"),
            ("post", "closed", 1_200, "post closes in 20 min"),
            ("regular", "closed", 0, "closes now"),
        ];
        for (state, to, seconds, text) in table {
            state.clone_into(&mut venue.state);
            venue.next = Some((now + std::time::Duration::from_secs(seconds), to.to_owned()));
            assert_eq!(next_text(&venue, now), text);
        }
    }

    #[test]
    fn h_shows_the_next_holidays_and_the_clocks_again() {
        let world = world("2026-11-20T15:00:00Z");
        let mut market = Market::default();
        market.act(Action::Command("holidays"), &world.context(120, 30));
        let screen = world.draw(&market, 120, 30);
        let early = screen.lines().find(|line| line.contains("XNYS") && line.contains("early close")).unwrap();
        assert!(early.contains("Fri 27 Nov") && early.contains("in 7 days") && early.contains("to 13:00"), "{screen}");
        let thanksgiving = screen.lines().find(|line| line.contains("XNYS") && line.contains("Thanksgiving Day")).unwrap();
        assert!(thanksgiving.contains("Thu 26 Nov") && thanksgiving.contains("closed"), "{screen}");
        assert!(screen.contains("XLON"), "the next one, however far:\n{screen}");
        assert_eq!(market.title(&world.context(120, 30)), "market holidays");
        world.check_numbers(&market);
        market.act(Action::Command("holidays"), &world.context(120, 30));
        assert!(world.draw(&market, 120, 30).contains("● CRYPTO"));
    }

    #[test]
    fn seconds_count_only_in_the_last_minute() {
        let market = Market::default();
        assert!(!market.ticks(&world("2026-11-27T14:20:00Z").context(80, 10)));
        let close = world("2026-11-27T17:59:30Z");
        assert!(market.ticks(&close.context(80, 10)));
        assert!(close.draw(&market, 80, 10).contains("closes in 30 s"));
    }

    #[test]
    fn numbers_are_never_cut() {
        world("2026-11-27T14:30:00Z").check_numbers(&Market::default());
    }

    #[test]
    fn the_cursor_scrolls_and_the_filter_leaves_out() {
        let world = world("2026-11-27T14:30:00Z");
        let mut market = Market::default();
        assert!(!world.draw(&market, 80, 3).contains("FX"));
        market.act(Action::Move(Motion::Bottom), &world.context(80, 3));
        assert!(world.draw(&market, 80, 3).contains("FX"));
        market.act(Action::Filter("xlon"), &world.context(80, 10));
        let screen = world.draw(&market, 80, 10);
        assert!(screen.contains("XLON") && !screen.contains("XNYS"), "{screen}");
        market.act(Action::Filter("zzz"), &world.context(80, 10));
        assert!(world.draw(&market, 80, 10).contains("nothing here matches /zzz"));
    }

    #[test]
    fn without_venues_it_says_what_brings_them() {
        assert!(World::new("2026-11-27T14:30:00Z").draw(&Market::default(), 80, 5).contains("a adds a symbol"));
    }
}
