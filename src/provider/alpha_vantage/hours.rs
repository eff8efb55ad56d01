//! What is said of the hours of markets: which are open now, and no more.

use crate::market::{TimeOfDay, Timestamp, Zone, clean};
use crate::provider::ability::SaidStatus;
use crate::provider::alpha_vantage::wire::{Cells, rows};
use crate::provider::contract::ProviderError;

/// The calendar of their market of the United States.
const NEW_YORK: &str = "XNYS";

/// Kinds and regions of markets, and the calendars of ours that they can be compared with: "API Documentation",
/// <https://www.alphavantage.co/documentation/>.
const VENUES: [(&str, &str, &str); 6] = [
    ("Equity", "United States", NEW_YORK),
    ("Equity", "United Kingdom", "XLON"),
    ("Equity", "Japan", "XTKS"),
    ("Equity", "Hong Kong", "XHKG"),
    ("Forex", "Global", "FX"),
    ("Cryptocurrency", "Global", "CRYPTO"),
];

/// Which markets are open now. A market that does not say so is left out.
pub fn status(body: &[u8], now: Timestamp) -> Result<Vec<SaidStatus>, ProviderError> {
    let what = "alpha-vantage market status";
    let said: Vec<_> = rows(body, "markets", what)?.iter().filter_map(|row| said(row, now)).collect();
    if said.is_empty() { Err(ProviderError::malformed(format!("{what}: no market says whether it is open"), body)) } else { Ok(said) }
}

fn said(row: &Cells<'_>, now: Timestamp) -> Option<SaidStatus> {
    let (kind, region) = (row.text("market_type")?, row.text("region")?);
    let state = row.words("current_status")?;
    let known =
        VENUES.iter().find(|(its_kind, its_region, _)| its_kind.eq_ignore_ascii_case(kind) && its_region.eq_ignore_ascii_case(region));
    let venue = known.map(|&(_, _, venue)| venue);
    let open = state.eq_ignore_ascii_case("open") && (venue != Some(NEW_YORK) || may_be_regular(now));
    Some(SaidStatus { venue, market: clean(&format!("{kind} {region}")).into_owned(), state, open })
}

/// Whether the regular session of New York may be open by its clock: on which days is the source's word. Theirs closes at 16:15, which
/// is a quarter of an hour later.
fn may_be_regular(now: Timestamp) -> bool {
    let (_, time) = now.in_zone(Zone::NEW_YORK);
    TimeOfDay::new(9, 30) <= Some(time) && Some(time) < TimeOfDay::new(16, 0)
}
