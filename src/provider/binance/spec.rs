//! What Binance spot is, for lists, help and config.

use std::sync::Arc;

use crate::config::{KeyKind, KeySpec, Section};
use crate::market::{AssetClass, Delay, Interval, Symbol};
use crate::provider::binance::rest::Binance;
use crate::provider::contract::{Capabilities, Provider, ProviderSpec};
use crate::provider::net::Net;
use crate::request::SourceKind;

/// Binance spot.
pub const SPEC: ProviderSpec = ProviderSpec {
    name: "binance",
    sentence: "Binance spot: every trade of crypto pairs, in real time, without a key; it refuses some countries, the US among them.",
    capabilities: Capabilities {
        asset_classes: &[AssetClass::Crypto],
        live: SourceKind::Trades,
        delay: Delay::RealTime,
        history: &Interval::ALL,
        needs_key: false,
    },
    keys: KEYS,
    open,
};

const KEYS: &[KeySpec] = &[
    KeySpec { name: "enabled", sentence: "Whether Binance is asked at all.", default: "true", kind: KeyKind::Flag },
    KeySpec {
        name: "rest_url",
        sentence: "Where klines and single looks are asked for; the default serves market data only.",
        default: "\"https://data-api.binance.vision\"",
        kind: KeyKind::Url,
    },
    KeySpec {
        name: "stream_url",
        sentence: "The socket of trades, tickers and best bids and asks, in the form that names the stream of each message.",
        default: "\"wss://data-stream.binance.vision/stream\"",
        kind: KeyKind::Url,
    },
    KeySpec {
        name: "requests_per_minute",
        sentence: "How many requests are sent at most; each weighs 2 of the 6000 that Binance allows an address, others on it included, \
                   and going over is punished with a ban.",
        default: "600",
        kind: KeyKind::Integer { min: 1, max: 3_000 },
    },
];

fn open(section: &Section, net: Net) -> Arc<dyn Provider> {
    Arc::new(Binance::new(section, net))
}

/// A crypto pair that is not pinned to another source, as Binance spells it. Nothing is quoted in US dollars there, and a stablecoin
/// does not stand in for them.
#[must_use]
pub fn spell(symbol: &Symbol) -> Option<String> {
    let here = symbol.pinned_source().is_none_or(|source| source == "binance");
    if !here || symbol.listing().asset_class != AssetClass::Crypto {
        return None;
    }
    let (base, quote) = symbol.crypto_pair()?;
    (quote != "USD" && base.chars().all(|c| c.is_ascii_alphanumeric())).then(|| format!("{base}{quote}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spells_pairs_of_its_own() {
        let table = [
            ("BTC-USDT", Some("BTCUSDT")),
            ("eth-btc", Some("ETHBTC")),
            ("1INCH-USDC", Some("1INCHUSDC")),
            ("BTC-USDT@binance", Some("BTCUSDT")),
            ("btc-eur@Binance", Some("BTCEUR")),
            ("BTC-USDT@kraken", None),
            ("BTC-USD", None),
            ("BTC-USD@binance", None),
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
}
