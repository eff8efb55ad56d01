//! The form that adds a symbol.

use crate::market::Symbol;
use crate::pane::Effect;
use crate::request::Request;
use crate::tui::field::Field;
use crate::tui::form::{Form, Kind, Note};
use crate::tui::overlay::{Around, Overlay};

struct AddSymbol;

/// An empty form.
pub(crate) fn add_symbol() -> Box<dyn Overlay> {
    Box::new(Form::new(AddSymbol, vec![Field::text("symbol", "AAPL, VOD:XLON, BTC-USD, EUR/USD, ^GSPC", "")]))
}

impl Kind for AddSymbol {
    const TITLE: &'static str = "add a symbol";

    fn changed(&mut self, fields: &mut [Field], around: &Around<'_>) -> (Note, Vec<Effect>) {
        let note = match fields[0].value().parse::<Symbol>() {
            _ if fields[0].value().is_empty() => Note::Says(String::new()),
            Ok(symbol) if around.context.view.instruments.iter().any(|row| row.instrument.symbol == symbol) => {
                Note::Wrong(format!("{symbol} is on the list already"))
            }
            Ok(symbol) => {
                let listing = symbol.listing();
                Note::Says(format!("{symbol}: {} at {}", listing.asset_class, listing.venue))
            }
            Err(error) => Note::Wrong(error.to_string()),
        };
        (note, Vec::new())
    }

    fn done(&self, fields: &[Field], _: &Around<'_>) -> Result<Vec<Effect>, String> {
        let symbol = fields[0].value().parse::<Symbol>().map_err(|error| error.to_string())?;
        Ok(vec![Effect::Ask(Request::AddSymbol(symbol))])
    }
}
