//! What Yahoo Finance is, for lists, help and config.

use std::sync::Arc;

use crate::config::{KeyKind, KeySpec, Section};
use crate::market::{AssetClass, Delay, Interval};
use crate::provider::contract::{Capabilities, Provider, ProviderSpec};
use crate::provider::net::{Net, standard_headers};
use crate::provider::yahoo::rest::Yahoo;
use crate::request::SourceKind;

/// Yahoo Finance.
pub const SPEC: ProviderSpec = ProviderSpec {
    name: "yahoo",
    sentence: "Yahoo Finance: prices and history of shares, funds, indices, currencies, options and crypto, without a key; unofficial.",
    capabilities: Capabilities {
        asset_classes: &[AssetClass::Equity, AssetClass::Etf, AssetClass::Index, AssetClass::Option, AssetClass::Fx, AssetClass::Crypto],
        live: SourceKind::Prices,
        // Prices of some exchanges are late by agreement, and the streamer does not say which. Each tick carries the time of
        // its price, so that a late one shows its age; a mark on all of them would be wrong for most.
        delay: Delay::RealTime,
        history: &Interval::ALL,
    },
    keys: KEYS,
    headers: standard_headers,
    open,
};

const KEYS: &[KeySpec] = &[
    KeySpec { name: "enabled", sentence: "Whether Yahoo is asked at all; mind its terms of use.", default: "true", kind: KeyKind::Flag },
    KeySpec {
        name: "rest_url",
        sentence: "Where charts and searches are asked for.",
        default: "\"https://query1.finance.yahoo.com\"",
        kind: KeyKind::Url,
    },
    KeySpec {
        name: "quotes",
        sentence: "Whether prices of many symbols are asked for at once, with a cookie; charts, one a symbol, stand in where that fails.",
        default: "true",
        kind: KeyKind::Flag,
    },
    KeySpec {
        name: "quote_url",
        sentence: "Where prices of many symbols are asked for.",
        default: "\"https://query2.finance.yahoo.com\"",
        kind: KeyKind::Url,
    },
    KeySpec {
        name: "cookie_url",
        sentence: "The page whose cookie quotes want to see.",
        default: "\"https://fc.yahoo.com\"",
        kind: KeyKind::Url,
    },
    KeySpec {
        name: "stream_url",
        sentence: "The socket of last prices.",
        default: "\"wss://streamer.finance.yahoo.com/?version=2\"",
        kind: KeyKind::Url,
    },
    KeySpec {
        name: "requests_per_minute",
        sentence: "How many requests are sent at most; Yahoo blocks an address that asks too much.",
        default: "30",
        kind: KeyKind::Integer { min: 1, max: 600 },
    },
    KeySpec {
        name: "user_agent",
        sentence: "How we introduce ourselves: Yahoo refuses what does not look like a browser.",
        default: "\"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\"",
        kind: KeyKind::Text,
    },
    KeySpec {
        name: "poll_s",
        sentence: "Seconds between two looks at a symbol while the socket is down.",
        default: "60",
        kind: KeyKind::Integer { min: 5, max: 86_400 },
    },
];

fn open(section: &Section, net: Net) -> Arc<dyn Provider> {
    Arc::new(Yahoo::new(section, net))
}
