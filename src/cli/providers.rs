//! `openbell providers`: the sources, what each can do, how it stands; and the smallest real request to one.

use std::collections::BTreeMap;

use anyhow::{Result, anyhow};
use clap::{Args, Subcommand};

use crate::cli::exit::{Done, Usage};
use crate::cli::health::{notes, standing};
use crate::cli::output::{FormatArg, Rows};
use crate::cli::session::{Globals, Session, block_on};
use crate::config::{Config, KeyKind};
use crate::engine::{HealthNote, Opened, Sources, catalogue, load_counts, open_for_check};
use crate::export::Value;
use crate::market::Timestamp;
use crate::provider::{PROVIDERS, Provider, ProviderError, ProviderSpec};
use crate::request::{KeyState, ProviderFacts, SourceKind};
use crate::snapshot::Usage as Spent;
use crate::store::Creation;

const COLUMNS: &[&str] = &[
    "name",
    "enabled",
    "key",
    "live",
    "delay",
    "history",
    "assets",
    "sentence",
    "more",
    "requests_per_minute",
    "requests_per_day",
    "requests_today",
    "bytes_today",
    "health",
];

/// What of that has room on a terminal, and under which title; the rest is in the other formats.
const ON_A_TERMINAL: &[(&str, &str)] = &[
    ("name", "name"),
    ("key", "key"),
    ("live", "live"),
    ("delay", "delay"),
    ("history", "history"),
    ("assets", "assets"),
    ("requests_per_minute", "per minute"),
    ("requests_per_day", "per day"),
    ("requests_today", "today"),
    ("health", "health"),
];

/// No sign of life is longer.
const LONGEST: usize = 200;

/// The sources, what each can do, and how it stands; csv and json tell more of each.
#[derive(Debug, Args)]
#[command(after_help = "Example: openbell providers --format json")]
pub(crate) struct ProvidersArgs {
    #[command(subcommand)]
    what: Option<ProvidersCommand>,
    #[command(flatten)]
    format: FormatArg,
}

#[derive(Debug, Subcommand)]
enum ProvidersCommand {
    /// Make the smallest real request to a source, and say what came back.
    #[command(after_help = "Example: openbell providers check coinbase")]
    Check {
        /// Which source.
        name: String,
    },
}

/// Prints a row for each source, or checks one.
pub(crate) fn run(globals: &Globals, args: &ProvidersArgs) -> Result<Done> {
    let session = Session::new(globals)?;
    match &args.what {
        Some(ProvidersCommand::Check { name }) => block_on(check(&session, name)),
        None => block_on(list(&session, args.format)),
    }
}

async fn list(session: &Session, format: FormatArg) -> Result<Done> {
    let sources = Sources::open(&session.config, &session.clock);
    let now = session.clock.now();
    // Whoever only looks makes no store.
    let notes = match session.open_store(Creation::Never).await {
        Ok(store) => {
            load_counts(&store, sources.opened(), now).await?;
            notes(&*store, now).await
        }
        Err(_) => BTreeMap::new(),
    };
    let mut rows = Rows::begin_with(COLUMNS, Some(ON_A_TERMINAL), format.format)?;
    for facts in catalogue(&session.config, &session.calendars()?).providers {
        let opened = sources.find(&facts.name).map(|(_, opened)| opened);
        rows.row(&row(&facts, opened, &notes, now))?;
    }
    rows.end()?;
    Ok(Done::Yes)
}

fn row(facts: &ProviderFacts, opened: Option<&Opened>, notes: &BTreeMap<String, HealthNote>, now: Timestamp) -> Vec<Value> {
    let live = match facts.live {
        SourceKind::Trades => "trades",
        SourceKind::Prices => "prices",
        SourceKind::None => "none",
    };
    let usage = opened.map(|opened| opened.provider.net().http.limiter().usage());
    let of_usage = |figure: fn(&Spent) -> u64| usage.as_ref().map(figure).map_or(Value::Empty, Value::from);
    vec![
        facts.name.as_str().into(),
        Value::Flag(facts.enabled),
        facts.key.name().into(),
        live.into(),
        opened.map_or(facts.delay, |opened| opened.delay).to_string().as_str().into(),
        facts.history.iter().map(|interval| interval.name()).collect::<Vec<_>>().join("|").as_str().into(),
        facts.asset_classes.iter().map(|class| class.name()).collect::<Vec<_>>().join("|").as_str().into(),
        facts.sentence.as_str().into(),
        opened.map(|opened| more(&*opened.provider)).unwrap_or_default().as_str().into(),
        of_usage(|usage| u64::from(usage.requests_per_minute)),
        usage.as_ref().and_then(|usage| usage.requests_per_day).map_or(Value::Empty, Value::from),
        of_usage(|usage| usage.requests_today),
        of_usage(|usage| usage.bytes_today),
        health(facts, opened, notes, now).as_str().into(),
    ]
}

/// What it knows beside prices and bars.
fn more(provider: &dyn Provider) -> String {
    let abilities = [
        (provider.directory().is_some(), "directory"),
        (provider.company().is_some(), "fundamentals"),
        (provider.actions().is_some(), "actions"),
        (provider.market_hours().is_some(), "hours"),
    ];
    abilities.into_iter().filter_map(|(has, name)| has.then_some(name)).collect::<Vec<_>>().join("|")
}

fn health(facts: &ProviderFacts, opened: Option<&Opened>, notes: &BTreeMap<String, HealthNote>, now: Timestamp) -> String {
    if !facts.enabled {
        return "off".to_owned();
    }
    if facts.key == KeyState::Missing {
        return "no key".to_owned();
    }
    let Some(note) = opened.and_then(|opened| notes.get(opened.source.as_str())) else { return "not listened to".to_owned() };
    standing(note, now)
}

async fn check(session: &Session, name: &str) -> Result<Done> {
    let facts = catalogue(&session.config, &session.calendars()?).providers;
    let Some(facts) = facts.iter().find(|facts| facts.name == name) else {
        let known: Vec<_> = facts.iter().map(|facts| facts.name.as_str()).collect();
        return Err(Usage(format!("there is no source '{name}'; there are {}", known.join(", "))).into());
    };
    let sources = Sources::open(&session.config, &session.clock);
    let Some((_, found)) = sources.find(name) else {
        let why = if facts.enabled { no_key(&session.config, name) } else { "is turned off in the config".to_owned() };
        eprintln!("openbell: {name} {why}");
        return Ok(Done::No);
    };
    // Asked once, and counted like any other request.
    let checked = Sources::new(vec![open_for_check(found.spec, &session.config, &session.clock)], &session.config);
    let opened = &checked.opened()[0];
    let counted = session.counted(&checked).await;
    let began = session.clock.now();
    let answer = opened.provider.check().await;
    counted.save(&checked).await;
    let took = session.clock.now().since(began).as_millis();
    match answer {
        Ok(said) => {
            let said: String = said.chars().take(LONGEST).collect();
            crate::cli::output::print(&format!("{name} answers in {took} ms: {said}\n"))?;
            Ok(Done::Yes)
        }
        Err(error) => Err(anyhow!("{name}: {error}{}", advice(&error, opened.spec.secrets().next().is_some()))),
    }
}

/// Which of its keys are missing, and where they are looked for.
fn no_key(config: &Config, name: &str) -> String {
    let section = config.section(&format!("provider.{name}"));
    let spec = PROVIDERS.iter().find(|spec| spec.name == name);
    let missing = spec.into_iter().flat_map(ProviderSpec::secrets).filter(|key| section.secret(key.name).is_none());
    let told = missing.map(|key| match key.kind {
        KeyKind::Secret(variables) => format!("{} or {} in [provider.{name}]", variables.join(" or "), key.name),
        _ => key.name.to_owned(),
    });
    format!("has no key and is never called; set {}", told.collect::<Vec<_>>().join(", and "))
}

/// What to do next, where we know it.
fn advice(error: &ProviderError, needs_key: bool) -> &'static str {
    match error {
        ProviderError::Unauthorized { .. } | ProviderError::NotEntitled { .. } if !needs_key => "; it refuses this network",
        ProviderError::Unauthorized { .. } => "; check the key in the environment or in the config",
        ProviderError::NotEntitled { .. } => "; the plan of this key, or this network, does not hold it",
        ProviderError::UsedUp { .. } | ProviderError::RateLimited { .. } => "; it answers again after that",
        ProviderError::Retryable { .. }
        | ProviderError::NotFound { .. }
        | ProviderError::Malformed { .. }
        | ProviderError::Fatal { .. } => "",
    }
}
