//! How often a source may be asked.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

use crate::host::Clock;

/// Calls of all who hold a clone go through one limit.
#[derive(Clone, Debug)]
pub struct Limiter {
    limiter: Arc<RateLimiter<NotKeyed, InMemoryState, Clock, NoOpMiddleware<Nanos>>>,
    clock: Clock,
    per_minute: NonZeroU32,
}

impl Limiter {
    /// So many calls a minute, a tenth of them at once.
    #[must_use]
    pub fn per_minute(per_minute: NonZeroU32, clock: Clock) -> Self {
        let burst = NonZeroU32::new(per_minute.get() / 10).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_minute(per_minute).allow_burst(burst);
        Self { limiter: Arc::new(RateLimiter::direct_with_clock(quota, clock.clone())), clock, per_minute }
    }

    /// Waits for a turn.
    pub async fn turn(&self) {
        while let Err(early) = self.limiter.check() {
            let now = governor::clock::Clock::now(&self.clock);
            self.clock.sleep(early.wait_time_from(now).max(Duration::from_millis(1))).await;
        }
    }

    /// How long `calls` take at this pace.
    #[must_use]
    pub fn time_for(&self, calls: u64) -> Duration {
        Duration::from_secs_f64(60.0 / f64::from(self.per_minute.get())).saturating_mul(u32::try_from(calls).unwrap_or(u32::MAX))
    }
}
