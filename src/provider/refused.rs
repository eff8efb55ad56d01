//! What the plan of a key does not cover, as far as it was learned: each further refusal would cost a request.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::market::Timestamp;

/// How long a refusal is believed: plans move.
const BELIEVED: Duration = Duration::from_secs(86_400);

/// Datasets or symbols that were refused, and when. Never held while waiting.
#[derive(Debug, Default)]
pub(crate) struct Refused(Mutex<HashMap<String, Timestamp>>);

impl Refused {
    /// Keeps in mind that this was refused; the answer is whether that is news.
    pub(crate) fn learn(&self, name: &str, now: Timestamp) -> bool {
        let before = self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), now);
        before.is_none_or(|at| now.since(at) >= BELIEVED)
    }

    /// Whether it was refused not long ago.
    pub(crate) fn holds(&self, name: &str, now: Timestamp) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(name).is_some_and(|at| now.since(*at) < BELIEVED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_believed_for_a_day() {
        let (refused, now) = (Refused::default(), Timestamp::from_seconds(1_795_186_860));
        assert!(refused.learn("TIME_SERIES_DAILY full", now));
        assert!(!refused.learn("TIME_SERIES_DAILY full", now));
        assert!(refused.holds("TIME_SERIES_DAILY full", now + BELIEVED / 2));
        assert!(!refused.holds("TIME_SERIES_DAILY full", now + BELIEVED));
        assert!(!refused.holds("TIME_SERIES_DAILY", now));
        assert!(refused.learn("TIME_SERIES_DAILY full", now + BELIEVED), "a day later it is news again");
    }
}
