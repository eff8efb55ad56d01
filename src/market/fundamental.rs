//! What a company reports, and what is known of it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::market::time::Date;

/// A report of a company.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Statement {
    Income,
    BalanceSheet,
    CashFlow,
    /// Master data: name, sector, shares, ratios of today.
    Overview,
}

/// What a report covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Period {
    Annual,
    Quarter,
    /// No period: how things stand.
    Latest,
}

/// One report, with every field as the source names it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fundamental {
    pub statement: Statement,
    pub period: Period,
    /// The last day that it covers; of an overview, the day on which it was asked for.
    pub fiscal_date: Date,
    pub fields: serde_json::Map<String, serde_json::Value>,
}

impl Statement {
    pub const ALL: [Self; 4] = [Self::Income, Self::BalanceSheet, Self::CashFlow, Self::Overview];

    /// The word used on the command line and in the store.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Income => "income",
            Self::BalanceSheet => "balance-sheet",
            Self::CashFlow => "cash-flow",
            Self::Overview => "overview",
        }
    }
}

impl Period {
    pub const ALL: [Self; 3] = [Self::Annual, Self::Quarter, Self::Latest];

    /// The word used on the command line and in the store.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Annual => "annual",
            Self::Quarter => "quarter",
            Self::Latest => "latest",
        }
    }
}

impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Statement {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|statement| statement.name() == text).ok_or_else(|| format!("'{text}' is not a statement"))
    }
}

impl FromStr for Period {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|period| period.name() == text).ok_or_else(|| format!("'{text}' is not a period"))
    }
}
