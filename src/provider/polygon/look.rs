//! Snapshots of Massive in our words. It asks nothing.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::market::{EventKind, Last, MarketEvent, Quote, TimeOfDay, Timestamp, Zone};
use crate::provider::contract::ProviderError;
use crate::provider::polygon::bars::Aggregate;
use crate::provider::polygon::body::{List, parse};
use crate::provider::polygon::raw::{Raw, text};
use crate::provider::polygon::spell::Cluster;
use crate::provider::wire::{amount, instant, positive};

/// "Full market snapshot", <https://massive.com/docs/rest/stocks/snapshots/full-market-snapshot>.
#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    tickers: Option<Vec<&'a RawValue>>,
}

/// Names differ by case alone.
#[derive(Deserialize)]
struct Row<'a> {
    #[serde(borrow)]
    ticker: Raw<'a>,
    #[serde(borrow)]
    updated: Raw<'a>,
    #[serde(borrow)]
    day: Option<Aggregate<'a>>,
    #[serde(borrow)]
    min: Option<Aggregate<'a>>,
    #[serde(rename = "prevDay", borrow)]
    previous: Option<Aggregate<'a>>,
    #[serde(rename = "lastTrade", borrow)]
    trade: Option<LastTrade<'a>>,
    #[serde(rename = "lastQuote", borrow)]
    quote: Option<LastQuote<'a>>,
}

#[derive(Deserialize)]
struct LastTrade<'a> {
    #[serde(borrow)]
    p: Raw<'a>,
    #[serde(borrow)]
    t: Raw<'a>,
}

#[derive(Deserialize)]
struct LastQuote<'a> {
    #[serde(rename = "p", borrow)]
    bid: Raw<'a>,
    #[serde(rename = "s", borrow)]
    bid_size: Raw<'a>,
    #[serde(rename = "P", borrow)]
    ask: Raw<'a>,
    #[serde(rename = "S", borrow)]
    ask_size: Raw<'a>,
    /// Of currencies.
    #[serde(rename = "b", borrow)]
    currency_bid: Raw<'a>,
    #[serde(rename = "a", borrow)]
    currency_ask: Raw<'a>,
    #[serde(borrow)]
    t: Raw<'a>,
}

/// "Unified snapshot", <https://massive.com/docs/rest/options/snapshots/unified-snapshot>.
#[derive(Deserialize)]
struct UnifiedRow<'a> {
    #[serde(borrow)]
    ticker: Raw<'a>,
    /// Of a ticker that is not known, among those that are.
    #[serde(borrow)]
    error: Raw<'a>,
    /// Of an index.
    #[serde(borrow)]
    value: Raw<'a>,
    #[serde(borrow)]
    session: Option<Session<'a>>,
    #[serde(borrow)]
    last_updated: Raw<'a>,
}

#[derive(Deserialize)]
struct Session<'a> {
    #[serde(borrow)]
    price: Raw<'a>,
    #[serde(borrow)]
    open: Raw<'a>,
    #[serde(borrow)]
    high: Raw<'a>,
    #[serde(borrow)]
    low: Raw<'a>,
    #[serde(borrow)]
    close: Raw<'a>,
    #[serde(borrow)]
    previous_close: Raw<'a>,
    #[serde(borrow)]
    volume: Raw<'a>,
}

/// Prices and quotes of a snapshot of shares, currencies or crypto; who has no price yet is left out.
pub fn snapshots(body: &[u8], ts_recv: Timestamp) -> Result<Vec<MarketEvent>, ProviderError> {
    let body: Body<'_> = parse(body, "massive snapshots")?;
    let rows = body.tickers.unwrap_or_default();
    let rows = rows.into_iter().filter_map(|row| serde_json::from_str::<Row<'_>>(row.get()).ok());
    Ok(rows.flat_map(|row| events(&row, ts_recv)).collect())
}

/// Prices of a unified snapshot: indices and options.
pub fn unified(body: &[u8], ts_recv: Timestamp) -> Result<Vec<MarketEvent>, ProviderError> {
    let body: List<'_> = parse(body, "massive snapshots")?;
    let rows = body.results.unwrap_or_default();
    let rows = rows.into_iter().filter_map(|row| serde_json::from_str::<UnifiedRow<'_>>(row.get()).ok());
    Ok(rows.filter_map(|row| unified_event(&row, ts_recv)).collect())
}

fn events(row: &Row<'_>, ts_recv: Timestamp) -> Vec<MarketEvent> {
    let Some(ticker) = text(row.ticker) else { return Vec::new() };
    let event = |ts_event, kind| MarketEvent { symbol: (&*ticker).into(), ts_event, ts_recv, kind };
    let last = price(row, ts_recv).map(|(price, at)| event(at, EventKind::Last(last(row, price, Cluster::of(&ticker)))));
    let quote = row.quote.as_ref().and_then(quote).map(|(quote, at)| event(at.unwrap_or(ts_recv), EventKind::Quote(quote)));
    last.into_iter().chain(quote).collect()
}

/// The newest price that there is, and its time.
fn price(row: &Row<'_>, ts_recv: Timestamp) -> Option<(f64, Timestamp)> {
    let updated = instant(row.updated).unwrap_or(ts_recv);
    if let Some(trade) = &row.trade
        && let Some(price) = positive(trade.p)
    {
        return Some((price, instant(trade.t).unwrap_or(updated)));
    }
    let close = |figures: Option<&Aggregate<'_>>| figures.and_then(|figures| positive(figures.c));
    let today = close(row.min.as_ref()).or_else(|| close(row.day.as_ref()));
    if let Some(price) = today {
        return Some((price, updated));
    }
    // When exactly is not told, but not today.
    let (date, _) = ts_recv.in_zone(Zone::NEW_YORK);
    close(row.previous.as_ref()).map(|price| (price, date.at(TimeOfDay::MIDNIGHT, Zone::NEW_YORK)))
}

/// The day of crypto is not 24 hours long here, and that of currencies counts quotes.
fn last(row: &Row<'_>, price: f64, cluster: Cluster) -> Last {
    if cluster == Cluster::Crypto {
        return Last { price, ..Last::default() };
    }
    let of_day = |read: fn(&Aggregate<'_>) -> Option<f64>| row.day.as_ref().and_then(read);
    let volume = of_day(|day| positive(day.v)).or_else(|| row.min.as_ref().and_then(|minute| positive(minute.av)));
    Last {
        price,
        reference: row.previous.as_ref().and_then(|previous| positive(previous.c)),
        day_open: of_day(|day| positive(day.o)),
        day_high: of_day(|day| positive(day.h)),
        day_low: of_day(|day| positive(day.l)),
        day_volume: volume.filter(|_| cluster != Cluster::Forex),
    }
}

fn quote(row: &LastQuote<'_>) -> Option<(Quote, Option<Timestamp>)> {
    let bid = positive(row.bid).or_else(|| positive(row.currency_bid));
    let ask = positive(row.ask).or_else(|| positive(row.currency_ask));
    // A size that is none does not cost its price.
    let (bid_size, ask_size) = (bid.and(amount(row.bid_size)), ask.and(amount(row.ask_size)));
    (bid.is_some() || ask.is_some()).then(|| (Quote { bid, bid_size, ask, ask_size }, instant(row.t)))
}

fn unified_event(row: &UnifiedRow<'_>, ts_recv: Timestamp) -> Option<MarketEvent> {
    if row.error.is_some() {
        return None;
    }
    let ticker = text(row.ticker)?;
    let of_session = |read: fn(&Session<'_>) -> Option<f64>| row.session.as_ref().and_then(read);
    let reference = of_session(|session| positive(session.previous_close));
    let now = positive(row.value).or_else(|| of_session(|s| positive(s.price))).or_else(|| of_session(|s| positive(s.close)));
    let last = Last {
        price: now.or(reference)?,
        reference,
        day_open: of_session(|session| positive(session.open)),
        day_high: of_session(|session| positive(session.high)),
        day_low: of_session(|session| positive(session.low)),
        day_volume: of_session(|session| positive(session.volume)),
    };
    let ts_event = instant(row.last_updated).unwrap_or(ts_recv);
    Some(MarketEvent { symbol: (&*ticker).into(), ts_event, ts_recv, kind: EventKind::Last(last) })
}
