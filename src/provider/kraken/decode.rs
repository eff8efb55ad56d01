//! Frames of the Kraken socket in our words. It opens no socket.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use crate::market::{EventKind, Interval, Last, MarketEvent, Side, SourceBar, Timestamp, Trade, TradeId, clean};
use crate::provider::protocol::{DecodeError, StreamItem, gather};
use crate::provider::wire::{Figure, Text, Written, amount, number, positive, quote, said, words};

/// Any message of the socket, with the members that are used: "WebSocket API v2", <https://docs.kraken.com>.
#[derive(Debug, Deserialize)]
pub struct Message<'a> {
    /// Of data; an answer to a request has a method instead.
    #[serde(borrow)]
    pub channel: Option<Text<'a>>,
    /// `snapshot` or `update`.
    #[serde(rename = "type", borrow)]
    pub kind: Option<Text<'a>>,
    #[serde(borrow)]
    pub data: Option<Vec<Row<'a>>>,
    #[serde(borrow)]
    pub method: Option<Text<'a>>,
    pub success: Option<bool>,
    /// The limit of messages is told with a capital letter.
    #[serde(alias = "Error", borrow)]
    pub error: Option<Text<'a>>,
    /// The pair that an answer is about, where it refuses.
    #[serde(borrow)]
    pub symbol: Option<Text<'a>>,
}

/// One row of the channels `trade`, `ticker`, `ohlc` or `status`: "Trades", "Ticker", "Candles (OHLC)" and "Status", <https://docs.kraken.com>.
#[derive(Debug, Deserialize)]
pub struct Row<'a> {
    #[serde(borrow)]
    pub symbol: Option<Text<'a>>,
    #[serde(borrow)]
    pub timestamp: Option<Text<'a>>,
    /// Of the taker.
    #[serde(borrow)]
    pub side: Option<Text<'a>>,
    /// Rises by 1 with each trade of a pair.
    pub trade_id: Option<u64>,
    #[serde(borrow)]
    pub price: Option<Figure<'a>>,
    #[serde(borrow)]
    pub qty: Option<Figure<'a>>,
    #[serde(borrow)]
    pub last: Option<Figure<'a>>,
    /// Since 24 hours ago, as are the three that follow.
    #[serde(borrow)]
    pub change: Option<Figure<'a>>,
    #[serde(borrow)]
    pub high: Option<Figure<'a>>,
    #[serde(borrow)]
    pub low: Option<Figure<'a>>,
    #[serde(borrow)]
    pub volume: Option<Figure<'a>>,
    #[serde(borrow)]
    pub bid: Option<Figure<'a>>,
    #[serde(borrow)]
    pub bid_qty: Option<Figure<'a>>,
    #[serde(borrow)]
    pub ask: Option<Figure<'a>>,
    #[serde(borrow)]
    pub ask_qty: Option<Figure<'a>>,
    /// `online`, or why nothing is traded.
    #[serde(borrow)]
    pub system: Option<Text<'a>>,
    /// When the candle begins; its high, low and volume have the names that they have over 24 hours.
    #[serde(borrow)]
    pub interval_begin: Option<Text<'a>>,
    /// How many minutes the candle covers.
    pub interval: Option<u32>,
    #[serde(borrow)]
    pub open: Option<Figure<'a>>,
    #[serde(borrow)]
    pub close: Option<Figure<'a>>,
    #[serde(borrow)]
    pub vwap: Option<Figure<'a>>,
    /// How many trades the candle has.
    pub trades: Option<u64>,
}

/// A message of which only its channel can be read.
#[derive(Deserialize)]
struct Channel<'a> {
    #[serde(borrow)]
    channel: Text<'a>,
}

/// The channels that mean something to us.
const CHANNELS: [&str; 5] = ["trade", "ticker", "ohlc", "heartbeat", "status"];

/// How old a trade of a snapshot may be: it fills what was missed by a reconnect, and is no history.
const SNAPSHOT_AGE: Duration = Duration::from_secs(120);

/// Decodes one frame. Unknown channels and methods are empty: new ones appear without notice.
pub fn decode(frame: &[u8], ts_recv: Timestamp) -> Result<Vec<StreamItem>, DecodeError> {
    let message: Message<'_> = match serde_json::from_slice(frame) {
        Ok(message) => message,
        Err(error) => return unreadable(frame, &error),
    };
    match message.channel.as_ref().map(Text::as_str) {
        Some("trade") => trades(&message, ts_recv),
        Some("ticker") => gather(message.rows()?.iter().map(|row| ticker(row, ts_recv))),
        Some("ohlc") => gather(message.rows()?.iter().map(|row| candle(row, ts_recv))),
        Some("heartbeat") => Ok(vec![heartbeat(ts_recv)]),
        Some("status") => Ok(status(message.rows()?)),
        Some(_) => Ok(Vec::new()),
        None => answer(&message),
    }
}

/// A message that does not fit is an error, unless it is of a channel that may look as it likes.
fn unreadable(frame: &[u8], error: &serde_json::Error) -> Result<Vec<StreamItem>, DecodeError> {
    match serde_json::from_slice::<Channel<'_>>(frame) {
        // A list could be read as one as well.
        Ok(Channel { channel }) if frame.starts_with(b"{") && !CHANNELS.contains(&channel.as_str()) => Ok(Vec::new()),
        _ => Err(DecodeError::new(format!("a kraken frame is not the JSON it should be, at column {}", error.column()))),
    }
}

fn trades(message: &Message<'_>, ts_recv: Timestamp) -> Result<Vec<StreamItem>, DecodeError> {
    let mut rows: Vec<&Row<'_>> = message.rows()?.iter().collect();
    rows.sort_by(|a, b| (a.symbol(), a.trade_id).cmp(&(b.symbol(), b.trade_id)));
    let mut events = gather(rows.into_iter().map(|row| trade(row, ts_recv).map(Some)))?;
    if message.kind.as_ref().is_some_and(|kind| kind.as_str() == "snapshot") {
        events = events.into_iter().map(start_of_ids).collect();
        // Ids start at the newest of the old trades.
        events.dedup_by(|next, kept| {
            let same = next.symbol == kept.symbol && is_start(next) && is_start(kept);
            if same {
                std::mem::swap(next, kept);
            }
            same
        });
    }
    Ok(events.into_iter().map(StreamItem::Event).collect())
}

/// Of an old trade only its id is of use: it was made before we listened.
fn start_of_ids(event: MarketEvent) -> MarketEvent {
    let last_trade_id = match &event.kind {
        EventKind::Trade(Trade { trade_id: Some(TradeId::Counted(id)), .. }) => Some(*id),
        _ => None,
    };
    let is_old = event.ts_recv.since(event.ts_event) > SNAPSHOT_AGE;
    if is_old { MarketEvent { kind: EventKind::Heartbeat { last_trade_id }, ..event } } else { event }
}

fn is_start(event: &MarketEvent) -> bool {
    matches!(event.kind, EventKind::Heartbeat { .. })
}

fn trade(row: &Row<'_>, ts_recv: Timestamp) -> Result<MarketEvent, DecodeError> {
    let missing = |name: &str| DecodeError::new(format!("a kraken trade has no {name} that is a number"));
    let price = number(row.price).ok_or_else(|| missing("price"))?;
    let size = number(row.qty).ok_or_else(|| missing("quantity"))?;
    if size < 0.0 {
        return Err(DecodeError::new("a kraken trade has a negative quantity"));
    }
    let taker = match row.side.as_ref().map(Text::as_str) {
        Some("buy") => Some(Side::Buy),
        Some("sell") => Some(Side::Sell),
        _ => None,
    };
    let trade = Trade { price, size, trade_id: row.trade_id.map(TradeId::Counted), taker, ..Trade::default() };
    let (symbol, ts_event) = head(row, ts_recv)?;
    Ok(MarketEvent { symbol, ts_event, ts_recv, kind: EventKind::Trade(trade) })
}

fn ticker(row: &Row<'_>, ts_recv: Timestamp) -> Result<Vec<StreamItem>, DecodeError> {
    let last = positive(row.last).map(|price| Last {
        price,
        reference: row.last.zip(row.change).and_then(|(last, change)| before(last, change)),
        day_open: None,
        day_high: positive(row.high),
        day_low: positive(row.low),
        day_volume: amount(row.volume),
    });
    let quote = quote((row.bid, row.bid_qty), (row.ask, row.ask_qty));
    if last.is_none() && quote.is_none() {
        return Err(DecodeError::new("a kraken ticker has no price"));
    }
    let (symbol, ts_event) = head(row, ts_recv)?;
    let event = |kind| StreamItem::Event(MarketEvent { symbol: Arc::clone(&symbol), ts_event, ts_recv, kind });
    Ok(last.map(EventKind::Last).into_iter().chain(quote.map(EventKind::Quote)).map(event).collect())
}

/// A minute as the source has it so far: it is told of with each trade, and nothing says that it is over.
fn candle(row: &Row<'_>, ts_recv: Timestamp) -> Result<Vec<StreamItem>, DecodeError> {
    if row.interval != Some(1) {
        return Ok(Vec::new());
    }
    let (symbol, _) = head(row, ts_recv)?;
    let bad = || DecodeError::new("a kraken candle has figures that are none");
    let begin = said(row.interval_begin.as_ref()).and_then(|begin| begin.parse().ok()).ok_or_else(bad)?;
    let price = |figure| number(figure).ok_or_else(bad);
    let bar = SourceBar {
        interval: Interval::OneMinute,
        open_time: begin,
        open: price(row.open)?,
        high: price(row.high)?,
        low: price(row.low)?,
        close: price(row.close)?,
        volume: number(row.volume),
        vwap: positive(row.vwap),
        n_trades: row.trades,
    };
    Ok(vec![StreamItem::Event(MarketEvent { symbol, ts_event: ts_recv, ts_recv, kind: EventKind::Forming(bar) })])
}

/// No price has more places.
const MOST_PLACES: usize = 20;

/// The price of 24 hours ago, with as many places as it was written with.
fn before(last: Figure<'_>, change: Figure<'_>) -> Option<f64> {
    let price = last.value()? - change.value()?;
    let exact = last.places().zip(change.places()).map(|(a, b)| a.max(b).min(MOST_PLACES));
    let price = exact.map_or(Some(price), |places| format!("{price:.places$}").parse().ok());
    price.filter(|price| *price > 0.0)
}

/// It names no pair: it is the connection's.
fn heartbeat(ts_recv: Timestamp) -> StreamItem {
    let kind = EventKind::Heartbeat { last_trade_id: None };
    StreamItem::Event(MarketEvent { symbol: "".into(), ts_event: ts_recv, ts_recv, kind })
}

/// Said on each new connection, and whenever it changes.
fn status(rows: &[Row<'_>]) -> Vec<StreamItem> {
    let systems = rows.iter().filter_map(|row| row.system.as_ref()).map(Text::as_str);
    let told = |system: &str| StreamItem::Refused(format!("kraken is not open for trading: {}", clean(system)));
    systems.filter(|system| *system != "online").map(told).collect()
}

/// The answer to a request: one for each pair.
fn answer(message: &Message<'_>) -> Result<Vec<StreamItem>, DecodeError> {
    if message.error.is_some() || message.success == Some(false) {
        return Ok(vec![StreamItem::Refused(refusal(message))]);
    }
    match message.method.as_ref().map(Text::as_str) {
        Some("subscribe") => Ok(vec![StreamItem::Subscribed]),
        Some(_) => Ok(Vec::new()),
        None => Err(DecodeError::new("a kraken frame names neither a channel nor a method")),
    }
}

fn refusal(message: &Message<'_>) -> String {
    let reason = words(message.error.as_ref()).unwrap_or_else(|| "no reason given".to_owned());
    match words(message.symbol.as_ref()) {
        Some(symbol) if !reason.contains(&symbol) => format!("{reason}: {symbol}"),
        _ => reason,
    }
}

/// Whose row it is, and when.
fn head(row: &Row<'_>, ts_recv: Timestamp) -> Result<(Arc<str>, Timestamp), DecodeError> {
    let symbol = row.symbol().filter(|symbol| !symbol.is_empty()).ok_or_else(|| DecodeError::new("a kraken message names no pair"))?;
    // Older tickers have no time.
    let ts_event = match row.timestamp.as_ref().map(Text::as_str).filter(|time| !time.is_empty()) {
        Some(sent) => sent.parse().map_err(|_| DecodeError::new("a kraken message has a time that is none"))?,
        None => ts_recv,
    };
    Ok((symbol.into(), ts_event))
}

impl<'a> Message<'a> {
    fn rows(&self) -> Result<&[Row<'a>], DecodeError> {
        self.data.as_deref().ok_or_else(|| DecodeError::new("a kraken message of a channel has no data"))
    }
}

impl Row<'_> {
    fn symbol(&self) -> Option<&str> {
        self.symbol.as_ref().map(Text::as_str)
    }
}
