//! What the plan of the key does not cover, as far as it was learned: plans move, so it is believed for a day.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::market::Timestamp;

/// How long a refusal is believed.
const BELIEVED: Duration = Duration::from_secs(86_400);

/// Things that were refused, by name, and when. Never held while waiting.
#[derive(Debug, Default)]
pub struct Refused(Mutex<HashMap<String, Timestamp>>);

impl Refused {
    /// Keeps in mind that this was refused.
    pub fn learn(&self, name: &str, now: Timestamp) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), now);
    }

    /// Whether it was refused not long ago.
    #[must_use]
    pub fn holds(&self, name: &str, now: Timestamp) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(name).is_some_and(|at| now.since(*at) < BELIEVED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_believed_for_a_day() {
        let (refused, now) = (Refused::default(), Timestamp::from_seconds(1_795_186_860));
        refused.learn("AAPL", now);
        assert!(refused.holds("AAPL", now + BELIEVED / 2));
        assert!(!refused.holds("AAPL", now + BELIEVED));
        assert!(!refused.holds("MSFT", now));
    }
}
