//! What can lie over the panes: it takes every key until it closes.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::pane::{Context, Effect};
use crate::request::{Catalogue, Reply};
use crate::tui::key::Key;

/// Something that lies over the panes.
pub(crate) trait Overlay: Send {
    fn title(&self) -> String;

    /// Columns and rows that it would like, inside its frame.
    fn size(&self, context: &Context<'_>) -> (u16, u16);

    fn key(&mut self, key: Key, around: &Around<'_>) -> Outcome;

    /// Whether one types into it: pasted text is for such only.
    fn takes_text(&self) -> bool {
        false
    }

    /// An answer of the engine; true when it was for this one.
    fn reply(&mut self, _: &Reply) -> bool {
        false
    }

    /// What it asks for when it opens.
    fn opened(&mut self, _: &Around<'_>) -> Vec<Effect> {
        Vec::new()
    }

    fn render(&self, area: Rect, buf: &mut Buffer, context: &Context<'_>);
}

/// What an overlay may look at when it takes a key.
pub(crate) struct Around<'a> {
    pub(crate) context: Context<'a>,
    pub(crate) catalogue: &'a Catalogue,
}

/// What a key came to.
pub(crate) enum Outcome {
    Stay,
    /// Stay, and do this.
    Do(Vec<Effect>),
    Close,
    /// Close, and do this.
    Finish(Vec<Effect>),
    /// Close, and run the command of this name.
    Run(&'static str),
}
