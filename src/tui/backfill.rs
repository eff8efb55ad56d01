//! The form that fetches history: it says what that would cost before it starts.

use crate::market::{Interval, Symbol};
use crate::pane::Effect;
use crate::request::{BackfillAsk, Reply, Request, range};
use crate::tui::field::Field;
use crate::tui::form::{Form, Kind, Note};
use crate::tui::overlay::{Around, Overlay};
use crate::widget::countdown;

/// The word for "whoever is best".
const ANY: &str = "best";

#[derive(Default)]
struct Backfill {
    /// The question whose answer is awaited: an answer to an older one says nothing.
    asked: Option<BackfillAsk>,
}

/// A form for the symbol under the cursor.
pub(crate) fn backfill(symbol: Option<&Symbol>, around: &Around<'_>) -> Box<dyn Overlay> {
    let mut sources = vec![ANY.to_owned()];
    sources.extend(around.catalogue.providers.iter().filter(|p| p.enabled && !p.history.is_empty()).map(|p| p.name.clone()));
    let intervals = Interval::ALL.iter().map(|interval| interval.name().to_owned()).collect();
    let fields = vec![
        Field::text("symbols", "with spaces between", symbol.map_or("", Symbol::as_str)),
        Field::text("range", "5 (days) or 2026-11-01..2026-11-27", "5"),
        Field::choice("interval", intervals, 0),
        Field::choice("source", sources, 0),
    ];
    Box::new(Form::new(Backfill::default(), fields))
}

/// Symbols with spaces or commas between.
pub(crate) fn symbols(text: &str) -> Result<Vec<Symbol>, String> {
    let words = text.split([' ', ',']).filter(|word| !word.is_empty());
    words.map(|word| word.parse::<Symbol>().map_err(|error| error.to_string())).collect()
}

fn ask(fields: &[Field], around: &Around<'_>) -> Result<BackfillAsk, String> {
    let symbols = symbols(fields[0].value())?;
    let first = symbols.first().ok_or("a symbol is missing")?;
    let interval: Interval = fields[2].value().parse().map_err(|error: crate::market::IntervalError| error.to_string())?;
    let calendar = around.context.calendars.get(&first.listing().venue);
    let (from, to) = range(fields[1].value(), interval, calendar, around.context.now)?;
    let source = Some(fields[3].value()).filter(|source| *source != ANY).map(str::to_owned);
    Ok(BackfillAsk { symbols, interval, from, to, source })
}

impl Kind for Backfill {
    const TITLE: &'static str = "backfill";

    fn changed(&mut self, fields: &mut [Field], around: &Around<'_>) -> (Note, Vec<Effect>) {
        match ask(fields, around) {
            Ok(ask) => {
                self.asked = Some(ask.clone());
                (Note::Says("estimating".to_owned()), vec![Effect::Ask(Request::Estimate(ask))])
            }
            Err(reason) => {
                self.asked = None;
                (Note::Wrong(reason), Vec::new())
            }
        }
    }

    fn done(&self, fields: &[Field], around: &Around<'_>) -> Result<Vec<Effect>, String> {
        ask(fields, around).map(|ask| vec![Effect::Ask(Request::Backfill(ask))])
    }

    fn reply(&mut self, reply: &Reply) -> Option<Note> {
        match reply {
            Reply::Estimate(estimate) if self.asked.as_ref() == Some(&estimate.ask) => {
                let warning = estimate.warning.as_ref().map_or_else(String::new, |warning| format!("; {warning}"));
                let text = match estimate.requests {
                    0 => format!("nothing to ask: all of it is there{warning}"),
                    1 => format!("1 request to {}{warning}", estimate.sources.join(", ")),
                    n => format!("{n} requests to {}, about {}{warning}", estimate.sources.join(", "), countdown(estimate.time)),
                };
                Some(Note::Says(text))
            }
            Reply::Failed(reason) if self.asked.is_some() => Some(Note::Wrong(reason.clone())),
            // An answer to an older question says nothing.
            Reply::Estimate(_) | Reply::Failed(_) | Reply::Done(_) | Reply::Detail(..) => None,
        }
    }
}
