//! One live feed: connect, subscribe, listen, notice silence, come back.

use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use futures_util::{SinkExt, StreamExt};
use tokio::sync::{mpsc, watch};
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_util::sync::CancellationToken;

use crate::calendar::Calendars;
use crate::host::Clock;
use crate::market::{EventKind, MarketEvent, Timestamp, clean};
use crate::provider::contract::{Promise, Protocol, ProviderError, StreamItem};
use crate::provider::net::socket::{Socket, Sockets};
use crate::snapshot::{FeedState, FeedView};

/// How often the feed looks at itself.
const LOOK: Duration = Duration::from_secs(1);
/// A connection that held this long starts the backoff anew.
const HEALTHY: Duration = Duration::from_secs(60);
/// A source's refusal to end a connection is not waited for.
const GOODBYE: Duration = Duration::from_millis(500);

/// A symbol that the feed should speak of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// As the source spells it.
    pub spelling: String,
    /// Whose calendar says when data are promised.
    pub venue: Arc<str>,
}

/// What a feed tells the engine.
#[derive(Clone, Debug)]
pub enum FeedMessage {
    Events(Vec<MarketEvent>),
    State(FeedView),
    /// Nothing could be heard between these instants.
    Deaf(Timestamp, Timestamp),
}

/// A live feed over a socket.
pub struct Feed {
    pub protocol: Arc<dyn Protocol>,
    pub sockets: Sockets,
    pub clock: Clock,
    pub calendars: Arc<Calendars>,
    pub subscriptions: watch::Receiver<Vec<Subscription>>,
    /// Which feed this is, for whoever listens to all of them.
    pub number: usize,
    pub messages: mpsc::Sender<(usize, FeedMessage)>,
    pub token: CancellationToken,
    pub view: FeedView,
}

/// What is known of the connection at hand.
struct Line {
    subscribed: Vec<String>,
    last_data: Timestamp,
    last_heartbeat: Option<Timestamp>,
    opened: Timestamp,
    acknowledged: bool,
    told_decode_error: bool,
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
                tokio::select! {
                    changed = self.subscriptions.changed() => if changed.is_err() { return },
                    () = self.token.cancelled() => return,
                }
                continue;
            }
            let opened = self.clock.now();
            // Boxed: a connection's state is large, and this task holds many others.
            let (end, heard_until) = Box::pin(self.connection(deaf_since)).await;
            let now = self.clock.now();
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

    /// One connection, from the first byte to the last; with it, until when everything was heard.
    async fn connection(&mut self, deaf_since: Timestamp) -> (End, Option<Timestamp>) {
        // A feed that is down stays down, and says since when, until it is back.
        if self.view.attempt == 0 {
            self.enter(FeedState::Connecting).await;
        }
        let opened = tokio::select! {
            opened = self.sockets.open(&*self.protocol) => opened,
            () = self.token.cancelled() => return (End::Cancelled, None),
        };
        let mut socket = match opened {
            Ok(socket) => socket,
            Err(error) => return (End::Broken(error), None),
        };
        let now = self.clock.now();
        self.heard(now);
        let _ = self.messages.send((self.number, FeedMessage::Deaf(deaf_since, now))).await;
        let mut line = Line {
            subscribed: Vec::new(),
            last_data: now,
            last_heartbeat: None,
            opened: now,
            acknowledged: false,
            told_decode_error: false,
        };
        let end = match self.follow_subscriptions(&mut socket, &mut line).await {
            Ok(()) => self.listen(&mut socket, &mut line).await,
            Err(error) => End::Broken(error),
        };
        let _ = self.clock.timeout(GOODBYE, socket.close(None)).await;
        // Pongs are no data: a mute connection was deaf since the last of these.
        let heard_until = if self.view.state == FeedState::Silent { Some(line.last_data) } else { self.view.last_frame };
        (end, heard_until)
    }

    async fn listen(&mut self, socket: &mut Socket, line: &mut Line) -> End {
        let promise = self.protocol.promise();
        let mut look = self.clock.interval(LOOK);
        let mut ping = self.clock.interval(promise.frame / 3);
        let mut again = self.clock.interval(promise.resubscribe.unwrap_or(Duration::MAX));
        loop {
            let step = tokio::select! {
                frame = socket.next() => self.take(frame, line).await,
                changed = self.subscriptions.changed() => match changed {
                    Ok(()) if self.subscriptions.borrow().is_empty() => return End::Idle,
                    Ok(()) => self.follow_subscriptions(socket, line).await,
                    Err(_) => return End::Cancelled,
                },
                () = look.tick() => self.look(line, &promise).await,
                () = ping.tick() => send(socket, Message::Ping(tungstenite::Bytes::new())).await,
                () = again.tick() => self.resubscribe(socket, line).await,
                () = self.token.cancelled() => return End::Cancelled,
            };
            if let Err(error) = step {
                return End::Broken(error);
            }
        }
    }

    async fn follow_subscriptions(&mut self, socket: &mut Socket, line: &mut Line) -> Result<(), ProviderError> {
        let wanted: Vec<String> = self.subscriptions.borrow_and_update().iter().map(|s| s.spelling.clone()).collect();
        let new: Vec<_> = wanted.iter().filter(|s| !line.subscribed.contains(s)).cloned().collect();
        let gone: Vec<_> = line.subscribed.iter().filter(|s| !wanted.contains(s)).cloned().collect();
        let leave = if gone.is_empty() { Vec::new() } else { self.protocol.unsubscribe(&gone) };
        let join = if new.is_empty() { Vec::new() } else { self.protocol.subscribe(&new) };
        for frame in leave.into_iter().chain(join) {
            send(socket, Message::text(frame)).await?;
        }
        self.view.symbols = wanted.len();
        line.subscribed = wanted;
        self.publish().await;
        Ok(())
    }

    async fn resubscribe(&self, socket: &mut Socket, line: &Line) -> Result<(), ProviderError> {
        for frame in self.protocol.subscribe(&line.subscribed) {
            send(socket, Message::text(frame)).await?;
        }
        Ok(())
    }

    async fn take(&mut self, frame: Option<Result<Message, tungstenite::Error>>, line: &mut Line) -> Result<(), ProviderError> {
        let now = self.clock.now();
        let bytes = match frame {
            Some(Ok(Message::Text(text))) => tungstenite::Bytes::from(text),
            Some(Ok(Message::Binary(bytes))) => bytes,
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {
                self.heard(now);
                return Ok(());
            }
            Some(Ok(Message::Close(reason))) => {
                let why = reason.map_or_else(String::new, |r| format!(" ({} {})", r.code, clean(&r.reason)));
                return Err(retryable(format!("the source closed the socket{why}")));
            }
            Some(Err(error)) => return Err(retryable(format!("the socket broke ({})", clean(&error.to_string())))),
            None => return Err(retryable("the socket ended".to_owned())),
        };
        self.heard(now);
        self.view.messages += 1;
        self.view.rate.count(1, now);
        match self.protocol.decode(&bytes, now) {
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
        for item in items {
            match item {
                StreamItem::Event(event) => {
                    if let EventKind::Heartbeat { .. } = event.kind {
                        line.last_heartbeat = Some(now);
                    } else {
                        if self.view.state == FeedState::Silent {
                            // What the source did not say in the meantime is a hole, though the socket held.
                            let _ = self.messages.send((self.number, FeedMessage::Deaf(line.last_data, now))).await;
                            self.view.enter(FeedState::Live, now);
                        }
                        line.last_data = now;
                        self.view.lag = Some(now.seconds_since(event.ts_event));
                    }
                    line.acknowledged = true;
                    events.push(event);
                }
                StreamItem::Subscribed => line.acknowledged = true,
                StreamItem::Refused(words) => {
                    self.view.errors += 1;
                    if self.view.error.as_ref() != Some(&words) {
                        tracing::warn!(feed = %self.view.source, "the source refuses: {words}");
                    }
                    self.view.error = Some(words);
                }
            }
        }
        if !events.is_empty() {
            // The engine never waits for the store, so neither does this.
            let _ = self.messages.send((self.number, FeedMessage::Events(events))).await;
        }
        Ok(())
    }

    /// Says what the feed is doing, from the ages of what was heard; an error ends the connection.
    async fn look(&mut self, line: &mut Line, promise: &Promise) -> Result<(), ProviderError> {
        let now = self.clock.now();
        self.view.rate.roll(now);
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
        if self.clock.now().since(line.opened) >= HEALTHY {
            self.view.attempt = 0;
        }
    }

    fn heard(&mut self, now: Timestamp) {
        self.view.last_frame = Some(now);
        self.view.next_try = None;
    }

    /// Says what went wrong and when the next try is, and waits for it. False when there is nothing to wait for.
    async fn wait_after(&mut self, error: &ProviderError, backoff: &mut ExponentialBackoff) -> bool {
        let now = self.clock.now();
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
        let asked = if let ProviderError::RateLimited { after } = error { *after } else { None };
        let pause = asked.into_iter().chain(backoff.next()).max().unwrap_or(HEALTHY);
        self.view.next_try = Some(now + pause);
        self.enter(FeedState::Dead).await;
        self.publish().await;
        tokio::select! {
            () = self.clock.sleep(pause) => true,
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
            self.view.enter(state, self.clock.now());
            self.publish().await;
        }
    }

    async fn publish(&self) {
        let _ = self.messages.send((self.number, FeedMessage::State(self.view.clone()))).await;
    }
}

fn pace() -> ExponentialBackoff {
    ExponentialBuilder::default()
        .with_jitter()
        .with_min_delay(Duration::from_millis(500))
        .with_max_delay(Duration::from_secs(60))
        .without_max_times()
        .build()
}

async fn send(socket: &mut Socket, message: Message) -> Result<(), ProviderError> {
    socket.send(message).await.map_err(|e| retryable(format!("the socket takes nothing ({})", clean(&e.to_string()))))
}

fn retryable(message: String) -> ProviderError {
    ProviderError::Retryable { message, after: None }
}
