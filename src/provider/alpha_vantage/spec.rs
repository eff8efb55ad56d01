//! What Alpha Vantage is, for lists, help and config.

use std::sync::Arc;

use crate::config::{KeyKind, KeySpec, Section};
use crate::market::{AssetClass, Delay, Interval};
use crate::provider::alpha_vantage::rest::AlphaVantage;
use crate::provider::contract::{Capabilities, Provider, ProviderSpec};
use crate::provider::net::{Net, standard_headers};
use crate::request::SourceKind;

/// Alpha Vantage.
pub const SPEC: ProviderSpec = ProviderSpec {
    name: "alpha-vantage",
    sentence: "Alpha Vantage: end-of-day prices, history, statements and lists of US shares, funds and indices.",
    capabilities: Capabilities {
        asset_classes: &[AssetClass::Equity, AssetClass::Etf, AssetClass::Index],
        live: SourceKind::Prices,
        delay: Delay::EndOfDay,
        // Its hours begin on the clock hour, ours with the session.
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
    KeySpec {
        name: "enabled",
        sentence: "Whether Alpha Vantage is asked at all, where there is a key.",
        default: "true",
        kind: KeyKind::Flag,
    },
    KeySpec { name: "api_key", sentence: "The key of the account.", default: "\"\"", kind: KeyKind::Secret(&["ALPHA_VANTAGE_API_KEY"]) },
    KeySpec {
        name: "rest_url",
        sentence: "Where everything is asked for.",
        default: "\"https://www.alphavantage.co\"",
        kind: KeyKind::Url,
    },
    KeySpec {
        name: "requests_per_minute",
        sentence: "How many requests are sent at most; paid plans allow from 75 on.",
        default: "5",
        kind: KeyKind::Integer { min: 1, max: 1_200 },
    },
    KeySpec {
        name: "requests_per_day",
        sentence: "How many requests are sent in a day at most, 25 on the free plan; 0 is no cap.",
        default: "25",
        kind: KeyKind::Integer { min: 0, max: 10_000_000 },
    },
    KeySpec {
        name: "entitlement",
        sentence: "What the plan has of today's prices: none (end of day), delayed by 15 minutes, or realtime.",
        default: "\"none\"",
        kind: KeyKind::Choice(&["none", "delayed", "realtime"]),
    },
    KeySpec {
        name: "datatype",
        sentence: "What history is asked for in; both come to the same bars.",
        default: "\"json\"",
        kind: KeyKind::Choice(&["json", "csv"]),
    },
    KeySpec {
        name: "poll_s",
        sentence: "Seconds between two looks at a symbol; longer where the cap of the day asks for it.",
        default: "300",
        kind: KeyKind::Integer { min: 5, max: 86_400 },
    },
    KeySpec {
        name: "outputsize",
        sentence: "How many days are asked for: compact is the last 100, full is twenty years and not in every plan.",
        default: "\"compact\"",
        kind: KeyKind::Choice(&["compact", "full"]),
    },
    KeySpec {
        name: "adjusted",
        sentence: "Whether days come with splits and dividends, which is a paid function.",
        default: "false",
        kind: KeyKind::Flag,
    },
];

fn open(section: &Section, net: Net) -> Arc<dyn Provider> {
    Arc::new(AlphaVantage::new(section, net))
}
