//! How the feeds of this engine stand, written into the store now and then for commands of other processes.

use serde::{Deserialize, Serialize};

use crate::market::Timestamp;
use crate::snapshot::{FeedState, FeedView, MarketView};

/// Under which key the store keeps it.
pub const HEALTH: &str = "feeds";

/// One feed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthNote {
    pub source: String,
    pub state: FeedState,
    pub since: Timestamp,
    pub error: Option<String>,
    /// When this was written.
    pub at: Timestamp,
}

/// The feeds of a picture, as JSON.
#[must_use]
pub(crate) fn health(view: &MarketView, at: Timestamp) -> String {
    let note = |feed: &FeedView| HealthNote {
        source: feed.source.to_string(),
        state: feed.state,
        since: feed.since,
        error: feed.error.clone(),
        at,
    };
    let notes: Vec<_> = view.feeds.iter().map(|feed| note(feed)).collect();
    serde_json::to_string(&notes).unwrap_or_default()
}
