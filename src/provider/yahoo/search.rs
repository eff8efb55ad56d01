//! What Yahoo finds by a text. Nothing of it is documented by the vendor.

use futures_util::future::BoxFuture;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::market::{AssetClass, Category, Listed, clean};
use crate::provider::ability::{Directory, DirectoryPage, DirectoryQuery};
use crate::provider::contract::ProviderError;
use crate::provider::yahoo::rest::Yahoo;
use crate::provider::yahoo::spell::unspell;

/// The answer of `v1/finance/search`.
#[derive(Deserialize)]
struct Found<'a> {
    #[serde(borrow)]
    quotes: Option<Vec<&'a RawValue>>,
}

/// One row; those of other houses have no symbol.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Row {
    symbol: Option<String>,
    shortname: Option<String>,
    longname: Option<String>,
    exchange: Option<String>,
    #[serde(rename = "quoteType")]
    quote_type: Option<String>,
}

impl Directory for Yahoo {
    /// It has no lists.
    fn categories(&self) -> &'static [Category] {
        &[]
    }

    fn searches(&self) -> bool {
        true
    }

    fn discover<'a>(&'a self, query: &'a DirectoryQuery) -> BoxFuture<'a, Result<DirectoryPage, ProviderError>> {
        Box::pin(async move {
            let Some(text) = query.search.as_deref().filter(|text| !text.trim().is_empty()) else {
                return Err(ProviderError::Fatal { message: "yahoo has no lists: it finds what a text names".to_owned() });
            };
            found(&self.search(text).await?, query.limit)
        })
    }
}

/// What was found, the best match first. The source has a limit of its own, and no further page.
pub fn found(body: &[u8], limit: usize) -> Result<DirectoryPage, ProviderError> {
    let bad = || ProviderError::malformed("what yahoo found is not as it should be", body);
    let found: Found<'_> = serde_json::from_slice(body).map_err(|_| bad())?;
    let rows = found.quotes.ok_or_else(bad)?;
    let listed: Vec<Listed> = rows.iter().filter_map(|row| listed(row.get())).collect();
    let skipped = rows.len() - listed.len();
    Ok(DirectoryPage { listed: listed.into_iter().take(limit).collect(), skipped, next: None })
}

fn listed(row: &str) -> Option<Listed> {
    let row: Row = serde_json::from_str(row).ok()?;
    let spelling = row.symbol?;
    let name = [row.longname, row.shortname].into_iter().flatten().find(|name| !name.trim().is_empty());
    Some(Listed {
        symbol: unspell(&spelling)?,
        asset_class: asset_class(row.quote_type.as_deref()?)?,
        name: name.map(|name| clean(&name).into_owned()),
        venue: row.exchange.as_deref().and_then(venue).map(str::to_owned),
        spelling,
        currency: None,
        figi: None,
        active: true,
    })
}

fn asset_class(quote_type: &str) -> Option<AssetClass> {
    match quote_type {
        "EQUITY" => Some(AssetClass::Equity),
        "ETF" => Some(AssetClass::Etf),
        "INDEX" => Some(AssetClass::Index),
        "OPTION" => Some(AssetClass::Option),
        "CURRENCY" => Some(AssetClass::Fx),
        "CRYPTOCURRENCY" => Some(AssetClass::Crypto),
        _ => None,
    }
}

/// Yahoo's own codes of exchanges that we know.
fn venue(exchange: &str) -> Option<&'static str> {
    match exchange {
        "NMS" | "NGM" | "NCM" => Some("XNAS"),
        "NYQ" => Some("XNYS"),
        "ASE" => Some("XASE"),
        "PCX" => Some("ARCX"),
        "BTS" => Some("BATS"),
        "LSE" => Some("XLON"),
        "JPX" => Some("XTKS"),
        "HKG" => Some("XHKG"),
        "GER" => Some("XETR"),
        "PAR" => Some("XPAR"),
        "AMS" => Some("XAMS"),
        "TOR" => Some("XTSE"),
        _ => None,
    }
}
