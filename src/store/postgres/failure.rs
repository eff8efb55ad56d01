//! What can go wrong in the middle of a question.

use thiserror::Error;

use crate::store::error::StoreError;
use crate::store::postgres::explain::explain;

/// Why a question had no answer.
#[derive(Debug, Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Server(#[from] tokio_postgres::Error),
    /// A cell holds what we never write.
    #[error("{0}")]
    Odd(String),
    #[error("another store was put in its place")]
    Replaced,
}

impl Failure {
    /// The failure in the store's words.
    pub(crate) fn explain(self, doing: &'static str, name: &str) -> StoreError {
        match self {
            Self::Server(error) => explain(doing, name, &error),
            Self::Replaced => StoreError::Replaced(name.to_owned()),
            Self::Odd(message) => StoreError::Altered { name: name.to_owned(), message },
        }
    }
}
