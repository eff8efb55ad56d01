//! Members of JSON as they were written: numbers are read from their digits, whatever type was promised.

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::market::Timestamp;

/// A member as it was written; `None` when it is missing or null.
pub type Raw<'a> = Option<&'a RawValue>;

/// The nearest number to the digits, bare or as text; `None` when it is none.
#[must_use]
pub fn number(raw: Raw<'_>) -> Option<f64> {
    digits(raw)?.parse::<f64>().ok().filter(|number| number.is_finite())
}

/// A price, where it is one: zeros mean that there is none yet.
#[must_use]
pub fn positive(raw: Raw<'_>) -> Option<f64> {
    number(raw).filter(|number| *number > 0.0)
}

/// A volume or size, where it is one.
#[must_use]
pub fn amount(raw: Raw<'_>) -> Option<f64> {
    number(raw).filter(|number| *number >= 0.0)
}

/// A count, which may be written with a point.
#[must_use]
pub fn count(raw: Raw<'_>) -> Option<u64> {
    let digits = digits(raw)?;
    digits.strip_suffix(".0").unwrap_or(digits).parse().ok()
}

/// An instant, whatever its unit: some are not what the documentation says.
#[must_use]
pub fn instant(raw: Raw<'_>) -> Option<Timestamp> {
    let time: i64 = digits(raw)?.parse().ok()?;
    (time > 0).then(|| match time {
        ..100_000_000_000 => Timestamp::from_seconds(time),
        100_000_000_000..100_000_000_000_000 => Timestamp::from_millis(time),
        100_000_000_000_000..100_000_000_000_000_000 => Timestamp::from_micros(time),
        _ => Timestamp::from_micros(time / 1_000),
    })
}

/// A text; `None` when it is something else.
#[must_use]
pub fn text(raw: Raw<'_>) -> Option<Cow<'_, str>> {
    let written = raw?.get();
    match serde_json::from_str::<&str>(written) {
        Ok(plain) => Some(Cow::Borrowed(plain)),
        Err(_) => serde_json::from_str::<String>(written).ok().map(Cow::Owned),
    }
}

/// A text or a number, as a text that is not empty: ids are one here and the other there.
#[must_use]
pub fn word(raw: Raw<'_>) -> Option<Cow<'_, str>> {
    let bare = || raw.filter(|_| number(raw).is_some()).map(|raw| Cow::Borrowed(raw.get()));
    text(raw).or_else(bare).filter(|word| !word.trim().is_empty())
}

/// A list of codes; one alone is a list too.
#[must_use]
pub fn codes(raw: Raw<'_>) -> Vec<u32> {
    let Some(raw) = raw else { return Vec::new() };
    let list = serde_json::from_str::<Vec<u32>>(raw.get());
    list.unwrap_or_else(|_| raw.get().parse::<u32>().ok().into_iter().collect())
}

fn digits(raw: Raw<'_>) -> Option<&str> {
    Some(raw?.get().trim_matches('"'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::unnecessary_wraps, reason = "a member that is there")]
    fn raw(text: &str) -> Raw<'_> {
        Some(serde_json::from_str::<&RawValue>(text).expect("JSON"))
    }

    #[test]
    fn numbers_are_read_as_they_were_written() {
        for (text, expected) in [("1.35647456e+08", Some(135_647_456.0)), ("12.0", Some(12.0)), ("\"0.25\"", Some(0.25)), ("\"x\"", None)] {
            assert_eq!(number(raw(text)), expected, "{text}");
        }
        assert_eq!((count(raw("12.0")), count(raw("12")), count(raw("12.5"))), (Some(12), Some(12), None));
        assert_eq!((positive(raw("0")), amount(raw("0")), amount(raw("-1"))), (None, Some(0.0), None));
        assert_eq!((codes(raw("[37,12]")), codes(raw("1")), codes(raw("\"x\"")), codes(None)), (vec![37, 12], vec![1], vec![], vec![]));
        assert_eq!((word(raw("4")).as_deref(), word(raw("\"12\"")).as_deref(), word(raw("\"\""))), (Some("4"), Some("12"), None));
    }

    #[test]
    fn the_unit_of_a_time_is_its_magnitude() {
        let expected = Some(Timestamp::from_seconds(1_795_176_000));
        for text in ["1795176000", "1795176000000", "1795176000000000", "1795176000000000000"] {
            assert_eq!(instant(raw(text)), expected, "{text}");
        }
        assert_eq!((instant(raw("0")), instant(raw("\"soon\"")), instant(None)), (None, None, None));
    }
}
