//! Colours are roles; what a role looks like is the theme's and the terminal's business.

use ratatui::style::{Color, Modifier, Style};

/// What a colour is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    Text,
    /// Less important, or old.
    Dim,
    Up,
    Down,
    /// Titles, keys and what is selected.
    Accent,
    Warning,
    Error,
    /// Frames around panes.
    Border,
    /// The frame around the pane that has the keys.
    Focus,
    /// The row under the cursor.
    Selected,
    /// A banner that must not be overlooked.
    Banner,
}

/// How many colours the terminal has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// None: meaning is in signs, marks and weight.
    None,
    Sixteen,
    Rich,
}

/// What each role looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Theme {
    depth: Depth,
    light: bool,
    /// Whether a cursor is shown: only where the keys go.
    cursor: bool,
}

impl Theme {
    /// The theme of that name (`dark`, `light`, `plain`) on a terminal of that depth.
    #[must_use]
    pub fn new(name: &str, depth: Depth) -> Self {
        Self { depth: if name == "plain" { Depth::None } else { depth }, light: name == "light", cursor: true }
    }

    /// The same where the keys do not go: no row stands out.
    #[must_use]
    pub fn without_cursor(self) -> Self {
        Self { cursor: false, ..self }
    }

    /// What a role looks like.
    #[must_use]
    pub fn style(&self, role: Role) -> Style {
        if role == Role::Selected && !self.cursor {
            return Style::new();
        }
        let plain = match role {
            Role::Dim | Role::Border => Style::new().add_modifier(Modifier::DIM),
            Role::Accent | Role::Warning | Role::Error | Role::Focus => Style::new().add_modifier(Modifier::BOLD),
            Role::Selected | Role::Banner => Style::new().add_modifier(Modifier::REVERSED),
            Role::Text | Role::Up | Role::Down => Style::new(),
        };
        match self.depth {
            Depth::None => plain,
            Depth::Sixteen => self.sixteen(role).map_or(plain, |colour| coloured(role, colour)),
            Depth::Rich => self.rich(role).map_or(plain, |colour| coloured(role, colour)),
        }
    }

    fn sixteen(self, role: Role) -> Option<Color> {
        Some(match role {
            Role::Text => Color::Reset,
            Role::Selected => return None,
            Role::Dim | Role::Border => Color::DarkGray,
            Role::Up => Color::Green,
            Role::Down | Role::Error => Color::Red,
            Role::Accent | Role::Focus => {
                if self.light {
                    Color::Blue
                } else {
                    Color::Cyan
                }
            }
            Role::Warning | Role::Banner => Color::Yellow,
        })
    }

    fn rich(self, role: Role) -> Option<Color> {
        let pick = |dark: (u8, u8, u8), light: (u8, u8, u8)| {
            let (r, g, b) = if self.light { light } else { dark };
            Some(Color::Rgb(r, g, b))
        };
        match role {
            Role::Text => Some(Color::Reset),
            Role::Dim => pick((128, 134, 144), (120, 124, 132)),
            Role::Border => pick((72, 78, 90), (190, 194, 202)),
            Role::Up => pick((98, 201, 138), (0, 125, 60)),
            Role::Down => pick((240, 113, 120), (190, 30, 45)),
            Role::Error => pick((255, 85, 95), (200, 0, 20)),
            Role::Accent | Role::Focus => pick((120, 180, 240), (0, 90, 170)),
            Role::Selected => pick((44, 52, 68), (222, 230, 242)),
            Role::Warning | Role::Banner => pick((235, 190, 90), (150, 100, 0)),
        }
    }
}

fn coloured(role: Role, colour: Color) -> Style {
    match role {
        Role::Selected => Style::new().bg(colour),
        Role::Banner => Style::new().fg(Color::Black).bg(colour).add_modifier(Modifier::BOLD),
        Role::Accent | Role::Focus | Role::Error => Style::new().fg(colour).add_modifier(Modifier::BOLD),
        Role::Text | Role::Dim | Role::Up | Role::Down | Role::Warning | Role::Border => Style::new().fg(colour),
    }
}
