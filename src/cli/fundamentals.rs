//! `openbell fundamentals`: what a company reports, from its source into the store, and onto the screen.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};

use crate::cli::exit::{Done, Usage};
use crate::cli::output::{FormatArg, RowFormat, Rows};
use crate::cli::select::symbol;
use crate::cli::session::{Globals, Session, block_on};
use crate::engine::{Candidate, Need, Sources};
use crate::export::Value;
use crate::market::{AssetClass, Fundamental, Period, Source, Statement, Symbol};
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
    let class = args.symbol.listing().asset_class;
    if !matches!(class, AssetClass::Equity | AssetClass::Etf) {
        return Err(Usage(format!("{} is of the class {class}: companies and funds report, nothing else", args.symbol)).into());
    }
    let session = Session::new(globals)?;
    block_on(async {
        let creation = if args.stored { Creation::Never } else { Creation::IfEmpty };
        let store = session.open_store(creation).await?;
        let fetched = if args.stored { Done::Yes } else { fetch(&session, &*store, args).await? };
        let printed = print(&*store, args).await?;
        if printed == Done::No {
            eprintln!("openbell: the store has no such report of {}", args.symbol);
        }
        Ok(if fetched == Done::Yes { printed } else { fetched })
    })
}

/// Each statement from the first source that has it and answers.
async fn fetch(session: &Session, store: &dyn Store, args: &FundamentalsArgs) -> Result<Done> {
    let sources = Sources::open(&session.config, &session.clock);
    let candidates = match &args.source {
        Some(name) => sources.named(&args.symbol, name).map_err(Usage)?,
        None => sources.candidates(Need::Details, &args.symbol),
    };
    let counted = session.counted(&sources).await;
    let mut asking = Asking { candidates, args, hopeless: BTreeMap::new() };
    let asked = ask_all(session, store, &mut asking).await;
    counted.save(&sources).await;
    asked
}

/// Master data first: who has none of a company knows no report of it either.
const ORDER: [Statement; 4] = [Statement::Overview, Statement::Income, Statement::BalanceSheet, Statement::CashFlow];

async fn ask_all(session: &Session, store: &dyn Store, asking: &mut Asking<'_>) -> Result<Done> {
    let args = asking.args;
    let mut done = Done::Yes;
    for statement in ORDER.into_iter().filter(|statement| args.statement.is_none_or(|wanted| wanted == *statement)) {
        match asking.ask(statement).await {
            Ok((source, fundamentals)) => keep(session, store, &args.symbol, &source, fundamentals).await?,
            Err(reason) => {
                eprintln!("openbell: {} {statement}: {reason}", args.symbol);
                done = Done::No;
            }
        }
    }
    Ok(done)
}

/// Who is asked for the reports of a company.
struct Asking<'a> {
    candidates: Vec<Candidate>,
    args: &'a FundamentalsArgs,
    /// Why a source is not asked for a further report: it would answer the same, and count it.
    hopeless: BTreeMap<&'static str, String>,
}

impl Asking<'_> {
    async fn ask(&mut self, statement: Statement) -> Result<(Source, Vec<Fundamental>), String> {
        let mut refused = Vec::new();
        for Candidate { opened, spelling, .. } in &self.candidates {
            let Some(company) = opened.provider.company().filter(|company| company.statements().contains(&statement)) else { continue };
            let name = opened.spec.name;
            if let Some(reason) = self.hopeless.get(name) {
                refused.push(reason.clone());
                continue;
            }
            let query = CompanyQuery {
                spelling: spelling.clone(),
                statement,
                period: self.args.period_of(statement),
                limit: usize::from(self.args.limit),
            };
            let (reason, is_hopeless) = match company.fundamentals(&query).await {
                Ok(found) if !found.is_empty() => return Ok((opened.source.clone(), found)),
                Ok(_) => (format!("{name} has none"), statement == Statement::Overview),
                Err(error) => (format!("{name}: {error}"), is_of_all(&error)),
            };
            if is_hopeless {
                self.hopeless.insert(name, reason.clone());
            }
            refused.push(reason);
        }
        Err(match &self.args.source {
            _ if !refused.is_empty() => refused.join("; "),
            Some(name) => format!("{name} does not have it"),
            None => "no enabled source with a key has it".to_owned(),
        })
    }
}

impl FundamentalsArgs {
    fn period_of(&self, statement: Statement) -> Period {
        match (statement, self.period) {
            (Statement::Overview, _) => Period::Latest,
            (_, PeriodArg::Annual) => Period::Annual,
            (_, PeriodArg::Quarter) => Period::Quarter,
        }
    }
}

/// Whether the next report would be refused for the same reason.
fn is_of_all(error: &ProviderError) -> bool {
    match error {
        ProviderError::NotFound { .. }
        | ProviderError::Unauthorized { .. }
        | ProviderError::UsedUp { .. }
        | ProviderError::RateLimited { .. } => true,
        // A plan may hold some reports and lack others.
        ProviderError::NotEntitled { .. }
        | ProviderError::Retryable { .. }
        | ProviderError::Malformed { .. }
        | ProviderError::Fatal { .. } => false,
    }
}

/// A company is known to the store once there is something to keep of it.
async fn keep(session: &Session, store: &dyn Store, symbol: &Symbol, source: &Source, found: Vec<Fundamental>) -> Result<()> {
    let instrument = store.instrument(symbol.clone()).await.with_context(|| format!("add {symbol}"))?;
    let at = session.clock.now();
    let row = |fundamental| FundamentalRow { instrument: instrument.id, source: source.clone(), fundamental, asked_at: at };
    let batch = Batch { fundamentals: found.into_iter().map(row).collect(), at, ..Batch::default() };
    store.append(batch).await.context("keep the reports")?;
    Ok(())
}

/// A line for each field: reports differ in what they hold. The answer is whether there was any.
async fn print(store: &dyn Store, args: &FundamentalsArgs) -> Result<Done> {
    let known = store.instruments().await?;
    let stored = match known.iter().find(|instrument| instrument.symbol == args.symbol) {
        Some(instrument) => store.fundamentals(instrument.id).await?,
        None => Vec::new(),
    };
    let wanted = |row: &FundamentalRow| {
        let Fundamental { statement, period, .. } = &row.fundamental;
        let is_of = |name: &String| row.source.provider() == *name || row.source.as_str() == *name;
        args.period_of(*statement) == *period
            && args.statement.is_none_or(|wanted| wanted == *statement)
            && args.source.as_ref().is_none_or(is_of)
    };
    let mut rows = Rows::begin(COLUMNS, args.format.format)?;
    let mut printed = BTreeMap::new();
    for row in stored.into_iter().filter(wanted) {
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
    Ok(if printed.is_empty() { Done::No } else { Done::Yes })
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
