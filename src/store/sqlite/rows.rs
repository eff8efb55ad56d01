//! Any table's rows as they are: for copies, backups, digests and pruning.

use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use rusqlite::{Connection, OptionalExtension, ToSql, Transaction, TransactionBehavior, params_from_iter};

use crate::market::Timestamp;
use crate::store::table::{Field, KEPT, Row, TABLES, TableSpec};

/// Hands rows after the key `after` to `take` in chunks of `size`, until it says that nobody listens.
pub(crate) fn rows(
    connection: &Connection,
    table: &TableSpec,
    after: Option<&Row>,
    size: usize,
    take: &mut dyn FnMut(Vec<Row>) -> bool,
) -> rusqlite::Result<()> {
    let from = after.map_or_else(String::new, |_| format!("WHERE ({}) > ({})", table.key_list(), places(table.key)));
    let sql = format!("SELECT {} FROM {} {from} ORDER BY {}", table.column_list(), table.name, table.key_list());
    let mut statement = connection.prepare(&sql)?;
    let mut found = statement.query(params_from_iter(after.into_iter().flatten()))?;
    let mut chunk = Vec::with_capacity(size);
    while let Some(row) = found.next()? {
        chunk.push((0..table.columns.len()).map(|column| row.get_ref(column).map(field)).collect::<rusqlite::Result<Row>>()?);
        if chunk.len() == size && !take(std::mem::replace(&mut chunk, Vec::with_capacity(size))) {
            return Ok(());
        }
    }
    if !chunk.is_empty() {
        take(chunk);
    }
    Ok(())
}

/// Writes rows as they are; those whose key is taken are left out.
pub(crate) fn put(connection: &mut Connection, table: &TableSpec, rows: &[Row]) -> rusqlite::Result<u64> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let sql =
        format!("INSERT INTO {} ({}) VALUES ({}) ON CONFLICT DO NOTHING", table.name, table.column_list(), places(table.columns.len()));
    let mut new = 0;
    {
        let mut insert = transaction.prepare_cached(&sql)?;
        for row in rows {
            new += insert.execute(params_from_iter(row))? as u64;
        }
    }
    transaction.commit()?;
    Ok(new)
}

pub(crate) fn last_key(connection: &Connection, table: &TableSpec) -> rusqlite::Result<Option<Row>> {
    let names = table.key_list();
    let sql = format!("SELECT {names} FROM {} ORDER BY {} DESC LIMIT 1", table.name, names.replace(", ", " DESC, "));
    connection.query_row(&sql, [], |row| key(row, table)).optional()
}

/// Deletes at most `at_most` rows that are older than `before`, each by its whole key.
pub(crate) fn prune(connection: &mut Connection, table: &TableSpec, before: Timestamp, at_most: u32) -> rusqlite::Result<u64> {
    let Some(old) = table.old_keys_sql("?1", "?2") else { return Ok(0) };
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let keys: Vec<Row> = {
        let mut statement = transaction.prepare_cached(&old)?;
        statement.query_map([before.as_micros(), i64::from(at_most)], |row| key(row, table))?.collect::<rusqlite::Result<_>>()?
    };
    {
        let named: Vec<_> = table.columns[..table.key].iter().map(|column| format!("{} = ?", column.name)).collect();
        let mut delete = transaction.prepare_cached(&format!("DELETE FROM {} WHERE {}", table.name, named.join(" AND ")))?;
        for key in &keys {
            delete.execute(params_from_iter(key))?;
        }
    }
    transaction.commit()?;
    Ok(keys.len() as u64)
}

fn key(row: &rusqlite::Row<'_>, table: &TableSpec) -> rusqlite::Result<Row> {
    (0..table.key).map(|column| row.get_ref(column).map(field)).collect()
}

/// Empties every table, those that point to others first.
pub(crate) fn clear(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    TABLES.iter().rev().try_for_each(|table| delete_all(&transaction, table))?;
    set_about(&transaction, KEPT, None)?;
    transaction.commit()
}

fn delete_all(transaction: &Transaction<'_>, table: &TableSpec) -> rusqlite::Result<()> {
    transaction.execute(&format!("DELETE FROM {}", table.name), []).map(drop)
}

pub(crate) fn about(connection: &Connection, key: &str) -> rusqlite::Result<Option<String>> {
    connection.query_row("SELECT value FROM about WHERE key = ?1", [key], |row| row.get(0)).optional()
}

pub(crate) fn set_about(connection: &Connection, key: &str, value: Option<&str>) -> rusqlite::Result<()> {
    match value {
        Some(value) => connection
            .execute("INSERT INTO about (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = excluded.value", [key, value]),
        None => connection.execute("DELETE FROM about WHERE key = ?1", [key]),
    }
    .map(drop)
}

/// So many question marks.
fn places(count: usize) -> String {
    vec!["?"; count].join(", ")
}

fn field(value: ValueRef<'_>) -> Field {
    match value {
        ValueRef::Null => Field::Null,
        ValueRef::Integer(n) => Field::Whole(n),
        ValueRef::Real(x) => Field::Real(x),
        // A blob is none of ours; what is in it is kept as well as text can.
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Field::Text(String::from_utf8_lossy(bytes).into_owned()),
    }
}

impl ToSql for Field {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Self::Null => ToSqlOutput::Owned(Value::Null),
            Self::Whole(n) => (*n).into(),
            Self::Real(x) => (*x).into(),
            Self::Text(text) => text.as_str().into(),
        })
    }
}
