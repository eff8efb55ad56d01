//! How often sources were asked.

use std::time::Duration;

use deadpool_postgres::Client;
use tokio_postgres::Row;

use crate::market::Timestamp;
use crate::store::contract::RequestCount;
use crate::store::postgres::failure::Failure;
use crate::store::postgres::types::Time;

/// Adds up; the answers are the totals. It does not wait for batches: each row is its own lock.
pub(crate) async fn count_requests(client: &mut Client, counts: &[RequestCount]) -> Result<Vec<u64>, Failure> {
    if counts.is_empty() {
        return Ok(Vec::new());
    }
    let add = client
        .prepare_cached(
            "INSERT INTO request_counts AS c (source, window_s, window_start, count) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (source, window_s, window_start) DO UPDATE SET count = c.count + excluded.count RETURNING c.count",
        )
        .await?;
    // Two who count the same rows in different orders would wait for each other for ever.
    let mut order: Vec<usize> = (0..counts.len()).collect();
    order.sort_by_key(|place| (&counts[*place].source, counts[*place].window, counts[*place].window_start));
    let transaction = client.transaction().await?;
    let mut totals = vec![0; counts.len()];
    for place in order {
        let one = &counts[place];
        let (window, start, count) = (seconds(one.window), Time(one.window_start), one.count);
        let row = transaction.query_one(&add, &[&one.source, &window, &start, &count]).await?;
        totals[place] = unsigned(row.try_get(0)?);
    }
    transaction.commit().await?;
    Ok(totals)
}

pub(crate) async fn request_counts(client: &Client, since: Timestamp) -> Result<Vec<RequestCount>, Failure> {
    let statement = client
        .prepare_cached(
            "SELECT source, window_s, window_start, count FROM request_counts \
             WHERE window_start >= $1 ORDER BY window_start, source, window_s",
        )
        .await?;
    let read = |row: &Row| {
        Ok(RequestCount {
            source: row.try_get(0)?,
            window: Duration::from_secs(unsigned(i64::from(row.try_get::<_, i32>(1)?))),
            window_start: row.try_get::<_, Time>(2)?.0,
            count: row.try_get(3)?,
        })
    };
    client.query(&statement, &[&Time(since)]).await?.iter().map(read).collect()
}

fn seconds(window: Duration) -> i32 {
    i32::try_from(window.as_secs()).unwrap_or(i32::MAX)
}

fn unsigned(n: i64) -> u64 {
    u64::try_from(n).unwrap_or(0)
}
