//! Bars into a store on a server and out of it.

use std::cell::Cell;
use std::hint::black_box;
use std::rc::Rc;
use std::sync::Arc;

use futures_util::TryStreamExt;
use openbell::calendar::Calendars;
use openbell::config::PostgresUrl;
use openbell::market::{Bar, InstrumentId, Interval};
use openbell::pipeline::Ranks;
use openbell::store::{BarQuery, Batch, Creation, Postgres, Store};
use tokio::runtime::Runtime;

use super::bare_postgres::Bare;
use super::bars::{in_session, minutes};
use super::contract::{Budget, Case, Run, Size, timed};
use super::store::{BULK, YEAR, batches, correct, time_major, walks};
use crate::postgres::{self, Cluster, Options};

const INSTRUMENTS: usize = 20;
/// What weighs in a figure of a database.
const SETTINGS: &str = "SELECT 'PostgreSQL ' || current_setting('server_version') UNION ALL \
     (SELECT name || ' ' || current_setting(name) FROM pg_settings WHERE name IN ('fsync', 'synchronous_commit', 'full_page_writes', \
     'wal_level', 'shared_buffers', 'work_mem', 'temp_buffers', 'max_wal_size', 'jit') ORDER BY name)";

/// The server of the cases below; it must outlive them.
pub struct Server {
    /// What weighs in a figure, to be printed with it.
    pub settings: String,
    runtime: Arc<Runtime>,
    /// `None` is the one that the tests share.
    own: Option<Cluster>,
    databases: Cell<u32>,
}

impl Server {
    /// A server with the settings it comes with, to measure; the error says why there is none.
    pub fn start() -> Result<Self, String> {
        let runtime = runtime();
        let cluster = Cluster::start(&Options { fsync: true, ..Options::default() })?;
        let settings = runtime.block_on(cluster.psql("postgres", SETTINGS)).join(", ");
        Ok(Self { settings, runtime, own: Some(cluster), databases: Cell::new(0) })
    }

    /// The server that tests share; `None` where there is none.
    pub fn shared() -> Option<Self> {
        let runtime = runtime();
        runtime.block_on(postgres::database())?;
        Some(Self { settings: String::new(), runtime, own: None, databases: Cell::new(0) })
    }

    /// The address of a new database.
    fn database(&self) -> String {
        let Some(cluster) = &self.own else {
            return self.runtime.block_on(postgres::database()).expect("there was a server").url();
        };
        let name = format!("bench_{}", self.databases.replace(self.databases.get() + 1));
        self.runtime.block_on(cluster.make(&name));
        cluster.url(&name)
    }
}

/// As the commands make theirs.
fn runtime() -> Arc<Runtime> {
    let made = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    Arc::new(made.expect("a runtime can be made"))
}

/// A database with our tables, the store on it and a bare connection to it.
struct Place {
    runtime: Arc<Runtime>,
    store: Postgres,
    bare: Bare,
}

impl Place {
    /// One that has a partition for each month of `rows`: neither way is to make them while the clock runs.
    fn new(server: &Server, rows: &[Vec<Bar>]) -> Self {
        let (url, runtime) = (server.database(), Arc::clone(&server.runtime));
        let (store, bare) = runtime.block_on(async {
            let address: PostgresUrl = url.parse().expect("an address");
            let ranks = Ranks::new(vec!["alpaca".to_owned()]);
            let store = Postgres::open(&address, Creation::IfEmpty, ranks).await.expect("a store can be made");
            for number in 1..=INSTRUMENTS {
                let made = store.instrument(format!("T{number}").parse().expect("a symbol")).await.expect("an instrument can be made");
                assert_eq!(made.id.0, number as i64, "ids are counted from 1");
            }
            let batch = Batch { bars: of_each_month(rows), at: in_session(), ..Batch::default() };
            store.append(batch).await.expect("the rows fit");
            (store, Bare::connect(&url).await)
        });
        Self { runtime, store, bare }
    }

    /// Goes back to these rows and no others, in the state that they have after a while.
    fn reset(&self, rows: &[Vec<Bar>]) {
        let client = &self.bare.client;
        self.runtime.block_on(async {
            client.batch_execute("TRUNCATE bars").await.expect("nobody else is there");
            self.bare.copy(rows).await;
            client.batch_execute("VACUUM (ANALYZE) bars").await.expect("nobody else is there");
        });
    }

    /// Appends each batch, and answers how many rows were taken as they should be.
    fn append(&self, batches: Vec<Batch>, kind: Kind) -> u64 {
        let append = |batch| {
            let ack = self.runtime.block_on(self.store.append(batch)).expect("the rows fit");
            kind.right(ack.inserted, ack.replaced, ack.kept)
        };
        batches.into_iter().map(append).sum()
    }

    /// The same without us: straight into the table where nothing is there.
    fn append_bare(&mut self, rows: &[Vec<Bar>], kind: Kind) -> u64 {
        let Self { runtime, bare, .. } = self;
        match kind {
            Kind::Nothing => runtime.block_on(bare.copy(rows)),
            Kind::Half | Kind::Same | Kind::Other => {
                // The server does not tell rows that are new from those that are changed.
                let (brought, written) = runtime.block_on(bare.upsert(rows));
                kind.right(written, written, brought - written)
            }
        }
    }

    fn load(&self, query: BarQuery) -> u64 {
        let load = async {
            let mut chunks = self.store.bars(query);
            let mut bars = Vec::new();
            while let Some(chunk) = chunks.try_next().await.expect("the rows can be read") {
                bars.extend(chunk);
            }
            bars
        };
        black_box(self.runtime.block_on(load)).len() as u64
    }
}

/// What is there of the rows that come.
#[derive(Clone, Copy)]
enum Kind {
    Nothing,
    Half,
    Same,
    Other,
}

impl Kind {
    /// How many rows came out as they should, of those that are `new`, `changed` and `kept`.
    fn right(self, new: u64, changed: u64, kept: u64) -> u64 {
        match self {
            Self::Nothing => new,
            Self::Half => 2 * new.min(kept),
            Self::Same => kept,
            Self::Other => changed,
        }
    }

    /// The budget: the share of the baseline's rate.
    fn share(self) -> f64 {
        match self {
            Self::Nothing => 0.7,
            Self::Half | Self::Same | Self::Other => 0.8,
        }
    }
}

/// One bar of each month of each list.
fn of_each_month(rows: &[Vec<Bar>]) -> Vec<Bar> {
    let month = |bar: &mut Bar| (bar.instrument, bar.open_time.format("%Y-%m"));
    let of_one = |bars: &Vec<Bar>| {
        let mut bars: Vec<Bar> = bars.iter().step_by(50).chain(bars.last()).cloned().collect();
        bars.dedup_by_key(month);
        bars
    };
    rows.iter().flat_map(of_one).collect()
}

fn units(rows: &[Vec<Bar>]) -> u64 {
    rows.iter().map(Vec::len).sum::<usize>() as u64
}

/// History of one symbol after the other, where another's is there and nothing of theirs.
pub fn append(size: Size, server: &Server) -> Case {
    let symbols = size.of(2, 4);
    let mut rows = walks(symbols + 1, &minutes(&Calendars::embedded(), size.of(1_000, BULK)));
    let before = rows.split_off(symbols);
    onto("PostgreSQL append: an empty range, 50,000 of a symbol at once", server, before, rows, Kind::Nothing)
}

/// Every other bar is there already.
pub fn half_new(size: Size, server: &Server) -> Case {
    let rows = upserted(size);
    // Whole minutes are there or are not.
    let there = |bars: &Vec<Bar>| -> Vec<Bar> { bars.chunks(2 * INSTRUMENTS).flat_map(|two| two[..INSTRUMENTS].to_vec()).collect() };
    let before: Vec<_> = rows.iter().map(there).collect();
    onto("PostgreSQL upsert: every other bar is new", server, before, rows, Kind::Half)
}

/// Bars that are there already, to the last digit.
pub fn same_again(size: Size, server: &Server) -> Case {
    let rows = upserted(size);
    onto("PostgreSQL upsert: the same bars again", server, rows.clone(), rows, Kind::Same)
}

/// Bars that are there, and that their source corrects.
pub fn revised(size: Size, server: &Server) -> Case {
    let rows = upserted(size);
    let corrected = correct(&rows);
    onto("PostgreSQL upsert: bars that are corrected", server, rows, corrected, Kind::Other)
}

/// Batches of 10,000 rows in the order of time.
fn upserted(size: Size) -> Vec<Vec<Bar>> {
    let (batches, at_once) = (size.of(2, 10), size.of(10, 500));
    let opens = minutes(&Calendars::embedded(), batches * at_once);
    time_major(&walks(INSTRUMENTS, &opens), 0..opens.len(), at_once)
}

/// Brings `rows` to where `before` is, each time anew.
fn onto(name: &'static str, server: &Server, before: Vec<Vec<Bar>>, rows: Vec<Vec<Bar>>, kind: Kind) -> Case {
    let (place, mut bare_place, units) = (Place::new(server, &rows), Place::new(server, &rows), units(&rows));
    let (before, rows) = (Rc::new(before), Rc::new(rows));
    let (same_before, same_rows) = (Rc::clone(&before), Rc::clone(&rows));
    let ours: Run = Box::new(move || {
        place.reset(&before);
        let batches = batches(&rows);
        timed(|| place.append(batches, kind))
    });
    let bare: Run = Box::new(move || {
        bare_place.reset(&same_before);
        timed(|| bare_place.append_bare(&same_rows, kind))
    });
    Case { name, unit: "bars", units, ours, bare: Some(bare), budget: Budget::Ratio(kind.share()) }
}

/// A year of one symbol's minutes out of a store that has those of others too.
pub fn year(size: Size, server: &Server) -> Case {
    let rows = walks(4, &minutes(&Calendars::embedded(), size.of(1_000, YEAR)));
    let place = Rc::new(Place::new(server, &rows));
    place.reset(&rows);
    let (query, same) = (BarQuery::all(InstrumentId(2), Interval::OneMinute), Rc::clone(&place));
    Case {
        name: "PostgreSQL load: a year of one symbol's minutes",
        unit: "bars",
        units: rows[1].len() as u64,
        ours: Box::new(move || timed(|| place.load(query))),
        bare: Some(Box::new(move || timed(|| same.runtime.block_on(same.bare.load(2))))),
        budget: Budget::Told,
    }
}
