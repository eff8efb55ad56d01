//! Parses arguments, calls the command, turns an error into an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    openbell::cli::main()
}
