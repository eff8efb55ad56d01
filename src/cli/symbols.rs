//! `openbell symbols`: the watchlist from the prompt. A running engine follows within a second.

use anyhow::Result;
use clap::{Args, Subcommand};

use crate::cli::discover::{self, DiscoverArgs, ImportArgs, SearchArgs};
use crate::cli::exit::{Done, Usage};
use crate::cli::output::{FormatArg, Rows};
use crate::cli::select::symbol;
use crate::cli::session::{Globals, Session, block_on};
use crate::engine::{Duty, Need, Sources, watchlist};
use crate::export::Value;
use crate::market::{Date, Instrument, Symbol};
use crate::store::{Creation, OURS, Store};

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
    #[command(after_help = "Example: openbell symbols list --format csv")]
    List(FormatArg),
    /// Put symbols on the list.
    #[command(after_help = "Example: openbell symbols add TSLA SOL-USD VOD:XLON EUR/USD ^GSPC")]
    Add {
        #[arg(required = true, value_parser = symbol)]
        symbols: Vec<Symbol>,
    },
    /// Take symbols off the list; their history stays.
    #[command(after_help = "Example: openbell symbols remove TSLA")]
    Remove {
        #[arg(required = true, value_parser = symbol)]
        symbols: Vec<Symbol>,
    },
    /// Fill the store's instruments from a source's list.
    Discover(DiscoverArgs),
    /// Look for instruments by a text; nothing is stored.
    Search(SearchArgs),
    /// Put the symbols of a file into the store.
    Import(ImportArgs),
    /// Give an instrument another symbol, after a rename; its history stays with it.
    #[command(after_help = "Example: openbell symbols rename FB META --on 2022-06-09")]
    Rename {
        #[arg(value_parser = symbol)]
        old: Symbol,
        #[arg(value_parser = symbol)]
        new: Symbol,
        /// The first day of the new symbol; by default today.
        #[arg(long, value_name = "DATE")]
        on: Option<String>,
    },
}

/// Changes or prints the list.
pub(crate) fn run(globals: &Globals, args: &SymbolsArgs) -> Result<Done> {
    let session = Session::new(globals)?;
    if let What::Search(args) = &args.what {
        // It needs no store, and makes none.
        return block_on(discover::search(&session, args));
    }
    let creation = if matches!(args.what, What::List(_)) { Creation::Never } else { Creation::IfEmpty };
    block_on(async {
        let store = session.open_store(creation).await?;
        match &args.what {
            What::List(format) => list(&*store, *format).await,
            What::Add { symbols } => add(&session, &*store, symbols).await,
            What::Remove { symbols } => remove(&*store, symbols).await,
            What::Discover(args) => discover::discover(&session, &*store, args).await,
            What::Search(args) => discover::search(&session, args).await,
            What::Import(args) => discover::import(&session, &*store, args).await,
            What::Rename { old, new, on } => rename(&session, &*store, (old, new), on.as_deref()).await,
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
    let sources = Sources::open(&session.config, &session.clock);
    let mut done = Done::Yes;
    // A new store starts with the list of the config, whoever comes first.
    let mut list = watchlist(store, &session.first_symbols()?, Duty::Record).await?;
    for symbol in symbols {
        if sources.candidates(Need::Live, symbol).is_empty() {
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

async fn rename(session: &Session, store: &dyn Store, (old, new): (&Symbol, &Symbol), on: Option<&str>) -> Result<Done> {
    let on = match on {
        Some(text) => text.parse::<Date>().map_err(|error| Usage(format!("--on: {error}")))?.midnight(),
        None => session.clock.now(),
    };
    let (of_old, of_new) = (old.listing(), new.listing());
    if old == new {
        return Err(Usage(format!("{old} is its name already")).into());
    }
    if (of_old.asset_class, &of_old.venue) != (of_new.asset_class, &of_new.venue) {
        let (is, would_be) = (of_old.asset_class.name(), of_new.asset_class.name());
        let reason = format!("{old} is of {} ({is}), {new} of {} ({would_be}): that is another instrument", of_old.venue, of_new.venue);
        return Err(Usage(reason).into());
    }
    let known = store.instruments().await?;
    if let Some(instrument) = known.iter().find(|instrument| instrument.symbol == *old) {
        let names = store.names(instrument.id).await?;
        let since = names.iter().filter(|name| name.provider == OURS && name.valid_to.is_none()).map(|name| name.valid_from).max();
        if let Some(since) = since.filter(|since| on <= *since) {
            return Err(Usage(format!("it is {old} since {}: the next symbol begins after that", since.date())).into());
        }
    }
    store.rename(old.clone(), new.clone(), on).await?;
    eprintln!("openbell: {old} is {new} from now on; its history stays with it");
    Ok(Done::Yes)
}
