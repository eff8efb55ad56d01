//! Data on stdout.

use std::io::{self, Write, stdout};

/// Writes a text; a reader that left is told apart by its error.
pub(crate) fn print(text: &str) -> io::Result<()> {
    let mut out = stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}
