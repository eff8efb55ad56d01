//! Massive, formerly Polygon.io: trades, quotes, bars, snapshots and reference data of the United States, currencies and crypto.

mod bars;
mod body;
mod company;
mod condition;
mod decode;
mod directory;
mod hours;
mod look;
mod raw;
mod rest;
mod spec;
mod spell;
mod stream;

pub use bars::{bars, misfit, pages};
pub use body::{disguised, explain};
pub use company::{dividends, overview, splits};
pub use condition::moves;
pub use decode::decode;
pub use directory::listed;
pub use hours::{days, state, status};
pub use look::{snapshots, unified};
pub use rest::{Polygon, same_house};
pub use spec::SPEC;
pub use spell::{Cluster, cluster_of, spell, unspell};
pub use stream::{Feed, is_delayed};
