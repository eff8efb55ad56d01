//! What Coinbase Exchange is, for lists, help and config.

use std::sync::Arc;

use crate::config::{KeyKind, KeySpec, Section};
use crate::market::{AssetClass, Delay, Interval, Symbol};
use crate::provider::coinbase::rest::Coinbase;
use crate::provider::contract::{Capabilities, Provider, ProviderSpec};
use crate::provider::net::{Net, standard_headers};
use crate::request::SourceKind;

/// Coinbase Exchange.
pub const SPEC: ProviderSpec = ProviderSpec {
    name: "coinbase",
    sentence: "Coinbase Exchange: every trade of crypto pairs, in real time, without a key.",
    capabilities: Capabilities {
        asset_classes: &[AssetClass::Crypto],
        live: SourceKind::Trades,
        delay: Delay::RealTime,
        history: &[Interval::OneMinute, Interval::FiveMinutes, Interval::FifteenMinutes, Interval::OneHour, Interval::OneDay],
    },
    keys: KEYS,
    headers: standard_headers,
    open,
};

const KEYS: &[KeySpec] = &[
    KeySpec { name: "enabled", sentence: "Whether Coinbase is asked at all.", default: "true", kind: KeyKind::Flag },
    KeySpec {
        name: "rest_url",
        sentence: "Where candles and single looks are asked for.",
        default: "\"https://api.exchange.coinbase.com\"",
        kind: KeyKind::Url,
    },
    KeySpec {
        name: "stream_url",
        sentence: "The socket of trades, tickers and heartbeats.",
        default: "\"wss://ws-feed.exchange.coinbase.com\"",
        kind: KeyKind::Url,
    },
    KeySpec {
        name: "requests_per_minute",
        sentence: "How many requests are sent at most; Coinbase allows 600 from one address.",
        default: "300",
        kind: KeyKind::Integer { min: 1, max: 600 },
    },
];

fn open(section: &Section, net: Net) -> Arc<dyn Provider> {
    Arc::new(Coinbase::new(section, net))
}

/// A crypto pair that is not pinned to another source, as Coinbase spells it.
#[must_use]
pub fn spell(symbol: &Symbol) -> Option<String> {
    if !symbol.is_open_to(SPEC.name) || symbol.listing().asset_class != AssetClass::Crypto {
        return None;
    }
    let (base, quote) = symbol.crypto_pair()?;
    base.chars().all(|c| c.is_ascii_alphanumeric()).then(|| format!("{base}-{quote}"))
}

/// The pair that Coinbase spells so; a name that we would spell otherwise is none of ours.
#[must_use]
pub fn unspell(spelling: &str) -> Option<Symbol> {
    spelling.parse::<Symbol>().ok().filter(|symbol| spell(symbol).as_deref() == Some(spelling))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spells_pairs_of_its_own() {
        let table = [
            ("BTC-USD", Some("BTC-USD")),
            ("ETH-USDC", Some("ETH-USDC")),
            ("eth-btc", Some("ETH-BTC")),
            ("BTC-USD@coinbase", Some("BTC-USD")),
            ("BTC-USD@kraken", None),
            ("AAPL", None),
            ("BF-B", None),
            ("VOD:XLON", None),
            ("EUR/USD", None),
            ("^GSPC", None),
            ("O:SPY251219C00650000", None),
        ];
        for (typed, spelling) in table {
            let symbol: Symbol = typed.parse().expect(typed);
            assert_eq!(spell(&symbol).as_deref(), spelling, "{typed}");
        }
    }

    #[test]
    fn knows_its_own_spelling() {
        let table = [("BTC-USD", Some("BTC-USD")), ("00-USD", Some("00-USD")), ("BTC-INR", None), ("btc-usd", None), ("", None)];
        for (spelling, symbol) in table {
            assert_eq!(unspell(spelling).as_ref().map(Symbol::as_str), symbol, "{spelling}");
        }
    }
}
