//! Kraken spot: trades, tickers and candles of crypto pairs, without a key.

mod body;
mod decode;
mod rest;
mod spec;
mod stream;

pub use body::{candles, look, refusal};
pub use decode::{Figure, Message, Row, Text, decode};
pub use rest::{Kraken, pages};
pub use spec::{SPEC, pair, spell};
pub use stream::Feed;
