//! What somebody is told whose PostgreSQL cannot be used as it is: a sentence, never a password, and nothing half made.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::time::Duration;

use openbell::config::PostgresUrl;
use openbell::market::{Bar, BarFlags, InstrumentId, Interval, Origin, SessionKind, Source, Timestamp};
use openbell::pipeline::Ranks;
use openbell::store::{Batch, Creation, Postgres, Store, StoreError};
use tempfile::TempDir;

use crate::postgres::{self, Cluster, Options, TestDatabase};

const PASSWORD: &str = "hunter2";

async fn open(url: &str, creation: Creation) -> Result<Postgres, StoreError> {
    let address: PostgresUrl = url.parse().expect(url);
    Postgres::open(&address, creation, Ranks::default()).await
}

/// A store that is there and takes rows.
async fn opened(url: &str) -> Postgres {
    open(url, Creation::IfEmpty).await.unwrap_or_else(|error| panic!("{url}: {error}"))
}

/// Why it does not open, and how that is told.
async fn refused(url: &str, creation: Creation) -> (StoreError, String) {
    let error = open(url, creation).await.err().unwrap_or_else(|| panic!("{url} opened"));
    let sentence = told(&error);
    (error, sentence)
}

/// An error as a person reads it: one line, no inner words of the program, no password.
fn told(error: &StoreError) -> String {
    let text = error.to_string();
    let odd = ["\n", "{ ", "Error(", "Some(", "kind:", PASSWORD];
    assert!(odd.iter().all(|part| !text.contains(part)), "{text}");
    text
}

fn batch(instrument: InstrumentId) -> Batch {
    let start: Timestamp = "2026-11-25T15:00:00Z".parse().unwrap();
    let bar = |n: u32| Bar {
        instrument,
        interval: Interval::OneMinute,
        open_time: start + Duration::from_secs(60) * n,
        open: 1.0,
        high: 1.0,
        low: 1.0,
        close: 1.0,
        volume: Some(1.0),
        vwap: None,
        n_trades: None,
        session: Some(SessionKind::Regular),
        source: Source::new("sim"),
        origin: Origin::Live,
        revision: 0,
        quality: 1.0,
        flags: BarFlags::empty(),
    };
    Batch { bars: (0..100).map(bar).collect(), at: start, ..Batch::default() }
}

async fn instrument(store: &Postgres) -> InstrumentId {
    store.instrument("BTC-USD".parse().unwrap()).await.expect("it is made").id
}

/// Ends the store's connections, so that the next ones begin under what was changed.
async fn disconnect(database: &TestDatabase) {
    let others =
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    database.psql(others).await;
}

/// Everything of a database that a program could have changed.
async fn fingerprint(database: &TestDatabase) -> Vec<String> {
    let relations = "SELECT c.oid, c.relname, c.relfilenode, c.relkind, a.attnum, a.attname, c.xmin, a.xmin FROM pg_class c \
                     JOIN pg_attribute a ON a.attrelid = c.oid WHERE c.relnamespace = 'public'::regnamespace ORDER BY c.oid, a.attnum";
    database.psql(relations).await
}

#[tokio::test]
async fn a_password_is_asked_for_and_never_told() {
    let Some(cluster) = postgres::own(&Options { hba: "host all all 127.0.0.1/32 scram-sha-256", ..Options::default() }) else { return };
    cluster.psql("postgres", &format!("CREATE ROLE desk LOGIN PASSWORD '{PASSWORD}'")).await;
    cluster.psql("postgres", "CREATE DATABASE desk OWNER desk").await;
    opened(&cluster.url_of(&format!("desk:{PASSWORD}"), "desk")).await;
    for user in [format!("desk:{PASSWORD}-and-more"), format!("nobody_here:{PASSWORD}"), "desk".to_owned()] {
        let (error, sentence) = refused(&cluster.url_of(&user, "desk"), Creation::IfEmpty).await;
        assert!(matches!(error, StoreError::Refused { .. }), "{user}: {error:?}");
        assert!(sentence.contains("password"), "{user}: {sentence}");
    }
}

#[tokio::test]
async fn a_database_that_is_not_there_is_named() {
    let Some(database) = postgres::database().await else { return };
    let url = database.url().replace(database.name(), "not_here");
    for creation in [Creation::Never, Creation::IfEmpty, Creation::Always] {
        let (error, sentence) = refused(&url, creation).await;
        assert!(matches!(error, StoreError::Refused { .. }), "{error:?}");
        assert!(sentence.ends_with("/not_here refuses: there is no database of that name; createdb makes one"), "{sentence}");
    }
    let (error, sentence) = refused(&database.url(), Creation::Never).await;
    assert!(matches!(error, StoreError::Missing(_)) && sentence.contains("openbell db init"), "{sentence}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_away() {
    // Somebody had this port a moment ago.
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let (error, sentence) = refused(&format!("postgres://desk:{PASSWORD}@127.0.0.1:{port}/desk"), Creation::IfEmpty).await;
    assert!(matches!(error, StoreError::Away { .. }), "{error:?}");
    assert!(sentence.starts_with(&format!("cannot reach postgres://desk@127.0.0.1:{port}/desk: ")), "{sentence}");
    assert!(sentence.contains("refused"), "{sentence}");
}

#[tokio::test]
async fn a_store_can_be_reached_by_its_socket() {
    let Some(cluster) = postgres::own(&Options::default()) else { return };
    cluster.make("near").await;
    let store = opened(&cluster.socket_url("near")).await;
    store.append(batch(instrument(&store).await)).await.expect("it is written");
    assert_eq!(cluster.psql("near", "SELECT count(*) FROM bars").await, ["100"]);
    let peers = "SELECT DISTINCT client_addr IS NULL FROM pg_stat_activity WHERE datname = 'near'";
    assert_eq!(cluster.psql("near", peers).await, ["t"]);
}

#[tokio::test]
async fn a_user_who_may_not_make_tables_is_told_so() {
    let Some(database) = postgres::database().await else { return };
    let guest = format!("guest_of_{}", database.name());
    database.psql(&format!("CREATE ROLE {guest} LOGIN")).await;
    let url = database.url_of(&guest);
    for creation in [Creation::IfEmpty, Creation::Always] {
        let (error, sentence) = refused(&url, creation).await;
        assert!(matches!(error, StoreError::Refused { .. }), "{error:?}");
        assert!(sentence.contains("permission denied"), "{sentence}");
    }
    assert_eq!(fingerprint(&database).await, Vec::<String>::new(), "nothing is half made");
    // Somebody else made them: then it is a matter of rights to the tables.
    opened(&database.url()).await;
    let store = open(&url, Creation::Never).await;
    let error = match store {
        Ok(store) => store.instrument("BTC-USD".parse().unwrap()).await.expect_err("it may not write"),
        Err(error) => error,
    };
    assert!(matches!(error, StoreError::Refused { .. }) && told(&error).contains("permission denied"), "{error:?}");
}

#[tokio::test]
async fn a_database_that_only_answers_questions_is_read_only() {
    let Some(database) = postgres::database().await else { return };
    let read_only = |on: &str| format!("ALTER DATABASE {} SET default_transaction_read_only = {on}", database.name());
    database.psql(&read_only("on")).await;
    let (error, sentence) = refused(&database.url(), Creation::IfEmpty).await;
    assert!(matches!(error, StoreError::ReadOnly(_)) && sentence.contains("read-only"), "{error:?}");
    assert_eq!(fingerprint(&database).await, Vec::<String>::new());

    // The connection that changes it is read-only as well.
    let writable = format!("BEGIN READ WRITE; {}; COMMIT", read_only("off"));
    database.psql(&writable).await;
    let store = opened(&database.url()).await;
    let id = instrument(&store).await;
    database.psql(&read_only("on")).await;
    disconnect(&database).await;
    let error = until_answered(&store, id).await.expect_err("nothing can be written");
    assert!(matches!(error, StoreError::ReadOnly(_)), "{error:?}");
    assert_eq!(store.instruments().await.expect("what is there can be read").len(), 1);
    database.psql(&writable).await;
    disconnect(&database).await;
    assert_eq!(until_answered(&store, id).await.expect("it takes rows again").inserted, 100);
}

/// Appends; a connection that was ended under way is not the answer that is waited for.
async fn until_answered(store: &Postgres, id: InstrumentId) -> Result<openbell::store::Ack, StoreError> {
    for _ in 0..20 {
        match store.append(batch(id)).await {
            Err(StoreError::Away { .. }) => {}
            answer => return answer,
        }
    }
    panic!("the store stays away");
}

#[tokio::test]
async fn a_statement_that_takes_too_long_is_said_to() {
    let Some(database) = postgres::database().await else { return };
    let id = instrument(&opened(&database.url()).await).await;
    let store = opened(&format!("{}?options=-c%20statement_timeout%3D500", database.url())).await;
    let holder = database.client().await;
    holder.batch_execute("BEGIN; LOCK TABLE bars IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let error = store.append(batch(id)).await.expect_err("somebody holds the table");
    assert!(matches!(error, StoreError::Refused { .. }) && told(&error).contains("statement_timeout"), "{error:?}");
    holder.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(database.psql("SELECT count(*) FROM bars").await, ["0"], "nothing is half written");
    assert_eq!(store.append(batch(id)).await.expect("nobody holds it").inserted, 100);
}

#[tokio::test]
async fn tables_that_somebody_altered_are_called_altered() {
    let Some(database) = postgres::database().await else { return };
    let store = opened(&database.url()).await;
    let id = instrument(&store).await;
    store.append(batch(id)).await.expect("it is as it was made");
    database.psql("ALTER TABLE bars DROP COLUMN vwap CASCADE").await;
    let others = batch(id).bars.into_iter().map(|bar| Bar { interval: Interval::FiveMinutes, ..bar }).collect();
    let error = store.append(Batch { bars: others, ..Batch::default() }).await.expect_err("a column is gone");
    assert!(matches!(error, StoreError::Altered { .. }), "{error:?}");
    let sentence = told(&error);
    assert!(sentence.contains("vwap") && sentence.contains("openbell db check"), "{sentence}");
    let found = store.check().await.expect("it can be looked at");
    assert!(found.iter().any(|line| line.contains("bars.vwap")), "{found:?}");
    assert_eq!(database.psql("SELECT count(*) FROM bars").await, ["100"]);
}

#[tokio::test]
async fn a_server_whose_connections_are_used_up_is_away_until_there_are_some() {
    let Some(database) = postgres::database().await else { return };
    let user = format!("crowd_of_{}", database.name());
    let limit = |most: i32| format!("ALTER ROLE {user} CONNECTION LIMIT {most}");
    database.psql(&format!("CREATE ROLE {user} LOGIN")).await;
    database.psql(&format!("ALTER DATABASE {} OWNER TO {user}", database.name())).await;
    database.psql(&limit(0)).await;
    let url = database.url_of(&user);
    let (error, sentence) = refused(&url, Creation::IfEmpty).await;
    assert!(matches!(error, StoreError::Away { .. }) && sentence.contains("too many connections"), "{error:?}");

    database.psql(&limit(-1)).await;
    let store = opened(&url).await;
    let id = instrument(&store).await;
    database.psql(&limit(0)).await;
    disconnect(&database).await;
    for _ in 0..3 {
        let error = store.append(batch(id)).await.expect_err("there is no connection to be had");
        assert!(matches!(error, StoreError::Away { .. }), "{error:?}");
        told(&error);
    }
    database.psql(&limit(-1)).await;
    assert_eq!(until_answered(&store, id).await.expect("there are some again").inserted, 100);
}

#[tokio::test]
async fn a_store_of_a_newer_version_is_left_as_it_is() {
    let Some(database) = postgres::database().await else { return };
    opened(&database.url()).await;
    database.psql("UPDATE refinery_schema_history SET version = version + 41").await;
    let (before, versions) = (fingerprint(&database).await, "SELECT * FROM refinery_schema_history ORDER BY version");
    let history = database.psql(versions).await;
    for creation in [Creation::Never, Creation::IfEmpty, Creation::Always] {
        let (error, sentence) = refused(&database.url(), creation).await;
        assert!(matches!(error, StoreError::Newer { found, known, .. } if found == known + 41), "{error:?}");
        assert!(sentence.contains("left as it is"), "{sentence}");
    }
    assert_eq!((fingerprint(&database).await, database.psql(versions).await), (before, history));
}

#[tokio::test]
async fn tables_of_another_program_are_not_joined_unless_asked() {
    let Some(database) = postgres::database().await else { return };
    database.psql("CREATE TABLE notes (text text)").await;
    database.psql("INSERT INTO notes VALUES ('mine')").await;
    let before = fingerprint(&database).await;
    for creation in [Creation::Never, Creation::IfEmpty] {
        let (error, sentence) = refused(&database.url(), creation).await;
        assert!(matches!(error, StoreError::Foreign(_) | StoreError::Missing(_)), "{error:?}");
        assert!(sentence.contains("openbell db init"), "{sentence}");
    }
    assert!(matches!(refused(&database.url(), Creation::IfEmpty).await.0, StoreError::Foreign(_)));
    assert_eq!(fingerprint(&database).await, before);
    open(&database.url(), Creation::Always).await.map(drop).expect("asked, ours are made beside them");
    assert_eq!(database.psql("SELECT text FROM notes").await, ["mine"]);
    opened(&database.url()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn programs_that_start_together_make_the_tables_once() {
    let Some(database) = postgres::database().await else { return };
    let opening = (0..4).map(|_| {
        let url = database.url();
        tokio::spawn(async move { open(&url, Creation::IfEmpty).await.map(drop) })
    });
    for opened in opening.collect::<Vec<_>>() {
        opened.await.unwrap().expect("it finds its tables made, or makes them");
    }
    let versions = database.psql("SELECT count(*), count(DISTINCT version) FROM refinery_schema_history").await;
    let (rows, distinct) = versions[0].split_once('|').unwrap();
    assert_eq!(rows, distinct, "each migration ran once");
    let store = opened(&database.url()).await;
    assert_eq!(store.check().await.unwrap(), Vec::<String>::new());
    assert!(store.about("id").await.unwrap().is_some());
}

// ── on the way to the server ──

/// A server that takes only encrypted connections by TCP, with a certificate for these names.
fn guarded(folder: &Path, names: &str) -> Option<(Cluster, postgres::SslFiles)> {
    let files = postgres::or_left_out("PostgreSQL with a private authority", postgres::make_ssl_files(folder, names))?;
    let options = Options { ssl: Some(files.clone()), hba: "hostssl all all 127.0.0.1/32 trust", ..Options::default() };
    Some((postgres::own(&options)?, files))
}

/// Whether the store's connections are encrypted; two answers when they differ.
async fn encrypted(cluster: &Cluster) -> Vec<String> {
    let sql = "SELECT DISTINCT s.ssl FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid) \
               WHERE a.datname = 'tls' AND a.backend_type = 'client backend' AND a.application_name <> 'looking in'";
    cluster.psql("tls", sql).await
}

#[tokio::test]
async fn sslmode_is_what_it_is_to_libpq() {
    let folder = TempDir::new().unwrap();
    let Some((cluster, files)) = guarded(&folder.path().join("ours"), "DNS:localhost, IP:127.0.0.1") else { return };
    let theirs = postgres::make_ssl_files(&folder.path().join("theirs"), "DNS:localhost, IP:127.0.0.1").unwrap();
    cluster.make("tls").await;
    let (by_number, by_name) = (cluster.url("tls"), cluster.url("tls").replace("127.0.0.1", "localhost"));
    let with = |url: &str, mode: &str, ca: &Path| format!("{url}?sslmode={mode}&sslrootcert={}", ca.display());

    for url in [&by_number, &by_name] {
        let plain = ["allow", "prefer", "require"].map(|mode| format!("{url}?sslmode={mode}"));
        let checked = ["verify-ca", "verify-full"].map(|mode| with(url, mode, &files.ca));
        for url in plain.into_iter().chain(checked) {
            let store = opened(&url).await;
            assert!(store.instruments().await.is_ok(), "{url}");
            assert_eq!(encrypted(&cluster).await, ["t"], "{url}");
        }
    }
    let (error, sentence) = refused(&format!("{by_number}?sslmode=disable"), Creation::IfEmpty).await;
    assert!(matches!(error, StoreError::Refused { .. }) && sentence.contains("no encryption"), "{error:?}");
    for mode in ["verify-ca", "verify-full"] {
        let (_, sentence) = refused(&with(&by_number, mode, &theirs.ca), Creation::IfEmpty).await;
        assert!(sentence.contains("certificate"), "an authority that we were not told of, {mode}: {sentence}");
    }
    let (_, sentence) = refused(&with(&by_number, "verify-full", &folder.path().join("nothing.crt")), Creation::IfEmpty).await;
    assert!(sentence.contains("nothing.crt"), "{sentence}");
    fs::write(folder.path().join("odd.crt"), "this is no certificate").unwrap();
    let (_, sentence) = refused(&with(&by_number, "verify-full", &folder.path().join("odd.crt")), Creation::IfEmpty).await;
    assert!(sentence.contains("odd.crt"), "{sentence}");
}

#[tokio::test]
async fn a_certificate_for_another_name_is_enough_for_verify_ca_only() {
    let folder = TempDir::new().unwrap();
    let Some((cluster, files)) = guarded(folder.path(), "DNS:elsewhere.example") else { return };
    cluster.make("tls").await;
    for host in ["127.0.0.1", "localhost"] {
        let with =
            |mode: &str| format!("{}?sslmode={mode}&sslrootcert={}", cluster.url("tls").replace("127.0.0.1", host), files.ca.display());
        let (_, sentence) = refused(&with("verify-full"), Creation::IfEmpty).await;
        assert!(sentence.contains("certificate"), "{host}: {sentence}");
        let store = opened(&with("verify-ca")).await;
        assert_eq!(encrypted(&cluster).await, ["t"], "{host}");
        drop(store);
    }
}

#[tokio::test]
async fn a_server_without_encryption_is_refused_where_it_is_asked_for() {
    let Some(database) = postgres::database().await else { return };
    for mode in ["disable", "allow", "prefer"] {
        opened(&format!("{}?sslmode={mode}", database.url())).await;
    }
    for mode in ["require", "verify-ca", "verify-full"] {
        let (_, sentence) = refused(&format!("{}?sslmode={mode}", database.url()), Creation::IfEmpty).await;
        assert!(sentence.contains("TLS"), "{mode}: {sentence}");
    }
}
