//! The parts of the trading days that a chart tells of: enough to see which of its rows are no bars.

use crate::provider::yahoo::chart::{Meta, Period, Periods};

/// A regular session as long as this never closes, and its end means nothing.
const ROUND_THE_CLOCK: i64 = 23 * 3_600;

/// Instants, in Unix seconds, at which parts begin and end.
#[derive(Debug, Default)]
pub struct Hours {
    edges: Vec<i64>,
    closes: Vec<i64>,
    posts: Vec<i64>,
}

impl Hours {
    /// What a chart says of its own range and of the current session.
    #[must_use]
    pub fn of(meta: &Meta) -> Self {
        let mut hours = Self::default();
        match &meta.trading_periods {
            Some(Periods::Regular(days)) => hours.add_regular(days.iter().flatten()),
            Some(Periods::Parts { pre, regular, post }) => {
                hours.add_pre(pre.iter().flatten());
                hours.add_regular(regular.iter().flatten());
                hours.add_post(post.iter().flatten());
            }
            Some(Periods::Other(_)) | None => {}
        }
        if let Some(current) = &meta.current_trading_period {
            hours.add_pre(&current.pre);
            hours.add_regular(&current.regular);
            hours.add_post(&current.post);
        }
        hours
    }

    /// When a bar that would last until `end` ends: earlier where its part of the session does.
    #[must_use]
    pub fn end_of_bar(&self, start: i64, end: i64) -> i64 {
        self.edges.iter().copied().filter(|edge| start < *edge && *edge < end).min().unwrap_or(end)
    }

    /// Whether regular hours end at this instant.
    #[must_use]
    pub fn close_at(&self, at: i64) -> bool {
        self.closes.contains(&at)
    }

    /// Whether the part after regular hours begins at this instant.
    #[must_use]
    pub fn resume_at(&self, at: i64) -> bool {
        self.posts.contains(&at)
    }

    fn add_pre<'a>(&mut self, periods: impl IntoIterator<Item = &'a Period>) {
        let bounds = periods.into_iter().filter_map(|period| period.bounds());
        self.edges.extend(bounds.flat_map(|(start, end)| [start, end]));
    }

    fn add_regular<'a>(&mut self, periods: impl IntoIterator<Item = &'a Period>) {
        let bounds = periods.into_iter().filter_map(|period| period.bounds());
        for (start, end) in bounds.filter(|(start, end)| end - start < ROUND_THE_CLOCK) {
            self.edges.extend([start, end]);
            self.closes.push(end);
        }
    }

    fn add_post<'a>(&mut self, periods: impl IntoIterator<Item = &'a Period>) {
        for (start, end) in periods.into_iter().filter_map(|period| period.bounds()) {
            self.edges.extend([start, end]);
            self.posts.push(start);
        }
    }
}
