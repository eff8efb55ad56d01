//! How old a price is, and what that means.

use std::time::Duration;

use crate::calendar::Calendars;
use crate::market::Timestamp;
use crate::snapshot::feed::FeedState;
use crate::snapshot::instrument::InstrumentView;
use crate::snapshot::view::MarketView;

/// What a row's age means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// As fresh as the source promises.
    Fresh,
    /// Nothing is promised now: the session is closed, or nothing traded.
    Quiet,
    /// Older than it may be, or its feed is not live.
    Stale,
    /// No price yet.
    Empty,
}

/// Says what a row's age means at `now`: stale when its feed is not healthy, or when its age exceeds the declared delay
/// and `threshold` and no answer has confirmed it, while its venue trades.
#[must_use]
pub fn standing(row: &InstrumentView, view: &MarketView, calendars: &Calendars, now: Timestamp, threshold: Duration) -> Standing {
    let Some(last) = &row.last else { return Standing::Empty };
    let feed = row.source.as_ref().and_then(|source| view.feeds.iter().find(|feed| feed.source == *source));
    let Some(feed) = feed else { return Standing::Stale };
    if !feed.state.is_healthy() {
        return Standing::Stale;
    }
    let in_session = calendars.get(&row.instrument.venue).and_then(|calendar| calendar.is_trading(now).ok()).unwrap_or(true);
    if !in_session {
        return Standing::Quiet;
    }
    let agreed = Duration::from_secs(u64::from(row.delay.seconds().unwrap_or(0)));
    let confirmed = last.ts_event.max(last.confirmed - agreed);
    if now.since(confirmed) <= agreed + threshold {
        return Standing::Fresh;
    }
    // The feed is well and hears everything: nothing traded.
    if feed.state == FeedState::Quiet { Standing::Quiet } else { Standing::Stale }
}
