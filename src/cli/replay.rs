//! `openbell replay`: recordings, through the same decoding, pipeline and engine as live, into a store of their own.

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::cli::exit::{Done, Usage};
use crate::cli::monitor::{Stage, demand_terminal, stop, watch};
use crate::cli::output::{FormatArg, RowFormat, Rows};
use crate::cli::select::symbol;
use crate::cli::session::{Globals, Session};
use crate::cli::throwaway::Throwaway;
use crate::config::StoreUrl;
use crate::engine::{Played, Reel, Replay, ReplaySetup, Speed, Survey, survey};
use crate::export::Value;
use crate::host::{environment, expand_home, shutdown_signal};
use crate::market::Symbol;
use crate::provider::PROVIDERS;
use crate::store::{Creation, RecordQuery, Store};

const COLUMNS: &[&str] = &["symbol", "interval", "bars", "quarantined", "first", "last"];
/// How many spellings that are nobody's are named.
const NAMED: usize = 10;

/// Play recordings through the same decoding, checks and engine as live, into a store of their own, and print what it then holds of
/// their symbols.
#[derive(Debug, Args)]
#[command(after_help = "Example: openbell replay monday.jsonl.gz tuesday.jsonl.gz --store sqlite:replayed.db\n         \
    openbell replay --raw-frames kraken.log --source kraken --speed 10 --screen")]
pub(crate) struct ReplayArgs {
    /// Recordings of 'openbell record', merged by time.
    #[arg(required_unless_present = "raw_frames", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// How many times as fast as it was, or max; with --screen 1, else max.
    #[arg(long, value_parser = speed)]
    speed: Option<Speed>,
    /// Show the monitor on it.
    #[arg(long)]
    screen: bool,
    /// Watch these only; without it all that the recordings speak of.
    #[arg(long, value_delimiter = ',', value_parser = symbol)]
    symbols: Vec<Symbol>,
    /// Play a log of plain 'epoch_seconds: frame' lines instead.
    #[arg(long, value_name = "LOG", requires = "source", conflicts_with = "files")]
    raw_frames: Option<PathBuf>,
    /// Whose frames the log holds.
    #[arg(long, value_name = "NAME", requires = "raw_frames")]
    source: Option<String>,
    #[command(flatten)]
    format: FormatArg,
}

/// Plays the files.
pub(crate) fn run(globals: &Globals, args: &ReplayArgs) -> Result<Done> {
    if args.screen {
        demand_terminal("openbell replay FILE")?;
    }
    let folder = Throwaway::new()?;
    let named = Globals {
        store: Some(globals.store.clone().unwrap_or_else(|| format!("sqlite:{}", folder.path().join("replay.db").display()))),
        ..globals.clone()
    };
    let session = Session::new(&named)?;
    if globals.store.is_some() {
        keep_off_the_default(&session)?;
    }
    let reels = reels(args)?;
    let found = survey(&reels, &session.config)?;
    tell_survey(&found);
    if found.records == 0 {
        bail!("there is nothing to replay");
    }
    let symbols = symbols(args, &found)?;
    let speed = args.speed.unwrap_or(if args.screen { Speed::Times(1.0) } else { Speed::Max });
    // One thread: the engine is at rest whenever the clock is moved on.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("start the runtime")?;
    runtime.block_on(async {
        let (log, _sink) = session.start_log(&session.clock)?;
        let store = session.open_url(&session.store_url, Creation::IfEmpty).await?;
        let _place = store.claim().await?;
        let calendars = Arc::new(session.calendars()?);
        let (kept, config) = (Arc::clone(&store), session.config.clone());
        let setup = ReplaySetup { reels, survey: found, symbols: symbols.clone(), speed, store, config, calendars, log };
        if args.screen { show(setup).await } else { play(setup, &*kept, &symbols, args.format.format).await }
    })
}

/// What is watched; nothing comes of a symbol that no record is about.
fn symbols(args: &ReplayArgs, found: &Survey) -> Result<Vec<Symbol>> {
    if found.symbols.is_empty() {
        bail!("the recordings speak of no symbol that is known");
    }
    if args.symbols.is_empty() {
        return Ok(found.symbols.clone());
    }
    // Pinned to a source it is the same in its recording.
    let is_told_of = |symbol: &Symbol| found.symbols.iter().any(|told| told.unpinned() == symbol.unpinned());
    let (there, absent): (Vec<_>, Vec<_>) = args.symbols.iter().cloned().partition(is_told_of);
    let named = |symbols: &[Symbol]| symbols.iter().take(NAMED).map(Symbol::as_str).collect::<Vec<_>>().join(", ");
    if there.is_empty() {
        bail!(Usage(format!("the recordings do not speak of {}; they speak of {}", named(&absent), named(&found.symbols))));
    }
    if !absent.is_empty() {
        eprintln!("openbell: the recordings do not speak of {}", named(&absent));
    }
    Ok(there)
}

async fn play(setup: ReplaySetup, store: &dyn Store, symbols: &[Symbol], format: RowFormat) -> Result<Done> {
    let (engine, handle, mut replay) = Replay::start(setup).await?;
    let played = tokio::select! {
        played = replay.play() => played,
        // What was replayed so far is written, and told.
        signal = shutdown_signal() => signal.and_then(|_| bail!("stopped before the end of the recording")),
    };
    // The last of what is held here: the engine's end waits for it.
    drop((handle, replay));
    let stopped = stop(engine).await;
    let Played { records, events, nobodys, senseless } = played?;
    eprintln!("openbell: {records} records replayed: {events} events, {nobodys} of nobody's spellings, {senseless} frames without sense");
    print(store, symbols, format).await?;
    Ok(stopped)
}

/// The monitor on it; the time goes on after the end, until somebody quits.
async fn show(setup: ReplaySetup) -> Result<Done> {
    let (config, calendars) = (setup.config.clone(), Arc::clone(&setup.calendars));
    let (engine, handle, mut replay) = Replay::start(setup).await?;
    let clock = replay.clock().clone();
    let screen = watch(Stage { engine, handle, calendars, config, clock });
    let telling = async {
        let played = replay.play().await;
        match played {
            Ok(played) => tracing::info!("the recording is over: {} records, {} events", played.records, played.events),
            Err(error) => tracing::error!("the replay ended: {error:#}"),
        }
        if let Err(error) = replay.go_on().await {
            tracing::error!("the replay ended: {error:#}");
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        done = screen => done,
        () = telling => Ok(Done::No),
    }
}

async fn print(store: &dyn Store, symbols: &[Symbol], format: RowFormat) -> Result<()> {
    let status = store.status().await.context("look into the store")?;
    let mut rows = Rows::begin(COLUMNS, format)?;
    for symbol in symbols {
        let id = store.instrument(symbol.clone()).await?.id;
        let refused = store.quarantine(RecordQuery { instruments: vec![id], ..RecordQuery::default() }).await?.len() as u64;
        let mut held = status.symbols.iter().filter(|held| held.symbol == *symbol).peekable();
        if held.peek().is_none() {
            rows.row(&[symbol.as_str().into(), Value::Empty, 0_u64.into(), refused.into(), Value::Empty, Value::Empty])?;
        }
        for held in held {
            let (name, bars) = (held.interval.name().into(), held.bars.into());
            rows.row(&[symbol.as_str().into(), name, bars, refused.into(), held.first.into(), held.last.into()])?;
        }
    }
    rows.end()?;
    Ok(())
}

fn reels(args: &ReplayArgs) -> Result<Vec<Reel>> {
    let reels = match (&args.raw_frames, &args.source) {
        (Some(path), Some(source)) => {
            if !PROVIDERS.iter().any(|spec| spec.name == source) {
                let names: Vec<_> = PROVIDERS.iter().map(|spec| spec.name).collect();
                return Err(Usage(format!("there is no source '{source}': it is one of {}", names.join(", "))).into());
            }
            vec![Reel { path: path.clone(), raw: Some(source.clone()) }]
        }
        _ => args.files.iter().map(|path| Reel { path: path.clone(), raw: None }).collect(),
    };
    Ok(reels)
}

fn tell_survey(found: &Survey) {
    for problem in &found.problems {
        eprintln!("openbell: {problem}");
    }
    if !found.nobodys.is_empty() {
        let named = found.nobodys.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
        let rest = found.nobodys.len().saturating_sub(NAMED);
        let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
        eprintln!("openbell: nobody is spelled so: {named}{more}");
    }
    if found.records > 0 {
        let sources: Vec<_> = found.sources.iter().map(|spec| spec.name).collect();
        eprintln!("openbell: {} records of {}, {} to {}", found.records, sources.join(", "), found.from, found.to);
    }
}

/// What happened once must not be mixed with what is recorded now.
fn keep_off_the_default(session: &Session) -> Result<()> {
    let variables = environment();
    let typed = [session.config.section("store").text("url"), variables.get("OPENBELL_STORE").map_or("", String::as_str)];
    let defaults = typed.iter().filter_map(|text| StoreUrl::from_str(text).ok()).filter_map(|url| url.with_environment(&variables).ok());
    let own = StoreUrl::Sqlite(session.folders.store_file());
    if defaults.chain([own]).any(|default| same(&default, &session.store_url)) {
        let reason = "a replay never goes into the store that is recorded into: name another one with --store, or none";
        return Err(Usage(reason.to_owned()).into());
    }
    Ok(())
}

fn same(one: &StoreUrl, other: &StoreUrl) -> bool {
    let place = |path: &PathBuf| {
        let path = expand_home(path);
        path.canonicalize().or_else(|_| std::path::absolute(&path)).unwrap_or(path)
    };
    match (one, other) {
        (StoreUrl::Sqlite(one), StoreUrl::Sqlite(other)) => place(one) == place(other),
        (one, other) => one == other,
    }
}

/// Reads `max` or a positive number.
fn speed(text: &str) -> Result<Speed, String> {
    if text == "max" {
        return Ok(Speed::Max);
    }
    let times = text.parse::<f64>().ok().filter(|times| (0.001..=1e6).contains(times));
    times.map(Speed::Times).ok_or_else(|| format!("'{text}' is no speed: it is max, or a number such as 1 or 10"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speeds() {
        for (text, expected) in [("max", Some(Speed::Max)), ("1", Some(Speed::Times(1.0))), ("0.5", Some(Speed::Times(0.5)))] {
            assert_eq!(speed(text).ok(), expected, "{text}");
        }
        for text in ["", "0", "-1", "fast", "inf", "NaN"] {
            assert!(speed(text).is_err(), "{text}");
        }
    }
}
