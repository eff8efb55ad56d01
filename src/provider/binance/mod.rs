//! Binance spot: trades, tickers and klines of crypto pairs from the market-data hosts, without a key.

mod ban;
mod body;
mod decode;
mod rest;
mod spec;
mod stream;

pub use body::{klines, look};
pub use decode::decode;
pub use rest::{Binance, pages};
pub use spec::{SPEC, spell};
pub use stream::Feed;
