//! What a company does to its shares.

use serde::{Deserialize, Serialize};

use crate::market::time::Date;

/// A split or a dividend, on the first day at the new price.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CorporateAction {
    pub ex_date: Date,
    pub kind: ActionKind,
}

/// What is done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ActionKind {
    /// `denominator` old shares become `numerator` new ones: 4 for 1 has the numerator 4.
    Split { numerator: f64, denominator: f64 },
    /// Cash for each share.
    Dividend { amount: f64, currency: Option<String> },
}

impl ActionKind {
    /// The word used in the store.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Split { .. } => "split",
            Self::Dividend { .. } => "dividend",
        }
    }
}
