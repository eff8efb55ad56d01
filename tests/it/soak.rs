//! A long run of the whole engine on a local feed, with a fault every minute: nothing that was sent is lost or counted twice, and memory
//! stays flat. Behind `OPENBELL_SOAK=SECONDS`; `scripts/soak.sh` runs it on a release build.
//!
//! The feed speaks Coinbase's language on real sockets and the machine's clock, in a thread of its own. It keeps a book of what it made
//! and of what it sent, by symbol and minute. In the end each stored bar is held against it: a whole bar has exactly the volume that was
//! sent, a partial one not more than that, and one that was asked for afterwards exactly what was made.
#![cfg(target_os = "linux")]

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use openbell::calendar::Calendars;
use openbell::config::{Config, Facts, RawConfig};
use openbell::engine::{Duty, Engine, EngineHandle, Setup, config_sections, open_provider};
use openbell::host::{Clock, LogRing};
use openbell::market::{Bar, BarFlags, Interval, Origin, Timestamp};
use openbell::pipeline::Ranks;
use openbell::provider::PROVIDERS;
use openbell::store::{BarQuery, Creation, RecordQuery, Sqlite, Store};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle as Task;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role};

const SYMBOLS: usize = 500;
/// Of each symbol in a second: a heartbeat, a ticker and four trades.
const KINDS: u64 = 6;
/// 3,000.
const PER_SECOND: u64 = SYMBOLS as u64 * KINDS;
/// How often the feed sends what is due.
const BEAT: Duration = Duration::from_millis(10);
/// When in each minute of the run something goes wrong.
const FAULT_AT: u64 = 20;
/// How many trades are told again in a burst.
const AGAIN: usize = 1_000;
/// How long trades are held back, to be sent in the wrong order.
const HELD: Duration = Duration::from_secs(1);
const STALL: Duration = Duration::from_secs(20);
const REST_DOWN: Duration = Duration::from_secs(30);
/// Ticks of processor time in a second: the kernel's interface has 100 on every machine that we know.
const TICKS: f64 = 100.0;

#[test]
fn nothing_is_lost_in_a_long_run_with_faults() {
    let asked = std::env::var("OPENBELL_SOAK").ok();
    let Some(seconds) = asked.map(|text| text.parse::<u64>().expect("OPENBELL_SOAK is a number of seconds")) else {
        println!("soak: left out; OPENBELL_SOAK=1800 runs it for half an hour");
        return;
    };
    let exchange = Exchange::start(seconds);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(run(exchange, Duration::from_secs(seconds)));
}

async fn run(exchange: Exchange, span: Duration) {
    let folder = tempfile::tempdir().unwrap();
    let (engine, mut handle, store) = start_engine(&exchange, &folder).await;
    let mut usage = Usage::default();
    let (began, cpu, feed_cpu) = (Instant::now(), cpu("/proc/self/stat"), exchange.cpu.load(Ordering::Relaxed));
    while began.elapsed() < span {
        tokio::time::sleep(Duration::from_secs(1)).await;
        usage.sample();
        while handle.events.try_recv().is_ok() {}
    }
    let minutes = began.elapsed().as_secs_f64() / 60.0;
    let (cpu, feed_cpu) = (self::cpu("/proc/self/stat") - cpu, exchange.cpu.load(Ordering::Relaxed) - feed_cpu);
    exchange.quiet.store(true, Ordering::Relaxed);
    // What is on its way arrives.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let view = Arc::clone(&handle.view.borrow());
    drop(engine.stop().await);
    drop(handle);
    let (book, tally) = exchange.end();
    let found = check(&*store, &book).await;

    println!("soak: {} s, {tally:?}", span.as_secs());
    let feed = &view.feeds[0];
    println!(
        "soak: {} frames received, {} errors, {} reconnects; {} rows written",
        feed.messages, feed.errors, feed.reconnects, view.writer.written
    );
    println!("soak: {found:?}");
    usage.print();
    let per_minute = |ticks: u64| ticks as f64 / TICKS / minutes;
    println!("soak: CPU seconds a minute: {:.2}, of which the feed's own {:.2}", per_minute(cpu), per_minute(feed_cpu));

    assert_eq!(found.wrong, Vec::<String>::new());
    assert_eq!((feed.dropped, view.writer.dropped), (0, 0));
    assert!(store.quarantine(RecordQuery::default()).await.unwrap().is_empty());
    assert!(tally.trades > 0 && found.whole + found.partial + found.repaired > 0, "nothing was heard");
    if span >= Duration::from_secs(600) {
        assert!(found.whole + found.repaired > found.partial, "most minutes are whole in the end");
        assert!(found.repaired > 0, "what was missed was asked for");
    }
    usage.check();
}

async fn start_engine(exchange: &Exchange, folder: &tempfile::TempDir) -> (Engine, EngineHandle, Arc<dyn Store>) {
    let Exchange { rest_url, stream_url, .. } = exchange;
    let text = format!("[provider.coinbase]\nrest_url = \"{rest_url}\"\nstream_url = \"{stream_url}\"\nrequests_per_minute = 600\n");
    let sections = config_sections();
    let raw = RawConfig::parse(&text, &sections).unwrap();
    let config = Config::resolve(&raw, &sections, &Facts::default()).unwrap();
    let clock = Clock::system();
    let ranks = Ranks::new(config.section("sources").list("rank"));
    let store: Arc<dyn Store> = Arc::new(Sqlite::open(&folder.path().join("soak.db"), Creation::IfEmpty, ranks).unwrap());
    let spec = PROVIDERS.iter().find(|spec| spec.name == "coinbase").unwrap();
    let providers = vec![open_provider(spec, &config, &clock)];
    let setup = Setup {
        spool: None,
        store: Arc::clone(&store),
        config,
        clock,
        calendars: Arc::new(Calendars::embedded()),
        providers,
        log: LogRing::default(),
        symbols: (0..SYMBOLS).map(|symbol| name(symbol).parse().unwrap()).collect(),
        simulated: false,
        places: None,
        duty: Duty::Record,
    };
    let (engine, handle) = Engine::start(setup).await.unwrap();
    (engine, handle, store)
}

fn name(symbol: usize) -> String {
    format!("A{symbol}-USD")
}

// What was stored, held against what was sent.

#[derive(Debug, Default)]
struct Found {
    whole: u64,
    partial: u64,
    repaired: u64,
    wrong: Vec<String>,
}

async fn check(store: &dyn Store, book: &Book) -> Found {
    let mut found = Found::default();
    for symbol in 0..SYMBOLS {
        let id = store.instrument(name(symbol).parse().unwrap()).await.unwrap().id;
        let mut bars = BTreeMap::new();
        let mut chunks = store.bars(BarQuery::all(id, Interval::OneMinute));
        while let Some(chunk) = chunks.next().await {
            bars.extend(chunk.unwrap().into_iter().map(|bar| (bar.open_time.as_seconds() / 60, bar)));
        }
        for minute in book.first..book.first + book.minutes as i64 {
            let sums = book.cells[book.at(symbol, minute)];
            match bars.get(&minute) {
                Some(bar) => found.judge(symbol, bar, &sums),
                None if sums.sent_count > 0 => found.blame(symbol, minute, &format!("no bar of {} trades", sums.sent_count)),
                None => {}
            }
        }
    }
    found
}

impl Found {
    fn judge(&mut self, symbol: usize, bar: &Bar, sums: &Sums) {
        let minute = bar.open_time.as_seconds() / 60;
        let (volume, count) = (bar.volume.unwrap_or(0.0), bar.n_trades.unwrap_or(0));
        let fits = if bar.origin == Origin::Backfill {
            self.repaired += 1;
            same(volume, sums.made)
        } else if bar.flags.contains(BarFlags::PARTIAL) {
            self.partial += 1;
            volume <= sums.sent && count <= sums.sent_count
        } else {
            self.whole += 1;
            same(volume, sums.sent) && count == sums.sent_count
        };
        if !fits {
            self.blame(symbol, minute, &format!("a {} bar [{}] of {volume} in {count} trades: {sums:?}", bar.origin, bar.flags));
        }
    }

    /// The first few say enough.
    fn blame(&mut self, symbol: usize, minute: i64, what: &str) {
        if self.wrong.len() < 20 {
            self.wrong.push(format!("{} {}: {what}", name(symbol), Timestamp::from_seconds(minute * 60)));
        }
    }
}

/// Sizes are whole numbers: their sums are exact.
fn same(one: f64, other: f64) -> bool {
    (one - other).abs() < 0.5
}

// What it takes.

#[derive(Default)]
struct Usage {
    /// Kilobytes, each second.
    resident: Vec<u64>,
}

impl Usage {
    fn sample(&mut self) {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("Linux tells it");
        self.resident.push(line.trim().trim_end_matches(" kB").parse().expect("kilobytes"));
    }

    /// The least, the middle and the most of the first and of the last quarter.
    fn quarters(&self) -> [[u64; 3]; 2] {
        let quarter = (self.resident.len() / 4).max(1);
        [&self.resident[..quarter], &self.resident[self.resident.len() - quarter..]].map(|samples| {
            let mut sorted = samples.to_vec();
            sorted.sort_unstable();
            [sorted[0], sorted[sorted.len() / 2], sorted[sorted.len() - 1]]
        })
    }

    fn print(&self) {
        for (name, [least, median, most]) in ["first", "last"].into_iter().zip(self.quarters()) {
            println!("soak: memory in the {name} quarter: min {least} kB, median {median} kB, max {most} kB");
        }
    }

    fn check(&self) {
        let [[_, first, _], [_, last, _]] = self.quarters();
        assert!((last as f64) < first as f64 * 1.2 + 8.0 * 1_024.0, "memory grows: {first} kB, then {last} kB");
    }
}

/// Ticks of processor time, of the kernel and of the program.
fn cpu(stat: &str) -> u64 {
    let text = fs::read_to_string(stat).unwrap();
    let (_, rest) = text.rsplit_once(')').expect("the name stands in brackets");
    let field = |number: usize| rest.split_whitespace().nth(number).unwrap().parse::<u64>().unwrap();
    field(11) + field(12)
}

// The exchange.

/// Sums of one symbol and minute.
#[derive(Clone, Copy, Debug)]
struct Sums {
    open: f64,
    high: f64,
    low: f64,
    close: f64,
    made: f64,
    made_count: u64,
    sent: f64,
    sent_count: u64,
}

/// What was made and sent, by symbol and minute; all of its room is taken at the start.
struct Book {
    /// Minutes since 1970.
    first: i64,
    minutes: usize,
    cells: Vec<Sums>,
}

impl Book {
    fn new(seconds: u64) -> Self {
        let minutes = usize::try_from(seconds / 60).unwrap() + 10;
        let none = Sums {
            open: f64::NAN,
            high: f64::NEG_INFINITY,
            low: f64::INFINITY,
            close: f64::NAN,
            made: 0.0,
            made_count: 0,
            sent: 0.0,
            sent_count: 0,
        };
        Self { first: Clock::system().now().as_seconds() / 60, minutes, cells: vec![none; SYMBOLS * minutes] }
    }

    fn at(&self, symbol: usize, minute: i64) -> usize {
        let minute = usize::try_from(minute - self.first).expect("time goes on").min(self.minutes - 1);
        symbol * self.minutes + minute
    }

    fn made(&mut self, trade: &Trade, price: f64) {
        let at = self.at(trade.symbol, trade.minute);
        let sums = &mut self.cells[at];
        if sums.made_count == 0 {
            sums.open = price;
        }
        (sums.high, sums.low, sums.close) = (sums.high.max(price), sums.low.min(price), price);
        sums.made += trade.size;
        sums.made_count += 1;
    }

    fn sent(&mut self, trade: &Trade) {
        let at = self.at(trade.symbol, trade.minute);
        self.cells[at].sent += trade.size;
        self.cells[at].sent_count += 1;
    }

    /// Newest first, as Coinbase has them.
    fn candles(&self, symbol: usize, from: Timestamp, to: Timestamp) -> String {
        let (from, to) = (from.as_seconds() / 60, to.as_seconds() / 60);
        let known = (from.max(self.first)..=to.min(self.first + self.minutes as i64 - 1)).rev();
        let rows = known.map(|minute| (minute * 60, self.cells[self.at(symbol, minute)])).filter(|(_, sums)| sums.made_count > 0);
        let row = |(time, Sums { open, high, low, close, made, .. }): (i64, Sums)| format!("[{time},{low},{high},{open},{close},{made}]");
        format!("[{}]", rows.map(row).collect::<Vec<_>>().join(","))
    }
}

/// A trade on its way.
#[derive(Clone, Copy)]
struct Trade {
    symbol: usize,
    minute: i64,
    size: f64,
}

/// A frame on its way, and the trade in it, where it is to be counted.
type Frame = (String, Option<Trade>);

/// What the feed did.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    connections: u64,
    frames: u64,
    trades: u64,
    faults: u64,
}

#[derive(Clone, Copy, Debug)]
enum Fault {
    HangUp,
    Stall,
    Garbage,
    Again,
    Disorder,
    CloseAndRefuse,
    RestDown,
}

const FAULTS: [Fault; 7] =
    [Fault::HangUp, Fault::Stall, Fault::Garbage, Fault::Again, Fault::Disorder, Fault::CloseAndRefuse, Fault::RestDown];

/// The feed, in its thread.
struct Exchange {
    rest_url: String,
    stream_url: String,
    /// Processor time of its thread, in ticks.
    cpu: Arc<AtomicU64>,
    /// Nothing more is made.
    quiet: Arc<AtomicBool>,
    over: Arc<AtomicBool>,
    book: Arc<Mutex<Book>>,
    thread: JoinHandle<Tally>,
}

impl Exchange {
    fn start(seconds: u64) -> Self {
        let bind = || {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            listener.set_nonblocking(true).unwrap();
            listener
        };
        let (rest, stream) = (bind(), bind());
        let (rest_url, stream_url) = (format!("http://{}", rest.local_addr().unwrap()), format!("ws://{}", stream.local_addr().unwrap()));
        let book = Arc::new(Mutex::new(Book::new(seconds)));
        let (cpu, quiet, over) = (Arc::<AtomicU64>::default(), Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
        let signals = (Arc::clone(&cpu), Arc::clone(&quiet), Arc::clone(&over));
        let kept = Arc::clone(&book);
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(exchange(rest, stream, kept, signals))
        });
        Self { rest_url, stream_url, cpu, quiet, over, book, thread }
    }

    fn end(self) -> (Book, Tally) {
        self.over.store(true, Ordering::Relaxed);
        let tally = self.thread.join().unwrap();
        let book = Arc::into_inner(self.book).expect("its thread is over").into_inner().unwrap();
        (book, tally)
    }
}

type Signals = (Arc<AtomicU64>, Arc<AtomicBool>, Arc<AtomicBool>);

async fn exchange(rest: std::net::TcpListener, stream: std::net::TcpListener, book: Arc<Mutex<Book>>, signals: Signals) -> Tally {
    let (cpu, quiet, over) = signals;
    let (rest_is_down, refusals) = (Arc::<AtomicBool>::default(), Arc::<AtomicU32>::default());
    tokio::spawn(serve_rest(TcpListener::from_std(rest).unwrap(), Arc::clone(&book), Arc::clone(&rest_is_down)));
    let (opened, lines) = mpsc::channel(16);
    tokio::spawn(serve_sockets(TcpListener::from_std(stream).unwrap(), Arc::clone(&refusals), opened));
    let mut floor = Floor::new(book, lines, rest_is_down, refusals);
    let mut beat = tokio::time::interval(BEAT);
    while !over.load(Ordering::Relaxed) {
        beat.tick().await;
        floor.take_lines().await;
        if !quiet.load(Ordering::Relaxed) {
            floor.trade().await;
            floor.go_wrong().await;
        }
        cpu.store(self::cpu("/proc/thread-self/stat"), Ordering::Relaxed);
    }
    floor.tally
}

/// One connection.
struct Line {
    sink: SplitSink<WebSocketStream<TcpStream>, Message>,
    subscriptions: mpsc::Receiver<usize>,
    reader: Task<()>,
    hears: Vec<bool>,
}

/// Where trades are made, whether or not anybody listens.
struct Floor {
    book: Arc<Mutex<Book>>,
    lines: mpsc::Receiver<Line>,
    line: Option<Line>,
    /// Connections that say nothing any more, and until when they are held.
    mute: Vec<(Line, Instant)>,
    began: Instant,
    /// How many messages were due so far.
    slot: u64,
    /// The last id of each symbol.
    ids: Vec<u64>,
    recent: VecDeque<String>,
    held: Option<(Vec<Frame>, Instant)>,
    next_fault: u64,
    rest_is_down: Arc<AtomicBool>,
    rest_up_at: Option<Instant>,
    refusals: Arc<AtomicU32>,
    tally: Tally,
}

impl Floor {
    fn new(book: Arc<Mutex<Book>>, lines: mpsc::Receiver<Line>, rest_is_down: Arc<AtomicBool>, refusals: Arc<AtomicU32>) -> Self {
        Self {
            book,
            lines,
            line: None,
            mute: Vec::new(),
            began: Instant::now(),
            slot: 0,
            ids: vec![1_000_000; SYMBOLS],
            recent: VecDeque::with_capacity(AGAIN + 1),
            held: None,
            next_fault: 0,
            rest_is_down,
            rest_up_at: None,
            refusals,
            tally: Tally::default(),
        }
    }

    /// Takes connections and subscriptions that came; each subscription is confirmed, with the trade where its ids start.
    async fn take_lines(&mut self) {
        while let Ok(line) = self.lines.try_recv() {
            self.tally.connections += 1;
            self.line = Some(line);
        }
        let Some(line) = &mut self.line else { return };
        let mut frames = Vec::new();
        let (_, time) = now();
        let gone = loop {
            match line.subscriptions.try_recv() {
                Ok(symbol) => {
                    line.hears[symbol] = true;
                    frames.push((confirmation(symbol), None));
                    frames.push((trade_frame("last_match", symbol, self.ids[symbol], "1", 1.0, &time), None));
                }
                Err(mpsc::error::TryRecvError::Empty) => break false,
                Err(mpsc::error::TryRecvError::Disconnected) => break true,
            }
        };
        if gone {
            self.line = None;
        }
        self.send(frames).await;
    }

    /// Makes what is due, and sends it to whoever listens.
    async fn trade(&mut self) {
        let frames = self.make();
        let frames = self.hold_back(frames);
        self.send(frames).await;
    }

    fn make(&mut self) -> Vec<Frame> {
        let due = u64::try_from(self.began.elapsed().as_millis()).unwrap() * PER_SECOND / 1_000;
        // A machine that slept makes no burst.
        self.slot = self.slot.max(due.saturating_sub(PER_SECOND));
        let (minute, time) = now();
        let mut frames = Vec::new();
        let book = Arc::clone(&self.book);
        let mut book = book.lock().unwrap();
        while self.slot < due {
            let slot = self.slot;
            self.slot += 1;
            let symbol = usize::try_from(slot % SYMBOLS as u64).unwrap();
            let hears = self.line.as_ref().is_some_and(|line| line.hears[symbol]);
            let id = self.ids[symbol];
            match slot / SYMBOLS as u64 % KINDS {
                0 if hears => frames.push((heartbeat(symbol, id, &time), None)),
                1 if hears => frames.push((ticker(symbol, id, &time), None)),
                0 | 1 => {}
                _ => {
                    self.ids[symbol] = id + 1;
                    let (price, size) = (price(symbol, id + 1), (1 + (id + 1) % 9) as f64);
                    let trade = Trade { symbol, minute, size };
                    book.made(&trade, price);
                    if hears {
                        frames.push((trade_frame("match", symbol, id + 1, &price.to_string(), size, &time), Some(trade)));
                    }
                }
            }
        }
        frames
    }

    /// While a burst in the wrong order is being gathered, trades wait for it.
    fn hold_back(&mut self, frames: Vec<Frame>) -> Vec<Frame> {
        let Some((held, until)) = &mut self.held else { return frames };
        let (trades, mut rest): (Vec<_>, Vec<_>) = frames.into_iter().partition(|(_, trade)| trade.is_some());
        held.extend(trades);
        if *until <= Instant::now() {
            rest.extend(std::mem::take(held).into_iter().rev());
            self.held = None;
        }
        rest
    }

    /// Sends frames, and counts the trades among them.
    async fn send(&mut self, frames: Vec<Frame>) {
        let Some(line) = &mut self.line else { return };
        let mut sent = Vec::new();
        let mut broken = false;
        for (text, trade) in frames {
            if let Some(trade) = trade {
                sent.push(trade);
                if self.recent.len() == AGAIN {
                    self.recent.pop_front();
                }
                self.recent.push_back(text.clone());
            }
            self.tally.frames += 1;
            if line.sink.feed(Message::text(text)).await.is_err() {
                broken = true;
                break;
            }
        }
        broken |= line.sink.flush().await.is_err();
        self.tally.trades += sent.len() as u64;
        let mut book = self.book.lock().unwrap();
        sent.iter().for_each(|trade| book.sent(trade));
        drop(book);
        if broken {
            self.leave();
        }
    }

    /// Lets the connection go; trades that are held back for it are not sent.
    fn leave(&mut self) {
        self.held = None;
        self.recent.clear();
        if let Some(line) = self.line.take() {
            line.reader.abort();
        }
    }

    async fn go_wrong(&mut self) {
        let now = Instant::now();
        self.mute.retain(|(_, until)| *until > now);
        if self.rest_up_at.is_some_and(|at| at <= now) {
            self.rest_up_at = None;
            self.rest_is_down.store(false, Ordering::Relaxed);
        }
        if self.began.elapsed() < Duration::from_secs(self.next_fault * 60 + FAULT_AT) {
            return;
        }
        let fault = FAULTS[usize::try_from(self.next_fault).unwrap() % FAULTS.len()];
        println!("soak: {:4} s: {fault:?}", self.began.elapsed().as_secs());
        self.next_fault += 1;
        self.tally.faults += 1;
        match fault {
            Fault::HangUp => self.leave(),
            Fault::Stall => {
                self.held = None;
                if let Some(line) = self.line.take() {
                    // Who does not read does not answer pings either.
                    line.reader.abort();
                    self.mute.push((line, now + STALL));
                }
            }
            Fault::Garbage => {
                let frames = ["}{", "<html>502</html>", "\u{1b}[2J", r#"{"type":"match"}"#, r#"{"type":"a new one"}"#, "[]"];
                self.send(frames.map(|text| (text.to_owned(), None)).to_vec()).await;
            }
            Fault::Again => {
                let frames = self.recent.iter().map(|text| (text.clone(), None)).collect();
                self.send(frames).await;
            }
            Fault::Disorder => self.held = Some((Vec::new(), now + HELD)),
            Fault::CloseAndRefuse => {
                self.held = None;
                self.refusals.store(3, Ordering::Relaxed);
                if let Some(mut line) = self.line.take() {
                    let farewell = CloseFrame { code: 1001_u16.into(), reason: "going away".into() };
                    let _ = line.sink.send(Message::Close(Some(farewell))).await;
                    self.mute.push((line, now + Duration::from_secs(1)));
                }
            }
            Fault::RestDown => {
                self.rest_is_down.store(true, Ordering::Relaxed);
                self.rest_up_at = Some(now + REST_DOWN);
            }
        }
    }
}

/// The minute, and the time as frames carry it.
fn now() -> (i64, String) {
    let now = Clock::system().now();
    (now.as_seconds() / 60, now.format("%Y-%m-%dT%H:%M:%S%.6fZ"))
}

/// It wanders in steps of a quarter.
fn price(symbol: usize, id: u64) -> f64 {
    100.0 + symbol as f64 + (id % 40) as f64 * 0.25
}

fn trade_frame(kind: &str, symbol: usize, id: u64, price: &str, size: f64, time: &str) -> String {
    format!(
        r#"{{"type":"{kind}","trade_id":{id},"maker_order_id":"5f4bb11b-f065-4025-ad53-2091b10ad2cf","taker_order_id":"66715b57-0167-4ae9-a2b5-75a064a923f4","side":"sell","size":"{size}","price":"{price}","product_id":"A{symbol}-USD","sequence":{id},"time":"{time}"}}"#
    )
}

fn confirmation(symbol: usize) -> String {
    format!(r#"{{"type":"subscriptions","channels":[{{"name":"matches","product_ids":["A{symbol}-USD"]}}]}}"#)
}

fn heartbeat(symbol: usize, id: u64, time: &str) -> String {
    format!(r#"{{"type":"heartbeat","sequence":{id},"last_trade_id":{id},"product_id":"A{symbol}-USD","time":"{time}"}}"#)
}

fn ticker(symbol: usize, id: u64, time: &str) -> String {
    let price = price(symbol, id);
    format!(
        r#"{{"type":"ticker","sequence":{id},"product_id":"A{symbol}-USD","price":"{price}","open_24h":"100","volume_24h":"1234.5","low_24h":"85","high_24h":"900","volume_30d":"1","best_bid":"{}","best_bid_size":"0.12","best_ask":"{}","best_ask_size":"1.5","side":"buy","time":"{time}","trade_id":{id},"last_size":"1"}}"#,
        price - 0.25,
        price + 0.25
    )
}

// Its sockets and its REST interface.

async fn serve_sockets(listener: TcpListener, refusals: Arc<AtomicU32>, opened: mpsc::Sender<Line>) {
    while let Ok((mut stream, _)) = listener.accept().await {
        stream.set_nodelay(true).unwrap();
        let Some(head) = read_head(&mut stream).await else { continue };
        let left = refusals.load(Ordering::Relaxed);
        if left > 0 {
            refusals.store(left - 1, Ordering::Relaxed);
            let _ = stream.write_all(b"HTTP/1.1 503 Said\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await;
            continue;
        }
        let key = head.lines().filter_map(|line| line.split_once(':')).find(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-key"));
        let Some((_, key)) = key else { continue };
        let accepted = derive_accept_key(key.trim().as_bytes());
        let answer = "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: ";
        if stream.write_all(format!("{answer}{accepted}\r\n\r\n").as_bytes()).await.is_err() {
            continue;
        }
        let (sink, source) = WebSocketStream::from_raw_socket(stream, Role::Server, None).await.split();
        let (subscribed, subscriptions) = mpsc::channel(SYMBOLS);
        let reader = tokio::spawn(listen(source, subscribed));
        if opened.send(Line { sink, subscriptions, reader, hears: vec![false; SYMBOLS] }).await.is_err() {
            return;
        }
    }
}

/// Hears what is subscribed; pings are answered on the way.
async fn listen(mut source: SplitStream<WebSocketStream<TcpStream>>, subscribed: mpsc::Sender<usize>) {
    while let Some(Ok(message)) = source.next().await {
        let Message::Text(text) = message else { continue };
        let Some(rest) = text.as_str().strip_prefix(r#"{"type":"subscribe","product_ids":["A"#) else { continue };
        let symbol = rest.split_once("-USD").and_then(|(number, _)| number.parse::<usize>().ok());
        if let Some(symbol) = symbol.filter(|symbol| *symbol < SYMBOLS)
            && subscribed.send(symbol).await.is_err()
        {
            return;
        }
    }
}

async fn serve_rest(listener: TcpListener, book: Arc<Mutex<Book>>, is_down: Arc<AtomicBool>) {
    while let Ok((mut stream, _)) = listener.accept().await {
        let (book, is_down) = (Arc::clone(&book), is_down.load(Ordering::Relaxed));
        tokio::spawn(async move {
            let Some(head) = read_head(&mut stream).await else { return };
            let target = head.split(' ').nth(1).unwrap_or_default().replace("%3A", ":");
            let (status, body) = if is_down { (503, "<html>".to_owned()) } else { answer(&target, &book) };
            let length = body.len();
            let text = format!("HTTP/1.1 {status} Said\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
            let _ = stream.write_all(text.as_bytes()).await;
            let _ = stream.shutdown().await;
        });
    }
}

/// Candles of what was made, and looks.
fn answer(target: &str, book: &Mutex<Book>) -> (u16, String) {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let symbol = path.split('/').find_map(|part| part.strip_prefix('A')?.strip_suffix("-USD")?.parse::<usize>().ok());
    let Some(symbol) = symbol.filter(|symbol| *symbol < SYMBOLS) else { return (404, r#"{"message":"NotFound"}"#.to_owned()) };
    let value = |key: &str| query.split('&').find_map(|pair| pair.strip_prefix(key)?.strip_prefix('='));
    let instant = |key: &str| value(key).and_then(|text| text.parse::<Timestamp>().ok());
    let body = match path.rsplit('/').next() {
        Some("ticker") => {
            let (_, time) = now();
            format!(r#"{{"price":"100","bid":"99.5","ask":"100.5","volume":"1234.5","time":"{time}","trade_id":1,"size":"1"}}"#)
        }
        Some("stats") => r#"{"open":"100","high":"900","low":"85","last":"100","volume":"1234.5"}"#.to_owned(),
        Some("candles") => match (value("granularity"), instant("start"), instant("end")) {
            (Some("60"), Some(from), Some(to)) => book.lock().unwrap().candles(symbol, from, to),
            _ => "[]".to_owned(),
        },
        _ => return (404, r#"{"message":"NotFound"}"#.to_owned()),
    };
    (200, body)
}

/// Nothing comes behind it before it is answered.
async fn read_head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::with_capacity(1_024);
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut head).await.ok()? == 0 {
            return None;
        }
    }
    String::from_utf8(head).ok()
}
