//! `openbell`: the monitor, with the engine in the same process.

use std::io::{Write, stderr};
use std::sync::Arc;

use anyhow::Result;
use tokio_util::sync::CancellationToken;

use crate::calendar::Calendars;
use crate::cli::exit::{Done, Usage};
use crate::cli::session::{GOODBYE, Globals, Session, block_on};
use crate::config::Config;
use crate::engine::{Duty, Engine, EngineHandle, catalogue};
use crate::host::{Clock, shutdown_signal};
use crate::store::Creation;
use crate::terminal::{Monitor, depth, install_panic_hook, is_terminal, run_on_thread, size};
use crate::tui::{Model, Parts};
use crate::widget::Theme;

/// Runs the monitor on the store until somebody quits.
pub(crate) fn run(globals: &Globals) -> Result<Done> {
    demand_terminal("openbell screen")?;
    let session = Session::new(globals)?;
    let (log, _sink) = session.start_log(&session.clock)?;
    block_on(async {
        let store = session.open_store(Creation::IfEmpty).await?;
        let _place = store.claim().await?;
        let (engine, handle, calendars) = session.start_engine(store, log, Duty::Record).await?;
        watch(Stage { engine, handle, calendars, config: session.config.clone(), clock: session.clock.clone() }).await
    })
}

/// An engine, and what a screen needs beside it.
pub(crate) struct Stage {
    pub(crate) engine: Engine,
    pub(crate) handle: EngineHandle,
    pub(crate) calendars: Arc<Calendars>,
    pub(crate) config: Config,
    pub(crate) clock: Clock,
}

/// Without somebody to draw for there is nothing to do: one sentence says what there is instead.
pub(crate) fn demand_terminal(instead: &str) -> Result<()> {
    if is_terminal() {
        Ok(())
    } else {
        Err(Usage(format!("this is a monitor for a terminal, and here is none: '{instead}' prints one frame")).into())
    }
}

/// Shows the engine until somebody quits or a signal comes; then everything is ended in order.
pub(crate) async fn watch(stage: Stage) -> Result<Done> {
    install_panic_hook();
    let Stage { engine, handle, calendars, config, clock } = stage;
    let token = CancellationToken::new();
    let screen = config.section("screen");
    let parts = Parts {
        view: handle.view.borrow().clone(),
        catalogue: catalogue(&config, &calendars),
        calendars,
        config: config.clone(),
        theme: Theme::new(screen.text("theme"), depth()),
        now: clock.now(),
        size: size()?,
    };
    let monitor = Monitor {
        model: Model::new(parts),
        requests: handle.requests,
        view: handle.view,
        events: handle.events,
        clock,
        frames_per_second: screen.integer("frames_per_second"),
        captures_mouse: screen.flag("mouse"),
        token: token.clone(),
    };
    let screen = run_on_thread(monitor);
    tokio::pin!(screen);
    let shown = tokio::select! {
        shown = &mut screen => shown,
        signal = shutdown_signal() => {
            tracing::info!("ending: {signal:?}");
            token.cancel();
            // A terminal that takes nothing must not keep the rows from being written.
            Clock::system().timeout(std::time::Duration::from_secs(2), &mut screen).await.unwrap_or(Ok(()))
        }
    };
    let stopped = stop(engine).await;
    shown.map(|()| stopped)
}

/// Ends an engine, but does not wait for ever; what came to no disk is told, and is no success.
pub(crate) async fn stop(engine: Engine) -> Done {
    let Ok(leftover) = Clock::system().timeout(GOODBYE, engine.stop()).await else {
        tracing::error!("the engine did not end in {} s", GOODBYE.as_secs());
        return Done::No;
    };
    // The terminal may be gone.
    if leftover.spooled() > 0 {
        let _ = writeln!(stderr(), "openbell: {} rows wait in the spool; the next start brings them to the store", leftover.spooled());
    }
    if leftover.unwritten() == 0 {
        return Done::Yes;
    }
    let _ = writeln!(stderr(), "openbell: {} rows could not be written and are lost; the log says why", leftover.unwritten());
    Done::No
}
