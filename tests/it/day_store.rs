//! Whole days with a store that is asked for more than bars, that grows old, and that is far away: it stalls, it goes
//! away, and it comes back.
#![allow(clippy::float_cmp, reason = "what was sent is read back to the last bit")]

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt, TryStreamExt};
use openbell::calendar::Calendars;
use openbell::config::{Config, Facts, RawConfig, SECTIONS};
use openbell::engine::{Duty, Engine, EngineHandle, Setup, config_sections, open_provider, spool_limit};
use openbell::host::{Clock, LogRing};
use openbell::market::{Bar, Instrument, InstrumentId, Interval, Listed, Symbol, Timestamp};
use openbell::pipeline::Ranks;
use openbell::provider::PROVIDERS;
use openbell::quality::{Coverage, Quarantined, Severity};
use openbell::request::{EngineEvent, Reply, Request};
use openbell::snapshot::MarketView;
use openbell::store::{
    Ack, ActionRow, BarQuery, Batch, Claim, ColumnKind, Creation, Field, FundamentalRow, JobQuery, JobRecord, ListedCount, NameRow,
    RecordQuery, RequestCount, Row, Spool, Sqlite, Store, StoreError, StoreStatus, TABLES, TableSpec, ViolationRow,
};
use tokio::sync::watch;
use tracing_subscriber::layer::SubscriberExt;

use crate::server::{Answer, Asked, Day, HttpServer, Line, Log, Manners, Scene, StreamServer, at, drive, seconds};

const FROM: &str = "2026-11-20T15:00:50Z";
const DAY: Duration = Duration::from_secs(86_400);
const TENTH: Duration = Duration::from_millis(100);
const MANNERS: Manners = Manners { answer: acknowledge, beat: Some(heartbeat), greet: None };

fn acknowledge(_: &str) -> Option<String> {
    Some(r#"{"type":"subscriptions","channels":[]}"#.to_owned())
}

fn heartbeat(now: Timestamp) -> String {
    format!(r#"{{"type":"heartbeat","sequence":90,"last_trade_id":0,"product_id":"BTC-USD","time":"{now}"}}"#)
}

fn trade(id: u64, time: Timestamp, price: f64) -> String {
    format!(
        r#"{{"type":"match","trade_id":{id},"side":"sell","size":"0.5","price":"{price}","product_id":"BTC-USD","sequence":{id},"time":"{time}"}}"#
    )
}

fn ticker(time: Timestamp, price: f64) -> String {
    format!(
        r#"{{"type":"ticker","sequence":1,"product_id":"BTC-USD","price":"{price}","open_24h":"90","volume_24h":"1234.5","low_24h":"85","high_24h":"110","best_bid":"96.75","best_bid_size":"0.12","best_ask":"97.25","best_ask_size":"1.5","side":"buy","time":"{time}","trade_id":1,"last_size":"1"}}"#
    )
}

/// No look is answered: the socket is all there is.
fn nothing(asked: &Asked) -> Answer {
    if asked.path.ends_with("/candles") { Answer::json("[]") } else { Answer::status(404, r#"{"message":"NotFound"}"#) }
}

fn micros(count: u64) -> Duration {
    Duration::from_micros(count)
}

// ── rows as they are ──

fn table(name: &str) -> &'static TableSpec {
    TABLES.iter().find(|table| table.name == name).expect(name)
}

async fn rows(store: &dyn Store, name: &str) -> Vec<Row> {
    store.rows(table(name), None).try_collect::<Vec<_>>().await.unwrap().concat()
}

/// One cell of a row.
fn cell<'a>(row: &'a Row, of: &str, column: &str) -> &'a Field {
    &row[table(of).columns.iter().position(|spec| spec.name == column).expect(column)]
}

fn time(row: &Row, of: &str, column: &str) -> Timestamp {
    match cell(row, of, column) {
        Field::Whole(micros) => Timestamp::from_micros(*micros),
        other => panic!("{of}.{column} is no time: {other:?}"),
    }
}

fn real(row: &Row, of: &str, column: &str) -> Option<f64> {
    match cell(row, of, column) {
        Field::Real(value) => Some(*value),
        Field::Null => None,
        other => panic!("{of}.{column} is no figure: {other:?}"),
    }
}

/// A row that differs from others by its number; all its times are `time`.
fn made(name: &str, id: InstrumentId, number: i64, time: Timestamp) -> Row {
    let field = |name: &str, kind: ColumnKind| match (name, kind) {
        ("instrument_id", _) => Field::Whole(id.0),
        ("alert_id", _) => Field::Whole(1),
        ("interval_s", _) => Field::Whole(60),
        (_, ColumnKind::Whole) => Field::Whole(number),
        (_, ColumnKind::Seconds | ColumnKind::Small | ColumnKind::Flag) => Field::Whole(1),
        (_, ColumnKind::Real) => Field::Real(1.0),
        (_, ColumnKind::Text) => Field::Text(format!("text{number}")),
        (_, ColumnKind::Time) => Field::Whole(time.as_micros()),
        (_, ColumnKind::Json) => Field::Null,
    };
    table(name).columns.iter().map(|column| field(column.name, column.kind)).collect()
}

/// The same row with another value in one column.
fn with(mut row: Row, of: &str, column: &str, value: Field) -> Row {
    row[table(of).columns.iter().position(|spec| spec.name == column).expect(column)] = value;
    row
}

/// The tables that grow old, each with its key in the config.
fn retained() -> Vec<(&'static TableSpec, &'static str)> {
    TABLES.iter().filter_map(|table| Some((table, table.retain.as_ref()?.config))).collect()
}

// ── a store far away ──

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mood {
    Well,
    /// It takes what it is asked and says nothing.
    Stalled,
    /// Nobody answers there.
    Away,
}

/// A store in a file that behaves like one on a server.
struct Remote {
    inner: Sqlite,
    mood: watch::Sender<Mood>,
    clock: Clock,
    /// How often it was asked for jobs.
    looks: AtomicUsize,
    /// Which table was pruned, when, and how many rows that took.
    pruned: Mutex<Vec<(&'static str, Timestamp, u64)>>,
}

impl Remote {
    fn be(&self, mood: Mood) {
        self.mood.send_replace(mood);
    }

    fn looks(&self) -> usize {
        self.looks.load(Ordering::Relaxed)
    }

    fn pruned(&self, table: &str) -> Vec<(Timestamp, u64)> {
        self.pruned.lock().unwrap().iter().filter(|(name, ..)| *name == table).map(|(_, at, rows)| (*at, *rows)).collect()
    }

    async fn answers(&self) -> Result<(), StoreError> {
        let mut mood = self.mood.subscribe();
        let mood = *mood.wait_for(|mood| *mood != Mood::Stalled).await.expect("the sender lives here");
        match mood {
            Mood::Away => Err(StoreError::Away { name: "postgres://desk/bars".to_owned(), message: "connection refused".to_owned() }),
            Mood::Well | Mood::Stalled => Ok(()),
        }
    }

    fn ask<'a, T: 'a>(&'a self, answer: BoxFuture<'a, Result<T, StoreError>>) -> BoxFuture<'a, Result<T, StoreError>> {
        Box::pin(async move {
            self.answers().await?;
            answer.await
        })
    }

    fn stream<'a, T: Send + 'a>(&'a self, answer: BoxStream<'a, Result<T, StoreError>>) -> BoxStream<'a, Result<T, StoreError>> {
        let answered = async move {
            match self.answers().await {
                Ok(()) => answer,
                Err(error) => stream::iter([Err(error)]).boxed(),
            }
        };
        stream::once(answered).flatten().boxed()
    }
}

impl Store for Remote {
    fn name(&self) -> String {
        self.inner.name()
    }

    fn append(&self, batch: Batch) -> BoxFuture<'_, Result<Ack, StoreError>> {
        self.ask(Box::pin(async move { self.inner.append(batch).await }))
    }

    fn instrument(&self, symbol: Symbol) -> BoxFuture<'_, Result<Instrument, StoreError>> {
        self.ask(Box::pin(async move { self.inner.instrument(symbol).await }))
    }

    fn count_requests(&self, counts: Vec<RequestCount>) -> BoxFuture<'_, Result<Vec<u64>, StoreError>> {
        self.ask(self.inner.count_requests(counts))
    }

    fn request_counts(&self, since: Timestamp) -> BoxFuture<'_, Result<Vec<RequestCount>, StoreError>> {
        self.ask(self.inner.request_counts(since))
    }

    fn actions(&self, instrument: InstrumentId) -> BoxFuture<'_, Result<Vec<ActionRow>, StoreError>> {
        self.ask(self.inner.actions(instrument))
    }

    fn fundamentals(&self, instrument: InstrumentId) -> BoxFuture<'_, Result<Vec<FundamentalRow>, StoreError>> {
        self.ask(self.inner.fundamentals(instrument))
    }

    fn names(&self, instrument: InstrumentId) -> BoxFuture<'_, Result<Vec<NameRow>, StoreError>> {
        self.ask(self.inner.names(instrument))
    }

    fn list(&self, provider: String, listed: Vec<Listed>, at: Timestamp) -> BoxFuture<'_, Result<ListedCount, StoreError>> {
        self.ask(self.inner.list(provider, listed, at))
    }

    fn rename(&self, old: Symbol, new: Symbol, on: Timestamp) -> BoxFuture<'_, Result<(), StoreError>> {
        self.ask(self.inner.rename(old, new, on))
    }

    fn instruments(&self) -> BoxFuture<'_, Result<Vec<Instrument>, StoreError>> {
        self.ask(Box::pin(async move { self.inner.instruments().await }))
    }

    fn watchlist(&self) -> BoxFuture<'_, Result<Option<Vec<Instrument>>, StoreError>> {
        self.ask(Box::pin(async move { self.inner.watchlist().await }))
    }

    fn set_watchlist(&self, instruments: Vec<InstrumentId>) -> BoxFuture<'_, Result<(), StoreError>> {
        self.ask(Box::pin(async move { self.inner.set_watchlist(instruments).await }))
    }

    fn bars(&self, query: BarQuery) -> BoxStream<'_, Result<Vec<Bar>, StoreError>> {
        self.stream(self.inner.bars(query))
    }

    fn coverage(&self, query: BarQuery) -> BoxFuture<'_, Result<Vec<Coverage>, StoreError>> {
        self.ask(Box::pin(async move { self.inner.coverage(query).await }))
    }

    fn violations(&self, query: RecordQuery) -> BoxFuture<'_, Result<Vec<ViolationRow>, StoreError>> {
        self.ask(Box::pin(async move { self.inner.violations(query).await }))
    }

    fn quarantine(&self, query: RecordQuery) -> BoxFuture<'_, Result<Vec<Quarantined>, StoreError>> {
        self.ask(Box::pin(async move { self.inner.quarantine(query).await }))
    }

    fn save_job(&self, job: JobRecord) -> BoxFuture<'_, Result<i64, StoreError>> {
        self.ask(Box::pin(async move { self.inner.save_job(job).await }))
    }

    fn jobs(&self, which: JobQuery) -> BoxFuture<'_, Result<Vec<JobRecord>, StoreError>> {
        self.looks.fetch_add(1, Ordering::Relaxed);
        self.ask(Box::pin(async move { self.inner.jobs(which).await }))
    }

    fn status(&self) -> BoxFuture<'_, Result<StoreStatus, StoreError>> {
        self.ask(Box::pin(async move { self.inner.status().await }))
    }

    fn size(&self) -> BoxFuture<'_, Result<u64, StoreError>> {
        self.ask(Box::pin(async move { self.inner.size().await }))
    }

    fn settle(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.ask(Box::pin(async move { self.inner.settle().await }))
    }

    fn check(&self) -> BoxFuture<'_, Result<Vec<String>, StoreError>> {
        self.ask(Box::pin(async move { self.inner.check().await }))
    }

    fn claim(&self) -> BoxFuture<'_, Result<Claim, StoreError>> {
        self.ask(Box::pin(async move { self.inner.claim().await }))
    }

    fn prune(&self, table: &'static TableSpec, before: Timestamp, at_most: u32) -> BoxFuture<'_, Result<u64, StoreError>> {
        self.ask(Box::pin(async move {
            let rows = self.inner.prune(table, before, at_most).await?;
            self.pruned.lock().unwrap().push((table.name, self.clock.now(), rows));
            Ok(rows)
        }))
    }

    fn rows(&self, table: &'static TableSpec, after: Option<Row>) -> BoxStream<'_, Result<Vec<Row>, StoreError>> {
        self.stream(self.inner.rows(table, after))
    }

    fn put(&self, table: &'static TableSpec, rows: Vec<Row>) -> BoxFuture<'_, Result<u64, StoreError>> {
        self.ask(Box::pin(async move { self.inner.put(table, rows).await }))
    }

    fn last_key(&self, table: &'static TableSpec) -> BoxFuture<'_, Result<Option<Row>, StoreError>> {
        self.ask(Box::pin(async move { self.inner.last_key(table).await }))
    }

    fn clear(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.ask(Box::pin(async move { self.inner.clear().await }))
    }

    fn about(&self, key: &'static str) -> BoxFuture<'_, Result<Option<String>, StoreError>> {
        self.ask(Box::pin(async move { self.inner.about(key).await }))
    }

    fn set_about(&self, key: &'static str, value: Option<String>) -> BoxFuture<'_, Result<(), StoreError>> {
        self.ask(Box::pin(async move { self.inner.set_about(key, value).await }))
    }
}

/// A store on a clock, before an engine works on it.
struct Ground {
    clock: Clock,
    store: Arc<Remote>,
    folder: tempfile::TempDir,
}

/// An engine on it, with a made-up Coinbase.
struct Stage {
    clock: Clock,
    store: Arc<Remote>,
    stream: StreamServer,
    log: Log,
    handle: EngineHandle,
    engine: Engine,
    _rest: HttpServer,
    _logging: tracing::subscriber::DefaultGuard,
    _folder: tempfile::TempDir,
}

impl Ground {
    fn new() -> Self {
        let (clock, folder) = (Clock::manual(at(FROM)), tempfile::tempdir().unwrap());
        let inner = Sqlite::open(&folder.path().join("day.db"), Creation::IfEmpty, Ranks::new(vec!["coinbase".to_owned()])).unwrap();
        let (looks, pruned) = (AtomicUsize::new(0), Mutex::default());
        let store = Arc::new(Remote { inner, mood: watch::Sender::new(Mood::Well), clock: clock.clone(), looks, pruned });
        Self { clock, store, folder }
    }

    async fn put(&self, name: &str, rows: Vec<Row>) {
        let count = rows.len() as u64;
        assert_eq!(self.store.put(table(name), rows).await.unwrap(), count, "{name}");
    }

    /// The instrument that rows belong to.
    async fn id(&self) -> InstrumentId {
        self.store.instrument("BTC-USD".parse().unwrap()).await.unwrap().id
    }

    async fn start(self, symbols: &[&str], text: &str, spool: fn(&Config, &Path) -> Option<Spool>) -> Stage {
        let Self { clock, store, folder } = self;
        let log = Log::default();
        let logging = tracing::subscriber::set_default(tracing_subscriber::registry().with(log.clone()));
        let rest = HttpServer::start(&clock, nothing).await;
        let stream = StreamServer::start(&clock, MANNERS).await;
        let text = format!("[provider.coinbase]\nrest_url = \"{}\"\nstream_url = \"{}\"\n{text}", rest.url, stream.url);
        let sections = config_sections();
        let config = Config::resolve(&RawConfig::parse(&text, &sections).unwrap(), &sections, &Facts::default()).unwrap();
        let spec = PROVIDERS.iter().find(|spec| spec.name == "coinbase").unwrap();
        let setup = Setup {
            store: Arc::clone(&store) as Arc<dyn Store>,
            spool: spool(&config, folder.path()),
            providers: vec![open_provider(spec, &config, &clock)],
            config,
            clock: clock.clone(),
            calendars: Arc::new(Calendars::embedded()),
            log: LogRing::default(),
            symbols: symbols.iter().map(|symbol| symbol.parse().unwrap()).collect(),
            simulated: false,
            places: None,
            duty: Duty::Record,
        };
        let (engine, handle) = Engine::start(setup).await.unwrap();
        Stage { clock, store, stream, log, handle, engine, _rest: rest, _logging: logging, _folder: folder }
    }
}

fn without_spool(_: &Config, _: &Path) -> Option<Spool> {
    None
}

fn with_spool(config: &Config, folder: &Path) -> Option<Spool> {
    Some(Spool::open(&folder.join("spool.db"), "a store", spool_limit(config)).unwrap())
}

impl Stage {
    fn view(&self) -> Arc<MarketView> {
        Arc::clone(&self.handle.view.borrow())
    }

    /// The connection, once so many frames came over it.
    async fn line(&self, frames: usize) -> Arc<Line> {
        let heard = async {
            while self.stream.count() == 0 || self.stream.line(0).heard().len() < frames {
                tokio::task::yield_now().await;
            }
        };
        drive(&self.clock, TENTH, heard).await;
        self.stream.line(0)
    }

    /// Lets time pass, half a second at a time.
    async fn pass(&self, span: Duration) {
        let clock = self.clock.clone();
        drive(&self.clock, Duration::from_millis(500), async move { clock.sleep(span).await }).await;
    }

    /// Lets time pass until the picture is so.
    async fn shown(&self, is_so: impl FnMut(&Arc<MarketView>) -> bool) -> Arc<MarketView> {
        let mut view = self.handle.view.clone();
        let found = drive(&self.clock, TENTH, view.wait_for(is_so)).await.expect("the engine lives");
        Arc::clone(&found)
    }

    /// Lets time pass until BTC-USD has this price.
    async fn price(&self, price: f64) {
        self.shown(|view| view.instruments[0].last.is_some_and(|last| last.value == price)).await;
    }

    /// Lets time pass until the table has so many rows.
    async fn until_rows(&self, name: &str, count: usize) {
        let look = async {
            while rows(&*self.store, name).await.len() != count {
                tokio::task::yield_now().await;
            }
        };
        drive(&self.clock, TENTH, look).await;
    }

    async fn ask(&self, request: Request) {
        self.handle.requests.send(request).await.unwrap();
    }

    /// Lets time pass until an event is as wanted.
    async fn event<T>(&mut self, mut wanted: impl FnMut(EngineEvent) -> Option<T>) -> T {
        let events = &mut self.handle.events;
        let found = async move {
            loop {
                if let Some(found) = wanted(events.recv().await.expect("the engine lives")) {
                    return found;
                }
            }
        };
        drive(&self.clock, TENTH, found).await
    }

    async fn reply(&mut self) -> Reply {
        self.event(|event| if let EngineEvent::Reply(reply) = event { Some(reply) } else { None }).await
    }

    async fn notice(&mut self) -> (Severity, String) {
        let notice = |event: EngineEvent| match event {
            EngineEvent::Notice { severity, message, .. } => Some((severity, message)),
            _ => None,
        };
        self.event(notice).await
    }

    /// Sends trades with these ids, the price of each is its id, and waits until the last is shown.
    async fn trade(&self, line: &Line, ids: RangeInclusive<u64>) {
        let (first, last, now) = (*ids.start(), *ids.end(), self.clock.now());
        ids.for_each(|id| line.send(trade(id, now + micros(id - first), id as f64)));
        self.price(last as f64).await;
    }

    async fn stop(self) {
        let Self { clock, engine, handle, log, .. } = self;
        drive(&clock, Duration::from_millis(10), engine.stop()).await;
        drop(handle);
        assert_eq!(log.count("a task died"), 0);
        assert_eq!(log.count("did not end"), 0);
    }
}

// ── quotes and trades ──

async fn day(config: &'static str) -> Day {
    let symbols = &["BTC-USD"];
    Day::start(Scene { provider: "coinbase", from: FROM, symbols, config, manners: MANNERS, refusals: Vec::new(), rest: nothing }).await
}

async fn until_price(day: &Day, price: f64) {
    day.until(seconds(10), "the price", |day| day.row("BTC-USD").last.filter(|last| last.value == price)).await;
}

/// Lets time pass until every frame that was sent so far was taken, and three seconds more.
async fn settle(day: &Day, line: &Line) {
    let before = day.feed().errors;
    line.send("}{");
    day.until(seconds(10), "a frame that makes no sense", |day| (day.feed().errors > before).then_some(())).await;
    day.pass(seconds(3)).await;
}

/// The rows of a table, once they are as wanted.
async fn stored(day: &Day, name: &str, wanted: impl Fn(&[Row]) -> bool) -> Vec<Row> {
    for _ in 0..200 {
        let found = rows(&*day.store, name).await;
        if wanted(&found) {
            return found;
        }
        day.pass(TENTH).await;
    }
    panic!("{name} is {:?}", rows(&*day.store, name).await);
}

fn ends_with(quotes: &[Row], price: f64) -> bool {
    quotes.last().is_some_and(|row| real(row, "quotes", "last") == Some(price))
}

#[tokio::test]
async fn quotes_are_sampled_at_most_once_a_second_and_only_when_they_change() {
    let day = day("").await;
    let line = day.line(0, 1).await;
    let began = day.clock.now();
    let mut sent = BTreeMap::new();
    for burst in 0..6_u64 {
        for id in burst * 8 + 1..=burst * 8 + 8 {
            let (time, price) = (day.clock.now() + micros(id), 100.0 + id as f64);
            line.send(trade(id, time, price));
            sent.insert(time, price);
        }
        until_price(&day, 100.0 + (burst * 8 + 8) as f64).await;
    }
    let quotes = stored(&day, "quotes", |rows| ends_with(rows, 148.0)).await;
    let elapsed = usize::try_from(day.clock.now().since(began).as_secs()).unwrap();
    assert!((1..=elapsed + 1).contains(&quotes.len()), "{} samples in {elapsed} s", quotes.len());
    for row in &quotes {
        let (ts_event, ts_recv) = (time(row, "quotes", "ts_event"), time(row, "quotes", "ts_recv"));
        assert_eq!(real(row, "quotes", "last"), sent.get(&ts_event).copied(), "a price with the time of another at {ts_event}");
        assert!(began <= ts_recv && ts_recv <= day.clock.now(), "{ts_recv}");
        assert_eq!(cell(row, "quotes", "source"), &Field::Text("coinbase".to_owned()));
    }
    // What is sent again, and what is older than what is known, is no news.
    line.send(trade(48, day.clock.now(), 148.0));
    line.send(ticker(began, 99.0));
    settle(&day, &line).await;
    let now = day.clock.now();
    line.send(ticker(now, 97.0));
    let more = stored(&day, "quotes", |rows| ends_with(rows, 97.0)).await;
    assert_eq!(more[..more.len() - 1], quotes, "nothing came between");
    let row = more.last().unwrap();
    let figures = ["last", "bid", "bid_size", "ask", "ask_size", "volume"].map(|column| real(row, "quotes", column));
    assert_eq!(figures, [97.0, 96.75, 0.12, 97.25, 1.5, 1234.5].map(Some));
    assert_eq!(time(row, "quotes", "ts_event"), now);
    assert_eq!(rows(&*day.store, "trades").await, Vec::<Row>::new(), "trades are kept when asked for");
    day.stop().await;
}

#[tokio::test]
async fn trades_are_kept_when_asked_for_and_quotes_are_not_when_not() {
    let day = day("[store]\ntrades = true\nquotes = false\n").await;
    let line = day.line(0, 1).await;
    let now = day.clock.now();
    line.send(trade(1, now, 100.0));
    line.send(trade(1, now, 100.0));
    line.send(trade(2, now + micros(1), -5.0));
    line.send(trade(3, now + micros(2), 101.0));
    let trades = stored(&day, "trades", |rows| rows.len() > 1).await;
    let text = |text: &str| Field::Text(text.to_owned());
    assert_eq!(trades.iter().map(|row| cell(row, "trades", "trade_id").clone()).collect::<Vec<_>>(), [text("1"), text("3")]);
    assert_eq!(trades.iter().map(|row| real(row, "trades", "price")).collect::<Vec<_>>(), [Some(100.0), Some(101.0)]);
    let row = &trades[1];
    assert_eq!((time(row, "trades", "ts_event"), real(row, "trades", "size")), (now + micros(2), Some(0.5)));
    assert_eq!((cell(row, "trades", "taker"), cell(row, "trades", "moves")), (&text("buy"), &Field::Whole(7)));
    assert_eq!(day.quarantine().await.len(), 1, "what is refused is kept elsewhere");
    settle(&day, &line).await;
    assert_eq!(rows(&*day.store, "quotes").await, Vec::<Row>::new());
    day.stop().await;
}

// ── retention ──

#[test]
fn every_table_that_grows_old_has_its_key_and_every_key_its_table() {
    let section = SECTIONS.iter().find(|section| section.name == "store.retain").expect("the section");
    let keys: BTreeSet<_> = section.keys.iter().map(|key| key.name).collect();
    let tables: BTreeSet<_> = retained().into_iter().map(|(_, config)| config).collect();
    assert_eq!(keys, tables);
    assert_eq!(retained().len(), tables.len(), "a key is that of one table");
}

/// Puts an old row and a young one into each table that grows old.
async fn fill(ground: &Ground) {
    let (id, now) = (ground.id().await, ground.clock.now());
    ground.put("alerts", vec![made("alerts", id, 1, now)]).await;
    for (table, _) in retained() {
        let old = made(table.name, id, 1, now - DAY * 31);
        let young = made(table.name, id, 2, now - DAY * 29);
        ground.put(table.name, vec![old, young]).await;
    }
}

#[tokio::test]
async fn each_key_prunes_its_own_table_and_no_other() {
    for (pruned, _) in retained() {
        let ground = Ground::new();
        fill(&ground).await;
        let key = |(table, key): (&TableSpec, &str)| format!("{key} = {}\n", if table.name == pruned.name { 30 } else { 0 });
        let text = format!("[store.retain]\n{}", retained().into_iter().map(key).collect::<String>());
        let stage = ground.start(&[], &text, without_spool).await;
        stage.until_rows(pruned.name, 1).await;
        stage.pass(seconds(5)).await;
        for (table, _) in retained() {
            let left = rows(&*stage.store, table.name).await.len();
            assert_eq!(left, if table.name == pruned.name { 1 } else { 2 }, "{} while {} is pruned", table.name, pruned.name);
        }
        stage.stop().await;
    }
}

#[tokio::test]
async fn old_rows_go_in_small_steps_and_what_must_stay_is_spared() {
    let ground = Ground::new();
    let (id, old) = (ground.id().await, ground.clock.now() - DAY * 1_000);
    let quotes = (0..4_500).map(|n| made("quotes", id, n, old + micros(n.unsigned_abs())));
    ground.put("quotes", quotes.collect()).await;
    let daily = with(made("bars", id, 1, old), "bars", "interval_s", Field::Whole(86_400));
    ground.put("bars", vec![made("bars", id, 2, old), daily.clone()]).await;
    let open = with(made("jobs", id, 1, old), "jobs", "state", Field::Text("queued".to_owned()));
    ground.put("jobs", vec![open.clone(), made("jobs", id, 2, old)]).await;
    // The other tables are pruned by default.
    let stage = ground.start(&[], "[store.retain]\nbars_intraday = 30\n", without_spool).await;
    stage.until_rows("jobs", 1).await;
    assert_eq!(rows(&*stage.store, "jobs").await, [open], "a job that waits is not old");
    assert_eq!(rows(&*stage.store, "bars").await, [daily], "daily bars stay");
    assert_eq!(rows(&*stage.store, "quotes").await, Vec::<Row>::new());
    let steps = stage.store.pruned("quotes");
    assert_eq!(steps.iter().map(|(_, rows)| *rows).collect::<Vec<_>>(), [2_000, 2_000, 500]);
    assert!(steps.windows(2).all(|pair| pair[0].0 < pair[1].0), "live rows go between: {steps:?}");
    stage.stop().await;
}

#[tokio::test]
async fn pruning_that_failed_is_told_and_tried_again_in_the_next_round() {
    let ground = Ground::new();
    let (id, old) = (ground.id().await, ground.clock.now() - DAY * 1_000);
    ground.put("quotes", vec![made("quotes", id, 1, old)]).await;
    let stage = ground.start(&[], "", without_spool).await;
    stage.store.be(Mood::Away);
    stage.pass(seconds(60)).await;
    assert_eq!(stage.log.count("cannot prune quotes: cannot reach postgres://desk/bars"), 1, "once a round");
    assert_eq!(stage.log.count("cannot look into the store"), 1, "once, not each second");
    stage.store.be(Mood::Well);
    stage.pass(seconds(60)).await;
    assert_eq!(stage.log.count("the store answers again"), 1);
    assert_eq!(rows(&*stage.store, "quotes").await.len(), 1, "the next round is not due");
    stage.clock.advance(seconds(3_600));
    stage.until_rows("quotes", 0).await;
    stage.stop().await;
}

// ── a store that stalls, and one that is away ──

#[tokio::test]
async fn a_store_that_stalls_holds_up_no_price_and_answers_when_it_is_back() {
    let mut stage = Ground::new().start(&["BTC-USD"], "", without_spool).await;
    let line = stage.line(1).await;
    stage.trade(&line, 1..=1).await;
    let id = stage.view().instruments[0].instrument.id;
    stage.store.be(Mood::Stalled);
    stage.pass(seconds(3)).await;
    let looks = stage.store.looks();
    stage.trade(&line, 2..=2).await;
    let symbol = |text: &str| text.parse::<Symbol>().unwrap();
    for request in [
        Request::AddSymbol(symbol("ETH-USD")),
        Request::RemoveSymbol(symbol("ETH-USD")),
        Request::AddSymbol(symbol("SOL-USD")),
        Request::AddSymbol(symbol("SOL-USD")),
        Request::Detail(id),
        Request::Refresh,
    ] {
        stage.ask(request).await;
    }
    assert_eq!(stage.reply().await, Reply::Done("asking every source".to_owned()), "what takes no store is answered at once");
    for number in 3..=6 {
        stage.pass(seconds(20)).await;
        stage.trade(&line, number..=number).await;
    }
    let view = stage.view();
    assert!(!view.instruments[0].closes.is_empty(), "minutes are sealed meanwhile");
    assert_eq!(view.instruments.len(), 1);
    while let Ok(event) = stage.handle.events.try_recv() {
        assert!(!matches!(event, EngineEvent::Reply(_)), "{event:?} while the store said nothing");
    }
    assert_eq!(stage.store.looks(), looks, "a look that hangs is not followed by others");
    stage.store.be(Mood::Well);
    for expected in ["ETH-USD added", "ETH-USD removed; its history stays", "SOL-USD added"] {
        assert_eq!(stage.reply().await, Reply::Done(expected.to_owned()));
    }
    assert_eq!(stage.reply().await, Reply::Failed("SOL-USD is on the list already".to_owned()));
    assert!(matches!(stage.reply().await, Reply::Detail(of, _) if of == id));
    let symbols = |list: &[Instrument]| list.iter().map(|instrument| instrument.symbol.to_string()).collect::<Vec<_>>();
    assert_eq!(symbols(&stage.store.watchlist().await.unwrap().unwrap()), ["BTC-USD", "SOL-USD"]);
    assert_eq!(stage.view().instruments.iter().map(|row| row.instrument.symbol.to_string()).collect::<Vec<_>>(), ["BTC-USD", "SOL-USD"]);
    // What was heard in the meantime is written, and jobs are looked for again.
    stage.pass(seconds(70)).await;
    assert!(stage.store.looks() > looks);
    let heard = async {
        while trades_in_minutes(&stage.store, id).await != 6 {
            tokio::task::yield_now().await;
        }
    };
    drive(&stage.clock, TENTH, heard).await;
    stage.stop().await;
}

async fn trades_in_minutes(store: &Remote, id: InstrumentId) -> u64 {
    let minutes = store.bars(BarQuery::all(id, Interval::OneMinute)).try_collect::<Vec<_>>().await.unwrap().concat();
    minutes.iter().filter_map(|bar| bar.n_trades).sum()
}

#[tokio::test]
async fn a_full_spool_reaches_the_person_and_loses_nothing() {
    let text = "[store]\ntrades = true\nquotes = false\nspool_mb = 1\n";
    let mut stage = Ground::new().start(&["BTC-USD"], text, with_spool).await;
    let line = stage.line(1).await;
    stage.store.be(Mood::Away);
    let mut sent = 0;
    while !stage.view().writer.spool_full {
        assert!(sent < 60_000, "it never fills");
        stage.trade(&line, sent + 1..=sent + 1_000).await;
        sent += 1_000;
        stage.pass(seconds(2)).await;
    }
    let writer = Arc::clone(&stage.view().writer);
    assert!(writer.spooled > 1_000 && writer.spooled_since.is_some() && writer.dropped == 0, "{writer:?}");
    assert!(writer.error.is_some() && writer.attempt > 0 && writer.next_try.is_some(), "{writer:?}");
    let away = "the store takes no rows: cannot reach postgres://desk/bars: connection refused";
    assert_eq!(stage.notice().await, (Severity::Warning, away.to_owned()));
    let (severity, full) = stage.notice().await;
    assert!(severity == Severity::Error && full.starts_with("the spool is full"), "{full}");
    stage.store.be(Mood::Well);
    assert_eq!(stage.notice().await, (Severity::Info, "the store takes rows again".to_owned()));
    assert_eq!(stage.notice().await, (Severity::Info, "the spool has room again".to_owned()));
    stage.shown(|view| view.writer.spooled == 0 && view.writer.queued == 0).await;
    assert_eq!(rows(&*stage.store, "trades").await.len() as u64, sent, "each once, and all of them");
    stage.stop().await;

    // As many rows do not fill a larger one.
    let stage = Ground::new().start(&["BTC-USD"], &text.replace("spool_mb = 1", "spool_mb = 64"), with_spool).await;
    let line = stage.line(1).await;
    stage.store.be(Mood::Away);
    for thousand in 0..sent / 1_000 {
        stage.trade(&line, thousand * 1_000 + 1..=thousand * 1_000 + 1_000).await;
    }
    let view = stage.shown(|view| view.writer.spooled >= sent).await;
    assert!(!view.writer.spool_full);
    stage.store.be(Mood::Well);
    stage.shown(|view| view.writer.spooled == 0).await;
    stage.stop().await;
}
