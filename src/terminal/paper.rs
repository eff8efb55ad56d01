//! One frame on paper: as text, with escape codes, or as a picture.

use std::fmt::Write;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};

use crate::tui::{Model, view};

/// How a frame is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Text,
    Ansi,
    Svg,
}

/// The model as one frame of its own size.
#[must_use]
pub fn paper(model: &Model, format: Format) -> String {
    let (width, height) = model.size();
    let Ok(mut terminal) = Terminal::new(TestBackend::new(width, height));
    let Ok(frame) = terminal.draw(|frame| view(model, frame));
    match format {
        Format::Text => text(frame.buffer),
        Format::Ansi => ansi(frame.buffer),
        Format::Svg => svg(frame.buffer),
    }
}

fn rows(buffer: &Buffer) -> impl Iterator<Item = &[Cell]> {
    buffer.content.chunks(usize::from(buffer.area.width).max(1))
}

fn text(buffer: &Buffer) -> String {
    let mut out = String::new();
    for row in rows(buffer) {
        let line: String = row.iter().map(Cell::symbol).collect();
        let _ = writeln!(out, "{}", line.trim_end());
    }
    out
}

fn ansi(buffer: &Buffer) -> String {
    let mut out = String::new();
    for row in rows(buffer) {
        for run in row.chunk_by(|a, b| a.style() == b.style()) {
            let _ = write!(out, "\x1b[0{}m", sgr(&run[0]));
            for cell in run {
                out.push_str(cell.symbol());
            }
        }
        out.push_str("\x1b[0m\n");
    }
    out
}

fn sgr(cell: &Cell) -> String {
    let mut codes = String::new();
    for (modifier, code) in [(Modifier::BOLD, 1), (Modifier::DIM, 2), (Modifier::REVERSED, 7)] {
        if cell.modifier.contains(modifier) {
            let _ = write!(codes, ";{code}");
        }
    }
    for (colour, base) in [(cell.fg, 30), (cell.bg, 40)] {
        match colour {
            Color::Rgb(r, g, b) => {
                let _ = write!(codes, ";{};2;{r};{g};{b}", base + 8);
            }
            colour => {
                let index = SIXTEEN.iter().position(|(known, _)| *known == colour);
                if let Some(index) = index {
                    let code = if index < 8 { base + index } else { base + 60 + index - 8 };
                    let _ = write!(codes, ";{code}");
                }
            }
        }
    }
    codes
}

/// The sixteen colours in the order of their codes, as most terminals draw them.
const SIXTEEN: [(Color, &str); 16] = [
    (Color::Black, "#0c0e12"),
    (Color::Red, "#cc4050"),
    (Color::Green, "#4fa870"),
    (Color::Yellow, "#c8a040"),
    (Color::Blue, "#4a80c0"),
    (Color::Magenta, "#a060b0"),
    (Color::Cyan, "#50a8b8"),
    (Color::Gray, "#c8ccd4"),
    (Color::DarkGray, "#707680"),
    (Color::LightRed, "#ff6070"),
    (Color::LightGreen, "#70d090"),
    (Color::LightYellow, "#f0c860"),
    (Color::LightBlue, "#70a8f0"),
    (Color::LightMagenta, "#d080e0"),
    (Color::LightCyan, "#80d8e8"),
    (Color::White, "#ffffff"),
];

const PAPER: &str = "#11141a";
const INK: &str = "#d6dae2";
/// A cell in picture units.
const CELL: (usize, usize) = (9, 18);

fn svg(buffer: &Buffer) -> String {
    let (width, height) = (usize::from(buffer.area.width) * CELL.0, usize::from(buffer.area.height) * CELL.1);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"{PAPER}\"/>\n\
         <g font-family=\"ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace\" font-size=\"15\" xml:space=\"preserve\">\n"
    );
    for (y, row) in rows(buffer).enumerate() {
        let mut x = 0;
        for run in row.chunk_by(|a, b| a.style() == b.style()) {
            svg_run(&mut out, x, y, run);
            x += run.len();
        }
    }
    out.push_str("</g>\n</svg>\n");
    out
}

fn svg_run(out: &mut String, x: usize, y: usize, run: &[Cell]) {
    let reversed = run[0].modifier.contains(Modifier::REVERSED);
    let (mut ink, mut paper) = (hex(run[0].fg), hex(run[0].bg));
    if reversed {
        (ink, paper) = (Some(paper.unwrap_or_else(|| PAPER.to_owned())), Some(ink.unwrap_or_else(|| INK.to_owned())));
    }
    let (left, top, wide) = (x * CELL.0, y * CELL.1, run.len() * CELL.0);
    if let Some(paper) = paper {
        let _ = writeln!(out, "<rect x=\"{left}\" y=\"{top}\" width=\"{wide}\" height=\"{}\" fill=\"{paper}\"/>", CELL.1);
    }
    let words: String = run.iter().map(Cell::symbol).collect();
    if words.trim().is_empty() {
        return;
    }
    let weight = if run[0].modifier.contains(Modifier::BOLD) { " font-weight=\"bold\"" } else { "" };
    let faint = if run[0].modifier.contains(Modifier::DIM) { " opacity=\"0.6\"" } else { "" };
    let escaped = words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let ink = ink.unwrap_or_else(|| INK.to_owned());
    let _ = writeln!(out, "<text x=\"{left}\" y=\"{}\" textLength=\"{wide}\" fill=\"{ink}\"{weight}{faint}>{escaped}</text>", top + 14);
}

fn hex(colour: Color) -> Option<String> {
    match colour {
        Color::Rgb(r, g, b) => Some(format!("#{r:02x}{g:02x}{b:02x}")),
        colour => SIXTEEN.iter().find(|(known, _)| *known == colour).map(|(_, hex)| (*hex).to_owned()),
    }
}
