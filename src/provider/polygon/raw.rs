//! Members of JSON as they were written, whatever type was promised.

use std::borrow::Cow;

use crate::provider::wire::{Figure, number};

/// A member as it was written; `None` when it is missing or null.
pub type Raw<'a> = Option<Figure<'a>>;

/// A count, which may be written with a point.
#[must_use]
pub fn count(raw: Raw<'_>) -> Option<u64> {
    let digits = raw?.0.get().trim_matches('"');
    digits.strip_suffix(".0").unwrap_or(digits).parse().ok()
}

/// A text; `None` when it is something else.
#[must_use]
pub fn text(raw: Raw<'_>) -> Option<Cow<'_, str>> {
    let written = raw?.0.get();
    match serde_json::from_str::<&str>(written) {
        Ok(plain) => Some(Cow::Borrowed(plain)),
        Err(_) => serde_json::from_str::<String>(written).ok().map(Cow::Owned),
    }
}

/// A text or a number, as a text that is not empty: ids are one here and the other there.
#[must_use]
pub fn word(raw: Raw<'_>) -> Option<Cow<'_, str>> {
    let bare = || raw.filter(|_| number(raw).is_some()).map(|raw| Cow::Borrowed(raw.0.get()));
    text(raw).or_else(bare).filter(|word| !word.trim().is_empty())
}

/// A list of codes; one alone is a list too.
#[must_use]
pub fn codes(raw: Raw<'_>) -> Vec<u32> {
    let Some(raw) = raw else { return Vec::new() };
    let list = serde_json::from_str::<Vec<u32>>(raw.0.get());
    list.unwrap_or_else(|_| raw.0.get().parse::<u32>().ok().into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::unnecessary_wraps, reason = "a member that is there")]
    fn raw(text: &str) -> Raw<'_> {
        Some(serde_json::from_str(text).expect("JSON"))
    }

    #[test]
    fn members_are_read_whatever_their_type() {
        assert_eq!((count(raw("12.0")), count(raw("12")), count(raw("12.5"))), (Some(12), Some(12), None));
        assert_eq!((codes(raw("[37,12]")), codes(raw("1")), codes(raw("\"x\"")), codes(None)), (vec![37, 12], vec![1], vec![], vec![]));
        assert_eq!((word(raw("4")).as_deref(), word(raw("\"12\"")).as_deref(), word(raw("\"\""))), (Some("4"), Some("12"), None));
    }
}
