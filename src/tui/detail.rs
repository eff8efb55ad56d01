//! Everything known of one instrument, with its newest stored bars and reports.

use crossterm::event::KeyCode;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::market::{Bar, InstrumentId, clean};
use crate::pane::{Context, Cursor, Effect, Motion};
use crate::request::{Reply, Request, Stored};
use crate::snapshot::InstrumentView;
use crate::tui::key::Key;
use crate::tui::overlay::{Around, Outcome, Overlay};
use crate::tui::report::{Entry, HEADING, entries, short};
use crate::widget::{Align, Cell, Column, Role, Table, age, fixed, percent, quantity, signed};

/// The facts above; below them the bars, or every field of the newest reports.
pub(crate) struct Detail {
    id: InstrumentId,
    title: String,
    /// What the store has, the newest bar first; `None` until it answers.
    stored: Option<Stored>,
    fields: Vec<Entry>,
    below: Below,
    cursor: Cursor,
}

/// What stands below the facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Below {
    Bars,
    Fields,
}

/// A line above the table.
struct Line {
    label: &'static str,
    text: String,
    role: Role,
}

/// Lines that stay for the table, its header among them, before reports take any.
const FEW: usize = 4;

const COLUMNS: [Column; 9] = [
    column("open time", 0),
    column("open", 1),
    column("high", 1),
    column("low", 1),
    column("close", 0),
    column("volume", 2),
    column("quality", 4),
    column("source", 5),
    column("flags", 6),
];

const fn column(title: &'static str, rank: u8) -> Column {
    let align = match title.as_bytes() {
        b"source" | b"flags" | b"open time" => Align::Left,
        _ => Align::Right,
    };
    Column { title, align, rank, may_shorten: false }
}

const FIELDS: [Column; 2] = [
    Column { title: "field", align: Align::Left, rank: 0, may_shorten: true },
    Column { title: "value", align: Align::Right, rank: 0, may_shorten: false },
];

impl Detail {
    pub(crate) fn new(id: InstrumentId) -> Self {
        Self { id, title: "detail".to_owned(), stored: None, fields: Vec::new(), below: Below::Bars, cursor: Cursor::default() }
    }

    fn len(&self) -> usize {
        match self.below {
            Below::Bars => self.stored.as_ref().map_or(0, |stored| stored.bars.len()),
            Below::Fields => self.fields.len(),
        }
    }

    fn switch(&mut self) {
        self.below = match self.below {
            Below::Bars => Below::Fields,
            Below::Fields => Below::Bars,
        };
        self.cursor = Cursor::default();
    }

    /// The lines above the table: those of the reports give way where the screen is low.
    fn head(&self, row: &InstrumentView, context: &Context<'_>) -> Vec<Line> {
        let halt = row.halt.as_deref().map(|reason| Line { label: "halt", text: halted(reason), role: Role::Warning });
        let facts = facts(row, context).map(|(label, text)| Line { label, text, role: Role::Text });
        let mut lines: Vec<Line> = halt.into_iter().chain(facts).collect();
        let (width, height) = (usize::from(context.size.0), usize::from(context.size.1));
        let room = height.saturating_sub(lines.len() + 1 + FEW);
        lines.extend(self.short(row, width).into_iter().take(room));
        lines
    }

    fn short(&self, row: &InstrumentView, width: usize) -> Vec<Line> {
        let Some(stored) = &self.stored else { return Vec::new() };
        let lines = short(&stored.reports, &row.instrument.symbol, row.instrument.asset_class, width);
        let line = |text: String| match text.strip_prefix(HEADING) {
            Some(rest) => Line { label: HEADING, text: rest.to_owned(), role: Role::Text },
            None => Line { label: "", text, role: Role::Text },
        };
        lines.into_iter().map(line).collect()
    }

    /// Rows of the table that are in sight, below its header.
    fn height(&self, context: &Context<'_>) -> usize {
        let above = context.view.instrument(self.id).map_or(0, |row| self.head(row, context).len() + 1);
        usize::from(context.size.1).saturating_sub(above + 1)
    }
}

impl Overlay for Detail {
    fn title(&self) -> String {
        let other = match self.below {
            Below::Bars => HEADING,
            Below::Fields => "bars",
        };
        format!("{} · f {other} · esc closes", self.title)
    }

    fn size(&self, _: &Context<'_>) -> (u16, u16) {
        (96, 34)
    }

    fn opened(&mut self, around: &Around<'_>) -> Vec<Effect> {
        if let Some(row) = around.context.view.instrument(self.id) {
            self.title = row.instrument.symbol.to_string();
        }
        vec![Effect::Ask(Request::Detail(self.id))]
    }

    fn reply(&mut self, reply: &Reply) -> bool {
        let Reply::Detail(id, stored) = reply else { return false };
        if *id == self.id {
            let mut stored = stored.clone();
            // The newest first: that is what one looks for.
            stored.bars.reverse();
            self.fields = entries(&stored.reports);
            self.stored = Some(stored);
        }
        true
    }

    fn key(&mut self, key: Key, around: &Around<'_>) -> Outcome {
        let motion = match key.code {
            KeyCode::Esc | KeyCode::Enter | KeyCode::Char('q') => return Outcome::Close,
            KeyCode::Char('c') if key.ctrl => return Outcome::Close,
            KeyCode::Char('d') if key.ctrl => Motion::HalfDown,
            KeyCode::Char('u') if key.ctrl => Motion::HalfUp,
            KeyCode::Char('f') if !key.ctrl => {
                self.switch();
                return Outcome::Stay;
            }
            KeyCode::Down | KeyCode::Char('j') => Motion::Down,
            KeyCode::Up | KeyCode::Char('k') => Motion::Up,
            KeyCode::PageDown => Motion::HalfDown,
            KeyCode::PageUp => Motion::HalfUp,
            KeyCode::Home | KeyCode::Char('g') => Motion::Top,
            KeyCode::End | KeyCode::Char('G') => Motion::Bottom,
            _ => return Outcome::Stay,
        };
        self.cursor.go(motion, self.len(), self.height(&around.context));
        Outcome::Stay
    }

    fn render(&self, area: Rect, buf: &mut Buffer, context: &Context<'_>) {
        let Some(row) = context.view.instrument(self.id) else {
            sentence("it left the list", area, buf, context);
            return;
        };
        let head = self.head(row, context);
        for (y, line) in (area.y..area.bottom()).zip(&head) {
            let label = if line.label.is_empty() { String::new() } else { format!("{:<10}", line.label) };
            let (x, _) = buf.set_stringn(area.x, y, label, usize::from(area.width), context.theme.style(Role::Dim));
            buf.set_stringn(x, y, &line.text, usize::from(area.right().saturating_sub(x)), context.theme.style(line.role));
        }
        let above = u16::try_from(head.len() + 1).unwrap_or(u16::MAX);
        let below = Rect { y: area.y.saturating_add(above).min(area.bottom()), height: area.height.saturating_sub(above), ..area };
        match self.nothing() {
            Some(text) => sentence(text, below, buf, context),
            None => self.render_table(below, buf, row, context),
        }
    }
}

impl Detail {
    /// What is said where there are no rows.
    fn nothing(&self) -> Option<&'static str> {
        let Some(stored) = &self.stored else { return Some("loading what is stored") };
        match self.below {
            Below::Bars => stored.bars.is_empty().then_some("no 1m bars are stored yet: b fetches history"),
            Below::Fields => self.fields.is_empty().then_some("no reports are stored"),
        }
    }

    fn render_table(&self, area: Rect, buf: &mut Buffer, row: &InstrumentView, context: &Context<'_>) {
        let (len, height) = (self.len(), usize::from(area.height.saturating_sub(1)));
        let window = self.cursor.window(len, height);
        let bars: &[Bar] = match &self.stored {
            Some(stored) => &stored.bars,
            None => &[],
        };
        let (columns, rows): (&[Column], Vec<_>) = match self.below {
            Below::Bars => (&COLUMNS[..], bars[window].iter().map(|bar| bar_cells(bar, row, context)).collect()),
            Below::Fields => (&FIELDS[..], self.fields[window].iter().map(|entry| field_cells(entry, context)).collect()),
        };
        let table = Table {
            columns,
            rows,
            header: context.theme.style(Role::Dim),
            selected: self.cursor.in_window(len, height),
            selection: context.theme.style(Role::Selected),
        };
        table.render(area, buf);
    }
}

fn bar_cells(bar: &Bar, row: &InstrumentView, context: &Context<'_>) -> Vec<Cell> {
    let text = context.theme.style(Role::Text);
    let price = |value: f64| Cell::new(fixed(value, row.precision()), text);
    vec![
        Cell::new(bar.open_time.format("%m-%d %H:%M"), context.theme.style(Role::Dim)),
        price(bar.open),
        price(bar.high),
        price(bar.low),
        price(bar.close),
        Cell::new(bar.volume.map_or_else(String::new, quantity), text),
        Cell::new(format!("{:.2}", bar.quality), context.theme.style(if bar.quality < 0.85 { Role::Warning } else { Role::Dim })),
        Cell::new(bar.source.as_str(), context.theme.style(Role::Dim)),
        Cell::new(bar.flags.to_string(), context.theme.style(Role::Warning)),
    ]
}

fn field_cells(entry: &Entry, context: &Context<'_>) -> Vec<Cell> {
    let style = |role: Role| context.theme.style(role);
    match entry {
        Entry::Report(whose) => vec![Cell::new(whose.as_str(), style(Role::Accent))],
        Entry::Field { name, value } => vec![Cell::new(name.as_str(), style(Role::Dim)), Cell::new(value.as_str(), style(Role::Text))],
    }
}

/// What stands in place of rows.
fn sentence(text: &str, area: Rect, buf: &mut Buffer, context: &Context<'_>) {
    if !area.is_empty() {
        buf.set_stringn(area.x, area.y, text, usize::from(area.width), context.theme.style(Role::Dim));
    }
}

fn halted(reason: &str) -> String {
    let reason = clean(reason);
    if reason.trim().is_empty() { "trading is halted".to_owned() } else { format!("trading is halted: {reason}") }
}

fn facts(row: &InstrumentView, context: &Context<'_>) -> [(&'static str, String); 5] {
    let instrument = &row.instrument;
    let price = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| fixed(value, row.precision()));
    let change = match (row.change(), row.change_pct()) {
        (Some(change), Some(pct)) => format!("{}  {}  from {}", signed(change, row.precision()), percent(pct), price(row.reference)),
        _ => "the previous close is not known".to_owned(),
    };
    let seen = row.last.map_or_else(
        || "never".to_owned(),
        |last| format!("{} ({} ago)", last.ts_event.format("%Y-%m-%d %H:%M:%S UTC"), age(context.now.since(last.ts_event))),
    );
    let source = row.source.as_ref().map_or("-", |source| source.as_str());
    [
        ("venue", format!("{} · {} · {}", instrument.venue, instrument.asset_class, instrument.currency)),
        ("last", format!("{}  {change}", price(row.last.map(|last| last.value)))),
        ("bid/ask", format!("{} / {}", price(row.quote.bid), price(row.quote.ask))),
        (
            "day",
            format!("{} to {}  volume {}", price(row.day_low), price(row.day_high), row.volume.map_or_else(|| "-".to_owned(), quantity)),
        ),
        ("seen", format!("{seen} from {source}, {}", row.delay)),
    ]
}
