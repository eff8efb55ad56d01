//! The file of a recording: one JSON object a line, with gzip when its name ends in `.gz`. A thread writes it; a reader takes what can be
//! read of any file, and says of each line what is wrong with it.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use flate2::Compression;
use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::sync::oneshot;

use crate::market::{Timestamp, clean};
use crate::provider::net::record::{Direction, Lost, Record, Recorder, Said};
use crate::provider::net::redact::Redact;

/// The layout of the lines.
const VERSION: u32 = 1;
/// Records that may wait for the disk.
const QUEUE: usize = 8_192;
/// How often what was written can be read by others, whatever happens to us.
const FLUSH: Duration = Duration::from_secs(1);
/// How often the thread looks whether it is to end.
const LOOK: Duration = Duration::from_millis(100);
/// No honest line is longer.
const MAX_LINE: u64 = 200 << 20;

/// One line of a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    Record(Record),
    Note(Note),
}

/// What a recording says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Note {
    /// The first line.
    Began { at: Timestamp, version: u32 },
    /// So many records of a source found no room between these instants.
    Lost { at: Timestamp, source: String, from: Timestamp, count: u64 },
    /// The last line of a recording that was ended in order.
    Ended { at: Timestamp },
}

/// What a recording came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    pub records: u64,
    /// Of text, before it was compressed.
    pub bytes: u64,
    pub lost: u64,
}

/// The disk takes no more.
#[derive(Debug, Error)]
#[error("cannot write {path}: {source}; what was written before ({} records) can be read", .kept.records)]
pub struct RecordingError {
    pub path: String,
    pub kept: Kept,
    #[source]
    pub source: io::Error,
}

/// A recording that is being made.
pub struct Recording {
    records: SyncSender<Record>,
    lost: Losses,
    ending: Arc<OnceLock<Timestamp>>,
    done: oneshot::Receiver<Result<Kept, RecordingError>>,
}

type Losses = Arc<Mutex<Vec<(&'static str, Lost)>>>;

impl Recording {
    /// Makes the file, which must not be there yet, and starts its thread.
    pub fn create(path: &Path, at: Timestamp) -> io::Result<Self> {
        let file = OpenOptions::new().write(true).create_new(true).open(path)?;
        let mut sink = Sink::new(file, path.extension().is_some_and(|extension| extension == "gz"))?;
        let (mut kept, began) = (Kept::default(), Note::Began { at, version: VERSION });
        sink.line(&began, &mut kept)?;
        sink.flush()?;
        let (records, queue) = sync_channel(QUEUE);
        let (lost, ending, (tell, done)) = (Losses::default(), Arc::<OnceLock<Timestamp>>::default(), oneshot::channel());
        let keeper = Keeper {
            sink,
            queue,
            lost: Arc::clone(&lost),
            ending: Arc::clone(&ending),
            kept,
            safe: 0,
            last: at,
            flushed: at,
            fresh: false,
        };
        let path = path.display().to_string();
        std::thread::Builder::new().name("recording".to_owned()).spawn(move || {
            // Nobody listens any more when the program is ending.
            let _ = tell.send(keeper.run(path));
        })?;
        Ok(Self { records, lost, ending, done })
    }

    /// Whoever is given this keeps what `source` says here.
    #[must_use]
    pub fn recorder(&self, source: &'static str, redact: Redact) -> Recorder {
        let lost = Lost::default();
        self.lost.lock().unwrap_or_else(PoisonError::into_inner).push((source, lost.clone()));
        Recorder::to(source, self.records.clone(), redact, lost)
    }

    /// Waits until nothing can be kept any more; the answer is why.
    pub async fn broken(&mut self) -> RecordingError {
        match (&mut self.done).await {
            Ok(Err(error)) => error,
            Err(_) => died(),
            // It ends by itself only when it fails.
            Ok(Ok(_)) => std::future::pending().await,
        }
    }

    /// Writes what waits, and closes the file.
    pub async fn finish(self, at: Timestamp) -> Result<Kept, RecordingError> {
        // Nobody else sets it.
        let _ = self.ending.set(at);
        self.done.await.unwrap_or_else(|_| Err(died()))
    }
}

/// The thread that writes.
struct Keeper {
    sink: Sink,
    queue: Receiver<Record>,
    lost: Losses,
    ending: Arc<OnceLock<Timestamp>>,
    kept: Kept,
    /// How many of the records are where others can read them.
    safe: u64,
    /// When the last record came.
    last: Timestamp,
    flushed: Timestamp,
    /// Whether anything was written since.
    fresh: bool,
}

impl Keeper {
    fn run(mut self, path: String) -> Result<Kept, RecordingError> {
        let written = self.write().and_then(|()| self.sink.finish());
        let Self { sink, kept, safe, .. } = self;
        match written {
            Ok(()) => Ok(kept),
            Err(source) => {
                sink.abandon();
                Err(RecordingError { path, kept: Kept { records: safe, ..kept }, source })
            }
        }
    }

    fn write(&mut self) -> io::Result<()> {
        let mut idle = Duration::ZERO;
        loop {
            match self.queue.recv_timeout(LOOK) {
                Ok(record) => {
                    idle = Duration::ZERO;
                    self.keep(&record)?;
                }
                Err(RecvTimeoutError::Timeout) => idle += LOOK,
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if self.fresh && (self.last.since(self.flushed) >= FLUSH || idle >= FLUSH) {
                idle = Duration::ZERO;
                self.flush()?;
            }
            if self.ending.get().is_some() {
                break;
            }
        }
        while let Ok(record) = self.queue.try_recv() {
            self.keep(&record)?;
        }
        self.tell_lost()?;
        let ended = Note::Ended { at: self.ending.get().copied().unwrap_or(self.last).max(self.last) };
        self.sink.line(&ended, &mut self.kept)?;
        self.flush()
    }

    fn keep(&mut self, record: &Record) -> io::Result<()> {
        self.last = self.last.max(record.at);
        self.sink.line(record, &mut self.kept)?;
        self.kept.records += 1;
        self.fresh = true;
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.tell_lost()?;
        (self.flushed, self.fresh) = (self.last, false);
        self.sink.flush()?;
        self.safe = self.kept.records;
        Ok(())
    }

    fn tell_lost(&mut self) -> io::Result<()> {
        let losses = self.lost.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for (source, lost) in losses {
            let Some(stretch) = lost.take() else { continue };
            self.kept.lost += stretch.count;
            let note = Note::Lost { at: stretch.to, source: source.to_owned(), from: stretch.from, count: stretch.count };
            self.sink.line(&note, &mut self.kept)?;
        }
        Ok(())
    }
}

/// The file, compressed or not.
struct Sink {
    writer: Writer,
    /// The same file, to cut off what came only half onto the disk.
    file: File,
    /// How long it is up to where it can be read.
    whole: u64,
}

enum Writer {
    Plain(BufWriter<File>),
    Gzip(Box<GzEncoder<File>>),
}

impl Sink {
    fn new(file: File, compressed: bool) -> io::Result<Self> {
        let same = file.try_clone()?;
        let writer = if compressed {
            Writer::Gzip(Box::new(GzEncoder::new(file, Compression::default())))
        } else {
            Writer::Plain(BufWriter::new(file))
        };
        Ok(Self { writer, file: same, whole: 0 })
    }

    fn line(&mut self, line: &impl Serialize, kept: &mut Kept) -> io::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        kept.bytes += text.len() as u64;
        match &mut self.writer {
            Writer::Plain(writer) => writer.write_all(&text),
            Writer::Gzip(writer) => writer.write_all(&text),
        }
    }

    /// From here on what was written can be read by others.
    fn flush(&mut self) -> io::Result<()> {
        match &mut self.writer {
            Writer::Plain(writer) => writer.flush()?,
            Writer::Gzip(writer) => writer.flush()?,
        }
        self.whole = self.file.metadata()?.len();
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        match &mut self.writer {
            Writer::Plain(writer) => writer.flush(),
            Writer::Gzip(writer) => writer.try_finish(),
        }
    }

    /// What came only half onto the disk is cut off.
    fn abandon(self) {
        let Self { writer, file, whole } = self;
        // It tries to write the rest when it is dropped.
        drop(writer);
        let _ = file.set_len(whole);
    }
}

/// A recording that is being read.
pub struct Reader {
    lines: Box<dyn BufRead + Send>,
    /// Whose frames these are, where the file does not say it.
    raw: Option<String>,
    line: u64,
    over: bool,
}

/// A line that cannot be replayed.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("line {line}: {what}")]
pub struct Problem {
    pub line: u64,
    pub what: String,
}

impl Reader {
    /// Opens a recording.
    pub fn open(path: &Path) -> io::Result<Self> {
        Self::of(path, None)
    }

    /// Opens lines of the form `epoch_seconds: frame`, received from `source`.
    pub fn open_raw(path: &Path, source: &str) -> io::Result<Self> {
        Self::of(path, Some(source.to_owned()))
    }

    fn of(path: &Path, raw: Option<String>) -> io::Result<Self> {
        let mut file = BufReader::new(File::open(path)?);
        // By what it begins with, whatever it is called.
        let compressed = file.fill_buf()?.starts_with(&[0x1f, 0x8b]);
        let lines: Box<dyn BufRead + Send> = if compressed { Box::new(BufReader::new(MultiGzDecoder::new(file))) } else { Box::new(file) };
        Ok(Self { lines, raw, line: 0, over: false })
    }

    fn read(&mut self) -> Option<Result<(u64, Entry), Problem>> {
        let mut bytes = Vec::new();
        loop {
            bytes.clear();
            self.line += 1;
            match self.lines.by_ref().take(MAX_LINE).read_until(b'\n', &mut bytes) {
                Ok(0) => return None,
                Ok(_) if bytes.iter().all(u8::is_ascii_whitespace) => {}
                Ok(_) => break,
                Err(error) => {
                    self.over = true;
                    return Some(Err(self.problem(broken(&error))));
                }
            }
        }
        let whole = bytes.last() == Some(&b'\n');
        let entry = match &self.raw {
            Some(source) => raw_frame(&bytes, source),
            None => parse(&bytes),
        };
        self.over = !whole;
        let unfinished = |what| if whole { what } else { format!("the file ends in the middle of it ({what})") };
        Some(entry.map(|entry| (self.line, entry)).map_err(|what| self.problem(unfinished(what))))
    }

    fn problem(&self, what: String) -> Problem {
        Problem { line: self.line, what }
    }
}

impl Iterator for Reader {
    /// A line with its number.
    type Item = Result<(u64, Entry), Problem>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.over { None } else { self.read() }
    }
}

fn broken(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            "the file ends here without its end: whoever recorded it was killed, or the copy is not whole".to_owned()
        }
        _ => format!("the file cannot be read any further ({error})"),
    }
}

/// Which of the lines it is.
#[derive(Deserialize)]
struct Kind {
    kind: String,
}

fn parse(line: &[u8]) -> Result<Entry, String> {
    let wrong = |error: serde_json::Error| format!("it is no line of a recording ({})", clean(&error.to_string()));
    let Kind { kind } = serde_json::from_slice(line).map_err(wrong)?;
    match kind.as_str() {
        "began" | "lost" | "ended" => {
            let note: Note = serde_json::from_slice(line).map_err(wrong)?;
            match note {
                Note::Began { version, .. } if version > VERSION => {
                    Err(format!("a later openbell made it (version {version}, this one knows {VERSION}): what is known of it is replayed"))
                }
                note @ (Note::Began { .. } | Note::Lost { .. } | Note::Ended { .. }) => Ok(Entry::Note(note)),
            }
        }
        _ => serde_json::from_slice(line).map(Entry::Record).map_err(wrong),
    }
}

fn raw_frame(line: &[u8], source: &str) -> Result<Entry, String> {
    let line = std::str::from_utf8(line).map_err(|_| "it is no text".to_owned())?;
    let parts = line.split_once(':').and_then(|(time, frame)| Some((epoch(time.trim())?, frame.trim())));
    let (at, text) = parts.ok_or("it is not of the form 'epoch_seconds: frame'")?;
    let said = Said::Frame { text: text.to_owned() };
    Ok(Entry::Record(Record { at, source: source.to_owned(), connection: 1, direction: Direction::In, said }))
}

/// Seconds with a fraction, to the microsecond.
fn epoch(text: &str) -> Option<Timestamp> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) {
        return None;
    }
    let micros: String = fraction.chars().chain("000000".chars()).take(6).collect();
    let micros = whole.parse::<i64>().ok()?.checked_mul(1_000_000)?.checked_add(micros.parse().ok()?)?;
    Some(Timestamp::from_micros(micros))
}

impl Entry {
    /// When it was.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        match self {
            Self::Record(record) => record.at,
            Self::Note(Note::Began { at, .. } | Note::Lost { at, .. } | Note::Ended { at }) => *at,
        }
    }
}

fn died() -> RecordingError {
    RecordingError { path: "the recording".to_owned(), kept: Kept::default(), source: io::Error::other("its thread died") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_of_other_recorders() {
        for (text, micros) in [("1795186850", 1_795_186_850_000_000), ("1795186850.25", 1_795_186_850_250_000), ("1.1234567", 1_123_456)] {
            assert_eq!(epoch(text), Some(Timestamp::from_micros(micros)), "{text}");
        }
        for text in ["", "x", "-1", "1.x", "1e9", "99999999999999999999"] {
            assert_eq!(epoch(text), None, "{text}");
        }
    }
}
