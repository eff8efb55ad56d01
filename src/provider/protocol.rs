//! The language of a socket: what is said to it, and what its frames mean.

use std::time::Duration;

use thiserror::Error;

use crate::market::{MarketEvent, Timestamp};
use crate::provider::contract::ProviderError;

/// The language of a socket. It does no I/O, and is asked in the order of one connection; the connection is somebody else's.
pub trait Protocol: Send + Sync {
    /// Where it is, with the key if it belongs there: it is never logged.
    fn url(&self) -> String;

    /// Headers beyond those of the handshake.
    fn headers(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    /// How one is let in.
    fn login(&self) -> Login {
        Login::None
    }

    /// Frames that ask for these symbols.
    fn subscribe(&self, spellings: &[String]) -> Vec<String>;

    /// Frames that give them back.
    fn unsubscribe(&self, spellings: &[String]) -> Vec<String>;

    /// How many symbols one connection carries; the rest is left to other sources.
    fn capacity(&self) -> usize {
        usize::MAX
    }

    /// Whether a key opens one connection only: a second one ends the first, or is refused.
    fn is_exclusive(&self) -> bool {
        false
    }

    /// What the source promises of its frames.
    fn promise(&self) -> Promise;

    /// One frame in our words.
    fn decode(&self, frame: &[u8], ts_recv: Timestamp) -> Result<Vec<StreamItem>, DecodeError>;

    /// What it means that the source hung up after so long, where that means more than a broken line.
    fn hung_up(&self, open_for: Duration, code: Option<u16>) -> Option<ProviderError> {
        let _ = (open_for, code);
        None
    }
}

/// How one is let in. After a frame of ours nothing is subscribed before [`StreamItem::Admitted`].
#[derive(Clone, PartialEq, Eq)]
pub enum Login {
    /// Nothing is said: the key is in the URL or in a header, or there is none.
    None,
    /// This frame, as soon as the socket stands.
    AtOnce(String),
    /// This frame, after [`StreamItem::Greeted`].
    OnceGreeted(String),
}

/// What a socket promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Promise {
    /// Longest time without any frame, heartbeat and pong included.
    pub frame: Duration,
    /// Longest time without data while a subscribed venue trades.
    pub data: Duration,
    /// How often the subscription is sent again to keep it.
    pub resubscribe: Option<Duration>,
    /// How long after a subscription its first answer may take; `None` when there is none.
    pub acknowledged_within: Option<Duration>,
    /// How long the source keeps one connection: the next one is opened before, and the old one left when it stands.
    pub lifetime: Option<Duration>,
}

/// One thing in a frame.
#[derive(Clone, Debug, PartialEq)]
pub enum StreamItem {
    Event(MarketEvent),
    /// The source says that it is there.
    Greeted,
    /// The login was accepted.
    Admitted,
    /// The source confirmed a subscription.
    Subscribed,
    /// All that the source is subscribed to now, by its spelling: what is not among them was not taken.
    Confirmed(Vec<String>),
    /// The source refused something, in its words; the rest goes on.
    Refused(String),
    /// The source ends the connection, or it is of no use any more.
    Ended(ProviderError),
    /// The source announced that it goes away soon: another connection is opened, and this one left when that stands.
    Leaving(String),
}

/// A frame or body that is not what it should be.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{message}")]
pub struct DecodeError {
    pub message: String,
}

impl DecodeError {
    /// A mistake in words that are ours; what the source wrote stays out of it.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into() }
    }
}

/// What the messages of a frame come to. One that makes no sense does not cost the others, which may be hundreds; where all are so, the
/// first of them says why.
pub(crate) fn gather<I, T: IntoIterator<Item = I>>(found: impl IntoIterator<Item = Result<T, DecodeError>>) -> Result<Vec<I>, DecodeError> {
    let (mut items, mut wrong) = (Vec::new(), None);
    for one in found {
        match one {
            Ok(found) => items.extend(found),
            Err(error) => wrong = wrong.or(Some(error)),
        }
    }
    match wrong {
        Some(error) if items.is_empty() => Err(error),
        Some(_) | None => Ok(items),
    }
}
