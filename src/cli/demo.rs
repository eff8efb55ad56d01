//! `openbell demo`: the monitor on the made-up exchange, with a store that is thrown away.

use std::sync::Arc;

use anyhow::{Context, Result};

use crate::calendar::Calendars;
use crate::cli::exit::Done;
use crate::cli::monitor::{Stage, demand_terminal, watch};
use crate::cli::session::{Globals, Session, block_on};
use crate::cli::throwaway::Throwaway;
use crate::config::Config;
use crate::engine::{Duty, Engine, EngineHandle, Setup, open_provider};
use crate::host::{Clock, LogRing, start_log};
use crate::market::Interval;
use crate::pipeline::Ranks;
use crate::provider::sim::{SYMBOLS, opening_time};
use crate::provider::{PROVIDERS, ProviderSpec};
use crate::request::{BackfillAsk, Request, days_back};
use crate::store::{Creation, Sqlite};

/// Runs the demo until somebody quits; what it stored is thrown away.
pub(crate) fn run(globals: &Globals) -> Result<Done> {
    demand_terminal("openbell screen --demo")?;
    let session = Session::new(globals)?;
    let config = only_simulated(session.config);
    let clock = Clock::scaled(opening_time(), 1.0);
    let (log, _sink) = start_log(None, config.section("log").text("level"), clock.clone())?;
    let folder = Throwaway::new()?;
    block_on(async {
        let (engine, handle, calendars) = start(&config, &clock, log, &folder).await?;
        watch(Stage { engine, handle, calendars, config: config.clone(), clock: clock.clone() }).await
    })
}

/// The demo asks the made-up exchange and nobody else.
pub(crate) fn only_simulated(config: Config) -> Config {
    let turn = |config: Config, spec: &ProviderSpec| config.with(&format!("provider.{}", spec.name), "enabled", spec.name == SIM);
    PROVIDERS.iter().fold(config, turn)
}

/// The made-up exchange's name.
const SIM: &str = "sim";

fn first_backfill(clock: &Clock) -> Result<BackfillAsk> {
    let symbols = ["AAPL", "SPY"].into_iter().map(str::parse).collect::<Result<_, _>>()?;
    let (interval, to) = (Interval::OneMinute, clock.now());
    Ok(BackfillAsk { symbols, interval, from: days_back(21, interval, to), to, source: None })
}

/// Starts an engine on the made-up exchange.
pub(crate) async fn start(
    config: &Config,
    clock: &Clock,
    log: LogRing,
    folder: &Throwaway,
) -> Result<(Engine, EngineHandle, Arc<Calendars>)> {
    let spec = PROVIDERS.iter().find(|spec| spec.name == SIM).context("this build has no made-up exchange")?;
    let store = Sqlite::open(&folder.path().join("demo.db"), Creation::IfEmpty, Ranks::new(vec!["sim".to_owned()]))?;
    let calendars = Arc::new(Calendars::embedded());
    let setup = Setup {
        store: Arc::new(store),
        spool: None,
        config: config.clone(),
        clock: clock.clone(),
        calendars: Arc::clone(&calendars),
        providers: vec![open_provider(spec, config, clock)],
        log,
        symbols: SYMBOLS.iter().filter_map(|symbol| symbol.parse().ok()).collect(),
        simulated: true,
        places: None,
        duty: Duty::Record,
    };
    let (engine, handle) = Engine::start(setup).await?;
    // Something for the jobs pane to show.
    let _ = handle.requests.send(Request::Backfill(first_backfill(clock)?)).await;
    Ok((engine, handle, calendars))
}
