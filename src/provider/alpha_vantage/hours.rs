//! What is said of the hours of markets: which are open now, and no more.

use crate::market::clean;
use crate::provider::ability::SaidStatus;
use crate::provider::alpha_vantage::wire::{Cells, malformed, rows};
use crate::provider::contract::ProviderError;

/// Kinds and regions of markets, and the calendars of ours that they can be compared with: "API Documentation",
/// <https://www.alphavantage.co/documentation/>.
const VENUES: [(&str, &str, &str); 6] = [
    ("Equity", "United States", "XNYS"),
    ("Equity", "United Kingdom", "XLON"),
    ("Equity", "Japan", "XTKS"),
    ("Equity", "Hong Kong", "XHKG"),
    ("Forex", "Global", "FX"),
    ("Cryptocurrency", "Global", "CRYPTO"),
];

/// Which markets are open now. A market that does not say so is left out.
pub fn status(body: &[u8]) -> Result<Vec<SaidStatus>, ProviderError> {
    let what = "alpha-vantage market status";
    let said: Vec<_> = rows(body, "markets", what)?.iter().filter_map(said).collect();
    if said.is_empty() { Err(malformed(format!("{what}: no market says whether it is open"), body)) } else { Ok(said) }
}

fn said(row: &Cells<'_>) -> Option<SaidStatus> {
    let (kind, region) = (row.text("market_type")?, row.text("region")?);
    let state = row.words("current_status")?;
    let known =
        VENUES.iter().find(|(its_kind, its_region, _)| its_kind.eq_ignore_ascii_case(kind) && its_region.eq_ignore_ascii_case(region));
    let venue = known.map(|&(_, _, venue)| venue);
    let open = state.eq_ignore_ascii_case("open");
    Some(SaidStatus { venue, market: clean(&format!("{kind} {region}")).into_owned(), state, open })
}
