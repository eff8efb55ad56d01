//! Whose turn it is to be looked at, where each look costs a request.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::market::Timestamp;

/// How many have a turn at once: Yahoo blocks an address that asks too much.
const AT_ONCE: usize = 10;

/// How long a symbol that is not known is left alone.
const UNKNOWN: Duration = Duration::from_secs(3_600);

/// When each symbol had its turn.
#[derive(Debug, Default)]
pub struct Turns {
    /// By spelling. Never held while waiting.
    had: Mutex<HashMap<String, Had>>,
}

#[derive(Clone, Copy, Debug)]
struct Had {
    at: Timestamp,
    is_known: bool,
}

impl Turns {
    /// Those first whose turn was the longest time ago. One that is asked for alone always has it.
    #[must_use]
    pub fn next(&self, spellings: &[String], now: Timestamp) -> Vec<String> {
        let had = self.had.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due =
            |spelling: &&String| spellings.len() == 1 || had.get(*spelling).is_none_or(|had| had.is_known || now.since(had.at) >= UNKNOWN);
        let mut due: Vec<&String> = spellings.iter().filter(is_due).collect();
        due.sort_by_key(|spelling| had.get(*spelling).map(|had| had.at));
        due.into_iter().take(AT_ONCE).cloned().collect()
    }

    /// One had its turn, and the source knows it or does not.
    pub fn had(&self, spelling: String, is_known: bool, at: Timestamp) {
        self.had.lock().unwrap_or_else(PoisonError::into_inner).insert(spelling, Had { at, is_known });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everyone_has_a_turn_and_who_is_unknown_is_left_alone() {
        let turns = Turns::default();
        let now = Timestamp::from_seconds(1_795_176_000);
        let all: Vec<String> = (10..25).map(|number| format!("A{number}")).collect();
        let first = turns.next(&all, now);
        assert_eq!(first, all[..10]);
        for spelling in first {
            let is_known = spelling != "A10";
            turns.had(spelling, is_known, now);
        }
        let later = now + Duration::from_secs(60);
        let second = turns.next(&all, later);
        assert_eq!(second, [&all[10..], &all[1..6]].concat());
        assert_eq!(turns.next(&all[..1], later), all[..1], "who asks for it alone wants to know");
        assert!(turns.next(&all, now + UNKNOWN).contains(&all[0]));
    }
}
