//! Everything known of one instrument, with its newest stored bars.

use crossterm::event::KeyCode;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::market::{Bar, InstrumentId};
use crate::pane::{Context, Cursor, Effect, Motion};
use crate::request::{Reply, Request};
use crate::snapshot::InstrumentView;
use crate::tui::key::Key;
use crate::tui::overlay::{Around, Outcome, Overlay};
use crate::widget::{Align, Cell, Column, Role, Table, age, fixed, percent, quantity, signed};

/// The facts above, the bars below.
pub(crate) struct Detail {
    id: InstrumentId,
    title: String,
    bars: Option<Vec<Bar>>,
    cursor: Cursor,
}

/// Lines above the table.
const FACTS: u16 = 6;

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

impl Detail {
    pub(crate) fn new(id: InstrumentId) -> Self {
        Self { id, title: "detail".to_owned(), bars: None, cursor: Cursor::default() }
    }

    fn len(&self) -> usize {
        self.bars.as_ref().map_or(0, Vec::len)
    }
}

impl Overlay for Detail {
    fn title(&self) -> String {
        format!("{} · esc closes", self.title)
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
        let Reply::Detail(id, bars) = reply else { return false };
        if *id == self.id {
            // The newest first: that is what one looks for.
            self.bars = Some(bars.iter().rev().cloned().collect());
        }
        true
    }

    fn key(&mut self, key: Key, around: &Around<'_>) -> Outcome {
        let motion = match key.code {
            KeyCode::Esc | KeyCode::Enter | KeyCode::Char('q') => return Outcome::Close,
            KeyCode::Char('c') if key.ctrl => return Outcome::Close,
            KeyCode::Char('d') if key.ctrl => Motion::HalfDown,
            KeyCode::Char('u') if key.ctrl => Motion::HalfUp,
            KeyCode::Down | KeyCode::Char('j') => Motion::Down,
            KeyCode::Up | KeyCode::Char('k') => Motion::Up,
            KeyCode::PageDown => Motion::HalfDown,
            KeyCode::PageUp => Motion::HalfUp,
            KeyCode::Home | KeyCode::Char('g') => Motion::Top,
            KeyCode::End | KeyCode::Char('G') => Motion::Bottom,
            _ => return Outcome::Stay,
        };
        self.cursor.go(motion, self.len(), usize::from(around.context.size.1.saturating_sub(FACTS + 1)));
        Outcome::Stay
    }

    fn render(&self, area: Rect, buf: &mut Buffer, context: &Context<'_>) {
        let Some(row) = context.view.instrument(self.id) else {
            buf.set_stringn(area.x, area.y, "it left the list", usize::from(area.width), context.theme.style(Role::Dim));
            return;
        };
        for (y, (label, text)) in (area.y..area.bottom().min(area.y + FACTS - 1)).zip(facts(row, context)) {
            let (x, _) = buf.set_stringn(area.x, y, format!("{label:<10}"), usize::from(area.width), context.theme.style(Role::Dim));
            buf.set_stringn(x, y, text, usize::from(area.right().saturating_sub(x)), context.theme.style(Role::Text));
        }
        let below = Rect { y: area.y.saturating_add(FACTS).min(area.bottom()), height: area.height.saturating_sub(FACTS), ..area };
        self.render_bars(below, buf, row, context);
    }
}

impl Detail {
    fn render_bars(&self, area: Rect, buf: &mut Buffer, row: &InstrumentView, context: &Context<'_>) {
        let Some(bars) = self.bars.as_ref().filter(|bars| !bars.is_empty()) else {
            let text = if self.bars.is_none() { "loading stored bars" } else { "no 1m bars are stored yet: b fetches history" };
            buf.set_stringn(
                area.x,
                area.y,
                text,
                if area.height == 0 { 0 } else { usize::from(area.width) },
                context.theme.style(Role::Dim),
            );
            return;
        };
        let height = usize::from(area.height.saturating_sub(1));
        let text = context.theme.style(Role::Text);
        let price = |value: f64| Cell::new(fixed(value, row.precision()), text);
        let cells = |bar: &Bar| {
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
        };
        let table = Table {
            columns: &COLUMNS,
            rows: bars[self.cursor.window(bars.len(), height)].iter().map(cells).collect(),
            header: context.theme.style(Role::Dim),
            selected: self.cursor.in_window(bars.len(), height),
            selection: context.theme.style(Role::Selected),
        };
        table.render(area, buf);
    }
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
