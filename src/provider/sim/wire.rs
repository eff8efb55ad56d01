//! The JSON that the made-up exchange speaks. It is nobody's but ours: there is no vendor's page.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// What the exchange says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Said<'a> {
    #[serde(borrow)]
    Trade(TradeSaid<'a>),
    Quote {
        #[serde(borrow)]
        symbol: Cow<'a, str>,
        time_us: i64,
        bid: f64,
        ask: f64,
        bid_size: f64,
        ask_size: f64,
    },
    /// What is known of the day.
    Day {
        #[serde(borrow)]
        symbol: Cow<'a, str>,
        time_us: i64,
        last: f64,
        reference: f64,
        open: f64,
        high: f64,
        low: f64,
        volume: f64,
    },
    Bar {
        #[serde(borrow)]
        symbol: Cow<'a, str>,
        interval_s: u32,
        bar: Row,
    },
    History {
        bars: Vec<Row>,
    },
    Heartbeat {
        time_us: i64,
    },
    Subscribed,
    Error {
        message: String,
    },
}

/// A trade; a struct of its own, so that the decoder can be measured against it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct TradeSaid<'a> {
    #[serde(borrow)]
    pub symbol: Cow<'a, str>,
    pub id: u64,
    pub time_us: i64,
    pub price: f64,
    pub size: f64,
    pub buy: bool,
}

/// Open time in microseconds, open, high, low, close, volume, number of trades.
pub(crate) type Row = (i64, f64, f64, f64, f64, f64, u64);

/// What the exchange is asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(crate) enum Asked {
    Subscribe { symbols: Vec<String> },
    Unsubscribe { symbols: Vec<String> },
    History { symbol: String, interval_s: u32, from_us: i64, to_us: i64 },
}
