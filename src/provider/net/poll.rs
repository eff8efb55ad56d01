//! Looking at prices: what a socket does not say, and all of it while the socket is down or where there is none.
//!
//! The pace adapts: visible rows and open markets first, within what the source's limits let one keep up; a refusal slows it
//! down, answers speed it up again.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::calendar::Calendars;
use crate::host::Clock;
use crate::market::{InstrumentId, Timestamp};
use crate::provider::contract::{Polling, Provider, ProviderError};
use crate::provider::net::message::{FeedMessage, Subscription};
use crate::provider::net::tally::next_day;

/// How long a symbol that the source does not know is left alone.
const UNKNOWN: Duration = Duration::from_secs(3_600);
/// How much rarer a symbol is looked at while the socket is well.
const RARELY: u32 = 15;
/// How much rarer one is looked at that nobody sees.
const UNSEEN: u32 = 2;
/// How much rarer one is looked at whose market is closed.
const CLOSED: u32 = 10;
/// The shortest wait between two looks.
const STEP: Duration = Duration::from_secs(1);
/// How much slower refusals can make it, at most.
const SLOWEST: u32 = 32;
/// How many percent of what a source allows are spent on looks: the rest is for what people ask for.
const SHARE: u8 = 50;
/// What is told when the limits leave nothing for looks.
const SPENT: &str = "what looks may spend of the day's requests is spent";
/// How long is left alone what a key or a plan refuses: the symbol, or the source.
const REFUSED: Duration = Duration::from_secs(900);

/// How looking went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PollReport {
    /// When the source answered last.
    pub answered: Option<Timestamp>,
    /// What went wrong, if the last look went wrong.
    pub trouble: Option<String>,
    /// When the next look is, where something is waited for.
    pub next: Option<Timestamp>,
    pub answers: u64,
    pub errors: u64,
}

/// Looks at each symbol in turn, spread over the period.
pub struct Poll {
    pub name: &'static str,
    pub provider: Arc<dyn Provider>,
    pub polling: Polling,
    pub clock: Clock,
    pub calendars: Arc<Calendars>,
    pub subscriptions: watch::Receiver<Vec<Subscription>>,
    /// Whether the socket brings everything.
    pub socket_is_well: watch::Receiver<bool>,
    /// What people see now.
    pub seen: watch::Receiver<Vec<InstrumentId>>,
    /// Rises when somebody asks for prices now.
    pub refresh: watch::Receiver<u64>,
    /// Which feed this is, for whoever listens to all of them.
    pub number: usize,
    pub messages: mpsc::Sender<(usize, FeedMessage)>,
    /// How it went last, for the feed's line.
    pub report: watch::Sender<PollReport>,
    pub token: CancellationToken,
}

/// What must be left alone after a look.
enum Rest {
    No,
    Symbols(Duration),
    Source(Duration),
}

/// When a symbol was looked at.
#[derive(Clone, Copy)]
struct Looked {
    at: Timestamp,
    /// For how long the source does not want to be asked for it.
    rest: Duration,
}

impl Looked {
    fn due(&self, pace: Duration) -> Timestamp {
        self.at + self.rest.max(pace)
    }
}

impl Poll {
    /// Runs until it is cancelled.
    pub async fn run(mut self) {
        let mut looked: HashMap<String, Looked> = HashMap::new();
        // The source wants to be left alone until then.
        let mut rest_until = Timestamp::MIN;
        let mut slower = 1;
        // What somebody asked for may spend what is kept back.
        let mut asked = false;
        loop {
            // What the source answered may have changed how it can be looked at.
            self.polling = self.provider.polling().unwrap_or(self.polling);
            let wanted = self.subscriptions.borrow_and_update().clone();
            looked.retain(|spelling, _| wanted.iter().any(|s| s.spelling == *spelling));
            let now = self.clock.now();
            asked &= wanted.iter().any(|s| !looked.contains_key(&s.spelling));
            let share = if asked { 100 } else { SHARE };
            let wait = match self.due(&wanted, &looked, rest_until, slower, share) {
                Some((due, spellings)) if due <= now => {
                    let rest = self.look(&spellings).await;
                    let at = self.clock.now();
                    slower = if let Rest::Source(_) = rest { (slower * 2).min(SLOWEST) } else { (slower / 2).max(1) };
                    let symbol_rest = if let Rest::Symbols(rest) = rest { rest } else { Duration::ZERO };
                    looked.extend(spellings.into_iter().map(|spelling| (spelling, Looked { at, rest: symbol_rest })));
                    if let Rest::Source(rest) = rest {
                        rest_until = at + rest;
                    }
                    STEP
                }
                Some((due, _)) => due.since(now).min(self.polling.every).max(STEP),
                None if wanted.is_empty() => self.polling.every,
                None => {
                    self.tell(Some(SPENT.to_owned()), Some(next_day(now)));
                    self.polling.every
                }
            };
            tokio::select! {
                () = self.clock.sleep(wait) => {}
                changed = self.subscriptions.changed() => if changed.is_err() { return },
                changed = self.socket_is_well.changed() => if changed.is_err() { return },
                changed = self.seen.changed() => if changed.is_err() { return },
                changed = self.refresh.changed() => match changed {
                    Ok(()) => {
                        looked.clear();
                        asked = true;
                    }
                    Err(_) => return,
                },
                () = self.token.cancelled() => return,
            }
        }
    }

    /// When the next look is due, and at whom: the one that is due first, and whoever else is due until then.
    fn due(
        &self,
        wanted: &[Subscription],
        looked: &HashMap<String, Looked>,
        rest_until: Timestamp,
        slower: u32,
        share: u8,
    ) -> Option<(Timestamp, Vec<String>)> {
        let now = self.clock.now();
        let floor = self.floor(wanted.len(), slower, share)?;
        let newest = looked.values().map(|looked| looked.at).max().unwrap_or(Timestamp::MIN);
        // Where a day's cap is what binds, looks are spread over the day: not all of them in its first minutes.
        let each = self.provider.net().http.limiter().pace(share).filter(|each| share < 100 && *each > self.polling.every);
        let mut due: Vec<_> = wanted
            .iter()
            .map(|s| (looked.get(&s.spelling).map_or(Timestamp::MIN, |looked| looked.due(self.pace(s, now).max(floor))), &s.spelling))
            .collect();
        due.sort();
        let first = due.first()?.0.max(rest_until).max(newest + each.unwrap_or(STEP));
        let batch = due.iter().take_while(|(at, _)| *at <= first.max(now)).take(self.polling.at_once);
        Some((first, batch.map(|(_, spelling)| (*spelling).clone()).collect()))
    }

    /// The shortest time between two looks at the same symbol that the limits let us keep up for all.
    fn floor(&self, symbols: usize, slower: u32, share: u8) -> Option<Duration> {
        let looks = u32::try_from(symbols.div_ceil(self.polling.at_once.max(1))).unwrap_or(u32::MAX);
        let each = self.provider.net().http.limiter().pace(share)?;
        Some(each.saturating_mul(looks.saturating_mul(self.polling.requests)).max(self.polling.every) * slower)
    }

    /// How long a symbol is left alone: longer while the socket brings everything, while nobody sees it, and while it is not traded.
    fn pace(&self, subscription: &Subscription, now: Timestamp) -> Duration {
        if *self.socket_is_well.borrow() {
            return self.polling.every * RARELY;
        }
        let seen = self.seen.borrow();
        let unseen = !seen.is_empty() && !seen.contains(&subscription.instrument);
        let calendar = self.calendars.get(&subscription.venue);
        let closed = calendar.is_some_and(|calendar| calendar.is_trading(now).is_ok_and(|trades| !trades));
        self.polling.every * if unseen { UNSEEN } else { 1 } * if closed { CLOSED } else { 1 }
    }

    /// Looks at some symbols; the answer is what must be left alone, whatever the pace.
    async fn look(&mut self, spellings: &[String]) -> Rest {
        self.provider.net().http.recorder().look(spellings, self.clock.now());
        let answer = tokio::select! {
            answer = self.provider.look(spellings) => answer,
            () = self.token.cancelled() => return Rest::No,
        };
        match answer {
            Ok(events) => {
                self.tell(None, None);
                let _ = self.messages.send((self.number, FeedMessage::Events(events))).await;
                Rest::No
            }
            Err(error @ ProviderError::NotFound { .. }) => {
                if self.report.borrow().answered.is_none() && self.provider.stream().is_none() {
                    // Nothing else explains why there are no prices.
                    self.tell(Some(error.to_string()), None);
                } else {
                    tracing::warn!(feed = self.name, "{error}");
                }
                Rest::Symbols(UNKNOWN)
            }
            Err(error) => self.rest_after(&error),
        }
    }

    fn rest_after(&self, error: &ProviderError) -> Rest {
        let now = self.clock.now();
        let asked = error.after(now);
        let rest = match error {
            ProviderError::RateLimited { .. } | ProviderError::UsedUp { .. } => Rest::Source(asked.unwrap_or(self.polling.every)),
            // What a plan does not hold for one symbol it may hold for another.
            ProviderError::NotEntitled { .. } => Rest::Symbols(REFUSED),
            ProviderError::Unauthorized { .. } | ProviderError::Fatal { .. } => Rest::Source(REFUSED),
            ProviderError::Retryable { .. } | ProviderError::Malformed { .. } | ProviderError::NotFound { .. } => Rest::No,
        };
        let next = match rest {
            Rest::Source(rest) => rest,
            Rest::No | Rest::Symbols(_) => self.polling.every,
        };
        self.tell(Some(error.to_string()), Some(now + next));
        rest
    }

    /// One log line for a trouble, not one for each symbol that meets it.
    fn tell(&self, trouble: Option<String>, next: Option<Timestamp>) {
        let now = self.clock.now();
        let spent = trouble.as_deref() == Some(SPENT);
        self.report.send_if_modified(|report| {
            if trouble.is_none() {
                report.answered = Some(now);
                report.answers += 1;
            } else if !spent || report.trouble != trouble {
                // That the day's share is spent is one trouble, however long it lasts.
                report.errors += 1;
            }
            report.next = next;
            let old = &mut report.trouble;
            let kind = |text: &Option<String>| text.as_deref().map(|text| text.rsplit(": ").next().unwrap_or(text).to_owned());
            let changed = kind(old) != kind(&trouble);
            if changed {
                if let Some(message) = &trouble {
                    tracing::warn!(feed = self.name, "{message}");
                } else {
                    tracing::info!(feed = self.name, "the source answers again");
                }
                *old = trouble;
            }
            changed
        });
    }
}
