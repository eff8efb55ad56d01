//! The health of what comes in and what is written: ages and reasons, never a clock that ticks by itself.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::config::Section;
use crate::market::{Source, Timestamp, clean};
use crate::pane::contract::{Action, Context, Effect, Motion, Pane, PaneSpec};
use crate::pane::cursor::Cursor;
use crate::pane::feed::{COLUMNS, cells, spark, tries, why};
use crate::pane::filter::Filter;
use crate::pane::segments::{Line, Segment, flow, shows_seconds, whole};
use crate::pane::spent::{counters, dropped};
use crate::snapshot::{FeedView, WriterView};
use crate::widget::{Cell, Role, Table, Theme, age, bytes, quantity};

/// The feeds and the writer.
pub(crate) const SPEC: PaneSpec = PaneSpec {
    name: "ingestion",
    sentence: "Each feed's health, rate and lag, why it fails and when it is tried again, and the writer; Enter opens a feed or the store.",
    keys: &[],
    commands: &[],
    new: open,
};

#[derive(Debug, Default)]
struct Ingestion {
    filter: Filter,
    cursor: Cursor,
    opened: Opened,
}

/// What Enter shows in full.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Opened {
    #[default]
    Nothing,
    Feed(Source),
    Store,
}

/// A row of the pane: a feed in its columns, or text across them, which may belong to a feed.
enum Row {
    Feed(Source, Vec<Cell>),
    Text(Option<Source>, Line),
}

fn open(_: &Section) -> Box<dyn Pane> {
    Box::new(Ingestion::default())
}

impl Pane for Ingestion {
    fn title(&self, context: &Context<'_>) -> String {
        let feeds = &context.view.feeds;
        if feeds.is_empty() {
            return "ingestion".to_owned();
        }
        let healthy = feeds.iter().filter(|feed| feed.state.is_healthy()).count();
        format!("ingestion {healthy} of {} healthy", feeds.len())
    }

    fn act(&mut self, action: Action<'_>, context: &Context<'_>) -> Vec<Effect> {
        match action {
            Action::Move(motion) => self.go(motion, context),
            Action::Filter(text) => self.filter = Filter::new(text),
            Action::Open => self.open(context),
            Action::Command(_) | Action::Event(_) => {}
        }
        Vec::new()
    }

    /// Text goes over rows that the table leaves blank, so that the feeds keep their columns.
    fn render(&self, area: Rect, buf: &mut Buffer, context: &Context<'_>) {
        let rows = self.rows(usize::from(area.width), context);
        let height = usize::from(area.height.saturating_sub(1));
        let shown = &rows[self.cursor.window(rows.len(), height)];
        Table {
            columns: COLUMNS,
            rows: shown.iter().map(Row::cells).collect(),
            header: context.theme.style(Role::Dim),
            selected: self.cursor.in_window(rows.len(), height),
            selection: context.theme.style(Role::Selected),
        }
        .render(area, buf);
        for (row, line) in shown.iter().zip(area.rows().skip(1)) {
            if let Row::Text(_, text) = row {
                text.draw(line, buf);
            }
        }
    }

    fn ticks(&self, context: &Context<'_>) -> bool {
        let writer = &context.view.writer;
        let past = |at: Timestamp| shows_seconds(context.now.since(at));
        let ahead = |at: Timestamp| at > context.now && shows_seconds(at.since(context.now));
        let feed_ticks = |feed: &FeedView| past(feed.since) || feed.last_frame.is_some_and(past) || feed.next_try.is_some_and(ahead);
        let writer_ticks =
            writer.last_commit.is_some_and(past) || writer.spooled_since.is_some_and(past) || writer.next_try.is_some_and(ahead);
        writer_ticks || context.view.feeds.iter().any(|feed| feed_ticks(feed))
    }
}

impl Ingestion {
    fn go(&mut self, motion: Motion, context: &Context<'_>) {
        let (width, height) = context.size;
        let len = self.rows(usize::from(width), context).len();
        self.cursor.go(motion, len, usize::from(height.saturating_sub(1)));
    }

    /// Opens what is under the cursor, or closes it; one thing is open at a time.
    fn open(&mut self, context: &Context<'_>) {
        let (width, height) = (usize::from(context.size.0), usize::from(context.size.1.saturating_sub(1)));
        let before = self.rows(width, context);
        let at = self.cursor.at().min(before.len().saturating_sub(1));
        let of = before.get(at).and_then(Row::of).cloned();
        let wanted = of.clone().map_or(Opened::Store, Opened::Feed);
        self.opened = if self.opened == wanted { Opened::Nothing } else { wanted };
        // Rows may have come or gone above: the cursor stays where it was pressed, and what opened below it is in sight.
        let after = self.rows(width, context);
        let ahead = if of.is_some() { 0 } else { at - first(&before, None) };
        self.cursor.set(after.iter().rposition(|row| row.of() == of.as_ref()).unwrap_or(0), after.len(), height);
        self.cursor.set(first(&after, of.as_ref()) + ahead, after.len(), height);
    }

    fn rows(&self, width: usize, context: &Context<'_>) -> Vec<Row> {
        let dim = context.theme.style(Role::Dim);
        let mut rows = Vec::new();
        for feed in context.view.feeds.iter().filter(|feed| self.shows(feed)) {
            let of = Some(&feed.source);
            rows.push(Row::Feed(feed.source.clone(), cells(feed, context)));
            rows.extend(texts(of, why(feed, context), width));
            rows.extend(texts(of, dropped(feed, context.theme), width));
            if matches!(&self.opened, Opened::Feed(source) if *source == feed.source) {
                rows.extend(texts(of, counters(feed, context), width));
            }
        }
        if rows.is_empty() {
            let text = self.filter.nothing("no feed runs yet: a adds a symbol, and the feed that has it starts");
            rows.extend(texts(None, Segment::words(&text, dim), width));
        }
        rows.push(Row::Text(None, Line::default()));
        rows.extend(self.writer(context).into_iter().flat_map(|segments| texts(None, segments, width)));
        rows
    }

    fn shows(&self, feed: &FeedView) -> bool {
        self.filter.matches(&[feed.source.as_str(), feed.state.name(), feed.error.as_deref().unwrap_or_default()])
    }

    /// The writer's figures, why it fails, and where the store is.
    fn writer(&self, context: &Context<'_>) -> Vec<Vec<Segment>> {
        let (writer, theme) = (&*context.view.writer, context.theme);
        if *writer == WriterView::default() {
            return vec![Segment::words("nothing is written here: another engine records", theme.style(Role::Dim))];
        }
        let store = match self.opened {
            Opened::Nothing | Opened::Feed(_) => Vec::new(),
            Opened::Store => Segment::words(&format!("store {}", clean(&writer.store)), theme.style(Role::Dim)),
        };
        vec![writer_facts(writer, context), no_room(writer, theme), writer_why(writer, context), store]
    }
}

impl Row {
    fn cells(&self) -> Vec<Cell> {
        match self {
            Self::Feed(_, cells) => cells.clone(),
            Self::Text(..) => Vec::new(),
        }
    }

    /// Whose row it is.
    fn of(&self) -> Option<&Source> {
        match self {
            Self::Feed(source, _) => Some(source),
            Self::Text(of, _) => of.as_ref(),
        }
    }
}

/// The first row of a feed, or of no feed.
fn first(rows: &[Row], of: Option<&Source>) -> usize {
    rows.iter().position(|row| row.of() == of).unwrap_or(0)
}

fn texts(of: Option<&Source>, segments: Vec<Segment>, width: usize) -> Vec<Row> {
    flow(segments, width).into_iter().map(|line| Row::Text(of.cloned(), line)).collect()
}

fn writer_facts(writer: &WriterView, context: &Context<'_>) -> Vec<Segment> {
    let theme = context.theme;
    let (text, dim) = (theme.style(Role::Text), theme.style(Role::Dim));
    let commit = writer.last_commit.map_or_else(|| "no commit yet".to_owned(), |at| format!("commit {} ago", age(context.now.since(at))));
    let mut facts = vec![
        Segment::fact("writer", theme.style(Role::Accent)),
        Segment::fact(format!("{} rows/s", quantity(writer.rows.per_second())), text),
        Segment::fact(spark(&writer.rows), theme.style(Role::Accent)),
        Segment::fact(format!("{} queued", whole(writer.queued as u64)), text),
        Segment::fact(commit, text),
        Segment::fact(format!("{} rows written", whole(writer.written)), dim),
        Segment::fact(format!("store of {}", bytes(writer.size)), dim),
    ];
    if writer.spooled > 0 {
        facts.insert(1, Segment::fact(spooled(writer, context.now), theme.style(Role::Warning)));
    }
    if writer.dropped > 0 {
        facts.insert(1, Segment::fact(format!("✗ {} rows dropped", whole(writer.dropped)), theme.style(Role::Error)));
    }
    facts
}

/// How many rows wait for a store that is away, and how long.
fn spooled(writer: &WriterView, now: Timestamp) -> String {
    let oldest = writer.spooled_since.map_or_else(String::new, |since| format!(", oldest {}", age(now.since(since))));
    format!("{} rows spooled{oldest}", whole(writer.spooled))
}

fn no_room(writer: &WriterView, theme: &Theme) -> Vec<Segment> {
    let full = "✗ the spool is full: rows wait in memory";
    if writer.spool_full { Segment::words(full, theme.style(Role::Error)) } else { Vec::new() }
}

fn writer_why(writer: &WriterView, context: &Context<'_>) -> Vec<Segment> {
    let Some(error) = &writer.error else { return Vec::new() };
    let mut segments = Segment::words(&format!("✗ {}", clean(error)), context.theme.style(Role::Error));
    segments.extend(tries(writer.attempt, writer.next_try, context));
    segments
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::market::Delay;
    use crate::pane::segments::screens::World;
    use crate::snapshot::{FeedState, Usage};

    const NOW: &str = "2026-11-20T15:04:05Z";

    fn feed(source: &str, state: FeedState) -> FeedView {
        let now: Timestamp = NOW.parse().unwrap();
        let mut feed = FeedView::new(Source::new(source), Delay::RealTime, now - Duration::from_secs(7_300));
        feed.state = state;
        feed.last_frame = Some(now - Duration::from_secs(3));
        feed.rate.seconds = (0..30).map(|_| 1_250).collect();
        (feed.lag, feed.errors, feed.reconnects, feed.symbols) = (Some(0.012), 1_234_567, 321, 42);
        feed
    }

    fn dead() -> FeedView {
        let now: Timestamp = NOW.parse().unwrap();
        FeedView {
            last_frame: Some(now - Duration::from_secs(47)),
            error: Some("connection refused by 127.0.0.1".to_owned()),
            attempt: 3,
            next_try: Some(now + Duration::from_secs(12)),
            ..feed("coinbase", FeedState::Dead)
        }
    }

    fn writer() -> WriterView {
        let now: Timestamp = NOW.parse().unwrap();
        let mut writer = WriterView { store: "sqlite:/data/openbell.db".to_owned(), ..WriterView::default() };
        (writer.written, writer.queued, writer.size) = (98_765_432, 17, 12_345_678);
        writer.last_commit = Some(now - Duration::from_secs(125));
        writer
    }

    fn world(feeds: Vec<FeedView>) -> World {
        let mut world = World::new(NOW);
        world.view.feeds = feeds.into_iter().map(Arc::new).collect();
        world.view.writer = Arc::new(writer());
        world
    }

    #[test]
    fn a_live_feed_shows_its_figures() {
        let world = world(vec![feed("yahoo", FeedState::Live)]);
        let screen = world.draw(&Ingestion::default(), 140, 10);
        let line = screen.lines().nth(1).unwrap();
        for part in ["yahoo", "● live", "2h", "<10s", "1.25K", "12ms", "none", "1,234,567", "321", "42"] {
            assert!(line.contains(part), "{part} in {line}");
        }
        assert_eq!(Ingestion::default().title(&world.context(80, 10)), "ingestion 1 of 1 healthy");
    }

    #[test]
    fn a_dead_feed_says_why_since_when_and_when_it_is_tried_again() {
        let world = world(vec![feed("yahoo", FeedState::Quiet), dead()]);
        let screen = world.draw(&Ingestion::default(), 120, 10);
        for part in ["✗ dead", "47s", "connection refused by 127.0.0.1  attempt 3  next try in 12 s"] {
            assert!(screen.contains(part), "{part} in\n{screen}");
        }
        assert!(screen.contains("○ quiet"), "{screen}");
        assert_eq!(Ingestion::default().title(&world.context(80, 10)), "ingestion 1 of 2 healthy");
    }

    #[test]
    fn each_state_that_is_not_healthy_is_explained() {
        for (state, text) in [(FeedState::Silent, "does not come"), (FeedState::Off, "turned off"), (FeedState::Idle, "no symbol")] {
            let screen = world(vec![feed("yahoo", state)]).draw(&Ingestion::default(), 100, 8);
            assert!(screen.contains(text) && screen.contains(state.name()), "{screen}");
        }
    }

    #[test]
    fn the_writer_says_what_it_does_and_what_it_lost() {
        let mut world = world(vec![feed("yahoo", FeedState::Live)]);
        let screen = world.draw(&Ingestion::default(), 120, 10);
        for part in ["0 rows/s", "17 queued", "commit 2m ago", "98,765,432 rows written", "store of 12.3MB"] {
            assert!(screen.contains(part), "{part} in\n{screen}");
        }
        assert!(!screen.contains("dropped"));
        let (error, next_try) = (Some("disk is full".to_owned()), Some(world.now + Duration::from_secs(30)));
        world.view.writer = Arc::new(WriterView { dropped: 5_001, error, attempt: 2, next_try, ..writer() });
        let screen = world.draw(&Ingestion::default(), 120, 10);
        for part in ["✗ 5,001 rows dropped", "✗ disk is full  attempt 2  next try in 30 s"] {
            assert!(screen.contains(part), "{part} in\n{screen}");
        }
    }

    #[test]
    fn rows_that_wait_in_the_spool_are_shown_with_their_age() {
        let mut world = world(vec![feed("yahoo", FeedState::Live)]);
        let (error, next_try) = (Some("cannot reach postgres://desk/bars".to_owned()), Some(world.now + Duration::from_secs(30)));
        let since = Some(world.now - Duration::from_secs(200));
        let away = WriterView { spooled: 1_204, spooled_since: since, error, attempt: 2, next_try, ..writer() };
        world.view.writer = Arc::new(away.clone());
        let screen = world.draw(&Ingestion::default(), 120, 10);
        for part in ["1,204 rows spooled, oldest 3m", "✗ cannot reach postgres://desk/bars  attempt 2  next try in 30 s"] {
            assert!(screen.contains(part), "{part} in\n{screen}");
        }
        assert!(!screen.contains("full"), "{screen}");
        world.check_numbers(&Ingestion::default());
        world.view.writer = Arc::new(WriterView { spool_full: true, ..away });
        let screen = world.draw(&Ingestion::default(), 120, 10);
        assert!(screen.contains("✗ the spool is full: rows wait in memory") && screen.contains("1,204 rows spooled"), "{screen}");
        world.view.writer = Arc::new(writer());
        assert!(!world.draw(&Ingestion::default(), 120, 10).contains("spool"));
    }

    #[test]
    fn enter_shows_where_the_store_is() {
        let world = world(vec![feed("yahoo", FeedState::Live)]);
        let mut pane = Ingestion::default();
        pane.act(Action::Move(Motion::Bottom), &world.context(100, 10));
        assert!(!world.draw(&pane, 100, 10).contains("sqlite:/data/openbell.db"));
        pane.act(Action::Open, &world.context(100, 10));
        assert!(world.draw(&pane, 100, 10).contains("sqlite:/data/openbell.db"));
    }

    /// A feed whose source was asked nearly as often as it allows.
    fn asked() -> FeedView {
        let usage = Usage { requests_today: 23, requests_per_day: Some(25), requests_per_minute: 5, ..Usage::default() };
        FeedView { usage, dropped: 12, ..feed("alpha_vantage", FeedState::Live) }
    }

    #[test]
    fn enter_shows_what_was_asked_of_the_feed_under_the_cursor() {
        let (world, mut pane) = (world(vec![dead(), asked()]), Ingestion::default());
        let screen = world.draw(&pane, 140, 12);
        assert!(screen.contains("23/25") && screen.contains("✗ 12 events dropped") && !screen.contains("requests today"), "{screen}");
        let narrow = world.draw(&pane, 100, 12);
        assert!(!narrow.contains("23/25") && narrow.contains("symbols"), "{narrow}");
        let context = world.context(140, 12);
        pane.act(Action::Open, &context);
        let screen = world.draw(&pane, 140, 12);
        assert!(screen.lines().nth(3).unwrap().starts_with("0 requests today"), "{screen}");
        // Three lines down is the other feed: what was open above it closes, and the cursor stays on the feed.
        for motion in [Motion::Down; 3] {
            pane.act(Action::Move(motion), &context);
        }
        pane.act(Action::Open, &context);
        let screen = world.draw(&pane, 140, 12);
        assert!(screen.contains("23 of 25 requests today  5 a minute allowed") && !screen.contains("0 requests today"), "{screen}");
        pane.act(Action::Open, &context);
        assert!(!world.draw(&pane, 140, 12).contains("requests today"), "the same key closes it");
        pane.act(Action::Open, &context);
        world.check_numbers(&pane);
    }

    #[test]
    fn it_ticks_while_an_age_shows_seconds() {
        assert!(Ingestion::default().ticks(&world(vec![dead()]).context(80, 10)));
        let mut still = dead();
        (still.last_frame, still.next_try) = (None, None);
        let mut world = world(vec![still]);
        assert!(!Ingestion::default().ticks(&world.context(80, 10)));
        for (ago, ticks) in [(20, true), (200, false)] {
            let since = Some(world.now - Duration::from_secs(ago));
            world.view.writer = Arc::new(WriterView { spooled: 3, spooled_since: since, ..writer() });
            assert_eq!(Ingestion::default().ticks(&world.context(80, 10)), ticks, "{ago} s");
        }
    }

    #[test]
    fn numbers_are_never_cut() {
        world(vec![feed("yahoo", FeedState::Live), dead()]).check_numbers(&Ingestion::default());
    }

    #[test]
    fn it_scrolls_and_filters() {
        let world = world(vec![feed("yahoo", FeedState::Live), dead()]);
        let mut pane = Ingestion::default();
        pane.act(Action::Move(Motion::Bottom), &world.context(120, 3));
        assert!(world.draw(&pane, 120, 3).contains("writer"));
        pane.act(Action::Filter("REFUSED"), &world.context(120, 10));
        let screen = world.draw(&pane, 120, 10);
        assert!(screen.contains("coinbase") && !screen.contains("yahoo"), "{screen}");
    }

    #[test]
    fn without_feeds_it_says_what_starts_one() {
        let screen = World::new(NOW).draw(&Ingestion::default(), 100, 6);
        assert!(screen.contains("a adds a symbol") && screen.contains("nothing is written"), "{screen}");
    }
}
