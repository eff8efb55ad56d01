//! Tasks: spawned in one place, named, cancelled by token, waited for.

use std::future::Future;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::host::clock::Clock;

/// A group of tasks that end together.
#[derive(Clone, Debug)]
pub struct Tasks {
    tracker: TaskTracker,
    token: CancellationToken,
    clock: Clock,
}

impl Tasks {
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self { tracker: TaskTracker::new(), token: CancellationToken::new(), clock }
    }

    /// Starts a task; one that panics leaves a line in the log, not a silence.
    #[expect(clippy::disallowed_methods, reason = "this is the place that spawns")]
    pub fn spawn(&self, name: impl Into<String>, task: impl Future<Output = ()> + Send + 'static) {
        let name = name.into();
        let running = tokio::spawn(self.tracker.track_future(task));
        tokio::spawn(async move {
            if let Err(error) = running.await
                && error.is_panic()
            {
                tracing::error!(task = name, "a task died: {error}");
            }
        });
    }

    /// The token that asks these tasks to end.
    #[must_use]
    pub fn token(&self) -> CancellationToken {
        self.token.clone()
    }

    /// Asks all to end and waits for them, not longer than `limit`. Says whether all ended.
    pub async fn stop(&self, limit: Duration) -> bool {
        self.token.cancel();
        self.tracker.close();
        self.clock.timeout(limit, self.tracker.wait()).await.is_ok()
    }
}
