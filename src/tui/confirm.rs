//! A sentence that needs a yes.

use crossterm::event::KeyCode;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr;

use crate::pane::{Context, Effect};
use crate::tui::key::Key;
use crate::tui::overlay::{Around, Outcome, Overlay};
use crate::widget::Role;

/// A question, and what a yes does.
pub(crate) struct Confirm {
    pub(crate) question: String,
    pub(crate) then: Effect,
}

impl Overlay for Confirm {
    fn title(&self) -> String {
        "y does it · n or esc does not".to_owned()
    }

    fn size(&self, _: &Context<'_>) -> (u16, u16) {
        (u16::try_from(self.question.width()).unwrap_or(u16::MAX).max(32), 1)
    }

    fn key(&mut self, key: Key, _: &Around<'_>) -> Outcome {
        match key.code {
            KeyCode::Char('y' | 'Y') | KeyCode::Enter => Outcome::Finish(vec![self.then.clone()]),
            KeyCode::Char('n' | 'N') | KeyCode::Esc => Outcome::Close,
            // Whoever asks to quit twice means it.
            KeyCode::Char('c') if key.ctrl && self.then == Effect::Quit => Outcome::Finish(vec![Effect::Quit]),
            _ => Outcome::Stay,
        }
    }

    fn render(&self, area: Rect, buf: &mut Buffer, context: &Context<'_>) {
        buf.set_stringn(area.x, area.y, &self.question, usize::from(area.width), context.theme.style(Role::Warning));
    }
}
