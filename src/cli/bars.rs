//! `openbell bars`: print stored bars.

use std::time::Duration;

use anyhow::Result;
use clap::Args;

use crate::calendar::Calendars;
use crate::cli::exit::Done;
use crate::cli::output::{FormatArg, Rows};
use crate::cli::select::{RangeArgs, instruments, interval, load, symbol};
use crate::cli::session::{Globals, Session, block_on};
use crate::export::{BARS, Describe, bar_row};
use crate::market::{Bar, BarFlags, CorporateAction, Instrument, Interval, Symbol, Timestamp};
use crate::pipeline::{Ranks, adjusted, resample};
use crate::quality::{Coverage, CoverageState};
use crate::store::{BarQuery, Creation, Store};

/// Print stored bars; longer ones are built from stored shorter ones where they are not stored.
#[derive(Debug, Args)]
#[command(after_help = "Example: openbell bars AAPL BTC-USD --interval 1h --from 2026-11-01 --format csv")]
pub(crate) struct BarsArgs {
    /// Whose bars.
    #[arg(required = true, value_parser = symbol)]
    symbols: Vec<Symbol>,
    /// 1m, 5m, 15m, 30m, 1h, 1d, 1w or 1mo.
    #[arg(long, default_value = "1d", value_parser = interval)]
    interval: Interval,
    #[command(flatten)]
    range: RangeArgs,
    /// Leave out bars of a lower quality; 0.85 and above is validated.
    #[arg(long, default_value_t = 0.0, value_parser = quality)]
    min_quality: f64,
    /// Divide prices by the splits that came later, as the store knows them; as traded otherwise.
    #[arg(long)]
    adjusted: bool,
    #[command(flatten)]
    format: FormatArg,
}

const MONTH: Duration = Duration::from_secs(31 * 86_400);

fn quality(text: &str) -> Result<f64, String> {
    let quality = text.parse().ok().filter(|quality| (0.0..=1.0).contains(quality));
    quality.ok_or_else(|| format!("'{text}' is no quality: it is a number from 0 to 1"))
}

/// Prints the bars in the order of the symbols, then by time.
pub(crate) fn run(globals: &Globals, args: &BarsArgs) -> Result<Done> {
    let session = Session::new(globals)?;
    let calendars = session.calendars()?;
    block_on(async {
        let store = session.open_store(Creation::Never).await?;
        let (found, missing) = instruments(&*store, &args.symbols).await?;
        let names = Describe::new(found.clone());
        let ranks = Ranks::new(session.config.section("sources").list("rank"));
        let mut rows = Rows::begin(BARS, args.format.format)?;
        for instrument in &found {
            let splits = if args.adjusted { splits(&*store, instrument, &ranks).await? } else { Vec::new() };
            for bar in of_instrument(&*store, instrument, args, (&calendars, &splits)).await? {
                rows.row(&bar_row(&bar, &names))?;
            }
        }
        rows.end()?;
        for symbol in &missing {
            eprintln!("openbell: {symbol} is not in the store");
        }
        Ok(if missing.is_empty() { Done::Yes } else { Done::No })
    })
}

/// Splits and dividends as the most believed source tells them: those of two sources would count twice.
async fn splits(store: &dyn Store, instrument: &Instrument, ranks: &Ranks) -> Result<Vec<CorporateAction>> {
    let rows = store.actions(instrument.id).await?;
    let Some(best) = rows.iter().map(|row| row.source.clone()).min_by_key(|source| ranks.of(source)) else {
        eprintln!("openbell: no splits of {} are stored: its bars are as traded; a backfill of days brings them", instrument.symbol);
        return Ok(Vec::new());
    };
    Ok(rows.into_iter().filter(|row| row.source == best).map(|row| row.action).collect())
}

async fn of_instrument(
    store: &dyn Store,
    instrument: &Instrument,
    args: &BarsArgs,
    (calendars, splits): (&Calendars, &[CorporateAction]),
) -> Result<Vec<Bar>> {
    let (from, to) = args.range.resolve(args.interval, Some(&instrument.symbol), calendars)?;
    let (from, to) = (from.unwrap_or(Timestamp::MIN), to.unwrap_or(Timestamp::MAX));
    let query = |interval| BarQuery { from, to, min_quality: args.min_quality, ..BarQuery::all(instrument.id, interval) };
    let stored = load(store, query(args.interval)).await?;
    let Some(calendar) = calendars.get(&instrument.venue) else { return Ok(stored) };
    if !stored.is_empty() {
        return Ok(adjusted(stored, splits, calendar.zone()));
    }
    // The longest of the shorter ones is the least work.
    for shorter in Interval::ALL.into_iter().rev().filter(|shorter| args.interval.is_built_of(*shorter)) {
        // A month more on both sides: a longer bar begins before its range, and days are labels.
        let bars = load(store, BarQuery { from: from - MONTH, to: to + MONTH, ..query(shorter) }).await?;
        if !bars.is_empty() {
            let mut built = resample(calendar, &adjusted(bars, splits, calendar.zone()), args.interval);
            mark_holes(&mut built, &store.coverage(query(shorter)).await?);
            return Ok(built.into_iter().filter(|bar| from <= bar.open_time && bar.open_time < to).collect());
        }
    }
    Ok(stored)
}

/// A bar that was built over a hole that is known does not tell all that happened in it.
fn mark_holes(built: &mut [Bar], coverage: &[Coverage]) {
    for hole in coverage.iter().filter(|range| range.state == CoverageState::Failed) {
        for bar in built.iter_mut().filter(|bar| bar.open_time < hole.to && hole.from < bar.open_time + bar.interval.duration()) {
            bar.flags |= BarFlags::PARTIAL;
        }
    }
}
