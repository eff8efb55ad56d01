//! How the program ends: 0 it did what was asked, 1 it could not, 2 it was asked wrongly.

use std::io::{self, Write};
use std::process::ExitCode;

use thiserror::Error;

/// It was asked wrongly.
#[derive(Debug, Error)]
#[error("{0}")]
pub(crate) struct Usage(pub(crate) String);

/// What some commands answer by their exit code alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Done {
    Yes,
    /// Some symbols failed, or the answer is no.
    No,
    /// The answer is not known, where `No` means no.
    Trouble,
}

/// Says what went wrong, once, on stderr.
pub(crate) fn exit_code(result: anyhow::Result<Done>) -> ExitCode {
    match result {
        Ok(Done::Yes) => ExitCode::SUCCESS,
        Ok(Done::No) => ExitCode::from(1),
        Ok(Done::Trouble) => ExitCode::from(2),
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            // A terminal that is gone takes no words; that is no reason to panic.
            let _ = writeln!(io::stderr(), "openbell: {error:#}");
            ExitCode::from(if error.is::<Usage>() { 2 } else { 1 })
        }
    }
}

/// Whoever read us has enough: that is no failure.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| cause.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe))
}
