//! The network, one for all sources: limits, retries, timeouts, sockets that come back.

mod establish;
mod feed;
mod headers;
mod http;
mod limit;
mod message;
mod poll;
mod record;
mod recording;
mod redact;
mod socket;
mod tally;
mod tls;

use std::sync::Arc;

use crate::host::Clock;
use crate::provider::protocol::Protocol;

pub(crate) use establish::Means;

pub use feed::Feed;
pub use headers::standard_headers;
pub use http::{Body, Call, Http, HttpOptions};
pub use limit::{Limiter, Limits};
pub use message::{FeedMessage, Subscription};
pub use poll::{Poll, PollReport};
pub use record::{Direction, Lost, LostStretch, Record, Recorder, Said, Taped};
pub use recording::{Entry, Kept, Note, Problem, Reader, Recording, RecordingError};
pub use redact::Redact;
pub use socket::{Connect, Io, Socket, Sockets};
pub use tally::next_day;
pub use tls::install_crypto;

/// What a provider reaches the world with.
#[derive(Clone, Debug)]
pub struct Net {
    pub http: Http,
    pub sockets: Sockets,
    pub clock: Clock,
}

impl Net {
    /// What connections are made with that speak `protocol`.
    pub(crate) fn means(&self, protocol: Arc<dyn Protocol>) -> Means {
        let (recorder, redact) = (self.http.recorder().clone(), self.http.redact().clone());
        Means { protocol, sockets: self.sockets.clone(), clock: self.clock.clone(), recorder, redact }
    }
}
