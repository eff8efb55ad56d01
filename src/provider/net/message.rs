//! What feeds are asked for, and what they tell.

use std::sync::Arc;

use crate::market::{InstrumentId, MarketEvent, Timestamp};
use crate::snapshot::FeedView;

/// A symbol that the feed should speak of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// As the source spells it.
    pub spelling: String,
    pub instrument: InstrumentId,
    /// Whose calendar says when data are promised.
    pub venue: Arc<str>,
}

/// What a feed tells the engine.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "a line is told once a second, and moved as it is")]
pub enum FeedMessage {
    Events(Vec<MarketEvent>),
    State(FeedView),
    /// Nothing could be heard between these instants.
    Deaf(Timestamp, Timestamp),
}
