//! `openbell record`: what sources send, as it arrives, into a file.

use std::io::{self, Write, stderr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use clap::Args;

use crate::cli::exit::{Done, Usage};
use crate::cli::monitor::stop;
use crate::cli::session::{Globals, Session, block_on};
use crate::engine::{Duty, Engine, EngineHandle, Need, Opened, Setup, Sources, open_providers, open_providers_with, watchlist};
use crate::host::{Clock, LogRing, shutdown_signal};
use crate::provider::ProviderSpec;
use crate::provider::net::{Kept, Recording};
use crate::request::EngineEvent;
use crate::store::{Creation, Store, StoreError};
use crate::widget::bytes;

/// Keep what the sources of the watchlist send, as it arrives and without keys, in a file that 'openbell replay' plays; nothing is
/// written into the store.
#[derive(Debug, Args)]
#[command(after_help = "Example: openbell record --out monday.jsonl.gz --for 6h30m")]
pub(crate) struct RecordingArgs {
    /// Listen to this source only.
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// The file: one JSON object a line, with gzip when the name ends in .gz. It must not be there yet.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// How long: 90s, 10m, 6h30m, 1d; without it until Ctrl-C.
    #[arg(long = "for", value_name = "DURATION", value_parser = span)]
    lasts: Option<Duration>,
}

/// Records until its time is over or a signal comes.
pub(crate) fn run(globals: &Globals, args: &RecordingArgs) -> Result<Done> {
    let session = Session::new(globals)?;
    let listens = |opened: &Opened| args.source.as_deref().is_none_or(|name| name == opened.spec.name);
    let listened: Vec<_> = open_providers(&session.config, &session.clock).into_iter().filter(listens).collect();
    if listened.is_empty() {
        let named = args.source.as_deref().map_or_else(|| "every source".to_owned(), |name| format!("the source '{name}'"));
        return Err(Usage(format!("{named} is unknown, turned off or without its key: 'openbell providers' lists them")).into());
    }
    if args.out.exists() {
        return Err(refused(&args.out, io::ErrorKind::AlreadyExists.into()));
    }
    let (log, _sink) = session.start_log(&session.clock)?;
    block_on(async {
        let store = open_store(&session).await?;
        check_heard(&*store, &session, &Sources::new(listened, &session.config)).await?;
        let mut recording = Recording::create(&args.out, session.clock.now()).map_err(|error| refused(&args.out, error))?;
        let keeps = |spec: &'static ProviderSpec, redact| recording.recorder(spec.name, redact);
        let mut providers = open_providers_with(&session.config, &session.clock, &keeps);
        providers.retain(listens);
        let (engine, handle) = start(&session, store, log, providers).await?;
        eprintln!("openbell: recording into {}; nothing is written into {}", args.out.display(), session.store_url);
        let ended = listen(&mut recording, handle, args.lasts, &session.clock).await;
        // The terminal may be gone.
        let _ = writeln!(stderr(), "openbell: ending");
        let stopped = stop(engine).await;
        if let Ok(Ended::Broken(error)) = ended {
            return Err(error);
        }
        // Whyever it is over: what was recorded has its end.
        tell(recording.finish(session.clock.now()).await?, &args.out);
        ended.map(|_| stopped)
    })
}

/// A recording of nothing is not what anybody wants.
async fn check_heard(store: &dyn Store, session: &Session, sources: &Sources) -> Result<()> {
    let watched = watchlist(store, &session.first_symbols()?, Duty::Watch).await?;
    if watched.iter().any(|instrument| !sources.candidates(Need::Live, &instrument.symbol).is_empty()) {
        return Ok(());
    }
    let names: Vec<_> = sources.opened().iter().map(|opened| opened.spec.name).collect();
    let reason = "no symbol of the watchlist is heard by";
    Err(Usage(format!("{reason} {}: [sources.live] says who is listened to", names.join(", "))).into())
}

/// Why listening is over.
enum Ended {
    Asked,
    Broken(anyhow::Error),
}

async fn listen(recording: &mut Recording, mut handle: EngineHandle, lasts: Option<Duration>, clock: &Clock) -> Result<Ended> {
    let signal = shutdown_signal();
    tokio::pin!(signal);
    let end = clock.now() + lasts.unwrap_or(Duration::MAX);
    let broken = {
        let broken = recording.broken();
        tokio::pin!(broken);
        loop {
            tokio::select! {
                signal = &mut signal => break signal.map(|_| None)?,
                error = &mut broken => break Some(error),
                () = clock.sleep_until(end), if lasts.is_some() => break None,
                event = handle.events.recv() => match event {
                    Some(event) => tell_line(&event),
                    None => return Err(anyhow!("the engine ended; the log says why")),
                },
            }
        }
    };
    Ok(match broken {
        Some(error) => Ended::Broken(error.into()),
        None => Ended::Asked,
    })
}

async fn open_store(session: &Session) -> Result<Arc<dyn Store>> {
    match session.open_store(Creation::IfEmpty).await {
        // Whoever may only read can still listen.
        Err(error) if matches!(error.downcast_ref(), Some(StoreError::ReadOnly(_))) => session.open_store(Creation::Never).await,
        store => store,
    }
}

async fn start(session: &Session, store: Arc<dyn Store>, log: LogRing, providers: Vec<Opened>) -> Result<(Engine, EngineHandle)> {
    let setup = Setup {
        store,
        spool: None,
        config: session.config.clone(),
        clock: session.clock.clone(),
        calendars: Arc::new(session.calendars()?),
        providers,
        log,
        symbols: session.first_symbols()?,
        simulated: false,
        places: Some(session.folders.state.clone()),
        duty: Duty::Watch,
    };
    Engine::start(setup).await.context("start listening")
}

fn refused(path: &Path, error: io::Error) -> anyhow::Error {
    if error.kind() == io::ErrorKind::AlreadyExists {
        return Usage(format!("{} is there already: a recording is never written over another file", path.display())).into();
    }
    anyhow::Error::from(error).context(format!("make {}", path.display()))
}

fn tell(kept: Kept, path: &Path) {
    let size = std::fs::metadata(path).map_or_else(|_| "?".to_owned(), |meta| bytes(meta.len()));
    let Kept { records, bytes: text, lost } = kept;
    let _ = writeln!(stderr(), "openbell: {records} records, {} of text, {size} on disk, {lost} lost", bytes(text));
}

/// Warnings and errors of the log; the rest is in its file.
fn tell_line(event: &EngineEvent) {
    if let EngineEvent::Log(line) = event
        && line.level <= 2
    {
        let _ = writeln!(stderr(), "{} {:5} {}", line.time.format("%Y-%m-%dT%H:%M:%SZ"), line.level_name(), line.message);
    }
}

/// Reads `90s`, `10m`, `6h30m`, `1d`.
fn span(text: &str) -> Result<Duration, String> {
    let wrong = || format!("'{text}' is no time such as 90s, 10m or 6h30m");
    let (mut seconds, mut digits) = (0_u64, String::new());
    for character in text.chars() {
        let unit = match character {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            digit => {
                digits.push(digit);
                continue;
            }
        };
        let count: u64 = digits.parse().map_err(|_| wrong())?;
        seconds = count.checked_mul(unit).and_then(|more| seconds.checked_add(more)).ok_or_else(wrong)?;
        digits.clear();
    }
    if digits.is_empty() && seconds > 0 { Ok(Duration::from_secs(seconds)) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_of_time() {
        for (text, seconds) in [("90s", 90), ("10m", 600), ("6h30m", 23_400), ("1d", 86_400)] {
            assert_eq!(span(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "0s", "10", "m", "1x", "1h30", "-1s", "99999999999999999999d"] {
            assert!(span(text).is_err(), "{text}");
        }
    }
}
