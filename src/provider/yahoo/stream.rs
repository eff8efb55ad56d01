//! The language of the Yahoo streamer.

use std::time::Duration;

use serde::Serialize;

use crate::market::Timestamp;
use crate::provider::protocol::{DecodeError, Promise, Protocol, StreamItem};
use crate::provider::yahoo::decode::decode;

/// Where a browser would come from: the streamer wants to know.
const ORIGIN: &str = "https://finance.yahoo.com";

/// The streamer of last prices.
pub struct Feed {
    pub url: String,
    pub user_agent: String,
}

/// What is sent to the streamer; the vendor documents it nowhere.
#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Wish<'a> {
    Subscribe(&'a [String]),
    Unsubscribe(&'a [String]),
}

impl Protocol for Feed {
    fn url(&self) -> String {
        self.url.clone()
    }

    fn headers(&self) -> Vec<(&'static str, String)> {
        vec![("Origin", ORIGIN.to_owned()), ("User-Agent", self.user_agent.clone())]
    }

    fn subscribe(&self, spellings: &[String]) -> Vec<String> {
        if spellings.is_empty() { Vec::new() } else { vec![frame(&Wish::Subscribe(spellings))] }
    }

    fn unsubscribe(&self, spellings: &[String]) -> Vec<String> {
        if spellings.is_empty() { Vec::new() } else { vec![frame(&Wish::Unsubscribe(spellings))] }
    }

    /// There is no heartbeat and no answer to a subscription: while markets are closed only pongs come. A feed whose list is not
    /// sent again falls quiet.
    fn promise(&self) -> Promise {
        Promise {
            frame: Duration::from_secs(60),
            data: Duration::from_secs(60),
            resubscribe: Some(Duration::from_secs(15)),
            acknowledged_within: None,
            lifetime: None,
        }
    }

    fn decode(&self, frame: &[u8], ts_recv: Timestamp) -> Result<Vec<StreamItem>, DecodeError> {
        decode(frame, ts_recv)
    }
}

fn frame(wish: &Wish<'_>) -> String {
    serde_json::to_string(wish).expect("a list of texts is always JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_list_is_one_frame() {
        let feed = Feed { url: String::new(), user_agent: String::new() };
        let list = ["AAPL".to_owned(), "BTC-USD".to_owned()];
        assert_eq!(feed.subscribe(&list), [r#"{"subscribe":["AAPL","BTC-USD"]}"#]);
        assert_eq!(feed.unsubscribe(&list[..1]), [r#"{"unsubscribe":["AAPL"]}"#]);
        assert!(feed.subscribe(&[]).is_empty());
    }
}
