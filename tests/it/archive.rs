//! Whole stores on their way: backups and restores while somebody writes, copies from engine to engine, and what is refused.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::disk::SmallDisk;
use openbell::config::StoreUrl;
use openbell::market::{Bar, BarFlags, Interval, Origin, Source, Timestamp};
use openbell::pipeline::Ranks;
use openbell::store::{
    Backup, BackupOrder, BackupWay, Batch, COPYING, Claim, ColumnKind, ColumnSpec, CopyError, CopyProgress, CopyReport, Creation, Digests,
    Field, Manifest, Occupied, RestoreOrder, Row, Store, StoreError, TABLES, TableSpec, Tell, back_up, backup_way, copy, digest,
    keep_newest, open, restore, schema_of,
};
use rusqlite::Connection;
use tempfile::TempDir;
use tokio::sync::Notify;

const SYMBOLS: [&str; 5] = ["AAPL", "MSFT", "VOD:XLON", "BTC-USD", "EUR/USD"];
const START: &str = "2026-01-30T12:00:00Z";
/// So many that more than one step, chunk and batch is needed.
const BARS: i64 = 60_000;
/// Rows of each other table.
const ROWS: i64 = 60;
const PATIENCE: Duration = Duration::from_secs(60);
/// Columns that may hold nothing.
const NULLABLE: [&str; 20] = [
    "valid_to",
    "volume",
    "vwap",
    "n_trades",
    "session",
    "meta",
    "last",
    "bid",
    "bid_size",
    "ask",
    "ask_size",
    "taker",
    "conditions",
    "error",
    "numerator",
    "denominator",
    "amount",
    "closed_at",
    "value",
    "figi",
];

fn start() -> Timestamp {
    START.parse().unwrap()
}

/// A cell that says where it is: letters that sort differently by bytes and by language, and what has to be quoted somewhere.
fn cell(column: &ColumnSpec, n: i64) -> Field {
    let word = ["a", "B", "ä", "_z", "Z", "'; DROP TABLE bars; --"][usize::try_from(n % 6).unwrap()];
    if NULLABLE.contains(&column.name) && n % 3 == 0 {
        return Field::Null;
    }
    match (column.name, column.kind) {
        ("id" | "alert_id", _) => Field::Whole(n + 1),
        ("instrument_id", _) => Field::Whole(n % 5 + 1),
        // PostgreSQL keeps no such letter; the copy counts as the same all the same.
        ("payload", _) if n == 1 => Field::Text("half\0a payload".to_owned()),
        (_, ColumnKind::Whole) => Field::Whole(n * 1_000_003),
        (_, ColumnKind::Small | ColumnKind::Flag) => Field::Whole(n % 2),
        (_, ColumnKind::Seconds) => Field::Whole([60, 86_400][usize::try_from(n % 2).unwrap()]),
        (_, ColumnKind::Time) => Field::Whole(start().as_micros() + n * 60_000_000),
        (_, ColumnKind::Real) if n % 10 == 0 => Field::Real(-0.0),
        (_, ColumnKind::Real) => Field::Real(f64::from(i32::try_from(n).unwrap()) * 0.1 + 1e-9),
        (_, ColumnKind::Text) => Field::Text(format!("{word}{n}")),
        (_, ColumnKind::Json) => Field::Text(format!(r#"{{"revisions": [ {{"close":190.260, "n":{n}e0}} ], "a":"\u00e4", "wörd":null}}"#)),
    }
}

fn row(table: &TableSpec, n: i64) -> Row {
    table.columns.iter().map(|column| cell(column, n)).collect()
}

/// Something in every table.
async fn seed(store: &dyn Store, bars: i64) {
    for symbol in SYMBOLS {
        store.instrument(symbol.parse().unwrap()).await.unwrap();
    }
    for table in &TABLES[1..] {
        let count = if table.name == "bars" { bars } else { ROWS };
        let rows: Vec<_> = (0..count).map(|n| row(table, n)).collect();
        let new = store.put(table, rows).await.unwrap_or_else(|error| panic!("{}: {error}", table.name));
        assert_eq!(new, u64::try_from(count).unwrap(), "{}", table.name);
    }
}

pub(crate) async fn digests(store: &dyn Store) -> Digests {
    let mut all = Digests::new();
    for table in TABLES {
        all.insert(table.name.to_owned(), digest(store, table).await.unwrap());
    }
    all
}

fn sqlite(folder: &TempDir, name: &str) -> StoreUrl {
    StoreUrl::Sqlite(folder.path().join(name))
}

async fn postgres() -> Option<StoreUrl> {
    Some(crate::postgres::database().await?.url().parse().unwrap())
}

pub(crate) async fn opened(url: &StoreUrl) -> Arc<dyn Store> {
    open(url, Creation::IfEmpty, Ranks::default()).await.unwrap()
}

pub(crate) async fn seeded(url: &StoreUrl, bars: i64) -> Arc<dyn Store> {
    let store = opened(url).await;
    seed(&*store, bars).await;
    store
}

fn nobody(_: CopyProgress) {}

async fn backup_at(store: &dyn Store, url: &StoreUrl, folder: &Path, at: &str) -> Backup {
    let order = BackupOrder { url, folder, at: at.parse().unwrap() };
    back_up(store, &order, &backup_way(url).await.unwrap(), &mut nobody).await.unwrap()
}

fn restoring<'a>(file: &'a Path, url: &'a StoreUrl, occupied: Occupied) -> RestoreOrder<'a> {
    RestoreOrder { file, manifest: Manifest::beside(file).unwrap(), url, ranks: Ranks::default(), occupied }
}

fn wait_until(what: &str, mut look: impl FnMut() -> bool) {
    let began = Instant::now();
    while !look() {
        assert!(began.elapsed() < PATIENCE, "waited for nothing: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Takes the engine's place. A server gives it back a moment after whoever had it let go.
async fn claimed(store: &dyn Store) -> Claim {
    let began = Instant::now();
    loop {
        match store.claim().await {
            Err(StoreError::Held { .. }) if began.elapsed() < PATIENCE => {}
            claim => return claim.unwrap(),
        }
    }
}

async fn copy_when_free(source: &dyn Store, target: &dyn Store, tell: Tell<'_>) -> Result<CopyReport, CopyError> {
    let began = Instant::now();
    loop {
        match copy(source, target, &mut *tell).await {
            Err(CopyError::Store(StoreError::Held { .. })) if began.elapsed() < PATIENCE => {}
            done => return done,
        }
    }
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

// ── backups ──

/// Appends until it is asked to stop, and counts its commits.
async fn write(store: Arc<dyn Store>, commits: Arc<AtomicU64>, stop: Arc<AtomicBool>) {
    let instrument = store.instrument("SOL-USD".parse().unwrap()).await.unwrap().id;
    let bar = |n: u64| Bar {
        instrument,
        interval: Interval::FiveMinutes,
        open_time: start() + Duration::from_secs(300 * n),
        open: 1.0,
        high: 1.0,
        low: 1.0,
        close: 1.0,
        volume: None,
        vwap: None,
        n_trades: None,
        session: None,
        source: Source::new("sim"),
        origin: Origin::Live,
        revision: 0,
        quality: 1.0,
        flags: BarFlags::empty(),
    };
    while !stop.load(Ordering::Relaxed) {
        let n = commits.load(Ordering::Relaxed);
        let batch = Batch { bars: (n * 50..n * 50 + 50).map(bar).collect(), at: start(), ..Batch::default() };
        assert_eq!(store.append(batch).await.unwrap().inserted, 50);
        commits.fetch_add(1, Ordering::Relaxed);
    }
}

/// Backs a store up in the middle of writing, and restores that into an empty one.
async fn there_and_back(url: &StoreUrl, way: &BackupWay, into: &StoreUrl) {
    let folder = TempDir::new().unwrap();
    let store = seeded(url, BARS).await;
    let (commits, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let writer = tokio::spawn(write(Arc::clone(&store), Arc::clone(&commits), Arc::clone(&stop)));
    wait_until("the first commit", || commits.load(Ordering::Relaxed) > 0);

    let mut told = 0;
    let order = BackupOrder { url, folder: folder.path(), at: start() };
    let mut tell = |_: CopyProgress| {
        told += 1;
        if told == 1 {
            let before = commits.load(Ordering::Relaxed);
            wait_until("a commit while the backup is made", || commits.load(Ordering::Relaxed) > before + 1);
        }
    };
    let made = back_up(&*store, &order, way, &mut tell).await.unwrap();
    stop.store(true, Ordering::Relaxed);
    writer.await.unwrap();
    assert!(told > 0);
    let stem = made.path.file_stem().unwrap().to_str().unwrap().to_owned();
    assert_eq!(stem, "openbell-20260130T120000Z");
    assert_eq!(names(folder.path()), [made.manifest.file.clone(), format!("{stem}.json")], "two files, and nothing half made");

    let order = restoring(&made.path, into, Occupied::Refuse);
    assert_eq!(order.manifest.as_ref(), Some(&made.manifest));
    assert_eq!(restore(&order, &mut nobody).await.unwrap(), made.manifest.tables);
    let restored = open(into, Creation::Never, Ranks::default()).await.unwrap();
    let found = digests(&*restored).await;
    assert_eq!(found, made.manifest.tables);
    assert!(found.values().all(|table| table.rows > 0), "{found:?}");
    assert!(digests(&*store).await["bars"].rows > found["bars"].rows, "what came later is not in it");
    assert_eq!(restored.check().await.unwrap(), Vec::<String>::new());
    assert_eq!(restored.about(COPYING).await.unwrap(), None);
    assert_ne!(restored.about("id").await.unwrap(), store.about("id").await.unwrap(), "it is a store of its own");
    let new = restored.instrument("TSLA".parse().unwrap()).await.unwrap();
    assert!(new.id.0 > 6, "it can be written to: {new:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_of_sqlite_is_whole_while_somebody_writes() {
    let folder = TempDir::new().unwrap();
    there_and_back(&sqlite(&folder, "live.db"), &BackupWay::Pages, &sqlite(&folder, "restored.db")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_of_postgres_is_whole_while_somebody_writes() {
    let (Some(url), Some(into)) = (postgres().await, postgres().await) else { return };
    let way = backup_way(&url).await.unwrap();
    if way != BackupWay::PgDump {
        println!("left out: {way}");
        return;
    }
    there_and_back(&url, &way, &into).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_pg_dump_a_backup_of_postgres_is_a_sqlite_file_that_either_engine_takes() {
    let (Some(url), Some(into)) = (postgres().await, postgres().await) else { return };
    let folder = TempDir::new().unwrap();
    let way = BackupWay::Rows("the test wants it so".to_owned());
    there_and_back(&url, &way, &into).await;
    let backup = backup_with(&url, &way, folder.path()).await;
    let into = sqlite(&folder, "restored.db");
    let tables = restore(&restoring(&backup.path, &into, Occupied::Refuse), &mut nobody).await.unwrap();
    assert_eq!(tables, digests(&*opened(&url).await).await);
}

async fn backup_with(url: &StoreUrl, way: &BackupWay, folder: &Path) -> Backup {
    let order = BackupOrder { url, folder, at: start() };
    back_up(&*opened(url).await, &order, way, &mut nobody).await.unwrap()
}

/// Somebody loses patience in the middle.
async fn leaves_nothing(url: &StoreUrl, way: &BackupWay) {
    let folder = TempDir::new().unwrap();
    let store = seeded(url, BARS).await;
    let stop = Arc::new(Notify::new());
    let told = Arc::clone(&stop);
    let mut tell = move |_: CopyProgress| told.notify_one();
    let order = BackupOrder { url, folder: folder.path(), at: start() };
    tokio::select! {
        biased;
        () = stop.notified() => {}
        made = back_up(&*store, &order, way, &mut tell) => panic!("{made:?}"),
    }
    wait_until("an empty folder", || names(folder.path()).is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_that_is_interrupted_leaves_nothing() {
    let folder = TempDir::new().unwrap();
    leaves_nothing(&sqlite(&folder, "live.db"), &BackupWay::Pages).await;
    if let Some(url) = postgres().await {
        leaves_nothing(&url, &backup_way(&url).await.unwrap()).await;
    }
    if let Some(url) = postgres().await {
        leaves_nothing(&url, &BackupWay::Rows(String::new())).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_onto_a_full_disk_says_so_and_leaves_nothing() {
    let folder = TempDir::new().unwrap();
    let Some(SmallDisk { path: disk, .. }) = &SmallDisk::at(folder.path().join("disk"), "256k") else { return };
    for url in [Some(sqlite(&folder, "live.db")), postgres().await].into_iter().flatten() {
        let store = seeded(&url, BARS).await;
        let order = BackupOrder { url: &url, folder: disk, at: start() };
        let error = back_up(&*store, &order, &backup_way(&url).await.unwrap(), &mut nobody).await.expect_err("there is no room");
        assert!(matches!(error, CopyError::Store(StoreError::Full(_))), "{error}");
        assert_eq!(error.to_string(), format!("the disk of {} is full", disk.display()));
        wait_until("an empty folder", || names(disk).is_empty());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_oldest_backups_of_the_same_store_are_deleted() {
    let folder = TempDir::new().unwrap();
    let (mine, theirs) = (sqlite(&folder, "mine.db"), sqlite(&folder, "theirs.db"));
    let (store, other) = (seeded(&mine, 10).await, seeded(&theirs, 10).await);
    let out = folder.path().join("deep/out");
    for day in 10..14 {
        backup_at(&*store, &mine, &out, &format!("2026-01-{day}T00:00:00Z")).await;
    }
    backup_at(&*other, &theirs, &out, "2025-01-01T00:00:00Z").await;
    for (name, text) in [("openbell-20240101T000000Z.db", "no sidecar"), ("openbell-20230101T000000Z.json", "{}"), ("notes.json", "{}")] {
        fs::write(out.join(name), text).unwrap();
    }
    // A sidecar that points elsewhere deletes nothing.
    let liar = Manifest { file: "../mine.db".to_owned(), ..Manifest::beside(&out.join("openbell-20260110T000000Z.db")).unwrap().unwrap() };
    fs::write(out.join("openbell-20220101T000000Z.json"), serde_json::to_vec(&liar).unwrap()).unwrap();
    fs::write(out.join("openbell-20220101T000000Z.db"), "somebody's").unwrap();

    let before = names(&out);
    let deleted = keep_newest(&out, &liar.store, 2).unwrap();
    let gone = ["openbell-20260110T000000Z", "openbell-20260111T000000Z"];
    assert_eq!(deleted, gone.map(|stem| out.join(format!("{stem}.db"))));
    let kept: Vec<_> = before.into_iter().filter(|name| !gone.iter().any(|stem| name.starts_with(stem))).collect();
    assert_eq!(names(&out), kept);
    assert_eq!(keep_newest(&out, &liar.store, 2).unwrap(), Vec::<PathBuf>::new());
    let last = out.join("openbell-20260113T000000Z.db");
    let into = sqlite(&folder, "restored.db");
    restore(&restoring(&last, &into, Occupied::Refuse), &mut nobody).await.expect("what is kept can be restored");
}

// ── restores ──

/// Changes one byte in the middle.
fn damage(file: &Path) {
    let mut bytes = fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x55;
    fs::write(file, bytes).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_backup_is_refused_before_anything_is_touched() {
    let folder = TempDir::new().unwrap();
    let mut live = vec![sqlite(&folder, "live.db")];
    live.extend(postgres().await);
    for url in live {
        let store = seeded(&url, 1_000).await;
        let before = digests(&*store).await;
        let made = backup_at(&*store, &url, &folder.path().join("out"), START).await;
        damage(&made.path);
        let error = restore(&restoring(&made.path, &url, Occupied::Replace), &mut nobody).await.expect_err("it is damaged");
        assert!(error.to_string().contains("damaged") && error.to_string().contains(&made.manifest.file), "{error:#}");
        // Cut off, and nothing beside it says how long it was.
        let bytes = fs::read(&made.path).unwrap();
        fs::write(&made.path, &bytes[..bytes.len() / 2]).unwrap();
        fs::remove_file(made.path.with_extension("json")).unwrap();
        restore(&restoring(&made.path, &url, Occupied::Replace), &mut nobody).await.expect_err("it is cut off");
        assert_eq!(digests(&*store).await, before, "not a row is lost");
        let new = sqlite(&folder, "never.db");
        restore(&restoring(&made.path, &new, Occupied::Refuse), &mut nobody).await.expect_err("it is cut off");
        assert_eq!(schema_of(&new).await.unwrap(), None, "nothing was made");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_backup_of_ours_is_refused() {
    let folder = TempDir::new().unwrap();
    let into = sqlite(&folder, "into.db");
    let refused = async |file: &Path| restore(&restoring(file, &into, Occupied::Refuse), &mut nobody).await.expect_err("no").to_string();
    let path = folder.path().join("it.db");
    assert!(refused(&path).await.contains("cannot read"));
    fs::write(&path, "a text").unwrap();
    assert!(refused(&path).await.contains("is no backup"));
    fs::remove_file(&path).unwrap();
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE notes (text TEXT)").unwrap();
    assert!(refused(&path).await.contains("no tables of ours"));

    let live = sqlite(&folder, "live.db");
    let made = backup_at(&*seeded(&live, 10).await, &live, folder.path(), START).await;
    fs::remove_file(made.path.with_extension("json")).unwrap();
    let connection = Connection::open(&made.path).unwrap();
    connection.execute("UPDATE refinery_schema_history SET version = version + 41", []).unwrap();
    drop(connection);
    assert!(refused(&made.path).await.contains("newer openbell"));
    assert_eq!(schema_of(&into).await.unwrap(), None, "nothing was made");
    let error = restore(&restoring(&folder.path().join("live.db"), &live, Occupied::Replace), &mut nobody).await.expect_err("no");
    assert!(error.to_string().contains("the store itself"), "{error:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_not_empty_is_replaced_only_when_asked_and_not_under_an_engine() {
    let folder = TempDir::new().unwrap();
    for (url, into) in [(Some(sqlite(&folder, "live.db")), Some(sqlite(&folder, "into.db"))), (postgres().await, postgres().await)] {
        let (Some(url), Some(into)) = (url, into) else { continue };
        let made = backup_at(&*seeded(&url, 1_000).await, &url, &folder.path().join("out"), START).await;
        let target = seeded(&into, 7).await;
        let before = digests(&*target).await;
        let error = restore(&restoring(&made.path, &into, Occupied::Refuse), &mut nobody).await.expect_err("it is not empty");
        assert!(error.to_string().contains("not empty") && error.to_string().contains("--replace"), "{error:#}");
        let claim = claimed(&*target).await;
        let error = restore(&restoring(&made.path, &into, Occupied::Replace), &mut nobody).await.expect_err("an engine is there");
        assert!(matches!(error.downcast_ref(), Some(StoreError::Held { .. })), "{error:#}");
        assert_eq!(digests(&*target).await, before);
        drop(claim);
        let tables = restored_when_free(&made, &into).await;
        assert_eq!(tables, made.manifest.tables);
        assert_eq!(digests(&*open(&into, Creation::Never, Ranks::default()).await.unwrap()).await, tables);
    }
}

/// A place at a server is given back a moment after it was dropped.
async fn restored_when_free(made: &Backup, into: &StoreUrl) -> Digests {
    let began = Instant::now();
    loop {
        match restore(&restoring(&made.path, into, Occupied::Replace), &mut nobody).await {
            Err(error) if matches!(error.downcast_ref(), Some(StoreError::Held { .. })) && began.elapsed() < PATIENCE => {}
            done => return done.unwrap(),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_that_was_interrupted_is_begun_again() {
    let folder = TempDir::new().unwrap();
    let (url, into) = (sqlite(&folder, "live.db"), sqlite(&folder, "into.db"));
    let made = backup_at(&*seeded(&url, BARS).await, &url, folder.path(), START).await;
    let stop = Arc::new(Notify::new());
    let told = Arc::clone(&stop);
    let mut tell = move |progress: CopyProgress| {
        if progress.what == "bars" {
            told.notify_one()
        }
    };
    let order = restoring(&made.path, &into, Occupied::Refuse);
    tokio::select! {
        biased;
        () = stop.notified() => {}
        done = restore(&order, &mut tell) => panic!("{done:?}"),
    }
    assert!(opened(&into).await.about(COPYING).await.unwrap().is_some(), "it says that it is not whole");
    let tables = restore(&restoring(&made.path, &into, Occupied::Refuse), &mut nobody).await.unwrap();
    assert_eq!(tables, made.manifest.tables);
    assert_eq!(digests(&*opened(&into).await).await, tables);
}

/// A store as the first version made it.
fn oldest(folder: &TempDir, name: &str) -> PathBuf {
    let (path, full) = (folder.path().join(name), folder.path().join("full.db"));
    openbell::store::Sqlite::open(&full, Creation::IfEmpty, Ranks::default()).unwrap();
    let connection = Connection::open(&path).unwrap();
    connection.execute_batch(include_str!("../../src/store/sqlite/migrations/V1__tables.sql")).unwrap();
    connection.execute("ATTACH ?1 AS full", [full.display().to_string()]).unwrap();
    let rows = "CREATE TABLE refinery_schema_history AS SELECT * FROM full.refinery_schema_history WHERE version = 1; \
                INSERT INTO instruments (id, symbol, venue, asset_class, currency, precision) \
                VALUES (7, 'AAPL', 'XNAS', 'equity', 'USD', 2); \
                INSERT INTO bars VALUES (7, 60, 60000000, 1, 2, 0.5, 1.5, 9, NULL, NULL, 'regular', 'sim', 'live', 0, 1, '', NULL, 1, 1);";
    connection.execute_batch(rows).unwrap();
    path
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_backup_is_brought_up_to_date_on_the_way_and_stays_as_it_is() {
    let folder = TempDir::new().unwrap();
    let old = oldest(&folder, "old.db");
    let before = fs::read(&old).unwrap();
    for into in [Some(sqlite(&folder, "into.db")), postgres().await].into_iter().flatten() {
        let tables = restore(&restoring(&old, &into, Occupied::Refuse), &mut nobody).await.unwrap();
        assert_eq!((tables["bars"].rows, tables["instruments"].rows), (1, 1));
        assert_eq!(opened(&into).await.instruments().await.unwrap()[0].id.0, 7);
    }
    assert!(fs::read(&old).unwrap() == before, "the backup was changed");
    let url = StoreUrl::Sqlite(old);
    assert_eq!(schema_of(&url).await.unwrap(), Some(1));
    open(&url, Creation::Never, Ranks::default()).await.unwrap();
    assert!(schema_of(&url).await.unwrap() > Some(1), "opened as a store it is migrated");
}

// ── copies ──

async fn copied(source: &StoreUrl, target: &StoreUrl) {
    let (from, to) = (seeded(source, 2 * BARS).await, opened(target).await);
    let stop = Arc::new(Notify::new());
    let told = Arc::clone(&stop);
    let mut tell = move |progress: CopyProgress| {
        if progress.what == "bars" {
            told.notify_one()
        }
    };
    tokio::select! {
        biased;
        () = stop.notified() => {}
        done = copy(&*from, &*to, &mut tell) => panic!("{done:?}"),
    }
    assert_eq!(to.about(COPYING).await.unwrap(), from.about("id").await.unwrap());

    let mut doing = Vec::new();
    let mut tell = |progress: CopyProgress| doing.push((progress.doing, progress.done <= progress.total));
    let report = copy_when_free(&*from, &*to, &mut tell).await.unwrap();
    assert!(report.went_on);
    assert!(doing.iter().all(|(_, fits)| *fits), "no bar is drawn beyond its end");
    doing.dedup();
    assert_eq!(doing.iter().map(|(doing, _)| *doing).collect::<Vec<_>>(), ["copying", "reading", "checking"]);
    let (here, there) = (digests(&*from).await, digests(&*to).await);
    assert_eq!((&here, &there), (&report.tables, &report.tables));
    assert_eq!(there["bars"].rows, 2 * u64::try_from(BARS).unwrap(), "each once");
    assert_eq!(to.about(COPYING).await.unwrap(), None);
    assert_ne!(to.about("id").await.unwrap(), from.about("id").await.unwrap());
    let ids: Vec<_> = to.instruments().await.unwrap().iter().map(|instrument| instrument.id.0).collect();
    let new = to.instrument("TSLA".parse().unwrap()).await.unwrap();
    assert!(ids.len() == SYMBOLS.len() && !ids.contains(&new.id.0), "{new:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_that_was_interrupted_goes_on_where_it_was() {
    let folder = TempDir::new().unwrap();
    copied(&sqlite(&folder, "from.db"), &sqlite(&folder, "to.db")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sqlite_store_moves_into_postgres_and_back() {
    let folder = TempDir::new().unwrap();
    let Some(url) = postgres().await else { return };
    copied(&sqlite(&folder, "from.db"), &url).await;
    let back = opened(&sqlite(&folder, "back.db")).await;
    let server = opened(&url).await;
    let report = copy_when_free(&*server, &*back, &mut nobody).await.unwrap();
    assert!(!report.went_on);
    assert_eq!(digests(&*back).await, digests(&*server).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_is_refused_where_it_would_mix_or_miss_something() {
    let folder = TempDir::new().unwrap();
    let source = seeded(&sqlite(&folder, "source.db"), 10).await;
    let mut targets = vec![sqlite(&folder, "target.db")];
    targets.extend(postgres().await);
    for url in targets {
        let target = seeded(&url, 5).await;
        let before = digests(&*target).await;
        let error = copy(&*source, &*target, &mut nobody).await.expect_err("it is not empty");
        assert!(matches!(&error, CopyError::NotEmpty(name) if *name == target.name()), "{error}");
        target.set_about(COPYING, Some("another".to_owned())).await.unwrap();
        let error = copy_when_free(&*source, &*target, &mut nobody).await.expect_err("it is half of another");
        assert!(matches!(error, CopyError::OtherCopy(_)), "{error}");
        assert_eq!(digests(&*target).await, before, "nothing was touched");
        let error = copy(&*target, &*source, &mut nobody).await.expect_err("it is half full itself");
        assert!(matches!(error, CopyError::Store(StoreError::HalfCopied(_))), "{error}");
    }
    assert!(matches!(copy(&*source, &*source, &mut nobody).await, Err(CopyError::Same(_))));
    let empty = opened(&sqlite(&folder, "empty.db")).await;
    for held in [&source, &empty] {
        let _claim = held.claim().await.unwrap();
        let error = copy(&*source, &*empty, &mut nobody).await.expect_err("an engine records");
        assert!(matches!(error, CopyError::Store(StoreError::Held { .. })), "{error}");
    }
    copy(&*source, &*empty, &mut nobody).await.expect("nobody has it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_into_which_somebody_wrote_does_not_count() {
    let folder = TempDir::new().unwrap();
    let (source, target) = (seeded(&sqlite(&folder, "from.db"), 10).await, opened(&sqlite(&folder, "to.db")).await);
    target.set_about(COPYING, source.about("id").await.unwrap()).await.unwrap();
    let lots = TABLES.iter().find(|table| table.name == "lots").unwrap();
    target.instrument("AAPL".parse().unwrap()).await.unwrap();
    target.put(lots, vec![row(lots, 900)]).await.unwrap();
    let error = copy(&*source, &*target, &mut nobody).await.expect_err("a row too many");
    assert!(matches!(&error, CopyError::Differs { table, .. } if table == "lots"), "{error}");
    assert!(target.about(COPYING).await.unwrap().is_some(), "it stays marked");
}

// ── through the program ──

struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

fn run(home: &TempDir, arguments: &[&str]) -> Said {
    let mut command = assert_cmd::Command::new(env!("CARGO_BIN_EXE_openbell"));
    command.args(arguments).env_clear().current_dir(home.path()).env("HOME", home.path());
    command.env("PATH", std::env::var("PATH").unwrap());
    for kind in ["CONFIG", "DATA", "STATE", "CACHE"] {
        command.env(format!("XDG_{kind}_HOME"), home.path().join(kind.to_lowercase()));
    }
    let output = command.timeout(Duration::from_secs(120)).output().expect("it runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let said = Said { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) };
    assert!(!said.out.contains("hunter2") && !said.err.contains("hunter2"), "a password: {} {}", said.out, said.err);
    said
}

#[track_caller]
fn check(home: &TempDir, arguments: &[&str], code: i32, part: &str) -> String {
    let said = run(home, arguments);
    assert_eq!(said.code, Some(code), "{arguments:?}: {}", said.err);
    assert!(said.err.contains(part), "{arguments:?}: '{part}' is missing in: {}", said.err);
    said.out
}

/// Every command of `openbell db` once, from `live` by a backup into `into` and by a copy into `last`.
async fn round([live, into, last]: [&str; 3]) {
    let home = TempDir::new().unwrap();
    check(&home, &["db", "init", "--store", live], 0, "is ready");
    let wanted = digests(&*seeded(&live.parse().unwrap(), 3_000).await).await;
    let backup = ["db", "backup", "--out", "out", "--keep", "1", "--store", live];
    let first = check(&home, &backup, 0, "found whole");
    let second = check(&home, &backup, 0, "deleted");
    let file = second.trim();
    assert!(first != second && !home.path().join(first.trim()).exists());
    assert_eq!(names(&home.path().join("out")).len(), 2, "a backup and what is in it");

    let bring_back = ["db", "restore", file, "--store", into];
    assert_eq!(check(&home, &bring_back, 0, "holds what was backed up"), "");
    check(&home, &bring_back, 1, "is not empty");
    check(&home, &["db", "restore", file, "--replace", "--store", into], 0, "holds what was backed up");
    check(&home, &["db", "check", "--store", into], 0, "is sound: 3000 bars");
    check(&home, &["db", "migrate", "--store", into], 0, "nothing to do");
    check(&home, &["db", "copy", "--source-url", into, "--target-url", last], 0, "in 16 tables");
    check(&home, &["db", "copy", "--source-url", into, "--target-url", last], 1, "is not empty");
    check(&home, &["db", "copy", "--source-url", into, "--target-url", into], 2, "--target-url");
    check(&home, &["db", "copy", "--source-url", "sqlite:nowhere.db", "--target-url", last], 1, "there is no store at");
    for url in [into, last] {
        assert_eq!(digests(&*opened(&url.parse().unwrap()).await).await, wanted, "{url}");
    }

    fs::remove_file(home.path().join(file).with_extension("json")).unwrap();
    check(&home, &["db", "restore", file, "--replace", "--store", into], 0, "warning");
    let store = opened(&into.parse().unwrap()).await;
    let _claim = claimed(&*store).await;
    check(&home, &["db", "restore", file, "--replace", "--store", into], 1, "already recording");
    check(&home, &["db", "backup", "--out", "out", "--store", into], 0, "found whole");
    assert_eq!(digests(&*store).await, wanted);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_round_through_the_program_on_sqlite() {
    let folder = TempDir::new().unwrap();
    let [live, into, last] = ["live.db", "into.db", "last.db"].map(|name| sqlite(&folder, name).to_string());
    round([&live, &into, &last]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_round_through_the_program_on_postgres() {
    let folder = TempDir::new().unwrap();
    let (Some(live), Some(into)) = (crate::postgres::database().await, crate::postgres::database().await) else { return };
    let [live, into] = [live, into].map(|database| database.url_of("postgres:hunter2"));
    round([&live, &into, &sqlite(&folder, "last.db").to_string()]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_round_through_the_program_from_sqlite_into_postgres() {
    let folder = TempDir::new().unwrap();
    let Some(last) = crate::postgres::database().await else { return };
    let [live, into] = ["live.db", "into.db"].map(|name| sqlite(&folder, name).to_string());
    round([&live, &into, &last.url_of("postgres:hunter2")]).await;
}
