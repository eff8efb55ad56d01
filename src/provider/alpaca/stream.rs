//! The language of the Alpaca socket, version 2.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use crate::market::Timestamp;
use crate::provider::alpaca::choice::{Channel, Choice, DataFeed};
use crate::provider::alpaca::decode::decode;
use crate::provider::protocol::{DecodeError, Login, Promise, Protocol, StreamItem};

/// How long a frame of symbols may be: the vendor's own client cuts at 32768 bytes.
const FRAME: usize = 30_000;

/// The market-data socket of one feed.
pub struct Feed {
    url: String,
    key_id: SecretString,
    secret_key: SecretString,
    choice: Choice,
    /// Frames of ours on this connection that were not answered yet.
    unanswered: AtomicUsize,
}

/// "Authentication", "WebSocket Stream", <https://docs.alpaca.markets>.
#[derive(Serialize)]
struct Authentication<'a> {
    action: &'static str,
    key: &'a str,
    secret: &'a str,
}

/// "Subscription", "WebSocket Stream", <https://docs.alpaca.markets>.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    action: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    trades: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    quotes: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bars: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    updated_bars: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    daily_bars: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    statuses: Option<&'a [String]>,
}

impl Feed {
    /// The socket of the chosen feed, whose name is the last part of the path; `keys` are the id and the secret of the pair.
    #[must_use]
    pub fn new(stream_url: &str, keys: (SecretString, SecretString), choice: Choice) -> Self {
        let (path, query) = stream_url.split_once('?').map_or((stream_url, String::new()), |(path, query)| (path, format!("?{query}")));
        let url = format!("{}/{}{query}", path.trim_end_matches('/'), choice.feed.name());
        let (key_id, secret_key) = keys;
        Self { url, key_id, secret_key, choice, unanswered: AtomicUsize::new(0) }
    }

    fn frames(&self, action: &'static str, spellings: &[String]) -> Vec<String> {
        let frames: Vec<_> = cut(spellings, FRAME / self.choice.channels.len().max(1)).map(|part| self.frame(action, part)).collect();
        self.unanswered.fetch_add(frames.len(), Ordering::Relaxed);
        frames
    }

    fn frame(&self, action: &'static str, spellings: &[String]) -> String {
        let of = |channel: Channel| self.choice.channels.contains(&channel).then_some(spellings);
        let request = Request {
            action,
            trades: of(Channel::Trades),
            quotes: of(Channel::Quotes),
            bars: of(Channel::Bars),
            updated_bars: of(Channel::UpdatedBars),
            daily_bars: of(Channel::DailyBars),
            statuses: of(Channel::Statuses),
        };
        serde_json::to_string(&request).expect("text in a struct is always JSON")
    }

    /// An answer lists all that was subscribed at its moment: it proves nothing while a later frame of ours has no answer yet.
    fn settle(&self, item: StreamItem) -> StreamItem {
        match item {
            StreamItem::Greeted => {
                self.unanswered.store(0, Ordering::Relaxed);
                StreamItem::Greeted
            }
            StreamItem::Confirmed(taken) => {
                if self.answered() == 0 {
                    StreamItem::Confirmed(taken)
                } else {
                    StreamItem::Subscribed
                }
            }
            StreamItem::Refused(words) => {
                self.answered();
                StreamItem::Refused(words)
            }
            item @ (StreamItem::Event(_)
            | StreamItem::Admitted
            | StreamItem::Subscribed
            | StreamItem::Ended(_)
            | StreamItem::Leaving(_)) => item,
        }
    }

    /// One frame was answered; how many were not.
    fn answered(&self) -> usize {
        let left = self.unanswered.load(Ordering::Relaxed).saturating_sub(1);
        self.unanswered.store(left, Ordering::Relaxed);
        left
    }
}

impl Protocol for Feed {
    fn url(&self) -> String {
        self.url.clone()
    }

    fn login(&self) -> Login {
        let (key, secret) = (self.key_id.expose_secret(), self.secret_key.expose_secret());
        let frame = serde_json::to_string(&Authentication { action: "auth", key, secret });
        Login::OnceGreeted(frame.expect("text in a struct is always JSON"))
    }

    fn subscribe(&self, spellings: &[String]) -> Vec<String> {
        self.frames("subscribe", spellings)
    }

    fn unsubscribe(&self, spellings: &[String]) -> Vec<String> {
        self.frames("unsubscribe", spellings)
    }

    fn capacity(&self) -> usize {
        match self.choice.symbols_most {
            0 => usize::MAX,
            most => usize::try_from(most).unwrap_or(usize::MAX),
        }
    }

    fn is_exclusive(&self) -> bool {
        true
    }

    /// It has no heartbeat of its own; pings are answered. One venue is silent for minutes where all of them are not.
    fn promise(&self) -> Promise {
        let data = match self.choice.feed {
            DataFeed::Iex | DataFeed::Test => Duration::from_secs(300),
            DataFeed::Sip | DataFeed::DelayedSip => Duration::from_secs(120),
        };
        Promise {
            frame: Duration::from_secs(30),
            data,
            resubscribe: None,
            acknowledged_within: Some(Duration::from_secs(10)),
            lifetime: None,
        }
    }

    fn decode(&self, frame: &[u8], ts_recv: Timestamp) -> Result<Vec<StreamItem>, DecodeError> {
        let items = decode(frame, &self.choice.channels, ts_recv)?;
        Ok(items.into_iter().map(|item| self.settle(item)).collect())
    }
}

/// Parts of a list that take at most so many bytes in a frame, quotation marks and commas counted in.
fn cut(mut spellings: &[String], most: usize) -> impl Iterator<Item = &[String]> {
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fits = |spelling: &&String| {
            bytes += spelling.len() + 3;
            bytes <= most
        };
        let count = spellings.iter().take_while(fits).count().max(1);
        let (part, rest) = spellings.split_at_checked(count)?;
        spellings = rest;
        Some(part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed(channels: &[Channel]) -> Feed {
        let keys = ("test-id".into(), "test-secret".into());
        let choice = Choice { feed: DataFeed::DelayedSip, channels: channels.to_vec(), symbols_most: 0 };
        Feed::new("wss://host.invalid/v2/?x=1", keys, choice)
    }

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|number| format!("A{number:05}")).collect()
    }

    #[test]
    fn the_feed_is_the_last_part_of_the_path() {
        assert_eq!(feed(&[]).url(), "wss://host.invalid/v2/delayed_sip?x=1");
        assert_eq!(feed(&[]).capacity(), usize::MAX);
        let login = Login::OnceGreeted(r#"{"action":"auth","key":"test-id","secret":"test-secret"}"#.to_owned());
        assert!(feed(&[]).login() == login);
    }

    #[test]
    fn one_frame_asks_for_all_channels() {
        let frames = feed(&[Channel::Trades, Channel::Quotes, Channel::UpdatedBars]).subscribe(&["AAPL".to_owned(), "BRK.B".to_owned()]);
        let expected = r#"{"action":"subscribe","trades":["AAPL","BRK.B"],"quotes":["AAPL","BRK.B"],"updatedBars":["AAPL","BRK.B"]}"#;
        assert_eq!(frames, [expected]);
        let frames = feed(&[Channel::Trades]).unsubscribe(&["AAPL".to_owned()]);
        assert_eq!(frames, [r#"{"action":"unsubscribe","trades":["AAPL"]}"#]);
    }

    #[test]
    fn a_long_list_is_cut() {
        let symbols = names(10_000);
        let frames = feed(&[Channel::Trades, Channel::Quotes, Channel::Bars]).subscribe(&symbols);
        assert!(frames.len() > 8 && frames.iter().all(|frame| frame.len() < 32_768), "{}", frames.len());
        assert!(cut(&symbols, 10_000).flatten().eq(&symbols), "none is lost, and none is asked for twice");
        assert_eq!(cut(&symbols[..2], 1).count(), 2, "one that is too long goes alone");
        assert!(feed(&[Channel::Trades]).subscribe(&[]).is_empty());
    }

    #[test]
    fn an_answer_to_an_earlier_frame_proves_nothing() {
        let feed = feed(&[Channel::Trades]);
        let say = |frame: &str| feed.decode(frame.as_bytes(), Timestamp::from_seconds(0)).expect("a frame");
        let greeting = r#"[{"T":"success","msg":"connected"}]"#;
        let answer = r#"[{"T":"subscription","trades":["A"]}]"#;
        feed.subscribe(&["A".to_owned()]);
        feed.subscribe(&["B".to_owned()]);
        assert_eq!(say(answer), [StreamItem::Subscribed]);
        assert_eq!(say(answer), [StreamItem::Confirmed(vec!["A".to_owned()])]);
        assert_eq!(say(answer), [StreamItem::Confirmed(vec!["A".to_owned()])]);
        feed.subscribe(&["B".to_owned()]);
        feed.subscribe(&["C".to_owned()]);
        // What was asked on a connection that is gone is not answered any more.
        assert_eq!(say(greeting), [StreamItem::Greeted]);
        feed.subscribe(&["B".to_owned()]);
        assert_eq!(say(answer), [StreamItem::Confirmed(vec!["A".to_owned()])]);
    }
}
