//! The shapes of Alpaca's messages and bodies: the socket and the REST interface write trades, quotes and bars alike.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::market::Timestamp;
use crate::provider::wire::{Text, said};

/// What every message of the socket has: "Real-time Stock Data", <https://docs.alpaca.markets>.
#[derive(Deserialize)]
pub struct Tag<'a> {
    #[serde(rename = "T", borrow)]
    pub kind: Option<Text<'a>>,
}

/// "Trades", <https://docs.alpaca.markets>; a body names no symbol in it.
#[derive(Deserialize)]
pub struct Trade<'a> {
    #[serde(rename = "S", borrow)]
    pub symbol: Option<Text<'a>>,
    /// Unique at an exchange in a day, and no more than that.
    #[serde(rename = "i", borrow)]
    pub id: Option<&'a RawValue>,
    #[serde(rename = "x", borrow)]
    pub venue: Option<Text<'a>>,
    #[serde(rename = "p")]
    pub price: Option<f64>,
    #[serde(rename = "s")]
    pub size: Option<f64>,
    #[serde(rename = "c", borrow)]
    pub conditions: Option<Vec<Text<'a>>>,
    /// `A` and `B` have one table of conditions, `C` another.
    #[serde(rename = "z", borrow)]
    pub tape: Option<Text<'a>>,
    #[serde(rename = "t", borrow)]
    pub time: Option<Text<'a>>,
}

/// "Quotes", <https://docs.alpaca.markets>.
#[derive(Deserialize)]
pub struct Quote<'a> {
    #[serde(rename = "S", borrow)]
    pub symbol: Option<Text<'a>>,
    /// Zero, with a size of zero, where nobody bids.
    #[serde(rename = "bp")]
    pub bid: Option<f64>,
    #[serde(rename = "bs")]
    pub bid_size: Option<f64>,
    #[serde(rename = "ap")]
    pub ask: Option<f64>,
    #[serde(rename = "as")]
    pub ask_size: Option<f64>,
    #[serde(rename = "t", borrow)]
    pub time: Option<Text<'a>>,
}

/// "Bars", <https://docs.alpaca.markets>.
#[derive(Deserialize)]
pub struct Bar<'a> {
    #[serde(rename = "S", borrow)]
    pub symbol: Option<Text<'a>>,
    #[serde(rename = "o")]
    pub open: Option<f64>,
    #[serde(rename = "h")]
    pub high: Option<f64>,
    #[serde(rename = "l")]
    pub low: Option<f64>,
    #[serde(rename = "c")]
    pub close: Option<f64>,
    #[serde(rename = "v")]
    pub volume: Option<f64>,
    #[serde(rename = "vw")]
    pub vwap: Option<f64>,
    #[serde(rename = "n")]
    pub count: Option<u64>,
    /// When it begins.
    #[serde(rename = "t", borrow)]
    pub time: Option<Text<'a>>,
}

/// "Trading Status", <https://docs.alpaca.markets>.
#[derive(Deserialize)]
pub struct Status<'a> {
    #[serde(rename = "S", borrow)]
    pub symbol: Option<Text<'a>>,
    #[serde(rename = "sc", borrow)]
    pub code: Option<Text<'a>>,
    #[serde(rename = "sm", borrow)]
    pub message: Option<Text<'a>>,
    #[serde(rename = "rm", borrow)]
    pub reason: Option<Text<'a>>,
    #[serde(rename = "t", borrow)]
    pub time: Option<Text<'a>>,
}

/// "Trade Corrections" and "Trade Cancels/Errors", <https://docs.alpaca.markets>.
#[derive(Deserialize)]
pub struct Amendment<'a> {
    #[serde(rename = "S", borrow)]
    pub symbol: Option<Text<'a>>,
    #[serde(rename = "x", borrow)]
    pub venue: Option<Text<'a>>,
    /// Of the trade that is corrected, or of the one that is taken back.
    #[serde(rename = "oi", alias = "i", borrow)]
    pub id: Option<&'a RawValue>,
    #[serde(rename = "t", borrow)]
    pub time: Option<Text<'a>>,
}

/// An answer in words: "Errors", <https://docs.alpaca.markets>.
#[derive(Deserialize)]
pub struct Notice<'a> {
    #[serde(rename = "msg", borrow)]
    pub words: Option<Text<'a>>,
    pub code: Option<u32>,
}

/// All that is subscribed now: "Subscription", <https://docs.alpaca.markets>.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Subscription<'a> {
    #[serde(borrow)]
    pub trades: Option<Vec<Text<'a>>>,
    #[serde(borrow)]
    pub quotes: Option<Vec<Text<'a>>>,
    #[serde(borrow)]
    pub bars: Option<Vec<Text<'a>>>,
    #[serde(borrow)]
    pub updated_bars: Option<Vec<Text<'a>>>,
    #[serde(borrow)]
    pub daily_bars: Option<Vec<Text<'a>>>,
    #[serde(borrow)]
    pub statuses: Option<Vec<Text<'a>>>,
}

/// An instant with up to nine digits behind its seconds.
#[must_use]
pub fn instant(text: Option<&Text<'_>>) -> Option<Timestamp> {
    said(text)?.parse().ok()
}
