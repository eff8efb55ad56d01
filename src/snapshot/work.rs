//! What the writer and the jobs are doing, and the lines of the log.

use serde::{Deserialize, Serialize};

use crate::market::{Interval, Symbol, Timestamp};
use crate::snapshot::feed::Rate;

/// The writer's line.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WriterView {
    /// The store's address, without secrets.
    pub store: String,
    pub rows: Rate,
    /// Rows written since the start.
    pub written: u64,
    /// Rows that wait.
    pub queued: usize,
    /// Rows that had no room in the queue.
    pub dropped: u64,
    pub last_commit: Option<Timestamp>,
    /// Bytes on disk.
    pub size: u64,
    /// Why the last commit failed.
    pub error: Option<String>,
    pub attempt: u32,
    pub next_try: Option<Timestamp>,
    /// Rows that wait in the spool: the store is away.
    pub spooled: u64,
    /// Since when the oldest of them waits.
    pub spooled_since: Option<Timestamp>,
    /// Whether the spool has no more room: rows wait in memory.
    pub spool_full: bool,
}

/// One job's line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobView {
    pub id: i64,
    pub kind: String,
    pub symbol: Option<Symbol>,
    pub interval: Option<Interval>,
    pub source: String,
    pub state: JobState,
    /// Steps done and in all.
    pub done: u64,
    pub total: u64,
    /// Rows so far.
    pub rows: u64,
    pub started: Timestamp,
    pub finished: Option<Timestamp>,
    /// What it is doing, or what went wrong.
    pub note: String,
}

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JobState {
    Queued,
    Running,
    Done,
    Failed,
    Cancelled,
}

/// One line of the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogLine {
    pub time: Timestamp,
    /// 1 error, 2 warning, 3 info, 4 debug, 5 trace.
    pub level: u8,
    pub target: String,
    pub message: String,
}

impl JobState {
    pub const ALL: [Self; 5] = [Self::Queued, Self::Running, Self::Done, Self::Failed, Self::Cancelled];

    /// The word used in files, on screens and in the store.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether nothing more will happen.
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Cancelled)
    }
}

impl LogLine {
    pub const LEVELS: [&str; 5] = ["error", "warn", "info", "debug", "trace"];

    /// The word for the level.
    #[must_use]
    pub fn level_name(&self) -> &'static str {
        Self::LEVELS.get(usize::from(self.level).saturating_sub(1)).copied().unwrap_or("trace")
    }
}
