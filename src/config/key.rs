//! What a key of the config file is: everything that is said of it is said here.

/// One key: its name, a sentence for the example file, its default as TOML text, and what it may hold.
#[derive(Clone, Copy, Debug)]
pub struct KeySpec {
    pub name: &'static str,
    pub sentence: &'static str,
    pub default: &'static str,
    pub kind: KeyKind,
}

/// What a key may hold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum KeyKind {
    Text,
    /// `http`, `https`, `ws` or `wss`.
    Url,
    Flag,
    Integer {
        min: i64,
        max: i64,
    },
    Choice(&'static [&'static str]),
    TextList,
    /// A list of these, each once.
    Choices(&'static [&'static str]),
    /// Names of sources: each is a `[provider.NAME]` of this build.
    Sources,
    /// A key to a service, never printed; the variables of the environment that may hold it stand above the file.
    Secret(&'static [&'static str]),
}

/// A table of the config file.
#[derive(Clone, Copy, Debug)]
pub struct SectionSpec {
    /// With dots, as in `provider.yahoo`.
    pub name: &'static str,
    pub sentence: &'static str,
    pub keys: &'static [KeySpec],
}

pub const STORE: SectionSpec = SectionSpec {
    name: "store",
    sentence: "Where bars are kept, and what else is.",
    keys: &[
        KeySpec {
            name: "url",
            sentence: "The store: sqlite:path, sqlite:/path or postgres://user@host/database; empty is openbell.db in the data folder.",
            default: "\"\"",
            kind: KeyKind::Text,
        },
        KeySpec {
            name: "quotes",
            sentence: "Whether prices and quotes are kept as they change, at most one a second of each instrument.",
            default: "true",
            kind: KeyKind::Flag,
        },
        KeySpec {
            name: "trades",
            sentence: "Whether each trade is kept, beside the bars that are made of them: that takes room.",
            default: "false",
            kind: KeyKind::Flag,
        },
        KeySpec {
            name: "spool_mb",
            sentence: "How many megabytes of rows may wait on this machine while a PostgreSQL store is away.",
            default: "1024",
            kind: KeyKind::Integer { min: 1, max: 1_000_000 },
        },
    ],
};

pub const RETAIN: SectionSpec = SectionSpec {
    name: "store.retain",
    sentence: "How many days rows are kept, by table; 0 is for ever.",
    keys: &[
        days("bars_intraday", "Bars shorter than a day, by when they opened; longer ones are always kept.", "0"),
        days("quotes", "Sampled prices and quotes.", "7"),
        days("trades", "Trades, where they are kept.", "7"),
        days("quarantine", "What was refused, with the reason.", "365"),
        days("violations", "Broken rules of data quality.", "365"),
        days("jobs", "Jobs that are over.", "90"),
        days("alert_history", "Alerts that went off.", "365"),
    ],
};

pub const WATCHLIST: SectionSpec = SectionSpec {
    name: "watchlist",
    sentence: "What a new store watches; afterwards the list lives in the store (keys a and d).",
    keys: &[KeySpec {
        name: "symbols",
        sentence: "Symbols of a new store, in this order.",
        default: "[\"AAPL\", \"MSFT\", \"NVDA\", \"SPY\", \"VOD:XLON\", \"BTC-USD\", \"ETH-USD\", \"EUR/USD\"]",
        kind: KeyKind::TextList,
    }],
};

pub const SCREEN: SectionSpec = SectionSpec {
    name: "screen",
    sentence: "How the monitor looks.",
    keys: &[
        KeySpec {
            name: "layout",
            sentence: "Which panes are shown at the start: overview, watchlist or operations.",
            default: "\"overview\"",
            kind: KeyKind::Choice(&["overview", "watchlist", "operations"]),
        },
        KeySpec {
            name: "theme",
            sentence: "Colours: dark, light or plain (none).",
            default: "\"dark\"",
            kind: KeyKind::Choice(&["dark", "light", "plain"]),
        },
        KeySpec {
            name: "mouse",
            sentence: "Whether the terminal's mouse is captured (then it selects no text).",
            default: "false",
            kind: KeyKind::Flag,
        },
        KeySpec {
            name: "frames_per_second",
            sentence: "How often market changes are drawn at most; keys are drawn at once.",
            default: "4",
            kind: KeyKind::Integer { min: 1, max: 4 },
        },
    ],
};

pub const SOURCES: SectionSpec = SectionSpec {
    name: "sources",
    sentence: "Which source is believed, and when another one takes over.",
    keys: &[
        KeySpec {
            name: "rank",
            sentence: "Best first: a bar of a better source replaces that of a worse one, never the other way round.",
            default: "[\"coinbase\", \"kraken\", \"binance\", \"polygon\", \"alpaca:sip\", \"fmp\", \"alpha-vantage\", \"yahoo\", \"alpaca\", \"finnhub\", \"sim\"]",
            kind: KeyKind::Sources,
        },
        KeySpec {
            name: "stale_after_s",
            sentence: "Seconds beyond the declared delay after which an unconfirmed price is called stale.",
            default: "90",
            kind: KeyKind::Integer { min: 5, max: 86_400 },
        },
        KeySpec {
            name: "failover_s",
            sentence: "Seconds for which a source may fail before the next one of [sources.live] takes over; the first is tried on.",
            default: "30",
            kind: KeyKind::Integer { min: 1, max: 86_400 },
        },
        KeySpec {
            name: "silent_s",
            sentence: "Seconds for which one symbol may stay silent while its market trades before the next source is heard too.",
            default: "180",
            kind: KeyKind::Integer { min: 10, max: 86_400 },
        },
        KeySpec {
            name: "at_once",
            sentence: "How many sources are heard for each symbol: the bars of two are compared and fused in the store.",
            default: "1",
            kind: KeyKind::Integer { min: 1, max: 9 },
        },
        KeySpec {
            name: "repair",
            sentence: "Whether what could not be heard is asked for afterwards, where a source has history.",
            default: "true",
            kind: KeyKind::Flag,
        },
    ],
};

pub const LIVE: SectionSpec = SectionSpec {
    name: "sources.live",
    sentence: "Who is listened to, by the class of what is watched: the first that can, and the next ones when it fails.",
    keys: &[
        order("equity", "Sources of shares.", SHARES),
        order("etf", "Sources of funds that trade like shares.", SHARES),
        order("index", "Sources of indices.", "[\"polygon\", \"fmp\", \"yahoo\", \"sim\"]"),
        order("option", "Sources of options.", "[\"polygon\", \"yahoo\"]"),
        order("fx", "Sources of currencies.", "[\"polygon\", \"fmp\", \"yahoo\", \"finnhub\", \"sim\"]"),
        order("crypto", "Sources of crypto pairs.", COINS),
    ],
};

pub const HISTORY: SectionSpec = SectionSpec {
    name: "sources.history",
    sentence: "Who is asked for bars, by class: the first that has the symbol and the interval.",
    keys: &[
        order("equity", "Sources of shares.", "[\"polygon\", \"alpaca\", \"fmp\", \"yahoo\", \"alpha-vantage\", \"sim\"]"),
        order(
            "etf",
            "Sources of funds that trade like shares.",
            "[\"polygon\", \"alpaca\", \"fmp\", \"yahoo\", \"alpha-vantage\", \"sim\"]",
        ),
        order("index", "Sources of indices.", "[\"polygon\", \"fmp\", \"yahoo\", \"alpha-vantage\", \"sim\"]"),
        order("option", "Sources of options.", "[\"polygon\", \"yahoo\"]"),
        order("fx", "Sources of currencies.", "[\"polygon\", \"fmp\", \"yahoo\", \"sim\"]"),
        order("crypto", "Sources of crypto pairs.", "[\"coinbase\", \"kraken\", \"binance\", \"polygon\", \"fmp\", \"yahoo\", \"sim\"]"),
    ],
};

pub const DETAILS: SectionSpec = SectionSpec {
    name: "sources.details",
    sentence: "Who is asked for statements, master data, splits, dividends and lists of instruments, by class.",
    keys: &[
        order("equity", "Sources of shares.", DETAILED),
        order("etf", "Sources of funds that trade like shares.", DETAILED),
        order("index", "Sources of indices.", "[\"polygon\", \"alpha-vantage\", \"fmp\", \"yahoo\"]"),
        order("option", "Sources of options.", "[\"polygon\", \"yahoo\"]"),
        order("fx", "Sources of currencies.", "[\"polygon\", \"finnhub\", \"yahoo\"]"),
        order("crypto", "Sources of crypto pairs.", COINS),
    ],
};

const SHARES: &str = "[\"polygon\", \"alpaca\", \"fmp\", \"finnhub\", \"yahoo\", \"alpha-vantage\", \"sim\"]";
const COINS: &str = "[\"coinbase\", \"kraken\", \"binance\", \"polygon\", \"fmp\", \"yahoo\", \"finnhub\", \"sim\"]";
const DETAILED: &str = "[\"polygon\", \"fmp\", \"alpha-vantage\", \"finnhub\", \"yahoo\", \"alpaca\"]";

pub const CALENDAR: SectionSpec = SectionSpec {
    name: "calendar",
    sentence: "Days that the built-in calendars do not know.",
    keys: &[KeySpec {
        name: "days",
        sentence: "A file of your own closures, early closes and openings; empty is calendar.toml beside this file, if there.",
        default: "\"\"",
        kind: KeyKind::Text,
    }],
};

pub const LOG: SectionSpec = SectionSpec {
    name: "log",
    sentence: "What is logged to the state folder and to the logs pane.",
    keys: &[KeySpec {
        name: "level",
        sentence: "error, warn, info, debug or trace.",
        default: "\"info\"",
        kind: KeyKind::Choice(&["error", "warn", "info", "debug", "trace"]),
    }],
};

/// How long rows of a table are kept.
const fn days(name: &'static str, sentence: &'static str, default: &'static str) -> KeySpec {
    KeySpec { name, sentence, default, kind: KeyKind::Integer { min: 0, max: 36_500 } }
}

/// The sources of one class, in order.
const fn order(name: &'static str, sentence: &'static str, default: &'static str) -> KeySpec {
    KeySpec { name, sentence, default, kind: KeyKind::Sources }
}
