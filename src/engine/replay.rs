//! What drives an engine from recordings: the same decoding, pipeline and store as live; only the sockets are missing.
//!
//! At full speed the clock is moved by hand from record to record, and never before the engine has taken all that was said before: two
//! replays of the same records come to the same bars. This holds on a runtime of one thread, where the engine's task is either at rest
//! or has not been asked yet; with more threads it may still be at work on the last message when it has left the queue.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures_util::FutureExt;
use tokio::sync::mpsc;

use crate::calendar::Calendars;
use crate::config::Config;
use crate::engine::setup::{Duty, Opened, Setup, open_for_replay};
use crate::engine::start::{Engine, EngineHandle};
use crate::engine::survey::{Reel, Survey, decode_frame, names_somebody};
use crate::host::{Clock, LogRing};
use crate::market::{MarketEvent, Symbol, Timestamp, clean};
use crate::provider::net::{Direction, Entry, FeedMessage, Note, Reader, Record, Said, Taped};
use crate::provider::{Protocol, ProviderError, ProviderSpec, StreamItem};
use crate::snapshot::{FeedState, FeedView};
use crate::store::{Leftover, Store};

/// How far a clock is moved at once: the engine looks at itself each second.
const STEP: Duration = Duration::from_millis(500);
/// After so much silence nothing forms any more, and it is moved further at once.
const QUIET: Duration = Duration::from_secs(600);
const STRIDE: Duration = Duration::from_secs(60);
/// After so much it is moved to the next record.
const LEAP: Duration = Duration::from_secs(7 * 86_400);
/// Rows that may wait for the store before the replay waits for it. The writer fills a batch from fewer without the clock's help.
const BEHIND: usize = 2_000;
/// How long a store that takes nothing is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// How fast a recording is replayed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Speed {
    /// As fast as it can be taken.
    Max,
    /// So many times as fast as it was.
    Times(f64),
}

/// What is replayed, and into what.
pub struct ReplaySetup {
    pub reels: Vec<Reel>,
    pub survey: Survey,
    /// Who is watched.
    pub symbols: Vec<Symbol>,
    pub speed: Speed,
    pub store: Arc<dyn Store>,
    pub config: Config,
    pub calendars: Arc<Calendars>,
    pub log: LogRing,
}

/// A replay that is under way.
pub struct Replay {
    reels: Merged,
    players: Vec<Player>,
    numbers: HashMap<&'static str, usize>,
    says_deaf: bool,
    /// Stretches that are over at the last of these instants.
    holes: BTreeMap<(Timestamp, usize), Timestamp>,
    clock: Clock,
    speed: Speed,
    /// The second in which the feeds' lines were told last.
    told: i64,
    messages: mpsc::Sender<(usize, FeedMessage)>,
    leftover: Leftover,
    played: Played,
}

/// What a replay came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Played {
    pub records: u64,
    /// What was said of the watched symbols.
    pub events: u64,
    /// What was said of others.
    pub nobodys: u64,
    /// Frames that make no sense.
    pub senseless: u64,
}

impl Replay {
    /// Starts an engine that is told what the recordings say; nothing is played yet.
    pub async fn start(setup: ReplaySetup) -> Result<(Engine, EngineHandle, Self)> {
        let ReplaySetup { reels, survey, symbols, speed, store, config, calendars, log } = setup;
        if survey.sources.is_empty() {
            bail!("there is nothing to replay");
        }
        let clock = match speed {
            Speed::Max => Clock::manual(survey.from),
            Speed::Times(times) => Clock::scaled(survey.from, times),
        };
        // Nobody is there to be asked for what was missed.
        let config = config.with("sources", "repair", false);
        let player = |spec: &&'static ProviderSpec| {
            let tape = Taped::default();
            Player::new(open_for_replay(spec, &config, &clock, &tape), tape, &symbols, &clock)
        };
        let players: Vec<Player> = survey.sources.iter().map(player).collect();
        let reels = Merged::open(&reels)?;
        watch(&*store, &symbols).await?;
        let setup = Setup {
            store,
            spool: None,
            config,
            clock: clock.clone(),
            calendars,
            providers: players.iter().map(|player| player.opened.clone()).collect(),
            log,
            symbols,
            simulated: false,
            places: None,
            duty: Duty::Replay,
        };
        let (engine, handle) = Engine::start(setup).await?;
        let replay = Self {
            reels,
            numbers: survey.sources.iter().enumerate().map(|(number, spec)| (spec.name, number)).collect(),
            players,
            says_deaf: survey.says_deaf,
            holes: BTreeMap::new(),
            clock,
            speed,
            told: i64::MIN,
            messages: handle.messages.clone(),
            leftover: engine.leftover(),
            played: Played::default(),
        };
        Ok((engine, handle, replay))
    }

    /// The recorded time.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Plays everything to the end.
    pub async fn play(&mut self) -> Result<Played> {
        while let Some((file, entry)) = self.reels.next() {
            if !is_late(&entry) {
                self.pass_to(entry.at()).await?;
            }
            match entry {
                Entry::Record(record) => self.record(file, &record).await?,
                Entry::Note(Note::Lost { at, source, from, .. }) => {
                    if let Some(number) = self.numbers.get(source.as_str()) {
                        self.holes.insert((at, *number), from);
                    }
                }
                Entry::Note(Note::Began { .. } | Note::Ended { .. }) => {}
            }
        }
        self.tell_holes(Timestamp::MAX).await?;
        self.settle().await?;
        self.played.senseless = self.players.iter().map(|player| player.view.errors).sum();
        Ok(self.played)
    }

    /// Lets time go on after the end, for whoever looks at the screen: prices grow old as they do.
    pub async fn go_on(&mut self) -> Result<()> {
        let machine = Clock::system();
        loop {
            machine.sleep(STEP).await;
            self.pass_to(self.clock.now() + STEP).await?;
        }
    }

    /// Lets the time of a record come.
    async fn pass_to(&mut self, at: Timestamp) -> Result<()> {
        match self.speed {
            Speed::Times(_) => {
                self.clock.sleep_until(at).await;
                self.settle().await?;
            }
            Speed::Max => {
                let began = self.clock.now();
                loop {
                    self.settle().await?;
                    let now = self.clock.now();
                    if now >= at {
                        break;
                    }
                    let step = match now.since(began) {
                        quiet if quiet < QUIET => STEP,
                        quiet if quiet < LEAP => STRIDE,
                        // Nothing forms any more: a recording that goes on years later is gone to at once.
                        _ => at.since(now),
                    };
                    self.clock.advance(at.since(now).min(step));
                    // Taken only after what is due by the clock was done: then the next record cannot be too early.
                    self.send(0, FeedMessage::Events(Vec::new())).await?;
                }
            }
        }
        self.tell_holes(at).await?;
        self.tell_lines(at).await
    }

    /// Waits until the engine has taken everything and the store is not far behind.
    async fn settle(&self) -> Result<()> {
        while self.messages.capacity() < self.messages.max_capacity() {
            if self.messages.is_closed() {
                bail!("the engine ended; the log says why");
            }
            tokio::task::yield_now().await;
        }
        if self.leftover.unwritten() > BEHIND { self.let_write().await } else { Ok(()) }
    }

    async fn let_write(&self) -> Result<()> {
        let machine = Clock::system();
        let mut least = (self.leftover.unwritten(), machine.now());
        loop {
            let rows = self.leftover.unwritten();
            if rows <= BEHIND {
                return Ok(());
            }
            if rows < least.0 {
                least = (rows, machine.now());
            } else if machine.now().since(least.1) > PATIENCE {
                bail!("the store takes no rows; the log says why");
            }
            machine.sleep(Duration::from_millis(1)).await;
        }
    }

    async fn record(&mut self, file: usize, record: &Record) -> Result<()> {
        let Some(number) = self.numbers.get(record.source.as_str()).copied() else { return Ok(()) };
        self.played.records += 1;
        let at = self.clock.now().max(record.at);
        if let Some((from, to)) = self.players[number].deaf(file, record, self.says_deaf, at) {
            self.send(number, FeedMessage::Deaf(from, to)).await?;
        }
        let player = &mut self.players[number];
        let events = match &record.said {
            Said::Frame { .. } | Said::Binary { .. } if record.direction == Direction::In => player.frame(&record.said, at),
            Said::Look { spellings } => {
                player.tape.clear();
                player.looking = Some(spellings.clone());
                Vec::new()
            }
            Said::Body { question, status, text } => {
                player.tape.lay(question, *status, text);
                player.look(at)
            }
            Said::Frame { .. } | Said::Binary { .. } | Said::Deaf { .. } => Vec::new(),
        };
        self.hand_over(number, events).await
    }

    async fn hand_over(&mut self, number: usize, events: Vec<MarketEvent>) -> Result<()> {
        let known = &self.players[number].known;
        let (ours, others): (Vec<_>, Vec<_>) =
            events.into_iter().partition(|event| !names_somebody(event) || known.contains(&*event.symbol));
        self.played.events += ours.iter().filter(|event| names_somebody(event)).count() as u64;
        self.played.nobodys += others.len() as u64;
        if ours.is_empty() { Ok(()) } else { self.send(number, FeedMessage::Events(ours)).await }
    }

    /// What was lost between two records is a hole.
    async fn tell_holes(&mut self, now: Timestamp) -> Result<()> {
        while let Some(hole) = self.holes.first_entry().filter(|hole| hole.key().0 <= now) {
            let ((to, number), from) = hole.remove_entry();
            self.send(number, FeedMessage::Deaf(from, to)).await?;
        }
        Ok(())
    }

    /// Tells the feeds' lines, once a second.
    async fn tell_lines(&mut self, now: Timestamp) -> Result<()> {
        if self.told == now.as_seconds() {
            return Ok(());
        }
        self.told = now.as_seconds();
        for number in 0..self.players.len() {
            let line = self.players[number].line(now);
            self.send(number, FeedMessage::State(line)).await?;
        }
        Ok(())
    }

    async fn send(&self, number: usize, message: FeedMessage) -> Result<()> {
        self.messages.send((number, message)).await.ok().context("the engine ended; the log says why")
    }
}

/// Keeps the symbols beside those that the store watches already.
async fn watch(store: &dyn Store, symbols: &[Symbol]) -> Result<()> {
    let list = store.watchlist().await.context("load the watchlist")?.unwrap_or_default();
    let mut ids: Vec<_> = list.iter().map(|instrument| instrument.id).collect();
    for symbol in symbols {
        let id = store.instrument(symbol.clone()).await.with_context(|| format!("add {symbol}"))?.id;
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    store.set_watchlist(ids).await.context("keep the watchlist")
}

/// A source, as its records tell it.
struct Player {
    opened: Opened,
    protocol: Option<Arc<dyn Protocol>>,
    tape: Taped,
    /// How it spells the watched symbols.
    known: HashSet<String>,
    /// The look that is not answered yet.
    looking: Option<Vec<String>>,
    /// The connection that was heard last: its file and number.
    connection: Option<(usize, u64)>,
    /// When its last frame came.
    framed: Option<Timestamp>,
    view: FeedView,
}

impl Player {
    fn new(opened: Opened, tape: Taped, symbols: &[Symbol], clock: &Clock) -> Self {
        let known: HashSet<_> = symbols.iter().filter_map(|symbol| opened.provider.spell(symbol)).collect();
        let mut view = FeedView::new(opened.source.clone(), opened.delay, clock.now());
        view.symbols = known.len();
        Self { protocol: opened.provider.stream(), opened, tape, known, looking: None, connection: None, framed: None, view }
    }

    /// What this record shows that could not be heard before it. A recording that does not say it itself shows it by a new connection.
    fn deaf(&mut self, file: usize, record: &Record, says_deaf: bool, at: Timestamp) -> Option<(Timestamp, Timestamp)> {
        if let Said::Deaf { from, to } = record.said {
            let before = if from == Timestamp::MIN { self.framed } else { None };
            return Some((before.unwrap_or(from), to));
        }
        let this = Some((file, record.connection)).filter(|(_, connection)| *connection > 0);
        if this.is_none() || this <= self.connection {
            return None;
        }
        let first = self.connection.is_none();
        self.connection = this;
        self.view.reconnects += u64::from(!first);
        (!says_deaf).then(|| (self.framed.unwrap_or(Timestamp::MIN), at))
    }

    fn frame(&mut self, said: &Said, at: Timestamp) -> Vec<MarketEvent> {
        self.heard(at);
        self.framed = Some(at);
        let Some(protocol) = &self.protocol else { return Vec::new() };
        match decode_frame(&**protocol, said, at) {
            Some(Ok(items)) => items.into_iter().filter_map(|item| self.event(item, at)).collect(),
            Some(Err(error)) => {
                self.complain(format!("a frame makes no sense: {error}"));
                Vec::new()
            }
            None => Vec::new(),
        }
    }

    fn event(&mut self, item: StreamItem, at: Timestamp) -> Option<MarketEvent> {
        match item {
            StreamItem::Event(event) => {
                self.view.lag = Some(at.seconds_since(event.ts_event));
                return Some(event);
            }
            StreamItem::Refused(words) => self.view.error = Some(clean(&words).into_owned()),
            StreamItem::Ended(error) => self.view.error = Some(error.to_string()),
            StreamItem::Greeted | StreamItem::Admitted | StreamItem::Subscribed | StreamItem::Confirmed(_) | StreamItem::Leaving(_) => {}
        }
        None
    }

    /// Looks again, with one answer more: a look that asks several questions is answered by the last of them. It waits for nobody, so
    /// one that would have to try again is answered by a later record or never.
    fn look(&mut self, at: Timestamp) -> Vec<MarketEvent> {
        let Some(spellings) = self.looking.take() else { return Vec::new() };
        let look = tokio::task::coop::unconstrained(self.opened.provider.look(&spellings));
        let answer: Option<Result<Vec<MarketEvent>, ProviderError>> = look.now_or_never();
        if let Some(Ok(events)) = answer {
            self.heard(at);
            return events;
        }
        self.looking = Some(spellings);
        Vec::new()
    }

    fn heard(&mut self, at: Timestamp) {
        self.view.last_frame = Some(at);
        self.view.messages += 1;
        self.view.rate.count(1, at);
    }

    fn complain(&mut self, words: String) {
        self.view.errors += 1;
        self.view.error = Some(words);
    }

    /// How the feed stood, by the age of what was heard.
    fn line(&mut self, now: Timestamp) -> FeedView {
        // Pongs are in no recording: the frames of a quiet source may be far apart.
        let patience = self.protocol.as_ref().map(|protocol| protocol.promise()).map(|promise| promise.frame.max(promise.data * 3));
        let state = match (self.view.last_frame, self.framed) {
            (None, _) => FeedState::Connecting,
            (Some(_), None) => FeedState::Polling,
            (Some(_), Some(last)) if Some(now.since(last)) > patience => FeedState::Dead,
            (Some(_), Some(_)) => FeedState::Live,
        };
        self.view.rate.roll(now);
        self.view.enter(state, now);
        self.view.clone()
    }
}

/// Several recordings as one, by time.
struct Merged {
    lanes: Vec<Lane>,
}

struct Lane {
    reader: Reader,
    head: Option<Entry>,
    /// A record that is earlier than the one before it comes right after that one.
    last: Timestamp,
}

impl Merged {
    fn open(reels: &[Reel]) -> Result<Self> {
        let lane = |reel: &Reel| Ok(Lane { reader: reel.open()?, head: None, last: Timestamp::MIN });
        Ok(Self { lanes: reels.iter().map(lane).collect::<Result<_>>()? })
    }
}

impl Iterator for Merged {
    /// The number of the file, and a line of it.
    type Item = (usize, Entry);

    fn next(&mut self) -> Option<Self::Item> {
        let heads = self.lanes.iter_mut().enumerate().filter_map(|(number, lane)| Some((lane.peek()?, number)));
        let (_, number) = heads.min()?;
        self.lanes[number].head.take().map(|entry| (number, entry))
    }
}

impl Lane {
    /// When its next line is due. Lines that cannot be read were told before.
    fn peek(&mut self) -> Option<Timestamp> {
        if self.head.is_none() {
            let (_, entry) = self.reader.by_ref().find_map(Result::ok)?;
            if !is_late(&entry) {
                self.last = self.last.max(entry.at());
            }
            self.head = Some(entry);
        }
        Some(self.last)
    }
}

/// What was lost is told when there is room again: what follows it may be earlier.
fn is_late(entry: &Entry) -> bool {
    matches!(entry, Entry::Note(Note::Lost { .. }))
}
