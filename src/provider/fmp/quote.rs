//! Rows of `quote` and `batch-quote` as current prices.

use std::collections::HashSet;

use crate::market::{MarketEvent, Timestamp};
use crate::provider::contract::ProviderError;
use crate::provider::fmp::decode::{Message, snapshot};
use crate::provider::fmp::wire::rows;
use crate::provider::wire::Text;

/// The prices of those who were asked for. Who is unknown is left out of the answer, and who is named twice is in it twice.
pub fn look(body: &[u8], spellings: &[String], ts_recv: Timestamp) -> Result<Vec<MarketEvent>, ProviderError> {
    let mut seen = HashSet::new();
    let rows = rows::<Message<'_>>(body, "fmp quotes")?;
    let is_wanted = |symbol: &str| spellings.iter().any(|spelling| spelling == symbol);
    let wanted: Vec<_> = rows.iter().flatten().filter(|row| row.symbol.as_ref().map(Text::as_str).is_some_and(is_wanted)).collect();
    let mut events: Vec<MarketEvent> = wanted.iter().filter_map(|row| snapshot(row, ts_recv).ok()).collect();
    events.retain(|event| seen.insert(event.symbol.clone()));
    if !events.is_empty() {
        return Ok(events);
    }
    if wanted.is_empty() {
        return Err(ProviderError::NotFound { message: format!("fmp knows no {}", spellings.join(", ")) });
    }
    Err(ProviderError::malformed(format!("the fmp quotes of {} have no price with a time", spellings.join(", ")), body))
}
