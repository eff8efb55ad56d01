//! What Binance spot is, for lists, help and config.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::HeaderMap;

use crate::config::{KeyKind, KeySpec, Section};
use crate::market::{AssetClass, Delay, Interval, Symbol, Timestamp};
use crate::provider::binance::rest::Binance;
use crate::provider::contract::{Capabilities, Provider, ProviderSpec};
use crate::provider::net::{Net, standard_headers};
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
    },
    keys: KEYS,
    headers: used_weight,
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
        sentence: "How much weight is sent at most: a page of bars and a look weigh 2, the list of symbols 20; Binance allows an \
                   address 6000, others on it included, and bans whoever goes over.",
        default: "1200",
        kind: KeyKind::Integer { min: 1, max: 6_000 },
    },
];

/// The weight of a minute at which we stop: others on the address may go on.
const ENOUGH: u32 = 5_400;

const MINUTE: Duration = Duration::from_secs(60);

/// Currencies that pairs are quoted in, for names in which nothing stands between the two. Nothing is quoted in US dollars.
const QUOTES: [&str; 10] = ["USDT", "USDC", "EUR", "GBP", "JPY", "CHF", "CAD", "AUD", "BTC", "ETH"];

fn open(section: &Section, net: Net) -> Arc<dyn Provider> {
    Arc::new(Binance::new(section, net))
}

/// A crypto pair that is not pinned to another source, as Binance spells it. Nothing is quoted in US dollars there, and a stablecoin
/// does not stand in for them.
#[must_use]
pub fn spell(symbol: &Symbol) -> Option<String> {
    if !symbol.is_open_to(SPEC.name) || symbol.listing().asset_class != AssetClass::Crypto {
        return None;
    }
    let (base, quote) = symbol.crypto_pair()?;
    (quote != "USD" && base.chars().all(|c| c.is_ascii_alphanumeric())).then(|| format!("{base}{quote}"))
}

/// The pair that Binance spells so; a name that we would spell otherwise is none of ours.
#[must_use]
pub fn unspell(spelling: &str) -> Option<Symbol> {
    let pair = QUOTES.iter().find_map(|quote| Some((spelling.strip_suffix(*quote)?, quote)));
    let (base, quote) = pair?;
    format!("{base}-{quote}").parse::<Symbol>().ok().filter(|symbol| spell(symbol).as_deref() == Some(spelling))
}

/// The next minute, once nearly all that an address may ask in this one was asked, whoever asked it: "Limits", `rest-api.md`,
/// <https://github.com/binance/binance-spot-api-docs>.
#[must_use]
pub fn used_weight(headers: &HeaderMap, now: Timestamp) -> Option<Timestamp> {
    let used = headers.get("x-mbx-used-weight-1m").and_then(|value| value.to_str().ok()?.trim().parse::<u32>().ok());
    let next = used.filter(|used| *used >= ENOUGH).map(|_| now.floor_to(MINUTE, Timestamp::from_seconds(0)) + MINUTE);
    next.max(standard_headers(headers, now))
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

    #[test]
    fn knows_its_own_spelling() {
        let table = [
            ("BTCUSDT", Some("BTC-USDT")),
            ("ETHBTC", Some("ETH-BTC")),
            ("WBTCETH", Some("WBTC-ETH")),
            ("1INCHUSDC", Some("1INCH-USDC")),
            ("BTCTRY", None),
            ("BTCUSD", None),
            ("USDT", None),
            ("btcusdt", None),
        ];
        for (spelling, symbol) in table {
            assert_eq!(unspell(spelling).as_ref().map(Symbol::as_str), symbol, "{spelling}");
        }
    }

    #[test]
    fn an_address_that_asked_nearly_enough_waits_for_the_next_minute() {
        let now: Timestamp = "2026-11-20T15:00:50.25Z".parse().expect("a time");
        let read = |weight: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("X-MBX-USED-WEIGHT-1M", weight.parse().expect("a value"));
            used_weight(&headers, now)
        };
        assert_eq!(read("5399"), None);
        assert_eq!(read("5400"), Some("2026-11-20T15:01:00Z".parse().expect("a time")));
        assert_eq!(read("many"), None);
        assert_eq!(used_weight(&HeaderMap::new(), now), None);
    }
}
