//! Bars into a store in a file and out of it.

use std::hint::black_box;
use std::ops::Range;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use openbell::calendar::Calendars;
use openbell::market::{Bar, InstrumentId, Interval, Timestamp};
use openbell::pipeline::Ranks;
use openbell::store::{BarQuery, Batch, Creation, Sqlite, Store};
use rusqlite::Connection;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::bare;
use super::bars::{in_session, minutes, walk};
use super::contract::{Budget, Case, Ran, Size, timed};

/// What the writer commits at once when bars come as they are made.
const BATCH: usize = 1_000;
/// What it commits at once in bulk.
pub const BULK: usize = 50_000;
/// Minutes of a year of regular trading.
pub const YEAR: usize = 252 * 390;
const INSTRUMENTS: usize = 20;
/// As many as a large watchlist has.
const MANY: usize = 500;

/// Batches in the order they are written, shared by both ways.
type Rows = Rc<Vec<Vec<Bar>>>;

/// A store in a folder of its own, that goes with it.
struct Place {
    folder: TempDir,
    runtime: Arc<Runtime>,
    store: Sqlite,
}

impl Place {
    fn new(runtime: &Arc<Runtime>, instruments: usize) -> Self {
        let place = Self::open(tempfile::tempdir().expect("there is room for a folder"), runtime);
        for number in 1..=instruments {
            let symbol = format!("T{number}").parse().expect("a symbol");
            let made = place.runtime.block_on(place.store.instrument(symbol)).expect("an instrument can be made");
            assert_eq!(made.id.0, number as i64, "ids are counted from 1");
        }
        place
    }

    /// One that holds these rows already.
    fn holding(runtime: &Arc<Runtime>, instruments: usize, rows: &[Vec<Bar>]) -> Self {
        let place = Self::new(runtime, instruments);
        place.append(batches(rows), Kind::Fresh);
        // The file holds everything, so that it can be copied.
        runtime.block_on(place.store.settle()).expect("nobody else reads");
        place
    }

    /// The same store once more, page by page.
    fn copy(&self) -> Self {
        let folder = tempfile::tempdir().expect("there is room for a folder");
        std::fs::copy(self.path(), folder.path().join("openbell.db")).expect("there is room for a copy");
        Self::open(folder, &self.runtime)
    }

    fn open(folder: TempDir, runtime: &Arc<Runtime>) -> Self {
        let ranks = Ranks::new(vec!["alpaca".to_owned()]);
        let store = Sqlite::open(&folder.path().join("openbell.db"), Creation::IfEmpty, ranks).expect("a store can be made");
        Self { folder, runtime: Arc::clone(runtime), store }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("openbell.db")
    }

    /// Appends each batch, and answers how many rows were taken as `kind`.
    fn append(&self, batches: Vec<Batch>, kind: Kind) -> u64 {
        let append = |batch: Batch| {
            let ack = self.runtime.block_on(self.store.append(batch)).expect("the disk has room");
            match kind {
                Kind::Fresh => ack.inserted,
                Kind::Same => ack.kept,
                Kind::Revised => ack.replaced,
            }
        };
        batches.into_iter().map(append).sum()
    }

    /// Puts a bare connection in our place.
    fn into_bare(self) -> Bare {
        let connection = bare::open_writer(&self.path());
        Bare { _folder: self.folder, connection }
    }
}

/// A store of the same make, written by a bare connection.
struct Bare {
    _folder: TempDir,
    connection: Connection,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Fresh,
    Same,
    Revised,
}

fn runtime() -> Arc<Runtime> {
    Arc::new(tokio::runtime::Builder::new_current_thread().build().expect("a runtime can be made"))
}

/// Batches in the order of time, each with the same minutes of every instrument.
fn rows(size: Size) -> Vec<Vec<Bar>> {
    let opens = minutes(&Calendars::embedded(), size.of(BATCH / INSTRUMENTS, 20 * BATCH / INSTRUMENTS));
    let walks = walks(INSTRUMENTS, &opens);
    let batch = |at: usize| -> Vec<Bar> { walks.iter().flat_map(|walk| walk[at..at + BATCH / INSTRUMENTS].to_vec()).collect() };
    (0..opens.len()).step_by(BATCH / INSTRUMENTS).map(batch).collect()
}

/// The bars of so many instruments, one after the other.
pub fn walks(instruments: usize, opens: &[Timestamp]) -> Vec<Vec<Bar>> {
    (1..=instruments as i64).map(|id| walk(InstrumentId(id), opens)).collect()
}

/// Batches of `at_once` minutes, each minute of every instrument.
pub fn time_major(walks: &[Vec<Bar>], minutes: Range<usize>, at_once: usize) -> Vec<Vec<Bar>> {
    let minute = |at: usize| walks.iter().map(move |walk| walk[at].clone());
    minutes.step_by(at_once).map(|first| (first..first + at_once).flat_map(minute).collect()).collect()
}

/// What is appended: one batch for each list of bars.
pub fn batches(rows: &[Vec<Bar>]) -> Vec<Batch> {
    rows.iter().map(|bars| Batch { bars: bars.clone(), at: in_session(), ..Batch::default() }).collect()
}

/// The same bars as the source says them later.
pub fn correct(rows: &[Vec<Bar>]) -> Vec<Vec<Bar>> {
    let revise = |bar: &Bar| Bar { revision: 1, volume: bar.volume.map(|volume| volume + 1.0), ..bar.clone() };
    rows.iter().map(|bars| bars.iter().map(revise).collect()).collect()
}

/// Writes `rows` into a new copy of `place` each time.
fn into_copies(name: &'static str, place: Place, rows: Vec<Vec<Bar>>, kind: Kind) -> Case {
    let units = rows.iter().map(Vec::len).sum::<usize>() as u64;
    let (place, rows) = (Rc::new(place), Rows::new(rows));
    let (same_place, same_rows) = (Rc::clone(&place), Rc::clone(&rows));
    let ours = move || -> Ran {
        let (copy, batches) = (place.copy(), batches(&rows));
        timed(|| copy.append(batches, kind))
    };
    let bare = move || -> Ran {
        let mut bare = same_place.copy().into_bare();
        timed(|| bare::upsert(&mut bare.connection, &same_rows))
    };
    Case { name, unit: "bars", units, ours: Box::new(ours), bare: Some(Box::new(bare)), budget: Budget::Ratio(0.8) }
}

/// Bars that are new, into an empty store each time.
pub fn fresh(size: Size) -> Case {
    let place = Place::holding(&runtime(), INSTRUMENTS, &[]);
    into_copies("SQLite upsert: new bars", place, rows(size), Kind::Fresh)
}

/// Bars that are there already, to the last digit.
pub fn same_again(size: Size) -> Case {
    let rows = rows(size);
    let place = Place::holding(&runtime(), INSTRUMENTS, &rows);
    into_copies("SQLite upsert: the same bars again", place, rows, Kind::Same)
}

/// Bars that are there, and that their source corrects.
pub fn revised(size: Size) -> Case {
    let rows = rows(size);
    let place = Place::holding(&runtime(), INSTRUMENTS, &rows);
    into_copies("SQLite upsert: bars that are corrected", place, correct(&rows), Kind::Revised)
}

/// History as a backfill brings it: one symbol after the other, in large batches.
pub fn bulk(size: Size) -> Case {
    let rows = walks(size.of(2, 4), &minutes(&Calendars::embedded(), size.of(1_000, BULK)));
    let place = Place::holding(&runtime(), INSTRUMENTS, &[]);
    into_copies("SQLite upsert: new bars in bulk, 50,000 of a symbol at once", place, rows, Kind::Fresh)
}

/// A watchlist as it is lived: each minute of 500 symbols, two minutes a batch, into a store that holds earlier minutes of
/// them all. Each row comes to a page of its own.
pub fn live(size: Size) -> Case {
    let (before, after) = (size.of(4, 200), size.of(4, 120));
    let walks = walks(MANY, &minutes(&Calendars::embedded(), before + after));
    let part = |minutes: Range<usize>| time_major(&walks, minutes, BATCH / MANY);
    let place = Place::holding(&runtime(), MANY, &part(0..before));
    into_copies("SQLite upsert: new bars live, each minute of 500 symbols", place, part(before..before + after), Kind::Fresh)
}

/// A year of one symbol's minutes, out of the store.
pub fn year(size: Size) -> Case {
    let runtime = runtime();
    let place = Place::new(&runtime, 1);
    let bars = walk(InstrumentId(1), &minutes(&Calendars::embedded(), size.of(1_000, YEAR)));
    let batch = |bars: &[Bar]| Batch { bars: bars.to_vec(), at: in_session(), ..Batch::default() };
    place.append(bars.chunks(4 * BATCH).map(batch).collect(), Kind::Fresh);
    let connection = bare::open_reader(&place.path());
    let query = BarQuery::all(InstrumentId(1), Interval::OneMinute);
    let ours = move || {
        // The whole of it, with its folder.
        let place = &place;
        timed(|| {
            let load = async {
                let (mut bars, mut chunks) = (Vec::new(), place.store.bars(query));
                while let Some(chunk) = chunks.next().await {
                    bars.extend(chunk.expect("the rows can be read"));
                }
                bars
            };
            black_box(place.runtime.block_on(load)).len() as u64
        })
    };
    Case {
        name: "SQLite load: a year of one symbol's minutes",
        unit: "bars",
        units: bars.len() as u64,
        ours: Box::new(ours),
        bare: Some(Box::new(move || timed(|| bare::load(&connection, 1)))),
        budget: Budget::Within(Duration::from_millis(30)),
    }
}
