//! Bars into longer bars.

use crate::calendar::{Calendar, bar_bounds};
use crate::market::{Bar, BarFlags, Interval, Origin, SessionKind, Timestamp};

/// Builds bars of `interval` from shorter ones of one instrument, in order of time. Days and weeks are those of the
/// regular session; bars outside any session are left out. The first and the last are partial where the shorter ones do
/// not reach to their ends.
#[must_use]
pub fn resample(calendar: &Calendar, bars: &[Bar], interval: Interval) -> Vec<Bar> {
    let mut longer: Vec<Bar> = Vec::new();
    for bar in bars {
        let Some((open_time, session)) = bucket(calendar, bar, interval) else { continue };
        match longer.last_mut() {
            Some(current) if current.open_time == open_time => extend(current, bar),
            _ => longer.push(Bar { interval, open_time, session, origin: Origin::Derived, revision: 0, ..bar.clone() }),
        }
    }
    mark_edges(calendar, bars, interval, &mut longer);
    longer
}

fn mark_edges(calendar: &Calendar, bars: &[Bar], interval: Interval, longer: &mut [Bar]) {
    let used = |bar: &&Bar| bucket(calendar, bar, interval).is_some();
    // What was heard begins and ends with all of the bars, those outside the session too.
    let (begins, ends) = (bars.first().map(|bar| start(calendar, bar)), bars.last().map(|bar| end(calendar, bar)));
    let opens = bars.iter().find(used).and_then(|bar| span(calendar, bar, interval)).map(|(open, _)| open);
    let closes = bars.iter().rfind(used).and_then(|bar| span(calendar, bar, interval)).map(|(_, close)| close);
    if let Some(first) = longer.first_mut().filter(|_| begins > opens) {
        first.flags |= BarFlags::PARTIAL;
    }
    if let Some(last) = longer.last_mut().filter(|_| ends < closes) {
        last.flags |= BarFlags::PARTIAL;
    }
}

/// From when to when the longer bar that holds `bar` lasts.
fn span(calendar: &Calendar, bar: &Bar, interval: Interval) -> Option<(Timestamp, Timestamp)> {
    if interval.is_intraday() {
        return bar_bounds(calendar, interval.duration(), bar.open_time).ok().flatten().map(|bounds| (bounds.open, bounds.close));
    }
    let label = bucket(calendar, bar, interval)?.0.date();
    let sessions: Vec<_> = calendar.days(label, interval.next_label(label)).filter_map(|day| day.ok()?.regular()).collect();
    Some((sessions.first()?.0, sessions.last()?.1))
}

fn start(calendar: &Calendar, bar: &Bar) -> Timestamp {
    span(calendar, bar, bar.interval).map_or(bar.open_time, |(open, _)| open)
}

fn end(calendar: &Calendar, bar: &Bar) -> Timestamp {
    span(calendar, bar, bar.interval).map_or(bar.open_time, |(_, close)| close)
}

fn bucket(calendar: &Calendar, bar: &Bar, interval: Interval) -> Option<(Timestamp, Option<SessionKind>)> {
    if interval.is_intraday() {
        let bounds = bar_bounds(calendar, interval.duration(), bar.open_time).ok().flatten()?;
        return Some((bounds.open, Some(bounds.kind)));
    }
    if bar.interval.is_intraday() && bar.session.is_some_and(|kind| kind != SessionKind::Regular) {
        return None;
    }
    let date = if bar.interval.is_intraday() { calendar.session_date(bar.open_time).ok()? } else { bar.open_time.date() };
    Some((interval.label(date).midnight(), None))
}

fn extend(longer: &mut Bar, bar: &Bar) {
    let total = |a: Option<f64>, b: Option<f64>| a.zip(b).map(|(a, b)| a + b);
    let notional = |bar: &Bar| bar.vwap.zip(bar.volume).map(|(vwap, volume)| vwap * volume);
    let traded = total(notional(longer), notional(bar));
    longer.high = longer.high.max(bar.high);
    longer.low = longer.low.min(bar.low);
    longer.close = bar.close;
    longer.volume = total(longer.volume, bar.volume);
    longer.vwap = traded.zip(longer.volume).filter(|(_, volume)| *volume > 0.0).map(|(traded, volume)| traded / volume);
    longer.n_trades = longer.n_trades.zip(bar.n_trades).map(|(a, b)| a + b);
    longer.quality = longer.quality.min(bar.quality);
    longer.flags |= bar.flags;
}
