//! A connection that is ready: opened, let in, subscribed.

use std::borrow::Cow;
use std::pin::Pin;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::tungstenite::{self, Message};

use crate::host::Clock;
use crate::market::{Timestamp, clean};
use crate::provider::contract::ProviderError;
use crate::provider::net::record::{Direction, Recorder};
use crate::provider::net::redact::Redact;
use crate::provider::net::socket::{Socket, Sockets};
use crate::provider::protocol::{DecodeError, Login, Protocol, StreamItem};

/// How long a source may take to greet, and to let one in.
const LOGIN: Duration = Duration::from_secs(15);

/// What connections of one source are made with.
#[derive(Clone)]
pub(crate) struct Means {
    pub(crate) protocol: std::sync::Arc<dyn Protocol>,
    pub(crate) sockets: Sockets,
    pub(crate) clock: Clock,
    pub(crate) recorder: Recorder,
    pub(crate) redact: Redact,
}

/// One connection.
pub(crate) struct Connection {
    socket: Socket,
    means: Means,
    number: u64,
    pub(crate) opened: Timestamp,
    /// What is subscribed, by the source's spelling.
    pub(crate) subscribed: Vec<String>,
}

/// A connection on its way that is to take the place of another, with what it brings.
pub(crate) type Succession = Pin<Box<dyn Future<Output = Result<(Connection, Vec<Heard>), ProviderError>> + Send>>;

/// What a connection brought.
#[derive(Debug)]
pub(crate) enum Heard {
    /// A ping or pong.
    Beat,
    Frame {
        items: Result<Vec<StreamItem>, DecodeError>,
        bytes: usize,
    },
}

impl Connection {
    /// Opens a connection and is let in; nothing is subscribed yet.
    pub(crate) async fn open(means: Means, number: u64) -> Result<Self, ProviderError> {
        let socket = means.sockets.open(&*means.protocol).await?;
        let opened = means.clock.now();
        let mut connection = Self { socket, means, number, opened, subscribed: Vec::new() };
        let clock = connection.means.clock.clone();
        match connection.means.protocol.login() {
            Login::None => {}
            Login::AtOnce(frame) => {
                connection.send(frame).await?;
                clock.timeout(LOGIN, connection.until(&StreamItem::Admitted)).await.map_err(|_| late("the login was not answered"))??;
            }
            Login::OnceGreeted(frame) => {
                clock.timeout(LOGIN, connection.until(&StreamItem::Greeted)).await.map_err(|_| late("the source did not greet"))??;
                connection.send(frame).await?;
                clock.timeout(LOGIN, connection.until(&StreamItem::Admitted)).await.map_err(|_| late("the login was not answered"))??;
            }
        }
        Ok(connection)
    }

    /// Opens a connection that takes the place of another: it is ready when the source has answered its subscription, and what
    /// came until then is not lost.
    pub(crate) async fn succeed(
        means: Means,
        number: u64,
        wanted: Vec<String>,
        wait: Duration,
    ) -> Result<(Self, Vec<Heard>), ProviderError> {
        let clock = means.clock.clone();
        let mut connection = Self::open(means, number).await?;
        connection.follow(wanted).await?;
        let mut early = Vec::new();
        let answered = async {
            loop {
                let heard = connection.hear().await?;
                let Heard::Frame { items: Ok(items), .. } = &heard else { continue };
                let ready =
                    items.iter().any(|item| matches!(item, StreamItem::Subscribed | StreamItem::Confirmed(_) | StreamItem::Event(_)));
                early.push(heard);
                if ready {
                    return Ok(());
                }
            }
        };
        match clock.timeout(wait, answered).await {
            Ok(ended) => ended?,
            Err(_) if connection.means.protocol.promise().acknowledged_within.is_some() => {
                return Err(late("the subscription was not confirmed"));
            }
            // This source answers no subscription, and has nothing to say now.
            Err(_) => {}
        }
        Ok((connection, early))
    }

    /// Subscribes to what is new in `wanted`, and gives back what is not in it.
    pub(crate) async fn follow(&mut self, wanted: Vec<String>) -> Result<(), ProviderError> {
        let new: Vec<_> = wanted.iter().filter(|s| !self.subscribed.contains(s)).cloned().collect();
        let gone: Vec<_> = self.subscribed.iter().filter(|s| !wanted.contains(s)).cloned().collect();
        let protocol = std::sync::Arc::clone(&self.means.protocol);
        let leave = if gone.is_empty() { Vec::new() } else { protocol.unsubscribe(&gone) };
        let join = if new.is_empty() { Vec::new() } else { protocol.subscribe(&new) };
        for frame in leave.into_iter().chain(join) {
            self.send(frame).await?;
        }
        self.subscribed = wanted;
        Ok(())
    }

    /// Asks for everything again, to keep it.
    pub(crate) async fn resubscribe(&mut self) -> Result<(), ProviderError> {
        for frame in self.means.protocol.subscribe(&self.subscribed) {
            self.send(frame).await?;
        }
        Ok(())
    }

    pub(crate) async fn ping(&mut self) -> Result<(), ProviderError> {
        self.put(Message::Ping(tungstenite::Bytes::new())).await
    }

    /// The next thing that is heard. Nothing is lost when the wait is given up.
    pub(crate) async fn hear(&mut self) -> Result<Heard, ProviderError> {
        let bytes = match self.socket.next().await {
            Some(Ok(Message::Text(text))) => tungstenite::Bytes::from(text),
            Some(Ok(Message::Binary(bytes))) => bytes,
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => return Ok(Heard::Beat),
            Some(Ok(Message::Close(reason))) => {
                let code = reason.as_ref().map(|reason| u16::from(reason.code));
                let why = reason.map_or_else(String::new, |r| format!(" ({} {})", r.code, clean(&r.reason)));
                return Err(self.hung_up(code, &format!("the source closed the socket{why}")));
            }
            Some(Err(tungstenite::Error::Capacity(error))) => {
                return Err(late(&format!("a frame is larger than any honest one ({})", clean(&error.to_string()))));
            }
            Some(Err(error)) => return Err(self.hung_up(None, &format!("the socket broke ({})", clean(&error.to_string())))),
            None => return Err(self.hung_up(None, "the socket ended")),
        };
        let bytes = match self.means.redact.bytes(&bytes) {
            Cow::Borrowed(_) => bytes,
            Cow::Owned(hidden) => hidden.into(),
        };
        let now = self.means.clock.now();
        self.means.recorder.frame(self.number, Direction::In, &bytes, now);
        let items = self.means.protocol.decode(&bytes, now).map(|items| items.into_iter().map(|item| self.without_keys(item)).collect());
        Ok(Heard::Frame { items, bytes: bytes.len() })
    }

    /// Says goodbye; the source is not waited for.
    pub(crate) async fn close(mut self, patience: Duration) {
        let clock = self.means.clock.clone();
        let _ = clock.timeout(patience, self.socket.close(None)).await;
    }

    /// Listens until one item comes; others that come before are not for us yet.
    async fn until(&mut self, wanted: &StreamItem) -> Result<(), ProviderError> {
        loop {
            let Heard::Frame { items, .. } = self.hear().await? else { continue };
            for item in items.unwrap_or_default() {
                match item {
                    StreamItem::Ended(error) => return Err(error),
                    StreamItem::Refused(words) => return Err(ProviderError::Unauthorized { message: words }),
                    item if item == *wanted => return Ok(()),
                    _ => {}
                }
            }
        }
    }

    async fn send(&mut self, frame: String) -> Result<(), ProviderError> {
        self.means.recorder.frame(self.number, Direction::Out, frame.as_bytes(), self.means.clock.now());
        self.put(Message::text(frame)).await
    }

    async fn put(&mut self, message: Message) -> Result<(), ProviderError> {
        self.socket.send(message).await.map_err(|e| late(&format!("the socket takes nothing ({})", clean(&e.to_string()))))
    }

    fn hung_up(&self, code: Option<u16>, message: &str) -> ProviderError {
        let open_for = self.means.clock.now().since(self.opened);
        let meant = self.means.protocol.hung_up(open_for, code);
        meant.unwrap_or_else(|| ProviderError::Retryable { message: self.means.redact.told(message), after: None })
    }

    /// A source may repeat a key in its words.
    fn without_keys(&self, item: StreamItem) -> StreamItem {
        let redact = &self.means.redact;
        match item {
            StreamItem::Refused(words) => StreamItem::Refused(redact.told(&words)),
            StreamItem::Leaving(words) => StreamItem::Leaving(redact.told(&words)),
            StreamItem::Ended(error) => StreamItem::Ended(redact.error(error)),
            item => item,
        }
    }
}

/// The next connection, when there is one to wait for.
pub(crate) async fn arrival(next: &mut Option<Succession>) -> Result<(Connection, Vec<Heard>), ProviderError> {
    match next {
        Some(next) => next.await,
        None => std::future::pending().await,
    }
}

fn late(message: &str) -> ProviderError {
    ProviderError::Retryable { message: message.to_owned(), after: None }
}
