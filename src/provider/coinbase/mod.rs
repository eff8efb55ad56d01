//! Coinbase Exchange: trades, tickers and candles of crypto pairs, without a key.

mod body;
mod decode;
mod rest;
mod spec;
mod stream;

pub use body::{candles, look};
pub use decode::{Figure, Message, Text, decode};
pub use rest::{Coinbase, pages};
pub use spec::{SPEC, spell};
pub use stream::Feed;
