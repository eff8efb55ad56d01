//! The symbols of Binance.

use futures_util::future::BoxFuture;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::market::{AssetClass, Category, Listed, Symbol};
use crate::provider::ability::{Directory, DirectoryPage, DirectoryQuery};
use crate::provider::binance::rest::Binance;
use crate::provider::binance::spec::spell;
use crate::provider::contract::ProviderError;
use crate::provider::wire::Text;

/// "Exchange information", `rest-api.md`, <https://github.com/binance/binance-spot-api-docs>.
#[derive(Deserialize)]
struct ExchangeInfo<'a> {
    #[serde(borrow)]
    symbols: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry<'a> {
    #[serde(borrow)]
    symbol: Text<'a>,
    /// `TRADING`, or why it is not traded: `HALT`, `BREAK`, `CANCEL_ONLY`.
    #[serde(borrow)]
    status: Option<Text<'a>>,
    #[serde(borrow)]
    base_asset: Text<'a>,
    #[serde(borrow)]
    quote_asset: Text<'a>,
}

impl Directory for Binance {
    fn categories(&self) -> &'static [Category] {
        &[Category::Crypto]
    }

    fn searches(&self) -> bool {
        true
    }

    fn discover<'a>(&'a self, query: &'a DirectoryQuery) -> BoxFuture<'a, Result<DirectoryPage, ProviderError>> {
        Box::pin(async move { symbols(&self.exchange_info().await?, query) })
    }
}

/// The symbols that are looked for. The source sends them all at once, so the list does not go on.
pub fn symbols(body: &[u8], query: &DirectoryQuery) -> Result<DirectoryPage, ProviderError> {
    let info: ExchangeInfo<'_> =
        serde_json::from_slice(body).map_err(|_| ProviderError::malformed("binance symbols are not a list", body))?;
    let found: Vec<Listed> = info.symbols.iter().filter_map(|row| listed(row.get())).collect();
    let skipped = info.symbols.len() - found.len();
    let text = query.search.as_ref().map(|text| text.to_uppercase());
    let wanted = |listed: &Listed| {
        text.as_ref().is_none_or(|text| listed.spelling.contains(text.as_str()) || listed.symbol.as_str().contains(text.as_str()))
    };
    Ok(DirectoryPage { listed: found.into_iter().filter(wanted).take(query.limit).collect(), skipped, next: None })
}

/// A symbol that makes no sense, or is quoted in what we have no symbol for, is none; names may be in any script.
fn listed(row: &str) -> Option<Listed> {
    let entry: Entry<'_> = serde_json::from_str(row).ok()?;
    let (base, quote, spelling) = (entry.base_asset.as_str(), entry.quote_asset.as_str(), entry.symbol.as_str());
    let symbol = format!("{base}-{quote}").parse::<Symbol>().ok().filter(|symbol| spell(symbol).as_deref() == Some(spelling))?;
    Some(Listed {
        symbol,
        spelling: spelling.to_owned(),
        asset_class: AssetClass::Crypto,
        name: Some(format!("{base}/{quote}")),
        venue: None,
        currency: Some(quote.to_owned()),
        figi: None,
        active: entry.status.as_ref().is_none_or(|status| status.as_str() == "TRADING"),
    })
}
