//! Lists of instruments of Massive.

use futures_util::future::BoxFuture;
use serde::Deserialize;

use crate::market::{AssetClass, Category, Listed};
use crate::provider::ability::{Directory, DirectoryPage, DirectoryQuery};
use crate::provider::contract::ProviderError;
use crate::provider::polygon::body::{List, cleaned, next, parse};
use crate::provider::polygon::raw::{Raw, text};
use crate::provider::polygon::rest::Polygon;
use crate::provider::polygon::spell::{Cluster, unspell};

/// Rows of one answer at most.
const ROWS: usize = 1_000;

/// Types that are funds; the list of types is an open one.
const FUNDS: [&str; 4] = ["ETF", "ETN", "ETV", "ETS"];

/// Types that are shares, and what is traded like them.
const SHARES: [&str; 9] = ["CS", "ADRC", "PFD", "UNIT", "WARRANT", "RIGHT", "OS", "GDR", "NYRS"];

/// "All tickers", <https://massive.com/docs/rest/stocks/tickers/all-tickers>, and "All contracts",
/// <https://massive.com/docs/rest/options/contracts/all-contracts>.
#[derive(Deserialize)]
struct Row<'a> {
    #[serde(borrow)]
    ticker: Raw<'a>,
    #[serde(borrow)]
    name: Raw<'a>,
    #[serde(rename = "type", borrow)]
    kind: Raw<'a>,
    #[serde(borrow)]
    primary_exchange: Raw<'a>,
    #[serde(borrow)]
    currency_symbol: Raw<'a>,
    #[serde(borrow)]
    currency_name: Raw<'a>,
    #[serde(borrow)]
    composite_figi: Raw<'a>,
    active: Option<bool>,
}

impl Directory for Polygon {
    fn categories(&self) -> &'static [Category] {
        &Category::ALL
    }

    fn searches(&self) -> bool {
        true
    }

    fn discover<'a>(&'a self, query: &'a DirectoryQuery) -> BoxFuture<'a, Result<DirectoryPage, ProviderError>> {
        Box::pin(async move {
            let what = query.category.map_or_else(|| "massive search".to_owned(), |category| format!("massive list of {category}"));
            let body = match &query.next {
                Some(next) => self.go_on(next, what).await?,
                None => self.ask(path(query.category), question(query), what).await?,
            };
            listed(&body, query.category)
        })
    }
}

/// The instruments of one answer that are of the category, each once.
pub fn listed(body: &[u8], category: Option<Category>) -> Result<DirectoryPage, ProviderError> {
    let body: List<'_> = parse(body, "massive tickers")?;
    let mut page = DirectoryPage { next: next(body.next_url), ..DirectoryPage::default() };
    for row in body.results.unwrap_or_default() {
        let row: Option<Row<'_>> = serde_json::from_str(row.get()).ok();
        match row.as_ref().and_then(instrument) {
            Some(found) if page.listed.iter().any(|known| known.spelling == found.spelling) => {}
            Some(found) if row.as_ref().is_some_and(|row| is_of(row, category)) => page.listed.push(found),
            Some(_) => {}
            None => page.skipped += 1,
        }
    }
    Ok(page)
}

fn path(category: Option<Category>) -> &'static str {
    match category {
        Some(Category::Options) => "/v3/reference/options/contracts",
        Some(Category::UsEquities | Category::Etf | Category::Crypto | Category::Fx | Category::Indices | Category::Otc) | None => {
            "/v3/reference/tickers"
        }
    }
}

fn question(query: &DirectoryQuery) -> Vec<(&'static str, String)> {
    // What is sorted out afterwards has to be asked for as well.
    let rows = if query.category == Some(Category::UsEquities) { ROWS } else { query.limit.clamp(1, ROWS) };
    let mut question = vec![("limit", rows.to_string())];
    let searched = query.search.clone().filter(|search| !search.trim().is_empty());
    if query.category == Some(Category::Options) {
        question.extend(searched.map(|underlying| ("underlying_ticker", underlying.trim().to_ascii_uppercase())));
        return question;
    }
    question.push(("active", "true".to_owned()));
    let market = match query.category {
        Some(Category::UsEquities | Category::Etf) => Some("stocks"),
        Some(Category::Crypto) => Some("crypto"),
        Some(Category::Fx) => Some("fx"),
        Some(Category::Indices) => Some("indices"),
        Some(Category::Otc) => Some("otc"),
        Some(Category::Options) | None => None,
    };
    question.extend(market.map(|market| ("market", market.to_owned())));
    if query.category == Some(Category::Etf) {
        question.push(("type", "ETF".to_owned()));
    }
    question.extend(searched.map(|search| ("search", search)));
    question
}

/// Other categories are sorted out by the source.
fn is_of(row: &Row<'_>, category: Option<Category>) -> bool {
    let kind = text(row.kind);
    category != Some(Category::UsEquities) || kind.is_none_or(|kind| SHARES.contains(&&*kind))
}

fn instrument(row: &Row<'_>) -> Option<Listed> {
    let spelling = text(row.ticker)?.into_owned();
    let symbol = unspell(&spelling)?;
    let asset_class = match Cluster::of(&spelling) {
        Cluster::Stocks if text(row.kind).is_some_and(|kind| FUNDS.contains(&&*kind)) => AssetClass::Etf,
        Cluster::Stocks => AssetClass::Equity,
        Cluster::Options => AssetClass::Option,
        Cluster::Indices => AssetClass::Index,
        Cluster::Forex => AssetClass::Fx,
        Cluster::Crypto => AssetClass::Crypto,
    };
    Some(Listed {
        symbol,
        spelling,
        asset_class,
        name: cleaned(row.name),
        venue: cleaned(row.primary_exchange),
        currency: currency(row),
        figi: cleaned(row.composite_figi),
        active: row.active.unwrap_or(true),
    })
}

/// The code of shares stands where pairs have the whole name.
fn currency(row: &Row<'_>) -> Option<String> {
    let is_code = |code: &String| (3..=5).contains(&code.len()) && code.chars().all(|c| c.is_ascii_alphabetic());
    let code = [row.currency_symbol, row.currency_name].into_iter().find_map(|raw| cleaned(raw).filter(is_code));
    code.map(|code| code.to_ascii_uppercase())
}
