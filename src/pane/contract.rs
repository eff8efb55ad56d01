//! What a pane is: it describes itself, keeps its own state, and returns what it wants done.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::calendar::Calendars;
use crate::config::{KeySpec, Section};
use crate::market::{InstrumentId, Symbol, Timestamp};
use crate::request::{EngineEvent, Request};
use crate::snapshot::MarketView;
use crate::widget::Theme;

/// A pane describes itself.
pub struct PaneSpec {
    pub name: &'static str,
    pub sentence: &'static str,
    /// The keys of `[pane.NAME]`.
    pub keys: &'static [KeySpec],
    /// What it can do beyond what every pane can.
    pub commands: &'static [Command],
    pub new: fn(&Section) -> Box<dyn Pane>,
}

/// Something a key does: the row that dispatch, hints, help and the docs' table are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Command {
    pub name: &'static str,
    pub sentence: &'static str,
    /// As in `q`, `ctrl-c`, `shift-tab`, `pageup`.
    pub keys: &'static [&'static str],
    /// One word for the footer; empty when it is not worth the room.
    pub hint: &'static str,
}

/// What a pane is told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Action<'a> {
    Move(Motion),
    /// One of the pane's own commands, by name.
    Command(&'a str),
    /// The text typed after `/`: only what matches is shown. Empty shows all.
    Filter(&'a str),
    /// Something the engine tells besides the picture.
    Event(&'a EngineEvent),
    /// Open what is under the cursor.
    Open,
}

/// Where the cursor goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Motion {
    Up,
    Down,
    Top,
    Bottom,
    HalfUp,
    HalfDown,
}

/// What a pane or a command wants done.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    Ask(Request),
    Open(Popup),
    /// A short word at the bottom of the screen.
    Toast(String),
    Quit,
    Suspend,
}

/// What can lie over the panes.
#[derive(Clone, Debug, PartialEq)]
pub enum Popup {
    Help,
    Palette,
    /// Everything known of an instrument.
    Detail(InstrumentId),
    AddSymbol,
    RemoveSymbol(Symbol),
    Backfill(Option<Symbol>),
    Export(Option<Symbol>),
    /// A sentence that needs a yes, and what is done then.
    Confirm(String, Box<Effect>),
}

/// What a pane may look at.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    pub view: &'a MarketView,
    pub calendars: &'a Calendars,
    pub now: Timestamp,
    pub theme: &'a Theme,
    /// Columns and rows inside the pane's frame.
    pub size: (u16, u16),
}

/// A pane: `act` is the only way its state changes, `render` only reads.
pub trait Pane: Send {
    /// What stands in the frame, after the pane's number: `watchlist 8 of 12`.
    fn title(&self, context: &Context<'_>) -> String;

    /// Takes an action; the answer is what is to be done outside.
    fn act(&mut self, action: Action<'_>, context: &Context<'_>) -> Vec<Effect>;

    /// Draws the inside of the frame.
    fn render(&self, area: Rect, buf: &mut Buffer, context: &Context<'_>);

    /// Whose row is under the cursor.
    fn selected(&self, _: &Context<'_>) -> Option<Symbol> {
        None
    }

    /// Whose rows are in view, where not all of them are.
    fn seen(&self, _: &Context<'_>) -> Vec<InstrumentId> {
        Vec::new()
    }

    /// Whether a text on it changes every second: an age or a countdown below a minute.
    fn ticks(&self, context: &Context<'_>) -> bool;
}
