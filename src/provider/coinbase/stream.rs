//! The language of the Coinbase socket.

use std::time::Duration;

use serde::Serialize;

use crate::market::Timestamp;
use crate::provider::coinbase::decode::decode;
use crate::provider::protocol::{DecodeError, Promise, Protocol, StreamItem};

/// What is asked for: trades, the day's figures with the best bid and ask, and a sign of life each second.
const CHANNELS: [&str; 3] = ["ticker", "matches", "heartbeat"];

/// The public market-data socket.
pub struct Feed {
    pub url: String,
}

/// "Exchange WebSocket Overview: subscribe", <https://docs.cdp.coinbase.com>.
#[derive(Serialize)]
struct Subscription<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    product_ids: [&'a str; 1],
    channels: [&'static str; 3],
}

impl Protocol for Feed {
    fn url(&self) -> String {
        self.url.clone()
    }

    fn subscribe(&self, spellings: &[String]) -> Vec<String> {
        frames("subscribe", spellings)
    }

    fn unsubscribe(&self, spellings: &[String]) -> Vec<String> {
        frames("unsubscribe", spellings)
    }

    /// A heartbeat comes each second for each product; ten missed ones are silence.
    fn promise(&self) -> Promise {
        Promise {
            frame: Duration::from_secs(10),
            data: Duration::from_secs(60),
            resubscribe: None,
            acknowledged_within: Some(Duration::from_secs(5)),
            lifetime: None,
        }
    }

    fn decode(&self, frame: &[u8], ts_recv: Timestamp) -> Result<Vec<StreamItem>, DecodeError> {
        decode(frame, ts_recv)
    }
}

/// One frame a product: a product that does not exist refuses its whole frame, and would take the others with it.
fn frames(kind: &'static str, spellings: &[String]) -> Vec<String> {
    let frame = |spelling: &String| {
        let subscription = Subscription { kind, product_ids: [spelling], channels: CHANNELS };
        serde_json::to_string(&subscription).expect("text in a struct is always JSON")
    };
    spellings.iter().map(frame).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_product_cannot_spoil_the_others() {
        let feed = Feed { url: String::new() };
        let frames = feed.subscribe(&["BTC-USD".to_owned(), "NO-USD".to_owned()]);
        let expected = |id| format!(r#"{{"type":"subscribe","product_ids":["{id}"],"channels":["ticker","matches","heartbeat"]}}"#);
        assert_eq!(frames, [expected("BTC-USD"), expected("NO-USD")]);
    }
}
