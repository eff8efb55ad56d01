//! Fields of forms: a line of text, or a choice.

use crossterm::event::{Event, KeyCode};
use tui_input::Input;
use tui_input::backend::crossterm::EventHandler;

use crate::tui::key::Key;

/// One field.
pub(crate) struct Field {
    pub(crate) label: &'static str,
    pub(crate) hint: &'static str,
    value: Value,
}

enum Value {
    Text(Input),
    Choice(Vec<String>, usize),
}

impl Field {
    pub(crate) fn text(label: &'static str, hint: &'static str, value: &str) -> Self {
        Self { label, hint, value: Value::Text(Input::new(value.to_owned())) }
    }

    pub(crate) fn choice(label: &'static str, options: Vec<String>, chosen: usize) -> Self {
        Self { label, hint: "left and right choose", value: Value::Choice(options, chosen) }
    }

    pub(crate) fn value(&self) -> &str {
        match &self.value {
            Value::Text(input) => input.value(),
            Value::Choice(options, at) => options.get(*at).map_or("", String::as_str),
        }
    }

    /// As drawn; the field that has the keys shows where typing goes.
    pub(crate) fn shown(&self, active: bool) -> String {
        match &self.value {
            Value::Text(input) if active => {
                let (before, after): (String, String) =
                    (input.value().chars().take(input.cursor()).collect(), input.value().chars().skip(input.cursor()).collect());
                format!("{before}▏{after}")
            }
            Value::Text(input) => input.value().to_owned(),
            Value::Choice(..) if active => format!("‹ {} ›", self.value()),
            Value::Choice(..) => self.value().to_owned(),
        }
    }

    /// Takes a key; true when the value changed.
    pub(crate) fn key(&mut self, key: Key) -> bool {
        match &mut self.value {
            Value::Text(input) => input.handle_event(&Event::Key(key.event())).is_some_and(|change| change.value),
            Value::Choice(options, at) => {
                let len = options.len().max(1);
                match key.code {
                    KeyCode::Right | KeyCode::Char(' ' | 'l') => *at = (*at + 1) % len,
                    KeyCode::Left | KeyCode::Char('h') => *at = (*at + len - 1) % len,
                    _ => return false,
                }
                true
            }
        }
    }

    /// Writes over the value of a text.
    pub(crate) fn set(&mut self, text: String) {
        if let Value::Text(input) = &mut self.value {
            *input = Input::new(text);
        }
    }
}
