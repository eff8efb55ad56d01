//! `openbell fundamentals`: what a company reports, from its source into the store, and onto the screen.

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};

use crate::cli::exit::{Done, Usage};
use crate::cli::output::{FormatArg, RowFormat, Rows};
use crate::cli::select::symbol;
use crate::cli::session::{Globals, Session, block_on};
use crate::engine::{Candidate, Need, Sources};
use crate::export::Value;
use crate::market::{Fundamental, Instrument, Period, Source, Statement, Symbol};
use crate::provider::{CompanyQuery, ProviderError};
use crate::store::{Batch, Creation, FundamentalRow, Store};

const COLUMNS: &[&str] = &["symbol", "statement", "period", "fiscal_date", "source", "field", "value", "asked_at"];

/// What a company reports.
#[derive(Debug, Args)]
#[command(after_help = "Example: openbell fundamentals AAPL --statement income --period quarter --limit 4")]
pub(crate) struct FundamentalsArgs {
    /// Whose reports.
    #[arg(value_parser = symbol)]
    symbol: Symbol,
    /// Which statement; all of them when none is named.
    #[arg(long, value_parser = statement)]
    statement: Option<Statement>,
    /// Whole years or quarters.
    #[arg(long, value_enum, default_value = "annual")]
    period: PeriodArg,
    /// How many of each statement, newest first.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=200))]
    limit: u16,
    /// Ask this source instead of the first of [sources.details] that has the statement.
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Print what the store has; ask nobody.
    #[arg(long)]
    stored: bool,
    #[command(flatten)]
    format: FormatArg,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum PeriodArg {
    Annual,
    Quarter,
}

fn statement(text: &str) -> Result<Statement, String> {
    text.parse().map_err(|error| format!("{error}: one of {}", Statement::ALL.map(Statement::name).join(", ")))
}

/// Asks, stores and prints.
pub(crate) fn run(globals: &Globals, args: &FundamentalsArgs) -> Result<Done> {
    let session = Session::new(globals)?;
    block_on(async {
        let creation = if args.stored { Creation::Never } else { Creation::IfEmpty };
        let store = session.open_store(creation).await?;
        let mut done = Done::Yes;
        if !args.stored {
            done = fetch(&session, &*store, args).await?;
        }
        print(&*store, args).await?;
        Ok(done)
    })
}

/// Each statement from the first source that has it and answers.
async fn fetch(session: &Session, store: &dyn Store, args: &FundamentalsArgs) -> Result<Done> {
    let sources = Sources::open(&session.config, &session.clock);
    if let Some(name) = &args.source {
        sources.called(name).map_err(Usage)?;
    }
    let counted = session.counted(&sources).await;
    let instrument = store.instrument(args.symbol.clone()).await.with_context(|| format!("add {}", args.symbol))?;
    let candidates: Vec<_> = candidates(&sources, args);
    let asked = ask_all(session, store, args, &instrument, &candidates).await;
    counted.save(&sources).await;
    asked
}

async fn ask_all(
    session: &Session,
    store: &dyn Store,
    args: &FundamentalsArgs,
    instrument: &Instrument,
    candidates: &[Candidate],
) -> Result<Done> {
    let mut done = Done::Yes;
    for statement in Statement::ALL.into_iter().filter(|statement| args.statement.is_none_or(|wanted| wanted == *statement)) {
        match ask(candidates, statement, args).await {
            Ok((source, fundamentals)) => keep(session, store, instrument, &source, fundamentals).await?,
            Err(reason) => {
                eprintln!("openbell: {} {statement}: {reason}", args.symbol);
                done = Done::No;
            }
        }
    }
    Ok(done)
}

fn candidates(sources: &Sources, args: &FundamentalsArgs) -> Vec<Candidate> {
    let named = args.source.as_deref().and_then(|name| sources.find(name));
    match named {
        Some((number, opened)) => {
            let spelling = opened.provider.spell(&args.symbol).into_iter();
            spelling.map(|spelling| Candidate { number, opened: opened.clone(), spelling }).collect()
        }
        None => sources.candidates(Need::Details, &args.symbol),
    }
}

async fn ask(candidates: &[Candidate], statement: Statement, args: &FundamentalsArgs) -> Result<(Source, Vec<Fundamental>), String> {
    let mut refused = match &args.source {
        Some(name) => format!("{name} does not have it"),
        None => "no enabled source with a key has it".to_owned(),
    };
    for Candidate { opened, spelling, .. } in candidates {
        let Some(company) = opened.provider.company().filter(|company| company.statements().contains(&statement)) else { continue };
        let period = match (statement, args.period) {
            (Statement::Overview, _) => Period::Latest,
            (_, PeriodArg::Annual) => Period::Annual,
            (_, PeriodArg::Quarter) => Period::Quarter,
        };
        let query = CompanyQuery { spelling: spelling.clone(), statement, period, limit: usize::from(args.limit) };
        match company.fundamentals(&query).await {
            Ok(found) if !found.is_empty() => return Ok((opened.source.clone(), found)),
            Ok(_) => refused = format!("{} has none", opened.spec.name),
            Err(error) => refused = why(opened.spec.name, &error),
        }
    }
    Err(refused)
}

fn why(source: &str, error: &ProviderError) -> String {
    format!("{source}: {error}")
}

async fn keep(session: &Session, store: &dyn Store, instrument: &Instrument, source: &Source, found: Vec<Fundamental>) -> Result<()> {
    let at = session.clock.now();
    let row = |fundamental| FundamentalRow { instrument: instrument.id, source: source.clone(), fundamental, asked_at: at };
    let batch = Batch { fundamentals: found.into_iter().map(row).collect(), at, ..Batch::default() };
    store.append(batch).await.context("keep the reports")?;
    Ok(())
}

/// A line for each field: reports differ in what they hold.
async fn print(store: &dyn Store, args: &FundamentalsArgs) -> Result<()> {
    let known = store.instruments().await?;
    let Some(instrument) = known.iter().find(|instrument| instrument.symbol == args.symbol) else {
        anyhow::bail!("{} is not in the store", args.symbol);
    };
    let wanted = |row: &FundamentalRow| {
        let period = match args.period {
            PeriodArg::Annual => Period::Annual,
            PeriodArg::Quarter => Period::Quarter,
        };
        let is_period = row.fundamental.period == period || row.fundamental.period == Period::Latest;
        is_period && args.statement.is_none_or(|statement| statement == row.fundamental.statement)
    };
    let mut rows = Rows::begin(COLUMNS, args.format.format)?;
    let mut printed = std::collections::BTreeMap::new();
    for row in store.fundamentals(instrument.id).await?.into_iter().filter(wanted) {
        let count = printed.entry((row.fundamental.statement, row.source.clone())).or_insert(0_u16);
        *count += 1;
        if *count > args.limit {
            continue;
        }
        for (field, value) in &row.fundamental.fields {
            rows.row(&cells(args, &row, field, value))?;
        }
    }
    rows.end()?;
    Ok(())
}

fn cells(args: &FundamentalsArgs, row: &FundamentalRow, field: &str, value: &serde_json::Value) -> Vec<Value> {
    let value = match value {
        serde_json::Value::Null => Value::Empty,
        serde_json::Value::Number(number) => number.as_f64().map_or(Value::Empty, Value::Number),
        serde_json::Value::Bool(flag) => Value::Flag(*flag),
        // A description of a page would push all other columns off a terminal.
        serde_json::Value::String(text) if args.format.format == RowFormat::Table => shortened(text).as_str().into(),
        serde_json::Value::String(text) => text.as_str().into(),
        nested @ (serde_json::Value::Array(_) | serde_json::Value::Object(_)) => nested.to_string().as_str().into(),
    };
    vec![
        args.symbol.as_str().into(),
        row.fundamental.statement.name().into(),
        row.fundamental.period.name().into(),
        row.fundamental.fiscal_date.format("%Y-%m-%d").as_str().into(),
        row.source.as_str().into(),
        field.into(),
        value,
        row.asked_at.into(),
    ]
}

const LONG: usize = 60;

fn shortened(text: &str) -> String {
    if text.chars().count() <= LONG { text.to_owned() } else { text.chars().take(LONG).chain(std::iter::once('…')).collect() }
}
