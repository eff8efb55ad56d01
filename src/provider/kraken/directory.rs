//! The pairs of Kraken.

use futures_util::future::BoxFuture;
use serde::Deserialize;

use crate::market::{AssetClass, Category, Listed};
use crate::provider::ability::{Directory, DirectoryPage, DirectoryQuery};
use crate::provider::contract::ProviderError;
use crate::provider::kraken::body::members;
use crate::provider::kraken::rest::Kraken;
use crate::provider::kraken::spec::{socket_name, unspell};
use crate::provider::wire::Text;

/// "Get tradable asset pairs", <https://docs.kraken.com>.
#[derive(Deserialize)]
struct Pair<'a> {
    /// As version 1 of the socket has it: `XBT/USD`.
    #[serde(borrow)]
    wsname: Text<'a>,
    /// `online`, `cancel_only`, `post_only`, `limit_only` or `reduce_only`.
    #[serde(borrow)]
    status: Option<Text<'a>>,
}

impl Directory for Kraken {
    fn categories(&self) -> &'static [Category] {
        &[Category::Crypto]
    }

    fn searches(&self) -> bool {
        true
    }

    fn discover<'a>(&'a self, query: &'a DirectoryQuery) -> BoxFuture<'a, Result<DirectoryPage, ProviderError>> {
        Box::pin(async move { asset_pairs(&self.ask("AssetPairs", Vec::new(), "kraken pairs".to_owned()).await?, query) })
    }
}

/// The pairs that are looked for. The source sends them all at once, so the list does not go on.
pub fn asset_pairs(body: &[u8], query: &DirectoryQuery) -> Result<DirectoryPage, ProviderError> {
    let rows = members(body).ok_or_else(|| ProviderError::malformed("kraken pairs are not as they should be", body))?;
    let found: Vec<Listed> = rows.values().filter_map(|row| listed(row.get())).collect();
    let skipped = rows.len() - found.len();
    let text = query.search.as_ref().map(|text| text.to_uppercase());
    let wanted = |listed: &Listed| {
        text.as_ref().is_none_or(|text| listed.spelling.contains(text.as_str()) || listed.symbol.as_str().contains(text.as_str()))
    };
    Ok(DirectoryPage { listed: found.into_iter().filter(wanted).take(query.limit).collect(), skipped, next: None })
}

/// A pair that the socket does not carry, or that is quoted in what we have no symbol for, is none.
fn listed(row: &str) -> Option<Listed> {
    let pair: Pair<'_> = serde_json::from_str(row).ok()?;
    let spelling = socket_name(pair.wsname.as_str());
    let symbol = unspell(&spelling)?;
    Some(Listed {
        currency: symbol.crypto_pair().map(|(_, quote)| quote.to_owned()),
        symbol,
        asset_class: AssetClass::Crypto,
        name: Some(spelling.clone()),
        spelling,
        venue: None,
        figi: None,
        active: pair.status.as_ref().is_none_or(|status| matches!(status.as_str(), "online" | "limit_only")),
    })
}
