//! How to speak with the made-up exchange.

use std::time::Duration;

use crate::market::Timestamp;
use crate::provider::protocol::{DecodeError, Promise, Protocol, StreamItem};
use crate::provider::sim::decode::decode;
use crate::provider::sim::wire::Asked;

/// The language of its socket.
#[derive(Debug)]
pub(crate) struct SimProtocol {
    pub(crate) url: String,
}

impl Protocol for SimProtocol {
    fn url(&self) -> String {
        self.url.clone()
    }

    fn subscribe(&self, spellings: &[String]) -> Vec<String> {
        vec![text(&Asked::Subscribe { symbols: spellings.to_vec() })]
    }

    fn unsubscribe(&self, spellings: &[String]) -> Vec<String> {
        vec![text(&Asked::Unsubscribe { symbols: spellings.to_vec() })]
    }

    fn promise(&self) -> Promise {
        let (frame, data) = (Duration::from_secs(5), Duration::from_secs(8));
        Promise { frame, data, resubscribe: None, acknowledged_within: None, lifetime: None }
    }

    fn decode(&self, frame: &[u8], ts_recv: Timestamp) -> Result<Vec<StreamItem>, DecodeError> {
        decode(frame, ts_recv)
    }
}

/// A question as text.
pub(crate) fn text(asked: &Asked) -> String {
    serde_json::to_string(asked).expect("a question has only texts and numbers")
}
