//! A cursor in a list that grows and shrinks, and the window around it.

use std::ops::Range;

use crate::pane::contract::Motion;

/// Which row is under the cursor, and which is the first in view.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    at: usize,
    top: usize,
}

impl Cursor {
    /// Moves in a list of `len` rows of which `height` can be seen.
    pub fn go(&mut self, motion: Motion, len: usize, height: usize) {
        let half = (height / 2).max(1);
        self.at = match motion {
            Motion::Up => self.at.saturating_sub(1),
            Motion::Down => self.at + 1,
            Motion::Top => 0,
            Motion::Bottom => len,
            Motion::HalfUp => self.at.saturating_sub(half),
            Motion::HalfDown => self.at + half,
        };
        self.fit(len, height);
    }

    /// Moves to a row.
    pub fn set(&mut self, at: usize, len: usize, height: usize) {
        self.at = at;
        self.fit(len, height);
    }

    /// Keeps the cursor in the list and the window around it.
    pub fn fit(&mut self, len: usize, height: usize) {
        self.at = self.at.min(len.saturating_sub(1));
        self.top = self.top.min(self.at).max((self.at + 1).saturating_sub(height.max(1)));
        self.top = self.top.min(len.saturating_sub(height));
    }

    /// The row under the cursor.
    #[must_use]
    pub fn at(&self) -> usize {
        self.at
    }

    /// The rows in view, whatever the list has become since the last move.
    #[must_use]
    pub fn window(&self, len: usize, height: usize) -> Range<usize> {
        let mut fitted = *self;
        fitted.fit(len, height);
        fitted.top..(fitted.top + height).min(len)
    }

    /// Where the cursor is inside the window.
    #[must_use]
    pub fn in_window(&self, len: usize, height: usize) -> Option<usize> {
        let at = self.at.min(len.saturating_sub(1));
        (len > 0).then(|| at - self.window(len, height).start)
    }
}
