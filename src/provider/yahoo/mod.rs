//! Yahoo Finance: prices of nearly everything, without a key and without a promise. Nothing of it is documented by the vendor.

mod action;
mod bars;
mod chart;
mod decode;
mod figure;
mod hours;
mod look;
mod pass;
mod quote;
mod rest;
mod search;
mod spec;
mod spell;
mod split;
mod stream;
mod turn;

pub use action::actions;
pub use bars::bars;
pub use chart::{Series, chart, explain};
pub use decode::{PricingData, decode};
pub use look::look;
pub use pass::{cookies, crumb};
pub use quote::quotes;
pub use rest::{Yahoo, pages};
pub use search::found;
pub use spec::SPEC;
pub use spell::{spell, unspell};
pub use split::{Split, splits, unadjust};
pub use stream::Feed;
