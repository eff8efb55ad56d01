//! Price history: how a page is asked for, and its rows as bars.

use std::time::Duration;

use crate::market::{Date, Interval, SourceBar, TimeOfDay, Timestamp, Zone};
use crate::provider::alpha_vantage::action::of_days;
use crate::provider::alpha_vantage::pages::{month, settles};
use crate::provider::alpha_vantage::series::{Row, Series, series};
use crate::provider::alpha_vantage::spell::index;
use crate::provider::contract::{History, HistoryPage, ProviderError};

/// How many rows a short answer has at most: the oldest ones are dropped without a word.
const COMPACT_ROWS: usize = 100;

/// The function of days, and the paid one that has splits and dividends too.
pub(crate) const DAYS: &str = "TIME_SERIES_DAILY";
pub(crate) const ADJUSTED_DAYS: &str = "TIME_SERIES_DAILY_ADJUSTED";

/// A function by its name, and what is asked of it.
pub(crate) type Question = (&'static str, Vec<(&'static str, String)>);

/// Which days are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Days {
    /// All of them, and not the last hundred only.
    pub(crate) full: bool,
    /// With their splits and dividends; prices are as traded all the same.
    pub(crate) adjusted: bool,
}

/// The sealed bars of a page, oldest first, and of days what the company did on them; what was not asked for is in the answers too.
/// `full` tells whether all days were asked for, and of minutes `now` is when the plan has them.
pub fn history(body: &[u8], page: &HistoryPage, full: bool, now: Timestamp) -> Result<History, ProviderError> {
    let Series { zone, mut rows } = series(body, &what(page))?;
    let count = rows.len();
    if count == 0 && !page.interval.is_intraday() {
        // Of a symbol that is not known, or of one that is: an answer without a row says nothing of the past.
        return Err(ProviderError::NotFound { message: format!("{}: the answer has no rows", what(page)) });
    }
    // The oldest first: of two rows of one week the later one is the week's.
    rows.sort_by(|one, next| one.label.cmp(&next.label));
    rows.dedup_by(|next, first| next.label == first.label);
    let clock = Clock { zone: zone.unwrap_or(Zone::NEW_YORK), at_end: labels_are_ends(&rows) };
    let bars: Vec<SourceBar> = rows.iter().filter_map(|row| bar(row, page.interval, clock)).collect();
    if page.interval == Interval::OneDay && !full && index(&page.spelling).is_none() && count >= COMPACT_ROWS {
        check_reach(&bars, page)?;
    }
    let mut actions = if page.interval == Interval::OneDay { of_days(&rows) } else { Vec::new() };
    let is_inside = |at: Timestamp| page.from <= at && at < page.to;
    actions.retain(|action| is_inside(action.ex_date.midnight()) && settles(page.interval, action.ex_date) <= now);
    Ok(History { bars: page.keep(bars, end, now), actions, ..History::default() })
}

/// For errors.
pub(crate) fn what(page: &HistoryPage) -> String {
    format!("alpha-vantage {} bars of {}", page.interval, page.spelling)
}

/// How a page is asked for: "API Documentation", <https://www.alphavantage.co/documentation/>. `None` for bars that are not kept.
pub(crate) fn question(page: &HistoryPage, days: Days) -> Option<Question> {
    if let Some(name) = index(&page.spelling) {
        return Some(("INDEX_DATA", vec![("symbol", name.to_owned()), ("interval", longer(page.interval)?.to_owned())]));
    }
    let symbol = ("symbol", page.spelling.clone());
    Some(match page.interval {
        Interval::OneMinute => minutes(page, symbol, "1min"),
        Interval::FiveMinutes => minutes(page, symbol, "5min"),
        Interval::FifteenMinutes => minutes(page, symbol, "15min"),
        Interval::ThirtyMinutes => minutes(page, symbol, "30min"),
        Interval::OneHour => return None,
        Interval::OneDay => {
            let function = if days.adjusted { ADJUSTED_DAYS } else { DAYS };
            let size = if days.full { "full" } else { "compact" };
            (function, vec![symbol, ("outputsize", size.to_owned())])
        }
        Interval::OneWeek => ("TIME_SERIES_WEEKLY", vec![symbol]),
        Interval::OneMonth => ("TIME_SERIES_MONTHLY", vec![symbol]),
    })
}

/// The whole of a month, as traded, with what is traded before and after the regular session.
fn minutes(page: &HistoryPage, symbol: (&'static str, String), interval: &str) -> Question {
    let query = vec![
        symbol,
        ("interval", interval.to_owned()),
        ("month", month(page.from)),
        ("outputsize", "full".to_owned()),
        ("extended_hours", "true".to_owned()),
        ("adjusted", "false".to_owned()),
    ];
    ("TIME_SERIES_INTRADAY", query)
}

fn longer(interval: Interval) -> Option<&'static str> {
    match interval {
        Interval::OneDay => Some("daily"),
        Interval::OneWeek => Some("weekly"),
        Interval::OneMonth => Some("monthly"),
        Interval::OneMinute | Interval::FiveMinutes | Interval::FifteenMinutes | Interval::ThirtyMinutes | Interval::OneHour => None,
    }
}

/// How the labels of minutes are read.
#[derive(Clone, Copy)]
struct Clock {
    zone: Zone,
    /// Whether a label is when its bar ends, as it was once.
    at_end: bool,
}

/// Which end of a bar its label is of is not documented. The hours are from 04:00 to 20:00: no bar begins at the latter, and none ends
/// at the former.
fn labels_are_ends(rows: &[Row]) -> bool {
    let has = |time: &str| rows.iter().any(|row| row.label.ends_with(time));
    has(" 20:00:00") && !has(" 04:00:00")
}

fn bar(row: &Row, interval: Interval, clock: Clock) -> Option<SourceBar> {
    let open_time = if interval.is_intraday() { instant(&row.label, interval, clock)? } else { label(&row.label, interval)? };
    let Row { open, high, low, close, volume, .. } = *row;
    Some(SourceBar { interval, open_time, open, high, low, close, volume, vwap: None, n_trades: None })
}

/// The label of a day, week or month; that of the source is the last day of it that was traded on.
fn label(text: &str, interval: Interval) -> Option<Timestamp> {
    let date: Date = text.get(..10)?.parse().ok()?;
    Some(interval.label(date).midnight())
}

/// `2026-11-20 09:30:00`, where it is a whole minute. The hour that comes twice in a year is not traded in.
fn instant(text: &str, interval: Interval, clock: Clock) -> Option<Timestamp> {
    let (date, time) = text.split_at_checked(10)?;
    let minute = time.strip_prefix(' ')?.strip_suffix(":00")?;
    let (date, time): (Date, TimeOfDay) = (date.parse().ok()?, minute.parse().ok()?);
    let at = date.at(time, clock.zone);
    Some(if clock.at_end { at - interval.duration() } else { at })
}

fn end(bar: &SourceBar) -> Timestamp {
    if bar.interval.is_intraday() { bar.end_in_greenwich() } else { settles(bar.interval, bar.open_time.date()) }
}

/// A full answer that begins after the page has lost what was before: that is not what was never traded.
fn check_reach(bars: &[SourceBar], page: &HistoryPage) -> Result<(), ProviderError> {
    // The first session of the page may be some days after its beginning: a long weekend, or a week without any.
    let slack = Duration::from_secs(7 * 86_400);
    match bars.iter().map(|bar| bar.open_time).min() {
        Some(oldest) if oldest > page.from + slack => {
            let further = "outputsize = \"full\", which is not in every plan, reaches further";
            Err(ProviderError::Fatal { message: format!("{} reach back to {} only: {further}", what(page), oldest.date()) })
        }
        Some(_) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(spelling: &str, interval: Interval) -> HistoryPage {
        let at = |text: &str| text.parse().expect(text);
        HistoryPage { spelling: spelling.to_owned(), interval, from: at("2026-11-02T05:00:00Z"), to: at("2026-11-20T05:00:00Z") }
    }

    #[test]
    fn each_interval_has_its_function() {
        let ask_for = |spelling: &str, interval: Interval, days: Days| {
            question(&page(spelling, interval), days).map(|(function, query)| {
                let query: Vec<_> = query.iter().map(|(name, value)| format!("{name}={value}")).collect();
                format!("{function} {}", query.join(" "))
            })
        };
        let ask = |spelling: &str, interval: Interval| ask_for(spelling, interval, Days { full: false, adjusted: false });
        let minutes = "TIME_SERIES_INTRADAY symbol=IBM interval=5min month=2026-11 outputsize=full extended_hours=true adjusted=false";
        assert_eq!(ask("IBM", Interval::FiveMinutes).as_deref(), Some(minutes));
        assert_eq!(ask("IBM", Interval::OneDay).as_deref(), Some("TIME_SERIES_DAILY symbol=IBM outputsize=compact"));
        assert_eq!(ask("IBM", Interval::OneWeek).as_deref(), Some("TIME_SERIES_WEEKLY symbol=IBM"));
        assert_eq!(ask("IBM", Interval::OneMonth).as_deref(), Some("TIME_SERIES_MONTHLY symbol=IBM"));
        assert_eq!(ask("IBM", Interval::OneHour), None);
        assert_eq!(ask("^SPX", Interval::OneMonth).as_deref(), Some("INDEX_DATA symbol=SPX interval=monthly"));
        assert_eq!(ask("^SPX", Interval::OneMinute), None);
        let all = Days { full: true, adjusted: true };
        assert_eq!(ask_for("IBM", Interval::OneDay, all).as_deref(), Some("TIME_SERIES_DAILY_ADJUSTED symbol=IBM outputsize=full"));
        assert_eq!(ask_for("IBM", Interval::OneWeek, all), ask("IBM", Interval::OneWeek));
        assert_eq!(ask_for("^SPX", Interval::OneDay, all), ask("^SPX", Interval::OneDay));
    }
}
