//! The baselines: the same work with nothing but the libraries that we stand on.

use std::borrow::Cow;
use std::hint::black_box;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use openbell::market::Bar;
use openbell::provider::coinbase::Message;
use openbell::provider::yahoo::PricingData;
use prost::Message as _;
use rusqlite::{Connection, OpenFlags, params};
use serde::Deserialize;

/// Bare serde_json into the struct that our decoder reads first.
pub fn coinbase(frames: &[Vec<u8>]) -> u64 {
    let read = |frame: &&Vec<u8>| serde_json::from_slice::<Message<'_>>(frame).is_ok_and(|message| black_box(message).price.is_some());
    frames.iter().filter(read).count() as u64
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    message: Cow<'a, str>,
}

/// Bare serde_json, base64 and prost.
pub fn yahoo(frames: &[Vec<u8>]) -> u64 {
    let read = |frame: &&Vec<u8>| {
        let Ok(envelope) = serde_json::from_slice::<Envelope<'_>>(frame) else { return false };
        let Ok(bytes) = STANDARD.decode(&*envelope.message) else { return false };
        PricingData::decode(bytes.as_slice()).is_ok_and(|data| black_box(data).price.is_some() && envelope.kind == "pricing")
    };
    frames.iter().filter(read).count() as u64
}

/// The members of the made-up exchange's trade.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Said<'a> {
    #[serde(borrow)]
    Trade(TradeSaid<'a>),
}

#[derive(Deserialize)]
struct TradeSaid<'a> {
    #[serde(borrow)]
    symbol: Cow<'a, str>,
    id: u64,
    time_us: i64,
    price: f64,
    size: f64,
    buy: bool,
}

/// Bare serde_json into a struct with the same members.
pub fn sim(frames: &[Vec<u8>]) -> u64 {
    let read = |frame: &&Vec<u8>| {
        serde_json::from_slice::<Said<'_>>(frame).is_ok_and(|said| {
            let Said::Trade(TradeSaid { symbol, id, time_us, price, size, buy }) = black_box(said);
            black_box((id, time_us, size, buy));
            price > 0.0 && !symbol.is_empty()
        })
    };
    frames.iter().filter(read).count() as u64
}

const UPSERT: &str = "INSERT INTO bars (instrument_id, interval_s, open_time, open, high, low, close, volume, vwap, n_trades, session, source, origin, revision, quality, flags, recorded_at, updated_at) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, '', ?16, ?16) \
     ON CONFLICT DO UPDATE SET open = excluded.open, high = excluded.high, low = excluded.low, close = excluded.close, volume = excluded.volume, \
     vwap = excluded.vwap, n_trades = excluded.n_trades, session = excluded.session, source = excluded.source, origin = excluded.origin, \
     revision = excluded.revision, quality = excluded.quality, flags = excluded.flags, updated_at = excluded.updated_at";

/// Opens a store's file to write, with the pragmas of `store/sqlite/open.rs`.
pub fn open_writer(path: &std::path::Path) -> Connection {
    let connection = Connection::open(path).expect("the file can be opened");
    connection.pragma_update(None, "journal_mode", "WAL").expect("a log is written ahead");
    let pragmas = "PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON; PRAGMA cache_size = -8000; PRAGMA mmap_size = 0; \
                   PRAGMA wal_autocheckpoint = 16000;";
    connection.execute_batch(pragmas).expect("the pragmas exist");
    connection
}

/// One prepared statement in a loop, one transaction a batch.
pub fn upsert(connection: &mut Connection, batches: &[Vec<Bar>]) -> u64 {
    let mut done = 0;
    for batch in batches {
        let transaction = connection.transaction().expect("nobody else writes");
        {
            let mut statement = transaction.prepare_cached(UPSERT).expect("the table is there");
            for bar in batch {
                let rows = statement.execute(params![
                    bar.instrument.0,
                    bar.interval.seconds(),
                    bar.open_time.as_micros(),
                    bar.open,
                    bar.high,
                    bar.low,
                    bar.close,
                    bar.volume,
                    bar.vwap,
                    bar.n_trades.map(u64::cast_signed),
                    bar.session.map(openbell::market::SessionKind::name),
                    bar.source.as_str(),
                    bar.origin.name(),
                    bar.revision,
                    bar.quality,
                    1_i64,
                ]);
                done += rows.expect("the row fits") as u64;
            }
        }
        transaction.commit().expect("the disk has room");
    }
    done
}

/// A row with every column that we read; the texts are looked at and not kept.
struct Row {
    figures: [f64; 6],
    volume: Option<f64>,
    whole: [i64; 4],
    n_trades: Option<i64>,
    texts: usize,
}

/// Opens a store's file to read, with the pragmas of `store/sqlite/open.rs`.
pub fn open_reader(path: &std::path::Path) -> Connection {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).expect("the file can be opened");
    connection.execute_batch("PRAGMA cache_size = -8000; PRAGMA mmap_size = 0; PRAGMA query_only = ON;").expect("the pragmas exist");
    connection
}

/// One statement and a loop over its rows.
pub fn load(connection: &Connection, instrument: i64) -> u64 {
    let sql = "SELECT instrument_id, interval_s, open_time, open, high, low, close, volume, vwap, n_trades, session, source, origin, revision, quality, flags \
               FROM bars WHERE instrument_id = ?1 AND interval_s = 60 ORDER BY open_time";
    let mut statement = connection.prepare_cached(sql).expect("the table is there");
    let rows = statement.query_map([instrument], |row| {
        let text = |column: usize| row.get_ref(column).and_then(|value| Ok(value.as_str_or_null()?.map_or(0, str::len)));
        Ok(Row {
            whole: [row.get(0)?, row.get(1)?, row.get(2)?, row.get(13)?],
            figures: [row.get(3)?, row.get(4)?, row.get(5)?, row.get(6)?, row.get::<_, Option<f64>>(8)?.unwrap_or(0.0), row.get(14)?],
            volume: row.get(7)?,
            n_trades: row.get(9)?,
            texts: text(10)? + text(11)? + text(12)? + text(15)?,
        })
    });
    let rows: Vec<Row> = rows.and_then(Iterator::collect).expect("the rows can be read");
    rows.iter()
        .filter(|row| row.texts > 0 && row.whole[0] > 0 && row.figures[0] > 0.0 && row.volume.is_some() && row.n_trades.is_some())
        .count() as u64
}
