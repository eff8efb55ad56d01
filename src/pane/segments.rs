//! Text in pieces that flow over lines: a figure is shown whole or not at all, never cut.

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::widget::fixed;

/// A piece of a line.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Segment {
    text: String,
    style: Style,
    /// Columns between it and the piece before it.
    gap: usize,
    kind: Kind,
}

/// What happens to a piece that is wider than a whole line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// It is left out.
    Fact,
    /// It goes on in the next line.
    Word,
}

/// Pieces, each with its column.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Line {
    placed: Vec<(usize, Segment)>,
    used: usize,
}

impl Segment {
    /// A figure with what it means: kept together.
    pub(crate) fn fact(text: impl Into<String>, style: Style) -> Self {
        Self { text: text.into(), style, gap: 2, kind: Kind::Fact }
    }

    /// The words of a sentence.
    pub(crate) fn words(text: &str, style: Style) -> Vec<Self> {
        text.split_whitespace().map(|word| Self { text: word.to_owned(), style, gap: 1, kind: Kind::Word }).collect()
    }

    fn fitted(self, width: usize) -> Vec<Self> {
        if self.text.is_empty() {
            return Vec::new();
        }
        if self.text.width() <= width {
            return vec![self];
        }
        match self.kind {
            Kind::Fact => Vec::new(),
            Kind::Word => chunks(&self.text, width).into_iter().map(|text| Self { text, ..self.clone() }).collect(),
        }
    }
}

impl Line {
    fn takes(&self, segment: &Segment, width: usize) -> bool {
        self.placed.is_empty() || self.used + segment.gap + segment.text.width() <= width
    }

    fn push(&mut self, segment: Segment) {
        let at = if self.placed.is_empty() { 0 } else { self.used + segment.gap };
        self.used = at + segment.text.width();
        self.placed.push((at, segment));
    }

    /// Draws it into the first row of `area`.
    pub(crate) fn draw(&self, area: Rect, buf: &mut Buffer) {
        if area.is_empty() {
            return;
        }
        for (at, segment) in &self.placed {
            let x = area.x.saturating_add(u16::try_from(*at).unwrap_or(u16::MAX));
            buf.set_stringn(x, area.y, &segment.text, usize::from(area.right().saturating_sub(x)), segment.style);
        }
    }
}

/// Lays pieces out over as many lines of `width` columns as they need.
pub(crate) fn flow(segments: Vec<Segment>, width: usize) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut line = Line::default();
    for segment in segments.into_iter().flat_map(|segment| segment.fitted(width)) {
        if !line.takes(&segment, width) {
            lines.push(std::mem::take(&mut line));
        }
        line.push(segment);
    }
    if !line.placed.is_empty() {
        lines.push(line);
    }
    lines
}

/// Draws lines from the top of `area` down.
pub(crate) fn draw(lines: &[Line], area: Rect, buf: &mut Buffer) {
    for (line, row) in lines.iter().zip(area.rows()) {
        line.draw(row, buf);
    }
}

/// Draws a sentence that stands in place of rows.
pub(crate) fn sentence(text: &str, area: Rect, buf: &mut Buffer, style: Style) {
    draw(&flow(Segment::words(text, style), usize::from(area.width)), area, buf);
}

/// Parts an area: a list, and below it a rule and `lines`; the list keeps a third at least.
pub(crate) fn part(area: Rect, lines: usize) -> (Rect, Rect) {
    let most = usize::from(area.height) * 2 / 3;
    let wanted = if lines == 0 { 0 } else { (lines + 1).min(most) };
    let height = u16::try_from(wanted).unwrap_or(0);
    let above = Rect { height: area.height - height, ..area };
    (above, Rect { y: area.y + above.height, height, ..area })
}

/// Draws a rule and lines below it; the rule says when some found no room.
pub(crate) fn draw_below(lines: &[Line], area: Rect, buf: &mut Buffer, rule: Style) {
    if area.is_empty() {
        return;
    }
    let width = usize::from(area.width);
    let fits = lines.len() < usize::from(area.height);
    buf.set_stringn(area.x, area.y, "─".repeat(width), width, rule);
    if !fits {
        let more = flow(vec![Segment::fact("more lines than fit ", rule)], width);
        draw(&more, Rect { height: 1, ..area }, buf);
    }
    draw(lines, Rect { y: area.y + 1, height: area.height - 1, ..area }, buf);
}

/// A count in groups of three.
#[expect(clippy::cast_precision_loss, reason = "counts of rows stay far below 2^53")]
pub(crate) fn whole(count: u64) -> String {
    fixed(count as f64, 0)
}

/// Whether an age or a countdown of this length shows seconds, now or at the next one.
pub(crate) fn shows_seconds(span: Duration) -> bool {
    span <= Duration::from_secs(61)
}

fn chunks(text: &str, width: usize) -> Vec<String> {
    let mut all = Vec::new();
    let mut chunk = String::new();
    for c in text.chars().filter(|c| c.width().is_some_and(|own| own <= width)) {
        if chunk.width() + c.width().unwrap_or(0) > width {
            all.push(std::mem::take(&mut chunk));
        }
        chunk.push(c);
    }
    all.push(chunk);
    all.retain(|chunk| !chunk.is_empty());
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(lines: &[Line], width: u16) -> String {
        let area = Rect::new(0, 0, width, u16::try_from(lines.len()).unwrap());
        let mut buf = Buffer::empty(area);
        draw(lines, area, &mut buf);
        screens::text(&buf)
    }

    #[test]
    fn facts_stay_whole_and_words_flow() {
        let style = Style::new();
        let segments = || [Segment::words("connection refused", style), vec![Segment::fact("attempt 1,234", style)]].concat();
        assert_eq!(text(&flow(segments(), 40), 40), "connection refused  attempt 1,234");
        assert_eq!(text(&flow(segments(), 20), 20), "connection refused\nattempt 1,234");
        assert_eq!(text(&flow(segments(), 8), 8), "connecti\non\nrefused");
        assert!(flow(segments(), 0).is_empty());
    }

    #[test]
    fn a_list_keeps_a_third() {
        let area = Rect::new(0, 0, 10, 9);
        assert_eq!((part(area, 0).1.height, part(area, 2).1.height, part(area, 50).1.height), (0, 3, 6));
        assert_eq!(part(Rect::new(0, 0, 0, 0), 3).0.height, 0);
        let mut buf = Buffer::empty(area);
        let lines = flow(Segment::words("a b c d e f", Style::new()), 1);
        draw_below(&lines, part(area, lines.len()).1, &mut buf, Style::new());
        assert!(screens::text(&buf).contains('─'));
    }
}

/// What the tests of the panes draw with.
#[cfg(test)]
pub(crate) mod screens {
    use std::collections::BTreeSet;

    use ratatui::buffer::Buffer;
    use ratatui::layout::Rect;

    use crate::calendar::Calendars;
    use crate::market::Timestamp;
    use crate::pane::contract::{Context, Pane};
    use crate::snapshot::MarketView;
    use crate::widget::{Depth, Theme};

    /// What a pane looks at in a test.
    pub(crate) struct World {
        pub(crate) view: MarketView,
        pub(crate) now: Timestamp,
        calendars: Calendars,
        theme: Theme,
    }

    impl World {
        pub(crate) fn new(now: &str) -> Self {
            let now = now.parse().expect("a time");
            Self { view: MarketView::default(), now, calendars: Calendars::embedded(), theme: Theme::new("dark", Depth::Sixteen) }
        }

        pub(crate) fn calendars(&self) -> &Calendars {
            &self.calendars
        }

        pub(crate) fn context(&self, width: u16, height: u16) -> Context<'_> {
            Context { view: &self.view, calendars: &self.calendars, now: self.now, theme: &self.theme, size: (width, height) }
        }

        pub(crate) fn draw(&self, pane: &dyn Pane, width: u16, height: u16) -> String {
            let area = Rect::new(0, 0, width, height);
            let mut buf = Buffer::empty(area);
            pane.render(area, &mut buf, &self.context(width, height));
            text(&buf)
        }

        /// Draws at every width: each number that is drawn is one of those on a screen with room for all.
        pub(crate) fn check_numbers(&self, pane: &dyn Pane) {
            for (width, height) in [(0, 0), (1, 1), (0, 5), (5, 0), (2, 2), (7, 3)] {
                self.draw(pane, width, height);
            }
            let all = numbers(&self.draw(pane, 600, 60));
            assert!(!all.is_empty(), "no number is drawn");
            for width in 10..=120 {
                for height in [1, 2, 3, 5, 8, 60] {
                    let drawn = self.draw(pane, width, height);
                    let cut: Vec<_> = numbers(&drawn).difference(&all).cloned().collect();
                    assert!(cut.is_empty(), "{cut:?} at {width}x{height}:\n{drawn}");
                }
            }
        }
    }

    /// What stands on the screen, without the blanks at the ends of lines.
    pub(crate) fn text(buf: &Buffer) -> String {
        let line = |row: Rect| row.columns().map(|cell| buf[(cell.x, cell.y)].symbol().to_owned()).collect::<String>();
        buf.area.rows().map(|row| line(row).trim_end().to_owned()).collect::<Vec<_>>().join("\n")
    }

    /// The words with a figure in them, but for those that are visibly shortened.
    fn numbers(text: &str) -> BTreeSet<String> {
        text.split_whitespace()
            .filter(|word| word.contains(|c: char| c.is_ascii_digit()) && !word.contains('…'))
            .map(str::to_owned)
            .collect()
    }
}
