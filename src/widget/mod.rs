//! Drawing that knows no market: roles of colours, numbers, tables, small charts.

mod chart;
mod number;
mod table;
mod theme;

pub use chart::{bar, range, sparkline};
pub use number::{age, bytes, countdown, fixed, percent, quantity, signed};
pub use table::{Align, Cell, Column, Table};
pub use theme::{Depth, Role, Theme};
