//! How the feeds of a running engine stand, as it last wrote into the store.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::engine::{HEALTH, HealthNote};
use crate::market::{Timestamp, clean};
use crate::store::Store;
use crate::widget::age;

/// What an engine last said of its feeds is older than this: it does not run any more.
const OLD: Duration = Duration::from_secs(90);

/// What a running engine last wrote of its feeds, by source.
pub(crate) async fn notes(store: &dyn Store, now: Timestamp) -> BTreeMap<String, HealthNote> {
    let said = store.about(HEALTH).await.ok().flatten();
    let notes: Vec<HealthNote> = said.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    notes.into_iter().filter(|note| now.since(note.at) < OLD).map(|note| (note.source.clone(), note)).collect()
}

/// A feed's state, since when, and why: `dead since 5m: connection refused`.
pub(crate) fn standing(note: &HealthNote, now: Timestamp) -> String {
    let error = note.error.as_ref().map_or_else(String::new, |error| format!(": {}", clean(error)));
    format!("{} since {}{error}", note.state, age(now.since(note.since)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::FeedState;

    #[test]
    fn a_feed_says_how_it_stands_and_why() {
        let now: Timestamp = "2026-11-20T15:04:05Z".parse().unwrap();
        let (source, since) = ("coinbase".to_owned(), now - Duration::from_secs(300));
        let live = HealthNote { source, state: FeedState::Live, since, error: None, at: now };
        assert_eq!(standing(&live, now), "live since 5m");
        let dead = HealthNote { state: FeedState::Dead, error: Some("connection\nrefused".to_owned()), ..live };
        assert_eq!(standing(&dead, now), "dead since 5m: connection refused");
    }
}
