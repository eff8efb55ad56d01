//! A look at the current price, from what a chart says of its symbol.

use crate::market::{EventKind, Last, MarketEvent, Timestamp};
use crate::provider::contract::ProviderError;
use crate::provider::wire::positive;
use crate::provider::yahoo::chart::Series;
use crate::provider::yahoo::figure::price;

/// The last regular price. The close before the range is the previous close, because the range is one day.
pub fn look(series: &Series, spelling: &str, ts_recv: Timestamp) -> Result<Vec<MarketEvent>, ProviderError> {
    let meta = series.meta.as_ref();
    let price = price(meta.and_then(|meta| meta.regular_market_price));
    // A price without a time is of unknown age.
    let time = meta.and_then(|meta| meta.regular_market_time).filter(|seconds| *seconds > 0);
    let (Some(meta), Some(price), Some(time)) = (meta, price, time) else {
        return Err(ProviderError::malformed(format!("the yahoo chart of {spelling} has no price with a time"), b""));
    };
    let last = Last {
        price,
        reference: self::price(meta.previous_close).or(self::price(meta.chart_previous_close)),
        day_open: None,
        day_high: self::price(meta.regular_market_day_high),
        day_low: self::price(meta.regular_market_day_low),
        day_volume: positive(meta.regular_market_volume),
    };
    let ts_event = Timestamp::from_seconds(time);
    Ok(vec![MarketEvent { symbol: spelling.into(), ts_event, ts_recv, kind: EventKind::Last(last) }])
}
