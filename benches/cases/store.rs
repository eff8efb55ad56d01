//! Bars into the store and out of it.

use std::hint::black_box;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use openbell::calendar::Calendars;
use openbell::market::{Bar, InstrumentId, Interval};
use openbell::pipeline::Ranks;
use openbell::store::{BarQuery, Batch, Creation, Sqlite, Store};
use rusqlite::Connection;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::bare;
use super::bars::{in_session, minutes, walk};
use super::contract::{Budget, Case, Ran, Size, timed};

/// What the writer commits at once.
const BATCH: usize = 1_000;
const INSTRUMENTS: usize = 20;
/// Minutes of a year of regular trading.
const YEAR: usize = 252 * 390;

/// A store in a folder of its own, that goes with it.
struct Place {
    folder: TempDir,
    runtime: Arc<Runtime>,
    store: Sqlite,
}

impl Place {
    fn new(runtime: &Arc<Runtime>) -> Self {
        let folder = tempfile::tempdir().expect("there is room for a folder");
        let ranks = Ranks::new(vec!["alpaca".to_owned()]);
        let store = Sqlite::open(&folder.path().join("openbell.db"), Creation::IfEmpty, ranks).expect("a store can be made");
        let place = Self { folder, runtime: Arc::clone(runtime), store };
        for number in 1..=INSTRUMENTS {
            let symbol = format!("T{number}").parse().expect("a symbol");
            let made = place.runtime.block_on(place.store.instrument(symbol)).expect("an instrument can be made");
            assert_eq!(made.id.0, number as i64, "ids are counted from 1");
        }
        place
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
}

/// A store of the same make with a bare connection in our place.
struct Bare {
    _folder: TempDir,
    connection: Connection,
}

impl Bare {
    fn new(runtime: &Arc<Runtime>) -> Self {
        let place = Place::new(runtime);
        let connection = bare::open_writer(&place.path());
        Self { _folder: place.folder, connection }
    }
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
    let walks: Vec<_> = (1..=INSTRUMENTS as i64).map(|id| walk(InstrumentId(id), &opens)).collect();
    let batch = |at: usize| -> Vec<Bar> { walks.iter().flat_map(|walk| walk[at..at + BATCH / INSTRUMENTS].to_vec()).collect() };
    (0..opens.len()).step_by(BATCH / INSTRUMENTS).map(batch).collect()
}

fn batches(rows: &[Vec<Bar>]) -> Vec<Batch> {
    rows.iter().map(|bars| Batch { bars: bars.clone(), at: in_session(), ..Batch::default() }).collect()
}

/// The same bars as the source says them later.
fn correct(rows: &[Vec<Bar>], revision: u32) -> Vec<Vec<Bar>> {
    let revise = |bar: &Bar| Bar { revision, volume: bar.volume.map(|volume| volume + f64::from(revision)), ..bar.clone() };
    rows.iter().map(|bars| bars.iter().map(revise).collect()).collect()
}

fn case(name: &'static str, rows: &[Vec<Bar>], ours: impl FnMut() -> Ran + 'static, bare: impl FnMut() -> Ran + 'static) -> Case {
    let units = rows.iter().map(Vec::len).sum::<usize>() as u64;
    Case { name, unit: "bars", units, ours: Box::new(ours), bare: Some(Box::new(bare)), budget: Budget::Ratio(0.8) }
}

/// Bars that are new, into an empty store each time.
pub fn fresh(size: Size) -> Case {
    let (rows, runtime) = (rows(size), runtime());
    let (same, same_runtime) = (rows.clone(), Arc::clone(&runtime));
    let for_units = rows.clone();
    let ours = move || {
        let (place, batches) = (Place::new(&runtime), batches(&rows));
        timed(|| place.append(batches, Kind::Fresh))
    };
    let bare = move || {
        let mut bare = Bare::new(&same_runtime);
        timed(|| bare::upsert(&mut bare.connection, &same))
    };
    case("SQLite upsert: new bars", &for_units, ours, bare)
}

/// Bars that are there already, to the last digit.
pub fn same_again(size: Size) -> Case {
    again("SQLite upsert: the same bars again", size, Kind::Same)
}

/// Bars that are there, and that their source corrects.
pub fn revised(size: Size) -> Case {
    again("SQLite upsert: bars that are corrected", size, Kind::Revised)
}

fn again(name: &'static str, size: Size, kind: Kind) -> Case {
    let (rows, runtime) = (rows(size), runtime());
    let place = Place::new(&runtime);
    place.append(batches(&rows), Kind::Fresh);
    let mut bare = Bare::new(&runtime);
    bare::upsert(&mut bare.connection, &rows);
    let (same, for_units) = (rows.clone(), rows.clone());
    let turn = move |rows: &[Vec<Bar>], round: &mut u32| {
        *round += 1;
        if kind == Kind::Revised { correct(rows, *round) } else { rows.to_vec() }
    };
    let (mut ours_round, mut bare_round) = (0, 0);
    let ours = move || {
        let batches = batches(&turn(&rows, &mut ours_round));
        timed(|| place.append(batches, kind))
    };
    let bare = move || {
        // The whole of it, with its folder.
        let bare = &mut bare;
        let rows = turn(&same, &mut bare_round);
        timed(|| bare::upsert(&mut bare.connection, &rows))
    };
    case(name, &for_units, ours, bare)
}

/// A year of one symbol's minutes, out of the store.
pub fn year(size: Size) -> Case {
    let runtime = runtime();
    let place = Place::new(&runtime);
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
        name: "load a year of one symbol's minutes",
        unit: "bars",
        units: bars.len() as u64,
        ours: Box::new(ours),
        bare: Some(Box::new(move || timed(|| bare::load(&connection, 1)))),
        budget: Budget::Within(Duration::from_millis(30)),
    }
}
