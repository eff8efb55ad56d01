//! The language of the Kraken socket, version 2.

use std::time::Duration;

use serde::Serialize;

use crate::market::Timestamp;
use crate::provider::kraken::decode::decode;
use crate::provider::protocol::{DecodeError, Promise, Protocol, StreamItem};

/// What is asked for, whether what is so now is told at once, and how many minutes a candle covers: the day's figures with the best bid and
/// ask, every trade, and the candles of a minute. Heartbeats come of themselves.
const CHANNELS: [(&str, bool, Option<u32>); 3] = [("ticker", true, None), ("trade", true, None), ("ohlc", false, Some(1))];

/// How many pairs one frame names: each frame counts towards a limit that the vendor moves.
const PAIRS: usize = 100;

/// The public market-data socket.
pub struct Feed {
    pub url: String,
}

/// "Ticker", "Trades" and "Candles (OHLC)", WebSocket API v2, <https://docs.kraken.com>.
#[derive(Serialize)]
struct Request<'a> {
    method: &'static str,
    params: Params<'a>,
}

#[derive(Serialize)]
struct Params<'a> {
    channel: &'static str,
    symbol: &'a [String],
    /// Its default differs from channel to channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    snapshot: Option<bool>,
    /// Of candles.
    #[serde(skip_serializing_if = "Option::is_none")]
    interval: Option<u32>,
}

impl Protocol for Feed {
    fn url(&self) -> String {
        self.url.clone()
    }

    fn subscribe(&self, spellings: &[String]) -> Vec<String> {
        frames("subscribe", spellings, Some)
    }

    fn unsubscribe(&self, spellings: &[String]) -> Vec<String> {
        frames("unsubscribe", spellings, |_| None)
    }

    /// A heartbeat comes each second in which nothing else does; ten missed ones are silence.
    fn promise(&self) -> Promise {
        Promise {
            frame: Duration::from_secs(10),
            data: Duration::from_secs(60),
            resubscribe: None,
            acknowledged_within: Some(Duration::from_secs(10)),
            lifetime: None,
        }
    }

    fn decode(&self, frame: &[u8], ts_recv: Timestamp) -> Result<Vec<StreamItem>, DecodeError> {
        decode(frame, ts_recv)
    }
}

/// One frame a channel, for many pairs: one that does not exist is refused alone.
fn frames(method: &'static str, spellings: &[String], asks: fn(bool) -> Option<bool>) -> Vec<String> {
    let frame = |(channel, snapshot, interval), symbol: &[String]| {
        let request = Request { method, params: Params { channel, symbol, snapshot: asks(snapshot), interval } };
        serde_json::to_string(&request).expect("text in a struct is always JSON")
    };
    CHANNELS.into_iter().flat_map(|channel| spellings.chunks(PAIRS).map(move |pairs| frame(channel, pairs))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed() -> Feed {
        Feed { url: String::new() }
    }

    #[test]
    fn pairs_share_a_frame() {
        let pairs = ["BTC/USD".to_owned(), "ETH/USD".to_owned()];
        let subscribe = [
            r#"{"method":"subscribe","params":{"channel":"ticker","symbol":["BTC/USD","ETH/USD"],"snapshot":true}}"#,
            r#"{"method":"subscribe","params":{"channel":"trade","symbol":["BTC/USD","ETH/USD"],"snapshot":true}}"#,
            r#"{"method":"subscribe","params":{"channel":"ohlc","symbol":["BTC/USD","ETH/USD"],"snapshot":false,"interval":1}}"#,
        ];
        let unsubscribe = [
            r#"{"method":"unsubscribe","params":{"channel":"ticker","symbol":["ETH/USD"]}}"#,
            r#"{"method":"unsubscribe","params":{"channel":"trade","symbol":["ETH/USD"]}}"#,
            r#"{"method":"unsubscribe","params":{"channel":"ohlc","symbol":["ETH/USD"],"interval":1}}"#,
        ];
        assert_eq!(feed().subscribe(&pairs), subscribe);
        assert_eq!(feed().unsubscribe(&pairs[1..]), unsubscribe);
    }

    #[test]
    fn a_long_list_is_cut() {
        let pairs: Vec<_> = (0..250).map(|number| format!("A{number}/USD")).collect();
        let frames = feed().subscribe(&pairs);
        assert_eq!(frames.len(), 9);
        assert!(pairs.iter().all(|pair| frames.iter().filter(|frame| frame.contains(&format!("\"{pair}\""))).count() == 3));
    }
}
