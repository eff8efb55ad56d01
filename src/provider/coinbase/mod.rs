//! Coinbase Exchange: trades, tickers and candles of crypto pairs, without a key.

mod body;
mod decode;
mod directory;
mod rest;
mod spec;
mod stream;

pub use body::{candles, clock, explain, look};
pub use decode::{Figure, Message, decode};
pub use directory::products;
pub use rest::{Coinbase, pages};
pub use spec::{SPEC, spell, unspell};
pub use stream::Feed;
