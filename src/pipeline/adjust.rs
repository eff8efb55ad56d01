//! Split-adjusted series: made when they are read, because the store holds prices as traded.

use crate::market::{ActionKind, Bar, BarFlags, CorporateAction, Date, SessionKind, TimeOfDay, Zone};

/// Bars of one instrument as if every later split had been made before them: prices are divided by the splits' ratio,
/// volumes multiplied by it.
///
/// `actions` are those of one source, in any order, and `zone` is the exchange's, whose dates they go by. A bar on the
/// ex-date is at the new price already; a week or a month that a split lies in goes by its last day, at whose price it
/// closes. Bars that their source adjusted stay as they are.
#[must_use]
pub fn adjusted(bars: Vec<Bar>, actions: &[CorporateAction], zone: Zone) -> Vec<Bar> {
    let factors = factors(actions);
    if factors.is_empty() {
        return bars;
    }
    let later = |bar: &Bar| {
        let date = last_date(bar, zone);
        factors.get(factors.partition_point(|(ex_date, _)| *ex_date <= date)).map_or(1.0, |(_, ratio)| *ratio)
    };
    bars.into_iter().map(|bar| if bar.flags.contains(BarFlags::ADJUSTED) { bar } else { divided(later(&bar), bar) }).collect()
}

/// By ex-date, the ratio of that split and all later ones together.
fn factors(actions: &[CorporateAction]) -> Vec<(Date, f64)> {
    let mut splits: Vec<(Date, f64)> = actions.iter().filter_map(|action| Some((action.ex_date, ratio(&action.kind)?))).collect();
    splits.sort_by_key(|(ex_date, _)| *ex_date);
    let mut product = 1.0;
    for (_, ratio) in splits.iter_mut().rev() {
        product *= *ratio;
        *ratio = product;
    }
    splits
}

/// New shares for an old one; `None` for what is no split, or one that cannot be.
fn ratio(kind: &ActionKind) -> Option<f64> {
    match kind {
        ActionKind::Split { numerator, denominator } => Some(numerator / denominator).filter(|ratio| ratio.is_finite() && *ratio > 0.0),
        ActionKind::Dividend { .. } => None,
    }
}

/// The date whose prices a bar ends with.
fn last_date(bar: &Bar, zone: Zone) -> Date {
    if !bar.interval.is_intraday() {
        return bar.interval.next_label(bar.open_time.date()).previous();
    }
    let (date, time) = bar.open_time.in_zone(zone);
    let evening = TimeOfDay::new(12, 0).is_some_and(|noon| time >= noon);
    // Trading in the evening before counts for the date that follows.
    if bar.session == Some(SessionKind::Overnight) && evening { date.next() } else { date }
}

fn divided(ratio: f64, bar: Bar) -> Bar {
    Bar {
        open: bar.open / ratio,
        high: bar.high / ratio,
        low: bar.low / ratio,
        close: bar.close / ratio,
        volume: bar.volume.map(|volume| volume * ratio),
        vwap: bar.vwap.map(|vwap| vwap / ratio),
        ..bar
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::{InstrumentId, Interval, Origin, Source, Timestamp};

    fn bar(interval: Interval, open_time: &str, price: f64) -> Bar {
        let open_time: Timestamp = open_time.parse().expect("an instant");
        Bar {
            instrument: InstrumentId(1),
            interval,
            open_time,
            open: price,
            high: price,
            low: price,
            close: price,
            volume: Some(100.0),
            vwap: Some(price),
            n_trades: Some(3),
            session: Some(SessionKind::Regular),
            source: Source::new("sim"),
            origin: Origin::Backfill,
            revision: 0,
            quality: 1.0,
            flags: BarFlags::empty(),
        }
    }

    fn day(date: &str, price: f64) -> Bar {
        bar(Interval::OneDay, &format!("{date}T00:00:00Z"), price)
    }

    fn split(date: &str, numerator: f64, denominator: f64) -> CorporateAction {
        CorporateAction { ex_date: date.parse().expect("a date"), kind: ActionKind::Split { numerator, denominator } }
    }

    /// Close and volume of each.
    fn told(bars: &[Bar]) -> Vec<(f64, Option<f64>)> {
        bars.iter().map(|bar| (bar.close, bar.volume)).collect()
    }

    #[test]
    fn a_series_is_at_the_price_of_its_end() {
        let dividend =
            CorporateAction { ex_date: "2020-08-07".parse().expect("a date"), kind: ActionKind::Dividend { amount: 0.82, currency: None } };
        // Apple: 7 for 1 in 2014, 4 for 1 in 2020; told in another order.
        let actions = [split("2020-08-31", 4.0, 1.0), dividend, split("2014-06-09", 7.0, 1.0)];
        let bars = vec![day("2014-06-06", 644.0), day("2014-06-09", 93.0), day("2020-08-28", 500.0), day("2020-08-31", 129.0)];
        let found = adjusted(bars.clone(), &actions, Zone::NEW_YORK);
        let wanted = [(644.0 / 28.0, 2_800.0), (93.0 / 4.0, 400.0), (125.0, 400.0), (129.0, 100.0)];
        assert_eq!(told(&found), wanted.map(|(close, volume)| (close, Some(volume))));
        let whole = Bar { vwap: Some(125.0), volume: Some(400.0), ..day("2020-08-28", 125.0) };
        assert_eq!((&found[2], &found[3]), (&whole, &bars[3]), "each price, the count of trades not");
        assert_eq!(adjusted(bars.clone(), &[], Zone::NEW_YORK), bars);
        assert_eq!(adjusted(Vec::new(), &actions, Zone::NEW_YORK), []);
    }

    #[test]
    fn fewer_shares_and_splits_that_cannot_be() {
        let bars = vec![Bar { volume: None, vwap: None, ..day("2026-01-02", 2.0) }];
        let found = adjusted(bars.clone(), &[split("2026-01-05", 1.0, 8.0)], Zone::NEW_YORK);
        assert_eq!(found, [Bar { volume: None, vwap: None, ..day("2026-01-02", 16.0) }], "what was not known stays unknown");
        let absurd = [split("2026-01-05", 0.0, 1.0), split("2026-01-05", 1.0, 0.0), split("2026-01-05", f64::NAN, 1.0)];
        assert_eq!(adjusted(bars.clone(), &absurd, Zone::NEW_YORK), bars);
        let by_its_source = vec![Bar { flags: BarFlags::ADJUSTED, ..day("2026-01-02", 2.0) }];
        assert_eq!(adjusted(by_its_source.clone(), &[split("2026-01-05", 2.0, 1.0)], Zone::NEW_YORK), by_its_source);
    }

    #[test]
    fn the_date_is_the_exchanges() {
        let actions = [split("2026-01-05", 2.0, 1.0)];
        let overnight = |time: &str| Bar { session: Some(SessionKind::Overnight), ..bar(Interval::OneMinute, time, 8.0) };
        let table = [
            // The evening of Friday, after midnight in Greenwich, and the first minute of Monday.
            (bar(Interval::OneMinute, "2026-01-03T00:59:00Z", 8.0), 4.0_f64),
            (bar(Interval::OneMinute, "2026-01-05T09:00:00Z", 8.0), 8.0),
            // The night from Sunday to Monday counts for Monday.
            (overnight("2026-01-05T01:00:00Z"), 8.0),
            (overnight("2026-01-05T08:00:00Z"), 8.0),
            (bar(Interval::OneWeek, "2025-12-29T00:00:00Z", 8.0), 4.0),
            (bar(Interval::OneWeek, "2026-01-05T00:00:00Z", 8.0), 8.0),
            (bar(Interval::OneMonth, "2025-12-01T00:00:00Z", 8.0), 4.0),
            (bar(Interval::OneMonth, "2026-01-01T00:00:00Z", 8.0), 8.0),
        ];
        for (bar, close) in table {
            let found = adjusted(vec![bar.clone()], &actions, Zone::NEW_YORK);
            assert_eq!(told(&found)[0].0.to_bits(), close.to_bits(), "{} {}", bar.interval, bar.open_time);
        }
    }
}
