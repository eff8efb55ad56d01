//! What Alpaca is, for lists, help and config.

use std::sync::Arc;

use crate::config::{KeyKind, KeySpec, Section};
use crate::market::{AssetClass, Delay, Interval, Symbol};
use crate::provider::alpaca::choice::{Channel, DataFeed};
use crate::provider::alpaca::rest::Alpaca;
use crate::provider::contract::{Capabilities, Provider, ProviderSpec};
use crate::provider::net::{Net, standard_headers};
use crate::request::SourceKind;

/// Alpaca market data.
pub const SPEC: ProviderSpec = ProviderSpec {
    name: "alpaca",
    sentence: "Alpaca: trades, quotes and bars of US shares and funds with a key pair; free of charge those of one venue, IEX.",
    capabilities: Capabilities {
        asset_classes: &[AssetClass::Equity, AssetClass::Etf],
        live: SourceKind::Trades,
        // Of the default feed; the variant knows better.
        delay: Delay::RealTime,
        // Its hours begin on the hour; ours begin at half past nine.
        history: &[
            Interval::OneMinute,
            Interval::FiveMinutes,
            Interval::FifteenMinutes,
            Interval::ThirtyMinutes,
            Interval::OneDay,
            Interval::OneWeek,
        ],
    },
    keys: KEYS,
    headers: standard_headers,
    open,
};

const KEYS: &[KeySpec] = &[
    KeySpec {
        name: "enabled",
        sentence: "Whether Alpaca is asked at all; without its key pair it never is.",
        default: "true",
        kind: KeyKind::Flag,
    },
    KeySpec { name: "api_key_id", sentence: "The id of the key pair.", default: "\"\"", kind: KeyKind::Secret(&["APCA_API_KEY_ID"]) },
    KeySpec {
        name: "api_secret_key",
        sentence: "The secret of the key pair.",
        default: "\"\"",
        kind: KeyKind::Secret(&["APCA_API_SECRET_KEY"]),
    },
    KeySpec {
        name: "rest_url",
        sentence: "Where bars, looks, splits and dividends are asked for.",
        default: "\"https://data.alpaca.markets\"",
        kind: KeyKind::Url,
    },
    KeySpec {
        name: "trading_url",
        sentence: "Where market hours and lists are asked for; a key pair of live trading needs https://api.alpaca.markets.",
        default: "\"https://paper-api.alpaca.markets\"",
        kind: KeyKind::Url,
    },
    KeySpec {
        name: "stream_url",
        sentence: "The socket, without the feed at its end.",
        default: "\"wss://stream.data.alpaca.markets/v2\"",
        kind: KeyKind::Url,
    },
    KeySpec {
        name: "feed",
        sentence: "iex (one venue), sip (all venues, a paid plan), delayed_sip (all venues, 15 minutes late) or test (FAKEPACA).",
        default: "\"iex\"",
        kind: KeyKind::Choice(DataFeed::NAMES),
    },
    KeySpec {
        name: "channels",
        sentence: "What is subscribed for each symbol: trades, quotes, bars, updatedBars, dailyBars or statuses.",
        default: "[\"trades\", \"quotes\", \"bars\"]",
        kind: KeyKind::Choices(Channel::NAMES),
    },
    KeySpec {
        name: "symbols_most",
        sentence: "How many symbols are listened to; the free plan holds 30 trades and quotes together, 0 is no limit.",
        default: "15",
        kind: KeyKind::Integer { min: 0, max: 100_000 },
    },
    KeySpec {
        name: "requests_per_minute",
        sentence: "How many requests are sent at most; the free plan allows 200.",
        default: "180",
        kind: KeyKind::Integer { min: 1, max: 10_000 },
    },
];

fn open(section: &Section, net: Net) -> Arc<dyn Provider> {
    Arc::new(Alpaca::new(section, net))
}

/// A US share or fund that is not pinned to another source, with its class after a dot: `BRK.B`.
#[must_use]
pub fn spell(symbol: &Symbol) -> Option<String> {
    // What is traded over the counter is not among its prices.
    let here = symbol.is_open_to("alpaca") && !symbol.unpinned().ends_with(":OTCM");
    let ticker = symbol.us_ticker().filter(|_| here)?.replace('-', ".");
    is_ticker(&ticker).then_some(ticker)
}

/// The symbol of a ticker; `None` for what is no share, such as a pair of coins.
#[must_use]
pub fn unspell(spelling: &str) -> Option<Symbol> {
    let symbol: Symbol = Some(spelling).filter(|spelling| is_ticker(spelling))?.parse().ok()?;
    (spell(&symbol).as_deref() == Some(spelling)).then_some(symbol)
}

fn is_ticker(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spells_shares_of_the_united_states() {
        let table = [
            ("AAPL", Some("AAPL")),
            ("spy", Some("SPY")),
            ("BRK.B", Some("BRK.B")),
            ("BF-B", Some("BF.B")),
            ("MSFT:XNAS", Some("MSFT")),
            ("AAPL@alpaca", Some("AAPL")),
            ("AAPL@yahoo", None),
            ("VOD:XLON", None),
            ("TCEHY:OTCM", None),
            ("BTC-USD", None),
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
    fn a_ticker_is_read_back() {
        for spelling in ["AAPL", "BRK.B", "FAKEPACA"] {
            assert_eq!(unspell(spelling).expect(spelling).as_str(), spelling);
        }
        for spelling in ["BTC/USD", "BTC-USD", "aapl", "", ".", "AAPL260116C00250000 "] {
            assert_eq!(unspell(spelling), None, "{spelling}");
        }
    }
}
