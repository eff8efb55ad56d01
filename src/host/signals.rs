//! Signals that end or suspend the program.

use anyhow::Context;

/// Why the program is asked to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shutdown {
    /// Ctrl-C outside raw mode.
    Interrupt,
    Terminate,
    /// The terminal or the link to it is gone.
    Hangup,
}

/// Waits for the first signal that asks this program to end.
#[cfg(unix)]
pub async fn shutdown_signal() -> anyhow::Result<Shutdown> {
    use tokio::signal::unix::{SignalKind, signal};
    let listen = |kind| signal(kind).context("listen for signals");
    let mut interrupt = listen(SignalKind::interrupt())?;
    let mut terminate = listen(SignalKind::terminate())?;
    let mut hangup = listen(SignalKind::hangup())?;
    Ok(tokio::select! {
        _ = interrupt.recv() => Shutdown::Interrupt,
        _ = terminate.recv() => Shutdown::Terminate,
        _ = hangup.recv() => Shutdown::Hangup,
    })
}

/// Waits for Ctrl-C.
#[cfg(not(unix))]
pub async fn shutdown_signal() -> anyhow::Result<Shutdown> {
    tokio::signal::ctrl_c().await.context("listen for Ctrl-C")?;
    Ok(Shutdown::Interrupt)
}

/// Stops this process as the shell's Ctrl-Z does; returns when it is continued.
#[cfg(unix)]
pub fn suspend() -> anyhow::Result<()> {
    // To this thread: sent to the process, it might be taken by another while this one goes on drawing.
    signal_hook::low_level::raise(signal_hook::consts::SIGTSTP).context("suspend")?;
    Ok(())
}

/// There is no suspending here.
#[cfg(not(unix))]
pub fn suspend() -> anyhow::Result<()> {
    Ok(())
}
