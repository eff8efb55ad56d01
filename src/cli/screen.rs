//! `openbell screen`: one frame of the monitor on stdout.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use clap::{Args, ValueEnum};

use crate::calendar::Calendars;
use crate::cli::demo;
use crate::cli::exit::Done;
use crate::cli::monitor::stop;
use crate::cli::output;
use crate::cli::session::{Globals, Session, block_on};
use crate::cli::throwaway::Throwaway;
use crate::config::Config;
use crate::engine::{Duty, EngineHandle, catalogue};
use crate::host::{Clock, start_log};
use crate::provider::sim::opening_time;
use crate::store::{Creation, StoreError};
use crate::terminal::{Format, paper};
use crate::tui::{LAYOUTS, Model, Msg, Parts, update};
use crate::widget::{Depth, Theme};

/// Print one frame of the monitor and exit: for docs, cron, CI and bug reports.
#[derive(Debug, Args)]
#[command(after_help = "Example: openbell screen --demo --size 120x40 --after 5s")]
pub(crate) struct ScreenArgs {
    /// Columns and rows.
    #[arg(long, default_value = "160x50", value_parser = parse_size)]
    size: (u16, u16),
    /// How long feeds may speak first: 3s, 500ms, 2m.
    #[arg(long, default_value = "3s", value_parser = parse_span)]
    after: Duration,
    /// Show the made-up exchange.
    #[arg(long)]
    demo: bool,
    /// How the frame is written.
    #[arg(long, value_enum, default_value = "text")]
    format: PaperFormat,
    /// Which panes.
    #[arg(long, default_value = "overview", value_parser = clap::builder::PossibleValuesParser::new(LAYOUTS.iter().map(|layout| layout.name)))]
    layout: String,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum PaperFormat {
    Text,
    Ansi,
    Svg,
}

fn parse_size(text: &str) -> Result<(u16, u16), String> {
    let wrong = || format!("'{text}' is no size such as 160x50");
    let (width, height) = text.split_once('x').ok_or_else(wrong)?;
    let part = |text: &str| text.parse::<u16>().ok().filter(|n| (1..=1_000).contains(n)).ok_or_else(wrong);
    Ok((part(width)?, part(height)?))
}

fn parse_span(text: &str) -> Result<Duration, String> {
    let wrong = || format!("'{text}' is no time such as 3s, 500ms or 2m");
    let split = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let number: f64 = number.parse().map_err(|_| wrong())?;
    let seconds = match unit {
        "ms" => number / 1_000.0,
        "s" | "" => number,
        "m" => number * 60.0,
        _ => return Err(wrong()),
    };
    Duration::try_from_secs_f64(seconds).ok().filter(|span| span.as_secs() <= 3_600).ok_or_else(wrong)
}

/// Prints one frame.
pub(crate) fn run(globals: &Globals, args: &ScreenArgs) -> Result<Done> {
    let session = Session::new(globals)?;
    let config = session.config.clone().with("screen", "layout", args.layout.as_str());
    let text = if args.demo { of_demo(&demo::only_simulated(config), args)? } else { of_store(&session, &config, args)? };
    output::print(&text)?;
    Ok(Done::Yes)
}

fn of_demo(config: &Config, args: &ScreenArgs) -> Result<String> {
    let clock = Clock::scaled(opening_time(), 1.0);
    let (log, _sink) = start_log(None, config.section("log").text("level"), clock.clone())?;
    let folder = Throwaway::new()?;
    block_on(async {
        let (engine, handle, calendars) = demo::start(config, &clock, log, &folder).await?;
        let text = frame(handle, calendars, config, &clock, args).await;
        stop(engine).await;
        Ok(text)
    })
}

/// Where another engine records already, its store is read and nothing is written.
fn of_store(session: &Session, config: &Config, args: &ScreenArgs) -> Result<String> {
    let (log, _sink) = session.start_log(&session.clock)?;
    block_on(async {
        let (store, may_write) = match session.open_store(Creation::IfEmpty).await {
            // Whoever may only read can still look.
            Err(error) if matches!(error.downcast_ref(), Some(StoreError::ReadOnly(_))) => {
                (session.open_store(Creation::Never).await?, false)
            }
            store => (store?, true),
        };
        let place = match store.claim().await {
            Ok(place) => Some(place).filter(|_| may_write),
            Err(StoreError::Held { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        let duty = if place.is_some() { Duty::Record } else { Duty::Watch };
        let (engine, handle, calendars) = session.start_engine(store, log, duty).await?;
        let text = frame(handle, calendars, config, &session.clock, args).await;
        stop(engine).await;
        Ok(text)
    })
}

async fn frame(mut handle: EngineHandle, calendars: Arc<Calendars>, config: &Config, clock: &Clock, args: &ScreenArgs) -> String {
    // A picture for a text file has no colours; one for eyes has them all.
    let depth = if matches!(args.format, PaperFormat::Text) { Depth::None } else { Depth::Rich };
    let parts = Parts {
        view: handle.view.borrow().clone(),
        catalogue: catalogue(config, &calendars),
        calendars,
        config: config.clone(),
        theme: Theme::new(config.section("screen").text("theme"), depth),
        now: clock.now(),
        size: args.size,
    };
    let mut model = Model::new(parts);
    let end = clock.now() + args.after;
    loop {
        tokio::select! {
            () = clock.sleep_until(end) => break,
            Some(event) = handle.events.recv() => drop(update(&mut model, Msg::Event(event))),
        }
    }
    let newest = handle.view.borrow().clone();
    update(&mut model, Msg::View(newest));
    update(&mut model, Msg::Tick(clock.now()));
    let format = match args.format {
        PaperFormat::Text => Format::Text,
        PaperFormat::Ansi => Format::Ansi,
        PaperFormat::Svg => Format::Svg,
    };
    paper(&model, format)
}
