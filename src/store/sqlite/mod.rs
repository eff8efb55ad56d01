//! The store on SQLite: one thread writes, a few read.

mod append;
mod bar;
mod open;
mod read;
mod store;
mod thread;

pub use open::Creation;
pub use store::Sqlite;
