//! What a format is.

use std::io::{self, Write};

use crate::market::Timestamp;
use crate::request::ExportFormat;

/// A format describes itself.
pub struct FormatSpec {
    pub format: ExportFormat,
    pub sentence: &'static str,
    pub new: fn(&'static [&'static str]) -> Box<dyn Format>,
}

/// Rows are written here.
pub type Sink<'a> = &'a mut dyn Write;

/// One file being written.
pub trait Format: Send {
    /// What stands before the rows.
    fn begin(&mut self, sink: Sink<'_>) -> io::Result<()>;

    /// One row, in the order of the columns.
    fn row(&mut self, sink: Sink<'_>, values: &[Value]) -> io::Result<()>;
}

/// One cell.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Not known: empty, or null.
    Empty,
    Text(String),
    Number(f64),
    Whole(i64),
    Flag(bool),
    Time(Timestamp),
}

impl Value {
    /// As a cell of text: the shortest digits that read back the same.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Empty => String::new(),
            Self::Text(text) => text.clone(),
            Self::Number(number) => number.to_string(),
            Self::Whole(number) => number.to_string(),
            Self::Flag(flag) => flag.to_string(),
            Self::Time(time) => time.to_string(),
        }
    }

    /// As JSON; a number that is none becomes null.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        match self {
            Self::Empty => serde_json::Value::Null,
            Self::Text(text) => text.as_str().into(),
            Self::Number(number) => serde_json::Number::from_f64(*number).map_or(serde_json::Value::Null, Into::into),
            Self::Whole(number) => (*number).into(),
            Self::Flag(flag) => (*flag).into(),
            Self::Time(time) => time.to_string().into(),
        }
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Empty, Into::into)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        i64::try_from(number).map_or(Self::Empty, Self::Whole)
    }
}

impl From<Timestamp> for Value {
    fn from(time: Timestamp) -> Self {
        Self::Time(time)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(crate::market::clean(text).into_owned())
    }
}
