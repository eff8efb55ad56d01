//! The terminal: raw mode and back, and the loop that draws, on a thread of its own named `ui`.

mod pace;
mod paper;
mod run;
mod screen;

pub use paper::{Format, paper};
pub use run::{Monitor, run_on_thread};
pub use screen::{depth, install_panic_hook, is_terminal, size};
