//! One live feed: connect, subscribe, listen, notice silence, come back.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::calendar::Calendars;
use crate::host::{EngineLock, LockError};
use crate::market::{EventKind, MarketEvent, Timestamp};
use crate::provider::contract::ProviderError;
use crate::provider::net::establish::{Connection, Heard, Means, Succession, arrival};
use crate::provider::net::limit::Limiter;
use crate::provider::net::message::{FeedMessage, Subscription};
use crate::provider::protocol::{Promise, StreamItem};
use crate::snapshot::{FeedState, FeedView};

/// How often the feed looks at itself.
const LOOK: Duration = Duration::from_secs(1);
/// A connection that held this long starts the backoff anew.
const HEALTHY: Duration = Duration::from_secs(60);
/// A source's refusal to end a connection is not waited for.
const GOODBYE: Duration = Duration::from_millis(500);
/// How long events wait for room: a source throws out whoever reads slower.
const ROOM: Duration = Duration::from_secs(1);
/// How long before its end a connection is replaced.
const AHEAD: Duration = Duration::from_secs(600);
/// How long a connection that replaces another waits for its first answer.
const SUCCESSION: Duration = Duration::from_secs(10);
/// How long the one connection of a key is left to whoever holds it.
const PLACE: Duration = Duration::from_secs(30);
/// How long after a failed replacement the next is tried.
const ANOTHER: Duration = Duration::from_secs(30);

/// A live feed over a socket.
pub struct Feed {
    pub(crate) means: Means,
    pub calendars: Arc<Calendars>,
    pub subscriptions: watch::Receiver<Vec<Subscription>>,
    /// Where received bytes are counted.
    pub limiter: Limiter,
    /// Which feed this is, for whoever listens to all of them.
    pub number: usize,
    pub messages: mpsc::Sender<(usize, FeedMessage)>,
    pub token: CancellationToken,
    pub view: FeedView,
    /// How many connections were opened.
    pub(crate) connections: u64,
    /// The file that says who holds the one connection of a key, where a key has one only.
    pub(crate) place: Option<PathBuf>,
}

/// What is known of the connection at hand.
struct Line {
    connection: Connection,
    last_data: Timestamp,
    last_heartbeat: Option<Timestamp>,
    opened: Timestamp,
    acknowledged: bool,
    told_decode_error: bool,
    /// When it is to be replaced.
    replace_at: Option<Timestamp>,
    /// The one that replaces it, while it is being opened.
    next: Option<Succession>,
}

/// Why listening ended.
enum End {
    Cancelled,
    /// Nothing is subscribed any more.
    Idle,
    Broken(ProviderError),
}

impl Feed {
    /// Runs until it is cancelled.
    pub async fn run(mut self) {
        let mut deaf_since = Timestamp::MIN;
        let mut backoff = pace();
        while !self.token.is_cancelled() {
            self.view.symbols = self.subscriptions.borrow_and_update().len();
            if self.view.symbols == 0 {
                self.enter(FeedState::Idle).await;
                // What nobody asked for is no hole.
                deaf_since = Timestamp::MIN;
                tokio::select! {
                    changed = self.subscriptions.changed() => if changed.is_err() { return },
                    () = self.token.cancelled() => return,
                }
                continue;
            }
            let opened = self.now();
            // Boxed: a connection's state is large, and this task holds many others.
            let (end, heard_until) = Box::pin(self.connection(deaf_since)).await;
            let now = self.now();
            if let Some(heard_until) = heard_until {
                deaf_since = heard_until;
                self.view.reconnects += 1;
            }
            if now.since(opened) >= HEALTHY {
                backoff = pace();
                self.view.attempt = 0;
            }
            match end {
                End::Cancelled => return,
                End::Idle => {}
                End::Broken(error) => {
                    if !self.wait_after(&error, &mut backoff).await {
                        return;
                    }
                }
            }
        }
    }

    /// One connection, or several that follow each other without a hole; with it, until when everything was heard.
    async fn connection(&mut self, deaf_since: Timestamp) -> (End, Option<Timestamp>) {
        // A feed that is down stays down, and says since when, until it is back.
        if self.view.attempt == 0 {
            self.enter(FeedState::Connecting).await;
        }
        if let Err(error) = self.limiter.may_receive() {
            return (End::Broken(error), None);
        }
        // Held as long as the connection is.
        let _place = match self.take_place() {
            Ok(place) => place,
            Err(error) => return (End::Broken(error), None),
        };
        self.connections += 1;
        let opened = tokio::select! {
            opened = Connection::open(self.means.clone(), self.connections) => opened,
            () = self.token.cancelled() => return (End::Cancelled, None),
        };
        let connection = match opened {
            Ok(connection) => connection,
            Err(error) => return (End::Broken(error), None),
        };
        let now = self.now();
        self.heard(now);
        self.tell(FeedMessage::Deaf(deaf_since, now)).await;
        let mut line = Line::new(connection, now, &self.means.protocol.promise());
        let end = match self.follow_subscriptions(&mut line).await {
            Ok(()) => self.listen(&mut line).await,
            Err(error) => End::Broken(error),
        };
        let last_data = line.last_data;
        line.connection.close(GOODBYE).await;
        // Pongs are no data: a mute connection was deaf since the last of these.
        let heard_until = if self.view.state == FeedState::Silent { Some(last_data) } else { self.view.last_frame };
        (end, heard_until)
    }

    /// Two programs with one key would throw each other out for ever: the second one waits, and says for whom.
    fn take_place(&self) -> Result<Option<EngineLock>, ProviderError> {
        let Some(place) = &self.place else { return Ok(None) };
        match EngineLock::take(place) {
            Ok(lock) => Ok(Some(lock)),
            Err(LockError::Held { pid, .. }) => {
                let message = format!("another openbell on this machine (pid {pid}) holds the one connection of this key");
                Err(ProviderError::Retryable { message, after: Some(PLACE) })
            }
            // Where no file can be made, the source itself has the last word.
            Err(LockError::Io { .. }) => Ok(None),
        }
    }

    async fn listen(&mut self, line: &mut Line) -> End {
        let promise = self.means.protocol.promise();
        let mut look = self.means.clock.interval(LOOK);
        let mut ping = self.means.clock.interval(promise.frame / 3);
        let mut again = self.means.clock.interval(promise.resubscribe.unwrap_or(Duration::MAX));
        loop {
            let step = tokio::select! {
                heard = line.connection.hear() => match heard {
                    Ok(heard) => self.take(heard, line).await,
                    Err(error) => Err(error),
                },
                changed = self.subscriptions.changed() => match changed {
                    Ok(()) if self.subscriptions.borrow().is_empty() => return End::Idle,
                    Ok(()) => self.follow_subscriptions(line).await,
                    Err(_) => return End::Cancelled,
                },
                next = arrival(&mut line.next) => self.succeed(next, line).await,
                () = look.tick() => self.look(line, &promise).await,
                () = ping.tick() => line.connection.ping().await,
                () = again.tick() => line.connection.resubscribe().await,
                () = self.token.cancelled() => return End::Cancelled,
            };
            if let Err(error) = step {
                return End::Broken(error);
            }
        }
    }

    async fn follow_subscriptions(&mut self, line: &mut Line) -> Result<(), ProviderError> {
        let wanted = self.wanted();
        self.view.symbols = wanted.len();
        line.connection.follow(wanted).await?;
        self.publish().await;
        Ok(())
    }

    fn wanted(&mut self) -> Vec<String> {
        // Two instruments may share a spelling: a pair, and the same pair pinned to this source.
        let mut seen = HashSet::new();
        let subscriptions = self.subscriptions.borrow_and_update();
        subscriptions.iter().filter(|s| seen.insert(s.spelling.clone())).map(|s| s.spelling.clone()).collect()
    }

    /// The connection that replaces ours is there, or could not be had: then ours is held as long as it holds.
    async fn succeed(&mut self, next: Result<(Connection, Vec<Heard>), ProviderError>, line: &mut Line) -> Result<(), ProviderError> {
        line.next = None;
        let (connection, early) = match next {
            Ok(next) => next,
            Err(error) => {
                tracing::warn!(feed = %self.view.source, "another connection could not be opened yet: {error}");
                line.replace_at = Some(self.now() + ANOTHER);
                return Ok(());
            }
        };
        tracing::info!(feed = %self.view.source, "went over to a new connection");
        line.opened = connection.opened;
        line.replace_at = replacement(connection.opened, &self.means.protocol.promise());
        let old = std::mem::replace(&mut line.connection, connection);
        old.close(GOODBYE).await;
        line.acknowledged = !early.is_empty();
        for heard in early {
            self.take(heard, line).await?;
        }
        // What was asked for in the meantime.
        self.follow_subscriptions(line).await
    }

    fn replace(&mut self, line: &mut Line, why: &str) {
        if line.next.is_some() {
            return;
        }
        tracing::info!(feed = %self.view.source, "{why}: opening another connection");
        self.connections += 1;
        let wanted = line.connection.subscribed.clone();
        line.next = Some(Box::pin(Connection::succeed(self.means.clone(), self.connections, wanted, SUCCESSION)));
    }

    async fn take(&mut self, heard: Heard, line: &mut Line) -> Result<(), ProviderError> {
        let now = self.now();
        self.heard(now);
        let Heard::Frame { items, bytes } = heard else { return Ok(()) };
        self.limiter.received(bytes);
        self.view.messages += 1;
        self.view.rate.count(1, now);
        match items {
            Ok(items) => self.pass_on(items, line, now).await,
            Err(error) => {
                self.view.errors += 1;
                // Once a connection, not once a message.
                if !std::mem::replace(&mut line.told_decode_error, true) {
                    tracing::warn!(feed = %self.view.source, "a frame makes no sense: {error}");
                    self.view.error = Some(format!("a frame makes no sense: {error}"));
                }
                Ok(())
            }
        }
    }

    async fn pass_on(&mut self, items: Vec<StreamItem>, line: &mut Line, now: Timestamp) -> Result<(), ProviderError> {
        let mut events = Vec::with_capacity(items.len());
        let mut ended = Ok(());
        for item in items {
            match item {
                StreamItem::Event(event) => {
                    self.note(&event, line, now).await;
                    events.push(event);
                }
                StreamItem::Subscribed => line.acknowledged = true,
                StreamItem::Confirmed(taken) => {
                    line.acknowledged = true;
                    self.compare(&taken, line);
                }
                StreamItem::Refused(words) => self.complain(&words),
                StreamItem::Leaving(words) => self.replace(line, &words),
                StreamItem::Ended(error) => ended = Err(error),
                StreamItem::Greeted | StreamItem::Admitted => {}
            }
        }
        if !events.is_empty() {
            self.hand_over(events, now).await;
        }
        ended
    }

    /// What an event says of the connection.
    async fn note(&mut self, event: &MarketEvent, line: &mut Line, now: Timestamp) {
        line.acknowledged = true;
        if let EventKind::Heartbeat { .. } = event.kind {
            line.last_heartbeat = Some(now);
            return;
        }
        if self.view.state == FeedState::Silent {
            // What the source did not say in the meantime is a hole, though the socket held.
            self.tell(FeedMessage::Deaf(line.last_data, now)).await;
            self.view.enter(FeedState::Live, now);
        }
        line.last_data = now;
        self.view.lag = Some(now.seconds_since(event.ts_event));
    }

    /// The source's list of what it is subscribed to is the only proof of a subscription.
    fn compare(&mut self, taken: &[String], line: &Line) {
        let missing: Vec<_> = line.connection.subscribed.iter().filter(|wanted| !taken.contains(wanted)).map(String::as_str).collect();
        if !missing.is_empty() {
            self.complain(&format!("not taken by the source: {}", missing.join(", ")));
        }
    }

    fn complain(&mut self, words: &str) {
        self.view.errors += 1;
        if self.view.error.as_deref() != Some(words) {
            tracing::warn!(feed = %self.view.source, "the source refuses: {words}");
        }
        self.view.error = Some(words.to_owned());
    }

    /// Gives events to the engine, which waits for nothing; if it is behind all the same, they are let go and a hole is kept.
    async fn hand_over(&mut self, events: Vec<MarketEvent>, now: Timestamp) {
        let count = events.len() as u64;
        let oldest = events.iter().map(|event| event.ts_event).min();
        let message = (self.number, FeedMessage::Events(events));
        let Err(full) = self.messages.try_send(message) else { return };
        let message = match full {
            mpsc::error::TrySendError::Full(message) => message,
            mpsc::error::TrySendError::Closed(_) => return,
        };
        if self.means.clock.timeout(ROOM, self.messages.send(message)).await.is_ok() {
            return;
        }
        if self.view.dropped == 0 {
            tracing::warn!(feed = %self.view.source, "events come faster than they can be taken: some are let go");
        }
        self.view.dropped += count;
        // They may have waited to be read: what is lost with them is as old as they are.
        let agreed = Duration::from_secs(u64::from(self.view.delay.seconds().unwrap_or(0)));
        let from = oldest.map_or(now, |oldest| now.min(oldest + agreed));
        self.tell(FeedMessage::Deaf(from, self.now())).await;
    }

    /// Says what the feed is doing, from the ages of what was heard; an error ends the connection.
    async fn look(&mut self, line: &mut Line, promise: &Promise) -> Result<(), ProviderError> {
        let now = self.now();
        self.view.rate.roll(now);
        self.limiter.may_receive()?;
        if line.replace_at.is_some_and(|at| at <= now) {
            self.replace(line, "the connection is near the end of its life");
        }
        let silence = now.since(self.view.last_frame.unwrap_or(line.opened));
        if silence > promise.frame {
            return Err(retryable(format!("no frame for {} s", silence.as_secs())));
        }
        if let Some(limit) = promise.acknowledged_within
            && !line.acknowledged
            && now.since(line.opened) > limit
        {
            return Err(retryable("the subscription was not confirmed".to_owned()));
        }
        let state = self.judge(line, promise, now);
        if state == FeedState::Silent && now.since(line.last_data) > promise.data * 3 {
            return Err(retryable(format!("no data for {} s while the market trades", now.since(line.last_data).as_secs())));
        }
        if state.is_healthy() && now.since(line.opened) > LOOK * 2 {
            // What went wrong before this connection is over.
            self.recovered(line);
        }
        self.enter(state).await;
        self.publish().await;
        Ok(())
    }

    fn judge(&self, line: &Line, promise: &Promise, now: Timestamp) -> FeedState {
        if now.since(line.last_data) <= promise.data {
            return FeedState::Live;
        }
        let trades = |s: &Subscription| self.calendars.get(&s.venue).and_then(|calendar| calendar.is_trading(now).ok()).unwrap_or(false);
        // A source whose own heartbeat goes on and that sends nothing has nothing to send.
        let beats = line.last_heartbeat.is_some_and(|beat| now.since(beat) <= promise.frame) && promise.acknowledged_within.is_some();
        let promised = !beats && self.subscriptions.borrow().iter().any(trades);
        if promised { FeedState::Silent } else { FeedState::Quiet }
    }

    fn recovered(&mut self, line: &Line) {
        if self.view.error.is_some() && !line.told_decode_error && self.view.next_try.is_none() && self.view.attempt > 0 {
            tracing::info!(feed = %self.view.source, "the feed is back");
            self.view.error = None;
        }
        if self.now().since(line.opened) >= HEALTHY {
            self.view.attempt = 0;
        }
    }

    fn heard(&mut self, now: Timestamp) {
        self.view.last_frame = Some(now);
        self.view.next_try = None;
    }

    /// Says what went wrong and when the next try is, and waits for it. False when there is nothing to wait for.
    async fn wait_after(&mut self, error: &ProviderError, backoff: &mut ExponentialBackoff) -> bool {
        let now = self.now();
        self.view.errors += 1;
        self.view.attempt += 1;
        let message = error.to_string();
        if self.view.error.as_ref() != Some(&message) {
            tracing::warn!(feed = %self.view.source, attempt = self.view.attempt, "{message}");
        }
        self.view.error = Some(message);
        if !error.is_retryable() {
            self.view.next_try = None;
            self.enter(FeedState::Off).await;
            self.token.cancelled().await;
            return false;
        }
        let pause = error.after(now).into_iter().chain(backoff.next()).max().unwrap_or(HEALTHY);
        self.view.next_try = Some(now + pause);
        self.enter(FeedState::Dead).await;
        self.publish().await;
        tokio::select! {
            () = self.means.clock.sleep(pause) => true,
            () = self.token.cancelled() => false,
        }
    }

    async fn enter(&mut self, state: FeedState) {
        if self.view.state != state {
            if state == FeedState::Silent {
                tracing::warn!(feed = %self.view.source, "{state}");
            } else {
                tracing::info!(feed = %self.view.source, "{state}");
            }
            self.view.enter(state, self.now());
            self.publish().await;
        }
    }

    async fn publish(&mut self) {
        self.view.usage = self.limiter.usage();
        self.tell(FeedMessage::State(self.view.clone())).await;
    }

    async fn tell(&self, message: FeedMessage) {
        if let FeedMessage::Deaf(from, to) = &message {
            self.means.recorder.deaf(*from, *to, self.now());
        }
        let _ = self.messages.send((self.number, message)).await;
    }

    fn now(&self) -> Timestamp {
        self.means.clock.now()
    }
}

impl Line {
    fn new(connection: Connection, now: Timestamp, promise: &Promise) -> Self {
        Self {
            replace_at: replacement(connection.opened, promise),
            connection,
            last_data: now,
            last_heartbeat: None,
            opened: now,
            acknowledged: false,
            told_decode_error: false,
            next: None,
        }
    }
}

/// When a connection is to be replaced: some time before its source ends it, not all at the same moment.
fn replacement(opened: Timestamp, promise: &Promise) -> Option<Timestamp> {
    let ahead = AHEAD + AHEAD.mul_f64(fastrand::f64());
    promise.lifetime.map(|lifetime| opened + lifetime.saturating_sub(ahead).max(lifetime / 2))
}

fn pace() -> ExponentialBackoff {
    ExponentialBuilder::default()
        // Up to as much again: a minute at most.
        .with_jitter()
        .with_min_delay(Duration::from_millis(500))
        .with_max_delay(Duration::from_secs(30))
        .without_max_times()
        .build()
}

fn retryable(message: String) -> ProviderError {
    ProviderError::Retryable { message, after: None }
}
