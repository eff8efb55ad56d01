//! Why a store did not do what it was asked.

use thiserror::Error;

/// Why a store could not be opened, read or written.
#[derive(Debug, Error)]
pub enum StoreError {
    #[error("{0} is not a SQLite database; it was left as it is")]
    NotADatabase(String),
    #[error("{name} was made by a newer openbell (schema {found}, this one knows {known}); it was left as it is")]
    Newer { name: String, found: u32, known: u32 },
    #[error("{0} holds other tables and none of ours; 'openbell db init' makes ours beside them")]
    Foreign(String),
    #[error("there is no store at {0}; 'openbell db init' makes one")]
    Missing(String),
    #[error("another openbell ({holder}) is already recording into {name}: use it, or stop it first")]
    Held { name: String, holder: String },
    #[error("{0} is locked by another program")]
    Locked(String),
    #[error("{0} cannot be written: it is read-only")]
    ReadOnly(String),
    #[error("the disk of {0} is full")]
    Full(String),
    #[error("the spool {0} holds as much as [store] spool_mb lets it: rows wait in memory")]
    SpoolFull(String),
    /// The server does not answer now; it may later.
    #[error("cannot reach {name}: {message}")]
    Away { name: String, message: String },
    /// The server answered, and lets this user not do this.
    #[error("{name} refuses: {message}")]
    Refused { name: String, message: String },
    /// The tables are not as our migrations made them.
    #[error("a table of {name} was altered: {message}; 'openbell db check' says what differs")]
    Altered { name: String, message: String },
    /// This batch can never be written: a row in it points to nothing, or holds what no column takes.
    #[error("{name} cannot take a row: {message}")]
    Unfit { name: String, message: String },
    #[error("a copy or a restore into {0} was begun and not finished: run the same command again")]
    HalfCopied(String),
    #[error("another store was put in the place of {0}, or is being copied there: nothing is written; end this program and start it anew")]
    Replaced(String),
    #[error("{name} is of an older openbell (schema {found}, this one knows {known}): 'openbell db migrate' brings it up to date")]
    Older { name: String, found: u32, known: u32 },
    #[error("{name} has no instrument {symbol}")]
    Unknown { name: String, symbol: String },
    /// A rename would make one of two instruments.
    #[error("cannot rename {old} to {new} in {name}: {new} is another instrument already")]
    Taken { name: String, old: String, new: String },
    #[error("the store is closed")]
    Closed,
    #[error("cannot {doing} {name}: {message}")]
    Engine { doing: &'static str, name: String, message: String },
}
