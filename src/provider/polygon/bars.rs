//! Bars of Massive in our words, and how they are asked for. It asks nothing.

use std::time::Duration;

use serde::Deserialize;

use crate::market::{Interval, SourceBar, TimeOfDay, Timestamp, Zone};
use crate::provider::contract::{HistoryPage, ProviderError, cut};
use crate::provider::polygon::body::{next, parse};
use crate::provider::polygon::raw::{Raw, count, text};
use crate::provider::polygon::spell::Cluster;
use crate::provider::wire::{amount, instant, positive, told};

/// A month of minutes: 50,000 of them are read for one answer at most, whatever they are made into.
const MINUTES: Duration = Duration::from_secs(31 * 86_400);

/// Five years of days.
const DAYS: Duration = Duration::from_secs(1_826 * 86_400);

/// 2003-09-10: nothing is kept from before.
const FIRST: Timestamp = Timestamp::from_seconds(1_063_152_000);

/// How late the prices of a delayed plan are: the newest bar of an answer may have been cut short.
const DELAY: Duration = Duration::from_secs(900);

/// "Custom bars", <https://massive.com/docs/rest/stocks/aggregates/custom-bars>. Without bars there is no member for them.
#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    status: Raw<'a>,
    #[serde(borrow)]
    results: Option<Vec<Aggregate<'a>>>,
    #[serde(borrow)]
    next_url: Raw<'a>,
}

/// What was traded in a stretch of time: a row of bars, or a part of a snapshot, where zeros stand for what is not yet.
#[derive(Deserialize)]
pub struct Aggregate<'a> {
    #[serde(borrow)]
    pub t: Raw<'a>,
    #[serde(borrow)]
    pub o: Raw<'a>,
    #[serde(borrow)]
    pub h: Raw<'a>,
    #[serde(borrow)]
    pub l: Raw<'a>,
    #[serde(borrow)]
    pub c: Raw<'a>,
    #[serde(borrow)]
    pub v: Raw<'a>,
    #[serde(borrow)]
    pub vw: Raw<'a>,
    #[serde(borrow)]
    pub n: Raw<'a>,
    /// The volume of the day so far: in the minute of a snapshot only.
    #[serde(borrow)]
    pub av: Raw<'a>,
}

/// The sealed bars of one answer, oldest first, and where the list goes on.
pub fn bars(body: &[u8], page: &HistoryPage, now: Timestamp) -> Result<(Vec<SourceBar>, Option<String>), ProviderError> {
    let body: Body<'_> = parse(body, "massive bars")?;
    let late = if text(body.status).as_deref() == Some("DELAYED") { DELAY } else { Duration::ZERO };
    let cluster = Cluster::of(&page.spelling);
    let rows = body.results.unwrap_or_default();
    let bars = rows.iter().filter_map(|row| bar(row, page.interval, cluster));
    Ok((page.keep(bars, |bar| end(bar, cluster.zone()) + late, now), next(body.next_url)))
}

/// Why bars of this length are not those of our calendar; `None` where they are.
#[must_use]
pub fn misfit(cluster: Cluster, interval: Interval) -> Option<&'static str> {
    match cluster {
        Cluster::Forex if !interval.is_intraday() => Some("massive cuts the days of currencies at midnight in New York, not at 17:00"),
        Cluster::Crypto if interval == Interval::OneWeek => Some("massive begins the weeks of crypto on Sunday, not on Monday"),
        Cluster::Stocks | Cluster::Options | Cluster::Indices | Cluster::Forex | Cluster::Crypto => None,
    }
}

/// Cuts `[from, to)` into pages that one request can answer.
#[must_use]
pub fn pages(interval: Interval, from: Timestamp, to: Timestamp, now: Timestamp) -> Vec<(Timestamp, Timestamp)> {
    let length = if interval.is_intraday() { MINUTES } else { DAYS };
    cut(from.max(FIRST), to.min(now), length)
}

/// The end of the path: `1/minute/from/to`. A time that is not yet is refused like a plan that lacks the data, so none is asked for;
/// `None` when nothing is left.
#[must_use]
pub fn range(page: &HistoryPage, now: Timestamp) -> Option<String> {
    let (multiplier, timespan) = match page.interval {
        Interval::OneMinute => (1, "minute"),
        Interval::FiveMinutes => (5, "minute"),
        Interval::FifteenMinutes => (15, "minute"),
        Interval::ThirtyMinutes => (30, "minute"),
        Interval::OneHour => (1, "hour"),
        Interval::OneDay => (1, "day"),
        Interval::OneWeek => (1, "week"),
        Interval::OneMonth => (1, "month"),
    };
    let last = Duration::from_millis(1);
    if page.interval.is_intraday() {
        let millis = |at: Timestamp| at.as_micros().div_euclid(1_000);
        let (from, to) = (millis(page.from), millis(page.to.min(now) - last));
        return (from <= to).then(|| format!("{multiplier}/{timespan}/{from}/{to}"));
    }
    let (today, _) = now.in_zone(Cluster::of(&page.spelling).zone());
    let (from, to) = (page.from.date(), (page.to - last).date().min(today));
    (from <= to).then(|| format!("{multiplier}/{timespan}/{from}/{to}"))
}

/// A row with a hole in it is no bar.
fn bar(row: &Aggregate<'_>, interval: Interval, cluster: Cluster) -> Option<SourceBar> {
    let start = instant(row.t)?;
    let (date, _) = start.in_zone(cluster.zone());
    // A week begins on the Sunday before its Monday.
    let date = if interval == Interval::OneWeek { date.next() } else { date };
    let open_time = if interval.is_intraday() { start } else { interval.label(date).midnight() };
    // Bars of currencies are made of quotes, and count these.
    let is_traded = cluster != Cluster::Forex;
    Some(SourceBar {
        interval,
        open_time,
        open: told(row.o)?,
        high: told(row.h)?,
        low: told(row.l)?,
        close: told(row.c)?,
        volume: amount(row.v).filter(|_| is_traded),
        vwap: positive(row.vw).filter(|_| is_traded),
        n_trades: count(row.n).filter(|_| is_traded),
    })
}

/// When nothing is traded for a bar any more.
fn end(bar: &SourceBar, zone: Zone) -> Timestamp {
    if bar.interval.is_intraday() {
        bar.open_time + bar.interval.duration()
    } else {
        bar.interval.next_label(bar.open_time.date()).at(TimeOfDay::MIDNIGHT, zone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    fn page(spelling: &str, interval: Interval, from: &str, to: &str) -> HistoryPage {
        HistoryPage { spelling: spelling.to_owned(), interval, from: at(from), to: at(to) }
    }

    #[test]
    fn the_future_is_not_asked_for() {
        // In New York it is still the evening before.
        let now = at("2026-11-21T02:00:30Z");
        let table = [
            ("AAPL", Interval::OneMinute, "2026-11-21T01:00:00Z", "2026-11-22T00:00:00Z", Some("1/minute/1795222800000/1795226429999")),
            ("AAPL", Interval::OneDay, "2026-11-01T00:00:00Z", "2026-11-30T00:00:00Z", Some("1/day/2026-11-01/2026-11-20")),
            ("AAPL", Interval::OneDay, "2026-11-21T00:00:00Z", "2026-11-22T00:00:00Z", None),
            ("X:BTCUSD", Interval::OneDay, "2026-11-21T00:00:00Z", "2026-11-22T00:00:00Z", Some("1/day/2026-11-21/2026-11-21")),
            ("AAPL", Interval::ThirtyMinutes, "2026-11-21T03:00:00Z", "2026-11-22T00:00:00Z", None),
        ];
        for (spelling, interval, from, to, expected) in table {
            assert_eq!(range(&page(spelling, interval, from, to), now).as_deref(), expected, "{spelling} {interval} {from}");
        }
    }

    #[test]
    fn pages_are_a_month_of_minutes_or_five_years() {
        let now = at("2026-11-21T00:00:00Z");
        let minutes = pages(Interval::OneMinute, now - DAY * 70, now + DAY, now);
        assert_eq!(minutes, [(now - DAY * 70, now - DAY * 39), (now - DAY * 39, now - DAY * 8), (now - DAY * 8, now)]);
        let days = pages(Interval::OneDay, Timestamp::MIN, now, now);
        assert_eq!((days.len(), days[0].0, days[4].1), (5, FIRST, now));
        assert!(pages(Interval::OneDay, now, now + DAY, now).is_empty());
    }
}
