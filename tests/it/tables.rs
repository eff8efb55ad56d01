//! The tables as data against the tables as they are, on every engine; and any row, however odd, out as it went in.
#![allow(clippy::float_cmp, reason = "what was stored is read back to the last bit")]

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt};
use openbell::market::{
    Bar, BarFlags, Fundamental, InstrumentId, Interval, Origin, Period, SessionKind, Source, Statement, Symbol, Timestamp,
};
use openbell::pipeline::Ranks;
use openbell::quality::{Coverage, CoverageState, Quarantined, Severity, Violation};
use openbell::snapshot::JobState;
use openbell::store::{
    Batch, ColumnKind, ColumnSpec, Creation, Field, FundamentalRow, JobQuery, JobRecord, Postgres, QuoteRow, RecordQuery, Row, Sqlite,
    Store, StoreError, TABLES, TableSpec,
};
use rusqlite::Connection;
use rusqlite::types::ValueRef;
use tempfile::TempDir;
use tokio_postgres::{Client, SimpleQueryMessage};

const MINUTE: Duration = Duration::from_secs(60);
const START: &str = "2026-11-25T15:00:00Z";

fn at(text: &str) -> Timestamp {
    text.parse().expect("an instant")
}

fn minute(n: u32) -> Timestamp {
    at(START) + MINUTE * n
}

fn symbol(text: &str) -> Symbol {
    text.parse().expect("a symbol")
}

fn table(name: &str) -> &'static TableSpec {
    TABLES.iter().find(|spec| spec.name == name).expect("a table")
}

// ── an engine, asked in its own words ──

/// An engine with an empty store, and the same store for questions in plain SQL.
struct Bench {
    store: Box<dyn Store>,
    sql: Sql,
    url: String,
    folder: Option<TempDir>,
}

/// A connection past the store.
#[allow(clippy::large_enum_variant, reason = "a test has a few of them")]
pub enum Sql {
    Sqlite(Connection),
    Postgres(Client),
}

fn on_sqlite() -> Bench {
    let folder = TempDir::new().unwrap();
    // A name that would do harm if it were ever part of a statement.
    let path = folder.path().join("it's; DROP TABLE bars; --.db");
    let store = Sqlite::open(&path, Creation::IfEmpty, Ranks::default()).unwrap();
    let sql = Sql::Sqlite(Connection::open(&path).unwrap());
    Bench { store: Box::new(store), sql, url: format!("sqlite:{}", path.display()), folder: Some(folder) }
}

/// `None` where there is no server: then this is left out, and that was told.
async fn on_postgres() -> Option<Bench> {
    let database = crate::postgres::database().await?;
    let url = database.url();
    let store = Postgres::open(&url.parse().unwrap(), Creation::IfEmpty, Ranks::default()).await.unwrap();
    let sql = Sql::Postgres(database.client().await);
    sql.run("SET timezone = 'UTC'; SET datestyle = 'ISO'").await;
    Some(Bench { store: Box::new(store), sql, url, folder: None })
}

impl Sql {
    /// Carries statements out.
    pub async fn run(&self, sql: &str) {
        match self {
            Self::Sqlite(connection) => connection.execute_batch(sql).unwrap_or_else(|error| panic!("{sql}: {error}")),
            Self::Postgres(client) => client.batch_execute(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}")),
        }
    }

    /// The cells of the answer as text.
    pub async fn ask(&self, sql: &str) -> Vec<Vec<Option<String>>> {
        let mut rows = Vec::new();
        match self {
            Self::Sqlite(connection) => {
                let mut statement = connection.prepare(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
                let width = statement.column_count();
                let mut found = statement.query([]).unwrap();
                while let Some(row) = found.next().unwrap_or_else(|error| panic!("{sql}: {error}")) {
                    rows.push((0..width).map(|column| cell_text(row.get_ref(column).unwrap())).collect());
                }
            }
            Self::Postgres(client) => {
                for message in client.simple_query(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}")) {
                    if let SimpleQueryMessage::Row(row) = message {
                        rows.push((0..row.len()).map(|column| row.get(column).map(str::to_owned)).collect());
                    }
                }
            }
        }
        rows
    }

    /// The first column of the answer.
    pub async fn names(&self, sql: &str) -> Vec<String> {
        self.ask(sql).await.into_iter().map(|mut row| row.swap_remove(0).expect("a name")).collect()
    }

    /// The answer, a line a row; what is not known is `-`.
    pub async fn lines(&self, sql: &str) -> Vec<String> {
        let cell = |cell: Option<String>| cell.unwrap_or_else(|| "-".to_owned());
        self.ask(sql).await.into_iter().map(|row| row.into_iter().map(cell).collect::<Vec<_>>().join(" ")).collect()
    }

    /// One of two statements.
    pub fn either(&self, sqlite: impl Into<String>, postgres: impl Into<String>) -> String {
        match self {
            Self::Sqlite(_) => sqlite.into(),
            Self::Postgres(_) => postgres.into(),
        }
    }

    /// Every table but partitions.
    pub async fn tables(&self) -> Vec<String> {
        let sql = self.either(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name",
            "SELECT relname FROM pg_class WHERE relnamespace = current_schema()::text::regnamespace \
             AND relkind IN ('r', 'p') AND NOT relispartition ORDER BY relname",
        );
        self.names(&sql).await
    }

    /// The names of a table's or a view's columns, in order.
    pub async fn columns(&self, table: &str) -> Vec<String> {
        let sql = self.either(
            format!("SELECT name FROM pragma_table_info('{table}') ORDER BY cid"),
            format!(
                "SELECT attname FROM pg_attribute WHERE attrelid = '{table}'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum"
            ),
        );
        self.names(&sql).await
    }

    /// What reads the same on every engine where a view has a time.
    fn time(&self, column: &str) -> String {
        self.either(column, format!(r#"to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')"#))
    }
}

fn cell_text(value: ValueRef<'_>) -> Option<String> {
    match value {
        ValueRef::Null => None,
        ValueRef::Integer(number) => Some(number.to_string()),
        ValueRef::Real(number) => Some(number.to_string()),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
    }
}

// ── the tables as they are ──

struct Column {
    declared: String,
    nullable: bool,
    /// How its texts are sorted; empty where nothing was said.
    collation: String,
}

struct Table {
    columns: BTreeMap<String, Column>,
    key: Vec<String>,
    points_to: Vec<String>,
}

type Schema = BTreeMap<String, Table>;

/// Tables that are none of [`TABLES`].
const OWN: [&str; 2] = ["about", "refinery_schema_history"];

impl Sql {
    async fn schema(&self) -> Schema {
        let mut schema = Schema::new();
        for name in self.tables().await {
            if !OWN.contains(&&*name) {
                let table = self.table(&name).await;
                schema.insert(name, table);
            }
        }
        schema
    }

    async fn table(&self, name: &str) -> Table {
        let columns = self.either(
            format!("SELECT name, lower(type), \"notnull\" OR pk > 0, '' FROM pragma_table_info('{name}')"),
            format!(
                "SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull::int, coalesce(l.collname, '') \
                 FROM pg_attribute a LEFT JOIN pg_collation l ON l.oid = a.attcollation \
                 WHERE a.attrelid = '{name}'::regclass AND a.attnum > 0 AND NOT a.attisdropped"
            ),
        );
        let key = self.either(
            format!("SELECT name FROM pragma_table_info('{name}') WHERE pk > 0 ORDER BY pk"),
            format!(
                "SELECT a.attname FROM pg_index x CROSS JOIN LATERAL unnest(x.indkey::int2[]) WITH ORDINALITY k (attnum, place) \
                 JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = k.attnum \
                 WHERE x.indisprimary AND x.indrelid = '{name}'::regclass ORDER BY k.place"
            ),
        );
        let points_to = self.either(
            format!("SELECT \"table\" FROM pragma_foreign_key_list('{name}')"),
            format!("SELECT confrelid::regclass::text FROM pg_constraint WHERE contype = 'f' AND conrelid = '{name}'::regclass"),
        );
        let column = |row: Vec<Option<String>>| {
            let cells: Vec<String> = row.into_iter().flatten().collect();
            let [name, declared, not_null, collation] = <[String; 4]>::try_from(cells).expect("four cells");
            (name, Column { declared, nullable: not_null == "0", collation })
        };
        Table {
            columns: self.ask(&columns).await.into_iter().map(column).collect(),
            key: self.names(&key).await,
            points_to: self.names(&points_to).await,
        }
    }
}

fn sqlite_type(kind: ColumnKind) -> &'static str {
    match kind {
        ColumnKind::Whole | ColumnKind::Seconds | ColumnKind::Small | ColumnKind::Time | ColumnKind::Flag => "integer",
        ColumnKind::Real => "real",
        ColumnKind::Text | ColumnKind::Json => "text",
    }
}

fn postgres_type(kind: ColumnKind) -> &'static str {
    match kind {
        ColumnKind::Whole => "bigint",
        ColumnKind::Seconds => "integer",
        ColumnKind::Small => "smallint",
        ColumnKind::Real => "double precision",
        ColumnKind::Text => "text",
        ColumnKind::Time => "timestamp with time zone",
        ColumnKind::Flag => "boolean",
        ColumnKind::Json => "jsonb",
    }
}

fn the_slice_is_the_schema(schema: &Schema, type_of: fn(ColumnKind) -> &'static str) {
    let told: BTreeSet<&str> = TABLES.iter().map(|spec| spec.name).collect();
    assert_eq!(told.len(), TABLES.len(), "a table is told twice");
    assert_eq!(schema.keys().map(String::as_str).collect::<BTreeSet<_>>(), told);
    for (place, spec) in TABLES.iter().enumerate() {
        let (name, table) = (spec.name, &schema[spec.name]);
        let columns: BTreeSet<&str> = spec.columns.iter().map(|column| column.name).collect();
        assert_eq!(columns.len(), spec.columns.len(), "{name}: a column is told twice");
        assert_eq!(table.columns.keys().map(String::as_str).collect::<BTreeSet<_>>(), columns, "{name}");
        for column in spec.columns {
            assert_eq!(table.columns[column.name].declared, type_of(column.kind), "{name}.{}", column.name);
        }
        let key: Vec<&str> = spec.columns[..spec.key].iter().map(|column| column.name).collect();
        assert_eq!(key, table.key, "{name}: the key");
        assert_eq!((spec.key_list(), spec.column_list().split(", ").count()), (key.join(", "), columns.len()), "{name}");
        for other in &table.points_to {
            let before = TABLES[..place].iter().any(|spec| spec.name == *other);
            assert!(before, "{name} points to {other}, which does not come before it");
        }
    }
}

fn what_grows_old_says_by_what() {
    let mut configured = BTreeSet::new();
    for spec in TABLES {
        let Some(retain) = &spec.retain else { continue };
        let by = spec.columns.iter().find(|column| column.name == retain.time);
        assert_eq!(by.map(|column| column.kind), Some(ColumnKind::Time), "{} grows old by {}", spec.name, retain.time);
        assert!(configured.insert(retain.config), "two tables are kept by {}", retain.config);
    }
}

/// The views, and the columns that each begins with on every engine: columns are only ever appended.
const VIEWS: [(&str, &str); 6] = [
    (
        "bars_1d",
        "symbol date open high low close volume vwap n_trades source quality flags session origin revision currency open_time instrument_id",
    ),
    (
        "bars_1m",
        "symbol time open high low close volume vwap n_trades source quality flags session origin revision currency open_time instrument_id",
    ),
    (
        "fundamentals_usual",
        "symbol date period source reported_currency revenue gross_profit operating_income net_income eps_diluted total_assets \
         total_liabilities total_equity cash total_debt operating_cash_flow capital_expenditure free_cash_flow asked_at fiscal_date instrument_id",
    ),
    ("latest_quotes", "symbol time last bid bid_size ask ask_size volume source currency ts_event ts_recv instrument_id"),
    ("stocks", "id ticker time high low avg sale meta"),
    ("symbol_status", "symbol active interval_s first_bar last_bar bars validated_pct gaps last_error instrument_id"),
];

async fn the_views_are_there(sql: &Sql) {
    let views = sql.either(
        "SELECT name FROM sqlite_schema WHERE type = 'view' ORDER BY name",
        "SELECT viewname FROM pg_views WHERE schemaname = current_schema() ORDER BY viewname",
    );
    assert_eq!(sql.names(&views).await, VIEWS.map(|(name, _)| name));
    for (view, first) in VIEWS {
        let (columns, first) = (sql.columns(view).await, first.split(' ').collect::<Vec<_>>());
        assert_eq!(columns[..first.len()], first, "{view}");
        assert_eq!(sql.ask(&format!("SELECT * FROM {view}")).await.len(), 0, "{view} of an empty store");
    }
}

#[tokio::test]
async fn the_tables_of_sqlite_are_those_of_the_slice() {
    let bench = on_sqlite();
    the_slice_is_the_schema(&bench.sql.schema().await, sqlite_type);
    what_grows_old_says_by_what();
    the_views_are_there(&bench.sql).await;
    let sorted_otherwise = bench.sql.ask("SELECT name FROM sqlite_schema WHERE sql LIKE '%collate%'").await;
    assert_eq!(sorted_otherwise.len(), 0, "texts sort byte by byte, as on PostgreSQL");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_tables_of_postgres_are_those_of_the_slice() {
    let Some(bench) = on_postgres().await else { return };
    let schema = bench.sql.schema().await;
    the_slice_is_the_schema(&schema, postgres_type);
    the_views_are_there(&bench.sql).await;

    let (here, there) = (schema, on_sqlite().sql.schema().await);
    for spec in TABLES {
        for column in spec.columns {
            let of = |schema: &Schema| schema[spec.name].columns[column.name].nullable;
            assert_eq!(of(&here), of(&there), "{}.{} may be unknown on one engine only", spec.name, column.name);
        }
        for column in spec.columns[..spec.key].iter().filter(|column| column.kind == ColumnKind::Text) {
            let collation = &here[spec.name].columns[column.name].collation;
            assert_eq!(collation, "C", "{}.{} sorts byte by byte, as on SQLite", spec.name, column.name);
        }
    }
    assert_eq!(here["instruments"].columns["symbol"].collation, "C", "symbols sort byte by byte");
    let key = "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'bars'::regclass AND contype = 'p'";
    assert_eq!(bench.sql.lines(key).await, ["bars_pkey PRIMARY KEY (instrument_id, interval_s, open_time)"]);
    let indexes = bench.sql.names("SELECT indexdef FROM pg_indexes WHERE schemaname = current_schema() AND tablename = 'bars'").await;
    assert!(indexes.iter().any(|index| index.contains("USING gin (meta)")), "{indexes:?}");
}

// ── rows ──

/// Texts that something between us and the table might take for its own.
const ODD: [&str; 17] = [
    "",
    " ",
    "'",
    "\"",
    "it's",
    "'; DROP TABLE bars; --",
    "\"; DELETE FROM instruments; /*",
    "*/ -- ;; #",
    "$1 ? ?1 :x @y {} {0} %s %n",
    r"\ \N \. \x41 \t \\",
    "a\tb\nc\r\nd\u{1b}[31m",
    "null",
    "NaN",
    "ä ß 漢字 🦀",
    "e\u{301}",
    "\u{feff}\u{200b}\u{10ffff}",
    "E'\\''",
];
const WHOLES: [i64; 6] = [0, 1, -1, 4_294_967_296, i64::MAX, i64::MIN];
const REALS: [f64; 10] = [0.1 + 0.2, 1e300, f64::MIN_POSITIVE, 5e-324, 0.0, -37.63, f64::MAX, f64::MIN, 190.26, 1.0 / 3.0];
/// 1900, just before and at 1970, with microseconds, the last of 9999.
const TIMES: [i64; 5] = [-2_208_988_800_000_000, -1, 0, 1_795_000_000_123_457, 253_402_300_799_999_999];
const LENGTHS: [i64; 4] = [60, 300, 86_400, 604_800];
/// Columns that no index holds: they take ten kilobytes.
const LONG: [&str; 7] = ["payload", "message", "note", "error", "name", "condition", "conditions"];

/// A different one for each `n`.
fn text(n: usize) -> String {
    ODD.get(n).map_or_else(|| format!("{} {n}", ODD[n % ODD.len()]), |odd| (*odd).to_owned())
}

/// Ten kilobytes that do not compress.
fn long_text(n: usize) -> String {
    let mut dice = fastrand::Rng::with_seed(n as u64);
    let noise: String = std::iter::repeat_with(|| dice.alphanumeric()).take(10_000).collect();
    format!("{noise}\n{}", text(n))
}

/// A different one for each `n`; sixty of them lie in several months.
fn time(n: usize) -> i64 {
    at(START).as_micros() + n as i64 * (31 * 3_600 * 1_000_000 + 1)
}

/// A row made up from what the columns hold. Those of different `n` differ in their key and in each text; what is
/// pointed to is one of the first three rows.
fn row(spec: &TableSpec, table: &Table, n: usize) -> Row {
    let cell = |(place, column): (usize, &ColumnSpec)| {
        let is_key = place < spec.key;
        if table.columns[column.name].nullable && (n + place).is_multiple_of(4) {
            return Field::Null;
        }
        match column.kind {
            ColumnKind::Whole if ["instrument_id", "alert_id"].contains(&column.name) => Field::Whole(1 + n as i64 % 3),
            ColumnKind::Whole if column.name == "id" => Field::Whole(n as i64 + 1),
            ColumnKind::Whole => Field::Whole(WHOLES[(n + place) % WHOLES.len()]),
            ColumnKind::Seconds => Field::Whole(LENGTHS[n % LENGTHS.len()]),
            ColumnKind::Small => Field::Whole([0, 7, i64::from(i16::MAX), i64::from(i16::MIN)][n % 4]),
            ColumnKind::Real => Field::Real(REALS[(n + place) % REALS.len()]),
            ColumnKind::Flag => Field::Whole(n as i64 % 2),
            ColumnKind::Time if is_key => Field::Whole(time(n)),
            ColumnKind::Time => Field::Whole(TIMES[(n + place) % TIMES.len()]),
            ColumnKind::Text if LONG.contains(&column.name) && n % 5 == 3 => Field::Text(long_text(n)),
            ColumnKind::Text => Field::Text(text(n)),
            ColumnKind::Json => Field::Text(
                serde_json::json!({ "n": n, "none": null, "revisions": [{ "close": 100.25, "source": text(n), "yes": true }] }).to_string(),
            ),
        }
    };
    spec.columns.iter().enumerate().map(cell).collect()
}

/// By key: numbers by size, texts byte by byte.
fn order(spec: &TableSpec, one: &Row, other: &Row) -> Ordering {
    let (one, other) = (spec.key_of(one), spec.key_of(other));
    let cell = |pair: (&Field, &Field)| match pair {
        (Field::Whole(one), Field::Whole(other)) => one.cmp(other),
        (Field::Text(one), Field::Text(other)) => one.cmp(other),
        pair => panic!("{pair:?} in the key of {}", spec.name),
    };
    one.iter().zip(&other).map(cell).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

/// JSON may be spaced and sorted as the engine likes.
fn plain(spec: &TableSpec, row: &Row) -> Row {
    let cell = |(field, column): (&Field, &ColumnSpec)| match field {
        Field::Text(text) if column.kind == ColumnKind::Json => {
            Field::Text(serde_json::from_str::<serde_json::Value>(text).expect("JSON").to_string())
        }
        field => field.clone(),
    };
    row.iter().zip(spec.columns).map(cell).collect()
}

#[track_caller]
fn same(spec: &TableSpec, found: &[Row], wanted: &[Row]) {
    assert_eq!(found.len(), wanted.len(), "rows of {}", spec.name);
    for (found, wanted) in found.iter().zip(wanted) {
        assert_eq!(plain(spec, found), plain(spec, wanted), "{}: {}", spec.name, spec.column_list());
    }
}

async fn rows(store: &dyn Store, spec: &'static TableSpec, after: Option<Row>) -> Vec<Row> {
    store.rows(spec, after).try_collect::<Vec<Vec<Row>>>().await.unwrap_or_else(|error| panic!("{}: {error}", spec.name)).concat()
}

async fn put(store: &dyn Store, spec: &'static TableSpec, rows: Vec<Row>) -> u64 {
    store.put(spec, rows).await.unwrap_or_else(|error| panic!("{}: {error}", spec.name))
}

const ROWS: usize = 60;

async fn rows_come_out_as_they_went_in(bench: &Bench) {
    let (store, schema) = (&*bench.store, bench.sql.schema().await);
    let own = store.about("id").await.unwrap();
    assert!(own.as_ref().is_some_and(|id| id.len() >= 16), "{own:?}");
    for spec in TABLES {
        a_table_takes_rows_as_they_are(store, spec, &schema[spec.name]).await;
    }
    for spec in TABLES {
        assert_eq!(rows(store, spec, None).await.len(), ROWS, "{}: what came after it changed nothing", spec.name);
    }
    new_rows_find_free_numbers(store).await;
    for spec in TABLES {
        old_rows_go_in_small_steps(store, spec).await;
    }
    store.clear().await.unwrap();
    for spec in TABLES {
        assert_eq!(rows(store, spec, None).await, Vec::<Row>::new(), "{}", spec.name);
        assert_eq!(store.last_key(spec).await.unwrap(), None, "{}", spec.name);
    }
    assert_eq!(store.about("id").await.unwrap(), own, "an emptied store is the same store");
    let spec = table("instruments");
    let again: Vec<Row> = (0..ROWS).map(|n| row(spec, &schema[spec.name], n)).collect();
    assert_eq!(put(store, spec, again).await, ROWS as u64, "it can be filled again");
}

async fn a_table_takes_rows_as_they_are(store: &dyn Store, spec: &'static TableSpec, table: &Table) {
    let mut wanted: Vec<Row> = (0..ROWS).map(|n| row(spec, table, n)).collect();
    wanted.sort_by(|one, other| order(spec, one, other));
    assert_eq!(rows(store, spec, None).await, Vec::<Row>::new(), "{}", spec.name);
    assert_eq!(store.last_key(spec).await.unwrap(), None, "{}", spec.name);
    assert_eq!(put(store, spec, Vec::new()).await, 0, "{}", spec.name);

    // One comes later: what is already there is left as it is.
    let late = spec.key_of(&wanted[20]);
    let mut mixed: Vec<Row> = wanted.iter().filter(|row| spec.key_of(row) != late).cloned().collect();
    fastrand::Rng::with_seed(7).shuffle(&mut mixed);
    assert_eq!(put(store, spec, mixed).await, ROWS as u64 - 1, "{}", spec.name);
    same(spec, &rows(store, spec, Some(late)).await, &wanted[21..]);
    assert_eq!(put(store, spec, wanted.clone()).await, 1, "{}", spec.name);
    assert_eq!(put(store, spec, wanted.clone()).await, 0, "{}", spec.name);
    same(spec, &rows(store, spec, None).await, &wanted);

    assert_eq!(store.last_key(spec).await.unwrap(), wanted.last().map(|row| spec.key_of(row)), "{}", spec.name);
    for place in [0, 1, 30, ROWS - 2, ROWS - 1] {
        same(spec, &rows(store, spec, Some(spec.key_of(&wanted[place]))).await, &wanted[place + 1..]);
    }
    let taken: Row = wanted[0][..spec.key].iter().chain(&wanted[1][spec.key..]).cloned().collect();
    assert_eq!(put(store, spec, vec![taken]).await, 0, "{}: a key that is taken", spec.name);
    same(spec, &rows(store, spec, None).await, &wanted);
}

/// Rows that were put in brought their own numbers: those that are given next must not meet them.
async fn new_rows_find_free_numbers(store: &dyn Store) {
    let instrument = store.instrument(symbol("NEW-USD")).await.unwrap();
    assert!(instrument.id.0 > ROWS as i64, "{instrument:?}");
    let job = store.save_job(failed_job("AAPL", None, 0)).await.unwrap();
    assert!(job > ROWS as i64, "{job}");
    let (id, before) = (instrument.id, store.about("id").await.unwrap());
    let batch = Batch { quarantine: vec![refused(id, "{}")], violations: vec![doubtful(id, "new")], at: minute(9), ..Batch::default() };
    store.append(batch).await.unwrap();
    for name in ["instruments", "jobs", "quarantine", "violations"] {
        assert_eq!(rows(store, table(name), None).await.len(), ROWS + 1, "{name}");
    }
    assert_eq!(store.about("id").await.unwrap(), before);
}

async fn old_rows_go_in_small_steps(store: &dyn Store, spec: &'static TableSpec) {
    let before = rows(store, spec, None).await.len();
    let prune = |time: &str| store.prune(spec, at(time), 7);
    assert_eq!(prune("1800-01-01T00:00:00Z").await.unwrap(), 0, "{}: nothing is so old", spec.name);
    let gone = prune("9999-01-01T00:00:00Z").await.unwrap();
    assert_eq!(gone, if spec.retain.is_some() { 7 } else { 0 }, "{}", spec.name);
    assert_eq!(rows(store, spec, None).await.len(), before - gone as usize, "{}", spec.name);
}

async fn a_long_table_comes_in_parts(bench: &Bench) {
    let (store, schema) = (&*bench.store, bench.sql.schema().await);
    let (instruments, quotes) = (table("instruments"), table("quotes"));
    put(store, instruments, (0..3).map(|n| row(instruments, &schema["instruments"], n)).collect()).await;
    let mut wanted: Vec<Row> = (0..20_000).map(|n| row(quotes, &schema["quotes"], n)).collect();
    assert_eq!(put(store, quotes, wanted.clone()).await, 20_000);
    wanted.sort_by(|one, other| order(quotes, one, other));
    let chunks: Vec<Vec<Row>> = store.rows(quotes, None).try_collect().await.unwrap();
    assert!(chunks.len() > 1, "a table does not come at once");
    same(quotes, &chunks.concat(), &wanted);
    // Somebody who has seen enough keeps nobody from reading on.
    for _ in 0..4 {
        let mut stream = store.rows(quotes, None);
        assert_eq!(stream.next().await.expect("a chunk").unwrap()[0], wanted[0]);
    }
    // A copy that was cut goes on after the last row that arrived.
    for place in [4_095, 4_096, 13_333] {
        same(quotes, &rows(store, quotes, Some(quotes.key_of(&wanted[place]))).await, &wanted[place + 1..]);
    }
}

/// A row that no table can take is refused with a sentence, and so is everything that came with it.
async fn a_row_that_points_to_nothing_is_refused(bench: &Bench) {
    let (store, schema) = (&*bench.store, bench.sql.schema().await);
    let (instruments, quotes) = (table("instruments"), table("quotes"));
    put(store, instruments, (0..3).map(|n| row(instruments, &schema["instruments"], n)).collect()).await;
    let good = row(quotes, &schema["quotes"], 1);
    let lost: Row = std::iter::once(Field::Whole(987_654)).chain(good[1..].iter().cloned()).collect();
    let error = store.put(quotes, vec![good.clone(), lost]).await.expect_err("it points to nothing");
    assert!(matches!(error, StoreError::Unfit { .. }), "{error:?}");
    assert_eq!(rows(store, quotes, None).await, Vec::<Row>::new(), "nothing of it is written");
    assert_eq!(put(store, quotes, vec![good]).await, 1, "and the next is");
}

/// SQLite keeps U+0000; PostgreSQL has no text with one, and keeps the sign for what cannot be shown in its place.
async fn a_zero_in_a_text(bench: &Bench) {
    let (store, alerts) = (&*bench.store, table("alerts"));
    let schema = bench.sql.schema().await;
    let with = |condition: &str| {
        let mut row = row(alerts, &schema["alerts"], 4);
        for (cell, column) in row.iter_mut().zip(alerts.columns) {
            match column.name {
                "instrument_id" => *cell = Field::Null,
                "condition" => *cell = Field::Text(condition.to_owned()),
                _ => {}
            }
        }
        row
    };
    assert_eq!(put(store, alerts, vec![with("before\0after")]).await, 1);
    let kept = match bench.sql {
        Sql::Sqlite(_) => "before\0after",
        Sql::Postgres(_) => "before\u{fffd}after",
    };
    assert_eq!(rows(store, alerts, None).await, [with(kept)]);
}

/// Two people change the list at the same time: one of them is the last, and nobody gets an error.
async fn a_list_that_several_keep_at_once(store: &dyn Store) {
    let one = store.instrument(symbol("ONE-USD")).await.unwrap().id;
    let two = store.instrument(symbol("TWO-USD")).await.unwrap().id;
    for _ in 0..8 {
        let kept = (0..4).map(|n| store.set_watchlist(if n % 2 == 0 { vec![one, two] } else { vec![two, one] }));
        for kept in futures_util::future::join_all(kept).await {
            kept.unwrap();
        }
        let list: Vec<InstrumentId> = store.watchlist().await.unwrap().expect("a list").iter().map(|instrument| instrument.id).collect();
        assert!(list == [one, two] || list == [two, one], "{list:?}");
    }
}

async fn what_the_store_says_of_itself(store: &dyn Store) {
    assert_eq!(store.about("a test").await.unwrap(), None);
    for odd in ODD {
        store.set_about("a test", Some(odd.to_owned())).await.unwrap();
        assert_eq!(store.about("a test").await.unwrap().as_deref(), Some(odd));
    }
    store.set_about("a test", None).await.unwrap();
    assert_eq!(store.about("a test").await.unwrap(), None);
}

#[tokio::test]
async fn any_row_of_any_table_on_sqlite() {
    rows_come_out_as_they_went_in(&on_sqlite()).await;
    a_long_table_comes_in_parts(&on_sqlite()).await;
    a_row_that_points_to_nothing_is_refused(&on_sqlite()).await;
    a_zero_in_a_text(&on_sqlite()).await;
    a_list_that_several_keep_at_once(&*on_sqlite().store).await;
    what_the_store_says_of_itself(&*on_sqlite().store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_row_of_any_table_on_postgres() {
    let Some(bench) = on_postgres().await else { return };
    rows_come_out_as_they_went_in(&bench).await;
    let bench = on_postgres().await.expect("the server is still there");
    a_long_table_comes_in_parts(&bench).await;
    let bench = on_postgres().await.expect("the server is still there");
    a_row_that_points_to_nothing_is_refused(&bench).await;
    a_zero_in_a_text(&bench).await;
    what_the_store_says_of_itself(&*bench.store).await;
    let bench = on_postgres().await.expect("the server is still there");
    a_list_that_several_keep_at_once(&*bench.store).await;
}

// ── the views ──

fn bar(instrument: InstrumentId, interval: Interval, open_time: Timestamp, quality: f64) -> Bar {
    Bar {
        instrument,
        interval,
        open_time,
        open: 101.5,
        high: 104.0,
        low: 100.0,
        close: 102.0,
        volume: Some(250.0),
        vwap: None,
        n_trades: Some(3),
        session: Some(SessionKind::Regular),
        source: Source::new("sim"),
        origin: Origin::Live,
        revision: 0,
        quality,
        flags: BarFlags::empty(),
    }
}

fn refused(instrument: InstrumentId, payload: &str) -> Quarantined {
    Quarantined {
        received_at: minute(2),
        source: Source::new("sim"),
        instrument,
        interval: Some(Interval::OneMinute),
        open_time: Some(minute(1)),
        reasons: vec!["off_grid".to_owned()],
        payload: payload.to_owned(),
    }
}

fn doubtful(instrument: InstrumentId, message: &str) -> Violation {
    Violation {
        time: minute(2),
        instrument,
        interval: Interval::OneMinute,
        open_time: minute(1),
        source: Source::new("sim"),
        rule: "jump".to_owned(),
        severity: Severity::Warning,
        message: message.to_owned(),
    }
}

fn failed_job(text: &str, error: Option<&str>, n: u32) -> JobRecord {
    JobRecord {
        id: 0,
        kind: "backfill".to_owned(),
        symbol: Some(symbol(text)),
        interval: Some(Interval::OneMinute),
        from: Some(minute(0)),
        to: Some(minute(10)),
        source: Some("sim".to_owned()),
        state: JobState::Failed,
        done: 1,
        total: 4,
        rows: 10,
        attempts: 2,
        error: error.map(str::to_owned),
        created_at: minute(0),
        updated_at: minute(n),
    }
}

fn asked(instrument: InstrumentId, interval: Interval, (from, to): (u32, u32), state: CoverageState) -> Coverage {
    let source = Source::new("sim");
    Coverage { instrument, interval, source, from: minute(from), to: minute(to), state, asked_at: minute(100) }
}

fn quote(instrument: InstrumentId, source: &str, n: u32, last: f64) -> QuoteRow {
    QuoteRow {
        instrument,
        source: Source::new(source),
        ts_event: minute(n),
        ts_recv: minute(n) + Duration::from_millis(40),
        last: Some(last),
        bid: Some(last - 0.25),
        bid_size: None,
        ask: Some(last + 0.25),
        ask_size: Some(7.0),
        volume: None,
    }
}

/// AAPL with minutes and days, BTC-USD with one minute, MSFT with nothing and off the list.
async fn known_rows(store: &dyn Store) -> (InstrumentId, InstrumentId) {
    let (apple, coin) = (store.instrument(symbol("AAPL")).await.unwrap().id, store.instrument(symbol("BTC-USD")).await.unwrap().id);
    let left = store.instrument(symbol("MSFT")).await.unwrap().id;
    store.set_watchlist(vec![apple, left]).await.unwrap();
    store.set_watchlist(vec![coin, apple]).await.unwrap();
    let mut bars: Vec<Bar> =
        [1.0, 0.85, 0.84, 0.5].into_iter().zip(0..).map(|(quality, n)| bar(apple, Interval::OneMinute, minute(n), quality)).collect();
    bars[1].vwap = Some(101.25);
    for (date, quality) in [("2026-11-23", 1.0), ("2026-11-24", 1.0), ("2026-11-25", 0.2)] {
        bars.push(bar(apple, Interval::OneDay, at(&format!("{date}T00:00:00Z")), quality));
    }
    bars.push(Bar { flags: BarFlags::GAP | BarFlags::MISMATCH, ..bar(coin, Interval::OneMinute, minute(0), 0.9) });
    let quotes =
        vec![quote(apple, "sim", 1, 10.0), quote(apple, "sim", 2, 11.0), quote(apple, "later", 2, 12.0), quote(coin, "sim", 0, 9.5)];
    let coverage = vec![
        asked(apple, Interval::OneMinute, (0, 10), CoverageState::Present),
        asked(apple, Interval::OneMinute, (10, 20), CoverageState::Failed),
        asked(apple, Interval::OneMinute, (30, 40), CoverageState::Failed),
        asked(apple, Interval::OneDay, (0, 10), CoverageState::EmptySaidSource),
    ];
    store.append(Batch { bars, quotes, coverage, at: minute(600), ..Batch::default() }).await.unwrap();
    for (error, n) in [(Some("timeout"), 5), (Some("refused"), 9), (None, 12)] {
        store.save_job(failed_job("AAPL", error, n)).await.unwrap();
    }
    (apple, coin)
}

async fn views_tell_what_was_appended(bench: &Bench) {
    let store = &*bench.store;
    let (apple, coin) = known_rows(store).await;
    the_minutes_and_days(bench).await;
    let newest = "last, bid, bid_size, ask, ask_size, volume, source, currency FROM latest_quotes ORDER BY symbol";
    assert_eq!(
        bench.sql.lines(&format!("SELECT symbol, {}, {newest}", bench.sql.time("time"))).await,
        ["AAPL 2026-11-25T15:02:00Z 11 10.75 - 11.25 7 - sim USD", "BTC-USD 2026-11-25T15:00:00Z 9.5 9.25 - 9.75 7 - sim USD"],
        "the newest of each; of two at the same time, the same one each time"
    );
    let status = format!(
        "SELECT symbol, CASE WHEN active THEN 'on' ELSE 'off' END, interval_s, {}, {}, bars, validated_pct, gaps, last_error, instrument_id \
         FROM symbol_status ORDER BY symbol, interval_s",
        bench.sql.time("first_bar"),
        bench.sql.time("last_bar")
    );
    let minutes = |gaps: u32| format!("AAPL on 60 2026-11-25T15:00:00Z 2026-11-25T15:03:00Z 4 50 {gaps} refused {}", apple.0);
    let others = [
        format!("AAPL on 86400 2026-11-23T00:00:00Z 2026-11-25T00:00:00Z 3 66.7 0 refused {}", apple.0),
        format!("BTC-USD on 60 2026-11-25T15:00:00Z 2026-11-25T15:00:00Z 1 100 0 - {}", coin.0),
    ];
    let (told, [days, crypto]) = (bench.sql.lines(&status).await, others);
    assert_eq!(told[..3], [minutes(2), days, crypto]);
    assert!(told.len() == 4 && told[3].starts_with("MSFT off - - - 0 - 0 - "), "{told:?}");
    let filled = vec![asked(apple, Interval::OneMinute, (10, 20), CoverageState::Present)];
    store.append(Batch { coverage: filled, at: minute(601), ..Batch::default() }).await.unwrap();
    assert_eq!(bench.sql.lines(&status).await[0], minutes(1), "a hole that was filled is none");
    the_flat_table(bench, apple).await;
}

async fn the_minutes_and_days(bench: &Bench) {
    let columns = "open, high, low, close, volume, vwap, n_trades, source, quality, flags, session, origin, revision, currency";
    let minutes = format!("SELECT symbol, {}, {columns} FROM bars_1m ORDER BY instrument_id, open_time", bench.sql.time("time"));
    let told = bench.sql.lines(&minutes).await;
    assert_eq!(told.len(), 5, "{told:?}");
    assert_eq!(told[1], "AAPL 2026-11-25T15:01:00Z 101.5 104 100 102 250 101.25 3 sim 0.85  regular live 0 USD");
    assert_eq!(told[4], "BTC-USD 2026-11-25T15:00:00Z 101.5 104 100 102 250 - 3 sim 0.9 gap|mismatch regular live 0 USD");
    let told = bench.sql.lines(&format!("SELECT symbol, date, {columns} FROM bars_1d WHERE symbol = 'AAPL' ORDER BY open_time")).await;
    assert_eq!(told.len(), 3, "{told:?}");
    assert_eq!(told[0], "AAPL 2026-11-23 101.5 104 100 102 250 - 3 sim 1  regular live 0 USD");
    assert_eq!(bench.sql.lines("SELECT date FROM bars_1d ORDER BY open_time").await, ["2026-11-23", "2026-11-24", "2026-11-25"]);
}

async fn the_flat_table(bench: &Bench, apple: InstrumentId) {
    // A later word of the same source: what was said before stays known.
    let late = Bar { close: 103.0, revision: 1, ..bar(apple, Interval::OneMinute, minute(3), 1.0) };
    let ack = bench.store.append(Batch { bars: vec![late], at: minute(700), ..Batch::default() }).await.unwrap();
    assert_eq!((ack.inserted, ack.replaced), (0, 1));
    let told =
        bench.sql.lines(&format!("SELECT id, ticker, {}, high, low, avg, sale FROM stocks ORDER BY id", bench.sql.time("time"))).await;
    let id = |n: u32| apple.0 * 68_719_476_736 + minute(n).as_seconds();
    assert_eq!(told.len(), 5, "minutes only: {told:?}");
    assert_eq!(told[0], format!("{} AAPL 2026-11-25T15:00:00Z 104 100 102 102", id(0)), "without a vwap, the mean of high, low and close");
    assert_eq!(told[1], format!("{} AAPL 2026-11-25T15:01:00Z 104 100 101.25 102", id(1)));
    assert_eq!(told[3], format!("{} AAPL 2026-11-25T15:03:00Z 104 100 {} 103", id(3), (104.0 + 100.0 + 103.0) / 3.0));
    assert_eq!(bench.sql.lines("SELECT count(*), count(DISTINCT id) FROM stocks").await, ["5 5"]);
    let meta = bench.sql.names("SELECT meta FROM stocks WHERE meta IS NOT NULL").await;
    let [meta] = &meta[..] else { panic!("one was replaced: {meta:?}") };
    let meta: serde_json::Value = serde_json::from_str(meta).expect("JSON");
    let before = &meta["revisions"][0];
    assert_eq!(
        (before["close"].as_f64(), before["source"].as_str(), before["revision"].as_i64()),
        (Some(102.0), Some("sim"), Some(0)),
        "{meta}"
    );
    assert_eq!(before["at"].as_str(), Some("2026-11-26T02:40:00Z"), "when it was replaced: {meta}");
}

/// A year as FMP writes it and as Alpha Vantage does, one that is not whole, and what is no report of a period.
async fn the_usual_figures(bench: &Bench) {
    let id = bench.store.instrument(symbol("IBM")).await.unwrap().id;
    let report = |source: &str, statement: Statement, date: &str, fields: serde_json::Value| FundamentalRow {
        instrument: id,
        source: Source::new(source),
        fundamental: Fundamental {
            statement,
            period: if statement == Statement::Overview { Period::Latest } else { Period::Annual },
            fiscal_date: date.parse().unwrap(),
            fields: fields.as_object().expect("an object").clone(),
        },
        asked_at: minute(1),
    };
    let (income, balance, cash) = (Statement::Income, Statement::BalanceSheet, Statement::CashFlow);
    let fmp_income = serde_json::json!({ "reportedCurrency": "USD", "revenue": 1_000, "grossProfit": 400.5, "operatingIncome": 300,
        "netIncome": 250, "epsDiluted": 7.25 });
    let fmp_balance = serde_json::json!({ "reportedCurrency": "USD", "totalAssets": 90, "totalLiabilities": 60,
        "totalStockholdersEquity": 30, "cashAndCashEquivalents": 9, "totalDebt": 40 });
    let fmp_cash = serde_json::json!({ "netIncome": 999, "operatingCashFlow": 70, "capitalExpenditure": -20, "freeCashFlow": 50 });
    let av_income = serde_json::json!({ "reportedCurrency": "USD", "totalRevenue": "1000", "grossProfit": "None", "operatingIncome": "-",
        "netIncome": "-250.5" });
    let av_balance = serde_json::json!({ "totalAssets": "90", "totalLiabilities": "60", "totalShareholderEquity": "30",
        "cashAndCashEquivalentsAtCarryingValue": "9", "shortLongTermDebtTotal": "" });
    let av_cash = serde_json::json!({ "reportedCurrency": "None", "operatingCashflow": "70", "capitalExpenditures": "20" });
    let fundamentals = vec![
        report("fmp", income, "2025-12-31", fmp_income),
        report("fmp", balance, "2025-12-31", fmp_balance),
        report("fmp", cash, "2025-12-31", fmp_cash.clone()),
        report("fmp", cash, "2024-12-31", fmp_cash),
        report("alpha_vantage", income, "2025-12-31", av_income),
        report("alpha_vantage", balance, "2025-12-31", av_balance),
        report("alpha_vantage", cash, "2025-12-31", av_cash),
        report("fmp", Statement::Overview, "2026-11-25", serde_json::json!({ "revenue": 5, "Name": "IBM" })),
    ];
    bench.store.append(Batch { fundamentals, at: minute(9), ..Batch::default() }).await.unwrap();
    let told = bench
        .sql
        .lines(
            "SELECT symbol, date, period, source, reported_currency, revenue, gross_profit, operating_income, net_income, eps_diluted, \
             total_assets, total_liabilities, total_equity, cash, total_debt, operating_cash_flow, capital_expenditure, free_cash_flow \
             FROM fundamentals_usual WHERE symbol = 'IBM' ORDER BY fiscal_date DESC, source",
        )
        .await;
    assert_eq!(
        told,
        [
            "IBM 2025-12-31 annual alpha_vantage USD 1000 - - -250.5 - 90 60 30 9 - 70 20 -",
            "IBM 2025-12-31 annual fmp USD 1000 400.5 300 250 7.25 90 60 30 9 40 70 -20 50",
            "IBM 2024-12-31 annual fmp - - - - - - - - - - - 70 -20 50",
        ]
    );
}

#[tokio::test]
async fn the_views_of_sqlite() {
    views_tell_what_was_appended(&on_sqlite()).await;
    the_usual_figures(&on_sqlite()).await;
}

/// SQLite plans without having counted anything: what is asked of one symbol must not read the bars of all.
#[tokio::test]
async fn a_view_asked_for_one_symbol_reads_the_rows_of_that_symbol() {
    let bench = on_sqlite();
    let questions = [
        "bars_1m WHERE symbol = 'AAPL' AND open_time >= 1 AND open_time < 2 ORDER BY open_time",
        "bars_1d WHERE symbol = 'AAPL' ORDER BY open_time DESC LIMIT 3",
        "latest_quotes WHERE symbol = 'AAPL'",
        "stocks WHERE ticker = 'AAPL'",
        "fundamentals_usual WHERE symbol = 'AAPL' AND fiscal_date >= 1",
    ];
    for question in questions {
        let plan = bench.sql.ask(&format!("EXPLAIN QUERY PLAN SELECT * FROM {question}")).await;
        let steps: Vec<String> = plan.into_iter().filter_map(|mut step| step.pop().flatten()).collect();
        // A view that groups is gone through itself, once its rows are made.
        let small = ["SCAN i", "SCAN fundamentals_usual"];
        let whole: Vec<&String> = steps
            .iter()
            .filter(|step| step.starts_with("SCAN ") && !small.contains(&step.as_str()) && !step.starts_with("SCAN i "))
            .collect();
        assert!(!steps.is_empty() && whole.is_empty(), "{question}: {steps:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_views_of_postgres() {
    let Some(bench) = on_postgres().await else { return };
    views_tell_what_was_appended(&bench).await;
    the_usual_figures(&bench).await;
}

/// Each month of intraday bars has a partition of its own; days and weeks have one together.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn intraday_bars_lie_in_monthly_partitions() {
    let Some(bench) = on_postgres().await else { return };
    let id = bench.store.instrument(symbol("BTC-USD")).await.unwrap().id;
    let times = ["1999-12-31T23:59:00Z", "2000-01-01T00:00:00Z", "2026-10-31T23:59:00Z", "2026-11-01T00:00:00Z", "2026-11-30T23:59:00Z"];
    let mut bars: Vec<Bar> = times.map(|time| bar(id, Interval::OneMinute, at(time), 1.0)).into();
    bars.push(bar(id, Interval::OneHour, at("2026-12-01T00:00:00Z"), 1.0));
    bars.push(bar(id, Interval::OneDay, at("2026-11-01T00:00:00Z"), 1.0));
    bars.push(bar(id, Interval::OneWeek, at("1999-12-27T00:00:00Z"), 1.0));
    let ack = bench.store.append(Batch { bars, at: minute(0), ..Batch::default() }).await.unwrap();
    assert_eq!(ack.inserted, 8);

    let lie = "SELECT tableoid::regclass::text, interval_s, count(*) FROM bars GROUP BY 1, 2 ORDER BY 1, 2";
    let wanted = [
        "bars_1999_12 60 1",
        "bars_2000_01 60 1",
        "bars_2026_10 60 1",
        "bars_2026_11 60 2",
        "bars_2026_12 3600 1",
        "bars_long 86400 1",
        "bars_long 604800 1",
    ];
    assert_eq!(bench.sql.lines(lie).await, wanted);
    let partitions = "SELECT c.relname, pg_get_expr(c.relpartbound, c.oid) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid \
                      WHERE i.inhparent = 'bars_intraday'::regclass ORDER BY 1";
    let partitions = bench.sql.lines(partitions).await;
    for partition in &partitions {
        let words: Vec<&str> = partition.split([' ', '_', '(', ')', '\'', '-']).filter(|word| !word.is_empty()).collect();
        let ["bars", year, month, "FOR", "VALUES", "FROM", y1, m1, "01", "00:00:00+00", "TO", y2, m2, "01", "00:00:00+00"] = words[..]
        else {
            panic!("{partition}")
        };
        let months = |year: &str, month: &str| year.parse::<i32>().unwrap() * 12 + month.parse::<i32>().unwrap();
        assert_eq!((year, month, months(y2, m2)), (y1, m1, months(y1, m1) + 1), "{partition}");
    }
    assert!(partitions.len() >= 5, "{partitions:?}");
}

// ── words of SQL are data ──

fn openbell(home: &Path, store: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_openbell"));
    command.args(["--store", store]).args(arguments).env_clear().env("HOME", home).current_dir(home);
    command.output().unwrap()
}

async fn everything(store: &dyn Store) -> Vec<Vec<Row>> {
    let mut all = Vec::new();
    for spec in TABLES {
        all.push(rows(store, spec, None).await);
    }
    all
}

/// Arguments that are no symbol, no range, no number, no table: each is refused, and none reaches the store.
const REFUSED: [&[&str]; 13] = [
    &["bars", "AAPL'; DROP TABLE bars; --"],
    &["bars", "AAPL;DROP"],
    &["bars", "AAPL", "--interval", "1d'; DROP TABLE bars; --"],
    &["bars", "AAPL", "--from", "2026-01-01'; DELETE FROM bars; --"],
    &["bars", "AAPL", "--to", "2026-01-01 OR 1=1"],
    &["bars", "AAPL", "--min-quality", "0 OR 1=1"],
    &["export", "bars; DROP TABLE bars", "--out", "x.csv"],
    &["export", "bars", "AAPL' OR '1'='1", "--out", "x.csv"],
    &["export", "bars", "AAPL", "--from", "'; DROP TABLE bars; --", "--out", "x.csv"],
    &["export", "bars", "--where", "close > 0; DROP TABLE bars", "--out", "x.csv"],
    &["quarantine", "AAPL\"; DROP TABLE quarantine; --"],
    &["violations", "--from", "0) OR (1=1"],
    &["symbols", "add", "X'); DROP TABLE instruments; --"],
];

async fn words_of_sql_are_data(bench: &Bench) {
    let store = &*bench.store;
    let evil = "'; DROP TABLE bars; DELETE FROM instruments; --";
    let id = store.instrument(symbol("AAPL")).await.unwrap().id;
    let named = Bar { source: Source::new(evil), ..bar(id, Interval::OneDay, at("2026-11-25T00:00:00Z"), 1.0) };
    let quarantine = vec![Quarantined { reasons: vec![evil.to_owned()], source: Source::new(evil), ..refused(id, evil) }];
    let violations = vec![Violation { rule: evil.to_owned(), source: Source::new(evil), ..doubtful(id, evil) }];
    let job = JobRecord { kind: evil.to_owned(), source: Some(evil.to_owned()), ..failed_job("AAPL", Some(evil), 3) };
    store.save_job(job.clone()).await.unwrap();
    let batch = Batch { bars: vec![named], quarantine: quarantine.clone(), violations, at: minute(9), ..Batch::default() };
    store.append(batch).await.unwrap();
    let kept = store.jobs(JobQuery::All).await.unwrap();
    assert_eq!(kept.iter().map(|kept| JobRecord { id: 0, ..kept.clone() }).collect::<Vec<_>>(), [job]);
    let of = RecordQuery { instruments: vec![id], ..RecordQuery::default() };
    assert_eq!(store.quarantine(of.clone()).await.unwrap(), quarantine);
    assert_eq!(store.violations(of).await.unwrap()[0].violation.message, evil);

    let before = everything(store).await;
    let home = TempDir::new().unwrap();
    for arguments in REFUSED {
        let output = openbell(home.path(), &bench.url, arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(!said.is_empty(), "{arguments:?}");
    }
    for (table, column) in [("bars", "source"), ("violations", "message"), ("quarantine", "payload")] {
        let out = format!("{table}.jsonl");
        let output = openbell(home.path(), &bench.url, &["export", table, "--out", &out]);
        assert!(output.status.success(), "{table}: {}", String::from_utf8_lossy(&output.stderr));
        let written = fs::read_to_string(home.path().join(out)).unwrap();
        let line: serde_json::Value = serde_json::from_str(written.lines().next().expect("a row")).unwrap();
        assert_eq!(line[column].as_str(), Some(evil), "{table}");
    }
    let output = openbell(home.path(), &bench.url, &["bars", "AAPL", "--format", "csv"]);
    assert!(output.status.success() && String::from_utf8_lossy(&output.stdout).contains(evil));
    assert_eq!(everything(store).await, before, "nothing of it was ever carried out");
    assert_eq!(store.check().await.unwrap(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn words_of_sql_are_data_on_sqlite() {
    let bench = on_sqlite();
    words_of_sql_are_data(&bench).await;
    let folder = bench.folder.expect("it lies in a file");
    let files: BTreeSet<String> =
        fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    assert!(files.iter().all(|file| file.starts_with("it's; DROP TABLE bars; --.db")), "{files:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn words_of_sql_are_data_on_postgres() {
    let Some(bench) = on_postgres().await else { return };
    words_of_sql_are_data(&bench).await;
}
