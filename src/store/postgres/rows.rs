//! Any table's rows as they are: for copies, backups, digests and pruning.

use std::borrow::Cow;

use deadpool_postgres::{Client, Transaction};
use tokio_postgres::types::ToSql;

use crate::market::Timestamp;
use crate::store::postgres::failure::Failure;
use crate::store::postgres::types::{Time, text};
use crate::store::table::{ColumnKind, ColumnSpec, Field, KEPT, Row, TABLES, TableSpec};

/// Every row of a table in the order of its key.
pub(crate) fn select_sql(table: &TableSpec) -> String {
    format!("SELECT {} FROM {} ORDER BY {}", readable(table.columns), table.name, table.key_list())
}

/// As [`select_sql`], after a key that is given by parameters.
pub(crate) fn select_after_sql(table: &TableSpec) -> String {
    let places: Vec<_> = (1..=table.key).map(|n| format!("${n}")).collect();
    let (name, key) = (table.name, table.key_list());
    format!("SELECT {} FROM {name} WHERE ({key}) > ({}) ORDER BY {key}", readable(table.columns), places.join(", "))
}

fn readable(columns: &[ColumnSpec]) -> String {
    let cell = |column: &ColumnSpec| match column.kind {
        ColumnKind::Json => format!("{}::text", column.name),
        _ => column.name.to_owned(),
    };
    columns.iter().map(cell).collect::<Vec<_>>().join(", ")
}

/// A row's cells.
pub(crate) fn fields(columns: &[ColumnSpec], row: &tokio_postgres::Row) -> Result<Row, Failure> {
    columns.iter().enumerate().map(|(place, column)| field(column.kind, row, place)).collect()
}

fn field(kind: ColumnKind, row: &tokio_postgres::Row, place: usize) -> Result<Field, Failure> {
    let whole = |n: Option<i64>| n.map_or(Field::Null, Field::Whole);
    Ok(match kind {
        ColumnKind::Whole => whole(row.try_get(place)?),
        ColumnKind::Seconds => whole(row.try_get::<_, Option<i32>>(place)?.map(i64::from)),
        ColumnKind::Small => whole(row.try_get::<_, Option<i16>>(place)?.map(i64::from)),
        ColumnKind::Flag => whole(row.try_get::<_, Option<bool>>(place)?.map(i64::from)),
        ColumnKind::Time => whole(row.try_get::<_, Option<Time>>(place)?.map(|time| time.0.as_micros())),
        ColumnKind::Real => row.try_get::<_, Option<f64>>(place)?.map_or(Field::Null, Field::Real),
        ColumnKind::Text | ColumnKind::Json => row.try_get::<_, Option<String>>(place)?.map_or(Field::Null, Field::Text),
    })
}

/// One cell as a parameter.
pub(crate) fn parameter(kind: ColumnKind, field: &Field) -> Box<dyn ToSql + Sync + Send> {
    match kind {
        ColumnKind::Whole => Box::new(whole(field)),
        ColumnKind::Seconds => Box::new(seconds(field)),
        ColumnKind::Small => Box::new(small(field)),
        ColumnKind::Flag => Box::new(flag(field)),
        ColumnKind::Time => Box::new(time(field)),
        ColumnKind::Real => Box::new(real(field)),
        ColumnKind::Text | ColumnKind::Json => Box::new(words(field).map(Cow::into_owned)),
    }
}

/// One column of many rows as a parameter.
fn array<'a>(column: &ColumnSpec, place: usize, rows: &'a [Row]) -> Box<dyn ToSql + Sync + Send + 'a> {
    fn each<'a, T>(rows: &'a [Row], place: usize, of: fn(&'a Field) -> T) -> Vec<T> {
        rows.iter().map(|row| of(&row[place])).collect()
    }
    match column.kind {
        ColumnKind::Whole => Box::new(each(rows, place, whole)),
        ColumnKind::Seconds => Box::new(each(rows, place, seconds)),
        ColumnKind::Small => Box::new(each(rows, place, small)),
        ColumnKind::Flag => Box::new(each(rows, place, flag)),
        ColumnKind::Time => Box::new(each(rows, place, time)),
        ColumnKind::Real => Box::new(each(rows, place, real)),
        ColumnKind::Text | ColumnKind::Json => Box::new(each(rows, place, words)),
    }
}

fn whole(field: &Field) -> Option<i64> {
    if let Field::Whole(n) = field { Some(*n) } else { None }
}

fn seconds(field: &Field) -> Option<i32> {
    whole(field).and_then(|n| i32::try_from(n).ok())
}

fn small(field: &Field) -> Option<i16> {
    whole(field).and_then(|n| i16::try_from(n).ok())
}

fn flag(field: &Field) -> Option<bool> {
    whole(field).map(|n| n != 0)
}

fn time(field: &Field) -> Option<Time> {
    whole(field).map(|micros| Time(Timestamp::from_micros(micros)))
}

#[expect(clippy::cast_precision_loss, reason = "SQLite keeps a price without a fraction as a whole number")]
fn real(field: &Field) -> Option<f64> {
    match field {
        Field::Real(x) => Some(*x),
        Field::Whole(n) => Some(*n as f64),
        Field::Null | Field::Text(_) => None,
    }
}

fn words(field: &Field) -> Option<Cow<'_, str>> {
    if let Field::Text(words) = field { Some(text(words)) } else { None }
}

/// Writes rows as they are; those whose key is taken are left out.
pub(crate) async fn put(client: &mut Client, table: &TableSpec, rows: &[Row]) -> Result<u64, Failure> {
    let unnest = |(place, column): (usize, &ColumnSpec)| format!("${}::{}[]", place + 1, array_type(column.kind));
    let arrays: Vec<_> = table.columns.iter().enumerate().map(unnest).collect();
    let cell = |(place, column): (usize, &ColumnSpec)| match column.kind {
        ColumnKind::Json => format!("c{place}::jsonb"),
        _ => format!("c{place}"),
    };
    let cells: Vec<_> = table.columns.iter().enumerate().map(cell).collect();
    let names: Vec<_> = (0..table.columns.len()).map(|place| format!("c{place}")).collect();
    let sql = format!(
        "INSERT INTO {} ({}) SELECT {} FROM unnest({}) AS n ({}) ON CONFLICT DO NOTHING",
        table.name,
        table.column_list(),
        cells.join(", "),
        arrays.join(", "),
        names.join(", ")
    );
    let values: Vec<_> = table.columns.iter().enumerate().map(|(place, column)| array(column, place, rows)).collect();
    let parameters: Vec<&(dyn ToSql + Sync)> = values.iter().map(|value| &**value as &(dyn ToSql + Sync)).collect();
    let transaction = client.transaction().await?;
    let statement = transaction.prepare_cached(&sql).await?;
    let new = transaction.execute(&statement, &parameters).await?;
    count_on(&transaction, table).await?;
    transaction.commit().await?;
    Ok(new)
}

/// When the intraday bars among rows open.
pub(crate) fn intraday_opens<'a>(table: &TableSpec, rows: &'a [Row]) -> impl Iterator<Item = Timestamp> + use<'a> {
    let bars = if table.name == "bars" { rows } else { &[] };
    bars.iter().filter_map(|row| match row[..] {
        [_, Field::Whole(seconds), Field::Whole(open), ..] if seconds < DAY => Some(Timestamp::from_micros(open)),
        _ => None,
    })
}

/// Bars of a day and longer have a partition of their own.
const DAY: i64 = 86_400;

/// The type that an array of a column's cells has on its way; JSON travels as text.
fn array_type(kind: ColumnKind) -> &'static str {
    match kind {
        ColumnKind::Whole => "bigint",
        ColumnKind::Seconds => "int",
        ColumnKind::Small => "smallint",
        ColumnKind::Real => "float8",
        ColumnKind::Text | ColumnKind::Json => "text",
        ColumnKind::Time => "timestamptz",
        ColumnKind::Flag => "boolean",
    }
}

/// Rows that brought their own numbers: the next one is counted on from them.
async fn count_on(transaction: &Transaction<'_>, table: &TableSpec) -> Result<(), Failure> {
    if table.columns[0].name == "id" {
        let name = table.name;
        let sql = format!("SELECT setval(pg_get_serial_sequence('{name}', 'id'), greatest(max(id), 1), max(id) IS NOT NULL) FROM {name}");
        transaction.query(&sql, &[]).await?;
    }
    Ok(())
}

pub(crate) async fn last_key(client: &Client, table: &TableSpec) -> Result<Option<Row>, Failure> {
    let key = table.key_list();
    let sql = format!("SELECT {key} FROM {} ORDER BY {} DESC LIMIT 1", table.name, key.replace(", ", " DESC, "));
    let row = client.query_opt(&sql, &[]).await?;
    row.map(|row| fields(&table.columns[..table.key], &row)).transpose()
}

/// Deletes at most `at_most` rows that are older than `before`.
pub(crate) async fn prune(client: &mut Client, table: &TableSpec, before: Timestamp, at_most: u32) -> Result<u64, Failure> {
    let Some(sql) = table.prune_sql("$1", at_most) else { return Ok(0) };
    let transaction = client.transaction().await?;
    // A server that has not counted the rows yet would read the table whole.
    transaction.batch_execute("SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; SET LOCAL enable_seqscan = off").await?;
    let pruned = transaction.execute(&sql, &[&Time(before)]).await?;
    transaction.commit().await?;
    Ok(pruned)
}

/// Empties every table.
pub(crate) async fn clear(client: &Client) -> Result<(), Failure> {
    let names: Vec<_> = TABLES.iter().map(|table| table.name).collect();
    // Whoever reads for long is not made to wait behind us, and we do not wait for long.
    let sql = format!(
        "BEGIN; SET LOCAL lock_timeout = '30s'; TRUNCATE {} RESTART IDENTITY; DELETE FROM about WHERE key = '{KEPT}'; COMMIT",
        names.join(", ")
    );
    if let Err(error) = client.batch_execute(&sql).await {
        let _ = client.batch_execute("ROLLBACK").await;
        return Err(error.into());
    }
    Ok(())
}

pub(crate) async fn about(client: &Client, key: &str) -> Result<Option<String>, Failure> {
    let row = client.query_opt("SELECT value FROM about WHERE key = $1", &[&key]).await?;
    Ok(row.map(|row| row.try_get(0)).transpose()?)
}

pub(crate) async fn set_about(client: &Client, key: &str, value: Option<&str>) -> Result<(), Failure> {
    match value {
        Some(value) => {
            let sql = "INSERT INTO about (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value";
            client.execute(sql, &[&key, &value]).await?
        }
        None => client.execute("DELETE FROM about WHERE key = $1", &[&key]).await?,
    };
    Ok(())
}
