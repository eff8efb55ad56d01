//! Frames of the Binance socket in our words. It opens no socket.

use std::sync::Arc;

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::market::{EventKind, Interval, Last, MarketEvent, Side, SourceBar, Timestamp, Trade, TradeId, clean};
use crate::provider::protocol::{DecodeError, StreamItem};
use crate::provider::wire::{Text, amount, number, positive, quote};

/// What is asked for of each symbol: its trades, the figures of 24 hours, the best bid and ask, and the minutes that are over.
pub const STREAMS: [&str; 4] = ["@trade", "@ticker", "@bookTicker", "@kline_1m"];

/// The types that mean something to us where no stream is named.
const KINDS: [&str; 4] = ["trade", "24hrTicker", "kline", "serverShutdown"];

/// The name of the stream on which a server says goodbye.
const GOODBYE: &str = "!serverShutdown";

/// Any frame: a message inside the name of its stream, or the answer to a request.
/// "WebSocket Streams", `web-socket-streams.md`, <https://github.com/binance/binance-spot-api-docs>.
#[derive(Deserialize)]
struct Frame<'a> {
    #[serde(borrow)]
    stream: Option<Text<'a>>,
    #[serde(borrow)]
    data: Option<Message<'a>>,
    /// Of the request that is answered.
    id: Option<IgnoredAny>,
    code: Option<i64>,
    #[serde(borrow)]
    msg: Option<Text<'a>>,
    #[serde(borrow)]
    error: Option<Fault<'a>>,
}

/// A message of any of our streams, with the members that are used. Figures are sent as text; capital and small letters differ:
/// "Trade Streams", "Individual Symbol Ticker Streams", "Individual Symbol Book Ticker Streams" and "Kline/Candlestick Streams for UTC",
/// `web-socket-streams.md`, <https://github.com/binance/binance-spot-api-docs>.
#[derive(Deserialize)]
struct Message<'a> {
    /// Missing in a book ticker.
    #[serde(rename = "e", borrow)]
    kind: Option<Text<'a>>,
    #[serde(rename = "s", borrow)]
    symbol: Option<Text<'a>>,
    /// When it was sent, in milliseconds.
    #[serde(rename = "E")]
    sent: Option<i64>,
    /// When the trade was made, in milliseconds.
    #[serde(rename = "T")]
    traded: Option<i64>,
    #[serde(rename = "t")]
    trade_id: Option<u64>,
    #[serde(rename = "p", borrow)]
    price: Option<Text<'a>>,
    #[serde(rename = "q", borrow)]
    size: Option<Text<'a>>,
    #[serde(rename = "m")]
    buyer_is_maker: Option<bool>,
    #[serde(rename = "c", borrow)]
    close: Option<Text<'a>>,
    /// Of 24 hours ago.
    #[serde(rename = "o", borrow)]
    open: Option<Text<'a>>,
    #[serde(rename = "h", borrow)]
    high: Option<Text<'a>>,
    #[serde(rename = "l", borrow)]
    low: Option<Text<'a>>,
    #[serde(rename = "v", borrow)]
    volume: Option<Text<'a>>,
    #[serde(rename = "b", borrow)]
    bid: Option<Text<'a>>,
    #[serde(rename = "B", borrow)]
    bid_size: Option<Text<'a>>,
    #[serde(rename = "a", borrow)]
    ask: Option<Text<'a>>,
    #[serde(rename = "A", borrow)]
    ask_size: Option<Text<'a>>,
    #[serde(rename = "k", borrow)]
    candle: Option<Candle<'a>>,
}

/// The candle in a message: "Kline/Candlestick Streams for UTC", `web-socket-streams.md`,
/// <https://github.com/binance/binance-spot-api-docs>.
#[derive(Deserialize)]
struct Candle<'a> {
    /// When it begins, in milliseconds.
    #[serde(rename = "t")]
    begin: Option<i64>,
    #[serde(rename = "i", borrow)]
    interval: Option<Text<'a>>,
    #[serde(rename = "o", borrow)]
    open: Option<Text<'a>>,
    #[serde(rename = "h", borrow)]
    high: Option<Text<'a>>,
    #[serde(rename = "l", borrow)]
    low: Option<Text<'a>>,
    #[serde(rename = "c", borrow)]
    close: Option<Text<'a>>,
    #[serde(rename = "v", borrow)]
    volume: Option<Text<'a>>,
    /// What was paid for the volume.
    #[serde(rename = "q", borrow)]
    turnover: Option<Text<'a>>,
    #[serde(rename = "n")]
    n_trades: Option<u64>,
    /// Whether it is final.
    #[serde(rename = "x")]
    is_closed: Option<bool>,
}

/// A refusal, on the socket and over HTTP: `errors.md`, <https://github.com/binance/binance-spot-api-docs>.
#[derive(Deserialize)]
pub struct Fault<'a> {
    code: Option<i64>,
    #[serde(borrow)]
    msg: Option<Text<'a>>,
}

/// A frame of which only its type can be read.
#[derive(Deserialize)]
struct Kind<'a> {
    #[serde(borrow)]
    stream: Option<Text<'a>>,
    #[serde(rename = "e", borrow)]
    kind: Option<Text<'a>>,
}

/// Decodes one frame. Unknown streams and types are empty: new ones appear without notice.
pub fn decode(frame: &[u8], ts_recv: Timestamp) -> Result<Vec<StreamItem>, DecodeError> {
    let whole: Frame<'_> = match serde_json::from_slice(frame) {
        Ok(whole) => whole,
        Err(error) => return unreadable(frame, &error),
    };
    let Frame { stream, data, id, code, msg, error } = whole;
    if let Some(message) = data {
        return said(&message, stream.as_ref().map_or("", Text::as_str), ts_recv);
    }
    // Some servers wrap a refusal, others send it bare.
    if error.is_some() || code.is_some() {
        let words = error.unwrap_or(Fault { code, msg }).words();
        return Ok(vec![StreamItem::Refused(words.unwrap_or_else(|| "no reason given".to_owned()))]);
    }
    if id.is_some() {
        return Ok(vec![StreamItem::Subscribed]);
    }
    match serde_json::from_slice::<Message<'_>>(frame) {
        Ok(message) => said(&message, "", ts_recv),
        Err(error) => unreadable(frame, &error),
    }
}

/// A frame that does not fit is an error, unless it is of a type that may look as it likes.
fn unreadable(frame: &[u8], error: &serde_json::Error) -> Result<Vec<StreamItem>, DecodeError> {
    let foreign = |name: &Kind<'_>| match (&name.stream, &name.kind) {
        (Some(stream), _) => !STREAMS.iter().any(|own| stream.as_str().ends_with(own)),
        (None, Some(kind)) => !KINDS.contains(&kind.as_str()),
        (None, None) => false,
    };
    match serde_json::from_slice::<Kind<'_>>(frame) {
        Ok(name) if foreign(&name) => Ok(Vec::new()),
        _ => Err(DecodeError::new(format!("a binance frame is not the JSON it should be, at column {}", error.column()))),
    }
}

fn said(message: &Message<'_>, stream: &str, ts_recv: Timestamp) -> Result<Vec<StreamItem>, DecodeError> {
    match message.kind.as_ref().map(Text::as_str) {
        Some("trade") => trade(message, ts_recv),
        Some("24hrTicker") => ticker(message, ts_recv),
        Some("kline") => candle(message, ts_recv),
        Some("serverShutdown") => Ok(vec![goodbye()]),
        None if stream == GOODBYE => Ok(vec![goodbye()]),
        // It names neither its type nor its time.
        None if stream.is_empty() || stream.ends_with("@bookTicker") => book(message, ts_recv),
        Some(_) | None => Ok(Vec::new()),
    }
}

/// The connection ends soon.
fn goodbye() -> StreamItem {
    StreamItem::Leaving("the server announced that it shuts down".to_owned())
}

fn trade(message: &Message<'_>, ts_recv: Timestamp) -> Result<Vec<StreamItem>, DecodeError> {
    let price = required(message.price.as_ref(), "price")?;
    let size = required(message.size.as_ref(), "size")?;
    if size < 0.0 {
        return Err(DecodeError::new("a binance trade has a negative size"));
    }
    // Whoever did not wait in the book took.
    let taker = message.buyer_is_maker.map(|waited| if waited { Side::Sell } else { Side::Buy });
    // Rises by 1 with each trade of a symbol.
    let trade_id = message.trade_id.map(TradeId::Counted);
    let trade = Trade { price, size, trade_id, taker, ..Trade::default() };
    let ts_event = time(message.traded.or(message.sent), ts_recv);
    Ok(vec![StreamItem::Event(MarketEvent { symbol: symbol(message)?, ts_event, ts_recv, kind: EventKind::Trade(trade) })])
}

/// The book in it is left alone: the book ticker is newer, and the two do not share a clock.
fn ticker(message: &Message<'_>, ts_recv: Timestamp) -> Result<Vec<StreamItem>, DecodeError> {
    let price = required(message.close.as_ref(), "price")?;
    let symbol = symbol(message)?;
    if price <= 0.0 {
        // Nothing was traded for so long that there is no price.
        return Ok(Vec::new());
    }
    let last = Last {
        price,
        reference: positive(message.open.as_ref()),
        day_open: None,
        day_high: positive(message.high.as_ref()),
        day_low: positive(message.low.as_ref()),
        day_volume: amount(message.volume.as_ref()),
    };
    let ts_event = time(message.sent, ts_recv);
    Ok(vec![StreamItem::Event(MarketEvent { symbol, ts_event, ts_recv, kind: EventKind::Last(last) })])
}

fn book(message: &Message<'_>, ts_recv: Timestamp) -> Result<Vec<StreamItem>, DecodeError> {
    let symbol = symbol(message)?;
    let (bid, ask) = ((message.bid.as_ref(), message.bid_size.as_ref()), (message.ask.as_ref(), message.ask_size.as_ref()));
    let quote = quote(bid, ask).map(EventKind::Quote);
    Ok(quote.map(|kind| StreamItem::Event(MarketEvent { symbol, ts_event: ts_recv, ts_recv, kind })).into_iter().collect())
}

/// A minute as the source has it, once it is over: what forms is told every two seconds, and our own is as new.
fn candle(message: &Message<'_>, ts_recv: Timestamp) -> Result<Vec<StreamItem>, DecodeError> {
    let Some(candle) = &message.candle else { return Err(DecodeError::new("a binance candle is missing from its message")) };
    let is_minute = candle.interval.as_ref().is_some_and(|interval| interval.as_str() == Interval::OneMinute.name());
    if !is_minute || candle.is_closed != Some(true) {
        return Ok(Vec::new());
    }
    let begin = candle.begin.ok_or_else(|| DecodeError::new("a binance candle does not say when it begins"))?;
    let (high, low) = (required(candle.high.as_ref(), "high")?, required(candle.low.as_ref(), "low")?);
    let (volume, turnover) = (number(candle.volume.as_ref()), number(candle.turnover.as_ref()));
    let bar = SourceBar {
        interval: Interval::OneMinute,
        open_time: Timestamp::from_millis(begin),
        open: required(candle.open.as_ref(), "open")?,
        high,
        low,
        close: required(candle.close.as_ref(), "close")?,
        volume,
        vwap: average(volume, turnover, (low, high)),
        n_trades: candle.n_trades,
    };
    let ts_event = time(message.sent, ts_recv);
    Ok(vec![StreamItem::Event(MarketEvent { symbol: symbol(message)?, ts_event, ts_recv, kind: EventKind::Bar(bar) })])
}

/// What was paid on average. Turnover is cut to eight decimals: an average may not leave the bar for that.
#[must_use]
pub fn average(volume: Option<f64>, turnover: Option<f64>, (low, high): (f64, f64)) -> Option<f64> {
    let (volume, turnover) = volume.zip(turnover)?;
    (volume > 0.0).then(|| (turnover / volume).max(low).min(high))
}

fn symbol(message: &Message<'_>) -> Result<Arc<str>, DecodeError> {
    let symbol = message.symbol.as_ref().map(Text::as_str).filter(|symbol| !symbol.is_empty());
    symbol.map(Arc::from).ok_or_else(|| DecodeError::new("a binance message names no symbol"))
}

/// The source's time; ours where it sent none.
#[must_use]
pub fn time(millis: Option<i64>, ts_recv: Timestamp) -> Timestamp {
    millis.filter(|millis| *millis > 0).map_or(ts_recv, Timestamp::from_millis)
}

fn required(text: Option<&Text<'_>>, name: &'static str) -> Result<f64, DecodeError> {
    number(text).ok_or_else(|| DecodeError::new(format!("a binance message has no {name} that is a number")))
}

impl Fault<'_> {
    /// The source's words and its number, where it sent either: `Invalid symbol. (-1121)`.
    #[must_use]
    pub fn words(&self) -> Option<String> {
        let said = self.msg.as_ref().map(|msg| clean(msg.as_str())).filter(|msg| !msg.trim().is_empty());
        match (said, self.code) {
            (Some(said), Some(code)) => Some(format!("{said} ({code})")),
            (Some(said), None) => Some(said.into_owned()),
            (None, Some(code)) => Some(format!("error {code}")),
            (None, None) => None,
        }
    }
}
