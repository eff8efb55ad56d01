//! The watchlist: what is kept in the store, and what each row starts from.

use std::collections::HashSet;

use anyhow::{Context, Result};
use futures_util::StreamExt;

use crate::engine::setup::Duty;
use crate::market::{Bar, Instrument, Interval, Symbol};
use crate::snapshot::InstrumentView;
use crate::store::{BarQuery, Store};

/// How many minutes a row starts from.
const MINUTES: usize = 60;

/// The watchlist of the store; a store that never had one gets `symbols`.
pub async fn watchlist(store: &dyn Store, symbols: &[Symbol], duty: Duty) -> Result<Vec<Instrument>> {
    if let Some(list) = store.watchlist().await.context("load the watchlist")? {
        return Ok(list);
    }
    let mut list = Vec::new();
    let mut seen = HashSet::new();
    for symbol in symbols.iter().filter(|symbol| seen.insert((*symbol).clone())) {
        list.push(store.instrument(symbol.clone()).await.with_context(|| format!("add {symbol}"))?);
    }
    if duty == Duty::Record {
        store.set_watchlist(list.iter().map(|instrument| instrument.id).collect()).await.context("keep the watchlist")?;
    }
    Ok(list)
}

/// A row with what the store knows: the last known price is shown with its age.
pub(crate) async fn row(store: &dyn Store, instrument: Instrument) -> Result<InstrumentView> {
    let minutes = newest(store, &instrument, Interval::OneMinute, MINUTES).await?;
    let days = newest(store, &instrument, Interval::OneDay, 1).await?;
    let mut row = InstrumentView::new(instrument);
    row.reference = days.last().map(|bar| bar.close);
    row.fold_history(&minutes);
    Ok(row)
}

/// The newest stored bars, oldest first.
pub(crate) async fn newest(store: &dyn Store, instrument: &Instrument, interval: Interval, count: usize) -> Result<Vec<Bar>> {
    let query = BarQuery { newest: Some(count), ..BarQuery::all(instrument.id, interval) };
    let mut bars = Vec::new();
    let mut chunks = store.bars(query);
    while let Some(chunk) = chunks.next().await {
        bars.extend(chunk.with_context(|| format!("load the newest bars of {}", instrument.symbol))?);
    }
    Ok(bars)
}
