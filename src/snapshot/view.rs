//! The whole picture.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::calendar::{Calendar, State};
use crate::market::{Bar, Delay, InstrumentId, MarketEvent, Source, Timestamp, Zone};
use crate::quality::Violation;
use crate::snapshot::feed::FeedView;
use crate::snapshot::instrument::{InstrumentView, row_mut};
use crate::snapshot::work::{JobView, WriterView};

/// What screens draw: cheap to clone, each part is shared until it changes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MarketView {
    /// Rises with every fold.
    pub sequence: u64,
    /// Whether the prices are made up.
    pub simulated: bool,
    /// How long a price may be unconfirmed beyond its declared delay.
    pub stale_after: Duration,
    /// In the order of the watchlist.
    pub instruments: Vec<Arc<InstrumentView>>,
    pub venues: Vec<Arc<VenueView>>,
    pub feeds: Vec<Arc<FeedView>>,
    pub writer: Arc<WriterView>,
    pub jobs: Vec<Arc<JobView>>,
    /// Violations since the start.
    pub violations: u64,
}

/// A venue's clock.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VenueView {
    pub venue: String,
    pub name: String,
    pub zone: Zone,
    /// `regular`, `pre`, `post`, `overnight`, `break`, `closed`, or `not known`.
    pub state: String,
    pub is_open: bool,
    /// When that ends, and what comes.
    pub next: Option<(Timestamp, String)>,
    /// Holiday, early close or late open, by name.
    pub note: Option<String>,
}

/// How many jobs are shown; those that are over go first.
const JOBS: usize = 200;

/// One change of the picture.
#[derive(Clone, Debug)]
pub enum Update {
    /// Something a source said of an instrument.
    Event {
        instrument: InstrumentId,
        event: MarketEvent,
        source: Source,
        delay: Delay,
    },
    /// A sealed one-minute bar.
    Sealed(Bar),
    /// A feed's line.
    Feed(FeedView),
    Writer(WriterView),
    Job(JobView),
    Venues(Vec<VenueView>),
    Violation(Violation),
    /// The watchlist, in order.
    Instruments(Vec<InstrumentView>),
}

impl MarketView {
    /// Folds one change in.
    pub fn fold(&mut self, update: Update) {
        self.sequence += 1;
        match update {
            Update::Event { instrument, event, source, delay } => {
                if let Some(row) = self.row(instrument) {
                    row.fold(&event, &source, delay);
                }
            }
            Update::Sealed(bar) => {
                if let Some(row) = self.row(bar.instrument) {
                    row.fold_bar(&bar);
                }
            }
            Update::Feed(feed) => upsert(&mut self.feeds, feed, |a, b| a.source == b.source),
            Update::Writer(writer) => self.writer = Arc::new(writer),
            Update::Job(job) => {
                upsert(&mut self.jobs, job, |a, b| a.id == b.id);
                if self.jobs.len() > JOBS
                    && let Some(oldest) = self.jobs.iter().position(|job| job.state.is_over())
                {
                    self.jobs.remove(oldest);
                }
            }
            Update::Venues(venues) => self.venues = venues.into_iter().map(Arc::new).collect(),
            Update::Violation(_) => self.violations += 1,
            Update::Instruments(rows) => self.instruments = rows.into_iter().map(Arc::new).collect(),
        }
    }

    /// Lets time pass: a rate that nobody adds to any more falls. Says whether one did.
    pub fn roll(&mut self, now: Timestamp) -> bool {
        let mut rolled = false;
        for feed in self.feeds.iter_mut().filter(|feed| feed.rate.is_moving()) {
            Arc::make_mut(feed).rate.roll(now);
            rolled = true;
        }
        if self.writer.rows.is_moving() {
            Arc::make_mut(&mut self.writer).rows.roll(now);
            rolled = true;
        }
        rolled
    }

    fn row(&mut self, instrument: InstrumentId) -> Option<&mut InstrumentView> {
        self.instruments.iter_mut().find(|row| row.instrument.id == instrument).map(row_mut)
    }

    /// The row of an instrument.
    #[must_use]
    pub fn instrument(&self, instrument: InstrumentId) -> Option<&Arc<InstrumentView>> {
        self.instruments.iter().find(|row| row.instrument.id == instrument)
    }
}

fn upsert<T>(list: &mut Vec<Arc<T>>, new: T, same: fn(&T, &T) -> bool) {
    match list.iter_mut().find(|old| same(old, &new)) {
        Some(old) => *old = Arc::new(new),
        None => list.push(Arc::new(new)),
    }
}

/// A venue's clock at `now`.
#[must_use]
pub fn venue_view(calendar: &Calendar, now: Timestamp) -> VenueView {
    let (venue, name, zone) = (calendar.venue().to_owned(), calendar.name().to_owned(), calendar.zone());
    let Ok(moment) = calendar.at(now) else {
        return VenueView { venue, name, zone, state: "not known".to_owned(), is_open: false, next: None, note: None };
    };
    let note = moment.day.notes.iter().map(|note| note.name.clone()).collect::<Vec<_>>().join(", ");
    VenueView {
        venue,
        name,
        zone,
        state: state_name(moment.state()),
        is_open: moment.session.is_some(),
        next: moment.next.as_ref().map(|change| (change.at, state_name(change.to))),
        note: (!note.is_empty()).then_some(note),
    }
}

/// The word for a venue's state.
fn state_name(state: State) -> String {
    match state {
        State::Closed => "closed".to_owned(),
        State::Break => "break".to_owned(),
        State::Open(kind) => kind.name().to_owned(),
    }
}
