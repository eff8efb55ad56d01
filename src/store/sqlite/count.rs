//! How often sources were asked.

use std::time::Duration;

use rusqlite::{Connection, TransactionBehavior, params};

use crate::market::Timestamp;
use crate::store::contract::RequestCount;

/// Adds up; the answers are the totals.
pub(crate) fn count_requests(connection: &mut Connection, counts: &[RequestCount]) -> rusqlite::Result<Vec<u64>> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let totals = {
        let mut add = transaction.prepare_cached(
            "INSERT INTO request_counts AS c (source, window_s, window_start, count) VALUES (?1, ?2, ?3, ?4) \
             ON CONFLICT (source, window_s, window_start) DO UPDATE SET count = c.count + excluded.count RETURNING count",
        )?;
        let mut total = |one: &RequestCount| {
            let (window, start, count) = (whole(one.window.as_secs()), one.window_start.as_micros(), one.count);
            add.query_row(params![one.source, window, start, count], |row| row.get(0)).map(unsigned)
        };
        counts.iter().map(&mut total).collect::<rusqlite::Result<Vec<u64>>>()?
    };
    transaction.commit()?;
    Ok(totals)
}

pub(crate) fn request_counts(connection: &Connection, since: Timestamp) -> rusqlite::Result<Vec<RequestCount>> {
    let mut statement = connection.prepare_cached(
        "SELECT source, window_s, window_start, count FROM request_counts WHERE window_start >= ?1 ORDER BY window_start, source, window_s",
    )?;
    let rows = statement.query_map([since.as_micros()], |row| {
        Ok(RequestCount {
            source: row.get(0)?,
            window: Duration::from_secs(unsigned(row.get(1)?)),
            window_start: Timestamp::from_micros(row.get(2)?),
            count: row.get(3)?,
        })
    })?;
    rows.collect()
}

fn whole(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

fn unsigned(n: i64) -> u64 {
    u64::try_from(n).unwrap_or(0)
}
