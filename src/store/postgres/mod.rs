//! The store on PostgreSQL, with TimescaleDB where the database has it: a pool of connections, and one writer at a time.

mod append;
mod bar;
mod check;
mod claim;
mod connect;
mod count;
mod dump;
mod explain;
mod failure;
mod known;
mod listing;
mod open;
mod partition;
mod read;
mod reference;
mod rows;
mod store;
mod stream;
mod tls;
mod types;

pub(crate) use dump::{Dumper, has_tool, prove, schema_in};
pub use store::Postgres;
