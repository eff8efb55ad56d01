//! Writing a batch: one transaction; copied where its range is empty, fused where keys are taken.

use deadpool_postgres::{Client, Transaction};
use futures_util::future::try_join_all;

use crate::market::{Bar, Side, Timestamp};
use crate::quality::{Coverage, CoverageState, Quarantined, Violation};
use crate::store::contract::{Ack, Batch, JobRecord, QuoteRow, TradeRow};
use crate::store::merge::{Merger, ready};
use crate::store::postgres::bar::{self, seconds};
use crate::store::postgres::claim::WRITES;
use crate::store::postgres::failure::Failure;
use crate::store::postgres::known::Known;
use crate::store::postgres::reference::{write_actions, write_fundamentals};
use crate::store::postgres::types::{Time, text, whole};

/// Writes all of a batch or nothing.
pub(crate) async fn append(client: &mut Client, batch: Batch, store: &Known) -> Result<Ack, Failure> {
    let batch = ready(batch);
    let intraday = batch.bars.iter().filter(|bar| bar.interval.is_intraday());
    store.partitions.make(client, intraday.map(|bar| bar.open_time)).await?;
    let transaction = client.transaction().await?;
    // Somebody else may write as well: what is read here is still true when it is written.
    WRITES.wait(&transaction).await?;
    store.is_the_same(&transaction).await?;
    let mut ack = Ack { quarantined: batch.quarantine.len() as u64, ..Ack::default() };
    write_bars(&transaction, &batch.bars, &Merger { ranks: &store.ranks, at: batch.at }, &mut ack).await?;
    write_quotes(&transaction, &batch.quotes).await?;
    write_trades(&transaction, &batch.trades).await?;
    write_quarantine(&transaction, &batch.quarantine).await?;
    write_violations(&transaction, batch.violations.iter().chain(&ack.disagreements)).await?;
    write_coverage(&transaction, &batch.coverage).await?;
    write_actions(&transaction, &batch.actions).await?;
    write_fundamentals(&transaction, &batch.fundamentals).await?;
    if let Some(job) = &batch.checkpoint {
        save_job(&transaction, job).await?;
    }
    transaction.commit().await?;
    Ok(ack)
}

async fn write_bars(transaction: &Transaction<'_>, bars: &[Bar], merger: &Merger<'_>, ack: &mut Ack) -> Result<(), Failure> {
    if bars.is_empty() {
        return Ok(());
    }
    let stored = bar::stored(transaction, bars).await?;
    let each_once = bars.windows(2).all(|pair| pair[0].key() != pair[1].key());
    if stored.is_empty() && each_once {
        ack.inserted += bars.len() as u64;
        return bar::copy(transaction, bars.iter(), merger.at).await;
    }
    let changed = merger.merge(bars, stored, ack);
    if changed.is_empty() {
        return Ok(());
    }
    bar::upsert(transaction, &changed, merger.at).await
}

async fn write_quotes(transaction: &Transaction<'_>, rows: &[QuoteRow]) -> Result<(), Failure> {
    if rows.is_empty() {
        return Ok(());
    }
    let insert = transaction
        .prepare_cached(
            "INSERT INTO quotes (instrument_id, source, ts_event, ts_recv, last, bid, bid_size, ask, ask_size, volume) \
             SELECT * FROM unnest($1::bigint[], $2::text[], $3::timestamptz[], $4::timestamptz[], $5::float8[], $6::float8[], $7::float8[], \
             $8::float8[], $9::float8[], $10::float8[]) ON CONFLICT DO NOTHING",
        )
        .await?;
    let figures = |of: fn(&QuoteRow) -> Option<f64>| rows.iter().map(|row| of(row).filter(|x| x.is_finite())).collect::<Vec<_>>();
    transaction
        .execute(
            &insert,
            &[
                &rows.iter().map(|row| row.instrument.0).collect::<Vec<_>>(),
                &rows.iter().map(|row| row.source.as_str()).collect::<Vec<_>>(),
                &rows.iter().map(|row| Time(row.ts_event)).collect::<Vec<_>>(),
                &rows.iter().map(|row| Time(row.ts_recv)).collect::<Vec<_>>(),
                &figures(|row| row.last),
                &figures(|row| row.bid),
                &figures(|row| row.bid_size),
                &figures(|row| row.ask),
                &figures(|row| row.ask_size),
                &figures(|row| row.volume),
            ],
        )
        .await?;
    Ok(())
}

async fn write_trades(transaction: &Transaction<'_>, rows: &[TradeRow]) -> Result<(), Failure> {
    if rows.is_empty() {
        return Ok(());
    }
    let insert = transaction
        .prepare_cached(
            "INSERT INTO trades (instrument_id, source, trade_id, ts_event, ts_recv, price, size, taker, moves, venue, conditions) \
             SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[], $6::float8[], $7::float8[], \
             $8::text[], $9::smallint[], $10::text[], $11::text[]) ON CONFLICT DO NOTHING",
        )
        .await?;
    transaction
        .execute(
            &insert,
            &[
                &rows.iter().map(|row| row.instrument.0).collect::<Vec<_>>(),
                &rows.iter().map(|row| row.source.as_str()).collect::<Vec<_>>(),
                &rows.iter().map(|row| text(&row.trade_id)).collect::<Vec<_>>(),
                &rows.iter().map(|row| Time(row.ts_event)).collect::<Vec<_>>(),
                &rows.iter().map(|row| Time(row.ts_recv)).collect::<Vec<_>>(),
                &rows.iter().map(|row| row.price).collect::<Vec<_>>(),
                &rows.iter().map(|row| row.size).collect::<Vec<_>>(),
                &rows.iter().map(|row| row.taker.map(Side::name)).collect::<Vec<_>>(),
                &rows.iter().map(|row| i16::from(row.moves)).collect::<Vec<_>>(),
                &rows.iter().map(|row| row.venue.as_deref().map(text)).collect::<Vec<_>>(),
                &rows.iter().map(|row| row.conditions.as_deref().map(text)).collect::<Vec<_>>(),
            ],
        )
        .await?;
    Ok(())
}

// The tables below get few rows: these go one by one, all under way at once.

async fn write_quarantine(transaction: &Transaction<'_>, rows: &[Quarantined]) -> Result<(), Failure> {
    let insert = transaction
        .prepare_cached(
            "INSERT INTO quarantine (received_at, source, instrument_id, interval_s, open_time, reasons, payload) \
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
        )
        .await?;
    let write = async |row: &Quarantined| {
        let (interval, open_time) = (row.interval.map(seconds), row.open_time.map(Time));
        let (reasons, payload) = (row.reasons.join("|"), text(&row.payload));
        transaction
            .execute(&insert, &[&Time(row.received_at), &row.source.as_str(), &row.instrument.0, &interval, &open_time, &reasons, &payload])
            .await
    };
    try_join_all(rows.iter().map(write)).await?;
    Ok(())
}

async fn write_violations<'a>(transaction: &Transaction<'_>, rows: impl Iterator<Item = &'a Violation>) -> Result<(), Failure> {
    let insert = transaction
        .prepare_cached(
            "INSERT INTO violations (time, instrument_id, interval_s, open_time, source, rule, severity, message) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING",
        )
        .await?;
    let write = async |row: &Violation| {
        let (rule, message) = (text(&row.rule), text(&row.message));
        let (source, severity) = (row.source.as_str(), row.severity.name());
        let (time, open_time) = (Time(row.time), Time(row.open_time));
        transaction
            .execute(&insert, &[&time, &row.instrument.0, &seconds(row.interval), &open_time, &source, &rule, &severity, &message])
            .await
    };
    try_join_all(rows.map(write)).await?;
    Ok(())
}

async fn write_coverage(transaction: &Transaction<'_>, rows: &[Coverage]) -> Result<(), Failure> {
    if rows.is_empty() {
        return Ok(());
    }
    let insert = transaction
        .prepare_cached(
            "INSERT INTO coverage (instrument_id, interval_s, source, from_time, to_time, state, asked_at) VALUES ($1, $2, $3, $4, $5, $6, $7) \
             ON CONFLICT (instrument_id, interval_s, source, from_time) DO UPDATE SET to_time = greatest(coverage.to_time, excluded.to_time), \
             state = excluded.state, asked_at = excluded.asked_at",
        )
        .await?;
    // A hole that somebody filled is none any more.
    let filled = transaction
        .prepare_cached(
            "DELETE FROM coverage WHERE instrument_id = $1 AND interval_s = $2 AND from_time >= $3 AND to_time <= $4 AND state = 'failed'",
        )
        .await?;
    let write = async |row: &Coverage| {
        let (source, state) = (row.source.as_str(), row.state.name());
        let (step, from, to) = (seconds(row.interval), Time(row.from), Time(row.to));
        transaction.execute(&insert, &[&row.instrument.0, &step, &source, &from, &to, &state, &Time(row.asked_at)]).await
    };
    let fill = async |row: &Coverage| {
        transaction.execute(&filled, &[&row.instrument.0, &seconds(row.interval), &Time(row.from), &Time(row.to)]).await
    };
    try_join_all(rows.iter().map(write)).await?;
    try_join_all(rows.iter().filter(|row| row.state != CoverageState::Failed).map(fill)).await?;
    Ok(())
}

/// Writes a job's row; the answer is its id.
pub(crate) async fn save_job(transaction: &Transaction<'_>, job: &JobRecord) -> Result<i64, Failure> {
    let upsert = transaction
        .prepare_cached(
            "INSERT INTO jobs (id, kind, symbol, interval_s, from_time, to_time, source, state, done, total, rows, attempts, error, created_at, updated_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) \
             ON CONFLICT (id) DO UPDATE SET state = excluded.state, done = excluded.done, total = excluded.total, rows = excluded.rows, \
             attempts = excluded.attempts, error = excluded.error, updated_at = excluded.updated_at \
             WHERE jobs.updated_at <= excluded.updated_at",
        )
        .await?;
    let time = |time: Option<Timestamp>| time.map(Time);
    let id = if job.id == 0 { next_job(transaction).await? } else { job.id };
    transaction
        .execute(
            &upsert,
            &[
                &id,
                &text(&job.kind),
                &job.symbol.as_ref().map(crate::market::Symbol::as_str),
                &job.interval.map(seconds),
                &time(job.from),
                &time(job.to),
                &job.source.as_deref().map(text),
                &job.state.name(),
                &whole(job.done),
                &whole(job.total),
                &whole(job.rows),
                &i64::from(job.attempts),
                &job.error.as_deref().map(text),
                &Time(job.created_at),
                &Time(job.updated_at),
            ],
        )
        .await?;
    Ok(id)
}

async fn next_job(transaction: &Transaction<'_>) -> Result<i64, Failure> {
    Ok(transaction.query_one("SELECT nextval(pg_get_serial_sequence('jobs', 'id'))", &[]).await?.try_get(0)?)
}
