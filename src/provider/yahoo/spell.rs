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
    if !symbol.is_open_to("yahoo") {
        return None;
    }
    let text = symbol.unpinned();
    match symbol.listing().asset_class {
        AssetClass::Option => text.strip_prefix("O:").map(str::to_owned),
        AssetClass::Fx => text.split_once('/').map(|(base, quote)| format!("{base}{quote}=X")),
        AssetClass::Index | AssetClass::Crypto => Some(text.to_owned()),
        AssetClass::Equity | AssetClass::Etf => listed(text),
        AssetClass::Future => None,
    }
}

/// The symbol that Yahoo spells so; `None` for futures, and for exchanges that we do not know.
#[must_use]
pub fn unspell(spelling: &str) -> Option<Symbol> {
    let is_pair = || spelling.parse::<Symbol>().is_ok_and(|symbol| symbol.listing().asset_class == AssetClass::Crypto);
    let text = if let Some(pair) = spelling.strip_suffix("=X") {
        currencies(pair)?
    } else if is_option(spelling) {
        format!("O:{spelling}")
    } else if spelling.starts_with('^') || is_pair() {
        spelling.to_owned()
    } else {
        share(spelling)?
    };
    text.parse().ok()
}

/// `EURUSD`; where the first is the dollar it may be left out.
fn currencies(pair: &str) -> Option<String> {
    let is_code = pair.bytes().all(|byte| byte.is_ascii_uppercase());
    match pair.len() {
        3 if is_code => Some(format!("USD/{pair}")),
        6 if is_code => Some(format!("{}/{}", &pair[..3], &pair[3..])),
        _ => None,
    }
}

/// The underlying, six digits of its last day, call or put, and eight digits of the strike.
fn is_option(spelling: &str) -> bool {
    let Some((root, end)) = spelling.as_bytes().split_last_chunk::<15>() else { return false };
    let digits = |part: &[u8]| part.iter().all(u8::is_ascii_digit);
    !root.is_empty() && digits(&end[..6]) && matches!(end[6], b'C' | b'P') && digits(&end[7..])
}

/// A share's ticker and venue. What follows its dash is a class, of one or two letters: longer is something else.
fn share(spelling: &str) -> Option<String> {
    let (ticker, suffix) = spelling.rfind('.').map_or((spelling, ""), |dot| spelling.split_at(dot));
    if ticker.split_once('-').is_some_and(|(_, class)| class.len() > 2) {
        return None;
    }
    let ticker = ticker.replace('-', ".");
    if suffix.is_empty() {
        return Some(ticker);
    }
    let (venue, _) = SUFFIXES.iter().find(|(_, known)| *known == suffix)?;
    Some(format!("{ticker}:{venue}"))
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

    #[test]
    fn reads_its_own_spelling() {
        let table = [
            ("AAPL", Some("AAPL")),
            ("BRK-B", Some("BRK.B")),
            ("VOD.L", Some("VOD:XLON")),
            ("VOLV-B.ST", Some("VOLV.B:XSTO")),
            ("0005.HK", Some("0005:XHKG")),
            ("BTC-USD", Some("BTC-USD")),
            ("EURUSD=X", Some("EUR/USD")),
            ("JPY=X", Some("USD/JPY")),
            ("^GSPC", Some("^GSPC")),
            ("SPY251219C00650000", Some("O:SPY251219C00650000")),
            ("GC=F", None),
            ("EURO=X", None),
            ("BTC-INR", None),
            ("VOD.ZZ", None),
            ("", None),
        ];
        for (spelling, symbol) in table {
            assert_eq!(unspell(spelling).as_ref().map(Symbol::as_str), symbol, "{spelling}");
        }
    }
}
