//! Binance spot: trades, tickers and klines of crypto pairs from the market-data hosts, without a key.

mod body;
mod decode;
mod directory;
mod rest;
mod spec;
mod stream;

pub use body::{clock, explain, klines, look};
pub use decode::decode;
pub use directory::symbols;
pub use rest::{Binance, pages};
pub use spec::{SPEC, spell, unspell, used_weight};
pub use stream::Feed;
