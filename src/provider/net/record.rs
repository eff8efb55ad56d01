//! What arrived, as it arrived: kept for a recording, or given again from one.

use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, PoisonError};

use reqwest::StatusCode;
use serde::{Deserialize, Serialize};

use crate::market::Timestamp;
use crate::provider::net::http::Call;
use crate::provider::net::redact::Redact;

/// One thing that was sent or received, keys taken out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Ours, on receipt.
    pub at: Timestamp,
    pub source: String,
    /// Counts the connections of a source; 0 is HTTP.
    pub connection: u64,
    pub direction: Direction,
    #[serde(flatten)]
    pub said: Said,
}

/// Who said it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    In,
    Out,
}

/// What was said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Said {
    /// A frame of a socket that is text.
    Frame { text: String },
    /// A frame of a socket that is not, in base64.
    Binary { base64: String },
    /// These symbols were looked at; the bodies that answered come next.
    Look { spellings: Vec<String> },
    /// An answer over HTTP: `question` is the path and query without keys.
    Body { question: String, status: u16, text: String },
    /// The feed could not be heard between these instants; without the first one it was never heard before.
    Deaf {
        #[serde(default = "since_ever", skip_serializing_if = "is_since_ever")]
        from: Timestamp,
        to: Timestamp,
    },
}

fn since_ever() -> Timestamp {
    Timestamp::MIN
}

fn is_since_ever(from: &Timestamp) -> bool {
    *from == Timestamp::MIN
}

/// Keeps what arrives, where somebody wants it; nobody ever waits for it.
#[derive(Clone, Debug, Default)]
pub struct Recorder {
    to: Option<To>,
    tape: Option<Taped>,
}

#[derive(Clone, Debug)]
struct To {
    source: &'static str,
    records: SyncSender<Record>,
    redact: Redact,
    lost: Lost,
}

/// What found no room on its way into a recording. Clones are the same one.
#[derive(Clone, Debug, Default)]
pub struct Lost(Arc<Mutex<Option<LostStretch>>>);

/// How many records were lost, and between which instants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LostStretch {
    pub count: u64,
    pub from: Timestamp,
    pub to: Timestamp,
}

/// The answers of a recording to one look, given instead of asking. Clones are the same one.
#[derive(Clone, Debug, Default)]
pub struct Taped(Arc<Mutex<Vec<Answered>>>);

#[derive(Clone, Debug)]
struct Answered {
    question: String,
    status: u16,
    text: String,
}

impl Recorder {
    /// Keeps what arrives from `source`; what finds no room is counted in `lost`.
    #[must_use]
    pub fn to(source: &'static str, records: SyncSender<Record>, redact: Redact, lost: Lost) -> Self {
        Self { to: Some(To { source, records, redact, lost }), tape: None }
    }

    /// Gives answers from a recording.
    #[must_use]
    pub fn from_tape(tape: Taped) -> Self {
        Self { to: None, tape: Some(tape) }
    }

    /// Keeps that nothing could be heard between these instants.
    pub fn deaf(&self, from: Timestamp, to: Timestamp, at: Timestamp) {
        if let Some(keeper) = &self.to {
            keeper.keep(0, Direction::In, Said::Deaf { from, to }, at);
        }
    }

    pub(crate) fn frame(&self, connection: u64, direction: Direction, frame: &[u8], at: Timestamp) {
        let Some(to) = &self.to else { return };
        to.keep(connection, direction, to.frame(frame), at);
    }

    pub(crate) fn look(&self, spellings: &[String], at: Timestamp) {
        let Some(to) = &self.to else { return };
        to.keep(0, Direction::Out, Said::Look { spellings: spellings.to_vec() }, at);
    }

    pub(crate) fn body(&self, call: &Call, body: &[u8], status: u16, at: Timestamp) {
        let Some(to) = &self.to else { return };
        let text = to.redact.hide(&String::from_utf8_lossy(body)).into_owned();
        let question = to.redact.hide(&question(call)).into_owned();
        to.keep(0, Direction::In, Said::Body { question, status, text }, at);
    }

    /// The recorded answer to a call; `None` when there is no tape. A question that has no answer is one to a source that is not there.
    pub(crate) fn taped(&self, call: &Call) -> Option<(StatusCode, Vec<u8>)> {
        let answer = self.tape.as_ref()?.answer(&question(call));
        let (status, text) = answer.unwrap_or((StatusCode::SERVICE_UNAVAILABLE, String::new()));
        Some((status, text.into_bytes()))
    }
}

impl To {
    /// Bytes that are no text are kept as they are, unless a key is among them.
    fn frame(&self, frame: &[u8]) -> Said {
        let text = String::from_utf8_lossy(frame);
        let hidden = self.redact.hide(&text);
        if std::str::from_utf8(frame).is_err() && hidden == text {
            return Said::Binary { base64: base64::Engine::encode(&base64::engine::general_purpose::STANDARD, frame) };
        }
        Said::Frame { text: hidden.into_owned() }
    }

    fn keep(&self, connection: u64, direction: Direction, said: Said, at: Timestamp) {
        let record = Record { at, source: self.source.to_owned(), connection, direction, said };
        if self.records.try_send(record).is_err() {
            self.lost.add(at);
        }
    }
}

impl Lost {
    /// Counts one more.
    pub fn add(&self, at: Timestamp) {
        let mut stretch = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *stretch = Some(match *stretch {
            Some(LostStretch { count, from, to }) => LostStretch { count: count + 1, from: from.min(at), to: to.max(at) },
            None => LostStretch { count: 1, from: at, to: at },
        });
    }

    /// What was lost since the last call.
    #[must_use]
    pub fn take(&self) -> Option<LostStretch> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Taped {
    /// Lays an answer ready; a later one to the same question takes its place, as the one that a retry got did.
    pub fn lay(&self, question: &str, status: u16, text: &str) {
        let mut answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        answers.retain(|answer| answer.question != question);
        answers.push(Answered { question: question.to_owned(), status, text: text.to_owned() });
    }

    /// Takes all answers away: the next look has its own.
    pub fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// An instant in a question may be a moment off; then the only answer of the same path is the one.
    fn answer(&self, question: &str) -> Option<(StatusCode, String)> {
        let answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let path = |question: &str| question.split(' ').next().unwrap_or_default().to_owned();
        let same_path = || {
            let mut alike = answers.iter().filter(|answer| path(&answer.question) == path(question));
            alike.next().filter(|_| alike.next().is_none())
        };
        let found = answers.iter().find(|answer| answer.question == question).or_else(same_path)?;
        Some((StatusCode::from_u16(found.status).unwrap_or(StatusCode::BAD_GATEWAY), found.text.clone()))
    }
}

/// What was asked, without where: a recording can be made at one address and replayed at another. Keys are in no question, because
/// replays have none.
fn question(call: &Call) -> String {
    let path = reqwest::Url::parse(&call.url).map_or_else(|_| call.url.clone(), |url| url.path().to_owned());
    let secret = |name: &str| name.to_ascii_lowercase().contains("key") || name == "token" || name == "crumb";
    let query = call.query.iter().filter(|(name, _)| !secret(name)).map(|(name, value)| format!("{name}={value}"));
    std::iter::once(path).chain(query).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(symbol: &str) -> Call {
        let query = vec![("symbol", symbol.to_owned()), ("apikey", "a-secret-key".to_owned()), ("to", "100".to_owned())];
        Call { url: "https://example.com/v1/quote".to_owned(), query, ..Call::default() }
    }

    #[test]
    fn a_key_is_in_no_record() {
        let (records, kept) = std::sync::mpsc::sync_channel(8);
        let recorder = Recorder::to("sim", records, Redact::new(vec!["a-secret-key".into()]), Lost::default());
        let at = Timestamp::from_seconds(1);
        recorder.frame(1, Direction::Out, br#"{"auth":"a-secret-key"}"#, at);
        recorder.frame(1, Direction::In, b"\xffa-secret-key", at);
        recorder.frame(1, Direction::In, b"\xff\x00", at);
        recorder.body(&call("a-secret-key"), b"your key a-secret-key is wrong", 401, at);
        let kept: Vec<_> = kept.try_iter().collect();
        let text = serde_json::to_string(&kept).expect("records are JSON");
        assert!(!text.contains("a-secret-key"), "{text}");
        assert_eq!(kept[0].said, Said::Frame { text: r#"{"auth":"***"}"#.to_owned() });
        assert_eq!(kept[2].said, Said::Binary { base64: "/wA=".to_owned() });
        let back: Vec<Record> = serde_json::from_str(&text).expect("what was written is read");
        assert_eq!(back, kept);
    }

    #[test]
    fn what_finds_no_room_is_counted() {
        let (records, kept) = std::sync::mpsc::sync_channel(1);
        let lost = Lost::default();
        let recorder = Recorder::to("sim", records, Redact::default(), lost.clone());
        for second in 1..=4 {
            recorder.look(&[], Timestamp::from_seconds(second));
        }
        assert_eq!(kept.try_iter().count(), 1);
        assert_eq!(lost.take(), Some(LostStretch { count: 3, from: Timestamp::from_seconds(2), to: Timestamp::from_seconds(4) }));
        assert_eq!(lost.take(), None);
    }

    #[test]
    fn a_tape_answers_what_was_asked() {
        let tape = Taped::default();
        let recorder = Recorder::from_tape(tape.clone());
        assert_eq!(recorder.taped(&call("A")), Some((StatusCode::SERVICE_UNAVAILABLE, Vec::new())));
        tape.lay("/v1/quote symbol=A to=101", 429, "");
        tape.lay("/v1/quote symbol=A to=101", 200, "1");
        assert_eq!(recorder.taped(&call("A")), Some((StatusCode::OK, b"1".to_vec())), "a moment off");
        tape.lay("/v1/quote symbol=B to=100", 200, "2");
        assert_eq!(recorder.taped(&call("B")), Some((StatusCode::OK, b"2".to_vec())));
        assert_eq!(recorder.taped(&call("C")), Some((StatusCode::SERVICE_UNAVAILABLE, Vec::new())), "which of two is not known");
        tape.clear();
        assert_eq!(recorder.taped(&call("B")), Some((StatusCode::SERVICE_UNAVAILABLE, Vec::new())));
        assert_eq!(Recorder::default().taped(&call("A")), None);
    }
}
