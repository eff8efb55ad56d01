//! Quotes of many symbols at once, as far as they can be understood. Nothing of it is documented by the vendor.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::market::{EventKind, Last, MarketEvent, Quote, Timestamp};
use crate::provider::contract::ProviderError;
use crate::provider::wire::positive;
use crate::provider::yahoo::chart::Fault;
use crate::provider::yahoo::figure::price;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    #[serde(borrow)]
    quote_response: Option<Answer<'a>>,
    /// Errors come under this name.
    finance: Option<Refusal>,
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    result: Option<Vec<&'a RawValue>>,
    error: Option<Fault>,
}

#[derive(Deserialize)]
struct Refusal {
    error: Option<Fault>,
}

/// One symbol's row of `v7/finance/quote`, with the members that are used. Any of them may be missing; a symbol that does not
/// exist any more has no price. Times are Unix seconds.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Row {
    symbol: String,
    quote_type: Option<String>,
    market_state: Option<String>,
    regular_market_price: Option<f64>,
    regular_market_time: Option<i64>,
    regular_market_previous_close: Option<f64>,
    regular_market_open: Option<f64>,
    regular_market_day_high: Option<f64>,
    regular_market_day_low: Option<f64>,
    regular_market_volume: Option<f64>,
    #[serde(rename = "volume24Hr")]
    volume_24_hours: Option<f64>,
    pre_market_price: Option<f64>,
    pre_market_time: Option<i64>,
    post_market_price: Option<f64>,
    post_market_time: Option<i64>,
    overnight_market_price: Option<f64>,
    overnight_market_time: Option<i64>,
    bid: Option<f64>,
    bid_size: Option<f64>,
    ask: Option<f64>,
    ask_size: Option<f64>,
}

/// The part of the day that a price is of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Regular,
    Pre,
    Post,
    Overnight,
}

/// The rows that are about one of `spellings`: who is unknown is left out of an answer without a word, and rows come in any order.
pub fn quotes(body: &[u8], spellings: &[String], ts_recv: Timestamp) -> Result<Vec<MarketEvent>, ProviderError> {
    let bad = || ProviderError::malformed("the yahoo quotes are not as they should be", body);
    let envelope: Envelope<'_> = serde_json::from_slice(body).map_err(|_| bad())?;
    if let Some(fault) = envelope.finance.and_then(|refusal| refusal.error) {
        return Err(fault.into_error());
    }
    let answer = envelope.quote_response.ok_or_else(bad)?;
    if let Some(fault) = answer.error {
        return Err(fault.into_error());
    }
    let rows = answer.result.ok_or_else(bad)?;
    // A row that makes no sense does not cost the others.
    let rows = rows.iter().filter_map(|row| serde_json::from_str::<Row>(row.get()).ok());
    Ok(rows.filter(|row| spellings.contains(&row.symbol)).flat_map(|row| events(&row, ts_recv)).collect())
}

fn events(row: &Row, ts_recv: Timestamp) -> Vec<MarketEvent> {
    let symbol: Arc<str> = row.symbol.as_str().into();
    let last = last(row).map(|(last, at)| (EventKind::Last(last), at));
    let quote = quote(row).map(|(quote, at)| (EventKind::Quote(quote), at));
    let event = |(kind, ts_event)| MarketEvent { symbol: Arc::clone(&symbol), ts_event, ts_recv, kind };
    last.into_iter().chain(quote).map(event).collect()
}

/// The newest price, whatever the market's state is said to be: members of a part of the day stay when it is over.
fn last(row: &Row) -> Option<(Last, Timestamp)> {
    let regular = price(row.regular_market_price);
    let parts = [
        (Part::Regular, regular, row.regular_market_time),
        (Part::Pre, price(row.pre_market_price), row.pre_market_time),
        (Part::Post, price(row.post_market_price), row.post_market_time),
        (Part::Overnight, price(row.overnight_market_price), row.overnight_market_time),
    ];
    // A price without a time is of unknown age.
    let dated = parts.into_iter().filter_map(|(part, price, time)| Some((time.filter(|time| *time > 0)?, part, price?)));
    let (time, part, price) = dated.max_by_key(|(time, ..)| *time)?;
    let at = Timestamp::from_seconds(time);
    if matches!(part, Part::Pre | Part::Overnight) {
        // The regular figures are still those of the session before: its close is what the change is counted from.
        return Some((Last { price, reference: regular, ..Last::default() }, at));
    }
    let is_crypto = row.quote_type.as_deref() == Some("CRYPTOCURRENCY");
    let volume = if is_crypto { row.volume_24_hours.or(row.regular_market_volume) } else { row.regular_market_volume };
    let last = Last {
        price,
        reference: self::price(row.regular_market_previous_close),
        day_open: self::price(row.regular_market_open),
        day_high: self::price(row.regular_market_day_high),
        day_low: self::price(row.regular_market_day_low),
        day_volume: positive(volume),
    };
    Some((last, at))
}

/// The best bid and ask. They have no time of their own, and stay when regular hours are over: then they are of no use.
fn quote(row: &Row) -> Option<(Quote, Timestamp)> {
    let at = row.regular_market_time.filter(|time| *time > 0).map(Timestamp::from_seconds)?;
    let (bid, ask) = (price(row.bid), price(row.ask));
    if row.market_state.as_deref() != Some("REGULAR") || (bid.is_none() && ask.is_none()) {
        return None;
    }
    let (bid_size, ask_size) = (bid.and(positive(row.bid_size)), ask.and(positive(row.ask_size)));
    Some((Quote { bid, bid_size, ask, ask_size }, at))
}
