//! Text that came from outside, made safe to show.

use std::borrow::Cow;

/// Drops control and escape characters and what changes the direction of text, so that a source cannot steer the
/// terminal; tabs and line ends become spaces.
#[must_use]
pub fn clean(text: &str) -> Cow<'_, str> {
    if !text.chars().any(unsafe_to_show) {
        return Cow::Borrowed(text);
    }
    let kept = text.chars().filter_map(|c| match c {
        '\t' | '\n' | '\r' => Some(' '),
        c if unsafe_to_show(c) => None,
        c => Some(c),
    });
    Cow::Owned(kept.collect())
}

fn unsafe_to_show(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_cannot_steer_the_terminal() {
        assert_eq!(clean("plain text, π"), "plain text, π");
        assert_eq!(clean("a\u{1b}[2Jb\u{7}c\u{9b}d"), "a[2Jbcd");
        assert_eq!(clean("one\r\ntwo\tthree"), "one  two three");
        assert_eq!(clean("\u{202e}evil"), "evil");
    }
}
