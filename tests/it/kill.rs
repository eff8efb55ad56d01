//! `kill -9` at any moment: nothing acknowledged is lost, nothing is doubled, the store opens clean.
//!
//! The made-up exchange sends so few sealed minutes that a kill would nearly always fall between two commits. So the
//! test leaves backfill jobs in the store: `openbell run` works on them, a day of minutes a transaction, and its live
//! feed goes on beside them.
//!
//! Whether a kill fell into an open transaction is not guessed: the process is stopped (SIGSTOP), then its engine is
//! looked at, and then it is killed. On SQLite that is the lock from BEGIN to the end of COMMIT (byte 120 of the `-shm`
//! file), on PostgreSQL a transaction in `pg_stat_activity` that has written and waits for its client.
#![cfg(target_os = "linux")]

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures_util::future::BoxFuture;
use openbell::config::PostgresUrl;
use openbell::market::{Interval, Symbol, Timestamp};
use openbell::pipeline::Ranks;
use openbell::snapshot::JobState;
use openbell::store::{Creation, JobQuery, JobRecord, Postgres, Sqlite, Store};
use rusqlite::Connection;
use rustix::process::{Flock, FlockType, Pid, Signal, fcntl_getlk, kill_process};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio_postgres::Client;

use crate::postgres::{self, Cluster, Options};

/// They trade day and night.
const SYMBOLS: [&str; 3] = ["BTC-USD", "ETH-USD", "SOL-USD"];
const CONFIG: &str = r#"
[provider.sim]
enabled = true
misbehaves = false
messages_per_second = 24
requests_per_minute = 60000
[provider.yahoo]
enabled = false
[provider.coinbase]
enabled = false
[provider.kraken]
enabled = false
[provider.binance]
enabled = false
[watchlist]
symbols = ["BTC-USD", "ETH-USD", "SOL-USD"]
[log]
level = "debug"
"#;
/// A debug build on a busy machine takes its time.
const PATIENCE: Duration = Duration::from_secs(120);
/// Where SQLite keeps the lock of the one that writes (WAL_WRITE_LOCK in its wal.c and os_unix.c).
const WRITE_LOCK: u64 = 120;

/// When the process is killed.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// A transaction is open.
    Open,
    /// The log of the store grows: a commit is being written.
    Writing,
    /// A commit was just acknowledged.
    Acknowledged,
    /// Whenever.
    Random,
}

const MOMENTS: [Moment; 4] = [Moment::Open, Moment::Writing, Moment::Acknowledged, Moment::Random];

/// What the lines of the log say of commits.
#[derive(Clone, Copy, Debug, Default)]
struct Acknowledged {
    commits: u64,
    inserted: u64,
    quarantined: u64,
    /// Lines that were cut off by a kill.
    torn: u64,
}

/// Where the recorder keeps its rows, as somebody sees it who stands beside.
trait Engine {
    /// For `--store`.
    fn address(&self) -> String;

    fn open(&self, creation: Creation) -> BoxFuture<'_, Arc<dyn Store>>;

    /// Waits until this process has the store open no more.
    fn settle(&self);

    /// Waits until nothing of a process that was killed is at work any more.
    fn wait_until_gone(&self);

    /// Whether somebody is between the first write of a transaction and the end of its commit.
    fn transaction_is_open(&self) -> bool;

    /// The same of a process that stands still: it stays so.
    fn transaction_stays_open(&self) -> bool;

    /// Grows when a commit is written.
    fn log_size(&self) -> u64;

    fn number(&self, sql: &str) -> u64;

    /// What the engine itself finds wrong.
    fn damage(&self) -> String;
}

/// A store in a file.
struct InFile(PathBuf);

/// A store in a server.
struct InServer {
    looker: Client,
    runtime: Runtime,
    cluster: Cluster,
}

struct Home(TempDir);

/// A recorder that does not outlive the test, however that ends.
struct Recorder(Child);

impl Drop for Recorder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Home {
    fn new() -> Self {
        let home = Self(TempDir::new().unwrap());
        fs::write(home.path("config.toml"), CONFIG).unwrap();
        home
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn start(&self, engine: &dyn Engine) -> Recorder {
        let mut command = Command::new(std::env::var("OPENBELL_BINARY").unwrap_or_else(|_| env!("CARGO_BIN_EXE_openbell").to_owned()));
        command.args(["run", "--config"]).arg(self.path("config.toml"));
        command.arg("--store").arg(engine.address());
        command.env_clear().env("HOME", self.0.path()).current_dir(self.0.path());
        for kind in ["CONFIG", "DATA", "STATE", "CACHE"] {
            command.env(format!("XDG_{kind}_HOME"), self.path(&kind.to_lowercase()));
        }
        let talk = File::options().create(true).append(true).open(self.path("talk")).unwrap();
        Recorder(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(talk).spawn().unwrap())
    }

    /// What it said at the prompt, for whoever reads a failure.
    fn talk(&self) -> String {
        fs::read_to_string(self.path("talk")).unwrap_or_default()
    }

    /// The sum of all commits that were acknowledged in the log files.
    fn acknowledged(&self) -> Acknowledged {
        let mut sum = Acknowledged::default();
        let Ok(folder) = fs::read_dir(self.path("state/openbell")) else { return sum };
        for file in folder.map(|entry| entry.unwrap().path()) {
            for line in fs::read_to_string(file).unwrap_or_default().lines() {
                let Ok(line) = serde_json::from_str::<serde_json::Value>(line) else {
                    sum.torn += 1;
                    continue;
                };
                let fields = &line["fields"];
                if fields["message"] == "committed" {
                    let number = |name: &str| fields[name].as_u64().unwrap_or_else(|| panic!("no {name} in {line}"));
                    sum.commits += 1;
                    sum.inserted += number("inserted");
                    sum.quarantined += number("quarantined");
                }
            }
        }
        sum
    }
}

impl InFile {
    fn beside(&self, ending: &str) -> PathBuf {
        PathBuf::from(format!("{}{ending}", self.0.display()))
    }
}

impl Engine for InFile {
    fn address(&self) -> String {
        format!("sqlite:{}", self.0.display())
    }

    fn open(&self, creation: Creation) -> BoxFuture<'_, Arc<dyn Store>> {
        let store: Arc<dyn Store> = Arc::new(Sqlite::open(&self.0, creation, Ranks::default()).expect("it opens"));
        Box::pin(std::future::ready(store))
    }

    /// Closing a file lets go of all locks a process has on it, so that no thread of ours may have it open later.
    fn settle(&self) {
        wait(|| {
            let connection = Connection::open(&self.0).unwrap();
            let mode = connection.pragma_update_and_check(None, "journal_mode", "DELETE", |row| row.get::<_, String>(0));
            matches!(mode, Ok(mode) if mode == "delete").then_some(())
        })
        .expect("the store was closed");
    }

    /// The system took the locks of the process with it.
    fn wait_until_gone(&self) {}

    fn transaction_is_open(&self) -> bool {
        let Ok(index) = File::options().read(true).write(true).open(self.beside("-shm")) else { return false };
        let question = Flock { start: WRITE_LOCK, length: 1, ..Flock::from(FlockType::WriteLock) };
        fcntl_getlk(&index, &question).unwrap().is_some_and(|held| held.typ == FlockType::WriteLock)
    }

    fn transaction_stays_open(&self) -> bool {
        self.transaction_is_open()
    }

    fn log_size(&self) -> u64 {
        fs::metadata(self.beside("-wal")).map_or(0, |meta| meta.len())
    }

    fn number(&self, sql: &str) -> u64 {
        let connection = Connection::open(&self.0).unwrap();
        let found: i64 = connection.query_row(sql, [], |row| row.get(0)).unwrap_or_else(|error| panic!("{sql}: {error}"));
        u64::try_from(found).unwrap()
    }

    fn damage(&self) -> String {
        let connection = Connection::open(&self.0).unwrap();
        let damage: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        let strays = self.number("SELECT count(*) FROM pragma_foreign_key_check");
        if (damage.as_str(), strays) == ("ok", 0) { String::new() } else { format!("{damage}; {strays} rows that belong to nobody") }
    }
}

/// The recorder's connections.
const OURS: &str = "FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'openbell'";
/// Those that have written something and not committed it.
const WROTE: &str = "xact_start IS NOT NULL AND backend_xid IS NOT NULL AND state IN ('active', 'idle in transaction')";
/// Those that go on by themselves, though their client stands still.
const BUSY: &str = "state = 'active' AND coalesce(wait_event_type, '') NOT IN ('Client', 'Lock')";

impl InServer {
    /// A server whose commits wait for the disk, as they do where it matters.
    fn new() -> Option<Self> {
        let cluster = postgres::own(&Options { fsync: true, ..Options::default() })?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let looker = runtime.block_on(async {
            cluster.make("kill").await;
            cluster.client("kill").await
        });
        Some(Self { looker, runtime, cluster })
    }

    fn ours(&self, condition: &str) -> u64 {
        self.number(&format!("SELECT count(*) {OURS} AND {condition}"))
    }
}

impl Engine for InServer {
    fn address(&self) -> String {
        self.cluster.url("kill")
    }

    fn open(&self, creation: Creation) -> BoxFuture<'_, Arc<dyn Store>> {
        Box::pin(async move {
            let address: PostgresUrl = self.address().parse().unwrap();
            let store: Arc<dyn Store> = Arc::new(Postgres::open(&address, creation, Ranks::default()).await.expect("it opens"));
            store
        })
    }

    fn settle(&self) {
        self.wait_until_gone();
    }

    fn wait_until_gone(&self) {
        wait(|| (self.ours("true") == 0).then_some(())).expect("the server notices that its clients are gone");
    }

    fn transaction_is_open(&self) -> bool {
        self.ours(WROTE) > 0
    }

    fn transaction_stays_open(&self) -> bool {
        wait(|| (self.ours(BUSY) == 0).then_some(())).expect("the server has done what it was asked");
        self.transaction_is_open()
    }

    fn log_size(&self) -> u64 {
        self.number("SELECT (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint")
    }

    fn number(&self, sql: &str) -> u64 {
        let row = self.runtime.block_on(self.looker.query_one(sql, &[])).unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        u64::try_from(row.get::<_, i64>(0)).unwrap()
    }

    /// The server keeps references itself; each row must also be found by its key.
    fn damage(&self) -> String {
        let rows = self.number("SELECT count(*) FROM (SELECT ctid, tableoid FROM bars OFFSET 0) AS rows");
        let by_key = "SELECT count(*) FROM (SELECT instrument_id, interval_s, open_time FROM bars OFFSET 0) AS r \
                      CROSS JOIN LATERAL (SELECT 1 FROM bars b WHERE (b.instrument_id, b.interval_s, b.open_time) = \
                      (r.instrument_id, r.interval_s, r.open_time) LIMIT 1) AS found";
        let found = self.number(by_key);
        if rows == found { String::new() } else { format!("{rows} rows, of which {found} are found by their key") }
    }
}

fn wait_for<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// One job a symbol, over days that the live feed does not touch.
fn leave_jobs(engine: &dyn Engine, days: u32) {
    let today = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() / 86_400 * 86_400;
    let to = Timestamp::from_seconds(i64::try_from(today).unwrap()) - Duration::from_secs(86_400);
    let from = to - Duration::from_secs(86_400) * days;
    let job = |symbol: &str| JobRecord {
        id: 0,
        kind: "backfill".to_owned(),
        symbol: Some(symbol.parse::<Symbol>().unwrap()),
        interval: Some(Interval::OneMinute),
        from: Some(from),
        to: Some(to),
        source: Some("sim".to_owned()),
        state: JobState::Queued,
        done: 0,
        total: 0,
        rows: 0,
        attempts: 0,
        error: None,
        created_at: to,
        updated_at: to,
    };
    wait_for(async {
        let store = engine.open(Creation::IfEmpty).await;
        for symbol in SYMBOLS {
            store.save_job(job(symbol)).await.unwrap();
        }
    });
    engine.settle();
}

/// Looks again and again until there is an answer.
fn wait<T>(mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        if let Some(found) = look() {
            return Some(found);
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    None
}

fn pid(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap()
}

/// Stops every thread of a process where it is.
fn stop(child: &Child) {
    kill_process(pid(child), Signal::STOP).unwrap();
    let is_stopped = |task: &Path| {
        let state = fs::read_to_string(task.join("stat")).unwrap_or_default();
        // The name in brackets may hold anything; the state comes after it.
        state.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('T'))
    };
    let tasks = PathBuf::from(format!("/proc/{}/task", child.id()));
    let all = || fs::read_dir(&tasks).unwrap().all(|task| is_stopped(&task.unwrap().path()));
    wait(|| all().then_some(())).expect("the process stops");
}

/// Brings the process to its moment and stops it there; the answer is whether a transaction is open.
fn stop_at(child: &Child, home: &Home, engine: &dyn Engine, moment: Moment, dice: &mut fastrand::Rng) -> bool {
    match moment {
        Moment::Open => {
            return wait(|| {
                if !engine.transaction_is_open() {
                    return None;
                }
                stop(child);
                if engine.transaction_stays_open() {
                    return Some(true);
                }
                // It was over before the process stood still.
                kill_process(pid(child), Signal::CONT).unwrap();
                None
            })
            .expect("a transaction was open at some time");
        }
        Moment::Writing => {
            let before = engine.log_size();
            wait(|| (engine.log_size() > before).then_some(())).expect("something is written");
        }
        Moment::Acknowledged => {
            let before = home.acknowledged().commits;
            wait(|| (home.acknowledged().commits > before).then_some(())).expect("something is acknowledged");
        }
        Moment::Random => std::thread::sleep(Duration::from_millis(dice.u64(0..600))),
    }
    stop(child);
    engine.transaction_stays_open()
}

/// Everything that was acknowledged is there, once, and each job's checkpoint says what its rows say.
fn check_store(engine: &dyn Engine, said: Acknowledged) -> u64 {
    assert_eq!(engine.damage(), "");
    let bars = engine.number("SELECT count(*) FROM bars");
    assert!(bars >= said.inserted, "{bars} bars, but {} were acknowledged", said.inserted);
    let keys = engine.number("SELECT count(*) FROM (SELECT DISTINCT instrument_id, interval_s, open_time FROM bars) AS keys");
    assert_eq!(bars, keys, "bars that are there twice");
    assert!(engine.number("SELECT count(*) FROM quarantine") >= said.quarantined);
    assert_eq!(engine.number("SELECT count(*) FROM jobs"), SYMBOLS.len() as u64);
    for symbol in SYMBOLS {
        // The checkpoint is written with its rows or not at all.
        let checkpoint = engine.number(&format!("SELECT rows FROM jobs WHERE symbol = '{symbol}'"));
        let there = engine.number(&format!(
            "SELECT count(*) FROM bars b JOIN instruments i ON i.id = b.instrument_id JOIN jobs j ON j.symbol = i.symbol \
             WHERE i.symbol = '{symbol}' AND b.interval_s = 60 AND b.open_time >= j.from_time AND b.open_time < j.to_time"
        ));
        assert_eq!(there, checkpoint, "{symbol}: rows in the table, and rows that the job knows of");
    }
    bars
}

/// Waits until more bars were acknowledged than `before`.
fn wait_for_bars(recorder: &mut Recorder, home: &Home, before: Acknowledged) {
    let found = wait(|| {
        if let Some(status) = recorder.0.try_wait().unwrap() {
            panic!("it ended by itself ({status}): {}", home.talk());
        }
        std::thread::sleep(Duration::from_millis(5));
        (home.acknowledged().inserted > before.inserted).then_some(())
    });
    assert!(found.is_some(), "nothing was committed in {PATIENCE:?}: {}", home.talk());
}

/// Kills the recorder again and again, and looks at what is left each time; in the end it goes on where it was.
fn kill_again_and_again(name: &str, home: &Home, engine: &dyn Engine) {
    let kills: u32 = std::env::var("OPENBELL_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(3);
    leave_jobs(engine, 30 + kills * 6);
    let mut dice = fastrand::Rng::with_seed(7);
    let (mut open, mut bars) = (0, 0);
    for kill in 0..kills {
        let moment = MOMENTS[kill as usize % MOMENTS.len()];
        let before = home.acknowledged();
        let mut recorder = home.start(engine);
        wait_for_bars(&mut recorder, home, before);
        let in_transaction = stop_at(&recorder.0, home, engine, moment, &mut dice);
        recorder.0.kill().unwrap();
        recorder.0.wait().unwrap();
        engine.wait_until_gone();
        open += u32::from(in_transaction);
        let said = home.acknowledged();
        bars = check_store(engine, said);
        println!("{name}, kill {}: {moment:?}, transaction open: {in_transaction}; {bars} bars, {} acknowledged", kill + 1, said.inserted);
    }
    let (last, said) = go_on(home, engine);
    assert!(last > bars, "{last} bars after {bars}: the jobs went on");
    assert!(said.torn <= u64::from(kills), "{} torn lines of the log, at most one a kill", said.torn);
    println!(
        "{name}: {kills} kills, {open} of them while a transaction was open; {last} bars, {} of them acknowledged in {} commits, none lost, \
         none there twice, {} torn lines",
        said.inserted, said.commits, said.torn
    );
    assert!(open >= 1, "no kill fell into an open transaction: this tested nothing");
}

/// It goes on where it was, and ends when it is asked to; then nothing of the store is damaged.
fn go_on(home: &Home, engine: &dyn Engine) -> (u64, Acknowledged) {
    let before = home.acknowledged();
    let mut recorder = home.start(engine);
    wait_for_bars(&mut recorder, home, before);
    kill_process(pid(&recorder.0), Signal::TERM).unwrap();
    let status = wait(|| recorder.0.try_wait().unwrap()).expect("it ends");
    assert!(status.success(), "{status}: {}", home.talk());
    engine.wait_until_gone();
    let said = home.acknowledged();
    let bars = check_store(engine, said);
    wait_for(async {
        let store = engine.open(Creation::Never).await;
        assert_eq!(store.check().await.unwrap(), Vec::<String>::new());
        let jobs = store.jobs(JobQuery::All).await.unwrap();
        assert!(jobs.iter().all(|job| !job.state.is_over()), "what was at work goes on at the next start: {jobs:?}");
    });
    (bars, said)
}

#[test]
fn nothing_acknowledged_is_lost_when_it_is_killed_on_sqlite() {
    let home = Home::new();
    let engine = InFile(home.path("kill.db"));
    kill_again_and_again("sqlite", &home, &engine);
}

#[test]
fn nothing_acknowledged_is_lost_when_it_is_killed_on_postgres() {
    let Some(engine) = InServer::new() else { return };
    kill_again_and_again("postgres", &Home::new(), &engine);
}
