//! Frames of sources into events.

use std::hint::black_box;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use openbell::market::{EventKind, Timestamp};
use openbell::provider::yahoo::PricingData;
use openbell::provider::{DecodeError, StreamItem};
use openbell::provider::{coinbase, sim, yahoo};
use prost::Message as _;

use super::bare;
use super::bars::in_session;
use super::contract::{Budget, Case, Size, timed};

type Decode = fn(&[u8], Timestamp) -> Result<Vec<StreamItem>, DecodeError>;

/// How many different frames take turns.
const FRAMES: u32 = 64;

/// A trade of Coinbase against bare serde_json.
pub fn coinbase_match(size: Size) -> Case {
    let frame = |i: u32| {
        format!(
            r#"{{"type":"match","trade_id":{},"maker_order_id":"8c0f4d1e-0000-4000-8000-{i:012}","taker_order_id":"1d2e7a3b-0000-4000-8000-{i:012}","side":"{}","size":"0.{:08}","price":"{}.{:02}","product_id":"{}-USD","sequence":{},"time":"2026-11-20T15:04:{:02}.{:06}Z"}}"#,
            995_098_663 + i,
            if i.is_multiple_of(2) { "buy" } else { "sell" },
            64_000 + i * 7,
            68_923 + i,
            i,
            ["BTC", "ETH", "SOL", "AVAX"][i as usize % 4],
            85_012_345_678 + u64::from(i),
            i % 60,
            i * 9_901,
        )
        .into_bytes()
    };
    case("decode a Coinbase match", size, frame, coinbase::decode, bare::coinbase)
}

/// A price of Yahoo against bare serde_json, base64 and prost.
pub fn yahoo_pricing(size: Size) -> Case {
    let frame = |i: u32| {
        let cents = f32::from(u16::try_from(i).unwrap_or(0));
        let data = PricingData {
            id: ["AAPL", "MSFT", "BTC-USD", "EURUSD=X"][i as usize % 4].to_owned(),
            price: Some(190.25 + cents / 100.0),
            time: Some(1_795_186_800_000 + i64::from(i) * 137),
            quote_type: 8,
            market_hours: 1,
            change_percent: Some(0.502),
            day_volume: Some(1_234_567 + i64::from(i)),
            day_high: Some(191.75),
            day_low: Some(188.5),
            change: Some(0.95),
            ..PricingData::default()
        };
        format!(r#"{{"type":"pricing","message":"{}"}}"#, STANDARD.encode(data.encode_to_vec())).into_bytes()
    };
    case("decode a Yahoo price", size, frame, yahoo::decode, bare::yahoo)
}

/// A trade of the made-up exchange against bare serde_json.
pub fn sim_trade(size: Size) -> Case {
    let frame = |i: u32| {
        format!(
            r#"{{"trade":{{"symbol":"{}","id":{},"time_us":{},"price":{}.{:02},"size":{}.0,"buy":{}}}}}"#,
            ["AAPL", "MSFT", "BTC-USD", "EUR/USD"][i as usize % 4],
            7_353_085_132_800_u64 + u64::from(i),
            1_795_186_800_000_000_u64 + u64::from(i) * 7_919,
            200 + i,
            i,
            10 * (i + 1),
            i.is_multiple_of(2),
        )
        .into_bytes()
    };
    case("decode a simulated trade", size, frame, sim::decode, bare::sim)
}

fn case(name: &'static str, size: Size, frame: impl Fn(u32) -> Vec<u8>, decode: Decode, bare: fn(&[Vec<u8>]) -> u64) -> Case {
    let frames: Vec<Vec<u8>> = (0..FRAMES).map(frame).collect();
    let rounds = size.of(1, 1_500);
    let units = rounds as u64 * u64::from(FRAMES);
    let same = frames.clone();
    Case {
        name,
        unit: "frames",
        units,
        ours: Box::new(move || timed(|| (0..rounds).map(|_| decoded(decode, black_box(&frames))).sum())),
        bare: Some(Box::new(move || timed(|| (0..rounds).map(|_| bare(black_box(&same))).sum()))),
        budget: Budget::Ratio(0.8),
    }
}

fn decoded(decode: Decode, frames: &[Vec<u8>]) -> u64 {
    let now = in_session();
    let is_price =
        |item: &StreamItem| matches!(item, StreamItem::Event(event) if matches!(event.kind, EventKind::Trade(_) | EventKind::Last(_)));
    let read = |frame: &&Vec<u8>| decode(frame, now).is_ok_and(|items| black_box(items).iter().any(is_price));
    frames.iter().filter(read).count() as u64
}
