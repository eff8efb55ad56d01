//! Where panes stand. A small screen has fewer of them; the one that has the keys is always there.

use ratatui::layout::Rect;

/// A layout: which panes, the most important first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    pub name: &'static str,
    pub sentence: &'static str,
    panes: &'static [&'static str],
}

/// Every layout; the first is the default.
pub const LAYOUTS: &[Layout] = &[
    Layout {
        name: "overview",
        sentence: "Everything that fits: prices, clocks, feeds, alerts, jobs, logs.",
        panes: &["watchlist", "market", "ingestion", "alerts", "logs", "jobs"],
    },
    Layout { name: "watchlist", sentence: "Prices, with the alerts below.", panes: &["watchlist", "alerts"] },
    Layout {
        name: "operations",
        sentence: "What the recorder does: feeds, jobs, alerts, logs.",
        panes: &["ingestion", "jobs", "alerts", "logs"],
    },
];

/// Smaller than this says so instead.
pub const SMALLEST: (u16, u16) = (40, 10);

/// Whether a screen has no room for anything.
#[must_use]
pub fn is_too_small((width, height): (u16, u16)) -> bool {
    width < SMALLEST.0 || height < SMALLEST.1
}

impl Layout {
    /// The pane that gets the keys first.
    #[must_use]
    pub fn first(&self, names: &[&'static str]) -> Option<usize> {
        names.iter().position(|name| self.panes.first() == Some(name))
    }

    /// The panes that have room in `area`, each with its place; `focus` is among them.
    #[must_use]
    pub fn arrange(&self, area: Rect, names: &[&'static str], focus: usize) -> Vec<(usize, Rect)> {
        let wanted = self.panes.iter().filter_map(|name| names.iter().position(|known| known == name));
        let mut panes: Vec<usize> = wanted.take(room(area)).collect();
        if !panes.contains(&focus) {
            panes.pop();
            panes.push(focus);
        }
        let places = places(area, panes.len());
        panes.into_iter().zip(places).collect()
    }
}

/// How many panes have room.
fn room(area: Rect) -> usize {
    match (area.width, area.height) {
        (140.., 40..) => 6,
        (110.., 26..) => 5,
        (76.., 18..) => 3,
        (_, 14..) => 2,
        _ => 1,
    }
}

/// ```text
/// 1        2          3             4              5              6
/// ┌──────┐ ┌────────┐ ┌──────────┐  ┌─────┬────┐  ┌─────┬────┐   ┌──────┬─────┐
/// │  0   │ │   0    │ │    0     │  │  0  │ 1  │  │  0  │ 1  │   │      │  1  │
/// │      │ ├────────┤ ├─────┬────┤  ├─────┼────┤  │     ├────┤   │  0   ├─────┤
/// └──────┘ │   1    │ │  1  │ 2  │  │  2  │ 3  │  │     │ 2  │   │      │  2  │
///          └────────┘ └─────┴────┘  └─────┴────┘  ├─────┼────┤   ├────┬─┴─┬───┤
///                                                 │  3  │ 4  │   │ 3  │ 4 │ 5 │
///                                                 └─────┴────┘   └────┴───┴───┘
/// ```
fn places(area: Rect, count: usize) -> Vec<Rect> {
    let (top, bottom) = split_rows(area, 58);
    match count {
        0 | 1 => vec![area],
        2 => vec![top, bottom],
        3 => {
            let (left, right) = split_columns(bottom, 50);
            vec![top, left, right]
        }
        4 => {
            let ((a, b), (c, d)) = (split_columns(top, 55), split_columns(bottom, 55));
            vec![a, b, c, d]
        }
        5 => {
            let (left, right) = split_columns(top, 62);
            let (upper, lower) = split_rows(right, 45);
            let (c, d) = split_columns(bottom, 55);
            vec![left, upper, lower, c, d]
        }
        _ => {
            let (top, bottom) = split_rows(area, 68);
            let (left, right) = split_columns(top, 68);
            let (upper, lower) = split_rows(right, 40);
            let (c, rest) = split_columns(bottom, 46);
            let (d, e) = split_columns(rest, 55);
            vec![left, upper, lower, c, d, e]
        }
    }
}

fn split_rows(area: Rect, percent: u16) -> (Rect, Rect) {
    let height = share(area.height, percent);
    (Rect { height, ..area }, Rect { y: area.y + height, height: area.height - height, ..area })
}

fn split_columns(area: Rect, percent: u16) -> (Rect, Rect) {
    let width = share(area.width, percent);
    (Rect { width, ..area }, Rect { x: area.x + width, width: area.width - width, ..area })
}

fn share(whole: u16, percent: u16) -> u16 {
    u16::try_from(u32::from(whole) * u32::from(percent) / 100).unwrap_or(whole)
}
