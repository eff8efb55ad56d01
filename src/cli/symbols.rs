//! `openbell symbols`: the watchlist from the prompt. A running engine follows within a second.

use anyhow::Result;
use clap::{Args, Subcommand};

use crate::cli::exit::Done;
use crate::cli::output::{FormatArg, Rows};
use crate::cli::select::symbol;
use crate::cli::session::{Globals, Session, block_on};
use crate::engine::{Duty, open_providers, route, watchlist};
use crate::export::Value;
use crate::market::{Instrument, Symbol};
use crate::store::{Creation, Store};

const COLUMNS: &[&str] = &["symbol", "name", "venue", "asset_class", "currency", "active"];

/// The watchlist from the prompt.
#[derive(Debug, Args)]
#[command(after_help = "Example: openbell symbols add TSLA SOL-USD")]
pub(crate) struct SymbolsArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Every instrument of the store; those off the list are not active.
    List(FormatArg),
    /// Put symbols on the list.
    Add {
        #[arg(required = true, value_parser = symbol)]
        symbols: Vec<Symbol>,
    },
    /// Take symbols off the list; their history stays.
    Remove {
        #[arg(required = true, value_parser = symbol)]
        symbols: Vec<Symbol>,
    },
}

/// Changes or prints the list.
pub(crate) fn run(globals: &Globals, args: &SymbolsArgs) -> Result<Done> {
    let session = Session::new(globals)?;
    let creation = if matches!(args.what, What::List(_)) { Creation::Never } else { Creation::IfEmpty };
    block_on(async {
        let store = session.open_store(creation).await?;
        match &args.what {
            What::List(format) => list(&*store, *format).await,
            What::Add { symbols } => add(&session, &*store, symbols).await,
            What::Remove { symbols } => remove(&*store, symbols).await,
        }
    })
}

async fn list(store: &dyn Store, format: FormatArg) -> Result<Done> {
    let mut rows = Rows::begin(COLUMNS, format.format)?;
    for Instrument { symbol, name, venue, asset_class, currency, active, .. } in store.instruments().await? {
        let texts = [symbol.as_str(), &*name, &*venue, asset_class.name(), &*currency];
        let mut row: Vec<Value> = texts.into_iter().map(Value::from).collect();
        row.push(Value::Flag(active));
        rows.row(&row)?;
    }
    rows.end()?;
    Ok(Done::Yes)
}

async fn add(session: &Session, store: &dyn Store, symbols: &[Symbol]) -> Result<Done> {
    let providers = open_providers(&session.config, &session.clock);
    let mut done = Done::Yes;
    // A new store starts with the list of the config, whoever comes first.
    let mut list = watchlist(store, &session.first_symbols()?, Duty::Record).await?;
    for symbol in symbols {
        if route(&providers, symbol).is_none() {
            eprintln!("openbell: no enabled source has {symbol}");
            done = Done::No;
            continue;
        }
        let instrument = store.instrument(symbol.clone()).await?;
        if list.iter().all(|known| known.id != instrument.id) {
            list.push(instrument);
        }
    }
    store.set_watchlist(list.iter().map(|instrument| instrument.id).collect()).await?;
    Ok(done)
}

async fn remove(store: &dyn Store, symbols: &[Symbol]) -> Result<Done> {
    let mut list = store.watchlist().await?.unwrap_or_default();
    let mut done = Done::Yes;
    for symbol in symbols {
        let before = list.len();
        list.retain(|instrument| instrument.symbol != *symbol);
        if list.len() == before {
            eprintln!("openbell: {symbol} is not on the list");
            done = Done::No;
        }
    }
    store.set_watchlist(list.iter().map(|instrument| instrument.id).collect()).await?;
    Ok(done)
}
