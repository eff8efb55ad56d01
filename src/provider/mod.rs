//! Sources of market data: one file or folder each, behind one contract.

mod contract;
pub mod net;
pub mod binance;
pub mod coinbase;
pub mod kraken;
pub mod sim;
pub mod yahoo;

pub use contract::{Capabilities, DecodeError, History, HistoryPage, Promise, Protocol, Provider, ProviderError, ProviderSpec, StreamItem};

/// Every provider, in the order lists show them.
pub const PROVIDERS: &[ProviderSpec] = &[yahoo::SPEC, coinbase::SPEC, kraken::SPEC, binance::SPEC, sim::SPEC];
