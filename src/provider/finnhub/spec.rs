//! What Finnhub is, for lists, help and config, and how it spells symbols.

use std::sync::Arc;

use crate::config::{KeyKind, KeySpec, Section};
use crate::market::{AssetClass, Delay, Symbol};
use crate::provider::contract::{Capabilities, Provider, ProviderSpec};
use crate::provider::finnhub::rest::Finnhub;
use crate::provider::net::{Net, standard_headers};
use crate::request::SourceKind;

/// Finnhub, as far as a free key reaches.
pub const SPEC: ProviderSpec = ProviderSpec {
    name: "finnhub",
    sentence: "Finnhub: last prices of US shares and currencies in real time, from a part of the venues, with a free key.",
    capabilities: Capabilities {
        asset_classes: &[AssetClass::Equity, AssetClass::Etf, AssetClass::Fx, AssetClass::Crypto],
        // Its messages are trades, but of some venues only, and without ids: neither their volume nor their number is that of the
        // market. They are taken as samples of the last price, so that bars made of them are marked and never stand before history.
        live: SourceKind::Prices,
        delay: Delay::RealTime,
        // Candles are not for free keys.
        history: &[],
    },
    keys: KEYS,
    headers: standard_headers,
    open,
};

const KEYS: &[KeySpec] = &[
    KeySpec {
        name: "enabled",
        sentence: "Whether Finnhub is asked at all; without its key it never is.",
        default: "true",
        kind: KeyKind::Flag,
    },
    KeySpec {
        name: "api_key",
        sentence: "The key to Finnhub; one key carries one socket, so that a second program needs a key of its own.",
        default: "\"\"",
        kind: KeyKind::Secret(&["FINNHUB_API_KEY"]),
    },
    KeySpec {
        name: "rest_url",
        sentence: "Where single looks, lists, profiles and market hours are asked for.",
        default: "\"https://finnhub.io/api/v1\"",
        kind: KeyKind::Url,
    },
    KeySpec {
        name: "stream_url",
        sentence: "The socket of last prices; the key is added to it.",
        default: "\"wss://ws.finnhub.io\"",
        kind: KeyKind::Url,
    },
    KeySpec {
        name: "requests_per_minute",
        sentence: "How many requests are sent at most; a free key has 60 a minute.",
        default: "60",
        kind: KeyKind::Integer { min: 1, max: 1_800 },
    },
    KeySpec {
        name: "symbols_most",
        sentence: "How many symbols the socket is asked for at most; a free key has 50, and what is above is left to other sources.",
        default: "50",
        kind: KeyKind::Integer { min: 1, max: 100_000 },
    },
];

/// Ends of symbols that are no classes of shares but exchanges abroad: London, Tokyo, Frankfurt, Toronto's Venture.
const ABROAD: [&str; 4] = ["L", "T", "F", "V"];

/// What pairs of Binance are quoted in, where we have it too; nothing is quoted in US dollars there.
const QUOTES: [&str; 10] = ["USDT", "USDC", "EUR", "GBP", "JPY", "CHF", "CAD", "AUD", "BTC", "ETH"];

fn open(section: &Section, net: Net) -> Arc<dyn Provider> {
    Arc::new(Finnhub::new(section, net))
}

/// A symbol as Finnhub spells it: shares of the United States, `OANDA:EUR_USD`, and `BINANCE:BTCUSDT` where it is asked for by name, since
/// the exchange itself is the better source of its coins.
#[must_use]
pub fn spell(symbol: &Symbol) -> Option<String> {
    if !symbol.is_open_to(SPEC.name) {
        return None;
    }
    match symbol.listing().asset_class {
        AssetClass::Equity | AssetClass::Etf => share(symbol.us_ticker()?),
        AssetClass::Fx => currencies(symbol.unpinned()),
        AssetClass::Crypto => symbol.pinned_source().and_then(|_| coins(symbol)),
        AssetClass::Index | AssetClass::Option | AssetClass::Future => None,
    }
}

/// The symbol that Finnhub spells so.
#[must_use]
pub fn unspell(spelling: &str) -> Option<Symbol> {
    let typed = match spelling.split_once(':') {
        Some(("OANDA", pair)) => pair.split_once('_').map(|(base, quote)| format!("{base}/{quote}")),
        Some(("BINANCE", pair)) => QUOTES.iter().find_map(|quote| Some(format!("{}-{quote}@finnhub", pair.strip_suffix(*quote)?))),
        Some(_) => None,
        None => Some(spelling.to_owned()),
    };
    let symbol: Symbol = typed?.parse().ok()?;
    (spell(&symbol).as_deref() == Some(spelling)).then_some(symbol)
}

fn share(ticker: &str) -> Option<String> {
    let (root, class) = ticker.split_once('.').unwrap_or((ticker, "A"));
    let is_plain = |part: &str| part.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
    let is_ours = is_plain(root) && is_plain(class) && class.len() == 1 && !ABROAD.contains(&class);
    is_ours.then(|| ticker.to_owned())
}

fn currencies(text: &str) -> Option<String> {
    let (base, quote) = text.split_once('/')?;
    let is_currency = |code: &str| code.len() == 3 && code.chars().all(|c| c.is_ascii_uppercase());
    (is_currency(base) && is_currency(quote)).then(|| format!("OANDA:{base}_{quote}"))
}

fn coins(symbol: &Symbol) -> Option<String> {
    let (base, quote) = symbol.crypto_pair()?;
    let is_there = QUOTES.contains(&quote) && base.chars().all(|c| c.is_ascii_alphanumeric());
    is_there.then(|| format!("BINANCE:{base}{quote}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spells_what_a_free_key_hears() {
        let table = [
            ("AAPL", Some("AAPL")),
            ("SPY", Some("SPY")),
            ("BRK.B", Some("BRK.B")),
            ("MSFT:XNAS", Some("MSFT")),
            ("AAPL@finnhub", Some("AAPL")),
            ("AAPL@yahoo", None),
            ("BF-B", None),
            ("VOD.L", None),
            ("SAP.DE", None),
            ("VOD:XLON", None),
            ("EUR/USD", Some("OANDA:EUR_USD")),
            ("usd/jpy", Some("OANDA:USD_JPY")),
            ("BTC-USDT@finnhub", Some("BINANCE:BTCUSDT")),
            ("eth-btc@Finnhub", Some("BINANCE:ETHBTC")),
            ("BTC-USD@finnhub", None),
            ("BTC-USDT", None),
            ("BTC-USDT@binance", None),
            ("^GSPC", None),
            ("O:SPY251219C00650000", None),
        ];
        for (typed, spelling) in table {
            let symbol: Symbol = typed.parse().expect(typed);
            assert_eq!(spell(&symbol).as_deref(), spelling, "{typed}");
        }
    }

    #[test]
    fn a_spelling_that_is_ours_leads_back() {
        let table = [
            ("AAPL", Some("AAPL")),
            ("BRK.B", Some("BRK.B")),
            ("OANDA:EUR_USD", Some("EUR/USD")),
            ("BINANCE:BTCUSDT", Some("BTC-USDT@finnhub")),
            ("BINANCE:ETHBTC", Some("ETH-BTC@finnhub")),
            ("BINANCE:USDT", None),
            ("BINANCE:BTCFDUSD", None),
            ("COINBASE:BTC-USD", None),
            ("VOD.L", None),
            ("7203.T", None),
            ("aapl", None),
            ("", None),
        ];
        for (spelling, typed) in table {
            assert_eq!(unspell(spelling).as_ref().map(Symbol::as_str), typed, "{spelling}");
        }
    }
}
