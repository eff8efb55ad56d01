//! The rows of a chart as bars: those that are bars, labelled as ours are, and no longer forming.

use crate::market::{Date, Interval, SourceBar, Timestamp, Zone, clean};
use crate::provider::contract::{HistoryPage, ProviderError};
use crate::provider::yahoo::chart::{Columns, Meta, Series};
use crate::provider::yahoo::figure::shortest;
use crate::provider::yahoo::hours::Hours;

/// How long after a close, in seconds, the day's row may still change: auctions, and exchanges that are sent late.
const SETTLES: i64 = 1_800;

/// Grids are anchored at openings, and these are on half hours at the least.
const ANCHOR: u32 = 1_800;

/// The sealed bars of a page, oldest first, split-adjusted as they were sent.
pub fn bars(series: &Series, page: &HistoryPage, now: Timestamp) -> Result<Vec<SourceBar>, ProviderError> {
    let unknown = Meta::default();
    let meta = series.meta.as_ref().unwrap_or(&unknown);
    check_interval(meta, page.interval)?;
    let frame = Frame { page, meta, hours: Hours::of(meta), zone: series.zone(), now };
    let times = series.timestamp.as_deref().unwrap_or_default();
    let columns = series.indicators.as_ref().and_then(|indicators| indicators.quote.as_ref()?.first());
    let Some(columns) = columns else { return Ok(Vec::new()) };
    let rows = times.iter().enumerate().filter_map(|(index, at)| frame.bar(columns, index, (*at)?));
    let mut bars: Vec<SourceBar> = rows.filter(|bar| page.from <= bar.open_time && bar.open_time < page.to).collect();
    // The live price may stand beside the row of its own day: the first one is the row.
    bars.sort_by_key(|bar| bar.open_time);
    bars.dedup_by_key(|bar| bar.open_time);
    Ok(bars)
}

/// A question may be answered with longer bars than were asked for.
fn check_interval(meta: &Meta, interval: Interval) -> Result<(), ProviderError> {
    let Some(answered) = meta.data_granularity.as_deref() else { return Ok(()) };
    if answered == asked_as(interval) || (interval == Interval::OneHour && answered == "1h") {
        return Ok(());
    }
    let message = format!("yahoo was asked for {interval} bars and answered with {}", clean(answered));
    Err(ProviderError::malformed(message, answered.as_bytes()))
}

/// An interval as Yahoo spells it.
#[must_use]
pub const fn asked_as(interval: Interval) -> &'static str {
    match interval {
        Interval::OneMinute => "1m",
        Interval::FiveMinutes => "5m",
        Interval::FifteenMinutes => "15m",
        Interval::ThirtyMinutes => "30m",
        Interval::OneHour => "60m",
        Interval::OneDay => "1d",
        Interval::OneWeek => "1wk",
        Interval::OneMonth => "1mo",
    }
}

/// What a row is judged by.
struct Frame<'a> {
    page: &'a HistoryPage,
    meta: &'a Meta,
    hours: Hours,
    zone: Zone,
    now: Timestamp,
}

impl Frame<'_> {
    fn bar(&self, columns: &Columns, index: usize, at: i64) -> Option<SourceBar> {
        let cell = |column: Option<&[Option<f64>]>| column?.get(index).copied().flatten();
        let (open, close) = (cell(columns.open.as_deref())?, cell(columns.close.as_deref())?);
        let (high, low) = (cell(columns.high.as_deref())?, cell(columns.low.as_deref())?);
        let volume = cell(columns.volume.as_deref());
        let open_time = match self.page.interval {
            Interval::OneDay => self.day(at)?,
            Interval::OneWeek => self.week(at)?,
            Interval::OneMonth => self.month(at)?,
            _ if volume.is_none_or(|volume| volume <= 0.0) && self.is_auction(at, high - low) => return None,
            _ => self.instant(at)?,
        };
        let [open, high, low, close] = [open, high, low, close].map(shortest);
        Some(SourceBar { interval: self.page.interval, open_time, open, high, low, close, volume, vwap: None, n_trades: None })
    }

    /// The closing auction stands as a row without volume where regular hours end. The first row after hours may have no volume
    /// either, but it moves.
    fn is_auction(&self, at: i64, range: f64) -> bool {
        self.hours.close_at(at) && !(range > 0.0 && self.hours.resume_at(at))
    }

    /// The live price stands off the grid, at the second it was made.
    fn instant(&self, at: i64) -> Option<Timestamp> {
        let length = self.page.interval.seconds();
        let end = self.hours.end_of_bar(at, at.saturating_add(i64::from(length)));
        let on_grid = at.rem_euclid(i64::from(length.min(ANCHOR))) == 0;
        (on_grid && end <= self.now.as_seconds()).then(|| Timestamp::from_seconds(at))
    }

    /// The label of a day: its date on the exchange's own clock, at midnight in Greenwich.
    fn day(&self, at: i64) -> Option<Timestamp> {
        let date = self.local_date(Timestamp::from_seconds(at));
        self.is_over(date).then(|| date.midnight())
    }

    /// The label of a week: its Monday. Crypto trades until Sunday, everything else rests on Saturday.
    fn week(&self, at: i64) -> Option<Timestamp> {
        let monday = self.local_date(Timestamp::from_seconds(at)).monday();
        let crypto = self.meta.instrument_type.as_deref() == Some("CRYPTOCURRENCY");
        self.is_over(monday.plus_days(if crypto { 6 } else { 4 })).then(|| monday.midnight())
    }

    /// The label of a month: its first day.
    fn month(&self, at: i64) -> Option<Timestamp> {
        let first = self.local_date(Timestamp::from_seconds(at)).first_of_month();
        let last = Interval::OneMonth.next_label(first).previous();
        self.is_over(last).then(|| first.midnight())
    }

    /// Whether a date's regular session is over and settled.
    fn is_over(&self, date: Date) -> bool {
        if self.local_date(self.now) > date {
            return true;
        }
        let current = self.meta.current_trading_period.as_ref().and_then(|parts| parts.regular?.bounds());
        current.is_some_and(|(start, end)| {
            self.local_date(Timestamp::from_seconds(start)) == date && end.saturating_add(SETTLES) <= self.now.as_seconds()
        })
    }

    fn local_date(&self, at: Timestamp) -> Date {
        at.in_zone(self.zone).0
    }
}
