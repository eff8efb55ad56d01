//! The baselines on PostgreSQL: the same work with nothing but tokio-postgres.

use std::hint::black_box;
use std::pin::pin;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::TryStreamExt;
use openbell::market::{Bar, SessionKind, Timestamp};
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, NoTls, Statement};

const COPY_BARS: &str = "COPY bars (instrument_id, interval_s, open_time, open, high, low, close, volume, vwap, n_trades, session, source, \
     origin, revision, quality, flags, recorded_at, updated_at) FROM STDIN (FORMAT binary)";

const INCOMING: &str = "CREATE TEMPORARY TABLE incoming (LIKE bars) ON COMMIT DELETE ROWS";

const COPY_INCOMING: &str = "COPY incoming (instrument_id, interval_s, open_time, open, high, low, close, volume, vwap, n_trades, session, \
     source, origin, revision, quality, flags, recorded_at, updated_at) FROM STDIN (FORMAT binary)";

const UPSERT: &str = "INSERT INTO bars (instrument_id, interval_s, open_time, open, high, low, close, volume, vwap, n_trades, session, source, \
     origin, revision, quality, flags, recorded_at, updated_at) \
     SELECT instrument_id, interval_s, open_time, open, high, low, close, volume, vwap, n_trades, session, source, \
     origin, revision, quality, flags, recorded_at, updated_at FROM incoming \
     ON CONFLICT (instrument_id, interval_s, open_time) DO UPDATE SET open = excluded.open, high = excluded.high, low = excluded.low, \
     close = excluded.close, volume = excluded.volume, vwap = excluded.vwap, n_trades = excluded.n_trades, session = excluded.session, \
     source = excluded.source, origin = excluded.origin, revision = excluded.revision, quality = excluded.quality, flags = excluded.flags, \
     updated_at = excluded.updated_at \
     WHERE (bars.open, bars.high, bars.low, bars.close, bars.volume, bars.vwap, bars.n_trades, bars.session, bars.source, bars.origin, \
     bars.revision, bars.quality, bars.flags) IS DISTINCT FROM (excluded.open, excluded.high, excluded.low, excluded.close, \
     excluded.volume, excluded.vwap, excluded.n_trades, excluded.session, excluded.source, excluded.origin, excluded.revision, \
     excluded.quality, excluded.flags)";

const LOAD: &str = "SELECT instrument_id, interval_s, open_time, open, high, low, close, volume, vwap, n_trades, session, source, origin, \
     revision, quality, flags FROM bars WHERE instrument_id = $1 AND interval_s = 60 ORDER BY open_time";

/// A connection with what it needs prepared.
pub struct Bare {
    pub client: Client,
    upsert: Statement,
    load: Statement,
}

impl Bare {
    /// Connects to a database that has our tables.
    pub async fn connect(url: &str) -> Self {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("the server answers");
        tokio::spawn(connection);
        client.batch_execute(INCOMING).await.expect("there is a table of bars");
        let upsert = client.prepare(UPSERT).await.expect("the table has these columns");
        let load = client.prepare(LOAD).await.expect("the table has these columns");
        Self { client, upsert, load }
    }

    /// Binary COPY straight into the table, one a batch.
    pub async fn copy(&self, batches: &[Vec<Bar>]) -> u64 {
        let mut done = 0;
        for batch in batches {
            let sink = self.client.copy_in(COPY_BARS).await.expect("the table is there");
            done += write(BinaryCopyInWriter::new(sink, TYPES), batch).await;
        }
        done
    }

    /// Binary COPY to a temporary table and one statement from there, one transaction a batch; the answer is how many rows were
    /// brought, and how many of them changed something.
    pub async fn upsert(&mut self, batches: &[Vec<Bar>]) -> (u64, u64) {
        let (mut brought, mut changed) = (0, 0);
        for batch in batches {
            let transaction = self.client.transaction().await.expect("the server answers");
            let sink = transaction.copy_in(COPY_INCOMING).await.expect("the table is there");
            brought += write(BinaryCopyInWriter::new(sink, TYPES), batch).await;
            changed += transaction.execute(&self.upsert, &[]).await.expect("the rows fit");
            transaction.commit().await.expect("the disk has room");
        }
        (brought, changed)
    }

    /// One statement and a loop over its rows as they come.
    pub async fn load(&self, instrument: i64) -> u64 {
        let rows = self.client.query_raw(&self.load, [instrument]).await.expect("the table is there");
        let rows: Vec<Row> = rows.map_ok(|row| Row::read(&row)).try_collect().await.expect("the rows can be read");
        let whole = |row: &&Row| row.texts > 0 && row.open_time > UNIX_EPOCH && row.figures[0] > 0.0 && row.volume.is_some();
        black_box(rows).iter().filter(whole).count() as u64
    }
}

const TYPES: &[Type] = &[
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
    Type::TIMESTAMPTZ,
    Type::TIMESTAMPTZ,
];

async fn write(writer: BinaryCopyInWriter, batch: &[Bar]) -> u64 {
    let mut writer = pin!(writer);
    let now = SystemTime::now();
    for bar in batch {
        let (interval, open_time, n_trades) =
            (bar.interval.seconds().cast_signed(), instant(bar.open_time), bar.n_trades.map(u64::cast_signed));
        let (session, source, origin) = (bar.session.map(SessionKind::name), bar.source.as_str(), bar.origin.name());
        let revision = i64::from(bar.revision);
        let row: [&(dyn ToSql + Sync); 18] = [
            &bar.instrument.0,
            &interval,
            &open_time,
            &bar.open,
            &bar.high,
            &bar.low,
            &bar.close,
            &bar.volume,
            &bar.vwap,
            &n_trades,
            &session,
            &source,
            &origin,
            &revision,
            &bar.quality,
            &"",
            &now,
            &now,
        ];
        writer.as_mut().write(&row).await.expect("the server takes it");
    }
    writer.finish().await.expect("the rows fit")
}

fn instant(time: Timestamp) -> SystemTime {
    UNIX_EPOCH + Duration::from_micros(time.as_micros().cast_unsigned())
}

/// A row with every column that we read; the texts are looked at and not kept.
struct Row {
    open_time: SystemTime,
    figures: [f64; 5],
    whole: [i64; 3],
    volume: Option<f64>,
    vwap: Option<f64>,
    n_trades: Option<i64>,
    texts: usize,
}

impl Row {
    fn read(row: &tokio_postgres::Row) -> Self {
        let text = |column: usize| row.get::<_, Option<&str>>(column).map_or(0, str::len);
        Self {
            open_time: row.get(2),
            figures: [row.get(3), row.get(4), row.get(5), row.get(6), row.get(14)],
            whole: [row.get(0), row.get::<_, i32>(1).into(), row.get(13)],
            volume: row.get(7),
            vwap: row.get(8),
            n_trades: row.get(9),
            texts: text(10) + text(11) + text(12) + text(15),
        }
    }
}
