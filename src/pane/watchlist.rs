//! The watchlist: prices with their age.

use std::cmp::Ordering;
use std::fmt::Write;
use std::sync::Arc;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::market::{InstrumentId, Symbol, Timestamp};
use crate::pane::contract::{Action, Command, Context, Effect, Motion, Pane, PaneSpec, Popup};
use crate::pane::cursor::Cursor;
use crate::snapshot::{InstrumentView, Standing, standing};
use crate::widget::{Align, Cell, Column, Role, Table, age, fixed, percent, quantity, range, signed, sparkline};

/// The watchlist.
pub const SPEC: PaneSpec = PaneSpec {
    name: "watchlist",
    sentence: "Prices of what you watch, each with its age and its source.",
    keys: &[],
    commands: &[
        Command { name: "sort", sentence: "Sort by symbol, change, volume, age, or as listed.", keys: &["s"], hint: "sort" },
        Command { name: "reverse", sentence: "Reverse the order.", keys: &["S"], hint: "" },
        Command { name: "remove", sentence: "Take the symbol off the list; its history stays.", keys: &["d"], hint: "remove" },
    ],
    new: |_| Box::new(Watchlist::default()),
};

const COLUMNS: [Column; 11] = [
    Column { title: "symbol", align: Align::Left, rank: 0, may_shorten: true },
    column("last", Align::Right, 0),
    column("change", Align::Right, 4),
    column("change %", Align::Right, 1),
    column("bid", Align::Right, 6),
    column("ask", Align::Right, 6),
    column("volume", Align::Right, 5),
    column("day range", Align::Left, 8),
    column("trend", Align::Left, 7),
    column("source", Align::Left, 3),
    // The mark of a stale price is here: it never goes.
    column("  age", Align::Right, 0),
];
const RANGE: usize = 9;
const TREND: usize = 8;
/// Stands beside the price while trading is halted.
const HALT: &str = "HALT";

const fn column(title: &'static str, align: Align, rank: u8) -> Column {
    Column { title, align, rank, may_shorten: false }
}

#[derive(Default)]
struct Watchlist {
    cursor: Cursor,
    /// Whose row is under the cursor: it stays there when rows move.
    selected: Option<InstrumentId>,
    sort: Sort,
    reversed: bool,
    filter: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Sort {
    #[default]
    List,
    Symbol,
    Change,
    Volume,
    Age,
}

type Row = Arc<InstrumentView>;

impl Sort {
    fn next(self) -> Self {
        match self {
            Self::List => Self::Symbol,
            Self::Symbol => Self::Change,
            Self::Change => Self::Volume,
            Self::Volume => Self::Age,
            Self::Age => Self::List,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::List => "list order",
            Self::Symbol => "symbol",
            Self::Change => "change",
            Self::Volume => "volume",
            Self::Age => "age",
        }
    }

    /// Largest first, where there is a size; what is not known comes last.
    fn order(self, a: &Row, b: &Row) -> Ordering {
        let known = |a: Option<f64>, b: Option<f64>| b.unwrap_or(f64::NEG_INFINITY).total_cmp(&a.unwrap_or(f64::NEG_INFINITY));
        match self {
            Self::List => Ordering::Equal,
            Self::Symbol => a.instrument.symbol.cmp(&b.instrument.symbol),
            Self::Change => known(a.change_pct(), b.change_pct()),
            Self::Volume => known(a.volume, b.volume),
            Self::Age => time(b).cmp(&time(a)),
        }
    }
}

fn time(row: &Row) -> Option<Timestamp> {
    row.last.map(|last| last.ts_event)
}

impl Watchlist {
    /// The rows that match, in order.
    fn rows<'a>(&self, context: &Context<'a>) -> Vec<&'a Row> {
        let wanted = self.filter.to_ascii_uppercase();
        let mut rows: Vec<_> =
            context.view.instruments.iter().filter(|row| row.instrument.symbol.as_str().to_ascii_uppercase().contains(&wanted)).collect();
        if self.sort != Sort::List {
            rows.sort_by(|a, b| self.sort.order(a, b));
        }
        if self.reversed {
            rows.reverse();
        }
        rows
    }

    /// The cursor where its instrument is now.
    fn place(&self, rows: &[&Row], height: usize) -> Cursor {
        let mut cursor = self.cursor;
        let at = self.selected.and_then(|id| rows.iter().position(|row| row.instrument.id == id));
        cursor.set(at.unwrap_or(cursor.at()), rows.len(), height);
        cursor
    }

    fn go(&mut self, motion: Motion, context: &Context<'_>) {
        let rows = self.rows(context);
        let height = rows_in(context.size.1);
        self.cursor = self.place(&rows, height);
        self.cursor.go(motion, rows.len(), height);
        self.selected = rows.get(self.cursor.at()).map(|row| row.instrument.id);
    }

    fn current<'a>(&self, context: &Context<'a>) -> Option<&'a Row> {
        let rows = self.rows(context);
        rows.get(self.place(&rows, rows_in(context.size.1)).at()).copied()
    }

    fn command(&mut self, name: &str, context: &Context<'_>) -> Vec<Effect> {
        match name {
            "sort" => self.sort = self.sort.next(),
            "reverse" => self.reversed = !self.reversed,
            "remove" => {
                return self
                    .current(context)
                    .map(|row| Effect::Open(Popup::RemoveSymbol(row.instrument.symbol.clone())))
                    .into_iter()
                    .collect();
            }
            _ => {}
        }
        Vec::new()
    }
}

/// Rows below the header.
fn rows_in(height: u16) -> usize {
    usize::from(height.saturating_sub(1))
}

impl Pane for Watchlist {
    fn title(&self, context: &Context<'_>) -> String {
        let (shown, all) = (self.rows(context).len(), context.view.instruments.len());
        let mut title = if shown == all { format!("watchlist {all}") } else { format!("watchlist {shown} of {all}") };
        if self.sort != Sort::List || self.reversed {
            let _ = write!(title, " · by {}{}", self.sort.name(), if self.reversed { ", reversed" } else { "" });
        }
        if !self.filter.is_empty() {
            let _ = write!(title, " · /{}", self.filter);
        }
        title
    }

    fn act(&mut self, action: Action<'_>, context: &Context<'_>) -> Vec<Effect> {
        match action {
            Action::Move(motion) => self.go(motion, context),
            Action::Command(name) => return self.command(name, context),
            Action::Filter(text) => text.clone_into(&mut self.filter),
            Action::Open => return self.current(context).map(|row| Effect::Open(Popup::Detail(row.instrument.id))).into_iter().collect(),
            Action::Event(_) => {}
        }
        Vec::new()
    }

    fn render(&self, area: Rect, buf: &mut Buffer, context: &Context<'_>) {
        let rows = self.rows(context);
        if rows.is_empty() {
            let text = if self.filter.is_empty() { "nothing is watched: a adds a symbol" } else { "nothing matches: / changes the filter" };
            buf.set_stringn(area.x, area.y, text, usize::from(area.width), context.theme.style(Role::Dim));
            return;
        }
        let height = rows_in(area.height);
        let cursor = self.place(&rows, height);
        let table = Table {
            columns: &COLUMNS,
            rows: rows[cursor.window(rows.len(), height)].iter().map(|row| cells(row, context)).collect(),
            header: context.theme.style(Role::Dim),
            selected: cursor.in_window(rows.len(), height),
            selection: context.theme.style(Role::Selected),
        };
        table.render(area, buf);
    }

    fn selected(&self, context: &Context<'_>) -> Option<Symbol> {
        self.current(context).map(|row| row.instrument.symbol.clone())
    }

    fn seen(&self, context: &Context<'_>) -> Vec<InstrumentId> {
        let (rows, height) = (self.rows(context), rows_in(context.size.1));
        if rows.len() == context.view.instruments.len() && rows.len() <= height {
            return Vec::new();
        }
        rows[self.place(&rows, height).window(rows.len(), height)].iter().map(|row| row.instrument.id).collect()
    }

    fn ticks(&self, context: &Context<'_>) -> bool {
        context.view.instruments.iter().filter_map(|row| row.last).any(|last| context.now.since(last.ts_event).as_secs() < 60)
    }
}

fn cells(row: &InstrumentView, context: &Context<'_>) -> Vec<Cell> {
    let standing = standing(row, context.view, context.calendars, context.now, context.view.stale_after);
    let stale = standing == Standing::Stale;
    let role_style = |role: Role| context.theme.style(if stale { Role::Dim } else { role });
    let (text, precision) = (role_style(Role::Text), row.precision());
    let price = |value: Option<f64>| value.map_or_else(String::new, |value| fixed(value, precision));
    let change = match row.change() {
        Some(change) if change > 0.0 => role_style(Role::Up),
        Some(change) if change < 0.0 => role_style(Role::Down),
        _ => text,
    };
    vec![
        Cell::new(row.instrument.symbol.as_str(), role_style(Role::Accent)),
        Cell::new(last_text(row), last_style(row, stale, context)),
        Cell::new(row.change().map_or_else(String::new, |change| signed(change, precision)), change),
        Cell::new(row.change_pct().map_or_else(String::new, percent), change),
        Cell::new(price(row.quote.bid), text),
        Cell::new(price(row.quote.ask), text),
        Cell::new(row.volume.map_or_else(String::new, quantity), text),
        Cell::new(day_range(row), role_style(Role::Dim)),
        Cell::new(sparkline(&row.closes.iter().copied(), TREND, false), change),
        Cell::new(row.source.as_ref().map_or("", |source| source.as_str()), role_style(Role::Dim)),
        age_cell(row, standing, context),
    ]
}

/// The last price and what is to be known of it: that trading is halted, or how late the source is.
fn last_text(row: &InstrumentView) -> String {
    let last = row.last.map_or_else(|| "-".to_owned(), |last| fixed(last.value, row.precision()));
    let mark = match (&row.halt, row.last) {
        (Some(_), _) => HALT.to_owned(),
        (None, Some(_)) => row.delay.mark(),
        (None, None) => String::new(),
    };
    if mark.is_empty() { last } else { format!("{last} {mark}") }
}

/// The last price shows which way it moved, as long as that is news.
fn last_style(row: &InstrumentView, stale: bool, context: &Context<'_>) -> Style {
    let fresh = row.last.is_some_and(|last| context.now.since(last.confirmed).as_millis() < 1_000);
    match row.tick {
        _ if row.halt.is_some() => context.theme.style(Role::Warning),
        _ if stale => context.theme.style(Role::Dim),
        1 if fresh => context.theme.style(Role::Up),
        -1 if fresh => context.theme.style(Role::Down),
        _ => context.theme.style(Role::Text),
    }
}

/// How old the price is: `!` before it when it is stale.
fn age_cell(row: &InstrumentView, standing: Standing, context: &Context<'_>) -> Cell {
    let Some(last) = row.last else { return Cell::new("no price", context.theme.style(Role::Dim)) };
    let old = age(context.now.since(last.ts_event));
    match standing {
        Standing::Stale => Cell::new(format!("! {old}"), context.theme.style(Role::Warning)),
        Standing::Quiet => Cell::new(format!("quiet {old}"), context.theme.style(Role::Dim)),
        Standing::Fresh | Standing::Empty => Cell::new(old, context.theme.style(Role::Text)),
    }
}

fn day_range(row: &InstrumentView) -> String {
    match (row.day_low, row.day_high, row.last) {
        (Some(low), Some(high), Some(last)) => range(low, high, last.value, RANGE),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::{Delay, Instrument};
    use crate::pane::segments::screens::World;
    use crate::snapshot::Price;

    fn world(halt: Option<&str>, delay: Delay) -> World {
        let mut world = World::new("2026-11-25T15:42:30Z");
        let mut row = InstrumentView::new(Instrument::listed(InstrumentId(1), "AAPL".parse().unwrap()));
        row.last = Some(Price { value: 1_201.5, ts_event: world.now, confirmed: world.now });
        row.delay = delay;
        row.halt = halt.map(Into::into);
        world.view.instruments = vec![Arc::new(row)];
        world
    }

    #[test]
    fn a_halt_stands_beside_the_price_at_every_width() {
        for delay in [Delay::RealTime, Delay::Seconds(900)] {
            let world = world(Some("news pending"), delay);
            for width in 30..=160 {
                let drawn = world.draw(&Watchlist::default(), width, 4);
                assert!(!drawn.contains("1,201.50") || drawn.contains("1,201.50 HALT"), "at {width} columns:\n{drawn}");
            }
            assert!(world.draw(&Watchlist::default(), 60, 4).contains("1,201.50 HALT"));
        }
        let drawn = world(None, Delay::Seconds(900)).draw(&Watchlist::default(), 60, 4);
        assert!(drawn.contains("1,201.50 D15") && !drawn.contains(HALT), "{drawn}");
    }

    #[test]
    fn a_halt_without_a_price_is_shown_too() {
        let mut world = world(Some(""), Delay::RealTime);
        let mut row = (*world.view.instruments[0]).clone();
        row.last = None;
        assert_eq!(last_text(&row), "- HALT");
        row.halt = None;
        assert_eq!(last_text(&row), "-");
        world.view.instruments = vec![Arc::new(row)];
        assert!(world.draw(&Watchlist::default(), 60, 4).contains("no price"));
    }
}
