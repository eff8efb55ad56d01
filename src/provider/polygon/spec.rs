//! What Massive is, for lists, help and config.

use std::sync::Arc;

use crate::config::{KeyKind, KeySpec, Section};
use crate::market::{AssetClass, Delay, Interval};
use crate::provider::contract::{Capabilities, Provider, ProviderSpec};
use crate::provider::net::{Net, standard_headers};
use crate::provider::polygon::rest::Polygon;
use crate::request::SourceKind;

/// Massive, under the name by which it became known.
pub const SPEC: ProviderSpec = ProviderSpec {
    name: "polygon",
    sentence: "Massive, formerly Polygon.io: trades, quotes, bars and reference data of the United States, currencies and crypto; \
               the hosts at polygon.io still answer too.",
    capabilities: Capabilities {
        asset_classes: &[AssetClass::Equity, AssetClass::Etf, AssetClass::Index, AssetClass::Option, AssetClass::Fx, AssetClass::Crypto],
        live: SourceKind::Trades,
        delay: Delay::RealTime,
        // Its hours are those of the clock: one of shares would mix half an hour before the open with half an hour after it.
        history: &[
            Interval::OneMinute,
            Interval::FiveMinutes,
            Interval::FifteenMinutes,
            Interval::ThirtyMinutes,
            Interval::OneDay,
            Interval::OneWeek,
            Interval::OneMonth,
        ],
    },
    keys: KEYS,
    headers: standard_headers,
    open,
};

const KEYS: &[KeySpec] = &[
    KeySpec { name: "enabled", sentence: "Whether Massive is asked, where there is a key.", default: "true", kind: KeyKind::Flag },
    KeySpec {
        name: "api_key",
        sentence: "The key of an account at massive.com; those of polygon.io still open.",
        default: "\"\"",
        kind: KeyKind::Secret(&["POLYGON_API_KEY", "MASSIVE_API_KEY"]),
    },
    KeySpec {
        name: "rest_url",
        sentence: "Where bars, snapshots and reference data are asked for; https://api.polygon.io is the old name.",
        default: "\"https://api.massive.com\"",
        kind: KeyKind::Url,
    },
    KeySpec {
        name: "stream_url",
        sentence: "The sockets; wss://delayed.massive.com for plans with 15 minutes of delay; at polygon.io they have the old names.",
        default: "\"wss://socket.massive.com\"",
        kind: KeyKind::Url,
    },
    KeySpec {
        name: "cluster",
        sentence: "Which of the sockets is listened to: stocks, options, indices, forex or crypto; a key opens one connection to each.",
        default: "\"stocks\"",
        kind: KeyKind::Choice(&["stocks", "options", "indices", "forex", "crypto"]),
    },
    KeySpec {
        name: "channels",
        sentence: "What the socket is asked for: T trades (values of indices), Q quotes, A bars of a second, AM bars of a minute.",
        default: "[\"T\", \"Q\", \"AM\"]",
        kind: KeyKind::Choices(&["T", "Q", "A", "AM"]),
    },
    KeySpec {
        name: "poll_s",
        sentence: "Seconds between two looks at the same price while the socket does not bring it.",
        default: "60",
        kind: KeyKind::Integer { min: 5, max: 86_400 },
    },
    KeySpec {
        name: "requests_per_minute",
        sentence: "How many requests are sent at most; 5 is what the free plan allows, paid plans may set 6000.",
        default: "5",
        kind: KeyKind::Integer { min: 1, max: 6_000 },
    },
];

fn open(section: &Section, net: Net) -> Arc<dyn Provider> {
    Arc::new(Polygon::new(section, net))
}
