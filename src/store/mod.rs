//! Where everything seen is kept.

mod contract;
mod sqlite;
mod writer;

pub use contract::{Ack, BarQuery, Batch, JobQuery, JobRecord, RecordQuery, Store, StoreError, StoreStatus, SymbolStatus, ViolationRow};
pub use sqlite::{Creation, Sqlite};
pub use writer::{Writer, WriterEvent};
