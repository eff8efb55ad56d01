//! A store of any earlier version becomes one of the newest with everything in it, and migrations only ever add.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Barrier;
use std::time::Duration;

use openbell::market::{Bar, BarFlags, InstrumentId, Interval, Origin, SessionKind, Source, Timestamp};
use openbell::pipeline::Ranks;
use openbell::store::{Batch, Creation, Postgres, Sqlite, Store, StoreError, TABLES};
use refinery::{Migration, Target};
use rusqlite::Connection;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::tables::Sql;

mod sqlite_files {
    refinery::embed_migrations!("src/store/sqlite/migrations");
}

mod postgres_files {
    refinery::embed_migrations!("src/store/postgres/migrations");
}

/// Every migration there is, with the SHA-256 of its text. A new one gets a line here; one that was released never
/// changes, because stores that have it would no longer be opened.
const FILES: [(&str, i32, &str); 6] = [
    ("sqlite", 1, "ca2386b23d2baf9ef1d2ee77a787c5aedd96466913f2ac1a8626161d813a9075"),
    ("sqlite", 2, "c0ba6ecf60f1cdb1a557413352c5f6035bbb46cd34284f4885076a24fd646640"),
    ("sqlite", 3, "bfd25739c7325e15b779bbe175726566871be95c7721e36ae2cf2dd40f00d4fd"),
    ("postgres", 1, "b62b19bd61c0c1399e43f2099cfdc55d17718d526b74eb2669c57778718d5453"),
    ("postgres", 2, "eed9e549a313c65ca39dca73ca300e7e16e8f435818d01478fb401b0fb8b77bc"),
    ("postgres", 3, "8606ced787085b21dce626a5e78b2d412a2fc4e63a1439f4eef8ed35e31ac2ab"),
];

/// Rows of every table that version 1 had, for both engines: what stands in « » is a time.
const ROWS: &str = r#"
INSERT INTO instruments (symbol, venue, asset_class, currency, price_unit, precision, name, active, listed_from, figi) VALUES
    ('AAPL', 'XNYS', 'equity', 'USD', 1, 2, 'Apple; "Inc."', true, «1980-12-12T00:00:00Z», 'BBG000B9XRY4'),
    ('BTC-USD', 'CRYPTO', 'crypto', 'USD', 1, 2, '', false, NULL, NULL);
INSERT INTO instrument_names (instrument_id, provider, symbol, valid_from, valid_to) VALUES
    (1, 'yahoo', 'AAPL', «1980-12-12T00:00:00Z», NULL), (2, 'coinbase', 'BTC-USD', «2015-01-01T00:00:00Z», «2026-01-01T00:00:00Z»);
INSERT INTO bars (instrument_id, interval_s, open_time, open, high, low, close, volume, vwap, n_trades, session, source, origin, revision,
                  quality, flags, meta, recorded_at, updated_at) VALUES
    (1, 60, «2026-11-25T15:00:00Z», 190.26, 190.5, 190.1, 190.4, 1200, 190.33, 17, 'regular', 'yahoo', 'live', 0, 1, '', NULL,
     «2026-11-25T15:01:02Z», «2026-11-25T15:01:02Z»),
    (1, 86400, «2026-11-25T00:00:00Z», 189, 191, 188.5, 190, NULL, NULL, NULL, 'regular', 'yahoo', 'backfill', 2, 0.3, 'gap|mismatch',
     '{"revisions": [{"close": 189.9, "source": "yahoo"}]}', «2026-11-25T21:00:00Z», «2026-11-26T06:00:00Z»),
    (2, 604800, «2026-11-23T00:00:00Z», 1e5, 1.1e5, 0.00000001, 99999.99, 12.5, NULL, 9007199254740993, NULL, 'coinbase', 'derived', 0, 0.85,
     'partial', NULL, «2026-11-25T15:00:00Z», «2026-11-25T15:00:00Z»);
INSERT INTO quotes (instrument_id, source, ts_event, ts_recv, last, bid, bid_size, ask, ask_size, volume) VALUES
    (1, 'yahoo', «2026-11-25T15:00:00Z», «2026-11-25T15:00:01Z», 190.3, 190.2, 100, 190.4, NULL, NULL);
INSERT INTO trades (instrument_id, source, trade_id, ts_event, ts_recv, price, size, taker, venue, conditions, moves) VALUES
    (2, 'coinbase', 'a''b', «2026-11-25T15:00:00Z», «2026-11-25T15:00:01Z», 99999.5, 0.001, 'buy', NULL, NULL, 7);
INSERT INTO quarantine (received_at, source, instrument_id, interval_s, open_time, reasons, payload) VALUES
    («2026-11-25T15:00:00Z», 'yahoo', 1, NULL, NULL, 'high_below_body|off_grid', '{"high": "NaN"}');
INSERT INTO violations (time, instrument_id, interval_s, open_time, source, rule, severity, message, acknowledged) VALUES
    («2026-11-25T15:00:00Z», 1, 60, «2026-11-25T15:00:00Z», 'yahoo', 'jump', 'warning', 'it jumped', true);
INSERT INTO coverage (instrument_id, interval_s, source, from_time, to_time, state, asked_at) VALUES
    (1, 60, 'yahoo', «2026-11-25T00:00:00Z», «2026-11-26T00:00:00Z», 'present', «2026-11-26T06:00:00Z»),
    (1, 60, 'yahoo', «2026-11-26T00:00:00Z», «2026-11-27T00:00:00Z», 'failed', «2026-11-27T06:00:00Z»);
INSERT INTO jobs (kind, symbol, interval_s, from_time, to_time, source, state, done, total, rows, attempts, error, created_at, updated_at) VALUES
    ('backfill', 'AAPL', 60, «2026-11-25T00:00:00Z», «2026-11-26T00:00:00Z», 'yahoo', 'done', 4, 4, 390, 1, NULL,
     «2026-11-26T06:00:00Z», «2026-11-26T06:01:00Z»),
    ('backfill', NULL, NULL, NULL, NULL, NULL, 'queued', 0, 0, 0, 0, 'it was slow', «2026-11-26T06:00:00Z», «2026-11-26T06:01:00Z»);
INSERT INTO corporate_actions (instrument_id, source, kind, ex_date, numerator, denominator, amount, currency) VALUES
    (1, 'yahoo', 'split', «2020-08-31T00:00:00Z», 4, 1, NULL, NULL);
INSERT INTO fundamentals (instrument_id, statement, period, fiscal_date, source, fields, asked_at) VALUES
    (1, 'income', 'year', «2026-09-26T00:00:00Z», 'fmp', '{"revenue": 1.5}', «2026-11-25T15:00:00Z»);
INSERT INTO watchlist (list, position, instrument_id, note) VALUES ('main', 0, 1, 'the first');
INSERT INTO lots (instrument_id, quantity, price, opened_at, closed_at, note) VALUES (1, 10.5, 150.25, «2024-01-02T15:00:00Z», NULL, '');
INSERT INTO alerts (instrument_id, condition, active, created_at) VALUES (1, 'last > 200', true, «2026-11-25T15:00:00Z»);
INSERT INTO alert_history (alert_id, fired_at, value, message) VALUES (1, «2026-11-25T15:00:00Z», 200.5, 'AAPL above 200');
INSERT INTO request_counts (source, window_start, window_s, count) VALUES ('yahoo', «2026-11-25T15:00:00Z», 60, 3);
"#;

/// A store of version 1 had made it when the month's first bar came.
const PARTITION: &str = "CREATE TABLE bars_2026_11 PARTITION OF bars_intraday \
                         FOR VALUES FROM ('2026-11-01T00:00:00Z') TO ('2026-12-01T00:00:00Z');";

fn for_sqlite() -> String {
    ROWS.replace('«', "(1000000 * unixepoch('").replace('»', "'))")
}

fn for_postgres() -> String {
    format!("{PARTITION}{}", ROWS.replace('«', "timestamptz '").replace('»', "'"))
}

fn newest(files: &[Migration]) -> i32 {
    files.iter().map(Migration::version).max().expect("there is a migration")
}

fn sqlite_newest() -> i32 {
    newest(sqlite_files::migrations::runner().get_migrations())
}

fn postgres_newest() -> i32 {
    newest(postgres_files::migrations::runner().get_migrations())
}

// ── what is in a store ──

type Columns = BTreeMap<String, Vec<String>>;
type Rows = BTreeMap<String, Vec<Vec<Option<String>>>>;

async fn columns(sql: &Sql) -> Columns {
    let mut columns = Columns::new();
    for table in sql.tables().await {
        let of_table = sql.columns(&table).await;
        columns.insert(table, of_table);
    }
    columns
}

/// The rows of these tables, of these columns.
async fn rows(sql: &Sql, columns: &Columns) -> Rows {
    let mut rows = Rows::new();
    for (table, columns) in columns {
        let list = columns.iter().map(|column| format!("\"{column}\"")).collect::<Vec<_>>().join(", ");
        let of_table = sql.ask(&format!("SELECT {list} FROM {table} ORDER BY {list}")).await;
        rows.insert(table.clone(), of_table);
    }
    rows
}

/// Everything that could change by opening: what was made, and every row.
async fn everything(sql: &Sql) -> (Vec<String>, Rows) {
    let made = sql.either(
        "SELECT type, name, sql FROM sqlite_schema ORDER BY type, name",
        "SELECT 'column', table_name, column_name, data_type, is_nullable FROM information_schema.columns \
         WHERE table_schema = current_schema() \
         UNION ALL SELECT 'index', tablename, indexname, indexdef, '' FROM pg_indexes WHERE schemaname = current_schema() \
         UNION ALL SELECT 'view', viewname, definition, '', '' FROM pg_views WHERE schemaname = current_schema() ORDER BY 1, 2, 3",
    );
    let columns = columns(sql).await;
    (sql.lines(&made).await, rows(sql, &columns).await)
}

/// Whoever opens an earlier store finds its rows, and can go on.
async fn it_is_the_newest_with_everything_in_it(store: &dyn Store, sql: &Sql, (columns, before): (&Columns, &Rows), newest: i32) {
    assert_eq!(i64::from(store.status().await.unwrap().schema), i64::from(newest));
    let history = sql.names("SELECT version FROM refinery_schema_history ORDER BY version").await;
    assert_eq!(history, (1..=newest).map(|version| version.to_string()).collect::<Vec<_>>());
    let after = rows(sql, columns).await;
    for (table, rows) in before.iter().filter(|(table, _)| *table != "refinery_schema_history") {
        assert_eq!(&after[table], rows, "{table}");
        assert!(!rows.is_empty(), "nothing was put into {table}: this tested nothing");
    }
    for spec in TABLES {
        assert!(before.contains_key(spec.name), "{} is new: give it a row in an earlier store", spec.name);
    }
}

async fn it_goes_on(store: &dyn Store) {
    let apple = store.instrument("AAPL".parse().unwrap()).await.unwrap();
    assert_eq!((apple.id, &*apple.name), (InstrumentId(1), "Apple; \"Inc.\""));
    assert!(store.instrument("MSFT".parse().unwrap()).await.unwrap().id > InstrumentId(2), "a new one has a number of its own");
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    let bar = Bar {
        instrument: apple.id,
        interval: Interval::OneMinute,
        open_time: at("2026-11-25T15:01:00Z"),
        open: 1.0,
        high: 1.0,
        low: 1.0,
        close: 1.0,
        volume: None,
        vwap: None,
        n_trades: None,
        session: Some(SessionKind::Regular),
        source: Source::new("yahoo"),
        origin: Origin::Live,
        revision: 0,
        quality: 1.0,
        flags: BarFlags::empty(),
    };
    let later = Bar { open_time: at("2026-12-01T15:00:00Z"), ..bar.clone() };
    let batch = Batch { bars: vec![bar, later], at: at("2026-12-01T16:00:00Z"), ..Batch::default() };
    assert_eq!(store.append(batch.clone()).await.unwrap().inserted, 2);
    assert_eq!(store.append(batch).await.unwrap().kept, 2);
    assert_eq!(store.check().await.unwrap(), Vec::<String>::new());
}

// ── every earlier version ──

/// A file with the tables of `version`, as this version's program left it.
fn sqlite_of(path: &Path, version: i32) -> Connection {
    let mut connection = Connection::open(path).unwrap();
    connection.busy_timeout(Duration::from_secs(20)).unwrap();
    connection.pragma_update(None, "journal_mode", "WAL").unwrap();
    sqlite_files::migrations::runner().set_target(Target::Version(version)).run(&mut connection).unwrap();
    connection
}

#[tokio::test]
async fn every_earlier_version_of_a_sqlite_store_becomes_the_newest() {
    for version in 1..sqlite_newest() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("earlier.db");
        let sql = Sql::Sqlite(sqlite_of(&path, version));
        sql.run(&for_sqlite()).await;
        let columns = columns(&sql).await;
        let before = rows(&sql, &columns).await;

        let store = Sqlite::open(&path, Creation::IfEmpty, Ranks::default()).unwrap();
        it_is_the_newest_with_everything_in_it(&store, &sql, (&columns, &before), sqlite_newest()).await;
        drop(store);
        let made = everything(&sql).await;
        let again = Sqlite::open(&path, Creation::Never, Ranks::default()).unwrap();
        assert_eq!(again.status().await.unwrap().bars, 3);
        assert_eq!(everything(&sql).await, made, "opening it again changes nothing");
        it_goes_on(&again).await;
        println!("SQLite: version {version} became {}", sqlite_newest());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_earlier_version_of_a_postgres_store_becomes_the_newest() {
    for version in 1..postgres_newest() {
        let Some(database) = crate::postgres::database().await else { return };
        let url = database.url().parse().unwrap();
        let mut client = database.client().await;
        postgres_files::migrations::runner().set_target(Target::Version(version)).run_async(&mut client).await.unwrap();
        let sql = Sql::Postgres(client);
        sql.run(&for_postgres()).await;
        let columns = columns(&sql).await;
        let before = rows(&sql, &columns).await;

        let store = Postgres::open(&url, Creation::IfEmpty, Ranks::default()).await.unwrap();
        it_is_the_newest_with_everything_in_it(&store, &sql, (&columns, &before), postgres_newest()).await;
        drop(store);
        let made = everything(&sql).await;
        let again = Postgres::open(&url, Creation::Never, Ranks::default()).await.unwrap();
        assert_eq!(again.status().await.unwrap().bars, 3);
        assert_eq!(everything(&sql).await, made, "opening it again changes nothing");
        it_goes_on(&again).await;
        println!("PostgreSQL: version {version} became {}", postgres_newest());
    }
}

// ── two at the same time, and one that was cut short ──

/// How many open a store together.
const TOGETHER: usize = 4;

fn open_together(path: &Path) {
    let barrier = Barrier::new(TOGETHER);
    let open = || {
        barrier.wait();
        Sqlite::open(path, Creation::IfEmpty, Ranks::default()).map(drop)
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..TOGETHER).map(|_| scope.spawn(open)).collect();
        for thread in threads {
            thread.join().unwrap().expect("each of them opens it");
        }
    });
}

#[tokio::test]
async fn engines_that_start_together_make_the_tables_of_a_file_once() {
    // Each round is a chance for them to be in each other's way.
    for round in 0..8 {
        let folder = TempDir::new().unwrap();
        let (new, earlier) = (folder.path().join("new.db"), folder.path().join("earlier.db"));
        open_together(&new);
        let sql = Sql::Sqlite(sqlite_of(&earlier, 1));
        sql.run(&for_sqlite()).await;
        open_together(&earlier);
        for path in [&new, &earlier] {
            let sql = Sql::Sqlite(Connection::open(path).unwrap());
            let history = sql.lines("SELECT count(*), max(version) FROM refinery_schema_history").await;
            assert_eq!(history, [format!("{0} {0}", sqlite_newest())], "round {round}");
        }
        assert_eq!(sql.lines("SELECT count(*) FROM bars").await, ["3"], "round {round}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn engines_that_start_together_make_the_tables_of_a_database_once() {
    for round in 0..4 {
        let Some(database) = crate::postgres::database().await else { return };
        let mut client = database.client().await;
        if round % 2 == 1 {
            postgres_files::migrations::runner().set_target(Target::Version(1)).run_async(&mut client).await.unwrap();
        }
        let url = database.url().parse().unwrap();
        let opened = (0..TOGETHER).map(|_| Postgres::open(&url, Creation::IfEmpty, Ranks::default()));
        for store in futures_util::future::join_all(opened).await {
            assert_eq!(i64::from(store.expect("each of them opens it").status().await.unwrap().schema), i64::from(postgres_newest()));
        }
        let history = Sql::Postgres(client).lines("SELECT count(*), max(version) FROM refinery_schema_history").await;
        assert_eq!(history, [format!("{0} {0}", postgres_newest())], "round {round}");
    }
}

/// Killed between making the list of versions and the first table: what is there is ours, and is gone on with.
const CUT_SHORT: &str = "CREATE TABLE refinery_schema_history \
                         (version int4 PRIMARY KEY, name varchar(255), applied_on varchar(255), checksum varchar(255))";

#[tokio::test]
async fn a_file_whose_making_was_cut_short_is_made() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("cut.db");
    Connection::open(&path).unwrap().execute_batch(CUT_SHORT).unwrap();
    let store = Sqlite::open(&path, Creation::IfEmpty, Ranks::default()).expect("it is ours");
    assert_eq!(i64::from(store.status().await.unwrap().schema), i64::from(sqlite_newest()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_whose_making_was_cut_short_is_made() {
    let Some(database) = crate::postgres::database().await else { return };
    database.client().await.batch_execute(CUT_SHORT).await.unwrap();
    let url = database.url().parse().unwrap();
    let store = Postgres::open(&url, Creation::IfEmpty, Ranks::default()).await.expect("it is ours");
    assert_eq!(i64::from(store.status().await.unwrap().schema), i64::from(postgres_newest()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_of_a_newer_version_is_left_as_it_is() {
    let Some(database) = crate::postgres::database().await else { return };
    let url = database.url().parse().unwrap();
    drop(Postgres::open(&url, Creation::IfEmpty, Ranks::default()).await.unwrap());
    let sql = Sql::Postgres(database.client().await);
    sql.run("UPDATE refinery_schema_history SET version = version + 41").await;
    let before = everything(&sql).await;
    for creation in [Creation::Never, Creation::IfEmpty, Creation::Always] {
        let Err(error) = Postgres::open(&url, creation, Ranks::default()).await else { panic!("{creation:?}: it was opened") };
        assert!(matches!(error, StoreError::Newer { found, known, .. } if found == known + 41), "{creation:?}: {error}");
        assert_eq!(everything(&sql).await, before, "{creation:?}");
    }
}

// ── what a migration may do ──

/// Every migration: of which engine, and what it is.
fn files() -> Vec<(&'static str, Migration)> {
    let (sqlite, postgres) = (sqlite_files::migrations::runner(), postgres_files::migrations::runner());
    let mut files: Vec<_> = sqlite.get_migrations().iter().map(|file| ("sqlite", file.clone())).collect();
    files.extend(postgres.get_migrations().iter().map(|file| ("postgres", file.clone())));
    files.sort_by_key(|(engine, file)| (*engine == "postgres", file.version()));
    files
}

#[test]
fn the_engines_have_the_same_versions() {
    let of = |wanted: &str| -> Vec<(i32, String)> {
        let own = files().into_iter().filter(|(engine, _)| *engine == wanted);
        own.map(|(_, file)| (file.version(), file.name().to_owned())).collect()
    };
    assert_eq!(of("sqlite"), of("postgres"));
    let versions: Vec<i32> = of("sqlite").into_iter().map(|(version, _)| version).collect();
    assert_eq!(versions, (1..=sqlite_newest()).collect::<Vec<_>>(), "none is left out");
}

#[test]
fn a_migration_that_was_there_has_not_changed() {
    let digest = |file: &Migration| format!("{:x}", Sha256::digest(file.sql().expect("it has a text")));
    let found: Vec<_> = files().iter().map(|(engine, file)| (*engine, file.version(), digest(file))).collect();
    let told: Vec<_> = FILES.into_iter().map(|(engine, version, digest)| (engine, version, digest.to_owned())).collect();
    assert_eq!(found, told, "left is what the files are, right what they were");
}

#[test]
fn migrations_only_ever_add() {
    for (engine, file) in files() {
        for statement in statements(file.sql().expect("it has a text")) {
            assert!(!takes_away(&statement), "{engine}, {file}: {}", statement.join(" "));
        }
    }
}

/// The law itself is held to: what takes away is seen.
#[test]
fn what_takes_away_is_seen() {
    let takes = [
        "DROP TABLE bars",
        "drop\n  table if exists bars",
        "ALTER TABLE bars DROP COLUMN vwap",
        "ALTER TABLE bars DROP vwap",
        "ALTER TABLE bars /* why */ RENAME COLUMN vwap TO mean",
        "ALTER TABLE bars RENAME TO candles",
        "DELETE FROM bars -- all of them",
        "TRUNCATE bars",
        "DO $$ BEGIN EXECUTE 'DROP TABLE bars'; END $$",
        "CREATE TABLE a (b int); DELETE FROM c",
    ];
    let adds = [
        "-- DROP TABLE bars",
        "/* DELETE FROM bars; */ CREATE TABLE a (b int)",
        "ALTER TABLE bars ADD COLUMN drops int",
        "ALTER TABLE bars ALTER COLUMN vwap DROP NOT NULL, DROP CONSTRAINT c",
        "DROP VIEW bars_1m; CREATE VIEW bars_1m AS SELECT 1",
    ];
    let seen = |sql: &str| statements(sql).iter().any(|statement| takes_away(statement));
    for sql in takes {
        assert!(seen(sql), "{sql}");
    }
    for sql in adds {
        assert!(!seen(sql), "{sql}");
    }
}

/// The words of each statement, in capitals and without comments.
fn statements(sql: &str) -> Vec<Vec<String>> {
    let mut text = String::new();
    let mut rest = sql;
    while let Some(begin) = rest.find("--").into_iter().chain(rest.find("/*")).min() {
        let end = if rest[begin..].starts_with("--") { "\n" } else { "*/" };
        text.push_str(&rest[..begin]);
        text.push(' ');
        rest = rest[begin..].split_once(end).map_or("", |(_, rest)| rest);
    }
    text.push_str(rest);
    let word = |word: &str| word.trim_matches(|c: char| !c.is_alphanumeric() && c != '_').to_uppercase();
    let words = |statement: &str| statement.split_whitespace().map(word).filter(|word| !word.is_empty()).collect::<Vec<_>>();
    text.split(';').map(words).filter(|words| !words.is_empty()).collect()
}

fn takes_away(words: &[String]) -> bool {
    let has = |one: &str, two: &str| words.windows(2).any(|pair| pair[0] == one && pair[1] == two);
    let rows_or_names = has("DROP", "TABLE") || has("DELETE", "FROM") || words.iter().any(|word| word == "TRUNCATE" || word == "RENAME");
    let kept = ["CONSTRAINT", "NOT", "DEFAULT", "IDENTITY", "EXPRESSION"];
    let column = words.windows(2).any(|pair| pair[0] == "DROP" && !kept.contains(&pair[1].as_str()));
    rows_or_names || has("ALTER", "TABLE") && column
}
