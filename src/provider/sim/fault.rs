//! What the made-up exchange does wrong, on purpose and on time.

use std::time::Duration;

/// What can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A bar with its high below its low.
    WrongBar,
    /// A bar with fifty times its volume.
    Spike,
    /// Heartbeats go on, data stop, for [`SILENCE`].
    Silence,
    /// The connection is cut.
    Cut,
}

/// For how long data stop.
pub(crate) const SILENCE: Duration = Duration::from_secs(14);
/// When things go wrong, counted from the start of the exchange; then again every [`ROUND`].
const PLAN: [(u64, Fault); 5] = [(12, Fault::WrongBar), (25, Fault::Silence), (55, Fault::Spike), (70, Fault::Cut), (95, Fault::WrongBar)];
const ROUND: u64 = 120;
/// The minutes before a connection that are sent with it: which of them is wrong, and how.
const WRONG_BAR_AGO: i64 = 4;
const SPIKE_AGO: i64 = 2;
pub(crate) const HOLE_AGO: std::ops::Range<i64> = 7..10;

/// What goes wrong in the second `elapsed` after the start.
pub(crate) fn at(elapsed: Duration) -> Option<Fault> {
    let second = elapsed.as_secs() % ROUND;
    PLAN.into_iter().find(|(at, _)| *at == second).map(|(_, fault)| fault)
}

/// What is wrong with the bar of a symbol so many minutes ago.
pub(crate) fn in_history(position: usize, minutes_ago: i64) -> Option<Fault> {
    match (position, minutes_ago) {
        (0, WRONG_BAR_AGO) => Some(Fault::WrongBar),
        (1, SPIKE_AGO) => Some(Fault::Spike),
        _ => None,
    }
}
