//! Splits: Yahoo sends prices as if today's shares had always been; the store holds them as traded.

use std::collections::BTreeMap;

use crate::market::{Date, SourceBar, Timestamp, Zone};
use crate::provider::wire::positive;
use crate::provider::yahoo::chart::{Series, WireSplit};

/// Shares at the new price from `date` on: 4 for 1 has the numerator 4.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Split {
    /// The first session at the new price, on the exchange's own clock.
    pub date: Date,
    pub numerator: f64,
    pub denominator: f64,
}

/// The splits in a chart; `None` when one of them cannot be used, because then none of the prices can be trusted.
#[must_use]
pub fn splits(series: &Series) -> Option<Vec<Split>> {
    let sent = series.events.as_ref().and_then(|events| events.splits.as_ref());
    sent.into_iter().flat_map(BTreeMap::values).map(|split| read(split, series.zone())).collect()
}

fn read(split: &WireSplit, zone: Zone) -> Option<Split> {
    let (date, _) = Timestamp::from_seconds(split.date?).in_zone(zone);
    Some(Split { date, numerator: positive(split.numerator)?, denominator: positive(split.denominator)? })
}

/// Turns split-adjusted bars back into bars as traded: each price times, each volume divided by, the splits after its date.
pub fn unadjust(bars: &mut [SourceBar], splits: &[Split], zone: Zone) {
    for bar in bars {
        let date = trade_date(bar, zone);
        let Some(ratio) = ratio_after(splits, date) else { continue };
        for price in [&mut bar.open, &mut bar.high, &mut bar.low, &mut bar.close] {
            *price = seven_digits(*price * ratio);
        }
        bar.volume = bar.volume.map(|volume| (volume / ratio).round());
    }
}

/// How many of today's shares one of a date has become; `None` when there was no split since.
#[must_use]
pub fn ratio_after(splits: &[Split], date: Date) -> Option<f64> {
    let later = splits.iter().filter(|split| split.date > date);
    later.map(|split| split.numerator / split.denominator).reduce(|all, ratio| all * ratio)
}

/// The label of a day or week is its date; an instant has one on the exchange's clock.
fn trade_date(bar: &SourceBar, zone: Zone) -> Date {
    if bar.interval.is_intraday() { bar.open_time.in_zone(zone).0 } else { bar.open_time.date() }
}

/// As many digits as the price had before the ratio multiplied its rounding error.
#[must_use]
pub fn seven_digits(price: f64) -> f64 {
    format!("{price:.6e}").parse().unwrap_or(price)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::Interval;

    fn bar(interval: Interval, open_time: &str, price: f64, volume: f64) -> SourceBar {
        let open_time = open_time.parse().expect(open_time);
        let volume = Some(volume);
        SourceBar { interval, open_time, open: price, high: price, low: price, close: price, volume, vwap: None, n_trades: None }
    }

    fn split(date: &str, numerator: f64, denominator: f64) -> Split {
        Split { date: date.parse().expect(date), numerator, denominator }
    }

    #[test]
    fn prices_are_as_traded_before_each_split() {
        let splits = [split("2014-06-09", 7.0, 1.0), split("2020-08-31", 4.0, 1.0)];
        let table = [
            (Interval::OneDay, "2014-06-06T00:00:00Z", 23.056_07, 1_400_000.0, 645.57, 50_000.0),
            (Interval::OneDay, "2014-06-09T00:00:00Z", 23.425, 400.0, 93.7, 100.0),
            (Interval::OneDay, "2020-08-28T00:00:00Z", 124.807_5, 187_630_000.0, 499.23, 46_907_500.0),
            (Interval::OneDay, "2020-08-31T00:00:00Z", 129.04, 225_702_700.0, 129.04, 225_702_700.0),
            // Late on Friday in New York is Saturday in Greenwich, and early on Monday is the day of the split.
            (Interval::OneMinute, "2020-08-28T23:59:00Z", 125.0, 400.0, 500.0, 100.0),
            (Interval::OneMinute, "2020-08-31T08:00:00Z", 127.0, 400.0, 127.0, 400.0),
        ];
        for (interval, at, price, volume, raw, raw_volume) in table {
            let mut bars = [bar(interval, at, price, volume)];
            unadjust(&mut bars, &splits, Zone::NEW_YORK);
            assert_eq!(bars, [bar(interval, at, raw, raw_volume)], "{at}");
        }
    }

    #[test]
    fn a_reverse_split_makes_old_prices_smaller() {
        let mut bars = [bar(Interval::OneDay, "2026-03-02T00:00:00Z", 12.5, 30.0)];
        unadjust(&mut bars, &[split("2026-03-03", 1.0, 10.0)], Zone::NEW_YORK);
        assert_eq!(bars, [bar(Interval::OneDay, "2026-03-02T00:00:00Z", 1.25, 300.0)]);
    }
}
