//! The language of the Financial Modeling Prep socket.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use crate::market::{EventKind, Timestamp};
use crate::provider::fmp::decode::decode;
use crate::provider::protocol::{DecodeError, Login, Promise, Protocol, StreamItem};

/// Symbols of one frame.
const BATCH: usize = 100;

/// Hosts of the generation before, which are reached only when the config names them.
const OLD_HOSTS: [&str; 3] =
    ["websockets.financialmodelingprep.com", "crypto.financialmodelingprep.com", "forex.financialmodelingprep.com"];

/// The socket of last prices.
///
/// Two forms of a subscription are described, and which of them is understood is not sure. The first connection uses one; when it
/// ends without an answer to its subscription, the next one uses the other, until one of them was answered: that one is kept.
pub struct Feed {
    url: String,
    key: SecretString,
    old: bool,
    /// How many connections ended without an answer: odd ones use the second form.
    turns: AtomicUsize,
    /// Whether a subscription was sent that nothing has answered yet.
    waiting: AtomicBool,
    /// Whether the form was understood once.
    proven: AtomicBool,
}

/// "Websockets", <https://site.financialmodelingprep.com/developer/docs>.
#[derive(Serialize)]
struct Flat<T> {
    event: &'static str,
    #[serde(flatten)]
    what: T,
}

#[derive(Serialize)]
struct Nested<T> {
    event: &'static str,
    data: T,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Key<'a> {
    api_key: &'a str,
}

#[derive(Serialize)]
struct Tickers<'a> {
    tickers: &'a [String],
}

#[derive(Serialize)]
struct Ticker<T> {
    ticker: T,
}

/// How a subscription is written.
#[derive(Clone, Copy)]
enum Form {
    /// The symbols beside the event.
    Flat,
    /// The symbols in `data`, as the login has its key.
    Nested,
    /// That of the generation before, in small letters.
    Old,
}

impl Feed {
    #[must_use]
    pub fn new(url: String, key: SecretString) -> Self {
        let old = OLD_HOSTS.iter().any(|host| url.contains(host));
        Self { url, key, old, turns: AtomicUsize::new(0), waiting: AtomicBool::new(false), proven: AtomicBool::new(false) }
    }

    fn form(&self) -> Form {
        match self.turns.load(Ordering::Relaxed) % 2 {
            _ if self.old => Form::Old,
            0 => Form::Flat,
            _ => Form::Nested,
        }
    }

    fn is_proven(&self) -> bool {
        self.proven.load(Ordering::Relaxed)
    }
}

impl Protocol for Feed {
    fn url(&self) -> String {
        self.url.clone()
    }

    /// It is asked for once a connection: what the one before was not answered shows here.
    fn login(&self) -> Login {
        if self.waiting.swap(false, Ordering::Relaxed) && !self.is_proven() {
            self.turns.fetch_add(1, Ordering::Relaxed);
        }
        Login::AtOnce(json(&Nested { event: "login", data: Key { api_key: self.key.expose_secret() } }))
    }

    fn subscribe(&self, spellings: &[String]) -> Vec<String> {
        if !spellings.is_empty() {
            self.waiting.store(true, Ordering::Relaxed);
        }
        let form = self.form();
        spellings.chunks(BATCH).map(|tickers| subscription(form, tickers)).collect()
    }

    fn unsubscribe(&self, spellings: &[String]) -> Vec<String> {
        let form = self.form();
        spellings.iter().map(|ticker| farewell(form, ticker)).collect()
    }

    fn is_exclusive(&self) -> bool {
        true
    }

    /// A heartbeat comes about every 30 seconds.
    fn promise(&self) -> Promise {
        Promise {
            frame: Duration::from_secs(90),
            data: Duration::from_secs(120),
            resubscribe: None,
            acknowledged_within: Some(Duration::from_secs(10)),
            lifetime: None,
        }
    }

    fn decode(&self, frame: &[u8], ts_recv: Timestamp) -> Result<Vec<StreamItem>, DecodeError> {
        let mut items = decode(frame, ts_recv)?;
        if items.iter().any(|item| *item == StreamItem::Subscribed || is_data(item)) {
            self.waiting.store(false, Ordering::Relaxed);
            self.proven.store(true, Ordering::Relaxed);
        }
        // A heartbeat comes to whoever is let in: it must not pass for an answer to a subscription that was not understood.
        if self.waiting.load(Ordering::Relaxed) && !self.is_proven() {
            items.retain(|item| !matches!(item, StreamItem::Event(_)) || is_data(item));
        }
        Ok(items)
    }
}

fn is_data(item: &StreamItem) -> bool {
    matches!(item, StreamItem::Event(event) if !matches!(event.kind, EventKind::Heartbeat { .. }))
}

fn subscription(form: Form, tickers: &[String]) -> String {
    let event = "subscribe";
    match form {
        Form::Flat => json(&Flat { event, what: Tickers { tickers } }),
        Form::Nested => json(&Nested { event, data: Tickers { tickers } }),
        Form::Old => {
            let ticker: Vec<_> = tickers.iter().map(|ticker| ticker.to_ascii_lowercase()).collect();
            json(&Nested { event, data: Ticker { ticker } })
        }
    }
}

fn farewell(form: Form, ticker: &str) -> String {
    let event = "unsubscribe";
    match form {
        Form::Flat => json(&Flat { event, what: Ticker { ticker } }),
        Form::Nested => json(&Nested { event, data: Ticker { ticker } }),
        Form::Old => json(&Nested { event, data: Ticker { ticker: [ticker.to_ascii_lowercase()] } }),
    }
}

fn json<T: Serialize>(frame: &T) -> String {
    serde_json::to_string(frame).expect("texts in a struct are always JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACKNOWLEDGED: &[u8] = br#"{"event":"subscribe","data":{"status":200,"message":"Subscribed"}}"#;
    const BEAT: &[u8] = br#"{"event":"heartbeat","timestamp":1795186860002}"#;

    fn feed(url: &str) -> Feed {
        Feed::new(url.to_owned(), "fmp-test-key".into())
    }

    fn hear(feed: &Feed, frame: &[u8]) -> usize {
        feed.decode(frame, Timestamp::from_seconds(1_795_186_860)).expect("a frame").len()
    }

    fn admitted(feed: &Feed) -> String {
        let Login::AtOnce(frame) = feed.login() else { panic!("it logs in at once") };
        frame
    }

    #[test]
    fn the_key_is_sent_first() {
        assert_eq!(admitted(&feed("")), r#"{"event":"login","data":{"apiKey":"fmp-test-key"}}"#);
    }

    #[test]
    fn a_form_that_is_not_understood_gives_way_to_the_other() {
        let (feed, wanted) = (feed("wss://socket.financialmodelingprep.com"), ["AAPL".to_owned(), "^GSPC".to_owned()]);
        let (flat, nested) =
            (r#"{"event":"subscribe","tickers":["AAPL","^GSPC"]}"#, r#"{"event":"subscribe","data":{"tickers":["AAPL","^GSPC"]}}"#);
        for form in [flat, nested, flat, nested] {
            admitted(&feed);
            assert_eq!(feed.subscribe(&wanted), [form]);
            assert_eq!(hear(&feed, BEAT), 0, "a heartbeat is no answer");
        }
        assert_eq!(hear(&feed, ACKNOWLEDGED), 1);
        assert_eq!(hear(&feed, BEAT), 1);
        for _ in 0..3 {
            admitted(&feed);
            assert_eq!(feed.subscribe(&wanted), [nested], "what was understood is kept");
        }
        assert_eq!(feed.unsubscribe(&wanted[..1]), [r#"{"event":"unsubscribe","data":{"ticker":"AAPL"}}"#]);
    }

    #[test]
    fn a_login_that_fails_says_nothing_of_the_form() {
        let feed = feed("");
        for _ in 0..3 {
            admitted(&feed);
        }
        assert_eq!(feed.subscribe(&["AAPL".to_owned()]), [r#"{"event":"subscribe","tickers":["AAPL"]}"#]);
        assert_eq!(feed.unsubscribe(&["AAPL".to_owned()]), [r#"{"event":"unsubscribe","ticker":"AAPL"}"#]);
    }

    #[test]
    fn the_hosts_of_before_have_a_form_of_their_own() {
        let feed = feed("wss://websockets.financialmodelingprep.com");
        let wanted = ["AAPL".to_owned(), "MSFT".to_owned()];
        assert_eq!(feed.subscribe(&wanted), [r#"{"event":"subscribe","data":{"ticker":["aapl","msft"]}}"#]);
        assert_eq!(feed.unsubscribe(&wanted[..1]), [r#"{"event":"unsubscribe","data":{"ticker":["aapl"]}}"#]);
    }

    #[test]
    fn a_long_list_is_cut() {
        let wanted: Vec<_> = (0..250).map(|number| format!("A{number}")).collect();
        assert_eq!(feed("").subscribe(&wanted).len(), 3);
        assert!(feed("").subscribe(&[]).is_empty());
    }
}
