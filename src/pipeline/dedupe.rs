//! What was seen before, what is out of order, and what is missing between.

use std::collections::{HashSet, VecDeque};

use crate::market::Timestamp;

/// How many trade ids are remembered: more than any source repeats after a reconnect.
const REMEMBERED: usize = 2_048;

/// What one source said of one instrument: trades by id, sampled prices by time.
#[derive(Debug, Default)]
pub struct Dedupe {
    ids: HashSet<u64>,
    order: VecDeque<u64>,
    highest: Option<u64>,
    newest: Option<Timestamp>,
}

/// Whether a trade is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    New,
    /// New, and this many ids before it were never seen.
    NewAfterLoss(u64),
    Repeated,
}

impl Dedupe {
    /// Takes a trade id; ids of one instrument rise by 1.
    pub fn trade(&mut self, id: u64) -> Freshness {
        if !self.ids.insert(id) {
            return Freshness::Repeated;
        }
        if self.order.len() == REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
        self.order.push_back(id);
        let before = self.highest;
        self.highest = Some(before.map_or(id, |highest| highest.max(id)));
        match before {
            Some(highest) if id.saturating_sub(highest) > 1 => Freshness::NewAfterLoss(id - highest - 1),
            Some(highest) if id.saturating_add(REMEMBERED as u64) <= highest => Freshness::Repeated,
            _ => Freshness::New,
        }
    }

    /// Starts from a trade that was made before we listened.
    pub fn start_at(&mut self, id: u64) {
        self.highest = Some(self.highest.map_or(id, |highest| highest.max(id)));
    }

    /// The highest id seen.
    #[must_use]
    pub fn highest(&self) -> Option<u64> {
        self.highest
    }

    /// Whether a sampled price is not older than the last accepted one.
    pub fn sample(&mut self, at: Timestamp) -> bool {
        let fresh = self.newest.is_none_or(|newest| at >= newest);
        if fresh {
            self.newest = Some(at);
        }
        fresh
    }
}
