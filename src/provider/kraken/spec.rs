//! What Kraken is, for lists, help and config.

use std::sync::Arc;

use crate::config::{KeyKind, KeySpec, Section};
use crate::market::{AssetClass, Delay, Interval, Symbol};
use crate::provider::contract::{Capabilities, Provider, ProviderSpec};
use crate::provider::kraken::rest::Kraken;
use crate::provider::net::{Net, standard_headers};
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
    },
    keys: KEYS,
    headers: standard_headers,
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
    if !symbol.is_open_to(SPEC.name) || symbol.listing().asset_class != AssetClass::Crypto {
        return None;
    }
    let (base, quote) = symbol.crypto_pair()?;
    let base = usual(base);
    base.chars().all(|c| c.is_ascii_alphanumeric()).then(|| format!("{base}/{quote}"))
}

/// The pair that Kraken spells so; a name that we would spell otherwise is none of ours.
#[must_use]
pub fn unspell(spelling: &str) -> Option<Symbol> {
    let (base, quote) = spelling.split_once('/')?;
    format!("{base}-{quote}").parse::<Symbol>().ok().filter(|symbol| spell(symbol).as_deref() == Some(spelling))
}

/// A name of version 1 of the socket as version 2 has it: `XBT/USD` is `BTC/USD` there.
#[must_use]
pub fn socket_name(name: &str) -> String {
    name.split('/').map(usual).collect::<Vec<_>>().join("/")
}

/// A spelling of the socket as the REST interface has it: `BTC/USD` is `XBTUSD` there.
#[must_use]
pub fn pair(spelling: &str) -> String {
    spelling.split('/').map(asset).collect()
}

/// Version 2 of the socket knows the usual names only.
fn usual(name: &str) -> &str {
    match name {
        "XBT" => "BTC",
        "XDG" => "DOGE",
        usual => usual,
    }
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
    fn knows_its_own_spelling() {
        let table = [("BTC/USD", Some("BTC-USD")), ("ETH/BTC", Some("ETH-BTC")), ("XBT/USD", None), ("BTC-USD", None), ("BTC/INR", None)];
        for (spelling, symbol) in table {
            assert_eq!(unspell(spelling).as_ref().map(Symbol::as_str), symbol, "{spelling}");
        }
        assert_eq!(["XBT/USD", "ETH/XBT", "XDG/EUR"].map(socket_name), ["BTC/USD", "ETH/BTC", "DOGE/EUR"]);
    }

    #[test]
    fn the_rest_interface_has_names_of_its_own() {
        for (spelling, expected) in [("BTC/USD", "XBTUSD"), ("ETH/BTC", "ETHXBT"), ("DOGE/EUR", "XDGEUR"), ("SOL/USDT", "SOLUSDT")] {
            assert_eq!(pair(spelling), expected);
        }
    }
}
