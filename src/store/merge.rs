//! A batch against what is stored: the same for every engine.

use crate::market::{Bar, InstrumentId, Interval, Source, Timestamp};
use crate::pipeline::{Fused, Ranks, fuse, refused, remember};
use crate::quality::Quarantined;
use crate::store::contract::{Ack, ActionRow, Batch, FundamentalRow};
use crate::store::reference;

/// A bar with what it said before.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Kept {
    pub(crate) bar: Bar,
    pub(crate) meta: Option<String>,
}

/// How bars of different sources become one.
pub(crate) struct Merger<'a> {
    pub(crate) ranks: &'a Ranks,
    pub(crate) at: Timestamp,
}

impl Merger<'_> {
    /// Lays `news` over `olds`, both in the order of their keys; what changes comes out in that order, each key once.
    pub(crate) fn merge(&self, news: &[Bar], olds: Vec<Kept>, ack: &mut Ack) -> Vec<Kept> {
        let mut olds = olds.into_iter().peekable();
        let mut merged = Vec::new();
        for same_key in news.chunk_by(|a, b| a.key() == b.key()) {
            let key = same_key[0].key();
            while olds.next_if(|old| old.bar.key() < key).is_some() {}
            let old = olds.next_if(|old| old.bar.key() == key);
            merged.extend(self.merge_key(same_key, old, ack));
        }
        merged
    }

    fn merge_key(&self, news: &[Bar], old: Option<Kept>, ack: &mut Ack) -> Option<Kept> {
        let fresh = old.is_none();
        let (first, rest) = if fresh { (Some(Kept { bar: news[0].clone(), meta: None }), &news[1..]) } else { (None, news) };
        ack.inserted += u64::from(fresh);
        let mut changed = first.is_some();
        let mut kept = first.or(old)?;
        for new in rest {
            let (winner, disagreement) = match fuse(&kept.bar, new, self.ranks, self.at) {
                Fused::Keep => {
                    ack.kept += 1;
                    continue;
                }
                Fused::Replace(winner) => (winner, None),
                Fused::Disagree(winner, violation) => (winner, Some(violation)),
            };
            ack.replaced += 1;
            ack.disagreements.extend(disagreement);
            kept.meta = remember(kept.meta.as_deref(), &kept.bar, &winner, self.at);
            kept.bar = winner;
            changed = true;
        }
        changed.then_some(kept)
    }
}

/// Open times that are not further apart than so many intervals are read in one go.
const NEAR: i64 = 64;

/// Sorted bars in stretches that are each worth one look at the table.
pub(crate) fn stretches(bars: &[Bar]) -> impl Iterator<Item = &[Bar]> {
    let step = |interval: Interval| i64::from(interval.seconds()) * 1_000_000 * NEAR;
    bars.chunk_by(move |a, b| {
        let near = b.open_time.as_micros().saturating_sub(a.open_time.as_micros()) <= step(a.interval);
        a.instrument == b.instrument && a.interval == b.interval && near
    })
}

/// Puts a batch into the order of the table, and what no engine takes into quarantine: the engines would differ about it.
pub(crate) fn ready(mut batch: Batch) -> Batch {
    let at = batch.at;
    batch.bars.sort_by_key(Bar::key);
    refuse(&mut batch.bars, &mut batch.quarantine, fits, |bar| refused_bar(bar, at));
    refuse(&mut batch.actions, &mut batch.quarantine, action_fits, |row| {
        not_storable(row.instrument, &row.source, reference::said(&row.action), at)
    });
    // A report without a field says nothing: it must not stand before one that does.
    batch.fundamentals.retain(|row| !row.fundamental.fields.is_empty());
    refuse(&mut batch.fundamentals, &mut batch.quarantine, report_fits, |row| {
        not_storable(row.instrument, &row.source, reference::fields_text(&row.fundamental), at)
    });
    batch
}

/// Takes the rows that do not fit into quarantine.
fn refuse<T>(rows: &mut Vec<T>, quarantine: &mut Vec<Quarantined>, fits: fn(&T) -> bool, refused: impl Fn(&T) -> Quarantined) {
    if rows.iter().all(fits) {
        return;
    }
    let (fit, unfit): (Vec<T>, Vec<T>) = std::mem::take(rows).into_iter().partition(fits);
    *rows = fit;
    for row in unfit.iter().map(refused) {
        let (source, instrument) = (&row.source, row.instrument.0);
        tracing::warn!(%source, instrument, "a row with a figure or a time that cannot be kept was refused");
        quarantine.push(row);
    }
}

/// Why no engine takes a row.
const NOT_STORABLE: &str = "not_storable";

fn refused_bar(bar: &Bar, at: Timestamp) -> Quarantined {
    let mut row = refused(bar, vec![NOT_STORABLE.to_owned()], at);
    row.open_time = row.open_time.filter(|time| YEARS.contains(time));
    row
}

fn not_storable(instrument: InstrumentId, source: &Source, payload: String, at: Timestamp) -> Quarantined {
    let (source, reasons) = (source.clone(), vec![NOT_STORABLE.to_owned()]);
    Quarantined { received_at: at, source, instrument, interval: None, open_time: None, reasons, payload }
}

/// From year 1 to year 9999: what every engine and every notebook can tell.
const YEARS: std::ops::Range<Timestamp> = Timestamp::from_seconds(-62_135_596_800)..Timestamp::from_seconds(253_402_300_800);

fn fits(bar: &Bar) -> bool {
    let figures = [bar.open, bar.high, bar.low, bar.close, bar.quality, bar.volume.unwrap_or(0.0), bar.vwap.unwrap_or(0.0)];
    figures.into_iter().all(f64::is_finite) && YEARS.contains(&bar.open_time)
}

fn action_fits(row: &ActionRow) -> bool {
    reference::figures(&row.action.kind).into_iter().all(f64::is_finite) && YEARS.contains(&row.action.ex_date.midnight())
}

fn report_fits(row: &FundamentalRow) -> bool {
    [row.fundamental.fiscal_date.midnight(), row.asked_at].iter().all(|time| YEARS.contains(time))
}
