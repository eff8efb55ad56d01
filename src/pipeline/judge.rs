//! Bars through the rules, with what came before them.

use std::collections::HashMap;
use std::sync::Arc;

use crate::calendar::{Calendar, Calendars, bar_bounds};
use crate::market::{Bar, InstrumentId, Interval, SessionKind, Source, Timestamp};
use crate::pipeline::normalise::Route;
use crate::quality::{Context, Grid, Quarantined, Recent, Violation, judge};

/// Judges bars as they come, remembering the few before.
#[derive(Debug)]
pub struct Judge {
    calendars: Arc<Calendars>,
    recent: HashMap<(InstrumentId, Interval, Option<SessionKind>, Source), Recent>,
}

/// A judged bar: kept, or refused with the reason.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    pub bar: Result<Bar, Quarantined>,
    pub violations: Vec<Violation>,
}

impl Judge {
    #[must_use]
    pub fn new(calendars: Arc<Calendars>) -> Self {
        Self { calendars, recent: HashMap::new() }
    }

    /// Judges one bar; its session is the calendar's word.
    pub fn judge(&mut self, mut bar: Bar, route: &Route, ts_recv: Timestamp) -> Judged {
        let (grid, session) = self.calendars.get(&route.venue).map_or((Grid::Unknown, None), |calendar| place(calendar, &bar));
        bar.session = bar.session.or(session);
        let lane = (bar.instrument, bar.interval, bar.session, bar.source.clone());
        let recent = self.recent.entry(lane).or_default();
        let context = Context { recent, ts_recv, grid, may_be_negative: route.may_be_negative, rival: None };
        let verdict = judge(&bar, &context);
        let violations = verdict.violations(&bar, ts_recv);
        if verdict.refused {
            return Judged { bar: Err(refused(&bar, verdict.reasons(), ts_recv)), violations };
        }
        bar.quality = verdict.quality;
        bar.flags |= verdict.flags;
        recent.push(&bar);
        Judged { bar: Ok(bar), violations }
    }
}

/// Whether a bar opens where the calendar has one, and in which part of the day.
fn place(calendar: &Calendar, bar: &Bar) -> (Grid, Option<SessionKind>) {
    let date = bar.open_time.date();
    let on_label = date.midnight() == bar.open_time;
    match bar.interval {
        Interval::OneWeek | Interval::OneMonth => (if on_label && bar.interval.label(date) == date { Grid::On } else { Grid::Off }, None),
        Interval::OneDay => match calendar.day(date) {
            _ if !on_label => (Grid::Off, None),
            Ok(day) => (if day.sessions.is_empty() { Grid::Off } else { Grid::On }, None),
            Err(_) => (Grid::Unknown, None),
        },
        _ => match bar_bounds(calendar, bar.interval.duration(), bar.open_time) {
            Ok(Some(bounds)) => (if bounds.open == bar.open_time { Grid::On } else { Grid::Off }, Some(bounds.kind)),
            Ok(None) => (Grid::Off, None),
            Err(_) => (Grid::Unknown, None),
        },
    }
}

/// A bar that is not taken, with what it says.
#[must_use]
pub fn refused(bar: &Bar, reasons: Vec<String>, received_at: Timestamp) -> Quarantined {
    Quarantined {
        received_at,
        source: bar.source.clone(),
        instrument: bar.instrument,
        interval: Some(bar.interval),
        open_time: Some(bar.open_time),
        reasons,
        payload: payload(bar),
    }
}

/// What the source said. JSON has no infinity: such a figure is written as text, so that it can be read again.
fn payload(bar: &Bar) -> String {
    let figure = |f: f64| if f.is_finite() { serde_json::json!(f) } else { serde_json::json!(f.to_string()) };
    let fields = serde_json::json!({
        "open": figure(bar.open), "high": figure(bar.high), "low": figure(bar.low), "close": figure(bar.close),
        "volume": bar.volume.map(figure), "vwap": bar.vwap.map(figure), "n_trades": bar.n_trades,
    });
    fields.to_string()
}
