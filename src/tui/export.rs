//! The form that writes rows to a file.

use std::path::PathBuf;

use crate::market::{Interval, IntervalError, Symbol};
use crate::pane::Effect;
use crate::request::{ExportAsk, ExportFormat, Request, Table, range};
use crate::tui::backfill::symbols;
use crate::tui::field::Field;
use crate::tui::form::{Form, Kind, Note};
use crate::tui::overlay::{Around, Overlay};

struct Export {
    /// The path that was proposed: it follows the other fields until somebody types another.
    proposed: String,
}

const WHAT: usize = 0;
const SYMBOLS: usize = 1;
const INTERVAL: usize = 2;
const RANGE: usize = 3;
const FORMAT: usize = 4;
const PATH: usize = 5;

/// A form for the symbol under the cursor.
pub(crate) fn export(symbol: Option<&Symbol>) -> Box<dyn Overlay> {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let fields = vec![
        Field::choice("what", names(&Table::ALL.map(Table::name)), 0),
        Field::text("symbols", "empty is all", symbol.map_or("", Symbol::as_str)),
        Field::choice("interval", names(&Interval::ALL.map(Interval::name)), 0),
        Field::text("range", "empty is all; 5 (days), 2026-11-01..2026-11-27", ""),
        Field::choice("format", names(&ExportFormat::ALL.map(ExportFormat::name)), 0),
        Field::text("path", "", ""),
    ];
    Box::new(Form::new(Export { proposed: String::new() }, fields))
}

fn ask(fields: &[Field], around: &Around<'_>) -> Result<ExportAsk, String> {
    let symbols = symbols(fields[SYMBOLS].value())?;
    let interval: Interval = fields[INTERVAL].value().parse().map_err(|error: IntervalError| error.to_string())?;
    let calendar = symbols.first().and_then(|symbol| around.context.calendars.get(&symbol.listing().venue));
    let typed = fields[RANGE].value().trim();
    let range = if typed.is_empty() { None } else { Some(range(typed, interval, calendar, around.context.now)?) };
    let path = fields[PATH].value().trim();
    if path.is_empty() {
        return Err("a path is missing".to_owned());
    }
    Ok(ExportAsk {
        table: fields[WHAT].value().parse()?,
        symbols,
        interval,
        from: range.map(|(from, _)| from),
        to: range.map(|(_, to)| to),
        format: fields[FORMAT].value().parse()?,
        path: PathBuf::from(path),
    })
}

/// `bars-AAPL-1m.csv`.
fn proposal(fields: &[Field]) -> String {
    let who = match fields[SYMBOLS].value().split_whitespace().collect::<Vec<_>>().as_slice() {
        [] => "all".to_owned(),
        [one] => one.replace(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '.', "_"),
        many => format!("{}-symbols", many.len()),
    };
    let interval = if fields[WHAT].value() == Table::Bars.name() { format!("-{}", fields[INTERVAL].value()) } else { String::new() };
    format!("{}-{who}{interval}.{}", fields[WHAT].value(), fields[FORMAT].value())
}

impl Kind for Export {
    const TITLE: &'static str = "export";

    fn changed(&mut self, fields: &mut [Field], around: &Around<'_>) -> (Note, Vec<Effect>) {
        if fields[PATH].value() == self.proposed {
            self.proposed = proposal(fields);
            fields[PATH].set(self.proposed.clone());
        }
        let note = match ask(fields, around) {
            Ok(ask) => Note::Says(format!("writes {}", ask.path.display())),
            Err(reason) => Note::Wrong(reason),
        };
        (note, Vec::new())
    }

    fn done(&self, fields: &[Field], around: &Around<'_>) -> Result<Vec<Effect>, String> {
        ask(fields, around).map(|ask| vec![Effect::Ask(Request::Export(ask))])
    }
}
