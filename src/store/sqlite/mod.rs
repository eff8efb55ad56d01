//! The store on SQLite: one thread writes, a few read.

mod append;
mod backup;
mod bar;
mod count;
mod listing;
mod open;
mod read;
mod reference;
mod rows;
mod store;
mod thread;

pub(crate) use backup::{Archive, copy_pages};
pub(crate) use open::explain;
pub use store::Sqlite;
pub(crate) use thread::ConnectionThread;
