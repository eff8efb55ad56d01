//! Recordings: what is kept of sources, and what comes of it when it is played again.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use openbell::calendar::Calendars;
use openbell::config::{Config, Facts, RawConfig};
use openbell::engine::{Played, Reel, Replay, ReplaySetup, Speed, Survey, config_sections, survey};
use openbell::host::{Clock, LogRing};
use openbell::market::{Bar, Interval, Timestamp};
use openbell::pipeline::Ranks;
use openbell::provider::ProviderSpec;
use openbell::provider::net::{Direction, Entry, Note, Reader, Record, Recording, Redact, Said};
use openbell::quality::Coverage;
use openbell::snapshot::FeedState;
use openbell::store::{BarQuery, Creation, Sqlite, Store};

use crate::disk::SmallDisk;
use crate::server::{Answer, Asked, Day, Line, Manners, Scene, at, line_of, seconds, stored_minutes};

fn config() -> Config {
    let sections = config_sections();
    Config::resolve(&RawConfig::parse("", &sections).unwrap(), &sections, &Facts::default()).unwrap()
}

fn frame(connection: u64, time: &str, text: String) -> Record {
    let time = at(&format!("2026-11-20T{time}Z"));
    Record { at: time, source: "kraken".to_owned(), connection, direction: Direction::In, said: Said::Frame { text } }
}

fn trade(connection: u64, id: u64, time: &str, price: &str) -> Record {
    let row = format!(
        r#"{{"symbol":"BTC/USD","side":"buy","price":{price},"qty":1,"ord_type":"limit","trade_id":{id},"timestamp":"2026-11-20T{time}Z"}}"#
    );
    frame(connection, time, format!(r#"{{"channel":"trade","type":"update","data":[{row}]}}"#))
}

fn heartbeat(connection: u64, time: &str) -> Record {
    frame(connection, time, r#"{"channel":"heartbeat"}"#.to_owned())
}

/// Three minutes of one connection.
fn minutes() -> Vec<Record> {
    vec![
        heartbeat(1, "15:00:50"),
        trade(1, 1, "15:00:55", "97"),
        trade(1, 2, "15:01:01", "100"),
        trade(1, 3, "15:01:30.25", "99"),
        trade(1, 4, "15:02:00.5", "101"),
        trade(1, 5, "15:02:59", "98"),
        heartbeat(1, "15:03:04"),
    ]
}

fn lines(records: &[Record]) -> String {
    records.iter().map(|record| serde_json::to_string(record).unwrap() + "\n").collect()
}

fn reel(path: &Path) -> Reel {
    Reel { path: path.to_owned(), raw: None }
}

fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    path
}

/// What a replay left in a store of its own.
struct Left {
    store: Arc<dyn Store>,
    _folder: tempfile::TempDir,
    played: Played,
    bars: Vec<Bar>,
    holes: Vec<Coverage>,
    found: Survey,
}

async fn replay(reels: &[Reel]) -> Left {
    let folder = tempfile::tempdir().unwrap();
    let config = config();
    let ranks = Ranks::new(config.section("sources").list("rank"));
    let store: Arc<dyn Store> = Arc::new(Sqlite::open(&folder.path().join("replay.db"), Creation::IfEmpty, ranks).unwrap());
    let found = survey(reels, &config).unwrap();
    let setup = ReplaySetup {
        reels: reels.to_vec(),
        survey: found.clone(),
        symbols: found.symbols.clone(),
        speed: Speed::Max,
        store: Arc::clone(&store),
        config,
        calendars: Arc::new(Calendars::embedded()),
        log: LogRing::default(),
    };
    let (engine, handle, mut replay) = Replay::start(setup).await.unwrap();
    let played = replay.play().await.unwrap();
    drop((handle, replay));
    let left = Clock::system().timeout(Duration::from_secs(20), engine.stop()).await.unwrap();
    assert_eq!(left.unwritten(), 0);
    let (mut bars, mut holes) = (Vec::new(), Vec::new());
    for symbol in &found.symbols {
        bars.extend(stored_minutes(&*store, symbol.as_str()).await);
        let query = BarQuery::all(store.instrument(symbol.clone()).await.unwrap().id, Interval::OneMinute);
        holes.extend(store.coverage(query).await.unwrap());
    }
    Left { store, _folder: folder, played, bars, holes, found }
}

fn brief(bars: &[Bar]) -> Vec<String> {
    let line = |bar: &Bar| format!("{} {} {} {} {} [{}]", bar.open_time.format("%H:%M"), bar.open, bar.high, bar.low, bar.close, bar.flags);
    bars.iter().map(line).collect()
}

#[tokio::test]
async fn a_recording_becomes_the_minutes_that_were_heard_twice_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "day.jsonl", &lines(&minutes()));
    let first = replay(&[reel(&path)]).await;
    assert_eq!(first.found.symbols.iter().map(|symbol| symbol.as_str()).collect::<Vec<_>>(), ["BTC-USD"]);
    assert!(first.found.problems.is_empty() && first.found.nobodys.is_empty(), "{:?}", first.found.problems);
    assert_eq!(first.played, Played { records: 7, events: 5, nobodys: 0, senseless: 0 });
    assert_eq!(brief(&first.bars), ["15:00 97 97 97 97 [partial]", "15:01 100 100 99 99 []", "15:02 101 101 98 98 []"]);
    assert!(first.holes.is_empty());
    let again = replay(&[reel(&path)]).await;
    assert_eq!(first.bars, again.bars);
}

// ── a day that was lived ──

const MANNERS: Manners = Manners { answer: acknowledge, beat: Some(beat), greet: None };

fn acknowledge(_: &str) -> Option<String> {
    Some(r#"{"method":"subscribe","result":{"channel":"ticker","snapshot":true,"symbol":"BTC/USD"},"success":true}"#.to_owned())
}

fn beat(_: Timestamp) -> String {
    r#"{"channel":"heartbeat"}"#.to_owned()
}

/// Looks stand in while the socket is down.
fn looks(_: &Asked) -> Answer {
    let of = |name: &str, last: &str| format!(r#""{name}":{{"a":["{last}","1","1"],"b":["{last}","1","1"],"c":["{last}","1"]}}"#);
    Answer::json(format!(r#"{{"error":[],"result":{{{}}}}}"#, of("XXBTZUSD", "95.5")))
}

/// Trades twice, late, out of order and lost; noise; a line that is cut, looks while it is down, and the same trades again after it.
async fn live(day: &Day) {
    let line = day.line(0, 3).await;
    let say = |line: &Line, records: &[Record]| {
        for record in records {
            let Said::Frame { text } = &record.said else { panic!("a frame") };
            line.send(text.clone());
        }
    };
    say(&line, &[trade(1, 1, "15:00:55", "97")]);
    day.pass_to(at("2026-11-20T15:01:35Z")).await;
    say(&line, &[trade(1, 3, "15:01:30", "99"), trade(1, 2, "15:01:01", "100"), trade(1, 3, "15:01:30", "99")]);
    line.send("no frame of ours \u{1b}[2J");
    day.pass_to(at("2026-11-20T15:02:10Z")).await;
    say(&line, &[trade(1, 4, "15:02:00.5", "101"), trade(1, 5, "15:01:59.9", "103"), trade(1, 9, "15:02:05", "98")]);
    day.pass_to(at("2026-11-20T15:02:40Z")).await;
    line.hang_up();
    day.state(seconds(2), FeedState::Dead).await;
    let again = day.line(1, 3).await;
    say(&again, &[trade(2, 9, "15:02:05", "98"), trade(2, 10, "15:02:58", "97")]);
    day.pass_to(at("2026-11-20T15:04:05Z")).await;
    say(&again, &[trade(2, 11, "15:04:01", "96")]);
    day.pass_to(at("2026-11-20T15:05:06Z")).await;
    say(&again, &[trade(2, 12, "15:05:05", "95")]);
    day.pass(seconds(2)).await;
}

/// Bars and holes, without what only numbers a store.
async fn kept(store: &dyn Store, symbol: &str) -> (Vec<String>, Vec<String>) {
    let bars = stored_minutes(store, symbol).await.iter().map(line_of).collect();
    let query = BarQuery::all(store.instrument(symbol.parse().unwrap()).await.unwrap().id, Interval::OneMinute);
    let hole = |hole: &Coverage| format!("{}..{} {} {:?}", hole.from, hole.to, hole.source, hole.state);
    (bars, store.coverage(query).await.unwrap().iter().map(hole).collect())
}

#[tokio::test]
async fn a_day_that_was_recorded_replays_to_the_same_store() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("day.jsonl.gz");
    let from = "2026-11-20T15:00:50Z";
    let recording = Recording::create(&path, at(from)).unwrap();
    let keeps = |spec: &'static ProviderSpec, redact| recording.recorder(spec.name, redact);
    let symbols: &[&str] = &["BTC-USD", "ETH-USD"];
    let scene = Scene { provider: "kraken", from, symbols, config: "", manners: MANNERS, refusals: Vec::new(), rest: looks };
    let day = Day::recorded(scene, &keeps).await;
    live(&day).await;
    let clock = day.clock.clone();
    let ended = day.stop().await;
    let told = recording.finish(clock.now()).await.unwrap();
    assert_eq!(told.lost, 0);
    let left = replay(&[reel(&path)]).await;
    let is_noise = |problem: &String| problem.contains("a frame of kraken makes no sense");
    assert!(left.found.problems.len() == 1 && left.found.problems.iter().all(is_noise), "{:?}", left.found.problems);
    let (bars, holes) = kept(&*ended.store, "BTC-USD").await;
    assert!(bars.len() >= 5 && holes.len() >= 2, "the day had its troubles: {bars:#?} {holes:#?}");
    assert_eq!(kept(&*left.store, "BTC-USD").await, (bars, holes));
}

#[tokio::test]
async fn two_files_are_merged_by_time() {
    let folder = tempfile::tempdir().unwrap();
    let (even, odd): (Vec<_>, Vec<_>) = minutes().into_iter().enumerate().partition(|(number, _)| number % 2 == 0);
    let part = |records: Vec<(usize, Record)>| lines(&records.into_iter().map(|(_, record)| record).collect::<Vec<_>>());
    // Of one connection: so that the second file is no reconnect, a deaf stretch of nothing says what could not be heard.
    let began = Record { said: Said::Deaf { from: Timestamp::MIN, to: at("2026-11-20T15:00:50Z") }, ..heartbeat(0, "15:00:50") };
    assert_eq!(lines(&[began.clone()]).matches("from").count(), 0, "no reader of JSON needs to know how we write that it was never heard");
    let even = write(folder.path(), "even.jsonl", &(lines(&[began]) + &part(even)));
    let odd = write(folder.path(), "odd.jsonl", &part(odd));
    let merged = replay(&[reel(&even), reel(&odd)]).await;
    assert_eq!(brief(&merged.bars), ["15:00 97 97 97 97 [partial]", "15:01 100 100 99 99 []", "15:02 101 101 98 98 []"]);
}

#[tokio::test]
async fn a_connection_that_was_opened_anew_leaves_its_hole() {
    let folder = tempfile::tempdir().unwrap();
    let records = [heartbeat(1, "15:00:50"), trade(1, 1, "15:01:10", "100"), trade(2, 2, "15:03:20", "101"), heartbeat(2, "15:05:10")];
    let left = replay(&[reel(&write(folder.path(), "day.jsonl", &lines(&records)))]).await;
    let holes: Vec<_> = left.holes.iter().map(|hole| (hole.from, hole.to)).collect();
    assert_eq!(holes, [(at("2026-11-20T15:01:10Z"), at("2026-11-20T15:03:20Z"))]);
    assert_eq!(brief(&left.bars), ["15:01 100 100 100 100 [partial]", "15:03 101 101 101 101 [partial]"]);
}

#[tokio::test]
async fn lost_records_leave_a_hole() {
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (at("2026-11-20T15:01:05Z"), at("2026-11-20T15:01:20Z"));
    let lost = serde_json::to_string(&Note::Lost { at: to, source: "kraken".to_owned(), from, count: 3 }).unwrap();
    let text = lines(&minutes()[..3]) + &lost + "\n" + &lines(&minutes()[3..]);
    let left = replay(&[reel(&write(folder.path(), "day.jsonl", &text))]).await;
    assert_eq!(left.holes.iter().map(|hole| (hole.from, hole.to)).collect::<Vec<_>>(), [(from, to)]);
    assert_eq!(brief(&left.bars)[1..], ["15:01 100 100 99 99 [partial]", "15:02 101 101 98 98 []"]);
    assert!(left.found.problems[0].contains("line 4: 3 records of kraken were not kept"), "{:?}", left.found.problems);
}

#[tokio::test]
async fn logs_of_other_recorders_are_played() {
    let folder = tempfile::tempdir().unwrap();
    let line = |record: &Record| {
        let Said::Frame { text } = &record.said else { panic!("only frames") };
        let micros = record.at.as_micros();
        format!("{}.{:06}: {text}\n", micros / 1_000_000, micros % 1_000_000)
    };
    let text: String = minutes().iter().map(line).collect();
    let path = write(folder.path(), "frames.log", &(text + "no time\n"));
    let raw = replay(&[Reel { path: path.clone(), raw: Some("kraken".to_owned()) }]).await;
    assert!(raw.found.problems[0].ends_with("line 8: it is not of the form 'epoch_seconds: frame'"), "{:?}", raw.found.problems);
    let kept = replay(&[reel(&write(folder.path(), "day.jsonl", &lines(&minutes())))]).await;
    assert_eq!(raw.bars, kept.bars);
}

#[tokio::test]
async fn what_can_be_read_of_a_damaged_file_is_played() {
    let folder = tempfile::tempdir().unwrap();
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(lines(&minutes()).as_bytes()).unwrap();
    // Killed here: nothing ends the stream.
    gzip.flush().unwrap();
    let path = folder.path().join("killed.jsonl.gz");
    fs::write(&path, gzip.get_ref()).unwrap();
    let killed = replay(&[reel(&path)]).await;
    assert_eq!(killed.bars.len(), 3);
    assert!(killed.found.problems[0].contains("line 8: the file ends here without its end"), "{:?}", killed.found.problems);

    let stranger = Record { source: "nowhere".to_owned(), ..heartbeat(1, "15:00:56") };
    let mut records = minutes();
    records.insert(4, heartbeat(1, "15:01:00"));
    let text = lines(&records[..2]) + "garbage\n{\"kind\":\"frame\"}\n" + &lines(&[stranger]) + &lines(&records[2..]) + "{\"at\":1";
    let damaged = replay(&[reel(&write(folder.path(), "damaged.jsonl", &text))]).await;
    assert_eq!(damaged.bars, killed.bars);
    let problems = damaged.found.problems.join("\n");
    for expected in [
        "line 3: it is no line of a recording",
        "line 4: it is no line of a recording",
        "line 5: no source is called 'nowhere'",
        "line 8: it is of 2026-11-20T15:01:00Z, before the line above it",
        "line 12: the file ends in the middle of it",
    ] {
        assert!(problems.contains(expected), "{expected}: {problems}");
    }
    let empty = survey(&[reel(&write(folder.path(), "empty.jsonl", ""))], &config()).unwrap();
    assert!(empty.records == 0 && empty.problems[0].ends_with("there is nothing in it to replay"), "{:?}", empty.problems);
}

#[tokio::test]
async fn what_was_recorded_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let (from, end) = (at("2026-11-20T15:00:50Z"), at("2026-11-20T15:01:00Z"));
    for name in ["kept.jsonl", "kept.jsonl.gz"] {
        let path = folder.path().join(name);
        let recording = Recording::create(&path, from).unwrap();
        let taken = Recording::create(&path, from).err().map(|error| error.kind());
        assert_eq!(taken, Some(std::io::ErrorKind::AlreadyExists));
        let recorder = recording.recorder("kraken", Redact::new(vec!["a-secret-key".into()]));
        recorder.deaf(Timestamp::MIN, from, from);
        let kept = recording.finish(end).await.unwrap();
        assert_eq!((kept.records, kept.lost), (1, 0));
        let entries: Vec<_> = Reader::open(&path).unwrap().map(|line| line.unwrap().1).collect();
        assert_eq!(entries.len(), 3);
        assert!(matches!(&entries[0], Entry::Note(Note::Began { at, version: 1 }) if *at == from));
        assert!(matches!(&entries[1], Entry::Record(record) if record.said == Said::Deaf { from: Timestamp::MIN, to: from }));
        assert_eq!(entries[2], Entry::Note(Note::Ended { at: end }));
    }
}

/// How many records of a file can be read, up to its end or up to what is damaged.
fn readable(path: &Path) -> u64 {
    let mut reader = Reader::open(path).unwrap();
    std::iter::from_fn(|| reader.next()).take_while(Result::is_ok).filter(|entry| matches!(entry, Ok((_, Entry::Record(_))))).count() as u64
}

#[tokio::test]
async fn a_recording_whose_disk_is_full_says_so_and_what_was_written_can_be_read() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["full.jsonl", "full.jsonl.gz"] {
        let Some(disk) = SmallDisk::at(folder.path().join(format!("disk of {name}")), "256k") else { return };
        let path = disk.path.join(name);
        let mut recording = Recording::create(&path, at("2026-11-20T15:00:00Z")).unwrap();
        let recorder = recording.recorder("kraken", Redact::default());
        // Noise, which no packing makes small.
        let mut state = 7_u64;
        let mut noise = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            Timestamp::from_micros(i64::try_from(state >> 14).unwrap())
        };
        let error = {
            let broken = recording.broken();
            tokio::pin!(broken);
            let mut now = at("2026-11-20T15:00:01Z");
            loop {
                (0..50).for_each(|_| recorder.deaf(noise(), noise(), now));
                now = now + seconds(1);
                tokio::select! {
                    error = &mut broken => break error,
                    () = tokio::time::sleep(Duration::from_millis(1)) => {}
                }
            }
        };
        let records = error.kept.records;
        assert!(records > 20, "{error}");
        let told = format!("cannot write {}: No space left on device", path.display());
        assert!(error.to_string().starts_with(&told), "{error}");
        assert!(error.to_string().ends_with(&format!("what was written before ({records} records) can be read")), "{error}");
        assert_eq!(readable(&path), records, "{error}");
    }
}

#[test]
fn the_command_prints_what_came_of_it_and_leaves_the_default_store_alone() {
    let home = tempfile::tempdir().unwrap();
    let path = write(home.path(), "day.jsonl", &lines(&minutes()));
    let run = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_openbell"));
        command.env_clear().env("HOME", home.path()).args(args);
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let file = path.to_str().unwrap();
    let (code, rows, talk) = run(&["replay", file, "--format", "csv"]);
    assert_eq!(code, Some(0), "{talk}");
    let expected = "symbol,interval,bars,quarantined,first,last\nBTC-USD,1m,3,0,2026-11-20T15:00:00Z,2026-11-20T15:02:00Z\n";
    assert_eq!(rows.replace("\r\n", "\n"), expected);
    assert!(!home.path().join(".local/share/openbell/openbell.db").exists());
    let own = format!("sqlite:{}", home.path().join(".local/share/openbell/openbell.db").display());
    let (code, _, talk) = run(&["replay", file, "--store", &own]);
    assert!(code == Some(2) && talk.contains("a replay never goes into the store"), "{talk}");
    let (code, _, talk) = run(&["record", "--out", file]);
    assert!(code == Some(2) && talk.contains("is there already"), "{talk}");
}
