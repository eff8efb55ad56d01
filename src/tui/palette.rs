//! Finding a command by name.

use crossterm::event::KeyCode;
use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use tui_input::Input;
use tui_input::backend::crossterm::EventHandler;
use unicode_width::UnicodeWidthStr;

use crate::pane::{Command, Context, Cursor, Motion, PANES};
use crate::tui::command::COMMANDS;
use crate::tui::key::Key;
use crate::tui::overlay::{Around, Outcome, Overlay};
use crate::widget::Role;

/// A line to type in, and the commands that match.
#[derive(Default)]
pub(crate) struct Palette {
    input: Input,
    cursor: Cursor,
}

impl Palette {
    /// The commands that match what was typed, the best first.
    fn found(&self) -> Vec<&'static Command> {
        let own = PANES.iter().flat_map(|pane| pane.commands);
        let all = COMMANDS.iter().map(|row| &row.command).chain(own);
        if self.input.value().trim().is_empty() {
            return all.collect();
        }
        let typed = self.input.value().trim();
        let pattern = Pattern::parse(typed, CaseMatching::Ignore, Normalization::Smart);
        let mut matcher = Matcher::new(Config::DEFAULT);
        let mut buffer = Vec::new();
        let mut score = |text: &str| pattern.score(nucleo_matcher::Utf32Str::new(text, &mut buffer), &mut matcher);
        // Whoever types the name of a command means it; a match in the sentence comes after those in names.
        let mut rank = |command: &Command| {
            let sentence = score(&format!("{} {}", command.name, command.sentence))?;
            Some((command.name == typed, command.name.starts_with(typed), score(command.name), sentence))
        };
        let mut found: Vec<_> = all.filter_map(|command| Some((rank(command)?, command))).collect();
        found.sort_by_key(|(rank, _)| std::cmp::Reverse(*rank));
        found.into_iter().map(|(_, command)| command).collect()
    }
}

impl Overlay for Palette {
    fn title(&self) -> String {
        "commands · enter runs · esc closes".to_owned()
    }

    fn takes_text(&self) -> bool {
        true
    }

    fn size(&self, _: &Context<'_>) -> (u16, u16) {
        (84, 16)
    }

    fn key(&mut self, key: Key, around: &Around<'_>) -> Outcome {
        let height = usize::from(around.context.size.1.saturating_sub(1));
        let found = self.found();
        match key.code {
            KeyCode::Esc => return Outcome::Close,
            KeyCode::Char('c') if key.ctrl => return Outcome::Close,
            KeyCode::Enter => return found.get(self.cursor.at()).map_or(Outcome::Close, |command| Outcome::Run(command.name)),
            KeyCode::Down | KeyCode::Tab => self.cursor.go(Motion::Down, found.len(), height),
            KeyCode::Up | KeyCode::BackTab => self.cursor.go(Motion::Up, found.len(), height),
            _ => {
                self.input.handle_event(&crossterm::event::Event::Key(key.event()));
                self.cursor = Cursor::default();
            }
        }
        Outcome::Stay
    }

    fn render(&self, area: Rect, buf: &mut Buffer, context: &Context<'_>) {
        let width = usize::from(area.width);
        buf.set_stringn(area.x, area.y, format!(":{}▏", self.input.value()), width, context.theme.style(Role::Accent));
        let found = self.found();
        let height = usize::from(area.height.saturating_sub(1));
        let under = self.cursor.in_window(found.len(), height);
        for (i, (y, command)) in (area.y + 1..area.bottom()).zip(&found[self.cursor.window(found.len(), height)]).enumerate() {
            let line = Rect { y, height: 1, ..area };
            if under == Some(i) {
                buf.set_style(line, context.theme.style(Role::Selected));
            }
            let (x, _) = buf.set_stringn(area.x, y, format!("{:<14}", command.name), width, context.theme.style(Role::Accent));
            let room = width.saturating_sub(14);
            let (x, _) = buf.set_stringn(x, y, command.sentence, room, context.theme.style(Role::Text));
            let keys = command.keys.join(" ");
            if command.sentence.width() + 2 + keys.width() <= room {
                buf.set_string(x + 2, y, keys, context.theme.style(Role::Dim));
            }
        }
    }
}
