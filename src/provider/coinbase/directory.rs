//! The products of Coinbase Exchange.

use futures_util::future::BoxFuture;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::market::{AssetClass, Category, Listed, clean};
use crate::provider::ability::{Directory, DirectoryPage, DirectoryQuery};
use crate::provider::coinbase::rest::Coinbase;
use crate::provider::coinbase::spec::unspell;
use crate::provider::contract::ProviderError;
use crate::provider::wire::Text;

/// "Get all known trading pairs", <https://docs.cdp.coinbase.com>.
#[derive(Deserialize)]
struct Product<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(borrow)]
    base_currency: Option<Text<'a>>,
    #[serde(borrow)]
    quote_currency: Option<Text<'a>>,
    /// `online`, `offline`, `internal` or `delisted`.
    #[serde(borrow)]
    status: Option<Text<'a>>,
    #[serde(default)]
    trading_disabled: Option<bool>,
    #[serde(default)]
    cancel_only: Option<bool>,
}

impl Directory for Coinbase {
    fn categories(&self) -> &'static [Category] {
        &[Category::Crypto]
    }

    fn searches(&self) -> bool {
        true
    }

    fn discover<'a>(&'a self, query: &'a DirectoryQuery) -> BoxFuture<'a, Result<DirectoryPage, ProviderError>> {
        Box::pin(async move { products(&self.ask("products", Vec::new(), "coinbase products".to_owned()).await?, query) })
    }
}

/// The products that are looked for. The source sends them all at once, so the list does not go on.
pub fn products(body: &[u8], query: &DirectoryQuery) -> Result<DirectoryPage, ProviderError> {
    let rows: Vec<&RawValue> =
        serde_json::from_slice(body).map_err(|_| ProviderError::malformed("coinbase products are not a list", body))?;
    let found: Vec<Listed> = rows.iter().filter_map(|row| listed(row.get())).collect();
    let skipped = rows.len() - found.len();
    let text = query.search.as_ref().map(|text| text.to_uppercase());
    let wanted = |listed: &Listed| text.as_ref().is_none_or(|text| listed.spelling.contains(text.as_str()));
    Ok(DirectoryPage { listed: found.into_iter().filter(wanted).take(query.limit).collect(), skipped, next: None })
}

/// A product that makes no sense, or is quoted in what we have no symbol for, is none.
fn listed(row: &str) -> Option<Listed> {
    let product: Product<'_> = serde_json::from_str(row).ok()?;
    let spelling = product.id.as_str();
    let symbol = unspell(spelling)?;
    let name = product.base_currency.as_ref().zip(product.quote_currency.as_ref());
    let is_online = product.status.as_ref().is_none_or(|status| status.as_str() == "online");
    let is_stopped = product.trading_disabled == Some(true) || product.cancel_only == Some(true);
    Some(Listed {
        currency: symbol.crypto_pair().map(|(_, quote)| quote.to_owned()),
        symbol,
        spelling: spelling.to_owned(),
        asset_class: AssetClass::Crypto,
        name: name.map(|(base, quote)| format!("{}/{}", clean(base.as_str()), clean(quote.as_str()))),
        venue: None,
        figi: None,
        active: is_online && !is_stopped,
    })
}
