//! Forms: fields, a line that says what would happen, and enter that does it.

use crossterm::event::KeyCode;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::pane::{Context, Effect};
use crate::request::Reply;
use crate::tui::field::Field;
use crate::tui::key::Key;
use crate::tui::overlay::{Around, Outcome, Overlay};
use crate::widget::Role;

/// A form of one kind.
pub(crate) struct Form<K> {
    fields: Vec<Field>,
    at: usize,
    kind: K,
    note: Note,
}

/// What is said below the fields.
pub(crate) enum Note {
    Says(String),
    Wrong(String),
}

/// What makes a form one of its kind.
pub(crate) trait Kind: Send {
    const TITLE: &'static str;

    /// Called when a value changed, and at the start: what is said of it, and what is asked for it.
    fn changed(&mut self, fields: &mut [Field], around: &Around<'_>) -> (Note, Vec<Effect>);

    /// What enter does, or why it cannot.
    fn done(&self, fields: &[Field], around: &Around<'_>) -> Result<Vec<Effect>, String>;

    /// An answer of the engine; the note changes when it was for this one.
    fn reply(&mut self, _: &Reply) -> Option<Note> {
        None
    }
}

impl<K: Kind> Form<K> {
    pub(crate) fn new(kind: K, fields: Vec<Field>) -> Self {
        Self { fields, at: 0, kind, note: Note::Says(String::new()) }
    }

    fn look(&mut self, around: &Around<'_>) -> Vec<Effect> {
        let (note, effects) = self.kind.changed(&mut self.fields, around);
        self.note = note;
        effects
    }
}

impl<K: Kind> Overlay for Form<K> {
    fn title(&self) -> String {
        format!("{} · enter does it · tab next · esc closes", K::TITLE)
    }

    fn size(&self, _: &Context<'_>) -> (u16, u16) {
        (74, u16::try_from(self.fields.len()).unwrap_or(u16::MAX).saturating_add(3))
    }

    fn takes_text(&self) -> bool {
        true
    }

    fn opened(&mut self, around: &Around<'_>) -> Vec<Effect> {
        self.look(around)
    }

    fn reply(&mut self, reply: &Reply) -> bool {
        self.kind.reply(reply).map(|note| self.note = note).is_some()
    }

    fn key(&mut self, key: Key, around: &Around<'_>) -> Outcome {
        let len = self.fields.len();
        match key.code {
            KeyCode::Esc => return Outcome::Close,
            KeyCode::Char('c') if key.ctrl => return Outcome::Close,
            KeyCode::Tab | KeyCode::Down => self.at = (self.at + 1) % len,
            KeyCode::BackTab | KeyCode::Up => self.at = (self.at + len - 1) % len,
            KeyCode::Enter => match self.kind.done(&self.fields, around) {
                Ok(effects) => return Outcome::Finish(effects),
                Err(reason) => self.note = Note::Wrong(reason),
            },
            _ => {
                if self.fields[self.at].key(key) {
                    return Outcome::Do(self.look(around));
                }
            }
        }
        Outcome::Stay
    }

    fn render(&self, area: Rect, buf: &mut Buffer, context: &Context<'_>) {
        let width = usize::from(area.width);
        for (i, (y, field)) in (area.y..area.bottom()).zip(&self.fields).enumerate() {
            let active = i == self.at;
            let label = context.theme.style(if active { Role::Accent } else { Role::Dim });
            let (x, _) = buf.set_stringn(area.x, y, format!("{:<10}", field.label), width, label);
            let (x, _) =
                buf.set_stringn(x, y, field.shown(active), usize::from(area.right().saturating_sub(x)), context.theme.style(Role::Text));
            let room = usize::from(area.right().saturating_sub(x + 2));
            if active && field.hint.len() <= room {
                buf.set_stringn(x + 2, y, field.hint, room, context.theme.style(Role::Dim));
            }
        }
        let y = area.y + u16::try_from(self.fields.len()).unwrap_or(0) + 1;
        let (text, role) = match &self.note {
            Note::Says(text) => (text, Role::Text),
            Note::Wrong(text) => (text, Role::Error),
        };
        for (y, line) in (y..area.bottom()).zip(wrap(text, width)) {
            buf.set_stringn(area.x, y, line, width, context.theme.style(role));
        }
    }
}

/// Breaks a sentence at spaces.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().expect("there is always a line");
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
            lines.push(word.to_owned());
        } else {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}
