//! Sources of market data: one file or folder each, behind one contract.

mod ability;
mod contract;
mod guarded;
mod protocol;
mod refused;
pub mod net;
pub mod wire;
pub mod alpaca;
pub mod alpha_vantage;
pub mod binance;
pub mod coinbase;
pub mod finnhub;
pub mod fmp;
pub mod kraken;
pub mod polygon;
pub mod sim;
pub mod yahoo;

pub use ability::{Actions, Company, CompanyQuery, Directory, DirectoryPage, DirectoryQuery, MarketHours, SaidDay, SaidStatus};
pub use contract::{Capabilities, History, HistoryPage, Polling, Provider, ProviderError, ProviderSpec, Variant};
pub use guarded::Guarded;
pub use protocol::{DecodeError, Login, Promise, Protocol, StreamItem};

/// Every provider, in the order lists show them.
pub const PROVIDERS: &[ProviderSpec] = &[
    yahoo::SPEC,
    coinbase::SPEC,
    kraken::SPEC,
    binance::SPEC,
    polygon::SPEC,
    alpaca::SPEC,
    fmp::SPEC,
    alpha_vantage::SPEC,
    finnhub::SPEC,
    sim::SPEC,
];
