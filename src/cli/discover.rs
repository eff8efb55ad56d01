//! `openbell symbols discover|search|import`: instruments from a source's list or from a file.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::cli::exit::{Done, Usage};
use crate::cli::output::{FormatArg, Rows};
use crate::cli::session::Session;
use crate::cli::universe;
use crate::engine::{Duty, Need, Opened, Sources, watchlist};
use crate::export::Value;
use crate::market::{AssetClass, Category, Listed};
use crate::provider::{Directory, DirectoryQuery};
use crate::store::Store;

const COLUMNS: &[&str] = &["symbol", "name", "venue", "asset_class", "currency", "active", "spelling", "source"];

/// No list is longer than so many pages.
const PAGES: usize = 1_000;

/// Which instruments.
#[derive(Debug, Args)]
#[command(after_help = "Example: openbell symbols discover etf --source polygon --limit 500 --out etf.txt")]
pub(crate) struct DiscoverArgs {
    /// us_equities, etf, crypto, fx, indices, otc or options.
    #[arg(value_parser = category)]
    category: Category,
    #[command(flatten)]
    options: ListArgs,
    /// Only those with this text in name or symbol; of options: the underlying.
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// Also write the symbols to this file: .txt, .csv or .json, as symbols import reads them.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// What is looked for.
#[derive(Debug, Args)]
#[command(after_help = "Example: openbell symbols search apple --source finnhub")]
pub(crate) struct SearchArgs {
    /// A part of a name or symbol.
    text: String,
    #[command(flatten)]
    options: ListArgs,
}

/// Options of both.
#[derive(Debug, Args)]
struct ListArgs {
    /// Ask this source instead of the first of [sources.details] that has such a list.
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// How many at most.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    limit: u32,
    #[command(flatten)]
    format: FormatArg,
}

/// Which file.
#[derive(Debug, Args)]
#[command(after_help = "Example: openbell symbols import universe.csv --watch")]
pub(crate) struct ImportArgs {
    /// A list of symbols: .csv (a column named symbol, or the first), .json (texts, or objects with a symbol), else text.
    file: PathBuf,
    /// Put them on the watchlist too.
    #[arg(long)]
    watch: bool,
}

fn category(text: &str) -> Result<Category, String> {
    text.parse()
}

/// Fills the store's instruments from a source's list.
pub(crate) async fn discover(session: &Session, store: &dyn Store, args: &DiscoverArgs) -> Result<Done> {
    if let Some(out) = &args.out {
        universe::check(out)?;
    }
    let sources = Sources::open(&session.config, &session.clock);
    let class = class_of(args.category);
    let lists = |opened: &Opened| opened.provider.directory().is_some_and(|directory| directory.categories().contains(&args.category));
    let opened = choose(&sources, args.options.source.as_deref(), sources.of_class(Need::Details, class), lists, args.category.name())?;
    let query =
        DirectoryQuery { category: Some(args.category), search: args.search.clone(), limit: args.options.limit as usize, next: None };
    let (listed, done) = fetch(session, &sources, &opened, query).await?;
    let counted = store.list(opened.spec.name.to_owned(), listed.clone(), session.clock.now()).await?;
    eprintln!("openbell: instruments: {} new, {} known before", counted.new, counted.known);
    if let Some(out) = &args.out {
        universe::write(out, &listed)?;
        eprintln!("openbell: {} symbols in {}", listed.len(), out.display());
    }
    print(&listed, &opened, args.options.format)?;
    Ok(done)
}

/// Prints what a source finds; nothing is stored.
pub(crate) async fn search(session: &Session, args: &SearchArgs) -> Result<Done> {
    if args.text.trim().is_empty() {
        bail!(Usage("there is nothing to search for".to_owned()));
    }
    let sources = Sources::open(&session.config, &session.clock);
    let finds = |opened: &Opened| opened.provider.directory().is_some_and(Directory::searches);
    let any = sources.of_class(Need::Details, AssetClass::Equity);
    let opened = choose(&sources, args.options.source.as_deref(), any, finds, "search")?;
    let query = DirectoryQuery { category: None, search: Some(args.text.clone()), limit: args.options.limit as usize, next: None };
    let (listed, done) = fetch(session, &sources, &opened, query).await?;
    print(&listed, &opened, args.options.format)?;
    Ok(done)
}

/// Puts the symbols of a file into the store.
pub(crate) async fn import(session: &Session, store: &dyn Store, args: &ImportArgs) -> Result<Done> {
    let text = std::fs::read_to_string(&args.file).map_err(|error| Usage(format!("cannot read {}: {error}", args.file.display())))?;
    let found = universe::read(&args.file, &text)?;
    for (place, reason) in &found.refused {
        eprintln!("openbell: {}, {place}: {reason}", args.file.display());
    }
    let mut instruments = Vec::new();
    for symbol in &found.symbols {
        instruments.push(store.instrument(symbol.clone()).await.with_context(|| format!("add {symbol}"))?);
    }
    if args.watch {
        let mut list = watchlist(store, &session.first_symbols()?, Duty::Record).await?;
        instruments.retain(|new| list.iter().all(|known| known.id != new.id));
        list.extend(instruments);
        store.set_watchlist(list.iter().map(|instrument| instrument.id).collect()).await?;
    }
    let place = if args.watch { "on the watchlist" } else { "in the store" };
    eprintln!("openbell: {} symbols are {place}, {} lines were refused", found.symbols.len(), found.refused.len());
    Ok(if found.refused.is_empty() { Done::Yes } else { Done::No })
}

/// The source that is named, or the first that is able.
fn choose(sources: &Sources, named: Option<&str>, order: Vec<Opened>, able: impl Fn(&Opened) -> bool, what: &str) -> Result<Opened> {
    let Some(name) = named else {
        return order.into_iter().find(|opened| able(opened)).with_context(|| format!("no enabled source with a key has {what}"));
    };
    let (_, opened) = sources.called(name).map_err(Usage)?;
    if able(opened) { Ok(opened.clone()) } else { bail!(Usage(format!("{name} has no {what}"))) }
}

/// Page after page, until there are enough; with it, whether that is all.
async fn fetch(session: &Session, sources: &Sources, opened: &Opened, mut query: DirectoryQuery) -> Result<(Vec<Listed>, Done)> {
    let directory = opened.provider.directory().context("the source has no list")?;
    let counted = session.counted(sources).await;
    let (mut listed, mut skipped, limit) = (Vec::new(), 0, query.limit);
    let mut outcome = Ok(());
    for _ in 0..PAGES {
        match directory.discover(&query).await {
            Ok(page) => {
                listed.extend(page.listed);
                skipped += page.skipped;
                query.next = page.next;
            }
            Err(error) => {
                outcome = Err(error);
                break;
            }
        }
        if query.next.is_none() || listed.len() >= limit {
            break;
        }
    }
    counted.save(sources).await;
    let is_cut = query.next.is_some() && listed.len() < limit;
    // What was had before a page failed is worth having.
    let done = match outcome {
        Err(error) if listed.is_empty() => return Err(error.into()),
        Err(error) => {
            eprintln!("openbell: the list is not whole: {error}");
            Done::No
        }
        Ok(()) if is_cut => {
            eprintln!("openbell: the list is not whole: it has more than {PAGES} pages");
            Done::No
        }
        Ok(()) => Done::Yes,
    };
    if skipped > 0 {
        eprintln!("openbell: {skipped} rows are no instruments of ours");
    }
    listed.truncate(limit);
    Ok((listed, done))
}

fn print(listed: &[Listed], opened: &Opened, format: FormatArg) -> Result<()> {
    let mut rows = Rows::begin(COLUMNS, format.format)?;
    let text = |text: &Option<String>| text.as_deref().map_or(Value::Empty, Value::from);
    for one in listed {
        rows.row(&[
            one.symbol.as_str().into(),
            text(&one.name),
            text(&one.venue),
            one.asset_class.name().into(),
            text(&one.currency),
            Value::Flag(one.active),
            one.spelling.as_str().into(),
            opened.spec.name.into(),
        ])?;
    }
    rows.end()?;
    Ok(())
}

/// Whose order of sources is that of a category.
fn class_of(category: Category) -> AssetClass {
    match category {
        Category::UsEquities | Category::Otc => AssetClass::Equity,
        Category::Etf => AssetClass::Etf,
        Category::Crypto => AssetClass::Crypto,
        Category::Fx => AssetClass::Fx,
        Category::Indices => AssetClass::Index,
        Category::Options => AssetClass::Option,
    }
}
