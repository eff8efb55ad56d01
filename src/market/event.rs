//! What a source says, in our words.

use std::fmt;
use std::sync::Arc;

use bitflags::bitflags;
use serde::{Deserialize, Serialize};

use crate::market::interval::Interval;
use crate::market::time::Timestamp;

/// One thing a source said about one symbol.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MarketEvent {
    /// As the source spells it; the pipeline knows whose instrument that is.
    pub symbol: Arc<str>,
    /// The source's time.
    pub ts_event: Timestamp,
    /// Ours, on receipt.
    pub ts_recv: Timestamp,
    pub kind: EventKind,
}

/// What was said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    Trade(Trade),
    Quote(Quote),
    Last(Last),
    /// A bar that is over.
    Bar(SourceBar),
    /// A minute so far, told of with each trade; it is over once a later one is told of.
    Forming(SourceBar),
    /// The source is alive; `last_trade_id` shows a loss even in silence.
    Heartbeat {
        last_trade_id: Option<u64>,
    },
    /// The source took a trade back, or changed it: the bar that it is in has to be asked again.
    Correction {
        trade_id: Option<TradeId>,
    },
    /// Trading in the instrument was halted, with the source's reason; `None` says that it goes on.
    Halt(Option<Arc<str>>),
}

/// A trade.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Trade {
    pub price: f64,
    pub size: f64,
    pub trade_id: Option<TradeId>,
    pub taker: Option<Side>,
    pub moves: Moves,
    /// Where it was made, in the source's code.
    #[serde(default)]
    pub venue: Option<Arc<str>>,
    /// The source's codes of its conditions, joined by `|`.
    #[serde(default)]
    pub conditions: Option<Arc<str>>,
}

/// How a source tells one trade of an instrument from another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum TradeId {
    /// Rises by one with each trade: a larger step is a loss.
    Counted(u64),
    /// Unique, and no more than that.
    Named(Arc<str>),
}

impl From<u64> for TradeId {
    fn from(id: u64) -> Self {
        Self::Counted(id)
    }
}

impl fmt::Display for TradeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Counted(id) => write!(f, "{id}"),
            Self::Named(id) => f.write_str(id),
        }
    }
}

/// The side that took the resting order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    Buy,
    Sell,
}

impl Side {
    /// The word used in files and in the store.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Buy => "buy",
            Self::Sell => "sell",
        }
    }
}

bitflags! {
    /// What of a bar a trade may move: an odd lot, for one, moves the volume only.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(transparent)]
    pub struct Moves: u8 {
        const VOLUME = 1;
        const HIGH_LOW = 2;
        const OPEN_CLOSE = 4;
    }
}

impl Default for Moves {
    fn default() -> Self {
        Self::all()
    }
}

/// The best bid and ask. A side that was not sent is not known.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Quote {
    pub bid: Option<f64>,
    pub bid_size: Option<f64>,
    pub ask: Option<f64>,
    pub ask_size: Option<f64>,
}

/// A last price with what the source says of the day: a sample of the market, not a trade.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Last {
    pub price: f64,
    /// The price that the change is counted from: the previous regular close, or 24 hours ago for crypto.
    pub reference: Option<f64>,
    pub day_open: Option<f64>,
    pub day_high: Option<f64>,
    pub day_low: Option<f64>,
    /// Cumulative over the day (24 hours for crypto).
    pub day_volume: Option<f64>,
}

/// A bar that the source made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SourceBar {
    pub interval: Interval,
    pub open_time: Timestamp,
    pub open: f64,
    pub high: f64,
    pub low: f64,
    pub close: f64,
    pub volume: Option<f64>,
    pub vwap: Option<f64>,
    pub n_trades: Option<u64>,
}

impl SourceBar {
    /// When it ends where days, weeks and months are those of Greenwich, as with crypto.
    #[must_use]
    pub fn end_in_greenwich(&self) -> Timestamp {
        if self.interval.is_intraday() {
            self.open_time + self.interval.duration()
        } else {
            self.interval.next_label(self.open_time.date()).midnight()
        }
    }
}
