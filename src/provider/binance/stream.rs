//! The language of the Binance socket.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Serialize;

use crate::market::Timestamp;
use crate::provider::binance::decode::{STREAMS, decode};
use crate::provider::protocol::{DecodeError, Promise, Protocol, StreamItem};

/// Symbols of one frame: a full connection is asked for in three frames. Five a second, pings counted in, are the most that is suffered.
const BATCH: usize = 100;

/// A connection carries 1024 streams, and is closed by one more.
const MOST: usize = 1_024 / STREAMS.len();

/// The market-data socket, in its combined form.
pub struct Feed {
    url: String,
    /// How many requests were made: the number of the last one.
    asked: AtomicU64,
}

/// "Live Subscribing/Unsubscribing to streams", `web-socket-streams.md`, <https://github.com/binance/binance-spot-api-docs>.
#[derive(Serialize)]
struct Wish {
    method: &'static str,
    params: Vec<String>,
    id: u64,
}

impl Feed {
    #[must_use]
    pub fn new(url: String) -> Self {
        Self { url, asked: AtomicU64::new(0) }
    }

    fn frames(&self, method: &'static str, spellings: &[String]) -> Vec<String> {
        let frame = |batch: &[String]| {
            let params = batch.iter().flat_map(|spelling| streams(spelling)).collect();
            let wish = Wish { method, params, id: self.asked.fetch_add(1, Ordering::Relaxed) + 1 };
            serde_json::to_string(&wish).expect("texts and a number are always JSON")
        };
        spellings.chunks(BATCH).map(frame).collect()
    }
}

impl Protocol for Feed {
    fn url(&self) -> String {
        self.url.clone()
    }

    fn subscribe(&self, spellings: &[String]) -> Vec<String> {
        self.frames("SUBSCRIBE", spellings)
    }

    fn unsubscribe(&self, spellings: &[String]) -> Vec<String> {
        self.frames("UNSUBSCRIBE", spellings)
    }

    fn capacity(&self) -> usize {
        MOST
    }

    /// Health is any frame: the source's pings have come every 20 seconds and every 3 minutes, and ours are answered.
    fn promise(&self) -> Promise {
        Promise {
            frame: Duration::from_secs(60),
            data: Duration::from_secs(60),
            resubscribe: None,
            acknowledged_within: Some(Duration::from_secs(10)),
            lifetime: Some(Duration::from_secs(24 * 3_600)),
        }
    }

    fn decode(&self, frame: &[u8], ts_recv: Timestamp) -> Result<Vec<StreamItem>, DecodeError> {
        decode(frame, ts_recv)
    }
}

/// A name in capital letters is accepted, and nothing comes of it.
fn streams(spelling: &str) -> [String; 4] {
    let symbol = spelling.to_ascii_lowercase();
    STREAMS.map(|stream| format!("{symbol}{stream}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_names_streams_in_small_letters_and_has_a_number_of_its_own() {
        let feed = Feed::new(String::new());
        let frames = feed.subscribe(&["BTCUSDT".to_owned(), "1INCHUSDC".to_owned()]);
        let params = r#"["btcusdt@trade","btcusdt@ticker","btcusdt@bookTicker","btcusdt@kline_1m","1inchusdc@trade","1inchusdc@ticker","1inchusdc@bookTicker","1inchusdc@kline_1m"]"#;
        assert_eq!(frames, [format!(r#"{{"method":"SUBSCRIBE","params":{params},"id":1}}"#)]);
        let frames = feed.unsubscribe(&["BTCUSDT".to_owned()]);
        let params = r#"["btcusdt@trade","btcusdt@ticker","btcusdt@bookTicker","btcusdt@kline_1m"]"#;
        assert_eq!(frames, [format!(r#"{{"method":"UNSUBSCRIBE","params":{params},"id":2}}"#)]);
        assert!(feed.subscribe(&[]).is_empty());
    }

    #[test]
    fn a_full_connection_is_filled_in_few_frames() {
        let feed = Feed::new(String::new());
        let spellings: Vec<String> = (0..feed.capacity()).map(|n| format!("A{n}USDT")).collect();
        let frames = feed.subscribe(&spellings);
        assert_eq!(frames.len(), 3);
        let streams: usize = frames.iter().map(|frame| frame.matches('@').count()).sum();
        assert_eq!(streams, 256 * 4);
    }
}
