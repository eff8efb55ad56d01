//! Bars as rows: how they are read, and the two ways they are written.

use std::pin::pin;

use deadpool_postgres::Transaction;
use tokio_postgres::Row;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{ToSql, Type};

use crate::market::{Bar, BarFlags, InstrumentId, Interval, SessionKind, Source, Timestamp};
use crate::store::merge::{Kept, stretches};
use crate::store::postgres::failure::Failure;
use crate::store::postgres::types::{Json, Time, text, whole};

pub(crate) const COLUMNS: &str = "instrument_id, interval_s, open_time, open, high, low, close, volume, vwap, n_trades, session, source, origin, revision, quality, flags";

const COPY: &str = "COPY bars (instrument_id, interval_s, open_time, open, high, low, close, volume, vwap, n_trades, session, source, origin, revision, quality, flags, meta, recorded_at, updated_at) \
     FROM STDIN (FORMAT binary)";

const TYPES: [Type; 19] = [
    Type::INT8,
    Type::INT4,
    Type::TIMESTAMPTZ,
    Type::FLOAT8,
    Type::FLOAT8,
    Type::FLOAT8,
    Type::FLOAT8,
    Type::FLOAT8,
    Type::FLOAT8,
    Type::INT8,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::INT8,
    Type::FLOAT8,
    Type::TEXT,
    Type::JSONB,
    Type::TIMESTAMPTZ,
    Type::TIMESTAMPTZ,
];

/// A row that would not change is not written again: neither its page nor its indexes are touched.
const UPSERT: &str = "INSERT INTO bars (instrument_id, interval_s, open_time, open, high, low, close, volume, vwap, n_trades, session, source, origin, revision, quality, flags, meta, recorded_at, updated_at) \
     SELECT n.i, n.s, n.t, n.o, n.h, n.l, n.c, n.v, n.w, n.n, n.k, n.src, n.org, n.r, n.q, n.f, n.m, $18, $18 \
     FROM unnest($1::bigint[], $2::int[], $3::timestamptz[], $4::float8[], $5::float8[], $6::float8[], $7::float8[], $8::float8[], $9::float8[], \
                 $10::bigint[], $11::text[], $12::text[], $13::text[], $14::bigint[], $15::float8[], $16::text[], $17::jsonb[]) \
          AS n (i, s, t, o, h, l, c, v, w, n, k, src, org, r, q, f, m) \
     ON CONFLICT (instrument_id, interval_s, open_time) DO UPDATE SET open = excluded.open, high = excluded.high, low = excluded.low, \
     close = excluded.close, volume = excluded.volume, vwap = excluded.vwap, n_trades = excluded.n_trades, session = excluded.session, \
     source = excluded.source, origin = excluded.origin, revision = excluded.revision, quality = excluded.quality, flags = excluded.flags, \
     meta = excluded.meta, updated_at = excluded.updated_at \
     WHERE (bars.open, bars.high, bars.low, bars.close, bars.volume, bars.vwap, bars.n_trades, bars.session, bars.source, bars.origin, \
            bars.revision, bars.quality, bars.flags, bars.meta) \
     IS DISTINCT FROM (excluded.open, excluded.high, excluded.low, excluded.close, excluded.volume, excluded.vwap, excluded.n_trades, \
            excluded.session, excluded.source, excluded.origin, excluded.revision, excluded.quality, excluded.flags, excluded.meta)";

/// One look at the key for each stretch: the inner query keeps the planner from reading the table whole.
const STRETCHES: &str = "SELECT b.* FROM unnest($1::bigint[], $2::int[], $3::timestamptz[], $4::timestamptz[]) AS s (i, n, lo, hi) \
     CROSS JOIN LATERAL (SELECT instrument_id, interval_s, open_time, open, high, low, close, volume, vwap, n_trades, session, source, origin, revision, quality, flags, meta::text AS m \
                         FROM bars WHERE instrument_id = s.i AND interval_s = s.n AND open_time BETWEEN s.lo AND s.hi ORDER BY open_time) AS b";

/// What is stored in the stretches of sorted bars, in the order of the key.
pub(crate) async fn stored(transaction: &Transaction<'_>, bars: &[Bar]) -> Result<Vec<Kept>, Failure> {
    let (mut ids, mut steps, mut from, mut to) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for stretch in stretches(bars) {
        let (Some(first), Some(last)) = (stretch.first(), stretch.last()) else { continue };
        ids.push(first.instrument.0);
        steps.push(seconds(first.interval));
        from.push(Time(first.open_time));
        to.push(Time(last.open_time));
    }
    let statement = transaction.prepare_cached(STRETCHES).await?;
    let mut reader = Reader::default();
    let rows = transaction.query(&statement, &[&ids, &steps, &from, &to]).await?;
    let mut kept =
        rows.iter().map(|row| Ok(Kept { bar: reader.read(row)?, meta: row.try_get(16)? })).collect::<Result<Vec<_>, Failure>>()?;
    kept.sort_by_key(|kept: &Kept| kept.bar.key());
    Ok(kept)
}

/// Streams bars into the table: none of their keys may be taken.
pub(crate) async fn copy(transaction: &Transaction<'_>, bars: impl Iterator<Item = &Bar>, at: Timestamp) -> Result<(), Failure> {
    let sink = transaction.copy_in(COPY).await?;
    let mut writer = pin!(BinaryCopyInWriter::new(sink, &TYPES));
    let no_meta: Option<Json<'_>> = None;
    for bar in bars {
        let flags = bar.flags.to_string();
        let row: [&(dyn ToSql + Sync); 19] = [
            &bar.instrument.0,
            &seconds(bar.interval),
            &Time(bar.open_time),
            &bar.open,
            &bar.high,
            &bar.low,
            &bar.close,
            &bar.volume,
            &bar.vwap,
            &bar.n_trades.map(whole),
            &bar.session.map(SessionKind::name),
            &bar.source.as_str(),
            &bar.origin.name(),
            &i64::from(bar.revision),
            &bar.quality,
            &flags,
            &no_meta,
            &Time(at),
            &Time(at),
        ];
        writer.as_mut().write(&row).await?;
    }
    writer.finish().await?;
    Ok(())
}

/// Writes bars whose keys may be taken: what is there is replaced where it differs.
pub(crate) async fn upsert(transaction: &Transaction<'_>, rows: &[Kept], at: Timestamp) -> Result<(), Failure> {
    let bars = || rows.iter().map(|kept| &kept.bar);
    let flags: Vec<_> = bars().map(|bar| bar.flags.to_string()).collect();
    let statement = transaction.prepare_cached(UPSERT).await?;
    let arrays: [&(dyn ToSql + Sync); 18] = [
        &bars().map(|bar| bar.instrument.0).collect::<Vec<_>>(),
        &bars().map(|bar| seconds(bar.interval)).collect::<Vec<_>>(),
        &bars().map(|bar| Time(bar.open_time)).collect::<Vec<_>>(),
        &bars().map(|bar| bar.open).collect::<Vec<_>>(),
        &bars().map(|bar| bar.high).collect::<Vec<_>>(),
        &bars().map(|bar| bar.low).collect::<Vec<_>>(),
        &bars().map(|bar| bar.close).collect::<Vec<_>>(),
        &bars().map(|bar| bar.volume).collect::<Vec<_>>(),
        &bars().map(|bar| bar.vwap).collect::<Vec<_>>(),
        &bars().map(|bar| bar.n_trades.map(whole)).collect::<Vec<_>>(),
        &bars().map(|bar| bar.session.map(SessionKind::name)).collect::<Vec<_>>(),
        &bars().map(|bar| bar.source.as_str()).collect::<Vec<_>>(),
        &bars().map(|bar| bar.origin.name()).collect::<Vec<_>>(),
        &bars().map(|bar| i64::from(bar.revision)).collect::<Vec<_>>(),
        &bars().map(|bar| bar.quality).collect::<Vec<_>>(),
        &flags,
        &rows.iter().map(|kept| kept.meta.as_deref().map(Json)).collect::<Vec<_>>(),
        &Time(at),
    ];
    transaction.execute(&statement, &arrays).await?;
    Ok(())
}

/// Reads rows of [`COLUMNS`] into bars, sharing the source's name between neighbours.
#[derive(Default)]
pub(crate) struct Reader {
    source: Option<Source>,
}

impl Reader {
    pub(crate) fn read(&mut self, row: &Row) -> Result<Bar, Failure> {
        let name: &str = row.try_get(11)?;
        let source = match &self.source {
            Some(source) if source.as_str() == name => source.clone(),
            _ => self.source.insert(Source::new(name)).clone(),
        };
        let revision: i64 = row.try_get(13)?;
        Ok(Bar {
            instrument: InstrumentId(row.try_get(0)?),
            interval: interval(row.try_get(1)?)?,
            open_time: row.try_get::<_, Time>(2)?.0,
            open: row.try_get(3)?,
            high: row.try_get(4)?,
            low: row.try_get(5)?,
            close: row.try_get(6)?,
            volume: row.try_get(7)?,
            vwap: row.try_get(8)?,
            n_trades: row.try_get::<_, Option<i64>>(9)?.and_then(|n| u64::try_from(n).ok()),
            session: row.try_get::<_, Option<&str>>(10)?.and_then(|kind| kind.parse().ok()),
            source,
            origin: parsed(row.try_get(12)?)?,
            revision: u32::try_from(revision).unwrap_or(u32::MAX),
            quality: row.try_get(14)?,
            flags: BarFlags::read(row.try_get(15)?),
        })
    }
}

/// An interval as a column has it.
pub(crate) fn seconds(interval: Interval) -> i32 {
    i32::try_from(interval.seconds()).unwrap_or(i32::MAX)
}

/// A column's number as an interval.
pub(crate) fn interval(seconds: i32) -> Result<Interval, Failure> {
    let known = u32::try_from(seconds).ok().and_then(Interval::from_seconds);
    known.ok_or_else(|| Failure::Odd(format!("{seconds} seconds are no interval that this version knows")))
}

/// A cell whose text must read as a `T`.
pub(crate) fn parsed<T: std::str::FromStr>(cell: &str) -> Result<T, Failure> {
    cell.parse().map_err(|_| Failure::Odd(format!("'{}' is no {}", text(cell), std::any::type_name::<T>())))
}
