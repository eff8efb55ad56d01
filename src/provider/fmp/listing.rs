//! Rows of searches, of the screener, and of the lists of crypto, currencies and indices.

use serde::Deserialize;

use crate::market::{AssetClass, Category, Listed, clean};
use crate::provider::contract::ProviderError;
use crate::provider::fmp::spell::{class, unspell};
use crate::provider::fmp::wire::rows;
use crate::provider::wire::Text;

/// Their codes of exchanges, and the codes of ISO 10383.
const VENUES: [(&str, &str); 6] =
    [("NASDAQ", "XNAS"), ("NYSE", "XNYS"), ("AMEX", "XASE"), ("NYSEARCA", "ARCX"), ("CBOE", "BATS"), ("BATS", "BATS")];

/// "Company Search", "Stock Screener", "Cryptocurrency List", "Forex List" and "Index List",
/// <https://site.financialmodelingprep.com/developer/docs>.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row<'a> {
    #[serde(borrow)]
    symbol: Option<Text<'a>>,
    #[serde(alias = "companyName", borrow)]
    name: Option<Text<'a>>,
    #[serde(borrow)]
    currency: Option<Text<'a>>,
    /// A code in searches; of the screener a name, and the code stands in the next one.
    #[serde(borrow)]
    exchange: Option<Text<'a>>,
    #[serde(borrow)]
    exchange_short_name: Option<Text<'a>>,
    is_etf: Option<bool>,
    is_actively_trading: Option<bool>,
    #[serde(borrow)]
    to_currency: Option<Text<'a>>,
    #[serde(borrow)]
    from_name: Option<Text<'a>>,
    #[serde(borrow)]
    to_name: Option<Text<'a>>,
}

/// What a list came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    pub listed: Vec<Listed>,
    /// Rows that are no instruments of ours.
    pub skipped: usize,
    /// How many rows there were.
    pub rows: usize,
    /// The symbol of the first row: a page that begins like the one before is that one again.
    pub first: Option<String>,
}

/// The instruments of a list: of one category, or of all; with a text in their name or symbol, or all.
pub fn listed(body: &[u8], category: Option<Category>, text: Option<&str>) -> Result<Found, ProviderError> {
    let rows = rows::<Row<'_>>(body, "fmp list")?;
    let first = rows.first().and_then(Option::as_ref).and_then(|row| row.symbol.as_ref());
    let mut found = Found { rows: rows.len(), first: first.map(|symbol| symbol.as_str().to_owned()), ..Found::default() };
    let text = text.map(str::to_lowercase);
    for row in &rows {
        match row.as_ref().and_then(|row| read(row, category)) {
            Some(listed) if text.as_deref().is_none_or(|text| names(&listed, text)) => found.listed.push(listed),
            Some(_) => {}
            None => found.skipped += 1,
        }
    }
    Ok(found)
}

fn names(listed: &Listed, text: &str) -> bool {
    let has = |name: &str| name.to_lowercase().contains(text);
    has(listed.symbol.as_str()) || has(&listed.spelling) || listed.name.as_deref().is_some_and(has)
}

/// A row without a symbol, or of something else than was asked for, is none.
fn read(row: &Row<'_>, category: Option<Category>) -> Option<Listed> {
    let spelling = row.symbol.as_ref()?.as_str();
    let symbol = unspell(spelling)?;
    let is_fund = category == Some(Category::Etf) || row.is_etf == Some(true);
    let plain = class(spelling);
    let asset_class = if is_fund && plain == AssetClass::Equity { AssetClass::Etf } else { plain };
    category.is_none_or(|category| holds(category, asset_class)).then_some(())?;
    let code = row.exchange_short_name.as_ref().or(row.exchange.as_ref()).map(Text::as_str);
    let venue = code.and_then(|code| VENUES.iter().find(|(theirs, _)| code.eq_ignore_ascii_case(theirs)));
    let currency = row.currency.as_ref().or(row.to_currency.as_ref()).map(Text::as_str).filter(|code| !code.is_empty());
    Some(Listed {
        symbol,
        spelling: spelling.to_owned(),
        asset_class,
        name: name(row),
        venue: venue.map(|(_, ours)| (*ours).to_owned()),
        currency: currency.map(|code| clean(code).into_owned()),
        figi: None,
        active: row.is_actively_trading.unwrap_or(true),
    })
}

/// Of currencies, the names of both.
fn name(row: &Row<'_>) -> Option<String> {
    let both = || match (row.from_name.as_ref(), row.to_name.as_ref()) {
        (Some(from), Some(to)) => Some(format!("{} / {}", from.as_str(), to.as_str())),
        (Some(one), None) | (None, Some(one)) => Some(one.as_str().to_owned()),
        (None, None) => None,
    };
    let name = row.name.as_ref().map(|name| name.as_str().to_owned()).or_else(both)?;
    Some(clean(&name).into_owned()).filter(|name| !name.is_empty())
}

fn holds(category: Category, asset_class: AssetClass) -> bool {
    match category {
        Category::UsEquities | Category::Otc => asset_class == AssetClass::Equity,
        Category::Etf => asset_class == AssetClass::Etf,
        Category::Crypto => asset_class == AssetClass::Crypto,
        Category::Fx => asset_class == AssetClass::Fx,
        Category::Indices => asset_class == AssetClass::Index,
        Category::Options => asset_class == AssetClass::Option,
    }
}
