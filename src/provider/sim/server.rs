//! The made-up exchange's side of the pipe.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::{SinkExt, StreamExt};
use tokio::io::DuplexStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, accept_async};

use crate::calendar::{Calendar, Calendars, bar_bounds};
use crate::host::{Clock, Tasks};
use crate::market::{Interval, Symbol, Timestamp};
use crate::provider::net::{Connect, Io};
use crate::provider::sim::exchange::{Exchange, Print, activity};
use crate::provider::sim::fault::{self, Fault};
use crate::provider::sim::wire::{Asked, Row, Said, TradeSaid};

/// How often what happened since is sent.
const STEP: Duration = Duration::from_millis(100);
/// Minutes of bars that a new subscription gets.
const SNAPSHOT: i64 = 40;
const PIPE: usize = 1 << 20;

/// Connections to the exchange: each gets a task at the other end of a pipe.
pub(crate) struct Hall {
    pub(crate) exchange: Exchange,
    pub(crate) calendars: Arc<Calendars>,
    pub(crate) clock: Clock,
    pub(crate) opened: Timestamp,
    pub(crate) misbehaves: bool,
    pub(crate) tasks: Tasks,
    /// The last trade's number of each symbol: they rise by 1, whoever listens.
    pub(crate) numbers: Mutex<HashMap<String, u64>>,
}

/// One customer.
struct Session {
    hall: Arc<Hall>,
    symbols: Vec<String>,
    sent_until: Timestamp,
    silent_until: Timestamp,
    next_second: Timestamp,
}

type Customer = WebSocketStream<DuplexStream>;

/// Makes pipes to a hall.
pub(crate) struct Pipes(pub(crate) Arc<Hall>);

impl Connect for Pipes {
    fn connect<'a>(&'a self, _: &'a str, _: u16) -> BoxFuture<'a, std::io::Result<Box<dyn Io>>> {
        let (ours, theirs) = tokio::io::duplex(PIPE);
        let hall = Arc::clone(&self.0);
        let token = hall.tasks.token();
        self.0.tasks.spawn("sim", async move {
            if let Ok(socket) = accept_async(theirs).await {
                tokio::select! {
                    () = Session::new(hall).serve(socket) => {}
                    () = token.cancelled() => {}
                }
            }
        });
        Box::pin(std::future::ready(Ok(Box::new(ours) as Box<dyn Io>)))
    }
}

impl Session {
    fn new(hall: Arc<Hall>) -> Self {
        let now = hall.clock.now();
        Self { hall, symbols: Vec::new(), sent_until: now, silent_until: Timestamp::MIN, next_second: now }
    }

    async fn serve(mut self, mut socket: Customer) {
        let mut step = self.hall.clock.interval(STEP);
        loop {
            let going_on = tokio::select! {
                frame = socket.next() => match frame {
                    Some(Ok(Message::Text(text))) => self.answer(&mut socket, &text).await,
                    Some(Ok(Message::Close(_)) | Err(_)) | None => false,
                    Some(Ok(_)) => socket.flush().await.is_ok(),
                },
                () = step.tick() => self.go_on(&mut socket).await,
            };
            if !going_on {
                return;
            }
        }
    }

    async fn answer(&mut self, socket: &mut Customer, text: &str) -> bool {
        match serde_json::from_str(text) {
            Ok(Asked::Subscribe { symbols }) => {
                let mut frames = vec![Said::Subscribed];
                for symbol in symbols {
                    frames.extend(self.snapshot(&symbol));
                    self.symbols.push(symbol);
                }
                say(socket, &frames).await
            }
            Ok(Asked::Unsubscribe { symbols }) => {
                self.symbols.retain(|symbol| !symbols.contains(symbol));
                true
            }
            Ok(Asked::History { symbol, interval_s, from_us, to_us }) => {
                let interval = Interval::from_seconds(interval_s).unwrap_or(Interval::OneMinute);
                let bars = self.hall.history(&symbol, interval, Timestamp::from_micros(from_us), Timestamp::from_micros(to_us));
                say(socket, &[Said::History { bars }]).await
            }
            Err(error) => say(socket, &[Said::Error { message: format!("what was that? ({error})") }]).await,
        }
    }

    /// Sends what happened since the last step, and does what the plan has for this second.
    async fn go_on(&mut self, socket: &mut Customer) -> bool {
        let now = self.hall.clock.now();
        let mut frames = Vec::new();
        let mut fault = None;
        if now >= self.next_second {
            self.next_second = now + Duration::from_secs(1);
            frames.push(Said::Heartbeat { time_us: now.as_micros() });
            fault = if self.hall.misbehaves { fault::at(now.since(self.hall.opened)) } else { None };
        }
        match fault {
            Some(Fault::Cut) => return false,
            Some(Fault::Silence) => self.silent_until = now + fault::SILENCE,
            Some(Fault::WrongBar | Fault::Spike) => frames.extend(self.wrong_bar(now, fault)),
            None => {}
        }
        let from = std::mem::replace(&mut self.sent_until, now);
        if now >= self.silent_until {
            for symbol in &self.symbols {
                frames.extend(self.hall.since(symbol, from, now));
            }
        }
        say(socket, &frames).await
    }

    fn wrong_bar(&self, now: Timestamp, fault: Option<Fault>) -> Option<Said<'static>> {
        let symbol = self.symbols.get(usize::try_from(now.as_seconds() / 7).unwrap_or(0) % self.symbols.len().max(1))?;
        let calendar = self.hall.calendar(symbol)?;
        let minute = now - Duration::from_secs(60);
        let bounds = bar_bounds(calendar, Interval::OneMinute.duration(), minute).ok()??;
        let row = self.hall.bar(symbol, bounds.open, bounds.close)?;
        Some(Said::Bar { symbol: symbol.clone().into(), interval_s: 60, bar: spoil(row, fault) })
    }

    /// The day so far, and the last minutes with what is wrong in them.
    fn snapshot(&self, symbol: &str) -> Vec<Said<'static>> {
        let (hall, now) = (&self.hall, self.hall.clock.now());
        let Some(calendar) = hall.calendar(symbol) else { return Vec::new() };
        let mut frames = Vec::new();
        for ago in (1..=SNAPSHOT).rev() {
            let minute = now - Duration::from_secs(60) * u32::try_from(ago).unwrap_or(0);
            let position = self.symbols.len();
            if hall.misbehaves && position == 2 && fault::HOLE_AGO.contains(&ago) {
                continue;
            }
            let Some(bounds) = bar_bounds(calendar, Interval::OneMinute.duration(), minute).ok().flatten() else { continue };
            let fault = if hall.misbehaves { fault::in_history(position, ago) } else { None };
            if let Some(row) = hall.bar(symbol, bounds.open, bounds.close).filter(|_| bounds.close <= now) {
                frames.push(Said::Bar { symbol: symbol.to_owned().into(), interval_s: 60, bar: spoil(row, fault) });
            }
        }
        frames.push(hall.day(symbol, now));
        frames
    }
}

impl Hall {
    fn calendar(&self, symbol: &str) -> Option<&Calendar> {
        self.calendars.get(&symbol.parse::<Symbol>().ok()?.listing().venue)
    }

    fn trades_at(&self, symbol: &str, at: Timestamp) -> bool {
        self.calendar(symbol).and_then(|calendar| calendar.is_trading(at).ok()).unwrap_or(false)
    }

    /// Trades in `[from, to)`, with the quote after the last.
    fn since(&self, symbol: &str, from: Timestamp, to: Timestamp) -> Vec<Said<'static>> {
        if !self.trades_at(symbol, to) {
            return Vec::new();
        }
        let prints = (from.as_seconds()..=to.as_seconds()).flat_map(|second| self.exchange.second(symbol, Timestamp::from_seconds(second)));
        let prints: Vec<_> = prints.filter(|print| from <= print.at && print.at < to).collect();
        let quote = prints.last().map(|print| {
            let (bid, ask) = Exchange::spread(symbol, print.price);
            Said::Quote { symbol: symbol.to_owned().into(), time_us: print.at.as_micros(), bid, ask, bid_size: 3.0, ask_size: 2.0 }
        });
        let mut numbers = self.numbers.lock().unwrap_or_else(PoisonError::into_inner);
        let number = numbers.entry(symbol.to_owned()).or_default();
        let trade = |print: &Print| {
            *number += 1;
            trade(symbol, *number, print)
        };
        prints.iter().map(trade).chain(quote).collect()
    }

    /// One bar, from the trades in it.
    fn bar(&self, symbol: &str, open: Timestamp, close: Timestamp) -> Option<Row> {
        let seconds = close.as_seconds() - open.as_seconds();
        // Long bars are made of samples: nobody waits for a year of made-up seconds.
        let step = usize::try_from((seconds / 120).max(1)).unwrap_or(1);
        let prints: Vec<_> = (open.as_seconds()..close.as_seconds())
            .step_by(step)
            .flat_map(|s| self.exchange.second(symbol, Timestamp::from_seconds(s)))
            .collect();
        let (first, last) = (prints.first()?, prints.last()?);
        let prices = || prints.iter().map(|print| print.price);
        let (high, low) = (prices().fold(f64::MIN, f64::max), prices().fold(f64::MAX, f64::min));
        let volume: f64 = prints.iter().map(|print| print.size).sum();
        Some((open.as_micros(), first.price, high, low, last.price, volume, prints.len() as u64))
    }

    fn history(&self, symbol: &str, interval: Interval, from: Timestamp, to: Timestamp) -> Vec<Row> {
        let Some(calendar) = self.calendar(symbol) else { return Vec::new() };
        let to = to.min(self.clock.now());
        let expected = crate::quality::expected(calendar, interval, from, to).unwrap_or_default();
        let sealed = expected.into_iter().filter(|(_, close, _)| *close <= to);
        sealed.filter_map(|(open, close, _)| self.bar(symbol, open, close)).collect()
    }

    fn day(&self, symbol: &str, now: Timestamp) -> Said<'static> {
        let since = now.date().midnight().as_seconds();
        let prices = || (since..now.as_seconds()).step_by(300).map(|second| self.exchange.price(symbol, second));
        let last = self.exchange.price(symbol, now.as_seconds());
        let (bid, _) = Exchange::spread(symbol, last);
        let elapsed = f64::from(u32::try_from(now.as_seconds() - since).unwrap_or(0));
        Said::Day {
            symbol: symbol.to_owned().into(),
            time_us: now.as_micros(),
            last: bid,
            reference: self.exchange.reference(symbol, now),
            open: Exchange::spread(symbol, self.exchange.price(symbol, since)).0,
            high: Exchange::spread(symbol, prices().fold(last, f64::max)).1,
            low: Exchange::spread(symbol, prices().fold(last, f64::min)).0,
            volume: (elapsed * 120.0 * activity(symbol)).round(),
        }
    }
}

fn trade(symbol: &str, id: u64, print: &Print) -> Said<'static> {
    let Print { at, price, size, buy } = *print;
    Said::Trade(TradeSaid { symbol: symbol.to_owned().into(), id, time_us: at.as_micros(), price, size, buy })
}

fn spoil(row: Row, fault: Option<Fault>) -> Row {
    let (time, open, high, low, close, volume, trades) = row;
    match fault {
        Some(Fault::WrongBar) => (time, open, low - 0.5, low, close, volume, trades),
        Some(Fault::Spike) => (time, open, high, low, close, volume * 50.0, trades),
        Some(Fault::Silence | Fault::Cut) | None => row,
    }
}

async fn say(socket: &mut Customer, frames: &[Said<'_>]) -> bool {
    for frame in frames {
        let text = serde_json::to_string(frame).expect("what is said has only texts and numbers");
        if socket.feed(Message::text(text)).await.is_err() {
            return false;
        }
    }
    socket.flush().await.is_ok()
}
