//! Frames of the Yahoo streamer in our words. It opens no socket.

use std::borrow::Cow;
use std::sync::Arc;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use prost::Message as _;
use serde::Deserialize;

use crate::market::{EventKind, Last, MarketEvent, Quote, Timestamp};
use crate::pipeline::widen;
use crate::provider::protocol::{DecodeError, StreamItem};
use crate::provider::wire::positive;
use crate::provider::yahoo::figure::{amount, shortest};

/// `PricingData` of the streamer, with the fields that are used. The vendor documents it nowhere. What is at its proto3 default
/// is not sent, and messages are sparse: a field that is absent was either zero or left out, and both are `None` here.
#[derive(Clone, PartialEq, prost::Message)]
pub struct PricingData {
    #[prost(string, tag = "1")]
    pub id: String,
    #[prost(float, optional, tag = "2")]
    pub price: Option<f32>,
    /// Milliseconds since 1970.
    #[prost(sint64, optional, tag = "3")]
    pub time: Option<i64>,
    #[prost(int32, tag = "6")]
    pub quote_type: i32,
    /// 0 before, 1 in, 2 after regular hours, 3 otherwise extended: absent means before.
    #[prost(int32, tag = "7")]
    pub market_hours: i32,
    #[prost(float, optional, tag = "8")]
    pub change_percent: Option<f32>,
    #[prost(sint64, optional, tag = "9")]
    pub day_volume: Option<i64>,
    #[prost(float, optional, tag = "10")]
    pub day_high: Option<f32>,
    #[prost(float, optional, tag = "11")]
    pub day_low: Option<f32>,
    #[prost(float, optional, tag = "12")]
    pub change: Option<f32>,
    #[prost(float, optional, tag = "15")]
    pub open_price: Option<f32>,
    #[prost(float, optional, tag = "16")]
    pub previous_close: Option<f32>,
    #[prost(float, optional, tag = "23")]
    pub bid: Option<f32>,
    #[prost(sint64, optional, tag = "24")]
    pub bid_size: Option<i64>,
    #[prost(float, optional, tag = "25")]
    pub ask: Option<f32>,
    #[prost(sint64, optional, tag = "26")]
    pub ask_size: Option<i64>,
    #[prost(sint64, optional, tag = "28")]
    pub vol_24hr: Option<i64>,
}

/// The frame of version 2; the vendor documents it nowhere.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    message: Cow<'a, str>,
}

/// A frame of which only its type can be read.
#[derive(Deserialize)]
struct Kind<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
}

/// The one type that carries prices.
const PRICING: &str = "pricing";

const HEARTBEAT: i32 = 7;
const CRYPTOCURRENCY: i32 = 41;

const PRE_MARKET: i32 = 0;
const REGULAR_MARKET: i32 = 1;

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent).with_decode_allow_trailing_bits(true),
);

/// Decodes one frame, in an envelope or bare. Unknown types are empty.
pub fn decode(frame: &[u8], ts_recv: Timestamp) -> Result<Vec<StreamItem>, DecodeError> {
    let frame = frame.trim_ascii();
    let message = if frame.starts_with(b"{") { enveloped(frame)? } else { Some(Cow::Borrowed(frame)) };
    let Some(message) = message else { return Ok(Vec::new()) };
    let bytes = BASE64.decode(&*message).map_err(|_| DecodeError::new("a yahoo frame is neither JSON nor base64"))?;
    let data = PricingData::decode(bytes.as_slice()).map_err(|_| DecodeError::new("a yahoo message is not the protobuf it should be"))?;
    events(&data, ts_recv)
}

/// The base64 text of an envelope; `None` for a type that is not ours to read.
fn enveloped(frame: &[u8]) -> Result<Option<Cow<'_, [u8]>>, DecodeError> {
    match serde_json::from_slice::<Envelope<'_>>(frame) {
        Ok(Envelope { kind, message }) if kind == PRICING => Ok(Some(bytes(message))),
        Ok(_) => Ok(None),
        Err(error) => match serde_json::from_slice::<Kind<'_>>(frame) {
            Ok(Kind { kind }) if kind != PRICING => Ok(None),
            _ => Err(DecodeError::new(format!("a yahoo frame is not the JSON it should be, at column {}", error.column()))),
        },
    }
}

fn bytes(text: Cow<'_, str>) -> Cow<'_, [u8]> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    }
}

fn events(data: &PricingData, ts_recv: Timestamp) -> Result<Vec<StreamItem>, DecodeError> {
    let symbol: Arc<str> = data.id.as_str().into();
    let ts_event = data.time.filter(|millis| *millis > 0).map_or(ts_recv, Timestamp::from_millis);
    let event = |kind| StreamItem::Event(MarketEvent { symbol: Arc::clone(&symbol), ts_event, ts_recv, kind });
    if data.quote_type == HEARTBEAT {
        return Ok(vec![event(EventKind::Heartbeat { last_trade_id: None })]);
    }
    if data.id.is_empty() {
        return Err(DecodeError::new("a yahoo message names no symbol"));
    }
    let last = last(data)?.map(EventKind::Last);
    let quote = quote(data).map(EventKind::Quote);
    if last.is_none() && quote.is_none() {
        return Err(DecodeError::new("a yahoo message has no price"));
    }
    Ok(last.into_iter().chain(quote).map(event).collect())
}

/// A price that was not sent is not known; one that was sent has to be one.
fn last(data: &PricingData) -> Result<Option<Last>, DecodeError> {
    let Some(sent) = data.price else { return Ok(None) };
    let price = price(Some(sent)).ok_or_else(|| DecodeError::new("a yahoo message has a price that is none"))?;
    Ok(Some(Last {
        price,
        reference: reference(data, price),
        day_open: self::price(data.open_price),
        day_high: self::price(data.day_high),
        day_low: self::price(data.day_low),
        day_volume: day_volume(data),
    }))
}

/// The price that the change is counted from: the previous session's regular close, for crypto 24 hours ago.
///
/// Before the open and in regular hours `change` counts from it. After the close it counts from the close of today, which is not
/// it, so nothing is said. Where no change was sent, proto3 means zero and a sparse message means nothing: the reference that
/// is already known stays right in both cases, and a made-up one would show a false zero.
fn reference(data: &PricingData, now: f64) -> Option<f64> {
    if let Some(close) = price(data.previous_close) {
        return Some(close);
    }
    if !matches!(data.market_hours, PRE_MARKET | REGULAR_MARKET) && data.quote_type != CRYPTOCURRENCY {
        return None;
    }
    let before = match (data.change, data.change_percent) {
        (Some(change), _) => now - widen(change),
        (None, Some(percent)) => now / (1.0 + widen(percent) / 100.0),
        (None, None) => return None,
    };
    positive(Some(shortest(before)))
}

/// Cumulative over regular hours, over 24 hours for crypto; what is sent outside of these is not the day's.
fn day_volume(data: &PricingData) -> Option<f64> {
    let sent = match data.quote_type {
        CRYPTOCURRENCY => data.vol_24hr,
        _ if data.market_hours == REGULAR_MARKET => data.day_volume,
        _ => None,
    };
    sent.filter(|count| *count > 0).map(amount)
}

fn quote(data: &PricingData) -> Option<Quote> {
    let (bid, ask) = (price(data.bid), price(data.ask));
    let size = |side: Option<f64>, size: Option<i64>| side.and(size).filter(|count| *count > 0).map(amount);
    (bid.is_some() || ask.is_some()).then(|| Quote { bid, bid_size: size(bid, data.bid_size), ask, ask_size: size(ask, data.ask_size) })
}

fn price(sent: Option<f32>) -> Option<f64> {
    positive(sent.map(widen))
}
