//! Frames of the Finnhub socket in our words. It opens no socket.

use serde::Deserialize;

use crate::market::{EventKind, Last, MarketEvent, Timestamp};
use crate::provider::contract::ProviderError;
use crate::provider::protocol::{DecodeError, StreamItem, gather};
use crate::provider::wire::{Text, words};

/// Any message of the socket, with the members that are used: "Trades - Last Price Updates", <https://finnhub.io/docs/api>.
#[derive(Deserialize)]
struct Message<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<Text<'a>>,
    #[serde(borrow)]
    data: Option<Vec<Row<'a>>>,
    /// Of an error.
    #[serde(borrow)]
    msg: Option<Text<'a>>,
}

/// One trade, without an id, a venue or the day's volume. Its size is not used: it is that of a part of the market.
#[derive(Deserialize)]
struct Row<'a> {
    #[serde(rename = "s", borrow)]
    symbol: Option<Text<'a>>,
    #[serde(rename = "p")]
    price: Option<f64>,
    /// Unix milliseconds.
    #[serde(rename = "t")]
    time: Option<i64>,
    /// Codes of US shares; coins and currencies have none.
    #[serde(rename = "c", borrow)]
    conditions: Option<Vec<Text<'a>>>,
}

/// A message of which only its type can be read.
#[derive(Deserialize)]
struct Kind<'a> {
    #[serde(rename = "type", borrow)]
    kind: Text<'a>,
}

/// The types that mean something to us.
const KINDS: [&str; 3] = ["trade", "ping", "error"];

/// Conditions under which a trade says nothing of the price now, by the vendor's numbers ("Trades - Last Price Updates",
/// <https://finnhub.io/docs/api>, links the list). 24, outside regular hours, is not among them: such a price is the last one then. What
/// is not known passes.
const NO_LAST_PRICE: [&str; 9] = [
    "3",  // At an average price.
    "5",  // For cash, on the same day.
    "12", // An odd lot.
    "17", // Settled on the next day.
    "21", // At a price of earlier.
    "22", // Settled when the seller wants.
    "25", // Outside regular hours, and told late.
    "30", // Told late.
    "32", // At a price that was derived.
];

/// Decodes one frame. Unknown types are empty: new ones appear without notice.
pub fn decode(frame: &[u8], ts_recv: Timestamp) -> Result<Vec<StreamItem>, DecodeError> {
    let message: Message<'_> = match serde_json::from_slice(frame) {
        Ok(message) => message,
        Err(error) => return unreadable(frame, &error),
    };
    match message.kind.as_ref().map(Text::as_str) {
        Some("trade") => trades(&message, ts_recv),
        Some("ping") => Ok(vec![heartbeat(ts_recv)]),
        Some("error") => Ok(vec![fault(message.msg.as_ref())]),
        Some(_) => Ok(Vec::new()),
        None => Err(DecodeError::new("a finnhub frame has no type")),
    }
}

/// A message that does not fit is an error, unless it is of a type that may look as it likes.
fn unreadable(frame: &[u8], error: &serde_json::Error) -> Result<Vec<StreamItem>, DecodeError> {
    match serde_json::from_slice::<Kind<'_>>(frame) {
        // A list could be read as one as well.
        Ok(Kind { kind }) if frame.starts_with(b"{") && !KINDS.contains(&kind.as_str()) => Ok(Vec::new()),
        _ => Err(DecodeError::new(format!("a finnhub frame is not the JSON it should be, at column {}", error.column()))),
    }
}

/// Two trades with the same figures are two trades; one that makes no sense does not cost the others.
fn trades(message: &Message<'_>, ts_recv: Timestamp) -> Result<Vec<StreamItem>, DecodeError> {
    let rows = message.data.as_deref().ok_or_else(|| DecodeError::new("a finnhub message of trades has no data"))?;
    let mut rows: Vec<&Row<'_>> = rows.iter().filter(|row| row.is_last_price()).collect();
    // A sample that is older than one before it is not taken.
    rows.sort_by_key(|row| row.time);
    gather(rows.into_iter().map(|row| trade(row, ts_recv).map(|event| [StreamItem::Event(event)])))
}

/// A sample of the market: see `SPEC` for why it is no trade. An old one that is told late keeps its time.
fn trade(row: &Row<'_>, ts_recv: Timestamp) -> Result<MarketEvent, DecodeError> {
    let missing = |name: &str| DecodeError::new(format!("a finnhub trade has no {name}"));
    let symbol = row.symbol.as_ref().map(Text::as_str).filter(|symbol| !symbol.is_empty()).ok_or_else(|| missing("symbol"))?;
    let price = row.price.ok_or_else(|| missing("price"))?;
    let time = row.time.filter(|millis| *millis > 0).ok_or_else(|| missing("time"))?;
    let kind = EventKind::Last(Last { price, ..Last::default() });
    Ok(MarketEvent { symbol: symbol.into(), ts_event: Timestamp::from_millis(time), ts_recv, kind })
}

/// It names no symbol: it is the connection's.
fn heartbeat(ts_recv: Timestamp) -> StreamItem {
    let kind = EventKind::Heartbeat { last_trade_id: None };
    StreamItem::Event(MarketEvent { symbol: "".into(), ts_event: ts_recv, ts_recv, kind })
}

/// It never says which symbol it is about.
fn fault(said: Option<&Text<'_>>) -> StreamItem {
    let message = words(said).unwrap_or_else(|| "no reason given".to_owned());
    if is_about_key(&message) { StreamItem::Ended(ProviderError::Unauthorized { message }) } else { StreamItem::Refused(message) }
}

/// Whether these are the source's words for a key that opens nothing.
fn is_about_key(words: &str) -> bool {
    let words = words.to_ascii_lowercase();
    ["use an api key", "invalid api key", "invalid token", "invalid api token"].iter().any(|part| words.contains(part))
}

impl Row<'_> {
    fn is_last_price(&self) -> bool {
        let conditions = self.conditions.as_deref().unwrap_or_default();
        !conditions.iter().any(|code| NO_LAST_PRICE.contains(&code.as_str()))
    }
}
