//! Alpha Vantage: end-of-day prices, history, statements and lists of US shares, funds and indices, with a key.

mod action;
mod bars;
mod company;
mod details;
mod fault;
mod hours;
mod listing;
mod pages;
mod quote;
mod rest;
mod series;
mod spec;
mod spell;
mod wire;

pub use action::{dividends, splits};
pub use bars::history;
pub use company::{overview, statements};
pub use fault::disguised;
pub use hours::status;
pub use listing::{catalog, found, listing};
pub use pages::{Reach, pages};
pub use quote::look;
pub use rest::AlphaVantage;
pub use spec::SPEC;
pub use spell::{spell, unspell};
