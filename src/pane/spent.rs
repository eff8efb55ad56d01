//! What was asked of a source, against what it allows.

use ratatui::style::Style;

use crate::pane::contract::Context;
use crate::pane::segments::{Segment, whole};
use crate::snapshot::{FeedView, Usage};
use crate::widget::{Cell, Role, Theme, bytes};

/// The requests of the day in one cell: `12`, or `12/25` under a cap.
pub(crate) fn requests(usage: &Usage, theme: &Theme) -> Cell {
    let text = match usage.requests_per_day {
        Some(cap) => format!("{}/{}", whole(usage.requests_today), whole(cap)),
        None => whole(usage.requests_today),
    };
    Cell::new(text, look(usage.requests_today, usage.requests_per_day, theme))
}

/// Every counter of a feed's source, and how long it rests.
pub(crate) fn counters(feed: &FeedView, context: &Context<'_>) -> Vec<Segment> {
    let (usage, theme) = (&feed.usage, context.theme);
    let requests = whole(usage.requests_today);
    let today = match usage.requests_per_day {
        Some(cap) => format!("{requests} of {} requests today", whole(cap)),
        None => format!("{requests} requests today"),
    };
    let month = match usage.bytes_per_month {
        Some(cap) => format!("{} of {} in 30 days", bytes(usage.bytes_of_month), bytes(cap)),
        None => format!("{} in 30 days", bytes(usage.bytes_of_month)),
    };
    let mut facts = vec![Segment::fact(today, look(usage.requests_today, usage.requests_per_day, theme))];
    if usage.requests_per_minute > 0 {
        facts.push(Segment::fact(format!("{} a minute allowed", whole(u64::from(usage.requests_per_minute))), theme.style(Role::Dim)));
    }
    facts.push(Segment::fact(format!("{} today", bytes(usage.bytes_today)), theme.style(Role::Dim)));
    facts.push(Segment::fact(month, look(usage.bytes_of_month, usage.bytes_per_month, theme)));
    if let Some(until) = usage.rest_until.filter(|until| *until > context.now) {
        facts.push(Segment::fact(format!("rests until {}", until.format("%m-%d %H:%M:%S UTC")), theme.style(Role::Warning)));
    }
    facts
}

/// Events that were let go, once there are any.
pub(crate) fn dropped(feed: &FeedView, theme: &Theme) -> Vec<Segment> {
    if feed.dropped == 0 {
        return Vec::new();
    }
    let events = if feed.dropped == 1 { "event" } else { "events" };
    vec![Segment::fact(format!("✗ {} {events} dropped", whole(feed.dropped)), theme.style(Role::Warning))]
}

/// From nine tenths of a cap on it is a warning.
fn look(used: u64, cap: Option<u64>, theme: &Theme) -> Style {
    let is_near = cap.is_some_and(|cap| used.saturating_mul(10) >= cap.saturating_mul(9));
    theme.style(if is_near { Role::Warning } else { Role::Dim })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::market::{Delay, Source, Timestamp};
    use crate::pane::segments::flow;
    use crate::pane::segments::screens::{World, text};
    use crate::widget::Depth;
    use ratatui::buffer::Buffer;
    use ratatui::layout::Rect;

    fn feed(usage: Usage) -> FeedView {
        FeedView { usage, ..FeedView::new(Source::new("alpha_vantage"), Delay::EndOfDay, Timestamp::from_seconds(0)) }
    }

    fn told(feed: &FeedView, width: u16) -> String {
        let world = World::new("2026-11-20T15:04:05Z");
        let area = Rect::new(0, 0, width, 6);
        let mut buf = Buffer::empty(area);
        crate::pane::segments::draw(&flow(counters(feed, &world.context(width, 6)), usize::from(width)), area, &mut buf);
        text(&buf).trim_end().to_owned()
    }

    #[test]
    fn requests_stand_against_their_cap_and_warn_when_it_is_near() {
        let theme = Theme::new("dark", Depth::Sixteen);
        let (calm, warns) = (theme.style(Role::Dim), theme.style(Role::Warning));
        let table = [
            (0, None, "0", calm),
            (1_234, None, "1,234", calm),
            (12, Some(25), "12/25", calm),
            (22, Some(25), "22/25", calm),
            (23, Some(25), "23/25", warns),
            (26, Some(25), "26/25", warns),
            (224, Some(250), "224/250", calm),
            (225, Some(250), "225/250", warns),
            (u64::MAX, Some(u64::MAX), "18,446,744,073,709,551,616/18,446,744,073,709,551,616", warns),
        ];
        for (requests_today, requests_per_day, text, style) in table {
            let usage = Usage { requests_today, requests_per_day, ..Usage::default() };
            assert_eq!(requests(&usage, &theme), Cell::new(text, style));
        }
    }

    #[test]
    fn every_counter_is_told_against_its_cap() {
        let now: Timestamp = "2026-11-20T15:04:05Z".parse().unwrap();
        let usage = Usage {
            requests_today: 12,
            requests_per_day: Some(250),
            requests_per_minute: 300,
            bytes_today: 1_230_000,
            bytes_of_month: 480_000_000,
            bytes_per_month: Some(500_000_000),
            rest_until: Some(now + Duration::from_secs(300)),
        };
        let all = "12 of 250 requests today  300 a minute allowed  1.23MB today  480MB of 500MB in 30 days  rests until 11-20 15:09:05 UTC";
        assert_eq!(told(&feed(usage.clone()), 140), all);
        assert_eq!(told(&feed(usage.clone()), 60).replace('\n', "  "), all);
        let over = Usage { requests_per_day: None, bytes_per_month: None, rest_until: Some(now), ..usage };
        assert_eq!(told(&feed(over), 140), "12 requests today  300 a minute allowed  1.23MB today  480MB in 30 days");
        assert_eq!(told(&feed(Usage::default()), 140), "0 requests today  0B today  0B in 30 days");
    }

    #[test]
    fn dropped_events_are_told_once_there_are_any() {
        let theme = Theme::new("dark", Depth::Sixteen);
        assert!(dropped(&feed(Usage::default()), &theme).is_empty());
        let lost = FeedView { dropped: 5_001, ..feed(Usage::default()) };
        assert_eq!(dropped(&lost, &theme), [Segment::fact("✗ 5,001 events dropped", theme.style(Role::Warning))]);
    }
}
