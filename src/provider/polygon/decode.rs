//! Frames of the Massive sockets in our words. It opens no socket.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::market::{EventKind, Interval, Last, MarketEvent, Moves, Quote, Side, SourceBar, Timestamp, Trade, TradeId};
use crate::provider::contract::ProviderError;
use crate::provider::polygon::body::cleaned;
use crate::provider::polygon::condition::moves;
use crate::provider::polygon::raw::{Raw, codes, text, word};
use crate::provider::polygon::spell::from_socket;
use crate::provider::protocol::{DecodeError, StreamItem, gather};
use crate::provider::wire::{amount, instant, number, positive};

/// How long the key's one connection is left to whoever has it: two programs would throw each other out for ever.
const COOL_DOWN: Duration = Duration::from_secs(90);

const MINUTE: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);

/// Any event of a frame, with the members that are used: "WebSocket", <https://massive.com/docs/websocket>. One name means a price
/// here and a pair there, so that each is read by who needs it.
#[derive(Deserialize)]
struct Row<'a> {
    #[serde(borrow)]
    ev: Raw<'a>,
    #[serde(borrow)]
    status: Raw<'a>,
    #[serde(borrow)]
    message: Raw<'a>,
    /// Of shares, options and bars of indices.
    #[serde(borrow)]
    sym: Raw<'a>,
    /// Of crypto, and of bars of currencies.
    #[serde(borrow)]
    pair: Raw<'a>,
    /// Of values of indices.
    #[serde(rename = "T", borrow)]
    ticker: Raw<'a>,
    #[serde(borrow)]
    val: Raw<'a>,
    /// A price; of quotes of currencies, the pair.
    #[serde(borrow)]
    p: Raw<'a>,
    /// A size; of bars, their start.
    #[serde(borrow)]
    s: Raw<'a>,
    /// The size with its fractions.
    #[serde(borrow)]
    ds: Raw<'a>,
    #[serde(borrow)]
    i: Raw<'a>,
    #[serde(borrow)]
    x: Raw<'a>,
    /// Where a trade off the exchanges was reported.
    #[serde(borrow)]
    trfi: Raw<'a>,
    /// Conditions; of bars, the close.
    #[serde(borrow)]
    c: Raw<'a>,
    #[serde(borrow)]
    t: Raw<'a>,
    #[serde(borrow)]
    bp: Raw<'a>,
    #[serde(borrow)]
    bs: Raw<'a>,
    #[serde(borrow)]
    ap: Raw<'a>,
    #[serde(rename = "as", borrow)]
    ask_size: Raw<'a>,
    /// Of quotes of currencies, the ask.
    #[serde(borrow)]
    a: Raw<'a>,
    #[serde(borrow)]
    b: Raw<'a>,
    #[serde(borrow)]
    o: Raw<'a>,
    #[serde(borrow)]
    h: Raw<'a>,
    #[serde(borrow)]
    l: Raw<'a>,
    #[serde(borrow)]
    v: Raw<'a>,
    #[serde(borrow)]
    vw: Raw<'a>,
    /// The volume of the day.
    #[serde(borrow)]
    av: Raw<'a>,
    /// The official open of the day.
    #[serde(borrow)]
    op: Raw<'a>,
    #[serde(borrow)]
    e: Raw<'a>,
}

/// What an event comes to: none, one or two things.
type Found = Result<Vec<StreamItem>, DecodeError>;

/// Decodes one frame, which is a list of mixed events. One that makes no sense does not cost the others; unknown ones are nothing.
pub fn decode(frame: &[u8], ts_recv: Timestamp) -> Result<Vec<StreamItem>, DecodeError> {
    let rows: Vec<&RawValue> = serde_json::from_slice(frame).map_err(|error| unreadable(&error))?;
    gather(rows.into_iter().map(|row| read(row, ts_recv)))
}

/// Another program listens with the same key.
#[must_use]
pub fn crowded() -> ProviderError {
    let message = "another program holds the one connection of this key to the cluster".to_owned();
    ProviderError::Retryable { message, after: Some(COOL_DOWN) }
}

fn read(row: &RawValue, ts_recv: Timestamp) -> Found {
    let row: Row<'_> = serde_json::from_str(row.get()).map_err(|error| unreadable(&error))?;
    let kind = text(row.ev).ok_or_else(|| DecodeError::new("a massive event has no type"))?;
    match &*kind {
        "status" => Ok(status(&row)),
        "T" => share_trade(&row, ts_recv),
        "XT" => coin_trade(&row, ts_recv),
        "Q" => Ok(top(&row, share(&row)?, ts_recv)),
        "XQ" => Ok(top(&row, pair("X", row.pair)?, ts_recv)),
        "C" => currency(&row, ts_recv),
        "AM" => minute(&row, share(&row)?, ts_recv),
        "XA" => minute(&row, pair("X", row.pair)?, ts_recv),
        // What is counted there are quotes.
        "CA" => minute(&Row { v: None, vw: None, ..row }, pair("C", row.pair)?, ts_recv),
        "A" => second(&row, share(&row)?, ts_recv),
        "XAS" => second(&row, pair("X", row.pair)?, ts_recv),
        "CAS" => second(&row, pair("C", row.pair)?, ts_recv),
        "V" => value(&row, ts_recv),
        _ => Ok(Vec::new()),
    }
}

fn unreadable(error: &serde_json::Error) -> DecodeError {
    DecodeError::new(format!("a massive frame is not the JSON it should be, at column {}", error.column()))
}

/// What the connection is told of itself.
fn status(row: &Row<'_>) -> Vec<StreamItem> {
    let words = cleaned(row.message).unwrap_or_else(|| "no reason given".to_owned());
    let has_no_socket = words.contains("websocket access");
    let item = match text(row.status).as_deref() {
        Some("connected") => StreamItem::Greeted,
        Some("auth_success") => StreamItem::Admitted,
        Some("success") if words.starts_with("subscribed") => StreamItem::Subscribed,
        Some("auth_failed" | "error") if has_no_socket => StreamItem::Ended(ProviderError::NotEntitled { message: words }),
        Some("auth_failed") => StreamItem::Ended(ProviderError::Unauthorized { message: words }),
        Some("auth_timeout") => StreamItem::Ended(ProviderError::Retryable { message: words, after: None }),
        Some("max_connections") => StreamItem::Ended(crowded()),
        Some("error") => StreamItem::Refused(words),
        _ => return Vec::new(),
    };
    vec![item]
}

/// "Trades", <https://massive.com/docs/websocket/stocks/trades>.
fn share_trade(row: &Row<'_>, ts_recv: Timestamp) -> Found {
    let symbol = share(row)?;
    let at = instant(row.t).unwrap_or(ts_recv);
    let codes = codes(row.c);
    let moves = moves(&codes, at);
    if moves.is_empty() {
        // The summary of a trade that was told before.
        return Ok(Vec::new());
    }
    let conditions = codes.iter().map(ToString::to_string).collect::<Vec<_>>().join("|");
    let conditions = (!conditions.is_empty()).then(|| Arc::from(conditions));
    Ok(vec![event(symbol, at, ts_recv, EventKind::Trade(Trade { moves, conditions, ..trade(row)? }))])
}

/// "Trades", <https://massive.com/docs/websocket/crypto/trades>: the one condition that there is tells the side.
fn coin_trade(row: &Row<'_>, ts_recv: Timestamp) -> Found {
    let symbol = pair("X", row.pair)?;
    let taker = codes(row.c).into_iter().find_map(|code| match code {
        1 => Some(Side::Sell),
        2 => Some(Side::Buy),
        _ => None,
    });
    let at = instant(row.t).unwrap_or(ts_recv);
    Ok(vec![event(symbol, at, ts_recv, EventKind::Trade(Trade { taker, ..trade(row)? }))])
}

/// An id is one only together with where the trade was made.
fn trade(row: &Row<'_>) -> Result<Trade, DecodeError> {
    let missing = |name: &str| DecodeError::new(format!("a massive trade has no {name} that is a number"));
    let place = [word(row.x), word(row.trfi)].into_iter().flatten().collect::<Vec<_>>().join(".");
    Ok(Trade {
        price: number(row.p).ok_or_else(|| missing("price"))?,
        size: number(row.ds).or_else(|| number(row.s)).ok_or_else(|| missing("size"))?,
        trade_id: word(row.i).map(|id| TradeId::Named(format!("{place}:{id}").into())),
        taker: None,
        moves: Moves::all(),
        venue: word(row.x).map(|venue| Arc::from(&*venue)),
        conditions: None,
    })
}

/// The sizes are as they were sent: whether they count lots changed with the exchanges' rules.
fn top(row: &Row<'_>, symbol: Arc<str>, ts_recv: Timestamp) -> Vec<StreamItem> {
    let (bid, ask) = (positive(row.bp), positive(row.ap));
    // A size that is none does not cost its price.
    let (bid_size, ask_size) = (bid.and(amount(row.bs)), ask.and(amount(row.ask_size)));
    quote(row, symbol, Quote { bid, bid_size, ask, ask_size }, ts_recv)
}

fn currency(row: &Row<'_>, ts_recv: Timestamp) -> Found {
    let quoted = Quote { bid: positive(row.b), ask: positive(row.a), ..Quote::default() };
    Ok(quote(row, pair("C", row.p)?, quoted, ts_recv))
}

fn quote(row: &Row<'_>, symbol: Arc<str>, quote: Quote, ts_recv: Timestamp) -> Vec<StreamItem> {
    let at = instant(row.t).unwrap_or(ts_recv);
    let is_one = quote.bid.is_some() || quote.ask.is_some();
    is_one.then(|| event(symbol, at, ts_recv, EventKind::Quote(quote))).into_iter().collect()
}

/// A bar of a minute, and what it says of the day. It is sent again when a late trade changes it.
fn minute(row: &Row<'_>, symbol: Arc<str>, ts_recv: Timestamp) -> Found {
    let missing = || DecodeError::new("a massive bar has no start or no price that is a number");
    let open_time = instant(row.s).ok_or_else(missing)?;
    let bar = SourceBar {
        interval: Interval::OneMinute,
        open_time,
        open: number(row.o).ok_or_else(missing)?,
        high: number(row.h).ok_or_else(missing)?,
        low: number(row.l).ok_or_else(missing)?,
        close: number(row.c).ok_or_else(missing)?,
        volume: amount(row.v),
        vwap: positive(row.vw),
        n_trades: None,
    };
    let at = instant(row.e).unwrap_or(open_time + MINUTE);
    let day = amount(row.av).and_then(|_| last(row)).map(|last| event(Arc::clone(&symbol), at, ts_recv, EventKind::Last(last)));
    Ok(day.into_iter().chain([event(symbol, at, ts_recv, EventKind::Bar(bar))]).collect())
}

/// A bar of a second is too short to be kept: its close is a price.
fn second(row: &Row<'_>, symbol: Arc<str>, ts_recv: Timestamp) -> Found {
    let last = last(row).ok_or_else(|| DecodeError::new("a massive bar of a second has no close that is a price"))?;
    let at = instant(row.e).or_else(|| instant(row.s).map(|start| start + SECOND)).unwrap_or(ts_recv);
    Ok(vec![event(symbol, at, ts_recv, EventKind::Last(last))])
}

fn last(row: &Row<'_>) -> Option<Last> {
    let price = positive(row.c)?;
    Some(Last { price, day_open: positive(row.op), day_volume: amount(row.av), ..Last::default() })
}

/// "Value", <https://massive.com/docs/websocket/indices/value>.
fn value(row: &Row<'_>, ts_recv: Timestamp) -> Found {
    let price = positive(row.val).ok_or_else(|| DecodeError::new("a massive index has no value that is a number"))?;
    let last = Last { price, ..Last::default() };
    Ok(vec![event(named(row.ticker)?, instant(row.t).unwrap_or(ts_recv), ts_recv, EventKind::Last(last))])
}

fn share(row: &Row<'_>) -> Result<Arc<str>, DecodeError> {
    named(row.sym)
}

fn named(raw: Raw<'_>) -> Result<Arc<str>, DecodeError> {
    let name = text(raw).filter(|name| !name.is_empty()).ok_or_else(nameless)?;
    Ok(Arc::from(&*name))
}

fn pair(prefix: &str, raw: Raw<'_>) -> Result<Arc<str>, DecodeError> {
    let name = text(raw).filter(|name| !name.is_empty()).ok_or_else(nameless)?;
    Ok(Arc::from(from_socket(prefix, &name)))
}

fn nameless() -> DecodeError {
    DecodeError::new("a massive event names no symbol")
}

fn event(symbol: Arc<str>, ts_event: Timestamp, ts_recv: Timestamp, kind: EventKind) -> StreamItem {
    StreamItem::Event(MarketEvent { symbol, ts_event, ts_recv, kind })
}
