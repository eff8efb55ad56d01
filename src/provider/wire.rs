//! What sources write into JSON, read the same way for all of them: texts, numbers bare or quoted, instants of any unit. It asks nothing.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::market::{Quote, Timestamp, clean};

/// Text that is borrowed where it has no escapes, inside an `Option` too.
#[derive(Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(transparent)]
pub struct Text<'a>(#[serde(borrow)] pub Cow<'a, str>);

/// A number as it was written, bare or as text: what it is worth is read from its digits.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(transparent)]
pub struct Figure<'a>(#[serde(borrow)] pub &'a RawValue);

/// What stands where a number belongs.
pub trait Written: Copy {
    /// The nearest number; `None` when it is none, or too large for one.
    fn value(self) -> Option<f64>;
}

/// A figure, where it is a number.
#[must_use]
pub fn number(written: Option<impl Written>) -> Option<f64> {
    written.and_then(Written::value)
}

/// A figure that a bar cannot do without: what is there and cannot be read is no number, which is refused where bars are judged, and
/// kept with the reason; only what is missing is `None`.
#[must_use]
pub fn told(written: Option<impl Written>) -> Option<f64> {
    written.map(|written| written.value().unwrap_or(f64::NAN))
}

/// A price, where it is one: 0 stands for what is not known.
#[must_use]
pub fn positive(written: Option<impl Written>) -> Option<f64> {
    number(written).filter(|number| *number > 0.0)
}

/// A volume or size, where it is one.
#[must_use]
pub fn amount(written: Option<impl Written>) -> Option<f64> {
    number(written).filter(|number| *number >= 0.0)
}

/// Price and size of both sides of the book's top; `None` when neither can be used.
#[must_use]
pub fn quote<W: Written>(bid: (Option<W>, Option<W>), ask: (Option<W>, Option<W>)) -> Option<Quote> {
    let ((bid, bid_size), (ask, ask_size)) = (level(bid), level(ask));
    (bid.is_some() || ask.is_some()).then_some(Quote { bid, bid_size, ask, ask_size })
}

/// A side that is empty is sent with zeros; a size that is negative or no number spoils its level.
fn level<W: Written>((price, size): (Option<W>, Option<W>)) -> (Option<f64>, Option<f64>) {
    let (price, amount) = (positive(price), amount(size));
    if price.is_none() || (size.is_some() && amount.is_none()) { (None, None) } else { (price, amount) }
}

/// Unix time in seconds, or in thousandths, millionths or thousand-millionths of one: its size tells which, for some are not what their
/// documentation says.
#[must_use]
pub fn instant(figure: Option<Figure<'_>>) -> Option<Timestamp> {
    let count = figure.and_then(Figure::whole).filter(|count| *count > 0)?;
    Some(match count {
        ..100_000_000_000 => Timestamp::from_seconds(count),
        100_000_000_000..100_000_000_000_000 => Timestamp::from_millis(count),
        100_000_000_000_000..100_000_000_000_000_000 => Timestamp::from_micros(count),
        _ => Timestamp::from_micros(count / 1_000),
    })
}

/// A text as it stands, where it says something.
#[must_use]
pub fn said<'t>(text: Option<&'t Text<'_>>) -> Option<&'t str> {
    text.map(|text| text.as_str().trim()).filter(|text| !text.is_empty())
}

/// The same, fit to be shown and kept.
#[must_use]
pub fn words(text: Option<&Text<'_>>) -> Option<String> {
    said(text).map(|text| clean(text).trim().to_owned()).filter(|words| !words.is_empty())
}

/// Whether a body is JSON, whatever was asked for.
#[must_use]
pub fn is_json(body: &[u8]) -> bool {
    matches!(body.trim_ascii_start().first(), Some(b'{' | b'['))
}

impl Text<'_> {
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'a> Figure<'a> {
    /// What stands before its point; `None` where it is written with an exponent.
    #[must_use]
    pub fn whole(self) -> Option<i64> {
        let digits = self.digits();
        if digits.contains(['e', 'E']) {
            return None;
        }
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

impl Written for Figure<'_> {
    fn value(self) -> Option<f64> {
        self.digits().parse::<f64>().ok().filter(|number| number.is_finite())
    }
}

impl Written for &Text<'_> {
    fn value(self) -> Option<f64> {
        self.0.parse::<f64>().ok().filter(|number| number.is_finite())
    }
}

impl Written for f64 {
    fn value(self) -> Option<f64> {
        Some(self).filter(|number| number.is_finite())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::unnecessary_wraps, reason = "a member that is there")]
    fn figure(text: &str) -> Option<Figure<'_>> {
        Some(serde_json::from_str(text).expect("JSON"))
    }

    #[test]
    fn numbers_are_read_as_they_were_written() {
        for (text, expected) in [("1.35647456e+08", Some(135_647_456.0)), ("12.0", Some(12.0)), ("\"0.25\"", Some(0.25)), ("\"x\"", None)] {
            assert_eq!(number(figure(text)), expected, "{text}");
        }
        assert_eq!((positive(figure("0")), amount(figure("0")), amount(figure("-1"))), (None, Some(0.0), None));
        assert_eq!((number(figure("1e999")), number(Some(f64::NAN)), number(None::<f64>)), (None, None, None));
        assert_eq!(number(Some(&Text("64250.01".into()))), Some(64_250.01));
        assert!(told(figure("\"cheap\"")).is_some_and(f64::is_nan) && told(figure("1e999")).is_some_and(f64::is_nan));
        assert_eq!((told(figure("1")), told(None::<f64>)), (Some(1.0), None));
    }

    #[test]
    fn the_unit_of_a_time_is_its_magnitude() {
        let expected = Some(Timestamp::from_seconds(1_795_176_000));
        for text in ["1795176000", "\"1795176000.25\"", "1795176000000", "1795176000000000", "1795176000000000000"] {
            assert_eq!(instant(figure(text)), expected, "{text}");
        }
        assert_eq!((instant(figure("0")), instant(figure("\"soon\"")), instant(figure("1.795176e9"))), (None, None, None));
    }

    #[test]
    fn a_bad_size_spoils_its_side_of_the_book_only() {
        let both = quote((Some(10.0), Some(1.0)), (Some(10.5), Some(-1.0)));
        assert_eq!(both, Some(Quote { bid: Some(10.0), bid_size: Some(1.0), ask: None, ask_size: None }));
        assert_eq!(quote((Some(0.0), Some(0.0)), (None, Some(1.0))), None);
        let unsized_bid = quote((Some(10.0), None), (None, None));
        assert_eq!(unsized_bid, Some(Quote { bid: Some(10.0), bid_size: None, ask: None, ask_size: None }));
    }
}
