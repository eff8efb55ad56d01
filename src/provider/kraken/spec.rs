//! What Kraken is, for lists, help and config.

use std::sync::Arc;

use crate::config::{KeyKind, KeySpec, Section};
use crate::market::{AssetClass, Delay, Interval, Symbol};
use crate::provider::contract::{Capabilities, Provider, ProviderSpec};
use crate::provider::kraken::rest::Kraken;
use crate::provider::net::Net;
use crate::request::SourceKind;

/// Kraken spot.
pub const SPEC: ProviderSpec = ProviderSpec {
    name: "kraken",
    sentence: "Kraken: every trade of crypto pairs, in real time, without a key.",
    capabilities: Capabilities {
        asset_classes: &[AssetClass::Crypto],
        live: SourceKind::Trades,
        delay: Delay::RealTime,
        // It has weeks too, but does not say on which day they begin; ours begin on Monday.
        history: &[
            Interval::OneMinute,
            Interval::FiveMinutes,
            Interval::FifteenMinutes,
            Interval::ThirtyMinutes,
            Interval::OneHour,
            Interval::OneDay,
        ],
        needs_key: false,
    },
    keys: KEYS,
    open,
};

const KEYS: &[KeySpec] = &[
    KeySpec { name: "enabled", sentence: "Whether Kraken is asked at all.", default: "true", kind: KeyKind::Flag },
    KeySpec {
        name: "rest_url",
        sentence: "Where candles and single looks are asked for.",
        default: "\"https://api.kraken.com\"",
        kind: KeyKind::Url,
    },
    KeySpec {
        name: "stream_url",
        sentence: "The socket of trades, tickers and heartbeats, version 2.",
        default: "\"wss://ws.kraken.com/v2\"",
        kind: KeyKind::Url,
    },
    KeySpec {
        name: "requests_per_minute",
        sentence: "How many requests are sent at most; about one a second from one address is safe.",
        default: "30",
        kind: KeyKind::Integer { min: 1, max: 300 },
    },
];

fn open(section: &Section, net: Net) -> Arc<dyn Provider> {
    Arc::new(Kraken::new(section, net))
}

/// A crypto pair that is not pinned to another source, as the socket spells it: `BTC/USD`.
#[must_use]
pub fn spell(symbol: &Symbol) -> Option<String> {
    let here = symbol.pinned_source().is_none_or(|source| source == "kraken");
    if !here || symbol.listing().asset_class != AssetClass::Crypto {
        return None;
    }
    let (base, quote) = symbol.crypto_pair()?;
    // Version 2 of the socket knows the usual names only.
    let base = match base {
        "XBT" => "BTC",
        "XDG" => "DOGE",
        usual => usual,
    };
    base.chars().all(|c| c.is_ascii_alphanumeric()).then(|| format!("{base}/{quote}"))
}

/// A spelling of the socket as the REST interface has it: `BTC/USD` is `XBTUSD` there.
#[must_use]
pub fn pair(spelling: &str) -> String {
    spelling.split('/').map(asset).collect()
}

fn asset(name: &str) -> &str {
    match name {
        "BTC" => "XBT",
        "DOGE" => "XDG",
        same => same,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spells_pairs_of_its_own() {
        let table = [
            ("BTC-USD", Some("BTC/USD")),
            ("ETH-USDC", Some("ETH/USDC")),
            ("eth-btc", Some("ETH/BTC")),
            ("BTC-USD@kraken", Some("BTC/USD")),
            ("btc-usd@Kraken", Some("BTC/USD")),
            ("XBT-USD@kraken", Some("BTC/USD")),
            ("XDG-EUR@kraken", Some("DOGE/EUR")),
            ("BTC-USD@coinbase", None),
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
    fn the_rest_interface_has_names_of_its_own() {
        for (spelling, expected) in [("BTC/USD", "XBTUSD"), ("ETH/BTC", "ETHXBT"), ("DOGE/EUR", "XDGEUR"), ("SOL/USDT", "SOLUSDT")] {
            assert_eq!(pair(spelling), expected);
        }
    }
}
