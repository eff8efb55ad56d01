//! Lists of instruments: of the exchanges of the United States, of indices, and what a search finds.

use serde_json::Value;

use crate::market::{AssetClass, Category, Listed, clean};
use crate::provider::ability::{DirectoryPage, DirectoryQuery};
use crate::provider::alpha_vantage::spell::{of_index, unspell};
use crate::provider::alpha_vantage::wire::{is_nothing, lines, rows};
use crate::provider::contract::ProviderError;

/// Their names of exchanges, and the codes of ISO 10383.
const VENUES: [(&str, &str); 5] = [("NASDAQ", "XNAS"), ("NYSE", "XNYS"), ("NYSE ARCA", "ARCX"), ("NYSE MKT", "XASE"), ("BATS", "BATS")];

/// Names under which a catalogue may tell the symbol of an index, and its name: its form is not documented.
const SYMBOLS: [&str; 4] = ["symbol", "index", "ticker", "code"];
const NAMES: [&str; 3] = ["name", "description", "title"];

/// `LISTING_STATUS`, which comes as text only: "API Documentation", <https://www.alphavantage.co/documentation/>.
pub fn listing(body: &[u8], query: &DirectoryQuery) -> Result<DirectoryPage, ProviderError> {
    let lines = lines(body, &["symbol"], "alpha-vantage listing")?;
    let rows = lines.iter().map(|row| {
        let kind = class(row.text("assetType")?)?;
        let venue = row.text("exchange").and_then(|name| VENUES.iter().find(|(theirs, _)| name.eq_ignore_ascii_case(theirs)));
        let active = row.text("status").is_none_or(|status| status.eq_ignore_ascii_case("active"));
        let listed = instrument(row.text("symbol")?, kind, row.words("name"))?;
        Some(Listed { venue: venue.map(|(_, code)| (*code).to_owned()), active, ..listed })
    });
    Ok(page(rows.collect(), query))
}

/// `SYMBOL_SEARCH`, the best first. What is listed elsewhere is none of ours.
pub fn found(body: &[u8], query: &DirectoryQuery) -> Result<DirectoryPage, ProviderError> {
    let matches = rows(body, "bestMatches", "alpha-vantage search")?;
    let rows = matches.iter().map(|row| {
        let is_ours = row.text("region").is_none_or(|region| region.eq_ignore_ascii_case("United States"));
        let kind = class(row.text("type")?).filter(|_| is_ours)?;
        let listed = instrument(row.text("symbol")?, kind, row.words("name"))?;
        Some(Listed { currency: row.words("currency"), ..listed })
    });
    // The source has searched: it finds what has not the text in it, too.
    Ok(page(rows.collect(), &DirectoryQuery { search: None, ..query.clone() }))
}

/// `INDEX_CATALOG`: a list, or an object with one in it, of objects or of symbols alone.
pub fn catalog(body: &[u8], query: &DirectoryQuery) -> Result<DirectoryPage, ProviderError> {
    let wrong = || ProviderError::malformed("the alpha-vantage catalogue of indices has no list", body);
    let value: Value = serde_json::from_slice(body).map_err(|_| wrong())?;
    let list = match &value {
        Value::Array(rows) => Some(rows),
        // Members beside a list are words about it, and without one they are no instruments.
        Value::Object(members) => members.values().find_map(Value::as_array),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    };
    Ok(page(list.ok_or_else(wrong)?.iter().map(index).collect(), query))
}

fn index(row: &Value) -> Option<Listed> {
    let text = |names: &[&str]| {
        let members = row.as_object()?;
        let is_wanted = |member: &str| names.iter().any(|name| member.rsplit(". ").next().unwrap_or(member).eq_ignore_ascii_case(name));
        members.iter().find(|(member, _)| is_wanted(member)).and_then(|(_, value)| value.as_str())
    };
    let symbol = row.as_str().or_else(|| text(&SYMBOLS))?;
    let name = text(&NAMES).filter(|name| !is_nothing(name)).map(|name| clean(name).trim().to_owned());
    instrument(&of_index(symbol.trim_start_matches('^')), AssetClass::Index, name)
}

fn instrument(spelling: &str, asset_class: AssetClass, name: Option<String>) -> Option<Listed> {
    Some(Listed {
        symbol: unspell(spelling)?,
        spelling: spelling.to_owned(),
        asset_class,
        name,
        venue: None,
        currency: None,
        figi: None,
        active: true,
    })
}

/// Funds that are not traded like shares are none of ours.
fn class(kind: &str) -> Option<AssetClass> {
    match kind.to_ascii_lowercase().as_str() {
        "stock" | "equity" => Some(AssetClass::Equity),
        "etf" => Some(AssetClass::Etf),
        _ => None,
    }
}

/// Those of the category with the text in their name or symbol; `None` is a row that is no instrument of ours.
fn page(rows: Vec<Option<Listed>>, query: &DirectoryQuery) -> DirectoryPage {
    let count = rows.len();
    let mut listed: Vec<Listed> = rows.into_iter().flatten().collect();
    let skipped = count - listed.len();
    let text = query.search.as_deref().map(str::to_lowercase);
    let has = |words: &str| text.as_deref().is_none_or(|text| words.to_lowercase().contains(text));
    let is_named = |one: &Listed| has(&one.spelling) || has(one.symbol.as_str()) || one.name.as_deref().is_some_and(has);
    listed.retain(|one| is_of(query.category, one.asset_class) && is_named(one));
    listed.truncate(query.limit);
    DirectoryPage { listed, skipped, next: None }
}

fn is_of(category: Option<Category>, asset_class: AssetClass) -> bool {
    match category {
        Some(Category::UsEquities) => asset_class == AssetClass::Equity,
        Some(Category::Etf) => asset_class == AssetClass::Etf,
        Some(Category::Indices) => asset_class == AssetClass::Index,
        Some(Category::Crypto | Category::Fx | Category::Otc | Category::Options) => false,
        None => true,
    }
}
