//! Finnhub: last prices of US shares, currencies and a few coins, with a key.

mod abilities;
mod body;
mod decode;
mod details;
mod listed;
mod rest;
mod spec;
mod stream;

pub use body::{explain, look, refusal};
pub use decode::decode;
pub use details::{days, overview, status};
pub use listed::{found, symbols};
pub use rest::Finnhub;
pub use spec::{SPEC, spell, unspell};
pub use stream::Feed;
