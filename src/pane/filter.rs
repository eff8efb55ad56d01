//! What is typed after `/`, held against the texts of a row.

/// Which rows are shown: those with the text in one of their cells, in any case of letters; without a text all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filter(String);

impl Filter {
    /// The filter for a text as typed.
    pub(crate) fn new(text: &str) -> Self {
        Self(text.trim().to_lowercase())
    }

    /// Whether everything is shown.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a row of these texts is shown.
    pub(crate) fn matches(&self, texts: &[&str]) -> bool {
        self.is_empty() || texts.iter().any(|text| text.to_lowercase().contains(&self.0))
    }

    /// How many are shown, as titles say it: `3`, or `3 of 12` under a filter.
    pub(crate) fn count(shown: usize, all: usize) -> String {
        if shown == all { all.to_string() } else { format!("{shown} of {all}") }
    }

    /// What stands in place of the rows when none is shown: `empty` when there are none at all.
    pub(crate) fn nothing(&self, empty: &str) -> String {
        if self.is_empty() { empty.to_owned() } else { format!("nothing here matches /{}", self.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_match_in_any_case() {
        let filter = Filter::new(" Aapl ");
        assert!(filter.matches(&["x", "AAPL"]) && !filter.matches(&["MSFT"]) && !filter.is_empty());
        assert!(Filter::default().matches(&[]));
        assert_eq!((Filter::count(3, 12), Filter::count(3, 3)), ("3 of 12".to_owned(), "3".to_owned()));
        assert_eq!(
            (filter.nothing("none"), Filter::default().nothing("none")),
            ("nothing here matches /aapl".to_owned(), "none".to_owned())
        );
    }
}
