//! The answer to `GLOBAL_QUOTE` as a current price.

use std::time::Duration;

use crate::market::{Date, EventKind, Last, MarketEvent, TimeOfDay, Timestamp, Zone};
use crate::provider::alpha_vantage::wire::{Cells, members};
use crate::provider::contract::ProviderError;

/// How the member's name begins; with delayed prices it says so behind that: "API Documentation",
/// <https://www.alphavantage.co/documentation/>.
const MEMBER: &str = "Global Quote";

/// When the regular session of New York ends, on most days.
const CLOSE: (u32, u32) = (16, 0);

/// The price of the symbol that was asked for, which is at least so late. Of whom nothing is known, an empty object comes.
pub fn look(body: &[u8], spelling: &str, late: Duration, ts_recv: Timestamp) -> Result<MarketEvent, ProviderError> {
    let what = format!("alpha-vantage quote of {spelling}");
    let members = members(body, &what)?;
    let quote = members.iter().find(|(name, _)| name.as_str().starts_with(MEMBER)).map(|(_, quote)| *quote);
    if quote.is_none() && !members.is_empty() {
        return Err(ProviderError::malformed(format!("{what}: there is no quote"), body));
    }
    let cells = quote.and_then(Cells::of_object).unwrap_or_default();
    if cells.is_empty() {
        return Err(ProviderError::NotFound { message: format!("alpha-vantage has no price of {spelling}") });
    }
    // Whether a class of shares stands after a hyphen or a point in answers is not documented.
    if cells.text("symbol").is_some_and(|symbol| !symbol.replace('.', "-").eq_ignore_ascii_case(spelling)) {
        return Err(ProviderError::malformed(format!("{what}: it is one of somebody else"), body));
    }
    let price = cells.positive("price").ok_or_else(|| ProviderError::malformed(format!("{what}: there is no price"), body))?;
    let day = cells.text("latest trading day").and_then(|day| day.get(..10)?.parse().ok());
    let day: Date = day.ok_or_else(|| ProviderError::malformed(format!("{what}: there is no day: its age is not known"), body))?;
    let last = Last {
        price,
        reference: cells.positive("previous close"),
        day_open: cells.positive("open"),
        day_high: cells.positive("high"),
        day_low: cells.positive("low"),
        day_volume: cells.amount("volume"),
    };
    Ok(MarketEvent { symbol: spelling.into(), ts_event: made_at(day, late, ts_recv), ts_recv, kind: EventKind::Last(last) })
}

/// A day is told and no time: after the session it is the price of its close. Before that the price cannot be younger than the plan
/// lets it be, and how much older it is cannot be known.
fn made_at(day: Date, late: Duration, ts_recv: Timestamp) -> Timestamp {
    let (hour, minute) = CLOSE;
    let close = day.at(TimeOfDay::new(hour, minute).unwrap_or(TimeOfDay::MIDNIGHT), Zone::NEW_YORK);
    close.min(ts_recv - late)
}
