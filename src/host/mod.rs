//! The machine: clock, folders, environment, lock, signals, tasks and the log. Everything that asks the operating
//! system for something goes through here.

mod clock;
mod environment;
mod folders;
mod lock;
mod log;
mod signals;
mod tasks;

pub use clock::{Clock, Elapsed, Ticker};
pub use environment::environment;
pub use folders::{Folders, expand_home, is_private};
pub use lock::{EngineLock, LockError};
pub use log::{LogRing, LogSink, start_log};
pub use signals::{Shutdown, shutdown_signal, suspend};
pub use tasks::Tasks;
