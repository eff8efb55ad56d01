//! Series of bars in the forms that they come in, JSON or text, with one kind of row in the end.

use serde_json::value::RawValue;

use crate::market::Zone;
use crate::provider::alpha_vantage::wire::{Cells, Members, elements, lines, members};
use crate::provider::contract::ProviderError;
use crate::provider::wire::is_json;

/// What the first column is called in texts, and the label in lists: "API Documentation", <https://www.alphavantage.co/documentation/>.
/// The second is of the slices that were retired.
const LABELS: [&str; 3] = ["timestamp", "time", "date"];

/// The member beside the series.
const META: &str = "Meta Data";

/// A series as it was sent.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Series {
    /// Whose clock its labels are of, where that is said.
    pub(crate) zone: Option<Zone>,
    pub(crate) rows: Vec<Row>,
}

/// A row with all of its prices.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    /// `2026-11-20`, with a time of day where it is shorter than a day.
    pub(crate) label: String,
    pub(crate) open: f64,
    pub(crate) high: f64,
    pub(crate) low: f64,
    pub(crate) close: f64,
    /// Left out at times, and for indices always.
    pub(crate) volume: Option<f64>,
    /// What a share is paid on that day, in adjusted series only; 0 is nothing.
    pub(crate) dividend: Option<f64>,
    /// How many shares one becomes on that day, in adjusted series only; 1 on most days.
    pub(crate) split: Option<f64>,
}

/// Reads a body; a row with a hole in it is left out, and an empty object has no rows.
pub(crate) fn series(body: &[u8], what: &str) -> Result<Series, ProviderError> {
    if !is_json(body) {
        let rows = lines(body, &LABELS, what)?.iter().filter_map(labelled).collect();
        return Ok(Series { zone: None, rows });
    }
    let members = members(body, what)?;
    if members.is_empty() {
        return Ok(Series::default());
    }
    let data = members.iter().find(|(name, value)| name.as_str() != META && is_nested(value)).map(|(_, data)| *data);
    let data = data.ok_or_else(|| ProviderError::malformed(format!("{what}: there is no series"), body))?;
    let rows = match elements(data) {
        Some(elements) => elements.iter().filter_map(labelled).collect(),
        None => by_label(data).ok_or_else(|| ProviderError::malformed(format!("{what}: the series has no rows"), body))?,
    };
    let zone = zone(&members).map_err(|()| ProviderError::malformed(format!("{what}: the time zone cannot be read"), body))?;
    Ok(Series { zone, rows })
}

fn is_nested(value: &RawValue) -> bool {
    value.get().starts_with(['{', '['])
}

/// An object whose members are called by their labels.
fn by_label(data: &RawValue) -> Option<Vec<Row>> {
    let rows: Members<'_> = serde_json::from_str(data.get()).ok()?;
    Some(rows.iter().filter_map(|(label, cells)| row(label.as_str(), &Cells::of_object(cells)?)).collect())
}

/// A row that has its label in a cell.
fn labelled(cells: &Cells<'_>) -> Option<Row> {
    let label = LABELS.iter().find_map(|name| cells.text(name))?;
    row(label, cells)
}

/// The one place where cells become prices; a volume that is no number is no volume.
fn row(label: &str, cells: &Cells<'_>) -> Option<Row> {
    Some(Row {
        label: label.to_owned(),
        open: cells.told("open")?,
        high: cells.told("high")?,
        low: cells.told("low")?,
        close: cells.told("close")?,
        volume: cells.number("volume"),
        dividend: cells.positive("dividend amount").or_else(|| cells.positive("dividend_amount")),
        split: cells.positive("split coefficient").or_else(|| cells.positive("split_coefficient")),
    })
}

/// The zone that is named, if one is. What cannot be read must not stand for New York.
fn zone(members: &Members<'_>) -> Result<Option<Zone>, ()> {
    let meta = members.iter().find(|(name, _)| name.as_str() == META).map(|(_, meta)| *meta);
    let cells = meta.and_then(Cells::of_object).unwrap_or_default();
    cells.text("Time Zone").map(|name| name.trim().parse::<Zone>().map_err(|_| ())).transpose()
}
