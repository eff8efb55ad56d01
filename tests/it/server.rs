//! Servers that do as they are told, and a whole engine that speaks with them on a clock that the test moves.
//!
//! The clock is a manual one: a slow machine makes a test slow, not wrong.

use std::collections::VecDeque;
use std::fmt::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use openbell::calendar::Calendars;
use openbell::config::{Config, Facts, RawConfig};
use openbell::engine::{Engine, EngineHandle, Keeps, Setup, config_sections, open_providers_with};
use openbell::host::{Clock, LogRing};
use openbell::market::{Bar, InstrumentId, Interval, Timestamp};
use openbell::pipeline::Ranks;
use openbell::provider::PROVIDERS;
use openbell::provider::net::Recorder;
use openbell::quality::{Coverage, Quarantined};
use openbell::request::{BackfillAsk, EngineEvent, Reply, Request};
use openbell::snapshot::{FeedState, FeedView, InstrumentView, JobView, MarketView, Standing, standing};
use openbell::store::{BarQuery, Creation, RecordQuery, Sqlite, Store};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role};
use tracing::field::{Field, Visit};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

/// No test may hang: after so much real time it fails.
const LIMIT: Duration = Duration::from_secs(20);
/// How long tasks may run between two moves of the clock.
const BREATH: Duration = Duration::from_millis(1);

pub fn at(text: &str) -> Timestamp {
    text.parse().expect(text)
}

pub fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// Runs a future while the clock moves by `step` at a time.
pub async fn drive<F: Future>(clock: &Clock, step: Duration, future: F) -> F::Output {
    tokio::pin!(future);
    let began = Instant::now();
    loop {
        tokio::select! {
            biased;
            output = &mut future => return output,
            () = tokio::time::sleep(BREATH) => clock.advance(step),
        }
        assert!(began.elapsed() < LIMIT, "still not done at {}", clock.now());
    }
}

/// One request as it came.
#[derive(Clone, Debug)]
pub struct Asked {
    pub at: Timestamp,
    pub method: String,
    pub path: String,
    pub query: Vec<(String, String)>,
    headers: Vec<(String, String)>,
}

impl Asked {
    fn parse(head: &str, at: Timestamp) -> Self {
        let mut lines = head.lines();
        let mut request = lines.next().unwrap_or_default().split(' ');
        let (method, target) = (request.next().unwrap_or_default().to_owned(), request.next().unwrap_or_default());
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let pair = |(key, value): (&str, &str)| (plain(key), plain(value));
        let query = query.split('&').filter_map(|part| part.split_once('=')).map(pair).collect();
        let headers = lines.filter_map(|line| line.split_once(':'));
        let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect();
        Self { at, method, path: plain(path), query, headers }
    }

    /// A header, by its name in small letters.
    pub fn header(&self, name: &str) -> &str {
        value(&self.headers, name)
    }

    /// A value of the query.
    pub fn value(&self, key: &str) -> &str {
        value(&self.query, key)
    }

    /// A value of the query that is an instant in Unix seconds.
    pub fn unix(&self, key: &str) -> Timestamp {
        Timestamp::from_seconds(self.value(key).parse().expect(key))
    }
}

fn value<'a>(pairs: &'a [(String, String)], key: &str) -> &'a str {
    pairs.iter().find(|(name, _)| name == key).map_or("", |(_, value)| value.as_str())
}

/// Undoes the encoding of a URL.
fn plain(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits: String = rest.by_ref().take(2).map(char::from).collect();
                u8::from_str_radix(&digits, 16).expect("two digits after %")
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).expect("a URL is text")
}

/// What a request comes to.
#[derive(Clone, Debug)]
pub enum Answer {
    Reply {
        status: u16,
        headers: Vec<(&'static str, String)>,
        body: String,
    },
    /// Bytes as they are: a head, and a piece so many times; how much of the pieces was taken is counted.
    Stream {
        head: Vec<u8>,
        piece: Arc<[u8]>,
        times: u64,
        taken: Arc<AtomicU64>,
    },
    /// Announces more than it sends.
    Truncated(String),
    /// Takes the request and says nothing.
    Hang,
    /// Takes the request and goes away.
    Close,
}

impl Answer {
    pub fn json(body: impl Into<String>) -> Self {
        Self::status(200, body)
    }

    pub fn status(status: u16, body: impl Into<String>) -> Self {
        Self::Reply { status, headers: Vec::new(), body: body.into() }
    }

    pub fn with(self, name: &'static str, value: &str) -> Self {
        let Self::Reply { status, mut headers, body } = self else { panic!("only a reply has headers") };
        headers.push((name, value.to_owned()));
        Self::Reply { status, headers, body }
    }

    async fn say(self, mut stream: TcpStream) {
        let text = match self {
            Self::Reply { status, headers, body } => {
                let mut text = format!("HTTP/1.1 {status} Said\r\ncontent-length: {}\r\nconnection: close\r\n", body.len());
                headers.iter().for_each(|(name, value)| write!(text, "{name}: {value}\r\n").unwrap());
                text + "\r\n" + &body
            }
            Self::Stream { head, piece, times, taken } => return pour(stream, &head, &piece, times, &taken).await,
            Self::Truncated(body) => format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len() + 100),
            Self::Hang => return hold(stream).await,
            Self::Close => return,
        };
        let _ = stream.write_all(text.as_bytes()).await;
        let _ = stream.shutdown().await;
    }
}

/// Sends until nobody takes it any more.
async fn pour(mut stream: TcpStream, head: &[u8], piece: &[u8], times: u64, taken: &AtomicU64) {
    if stream.write_all(head).await.is_err() {
        return;
    }
    for _ in 0..times {
        if stream.write_all(piece).await.is_err() {
            return;
        }
        taken.fetch_add(piece.len() as u64, Ordering::Relaxed);
    }
    let _ = stream.shutdown().await;
}

/// Keeps a connection open without a word.
async fn hold<T>(connection: T) {
    std::future::pending::<()>().await;
    drop(connection);
}

/// These answers one after the other; the last one again and again.
pub fn in_order(answers: Vec<Answer>) -> impl Fn(&Asked) -> Answer + Send + Sync {
    let rest = Mutex::new(VecDeque::from(answers));
    move |_| {
        let mut rest = rest.lock().unwrap();
        if rest.len() > 1 { rest.pop_front().unwrap() } else { rest.front().expect("an answer").clone() }
    }
}

/// An HTTP server.
pub struct HttpServer {
    pub url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl HttpServer {
    pub async fn start(clock: &Clock, answer: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        let (url, listener) = listen("http").await;
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (clock, seen, answer) = (clock.clone(), Arc::clone(&asked), Arc::new(answer));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                stream.set_nodelay(true).unwrap();
                let (clock, seen, answer) = (clock.clone(), Arc::clone(&seen), Arc::clone(&answer));
                tokio::spawn(async move {
                    let Some(head) = read_head(&mut stream).await else { return };
                    let question = Asked::parse(&head, clock.now());
                    let said = answer(&question);
                    seen.lock().unwrap().push(question);
                    said.say(stream).await;
                });
            }
        });
        Self { url, asked }
    }

    /// Every request so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// The requests whose path ends so.
    pub fn asked_for(&self, end: &str) -> Vec<Asked> {
        self.asked().into_iter().filter(|asked| asked.path.ends_with(end)).collect()
    }

    /// Times between one request and the next, in seconds.
    pub fn waits(&self) -> Vec<f64> {
        waits(&self.asked())
    }
}

pub fn waits(asked: &[Asked]) -> Vec<f64> {
    asked.windows(2).map(|pair| pair[1].at.seconds_since(pair[0].at)).collect()
}

async fn listen(scheme: &str) -> (String, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    (format!("{scheme}://{}", listener.local_addr().unwrap()), listener)
}

async fn read_head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        // A socket's client says nothing more before it is answered, and a question has no body.
        head.push(stream.read_u8().await.ok()?);
    }
    String::from_utf8(head).ok()
}

/// What a socket does of itself.
#[derive(Clone, Copy)]
pub struct Manners {
    /// Its answer to a frame.
    pub answer: fn(&str) -> Option<String>,
    /// What it says each second.
    pub beat: Option<fn(Timestamp) -> String>,
    /// What it says when a connection opens.
    pub greet: Option<fn() -> String>,
}

/// A server of sockets.
pub struct StreamServer {
    pub url: String,
    lines: Arc<Mutex<Vec<Arc<Line>>>>,
    knocks: Arc<Mutex<Vec<Asked>>>,
    refusals: Arc<Mutex<VecDeque<Answer>>>,
}

/// One connection, as the server has it.
pub struct Line {
    pub opened: Timestamp,
    steps: mpsc::UnboundedSender<Step>,
    heard: Mutex<Vec<String>>,
    sent: AtomicU64,
}

enum Step {
    Text(String),
    Close(u16, &'static str),
    Hush,
    Stall,
    Drop,
}

impl StreamServer {
    pub async fn start(clock: &Clock, manners: Manners) -> Self {
        let (url, listener) = listen("ws").await;
        let server = Self { url, lines: Arc::default(), knocks: Arc::default(), refusals: Arc::default() };
        let (lines, knocks, refusals) = (Arc::clone(&server.lines), Arc::clone(&server.knocks), Arc::clone(&server.refusals));
        let clock = clock.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                // Small frames go out at once: a pair of them would wait 40 ms for each other.
                stream.set_nodelay(true).unwrap();
                let Some(head) = read_head(&mut stream).await else { continue };
                let knock = Asked::parse(&head, clock.now());
                let accepted = derive_accept_key(knock.header("sec-websocket-key").as_bytes());
                knocks.lock().unwrap().push(knock);
                let refusal = refusals.lock().unwrap().pop_front();
                if let Some(refusal) = refusal {
                    tokio::spawn(refusal.say(stream));
                    continue;
                }
                // Read before the answer: what the client does after it cannot be earlier.
                let opened = clock.now();
                let head = "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: ";
                let _ = stream.write_all(format!("{head}{accepted}\r\n\r\n").as_bytes()).await;
                let socket = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
                let (steps, script) = mpsc::unbounded_channel();
                let line = Arc::new(Line { opened, steps, heard: Mutex::default(), sent: AtomicU64::new(0) });
                lines.lock().unwrap().push(Arc::clone(&line));
                tokio::spawn(serve(socket, line, script, manners, clock.clone()));
            }
        });
        server
    }

    /// The next so many handshakes are answered so.
    pub fn refuse(&self, times: usize, answer: &Answer) {
        self.refusals.lock().unwrap().extend(std::iter::repeat_n(answer.clone(), times));
    }

    /// Handshakes so far, refused ones too.
    pub fn knocks(&self) -> Vec<Asked> {
        self.knocks.lock().unwrap().clone()
    }

    /// Connections so far.
    pub fn count(&self) -> usize {
        self.lines.lock().unwrap().len()
    }

    /// A connection, counted from 0.
    pub fn line(&self, number: usize) -> Arc<Line> {
        Arc::clone(&self.lines.lock().unwrap()[number])
    }
}

impl Line {
    pub fn send(&self, text: impl Into<String>) {
        self.step(Step::Text(text.into()));
    }

    pub fn close(&self, code: u16, reason: &'static str) {
        self.step(Step::Close(code, reason));
    }

    /// From now on it only answers pings.
    pub fn hush(&self) {
        self.step(Step::Hush);
    }

    /// From now on it neither reads nor writes.
    pub fn stall(&self) {
        self.step(Step::Stall);
    }

    /// Goes away without a word.
    pub fn hang_up(&self) {
        self.step(Step::Drop);
    }

    fn step(&self, step: Step) {
        self.steps.send(step).unwrap_or_else(|_| panic!("the connection is gone"));
    }

    /// Text frames that came.
    pub fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }

    /// How many text frames went out.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }
}

async fn serve(
    mut socket: WebSocketStream<TcpStream>,
    line: Arc<Line>,
    mut script: mpsc::UnboundedReceiver<Step>,
    manners: Manners,
    clock: Clock,
) {
    let mut second = clock.interval(seconds(1));
    let mut beat = manners.beat;
    if let Some(greet) = manners.greet
        && socket.send(Message::text(greet())).await.is_err()
    {
        return;
    }
    loop {
        let said = tokio::select! {
            step = script.recv() => match step {
                Some(Step::Text(text)) => Some(text),
                Some(Step::Close(code, reason)) => {
                    let _ = socket.close(Some(CloseFrame { code: code.into(), reason: reason.into() })).await;
                    None
                }
                Some(Step::Hush) => {
                    beat = None;
                    None
                }
                Some(Step::Stall) => return hold(socket).await,
                Some(Step::Drop) | None => return,
            },
            frame = socket.next() => match frame {
                Some(Ok(Message::Text(text))) => {
                    line.heard.lock().unwrap().push(text.as_str().to_owned());
                    (manners.answer)(text.as_str())
                }
                Some(Ok(_)) => None,
                Some(Err(_)) | None => return,
            },
            () = second.tick() => beat.map(|beat| beat(clock.now())),
        };
        if let Some(text) = said {
            if socket.send(Message::text(text)).await.is_err() {
                return;
            }
            line.sent.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// What the program logged, at info and above.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    /// Lines with these words.
    pub fn count(&self, words: &str) -> usize {
        self.0.lock().unwrap().iter().filter(|line| line.contains(words)).count()
    }
}

impl<S: tracing::Subscriber> Layer<S> for Log {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        if event.metadata().target().starts_with("openbell") && *event.metadata().level() <= tracing::Level::INFO {
            let mut text = Text(String::new());
            event.record(&mut text);
            self.0.lock().unwrap().push(text.0);
        }
    }
}

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        write!(self.0, "{}={value:?} ", field.name()).unwrap();
    }
}

/// Keys that open nothing.
pub const KEYS: [(&str, &str); 6] = [
    ("POLYGON_API_KEY", "polygon-test-key"),
    ("ALPHA_VANTAGE_API_KEY", "alpha-test-key"),
    ("FMP_API_KEY", "fmp-test-key"),
    ("FINNHUB_API_KEY", "finnhub-test-key"),
    ("APCA_API_KEY_ID", "alpaca-test-id"),
    ("APCA_API_SECRET_KEY", "alpaca-test-secret"),
];

/// What a day begins with.
pub struct Scene<A> {
    pub provider: &'static str,
    pub from: &'static str,
    pub symbols: &'static [&'static str],
    /// Further keys of the provider's table.
    pub config: &'static str,
    pub manners: Manners,
    /// What the socket's server answers to the first handshakes.
    pub refusals: Vec<Answer>,
    /// What the HTTP server answers.
    pub rest: A,
}

/// An engine with one provider, its servers, a store in a folder of its own, and a clock that the test moves.
pub struct Day {
    pub clock: Clock,
    pub rest: HttpServer,
    pub stream: StreamServer,
    pub store: Arc<dyn Store>,
    pub file: PathBuf,
    pub log: Log,
    handle: EngineHandle,
    engine: Engine,
    calendars: Arc<Calendars>,
    folder: tempfile::TempDir,
    logging: tracing::subscriber::DefaultGuard,
}

impl Day {
    pub async fn start<A: Fn(&Asked) -> Answer + Send + Sync + 'static>(scene: Scene<A>) -> Self {
        Self::open(scene, &|_, _| Recorder::default(), None).await
    }

    /// The same, and what its source says is kept.
    pub async fn recorded<A: Fn(&Asked) -> Answer + Send + Sync + 'static>(scene: Scene<A>, keeps: Keeps<'_>) -> Self {
        Self::open(scene, keeps, None).await
    }

    /// The same, beside others that use this folder: they tell each other there who holds the one connection of a key.
    pub async fn beside<A: Fn(&Asked) -> Answer + Send + Sync + 'static>(scene: Scene<A>, places: &Path) -> Self {
        Self::open(scene, &|_, _| Recorder::default(), Some(places.to_owned())).await
    }

    async fn open<A: Fn(&Asked) -> Answer + Send + Sync + 'static>(scene: Scene<A>, keeps: Keeps<'_>, places: Option<PathBuf>) -> Self {
        let log = Log::default();
        // Of this thread only: every task of the test runs here.
        let logging = tracing::subscriber::set_default(tracing_subscriber::registry().with(log.clone()));
        let clock = Clock::manual(at(scene.from));
        let rest = HttpServer::start(&clock, scene.rest).await;
        let stream = StreamServer::start(&clock, scene.manners).await;
        scene.refusals.iter().for_each(|refusal| stream.refuse(1, refusal));
        let sections = config_sections();
        let spec = PROVIDERS.iter().find(|spec| spec.name == scene.provider).unwrap();
        let has_socket = spec.keys.iter().any(|key| key.name == "stream_url");
        let socket = if has_socket { format!("stream_url = \"{}/?version=2\"\n", stream.url) } else { String::new() };
        let text =
            format!("[sources]\nrepair = false\n[provider.{}]\nrest_url = \"{}\"\n{socket}{}\n", scene.provider, rest.url, scene.config);
        let raw = RawConfig::parse(&text, &sections).unwrap();
        let facts = Facts { environment: KEYS.map(|(name, key)| (name.to_owned(), key.to_owned())).into(), file_is_private: true };
        let config = Config::resolve(&raw, &sections, &facts).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("day.db");
        let ranks = Ranks::new(config.section("sources").list("rank"));
        let store: Arc<dyn Store> = Arc::new(Sqlite::open(&file, Creation::IfEmpty, ranks).unwrap());
        let calendars = Arc::new(Calendars::embedded());
        let mut providers = open_providers_with(&config, &clock, keeps);
        providers.retain(|opened| opened.spec.name == spec.name);
        let setup = Setup {
            spool: None,
            store: Arc::clone(&store),
            config,
            clock: clock.clone(),
            calendars: Arc::clone(&calendars),
            providers,
            log: LogRing::default(),
            symbols: scene.symbols.iter().map(|symbol| symbol.parse().unwrap()).collect(),
            simulated: false,
            places,
            duty: openbell::engine::Duty::Record,
        };
        let (engine, handle) = Engine::start(setup).await.unwrap();
        Self { clock, rest, stream, store, file, log, handle, engine, calendars, folder, logging }
    }

    /// Lets time pass, half a second at a time.
    pub async fn pass(&self, span: Duration) {
        self.pass_to(self.clock.now() + span).await;
    }

    /// Lets time pass until this instant.
    pub async fn pass_to(&self, end: Timestamp) {
        while self.clock.now() < end {
            self.clock.advance(end.since(self.clock.now()).min(Duration::from_millis(500)));
            tokio::time::sleep(BREATH).await;
        }
    }

    /// Lets time pass until something is there, a tenth of a second at a time; fails when it is not there in time.
    pub async fn until<T>(&self, within: Duration, what: &str, mut look: impl FnMut(&Self) -> Option<T>) -> T {
        let end = self.clock.now() + within;
        loop {
            if let Some(found) = look(self) {
                return found;
            }
            let now = self.clock.now();
            assert!(now < end, "{what}: not by {now}; {:#?}", self.feed());
            self.clock.advance(Duration::from_millis(100));
            tokio::time::sleep(BREATH).await;
        }
    }

    /// The connection of this number, once its server heard so many frames.
    pub async fn line(&self, number: usize, frames: usize) -> Arc<Line> {
        let heard = |day: &Self| (day.stream.count() > number).then(|| day.stream.line(number)).filter(|l| l.heard().len() >= frames);
        self.until(seconds(10), "a connection with its subscriptions", heard).await
    }

    /// The feed's line, once it is in this state.
    pub async fn state(&self, within: Duration, state: FeedState) -> FeedView {
        self.until(within, state.name(), |day| Some(day.feed()).filter(|feed| feed.state == state)).await
    }

    pub fn view(&self) -> Arc<MarketView> {
        Arc::clone(&self.handle.view.borrow())
    }

    pub fn feed(&self) -> FeedView {
        (*self.view().feeds[0]).clone()
    }

    pub fn row(&self, symbol: &str) -> InstrumentView {
        let view = self.view();
        let row = view.instruments.iter().find(|row| row.instrument.symbol.as_str() == symbol);
        (**row.expect(symbol)).clone()
    }

    /// What a row's age means now.
    pub fn standing(&self, symbol: &str) -> Standing {
        let view = self.view();
        standing(&self.row(symbol), &view, &self.calendars, self.clock.now(), view.stale_after)
    }

    /// Asks the engine; the answer is its reply.
    pub async fn ask(&mut self, request: Request) -> Reply {
        self.handle.requests.send(request).await.unwrap();
        let began = Instant::now();
        loop {
            match self.handle.events.try_recv() {
                Ok(EngineEvent::Reply(reply)) => return reply,
                Ok(_) => {}
                Err(_) => {
                    self.clock.advance(Duration::from_millis(100));
                    tokio::time::sleep(BREATH).await;
                }
            }
            assert!(began.elapsed() < LIMIT, "no reply");
        }
    }

    /// Backfills minutes, and waits until the job is over.
    pub async fn backfill(&mut self, symbol: &str, from: &str, to: &str) -> JobView {
        let known = self.view().jobs.len();
        let symbols = vec![symbol.parse().unwrap()];
        let ask = BackfillAsk { symbols, interval: Interval::OneMinute, from: at(from), to: at(to), source: None };
        assert_eq!(self.ask(Request::Backfill(ask)).await, Reply::Done("backfill queued".to_owned()));
        let over = |day: &Self| {
            let view = day.view();
            view.jobs.get(known).filter(|job| job.state.is_over()).map(|job| (**job).clone())
        };
        self.until(seconds(300), "the end of the job", over).await
    }

    pub async fn id(&self, symbol: &str) -> InstrumentId {
        self.store.instrument(symbol.parse().unwrap()).await.unwrap().id
    }

    /// The stored minutes of a symbol, one line each.
    pub async fn bars(&self, symbol: &str) -> Vec<String> {
        stored_minutes(&*self.store, symbol).await.iter().map(line_of).collect()
    }

    /// Lets time pass until these minutes are stored, and fails when others are.
    pub async fn expect_bars(&self, symbol: &str, expected: &[&str]) {
        for _ in 0..40 {
            if self.bars(symbol).await == expected {
                return;
            }
            self.pass(Duration::from_millis(100)).await;
        }
        assert_eq!(self.bars(symbol).await, expected, "{symbol} at {}", self.clock.now());
    }

    /// What is known of the holes of a symbol, once there are so many rows.
    pub async fn coverage(&self, symbol: &str, rows: usize) -> Vec<Coverage> {
        let query = BarQuery::all(self.id(symbol).await, Interval::OneMinute);
        for _ in 0..40 {
            let found = self.store.coverage(query).await.unwrap();
            if found.len() >= rows {
                return found;
            }
            self.pass(Duration::from_millis(100)).await;
        }
        self.store.coverage(query).await.unwrap()
    }

    pub async fn quarantine(&self) -> Vec<Quarantined> {
        self.store.quarantine(RecordQuery::default()).await.unwrap()
    }

    /// Ends the engine, and checks that none of its tasks died.
    pub async fn stop(self) -> Ended {
        let Self { clock, engine, handle, store, log, folder, logging: _logging, .. } = self;
        drive(&clock, Duration::from_millis(10), engine.stop()).await;
        drop(handle);
        assert_eq!(log.count("a task died"), 0);
        assert_eq!(log.count("did not end"), 0);
        Ended { store, _folder: folder }
    }
}

/// The stored minutes of a symbol.
pub async fn stored_minutes(store: &dyn Store, symbol: &str) -> Vec<Bar> {
    let id = store.instrument(symbol.parse().unwrap()).await.unwrap().id;
    let mut chunks = store.bars(BarQuery::all(id, Interval::OneMinute));
    let mut bars = Vec::new();
    while let Some(chunk) = chunks.next().await {
        bars.extend(chunk.unwrap());
    }
    bars
}

/// What is left of a day.
pub struct Ended {
    pub store: Arc<dyn Store>,
    _folder: tempfile::TempDir,
}

impl Ended {
    /// The newest stored minute of a symbol.
    pub async fn last_bar(&self, symbol: &str) -> String {
        let id = self.store.instrument(symbol.parse().unwrap()).await.unwrap().id;
        let query = BarQuery { newest: Some(1), ..BarQuery::all(id, Interval::OneMinute) };
        let chunk = self.store.bars(query).next().await.expect("a bar").unwrap();
        line_of(&chunk[0])
    }
}

/// `15:01 open high low close volume vwap n_trades session source origin rREVISION qQUALITY [flags]`; `-` is not known.
pub fn line_of(bar: &Bar) -> String {
    let Bar { open_time, open, high, low, close, volume, vwap, n_trades, session, source, origin, revision, quality, flags, .. } = bar;
    let figure = |figure: &Option<f64>| figure.map_or_else(|| "-".to_owned(), |figure| figure.to_string());
    let (volume, vwap) = (figure(volume), figure(vwap));
    let count = n_trades.map_or_else(|| "-".to_owned(), |count| count.to_string());
    let session = session.map_or("-", |session| session.name());
    let time = open_time.format(if open_time.as_seconds() % 60 == 0 { "%H:%M" } else { "%H:%M:%S" });
    format!("{time} {open} {high} {low} {close} {volume} {vwap} {count} {session} {source} {origin} r{revision} q{quality} [{flags}]")
}
