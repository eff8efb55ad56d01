//! Frames of the Coinbase socket in our words. It opens no socket.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer};

use crate::market::{Date, EventKind, Last, MarketEvent, Side, Timestamp, Trade, TradeId, clean};
use crate::provider::protocol::{DecodeError, StreamItem};
use crate::provider::wire::{Text, Written, amount, number, positive, quote};

/// Any message of the socket, with the members that are used: "Exchange WebSocket Channels", <https://docs.cdp.coinbase.com>.
#[derive(Debug, Deserialize)]
pub struct Message<'a> {
    #[serde(rename = "type", borrow)]
    pub kind: Text<'a>,
    #[serde(borrow)]
    pub product_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub time: Option<Text<'a>>,
    /// Of the maker in a match, of the taker in a ticker.
    #[serde(borrow)]
    pub side: Option<Text<'a>>,
    pub trade_id: Option<u64>,
    pub price: Option<Figure>,
    pub size: Option<Figure>,
    pub open_24h: Option<Figure>,
    pub high_24h: Option<Figure>,
    pub low_24h: Option<Figure>,
    pub volume_24h: Option<Figure>,
    pub best_bid: Option<Figure>,
    pub best_bid_size: Option<Figure>,
    pub best_ask: Option<Figure>,
    pub best_ask_size: Option<Figure>,
    pub last_trade_id: Option<u64>,
    #[serde(borrow)]
    pub message: Option<Text<'a>>,
    #[serde(borrow)]
    pub reason: Option<Text<'a>>,
}

/// A number that is sent as text, read at once, for speed. What is no number becomes NaN, so that one bad level does not cost the message.
#[derive(Clone, Copy, Debug)]
pub struct Figure(pub f64);

/// A message of which only its type can be read.
#[derive(Deserialize)]
struct Kind<'a> {
    #[serde(rename = "type", borrow)]
    kind: Text<'a>,
}

/// The types that mean something to us.
const KINDS: [&str; 6] = ["match", "last_match", "ticker", "heartbeat", "subscriptions", "error"];

/// Decodes one frame. Unknown types are empty: new ones appear without notice.
pub fn decode(frame: &[u8], ts_recv: Timestamp) -> Result<Vec<StreamItem>, DecodeError> {
    let message: Message<'_> = match serde_json::from_slice(frame) {
        Ok(message) => message,
        Err(error) => return unreadable(frame, &error),
    };
    match message.kind.as_str() {
        "match" => trade(&message, ts_recv),
        "ticker" => ticker(&message, ts_recv),
        "heartbeat" => heartbeat(&message, message.last_trade_id, ts_recv),
        // The last trade before the subscription: where the ids start, not a new trade.
        "last_match" => heartbeat(&message, message.trade_id, ts_recv),
        "subscriptions" => Ok(vec![StreamItem::Subscribed]),
        "error" => Ok(vec![StreamItem::Refused(refusal(&message))]),
        _ => Ok(Vec::new()),
    }
}

/// A message that does not fit is an error, unless it is of a type that may look as it likes.
fn unreadable(frame: &[u8], error: &serde_json::Error) -> Result<Vec<StreamItem>, DecodeError> {
    match serde_json::from_slice::<Kind<'_>>(frame) {
        Ok(Kind { kind }) if !KINDS.contains(&kind.as_str()) => Ok(Vec::new()),
        _ => Err(DecodeError::new(format!("a coinbase frame is not the JSON it should be, at column {}", error.column()))),
    }
}

fn trade(message: &Message<'_>, ts_recv: Timestamp) -> Result<Vec<StreamItem>, DecodeError> {
    let price = required(message.price, "price")?;
    let size = required(message.size, "size")?;
    if size < 0.0 {
        return Err(DecodeError::new("a coinbase match has a negative size"));
    }
    let taker = message.side.as_ref().and_then(|maker| taker(maker.as_str()));
    // Rises by 1 with each match of a product.
    let trade_id = message.trade_id.map(TradeId::Counted);
    let trade = Trade { price, size, trade_id, taker, ..Trade::default() };
    let (symbol, ts_event) = head(message, ts_recv)?;
    Ok(vec![StreamItem::Event(MarketEvent { symbol, ts_event, ts_recv, kind: EventKind::Trade(trade) })])
}

fn ticker(message: &Message<'_>, ts_recv: Timestamp) -> Result<Vec<StreamItem>, DecodeError> {
    let last = Last {
        price: required(message.price, "price")?,
        reference: positive(message.open_24h),
        day_open: None,
        day_high: positive(message.high_24h),
        day_low: positive(message.low_24h),
        day_volume: amount(message.volume_24h),
    };
    let (symbol, ts_event) = head(message, ts_recv)?;
    let event = |kind| StreamItem::Event(MarketEvent { symbol: Arc::clone(&symbol), ts_event, ts_recv, kind });
    let mut items = vec![event(EventKind::Last(last))];
    let quote = quote((message.best_bid, message.best_bid_size), (message.best_ask, message.best_ask_size));
    items.extend(quote.map(|quote| event(EventKind::Quote(quote))));
    Ok(items)
}

fn heartbeat(message: &Message<'_>, id: Option<u64>, ts_recv: Timestamp) -> Result<Vec<StreamItem>, DecodeError> {
    let (symbol, ts_event) = head(message, ts_recv)?;
    // The vendor has sent 0 for weeks when it did not know.
    let kind = EventKind::Heartbeat { last_trade_id: id.filter(|id| *id != 0) };
    Ok(vec![StreamItem::Event(MarketEvent { symbol, ts_event, ts_recv, kind })])
}

fn refusal(message: &Message<'_>) -> String {
    let said = [&message.message, &message.reason].into_iter().flatten().map(|text| clean(text.as_str()));
    let said: Vec<_> = said.filter(|text| !text.trim().is_empty()).collect();
    if said.is_empty() { "no reason given".to_owned() } else { said.join(": ") }
}

/// Whose message it is, and when.
fn head(message: &Message<'_>, ts_recv: Timestamp) -> Result<(Arc<str>, Timestamp), DecodeError> {
    let symbol = message.product_id.as_ref().map(Text::as_str).filter(|id| !id.is_empty());
    let symbol = symbol.ok_or_else(|| DecodeError::new("a coinbase message names no product"))?;
    let ts_event = time(message.time.as_ref().map(Text::as_str), ts_recv)?;
    Ok((symbol.into(), ts_event))
}

/// The source's time; ours where it sent none, or the year 1 that stands for none.
pub fn time(sent: Option<&str>, ts_recv: Timestamp) -> Result<Timestamp, DecodeError> {
    let Some(sent) = sent.filter(|time| !time.is_empty() && !time.starts_with("0001-")) else { return Ok(ts_recv) };
    usual_time(sent.as_bytes()).or_else(|| sent.parse().ok()).ok_or_else(|| DecodeError::new("a coinbase message has a time that is none"))
}

/// Reads `2026-11-20T15:04:05.678901Z`, the form of nearly every message: the general parser would cost as much as the JSON.
fn usual_time(text: &[u8]) -> Option<Timestamp> {
    let (b'Z', text) = text.split_last()? else { return None };
    if text.len() != 26 || [text[4], text[7], text[10], text[13], text[16], text[19]] != *b"--T::." {
        return None;
    }
    let number = |range: Range<usize>| {
        text[range].iter().try_fold(0_u32, |n, digit| digit.is_ascii_digit().then(|| n * 10 + u32::from(digit - b'0')))
    };
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let date = Date::new(i32::try_from(number(0..4)?).ok()?, number(5..7)?, number(8..10)?)?;
    let since_midnight = u64::from(hour * 3_600 + minute * 60 + second) * 1_000_000 + u64::from(number(20..26)?);
    Some(date.midnight() + Duration::from_micros(since_midnight))
}

/// The taker's side, from the maker's: a resting sell order was bought.
fn taker(maker: &str) -> Option<Side> {
    match maker {
        "sell" => Some(Side::Buy),
        "buy" => Some(Side::Sell),
        _ => None,
    }
}

fn required(figure: Option<Figure>, name: &'static str) -> Result<f64, DecodeError> {
    number(figure).ok_or_else(|| DecodeError::new(format!("a coinbase message has no {name} that is a number")))
}

impl Written for Figure {
    fn value(self) -> Option<f64> {
        self.0.value()
    }
}

impl<'de> Deserialize<'de> for Figure {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FigureVisitor)
    }
}

struct FigureVisitor;

impl Visitor<'_> for FigureVisitor {
    type Value = Figure;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, as text")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Figure, E> {
        Ok(Figure(text.parse().unwrap_or(f64::NAN)))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Figure, E> {
        Ok(Figure(number))
    }

    #[expect(clippy::cast_precision_loss, reason = "prices and sizes are far below 2^53")]
    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Figure, E> {
        Ok(Figure(number as f64))
    }

    #[expect(clippy::cast_precision_loss, reason = "prices and sizes are far below 2^53")]
    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Figure, E> {
        Ok(Figure(number as f64))
    }
}
