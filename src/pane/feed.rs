//! A feed's row: its figures, and why it is not healthy.

use std::time::Duration;

use ratatui::style::Style;

use crate::market::{Timestamp, clean};
use crate::pane::contract::Context;
use crate::pane::segments::{Segment, whole};
use crate::pane::spent::requests;
use crate::snapshot::{FeedState, FeedView, Rate};
use crate::widget::{Align, Cell, Column, Role, Theme, age, countdown, quantity, sparkline};

const SPARK: usize = 20;
/// A healthy feed's frames are not timed closer than this: it would say nothing, each second anew.
const FRESH: Duration = Duration::from_secs(10);

/// What is known of a feed; a narrow screen leaves out what it can do without.
pub(crate) const COLUMNS: &[Column] = &[
    Column { title: "feed", align: Align::Left, rank: 0, may_shorten: false },
    Column { title: "state", align: Align::Left, rank: 1, may_shorten: false },
    Column { title: "since", align: Align::Right, rank: 3, may_shorten: false },
    Column { title: "frame", align: Align::Right, rank: 2, may_shorten: false },
    Column { title: "msg/s", align: Align::Right, rank: 4, may_shorten: false },
    Column { title: "30 s", align: Align::Left, rank: 10, may_shorten: false },
    Column { title: "lag", align: Align::Right, rank: 5, may_shorten: false },
    Column { title: "delay", align: Align::Left, rank: 8, may_shorten: false },
    Column { title: "errors", align: Align::Right, rank: 6, may_shorten: false },
    Column { title: "reconnects", align: Align::Right, rank: 9, may_shorten: false },
    Column { title: "symbols", align: Align::Right, rank: 7, may_shorten: false },
    Column { title: "requests", align: Align::Right, rank: 11, may_shorten: false },
];

/// The mark beside a state's word, and its colour.
fn state_look(state: FeedState, theme: &Theme) -> (char, Style) {
    let (mark, role) = match state {
        FeedState::Live => ('●', Role::Up),
        FeedState::Quiet => ('○', Role::Text),
        FeedState::Silent | FeedState::Polling => ('◐', Role::Warning),
        FeedState::Dead => ('✗', Role::Error),
        FeedState::Connecting => ('…', Role::Accent),
        FeedState::Idle => ('·', Role::Dim),
        FeedState::Off => ('-', Role::Dim),
    };
    (mark, theme.style(role))
}

/// Its figures, in the order of the columns.
pub(crate) fn cells(feed: &FeedView, context: &Context<'_>) -> Vec<Cell> {
    let theme = context.theme;
    let (text, dim) = (theme.style(Role::Text), theme.style(Role::Dim));
    let (mark, state) = state_look(feed.state, theme);
    let delay = Some(feed.delay.mark()).filter(|mark| !mark.is_empty()).unwrap_or_else(|| "none".to_owned());
    vec![
        Cell::new(clean(feed.source.as_str()), text),
        Cell::new(format!("{mark} {}", feed.state), state),
        Cell::new(age(context.now.since(feed.since)), dim),
        Cell::new(frame_age(feed, context.now), text),
        Cell::new(quantity(feed.rate.per_second()), text),
        Cell::new(spark(&feed.rate), theme.style(Role::Accent)),
        Cell::new(feed.lag.map_or_else(|| "-".to_owned(), lag_text), text),
        Cell::new(delay, dim),
        Cell::new(whole(feed.errors), theme.style(if feed.errors == 0 { Role::Dim } else { Role::Warning })),
        Cell::new(whole(feed.reconnects), dim),
        Cell::new(feed.symbols.to_string(), dim),
        requests(&feed.usage, theme),
    ]
}

fn frame_age(feed: &FeedView, now: Timestamp) -> String {
    match feed.last_frame.map(|last| now.since(last)) {
        None => "-".to_owned(),
        Some(span) if feed.state.is_healthy() && span < FRESH => format!("<{}", age(FRESH)),
        Some(span) => age(span),
    }
}

/// The last half minute.
pub(crate) fn spark(rate: &Rate) -> String {
    sparkline(&rate.seconds.iter().map(|count| f64::from(*count)), SPARK, true)
}

/// Seconds as `12ms`, `1.2s` or an age.
fn lag_text(seconds: f64) -> String {
    match seconds.abs() {
        size if !size.is_finite() => "-".to_owned(),
        size if size < 0.0005 => "0ms".to_owned(),
        size if size < 0.9995 => format!("{:.0}ms", seconds * 1_000.0),
        size if size < 59.95 => format!("{seconds:.1}s"),
        size => Duration::try_from_secs_f64(size).map_or_else(|_| "-".to_owned(), age),
    }
}

/// Why a feed is not healthy, in its own words where it has some.
pub(crate) fn why(feed: &FeedView, context: &Context<'_>) -> Vec<Segment> {
    let untold = match feed.state {
        FeedState::Live | FeedState::Quiet if feed.error.is_none() => return Vec::new(),
        FeedState::Polling => "the socket is mute: prices are asked for one by one",
        FeedState::Silent => "it is alive, but the data it promised does not come",
        FeedState::Dead => "no frame for longer than it promised",
        FeedState::Off => "turned off",
        FeedState::Idle => "no symbol on the list is for it",
        FeedState::Live | FeedState::Quiet | FeedState::Connecting => "",
    };
    let style = state_look(feed.state, context.theme).1;
    let mut segments = Segment::words(&clean(feed.error.as_deref().unwrap_or(untold)), style);
    segments.extend(tries(feed.attempt, feed.next_try, context));
    segments
}

/// How often it was tried, and when it is tried next.
pub(crate) fn tries(attempt: u32, next: Option<Timestamp>, context: &Context<'_>) -> Vec<Segment> {
    let style = context.theme.style(Role::Text);
    let attempt = (attempt > 0).then(|| Segment::fact(format!("attempt {attempt}"), style));
    let next = next.map(|at| at.since(context.now)).map(|span| {
        let text = if span.is_zero() { "trying".to_owned() } else { format!("next try in {}", countdown(span)) };
        Segment::fact(text, style)
    });
    attempt.into_iter().chain(next).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lags_read_well() {
        let table = [(0.0, "0ms"), (0.0123, "12ms"), (0.9996, "1.0s"), (1.23, "1.2s"), (90.0, "1m"), (-0.005, "-5ms"), (f64::NAN, "-")];
        for (seconds, text) in table {
            assert_eq!(lag_text(seconds), text);
        }
    }
}
