//! Writing a batch: one transaction, fused where a key is taken.

use rusqlite::{Connection, Transaction, params};

use crate::market::{Bar, Interval, Side, Symbol, Timestamp};
use crate::pipeline::Ranks;
use crate::quality::{Coverage, CoverageState, Quarantined, Violation};
use crate::store::contract::{Ack, Batch, JobRecord, QuoteRow, TradeRow};
use crate::store::merge::{Merger, ready, stretches};
use crate::store::sqlite::{bar, reference};

/// Rows from which on a batch is a bulk load, which works better with more of the table in memory.
const BULK: usize = 10_000;

/// After how many rows the memory that they were written in is given back.
const KEPT_IN_MEMORY: u64 = 16_384;

/// Writes all of a batch or nothing.
pub(crate) fn append(connection: &mut Connection, batch: Batch, ranks: &Ranks) -> rusqlite::Result<Ack> {
    let bulk = batch.bars.len() >= BULK;
    if bulk {
        connection.pragma_update(None, "cache_size", -64_000)?;
    }
    let before = connection.total_changes();
    let ack = write(connection, &ready(batch), ranks);
    if bulk {
        connection.pragma_update(None, "cache_size", -8_000)?;
    } else if before / KEPT_IN_MEMORY != connection.total_changes() / KEPT_IN_MEMORY {
        // What was written is not read again soon: it need not fill the cache all day. It is written, whatever comes of this.
        let _ = connection.execute_batch("PRAGMA shrink_memory");
    }
    ack
}

fn write(connection: &mut Connection, batch: &Batch, ranks: &Ranks) -> rusqlite::Result<Ack> {
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let mut ack = Ack { quarantined: batch.quarantine.len() as u64, ..Ack::default() };
    let merger = Merger { ranks, at: batch.at };
    write_bars(&transaction, &batch.bars, &merger, &mut ack)?;
    write_quotes(&transaction, &batch.quotes)?;
    write_trades(&transaction, &batch.trades)?;
    write_quarantine(&transaction, &batch.quarantine)?;
    write_violations(&transaction, batch.violations.iter().chain(&ack.disagreements))?;
    write_coverage(&transaction, &batch.coverage)?;
    reference::write_actions(&transaction, &batch.actions)?;
    reference::write_fundamentals(&transaction, &batch.fundamentals)?;
    if let Some(job) = &batch.checkpoint {
        save_job(&transaction, job)?;
    }
    transaction.commit()?;
    Ok(ack)
}

/// Most bars are new: each is tried as one, and only those whose key is taken are read and fused.
fn write_bars(transaction: &Transaction<'_>, bars: &[Bar], merger: &Merger<'_>, ack: &mut Ack) -> rusqlite::Result<()> {
    // Looked up once a batch, not once a row.
    let mut insert = transaction.prepare_cached(bar::INSERT)?;
    let mut collided = Vec::new();
    for new in bars {
        if bar::insert(&mut insert, new, merger.at)? == 1 {
            ack.inserted += 1;
        } else {
            collided.push(new.clone());
        }
    }
    if collided.is_empty() {
        return Ok(());
    }
    let mut select = transaction.prepare_cached(&bar::select_stretch())?;
    let mut update = transaction.prepare_cached(bar::UPDATE)?;
    for news in stretches(&collided) {
        let olds = bar::read_stretch(&mut select, news)?;
        for kept in merger.merge(news, olds, ack) {
            bar::update(&mut update, &kept, merger.at)?;
        }
    }
    Ok(())
}

fn write_quotes(transaction: &Transaction<'_>, rows: &[QuoteRow]) -> rusqlite::Result<()> {
    let mut insert = transaction.prepare_cached(
        "INSERT INTO quotes (instrument_id, source, ts_event, ts_recv, last, bid, bid_size, ask, ask_size, volume) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT DO NOTHING",
    )?;
    for row in rows {
        let (event, recv) = (row.ts_event.as_micros(), row.ts_recv.as_micros());
        insert.execute(params![
            row.instrument.0,
            row.source.as_str(),
            event,
            recv,
            row.last,
            row.bid,
            row.bid_size,
            row.ask,
            row.ask_size,
            row.volume
        ])?;
    }
    Ok(())
}

fn write_trades(transaction: &Transaction<'_>, rows: &[TradeRow]) -> rusqlite::Result<()> {
    let mut insert = transaction.prepare_cached(
        "INSERT INTO trades (instrument_id, source, trade_id, ts_event, ts_recv, price, size, taker, venue, conditions, moves) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT DO NOTHING",
    )?;
    for row in rows {
        let (event, recv) = (row.ts_event.as_micros(), row.ts_recv.as_micros());
        let taker = row.taker.map(Side::name);
        insert.execute(params![
            row.instrument.0,
            row.source.as_str(),
            row.trade_id,
            event,
            recv,
            row.price,
            row.size,
            taker,
            row.venue,
            row.conditions,
            row.moves
        ])?;
    }
    Ok(())
}

fn write_quarantine(transaction: &Transaction<'_>, rows: &[Quarantined]) -> rusqlite::Result<()> {
    let mut insert = transaction.prepare_cached(
        "INSERT INTO quarantine (received_at, source, instrument_id, interval_s, open_time, reasons, payload) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING",
    )?;
    for row in rows {
        insert.execute(params![
            row.received_at.as_micros(),
            row.source.as_str(),
            row.instrument.0,
            row.interval.map(Interval::seconds),
            row.open_time.map(Timestamp::as_micros),
            row.reasons.join("|"),
            row.payload,
        ])?;
    }
    Ok(())
}

fn write_violations<'a>(transaction: &Transaction<'_>, rows: impl Iterator<Item = &'a Violation>) -> rusqlite::Result<()> {
    let mut insert = transaction.prepare_cached(
        "INSERT INTO violations (time, instrument_id, interval_s, open_time, source, rule, severity, message) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING",
    )?;
    for row in rows {
        insert.execute(params![
            row.time.as_micros(),
            row.instrument.0,
            row.interval.seconds(),
            row.open_time.as_micros(),
            row.source.as_str(),
            row.rule,
            row.severity.name(),
            row.message,
        ])?;
    }
    Ok(())
}

fn write_coverage(transaction: &Transaction<'_>, rows: &[Coverage]) -> rusqlite::Result<()> {
    let mut insert = transaction.prepare_cached(
        "INSERT INTO coverage (instrument_id, interval_s, source, from_time, to_time, state, asked_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) \
         ON CONFLICT DO UPDATE SET to_time = max(to_time, excluded.to_time), state = excluded.state, asked_at = excluded.asked_at",
    )?;
    // A hole that somebody filled is none any more.
    let mut filled = transaction.prepare_cached(
        "DELETE FROM coverage WHERE instrument_id = ?1 AND interval_s = ?2 AND from_time >= ?3 AND to_time <= ?4 AND state = 'failed'",
    )?;
    for row in rows {
        let (from, to) = (row.from.as_micros(), row.to.as_micros());
        if row.state != CoverageState::Failed {
            filled.execute(params![row.instrument.0, row.interval.seconds(), from, to])?;
        }
        let (source, state) = (row.source.as_str(), row.state.name());
        insert.execute(params![row.instrument.0, row.interval.seconds(), source, from, to, state, row.asked_at.as_micros()])?;
    }
    Ok(())
}

/// Writes a job's row; the answer is its id.
pub(crate) fn save_job(connection: &Connection, job: &JobRecord) -> rusqlite::Result<i64> {
    let whole = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let mut upsert = connection.prepare_cached(
        "INSERT INTO jobs (id, kind, symbol, interval_s, from_time, to_time, source, state, done, total, rows, attempts, error, created_at, updated_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15) \
         ON CONFLICT (id) DO UPDATE SET state = excluded.state, done = excluded.done, total = excluded.total, rows = excluded.rows, \
         attempts = excluded.attempts, error = excluded.error, updated_at = excluded.updated_at \
         WHERE jobs.updated_at <= excluded.updated_at",
    )?;
    upsert.execute(params![
        (job.id != 0).then_some(job.id),
        job.kind,
        job.symbol.as_ref().map(Symbol::as_str),
        job.interval.map(Interval::seconds),
        job.from.map(Timestamp::as_micros),
        job.to.map(Timestamp::as_micros),
        job.source,
        job.state.name(),
        whole(job.done),
        whole(job.total),
        whole(job.rows),
        job.attempts,
        job.error,
        job.created_at.as_micros(),
        job.updated_at.as_micros(),
    ])?;
    Ok(if job.id == 0 { connection.last_insert_rowid() } else { job.id })
}
