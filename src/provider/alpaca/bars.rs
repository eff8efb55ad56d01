//! Bars of the REST interface in our words, and how a stretch of them is cut into pages. It asks nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::market::{Date, Interval, SourceBar, TimeOfDay, Timestamp, Zone};
use crate::provider::alpaca::decode::source_bar;
use crate::provider::alpaca::wire::{self, instant};
use crate::provider::contract::{HistoryPage, ProviderError, cut};

/// 2016-01-01: nothing older is kept.
const FIRST: Timestamp = Timestamp::from_seconds(1_451_606_400);

/// Rows of one answer: the most that are given.
pub(crate) const ROWS: u32 = 10_000;

/// Prices of all venues are free of charge once they are 15 minutes old, with a minute for clocks that differ.
pub(crate) const LATE: Duration = Duration::from_secs(960);

/// "Historical bars", <https://docs.alpaca.markets>: rows by symbol; `null` where there are none.
#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    bars: &'a RawValue,
    next_page_token: Option<String>,
}

type Rows<'a> = BTreeMap<String, Option<Vec<wire::Bar<'a>>>>;

/// A part of a page: the answer to one question.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Part {
    /// Sealed bars inside the page, as they came: they are put in order when all parts are there.
    pub bars: Vec<SourceBar>,
    /// Where the page goes on. A short part, or one without bars, is not the last for that.
    pub next: Option<String>,
}

/// The sealed bars of one answer.
pub fn bars(body: &[u8], page: &HistoryPage, now: Timestamp) -> Result<Part, ProviderError> {
    let bad = || ProviderError::malformed("alpaca bars are not rows of numbers", body);
    let told: Body<'_> = serde_json::from_slice(body).map_err(|_| bad())?;
    let rows: Option<Rows<'_>> = serde_json::from_str(told.bars.get()).map_err(|_| bad())?;
    let of_symbol = rows.and_then(|mut rows| rows.remove(&page.spelling)).flatten().unwrap_or_default();
    let inside = |bar: &SourceBar| page.from <= bar.open_time && bar.open_time < page.to;
    let sealed = |bar: &SourceBar| end_of(bar) <= now;
    let bars = of_symbol.iter().filter_map(|row| bar(row, page.interval)).filter(|bar| inside(bar) && sealed(bar)).collect();
    Ok(Part { bars, next: told.next_page_token.filter(|token| !token.is_empty()) })
}

/// A row with a hole in it is no bar.
fn bar(row: &wire::Bar<'_>, interval: Interval) -> Option<SourceBar> {
    let begin = instant(row.time.as_ref())?;
    let open_time = if interval.is_intraday() { begin } else { interval.label(session_date(begin)).midnight() };
    source_bar(row, interval, open_time)
}

/// Days are stamped with midnight in New York.
fn session_date(begin: Timestamp) -> Date {
    let in_greenwich = begin.date();
    if in_greenwich.midnight() == begin { in_greenwich } else { begin.in_zone(Zone::NEW_YORK).0 }
}

/// When a bar is over: a day with its regular session, and with what is told of it late.
fn end_of(bar: &SourceBar) -> Timestamp {
    if bar.interval.is_intraday() {
        return bar.open_time + bar.interval.duration();
    }
    let label = bar.open_time.date();
    let last = if bar.interval == Interval::OneWeek { label.plus_days(4) } else { label };
    last.at(TimeOfDay::new(16, 0).expect("four in the afternoon"), Zone::NEW_YORK) + LATE
}

/// The length of a bar as it is asked for; `None` for one that is not on our grid, or that we build.
#[must_use]
pub(crate) fn asked_as(interval: Interval) -> Option<&'static str> {
    match interval {
        Interval::OneMinute => Some("1Min"),
        Interval::FiveMinutes => Some("5Min"),
        Interval::FifteenMinutes => Some("15Min"),
        Interval::ThirtyMinutes => Some("30Min"),
        Interval::OneDay => Some("1Day"),
        Interval::OneWeek => Some("1Week"),
        Interval::OneHour | Interval::OneMonth => None,
    }
}

/// Cuts `[from, to)` into pages that one answer holds as a rule: 960 minutes are traded on a day.
#[must_use]
pub fn pages(interval: Interval, from: Timestamp, to: Timestamp, now: Timestamp) -> Vec<(Timestamp, Timestamp)> {
    let days = match interval {
        Interval::OneMinute => 10,
        Interval::FiveMinutes => 50,
        Interval::FifteenMinutes => 150,
        Interval::ThirtyMinutes => 300,
        Interval::OneDay | Interval::OneWeek => ROWS,
        Interval::OneHour | Interval::OneMonth => return Vec::new(),
    };
    cut(from.max(FIRST), to.min(now), Interval::OneDay.duration() * days)
}
