//! Broken rules of data quality as they are found, and troubles of the program itself, newest first. The store keeps the
//! broken rules and the log keeps the troubles; this list keeps neither for long.

use std::collections::VecDeque;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::config::Section;
use crate::market::{Symbol, Timestamp, clean};
use crate::pane::contract::{Action, Command, Context, Effect, Motion, Pane, PaneSpec};
use crate::pane::cursor::Cursor;
use crate::pane::detail::Detail;
use crate::pane::filter::Filter;
use crate::pane::segments::{Line, Segment, draw_below, flow, part, sentence};
use crate::quality::{Severity, Violation};
use crate::request::EngineEvent;
use crate::widget::{Align, Cell, Column, Role, Table, Theme};

/// The list of broken rules.
pub(crate) const SPEC: PaneSpec = PaneSpec {
    name: "alerts",
    sentence: "Broken rules of data quality as they are found, newest first; Enter shows one in full.",
    keys: &[],
    commands: &[Command { name: "clear", sentence: "Empty the list here; store and log keep the alerts.", keys: &["x"], hint: "clear" }],
    new: open,
};

/// So many are kept on the screen.
const LIMIT: usize = 1_000;

const COLUMNS: &[Column] = &[
    Column { title: "UTC", align: Align::Left, rank: 3, may_shorten: false },
    Column { title: "severity", align: Align::Left, rank: 0, may_shorten: false },
    Column { title: "symbol", align: Align::Left, rank: 1, may_shorten: false },
    Column { title: "rule", align: Align::Left, rank: 2, may_shorten: false },
    Column { title: "message", align: Align::Left, rank: 4, may_shorten: true },
    Column { title: "bar", align: Align::Left, rank: 5, may_shorten: false },
    Column { title: "int", align: Align::Left, rank: 6, may_shorten: false },
    Column { title: "source", align: Align::Left, rank: 7, may_shorten: false },
];

#[derive(Debug, Default)]
struct Alerts {
    /// Newest first.
    list: VecDeque<Alert>,
    filter: Filter,
    cursor: Cursor,
    detail: Detail,
    /// How many fell out of the list.
    left_out: u64,
    /// How many events found the engine's queue full.
    dropped: u64,
}

/// One line of the list.
#[derive(Clone, Debug, PartialEq)]
enum Alert {
    Rule(Violation),
    /// About the program, not about a bar.
    Notice {
        time: Timestamp,
        severity: Severity,
        about: String,
        message: String,
    },
}

fn open(_: &Section) -> Box<dyn Pane> {
    Box::new(Alerts::default())
}

impl Pane for Alerts {
    fn title(&self, context: &Context<'_>) -> String {
        let shown = self.visible(context);
        let errors = shown.iter().filter(|alert| alert.severity() == Severity::Error).count();
        let mut parts = vec![format!("alerts {}", Filter::count(shown.len(), self.list.len()))];
        match errors {
            0 => {}
            1 => parts.push("1 error".to_owned()),
            more => parts.push(format!("{more} errors")),
        }
        if self.left_out > 0 {
            parts.push(format!("{} older left out", self.left_out));
        }
        if self.dropped > 0 {
            parts.push(format!("{} events dropped", self.dropped));
        }
        parts.join(" · ")
    }

    fn act(&mut self, action: Action<'_>, context: &Context<'_>) -> Vec<Effect> {
        match action {
            Action::Move(motion) => self.go(motion, context),
            Action::Command("clear") => return self.clear(),
            Action::Filter(text) => self.narrow(text, context),
            Action::Event(EngineEvent::Violation(violation)) => self.take(Alert::Rule(violation.clone()), context),
            Action::Event(EngineEvent::Notice { time, severity, about, message }) => {
                let (about, message) = (about.clone(), message.clone());
                self.take(Alert::Notice { time: *time, severity: *severity, about, message }, context);
            }
            Action::Event(EngineEvent::Dropped(count)) => self.dropped = self.dropped.saturating_add(*count),
            Action::Open => self.detail.toggle(),
            Action::Command(_) | Action::Event(EngineEvent::Reply(_) | EngineEvent::Log(_) | EngineEvent::JobOver(_)) => {}
        }
        Vec::new()
    }

    fn render(&self, area: Rect, buf: &mut Buffer, context: &Context<'_>) {
        let shown = self.visible(context);
        if shown.is_empty() {
            let text = self.filter.nothing("no alerts: a bar that breaks a rule of data quality appears here by itself");
            sentence(&text, area, buf, context.theme.style(Role::Dim));
            return;
        }
        let detail = self.detail(&shown, usize::from(area.width), context);
        let (list, below) = part(area, detail.len());
        let height = usize::from(list.height.saturating_sub(1));
        let window = self.cursor.window(shown.len(), height);
        Table {
            columns: columns(area.width),
            rows: shown[window].iter().map(|alert| row(alert, context)).collect(),
            header: context.theme.style(Role::Dim),
            selected: self.cursor.in_window(shown.len(), height),
            selection: context.theme.style(Role::Selected),
        }
        .render(list, buf);
        draw_below(&detail, below, buf, context.theme.style(Role::Border));
    }

    fn selected(&self, context: &Context<'_>) -> Option<Symbol> {
        let shown = self.visible(context);
        let Alert::Rule(violation) = shown.get(self.cursor.at())? else { return None };
        context.view.instrument(violation.instrument).map(|row| row.instrument.symbol.clone())
    }

    fn ticks(&self, _: &Context<'_>) -> bool {
        false
    }
}

impl Alerts {
    fn visible(&self, context: &Context<'_>) -> Vec<&Alert> {
        self.list.iter().filter(|alert| self.shows(alert, context)).collect()
    }

    fn shows(&self, alert: &Alert, context: &Context<'_>) -> bool {
        if self.filter.is_empty() {
            return true;
        }
        match alert {
            Alert::Rule(violation) => {
                let symbol = symbol_text(violation, context);
                self.filter.matches(&[&symbol, &violation.rule, &violation.message, violation.source.as_str()])
            }
            Alert::Notice { about, message, .. } => self.filter.matches(&[about, message]),
        }
    }

    fn go(&mut self, motion: Motion, context: &Context<'_>) {
        let (len, height) = self.extent(context);
        self.cursor.go(motion, len, height);
    }

    fn clear(&mut self) -> Vec<Effect> {
        self.list.clear();
        self.cursor = Cursor::default();
        (self.left_out, self.dropped) = (0, 0);
        vec![Effect::Toast("alerts cleared: store and log keep them".to_owned())]
    }

    /// The cursor stays on its alert where that is still shown.
    fn narrow(&mut self, text: &str, context: &Context<'_>) {
        let chosen = self.visible(context).get(self.cursor.at()).copied().cloned();
        self.filter = Filter::new(text);
        let at = chosen.and_then(|chosen| self.visible(context).iter().position(|alert| **alert == chosen));
        let (len, height) = self.extent(context);
        self.cursor.set(at.unwrap_or(0), len, height);
    }

    /// A new alert pushes the others down; the cursor goes with its own, but stays at the top.
    fn take(&mut self, alert: Alert, context: &Context<'_>) {
        let pushes = self.shows(&alert, context);
        self.list.push_front(alert);
        if self.list.len() > LIMIT {
            self.list.pop_back();
            self.left_out = self.left_out.saturating_add(1);
        }
        if self.cursor.at() > 0 && pushes {
            let (len, height) = self.extent(context);
            self.cursor.set(self.cursor.at() + 1, len, height);
        }
    }

    /// How many alerts there are to move in, and how many of them can be seen.
    fn extent(&self, context: &Context<'_>) -> (usize, usize) {
        let shown = self.visible(context);
        let (width, height) = context.size;
        let detail = self.detail(&shown, usize::from(width), context);
        let list = part(Rect::new(0, 0, width, height), detail.len()).0;
        (shown.len(), usize::from(list.height.saturating_sub(1)))
    }

    /// The alert under the cursor in full.
    fn detail(&self, shown: &[&Alert], width: usize, context: &Context<'_>) -> Vec<Line> {
        let chosen = shown.get(self.cursor.at().min(shown.len().saturating_sub(1)));
        match (self.detail, chosen) {
            (Detail::Shown, Some(alert)) => flow(in_full(alert, context), width),
            (Detail::Shown, None) | (Detail::Hidden, _) => Vec::new(),
        }
    }
}

impl Alert {
    fn time(&self) -> Timestamp {
        match self {
            Self::Rule(violation) => violation.time,
            Self::Notice { time, .. } => *time,
        }
    }

    fn severity(&self) -> Severity {
        match self {
            Self::Rule(violation) => violation.severity,
            Self::Notice { severity, .. } => *severity,
        }
    }
}

/// Narrow screens leave the bar's origin to the full text, so that the message has room.
fn columns(width: u16) -> &'static [Column] {
    match width {
        0..=89 => &COLUMNS[..5],
        90..=129 => &COLUMNS[..7],
        130.. => COLUMNS,
    }
}

fn symbol_text(violation: &Violation, context: &Context<'_>) -> String {
    let known = context.view.instrument(violation.instrument);
    known.map_or_else(|| format!("#{}", violation.instrument.0), |row| row.instrument.symbol.to_string())
}

fn severity_look(severity: Severity, theme: &Theme) -> (String, Style) {
    let (mark, role) = match severity {
        Severity::Error => ('✗', Role::Error),
        Severity::Warning => ('!', Role::Warning),
        Severity::Info => ('i', Role::Dim),
    };
    (format!("{mark} {severity}"), theme.style(role))
}

fn row(alert: &Alert, context: &Context<'_>) -> Vec<Cell> {
    let text = context.theme.style(Role::Text);
    let dim = context.theme.style(Role::Dim);
    let (severity, style) = severity_look(alert.severity(), context.theme);
    let mut cells = vec![Cell::new(alert.time().format("%H:%M:%S"), dim), Cell::new(severity, style)];
    match alert {
        Alert::Rule(violation) => cells.extend([
            Cell::new(symbol_text(violation, context), text),
            Cell::new(clean(&violation.rule), text),
            Cell::new(clean(&violation.message), text),
            Cell::new(violation.open_time.format("%m-%d %H:%M"), dim),
            Cell::new(violation.interval.name(), dim),
            Cell::new(clean(violation.source.as_str()), dim),
        ]),
        Alert::Notice { about, message, .. } => {
            let none = || Cell::new("-", dim);
            cells.extend([none(), Cell::new(clean(about), text), Cell::new(clean(message), text), none(), none(), none()]);
        }
    }
    cells
}

fn in_full(alert: &Alert, context: &Context<'_>) -> Vec<Segment> {
    let text = context.theme.style(Role::Text);
    let (severity, style) = severity_look(alert.severity(), context.theme);
    let found = format!("found at {}", alert.time().format("%Y-%m-%d %H:%M:%S"));
    let (what, about) = match alert {
        Alert::Rule(violation) => {
            let bar = format!("{} bar of {}, {}", violation.interval, violation.open_time.format("%Y-%m-%d %H:%M"), violation.source);
            let what = format!("{} {}: {}", symbol_text(violation, context), violation.rule, violation.message);
            (what, format!("({bar}, {found} UTC)"))
        }
        Alert::Notice { about, message, .. } => (format!("{about}: {message}"), format!("({found} UTC)")),
    };
    let mut segments = Segment::words(&severity, style);
    segments.extend(Segment::words(&clean(&what), text));
    segments.extend(Segment::words(&clean(&about), context.theme.style(Role::Dim)));
    segments
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::market::{Instrument, InstrumentId, Interval, Source};
    use crate::pane::segments::screens::World;
    use crate::snapshot::InstrumentView;

    fn world() -> World {
        let mut world = World::new("2026-11-20T15:04:05Z");
        let apple = Instrument::listed(InstrumentId(1), "AAPL".parse().unwrap());
        world.view.instruments = vec![Arc::new(InstrumentView::new(apple))];
        world
    }

    fn violation(instrument: i64, severity: Severity, message: &str) -> EngineEvent {
        EngineEvent::Violation(Violation {
            time: "2026-11-20T15:04:05Z".parse().unwrap(),
            instrument: InstrumentId(instrument),
            interval: Interval::OneMinute,
            open_time: "2026-11-20T15:03:00Z".parse().unwrap(),
            source: Source::new("yahoo"),
            rule: "high_below_body".to_owned(),
            severity,
            message: message.to_owned(),
        })
    }

    fn three(world: &World) -> Alerts {
        let mut alerts = Alerts::default();
        let events = [
            violation(1, Severity::Warning, "oldest"),
            violation(77, Severity::Error, "high 190.26 is below 191.5"),
            violation(1, Severity::Info, "newest"),
        ];
        for event in &events {
            alerts.act(Action::Event(event), &world.context(120, 10));
        }
        alerts
    }

    fn position(screen: &str, text: &str) -> usize {
        screen.lines().position(|line| line.contains(text)).unwrap_or_else(|| panic!("{text} in\n{screen}"))
    }

    #[test]
    fn newest_come_first_with_all_that_is_known() {
        let world = world();
        let alerts = three(&world);
        let screen = world.draw(&alerts, 140, 10);
        assert!(position(&screen, "newest") < position(&screen, "oldest"));
        let error = screen.lines().nth(position(&screen, "190.26")).unwrap();
        for part in ["15:04:05", "✗ error", "#77", "high_below_body", "high 190.26 is below 191.5", "11-20 15:03", "1m", "yahoo"] {
            assert!(error.contains(part), "{part} in {error}");
        }
        assert!(screen.contains("AAPL") && screen.contains("! warning") && screen.contains("i info"));
        assert_eq!(alerts.title(&world.context(120, 10)), "alerts 3 · 1 error");
    }

    #[test]
    fn x_empties_the_list() {
        let world = world();
        let mut alerts = three(&world);
        let effects = alerts.act(Action::Command("clear"), &world.context(120, 10));
        assert_eq!(effects, [Effect::Toast("alerts cleared: store and log keep them".to_owned())]);
        assert_eq!(alerts.title(&world.context(120, 10)), "alerts 0");
        assert!(world.draw(&alerts, 120, 10).starts_with("no alerts"));
    }

    #[test]
    fn the_cursor_stays_on_its_alert_but_at_the_top_it_follows() {
        let world = world();
        let mut alerts = three(&world);
        let context = world.context(120, 10);
        let chosen = |alerts: &Alerts| match alerts.visible(&context)[alerts.cursor.at()] {
            Alert::Rule(violation) => violation.message.clone(),
            Alert::Notice { message, .. } => message.clone(),
        };
        alerts.act(Action::Event(&violation(1, Severity::Info, "fourth")), &context);
        assert_eq!(chosen(&alerts), "fourth");
        alerts.act(Action::Move(Motion::Down), &context);
        assert_eq!(chosen(&alerts), "newest");
        alerts.act(Action::Event(&violation(1, Severity::Info, "fifth")), &context);
        assert_eq!(chosen(&alerts), "newest");
        assert_eq!(alerts.selected(&context), Some("AAPL".parse().unwrap()));
        alerts.act(Action::Filter("NEWEST"), &context);
        assert_eq!((chosen(&alerts).as_str(), alerts.cursor.at()), ("newest", 0));
        alerts.act(Action::Filter(""), &context);
        assert_eq!((chosen(&alerts).as_str(), alerts.cursor.at()), ("newest", 2));
    }

    #[test]
    fn the_filter_looks_at_symbol_rule_message_and_source() {
        let world = world();
        let mut alerts = three(&world);
        for (text, count) in [("aapl", 2), ("BELOW_BODY", 3), ("190.26", 1), ("Yahoo", 3), ("zzz", 0)] {
            alerts.act(Action::Filter(text), &world.context(120, 10));
            assert_eq!(alerts.visible(&world.context(120, 10)).len(), count, "{text}");
        }
        assert_eq!(alerts.title(&world.context(120, 10)), "alerts 0 of 3");
        assert!(world.draw(&alerts, 60, 4).contains("nothing here matches /zzz"));
    }

    #[test]
    fn what_falls_out_and_what_is_dropped_is_counted() {
        let world = world();
        let mut alerts = Alerts::default();
        for _ in 0..=LIMIT + 1 {
            alerts.act(Action::Event(&violation(1, Severity::Info, "one more")), &world.context(120, 10));
        }
        alerts.act(Action::Event(&EngineEvent::Dropped(5)), &world.context(120, 10));
        assert_eq!(alerts.title(&world.context(120, 10)), "alerts 1000 · 2 older left out · 5 events dropped");
    }

    #[test]
    fn enter_shows_the_alert_in_full() {
        let world = world();
        let mut alerts = three(&world);
        alerts.act(Action::Move(Motion::Down), &world.context(40, 12));
        alerts.act(Action::Open, &world.context(40, 12));
        let screen = world.draw(&alerts, 40, 12);
        assert!(screen.contains("191.5 (1m") && screen.contains("yahoo"), "{screen}");
        world.check_numbers(&alerts);
        alerts.act(Action::Open, &world.context(40, 12));
        assert!(!world.draw(&alerts, 40, 12).contains("yahoo"));
    }

    #[test]
    fn a_notice_of_the_program_stands_among_the_broken_rules() {
        let world = world();
        let mut alerts = three(&world);
        let notice = EngineEvent::Notice {
            time: "2026-11-20T15:04:06Z".parse().unwrap(),
            severity: Severity::Error,
            about: "store".to_owned(),
            message: "the spool is full".to_owned(),
        };
        alerts.act(Action::Event(&notice), &world.context(120, 10));
        let screen = world.draw(&alerts, 140, 10);
        let line = screen.lines().nth(position(&screen, "the spool is full")).unwrap();
        assert!(line.starts_with("15:04:06") && line.contains("✗ error") && line.contains("store"), "{line}");
        assert!(position(&screen, "the spool is full") < position(&screen, "newest"), "{screen}");
        assert_eq!(alerts.title(&world.context(120, 10)), "alerts 4 · 2 errors");
        assert_eq!(alerts.selected(&world.context(120, 10)), None, "it is about no symbol");
        alerts.act(Action::Open, &world.context(120, 10));
        assert!(world.draw(&alerts, 120, 10).contains("store: the spool is full (found at 2026-11-20 15:04:06 UTC)"));
        alerts.act(Action::Filter("STORE"), &world.context(120, 10));
        assert_eq!(alerts.visible(&world.context(120, 10)).len(), 1);
        world.check_numbers(&alerts);
    }

    #[test]
    fn numbers_are_never_cut() {
        let world = world();
        world.check_numbers(&three(&world));
        assert!(!three(&world).ticks(&world.context(1, 1)));
    }
}
