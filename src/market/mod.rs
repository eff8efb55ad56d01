//! The vocabulary of the market: plain data that every other part speaks. It depends on nothing.

mod bar;
mod delay;
mod event;
mod instrument;
mod interval;
mod session;
mod symbol;
mod text;
mod time;

pub use bar::{Bar, BarFlags, BarKey, Origin, Source};
pub use delay::Delay;
pub use event::{EventKind, Last, MarketEvent, Moves, Quote, Side, SourceBar, Trade};
pub use instrument::{AssetClass, Instrument, InstrumentId, Listing};
pub use interval::{Interval, IntervalError};
pub use session::SessionKind;
pub use symbol::{Symbol, SymbolError};
pub use text::clean;
pub use time::{Date, TimeError, TimeOfDay, Timestamp, Weekday, Zone};
