//! From events to judged bars: the same path for what comes live and what is backfilled.

mod adjust;
mod aggregate;
mod dedupe;
mod fuse;
mod judge;
mod live;
mod normalise;
mod resample;
mod revision;

pub use adjust::adjusted;
pub use aggregate::{Aggregator, Building, Late};
pub use dedupe::{Dedupe, Freshness};
pub use fuse::{Fused, Ranks, fuse};
pub use judge::{Judge, Judged, refused};
pub use live::{FeedFacts, Hole, Live, Output, Seen, source_bar};
pub use normalise::{Route, Routes, check_trade, widen};
pub use resample::resample;
pub use revision::remember;
