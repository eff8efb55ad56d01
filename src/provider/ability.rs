//! What a source may know beside prices: each is optional, and a provider that has it answers `Some`.

use futures_util::future::BoxFuture;

use crate::market::{Category, CorporateAction, Date, Fundamental, Listed, Period, Statement, TimeOfDay};
use crate::provider::contract::ProviderError;

/// A list of instruments.
pub trait Directory: Send + Sync {
    /// What it lists.
    fn categories(&self) -> &'static [Category];

    /// Whether it finds instruments by a text, without a category.
    fn searches(&self) -> bool;

    /// One page of the list.
    fn discover<'a>(&'a self, query: &'a DirectoryQuery) -> BoxFuture<'a, Result<DirectoryPage, ProviderError>>;
}

/// What is looked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DirectoryQuery {
    /// `None` for a search over everything.
    pub category: Option<Category>,
    /// A text in the name or symbol; of options, the underlying.
    pub search: Option<String>,
    /// How many are wanted in all.
    pub limit: usize,
    /// Where the page before said that the list goes on.
    pub next: Option<String>,
}

/// A part of a list.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DirectoryPage {
    pub listed: Vec<Listed>,
    /// Rows that are no instruments of ours.
    pub skipped: usize,
    /// Where the list goes on; `None` at its end.
    pub next: Option<String>,
}

/// What companies report.
pub trait Company: Send + Sync {
    /// Which statements it has.
    fn statements(&self) -> &'static [Statement];

    /// The newest statements, newest first; none is an answer too.
    fn fundamentals<'a>(&'a self, query: &'a CompanyQuery) -> BoxFuture<'a, Result<Vec<Fundamental>, ProviderError>>;
}

/// Which statements of whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompanyQuery {
    pub spelling: String,
    pub statement: Statement,
    /// Of an overview it is not looked at.
    pub period: Period,
    pub limit: usize,
}

/// Splits and dividends.
pub trait Actions: Send + Sync {
    /// Those since a date, oldest first.
    fn actions<'a>(&'a self, spelling: &'a str, since: Date) -> BoxFuture<'a, Result<Vec<CorporateAction>, ProviderError>>;
}

/// What a source says of the hours of markets: a cross-check of our calendar, never its source.
pub trait MarketHours: Send + Sync {
    /// Which markets are open now.
    fn status(&self) -> BoxFuture<'_, Result<Vec<SaidStatus>, ProviderError>>;

    /// Days from one to another, as far as the source tells them; none when it tells no days.
    fn days(&self, from: Date, to: Date) -> BoxFuture<'_, Result<Vec<SaidDay>, ProviderError>>;
}

/// A market as a source sees it now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SaidStatus {
    /// The calendar of ours that it can be compared with: `XNYS`, `CRYPTO`, `FX`; `None` where we have none.
    pub venue: Option<&'static str>,
    /// In the source's word: `nyse`, `crypto`.
    pub market: String,
    /// In the source's word: `open`, `extended-hours`, `pre-market`.
    pub state: String,
    /// Whether it is in its regular session.
    pub open: bool,
}

/// A day as a source sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SaidDay {
    pub venue: &'static str,
    pub date: Date,
    /// Open and close on the venue's own clock; `None` when it is closed.
    pub hours: Option<(TimeOfDay, TimeOfDay)>,
}
