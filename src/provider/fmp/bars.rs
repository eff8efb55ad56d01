//! Price history: which pages there are, how they are asked for, and their rows as bars.

use std::time::Duration;

use serde::Deserialize;

use crate::market::{AssetClass, Date, Interval, SourceBar, TimeOfDay, Timestamp, Zone};
use crate::provider::contract::{HistoryPage, ProviderError, cut};
use crate::provider::fmp::spell::class;
use crate::provider::fmp::wire::{rows, wall_clock};
use crate::provider::wire::{Figure, Text, number, told};

const DAY: Duration = Duration::from_secs(86_400);
const HOUR: Duration = Duration::from_secs(3_600);

/// 1970-01-01 and 2000-01-01: nothing is asked for from before.
const FIRST_DAY: Timestamp = Timestamp::from_seconds(0);
const FIRST_MINUTE: Timestamp = Timestamp::from_seconds(946_684_800);

/// How many days one answer holds at most: the oldest ones are dropped without a word.
const MOST: usize = 5_000;

/// Thirteen years, of which even those of a market without weekends fit into one answer.
const DAYS: u32 = 13 * 365;

/// When a day's row changes no more: half an hour after the currencies' day ends, the last of all.
const SETTLED: (u32, u32) = (17, 30);

/// A row of `historical-price-eod` or `historical-chart`. Those of `non-split-adjusted` are as traded though they are called
/// otherwise. "Financial Modeling Prep API Documentation", <https://site.financialmodelingprep.com/developer/docs>.
#[derive(Deserialize)]
struct Row<'a> {
    #[serde(borrow)]
    date: Option<Text<'a>>,
    #[serde(alias = "adjOpen", borrow)]
    open: Option<Figure<'a>>,
    #[serde(alias = "adjHigh", borrow)]
    high: Option<Figure<'a>>,
    #[serde(alias = "adjLow", borrow)]
    low: Option<Figure<'a>>,
    #[serde(alias = "adjClose", borrow)]
    close: Option<Figure<'a>>,
    #[serde(borrow)]
    volume: Option<Figure<'a>>,
}

/// The sealed bars of a page, oldest first: what was not asked for is in the answers too.
pub fn bars(body: &[u8], page: &HistoryPage, now: Timestamp) -> Result<Vec<SourceBar>, ProviderError> {
    let rows = rows::<Row<'_>>(body, &format!("fmp {} bars of {}", page.interval, page.spelling))?;
    // From the last row on: of two for the same time the first one counts.
    let bars: Vec<SourceBar> = rows.iter().rev().flatten().filter_map(|row| bar(row, page)).collect();
    if !page.interval.is_intraday() && rows.len() >= MOST {
        check_reach(&bars, page)?;
    }
    Ok(page.keep(bars, |bar| end(bar, page), now))
}

/// Cuts `[from, to)` into pages that one answer holds whole. A day that is not settled is in none: what is not in an answer would
/// count as never traded.
#[must_use]
pub fn pages(interval: Interval, from: Timestamp, to: Timestamp, now: Timestamp) -> Vec<(Timestamp, Timestamp)> {
    let Some(days) = days(interval) else { return Vec::new() };
    let (first, last) = if interval.is_intraday() { (FIRST_MINUTE, now) } else { (FIRST_DAY, settled(now)) };
    cut(from.max(first), to.min(last), DAY * days)
}

/// The name that a page is asked for by; `None` for an interval that is not kept. Only shares split, and only for them are days as
/// traded documented.
pub(crate) fn endpoint(page: &HistoryPage) -> Option<&'static str> {
    match page.interval {
        Interval::OneMinute => Some("historical-chart/1min"),
        Interval::FiveMinutes => Some("historical-chart/5min"),
        Interval::FifteenMinutes => Some("historical-chart/15min"),
        Interval::ThirtyMinutes => Some("historical-chart/30min"),
        Interval::OneHour => Some("historical-chart/1hour"),
        Interval::OneDay if class(&page.spelling) == AssetClass::Equity => Some("historical-price-eod/non-split-adjusted"),
        Interval::OneDay => Some("historical-price-eod/full"),
        Interval::OneWeek | Interval::OneMonth => None,
    }
}

/// Whether the last day is in the answer is not documented, and some sessions lack their first minute where an answer begins: a day
/// more is asked for on both sides.
pub(crate) fn span(page: &HistoryPage) -> (Date, Date) {
    let zone = if page.interval.is_intraday() { Zone::NEW_YORK } else { Zone::UTC };
    let date = |at: Timestamp| at.in_zone(zone).0;
    (date(page.from).previous(), date(page.to - Duration::from_micros(1)).next())
}

/// How many days one page covers: an answer reaches back 3, 10, 45, 30 and 90 days from its last one and drops the rest without a
/// word; two of these are the day that a page ends in and the one that is asked for beyond it.
fn days(interval: Interval) -> Option<u32> {
    match interval {
        Interval::OneMinute => Some(1),
        Interval::FiveMinutes => Some(8),
        Interval::FifteenMinutes => Some(43),
        Interval::ThirtyMinutes => Some(28),
        Interval::OneHour => Some(88),
        Interval::OneDay => Some(DAYS),
        Interval::OneWeek | Interval::OneMonth => None,
    }
}

/// The first label of a day that may still change.
fn settled(now: Timestamp) -> Timestamp {
    let (today, _) = now.in_zone(Zone::NEW_YORK);
    let first = if settles(today) <= now { today.next() } else { today };
    first.midnight()
}

fn settles(date: Date) -> Timestamp {
    let (hour, minute) = SETTLED;
    date.at(TimeOfDay::new(hour, minute).unwrap_or(TimeOfDay::MIDNIGHT), Zone::NEW_YORK)
}

/// When a bar changes no more: a day of crypto does with midnight in Greenwich.
fn end(bar: &SourceBar, page: &HistoryPage) -> Timestamp {
    let is_greenwich = page.interval.is_intraday() || class(&page.spelling) == AssetClass::Crypto;
    if is_greenwich { bar.end_in_greenwich() } else { settles(bar.open_time.date()) }
}

/// A row with a hole in it is no bar; a volume that is no number is no volume.
fn bar(row: &Row<'_>, page: &HistoryPage) -> Option<SourceBar> {
    let date = row.date.as_ref()?.as_str();
    let open_time = if page.interval.is_intraday() { eastern(date)? } else { date.get(..10)?.parse::<Date>().ok()?.midnight() };
    Some(SourceBar {
        interval: page.interval,
        open_time,
        open: told(row.open)?,
        high: told(row.high)?,
        low: told(row.low)?,
        close: told(row.close)?,
        volume: number(row.volume),
        vwap: None,
        n_trades: None,
    })
}

/// When the clock of New York shows this, which it does twice in one night of the year: which of both is meant is not known.
fn eastern(text: &str) -> Option<Timestamp> {
    let (date, time) = wall_clock(text)?;
    let at = date.at(time, Zone::NEW_YORK);
    ((at + HOUR).in_zone(Zone::NEW_YORK) != (date, time)).then_some(at)
}

/// A full answer that begins after the page has lost what was before.
fn check_reach(bars: &[SourceBar], page: &HistoryPage) -> Result<(), ProviderError> {
    match bars.iter().map(|bar| bar.open_time).min() {
        Some(oldest) if oldest > page.from => {
            Err(ProviderError::Fatal { message: format!("the fmp days of {} are cut off at {}", page.spelling, oldest.date()) })
        }
        Some(_) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect(text)
    }

    fn page(spelling: &str, interval: Interval, from: &str, to: &str) -> HistoryPage {
        HistoryPage { spelling: spelling.to_owned(), interval, from: at(from), to: at(to) }
    }

    #[test]
    fn a_day_more_is_asked_for_on_both_sides() {
        let minutes = page("AAPL", Interval::OneMinute, "2026-11-20T14:30:00Z", "2026-11-21T05:00:00Z");
        let days = page("AAPL", Interval::OneDay, "2026-11-02T00:00:00Z", "2026-11-21T00:00:00Z");
        let date = |text: &str| text.parse::<Date>().expect(text);
        assert_eq!(span(&minutes), (date("2026-11-19"), date("2026-11-21")));
        assert_eq!(span(&days), (date("2026-11-01"), date("2026-11-21")));
    }

    #[test]
    fn only_shares_have_days_as_traded() {
        let name = |spelling: &str| endpoint(&page(spelling, Interval::OneDay, "2026-11-02T00:00:00Z", "2026-11-21T00:00:00Z"));
        assert_eq!(name("AAPL"), Some("historical-price-eod/non-split-adjusted"));
        for spelling in ["^GSPC", "EURUSD", "BTCUSD"] {
            assert_eq!(name(spelling), Some("historical-price-eod/full"), "{spelling}");
        }
    }

    #[test]
    fn an_hour_that_comes_twice_is_of_no_use() {
        assert_eq!(eastern("2026-11-20 09:30:00"), Some(at("2026-11-20T14:30:00Z")));
        assert_eq!(eastern("2026-07-01 09:30:00"), Some(at("2026-07-01T13:30:00Z")));
        assert_eq!(eastern("2026-11-01 01:30:00"), None);
        assert_eq!(eastern("2026-11-01 02:00:00"), Some(at("2026-11-01T07:00:00Z")));
        assert_eq!(eastern("2026-11-20 09:30:27"), None);
        assert_eq!(eastern("2026-11-20"), None);
    }
}
