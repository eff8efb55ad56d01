//! The lines of the log, newest last. The files in the state folder hold more; this list is bounded.

use std::collections::VecDeque;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::config::{KeyKind, KeySpec, Section};
use crate::market::clean;
use crate::pane::contract::{Action, Command, Context, Effect, Motion, Pane, PaneSpec};
use crate::pane::cursor::Cursor;
use crate::pane::detail::Detail;
use crate::pane::filter::Filter;
use crate::pane::segments::{Line, Segment, draw_below, flow, part, sentence};
use crate::request::EngineEvent;
use crate::snapshot::LogLine;
use crate::widget::{Align, Cell, Column, Role, Table, Theme};

/// The lines of the log.
pub(crate) const SPEC: PaneSpec = PaneSpec {
    name: "logs",
    sentence: "What the program did and what went wrong, newest last; Enter shows a line in full.",
    keys: &[KeySpec {
        name: "level",
        sentence: "The least important lines shown at the start: error, warn, info, debug or trace.",
        default: "\"info\"",
        kind: KeyKind::Choice(&LogLine::LEVELS),
    }],
    commands: &[
        Command { name: "level", sentence: "Show the next level too: error, warn, info, debug, trace.", keys: &["v"], hint: "level" },
        Command { name: "follow", sentence: "Stay at the newest line, or stop doing so.", keys: &["f"], hint: "follow" },
    ],
    new: open,
};

/// So many lines are kept on the screen.
const LIMIT: usize = 2_000;
/// From this width on the part of the program that speaks is shown.
const ROOM_FOR_TARGET: u16 = 90;
const TARGET_AT: usize = 2;

const WIDE: &[Column] = &[
    Column { title: "UTC", align: Align::Left, rank: 2, may_shorten: false },
    Column { title: "level", align: Align::Left, rank: 1, may_shorten: false },
    Column { title: "from", align: Align::Left, rank: 3, may_shorten: false },
    Column { title: "message", align: Align::Left, rank: 0, may_shorten: true },
];
const NARROW: &[Column] = &[WIDE[0], WIDE[1], WIDE[3]];

#[derive(Debug)]
struct Logs {
    /// Oldest first.
    lines: VecDeque<LogLine>,
    /// Lines up to this level are shown: 1 is errors only.
    level: u8,
    filter: Filter,
    cursor: Cursor,
    following: Following,
    detail: Detail,
    /// How many events found the engine's queue full.
    dropped: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Following {
    On,
    Off,
}

fn open(section: &Section) -> Box<dyn Pane> {
    let word = section.text("level");
    let level = (1..).zip(LogLine::LEVELS).find(|(_, name)| *name == word).map_or(3, |(level, _)| level);
    Box::new(Logs::new(level))
}

impl Pane for Logs {
    fn title(&self, _: &Context<'_>) -> String {
        let level = LogLine::LEVELS[usize::from(self.level - 1)];
        let mut parts = vec![format!("logs {}", Filter::count(self.visible().len(), self.lines.len())), level.to_owned()];
        if self.following == Following::On {
            parts.push("follow".to_owned());
        }
        if self.dropped > 0 {
            parts.push(format!("{} events dropped", self.dropped));
        }
        parts.join(" · ")
    }

    fn act(&mut self, action: Action<'_>, context: &Context<'_>) -> Vec<Effect> {
        match action {
            Action::Move(motion) => self.go(motion, context),
            Action::Command("level") => self.narrow(context, |logs| logs.level = logs.level % 5 + 1),
            Action::Command("follow") => self.toggle_follow(context),
            Action::Filter(text) => self.narrow(context, |logs| logs.filter = Filter::new(text)),
            Action::Event(EngineEvent::Log(line)) => self.take(line, context),
            Action::Event(EngineEvent::Dropped(count)) => self.dropped = self.dropped.saturating_add(*count),
            Action::Open => self.detail.toggle(),
            Action::Command(_)
            | Action::Event(EngineEvent::Reply(_) | EngineEvent::Violation(_) | EngineEvent::JobOver(_) | EngineEvent::Notice { .. }) => {}
        }
        Vec::new()
    }

    fn render(&self, area: Rect, buf: &mut Buffer, context: &Context<'_>) {
        let visible = self.visible();
        if visible.is_empty() {
            sentence(&self.empty(), area, buf, context.theme.style(Role::Dim));
            return;
        }
        let detail = self.detail(&visible, usize::from(area.width), context.theme);
        let (list, below) = part(area, detail.len());
        let height = usize::from(list.height.saturating_sub(1));
        let cursor = self.placed(visible.len(), height);
        let shown = visible[cursor.window(visible.len(), height)].iter().map(|at| &self.lines[*at]);
        Table {
            columns: if area.width < ROOM_FOR_TARGET { NARROW } else { WIDE },
            rows: shown.map(|line| row(line, area.width, context.theme)).collect(),
            header: context.theme.style(Role::Dim),
            selected: cursor.in_window(visible.len(), height),
            selection: context.theme.style(Role::Selected),
        }
        .render(list, buf);
        draw_below(&detail, below, buf, context.theme.style(Role::Border));
    }

    fn ticks(&self, _: &Context<'_>) -> bool {
        false
    }
}

impl Logs {
    fn new(level: u8) -> Self {
        Self {
            lines: VecDeque::new(),
            level,
            filter: Filter::default(),
            cursor: Cursor::default(),
            following: Following::On,
            detail: Detail::Hidden,
            dropped: 0,
        }
    }

    /// Which lines are shown.
    fn visible(&self) -> Vec<usize> {
        self.lines.iter().enumerate().filter(|(_, line)| self.shows(line)).map(|(at, _)| at).collect()
    }

    fn shows(&self, line: &LogLine) -> bool {
        line.level <= self.level && self.filter.matches(&[&line.target, &line.message])
    }

    fn empty(&self) -> String {
        if self.lines.is_empty() || !self.filter.is_empty() {
            return self.filter.nothing("no log lines yet: what the program does appears here by itself");
        }
        "no line of this level yet: v shows the next level too".to_owned()
    }

    /// Where the cursor is: at the newest line while it follows.
    fn placed(&self, len: usize, height: usize) -> Cursor {
        let mut cursor = self.cursor;
        match self.following {
            Following::On => cursor.go(Motion::Bottom, len, height),
            Following::Off => cursor.fit(len, height),
        }
        cursor
    }

    fn go(&mut self, motion: Motion, context: &Context<'_>) {
        let visible = self.visible();
        let height = self.height(&visible, context);
        self.cursor = self.placed(visible.len(), height);
        self.cursor.go(motion, visible.len(), height);
        self.following = match motion {
            Motion::Up | Motion::HalfUp | Motion::Top => Following::Off,
            Motion::Bottom => Following::On,
            Motion::Down | Motion::HalfDown => self.following,
        };
    }

    fn toggle_follow(&mut self, context: &Context<'_>) {
        let visible = self.visible();
        self.cursor = self.placed(visible.len(), self.height(&visible, context));
        self.following = match self.following {
            Following::On => Following::Off,
            Following::Off => Following::On,
        };
    }

    /// Changes what is shown; the cursor stays on its line, or goes to the next one that is shown.
    fn narrow(&mut self, context: &Context<'_>, change: impl FnOnce(&mut Self)) {
        let before = self.visible();
        let line = before.get(self.placed(before.len(), 1).at()).copied().unwrap_or(0);
        change(self);
        let after = self.visible();
        let at = after.iter().position(|at| *at >= line).unwrap_or(after.len());
        let height = self.height(&after, context);
        self.cursor.set(at, after.len(), height);
    }

    fn take(&mut self, line: &LogLine, context: &Context<'_>) {
        self.lines.push_back(line.clone());
        if self.lines.len() <= LIMIT {
            return;
        }
        let oldest = self.lines.pop_front();
        if self.following == Following::Off && oldest.is_some_and(|oldest| self.shows(&oldest)) {
            let visible = self.visible();
            let height = self.height(&visible, context);
            self.cursor.set(self.cursor.at().saturating_sub(1), visible.len(), height);
        }
    }

    /// How many lines can be seen.
    fn height(&self, visible: &[usize], context: &Context<'_>) -> usize {
        let (width, height) = context.size;
        let detail = self.detail(visible, usize::from(width), context.theme);
        usize::from(part(Rect::new(0, 0, width, height), detail.len()).0.height.saturating_sub(1))
    }

    /// The line under the cursor in full.
    fn detail(&self, visible: &[usize], width: usize, theme: &Theme) -> Vec<Line> {
        let chosen = visible.get(self.placed(visible.len(), 1).at());
        match (self.detail, chosen) {
            (Detail::Shown, Some(at)) => flow(in_full(&self.lines[*at], theme), width),
            (Detail::Shown, None) | (Detail::Hidden, _) => Vec::new(),
        }
    }
}

fn level_style(line: &LogLine, theme: &Theme) -> Style {
    theme.style(match line.level {
        0 | 1 => Role::Error,
        2 => Role::Warning,
        3 => Role::Text,
        4.. => Role::Dim,
    })
}

fn row(line: &LogLine, width: u16, theme: &Theme) -> Vec<Cell> {
    let dim = theme.style(Role::Dim);
    let mut cells = vec![
        Cell::new(line.time.format("%H:%M:%S"), dim),
        Cell::new(line.level_name(), level_style(line, theme)),
        Cell::new(clean(line.target.strip_prefix("openbell::").unwrap_or(&line.target)), dim),
        Cell::new(clean(&line.message), theme.style(Role::Text)),
    ];
    if width < ROOM_FOR_TARGET {
        cells.remove(TARGET_AT);
    }
    cells
}

fn in_full(line: &LogLine, theme: &Theme) -> Vec<Segment> {
    let when = format!("{} {}", line.time.format("%Y-%m-%d %H:%M:%S%.3f"), clean(&line.target));
    let mut segments = Segment::words(&when, theme.style(Role::Dim));
    segments.extend(Segment::words(line.level_name(), level_style(line, theme)));
    segments.extend(Segment::words(&clean(&line.message), theme.style(Role::Text)));
    segments
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Facts, RawConfig, SectionSpec};
    use crate::pane::segments::screens::World;

    fn world() -> World {
        World::new("2026-11-20T15:04:05Z")
    }

    fn line(level: u8, message: &str) -> EngineEvent {
        let time = "2026-11-20T15:04:05Z".parse().unwrap();
        EngineEvent::Log(LogLine { time, level, target: "openbell::engine".to_owned(), message: message.to_owned() })
    }

    fn filled(world: &World) -> Logs {
        let mut logs = Logs::new(3);
        for (level, message) in [(3, "first of 10,001"), (1, "socket closed"), (2, "retry in 12 s"), (4, "frame"), (3, "last line")] {
            logs.act(Action::Event(&line(level, message)), &world.context(100, 10));
        }
        logs
    }

    fn chosen(logs: &Logs) -> String {
        let visible = logs.visible();
        logs.lines[visible[logs.placed(visible.len(), 5).at()]].message.clone()
    }

    #[test]
    fn each_line_says_when_how_bad_and_who() {
        let world = world();
        let screen = world.draw(&filled(&world), 100, 10);
        let error = screen.lines().find(|line| line.contains("socket closed")).unwrap();
        assert!(error.contains("15:04:05") && error.contains("error") && error.contains("engine") && !error.contains("openbell"));
        assert!(!screen.contains("frame"), "debug is not shown:\n{screen}");
    }

    #[test]
    fn v_shows_the_next_level_and_begins_again() {
        let world = world();
        let mut logs = filled(&world);
        let mut titles = Vec::new();
        for _ in 0..3 {
            titles.push(logs.title(&world.context(100, 10)));
            logs.act(Action::Command("level"), &world.context(100, 10));
        }
        assert_eq!(titles, ["logs 4 of 5 · info · follow", "logs 5 · debug · follow", "logs 5 · trace · follow"]);
        assert_eq!(logs.title(&world.context(100, 10)), "logs 1 of 5 · error · follow");
        assert!(!world.draw(&logs, 100, 10).contains("last line"));
    }

    #[test]
    fn the_config_says_the_first_level() {
        for (level, title) in [("warn", "logs 0 · warn · follow"), ("trace", "logs 0 · trace · follow")] {
            let sections = [SectionSpec { name: "pane.logs", sentence: SPEC.sentence, keys: SPEC.keys }];
            let config = Config::resolve(&RawConfig::default(), &sections, &Facts::default()).unwrap().with("pane.logs", "level", level);
            assert_eq!((SPEC.new)(config.section("pane.logs")).title(&world().context(80, 10)), title);
        }
    }

    #[test]
    fn it_follows_until_the_cursor_moves_up() {
        let world = world();
        let context = world.context(100, 10);
        let mut logs = filled(&world);
        assert_eq!(chosen(&logs), "last line");
        logs.act(Action::Event(&line(3, "newer")), &context);
        assert_eq!(chosen(&logs), "newer");
        logs.act(Action::Move(Motion::Up), &context);
        logs.act(Action::Event(&line(3, "newest")), &context);
        assert_eq!((chosen(&logs).as_str(), logs.title(&context).as_str()), ("last line", "logs 6 of 7 · info"));
        logs.act(Action::Move(Motion::Bottom), &context);
        logs.act(Action::Event(&line(3, "the very last")), &context);
        assert_eq!(chosen(&logs), "the very last");
        logs.act(Action::Command("follow"), &context);
        logs.act(Action::Event(&line(3, "after it")), &context);
        assert_eq!(chosen(&logs), "the very last");
        logs.act(Action::Command("follow"), &context);
        assert_eq!(chosen(&logs), "after it");
    }

    #[test]
    fn the_cursor_stays_on_its_line_when_old_ones_fall_out() {
        let world = world();
        let context = world.context(100, 10);
        let mut logs = Logs::new(3);
        for i in 0..LIMIT {
            logs.act(Action::Event(&line(3, &format!("line {i}"))), &context);
        }
        logs.act(Action::Move(Motion::HalfUp), &context);
        let before = chosen(&logs);
        for i in 0..7 {
            logs.act(Action::Event(&line(3, &format!("later {i}"))), &context);
        }
        assert_eq!((chosen(&logs), logs.lines.len()), (before, LIMIT));
    }

    #[test]
    fn the_filter_searches_and_keeps_the_line() {
        let world = world();
        let context = world.context(100, 10);
        let mut logs = filled(&world);
        logs.act(Action::Move(Motion::Up), &context);
        assert_eq!(chosen(&logs), "retry in 12 s");
        logs.act(Action::Filter("RETRY"), &context);
        assert_eq!((chosen(&logs).as_str(), logs.title(&context).as_str()), ("retry in 12 s", "logs 1 of 5 · info"));
        logs.act(Action::Filter(""), &context);
        assert_eq!(chosen(&logs), "retry in 12 s");
        logs.act(Action::Filter("zzz"), &context);
        assert!(world.draw(&logs, 60, 5).contains("nothing here matches /zzz"));
    }

    #[test]
    fn enter_shows_the_whole_line() {
        let world = world();
        let mut logs = filled(&world);
        let long = "cannot connect to the stream of the source: the name could not be resolved, and the line ends here";
        logs.act(Action::Event(&line(1, long)), &world.context(60, 12));
        assert!(!world.draw(&logs, 60, 12).contains("ends here"));
        logs.act(Action::Open, &world.context(60, 12));
        let screen = world.draw(&logs, 60, 12);
        assert!(screen.contains("ends here") && screen.contains("openbell::engine"), "{screen}");
        logs.act(Action::Open, &world.context(60, 12));
        assert!(!world.draw(&logs, 60, 12).contains("ends here"));
    }

    #[test]
    fn what_the_queue_dropped_is_said() {
        let world = world();
        let mut logs = Logs::new(3);
        logs.act(Action::Event(&EngineEvent::Dropped(4)), &world.context(80, 5));
        assert_eq!(logs.title(&world.context(80, 5)), "logs 0 · info · follow · 4 events dropped");
        assert!(world.draw(&logs, 80, 5).starts_with("no log lines yet"));
    }

    #[test]
    fn numbers_are_never_cut() {
        let world = world();
        world.check_numbers(&filled(&world));
    }
}
