//! What a case is.

use std::time::{Duration, Instant};

/// One figure to be measured.
pub struct Case {
    pub name: &'static str,
    /// What is counted: trades, bars, frames.
    pub unit: &'static str,
    /// How many of them one run does.
    pub units: u64,
    pub ours: Run,
    /// The same work without us.
    pub bare: Option<Run>,
    pub budget: Budget,
}

/// Does the work once. What has to be made ready for it is left out of the time.
pub type Run = Box<dyn FnMut() -> Ran>;

/// What one run came to.
#[derive(Clone, Copy, Debug)]
pub struct Ran {
    pub took: Duration,
    /// How many units came out as they should.
    pub done: u64,
}

/// What a figure has to be.
#[derive(Clone, Copy, Debug)]
pub enum Budget {
    /// At least this share of the baseline's rate.
    Ratio(f64),
    /// At least so many units a second.
    PerSecond(f64),
    /// One run takes at most so long.
    Within(Duration),
    /// Told, not judged.
    Told,
}

/// How much work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// Once through, for the test.
    Small,
    /// Enough to measure.
    Full,
}

impl Size {
    /// One of two counts.
    #[must_use]
    pub const fn of(self, small: usize, full: usize) -> usize {
        match self {
            Self::Small => small,
            Self::Full => full,
        }
    }
}

/// Times `work`, which answers how many units came out.
pub fn timed(work: impl FnOnce() -> u64) -> Ran {
    let start = Instant::now();
    let done = work();
    Ran { took: start.elapsed(), done }
}
