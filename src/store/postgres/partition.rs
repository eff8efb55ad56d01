//! The months of the intraday bars: each has a table, made when its first bar comes.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use deadpool_postgres::{Client, GenericClient};

use crate::market::{Date, Timestamp};
use crate::store::postgres::claim::WRITES;
use crate::store::postgres::failure::Failure;

/// The months that are there. With TimescaleDB there are none to be made.
#[derive(Debug)]
pub(crate) struct Partitions {
    made: Mutex<BTreeSet<(i32, u32)>>,
    ours: bool,
}

impl Partitions {
    /// Whether the table is cut into months by us.
    pub(crate) async fn find(client: &impl GenericClient) -> Result<Self, Failure> {
        let row = client.query_one("SELECT to_regclass('bars_intraday') IS NOT NULL", &[]).await?;
        Ok(Self { made: Mutex::default(), ours: row.try_get(0)? })
    }

    /// Makes the months that bars which open at `opens` need and that are not there.
    pub(crate) async fn make(&self, client: &mut Client, opens: impl Iterator<Item = Timestamp>) -> Result<(), Failure> {
        if !self.ours {
            return Ok(());
        }
        let wanted = self.missing(opens);
        for (year, month) in &wanted {
            make_month(client, *year, *month).await?;
        }
        self.made.lock().unwrap_or_else(PoisonError::into_inner).extend(wanted);
        Ok(())
    }

    fn missing(&self, opens: impl Iterator<Item = Timestamp>) -> BTreeSet<(i32, u32)> {
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let mut last = None;
        let months = opens.filter_map(|open| {
            let day = open.as_seconds().div_euclid(86_400);
            // Neighbours share their day: the date is worked out once a day.
            (last.replace(day) != Some(day)).then(|| month(open))
        });
        months.filter(|month| !made.contains(month)).collect()
    }
}

fn month(time: Timestamp) -> (i32, u32) {
    let date = time.date();
    (date.year(), date.month())
}

/// Attaching a table that was made apart keeps nobody from reading the others meanwhile.
async fn make_month(client: &mut Client, year: i32, month: u32) -> Result<(), Failure> {
    let transaction = client.transaction().await?;
    WRITES.wait(&transaction).await?;
    let name = format!("bars_{year:04}_{month:02}");
    let there = transaction.query_one("SELECT to_regclass($1) IS NOT NULL", &[&name]).await?;
    if !there.try_get::<_, bool>(0)? {
        let (next_year, next_month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
        let first = |year: i32, month: u32| Date::new(year, month, 1).map(|date| format!("{date} 00:00:00+00"));
        let (Some(from), Some(to)) = (first(year, month), first(next_year, next_month)) else {
            return Err(Failure::Odd(format!("there is no month {year}-{month}")));
        };
        // Names and bounds are made of numbers: nothing that came from outside is in this text.
        let sql = format!(
            "CREATE TABLE {name} (LIKE bars_intraday INCLUDING DEFAULTS INCLUDING CONSTRAINTS); \
             ALTER TABLE bars_intraday ATTACH PARTITION {name} FOR VALUES FROM ('{from}') TO ('{to}')"
        );
        transaction.batch_execute(&sql).await?;
    }
    transaction.commit().await?;
    Ok(())
}
