//! `openbell quote`: one look at current prices; nothing is stored.

use std::collections::{BTreeMap, VecDeque};

use anyhow::Result;
use clap::Args;

use crate::cli::exit::{Done, Usage};
use crate::cli::output::{FormatArg, Rows};
use crate::cli::select::symbol;
use crate::cli::session::{Globals, Session, block_on};
use crate::engine::{Candidate, Need, Opened, Sources, open_providers_once};
use crate::export::Value;
use crate::market::{Delay, Instrument, InstrumentId, MarketEvent, Source, Symbol, Timestamp};
use crate::snapshot::InstrumentView;

const COLUMNS: &[&str] = &["symbol", "last", "change", "change_pct", "bid", "ask", "volume", "ts_event", "age_s", "delay", "source"];

/// One look at current prices.
#[derive(Debug, Args)]
#[command(after_help = "Example: openbell quote AAPL BTC-USD --format json")]
pub(crate) struct QuoteArgs {
    /// Whose price.
    #[arg(required = true, value_parser = symbol)]
    symbols: Vec<Symbol>,
    #[command(flatten)]
    format: FormatArg,
}

/// Asks each source once, and prints the rows in the order of the symbols.
pub(crate) fn run(globals: &Globals, args: &QuoteArgs) -> Result<Done> {
    let session = Session::new(globals)?;
    let sources = Sources::new(open_providers_once(&session.config, &session.clock), &session.config);
    if sources.opened().is_empty() {
        return Err(Usage("every source is turned off in the config".to_owned()).into());
    }
    block_on(async {
        let counted = session.counted(&sources).await;
        let mut rows = Rows::begin(COLUMNS, args.format.format)?;
        let mut done = Done::Yes;
        for wanted in look(&sources, &args.symbols).await {
            match wanted.answer() {
                Ok(view) => rows.row(&row(view, session.clock.now()))?,
                Err(reason) => {
                    eprintln!("openbell: {}: {reason}", wanted.view.instrument.symbol);
                    done = Done::No;
                }
            }
        }
        rows.end()?;
        counted.save(&sources).await;
        Ok(done)
    })
}

/// A symbol on its way through its sources.
struct Wanted {
    view: InstrumentView,
    /// Who was not asked yet, best first.
    candidates: VecDeque<Candidate>,
    /// What those who told no price said.
    refused: Vec<String>,
}

/// Asks the first source of each symbol, for as many at once as it takes, and the next ones of those that have no price then.
async fn look(sources: &Sources, symbols: &[Symbol]) -> Vec<Wanted> {
    let mut all: Vec<_> = symbols.iter().map(|symbol| Wanted::new(sources, symbol)).collect();
    loop {
        let mut asked: BTreeMap<usize, Vec<(&mut Wanted, Candidate)>> = BTreeMap::new();
        for wanted in all.iter_mut().filter(|wanted| wanted.view.last.is_none()) {
            if let Some(candidate) = wanted.candidates.pop_front() {
                asked.entry(candidate.number).or_default().push((wanted, candidate));
            }
        }
        if asked.is_empty() {
            return all;
        }
        for mut of_source in asked.into_values() {
            let at_once = of_source[0].1.opened.provider.polling().map_or(1, |polling| polling.at_once);
            for some in of_source.chunks_mut(at_once.max(1)) {
                look_at(some).await;
            }
        }
    }
}

/// One look of one source.
async fn look_at(wanted: &mut [(&mut Wanted, Candidate)]) {
    let opened = wanted[0].1.opened.clone();
    let spellings: Vec<_> = wanted.iter().map(|(_, candidate)| candidate.spelling.clone()).collect();
    let answer = opened.provider.look(&spellings).await;
    for (wanted, candidate) in wanted {
        match &answer {
            Ok(events) => wanted.hear(&opened, events.iter().filter(|event| *event.symbol == *candidate.spelling)),
            Err(error) => wanted.refused.push(told_by(opened.spec.name, &error.to_string())),
        }
    }
}

impl Wanted {
    fn new(sources: &Sources, symbol: &Symbol) -> Self {
        let view = InstrumentView::new(Instrument::listed(InstrumentId(0), symbol.clone()));
        Self { view, candidates: sources.candidates(Need::Live, symbol).into(), refused: Vec::new() }
    }

    fn hear<'a>(&mut self, opened: &Opened, events: impl Iterator<Item = &'a MarketEvent>) {
        for event in events {
            self.view.fold(event, &opened.source, opened.delay);
        }
        if self.view.last.is_none() {
            self.refused.push(format!("{} told no price", opened.spec.name));
        }
    }

    /// Its price; where no source told one, what each said.
    fn answer(&self) -> Result<&InstrumentView, String> {
        match self.refused.as_slice() {
            _ if self.view.last.is_some() => Ok(&self.view),
            [] => Err("no enabled source has it".to_owned()),
            refused => Err(refused.join("; ")),
        }
    }
}

/// A reason with the name of its source, which it often has already.
fn told_by(source: &str, reason: &str) -> String {
    if reason.to_ascii_lowercase().contains(source) { reason.to_owned() } else { format!("{source}: {reason}") }
}

fn row(view: &InstrumentView, now: Timestamp) -> Vec<Value> {
    let rounded = |value: f64| (value * 1e6).round() / 1e6;
    let time = view.last.map(|last| last.ts_event);
    vec![
        view.instrument.symbol.as_str().into(),
        view.last.map(|last| last.value).into(),
        view.change().map(rounded).into(),
        view.change_pct().map(rounded).into(),
        view.quote.bid.into(),
        view.quote.ask.into(),
        view.volume.into(),
        time.into(),
        time.map(|time| rounded(now.seconds_since(time))).into(),
        delay(view.delay).as_str().into(),
        view.source.as_ref().map(Source::as_str).into(),
    ]
}

/// The mark of the screen, with a word for real time.
fn delay(delay: Delay) -> String {
    if delay == Delay::RealTime { "real-time".to_owned() } else { delay.mark() }
}
