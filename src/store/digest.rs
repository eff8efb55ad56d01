//! What a table holds, as a number that does not depend on the engine: the same rows have the same digest everywhere.

use std::collections::BTreeMap;
use std::fmt;

use futures_util::TryStreamExt;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use crate::store::contract::Store;
use crate::store::error::StoreError;
use crate::store::table::{ColumnKind, Field, Row, TableSpec};

/// How many rows a table has, and a hash of them in the order of their key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableDigest {
    pub rows: u64,
    /// SHA-256, in hexadecimal.
    pub hash: String,
}

/// The digests of a store's tables, by their names.
pub type Digests = BTreeMap<String, TableDigest>;

/// Reads a table once.
pub async fn digest(store: &dyn Store, table: &'static TableSpec) -> Result<TableDigest, StoreError> {
    let mut digester = Digester::new(table);
    let mut chunks = store.rows(table, None);
    while let Some(chunk) = chunks.try_next().await? {
        digester.add(&chunk);
    }
    Ok(digester.finish())
}

/// A digest in the making.
pub struct Digester {
    table: &'static TableSpec,
    rows: u64,
    hasher: Sha256,
    bytes: Vec<u8>,
}

impl Digester {
    #[must_use]
    pub fn new(table: &'static TableSpec) -> Self {
        Self { table, rows: 0, hasher: Sha256::new(), bytes: Vec::new() }
    }

    /// Takes the next rows in the order of the key.
    pub fn add(&mut self, rows: &[Row]) {
        self.bytes.clear();
        for (column, field) in rows.iter().flat_map(|row| self.table.columns.iter().zip(row)) {
            encode(column.kind, field, &mut self.bytes);
        }
        self.rows += rows.len() as u64;
        self.hasher.update(&self.bytes);
    }

    #[must_use]
    pub fn finish(self) -> TableDigest {
        TableDigest { rows: self.rows, hash: format!("{:x}", self.hasher.finalize()) }
    }
}

impl fmt::Display for TableDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} rows, hash {:.12}", self.rows, self.hash)
    }
}

/// A cell says what it is and how long it is, so that no two rows are written alike.
fn encode(kind: ColumnKind, field: &Field, bytes: &mut Vec<u8>) {
    match field {
        Field::Null => bytes.push(b'n'),
        Field::Whole(n) => {
            bytes.push(b'i');
            bytes.extend(n.to_le_bytes());
        }
        Field::Real(x) => real(*x, bytes),
        Field::Text(json) if kind == ColumnKind::Json => {
            let before = bytes.len();
            if canonical(json, DEPTH, bytes).is_none() {
                bytes.truncate(before);
                text(json, bytes);
            }
        }
        Field::Text(words) => text(words, bytes),
    }
}

/// 0 and -0 are one price, and there is one way not to be a number.
fn real(x: f64, bytes: &mut Vec<u8>) {
    let x = if x.is_nan() { f64::NAN } else { x + 0.0 };
    bytes.push(b'f');
    bytes.extend(x.to_bits().to_le_bytes());
}

/// PostgreSQL keeps no U+0000: what it keeps instead counts as the same.
fn text(words: &str, bytes: &mut Vec<u8>) {
    if words.contains('\0') {
        return text(&words.replace('\0', "\u{fffd}"), bytes);
    }
    bytes.push(b't');
    bytes.extend((words.len() as u64).to_le_bytes());
    bytes.extend(words.as_bytes());
}

/// JSON that is nested deeper is hashed as it is written.
const DEPTH: u32 = 64;

/// JSON by what it means: PostgreSQL sorts the members, drops the blanks and writes numbers in its own way. `None` when it is none.
fn canonical(json: &str, depth: u32, bytes: &mut Vec<u8>) -> Option<()> {
    let (json, depth) = (json.trim(), depth.checked_sub(1)?);
    match json.bytes().next()? {
        b'{' => {
            let members: BTreeMap<String, &RawValue> = serde_json::from_str(json).ok()?;
            bytes.push(b'{');
            bytes.extend((members.len() as u64).to_le_bytes());
            members.iter().try_for_each(|(name, value)| {
                text(name, bytes);
                canonical(value.get(), depth, bytes)
            })
        }
        b'[' => {
            let items: Vec<&RawValue> = serde_json::from_str(json).ok()?;
            bytes.push(b'[');
            bytes.extend((items.len() as u64).to_le_bytes());
            items.iter().try_for_each(|item| canonical(item.get(), depth, bytes))
        }
        b'"' => {
            text(&serde_json::from_str::<String>(json).ok()?, bytes);
            Some(())
        }
        // Not by serde_json: the digits decide, not the way they are written, and 1e22 is 10000000000000000000000.
        b'-' | b'0'..=b'9' => {
            real(json.parse().ok()?, bytes);
            Some(())
        }
        _ => {
            bytes.extend(json.as_bytes());
            Some(())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::slice::from_ref;

    use super::*;
    use crate::store::table::TABLES;

    fn table(name: &str) -> &'static TableSpec {
        TABLES.iter().find(|table| table.name == name).expect("it is a table")
    }

    fn words(text: &str) -> Field {
        Field::Text(text.to_owned())
    }

    fn of(table: &'static TableSpec, chunks: &[&[Row]]) -> TableDigest {
        let mut digester = Digester::new(table);
        for rows in chunks {
            digester.add(rows);
        }
        digester.finish()
    }

    #[track_caller]
    fn check_json(one: &str, other: &str, alike: bool) {
        let of = |json: &str| {
            let mut bytes = Vec::new();
            encode(ColumnKind::Json, &words(json), &mut bytes);
            bytes
        };
        assert_eq!(of(one) == of(other), alike, "{one} and {other}");
    }

    #[test]
    fn chunks_do_not_matter_and_order_does() {
        let alerts = table("alert_history");
        let row = |n: i64| vec![Field::Whole(n), Field::Whole(7), Field::Real(1.5), words("up")];
        let (one, two) = (row(1), row(2));
        let whole = of(alerts, &[&[one.clone(), two.clone()]]);
        assert_eq!(whole, of(alerts, &[from_ref(&one), &[], from_ref(&two)]));
        assert_ne!(whole, of(alerts, &[&[two, one]]));
        assert_eq!((whole.rows, whole.hash.len()), (2, 64));
        assert_eq!(of(alerts, &[]).rows, 0);
    }

    #[test]
    fn cells_do_not_run_into_each_other() {
        let watchlist = table("watchlist");
        let row = |list: &str, note: &str| vec![words(list), Field::Whole(1), Field::Whole(0), words(note)];
        assert_ne!(of(watchlist, &[&[row("ab", "c")]]), of(watchlist, &[&[row("a", "bc")]]));
        assert_ne!(of(watchlist, &[&[row("", "n")]]), of(watchlist, &[&[vec![words(""), Field::Whole(1), Field::Whole(0), Field::Null]]]));
        assert_eq!(of(watchlist, &[&[row("a\0", "")]]), of(watchlist, &[&[row("a\u{fffd}", "")]]), "as PostgreSQL keeps it");
    }

    #[test]
    fn zero_has_one_sign() {
        let bytes = |x: f64| {
            let mut bytes = Vec::new();
            encode(ColumnKind::Real, &Field::Real(x), &mut bytes);
            bytes
        };
        assert_eq!(bytes(0.0), bytes(-0.0));
        assert_eq!(bytes(f64::NAN), bytes(-f64::NAN));
        assert_ne!(bytes(0.1 + 0.2), bytes(0.3));
    }

    #[test]
    fn json_counts_by_what_it_means() {
        check_json(r#"{"b":1,"a":[1.50,{"c":null}]}"#, r#" { "a" : [1.5, {"c": null}], "b": 1.0 } "#, true);
        check_json("1e22", "10000000000000000000000", true);
        check_json(r#"{"a":1,"a":2}"#, r#"{"a":2}"#, true);
        check_json(r#""\u00e4""#, r#""ä""#, true);
        check_json(r#"{"a":1}"#, r#"{"a":2}"#, false);
        check_json("[1,2]", "[2,1]", false);
        check_json("[[1],2]", "[1,[2]]", false);
        check_json("null", r#""null""#, false);
        check_json("no json", "no  json", false);
        let deep = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        check_json(&deep(5_000), &deep(5_000), true);
    }
}
