//! Where everything seen is kept.

mod contract;
mod error;
mod table;
mod listing;
mod reference;
mod merge;
mod sqlite;
mod postgres;
mod open;
mod digest;
mod copy;
mod backup;
mod restore;
mod spool;
mod writer;

pub use backup::{Backup, BackupKind, BackupOrder, BackupWay, Manifest, back_up, backup_way, keep_newest};
pub use contract::{
    Ack, ActionRow, BarQuery, Batch, Claim, Creation, FundamentalRow, JobQuery, JobRecord, ListedCount, NameRow, QuoteRow, RecordQuery,
    RequestCount, Store, StoreStatus, SymbolStatus, TradeRow, ViolationRow,
};
pub use copy::{COPYING, CopyError, CopyProgress, CopyReport, Tell, copy};
pub use digest::{Digester, Digests, TableDigest, digest};
pub use error::StoreError;
pub(crate) use listing::OURS;
pub use open::{open, schema_of};
pub use postgres::Postgres;
pub use restore::{Occupied, RestoreOrder, restore};
pub use spool::Spool;
pub use sqlite::Sqlite;
pub use table::{By, ColumnKind, ColumnSpec, Field, Retain, Row, TABLES, TableSpec};
pub use writer::{Leftover, Writer, WriterEvent};
