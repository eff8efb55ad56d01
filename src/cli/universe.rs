//! Files with lists of symbols: text, CSV and JSON.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::cli::exit::Usage;
use crate::market::{Listed, Symbol, clean};

/// What a file holds.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Universe {
    /// In the order of the file, each once.
    pub(crate) symbols: Vec<Symbol>,
    /// Places that hold no symbol, with the reason.
    pub(crate) refused: Vec<(String, String)>,
    seen: BTreeSet<Symbol>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Csv,
    Json,
}

/// Whether a list may be written there.
pub(crate) fn check(path: &Path) -> Result<()> {
    if path.exists() {
        bail!(Usage(format!("{} is there already", path.display())));
    }
    kind(path).map(|_| ())
}

/// Writes symbols in the form that the name asks for.
pub(crate) fn write(path: &Path, listed: &[Listed]) -> Result<()> {
    let text = match kind(path)? {
        Kind::Text => listed.iter().flat_map(|one| [one.symbol.as_str(), "\n"]).collect(),
        Kind::Csv => csv_of(listed)?,
        Kind::Json => serde_json::to_string_pretty(listed).context("write the list as JSON")? + "\n",
    };
    std::fs::write(path, text).with_context(|| format!("write {}", path.display()))
}

/// Reads symbols in the form that the name says.
pub(crate) fn read(path: &Path, text: &str) -> Result<Universe> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut found = Universe::default();
    match kind(path)? {
        Kind::Text => {
            for (number, line) in text.lines().enumerate() {
                let words = line.split('#').next().unwrap_or_default().split([',', ';', ' ', '\t']);
                words.filter(|word| !word.trim().is_empty()).for_each(|word| found.take(format!("line {}", number + 1), word));
            }
        }
        Kind::Csv => from_csv(text, &mut found).with_context(|| format!("read {}", path.display()))?,
        Kind::Json => from_json(text, &mut found).with_context(|| format!("read {}", path.display()))?,
    }
    if found.symbols.is_empty() && found.refused.is_empty() {
        bail!(Usage(format!("{} holds no symbols", path.display())));
    }
    Ok(found)
}

impl Universe {
    fn take(&mut self, place: String, word: &str) {
        match word.trim().parse::<Symbol>() {
            Ok(symbol) if self.seen.insert(symbol.clone()) => self.symbols.push(symbol),
            Ok(_) => {}
            Err(error) => self.refused.push((place, error.to_string())),
        }
    }
}

fn kind(path: &Path) -> Result<Kind> {
    match path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase()).as_deref() {
        Some("csv") => Ok(Kind::Csv),
        Some("json") => Ok(Kind::Json),
        Some("txt" | "list") | None => Ok(Kind::Text),
        Some(_) => bail!(Usage(format!("{}: a list of symbols is a .txt, .csv or .json", clean(&path.to_string_lossy())))),
    }
}

/// The column named symbol or ticker, or the first where none is; a first line that is no header is a row like any other.
fn from_csv(text: &str, found: &mut Universe) -> Result<()> {
    let mut rows = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
    let mut column = 0;
    for (number, row) in rows.records().enumerate() {
        let row = row.with_context(|| format!("line {}", number + 1))?;
        let named = |name: &str| row.iter().position(|cell| cell.trim().eq_ignore_ascii_case(name));
        if number == 0
            && let Some(at) = named("symbol").or_else(|| named("ticker"))
        {
            column = at;
            continue;
        }
        if let Some(cell) = row.get(column).filter(|cell| !cell.trim().is_empty()) {
            found.take(format!("line {}", number + 1), cell);
        }
    }
    Ok(())
}

fn from_json(text: &str, found: &mut Universe) -> Result<()> {
    let items: Vec<serde_json::Value> = serde_json::from_str(text).context("a JSON array is wanted")?;
    for (number, item) in items.iter().enumerate() {
        let word = item.as_str().or_else(|| item.get("symbol").and_then(serde_json::Value::as_str));
        let place = format!("item {}", number + 1);
        match word {
            Some(word) => found.take(place, word),
            None => found.refused.push((place, "neither a text nor an object with a symbol".to_owned())),
        }
    }
    Ok(())
}

fn csv_of(listed: &[Listed]) -> Result<String> {
    let mut out = csv::Writer::from_writer(Vec::new());
    out.write_record(["symbol", "name", "venue", "asset_class", "currency", "active"])?;
    for one in listed {
        let text = |text: &Option<String>| text.as_deref().map(|text| clean(text).into_owned()).unwrap_or_default();
        let active = if one.active { "true" } else { "false" };
        let row = [&text(&one.name), &text(&one.venue), one.asset_class.name(), &text(&one.currency), active];
        out.write_record(std::iter::once(one.symbol.as_str()).chain(row))?;
    }
    Ok(String::from_utf8(out.into_inner().context("write the list as CSV")?).expect("every part was text"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn symbols(name: &str, text: &str) -> (Vec<String>, Vec<String>) {
        let found = read(Path::new(name), text).unwrap();
        let refused = found.refused.into_iter().map(|(place, _)| place).collect();
        (found.symbols.iter().map(ToString::to_string).collect(), refused)
    }

    #[test]
    fn every_form_is_read() {
        let words = |list: &[&str]| list.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let text = "\u{feff}aapl, MSFT # two\n\nBTC-USD\nAAPL\n€\n";
        assert_eq!(symbols("a.txt", text), (words(&["AAPL", "MSFT", "BTC-USD"]), words(&["line 5"])));
        let csv = "name,Symbol\r\n\"Apple, Inc.\",aapl\r\nBad,A B\r\n,\r\n";
        assert_eq!(symbols("a.CSV", csv), (words(&["AAPL"]), words(&["line 3"])));
        assert_eq!(symbols("a.csv", "AAPL,1\nVOD:XLON,2\n"), (words(&["AAPL", "VOD:XLON"]), words(&[])));
        let json = r#"["AAPL", {"symbol": "EUR/USD"}, 7]"#;
        assert_eq!(symbols("a.json", json), (words(&["AAPL", "EUR/USD"]), words(&["item 3"])));
    }

    #[test]
    fn a_list_without_symbols_is_told_of() {
        assert!(read(Path::new("a.txt"), "# nothing\n").is_err());
        let error = read(Path::new("a.json"), "{}").expect_err("no array");
        assert!(format!("{error:#}").starts_with("read a.json: a JSON array is wanted"), "{error:#}");
    }

    #[test]
    fn a_list_is_no_other_kind_of_file() {
        let error = check(Path::new("u.parquet")).expect_err("no list");
        assert_eq!(error.to_string(), "u.parquet: a list of symbols is a .txt, .csv or .json");
        assert!(check(Path::new("no-such-file.TXT")).is_ok() && check(Path::new("no-such-file")).is_ok());
    }
}
