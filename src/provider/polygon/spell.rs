//! Our symbols as Massive spells them: its REST interface one way, its sockets another.

use crate::market::{AssetClass, Symbol, Zone};

/// A socket of its own for each kind of instrument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cluster {
    Stocks,
    Options,
    Indices,
    Forex,
    Crypto,
}

/// Indices that other houses call otherwise.
const INDICES: [(&str, &str); 2] = [("GSPC", "SPX"), ("IXIC", "COMP")];

/// What crypto pairs are quoted in, the longest first: the REST interface puts nothing between the two.
const QUOTES: [&str; 11] = ["USDT", "USDC", "USD", "EUR", "GBP", "JPY", "CHF", "CAD", "AUD", "BTC", "ETH"];

impl Cluster {
    pub const ALL: [Self; 5] = [Self::Stocks, Self::Options, Self::Indices, Self::Forex, Self::Crypto];

    /// The last part of the socket's address.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stocks => "stocks",
            Self::Options => "options",
            Self::Indices => "indices",
            Self::Forex => "forex",
            Self::Crypto => "crypto",
        }
    }

    /// The cluster of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cluster| cluster.name() == name)
    }

    /// The cluster of a spelling of the REST interface.
    #[must_use]
    pub fn of(spelling: &str) -> Self {
        match spelling.split_once(':') {
            Some(("O", _)) => Self::Options,
            Some(("I", _)) => Self::Indices,
            Some(("C", _)) => Self::Forex,
            Some(("X", _)) => Self::Crypto,
            _ => Self::Stocks,
        }
    }

    /// Where its days begin and end at midnight.
    #[must_use]
    pub const fn zone(self) -> Zone {
        match self {
            Self::Stocks | Self::Options | Self::Indices | Self::Forex => Zone::NEW_YORK,
            Self::Crypto => Zone::UTC,
        }
    }
}

/// The cluster that speaks of a symbol.
#[must_use]
pub fn cluster_of(symbol: &Symbol) -> Option<Cluster> {
    match symbol.listing().asset_class {
        AssetClass::Equity | AssetClass::Etf => Some(Cluster::Stocks),
        AssetClass::Option => Some(Cluster::Options),
        AssetClass::Index => Some(Cluster::Indices),
        AssetClass::Fx => Some(Cluster::Forex),
        AssetClass::Crypto => Some(Cluster::Crypto),
        AssetClass::Future => None,
    }
}

/// A symbol as the REST interface spells it; `None` when it is pinned to another source or listed outside the United States.
#[must_use]
pub fn spell(symbol: &Symbol) -> Option<String> {
    if !symbol.is_open_to("polygon") {
        return None;
    }
    let text = symbol.unpinned();
    match cluster_of(symbol)? {
        Cluster::Stocks => symbol.us_ticker().map(|ticker| ticker.replace('-', ".")),
        Cluster::Options => Some(text.to_owned()),
        Cluster::Indices => text.strip_prefix('^').map(|name| format!("I:{}", index(name))),
        Cluster::Forex => text.split_once('/').map(|(base, quote)| format!("C:{base}{quote}")),
        Cluster::Crypto => symbol.crypto_pair().map(|(base, quote)| format!("X:{base}{quote}")),
    }
}

/// The symbol that the REST interface spells so. What does not come back to the same spelling is none of ours: small letters in a
/// preferred share, for one.
#[must_use]
pub fn unspell(spelling: &str) -> Option<Symbol> {
    let typed = match Cluster::of(spelling) {
        Cluster::Stocks | Cluster::Options => spelling.to_owned(),
        Cluster::Indices => spelling.strip_prefix("I:").map(|name| format!("^{}", usual(name)))?,
        Cluster::Forex => currencies(spelling).map(|(base, quote)| format!("{base}/{quote}"))?,
        Cluster::Crypto => coins(spelling).map(|(base, quote)| format!("{base}-{quote}"))?,
    };
    let symbol: Symbol = typed.parse().ok()?;
    (spell(&symbol).as_deref() == Some(spelling)).then_some(symbol)
}

/// A spelling of the REST interface as the sockets have it: `X:BTCUSD` is `BTC-USD` there.
#[must_use]
pub fn on_socket(spelling: &str) -> Option<String> {
    match Cluster::of(spelling) {
        Cluster::Stocks | Cluster::Options | Cluster::Indices => Some(spelling.to_owned()),
        Cluster::Forex => currencies(spelling).map(|(base, quote)| format!("{base}/{quote}")),
        Cluster::Crypto => coins(spelling).map(|(base, quote)| format!("{base}-{quote}")),
    }
}

/// A pair of a socket as the REST interface spells it; clients write currencies with a dash too.
#[must_use]
pub fn from_socket(prefix: &str, pair: &str) -> String {
    format!("{prefix}:{}", pair.replace(['-', '/'], ""))
}

fn index(name: &str) -> &str {
    INDICES.iter().find(|(usual, _)| *usual == name).map_or(name, |(_, here)| here)
}

fn usual(name: &str) -> &str {
    INDICES.iter().find(|(_, here)| *here == name).map_or(name, |(usual, _)| usual)
}

fn currencies(spelling: &str) -> Option<(&str, &str)> {
    let pair = spelling.strip_prefix("C:").filter(|pair| pair.len() == 6 && pair.is_ascii())?;
    Some(pair.split_at(3))
}

fn coins(spelling: &str) -> Option<(&str, &str)> {
    let pair = spelling.strip_prefix("X:")?;
    QUOTES.iter().find_map(|quote| pair.strip_suffix(*quote).filter(|base| !base.is_empty()).map(|base| (base, *quote)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spells_and_reads_back() {
        let table = [
            ("AAPL", "AAPL", "AAPL"),
            ("BRK.B", "BRK.B", "BRK.B"),
            ("^GSPC", "I:SPX", "I:SPX"),
            ("^NDX", "I:NDX", "I:NDX"),
            ("O:SPY251219C00650000", "O:SPY251219C00650000", "O:SPY251219C00650000"),
            ("EUR/USD", "C:EURUSD", "EUR/USD"),
            ("BTC-USD", "X:BTCUSD", "BTC-USD"),
            ("ETH-BTC", "X:ETHBTC", "ETH-BTC"),
            ("DOGE-USDT", "X:DOGEUSDT", "DOGE-USDT"),
        ];
        for (typed, spelling, socket) in table {
            let symbol: Symbol = typed.parse().expect(typed);
            assert_eq!(spell(&symbol).as_deref(), Some(spelling), "{typed}");
            assert_eq!(unspell(spelling), Some(symbol), "{spelling}");
            assert_eq!(on_socket(spelling).as_deref(), Some(socket), "{spelling}");
        }
        assert_eq!(from_socket("X", "BTC-USD"), "X:BTCUSD");
        assert_eq!((from_socket("C", "EUR/USD"), from_socket("C", "EUR-USD")), ("C:EURUSD".to_owned(), "C:EURUSD".to_owned()));
    }

    #[test]
    fn spells_what_is_its_own() {
        let table = [
            ("BF-B", Some("BF.B")),
            ("MSFT:XNAS", Some("MSFT")),
            ("BTC-USD@polygon", Some("X:BTCUSD")),
            ("BTC-USD@kraken", None),
            ("VOD:XLON", None),
        ];
        for (typed, expected) in table {
            let symbol: Symbol = typed.parse().expect(typed);
            assert_eq!(spell(&symbol).as_deref(), expected, "{typed}");
        }
        for spelling in ["KIMpL", "X:SHIBXYZ", "C:EURUSDX", "I:", "X:USD", "", "A B"] {
            assert_eq!(unspell(spelling), None, "{spelling}");
        }
    }

    #[test]
    fn each_class_has_its_cluster() {
        for (typed, cluster) in [
            ("AAPL", Cluster::Stocks),
            ("O:SPY251219C00650000", Cluster::Options),
            ("^GSPC", Cluster::Indices),
            ("EUR/USD", Cluster::Forex),
            ("BTC-USD", Cluster::Crypto),
        ] {
            let symbol: Symbol = typed.parse().expect(typed);
            assert_eq!(cluster_of(&symbol), Some(cluster), "{typed}");
            assert_eq!(spell(&symbol).map(|spelling| Cluster::of(&spelling)), Some(cluster), "{typed}");
            assert_eq!(Cluster::named(cluster.name()), Some(cluster));
        }
    }
}
