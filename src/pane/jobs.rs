//! Long work and how far it is, newest first. It starts none: the popups for backfill and export do.

use std::cmp::Reverse;
use std::sync::Arc;
use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::config::Section;
use crate::market::{Interval, Symbol, Timestamp, clean};
use crate::pane::contract::{Action, Command, Context, Effect, Motion, Pane, PaneSpec, Popup};
use crate::pane::cursor::Cursor;
use crate::pane::detail::Detail;
use crate::pane::filter::Filter;
use crate::pane::segments::{Line, Segment, draw_below, flow, part, sentence, shows_seconds, whole};
use crate::request::Request;
use crate::snapshot::{JobState, JobView};
use crate::widget::{Align, Cell, Column, Role, Table, Theme, bar, countdown, quantity};

/// The list of jobs.
pub(crate) const SPEC: PaneSpec = PaneSpec {
    name: "jobs",
    sentence: "Backfills, exports and other long work: progress, rate and time left; Enter shows a note in full.",
    keys: &[],
    commands: &[Command { name: "cancel", sentence: "Cancel the job under the cursor.", keys: &["x"], hint: "cancel" }],
    new: open,
};

const BAR_WIDTH: usize = 10;

const COLUMNS: &[Column] = &[
    Column { title: "job", align: Align::Right, rank: 11, may_shorten: false },
    Column { title: "kind", align: Align::Left, rank: 3, may_shorten: false },
    Column { title: "symbol", align: Align::Left, rank: 1, may_shorten: false },
    Column { title: "int", align: Align::Left, rank: 10, may_shorten: false },
    Column { title: "source", align: Align::Left, rank: 9, may_shorten: false },
    Column { title: "state", align: Align::Left, rank: 0, may_shorten: false },
    Column { title: "progress", align: Align::Left, rank: 7, may_shorten: false },
    Column { title: "done", align: Align::Right, rank: 2, may_shorten: false },
    Column { title: "rows/s", align: Align::Right, rank: 8, may_shorten: false },
    Column { title: "left", align: Align::Right, rank: 4, may_shorten: false },
    Column { title: "rows", align: Align::Right, rank: 6, may_shorten: false },
    Column { title: "note", align: Align::Left, rank: 5, may_shorten: true },
];

#[derive(Debug, Default)]
struct Jobs {
    filter: Filter,
    cursor: Cursor,
    /// The job under the cursor; none follows the newest.
    chosen: Option<i64>,
    detail: Detail,
}

fn open(_: &Section) -> Box<dyn Pane> {
    Box::new(Jobs::default())
}

impl Pane for Jobs {
    fn title(&self, context: &Context<'_>) -> String {
        let shown = self.visible(context);
        let running = shown.iter().filter(|job| job.state == JobState::Running).count();
        let count = Filter::count(shown.len(), context.view.jobs.len());
        if running == 0 { format!("jobs {count}") } else { format!("jobs {count} · {running} running") }
    }

    fn act(&mut self, action: Action<'_>, context: &Context<'_>) -> Vec<Effect> {
        match action {
            Action::Move(motion) => self.go(motion, context),
            Action::Command("cancel") => return self.cancel(context),
            Action::Filter(text) => self.filter = Filter::new(text),
            Action::Open => self.detail.toggle(),
            Action::Command(_) | Action::Event(_) => {}
        }
        Vec::new()
    }

    fn render(&self, area: Rect, buf: &mut Buffer, context: &Context<'_>) {
        let jobs = self.visible(context);
        if jobs.is_empty() {
            let text = self.filter.nothing("no jobs yet: b starts a backfill, e an export");
            sentence(&text, area, buf, context.theme.style(Role::Dim));
            return;
        }
        let detail = self.detail(&jobs, usize::from(area.width), context.theme);
        let (list, below) = part(area, detail.len());
        let height = usize::from(list.height.saturating_sub(1));
        let cursor = self.placed(&jobs, height);
        Table {
            columns: COLUMNS,
            rows: jobs[cursor.window(jobs.len(), height)].iter().map(|job| row(job, context)).collect(),
            header: context.theme.style(Role::Dim),
            selected: cursor.in_window(jobs.len(), height),
            selection: context.theme.style(Role::Selected),
        }
        .render(list, buf);
        draw_below(&detail, below, buf, context.theme.style(Role::Border));
    }

    fn selected(&self, context: &Context<'_>) -> Option<Symbol> {
        let jobs = self.visible(context);
        jobs.get(self.at(&jobs)).and_then(|job| job.symbol.clone())
    }

    fn ticks(&self, context: &Context<'_>) -> bool {
        context.view.jobs.iter().filter_map(|job| time_left(job, context.now)).any(shows_seconds)
    }
}

impl Jobs {
    /// Newest first.
    fn visible<'a>(&self, context: &Context<'a>) -> Vec<&'a Arc<JobView>> {
        let mut jobs: Vec<_> = context.view.jobs.iter().filter(|job| self.shows(job)).collect();
        jobs.sort_by_key(|job| Reverse(job.id));
        jobs
    }

    fn shows(&self, job: &JobView) -> bool {
        let symbol = job.symbol.as_ref().map_or("", Symbol::as_str);
        self.filter.matches(&[symbol, &job.kind, &job.source, job.state.name(), &job.note])
    }

    /// Where the chosen job is now: new ones push it down.
    fn at(&self, jobs: &[&Arc<JobView>]) -> usize {
        self.chosen.and_then(|id| jobs.iter().position(|job| job.id == id)).unwrap_or(0)
    }

    fn placed(&self, jobs: &[&Arc<JobView>], height: usize) -> Cursor {
        let mut cursor = self.cursor;
        cursor.set(self.at(jobs), jobs.len(), height);
        cursor
    }

    fn go(&mut self, motion: Motion, context: &Context<'_>) {
        let jobs = self.visible(context);
        let (width, height) = context.size;
        let detail = self.detail(&jobs, usize::from(width), context.theme);
        let height = usize::from(part(Rect::new(0, 0, width, height), detail.len()).0.height.saturating_sub(1));
        self.cursor = self.placed(&jobs, height);
        self.cursor.go(motion, jobs.len(), height);
        let at = self.cursor.at();
        self.chosen = jobs.get(at).filter(|_| at > 0).map(|job| job.id);
    }

    fn cancel(&self, context: &Context<'_>) -> Vec<Effect> {
        let jobs = self.visible(context);
        let Some(job) = jobs.get(self.at(&jobs)) else {
            return vec![Effect::Toast("there is no job to cancel".to_owned())];
        };
        let name = name(job);
        if job.state.is_over() {
            return vec![Effect::Toast(format!("{name} is over ({}): nothing to cancel", job.state.name()))];
        }
        let ask = Effect::Ask(Request::CancelJob(job.id));
        vec![Effect::Open(Popup::Confirm(format!("cancel {name}?"), Box::new(ask)))]
    }

    /// The note of the chosen job in full.
    fn detail(&self, jobs: &[&Arc<JobView>], width: usize, theme: &Theme) -> Vec<Line> {
        match (self.detail, jobs.get(self.at(jobs))) {
            (Detail::Shown, Some(job)) => flow(in_full(job, theme), width),
            (Detail::Shown, None) | (Detail::Hidden, _) => Vec::new(),
        }
    }
}

/// As questions say it: `backfill of AAPL`.
fn name(job: &JobView) -> String {
    let kind = clean(&job.kind);
    job.symbol.as_ref().map_or_else(|| kind.to_string(), |symbol| format!("{kind} of {symbol}"))
}

fn state_look(state: JobState, theme: &Theme) -> (String, Style) {
    let (mark, role) = match state {
        JobState::Queued => ('○', Role::Dim),
        JobState::Running => ('●', Role::Accent),
        JobState::Done => ('✓', Role::Up),
        JobState::Failed => ('✗', Role::Error),
        JobState::Cancelled => ('-', Role::Dim),
    };
    (format!("{mark} {}", state.name()), theme.style(role))
}

fn row(job: &JobView, context: &Context<'_>) -> Vec<Cell> {
    let theme = context.theme;
    let (text, dim) = (theme.style(Role::Text), theme.style(Role::Dim));
    let (state, style) = state_look(job.state, theme);
    let note = if job.state == JobState::Failed { theme.style(Role::Error) } else { dim };
    vec![
        Cell::new(job.id.to_string(), dim),
        Cell::new(clean(&job.kind), text),
        Cell::new(job.symbol.as_ref().map_or("", Symbol::as_str), text),
        Cell::new(job.interval.map_or("", Interval::name), text),
        Cell::new(clean(&job.source), dim),
        Cell::new(state, style),
        Cell::new(if job.total == 0 { String::new() } else { bar(job.done, job.total, BAR_WIDTH) }, style),
        Cell::new(if job.total == 0 { String::new() } else { format!("{}/{}", whole(job.done), whole(job.total)) }, text),
        Cell::new(rate(job, context.now), text),
        Cell::new(time_left(job, context.now).map_or_else(String::new, countdown), text),
        Cell::new(whole(job.rows), text),
        Cell::new(clean(&job.note), note),
    ]
}

fn in_full(job: &JobView, theme: &Theme) -> Vec<Segment> {
    let started = format!("started {} UTC", job.started.format("%Y-%m-%d %H:%M:%S"));
    let finished = job.finished.map(|finished| format!("finished {} UTC", finished.format("%Y-%m-%d %H:%M:%S")));
    let note = if job.note.is_empty() { "no note".to_owned() } else { clean(&job.note).into_owned() };
    let mut segments = Segment::words(&format!("{}: {note}", name(job)), theme.style(Role::Text));
    segments.push(Segment::fact(started, theme.style(Role::Dim)));
    segments.extend(finished.map(|finished| Segment::fact(finished, theme.style(Role::Dim))));
    segments
}

/// Rows a second since the start; nothing while that says nothing.
fn rate(job: &JobView, now: Timestamp) -> String {
    let elapsed = job.finished.unwrap_or(now).since(job.started);
    if job.rows == 0 || elapsed.as_secs() == 0 {
        return String::new();
    }
    quantity(per_second(job.rows, elapsed))
}

#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
fn per_second(rows: u64, elapsed: Duration) -> f64 {
    rows as f64 / elapsed.as_secs_f64()
}

/// How long it takes yet, at the pace so far.
fn time_left(job: &JobView, now: Timestamp) -> Option<Duration> {
    if job.state != JobState::Running || job.done == 0 {
        return None;
    }
    let left = job.total.checked_sub(job.done)?;
    let left = u32::try_from(left).unwrap_or(u32::MAX);
    Some(now.since(job.started).saturating_mul(left) / u32::try_from(job.done).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pane::segments::screens::World;

    fn job(id: i64, state: JobState) -> JobView {
        JobView {
            id,
            kind: "backfill".to_owned(),
            symbol: Some("AAPL".parse().unwrap()),
            interval: Some(Interval::OneMinute),
            source: "yahoo".to_owned(),
            state,
            done: 30,
            total: 90,
            rows: 123_450,
            started: "2026-11-20T15:00:00Z".parse().unwrap(),
            finished: None,
            note: format!("asking for part {id}"),
        }
    }

    fn world(jobs: Vec<JobView>) -> World {
        let mut world = World::new("2026-11-20T15:01:40Z");
        world.view.jobs = jobs.into_iter().map(Arc::new).collect();
        world
    }

    #[test]
    fn a_running_job_says_how_far_it_is() {
        let world = world(vec![job(7, JobState::Running)]);
        let screen = world.draw(&Jobs::default(), 160, 4);
        let parts =
            ["7", "backfill", "AAPL", "1m", "yahoo", "● running", "███░░░░░░░", "30/90", "1.23K", "4 min", "123,450", "asking for part 7"];
        for part in parts {
            assert!(screen.contains(part), "{part} in\n{screen}");
        }
        assert_eq!(Jobs::default().title(&world.context(80, 4)), "jobs 1 · 1 running");
    }

    #[test]
    fn time_left_is_said_only_while_it_can_be_known() {
        let now: Timestamp = "2026-11-20T15:01:40Z".parse().unwrap();
        let running = job(1, JobState::Running);
        assert_eq!(time_left(&running, now), Some(Duration::from_secs(200)));
        assert_eq!(time_left(&JobView { done: 0, ..running.clone() }, now), None);
        assert_eq!(time_left(&job(1, JobState::Done), now), None);
        let soon = JobView { done: 70, ..running };
        assert!(Jobs::default().ticks(&world(vec![soon]).context(80, 4)));
        assert!(!Jobs::default().ticks(&world(vec![job(1, JobState::Running)]).context(80, 4)));
    }

    #[test]
    fn x_asks_before_it_cancels() {
        let running = world(vec![job(7, JobState::Running), job(3, JobState::Done)]);
        let context = running.context(80, 10);
        let mut jobs = Jobs::default();
        let ask = Effect::Ask(Request::CancelJob(7));
        let question = Effect::Open(Popup::Confirm("cancel backfill of AAPL?".to_owned(), Box::new(ask)));
        assert_eq!(jobs.act(Action::Command("cancel"), &context), [question]);
        jobs.act(Action::Move(Motion::Down), &context);
        let effects = jobs.act(Action::Command("cancel"), &context);
        assert_eq!(effects, [Effect::Toast("backfill of AAPL is over (done): nothing to cancel".to_owned())]);
        let none = world(Vec::new());
        assert!(matches!(jobs.act(Action::Command("cancel"), &none.context(80, 10))[..], [Effect::Toast(_)]));
    }

    #[test]
    fn newest_come_first_and_the_cursor_stays_on_its_job() {
        let mut world = world(vec![job(1, JobState::Done), job(2, JobState::Failed)]);
        let mut jobs = Jobs::default();
        jobs.act(Action::Move(Motion::Down), &world.context(80, 10));
        assert_eq!(jobs.chosen, Some(1));
        world.view.jobs.push(Arc::new(job(9, JobState::Queued)));
        let shown = jobs.visible(&world.context(80, 10));
        assert_eq!(shown.iter().map(|job| job.id).collect::<Vec<_>>(), [9, 2, 1]);
        assert_eq!(jobs.placed(&shown, 5).at(), 2);
        jobs.act(Action::Move(Motion::Top), &world.context(80, 10));
        assert_eq!(jobs.chosen, None);
        assert_eq!(jobs.selected(&world.context(80, 10)), Some("AAPL".parse().unwrap()));
    }

    #[test]
    fn the_filter_leaves_out() {
        let world = world(vec![job(1, JobState::Done), job(2, JobState::Failed)]);
        let mut jobs = Jobs::default();
        jobs.act(Action::Filter("FAIL"), &world.context(80, 10));
        assert_eq!(jobs.title(&world.context(80, 10)), "jobs 1 of 2");
        let screen = world.draw(&jobs, 80, 10);
        assert!(screen.contains("✗ failed") && !screen.contains("✓ done"), "{screen}");
    }

    #[test]
    fn enter_shows_the_note_in_full() {
        let world = world(vec![JobView { note: "yahoo refused the request: too many at once".to_owned(), ..job(1, JobState::Failed) }]);
        let mut jobs = Jobs::default();
        assert!(!world.draw(&jobs, 50, 12).contains("at once"));
        jobs.act(Action::Open, &world.context(50, 12));
        assert!(world.draw(&jobs, 50, 12).contains("at once"));
        world.check_numbers(&jobs);
    }

    #[test]
    fn numbers_are_never_cut() {
        let jobs = vec![job(1, JobState::Done), job(2, JobState::Failed), job(1_234, JobState::Running), job(5_678, JobState::Queued)];
        world(jobs).check_numbers(&Jobs::default());
    }

    #[test]
    fn without_jobs_it_says_which_keys_start_one() {
        assert_eq!(world(Vec::new()).draw(&Jobs::default(), 80, 1), "no jobs yet: b starts a backfill, e an export");
    }
}
