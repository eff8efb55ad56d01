//! Looks at current prices in our words. It asks nothing.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::market::{Date, EventKind, Last, MarketEvent, Timestamp, Zone};
use crate::provider::alpaca::decode::sides;
use crate::provider::alpaca::wire::{self, instant};
use crate::provider::contract::ProviderError;
use crate::provider::wire::{amount, positive};

/// "Snapshots", <https://docs.alpaca.markets>: by symbol; any part may be missing.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Snapshot<'a> {
    #[serde(borrow)]
    latest_trade: Option<wire::Trade<'a>>,
    #[serde(borrow)]
    latest_quote: Option<wire::Quote<'a>>,
    #[serde(borrow)]
    daily_bar: Option<wire::Bar<'a>>,
    #[serde(borrow)]
    prev_daily_bar: Option<wire::Bar<'a>>,
}

type Snapshots<'a> = BTreeMap<String, Option<Snapshot<'a>>>;

/// The last trade and quote of each of these symbols. Who is unknown is left out by the source; when nobody is left, that is told.
pub fn look(body: &[u8], spellings: &[String], ts_recv: Timestamp) -> Result<Vec<MarketEvent>, ProviderError> {
    let snapshots: Snapshots<'_> =
        serde_json::from_slice(body).map_err(|_| ProviderError::malformed("alpaca snapshots are not as they should be", body))?;
    let known: Vec<_> = spellings.iter().filter_map(|spelling| Some((spelling, snapshots.get(spelling)?.as_ref()?))).collect();
    if known.is_empty() {
        return Err(ProviderError::NotFound { message: format!("alpaca does not know {}", spellings.join(", ")) });
    }
    Ok(known.into_iter().flat_map(|(spelling, snapshot)| events(spelling, snapshot, ts_recv)).collect())
}

fn events(spelling: &str, snapshot: &Snapshot<'_>, ts_recv: Timestamp) -> Vec<MarketEvent> {
    let trade = snapshot.latest_trade.as_ref();
    let traded = trade.and_then(|trade| Some((positive(trade.price)?, instant(trade.time.as_ref())?)));
    let last = traded.map(|(price, at)| (at, EventKind::Last(last(price, at, snapshot))));
    let quoted = snapshot.latest_quote.as_ref();
    let quote = quoted.and_then(|quote| Some((instant(quote.time.as_ref())?, EventKind::Quote(sides(quote)?))));
    let event = |(ts_event, kind)| MarketEvent { symbol: spelling.into(), ts_event, ts_recv, kind };
    last.into_iter().chain(quote).map(event).collect()
}

/// Before the first trade of a day its daily bar is still that of the day before: the figures are those of the day of the trade.
fn last(price: f64, at: Timestamp, snapshot: &Snapshot<'_>) -> Last {
    let (daily, before) = (snapshot.daily_bar.as_ref(), snapshot.prev_daily_bar.as_ref());
    let today = daily.filter(|bar| date(bar) == Some(at.in_zone(Zone::NEW_YORK).0));
    let reference = if today.is_some() { before } else { daily };
    Last {
        price,
        reference: reference.and_then(|bar| positive(bar.close)),
        day_open: today.and_then(|bar| positive(bar.open)),
        day_high: today.and_then(|bar| positive(bar.high)),
        day_low: today.and_then(|bar| positive(bar.low)),
        day_volume: today.and_then(|bar| amount(bar.volume)),
    }
}

fn date(bar: &wire::Bar<'_>) -> Option<Date> {
    Some(instant(bar.time.as_ref())?.in_zone(Zone::NEW_YORK).0)
}
