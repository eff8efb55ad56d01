//! Answers of the Kraken REST interface in our words. It asks nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::market::{EventKind, Last, MarketEvent, SourceBar, Timestamp, clean};
use crate::provider::contract::{HistoryPage, ProviderError};
use crate::provider::wire::{Figure, Text, amount, number, positive, quote, told};

/// How long to leave it alone after a refusal for too many requests, where it does not say until when.
const PAUSE: Duration = Duration::from_secs(5);

/// How many candles are answered at most: the newest, whatever was asked for.
const MOST: usize = 720;

/// "REST API: errors", <https://docs.kraken.com>: they come with status 200.
#[derive(Deserialize)]
struct Fault<'a> {
    #[serde(borrow)]
    error: Vec<Text<'a>>,
}

/// What was asked for, by names that differ from those in the question.
#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    result: BTreeMap<String, &'a RawValue>,
}

/// `[time, open, high, low, close, vwap, volume, count]`: "Get OHLC data", <https://docs.kraken.com>.
#[derive(Deserialize)]
struct Candle<'a>(
    Option<i64>,
    #[serde(borrow)] Option<Figure<'a>>,
    #[serde(borrow)] Option<Figure<'a>>,
    #[serde(borrow)] Option<Figure<'a>>,
    #[serde(borrow)] Option<Figure<'a>>,
    #[serde(borrow)] Option<Figure<'a>>,
    #[serde(borrow)] Option<Figure<'a>>,
    Option<u64>,
);

/// "Get ticker information", <https://docs.kraken.com>: each member is a list.
#[derive(Deserialize)]
struct Ticker<'a> {
    /// Price, size in whole lots, size.
    #[serde(rename = "a", borrow)]
    ask: Option<Vec<Figure<'a>>>,
    #[serde(rename = "b", borrow)]
    bid: Option<Vec<Figure<'a>>>,
    /// Price and size of the last trade.
    #[serde(rename = "c", borrow)]
    last: Option<Vec<Figure<'a>>>,
    /// Since midnight in Greenwich, and over 24 hours; so are the two below.
    #[serde(rename = "v", borrow)]
    volume: Option<Vec<Figure<'a>>>,
    #[serde(rename = "l", borrow)]
    low: Option<Vec<Figure<'a>>>,
    #[serde(rename = "h", borrow)]
    high: Option<Vec<Figure<'a>>>,
}

/// "Get system status", <https://docs.kraken.com>.
#[derive(Deserialize)]
struct System<'a> {
    #[serde(borrow)]
    result: Status<'a>,
}

#[derive(Deserialize)]
struct Status<'a> {
    #[serde(borrow)]
    status: Text<'a>,
}

/// The refusal in an answer, if it is one.
#[must_use]
pub fn refusal(body: &[u8], what: &str, now: Timestamp) -> Option<ProviderError> {
    let fault: Fault<'_> = serde_json::from_slice(body).ok()?;
    // What begins with a W is a warning beside an answer.
    let words = fault.error.iter().map(Text::as_str).find(|words| !words.starts_with('W'))?;
    let message = format!("{what}: {}", clean(words));
    let is = |starts: &[&str]| starts.iter().any(|start| words.starts_with(*start));
    Some(if is(&["EAPI:Rate limit", "EGeneral:Too many requests", "EService:Throttled"]) {
        let until = words.rsplit(':').next().and_then(|end| end.trim().parse().ok()).map(Timestamp::from_seconds);
        ProviderError::RateLimited { after: Some(until.map_or(PAUSE, |until| until.since(now))) }
    } else if is(&["EService:", "EGeneral:Internal error"]) {
        ProviderError::Retryable { message, after: None }
    } else if is(&["EQuery:Unknown asset pair"]) {
        ProviderError::NotFound { message }
    } else {
        ProviderError::Fatal { message }
    })
}

/// The source's own words for an error.
#[must_use]
pub fn explain(body: &[u8]) -> Option<String> {
    let fault: Fault<'_> = serde_json::from_slice(body).ok()?;
    let words: Vec<_> = fault.error.iter().map(|words| clean(words.as_str())).collect();
    (!words.is_empty()).then(|| words.join(", "))
}

/// The sealed bars of a page, oldest first. All up to the bucket that still forms are sent, silent ones as flat rows: these
/// are no bars, as the socket makes none of them either.
pub fn candles(body: &[u8], page: &HistoryPage, now: Timestamp) -> Result<Vec<SourceBar>, ProviderError> {
    let bad = || ProviderError::malformed("kraken candles are not rows of numbers", body);
    let rows: Vec<Candle<'_>> = serde_json::from_str(answer(body).ok_or_else(bad)?).map_err(|_| bad())?;
    let oldest = rows.iter().filter_map(|row| row.0).min().map(Timestamp::from_seconds);
    if let Some(oldest) = oldest.filter(|oldest| rows.len() >= MOST && page.from < *oldest) {
        // What was cut off is not what was silent.
        return Err(ProviderError::Fatal { message: format!("kraken keeps no {} bars from before {oldest} any more", page.interval) });
    }
    Ok(page.keep(rows.iter().filter_map(|row| bar(row, page)), SourceBar::end_in_greenwich, now))
}

/// A row with a hole in it is no bar, nor is one without trades.
fn bar(row: &Candle<'_>, page: &HistoryPage) -> Option<SourceBar> {
    let &Candle(time, open, high, low, close, vwap, volume, count) = row;
    if count == Some(0) {
        return None;
    }
    Some(SourceBar {
        interval: page.interval,
        open_time: Timestamp::from_seconds(time?),
        open: told(open)?,
        high: told(high)?,
        low: told(low)?,
        close: told(close)?,
        volume: number(volume),
        vwap: positive(vwap),
        n_trades: count,
    })
}

/// A look at one pair. It carries no time, and no price of 24 hours ago.
pub fn look(body: &[u8], spelling: &str, ts_recv: Timestamp) -> Result<Vec<MarketEvent>, ProviderError> {
    let bad = || ProviderError::malformed("the kraken ticker is not as it should be", body);
    let ticker: Ticker<'_> = serde_json::from_str(answer(body).ok_or_else(bad)?).map_err(|_| bad())?;
    let (ask, bid) = (ticker.ask.as_deref(), ticker.bid.as_deref());
    let last = Last {
        price: positive(at(ticker.last.as_deref(), 0)).ok_or_else(bad)?,
        reference: None,
        day_open: None,
        day_high: positive(at(ticker.high.as_deref(), 1)),
        day_low: positive(at(ticker.low.as_deref(), 1)),
        day_volume: amount(at(ticker.volume.as_deref(), 1)),
    };
    let event = |kind| MarketEvent { symbol: spelling.into(), ts_event: ts_recv, ts_recv, kind };
    let quote = quote((at(bid, 0), at(bid, 2)), (at(ask, 0), at(ask, 2)));
    Ok([EventKind::Last(last)].into_iter().chain(quote.map(EventKind::Quote)).map(event).collect())
}

/// What the exchange says of itself, as a sign of life.
pub fn status(body: &[u8]) -> Result<String, ProviderError> {
    let system: System<'_> =
        serde_json::from_slice(body).map_err(|_| ProviderError::malformed("the kraken status is not as it should be", body))?;
    Ok(format!("it is {}", clean(system.result.status.as_str())))
}

/// All that was asked for, by its names.
#[must_use]
pub fn members(body: &[u8]) -> Option<BTreeMap<String, &RawValue>> {
    let body: Body<'_> = serde_json::from_slice(body).ok()?;
    Some(body.result)
}

/// The member that is about the pair: the other one is a cursor.
fn answer(body: &[u8]) -> Option<&str> {
    members(body)?.into_iter().find(|(name, _)| name != "last").map(|(_, answer)| answer.get())
}

fn at<'a>(list: Option<&[Figure<'a>]>, index: usize) -> Option<Figure<'a>> {
    list?.get(index).copied()
}
