//! Our symbols as Yahoo spells them.

use crate::market::{AssetClass, Symbol};

/// Venues by the end of their symbols; the venues of the United States have none.
const SUFFIXES: [(&str, &str); 24] = [
    ("XNYS", ""),
    ("XNAS", ""),
    ("XASE", ""),
    ("ARCX", ""),
    ("BATS", ""),
    ("XLON", ".L"),
    ("XTKS", ".T"),
    ("XHKG", ".HK"),
    ("XETR", ".DE"),
    ("XFRA", ".F"),
    ("XPAR", ".PA"),
    ("XAMS", ".AS"),
    ("XBRU", ".BR"),
    ("XMIL", ".MI"),
    ("XMAD", ".MC"),
    ("XSWX", ".SW"),
    ("XSTO", ".ST"),
    ("XCSE", ".CO"),
    ("XHEL", ".HE"),
    ("XOSL", ".OL"),
    ("XTSE", ".TO"),
    ("XASX", ".AX"),
    ("XKRX", ".KS"),
    ("XSES", ".SI"),
];

/// A symbol as Yahoo spells it; `None` when it is pinned to another source or listed where Yahoo has no suffix we know.
#[must_use]
pub fn spell(symbol: &Symbol) -> Option<String> {
    if symbol.pinned_source().is_some_and(|source| source != "yahoo") {
        return None;
    }
    let text = symbol.as_str();
    let text = text.split_once('@').map_or(text, |(text, _)| text);
    match symbol.listing().asset_class {
        AssetClass::Option => text.strip_prefix("O:").map(str::to_owned),
        AssetClass::Fx => text.split_once('/').map(|(base, quote)| format!("{base}{quote}=X")),
        AssetClass::Index | AssetClass::Crypto => Some(text.to_owned()),
        AssetClass::Equity | AssetClass::Etf => listed(text),
        AssetClass::Future => None,
    }
}

/// A share: its class after a dash, its venue as a suffix, and numbers in Hong Kong at least four digits long.
fn listed(text: &str) -> Option<String> {
    let (ticker, venue) = text.split_once(':').unwrap_or((text, "XNYS"));
    let (_, suffix) = SUFFIXES.iter().find(|(mic, _)| *mic == venue)?;
    let ticker = ticker.replace('.', "-");
    Some(if venue == "XHKG" { format!("{ticker:0>4}{suffix}") } else { format!("{ticker}{suffix}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spells_as_yahoo_does() {
        let table = [
            ("AAPL", Some("AAPL")),
            ("BRK.B", Some("BRK-B")),
            ("VOD:XLON", Some("VOD.L")),
            ("7203:XTKS", Some("7203.T")),
            ("5:XHKG", Some("0005.HK")),
            ("0700:XHKG", Some("0700.HK")),
            ("80737:XHKG", Some("80737.HK")),
            ("SAP:XETR", Some("SAP.DE")),
            ("MSFT:XNAS", Some("MSFT")),
            ("ABC:XXXX", None),
            ("EUR/USD", Some("EURUSD=X")),
            ("BTC-USD", Some("BTC-USD")),
            ("BTC-USD@yahoo", Some("BTC-USD")),
            ("BTC-USD@kraken", None),
            ("^GSPC", Some("^GSPC")),
            ("O:SPY251219C00650000", Some("SPY251219C00650000")),
        ];
        for (typed, spelling) in table {
            let symbol: Symbol = typed.parse().expect(typed);
            assert_eq!(spell(&symbol).as_deref(), spelling, "{typed}");
        }
    }
}
