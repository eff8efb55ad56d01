//! Financial Modeling Prep: prices, history, statements and lists of US shares and funds, indices, currencies and crypto, with a key.

mod action;
mod bars;
mod company;
mod decode;
mod details;
mod fault;
mod hours;
mod listing;
mod quote;
mod rest;
mod spec;
mod spell;
mod stream;
mod wire;

pub use action::{dividends, splits};
pub use bars::{bars, pages};
pub use company::{overview, statements};
pub use decode::decode;
pub use fault::{disguised, explain};
pub use hours::{days, status};
pub use listing::{Found, listed};
pub use quote::look;
pub use rest::Fmp;
pub use spec::SPEC;
pub use spell::{class, spell, unspell};
pub use stream::Feed;
