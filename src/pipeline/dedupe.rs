//! What was seen before, what is out of order, and what is missing between.

use std::collections::{HashMap, VecDeque};

use crate::market::{Timestamp, TradeId};

/// How many trade ids are remembered: more than any source repeats after a reconnect.
const REMEMBERED: usize = 512;

/// What one source said of one instrument: trades by id, sampled prices by time.
#[derive(Debug, Default)]
pub struct Dedupe {
    /// When each of the newest trades was made, by its id.
    made: HashMap<TradeId, Timestamp>,
    order: VecDeque<TradeId>,
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
    /// Takes a trade id; counted ids of one instrument rise by 1.
    pub fn trade(&mut self, id: &TradeId, made: Timestamp) -> Freshness {
        if self.made.contains_key(id) {
            return Freshness::Repeated;
        }
        if self.order.len() == REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.made.remove(&oldest);
        }
        self.made.insert(id.clone(), made);
        self.order.push_back(id.clone());
        let &TradeId::Counted(id) = id else { return Freshness::New };
        let before = self.highest;
        self.highest = Some(before.map_or(id, |highest| highest.max(id)));
        match before {
            Some(highest) if id.saturating_sub(highest) > 1 => Freshness::NewAfterLoss(id - highest - 1),
            Some(highest) if id.saturating_add(REMEMBERED as u64) <= highest => Freshness::Repeated,
            _ => Freshness::New,
        }
    }

    /// When a trade was made that is still remembered.
    #[must_use]
    pub fn made_at(&self, id: &TradeId) -> Option<Timestamp> {
        self.made.get(id).copied()
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
