//! Rows as Alpha Vantage writes them: every figure is text, and members have numbers before their names.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::value::RawValue;

use crate::market::clean;
use crate::provider::contract::ProviderError;
use crate::provider::wire::{Text, amount, number, positive};

/// An object, by the names of its members.
pub(crate) type Members<'a> = BTreeMap<Text<'a>, &'a RawValue>;

/// Cells of a row by their names, whatever they were written in: `5. volume` and the column `volume` are the same.
#[derive(Debug, Default)]
pub(crate) struct Cells<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Cells<'a> {
    /// The members of an object that are texts or figures; `None` when it is no object.
    pub(crate) fn of_object(object: &'a RawValue) -> Option<Self> {
        let members: Members<'a> = serde_json::from_str(object.get()).ok()?;
        let cell = |(name, value): (Text<'a>, &'a RawValue)| Some((unnumbered(name.0), content(value)?));
        Some(Self(members.into_iter().filter_map(cell).collect()))
    }

    /// A line of text below its header.
    pub(crate) fn of_line(header: &[String], line: &csv::StringRecord) -> Cells<'static> {
        let cell = |(name, value): (&String, &str)| (Cow::Owned(name.clone()), Cow::Owned(value.trim().to_owned()));
        Cells(header.iter().zip(line.iter()).map(cell).collect())
    }

    /// What stands in a cell, unless it stands for nothing.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        let (_, value) = self.0.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        (!is_nothing(value)).then_some(&**value)
    }

    /// The same, made safe to show.
    pub(crate) fn words(&self, name: &str) -> Option<String> {
        let words = clean(self.text(name)?).trim().to_owned();
        (!words.is_empty()).then_some(words)
    }

    /// A figure.
    pub(crate) fn number(&self, name: &str) -> Option<f64> {
        number(self.text(name)?.trim().parse::<f64>().ok())
    }

    /// A figure that a bar cannot do without; no number where it is there and cannot be read.
    pub(crate) fn told(&self, name: &str) -> Option<f64> {
        self.text(name).map(|text| number(text.trim().parse::<f64>().ok()).unwrap_or(f64::NAN))
    }

    /// A price: 0 stands for what is not known.
    pub(crate) fn positive(&self, name: &str) -> Option<f64> {
        positive(self.number(name))
    }

    /// A volume.
    pub(crate) fn amount(&self, name: &str) -> Option<f64> {
        amount(self.number(name))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The words for what is not known.
pub(crate) fn is_nothing(text: &str) -> bool {
    matches!(text.trim(), "" | "None" | "none" | "null" | "-")
}

/// The members of a body; `what` is for the error.
pub(crate) fn members<'a>(body: &'a [u8], what: &str) -> Result<Members<'a>, ProviderError> {
    serde_json::from_slice(body).map_err(|_| ProviderError::malformed(format!("{what}: the answer is no object"), body))
}

/// The rows of the list of that name; none where an empty object says that there is nothing.
pub(crate) fn rows<'a>(body: &'a [u8], list: &str, what: &str) -> Result<Vec<Cells<'a>>, ProviderError> {
    let members = members(body, what)?;
    if members.is_empty() {
        return Ok(Vec::new());
    }
    let rows = members.iter().find(|(name, _)| name.as_str() == list).map(|(_, rows)| *rows);
    let rows = rows.ok_or_else(|| ProviderError::malformed(format!("{what}: there is no {list}"), body))?;
    elements(rows).ok_or_else(|| ProviderError::malformed(format!("{what}: {list} is no list"), body))
}

/// The elements of a list, as rows; one that is no object is an empty row.
pub(crate) fn elements<'a>(list: &'a RawValue) -> Option<Vec<Cells<'a>>> {
    let elements: Vec<&'a RawValue> = serde_json::from_str(list.get()).ok()?;
    Some(elements.into_iter().map(|element| Cells::of_object(element).unwrap_or_default()).collect())
}

/// The lines of a text with a header, which one of `columns` has to be in. A line that cannot be read does not cost the others.
pub(crate) fn lines(body: &[u8], columns: &[&str], what: &str) -> Result<Vec<Cells<'static>>, ProviderError> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(body);
    let read = |header: &csv::StringRecord| header.iter().map(|name| name.trim().to_owned()).collect::<Vec<_>>();
    let header = reader.headers().map(read).unwrap_or_default();
    if !header.iter().any(|name| columns.iter().any(|column| name.eq_ignore_ascii_case(column))) {
        return Err(ProviderError::malformed(format!("{what}: the text has not the columns that it should have"), body));
    }
    Ok(reader.records().filter_map(Result::ok).map(|line| Cells::of_line(&header, &line)).collect())
}

/// A name without the number before it.
fn unnumbered(name: Cow<'_, str>) -> Cow<'_, str> {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match name.split_once(". ").filter(|(number, _)| is_number(number)).map(|(_, rest)| rest.to_owned()) {
        Some(rest) => Cow::Owned(rest),
        None => name,
    }
}

/// What a text or a figure says; `None` for what has members or elements.
fn content(value: &RawValue) -> Option<Cow<'_, str>> {
    let written = value.get();
    match written.as_bytes().first()? {
        b'"' => serde_json::from_str::<Text<'_>>(written).ok().map(|text| text.0),
        b'{' | b'[' | b'n' => None,
        _ => Some(Cow::Borrowed(written)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_before_names_say_nothing() {
        let body = r#"{"05. price":"301.2","price":"1","10. change percent":"-0.5%","N. other":"x","6. volume":412,"7. gone":null}"#;
        let raw: &RawValue = serde_json::from_str(body).expect("an object");
        let cells = Cells::of_object(raw).expect("an object");
        assert_eq!(cells.number("price"), Some(301.2));
        assert_eq!((cells.text("change percent"), cells.amount("volume")), (Some("-0.5%"), Some(412.0)));
        assert_eq!((cells.text("gone"), cells.text("other")), (None, None));
    }

    #[test]
    fn a_header_alone_is_no_line_and_no_header_is_an_error() {
        assert!(lines(b"timestamp,open\r\n", &["timestamp"], "x").expect("a header").is_empty());
        assert!(lines(b"nothing of the kind\r\n1,2\r\n", &["timestamp"], "x").is_err());
        let read = lines(b"timestamp,open,volume\r\n2026-11-20,1.5,null\r\n", &["time", "timestamp"], "x").expect("lines");
        assert_eq!((read[0].text("timestamp"), read[0].number("open"), read[0].number("volume")), (Some("2026-11-20"), Some(1.5), None));
    }
}
