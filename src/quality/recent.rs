//! The few bars before the one that is judged.

use crate::market::{Bar, Timestamp};

/// How many sealed bars a median needs; with fewer the volume rules are silent.
const WINDOW: usize = 20;

/// The last sealed bars of one instrument, interval, session and source: their median volume and the last close.
#[derive(Clone, Debug, Default)]
pub struct Recent {
    /// Volumes in the order they came; `next` is the oldest.
    ring: [f64; WINDOW],
    /// The same volumes in order of size.
    sorted: [f64; WINDOW],
    len: usize,
    next: usize,
    last: Option<(Timestamp, f64)>,
}

impl Recent {
    /// Takes a sealed bar; one that is not newer than the last is left out.
    pub fn push(&mut self, bar: &Bar) {
        if self.last.is_some_and(|(time, _)| bar.open_time <= time) {
            return;
        }
        self.last = Some((bar.open_time, bar.close));
        if let Some(volume) = bar.volume.filter(|volume| volume.is_finite()) {
            self.push_volume(volume);
        }
    }

    fn push_volume(&mut self, volume: f64) {
        if self.len == WINDOW {
            let oldest = self.ring[self.next];
            let at = self.sorted.partition_point(|&v| v < oldest);
            self.sorted.copy_within(at + 1.., at);
            self.len -= 1;
        }
        let at = self.sorted[..self.len].partition_point(|&v| v < volume);
        self.sorted.copy_within(at..self.len, at + 1);
        self.sorted[at] = volume;
        self.ring[self.next] = volume;
        self.next = (self.next + 1) % WINDOW;
        self.len += 1;
    }

    /// The median volume of the last 20 bars; `None` below 20.
    #[must_use]
    pub fn median_volume(&self) -> Option<f64> {
        (self.len == WINDOW).then(|| f64::midpoint(self.sorted[WINDOW / 2 - 1], self.sorted[WINDOW / 2]))
    }

    /// Open time and close of the bar before.
    #[must_use]
    pub fn last(&self) -> Option<(Timestamp, f64)> {
        self.last
    }
}
