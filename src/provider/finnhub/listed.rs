//! Lists of instruments at Finnhub in our words. It asks nothing.

use serde::Deserialize;

use crate::market::{AssetClass, Category, Listed};
use crate::provider::ability::{DirectoryPage, DirectoryQuery};
use crate::provider::contract::ProviderError;
use crate::provider::finnhub::spec::unspell;
use crate::provider::wire::{Text, words};

/// "Stock Symbol" and "Symbol Lookup", <https://finnhub.io/docs/api>; the latter has the first three members only.
#[derive(Deserialize)]
struct Row<'a> {
    #[serde(borrow)]
    symbol: Option<Text<'a>>,
    #[serde(borrow)]
    description: Option<Text<'a>>,
    #[serde(rename = "type", borrow)]
    kind: Option<Text<'a>>,
    /// ISO 10383.
    #[serde(borrow)]
    mic: Option<Text<'a>>,
    #[serde(borrow)]
    currency: Option<Text<'a>>,
    #[serde(borrow)]
    figi: Option<Text<'a>>,
}

/// "Symbol Lookup", <https://finnhub.io/docs/api>.
#[derive(Deserialize)]
struct Found<'a> {
    #[serde(borrow)]
    result: Option<Vec<Row<'a>>>,
}

/// Types that are shares of one kind or another; rights, warrants, funds that are not traded and the like are not.
const SHARES: [&str; 13] = [
    "Common Stock",
    "ADR",
    "REIT",
    "MLP",
    "NY Reg Shrs",
    "GDR",
    "Foreign Sh.",
    "Preference",
    "Closed-End Fund",
    "Ltd Part",
    "Royalty Trst",
    "Tracking Stk",
    "Stapled Security",
];

/// A fund that trades like a share.
const FUND: &str = "ETP";

/// Where shares are traded that no exchange lists.
const OVER_THE_COUNTER: [&str; 6] = ["OOTC", "OTCM", "PINX", "OTCB", "OTCQ", "PSGM"];

/// A list of one category; the source sends all of the country at once, in no order.
pub fn symbols(body: &[u8], query: &DirectoryQuery) -> Result<DirectoryPage, ProviderError> {
    let rows: Vec<Row<'_>> =
        serde_json::from_slice(body).map_err(|_| ProviderError::malformed("the finnhub symbols are not a list of rows", body))?;
    let text = query.search.as_deref().map(str::to_lowercase);
    let says = |words: &str| text.as_ref().is_none_or(|text| words.to_lowercase().contains(text.as_str()));
    let mut page = collect(&rows);
    page.listed.retain(|listed| is_of(query.category, listed) && (says(&listed.spelling) || listed.name.as_deref().is_some_and(says)));
    page.listed.sort_by_cached_key(|listed| listed.symbol.clone());
    page.listed.truncate(query.limit);
    Ok(page)
}

/// What a search found, the best first.
pub fn found(body: &[u8], query: &DirectoryQuery) -> Result<DirectoryPage, ProviderError> {
    let found: Found<'_> =
        serde_json::from_slice(body).map_err(|_| ProviderError::malformed("the finnhub search has no list of rows", body))?;
    let mut page = collect(&found.result.unwrap_or_default());
    page.listed.truncate(query.limit);
    Ok(page)
}

fn collect(rows: &[Row<'_>]) -> DirectoryPage {
    let listed: Vec<Listed> = rows.iter().filter_map(listed).collect();
    DirectoryPage { skipped: rows.len() - listed.len(), listed, next: None }
}

fn listed(row: &Row<'_>) -> Option<Listed> {
    let spelling = words(row.symbol.as_ref())?;
    let kind = row.kind.as_ref().map_or("", Text::as_str);
    let asset_class = match kind {
        FUND => AssetClass::Etf,
        kind if SHARES.contains(&kind) => AssetClass::Equity,
        _ => return None,
    };
    Some(Listed {
        symbol: unspell(&spelling)?,
        spelling,
        asset_class,
        name: words(row.description.as_ref()),
        venue: words(row.mic.as_ref()),
        currency: words(row.currency.as_ref()),
        figi: words(row.figi.as_ref()),
        active: true,
    })
}

fn is_of(category: Option<Category>, listed: &Listed) -> bool {
    let exchange_lists = listed.venue.as_deref().is_none_or(|venue| !OVER_THE_COUNTER.contains(&venue));
    match category {
        Some(Category::UsEquities) => listed.asset_class == AssetClass::Equity && exchange_lists,
        Some(Category::Etf) => listed.asset_class == AssetClass::Etf,
        Some(Category::Crypto | Category::Fx | Category::Indices | Category::Otc | Category::Options) => false,
        None => true,
    }
}
