//! Frames of the Alpaca socket in our words. It opens no socket.

use std::collections::HashSet;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::market::{EventKind, Interval, MarketEvent, Quote, SourceBar, Timestamp, Trade, TradeId, clean};
use crate::provider::alpaca::choice::Channel;
use crate::provider::alpaca::condition::moves;
use crate::provider::alpaca::fault::fault;
use crate::provider::alpaca::wire::{self, instant};
use crate::provider::protocol::{DecodeError, StreamItem, gather};
use crate::provider::wire::{Text, amount, positive, said};

/// Of whom, when, and what.
type Told = (Arc<str>, Timestamp, EventKind);

/// Decodes one frame, which is a list of messages of any kinds; `channels` are those that were asked for.
pub fn decode(frame: &[u8], channels: &[Channel], ts_recv: Timestamp) -> Result<Vec<StreamItem>, DecodeError> {
    let messages: Vec<&RawValue> = serde_json::from_slice(frame)
        .map_err(|error| DecodeError::new(format!("an alpaca frame is not the list it should be, at column {}", error.column())))?;
    gather(messages.into_iter().map(|message| item(message.get(), channels, ts_recv)))
}

/// One message. New kinds appear without notice: they mean nothing, as do the price bands (`l`), the imbalances (`i`), and the day's
/// bars (`d`), which do not say when their price was made: looks bring the day's figures with that.
fn item(message: &str, channels: &[Channel], ts_recv: Timestamp) -> Result<Option<StreamItem>, DecodeError> {
    let wire::Tag { kind } = read(message, "message")?;
    let told = match said(kind.as_ref()) {
        Some("t") => Some(trade(message)?),
        Some("q") => quote(message)?,
        // What late trades made of a minute is a later word on it.
        Some("b" | "u") => Some(bar(message)?),
        Some("s") => status(message)?,
        Some("c" | "x") => Some(amendment(message)?),
        Some("success") => return welcome(message),
        Some("subscription") => return Ok(Some(StreamItem::Confirmed(confirmed(&read(message, "subscription")?, channels)))),
        Some("error") => return Ok(fault(&read(message, "error")?)),
        Some(_) => None,
        None => return Err(DecodeError::new("an alpaca message does not say what it is")),
    };
    Ok(told.map(|(symbol, ts_event, kind)| StreamItem::Event(MarketEvent { symbol, ts_event, ts_recv, kind })))
}

fn trade(message: &str) -> Result<Told, DecodeError> {
    let told: wire::Trade<'_> = read(message, "trade")?;
    let missing = |name: &str| DecodeError::new(format!("an alpaca trade has no {name}"));
    let price = told.price.ok_or_else(|| missing("price"))?;
    let size = told.size.ok_or_else(|| missing("size"))?;
    if size < 0.0 {
        return Err(DecodeError::new("an alpaca trade has a negative size"));
    }
    let conditions: Vec<&str> = told.conditions.iter().flatten().filter_map(|condition| said(Some(condition))).collect();
    let trade = Trade {
        price,
        size,
        trade_id: trade_id(told.venue.as_ref(), told.id),
        moves: moves(said(told.tape.as_ref()), conditions.iter().copied()),
        venue: said(told.venue.as_ref()).map(|venue| clean(venue).into()),
        conditions: (!conditions.is_empty()).then(|| clean(&conditions.join("|")).into()),
        ..Trade::default()
    };
    let (symbol, time) = head(told.symbol.as_ref(), told.time.as_ref())?;
    Ok((symbol, time, EventKind::Trade(trade)))
}

/// Ids are told apart by their exchange; they are not counted, and no loss can be seen in them.
fn trade_id(venue: Option<&Text<'_>>, id: Option<&RawValue>) -> Option<TradeId> {
    let id = id?.get().trim_matches('"');
    let is_id = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let venue = clean(said(venue)?);
    is_id.then(|| TradeId::Named(format!("{venue}-{id}").into()))
}

/// Sizes are as they are sent: shares, or round lots of them in older times.
fn quote(message: &str) -> Result<Option<Told>, DecodeError> {
    let told: wire::Quote<'_> = read(message, "quote")?;
    let (symbol, time) = head(told.symbol.as_ref(), told.time.as_ref())?;
    Ok(sides(&told).map(|quote| (symbol, time, EventKind::Quote(quote))))
}

/// Both sides of a quote; `None` when nobody stands on either.
#[must_use]
pub fn sides(told: &wire::Quote<'_>) -> Option<Quote> {
    let (bid, ask) = (positive(told.bid), positive(told.ask));
    // A size that is none does not cost its price.
    let (bid_size, ask_size) = (bid.and(amount(told.bid_size)), ask.and(amount(told.ask_size)));
    (bid.is_some() || ask.is_some()).then_some(Quote { bid, bid_size, ask, ask_size })
}

/// A minute, told when it is over.
fn bar(message: &str) -> Result<Told, DecodeError> {
    let told: wire::Bar<'_> = read(message, "bar")?;
    let (symbol, open_time) = head(told.symbol.as_ref(), told.time.as_ref())?;
    let bar = source_bar(&told, Interval::OneMinute, open_time).ok_or_else(|| DecodeError::new("an alpaca bar has a hole in it"))?;
    Ok((symbol, open_time + Interval::OneMinute.duration(), EventKind::Bar(bar)))
}

/// A bar with its figures; `None` when one of its prices is missing.
#[must_use]
pub fn source_bar(told: &wire::Bar<'_>, interval: Interval, open_time: Timestamp) -> Option<SourceBar> {
    Some(SourceBar {
        interval,
        open_time,
        open: told.open?,
        high: told.high?,
        low: told.low?,
        close: told.close?,
        volume: told.volume,
        vwap: positive(told.vwap),
        n_trades: told.count,
    })
}

/// The codes of both tapes do not contradict each other: `2` and `3` are those of A and B, `H`, `P` and `T` those of C. A resumption of
/// quotes (`Q`) is none of trades yet, and the others change nothing.
fn status(message: &str) -> Result<Option<Told>, DecodeError> {
    let told: wire::Status<'_> = read(message, "status")?;
    let (symbol, time) = head(told.symbol.as_ref(), told.time.as_ref())?;
    let halt = match said(told.code.as_ref()) {
        Some("2" | "H" | "P") => Some(reason(&told)),
        Some("3" | "T") => None,
        Some(_) | None => return Ok(None),
    };
    Ok(Some((symbol, time, EventKind::Halt(halt))))
}

fn reason(told: &wire::Status<'_>) -> Arc<str> {
    let words = match (said(told.message.as_ref()), said(told.reason.as_ref())) {
        (Some(message), Some(reason)) => format!("{message}: {reason}"),
        (Some(only), None) | (None, Some(only)) => only.to_owned(),
        (None, None) => "trading halt".to_owned(),
    };
    clean(&words).into()
}

/// The bar of the original has to be asked again, whatever became of the trade.
fn amendment(message: &str) -> Result<Told, DecodeError> {
    let told: wire::Amendment<'_> = read(message, "correction")?;
    let (symbol, time) = head(told.symbol.as_ref(), told.time.as_ref())?;
    Ok((symbol, time, EventKind::Correction { trade_id: trade_id(told.venue.as_ref(), told.id) }))
}

fn welcome(message: &str) -> Result<Option<StreamItem>, DecodeError> {
    let told: wire::Notice<'_> = read(message, "greeting")?;
    Ok(match said(told.words.as_ref()) {
        Some("connected") => Some(StreamItem::Greeted),
        Some("authenticated") => Some(StreamItem::Admitted),
        Some(_) | None => None,
    })
}

/// What is subscribed in every channel that was asked for.
fn confirmed(told: &wire::Subscription<'_>, channels: &[Channel]) -> Vec<String> {
    let mut lists = channels.iter().map(|channel| of_channel(told, *channel));
    let Some(first) = lists.next() else { return Vec::new() };
    let others: Vec<HashSet<&str>> = lists.map(|list| list.iter().map(Text::as_str).collect()).collect();
    let everywhere = |symbol: &&str| others.iter().all(|list| list.contains(symbol));
    first.iter().map(Text::as_str).filter(everywhere).map(str::to_owned).collect()
}

fn of_channel<'t, 'a>(told: &'t wire::Subscription<'a>, channel: Channel) -> &'t [Text<'a>] {
    let list = match channel {
        Channel::Trades => &told.trades,
        Channel::Quotes => &told.quotes,
        Channel::Bars => &told.bars,
        Channel::UpdatedBars => &told.updated_bars,
        Channel::DailyBars => &told.daily_bars,
        Channel::Statuses => &told.statuses,
    };
    list.as_deref().unwrap_or_default()
}

/// Whose message it is, and when.
fn head(symbol: Option<&Text<'_>>, time: Option<&Text<'_>>) -> Result<(Arc<str>, Timestamp), DecodeError> {
    let symbol = said(symbol).ok_or_else(|| DecodeError::new("an alpaca message names no symbol"))?;
    let time = instant(time).ok_or_else(|| DecodeError::new("an alpaca message has no time that is one"))?;
    Ok((symbol.into(), time))
}

/// What the source wrote stays out of the error.
fn read<'a, T: Deserialize<'a>>(message: &'a str, what: &str) -> Result<T, DecodeError> {
    serde_json::from_str(message)
        .map_err(|error| DecodeError::new(format!("an alpaca {what} is not as it should be, at column {}", error.column())))
}
