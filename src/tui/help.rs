//! What each key does.

use crossterm::event::KeyCode;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::pane::{Command, Context, Cursor, Motion, PANES};
use crate::tui::command::COMMANDS;
use crate::tui::key::Key;
use crate::tui::overlay::{Around, Outcome, Overlay};
use crate::widget::Role;

/// The list of keys.
#[derive(Default)]
pub(crate) struct Help {
    cursor: Cursor,
    height: usize,
}

/// Columns of the keys.
const KEYS: usize = 15;

enum Line {
    Heading(String),
    Key(&'static Command),
}

fn lines() -> Vec<Line> {
    let mut lines = vec![Line::Heading("everywhere".to_owned())];
    lines.extend(COMMANDS.iter().map(|row| Line::Key(&row.command)));
    for pane in PANES.iter().filter(|pane| !pane.commands.is_empty()) {
        lines.push(Line::Heading(format!("in {}", pane.name)));
        lines.extend(pane.commands.iter().map(Line::Key));
    }
    lines
}

impl Overlay for Help {
    fn title(&self) -> String {
        "help · esc closes".to_owned()
    }

    fn size(&self, _: &Context<'_>) -> (u16, u16) {
        (86, u16::try_from(lines().len()).unwrap_or(u16::MAX))
    }

    fn key(&mut self, key: Key, around: &Around<'_>) -> Outcome {
        self.height = usize::from(around.context.size.1);
        let motion = match key.code {
            KeyCode::Esc | KeyCode::Char('q' | '?') => return Outcome::Close,
            KeyCode::Char('c') if key.ctrl => return Outcome::Close,
            KeyCode::Char('d') if key.ctrl => Motion::HalfDown,
            KeyCode::Char('u') if key.ctrl => Motion::HalfUp,
            KeyCode::Down | KeyCode::Char('j') => Motion::Down,
            KeyCode::Up | KeyCode::Char('k') => Motion::Up,
            KeyCode::PageDown | KeyCode::Char(' ') => Motion::HalfDown,
            KeyCode::PageUp => Motion::HalfUp,
            KeyCode::Home | KeyCode::Char('g') => Motion::Top,
            KeyCode::End | KeyCode::Char('G') => Motion::Bottom,
            _ => return Outcome::Stay,
        };
        // The first press moves the page, not a cursor that nobody sees.
        if motion == Motion::Down && self.cursor.at() + 1 < self.height {
            self.cursor.set(self.height.saturating_sub(1), lines().len(), self.height);
        }
        if motion == Motion::Up {
            let top = self.cursor.window(lines().len(), self.height).start;
            self.cursor.set(top, lines().len(), self.height);
        }
        self.cursor.go(motion, lines().len(), self.height);
        Outcome::Stay
    }

    fn render(&self, area: Rect, buf: &mut Buffer, context: &Context<'_>) {
        let lines = lines();
        let window = self.cursor.window(lines.len(), usize::from(area.height));
        for (y, line) in (area.y..area.bottom()).zip(&lines[window]) {
            let width = usize::from(area.width);
            match line {
                Line::Heading(text) => {
                    buf.set_stringn(area.x, y, text, width, context.theme.style(Role::Accent));
                }
                Line::Key(command) => {
                    let keys = command.keys.join(" ");
                    let (x, _) = buf.set_stringn(area.x, y, format!("{keys:>KEYS$}"), width, context.theme.style(Role::Accent));
                    buf.set_stringn(x + 2, y, command.sentence, width.saturating_sub(KEYS + 2), context.theme.style(Role::Text));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_fits_a_screen_of_80_columns() {
        for line in lines() {
            if let Line::Key(command) = line {
                assert!(command.keys.join(" ").len() <= KEYS, "{}", command.name);
                assert!(command.sentence.len() <= 76 - KEYS - 2, "{}", command.sentence);
            }
        }
    }
}
