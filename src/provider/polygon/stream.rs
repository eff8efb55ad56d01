//! The language of the Massive sockets.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use crate::market::Timestamp;
use crate::provider::contract::ProviderError;
use crate::provider::polygon::decode::{crowded, decode};
use crate::provider::polygon::spell::{Cluster, on_socket};
use crate::provider::protocol::{DecodeError, Login, Promise, Protocol, StreamItem};

/// How many symbols one frame names: no limit is documented, and long lists are to be cut.
const BATCH: usize = 100;

/// By how much the delayed hosts are late.
const DELAY: Duration = Duration::from_secs(900);

/// The code with which one connection too many is closed.
const POLICY: u16 = 1008;

/// One of the sockets.
pub struct Feed {
    url: String,
    api_key: SecretString,
    cluster: Cluster,
    channels: Vec<&'static str>,
    delayed: bool,
}

/// "WebSocket quickstart", <https://massive.com/docs/websocket/quickstart>.
#[derive(Serialize)]
struct Request<'a> {
    action: &'static str,
    params: &'a str,
}

impl Feed {
    /// Listens to one cluster; channels that it does not have are left out.
    #[must_use]
    pub fn new(stream_url: &str, api_key: SecretString, cluster: Cluster, wanted: &[String]) -> Self {
        let delayed = is_delayed(stream_url);
        let quotes = |channel: &&'static str| matches!(*channel, "Q" | "XQ" | "C");
        let channels = wanted.iter().filter_map(|name| channel(cluster, name)).filter(|name| !(delayed && quotes(name))).collect();
        Self { url: place(stream_url, cluster), api_key, cluster, channels, delayed }
    }

    fn frames(&self, action: &'static str, spellings: &[String]) -> Vec<String> {
        let own = spellings.iter().filter(|spelling| Cluster::of(spelling) == self.cluster);
        let own: Vec<String> = own.filter_map(|spelling| on_socket(spelling)).collect();
        let frame = |batch: &[String]| {
            let pairs: Vec<String> = batch.iter().flat_map(|name| self.channels.iter().map(move |kind| format!("{kind}.{name}"))).collect();
            said(action, &pairs.join(","))
        };
        if self.channels.is_empty() { Vec::new() } else { own.chunks(BATCH).map(frame).collect() }
    }
}

impl Protocol for Feed {
    fn url(&self) -> String {
        self.url.clone()
    }

    fn login(&self) -> Login {
        Login::OnceGreeted(said("auth", self.api_key.expose_secret()))
    }

    fn subscribe(&self, spellings: &[String]) -> Vec<String> {
        self.frames("subscribe", spellings)
    }

    fn unsubscribe(&self, spellings: &[String]) -> Vec<String> {
        self.frames("unsubscribe", spellings)
    }

    fn is_exclusive(&self) -> bool {
        true
    }

    /// Nights are silent: what proves the connection are pongs. No acknowledgement is waited for, because a channel that is not
    /// known has none.
    fn promise(&self) -> Promise {
        let data = match self.cluster {
            Cluster::Stocks | Cluster::Indices | Cluster::Forex | Cluster::Crypto => Duration::from_secs(120),
            Cluster::Options => Duration::from_secs(900),
        };
        Promise {
            frame: Duration::from_secs(75),
            // In the first minutes of a day a delayed feed has nothing to say yet.
            data: if self.delayed { data + DELAY } else { data },
            resubscribe: None,
            acknowledged_within: None,
            lifetime: None,
        }
    }

    fn decode(&self, frame: &[u8], ts_recv: Timestamp) -> Result<Vec<StreamItem>, DecodeError> {
        decode(frame, ts_recv)
    }

    /// The status before it may be lost with the connection.
    fn hung_up(&self, _open_for: Duration, code: Option<u16>) -> Option<ProviderError> {
        (code == Some(POLICY)).then(crowded)
    }
}

/// Whether a socket's host sends prices late by agreement.
#[must_use]
pub fn is_delayed(stream_url: &str) -> bool {
    let host = stream_url.split_once("://").map_or(stream_url, |(_, rest)| rest);
    host.starts_with("delayed")
}

fn said(action: &'static str, params: &str) -> String {
    serde_json::to_string(&Request { action, params }).expect("text in a struct is always JSON")
}

/// The socket of a cluster; what stands behind a question mark stays behind it.
fn place(stream_url: &str, cluster: Cluster) -> String {
    let (base, query) = stream_url.split_once('?').map_or((stream_url, None), |(base, query)| (base, Some(query)));
    let query = query.map_or_else(String::new, |query| format!("?{query}"));
    format!("{}/{}{query}", base.trim_end_matches('/'), cluster.name())
}

/// A channel by its name among shares, or by its own.
fn channel(cluster: Cluster, name: &str) -> Option<&'static str> {
    match (cluster, name) {
        (Cluster::Stocks | Cluster::Options, "T") => Some("T"),
        (Cluster::Stocks | Cluster::Options, "Q") => Some("Q"),
        (Cluster::Stocks | Cluster::Options | Cluster::Indices, "A") => Some("A"),
        (Cluster::Stocks | Cluster::Options | Cluster::Indices, "AM") => Some("AM"),
        (Cluster::Indices, "T" | "V") => Some("V"),
        (Cluster::Forex, "Q" | "C") => Some("C"),
        (Cluster::Forex, "A" | "CAS") => Some("CAS"),
        (Cluster::Forex, "AM" | "CA") => Some("CA"),
        (Cluster::Crypto, "T" | "XT") => Some("XT"),
        (Cluster::Crypto, "Q" | "XQ") => Some("XQ"),
        (Cluster::Crypto, "A" | "XAS") => Some("XAS"),
        (Cluster::Crypto, "AM" | "XA") => Some("XA"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed(url: &str, cluster: Cluster) -> Feed {
        let wanted = ["T", "Q", "AM", "NOI"].map(str::to_owned);
        Feed::new(url, SecretString::from("a key"), cluster, &wanted)
    }

    #[test]
    fn each_cluster_has_its_place_and_its_channels() {
        let all = ["AAPL", "O:SPY251219C00650000", "I:SPX", "C:EURUSD", "X:BTCUSD"].map(str::to_owned);
        let table = [
            (Cluster::Stocks, "wss://socket.massive.com/stocks", "T.AAPL,Q.AAPL,AM.AAPL"),
            (Cluster::Options, "wss://socket.massive.com/options", "T.O:SPY251219C00650000,Q.O:SPY251219C00650000,AM.O:SPY251219C00650000"),
            (Cluster::Indices, "wss://socket.massive.com/indices", "V.I:SPX,AM.I:SPX"),
            (Cluster::Forex, "wss://socket.massive.com/forex", "C.EUR/USD,CA.EUR/USD"),
            (Cluster::Crypto, "wss://socket.massive.com/crypto", "XT.BTC-USD,XQ.BTC-USD,XA.BTC-USD"),
        ];
        for (cluster, url, params) in table {
            let feed = feed("wss://socket.massive.com", cluster);
            assert_eq!(feed.url(), url);
            assert_eq!(feed.subscribe(&all), [format!(r#"{{"action":"subscribe","params":"{params}"}}"#)]);
            assert_eq!(feed.unsubscribe(&all), [format!(r#"{{"action":"unsubscribe","params":"{params}"}}"#)]);
        }
        assert_eq!(feed("ws://localhost:1/?a=b", Cluster::Forex).url(), "ws://localhost:1/forex?a=b");
    }

    #[test]
    fn delayed_hosts_have_no_quotes() {
        for url in ["wss://delayed.massive.com", "wss://delayed.polygon.io/"] {
            let frames = feed(url, Cluster::Stocks).subscribe(&["AAPL".to_owned()]);
            assert_eq!(frames, [r#"{"action":"subscribe","params":"T.AAPL,AM.AAPL"}"#]);
        }
    }

    #[test]
    fn a_long_list_is_cut_and_others_are_left_out() {
        let shares: Vec<String> = (0..250).map(|n| format!("A{n}")).chain(["X:BTCUSD".to_owned()]).collect();
        let frames = feed("wss://socket.massive.com", Cluster::Stocks).subscribe(&shares);
        assert_eq!(frames.len(), 3);
        let pairs: usize = frames.iter().map(|frame| frame.matches('.').count()).sum();
        assert_eq!(pairs, 750);
        assert!(feed("wss://socket.massive.com", Cluster::Forex).subscribe(&shares).is_empty());
    }
}
