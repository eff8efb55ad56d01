//! The network, one for all sources: limits, retries, timeouts, sockets that come back.

mod feed;
mod http;
mod limit;
mod poll;
mod socket;
mod tls;

use crate::host::Clock;

pub use feed::{Feed, FeedMessage, Subscription};
pub use http::{Call, Http, HttpOptions};
pub use limit::Limiter;
pub use poll::{Poll, PollReport};
pub use socket::{Connect, Io, Socket, Sockets};
pub use tls::install_crypto;

/// What a provider reaches the world with.
#[derive(Clone, Debug)]
pub struct Net {
    pub http: Http,
    pub sockets: Sockets,
    pub clock: Clock,
}
