//! When to draw: input at once, the market a few times a second, nothing when nothing changed.

use std::time::Duration;

use crate::market::Timestamp;

/// Input is not drawn sooner than this after the last frame.
const AFTER_FRAME: Duration = Duration::from_millis(8);

/// What is owed to the screen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    last: Timestamp,
    last_market: Timestamp,
    market_frame: Duration,
    owed: Owed,
}

/// What changed since the last frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Owed {
    Nothing,
    Market,
    Input,
}

impl Pace {
    pub(crate) fn new(frames_per_second: u64) -> Self {
        let market_frame = Duration::from_millis(1_000 / frames_per_second.max(1));
        Self { last: Timestamp::MIN, last_market: Timestamp::MIN, market_frame, owed: Owed::Input }
    }

    pub(crate) fn owe(&mut self, owed: Owed) {
        self.owed = self.owed.max(owed);
    }

    /// When the next frame is due.
    pub(crate) fn due(&self) -> Option<Timestamp> {
        match self.owed {
            Owed::Nothing => None,
            Owed::Market => Some(self.last_market + self.market_frame),
            Owed::Input => Some(self.last + AFTER_FRAME),
        }
    }

    pub(crate) fn drawn(&mut self, now: Timestamp) {
        self.last = now;
        if self.owed == Owed::Market || now.since(self.last_market) >= self.market_frame {
            self.last_market = now;
        }
        self.owed = Owed::Nothing;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn input_is_drawn_at_once_and_the_market_four_times_a_second() {
        let start = Timestamp::from_seconds(1_000);
        let mut pace = Pace::new(4);
        pace.drawn(start);
        assert_eq!(pace.due(), None);
        pace.owe(Owed::Market);
        assert_eq!(pace.due(), Some(start + Duration::from_millis(250)));
        pace.owe(Owed::Input);
        assert_eq!(pace.due(), Some(start + Duration::from_millis(8)));
        pace.drawn(start + Duration::from_millis(8));
        pace.owe(Owed::Market);
        assert_eq!(pace.due(), Some(start + Duration::from_millis(250)));
    }
}
