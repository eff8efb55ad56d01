//! What somebody must be able to count on when things go wrong around a store: a job's last word stays its last, one bad
//! row keeps no other out, nothing is written into a store that is not the one that was opened, a half restored store
//! says so, whoever only reads changes no table, and no question reads a long table whole.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::TryStreamExt;
use openbell::host::{Clock, Tasks};
use openbell::market::{Bar, InstrumentId, Interval};
use openbell::pipeline::Ranks;
use openbell::snapshot::{JobState, WriterView};
use openbell::store::{
    BackupWay, BarQuery, Batch, Creation, JobQuery, JobRecord, Postgres, Spool, Sqlite, Store, StoreError, TABLES, TableSpec, Writer,
    WriterEvent, backup_way,
};
use refinery::Target;
use rusqlite::Connection;
use tempfile::TempDir;
use tokio::sync::{mpsc, watch};

use crate::archive::{digests, opened, seeded};
use crate::faults::{MINUTE, PATIENCE, ROOMY, SPEED, bar, losses, made, numbered, of_bars, open, rows, start};
use crate::postgres::{self, Options, TestDatabase};
use crate::tables::Sql;

mod postgres_files {
    refinery::embed_migrations!("src/store/postgres/migrations");
}

// ── a writer, under observation ──

/// A writer on any store, and the last it told.
struct Watched {
    writer: Writer,
    tasks: Tasks,
    told: watch::Receiver<WriterView>,
}

impl Watched {
    fn start(store: &Arc<dyn Store>, spool: Option<Spool>) -> Self {
        let clock = Clock::scaled(start(), SPEED);
        let (tasks, (sender, events)) = (Tasks::new(clock.clone()), mpsc::channel(4_096));
        let writer = Writer::start(Arc::clone(store), spool, clock, &tasks, sender);
        let (teller, told) = watch::channel(WriterView::default());
        tokio::spawn(listen(events, teller));
        Self { writer, tasks, told }
    }

    /// The same with a spool in `folder`.
    async fn start_with_spool(store: &Arc<dyn Store>, folder: &TempDir) -> Self {
        let id = store.about("id").await.unwrap().expect("every store has an id");
        Self::start(store, Some(Spool::open(&folder.path().join("spool.db"), &id, ROOMY).unwrap()))
    }

    /// The writer's next word that is as wanted.
    async fn until(&self, what: &str, wanted: impl FnMut(&WriterView) -> bool) -> WriterView {
        let mut told = self.told.clone();
        let found = tokio::time::timeout(PATIENCE, told.wait_for(wanted)).await;
        let found = found.map(|word| word.expect("the writer lives").clone());
        found.unwrap_or_else(|_| panic!("the writer never told of it: {what}; last {:?}", *self.told.borrow()))
    }

    /// What was seen in the spool has left it.
    async fn until_empty(&self) -> WriterView {
        self.until("the spool is empty", |view| view.spooled == 0 && view.queued == 0 && view.error.is_none()).await
    }

    async fn end(self) {
        let Self { writer, tasks, told } = self;
        drop((writer, told));
        assert!(tasks.stop(Duration::from_secs(3_600)).await, "it ends by itself");
    }
}

async fn listen(mut events: mpsc::Receiver<WriterEvent>, teller: watch::Sender<WriterView>) {
    while let Some(event) = events.recv().await {
        if let WriterEvent::State(view) = event {
            teller.send_replace(view);
        }
    }
}

/// Every minute of an instrument that is kept, in order.
async fn kept(store: &dyn Store, id: InstrumentId) -> Vec<Bar> {
    store.bars(BarQuery::all(id, Interval::OneMinute)).try_collect::<Vec<_>>().await.expect("it can be read").concat()
}

// ── the words of a job ──

const PAGES: u32 = 8;
const PAGE: u32 = 250;

/// What a job says of itself after so many pages.
fn word(id: i64, state: JobState, pages: u32) -> JobRecord {
    JobRecord {
        id,
        kind: "backfill".to_owned(),
        symbol: Some("BTC-USD".parse().unwrap()),
        interval: Some(Interval::OneMinute),
        from: Some(start()),
        to: Some(start() + MINUTE * (PAGES * PAGE)),
        source: Some("sim".to_owned()),
        state,
        done: u64::from(pages),
        total: u64::from(PAGES),
        rows: u64::from(pages * PAGE),
        attempts: 1,
        error: None,
        created_at: start(),
        updated_at: start() + MINUTE * pages,
    }
}

async fn jobs(store: &dyn Store) -> Vec<JobRecord> {
    store.jobs(JobQuery::All).await.expect("it can be read")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_ended_while_the_server_was_away_is_done_when_it_is_back() {
    let Some(cluster) = postgres::own(&Options::default()) else { return };
    let folder = TempDir::new().unwrap();
    cluster.make("backfilled").await;
    let url = cluster.url("backfilled");
    let store: Arc<dyn Store> = Arc::new(open(&url).await);
    let ids = made(&*store, &["BTC-USD"]).await;
    let id = store.save_job(word(0, JobState::Queued, 0)).await.unwrap();
    let watched = Watched::start_with_spool(&store, &folder).await;

    cluster.stop_immediate().unwrap();
    for page in 0..PAGES {
        let checkpoint = Some(word(id, JobState::Running, page + 1));
        let batch = Batch { checkpoint, ..of_bars(numbered(&ids, page * PAGE..(page + 1) * PAGE)) };
        watched.writer.append(batch).await.expect("it is acknowledged");
    }
    let done = JobRecord { updated_at: start() + MINUTE * (PAGES + 1), ..word(id, JobState::Done, PAGES) };
    let last = Batch { checkpoint: Some(done.clone()), ..Batch::default() };
    watched.writer.append(last).await.expect("it is acknowledged");
    // A page and its word, and the last word.
    let waits = u64::from(PAGES * (PAGE + 1) + 1);
    watched.until("all of it is in the spool", |view| view.spooled == waits && view.error.is_some()).await;

    cluster.start_again().unwrap();
    let view = watched.until_empty().await;
    assert_eq!((view.dropped, view.written), (0, waits));
    assert_eq!(jobs(&*store).await, [done], "its last word is its last");
    assert_eq!(store.jobs(JobQuery::Open).await.unwrap(), [], "nobody begins it anew");
    let looker = cluster.client("backfilled").await;
    losses(&url, &looker, &[(ids[0], PAGES * PAGE)]).await.check("1 job that ended while the server was away");
    watched.end().await;
}

/// A word that was under way for long, out of a spool or from another machine.
async fn an_older_word_takes_nothing_back(store: &dyn Store) {
    let ids = made(store, &["BTC-USD"]).await;
    let id = store.save_job(word(0, JobState::Queued, 0)).await.unwrap();
    let page = |n: u32, state: JobState| Batch { checkpoint: Some(word(id, state, n)), ..of_bars(numbered(&ids, n * 10..n * 10 + 10)) };
    store.append(page(7, JobState::Done)).await.unwrap();
    let late = store.append(page(4, JobState::Running)).await.expect("to be late is no failure");
    assert_eq!(late.inserted, 10, "its rows are news all the same");
    assert_eq!(jobs(store).await, [word(id, JobState::Done, 7)]);
    assert_eq!(store.save_job(word(id, JobState::Cancelled, 5)).await.unwrap(), id);
    assert_eq!(jobs(store).await, [word(id, JobState::Done, 7)]);
    // Of two words of the same moment, the one that comes last is the last.
    let failed = JobRecord { error: Some("the source closed".to_owned()), ..word(id, JobState::Failed, 7) };
    store.save_job(failed.clone()).await.unwrap();
    assert_eq!(jobs(store).await, [failed]);
}

#[tokio::test]
async fn an_older_word_of_a_job_takes_nothing_back_on_sqlite() {
    let folder = TempDir::new().unwrap();
    an_older_word_takes_nothing_back(&Sqlite::open(&folder.path().join("it.db"), Creation::IfEmpty, Ranks::default()).unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_word_of_a_job_takes_nothing_back_on_postgres() {
    let Some(database) = postgres::database().await else { return };
    an_older_word_takes_nothing_back(&open(&database.url()).await).await;
}

// ── a row that no store can take ──

const GOOD: u32 = 2_000;

/// So many good rows from a number on, and among them one of an instrument that nobody has.
fn with_one_unfit(id: InstrumentId, first: u32) -> Batch {
    let mut bars = numbered(&[id], first..first + GOOD);
    bars.insert(700, bar(InstrumentId(987_654), first));
    of_bars(bars)
}

/// The bad row is let go and counted; the others, and what comes next, are written.
async fn one_row_is_left_out(store: &Arc<dyn Store>, watched: &Watched, id: InstrumentId) {
    watched.writer.append(with_one_unfit(id, 0)).await.expect("it is acknowledged");
    let view = watched.until("one row is left out", |view| view.dropped == 1).await;
    assert_eq!((view.written, view.queued, view.spooled, view.error), (u64::from(GOOD), 0, 0, None));
    watched.writer.append(of_bars(numbered(&[id], GOOD..GOOD + 100))).await.expect("the next is written");
    let view = watched.until("the next is written", |view| view.written == u64::from(GOOD) + 100).await;
    assert_eq!((view.dropped, view.queued, view.spooled, view.error), (1, 0, 0, None));
    assert!(kept(&**store, id).await == numbered(&[id], 0..GOOD + 100), "each of them, once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_cannot_be_taken_keeps_no_other_out_of_sqlite() {
    let folder = TempDir::new().unwrap();
    let store = Sqlite::open(&folder.path().join("it.db"), Creation::IfEmpty, Ranks::default()).unwrap();
    let store: Arc<dyn Store> = Arc::new(store);
    let id = made(&*store, &["BTC-USD"]).await[0];
    let watched = Watched::start(&store, None);
    one_row_is_left_out(&store, &watched, id).await;
    watched.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_cannot_be_taken_keeps_no_other_out_of_postgres_nor_in_the_spool() {
    let Some(cluster) = postgres::own(&Options::default()) else { return };
    let folder = TempDir::new().unwrap();
    cluster.make("unfit").await;
    let store: Arc<dyn Store> = Arc::new(open(&cluster.url("unfit")).await);
    let id = made(&*store, &["BTC-USD"]).await[0];
    let watched = Watched::start_with_spool(&store, &folder).await;
    one_row_is_left_out(&store, &watched, id).await;

    cluster.stop_immediate().unwrap();
    watched.writer.append(with_one_unfit(id, 3_000)).await.expect("it is acknowledged");
    let waits = u64::from(GOOD) + 1;
    let view = watched.until("all of it is in the spool", |view| view.spooled == waits && view.error.is_some()).await;
    assert_eq!(view.dropped, 1, "nobody knows yet that it cannot be taken");
    cluster.start_again().unwrap();
    let view = watched.until_empty().await;
    assert_eq!((view.dropped, view.written), (2, u64::from(2 * GOOD) + 100));
    watched.writer.append(of_bars(numbered(&[id], 5_000..5_100))).await.expect("the next is written");
    let view = watched.until("the next is written", |view| view.written == u64::from(2 * GOOD) + 200).await;
    assert_eq!((view.dropped, view.queued, view.spooled, view.error), (2, 0, 0, None));
    let wanted = [numbered(&[id], 0..GOOD + 100), numbered(&[id], 3_000..5_100)].concat();
    assert!(kept(&*store, id).await == wanted, "each of them, once");
    watched.end().await;
}

// ── another store in the place of the one that was opened ──

/// What `change` does from outside keeps every row out until `back` takes it back; `{id}` stands for the store's id.
async fn rows_wait_until_it_is_the_same_store_again(change: &str, back: &str) {
    let Some(database) = postgres::database().await else { return };
    let (folder, looker) = (TempDir::new().unwrap(), database.client().await);
    let store: Arc<dyn Store> = Arc::new(open(&database.url()).await);
    let ids = made(&*store, &["BTC-USD"]).await;
    let own = store.about("id").await.unwrap().expect("every store has an id");
    let watched = Watched::start_with_spool(&store, &folder).await;
    watched.writer.append(of_bars(numbered(&ids, 0..100))).await.unwrap();
    database.psql(change).await;

    let error = store.append(of_bars(numbered(&ids, 100..200))).await.expect_err("our numbers mean others there");
    assert!(matches!(error, StoreError::Replaced(_)), "{error:?}");
    watched.writer.append(of_bars(numbered(&ids, 100..300))).await.expect("the spool takes them");
    // However often it is tried.
    let view = watched.until("they wait in the spool", |view| view.spooled == 200 && view.attempt >= 4).await;
    let said = view.error.expect("it says what is wrong");
    assert!(said.contains("another store was put in the place of") && said.contains(database.name()), "{said}");
    assert_eq!((rows(&looker).await, view.dropped, view.queued), (100, 0, 0), "not a row got in");

    database.psql(&back.replace("{id}", &own)).await;
    watched.until_empty().await;
    losses(&database.url(), &looker, &[(ids[0], 300)]).await.check("1 store that was another one for a while");
    watched.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_written_into_a_store_that_was_put_in_the_place_of_ours() {
    let change = "UPDATE about SET value = 'another' WHERE key = 'id'";
    rows_wait_until_it_is_the_same_store_again(change, "UPDATE about SET value = '{id}' WHERE key = 'id'").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_written_into_a_store_that_is_being_copied_into() {
    let change = "INSERT INTO about (key, value) VALUES ('copying_from', 'the backup elsewhere')";
    rows_wait_until_it_is_the_same_store_again(change, "DELETE FROM about WHERE key = 'copying_from'").await;
}

// ── a restore that fails in the middle ──

struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

/// Runs the program with tools from these folders.
fn openbell(home: &TempDir, path: &str, arguments: &[&str]) -> Said {
    let mut command = assert_cmd::Command::new(env!("CARGO_BIN_EXE_openbell"));
    command.args(arguments).env_clear().current_dir(home.path()).env("HOME", home.path()).env("PATH", path);
    for kind in ["CONFIG", "DATA", "STATE", "CACHE"] {
        command.env(format!("XDG_{kind}_HOME"), home.path().join(kind.to_lowercase()));
    }
    let output = command.timeout(Duration::from_secs(120)).output().expect("it runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Said { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// The same for what takes the engine's place: a server gives that back a moment after whoever had it ended.
fn openbell_when_free(home: &TempDir, path: &str, arguments: &[&str]) -> Said {
    let began = Instant::now();
    loop {
        let said = openbell(home, path, arguments);
        if !said.err.contains("already recording") || began.elapsed() > PATIENCE {
            return said;
        }
    }
}

#[track_caller]
fn check(said: &Said, code: i32, parts: &[&str]) {
    assert_eq!(said.code, Some(code), "{}", said.err);
    for part in parts {
        assert!(said.err.contains(part), "'{part}' is missing in: {}", said.err);
    }
}

fn system_path() -> String {
    std::env::var("PATH").unwrap()
}

/// A path on which pg_restore reads files as ever, and fails where it would load one; `None` where there is none at all.
fn path_with_a_failing_tool(home: &TempDir) -> Option<String> {
    let path = system_path();
    let real: PathBuf = std::env::split_paths(&path).map(|folder| folder.join("pg_restore")).find(|tool| tool.is_file())?;
    let tools = home.path().join("tools");
    fs::create_dir(&tools).unwrap();
    let script = format!(
        "#!/bin/sh\ncase \" $* \" in\n*' --single-transaction '*) echo 'the plug was pulled' >&2; exit 1 ;;\nesac\nexec '{}' \"$@\"\n",
        real.display()
    );
    fs::write(tools.join("pg_restore"), script).unwrap();
    fs::set_permissions(tools.join("pg_restore"), fs::Permissions::from_mode(0o755)).unwrap();
    Some(format!("{}:{path}", tools.display()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_that_failed_in_the_middle_is_not_taken_for_a_store_and_succeeds_the_next_time() {
    let (Some(live), Some(into)) = (postgres::database().await, postgres::database().await) else { return };
    let (live, home) = (live.url(), TempDir::new().unwrap());
    let way = backup_way(&live.parse().unwrap()).await.unwrap();
    let Some(failing) = path_with_a_failing_tool(&home).filter(|_| way == BackupWay::PgDump) else {
        println!("left out: a backup by pg_dump and pg_restore: {way}");
        return;
    };
    let (working, url) = (system_path(), into.url());
    let wanted = digests(&*seeded(&live.parse().unwrap(), 500).await).await;
    let backup = openbell(&home, &working, &["db", "backup", "--out", "out", "--store", &live]);
    check(&backup, 0, &["found whole"]);
    let file = backup.out.trim();

    // Into an empty database, then over what the first round restored.
    let fresh = ["db", "restore", file, "--store", &*url];
    let over = ["db", "restore", file, "--replace", "--store", &*url];
    for restore in [&fresh[..], &over[..]] {
        let failed = openbell_when_free(&home, &failing, restore);
        check(&failed, 1, &["pg_restore", "the plug was pulled", "run this again"]);
        for command in ["run", "status"] {
            let refused = openbell(&home, &working, &[command, "--store", &url]);
            check(&refused, 1, &["a copy or a restore into", "was begun and not finished: run the same command again"]);
        }
        check(&openbell_when_free(&home, &working, restore), 0, &["holds what was backed up"]);
        assert_eq!(digests(&*opened(&url.parse().unwrap()).await).await, wanted, "{restore:?}");
        assert_eq!(into.psql("SELECT to_regclass('openbell_half_restored') IS NULL").await, ["t"], "no mark is left");
        check(&openbell(&home, &working, &["status", "--store", &url]), 0, &["bars        500"]);
    }
}

// ── a store of an older version ──

/// A database as the first version's program left it.
async fn of_the_first_version() -> Option<TestDatabase> {
    let database = postgres::database().await?;
    let mut client = database.client().await;
    postgres_files::migrations::runner().set_target(Target::Version(1)).run_async(&mut client).await.unwrap();
    Some(database)
}

const VERSION: &str = "SELECT max(version) FROM refinery_schema_history";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_only_reads_leaves_an_older_store_to_those_who_record() {
    let Some(database) = of_the_first_version().await else { return };
    let url = database.url().parse().unwrap();
    let Err(error) = Postgres::open(&url, Creation::Never, Ranks::default()).await else { panic!("it was opened") };
    assert!(matches!(error, StoreError::Older { found: 1, known, .. } if known > 1), "{error:?}");
    assert!(error.to_string().contains("'openbell db migrate'"), "{error}");
    assert_eq!(database.psql(VERSION).await, ["1"], "it is as it was");
    let store = Postgres::open(&url, Creation::IfEmpty, Ranks::default()).await.expect("who records brings it up to date");
    let schema = store.status().await.unwrap().schema;
    assert!(schema > 1 && database.psql(VERSION).await == [schema.to_string()], "{schema}");
    Postgres::open(&url, Creation::Never, Ranks::default()).await.map(drop).expect("and now it can be read");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_that_only_reads_an_older_store_names_the_command_that_helps() {
    let Some(database) = of_the_first_version().await else { return };
    let (url, path, home) = (database.url(), system_path(), TempDir::new().unwrap());
    for command in [&["status"][..], &["db", "check"], &["db", "backup", "--out", "out"]] {
        let said = openbell(&home, &path, &[command, &["--store", &*url]].concat());
        check(&said, 1, &["is of an older openbell", "'openbell db migrate'"]);
    }
    assert_eq!(database.psql(VERSION).await, ["1"], "it is as it was");
    check(&openbell(&home, &path, &["db", "migrate", "--store", &url]), 0, &["schema 1 -> "]);
    check(&openbell(&home, &path, &["status", "--store", &url]), 0, &["bars        0"]);
}

// ── another program that keeps its history by the same means ──

const THEIRS: &str = "CREATE TABLE refinery_schema_history \
                      (version int4 PRIMARY KEY, name varchar(255), applied_on varchar(255), checksum varchar(255)); \
                      INSERT INTO refinery_schema_history VALUES (1, 'users', '2025-01-01T00:00:00Z', '1234567890')";

async fn it_is_still_theirs(sql: &Sql) {
    assert_eq!(sql.tables().await, ["refinery_schema_history"]);
    assert_eq!(sql.lines("SELECT version, name, checksum FROM refinery_schema_history").await, ["1 users 1234567890"]);
}

#[tokio::test]
async fn a_file_with_the_history_of_another_program_is_not_ours() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("theirs.db");
    let sql = Sql::Sqlite(Connection::open(&path).unwrap());
    sql.run(THEIRS).await;
    for creation in [Creation::Never, Creation::IfEmpty] {
        let error = Sqlite::open(&path, creation, Ranks::default()).expect_err("it is not ours");
        assert!(matches!(error, StoreError::Foreign(_)), "{creation:?}: {error:?}");
    }
    it_is_still_theirs(&sql).await;
    // Beside that history there is no place for ours.
    Sqlite::open(&path, Creation::Always, Ranks::default()).expect_err("two histories in one table");
    it_is_still_theirs(&sql).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_with_the_history_of_another_program_is_not_ours() {
    let Some(database) = postgres::database().await else { return };
    let (url, sql) = (database.url().parse().unwrap(), Sql::Postgres(database.client().await));
    sql.run(THEIRS).await;
    let refused = async |creation: Creation| match Postgres::open(&url, creation, Ranks::default()).await {
        Ok(_) => panic!("{creation:?}: it was opened"),
        Err(error) => error,
    };
    let error = refused(Creation::IfEmpty).await;
    assert!(matches!(error, StoreError::Foreign(_)), "{error:?}");
    let error = refused(Creation::Never).await;
    assert!(matches!(error, StoreError::Foreign(_) | StoreError::Missing(_)), "{error:?}");
    it_is_still_theirs(&sql).await;
    refused(Creation::Always).await;
    it_is_still_theirs(&sql).await;
}

// ── how questions are answered ──

const BAR: &str = include_str!("../../src/store/postgres/bar.rs");

/// The text of a constant in a source, so that what is asked here is what is asked there.
fn constant(source: &str, name: &str) -> String {
    let (_, rest) = source.split_once(&format!("const {name}: &str = \"")).expect(name);
    let (text, _) = rest.split_once("\";").expect("it has an end");
    text.replace("\\\n", " ")
}

fn table(name: &str) -> &'static TableSpec {
    TABLES.iter().find(|spec| spec.name == name).expect("there is such a table")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_stored_is_looked_up_by_its_key_where_nothing_was_counted_yet() {
    let Some(cluster) = postgres::own(&Options { extra: &[("autovacuum", "off")], ..Options::default() }) else { return };
    cluster.make("uncounted").await;
    let store = open(&cluster.url("uncounted")).await;
    let ids = made(&store, &["BTC-USD"]).await;
    store.append(of_bars(numbered(&ids, 0..20_000))).await.unwrap();
    let sql = Sql::Postgres(cluster.client("uncounted").await);
    let uncounted = "SELECT reltuples < 0 FROM pg_class WHERE relname = 'bars_2026_01'";
    assert_eq!(sql.names(uncounted).await, ["t"], "the server has counted the rows: this tests nothing");

    let question = constant(BAR, "STRETCHES");
    sql.run(&format!("PREPARE stretches (bigint[], int[], timestamptz[], timestamptz[]) AS {question}")).await;
    for (mode, stretches) in [("force_custom_plan", 1), ("force_custom_plan", 100), ("force_generic_plan", 1)] {
        sql.run(&format!("SET plan_cache_mode = {mode}")).await;
        let many = |cell: &str| format!("array_fill({cell}, ARRAY[{stretches}])");
        let plan = sql
            .names(&format!(
                "EXPLAIN EXECUTE stretches ({}, {}, {}, {})",
                many(&format!("{}::bigint", ids[0].0)),
                many("60"),
                many("'2026-01-01T00:00:00Z'::timestamptz"),
                many("'2026-01-02T00:00:00Z'::timestamptz"),
            ))
            .await;
        assert!(plan.iter().any(|step| step.contains("bars_2026_01_pkey")), "{mode}, {stretches}: {plan:#?}");
        assert!(!plan.iter().any(|step| step.contains("Seq Scan on bars_2026_01")), "{mode}, {stretches}: {plan:#?}");
    }
}

/// The round of each hour mostly finds nothing or little: that must not cost a look at all there is. The server has
/// counted the rows by then; where it has not, it reads a table as short as this one whole, which is quicker there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_quotes_are_found_by_their_key_in_a_server() {
    let Some(database) = postgres::database().await else { return };
    let store = open(&database.url()).await;
    made(&store, &["BTC-USD", "ETH-USD", "SOL-USD"]).await;
    let sql = Sql::Postgres(database.client().await);
    sql.run(
        "INSERT INTO quotes (instrument_id, source, ts_event, ts_recv, last) \
         SELECT i.id, 'sim', t, t, 1 FROM instruments i, (SELECT timestamptz '2026-01-01T00:00:00Z' + n * interval '1 second' AS t \
         FROM generate_series(1, 100000) AS n) AS times",
    )
    .await;
    // As the store asks it.
    sql.run("SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_seqscan = off").await;
    for (counted, before) in [(false, "2026-01-01T00:02:00Z"), (true, "2025-12-01T00:00:00Z"), (true, "2026-01-01T00:02:00Z")] {
        if counted {
            sql.run("ANALYZE quotes").await;
        }
        let prune = table("quotes").prune_sql(&format!("'{before}'"), 2_000).expect("its rows grow old");
        let plan = sql.names(&format!("EXPLAIN {prune}")).await;
        assert!(plan.iter().any(|step| step.contains("quotes_pkey")), "{before}: {plan:#?}");
        assert!(!plan.iter().any(|step| step.contains("Seq Scan on quotes")), "{before}: {plan:#?}");
    }
}

#[tokio::test]
async fn old_rows_are_found_by_their_key_in_a_file() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("it.db");
    drop(Sqlite::open(&path, Creation::IfEmpty, Ranks::default()).unwrap());
    let sql = Sql::Sqlite(Connection::open(&path).unwrap());
    for name in ["bars", "quotes", "trades"] {
        let old = table(name).old_keys_sql("1000000", "2000").expect("its rows grow old");
        let plan = sql.ask(&format!("EXPLAIN QUERY PLAN {old}")).await;
        let steps: Vec<String> = plan.into_iter().filter_map(|mut step| step.pop().flatten()).collect();
        assert!(steps.iter().any(|step| step.starts_with(&format!("SEARCH {name} "))), "{steps:#?}");
        assert!(!steps.iter().any(|step| step.starts_with(&format!("SCAN {name}"))), "{steps:#?}");
    }
}
