//! `openbell run`: the engine without a screen, in the foreground.

use std::io::{Write, stderr};

use anyhow::{Result, anyhow};

use crate::cli::exit::Done;
use crate::cli::monitor::stop;
use crate::cli::session::{Globals, Session, block_on};
use crate::engine::Duty;
use crate::host::shutdown_signal;
use crate::request::EngineEvent;
use crate::store::Creation;

/// Records until a signal comes.
pub(crate) fn run(globals: &Globals) -> Result<Done> {
    let session = Session::new(globals)?;
    let (log, _sink) = session.start_log(&session.clock)?;
    block_on(async {
        let store = session.open_store(Creation::IfEmpty).await?;
        let _place = store.claim().await?;
        let (engine, mut handle, _) = session.start_engine(store, log, Duty::Record).await?;
        eprintln!("openbell: recording into {} (pid {})", session.store_url, std::process::id());
        let signal = shutdown_signal();
        tokio::pin!(signal);
        let ended = loop {
            tokio::select! {
                signal = &mut signal => break signal,
                event = handle.events.recv() => match event {
                    Some(event) => tell(&event),
                    None => break Err(anyhow!("the engine ended; the log says why")),
                },
            }
        };
        // The terminal may be gone.
        let _ = writeln!(stderr(), "openbell: ending");
        let stopped = stop(engine).await;
        ended.map(|_| stopped)
    })
}

/// Lines of the log that somebody at the prompt should see.
fn tell(event: &EngineEvent) {
    if let EngineEvent::Log(line) = event {
        let _ = writeln!(stderr(), "{} {:5} {}", line.time.format("%Y-%m-%dT%H:%M:%SZ"), line.level_name(), line.message);
    }
}
