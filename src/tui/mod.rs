//! The monitor without a terminal: a model, the one function that changes it, and the one that draws it.

mod backfill;
mod command;
mod confirm;
mod detail;
mod export;
mod field;
mod form;
mod help;
mod key;
mod keymap;
mod layout;
mod model;
mod overlay;
mod palette;
mod report;
mod symbol;
mod update;
mod view;

pub use command::{COMMANDS, GlobalCommand};
pub use key::Key;
pub use keymap::{Keymap, key_table};
pub use layout::{LAYOUTS, Layout};
pub use model::{Model, Parts};
pub use update::{Msg, update};
pub use view::view;
