//! The vocabulary of the market: plain data that every other part speaks. It depends on nothing.

mod action;
mod bar;
mod delay;
mod directory;
mod event;
mod fundamental;
mod instrument;
mod interval;
mod session;
mod symbol;
mod text;
mod time;

pub use action::{ActionKind, CorporateAction};
pub use bar::{Bar, BarFlags, BarKey, Origin, Source};
pub use delay::Delay;
pub use directory::{Category, Listed};
pub use event::{EventKind, Last, MarketEvent, Moves, Quote, Side, SourceBar, Trade, TradeId};
pub use fundamental::{Fundamental, Period, Statement};
pub use instrument::{AssetClass, Instrument, InstrumentId, Listing};
pub use interval::{Interval, IntervalError};
pub use session::SessionKind;
pub use symbol::{Symbol, SymbolError};
pub use text::clean;
pub use time::{Date, TimeError, TimeOfDay, Timestamp, Weekday, Zone};
