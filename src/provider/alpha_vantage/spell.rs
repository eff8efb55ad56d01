//! Our symbols as Alpha Vantage spells them.

use crate::market::{AssetClass, Symbol};

/// Indices that other houses call otherwise: "API Documentation", <https://www.alphavantage.co/documentation/>.
const INDICES: [(&str, &str); 2] = [("GSPC", "SPX"), ("IXIC", "COMP")];

/// What stands before an index in our spellings of theirs, so that it is not taken for a share: they have a function of its own for it.
const INDEX: char = '^';

/// A symbol as it is spelled there; `None` when it is pinned to another source or not kept there. Listings outside the United States
/// have a suffix there, but in which unit they are priced and on whose clock their rows are labelled is not documented: these are left
/// to other sources.
#[must_use]
pub fn spell(symbol: &Symbol) -> Option<String> {
    if !symbol.is_open_to("alpha-vantage") {
        return None;
    }
    match symbol.listing().asset_class {
        AssetClass::Equity | AssetClass::Etf => symbol.us_ticker().map(|ticker| ticker.replace('.', "-")),
        AssetClass::Index => {
            let name = symbol.unpinned().strip_prefix(INDEX)?;
            let theirs = INDICES.iter().find(|(ours, _)| *ours == name).map_or(name, |&(_, theirs)| theirs);
            Some(format!("{INDEX}{theirs}"))
        }
        AssetClass::Option | AssetClass::Future | AssetClass::Fx | AssetClass::Crypto => None,
    }
}

/// The symbol that is spelled so; `None` for listings outside the United States.
#[must_use]
pub fn unspell(spelling: &str) -> Option<Symbol> {
    if let Some(name) = index(spelling) {
        let ours = INDICES.iter().find(|(_, theirs)| *theirs == name).map_or(name, |&(ours, _)| ours);
        return format!("{INDEX}{ours}").parse().ok();
    }
    // A class of shares stands after a hyphen; a point begins the suffix of a venue.
    let is_plain = spelling.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    is_plain.then(|| spelling.replace('-', ".")).and_then(|text| text.parse().ok())
}

/// The source's own name of an index; `None` when the spelling is one of a share or fund.
pub(crate) fn index(spelling: &str) -> Option<&str> {
    spelling.strip_prefix(INDEX)
}

/// How an index of that name is spelled.
pub(crate) fn of_index(name: &str) -> String {
    format!("{INDEX}{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spells_as_the_source_does() {
        let table = [
            ("IBM", Some("IBM")),
            ("BRK.B", Some("BRK-B")),
            ("MSFT:XNAS", Some("MSFT")),
            ("IBM@alpha-vantage", Some("IBM")),
            ("IBM@yahoo", None),
            ("VOD:XLON", None),
            ("^GSPC", Some("^SPX")),
            ("^DJI", Some("^DJI")),
            ("EUR/USD", None),
            ("BTC-USD", None),
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
            ("IBM", Some("IBM")),
            ("BRK-B", Some("BRK.B")),
            ("ALL-P-H", Some("ALL.P.H")),
            ("^SPX", Some("^GSPC")),
            ("^NDX", Some("^NDX")),
            ("TSCO.LON", None),
            ("", None),
        ];
        for (spelling, text) in table {
            let symbol = unspell(spelling);
            assert_eq!(symbol.as_ref().map(Symbol::as_str), text, "{spelling}");
            if let Some(symbol) = symbol {
                assert_eq!(spell(&symbol).as_deref(), Some(spelling));
            }
        }
    }
}
