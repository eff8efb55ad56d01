//! What the made-up exchange says, in our words.

use crate::market::{EventKind, Interval, Last, MarketEvent, Quote, Side, SourceBar, Timestamp, Trade, TradeId, clean};
use crate::provider::protocol::{DecodeError, StreamItem};
use crate::provider::sim::wire::{Row, Said, TradeSaid};

/// One frame.
pub fn decode(frame: &[u8], ts_recv: Timestamp) -> Result<Vec<StreamItem>, DecodeError> {
    let said: Said<'_> =
        serde_json::from_slice(frame).map_err(|e| DecodeError::new(format!("not what the exchange says ({})", clean(&e.to_string()))))?;
    let event = |symbol: &str, time_us: i64, kind: EventKind| {
        vec![StreamItem::Event(MarketEvent { symbol: symbol.into(), ts_event: Timestamp::from_micros(time_us), ts_recv, kind })]
    };
    Ok(match said {
        Said::Trade(TradeSaid { symbol, id, time_us, price, size, buy }) => {
            let taker = Some(if buy { Side::Buy } else { Side::Sell });
            let trade = Trade { price, size, trade_id: Some(TradeId::Counted(id)), taker, ..Trade::default() };
            event(&symbol, time_us, EventKind::Trade(trade))
        }
        Said::Quote { symbol, time_us, bid, ask, bid_size, ask_size } => {
            let quote = Quote { bid: Some(bid), bid_size: Some(bid_size), ask: Some(ask), ask_size: Some(ask_size) };
            event(&symbol, time_us, EventKind::Quote(quote))
        }
        Said::Day { symbol, time_us, last, reference, open, high, low, volume } => {
            let day = Last {
                price: last,
                reference: Some(reference),
                day_open: Some(open),
                day_high: Some(high),
                day_low: Some(low),
                day_volume: Some(volume),
            };
            event(&symbol, time_us, EventKind::Last(day))
        }
        Said::Bar { symbol, interval_s, bar } => {
            let interval = Interval::from_seconds(interval_s).ok_or_else(|| DecodeError::new("a bar of no known interval"))?;
            let bar = source_bar(interval, bar);
            event(&symbol, bar.open_time.as_micros(), EventKind::Bar(bar))
        }
        Said::Heartbeat { time_us } => event("", time_us, EventKind::Heartbeat { last_trade_id: None }),
        Said::Subscribed => vec![StreamItem::Subscribed],
        Said::Error { message } => vec![StreamItem::Refused(clean(&message).into_owned())],
        Said::History { .. } => Vec::new(),
    })
}

/// The answer to a question for history; `None` for a frame that is something else.
pub fn decode_history(frame: &[u8], interval: Interval) -> Result<Option<Vec<SourceBar>>, DecodeError> {
    let said: Said<'_> =
        serde_json::from_slice(frame).map_err(|e| DecodeError::new(format!("not what the exchange says ({})", clean(&e.to_string()))))?;
    match said {
        Said::History { bars } => Ok(Some(bars.into_iter().map(|row| source_bar(interval, row)).collect())),
        Said::Error { message } => Err(DecodeError::new(clean(&message).into_owned())),
        _ => Ok(None),
    }
}

fn source_bar(interval: Interval, (open_us, open, high, low, close, volume, n_trades): Row) -> SourceBar {
    SourceBar {
        interval,
        open_time: Timestamp::from_micros(open_us),
        open,
        high,
        low,
        close,
        volume: Some(volume),
        vwap: None,
        n_trades: Some(n_trades),
    }
}
