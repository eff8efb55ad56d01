//! Alpaca: trades, quotes and minute bars of US shares and funds, with a key pair: of one venue for nothing, of all for money.

mod action;
mod asset;
mod bars;
mod choice;
mod condition;
mod decode;
mod fault;
mod hours;
mod look;
mod rest;
mod spec;
mod stream;
mod wire;

pub use action::actions;
pub use asset::assets;
pub use bars::{Part, bars, pages};
pub use choice::{Channel, Choice, DataFeed};
pub use condition::moves;
pub use decode::decode;
pub use fault::{disguised, explain, refusal};
pub use hours::{days, status};
pub use look::look;
pub use rest::Alpaca;
pub use spec::{SPEC, spell, unspell};
pub use stream::Feed;
