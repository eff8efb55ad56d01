//! Answers of the Coinbase REST interface in our words. It asks nothing.

use serde::Deserialize;

use crate::market::{EventKind, Last, MarketEvent, SourceBar, Timestamp, clean};
use crate::provider::coinbase::decode::{Figure, time};
use crate::provider::contract::{HistoryPage, ProviderError};
use crate::provider::wire::{Text, amount, positive, quote};

/// `[time, low, high, open, close, volume]`: "Get product candles", <https://docs.cdp.coinbase.com>.
#[derive(Deserialize)]
struct Candle(Option<i64>, Option<f64>, Option<f64>, Option<f64>, Option<f64>, Option<f64>);

/// "Get product ticker", <https://docs.cdp.coinbase.com>.
#[derive(Deserialize)]
struct Ticker<'a> {
    price: Option<Figure>,
    bid: Option<Figure>,
    ask: Option<Figure>,
    volume: Option<Figure>,
    #[serde(borrow)]
    time: Option<Text<'a>>,
}

/// "Get product stats", over 24 hours: <https://docs.cdp.coinbase.com>.
#[derive(Default, Deserialize)]
struct Stats {
    open: Option<Figure>,
    high: Option<Figure>,
    low: Option<Figure>,
}

/// "Get server time", <https://docs.cdp.coinbase.com>.
#[derive(Deserialize)]
struct Clock<'a> {
    #[serde(borrow)]
    iso: Text<'a>,
}

/// "Errors", <https://docs.cdp.coinbase.com>.
#[derive(Deserialize)]
struct Fault<'a> {
    #[serde(borrow)]
    message: Text<'a>,
}

/// The sealed bars of a page, oldest first. They come newest first, with the row before the page and the bucket that still forms.
pub fn candles(body: &[u8], page: &HistoryPage, now: Timestamp) -> Result<Vec<SourceBar>, ProviderError> {
    let rows: Vec<Candle> =
        serde_json::from_slice(body).map_err(|_| ProviderError::malformed("coinbase candles are not rows of numbers", body))?;
    Ok(page.keep(rows.iter().filter_map(|row| bar(row, page)), SourceBar::end_in_greenwich, now))
}

/// A row with a hole in it is no bar.
fn bar(row: &Candle, page: &HistoryPage) -> Option<SourceBar> {
    let &Candle(time, low, high, open, close, volume) = row;
    Some(SourceBar {
        interval: page.interval,
        open_time: Timestamp::from_seconds(time?),
        open: open?,
        high: high?,
        low: low?,
        close: close?,
        volume,
        vwap: None,
        n_trades: None,
    })
}

/// A look at one product; without its stats the price has no reference.
pub fn look(ticker: &[u8], stats: Option<&[u8]>, spelling: &str, ts_recv: Timestamp) -> Result<Vec<MarketEvent>, ProviderError> {
    let bad = || ProviderError::malformed("the coinbase ticker is not as it should be", ticker);
    let Ticker { price, bid, ask, volume, time: sent } = serde_json::from_slice(ticker).map_err(|_| bad())?;
    let stats: Stats = stats.and_then(|body| serde_json::from_slice(body).ok()).unwrap_or_default();
    let last = Last {
        price: positive(price).ok_or_else(bad)?,
        reference: positive(stats.open),
        day_open: None,
        day_high: positive(stats.high),
        day_low: positive(stats.low),
        day_volume: amount(volume),
    };
    let ts_event = time(sent.as_ref().map(Text::as_str), ts_recv).map_err(|_| bad())?;
    let event = |kind| MarketEvent { symbol: spelling.into(), ts_event, ts_recv, kind };
    let quote = quote((bid, None), (ask, None)).map(|quote| event(EventKind::Quote(quote)));
    Ok([event(EventKind::Last(last))].into_iter().chain(quote).collect())
}

/// The time that the source has, as a sign of life.
pub fn clock(body: &[u8]) -> Result<String, ProviderError> {
    let clock: Clock<'_> =
        serde_json::from_slice(body).map_err(|_| ProviderError::malformed("the coinbase time is not as it should be", body))?;
    Ok(format!("its clock says {}", clean(clock.iso.as_str())))
}

/// The source's own words for an error.
#[must_use]
pub fn explain(body: &[u8]) -> Option<String> {
    let fault: Fault<'_> = serde_json::from_slice(body).ok()?;
    Some(clean(fault.message.as_str()).into_owned())
}
