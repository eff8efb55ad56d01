//! A table that drops whole columns when it is narrow, and never cuts a number.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use unicode_width::UnicodeWidthStr;

/// One column.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    pub title: &'static str,
    pub align: Align,
    /// The column with the highest number is dropped first; 0 stays.
    pub rank: u8,
    /// Whether its texts may be shortened: names may, numbers never.
    pub may_shorten: bool,
}

/// Where a text stands in its column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    Left,
    Right,
}

/// One cell.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cell {
    pub text: String,
    pub style: Style,
}

/// The rows in view.
#[derive(Debug)]
pub struct Table<'a> {
    pub columns: &'a [Column],
    /// Only those that can be seen: every row given here is measured.
    pub rows: Vec<Vec<Cell>>,
    pub header: Style,
    /// Which of the rows is under the cursor.
    pub selected: Option<usize>,
    pub selection: Style,
}

/// A shortened text keeps at least this much.
const SHORTEST: usize = 8;
const SPACE: usize = 2;

impl Cell {
    #[must_use]
    pub fn new(text: impl Into<String>, style: Style) -> Self {
        Self { text: text.into(), style }
    }
}

impl Table<'_> {
    /// Draws the header and the rows that fit; says which columns were drawn.
    pub fn render(&self, area: Rect, buf: &mut Buffer) -> Vec<usize> {
        let widths = self.widths(usize::from(area.width));
        if area.height == 0 {
            return Vec::new();
        }
        let header: Vec<Cell> = self.columns.iter().map(|column| Cell::new(column.title, self.header)).collect();
        self.line(Rect { height: 1, ..area }, buf, &widths, &header);
        for (i, row) in self.rows.iter().enumerate().take(usize::from(area.height - 1)) {
            let y = area.y + 1 + u16::try_from(i).unwrap_or(u16::MAX);
            let line = Rect { y, height: 1, ..area };
            if self.selected == Some(i) {
                buf.set_style(line, self.selection);
            }
            self.line(line, buf, &widths, row);
        }
        widths.iter().map(|(column, _)| *column).collect()
    }

    fn line(&self, area: Rect, buf: &mut Buffer, widths: &[(usize, usize)], cells: &[Cell]) {
        let mut x = usize::from(area.x);
        for (column, width) in widths {
            let Some(cell) = cells.get(*column) else { continue };
            let text = shorten(&cell.text, *width);
            let pad = width - text.width();
            let start = if self.columns[*column].align == Align::Right { x + pad } else { x };
            buf.set_string(u16::try_from(start).unwrap_or(u16::MAX), area.y, &text, cell.style);
            x += width + SPACE;
        }
    }

    /// The columns that fit, each with its width.
    fn widths(&self, available: usize) -> Vec<(usize, usize)> {
        let natural = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.text.width());
            cells.max().unwrap_or(0).max(self.columns[column].title.width())
        };
        let mut kept: Vec<(usize, usize)> = (0..self.columns.len()).map(|column| (column, natural(column))).collect();
        while !kept.is_empty() {
            let total = total_width(&kept);
            if total <= available {
                return kept;
            }
            if self.shrink(&mut kept, total - available) {
                return kept;
            }
            // Columns of one rank go together: a bid without its ask says little.
            let rank = |(column, _): &(usize, usize)| self.columns[*column].rank;
            let last = kept.iter().map(rank).max().unwrap_or(0);
            if last == 0 {
                kept.pop();
            } else {
                kept.retain(|column| rank(column) != last);
            }
        }
        kept
    }

    /// Takes `excess` away from columns whose texts may be shortened; false when they have not that much.
    fn shrink(&self, kept: &mut [(usize, usize)], excess: usize) -> bool {
        let spare = |(column, width): (usize, usize)| if self.columns[column].may_shorten { width.saturating_sub(SHORTEST) } else { 0 };
        if kept.iter().map(|kept| spare(*kept)).sum::<usize>() < excess {
            return false;
        }
        let mut left = excess;
        for entry in kept.iter_mut() {
            let less = spare(*entry).min(left);
            entry.1 -= less;
            left -= less;
        }
        true
    }
}

fn total_width(kept: &[(usize, usize)]) -> usize {
    kept.iter().map(|(_, width)| width).sum::<usize>() + SPACE * kept.len().saturating_sub(1)
}

/// Ends at a space where there is one: half a number would be another number.
fn shorten(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut short = String::new();
    for c in text.chars() {
        if short.width() + 2 > width {
            break;
        }
        short.push(c);
    }
    while short.width() + 1 > width && short.pop().is_some() {}
    if let Some(space) = short.rfind(' ') {
        short.truncate(space + 1);
    }
    if width > 0 {
        short.push('…');
    }
    short
}
