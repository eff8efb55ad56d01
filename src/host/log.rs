//! The log: JSON lines to a file in the state folder, and a bounded ring for the logs pane. It never blocks and
//! never prints.

use std::collections::VecDeque;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_appender::non_blocking::WorkerGuard;
use tracing_appender::rolling::{RollingFileAppender, Rotation};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use crate::host::clock::Clock;
use crate::market::clean;
use crate::snapshot::LogLine;

/// How many lines the ring keeps.
const KEPT: usize = 2_000;
/// How many days of files are kept.
const FILES: usize = 7;

/// The newest lines, shared between the log and the screen.
#[derive(Clone, Debug, Default)]
pub struct LogRing(Arc<Mutex<Ring>>);

#[derive(Debug, Default)]
struct Ring {
    lines: VecDeque<LogLine>,
    /// Lines that fell out before anybody took them.
    dropped: u64,
}

/// Keeps the file's writer alive; what is left is written when it is dropped.
#[derive(Debug)]
pub struct LogSink {
    _guard: Option<WorkerGuard>,
}

impl LogRing {
    /// Takes the lines that came since the last call, and how many were lost.
    #[must_use]
    pub fn take(&self) -> (Vec<LogLine>, u64) {
        let mut ring = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let dropped = std::mem::take(&mut ring.dropped);
        (ring.lines.drain(..).collect(), dropped)
    }

    fn push(&self, line: LogLine) {
        let mut ring = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if ring.lines.len() == KEPT {
            ring.lines.pop_front();
            ring.dropped += 1;
        }
        ring.lines.push_back(line);
    }
}

/// Starts the log of this process: to `folder` when there is one, and to the ring.
pub fn start_log(folder: Option<&Path>, level: &str, clock: Clock) -> anyhow::Result<(LogRing, LogSink)> {
    let ring = LogRing::default();
    let filter = tracing_subscriber::EnvFilter::try_new(format!("warn,openbell={level}")).context("read the log level")?;
    let (file, guard) = match folder {
        Some(folder) => {
            let (writer, guard) = tracing_appender::non_blocking(appender(folder)?);
            (Some(tracing_subscriber::fmt::layer().json().with_writer(writer).with_ansi(false)), Some(guard))
        }
        None => (None, None),
    };
    let screen = RingLayer { ring: ring.clone(), clock };
    tracing_subscriber::registry().with(filter).with(file).with(screen).try_init().context("start the log")?;
    Ok((ring, LogSink { _guard: guard }))
}

fn appender(folder: &Path) -> anyhow::Result<RollingFileAppender> {
    std::fs::create_dir_all(folder).with_context(|| format!("make the log folder {}", folder.display()))?;
    RollingFileAppender::builder()
        .rotation(Rotation::DAILY)
        .filename_prefix("openbell")
        .filename_suffix("jsonl")
        .max_log_files(FILES)
        .build(folder)
        .with_context(|| format!("open a log file in {}", folder.display()))
}

struct RingLayer {
    ring: LogRing,
    clock: Clock,
}

impl<S: Subscriber> Layer<S> for RingLayer {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut text = Text::default();
        event.record(&mut text);
        let meta = event.metadata();
        self.ring.push(LogLine {
            time: self.clock.now(),
            level: level_number(*meta.level()),
            target: meta.target().trim_start_matches("openbell::").to_owned(),
            message: clean(&format!("{}{}", text.message, text.fields)).into_owned(),
        });
    }
}

fn level_number(level: Level) -> u8 {
    match level {
        Level::ERROR => 1,
        Level::WARN => 2,
        Level::INFO => 3,
        Level::DEBUG => 4,
        Level::TRACE => 5,
    }
}

/// The message, then the fields as `name=value`.
#[derive(Default)]
struct Text {
    message: String,
    fields: String,
}

impl Visit for Text {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        use fmt::Write;
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}
