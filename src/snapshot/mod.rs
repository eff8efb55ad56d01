//! The conflated picture that screens draw: events are folded in, nothing is asked.

mod age;
mod feed;
mod instrument;
mod usage;
mod view;
mod work;

pub use age::{Standing, standing};
pub use feed::{FeedState, FeedView, Rate};
pub use instrument::{InstrumentView, Price};
pub use usage::Usage;
pub use view::{MarketView, Update, VenueView, venue_view};
pub use work::{JobState, JobView, LogLine, WriterView};
