//! The list of what Alpaca has.

use futures_util::future::BoxFuture;
use serde::Deserialize;

use crate::market::{AssetClass, Category, Listed};
use crate::provider::ability::{Directory, DirectoryPage, DirectoryQuery};
use crate::provider::alpaca::rest::Alpaca;
use crate::provider::alpaca::spec::unspell;
use crate::provider::contract::ProviderError;
use crate::provider::wire::{Text, said, words};

/// "Assets", <https://docs.alpaca.markets>. Funds are not told from shares.
#[derive(Deserialize)]
struct Asset<'a> {
    #[serde(borrow)]
    symbol: Option<Text<'a>>,
    #[serde(borrow)]
    name: Option<Text<'a>>,
    #[serde(borrow)]
    exchange: Option<Text<'a>>,
    #[serde(borrow)]
    status: Option<Text<'a>>,
}

/// The assets that match, at most as many as are wanted. All come in one answer: there is no next page. What is traded over the
/// counter is in no list of the exchanges, and counts as skipped.
pub fn assets(body: &[u8], query: &DirectoryQuery) -> Result<DirectoryPage, ProviderError> {
    let rows: Vec<Asset<'_>> = serde_json::from_slice(body).map_err(|_| ProviderError::malformed("alpaca assets are not a list", body))?;
    let found: Vec<Listed> = rows.iter().filter(|row| said(row.exchange.as_ref()) != Some("OTC")).filter_map(listed).collect();
    let skipped = rows.len() - found.len();
    let search = query.search.as_deref().map(str::to_lowercase);
    let named = |text: &str| search.as_ref().is_none_or(|search| text.to_lowercase().contains(search));
    let matches = |listed: &Listed| named(&listed.spelling) || listed.name.as_deref().is_some_and(named);
    Ok(DirectoryPage { listed: found.into_iter().filter(matches).take(query.limit).collect(), skipped, next: None })
}

fn listed(row: &Asset<'_>) -> Option<Listed> {
    let spelling = said(row.symbol.as_ref())?;
    Some(Listed {
        symbol: unspell(spelling)?,
        spelling: spelling.to_owned(),
        asset_class: AssetClass::Equity,
        name: words(row.name.as_ref()),
        venue: said(row.exchange.as_ref()).and_then(venue).map(str::to_owned),
        currency: Some("USD".to_owned()),
        figi: None,
        active: said(row.status.as_ref()) == Some("active"),
    })
}

/// The exchange by its code in ISO 10383.
fn venue(exchange: &str) -> Option<&'static str> {
    match exchange {
        "NYSE" => Some("XNYS"),
        "NASDAQ" => Some("XNAS"),
        "AMEX" => Some("XASE"),
        "ARCA" | "NYSEARCA" => Some("ARCX"),
        "BATS" => Some("BATS"),
        "IEX" => Some("IEXG"),
        _ => None,
    }
}

impl Alpaca {
    async fn list(&self, query: &DirectoryQuery) -> Result<DirectoryPage, ProviderError> {
        let asked = vec![("status", "active".to_owned()), ("asset_class", "us_equity".to_owned())];
        assets(&self.ask_trading("assets", asked, "alpaca assets".to_owned()).await?, query)
    }
}

impl Directory for Alpaca {
    fn categories(&self) -> &'static [Category] {
        &[Category::UsEquities]
    }

    /// A list of twelve thousand is not fetched for a word.
    fn searches(&self) -> bool {
        false
    }

    fn discover<'a>(&'a self, query: &'a DirectoryQuery) -> BoxFuture<'a, Result<DirectoryPage, ProviderError>> {
        Box::pin(self.list(query))
    }
}
