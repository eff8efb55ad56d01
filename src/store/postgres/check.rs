//! Whether the tables are as the migrations made them.

use std::collections::BTreeMap;

use deadpool_postgres::Client;

use crate::store::postgres::failure::Failure;
use crate::store::table::{ColumnKind, ColumnSpec, TABLES, TableSpec, VIEWS};

/// What differs from the migrations; the server itself keeps keys and references.
pub(crate) async fn check(client: &Client) -> Result<Vec<String>, Failure> {
    let sql =
        "SELECT table_name::text, column_name::text, data_type::text FROM information_schema.columns WHERE table_schema = current_schema()";
    let mut there: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for row in client.query(sql, &[]).await? {
        there.entry(row.try_get(0)?).or_default().insert(row.try_get(1)?, row.try_get(2)?);
    }
    let mut found = Vec::new();
    for table in TABLES {
        match there.get(table.name) {
            None => found.push(format!("the table {} is not there", table.name)),
            Some(columns) => found.extend(differences(table, columns)),
        }
    }
    for view in VIEWS {
        if !there.contains_key(*view) {
            found.push(format!("the view {view} is not there"));
        }
    }
    found.extend(broken_indexes(client).await?);
    Ok(found)
}

fn differences(table: &TableSpec, columns: &BTreeMap<String, String>) -> Vec<String> {
    let difference = |column: &ColumnSpec| {
        let wanted = data_type(column.kind);
        match columns.get(column.name) {
            None => Some(format!("{}.{} is not there", table.name, column.name)),
            Some(found) if found != wanted => Some(format!("{}.{} is {found}, not {wanted}", table.name, column.name)),
            Some(_) => None,
        }
    };
    table.columns.iter().filter_map(difference).collect()
}

fn data_type(kind: ColumnKind) -> &'static str {
    match kind {
        ColumnKind::Whole => "bigint",
        ColumnKind::Seconds => "integer",
        ColumnKind::Small => "smallint",
        ColumnKind::Real => "double precision",
        ColumnKind::Text => "text",
        ColumnKind::Time => "timestamp with time zone",
        ColumnKind::Flag => "boolean",
        ColumnKind::Json => "jsonb",
    }
}

/// Tables whose key is gone, and indexes that the server itself calls invalid.
async fn broken_indexes(client: &Client) -> Result<Vec<String>, Failure> {
    let names: Vec<_> = TABLES.iter().map(|table| table.name).collect();
    let sql = "SELECT 'the key of ' || t.name || ' is not there' FROM unnest($1::text[]) AS t (name) \
               WHERE to_regclass(t.name) IS NOT NULL \
                 AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = to_regclass(t.name) AND i.indisprimary) \
               UNION ALL SELECT 'the index ' || c.relname || ' is invalid' FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid \
               WHERE NOT i.indisvalid AND c.relnamespace = to_regnamespace(current_schema())";
    let rows = client.query(sql, &[&names]).await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}
