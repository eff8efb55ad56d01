//! Kraken spot: trades, tickers and candles of crypto pairs, without a key.

mod body;
mod decode;
mod directory;
mod rest;
mod spec;
mod stream;

pub use body::{candles, explain, look, refusal, status};
pub use decode::{Message, Row, decode};
pub use directory::asset_pairs;
pub use rest::{Kraken, pages};
pub use spec::{SPEC, pair, spell, unspell};
pub use stream::Feed;
