//! How often a source may be asked: so many requests a minute of each host, a day and a month of the key.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};

use crate::host::Clock;
use crate::market::Timestamp;
use crate::provider::contract::ProviderError;
use crate::provider::net::tally::{Tally, next_day};
use crate::snapshot::Usage;
use crate::store::{RequestCount, Store};

/// A longer rest is told to the caller, who has other things to do.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// No limit lasts longer.
const FARTHEST: Duration = Duration::from_secs(2 * 86_400);
/// How long the store may take to count a request of a source that has a cap.
const LEDGER: Duration = Duration::from_secs(3);

/// What a source allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub per_minute: NonZeroU32,
    /// Of the key, from midnight to midnight in New York.
    pub per_day: Option<u64>,
    /// Of the key, over the last thirty days.
    pub bytes_per_month: Option<u64>,
}

/// Calls of all who hold a clone go through one limit.
#[derive(Clone)]
pub struct Limiter {
    shared: Arc<Shared>,
    clock: Clock,
}

struct Shared {
    source: &'static str,
    limits: Limits,
    hosts: RateLimiter<String, DefaultKeyedStateStore<String>, Clock, NoOpMiddleware<Nanos>>,
    /// Never held while waiting.
    tally: Mutex<Tally>,
    /// Where requests under a cap are counted before they are sent, for all processes that share the store.
    ledger: OnceLock<Arc<dyn Store>>,
}

/// A tenth of a minute's requests may be sent at once; together with those that follow they are no more than a minute's.
fn quota(per_minute: NonZeroU32) -> Quota {
    let burst = NonZeroU32::new(per_minute.get() / 10).unwrap_or(NonZeroU32::MIN);
    let period = Duration::from_secs(60) / (per_minute.get() - burst.get() + 1);
    Quota::with_period(period).expect("a minute has room for every request").allow_burst(burst)
}

impl Limiter {
    /// Nothing was asked yet.
    #[must_use]
    pub fn new(source: &'static str, limits: Limits, clock: Clock) -> Self {
        let quota = quota(limits.per_minute);
        let hosts = RateLimiter::new(quota, DefaultKeyedStateStore::default(), clock.clone());
        let tally = Mutex::new(Tally::new(clock.now()));
        Self { shared: Arc::new(Shared { source, limits, hosts, tally, ledger: OnceLock::new() }), clock }
    }

    /// Waits for a turn, or says why there is none for long.
    pub async fn turn(&self, host: &str, weight: NonZeroU32) -> Result<(), ProviderError> {
        let host = host.to_owned();
        loop {
            self.rested().await?;
            match self.shared.hosts.check_key_n(&host, weight) {
                Ok(Ok(())) => return self.spend(u64::from(weight.get())).await,
                // More than may be sent at once: it waits as long as so many single ones.
                Err(_) => return self.many(&host, weight).await,
                Ok(Err(early)) => {
                    let now = governor::clock::Clock::now(&self.clock);
                    self.clock.sleep(early.wait_time_from(now).max(Duration::from_millis(1))).await;
                }
            }
        }
    }

    async fn many(&self, host: &String, weight: NonZeroU32) -> Result<(), ProviderError> {
        for _ in 0..weight.get() {
            while let Err(early) = self.shared.hosts.check_key(host) {
                self.rested().await?;
                let now = governor::clock::Clock::now(&self.clock);
                self.clock.sleep(early.wait_time_from(now).max(Duration::from_millis(1))).await;
            }
        }
        self.spend(u64::from(weight.get())).await
    }

    /// Nobody asks before `until`. A time that is further away than any limit lasts is not believed.
    pub fn rest(&self, until: Timestamp) {
        let farthest = self.clock.now() + FARTHEST;
        self.tally(|tally| tally.rest_until = tally.rest_until.max(until.min(farthest)));
    }

    /// Whether a day has a cap.
    #[must_use]
    pub fn is_capped(&self) -> bool {
        self.shared.limits.per_day.is_some()
    }

    /// Whether more may be received this month.
    pub(crate) fn may_receive(&self) -> Result<(), ProviderError> {
        let (now, limits, source) = (self.clock.now(), self.shared.limits, self.shared.source);
        let Some(cap) = limits.bytes_per_month else { return Ok(()) };
        let received = self.tally(|tally| {
            tally.roll(now);
            tally.bytes_of_month()
        });
        if received < cap {
            return Ok(());
        }
        let message = format!("the {} MB that {source} allows in thirty days are used up", cap / 1_000_000);
        Err(ProviderError::UsedUp { message, until: next_day(now) })
    }

    /// Counts what was received.
    pub fn received(&self, bytes: usize) {
        let now = self.clock.now();
        self.tally(|tally| tally.receive(bytes as u64, now));
    }

    /// Requests under a cap are counted in this store from now on, before they are sent.
    pub fn keep_in(&self, ledger: Arc<dyn Store>) {
        // Who was first stays: a provider is opened for one engine.
        let _ = self.shared.ledger.set(ledger);
    }

    /// What earlier processes counted.
    pub fn load(&self, counts: &[RequestCount]) {
        let (now, source) = (self.clock.now(), self.shared.source);
        self.tally(|tally| tally.load(source, counts, now));
    }

    /// What was counted and is in no store yet; it counts as kept from now on.
    #[must_use]
    pub fn take_unsaved(&self) -> Vec<RequestCount> {
        let source = self.shared.source;
        self.tally(|tally| tally.take_unsaved(source))
    }

    /// Counts that no store took are unsaved again.
    pub fn give_back(&self, counts: &[RequestCount]) {
        let source = self.shared.source;
        self.tally(|tally| tally.give_back(source, counts));
    }

    /// What is used up, for people.
    #[must_use]
    pub fn usage(&self) -> Usage {
        let (now, limits) = (self.clock.now(), self.shared.limits);
        self.tally(|tally| tally.usage(&limits, now))
    }

    /// The shortest time between two requests that can be kept up until the caps are lifted, if `share` percent of the day may be
    /// spent; `None` when nothing may.
    #[must_use]
    pub fn pace(&self, share: u8) -> Option<Duration> {
        let (now, limits) = (self.clock.now(), self.shared.limits);
        let by_minute = Duration::from_secs_f64(60.0 / f64::from(limits.per_minute.get()) * 100.0 / f64::from(share.max(1)));
        let Some(cap) = limits.per_day else { return Some(by_minute) };
        self.tally(|tally| tally.pace(cap, share, now)).map(|by_day| by_day.max(by_minute))
    }

    /// How long `calls` take at this pace.
    #[must_use]
    pub fn time_for(&self, calls: u64) -> Duration {
        let each = Duration::from_secs_f64(60.0 / f64::from(self.shared.limits.per_minute.get()));
        each.saturating_mul(u32::try_from(calls).unwrap_or(u32::MAX))
    }

    async fn rested(&self) -> Result<(), ProviderError> {
        loop {
            let wait = self.tally(|tally| tally.rest_until).since(self.clock.now());
            if wait > PATIENCE {
                return Err(ProviderError::RateLimited { after: Some(wait) });
            }
            if wait.is_zero() {
                return Ok(());
            }
            // It may have become longer when this one is over.
            self.clock.sleep(wait).await;
        }
    }

    /// Counts a request against the caps.
    async fn spend(&self, weight: u64) -> Result<(), ProviderError> {
        let (now, limits, source) = (self.clock.now(), self.shared.limits, self.shared.source);
        let used_up = |message: String| ProviderError::UsedUp { message, until: next_day(now) };
        self.may_receive()?;
        self.tally(|tally| tally.roll(now));
        let Some(cap) = limits.per_day else {
            self.tally(|tally| tally.spend(weight));
            return Ok(());
        };
        let told = self.told_ledger(weight, now).await;
        let spent = self.tally(|tally| {
            match told {
                // What could not be told to the store before counts too.
                Some(total) => tally.spent = total + tally.unsaved_requests(),
                None => tally.spend(weight),
            }
            if tally.spent <= cap {
                return Ok(());
            }
            // Refused is not sent.
            tally.spent = tally.spent.saturating_sub(weight);
            Err(used_up(format!("the {cap} requests that {source} allows in a day are used up")))
        });
        if spent.is_err() {
            self.take_back(weight, told.is_some()).await;
        }
        spent
    }

    /// A request that was refused is taken out of the count again.
    async fn take_back(&self, weight: u64, told: bool) {
        if !told {
            self.tally(|tally| tally.take_back(weight));
            return;
        }
        let Some(ledger) = self.shared.ledger.get() else { return };
        let day = self.tally(|tally| tally.day);
        let back = RequestCount::of_day(self.shared.source.to_owned(), day, -weight.cast_signed());
        // One that is counted too much is one less that may be sent: no harm is done.
        let _ = self.clock.timeout(LEDGER, ledger.count_requests(vec![back])).await;
    }

    /// The day's total with this request in it, where the store counts.
    async fn told_ledger(&self, weight: u64, now: Timestamp) -> Option<u64> {
        let ledger = self.shared.ledger.get()?;
        let day = self.tally(|tally| tally.day);
        let count = RequestCount::of_day(self.shared.source.to_owned(), day, weight.cast_signed());
        let counted = self.clock.timeout(LEDGER, ledger.count_requests(vec![count])).await;
        if let Ok(Ok(totals)) = counted {
            return totals.first().copied();
        }
        // A store that is away must not stop prices; the cap holds within this process.
        tracing::warn!(source = self.shared.source, "a request at {now} could not be counted in the store");
        None
    }

    fn tally<T>(&self, work: impl FnOnce(&mut Tally) -> T) -> T {
        work(&mut self.shared.tally.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl std::fmt::Debug for Limiter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Limiter({}, {:?})", self.shared.source, self.shared.limits)
    }
}
