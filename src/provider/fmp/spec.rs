//! What Financial Modeling Prep is, for lists, help and config.

use std::sync::Arc;

use crate::config::{KeyKind, KeySpec, Section};
use crate::market::{AssetClass, Delay, Interval};
use crate::provider::contract::{Capabilities, Provider, ProviderSpec};
use crate::provider::fmp::rest::Fmp;
use crate::provider::net::{Net, standard_headers};
use crate::request::SourceKind;

/// Financial Modeling Prep.
pub const SPEC: ProviderSpec = ProviderSpec {
    name: "fmp",
    sentence: "Financial Modeling Prep: prices, history, statements and lists of shares, funds, indices, currencies and crypto.",
    capabilities: Capabilities {
        asset_classes: &[AssetClass::Equity, AssetClass::Etf, AssetClass::Index, AssetClass::Fx, AssetClass::Crypto],
        live: SourceKind::Prices,
        delay: Delay::RealTime,
        // Its hours of shares begin at 09:30 and the last one is half as long, as ours are; of hours before and after the
        // regular session it sends no bars. Those of crypto and currencies begin on the clock hour, which is our grid for them.
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
    KeySpec {
        name: "enabled",
        sentence: "Whether Financial Modeling Prep is asked at all, where there is a key.",
        default: "true",
        kind: KeyKind::Flag,
    },
    KeySpec { name: "api_key", sentence: "The key of the account.", default: "\"\"", kind: KeyKind::Secret(&["FMP_API_KEY"]) },
    KeySpec {
        name: "rest_url",
        sentence: "Where everything but the socket is asked for; the legacy addresses are closed to keys made since September 2025.",
        default: "\"https://financialmodelingprep.com/stable\"",
        kind: KeyKind::Url,
    },
    KeySpec {
        name: "stream_url",
        sentence: "The socket of last prices; one connection is allowed at a time.",
        default: "\"wss://socket.financialmodelingprep.com\"",
        kind: KeyKind::Url,
    },
    KeySpec {
        name: "requests_per_minute",
        sentence: "How many requests are sent at most; paid plans allow from 300 on.",
        default: "60",
        kind: KeyKind::Integer { min: 1, max: 3_000 },
    },
    KeySpec {
        name: "requests_per_day",
        sentence: "How many requests are sent in a day at most, 250 on the free plan; 0 is no cap.",
        default: "250",
        kind: KeyKind::Integer { min: 0, max: 10_000_000 },
    },
    KeySpec {
        name: "megabytes_per_month",
        sentence: "How many megabytes are received in thirty days at most, the socket's included; 0 is no cap.",
        default: "50000",
        kind: KeyKind::Integer { min: 0, max: 100_000_000 },
    },
    KeySpec {
        name: "poll_s",
        sentence: "Seconds between two looks at a symbol while there is no socket.",
        default: "60",
        kind: KeyKind::Integer { min: 5, max: 86_400 },
    },
    KeySpec {
        name: "auth",
        sentence: "Where the key is sent: in the query, which every address understands, or in a header.",
        default: "\"query\"",
        kind: KeyKind::Choice(&["query", "header"]),
    },
    KeySpec {
        name: "socket",
        sentence: "Whether the plan has the socket; without it prices are looked at.",
        default: "true",
        kind: KeyKind::Flag,
    },
];

fn open(section: &Section, net: Net) -> Arc<dyn Provider> {
    Arc::new(Fmp::new(section, net))
}
