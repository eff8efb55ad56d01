//! The health of a feed: the age of its last frame, never "the socket is open".

use std::collections::VecDeque;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::market::{Delay, Source, Timestamp};
use crate::snapshot::usage::Usage;

/// How many seconds a rate's sparkline shows.
const SECONDS: usize = 30;

/// What a feed is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FeedState {
    /// Nothing to subscribe to.
    Idle,
    Connecting,
    /// Frames with data come as promised.
    Live,
    /// Nothing is promised now (session closed, nothing traded); the heartbeat is kept.
    Quiet,
    /// Heartbeats or pongs arrive, but promised data does not, in session.
    Silent,
    /// The socket is down or mute, and looks at each price stand in for it.
    Polling,
    /// No frame of any kind for longer than promised, or no connection.
    Dead,
    /// Turned off in the config, or by an answer that no retry can change.
    Off,
}

impl FeedState {
    /// The word on the screen.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Connecting => "connecting",
            Self::Live => "live",
            Self::Quiet => "quiet",
            Self::Silent => "silent",
            Self::Polling => "polling",
            Self::Dead => "dead",
            Self::Off => "off",
        }
    }

    /// Whether prices of this feed are as fresh as they can be.
    #[must_use]
    pub const fn is_healthy(self) -> bool {
        matches!(self, Self::Live | Self::Quiet | Self::Polling)
    }
}

impl fmt::Display for FeedState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// One feed's line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FeedView {
    pub source: Source,
    pub state: FeedState,
    /// Since when it is in this state.
    pub since: Timestamp,
    pub delay: Delay,
    pub symbols: usize,
    pub last_frame: Option<Timestamp>,
    pub rate: Rate,
    /// `ts_recv - ts_event` of the last data, in seconds.
    pub lag: Option<f64>,
    pub messages: u64,
    pub errors: u64,
    pub reconnects: u64,
    /// What went wrong last, in one line.
    pub error: Option<String>,
    /// How many tries failed in a row.
    pub attempt: u32,
    pub next_try: Option<Timestamp>,
    /// Events that found no room on their way and were let go; a hole is kept for them.
    #[serde(default)]
    pub dropped: u64,
    /// What was asked over HTTP, and what may be.
    #[serde(default)]
    pub usage: Usage,
}

/// Messages a second over the last half minute.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rate {
    /// Counts of whole seconds, oldest first.
    pub seconds: VecDeque<u32>,
    current: u32,
    second: i64,
}

impl FeedView {
    #[must_use]
    pub fn new(source: Source, delay: Delay, now: Timestamp) -> Self {
        Self {
            source,
            state: FeedState::Idle,
            since: now,
            delay,
            symbols: 0,
            last_frame: None,
            rate: Rate::default(),
            lag: None,
            messages: 0,
            errors: 0,
            reconnects: 0,
            error: None,
            attempt: 0,
            next_try: None,
            dropped: 0,
            usage: Usage::default(),
        }
    }

    /// Moves to a state; the time of the change is kept while the state stays.
    pub fn enter(&mut self, state: FeedState, now: Timestamp) {
        if self.state != state {
            self.state = state;
            self.since = now;
        }
    }
}

impl Rate {
    /// Counts `messages` at `now`.
    pub fn count(&mut self, messages: u32, now: Timestamp) {
        self.roll(now);
        self.current = self.current.saturating_add(messages);
    }

    /// Closes the seconds that passed.
    pub fn roll(&mut self, now: Timestamp) {
        let second = now.as_seconds();
        let passed = usize::try_from(second - self.second).unwrap_or(0).min(SECONDS);
        for i in 0..passed {
            let count = if i == 0 { std::mem::take(&mut self.current) } else { 0 };
            self.seconds.push_back(count);
        }
        let extra = self.seconds.len().saturating_sub(SECONDS);
        self.seconds.drain(..extra);
        self.second = second;
    }

    /// Whether time alone changes what it shows.
    #[must_use]
    pub fn is_moving(&self) -> bool {
        self.current > 0 || self.seconds.iter().any(|count| *count > 0)
    }

    /// Messages a second, over the last ten whole seconds.
    #[must_use]
    pub fn per_second(&self) -> f64 {
        let counted = self.seconds.len().min(10);
        let sum: u32 = self.seconds.iter().rev().take(counted).sum();
        f64::from(sum) / f64::from(u32::try_from(counted.max(1)).unwrap_or(1))
    }
}
