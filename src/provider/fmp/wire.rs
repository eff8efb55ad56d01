//! Numbers, texts, times and lists as Financial Modeling Prep writes them.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::market::{Date, TimeOfDay, Timestamp, clean};
use crate::provider::contract::ProviderError;

/// How much of a bad answer is kept.
const EXCERPT: usize = 300;

/// Text that is borrowed where it has no escapes, inside an `Option` too.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub struct Text<'a>(#[serde(borrow)] pub Cow<'a, str>);

/// A number as it was written, bare or as text: what it is worth is read from its digits.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(transparent)]
pub struct Figure<'a>(#[serde(borrow)] pub &'a RawValue);

impl Text<'_> {
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'a> Figure<'a> {
    /// The nearest number to its digits; `None` when it is no number, or too large for one.
    #[must_use]
    pub fn value(self) -> Option<f64> {
        self.digits().parse::<f64>().ok().filter(|number| number.is_finite())
    }

    /// What stands before its point.
    #[must_use]
    pub fn whole(self) -> Option<i64> {
        let digits = self.digits();
        digits.split_once('.').map_or(digits, |(whole, _)| whole).parse().ok()
    }

    /// How many digits stand behind its point; `None` where it is written with an exponent.
    #[must_use]
    pub fn places(self) -> Option<usize> {
        let digits = self.digits();
        (!digits.contains(['e', 'E'])).then(|| digits.split_once('.').map_or(0, |(_, behind)| behind.len()))
    }

    fn digits(self) -> &'a str {
        self.0.get().trim_matches('"')
    }
}

/// A figure, where it is a number.
pub(crate) fn number(figure: Option<Figure<'_>>) -> Option<f64> {
    figure.and_then(Figure::value)
}

/// A price, where it is one: 0 stands for what is not known.
pub(crate) fn positive(figure: Option<Figure<'_>>) -> Option<f64> {
    number(figure).filter(|number| *number > 0.0)
}

/// A volume or size, where it is one.
pub(crate) fn amount(figure: Option<Figure<'_>>) -> Option<f64> {
    number(figure).filter(|number| *number >= 0.0)
}

/// Unix time in seconds, or in thousandths, millionths or thousand-millionths of one: its size tells which.
pub(crate) fn instant(figure: Option<Figure<'_>>) -> Option<Timestamp> {
    let count = figure.and_then(Figure::whole).filter(|count| *count > 0)?;
    Some(match count {
        ..=100_000_000_000 => Timestamp::from_seconds(count),
        100_000_000_001..=100_000_000_000_000 => Timestamp::from_millis(count),
        100_000_000_000_001..=100_000_000_000_000_000 => Timestamp::from_micros(count),
        _ => Timestamp::from_micros(count / 1_000),
    })
}

/// `2026-11-20 09:30:00`, where it is a whole minute.
pub(crate) fn wall_clock(text: &str) -> Option<(Date, TimeOfDay)> {
    let (date, time) = text.split_once([' ', 'T'])?;
    let (minute, seconds) = time.split_at_checked(5)?;
    matches!(seconds, "" | ":00").then_some(())?;
    Some((date.parse().ok()?, minute.parse().ok()?))
}

/// The rows of a list. One that is not what it should be is `None` and does not cost the others.
pub(crate) fn rows<'a, T: Deserialize<'a>>(body: &'a [u8], what: &str) -> Result<Vec<Option<T>>, ProviderError> {
    let rows: Vec<&'a RawValue> = serde_json::from_slice(body).map_err(|_| malformed(format!("{what}: the answer is no list"), body))?;
    Ok(rows.into_iter().map(|row| serde_json::from_str(row.get()).ok()).collect())
}

/// An answer that is not what it should be, with its beginning.
pub(crate) fn malformed(message: String, body: &[u8]) -> ProviderError {
    let start = &body[..body.len().min(EXCERPT)];
    ProviderError::Malformed { message, payload: clean(&String::from_utf8_lossy(start)).into_owned() }
}
