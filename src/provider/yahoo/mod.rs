//! Yahoo Finance: prices of nearly everything, without a key and without a promise. Nothing of it is documented by the vendor.

mod bars;
mod chart;
mod decode;
mod figure;
mod hours;
mod look;
mod rest;
mod spec;
mod spell;
mod split;
mod stream;

pub use bars::bars;
pub use chart::{Series, chart};
pub use decode::{PricingData, decode};
pub use look::look;
pub use rest::{Yahoo, pages};
pub use spec::SPEC;
pub use spell::spell;
pub use split::{Split, splits, unadjust};
pub use stream::Feed;
