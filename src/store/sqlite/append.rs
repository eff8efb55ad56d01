//! Writing a batch: one transaction, fused where a key is taken.

use rusqlite::{Connection, Transaction, params};

use crate::market::{Bar, Timestamp};
use crate::pipeline::{Fused, Ranks, fuse};
use crate::quality::{Coverage, Quarantined, Violation};
use crate::store::contract::{Ack, Batch, JobRecord};
use crate::store::sqlite::bar::{self, Reader};

/// Writes all of a batch or nothing.
pub(crate) fn append(connection: &mut Connection, mut batch: Batch, ranks: &Ranks) -> rusqlite::Result<Ack> {
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let mut ack = Ack { quarantined: batch.quarantine.len() as u64, ..Ack::default() };
    batch.bars.sort_by_key(bar::order);
    write_bars(&transaction, &batch.bars, ranks, batch.at, &mut ack)?;
    write_quarantine(&transaction, &batch.quarantine)?;
    write_violations(&transaction, batch.violations.iter().chain(&ack.disagreements))?;
    write_coverage(&transaction, &batch.coverage)?;
    if let Some(job) = &batch.checkpoint {
        save_job(&transaction, job)?;
    }
    transaction.commit()?;
    Ok(ack)
}

fn write_bars(transaction: &Transaction<'_>, bars: &[Bar], ranks: &Ranks, at: Timestamp, ack: &mut Ack) -> rusqlite::Result<()> {
    // Looked up once a batch, not once a row.
    let mut insert = transaction.prepare_cached(bar::INSERT)?;
    let one = format!("SELECT {} FROM bars WHERE instrument_id = ?1 AND interval_s = ?2 AND open_time = ?3", bar::COLUMNS);
    let mut select = transaction.prepare_cached(&one)?;
    let mut update = transaction.prepare_cached(bar::UPDATE)?;
    let mut reader = Reader::default();
    for new in bars {
        if bar::write(&mut insert, new, at)? == 1 {
            ack.inserted += 1;
            continue;
        }
        let key = params![new.instrument.0, new.interval.seconds(), new.open_time.as_micros()];
        let old = select.query_row(key, |row| reader.read(row))?;
        let (winner, disagreement) = match fuse(&old, new, ranks, at) {
            Fused::Keep => {
                ack.kept += 1;
                continue;
            }
            Fused::Replace(winner) => (winner, None),
            Fused::Disagree(winner, violation) => (winner, Some(violation)),
        };
        bar::write(&mut update, &winner, at)?;
        ack.replaced += 1;
        ack.disagreements.extend(disagreement);
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
            row.interval.map(crate::market::Interval::seconds),
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
    for row in rows {
        insert.execute(params![
            row.instrument.0,
            row.interval.seconds(),
            row.source.as_str(),
            row.from.as_micros(),
            row.to.as_micros(),
            row.state.name(),
            row.asked_at.as_micros(),
        ])?;
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
         attempts = excluded.attempts, error = excluded.error, updated_at = excluded.updated_at",
    )?;
    upsert.execute(params![
        (job.id != 0).then_some(job.id),
        job.kind,
        job.symbol.as_ref().map(crate::market::Symbol::as_str),
        job.interval.map(crate::market::Interval::seconds),
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
