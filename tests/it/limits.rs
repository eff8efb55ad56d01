//! What a source allows, kept by everybody who asks it: this call and the next, this process and the next, and the one beside it.

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join;
use openbell::engine::{load_counts, save_counts};
use openbell::host::Clock;
use openbell::market::Timestamp;
use openbell::pipeline::Ranks;
use openbell::provider::net::{Limiter, Limits, next_day};
use openbell::provider::{PROVIDERS, ProviderError};
use openbell::store::{Creation, Postgres, RequestCount, Sqlite, Store};
use tempfile::TempDir;

use crate::net::{call, http};
use crate::postgres;
use crate::server::{Answer, Asked, HttpServer, at, drive, in_order, seconds};
use crate::sizes::open;

/// 07:00 in New York.
const NOON: &str = "2026-11-24T12:00:00Z";
const STEP: Duration = Duration::from_millis(100);
const HOST: &str = "api.example.com";
const CAP: u64 = 25;

/// Sixty requests at once, so that only the caps hold anybody up.
fn limits(per_day: Option<u64>, bytes_per_month: Option<u64>) -> Limits {
    Limits { per_minute: NonZeroU32::new(600).unwrap(), per_day, bytes_per_month }
}

fn limiter(clock: &Clock, per_day: Option<u64>) -> Limiter {
    Limiter::new("test", limits(per_day, None), clock.clone())
}

/// A limiter of a new process: it knows what earlier ones counted, and counts in the store.
async fn process(clock: &Clock, store: &Arc<dyn Store>) -> Limiter {
    let limiter = limiter(clock, Some(CAP));
    limiter.load(&store.request_counts(clock.now() - seconds(31 * 86_400)).await.unwrap());
    limiter.keep_in(Arc::clone(store));
    limiter
}

async fn ask(limiter: &Limiter) -> Result<(), ProviderError> {
    limiter.turn(HOST, NonZeroU32::MIN).await
}

/// How many of so many requests are let through.
async fn ask_often(limiter: &Limiter, times: u64) -> u64 {
    let mut let_through = 0;
    for _ in 0..times {
        let_through += u64::from(ask(limiter).await.is_ok());
        tokio::task::yield_now().await;
    }
    let_through
}

fn used_up(until: &str) -> ProviderError {
    ProviderError::UsedUp { message: "the 25 requests that test allows in a day are used up".to_owned(), until: at(until) }
}

struct Place {
    file: PathBuf,
    _folder: TempDir,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { file: folder.path().join("counts.db"), _folder: folder }
    }

    fn open(&self) -> Arc<dyn Store> {
        Arc::new(Sqlite::open(&self.file, Creation::IfEmpty, Ranks::default()).unwrap())
    }
}

/// Does something to the file that no store knows of.
fn meddle(file: &Path, sql: &str) -> rusqlite::Connection {
    let connection = rusqlite::Connection::open(file).unwrap();
    connection.execute_batch(sql).unwrap();
    connection
}

const HIDE: &str = "ALTER TABLE request_counts RENAME TO hidden";
const SHOW: &str = "ALTER TABLE hidden RENAME TO request_counts";

/// What the store counted of a source, in all.
async fn counted(store: &Arc<dyn Store>, source: &str) -> u64 {
    let counts = store.request_counts(Timestamp::MIN).await.unwrap();
    counts.iter().filter(|count| count.source == source).map(|count| count.count.unsigned_abs()).sum()
}

// ── a day ──

#[tokio::test]
async fn a_days_requests_are_so_many_until_midnight_in_new_york() {
    let (clock, place) = (Clock::manual(at(NOON)), Place::new());
    let store = place.open();
    let first = process(&clock, &store).await;
    assert_eq!(ask_often(&first, CAP).await, CAP);
    let error = ask(&first).await.unwrap_err();
    assert_eq!(error, used_up("2026-11-25T05:00:00Z"));
    let text = error.to_string();
    assert!(text.contains("25 requests") && text.contains("2026-11-25T05:00:00Z"), "{text}");
    assert_eq!(error.after(clock.now()), Some(seconds(17 * 3_600)));
    // Neither a restart, nor a process that did not look first, lifts the cap.
    let second = process(&clock, &place.open()).await;
    assert_eq!(ask(&second).await, Err(used_up("2026-11-25T05:00:00Z")));
    let hasty = limiter(&clock, Some(CAP));
    hasty.keep_in(Arc::clone(&store));
    assert_eq!(ask(&hasty).await, Err(used_up("2026-11-25T05:00:00Z")));
    // A minute before midnight it still holds.
    clock.advance(seconds(17 * 3_600 - 60));
    assert_eq!(ask(&second).await, Err(used_up("2026-11-25T05:00:00Z")));
    clock.advance(seconds(60));
    assert_eq!(clock.now(), at("2026-11-25T05:00:00Z"));
    assert_eq!(ask_often(&second, CAP).await + ask_often(&first, CAP).await, CAP);
    assert_eq!(ask(&first).await, Err(used_up("2026-11-26T05:00:00Z")));
}

#[test]
fn a_day_ends_at_midnight_in_new_york_in_summer_too() {
    for (now, end) in [
        ("2026-11-24T12:00:00Z", "2026-11-25T05:00:00Z"),
        ("2026-11-25T04:59:59Z", "2026-11-25T05:00:00Z"),
        ("2026-11-25T05:00:00Z", "2026-11-26T05:00:00Z"),
        ("2026-07-01T12:00:00Z", "2026-07-02T04:00:00Z"),
        // The day on which clocks are set back has 25 hours.
        ("2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z"),
    ] {
        assert_eq!(next_day(at(now)), at(end), "{now}");
    }
}

#[tokio::test]
async fn a_cap_is_kept_in_memory_where_nothing_is_stored() {
    let clock = Clock::manual(at(NOON));
    let limiter = limiter(&clock, Some(CAP));
    assert_eq!(ask_often(&limiter.clone(), 20).await + ask_often(&limiter, 20).await, CAP);
    assert_eq!(ask(&limiter).await, Err(used_up("2026-11-25T05:00:00Z")));
}

/// Two programs with one key.
async fn share(clock: &Clock, stores: [Arc<dyn Store>; 2]) {
    let (one, other) = (process(clock, &stores[0]).await, process(clock, &stores[1]).await);
    let (of_one, of_other) = join(ask_often(&one, 30), ask_often(&other, 30)).await;
    assert_eq!(of_one + of_other, CAP, "{of_one} and {of_other}");
    for limiter in [&one, &other] {
        assert_eq!(ask(limiter).await, Err(used_up("2026-11-25T05:00:00Z")));
    }
    clock.advance(seconds(17 * 3_600));
    let (of_one, of_other) = join(ask_often(&one, 30), ask_often(&other, 30)).await;
    assert_eq!(of_one + of_other, CAP, "the next day: {of_one} and {of_other}");
}

#[tokio::test]
async fn two_processes_on_one_file_never_ask_more_than_one_may() {
    let place = Place::new();
    share(&Clock::manual(at(NOON)), [place.open(), place.open()]).await;
}

#[tokio::test]
async fn two_processes_on_one_database_never_ask_more_than_one_may() {
    let Some(database) = postgres::database().await else { return };
    let mut stores: Vec<Arc<dyn Store>> = Vec::new();
    for _ in 0..2 {
        let store = Postgres::open(&database.url().parse().unwrap(), Creation::IfEmpty, Ranks::default()).await;
        stores.push(Arc::new(store.unwrap_or_else(|error| panic!("{error}"))));
    }
    share(&Clock::manual(at(NOON)), [Arc::clone(&stores[0]), Arc::clone(&stores[1])]).await;
}

/// Whoever reads "31 of 25" believes that the cap was not kept.
#[tokio::test]
async fn a_request_that_was_refused_is_not_counted_as_sent() {
    let (clock, place) = (Clock::manual(at(NOON)), Place::new());
    let store = place.open();
    let (kept, in_memory) = (process(&clock, &store).await, limiter(&clock, Some(CAP)));
    for limiter in [&kept, &in_memory] {
        assert_eq!(ask_often(limiter, 31).await, CAP);
        assert_eq!(limiter.usage().requests_today, CAP);
    }
    assert_eq!(counted(&store, "test").await, CAP);
    assert_eq!(process(&clock, &store).await.usage().requests_today, CAP);
}

// ── a store that is away ──

#[tokio::test]
async fn a_store_that_fails_stops_no_request_and_lifts_no_cap() {
    let (clock, place) = (Clock::manual(at(NOON)), Place::new());
    let store = place.open();
    let limiter = process(&clock, &store).await;
    assert_eq!(ask_often(&limiter, 5).await, 5);
    drop(meddle(&place.file, HIDE));
    assert_eq!(ask_often(&limiter, 30).await, CAP - 5, "the cap holds in memory");
    assert_eq!(ask(&limiter).await, Err(used_up("2026-11-25T05:00:00Z")));
}

#[tokio::test]
async fn what_was_asked_while_the_store_was_away_counts_when_it_is_back() {
    let (clock, place) = (Clock::manual(at(NOON)), Place::new());
    let store = place.open();
    let limiter = process(&clock, &store).await;
    drop(meddle(&place.file, HIDE));
    assert_eq!(ask_often(&limiter, 20).await, 20);
    drop(meddle(&place.file, SHOW));
    assert_eq!(ask_often(&limiter, 30).await, CAP - 20);
    // Kept in the store, it counts for the next process too, and once.
    store.count_requests(limiter.take_unsaved()).await.unwrap();
    assert_eq!(ask(&process(&clock, &store).await).await, Err(used_up("2026-11-25T05:00:00Z")));
}

#[tokio::test]
async fn a_store_that_does_not_answer_is_not_waited_for_long() {
    let (clock, place) = (Clock::manual(at(NOON)), Place::new());
    let store = place.open();
    let limiter = limiter(&clock, Some(3));
    limiter.keep_in(Arc::clone(&store));
    // Somebody writes, and does not come to an end.
    let other = meddle(&place.file, "BEGIN IMMEDIATE");
    for _ in 0..3 {
        let before = clock.now();
        assert_eq!(drive(&clock, STEP, ask(&limiter)).await, Ok(()));
        assert!(clock.now().since(before) < seconds(10), "{}", clock.now());
    }
    assert!(matches!(drive(&clock, STEP, ask(&limiter)).await, Err(ProviderError::UsedUp { .. })));
    other.execute_batch("ROLLBACK").unwrap();
}

// ── a month of bytes ──

fn of_bytes(clock: &Clock) -> Limiter {
    Limiter::new("test", limits(None, Some(1_000_000)), clock.clone())
}

#[tokio::test]
async fn a_months_bytes_are_so_many_whoever_received_them() {
    let (clock, place) = (Clock::manual(at(NOON)), Place::new());
    let store = place.open();
    let first = of_bytes(&clock);
    first.received(400_000);
    first.received(599_999);
    assert_eq!(ask(&first).await, Ok(()), "one is left");
    first.clone().received(1);
    let message = "the 1 MB that test allows in thirty days are used up".to_owned();
    let refused = |until: &str| -> Result<(), ProviderError> { Err(ProviderError::UsedUp { message: message.clone(), until: at(until) }) };
    assert_eq!(ask(&first).await, refused("2026-11-25T05:00:00Z"));
    store.count_requests(first.take_unsaved()).await.unwrap();
    let second = of_bytes(&clock);
    second.load(&store.request_counts(clock.now() - seconds(31 * 86_400)).await.unwrap());
    assert_eq!(ask(&second).await, refused("2026-11-25T05:00:00Z"));
    assert_eq!((second.usage().bytes_of_month, second.usage().bytes_today), (1_000_000, 1_000_000));
    // They count on the thirtieth day, today being the first, and not after it.
    clock.advance(seconds(29 * 86_400));
    assert_eq!(ask(&second).await, refused("2026-12-24T05:00:00Z"));
    clock.advance(seconds(86_400));
    assert_eq!(ask(&second).await, Ok(()));
    assert_eq!(second.usage().bytes_of_month, 0);
}

/// A day is not always 24 hours long: on 1 November clocks were set back.
#[tokio::test]
async fn thirty_days_are_thirty_when_clocks_are_set_back() {
    for (day, counts) in [("2026-10-26T04:00:00Z", true), ("2026-10-25T04:00:00Z", false)] {
        let limiter = of_bytes(&Clock::manual(at(NOON)));
        limiter.load(&[RequestCount::of_day("test bytes".to_owned(), at(day), 1_000_000)]);
        assert_eq!(ask(&limiter).await.is_err(), counts, "{day}");
    }
}

// ── counts in the store ──

#[tokio::test]
async fn what_was_counted_is_handed_over_once() {
    let clock = Clock::manual(at("2026-11-25T04:59:59Z"));
    let limiter = limiter(&clock, None);
    assert_eq!(ask_often(&limiter, 3).await, 3);
    limiter.received(10);
    limiter.clone().received(5);
    clock.advance(seconds(1));
    limiter.received(7);
    assert_eq!(ask_often(&limiter, 2).await, 2);
    let (old, new) = (at("2026-11-24T05:00:00Z"), at("2026-11-25T05:00:00Z"));
    let row = |source: &str, day: Timestamp, count: i64| RequestCount::of_day(source.to_owned(), day, count);
    let rows = [row("test", old, 3), row("test bytes", old, 15), row("test", new, 2), row("test bytes", new, 7)];
    assert_eq!(limiter.take_unsaved(), rows);
    assert!(limiter.take_unsaved().is_empty());
    assert_eq!(ask_often(&limiter, 1).await, 1);
    assert_eq!(limiter.take_unsaved(), [row("test", new, 1)]);
    let usage = limiter.usage();
    assert_eq!((usage.requests_today, usage.bytes_today, usage.bytes_of_month), (3, 7, 22));
}

#[tokio::test]
async fn requests_under_a_cap_are_in_the_store_before_they_are_sent_and_not_again_after() {
    let (clock, place) = (Clock::manual(at(NOON)), Place::new());
    let store = place.open();
    let limiter = process(&clock, &store).await;
    assert_eq!(ask_often(&limiter, 4).await, 4);
    limiter.received(9);
    assert_eq!(counted(&store, "test").await, 4);
    store.count_requests(limiter.take_unsaved()).await.unwrap();
    assert_eq!((counted(&store, "test").await, counted(&store, "test bytes").await), (4, 9));
}

#[tokio::test]
async fn an_engine_keeps_its_counts_and_the_next_goes_on_from_them() {
    let (clock, place) = (Clock::manual(at(NOON)), Place::new());
    let store = place.open();
    let kraken = PROVIDERS.iter().find(|spec| spec.name == "kraken").unwrap();
    for run in 1..=3 {
        let opened = [open(kraken, "http://127.0.0.1:9", &clock)];
        load_counts(&store, &opened, clock.now()).await.unwrap();
        let limiter = opened[0].provider.net().http.limiter();
        assert_eq!(limiter.usage().requests_today, (run - 1) * 2);
        assert_eq!(ask_often(limiter, 2).await, 2);
        for _ in 0..3 {
            save_counts(&*store, &opened).await.unwrap();
        }
        assert_eq!(counted(&store, "kraken").await, run * 2);
    }
}

#[tokio::test]
async fn counts_that_could_not_be_kept_are_kept_the_next_time() {
    let (clock, place) = (Clock::manual(at(NOON)), Place::new());
    let store = place.open();
    let kraken = PROVIDERS.iter().find(|spec| spec.name == "kraken").unwrap();
    let opened = [open(kraken, "http://127.0.0.1:9", &clock)];
    assert_eq!(ask_often(opened[0].provider.net().http.limiter(), 2).await, 2);
    drop(meddle(&place.file, HIDE));
    assert!(save_counts(&*store, &opened).await.is_err());
    drop(meddle(&place.file, SHOW));
    for _ in 0..2 {
        save_counts(&*store, &opened).await.unwrap();
    }
    assert_eq!(counted(&store, "kraken").await, 2);
}

// ── a rest that a source asks for ──

#[tokio::test]
async fn a_rest_is_kept_by_all_and_told_when_it_is_long() {
    for (rest, then) in [(10, Ok(())), (60, Ok(())), (61, Err(ProviderError::RateLimited { after: Some(seconds(61)) }))] {
        let clock = Clock::manual(at(NOON));
        let limiter = limiter(&clock, None);
        limiter.clone().rest(clock.now() + seconds(rest));
        // A shorter one does not end it.
        limiter.clone().rest(clock.now() + seconds(5));
        assert_eq!(limiter.usage().rest_until, Some(clock.now() + seconds(rest)));
        assert_eq!(drive(&clock, STEP, ask(&limiter)).await, then);
        let waited = clock.now().since(at(NOON)).as_secs_f64();
        let right = if then.is_ok() { waited >= f64::from(u32::try_from(rest).unwrap()) } else { waited < 0.2 };
        assert!(right && waited < 62.0, "{rest}: {waited}");
    }
}

#[tokio::test]
async fn a_rest_that_becomes_longer_is_waited_for_by_who_waits_already() {
    let clock = Clock::manual(at(NOON));
    let limiter = limiter(&clock, None);
    limiter.rest(clock.now() + seconds(10));
    let longer = async {
        clock.sleep(seconds(5)).await;
        limiter.clone().rest(at(NOON) + seconds(40));
    };
    let (asked, ()) = drive(&clock, STEP, join(ask(&limiter), longer)).await;
    assert_eq!(asked, Ok(()));
    assert!(clock.now() >= at(NOON) + seconds(40), "it was asked at {}", clock.now());
}

fn good() -> Answer {
    Answer::json(r#"{"ok":true}"#)
}

/// When each request came, in seconds from the first.
fn times(asked: &[Asked]) -> Vec<f64> {
    asked.iter().map(|one| one.at.seconds_since(asked[0].at)).collect()
}

#[tokio::test]
async fn what_one_call_is_told_to_wait_rests_the_others() {
    let clock = Clock::manual(at(NOON));
    let server = HttpServer::start(&clock, in_order(vec![Answer::status(429, "{}").with("Retry-After", "20"), good()])).await;
    let one = http(&clock, 600);
    let other = one.clone();
    let later = async {
        clock.sleep(seconds(3)).await;
        other.get(&call(&server.url)).await
    };
    let (question, more) = (call(&server.url), call(&server.url));
    let (first, second) = drive(&clock, STEP, join(one.get(&question), later)).await;
    assert!(first.is_ok() && second.is_ok());
    assert!(drive(&clock, STEP, other.get(&more)).await.is_ok());
    let times = times(&server.asked());
    assert_eq!(times.len(), 4);
    assert!(times[1] >= 20.0 && times[2] >= 20.0, "{times:?}");
}

#[tokio::test]
async fn what_one_call_is_told_to_wait_for_long_is_told_to_the_others() {
    let clock = Clock::manual(at(NOON));
    let server = HttpServer::start(&clock, in_order(vec![Answer::status(429, "{}").with("Retry-After", "300"), good()])).await;
    let one = http(&clock, 600);
    let limited = |answer: Result<Vec<u8>, ProviderError>| {
        let Err(ProviderError::RateLimited { after: Some(after) }) = answer else { return false };
        seconds(290) < after && after <= seconds(300)
    };
    assert!(limited(drive(&clock, STEP, one.get(&call(&server.url))).await));
    assert!(limited(drive(&clock, STEP, one.clone().get(&call(&server.url))).await));
    assert_eq!(server.asked().len(), 1, "nothing is sent in the meantime");
    clock.advance(seconds(300));
    assert!(drive(&clock, STEP, one.get(&call(&server.url))).await.is_ok());
}

/// A server that is down says when it is back: nobody asks before.
#[tokio::test]
async fn a_wait_that_comes_with_another_error_is_kept_as_well() {
    let clock = Clock::manual(at(NOON));
    let server = HttpServer::start(&clock, in_order(vec![Answer::status(503, "{}").with("Retry-After", "600"), good()])).await;
    let one = http(&clock, 600);
    let answer = drive(&clock, STEP, one.get(&call(&server.url))).await;
    assert!(matches!(answer, Err(ProviderError::Retryable { after: Some(_), .. })), "{answer:?}");
    let answer = drive(&clock, STEP, one.clone().get(&call(&server.url))).await;
    assert!(matches!(answer, Err(ProviderError::RateLimited { after: Some(_) })), "{answer:?}");
    assert_eq!(server.asked().len(), 1, "nothing is sent in the meantime");
    clock.advance(seconds(600));
    assert!(drive(&clock, STEP, one.get(&call(&server.url))).await.is_ok());
}

#[tokio::test]
async fn the_last_request_of_a_window_is_followed_by_a_rest() {
    let in_half_a_minute = (at(NOON) + seconds(30)).as_seconds().to_string();
    for reset in [in_half_a_minute.as_str(), "30"] {
        let clock = Clock::manual(at(NOON));
        let last = good().with("X-RateLimit-Limit", "60").with("X-RateLimit-Remaining", "0").with("X-RateLimit-Reset", reset);
        let server = HttpServer::start(&clock, in_order(vec![last, good()])).await;
        let asking = http(&clock, 600);
        for asking in [asking.clone(), asking] {
            assert!(drive(&clock, STEP, asking.get(&call(&server.url))).await.is_ok());
        }
        let times = times(&server.asked());
        // A reset that counts from now counts from when it was read.
        assert!((29.0..36.0).contains(&times[1]), "{reset}: {times:?}");
    }
}

// ── a minute ──

#[tokio::test]
async fn no_minute_holds_more_than_it_may_not_even_the_first() {
    for most in [1, 5, 60, 600] {
        let clock = Clock::manual(at(NOON));
        let limits = Limits { per_minute: NonZeroU32::new(most).unwrap(), per_day: None, bytes_per_month: None };
        let limiter = Limiter::new("test", limits, clock.clone());
        let asking = async {
            loop {
                limiter.turn(HOST, NonZeroU32::MIN).await.unwrap();
            }
        };
        let minute = async { clock.sleep(Duration::from_millis(59_900)).await };
        let both = async {
            tokio::select! { () = asking => {}, () = minute => {} }
        };
        drive(&clock, Duration::from_millis(20), both).await;
        let sent = limiter.usage().requests_today;
        assert!(sent <= u64::from(most) && sent + 2 >= u64::from(most), "{sent} of {most}");
    }
}

#[tokio::test]
async fn a_heavy_request_takes_the_turns_of_many_light_ones_at_its_host() {
    let clock = Clock::manual(at(NOON));
    // One a second, six at once.
    let per_minute = Limits { per_minute: NonZeroU32::new(65).unwrap(), per_day: None, bytes_per_month: None };
    let limiter = Limiter::new("test", per_minute, clock.clone());
    let weigh = |weight: u32, host: &'static str| {
        let limiter = limiter.clone();
        async move { limiter.turn(host, NonZeroU32::new(weight).unwrap()).await }
    };
    for (weight, host, least) in [
        (6, HOST, 0.0),
        (3, HOST, 3.0),
        // More than may be sent at once.
        (20, HOST, 23.0),
        (1, HOST, 24.0),
        // Another host has turns of its own.
        (6, "other.example.com", 24.0),
        (2, HOST, 26.0),
    ] {
        assert_eq!(drive(&clock, STEP, weigh(weight, host)).await, Ok(()));
        let passed = clock.now().since(at(NOON)).as_secs_f64();
        assert!((least - 0.3..least + 1.5).contains(&passed), "{weight} at {host}: {passed}, not {least}");
    }
    assert_eq!(limiter.usage().requests_today, 38, "each counts as much as it weighs");
}
