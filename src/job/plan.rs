//! What a backfill has to ask: exactly what is missing.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use futures_util::StreamExt;

use crate::calendar::Calendar;
use crate::market::{Bar, BarFlags, Instrument, Interval, Origin, Timestamp};
use crate::provider::Provider;
use crate::quality::{CoverageState, expected};
use crate::store::{BarQuery, Store};

/// Pages to ask for, one request each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    pub pages: Vec<(Timestamp, Timestamp)>,
    /// Bars that are missing and that the source does not keep.
    pub out_of_reach: usize,
}

/// What planning looks at.
pub struct Planner<'a> {
    pub store: &'a dyn Store,
    pub provider: &'a dyn Provider,
    pub calendar: &'a Calendar,
    pub now: Timestamp,
}

impl Planner<'_> {
    /// Compares the calendar with the store; only bars that are sealed by now are asked for.
    pub async fn plan(&self, instrument: &Instrument, interval: Interval, from: Timestamp, to: Timestamp) -> Result<Plan> {
        let query = BarQuery { from, to, ..BarQuery::all(instrument.id, interval) };
        let sealed = self.sealed(interval, from, to)?;
        let (present, empty) = self.known(query).await?;
        let is_known = |open: Timestamp| present.contains(&open) || covers(&empty, open);
        let bars: Vec<_> = sealed.iter().map(|(open, close)| (*open, *close, is_known(*open))).collect();
        let pages: Vec<_> = runs(&bars).iter().flat_map(|(from, to)| self.provider.pages(interval, *from, *to, self.now)).collect();
        let out_of_reach = bars.iter().filter(|(open, _, known)| !known && !covers(&pages, *open)).count();
        Ok(Plan { pages, out_of_reach })
    }

    fn sealed(&self, interval: Interval, from: Timestamp, to: Timestamp) -> Result<Vec<(Timestamp, Timestamp)>> {
        // "Since ever" begins where the calendar does.
        let from = from.max(self.calendar.known_from().next().midnight());
        let bars = expected(self.calendar, interval, from, to.min(self.now)).context("look into the calendar")?;
        Ok(bars
            .into_iter()
            .filter(|(open, close, _)| self.end_of(interval, *open, *close) <= self.now)
            .map(|(open, close, _)| (open, close))
            .collect())
    }

    /// When a bar is whole: for days and weeks that is the calendar's word, not the label's.
    fn end_of(&self, interval: Interval, open: Timestamp, close: Timestamp) -> Timestamp {
        if interval.is_intraday() {
            return close;
        }
        let last = interval.next_label(open.date()).previous();
        let day = self.calendar.day(last).ok().filter(crate::calendar::Day::is_open).or_else(|| self.calendar.previous_open_day(last).ok());
        day.and_then(|day| day.regular()).map_or(close, |(_, end)| end)
    }

    /// What is there, and where a source said that it has nothing. A bar made live over a stretch that was not heard whole
    /// is not there: history has to say it.
    async fn known(&self, query: BarQuery) -> Result<(BTreeSet<Timestamp>, Vec<(Timestamp, Timestamp)>)> {
        let coverage = self.store.coverage(query).await.context("load what was asked before")?;
        let of = |state: CoverageState| joined(coverage.iter().filter(|c| c.state == state).map(|c| (c.from, c.to)));
        let (empty, failed) = (of(CoverageState::EmptySaidSource), of(CoverageState::Failed));
        let whole = |bar: &&Bar| {
            let heard = bar.origin != Origin::Live || !meets(&failed, bar.open_time, bar.open_time + bar.interval.duration());
            heard && !bar.flags.intersects(BarFlags::PARTIAL | BarFlags::SAMPLED)
        };
        let mut present = BTreeSet::new();
        let mut chunks = self.store.bars(query);
        while let Some(chunk) = chunks.next().await {
            present.extend(chunk.context("load the bars that are there")?.iter().filter(whole).map(|bar| bar.open_time));
        }
        Ok((present, empty))
    }
}

/// Whether one of the ranges, which are in order and apart, has an instant in common with `[from, to)`.
fn meets(ranges: &[(Timestamp, Timestamp)], from: Timestamp, to: Timestamp) -> bool {
    let after = ranges.partition_point(|(start, _)| *start < to);
    after.checked_sub(1).is_some_and(|last| from < ranges[last].1)
}

/// Ranges in order of their starts, joined where they meet.
fn joined(ranges: impl Iterator<Item = (Timestamp, Timestamp)>) -> Vec<(Timestamp, Timestamp)> {
    let mut joined: Vec<(Timestamp, Timestamp)> = Vec::new();
    for (from, to) in ranges {
        match joined.last_mut() {
            Some(last) if from <= last.1 => last.1 = last.1.max(to),
            _ => joined.push((from, to)),
        }
    }
    joined
}

/// Whether one of the ranges, which are in order and apart, holds an instant.
fn covers(ranges: &[(Timestamp, Timestamp)], at: Timestamp) -> bool {
    let after = ranges.partition_point(|(from, _)| *from <= at);
    after.checked_sub(1).is_some_and(|before| at < ranges[before].1)
}

/// Runs of missing bars with no known bar between; closed hours do not part them.
fn runs(bars: &[(Timestamp, Timestamp, bool)]) -> Vec<(Timestamp, Timestamp)> {
    let stretches = bars.chunk_by(|a, b| a.2 == b.2);
    let missing = stretches.filter(|stretch| stretch.first().is_some_and(|(_, _, known)| !known));
    missing.filter_map(|stretch| Some((stretch.first()?.0, stretch.last()?.1))).collect()
}
