//! When a venue is open: rules and exceptions are data in `assets/calendars`, one file a venue; nothing here reads a clock or a file.

mod holiday;
mod rules;
mod special;
mod day;
mod error;
mod venue;
mod calendars;
mod grid;

pub use calendars::Calendars;
pub use day::{Change, Day, Moment, Note, NoteKind, Reason, Session, State};
pub use error::{CalendarError, NotKnown, Refusal};
pub use grid::{Bounds, bar_bounds, bar_opens};
pub use venue::Calendar;

/// The calendar of every venue, in the order lists show them.
pub const VENUES: &[&str] = &[
    include_str!("../../assets/calendars/xnys.toml"),
    include_str!("../../assets/calendars/xlon.toml"),
    include_str!("../../assets/calendars/xtks.toml"),
    include_str!("../../assets/calendars/xhkg.toml"),
    include_str!("../../assets/calendars/crypto.toml"),
    include_str!("../../assets/calendars/fx.toml"),
];
