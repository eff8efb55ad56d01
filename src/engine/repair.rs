//! Holes that history may fill: collected until what was missed can be had, one repair for each instrument.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::market::{InstrumentId, Timestamp};

/// How long after a hole its bars are asked for: the last of them has to end, and sources need a while.
const AFTER: Duration = Duration::from_secs(90);
/// How long a line may go on breaking before what it missed so far is asked for.
const PATIENCE: Duration = Duration::from_secs(600);
/// A hole begins and ends within a bar.
const MINUTE: Duration = Duration::from_secs(60);

/// The holes that nobody asked for yet.
#[derive(Debug, Default)]
pub(crate) struct Repairs {
    enabled: bool,
    open: BTreeMap<InstrumentId, Stretch>,
}

/// What to ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stretch {
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
    /// When.
    pub(crate) due: Timestamp,
    /// Not later than this, however often the line breaks again.
    latest: Timestamp,
}

impl Repairs {
    pub(crate) fn new(enabled: bool) -> Self {
        Self { enabled, open: BTreeMap::new() }
    }

    /// Adds a hole. A line that flaps makes one repair, once it has been quiet for a while.
    pub(crate) fn add(&mut self, instrument: InstrumentId, from: Timestamp, to: Timestamp, now: Timestamp) {
        if !self.enabled {
            return;
        }
        let epoch = Timestamp::from_seconds(0);
        let (from, to) = (from.floor_to(MINUTE, epoch), to.floor_to(MINUTE, epoch) + MINUTE);
        let due = now.max(to) + AFTER;
        let stretch = self.open.entry(instrument).or_insert(Stretch { from, to, due, latest: due + PATIENCE });
        let Stretch { latest, .. } = *stretch;
        *stretch = Stretch { from: stretch.from.min(from), to: stretch.to.max(to), due: due.min(latest), latest };
    }

    /// The holes whose time has come.
    pub(crate) fn due(&mut self, now: Timestamp) -> Vec<(InstrumentId, Stretch)> {
        self.open.extract_if(.., |_, stretch| stretch.due <= now).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_flaps_makes_one_repair() {
        let at = |seconds: i64| Timestamp::from_seconds(1_795_176_000 + seconds);
        let mut repairs = Repairs::new(true);
        repairs.add(InstrumentId(1), at(65), at(70), at(70));
        repairs.add(InstrumentId(1), at(130), at(150), at(150));
        assert!(repairs.due(at(200)).is_empty());
        let due: Vec<_> = repairs.due(at(270)).into_iter().map(|(id, hole)| (id, hole.from, hole.to)).collect();
        assert_eq!(due, [(InstrumentId(1), at(60), at(180))]);
        assert!(repairs.due(at(999)).is_empty());
        for second in (0..3_000).step_by(50) {
            repairs.add(InstrumentId(1), at(second), at(second + 1), at(second));
            if let [(_, hole)] = repairs.due(at(second))[..] {
                assert!(second <= 800, "it broke for {second} s");
                assert_eq!((hole.from, hole.to), (at(0), at(second).floor_to(MINUTE, at(0)) + MINUTE));
                return;
            }
        }
        panic!("it is never asked for");
    }

    #[test]
    fn nothing_is_repaired_where_that_is_turned_off() {
        let at = |seconds: i64| Timestamp::from_seconds(1_795_176_000 + seconds);
        let mut disabled = Repairs::new(false);
        disabled.add(InstrumentId(1), at(0), at(1), at(1));
        assert!(disabled.due(at(999)).is_empty());
    }
}
