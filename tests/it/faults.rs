//! What happens between us and a PostgreSQL, for real: it is stopped without a word, the link is cut or stalls, the disk
//! is full. After each, every acknowledged row is there, once.
//!
//! `OPENBELL_FAULTS` says how often the server falls; each test prints how many faults, rows and losses there were.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::TryStreamExt;
use openbell::config::PostgresUrl;
use openbell::host::{Clock, Tasks};
use openbell::market::{Bar, BarFlags, InstrumentId, Interval, Origin, SessionKind, Source, Timestamp};
use openbell::pipeline::Ranks;
use openbell::snapshot::WriterView;
use openbell::store::{BarQuery, Batch, Creation, Postgres, Spool, Store, StoreError, Writer, WriterEvent};
use tempfile::TempDir;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_postgres::Client;

use crate::disk::SmallDisk;
use crate::postgres::{self, Cluster, Options};
use crate::proxy::Proxy;

pub(crate) const MINUTE: Duration = Duration::from_secs(60);
/// A debug build on a busy machine takes its time.
pub(crate) const PATIENCE: Duration = Duration::from_secs(180);
/// More than any of the tests needs.
pub(crate) const ROOMY: u64 = 1 << 30;
/// A second of the writer's time is a twentieth of ours: it tries again soon.
pub(crate) const SPEED: f64 = 20.0;

pub(crate) fn start() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().expect("an instant")
}

/// The bar with the number `n`: its time and its prices say which it is.
pub(crate) fn bar(instrument: InstrumentId, n: u32) -> Bar {
    let price = f64::from(n + 1);
    Bar {
        instrument,
        interval: Interval::OneMinute,
        open_time: start() + MINUTE * n,
        open: price,
        high: price,
        low: price,
        close: price,
        volume: Some(100.0),
        vwap: None,
        n_trades: Some(3),
        session: Some(SessionKind::Regular),
        source: Source::new("sim"),
        origin: Origin::Live,
        revision: 0,
        quality: 1.0,
        flags: BarFlags::empty(),
    }
}

/// The same numbers of each instrument.
pub(crate) fn numbered(instruments: &[InstrumentId], numbers: std::ops::Range<u32>) -> Vec<Bar> {
    numbers.flat_map(|n| instruments.iter().map(move |id| bar(*id, n))).collect()
}

pub(crate) fn of_bars(bars: Vec<Bar>) -> Batch {
    Batch { bars, at: start(), ..Batch::default() }
}

pub(crate) async fn open(url: &str) -> Postgres {
    let address: PostgresUrl = url.parse().expect(url);
    Postgres::open(&address, Creation::IfEmpty, Ranks::default()).await.unwrap_or_else(|error| panic!("{url}: {error}"))
}

pub(crate) async fn made(store: &dyn Store, symbols: &[&str]) -> Vec<InstrumentId> {
    let mut made = Vec::new();
    for symbol in symbols {
        made.push(store.instrument(symbol.parse().unwrap()).await.expect("it is made").id);
    }
    made
}

async fn number(client: &Client, sql: &str) -> u64 {
    let row = client.query_one(sql, &[]).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    u64::try_from(row.get::<_, i64>(0)).unwrap()
}

/// The rows in the table.
pub(crate) async fn rows(client: &Client) -> u64 {
    number(client, "SELECT count(*) FROM bars").await
}

/// Looks again and again until it is so; says whether it was in the end.
async fn comes_true<F: AsyncFnMut() -> bool>(mut look: F) -> bool {
    let began = Instant::now();
    while !look().await {
        if began.elapsed() > PATIENCE {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    true
}

// ── the store and its writer, under observation ──

struct Recording {
    store: Arc<Postgres>,
    writer: Writer,
    tasks: Tasks,
    told: watch::Receiver<Told>,
}

/// What the writer told so far.
#[derive(Clone, Debug, Default)]
struct Told {
    view: WriterView,
    most_spooled: u64,
    was_full: bool,
}

impl Recording {
    async fn start(url: &str, spool: &Path, limit: u64) -> Self {
        let store = Arc::new(open(url).await);
        let id = store.about("id").await.unwrap().expect("every store has an id");
        let spool = Spool::open(spool, &id, limit).unwrap();
        let clock = Clock::scaled(start(), SPEED);
        let (tasks, (sender, events)) = (Tasks::new(clock.clone()), mpsc::channel(4_096));
        let as_store: Arc<dyn Store> = store.clone();
        let writer = Writer::start(as_store, Some(spool), clock, &tasks, sender);
        let (teller, told) = watch::channel(Told::default());
        tokio::spawn(listen(events, teller));
        Self { store, writer, tasks, told }
    }

    /// The writer's next word that is as wanted.
    async fn until(&self, what: &str, wanted: impl FnMut(&Told) -> bool) -> Told {
        let mut told = self.told.clone();
        let found = tokio::time::timeout(PATIENCE, told.wait_for(wanted)).await;
        let found = found.map(|word| word.expect("the writer lives").clone());
        found.unwrap_or_else(|_| panic!("the writer never told of it: {what}; last {:?}", self.told.borrow().view))
    }

    /// Everything that was handed over has left the writer, and so many rows are in the table.
    async fn until_written(&self, looker: &Client, wanted: u64) -> Told {
        // Rows that were lost do not come by waiting: they are counted afterwards.
        let _ = comes_true(async || rows(looker).await >= wanted).await;
        let told = self.until("all is written", |told| told.view.spooled == 0 && told.view.queued == 0 && told.view.error.is_none()).await;
        assert_eq!(told.view.dropped, 0, "rows were let go");
        assert!(!told.view.spool_full && told.view.spooled_since.is_none(), "{:?}", told.view);
        told
    }

    /// Ends the writer as the engine does, wherever its rows are.
    async fn end(self) {
        let Self { store, writer, tasks, told } = self;
        drop((writer, told));
        assert!(tasks.stop(Duration::from_secs(3_600)).await, "it ends by itself");
        drop(store);
    }
}

async fn listen(mut events: mpsc::Receiver<WriterEvent>, teller: watch::Sender<Told>) {
    while let Some(event) = events.recv().await {
        if let WriterEvent::State(view) = event {
            teller.send_modify(|told| {
                told.most_spooled = told.most_spooled.max(view.spooled);
                told.was_full |= view.spool_full;
                told.view = view;
            });
        }
    }
}

/// The table and what was acknowledged, compared row by row.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Losses {
    acknowledged: usize,
    lost: usize,
    /// There, and not as it was handed over.
    wrong: usize,
    doubled: u64,
}

/// Compares the whole table with the rows with the numbers below `up_to` of each instrument.
pub(crate) async fn losses(url: &str, looker: &Client, wanted: &[(InstrumentId, u32)]) -> Losses {
    let store = open(url).await;
    let mut losses = Losses::default();
    for (id, up_to) in wanted {
        let found: Vec<Vec<Bar>> = store.bars(BarQuery::all(*id, Interval::OneMinute)).try_collect().await.expect("it can be read");
        let found: BTreeMap<_, _> = found.concat().into_iter().map(|bar| (bar.open_time, bar)).collect();
        let wanted = numbered(&[*id], 0..*up_to);
        losses.acknowledged += wanted.len();
        losses.lost += wanted.iter().filter(|bar| !found.contains_key(&bar.open_time)).count();
        losses.wrong += wanted.iter().filter(|bar| found.get(&bar.open_time).is_some_and(|there| there != *bar)).count();
    }
    let there = rows(looker).await;
    losses.doubled =
        there - number(looker, "SELECT count(*) FROM (SELECT DISTINCT instrument_id, interval_s, open_time FROM bars) AS keys").await;
    assert_eq!(there, (losses.acknowledged - losses.lost) as u64, "rows that nobody handed over");
    losses
}

impl Losses {
    pub(crate) fn check(&self, faults: &str) {
        println!(
            "{faults}; {} rows acknowledged, {} lost, {} wrong, {} there twice",
            self.acknowledged, self.lost, self.wrong, self.doubled
        );
        assert_eq!((self.lost, self.wrong, self.doubled), (0, 0, 0));
    }
}

// ── the server falls ──

/// Hands over rows as a feed does, without waiting; the answer is how many of each instrument.
fn offering(recording: &Recording, instruments: Vec<InstrumentId>, ending: Arc<AtomicBool>) -> JoinHandle<u32> {
    let writer = recording.writer.clone();
    tokio::spawn(async move {
        let (mut pace, mut n) = (pace(), 0);
        while !ending.load(Ordering::Relaxed) {
            pace.tick().await;
            writer.offer(of_bars(numbered(&instruments, n..n + 5)));
            n += 5;
        }
        n
    })
}

/// Hands over rows as a job does, each batch after the one before was acknowledged; the answer is how many of each.
fn appending(recording: &Recording, instruments: Vec<InstrumentId>, ending: Arc<AtomicBool>) -> JoinHandle<u32> {
    let writer = recording.writer.clone();
    tokio::spawn(async move {
        let (mut pace, mut n) = (pace(), 0);
        while !ending.load(Ordering::Relaxed) {
            pace.tick().await;
            writer.append(of_bars(numbered(&instruments, n..n + 20))).await.expect("it is acknowledged");
            n += 20;
        }
        n
    })
}

/// As fast as a debug build can follow.
fn pace() -> tokio::time::Interval {
    let mut pace = tokio::time::interval(Duration::from_millis(5));
    pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    pace
}

/// The server is stopped without a word while rows are written, and started when some went to the spool.
async fn fall(cluster: &Cluster, database: &str, recording: &Recording, dice: &mut fastrand::Rng) {
    let looker = cluster.client(database).await;
    let before = rows(&looker).await;
    assert!(comes_true(async || rows(&looker).await > before + 500).await, "no rows are written");
    // Somewhere between two commits.
    tokio::time::sleep(Duration::from_millis(dice.u64(0..60))).await;
    cluster.stop_immediate().unwrap();
    let told = recording.until("rows go to the spool", |told| told.view.spooled > 0 && told.view.error.is_some()).await;
    assert!(told.view.spooled_since.is_some(), "{:?}", told.view);
    cluster.start_again().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_row_is_lost_when_the_server_falls_again_and_again() {
    let faults: u32 = std::env::var("OPENBELL_FAULTS").ok().and_then(|text| text.parse().ok()).unwrap_or(3);
    let Some(cluster) = postgres::own(&Options { fsync: true, ..Options::default() }) else { return };
    let folder = TempDir::new().unwrap();
    cluster.make("falls").await;
    let url = cluster.url("falls");
    let recording = Recording::start(&url, &folder.path().join("spool.db"), ROOMY).await;
    let ids = made(&*recording.store, &["BTC-USD", "ETH-USD", "SOL-USD", "LTC-USD"]).await;
    let ending = Arc::new(AtomicBool::new(false));
    let live = offering(&recording, ids[..2].to_vec(), Arc::clone(&ending));
    let jobs = appending(&recording, ids[2..].to_vec(), Arc::clone(&ending));
    let mut dice = fastrand::Rng::with_seed(7);
    for _ in 0..faults {
        fall(&cluster, "falls", &recording, &mut dice).await;
    }
    ending.store(true, Ordering::Relaxed);
    let (live, jobs) = (live.await.unwrap(), jobs.await.unwrap());
    let looker = cluster.client("falls").await;
    let told = recording.until_written(&looker, 2 * u64::from(live + jobs)).await;
    assert!(told.most_spooled > 0 && !told.was_full, "{told:?}");
    let wanted = [(ids[0], live), (ids[1], live), (ids[2], jobs), (ids[3], jobs)];
    let losses = losses(&url, &looker, &wanted).await;
    losses.check(&format!("{faults} stops with -m immediate, at most {} rows in the spool", told.most_spooled));
    recording.end().await;
}

// ── the link is cut ──

/// Rows in one batch.
const BULK: u32 = 20_000;

/// The numbers of batch `n`, in their first or a later revision.
fn bulk(id: InstrumentId, n: u32, revision: u32) -> Vec<Bar> {
    let revised = |bar: Bar| Bar { revision, high: bar.high + f64::from(revision), ..bar };
    numbered(&[id], n * BULK..(n + 1) * BULK).into_iter().map(revised).collect()
}

/// Appends until it is acknowledged; the answer is how often it was not.
async fn insist(store: &Postgres, looker: &Client, bars: &[Bar]) -> u32 {
    for failures in 0..20 {
        let Err(error) = store.append(of_bars(bars.to_vec())).await else { return failures };
        assert!(matches!(error, StoreError::Away { .. }), "{error:?}");
        let there = rows(looker).await;
        let revised = number(looker, "SELECT count(*) FROM bars WHERE revision > 0").await;
        assert_eq!((there % u64::from(BULK), revised % u64::from(BULK)), (0, 0), "half a batch is there: {there}, {revised} revised");
    }
    panic!("it is never acknowledged");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_whose_link_is_cut_is_there_whole_or_not_at_all() {
    let Some(database) = postgres::database().await else { return };
    let proxy = Proxy::start(database.address()).await;
    let store = open(&proxy.url(database.name())).await;
    let (id, looker) = (made(&store, &["BTC-USD"]).await[0], database.client().await);
    let before = proxy.sent();
    assert_eq!(insist(&store, &looker, &bulk(id, 0, 0)).await, 0);
    let size = proxy.sent() - before;
    assert!(size > u64::from(BULK) * 64, "{BULK} rows in {size} bytes");

    // From the first statement to the COMMIT; the first revision is copied into the table, the second is merged.
    let offsets = [60, 400, size / 4, size / 2, size * 3 / 4, size - 1_000, size - 30];
    let (mut cuts, mut batches) = (0, 1);
    for offset in offsets {
        for revision in [0, 1] {
            proxy.cut_after(offset);
            cuts += insist(&store, &looker, &bulk(id, batches, revision)).await;
            proxy.mend();
        }
        batches += 1;
    }
    let wanted: Vec<Bar> = (0..batches).flat_map(|n| bulk(id, n, u32::from(n > 0))).collect();
    let found: Vec<Vec<Bar>> = store.bars(BarQuery::all(id, Interval::OneMinute)).try_collect().await.unwrap();
    let found = found.concat();
    let lost = wanted.len().saturating_sub(found.len());
    println!("{cuts} cuts of the link while {BULK} rows were sent; {} rows acknowledged, {lost} lost", wanted.len());
    assert!(found == wanted, "{} rows, and not those that were acknowledged", found.len());
    assert!(cuts >= 10, "only {cuts} of {} cuts fell into a batch", offsets.len() * 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_that_stalls_is_given_up_and_its_rows_go_to_the_spool() {
    let Some(database) = postgres::database().await else { return };
    let (proxy, folder) = (Proxy::start(database.address()).await, TempDir::new().unwrap());
    let recording = Recording::start(&proxy.url(database.name()), &folder.path().join("spool.db"), ROOMY).await;
    let ids = made(&*recording.store, &["BTC-USD", "ETH-USD"]).await;
    recording.writer.append(of_bars(numbered(&ids, 0..500))).await.unwrap();

    proxy.stall();
    let began = Instant::now();
    for n in (500..2_000).step_by(100) {
        recording.writer.offer(of_bars(numbered(&ids, n..n + 100)));
    }
    // A job's question at the same time, so that both waits are one.
    let asked = recording.store.append(of_bars(numbered(&ids, 500..600)));
    let error = tokio::time::timeout(PATIENCE, asked).await.expect("it comes back").expect_err("nobody answers");
    assert!(matches!(error, StoreError::Away { .. }), "{error:?}");
    let waited = began.elapsed();
    let told = recording.until("all of it is in the spool", |told| told.view.spooled == 3_000).await;
    assert!(told.view.error.is_some() && told.view.dropped == 0, "{:?}", told.view);
    let looker = database.client().await;
    assert_eq!(rows(&looker).await, 1_000);

    proxy.resume();
    recording.until_written(&looker, 4_000).await;
    let losses = losses(&database.url(), &looker, &[(ids[0], 2_000), (ids[1], 2_000)]).await;
    losses.check(&format!("1 link that stalled, given up after {:.1} s, {} connections", waited.as_secs_f32(), proxy.connections()));
    recording.end().await;
}

// ── the spool ──

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_spool_that_is_full_is_told_and_drops_nothing() {
    let Some(cluster) = postgres::own(&Options::default()) else { return };
    let folder = TempDir::new().unwrap();
    cluster.make("brimful").await;
    let recording = Recording::start(&cluster.url("brimful"), &folder.path().join("spool.db"), 1 << 20).await;
    let ids = made(&*recording.store, &["BTC-USD"]).await;
    recording.writer.append(of_bars(numbered(&ids, 0..100))).await.unwrap();
    cluster.stop_immediate().unwrap();

    let (mut pace, mut n) = (pace(), 100);
    while !recording.told.borrow().view.spool_full {
        pace.tick().await;
        recording.writer.offer(of_bars(numbered(&ids, n..n + 20)));
        n += 20;
        assert!(n < 70_000, "a million bytes hold that many rows");
    }
    let told = recording.until("the spool is full", |told| told.view.spool_full && told.view.error.is_some()).await;
    assert!(told.view.spooled > 0 && told.view.spooled_since.is_some(), "{:?}", told.view);
    // Those that come now wait in the queue; who waits for an acknowledgement waits on.
    for _ in 0..20 {
        recording.writer.offer(of_bars(numbered(&ids, n..n + 100)));
        n += 100;
    }
    let (writer, last) = (recording.writer.clone(), of_bars(numbered(&ids, n..n + 100)));
    let waiting = tokio::spawn(async move { writer.append(last).await });
    n += 100;
    let told = recording.until("rows wait in the queue", |told| told.view.queued >= 2_000).await;
    assert_eq!(told.view.dropped, 0);
    assert!(!waiting.is_finished(), "acknowledged, and nowhere");

    cluster.start_again().unwrap();
    waiting.await.unwrap().expect("it is acknowledged in the end");
    let looker = cluster.client("brimful").await;
    recording.until_written(&looker, u64::from(n)).await;
    // Whoever was written first has the smaller transaction.
    let order = "SELECT count(*) FROM (SELECT open_time, lag(open_time) OVER (ORDER BY xmin::text::bigint, open_time) AS before FROM bars) AS w \
                 WHERE open_time < before";
    assert_eq!(number(&looker, order).await, 0, "rows that overtook others");
    let losses = losses(&cluster.url("brimful"), &looker, &[(ids[0], n)]).await;
    losses.check(&format!("1 spool that was full with {} rows", told.view.spooled));
    recording.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_in_the_spool_outlives_the_writer() {
    let Some(cluster) = postgres::own(&Options::default()) else { return };
    let folder = TempDir::new().unwrap();
    let spool = folder.path().join("deep/er/spool.db");
    cluster.make("later").await;
    let url = cluster.url("later");
    let recording = Recording::start(&url, &spool, ROOMY).await;
    let ids = made(&*recording.store, &["BTC-USD", "ETH-USD"]).await;
    recording.writer.append(of_bars(numbered(&ids, 0..100))).await.unwrap();
    cluster.stop_immediate().unwrap();
    for n in (100..900).step_by(100) {
        recording.writer.offer(of_bars(numbered(&ids, n..n + 100)));
    }
    recording.until("rows go to the spool", |told| told.view.spooled > 0).await;
    // What is still in the queue has to go there as well.
    recording.writer.offer(of_bars(numbered(&ids, 900..1_000)));
    recording.end().await;

    cluster.start_again().unwrap();
    let looker = cluster.client("later").await;
    assert_eq!(rows(&looker).await, 200, "the server knows nothing of them");
    let recording = Recording::start(&url, &spool, ROOMY).await;
    recording.until_written(&looker, 2_000).await;
    losses(&url, &looker, &[(ids[0], 1_000), (ids[1], 1_000)]).await.check("1 end of the writer while the server was away");
    recording.end().await;
}

// ── the server's disk ──

/// A small disk for the server; `None` where none may be mounted.
fn small_disk(cluster: &Cluster) -> Option<SmallDisk> {
    let disk = SmallDisk::at(cluster.folder().join("small"), "40m")?;
    let space = disk.path.join("space");
    fs::create_dir(&space).unwrap();
    cluster.give(&space).unwrap();
    Some(disk)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_whose_disk_is_full_says_so_and_its_rows_wait() {
    let Some(cluster) = postgres::own(&Options::default()) else { return };
    let Some(disk) = small_disk(&cluster) else { return };
    // Only the tables are on the small disk: a server that cannot write its log ends itself.
    cluster.psql("postgres", &format!("CREATE TABLESPACE small LOCATION '{}'", disk.path.join("space").display())).await;
    cluster.psql("postgres", "CREATE DATABASE full_disk TABLESPACE small").await;
    let (url, folder) = (cluster.url("full_disk"), TempDir::new().unwrap());
    let recording = Recording::start(&url, &folder.path().join("spool.db"), ROOMY).await;
    let ids = made(&*recording.store, &["BTC-USD", "ETH-USD"]).await;
    recording.writer.append(of_bars(numbered(&ids, 0..100))).await.unwrap();
    // What the server holds in memory gets its place on the disk first.
    cluster.psql("postgres", "CHECKPOINT").await;

    disk.fill("filler");
    let error = recording.store.append(of_bars(numbered(&ids, 100..5_000))).await.expect_err("there is no room");
    assert!(matches!(error, StoreError::Full(_)), "{error:?}");
    for n in (100..5_000).step_by(100) {
        recording.writer.offer(of_bars(numbered(&ids, n..n + 100)));
    }
    let is_full = |told: &Told| told.view.spooled > 0 && told.view.error.as_ref().is_some_and(|error| error.contains("is full"));
    let told = recording.until("the disk is full and rows go to the spool", is_full).await;
    assert_eq!((told.view.dropped, told.view.spool_full), (0, false));

    fs::remove_file(disk.path.join("filler")).unwrap();
    let looker = cluster.client("full_disk").await;
    recording.until_written(&looker, 10_000).await;
    let losses = losses(&url, &looker, &[(ids[0], 5_000), (ids[1], 5_000)]).await;
    losses.check("1 disk of the server that was full");
    recording.end().await;
}
