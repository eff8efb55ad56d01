//! Answers of the Binance REST interface in our words. It asks nothing.

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::market::{EventKind, Interval, Last, MarketEvent, SourceBar, Timestamp};
use crate::provider::binance::decode::{Fault, average, time};
use crate::provider::contract::{HistoryPage, ProviderError};
use crate::provider::wire::{Text, amount, number, positive, quote, told};

/// How the words for a symbol that does not exist end.
const UNKNOWN_SYMBOL: &str = "(-1121)";

/// `[open time, open, high, low, close, volume, close time, quote volume, trades, taker base, taker quote, unused]`:
/// "Kline/Candlestick data", `rest-api.md`, <https://github.com/binance/binance-spot-api-docs>.
#[derive(Deserialize)]
struct Kline<'a>(
    Option<i64>,
    #[serde(borrow)] Option<Text<'a>>,
    #[serde(borrow)] Option<Text<'a>>,
    #[serde(borrow)] Option<Text<'a>>,
    #[serde(borrow)] Option<Text<'a>>,
    #[serde(borrow)] Option<Text<'a>>,
    IgnoredAny,
    #[serde(borrow)] Option<Text<'a>>,
    Option<u64>,
    IgnoredAny,
    IgnoredAny,
    IgnoredAny,
);

/// "24hr ticker price change statistics", `rest-api.md`, <https://github.com/binance/binance-spot-api-docs>.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Ticker<'a> {
    #[serde(borrow)]
    last_price: Option<Text<'a>>,
    #[serde(borrow)]
    bid_price: Option<Text<'a>>,
    #[serde(borrow)]
    bid_qty: Option<Text<'a>>,
    #[serde(borrow)]
    ask_price: Option<Text<'a>>,
    #[serde(borrow)]
    ask_qty: Option<Text<'a>>,
    #[serde(borrow)]
    open_price: Option<Text<'a>>,
    #[serde(borrow)]
    high_price: Option<Text<'a>>,
    #[serde(borrow)]
    low_price: Option<Text<'a>>,
    #[serde(borrow)]
    volume: Option<Text<'a>>,
    close_time: Option<i64>,
}

/// "Check server time", `rest-api.md`, <https://github.com/binance/binance-spot-api-docs>.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Clock {
    server_time: i64,
}

/// An interval as Binance spells it: a capital letter tells months from minutes.
#[must_use]
pub const fn asked_as(interval: Interval) -> &'static str {
    match interval {
        Interval::OneMonth => "1M",
        Interval::OneMinute
        | Interval::FiveMinutes
        | Interval::FifteenMinutes
        | Interval::ThirtyMinutes
        | Interval::OneHour
        | Interval::OneDay
        | Interval::OneWeek => interval.name(),
    }
}

/// The sealed bars of a page, oldest first. The newest row still forms.
pub fn klines(body: &[u8], page: &HistoryPage, now: Timestamp) -> Result<Vec<SourceBar>, ProviderError> {
    let rows: Vec<Kline<'_>> =
        serde_json::from_slice(body).map_err(|_| ProviderError::malformed("binance klines are not rows of figures", body))?;
    Ok(page.keep(rows.iter().filter_map(|row| bar(row, page)), SourceBar::end_in_greenwich, now))
}

/// A row with a hole in it is no bar.
fn bar(row: &Kline<'_>, page: &HistoryPage) -> Option<SourceBar> {
    let Kline(time, open, high, low, close, volume, _, turnover, n_trades, ..) = row;
    let price = |text: &Option<Text<'_>>| told(text.as_ref());
    let (high, low) = (price(high)?, price(low)?);
    let volume = number(volume.as_ref());
    Some(SourceBar {
        interval: page.interval,
        open_time: Timestamp::from_millis((*time)?),
        open: price(open)?,
        high,
        low,
        close: price(close)?,
        volume,
        vwap: average(volume, number(turnover.as_ref()), (low, high)),
        n_trades: *n_trades,
    })
}

/// A look at one symbol. The figures are of the last 24 hours.
pub fn look(body: &[u8], spelling: &str, ts_recv: Timestamp) -> Result<Vec<MarketEvent>, ProviderError> {
    let bad = || ProviderError::malformed("the binance ticker is not as it should be", body);
    let ticker: Ticker<'_> = serde_json::from_slice(body).map_err(|_| bad())?;
    let price = number(ticker.last_price.as_ref()).ok_or_else(bad)?;
    if price <= 0.0 {
        // A pair whose trading is broken off keeps its name and loses its figures.
        return Err(ProviderError::NotFound { message: format!("binance has no price of {spelling}: it is not traded") });
    }
    let last = Last {
        price,
        reference: positive(ticker.open_price.as_ref()),
        day_open: None,
        day_high: positive(ticker.high_price.as_ref()),
        day_low: positive(ticker.low_price.as_ref()),
        day_volume: amount(ticker.volume.as_ref()),
    };
    let event = |ts_event, kind| MarketEvent { symbol: spelling.into(), ts_event, ts_recv, kind };
    let (bid, ask) = ((ticker.bid_price.as_ref(), ticker.bid_qty.as_ref()), (ticker.ask_price.as_ref(), ticker.ask_qty.as_ref()));
    // The book has no time of its own, on the socket neither.
    let quote = quote(bid, ask).map(|quote| event(ts_recv, EventKind::Quote(quote)));
    Ok([event(time(ticker.close_time, ts_recv), EventKind::Last(last))].into_iter().chain(quote).collect())
}

/// The time that the source has, as a sign of life.
pub fn clock(body: &[u8]) -> Result<String, ProviderError> {
    let clock: Clock =
        serde_json::from_slice(body).map_err(|_| ProviderError::malformed("the binance time is not as it should be", body))?;
    Ok(format!("its clock says {}", Timestamp::from_millis(clock.server_time)))
}

/// A refusal as it is, but for a symbol that does not exist: that is not found.
#[must_use]
pub fn by_its_name(error: ProviderError) -> ProviderError {
    match error {
        ProviderError::Fatal { message } if message.ends_with(UNKNOWN_SYMBOL) => ProviderError::NotFound { message },
        error => error,
    }
}

/// The source's own words for an error, and its number.
#[must_use]
pub fn explain(body: &[u8]) -> Option<String> {
    let fault: Fault<'_> = serde_json::from_slice(body).ok()?;
    fault.words()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_symbol_that_does_not_exist_is_not_found() {
        let message = "binance klines of NOUSDT: 400: Invalid symbol. (-1121)".to_owned();
        let found = by_its_name(ProviderError::Fatal { message: message.clone() });
        assert_eq!(found, ProviderError::NotFound { message });
        let other = ProviderError::Fatal { message: "binance klines of BTCUSDT: 400: Invalid interval. (-1120)".to_owned() };
        assert_eq!(by_its_name(other.clone()), other);
    }

    #[test]
    fn months_are_not_minutes() {
        let asked: Vec<_> = Interval::ALL.into_iter().map(asked_as).collect();
        assert_eq!(asked, ["1m", "5m", "15m", "30m", "1h", "1d", "1w", "1M"]);
    }
}
