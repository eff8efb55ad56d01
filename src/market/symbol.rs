//! Symbols as people type them.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::market::instrument::{AssetClass, Listing};

/// A symbol as typed: `AAPL`, `BRK.B`, `VOD:XLON`, `BTC-USD`, `BTC-USD@kraken`, `EUR/USD`, `^GSPC`, `O:SPY251219C00650000`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Symbol(Arc<str>);

/// A text that is no symbol.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum SymbolError {
    #[error("a symbol is missing")]
    Empty,
    #[error("'{0}' is longer than any symbol ({MAX_LEN} characters)")]
    TooLong(String),
    #[error("'{0}' is not a symbol: {1:?} does not occur in one (try AAPL, VOD:XLON, BTC-USD, EUR/USD or ^GSPC)")]
    Character(String, char),
    #[error("'{0}' is not a symbol (try AAPL, VOD:XLON, BTC-USD, EUR/USD or ^GSPC)")]
    Shape(String),
}

const MAX_LEN: usize = 40;

/// Currencies that a crypto pair is quoted in; `BF-B` and the like are share classes, not pairs.
const CRYPTO_QUOTES: [&str; 11] = ["USD", "USDT", "USDC", "EUR", "GBP", "JPY", "CHF", "CAD", "AUD", "BTC", "ETH"];

/// Venues of the United States, over the counter included.
const US_VENUES: [&str; 7] = ["XNYS", "XNAS", "XASE", "ARCX", "BATS", "IEXG", "OTCM"];

impl Symbol {
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What the spelling alone tells about the instrument.
    #[must_use]
    pub fn listing(&self) -> Listing {
        let text = self.unpinned();
        if let Some(rest) = text.strip_prefix("O:") {
            return Listing::new("XNYS", AssetClass::Option, "USD", u8::from(!rest.is_empty()) * 2);
        }
        if text.starts_with('^') {
            return Listing::new("XNYS", AssetClass::Index, "USD", 2);
        }
        if let Some((_, quote)) = text.split_once('/') {
            return Listing::new("FX", AssetClass::Fx, quote, if quote == "JPY" { 3 } else { 5 });
        }
        if let Some((_, quote)) = self.crypto_pair() {
            return Listing::new("CRYPTO", AssetClass::Crypto, quote, 2);
        }
        match text.split_once(':') {
            Some((_, "XLON")) => Listing::new("XLON", AssetClass::Equity, "GBp", 2),
            Some((_, "XTKS")) => Listing::new("XTKS", AssetClass::Equity, "JPY", 1),
            Some((_, "XHKG")) => Listing::new("XHKG", AssetClass::Equity, "HKD", 3),
            Some((_, venue)) => Listing::new(venue, AssetClass::Equity, "", 2),
            None => Listing::new("XNYS", AssetClass::Equity, "USD", 2),
        }
    }

    /// Base and quote of a crypto pair on any venue.
    #[must_use]
    pub fn crypto_pair(&self) -> Option<(&str, &str)> {
        let (base, quote) = self.unpinned().rsplit_once('-')?;
        (CRYPTO_QUOTES.contains(&quote) && !base.is_empty()).then_some((base, quote))
    }

    /// Without the source that it is pinned to.
    #[must_use]
    pub fn unpinned(&self) -> &str {
        self.0.split_once('@').map_or(&*self.0, |(text, _)| text)
    }

    /// The ticker of what is listed in the United States: `AAPL`, `MSFT:XNAS`; `None` for a pair, an index, an option or a listing elsewhere.
    #[must_use]
    pub fn us_ticker(&self) -> Option<&str> {
        if !matches!(self.listing().asset_class, AssetClass::Equity | AssetClass::Etf) {
            return None;
        }
        match self.unpinned().split_once(':') {
            Some((ticker, venue)) => US_VENUES.contains(&venue).then_some(ticker),
            None => Some(self.unpinned()),
        }
    }

    /// Whether this source may price it: it is pinned to none or to this one.
    #[must_use]
    pub fn is_open_to(&self, source: &str) -> bool {
        self.pinned_source().is_none_or(|pinned| pinned == source)
    }

    /// The one source that may price this symbol, where it names one (`BTC-USD@kraken`).
    #[must_use]
    pub fn pinned_source(&self) -> Option<&str> {
        self.0.split_once('@').map(|(_, source)| source)
    }
}

impl FromStr for Symbol {
    type Err = SymbolError;

    fn from_str(typed: &str) -> Result<Self, SymbolError> {
        let typed = typed.trim();
        if typed.is_empty() {
            return Err(SymbolError::Empty);
        }
        if typed.len() > MAX_LEN {
            return Err(SymbolError::TooLong(typed.chars().filter(|c| !c.is_control()).take(MAX_LEN).collect()));
        }
        if let Some(bad) = typed.chars().find(|c| !(c.is_ascii_alphanumeric() || ".-/^:@=".contains(*c))) {
            return Err(SymbolError::Character(crate::market::clean(typed).into_owned(), bad));
        }
        let text = match typed.split_once('@') {
            Some((pair, source)) => format!("{}@{}", pair.to_ascii_uppercase(), source.to_ascii_lowercase()),
            None => typed.to_ascii_uppercase(),
        };
        if well_formed(&text) { Ok(Self(text.into())) } else { Err(SymbolError::Shape(text)) }
    }
}

/// Each separator at most once, and something on both sides of it.
fn well_formed(text: &str) -> bool {
    let body = text.strip_prefix('^').unwrap_or(text);
    let separators = ['/', ':', '@'];
    let once = |mark: char| match body.split_once(mark) {
        Some((left, right)) => !left.is_empty() && !right.is_empty() && !right.contains(mark),
        None => true,
    };
    !body.is_empty()
        && separators.iter().all(|&mark| once(mark))
        && !body.contains('^')
        && !body.contains('=')
        && body.starts_with(|c: char| c.is_ascii_alphanumeric())
        && body.ends_with(|c: char| c.is_ascii_alphanumeric())
}

impl fmt::Display for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl TryFrom<String> for Symbol {
    type Error = SymbolError;

    fn try_from(text: String) -> Result<Self, SymbolError> {
        text.parse()
    }
}

impl From<Symbol> for String {
    fn from(symbol: Symbol) -> Self {
        symbol.0.as_ref().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spelling_tells_the_listing() {
        let table = [
            ("aapl", "AAPL", "XNYS", AssetClass::Equity, "USD"),
            ("BRK.B", "BRK.B", "XNYS", AssetClass::Equity, "USD"),
            ("BF-B", "BF-B", "XNYS", AssetClass::Equity, "USD"),
            ("vod:xlon", "VOD:XLON", "XLON", AssetClass::Equity, "GBp"),
            ("btc-usd", "BTC-USD", "CRYPTO", AssetClass::Crypto, "USD"),
            ("BTC-USD@Kraken", "BTC-USD@kraken", "CRYPTO", AssetClass::Crypto, "USD"),
            ("eur/usd", "EUR/USD", "FX", AssetClass::Fx, "USD"),
            ("^gspc", "^GSPC", "XNYS", AssetClass::Index, "USD"),
            ("O:SPY251219C00650000", "O:SPY251219C00650000", "XNYS", AssetClass::Option, "USD"),
        ];
        for (typed, text, venue, class, currency) in table {
            let symbol: Symbol = typed.parse().expect(typed);
            let listing = symbol.listing();
            assert_eq!((symbol.as_str(), &*listing.venue, listing.asset_class, &*listing.currency), (text, venue, class, currency));
        }
    }

    #[test]
    fn a_ticker_of_the_united_states_is_known_by_its_venue() {
        for (typed, ticker) in [
            ("AAPL", Some("AAPL")),
            ("BRK.B@yahoo", Some("BRK.B")),
            ("msft:xnas", Some("MSFT")),
            ("VOD:XLON", None),
            ("BTC-USD", None),
            ("EUR/USD", None),
            ("^GSPC", None),
        ] {
            assert_eq!(typed.parse::<Symbol>().expect(typed).us_ticker(), ticker, "{typed}");
        }
        let pinned: Symbol = "BTC-USD@kraken".parse().expect("a symbol");
        assert!(pinned.is_open_to("kraken") && !pinned.is_open_to("yahoo"));
    }

    #[test]
    fn what_is_no_symbol_is_refused_with_a_reason() {
        for typed in ["", "  ", "A B", "AAPL;DROP", "\u{1b}[2J", "-A", "A/", "/USD", "A:B:C", "^", "A^B", "x".repeat(41).as_str(), "ÄÖ"] {
            let error = typed.parse::<Symbol>().expect_err(typed);
            assert!(!error.to_string().chars().any(char::is_control), "{error}");
        }
    }
}
