//! `openbell quote`: one look at current prices; nothing is stored.

use anyhow::{Result, bail};
use clap::Args;

use crate::cli::exit::{Done, Usage};
use crate::cli::output::{FormatArg, Rows};
use crate::cli::select::symbol;
use crate::cli::session::{Globals, Session, block_on};
use crate::engine::{Candidate, Need, Opened, Sources, open_providers_once};
use crate::export::Value;
use crate::market::{Delay, Instrument, InstrumentId, Source, Symbol, Timestamp};
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

/// Asks the source of each symbol once.
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
        for symbol in &args.symbols {
            match look(&sources, symbol).await {
                Ok(view) => rows.row(&row(&view, session.clock.now()))?,
                Err(error) => {
                    eprintln!("openbell: {symbol}: {error}");
                    done = Done::No;
                }
            }
        }
        rows.end()?;
        counted.save(&sources).await;
        Ok(done)
    })
}

/// The first of the symbol's sources that tells a price; where none does, what each said.
async fn look(sources: &Sources, symbol: &Symbol) -> Result<InstrumentView> {
    let mut refused = Vec::new();
    for Candidate { opened, spelling, .. } in sources.candidates(Need::Live, symbol) {
        match look_at(&opened, spelling, symbol).await {
            Ok(view) => return Ok(view),
            Err(error) => refused.push(told_by(opened.spec.name, &format!("{error:#}"))),
        }
    }
    bail!(if refused.is_empty() { "no enabled source has it".to_owned() } else { refused.join("; ") })
}

/// A reason with the name of its source, which it often has already.
fn told_by(source: &str, reason: &str) -> String {
    if reason.to_ascii_lowercase().contains(source) { reason.to_owned() } else { format!("{source}: {reason}") }
}

async fn look_at(opened: &Opened, spelling: String, symbol: &Symbol) -> Result<InstrumentView> {
    let events = opened.provider.look(&[spelling]).await?;
    let mut view = InstrumentView::new(Instrument::listed(InstrumentId(0), symbol.clone()));
    for event in &events {
        view.fold(event, &opened.source, opened.delay);
    }
    if view.last.is_none() {
        bail!("{} told no price", opened.spec.name);
    }
    Ok(view)
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
