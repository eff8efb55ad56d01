//! Symbols and ranges as options.

use anyhow::{Context, Result};
use futures_util::StreamExt;

use crate::calendar::Calendars;
use crate::cli::exit::Usage;
use crate::market::{Bar, Instrument, Interval, Symbol, Timestamp};
use crate::request::instant;
use crate::store::{BarQuery, Store};

/// Options that choose a range.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct RangeArgs {
    /// The first date or time: 2026-11-01 or 2026-11-27T14:30:00Z.
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<String>,
    /// The date or time after the last.
    #[arg(long, value_name = "TIME")]
    pub(crate) to: Option<String>,
}

impl RangeArgs {
    /// The range for an instrument's bars; everything when nothing was said.
    pub(crate) fn resolve(
        &self,
        interval: Interval,
        symbol: Option<&Symbol>,
        calendars: &Calendars,
    ) -> Result<(Option<Timestamp>, Option<Timestamp>)> {
        let calendar = symbol.and_then(|symbol| calendars.get(&symbol.listing().venue));
        let at = |text: &Option<String>| text.as_deref().map(|text| instant(text, interval, calendar)).transpose();
        let (from, to) = (at(&self.from).map_err(Usage)?, at(&self.to).map_err(Usage)?);
        if from.zip(to).is_some_and(|(from, to)| from >= to) {
            return Err(Usage("--to must be later than --from".to_owned()).into());
        }
        Ok((from, to))
    }
}

/// Reads an interval option.
pub(crate) fn interval(text: &str) -> Result<Interval, String> {
    text.parse().map_err(|error: crate::market::IntervalError| error.to_string())
}

/// Reads a symbol option.
pub(crate) fn symbol(text: &str) -> Result<Symbol, String> {
    text.parse().map_err(|error: crate::market::SymbolError| error.to_string())
}

/// The instruments of `symbols` in the store, in their order; those that it does not have are told.
pub(crate) async fn instruments(store: &dyn Store, symbols: &[Symbol]) -> Result<(Vec<Instrument>, Vec<Symbol>)> {
    let known = store.instruments().await?;
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for symbol in symbols {
        match known.iter().find(|instrument| instrument.symbol == *symbol) {
            Some(instrument) => found.push(instrument.clone()),
            None => missing.push(symbol.clone()),
        }
    }
    Ok((found, missing))
}

/// All bars of a query, in memory.
pub(crate) async fn load(store: &dyn Store, query: BarQuery) -> Result<Vec<Bar>> {
    let mut bars = Vec::new();
    let mut chunks = store.bars(query);
    while let Some(chunk) = chunks.next().await {
        bars.extend(chunk.context("load bars")?);
    }
    Ok(bars)
}
