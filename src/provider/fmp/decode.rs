//! Frames of the Financial Modeling Prep socket in our words. It opens no socket.

use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::market::{EventKind, Last, MarketEvent, Quote, Timestamp};
use crate::provider::contract::ProviderError;
use crate::provider::fmp::fault::{WORDS, kept, meant};
use crate::provider::protocol::{DecodeError, StreamItem, gather};
use crate::provider::wire::{Figure, Text, Written, amount, instant, number, positive};

/// How long the one connection of a key is left to whoever has it.
const TAKEN: Duration = Duration::from_secs(120);

/// Any message of the sockets of both generations, and a row of `quote` and `batch-quote`, with the members that are used: "Websockets"
/// and "Quote", <https://site.financialmodelingprep.com/developer/docs>.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Message<'a> {
    /// Of an answer or a heartbeat; data have none.
    #[serde(borrow)]
    event: Option<Text<'a>>,
    /// Of an answer: an object with a status and a message, which may stand beside it as well.
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(borrow)]
    status: Option<Figure<'a>>,
    #[serde(borrow)]
    message: Option<Text<'a>>,
    #[serde(rename = "Error Message", borrow)]
    error: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) symbol: Option<Text<'a>>,
    #[serde(borrow)]
    price: Option<Figure<'a>>,
    #[serde(borrow)]
    open: Option<Figure<'a>>,
    #[serde(borrow)]
    day_high: Option<Figure<'a>>,
    #[serde(borrow)]
    day_low: Option<Figure<'a>>,
    /// Cumulative over the day.
    #[serde(borrow)]
    volume: Option<Figure<'a>>,
    #[serde(borrow)]
    previous_close: Option<Figure<'a>>,
    #[serde(borrow)]
    change: Option<Figure<'a>>,
    /// In percent; the name differs from page to page.
    #[serde(rename = "changesPercentage", alias = "changePercentage", alias = "changePercent", borrow)]
    percent: Option<Figure<'a>>,
    #[serde(borrow)]
    timestamp: Option<Figure<'a>>,
    /// Of the generation before: the symbol in small letters, the time, and what it is.
    #[serde(rename = "s", borrow)]
    old_symbol: Option<Text<'a>>,
    #[serde(rename = "t", borrow)]
    old_time: Option<Figure<'a>>,
    #[serde(rename = "type", borrow)]
    old_kind: Option<Text<'a>>,
    #[serde(rename = "lp", borrow)]
    last_price: Option<Figure<'a>>,
    #[serde(rename = "ap", borrow)]
    ask: Option<Figure<'a>>,
    #[serde(rename = "as", borrow)]
    ask_size: Option<Figure<'a>>,
    #[serde(rename = "bp", borrow)]
    bid: Option<Figure<'a>>,
    #[serde(rename = "bs", borrow)]
    bid_size: Option<Figure<'a>>,
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    status: Option<Figure<'a>>,
    #[serde(borrow)]
    message: Option<Text<'a>>,
}

/// Decodes one frame. Events that are not known are empty: new ones appear without notice.
pub fn decode(frame: &[u8], ts_recv: Timestamp) -> Result<Vec<StreamItem>, DecodeError> {
    match frame.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'{') => one(&read(frame)?, ts_recv),
        Some(b'[') => gather(read::<Vec<Message<'_>>>(frame)?.iter().map(|message| one(message, ts_recv))),
        Some(_) | None => plain(frame, ts_recv),
    }
}

/// A price with the figures of its day, in a frame or in a row of an answer.
pub(crate) fn snapshot(message: &Message<'_>, ts_recv: Timestamp) -> Result<MarketEvent, DecodeError> {
    let symbol = message.symbol.as_ref().map(Text::as_str).ok_or_else(|| DecodeError::new("an fmp quote has no symbol"))?;
    let price = positive(message.price).ok_or_else(|| DecodeError::new("an fmp quote has no price"))?;
    let ts_event = instant(message.timestamp).ok_or_else(|| DecodeError::new("an fmp quote has no time: its age is not known"))?;
    let last = Last {
        price,
        reference: reference(message, price),
        day_open: positive(message.open),
        day_high: positive(message.day_high),
        day_low: positive(message.day_low),
        day_volume: amount(message.volume),
    };
    Ok(MarketEvent { symbol: symbol.into(), ts_event, ts_recv, kind: EventKind::Last(last) })
}

fn read<'a, T: Deserialize<'a>>(frame: &'a [u8]) -> Result<T, DecodeError> {
    serde_json::from_slice(frame)
        .map_err(|error| DecodeError::new(format!("an fmp frame is not the JSON it should be, at column {}", error.column())))
}

/// A refusal may come as plain text.
fn plain(frame: &[u8], ts_recv: Timestamp) -> Result<Vec<StreamItem>, DecodeError> {
    let words = kept(&String::from_utf8_lossy(&frame[..frame.len().min(WORDS)]));
    let ended = if is_taken(&words) { Some(taken()) } else { meant(&words, "the fmp socket", ts_recv) };
    ended.map(|error| vec![StreamItem::Ended(error)]).ok_or_else(|| DecodeError::new("an fmp frame is not JSON"))
}

fn one(message: &Message<'_>, ts_recv: Timestamp) -> Result<Vec<StreamItem>, DecodeError> {
    match message.event.as_ref().map(Text::as_str) {
        Some("heartbeat") => {
            let ts_event = instant(message.timestamp).unwrap_or(ts_recv);
            let kind = EventKind::Heartbeat { last_trade_id: None };
            Ok(vec![StreamItem::Event(MarketEvent { symbol: "".into(), ts_event, ts_recv, kind })])
        }
        Some(event) => Ok(answer(event, message, ts_recv).into_iter().collect()),
        None if message.old_symbol.is_some() => Ok(vec![StreamItem::Event(old(message, ts_recv)?)]),
        None if message.symbol.is_some() || message.price.is_some() => Ok(vec![StreamItem::Event(snapshot(message, ts_recv)?)]),
        None => Ok(answer("", message, ts_recv).into_iter().collect()),
    }
}

/// What the source answers to a login or a subscription, or says of itself.
fn answer(event: &str, message: &Message<'_>, ts_recv: Timestamp) -> Option<StreamItem> {
    let inner = message.data.and_then(|data| serde_json::from_str::<Answer<'_>>(data.get()).ok());
    let (status, said) = inner.map_or((None, None), |inner| (inner.status, inner.message));
    let status = status.or(message.status).and_then(Figure::whole);
    let said = message.error.as_ref().or(said.as_ref()).or(message.message.as_ref());
    let words = said.map_or_else(|| "no reason given".to_owned(), |words| kept(words.as_str()));
    if is_taken(&words) {
        return Some(StreamItem::Ended(taken()));
    }
    let fine = message.error.is_none() && status.is_none_or(|status| (200..300).contains(&status));
    match event {
        "login" if fine && (status.is_some() || words.eq_ignore_ascii_case("authenticated")) => Some(StreamItem::Admitted),
        "login" => Some(StreamItem::Ended(locked_out(status, &words, ts_recv))),
        "subscribe" if fine => Some(StreamItem::Subscribed),
        _ if fine => None,
        // What closes the feed has words that are known; a subscription that is refused may be taken in its other form.
        "subscribe" => Some(StreamItem::Refused(words)),
        _ => Some(meant(&words, "the fmp socket", ts_recv).map_or(StreamItem::Refused(words), StreamItem::Ended)),
    }
}

/// Why nobody is let in.
fn locked_out(status: Option<i64>, words: &str, ts_recv: Timestamp) -> ProviderError {
    let message = format!("the fmp login: {words}");
    if let Some(known) = meant(words, "the fmp login", ts_recv) {
        return known;
    }
    let lower = words.to_ascii_lowercase();
    let says = |texts: &[&str]| texts.iter().any(|text| lower.contains(text));
    match status {
        _ if says(&["subscription", "upgrade", "plan"]) => ProviderError::NotEntitled { message },
        Some(402 | 403) => ProviderError::NotEntitled { message },
        Some(400 | 401) => ProviderError::Unauthorized { message },
        Some(429) => ProviderError::RateLimited { after: Some(TAKEN) },
        Some(_) | None if says(&["unauthorized", "invalid", "not authenticated"]) => ProviderError::Unauthorized { message },
        Some(_) | None => ProviderError::Retryable { message, after: None },
    }
}

/// A message of the generation before. Its trades are kept as prices: the feed promises no more than these, and they have no number
/// by which one that comes twice could be known.
fn old(message: &Message<'_>, ts_recv: Timestamp) -> Result<MarketEvent, DecodeError> {
    let symbol = message.old_symbol.as_ref().map_or("", Text::as_str).to_ascii_uppercase();
    let ts_event = instant(message.old_time).ok_or_else(|| DecodeError::new("an fmp message has no time: its age is not known"))?;
    let kind = match message.old_kind.as_ref().map(Text::as_str) {
        Some("B") => EventKind::Correction { trade_id: None },
        Some("Q") => {
            let (bid, ask) = (positive(message.bid), positive(message.ask));
            let bid_size = bid.and(amount(message.bid_size));
            EventKind::Quote(Quote { bid, bid_size, ask, ask_size: ask.and(amount(message.ask_size)) })
        }
        Some(_) | None => {
            let price = positive(message.last_price).ok_or_else(|| DecodeError::new("an fmp message has no price"))?;
            EventKind::Last(Last { price, ..Last::default() })
        }
    };
    Ok(MarketEvent { symbol: symbol.into(), ts_event, ts_recv, kind })
}

/// No price has more places.
const MOST_PLACES: usize = 20;

/// The price that the change is counted from, in as many places as the figures have that it is made of.
fn reference(message: &Message<'_>, price: f64) -> Option<f64> {
    if let Some(close) = positive(message.previous_close) {
        return Some(close);
    }
    let places = message.price.and_then(Figure::places)?;
    let (before, places) = match (message.change, number(message.percent)) {
        (Some(change), _) => (price - change.value()?, places.max(change.places()?)),
        (None, Some(percent)) => (price / (1.0 + percent / 100.0), places),
        (None, None) => return None,
    };
    let places = places.min(MOST_PLACES);
    format!("{before:.places$}").parse().ok().filter(|before: &f64| before.is_finite() && *before > 0.0)
}

fn is_taken(words: &str) -> bool {
    let lower = words.to_ascii_lowercase();
    lower.contains("maximum number of connections") || lower.contains("another location")
}

fn taken() -> ProviderError {
    let message = "another program holds the one fmp connection of this key: it is tried again until that ends".to_owned();
    ProviderError::Retryable { message, after: Some(TAKEN) }
}
