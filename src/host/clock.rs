//! The one clock: everything that reads the time or waits is given it, so that a day can pass in seconds.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use thiserror::Error;
use tokio::sync::watch;

use crate::market::Timestamp;

/// A clock: the machine's, a scaled one, or one that is moved by hand. Clones tell the same time.
#[derive(Clone, Debug)]
pub struct Clock(Arc<Kind>);

#[derive(Debug)]
enum Kind {
    System,
    /// Starts at `from` and runs `speed` times as fast.
    Scaled {
        from: Timestamp,
        began: Instant,
        speed: f64,
    },
    Manual(watch::Sender<Timestamp>),
}

/// A wait took too long.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("took longer than {} s", .0.as_secs_f32())]
pub struct Elapsed(pub Duration);

/// Ticks at a steady pace; ticks that were missed are dropped.
#[derive(Debug)]
pub struct Ticker {
    clock: Clock,
    every: Duration,
    next: Timestamp,
}

impl Clock {
    /// The machine's clock.
    #[must_use]
    pub fn system() -> Self {
        Self(Arc::new(Kind::System))
    }

    /// A clock that starts at `from` and runs `speed` times as fast as the machine's.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn scaled(from: Timestamp, speed: f64) -> Self {
        Self(Arc::new(Kind::Scaled { from, began: Instant::now(), speed }))
    }

    /// A clock that moves by [`advance`](Self::advance) only.
    #[must_use]
    pub fn manual(from: Timestamp) -> Self {
        Self(Arc::new(Kind::Manual(watch::Sender::new(from))))
    }

    /// The time.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn now(&self) -> Timestamp {
        match &*self.0 {
            Kind::System => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
            }
            Kind::Scaled { from, began, speed } => *from + began.elapsed().mul_f64(*speed),
            Kind::Manual(now) => *now.borrow(),
        }
    }

    /// Moves a manual clock; the others run by themselves.
    pub fn advance(&self, span: Duration) {
        if let Kind::Manual(now) = &*self.0 {
            now.send_modify(|now| *now = *now + span);
        }
    }

    /// Waits for `span` of this clock's time.
    pub async fn sleep(&self, span: Duration) {
        self.sleep_until(self.now() + span).await;
    }

    /// Waits for an instant of this clock.
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub async fn sleep_until(&self, at: Timestamp) {
        match &*self.0 {
            Kind::System => tokio::time::sleep(at.since(self.now())).await,
            Kind::Scaled { speed, .. } => tokio::time::sleep(at.since(self.now()).div_f64(*speed)).await,
            Kind::Manual(now) => {
                // The sender lives in this clock, so the wait cannot fail.
                let _ = now.subscribe().wait_for(|now| *now >= at).await;
            }
        }
    }

    /// Gives a future `limit` of this clock's time.
    pub async fn timeout<F: Future>(&self, limit: Duration, future: F) -> Result<F::Output, Elapsed> {
        tokio::select! {
            biased;
            output = future => Ok(output),
            () = self.sleep(limit) => Err(Elapsed(limit)),
        }
    }

    /// Ticks every `every`, the first time after one.
    #[must_use]
    pub fn interval(&self, every: Duration) -> Ticker {
        Ticker { clock: self.clone(), every, next: self.now() + every }
    }
}

impl Ticker {
    /// Waits for the next tick.
    pub async fn tick(&mut self) {
        // A clock that was set back does not hold the next tick for an hour.
        self.next = self.next.min(self.clock.now() + self.every);
        self.clock.sleep_until(self.next).await;
        self.next = (self.next + self.every).max(self.clock.now());
    }
}

/// The limiter waits by this clock too.
impl governor::clock::Clock for Clock {
    type Instant = governor::nanos::Nanos;

    fn now(&self) -> Self::Instant {
        let micros = u64::try_from(Clock::now(self).as_micros()).unwrap_or(0);
        micros.saturating_mul(1_000).into()
    }
}

/// Retries wait by this clock too.
impl backon::Sleeper for Clock {
    type Sleep = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

    fn sleep(&self, span: Duration) -> Self::Sleep {
        let clock = self.clone();
        Box::pin(async move { Clock::sleep(&clock, span).await })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_manual_clock_wakes_who_waits_for_it() {
        let clock = Clock::manual(Timestamp::from_seconds(100));
        let waiting = clock.sleep(Duration::from_secs(10));
        tokio::pin!(waiting);
        assert!(futures_util::poll!(&mut waiting).is_pending());
        clock.advance(Duration::from_secs(9));
        assert!(futures_util::poll!(&mut waiting).is_pending());
        clock.advance(Duration::from_secs(1));
        waiting.await;
        assert_eq!(clock.now(), Timestamp::from_seconds(110));
    }

    #[tokio::test]
    async fn a_scaled_clock_lets_an_hour_pass_in_a_moment() {
        let start = Timestamp::from_seconds(0);
        let clock = Clock::scaled(start, 1e6);
        clock.sleep(Duration::from_secs(3600)).await;
        assert!(clock.now() >= start + Duration::from_secs(3600));
        let late = clock.timeout(Duration::from_secs(60), std::future::pending::<()>()).await;
        assert_eq!(late, Err(Elapsed(Duration::from_secs(60))));
    }
}
