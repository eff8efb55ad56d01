//! Looking at prices one by one: what a socket does not say, and all of it while the socket is down.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::host::Clock;
use crate::market::Timestamp;
use crate::provider::contract::{Provider, ProviderError};
use crate::provider::net::feed::{FeedMessage, Subscription};

/// How long a symbol that the source does not know is left alone.
const UNKNOWN: Duration = Duration::from_secs(3_600);
/// How much rarer a symbol is looked at while the socket is well.
const RARELY: u32 = 15;
/// The shortest wait between two looks.
const STEP: Duration = Duration::from_secs(1);

/// How looking went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PollReport {
    /// When the source answered last.
    pub answered: Option<Timestamp>,
    /// What went wrong, if the last look went wrong.
    pub trouble: Option<String>,
}

/// Looks at each symbol in turn, spread over the period.
pub struct Poll {
    pub name: &'static str,
    pub provider: Arc<dyn Provider>,
    pub every: Duration,
    pub clock: Clock,
    pub subscriptions: watch::Receiver<Vec<Subscription>>,
    /// Whether the socket brings everything.
    pub socket_is_well: watch::Receiver<bool>,
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
    Symbol(Duration),
    Source(Duration),
}

/// When a symbol was looked at.
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
        loop {
            let wanted = self.subscriptions.borrow_and_update().clone();
            looked.retain(|spelling, _| wanted.iter().any(|s| s.spelling == *spelling));
            let now = self.clock.now();
            let pace = self.pace();
            let due = |spelling: &String| looked.get(spelling).map_or(Timestamp::MIN, |looked| looked.due(pace)).max(rest_until);
            let next = wanted.iter().map(|s| (due(&s.spelling), &s.spelling)).min_by_key(|(due, _)| *due);
            let wait = match next {
                Some((due, spelling)) if due <= now => {
                    let rest = self.look(spelling).await;
                    let at = self.clock.now();
                    looked.insert(spelling.clone(), Looked { at, rest: if let Rest::Symbol(rest) = rest { rest } else { Duration::ZERO } });
                    if let Rest::Source(rest) = rest {
                        rest_until = at + rest;
                    }
                    STEP
                }
                Some((due, _)) => due.since(now).clamp(STEP, self.every),
                None => self.every,
            };
            tokio::select! {
                () = self.clock.sleep(wait) => {}
                changed = self.subscriptions.changed() => if changed.is_err() { return },
                changed = self.socket_is_well.changed() => if changed.is_err() { return },
                changed = self.refresh.changed() => match changed {
                    Ok(()) => looked.clear(),
                    Err(_) => return,
                },
                () = self.token.cancelled() => return,
            }
        }
    }

    /// How long a symbol is left alone: longer while the socket brings everything.
    fn pace(&self) -> Duration {
        if *self.socket_is_well.borrow() { self.every * RARELY } else { self.every }
    }

    /// Looks at one symbol; the answer is what must be left alone, whatever the pace.
    async fn look(&mut self, spelling: &str) -> Rest {
        let answer = tokio::select! {
            answer = self.provider.look(spelling) => answer,
            () = self.token.cancelled() => return Rest::No,
        };
        match answer {
            Ok(events) => {
                self.tell(None);
                let _ = self.messages.send((self.number, FeedMessage::Events(events))).await;
                Rest::No
            }
            Err(error @ ProviderError::NotFound { .. }) => {
                tracing::warn!(feed = self.name, "{error}");
                Rest::Symbol(UNKNOWN)
            }
            Err(error) => {
                self.tell(Some(error.to_string()));
                if let ProviderError::RateLimited { after } = error { Rest::Source(after.unwrap_or(self.every)) } else { Rest::No }
            }
        }
    }

    /// One log line for a trouble, not one for each symbol that meets it.
    fn tell(&self, trouble: Option<String>) {
        let now = self.clock.now();
        self.report.send_if_modified(|report| {
            if trouble.is_none() {
                report.answered = Some(now);
            }
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
