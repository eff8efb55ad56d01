//! Our symbols as Financial Modeling Prep spells them.

use crate::market::{AssetClass, Symbol};

/// A pair of two of these is one of currencies, any other pair is one of crypto.
const CURRENCIES: [&str; 48] = [
    "USD", "EUR", "GBP", "JPY", "CHF", "CAD", "AUD", "NZD", "SEK", "NOK", "DKK", "ISK", "PLN", "CZK", "HUF", "RON", "BGN", "TRY", "ZAR",
    "MXN", "BRL", "CLP", "COP", "ARS", "PEN", "CNY", "CNH", "HKD", "SGD", "KRW", "TWD", "INR", "IDR", "THB", "MYR", "PHP", "VND", "ILS",
    "AED", "SAR", "QAR", "KWD", "EGP", "UAH", "KZT", "NGN", "KES", "PKR",
];

/// What crypto is quoted in there, the longer names first.
const CRYPTO_QUOTES: [&str; 6] = ["USDT", "USDC", "USD", "EUR", "GBP", "BTC"];

/// A spelling that is two names in one word: `BTCUSD`, `EURUSD`.
struct Pair<'a> {
    class: AssetClass,
    base: &'a str,
    quote: &'a str,
}

/// A symbol as it is spelled there; `None` when it is pinned to another source or could be read as something else. Listings outside
/// the United States have a suffix there, but most plans refuse them, and on whose clock their intraday bars are labelled is not
/// documented: these are left to other sources.
#[must_use]
pub fn spell(symbol: &Symbol) -> Option<String> {
    if !symbol.is_open_to("fmp") {
        return None;
    }
    let text = symbol.unpinned();
    let class = symbol.listing().asset_class;
    let spelling = match class {
        AssetClass::Equity | AssetClass::Etf => symbol.us_ticker()?.replace('.', "-"),
        AssetClass::Index => text.to_owned(),
        AssetClass::Fx => text.split_once('/').map(|(base, quote)| format!("{base}{quote}"))?,
        AssetClass::Crypto => symbol.crypto_pair().map(|(base, quote)| format!("{base}{quote}"))?,
        AssetClass::Option | AssetClass::Future => return None,
    };
    (self::class(&spelling) == class).then_some(spelling)
}

/// The symbol that is spelled so; `None` for listings outside the United States.
#[must_use]
pub fn unspell(spelling: &str) -> Option<Symbol> {
    if spelling.starts_with('^') {
        return spelling.parse().ok();
    }
    let text = match pair(spelling) {
        Some(Pair { class: AssetClass::Fx, base, quote }) => format!("{base}/{quote}"),
        Some(Pair { base, quote, .. }) => format!("{base}-{quote}"),
        // A class of shares stands after a hyphen; a point begins the suffix of a venue.
        None => Some(spelling.replace('-', ".")).filter(|_| !spelling.contains(['.', '/', ':', '@', '=']))?,
    };
    text.parse().ok()
}

/// What a spelling alone tells: a fund looks like a share.
#[must_use]
pub fn class(spelling: &str) -> AssetClass {
    if spelling.starts_with('^') {
        return AssetClass::Index;
    }
    pair(spelling).map_or(AssetClass::Equity, |pair| pair.class)
}

fn pair(spelling: &str) -> Option<Pair<'_>> {
    if !spelling.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    if spelling.len() == 6 {
        let (base, quote) = spelling.split_at(3);
        if CURRENCIES.contains(&base) && CURRENCIES.contains(&quote) {
            return Some(Pair { class: AssetClass::Fx, base, quote });
        }
    }
    CRYPTO_QUOTES.into_iter().find_map(|quote| {
        let base = spelling.strip_suffix(quote).filter(|base| base.len() >= 2)?;
        Some(Pair { class: AssetClass::Crypto, base, quote })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spells_as_the_source_does() {
        let table = [
            ("AAPL", Some("AAPL")),
            ("BRK.B", Some("BRK-B")),
            ("BF-B", Some("BF-B")),
            ("MSFT:XNAS", Some("MSFT")),
            ("AAPL@fmp", Some("AAPL")),
            ("AAPL@yahoo", None),
            ("VOD:XLON", None),
            ("EUR/USD", Some("EURUSD")),
            ("XAU/USD", None),
            ("BTC-USD", Some("BTCUSD")),
            ("BTC-USDT", Some("BTCUSDT")),
            ("BTC-USD@fmp", Some("BTCUSD")),
            ("BTC-USD@kraken", None),
            // It could not be told from the currencies.
            ("EUR-USD", None),
            ("^GSPC", Some("^GSPC")),
            ("O:SPY251219C00650000", None),
        ];
        for (typed, spelling) in table {
            let symbol: Symbol = typed.parse().expect(typed);
            assert_eq!(spell(&symbol).as_deref(), spelling, "{typed}");
        }
    }

    #[test]
    fn reads_what_it_spells() {
        let table = [
            ("AAPL", Some("AAPL"), AssetClass::Equity),
            ("BRK-B", Some("BRK.B"), AssetClass::Equity),
            ("USD", Some("USD"), AssetClass::Equity),
            ("EURUSD", Some("EUR/USD"), AssetClass::Fx),
            ("BTCUSD", Some("BTC-USD"), AssetClass::Crypto),
            ("USDTUSD", Some("USDT-USD"), AssetClass::Crypto),
            ("^GSPC", Some("^GSPC"), AssetClass::Index),
            ("VOD.L", None, AssetClass::Equity),
            ("", None, AssetClass::Equity),
        ];
        for (spelling, text, expected) in table {
            assert_eq!(unspell(spelling).as_ref().map(Symbol::as_str), text, "{spelling}");
            assert_eq!(class(spelling), expected, "{spelling}");
        }
    }
}
