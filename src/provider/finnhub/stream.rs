//! The language of the Finnhub socket.

use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use crate::market::Timestamp;
use crate::provider::contract::ProviderError;
use crate::provider::finnhub::decode::decode;
use crate::provider::protocol::{DecodeError, Promise, Protocol, StreamItem};

/// A connection that is closed so soon was thrown out.
const THROWN_OUT: Duration = Duration::from_secs(5);
/// How long the connection is left to whoever else has it: two that take it from each other in turns are both deaf.
const LEFT_ALONE: Duration = Duration::from_secs(120);

/// The socket of last prices.
pub struct Feed {
    pub url: String,
    pub key: SecretString,
    /// How many symbols the key may subscribe.
    pub most: usize,
}

/// "Trades - Last Price Updates", <https://finnhub.io/docs/api>: one symbol a message, and no answer.
#[derive(Serialize)]
struct Request<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    symbol: &'a str,
}

impl Protocol for Feed {
    fn url(&self) -> String {
        let token = utf8_percent_encode(self.key.expose_secret(), NON_ALPHANUMERIC).to_string();
        let Ok(mut url) = Url::parse(&self.url) else { return self.url.clone() };
        let query = match url.query() {
            Some(query) if !query.is_empty() => format!("{query}&token={token}"),
            Some(_) | None => format!("token={token}"),
        };
        url.set_query(Some(&query));
        url.to_string()
    }

    fn subscribe(&self, spellings: &[String]) -> Vec<String> {
        frames("subscribe", spellings)
    }

    fn unsubscribe(&self, spellings: &[String]) -> Vec<String> {
        frames("unsubscribe", spellings)
    }

    fn capacity(&self) -> usize {
        self.most
    }

    fn is_exclusive(&self) -> bool {
        true
    }

    /// A ping comes about every minute, and is text; two and a half missed ones are silence, whatever the connection says. Pings prove
    /// the connection only. Data are promised generously: a list of a few names may have no trade on these venues for a minute, and each
    /// new connection is one that the key may be refused. The source closes after about three hours, but no second connection can be
    /// opened before: a key has one.
    fn promise(&self) -> Promise {
        Promise {
            frame: Duration::from_secs(150),
            data: Duration::from_secs(120),
            resubscribe: None,
            acknowledged_within: None,
            lifetime: None,
        }
    }

    fn decode(&self, frame: &[u8], ts_recv: Timestamp) -> Result<Vec<StreamItem>, DecodeError> {
        decode(frame, ts_recv)
    }

    /// Whether data came in these seconds does not matter: in a session they do before the other program throws this one out.
    fn hung_up(&self, open_for: Duration, _code: Option<u16>) -> Option<ProviderError> {
        let message = "finnhub hung up at once: another program may hold the one connection of this key".to_owned();
        (open_for <= THROWN_OUT).then_some(ProviderError::Retryable { message, after: Some(LEFT_ALONE) })
    }
}

fn frames(kind: &'static str, spellings: &[String]) -> Vec<String> {
    let frame = |symbol: &String| serde_json::to_string(&Request { kind, symbol }).expect("text in a struct is always JSON");
    spellings.iter().map(frame).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed(url: &str, key: &str) -> Feed {
        Feed { url: url.to_owned(), key: key.into(), most: 50 }
    }

    #[test]
    fn a_message_names_one_symbol() {
        let symbols = ["AAPL".to_owned(), "OANDA:EUR_USD".to_owned()];
        let frames = [r#"{"type":"subscribe","symbol":"AAPL"}"#, r#"{"type":"subscribe","symbol":"OANDA:EUR_USD"}"#];
        assert_eq!(feed("", "k").subscribe(&symbols), frames);
        assert_eq!(feed("", "k").unsubscribe(&symbols[..1]), [r#"{"type":"unsubscribe","symbol":"AAPL"}"#]);
        assert_eq!(feed("", "k").capacity(), 50);
    }

    #[test]
    fn the_key_is_in_the_url_and_changes_nothing_else_of_it() {
        let table = [
            ("wss://ws.finnhub.io", "abc1", "wss://ws.finnhub.io/?token=abc1"),
            ("wss://ws.finnhub.io/", "a&b=c/d e", "wss://ws.finnhub.io/?token=a%26b%3Dc%2Fd%20e"),
            ("ws://127.0.0.1:8080/?version=2", "a-1", "ws://127.0.0.1:8080/?version=2&token=a%2D1"),
        ];
        for (url, key, expected) in table {
            assert_eq!(feed(url, key).url(), expected);
        }
    }

    #[test]
    fn who_is_thrown_out_leaves_the_connection_alone() {
        let feed = feed("", "k");
        let Some(error) = feed.hung_up(Duration::from_millis(300), Some(1006)) else { panic!("no word of the key") };
        assert_eq!(error.after(Timestamp::from_seconds(0)), Some(LEFT_ALONE));
        assert!(error.is_retryable() && error.to_string().contains("another program"), "{error}");
        assert_eq!(feed.hung_up(Duration::from_secs(3 * 3_600), None), None);
    }
}
