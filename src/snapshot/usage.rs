//! What was asked of a source, against what it allows.

use serde::{Deserialize, Serialize};

use crate::market::Timestamp;

/// Counts of one source, over all processes as far as the store knows them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Since midnight in New York.
    pub requests_today: u64,
    pub requests_per_day: Option<u64>,
    pub requests_per_minute: u32,
    pub bytes_today: u64,
    /// Over thirty days.
    pub bytes_of_month: u64,
    pub bytes_per_month: Option<u64>,
    /// Until when the source asked to be left alone.
    pub rest_until: Option<Timestamp>,
}
