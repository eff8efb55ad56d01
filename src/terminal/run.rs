//! The loop: it sleeps unless something happened.
//!
//! ```text
//! terminal event ─┐                     ┌─> requests to the engine
//! picture         ├─> update ─> effects ┤
//! events, time   ─┘      │              └─> suspend, quit
//!                        └─> dirty ─> draw, when it is due
//! ```

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use crossterm::event::{Event, EventStream};
use futures_util::StreamExt;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::host::{Clock, suspend};
use crate::market::Timestamp;
use crate::pane::Effect;
use crate::request::{EngineEvent, Request};
use crate::snapshot::MarketView;
use crate::terminal::pace::{Owed, Pace};
use crate::terminal::screen::{Mouse, Screen, THREAD, size};
use crate::tui::{Key, Model, Msg, update, view};

/// How often texts that tell seconds are drawn anew, while there are any.
const SECOND: Duration = Duration::from_secs(1);
/// How often texts that tell minutes are.
const RARELY: Duration = Duration::from_secs(10);

/// What the loop works with.
pub struct Monitor {
    pub model: Model,
    pub requests: mpsc::Sender<Request>,
    pub view: watch::Receiver<Arc<MarketView>>,
    pub events: mpsc::Receiver<EngineEvent>,
    /// The market's time; frames are paced by the machine's.
    pub clock: Clock,
    pub frames_per_second: u64,
    pub captures_mouse: bool,
    /// Ends the loop from outside.
    pub token: CancellationToken,
}

struct Loop {
    monitor: Monitor,
    screen: Screen,
    pace: Pace,
    machine: Clock,
    /// For the test of what a panic leaves behind.
    #[cfg(debug_assertions)]
    panics: bool,
}

/// Runs the monitor on a thread of its own, until somebody quits.
pub async fn run_on_thread(monitor: Monitor) -> Result<()> {
    let (done, ended) = tokio::sync::oneshot::channel();
    let work = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let result = runtime.context("start the screen").and_then(|runtime| runtime.block_on(run(monitor)));
        // Nobody waits any more when the program is ending.
        let _ = done.send(result);
    };
    std::thread::Builder::new().name(THREAD.to_owned()).spawn(work).context("start the screen")?;
    ended.await.unwrap_or_else(|_| Err(anyhow!("the screen died; the log says why")))
}

async fn run(monitor: Monitor) -> Result<()> {
    let mouse = if monitor.captures_mouse { Mouse::Captured } else { Mouse::Left };
    let screen = Screen::take(mouse, monitor.model.size()).context("take the terminal")?;
    let pace = Pace::new(monitor.frames_per_second);
    Loop {
        monitor,
        screen,
        pace,
        machine: Clock::system(),
        #[cfg(debug_assertions)]
        panics: crate::host::environment().get("OPENBELL_PANIC").is_some_and(|thread| thread == THREAD),
    }
    .run()
    .await
}

impl Loop {
    async fn run(mut self) -> Result<()> {
        let mut terminal = EventStream::new();
        while !self.monitor.model.quit {
            let tick = if self.monitor.model.ticks() { SECOND } else { RARELY };
            tokio::select! {
                biased;
                () = self.monitor.token.cancelled() => break,
                event = terminal.next() => {
                    let Some(Ok(event)) = event else { break };
                    self.on_terminal(event)?;
                    // Everything that is ready is taken before drawing; asked with this task's own waker, for the stream
                    // keeps the one it was asked with last.
                    while let Poll::Ready(Some(Ok(event))) = poll_fn(|task| Poll::Ready(terminal.poll_next_unpin(task))).await {
                        self.on_terminal(event)?;
                    }
                }
                () = due(&self.machine, self.pace.due()) => self.draw()?,
                changed = self.monitor.view.changed() => {
                    if changed.is_err() {
                        return Err(anyhow!("the engine ended; the log says why"));
                    }
                    let picture = self.monitor.view.borrow_and_update().clone();
                    self.take(Msg::View(picture), Owed::Market)?;
                }
                Some(event) = self.monitor.events.recv() => {
                    // Answers are awaited and notices are urgent; lines of the log and alerts come by themselves.
                    let awaited = matches!(event, EngineEvent::Reply(_) | EngineEvent::JobOver(_) | EngineEvent::Notice { .. });
                    self.take(Msg::Event(event), if awaited { Owed::Input } else { Owed::Market })?;
                }
                () = self.machine.sleep(tick) => self.pace.owe(Owed::Market),
            }
        }
        Ok(())
    }

    fn on_terminal(&mut self, event: Event) -> Result<()> {
        let msg = match event {
            Event::Key(key) => Key::pressed(&key).map(Msg::Key),
            Event::Paste(text) => Some(Msg::Paste(text)),
            Event::Resize(width, height) => {
                self.screen.resize((width, height)).context("follow the terminal's size")?;
                Some(Msg::Resize(width, height))
            }
            Event::FocusGained | Event::FocusLost | Event::Mouse(_) => None,
        };
        msg.map_or(Ok(()), |msg| self.take(msg, Owed::Input))
    }

    fn take(&mut self, msg: Msg, owed: Owed) -> Result<()> {
        let effects = update(&mut self.monitor.model, msg);
        self.pace.owe(owed);
        effects.into_iter().try_for_each(|effect| self.carry_out(effect))
    }

    fn carry_out(&mut self, effect: Effect) -> Result<()> {
        match effect {
            Effect::Ask(request) => self.ask(request),
            Effect::Suspend => self.suspend()?,
            // The model has done these itself.
            Effect::Open(_) | Effect::Toast(_) | Effect::Quit => {}
        }
        Ok(())
    }

    fn ask(&mut self, request: Request) {
        let refused = match self.monitor.requests.try_send(request) {
            Ok(()) => return,
            Err(TrySendError::Full(_)) => "the engine is busy: try again",
            Err(TrySendError::Closed(_)) => "the engine ended",
        };
        update(&mut self.monitor.model, Msg::Lost(refused.to_owned()));
    }

    fn suspend(&mut self) -> Result<()> {
        let mut suspended = Ok(());
        self.screen.step_aside(|| suspended = suspend()).context("take the terminal again")?;
        let (width, height) = size().context("ask for the terminal's size")?;
        update(&mut self.monitor.model, Msg::Resize(width, height));
        self.pace.owe(Owed::Input);
        suspended
    }

    fn draw(&mut self) -> Result<()> {
        #[cfg(debug_assertions)]
        assert!(!self.panics, "asked to panic by OPENBELL_PANIC");
        update(&mut self.monitor.model, Msg::Tick(self.monitor.clock.now()));
        let model = &self.monitor.model;
        let drawn = self.screen.draw(|frame| view(model, frame));
        self.pace.drawn(self.machine.now());
        match drawn {
            Ok(()) => Ok(()),
            // The terminal is gone: that is an end, not a failure.
            Err(error) if matches!(error.kind(), io::ErrorKind::BrokenPipe) || error.raw_os_error() == Some(EIO) => {
                self.monitor.token.cancel();
                Ok(())
            }
            Err(error) => Err(error).context("draw"),
        }
    }
}

/// What a write to a terminal that is gone says.
const EIO: i32 = 5;

async fn due(machine: &Clock, at: Option<Timestamp>) {
    match at {
        // A clock that was set back must not hold a frame for an hour.
        Some(at) => machine.sleep(at.since(machine.now()).min(SECOND)).await,
        None => std::future::pending().await,
    }
}
