//! Requests and replies.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::market::{Bar, Fundamental, InstrumentId, Interval, Source, Symbol, Timestamp};
use crate::quality::{Severity, Violation};
use crate::snapshot::{JobView, LogLine};

/// What may be asked of the engine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    AddSymbol(Symbol),
    RemoveSymbol(Symbol),
    /// Ask every source for current prices now.
    Refresh,
    /// What a backfill would cost.
    Estimate(BackfillAsk),
    Backfill(BackfillAsk),
    Export(ExportAsk),
    CancelJob(i64),
    /// Whose rows are in view: these are looked at more often. Empty means all of them.
    Seen(Vec<InstrumentId>),
    /// What the store has of an instrument.
    Detail(InstrumentId),
}

/// History to fetch into the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackfillAsk {
    pub symbols: Vec<Symbol>,
    pub interval: Interval,
    /// Half-open.
    pub from: Timestamp,
    pub to: Timestamp,
    /// A provider, or whoever is best for each symbol.
    pub source: Option<String>,
}

/// Rows to write to a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportAsk {
    pub table: Table,
    /// Empty means all.
    pub symbols: Vec<Symbol>,
    pub interval: Interval,
    /// Half-open.
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
    pub format: ExportFormat,
    pub path: PathBuf,
}

/// What can be written out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Table {
    Bars,
    Violations,
    Quarantine,
}

/// How rows are written out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExportFormat {
    Csv,
    Jsonl,
}

/// What a backfill would cost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Estimate {
    /// For which question.
    pub ask: BackfillAsk,
    pub requests: u64,
    /// At the source's rate limit.
    pub time: Duration,
    /// Whom it would ask.
    pub sources: Vec<String>,
    /// Why part of it cannot be had.
    pub warning: Option<String>,
}

/// The answer to one request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    Done(String),
    Failed(String),
    Estimate(Estimate),
    /// What the store has of an instrument.
    Detail(InstrumentId, Stored),
}

/// What the store has of an instrument, for whoever looks at it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Stored {
    /// The newest bars, oldest first.
    pub bars: Vec<Bar>,
    /// The newest report of each statement, period and source, the newest first.
    pub reports: Vec<Report>,
}

/// What a company reported, as one source sent it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    pub source: Source,
    pub fundamental: Fundamental,
}

/// What the engine tells besides the picture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EngineEvent {
    Reply(Reply),
    Violation(Violation),
    Log(LogLine),
    /// A job ended.
    JobOver(JobView),
    /// Something about the program itself that whoever looks has to know now.
    Notice {
        time: Timestamp,
        severity: Severity,
        /// What it is about, in a word: `store`.
        about: String,
        message: String,
    },
    /// So many events found the queue full.
    Dropped(u64),
}

impl Table {
    pub const ALL: [Self; 3] = [Self::Bars, Self::Violations, Self::Quarantine];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bars => "bars",
            Self::Violations => "violations",
            Self::Quarantine => "quarantine",
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Table {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|table| table.name() == text)
            .ok_or_else(|| format!("'{text}' is not a table: bars, violations or quarantine"))
    }
}

impl ExportFormat {
    pub const ALL: [Self; 2] = [Self::Csv, Self::Jsonl];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Jsonl => "jsonl",
        }
    }
}

impl fmt::Display for ExportFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for ExportFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|format| format.name() == text).ok_or_else(|| format!("'{text}' is not a format: csv or jsonl"))
    }
}
