//! The tables, as data: what is copied, backed up, counted and pruned without knowing what it means.

/// One table. Its columns are those of every engine, those of the key first and in the key's order.
#[derive(Debug)]
pub struct TableSpec {
    pub name: &'static str,
    pub columns: &'static [ColumnSpec],
    /// How many of the columns are the key.
    pub key: usize,
    pub retain: Option<Retain>,
}

/// One column.
#[derive(Debug)]
pub struct ColumnSpec {
    pub name: &'static str,
    pub kind: ColumnKind,
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnKind {
    /// A whole number; `bigint` on PostgreSQL.
    Whole,
    /// `integer` on PostgreSQL.
    Seconds,
    /// `smallint` on PostgreSQL.
    Small,
    Real,
    Text,
    /// Microseconds on SQLite, `timestamptz` on PostgreSQL.
    Time,
    /// 0 or 1 on SQLite, `boolean` on PostgreSQL.
    Flag,
    /// Text on SQLite, `jsonb` on PostgreSQL.
    Json,
}

/// Which rows of a table grow old, and by which column.
#[derive(Debug)]
pub struct Retain {
    pub time: &'static str,
    /// Where the time is sorted.
    pub by: By,
    /// A further condition, in SQL that every engine reads: what must stay.
    pub only: Option<&'static str>,
    /// The key in `[store.retain]`.
    pub config: &'static str,
}

/// Where the times of a table are sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// Within each instrument: old rows are found instrument by instrument.
    Instrument,
    Table,
}

/// One row, column by column.
pub type Row = Vec<Field>;

/// One cell of a row, as every engine has it: a time is whole microseconds, a flag is 0 or 1, JSON is text.
#[derive(Clone, Debug, PartialEq)]
pub enum Field {
    Null,
    Whole(i64),
    Real(f64),
    Text(String),
}

const fn column(name: &'static str, kind: ColumnKind) -> ColumnSpec {
    ColumnSpec { name, kind }
}

use ColumnKind::{Flag, Json, Real, Seconds, Small, Text, Time, Whole};

/// Every table, each after those that its rows point to. `about` is not among them: it is the store's own.
pub const TABLES: &[TableSpec] = &[
    TableSpec {
        name: "instruments",
        columns: &[
            column("id", Whole),
            column("symbol", Text),
            column("venue", Text),
            column("asset_class", Text),
            column("currency", Text),
            column("price_unit", Real),
            column("precision", Small),
            column("name", Text),
            column("active", Flag),
            column("listed_from", Time),
            column("listed_to", Time),
            column("figi", Text),
        ],
        key: 1,
        retain: None,
    },
    TableSpec {
        name: "instrument_names",
        columns: &[
            column("provider", Text),
            column("symbol", Text),
            column("valid_from", Time),
            column("valid_to", Time),
            column("instrument_id", Whole),
        ],
        key: 3,
        retain: None,
    },
    TableSpec {
        name: "bars",
        columns: &[
            column("instrument_id", Whole),
            column("interval_s", Seconds),
            column("open_time", Time),
            column("open", Real),
            column("high", Real),
            column("low", Real),
            column("close", Real),
            column("volume", Real),
            column("vwap", Real),
            column("n_trades", Whole),
            column("session", Text),
            column("source", Text),
            column("origin", Text),
            column("revision", Whole),
            column("quality", Real),
            column("flags", Text),
            column("meta", Json),
            column("recorded_at", Time),
            column("updated_at", Time),
        ],
        key: 3,
        retain: Some(Retain {
            time: "open_time",
            by: By::Instrument,
            only: Some("interval_s IN (60, 300, 900, 1800, 3600)"),
            config: "bars_intraday",
        }),
    },
    TableSpec {
        name: "quotes",
        columns: &[
            column("instrument_id", Whole),
            column("ts_event", Time),
            column("source", Text),
            column("ts_recv", Time),
            column("last", Real),
            column("bid", Real),
            column("bid_size", Real),
            column("ask", Real),
            column("ask_size", Real),
            column("volume", Real),
        ],
        key: 3,
        retain: Some(Retain { time: "ts_event", by: By::Instrument, only: None, config: "quotes" }),
    },
    TableSpec {
        name: "trades",
        columns: &[
            column("instrument_id", Whole),
            column("source", Text),
            column("trade_id", Text),
            column("ts_event", Time),
            column("ts_recv", Time),
            column("price", Real),
            column("size", Real),
            column("taker", Text),
            column("venue", Text),
            column("conditions", Text),
            column("moves", Small),
        ],
        key: 3,
        retain: Some(Retain { time: "ts_event", by: By::Instrument, only: None, config: "trades" }),
    },
    TableSpec {
        name: "quarantine",
        columns: &[
            column("id", Whole),
            column("received_at", Time),
            column("source", Text),
            column("instrument_id", Whole),
            column("interval_s", Seconds),
            column("open_time", Time),
            column("reasons", Text),
            column("payload", Text),
        ],
        key: 1,
        retain: Some(Retain { time: "received_at", by: By::Table, only: None, config: "quarantine" }),
    },
    TableSpec {
        name: "violations",
        columns: &[
            column("id", Whole),
            column("time", Time),
            column("instrument_id", Whole),
            column("interval_s", Seconds),
            column("open_time", Time),
            column("source", Text),
            column("rule", Text),
            column("severity", Text),
            column("message", Text),
            column("acknowledged", Flag),
        ],
        key: 1,
        retain: Some(Retain { time: "time", by: By::Table, only: None, config: "violations" }),
    },
    TableSpec {
        name: "coverage",
        columns: &[
            column("instrument_id", Whole),
            column("interval_s", Seconds),
            column("source", Text),
            column("from_time", Time),
            column("to_time", Time),
            column("state", Text),
            column("asked_at", Time),
        ],
        key: 4,
        retain: None,
    },
    TableSpec {
        name: "jobs",
        columns: &[
            column("id", Whole),
            column("kind", Text),
            column("symbol", Text),
            column("interval_s", Seconds),
            column("from_time", Time),
            column("to_time", Time),
            column("source", Text),
            column("state", Text),
            column("done", Whole),
            column("total", Whole),
            column("rows", Whole),
            column("attempts", Whole),
            column("error", Text),
            column("created_at", Time),
            column("updated_at", Time),
        ],
        key: 1,
        retain: Some(Retain { time: "updated_at", by: By::Table, only: Some("state NOT IN ('queued', 'running')"), config: "jobs" }),
    },
    TableSpec {
        name: "corporate_actions",
        columns: &[
            column("instrument_id", Whole),
            column("kind", Text),
            column("ex_date", Time),
            column("source", Text),
            column("numerator", Real),
            column("denominator", Real),
            column("amount", Real),
            column("currency", Text),
        ],
        key: 4,
        retain: None,
    },
    TableSpec {
        name: "fundamentals",
        columns: &[
            column("instrument_id", Whole),
            column("statement", Text),
            column("period", Text),
            column("fiscal_date", Time),
            column("source", Text),
            column("fields", Json),
            column("asked_at", Time),
        ],
        key: 5,
        retain: None,
    },
    TableSpec {
        name: "watchlist",
        columns: &[column("list", Text), column("instrument_id", Whole), column("position", Whole), column("note", Text)],
        key: 2,
        retain: None,
    },
    TableSpec {
        name: "lots",
        columns: &[
            column("id", Whole),
            column("instrument_id", Whole),
            column("quantity", Real),
            column("price", Real),
            column("opened_at", Time),
            column("closed_at", Time),
            column("note", Text),
        ],
        key: 1,
        retain: None,
    },
    TableSpec {
        name: "alerts",
        columns: &[
            column("id", Whole),
            column("instrument_id", Whole),
            column("condition", Text),
            column("active", Flag),
            column("created_at", Time),
        ],
        key: 1,
        retain: None,
    },
    TableSpec {
        name: "alert_history",
        columns: &[column("alert_id", Whole), column("fired_at", Time), column("value", Real), column("message", Text)],
        key: 2,
        retain: Some(Retain { time: "fired_at", by: By::Table, only: None, config: "alert_history" }),
    },
    TableSpec {
        name: "request_counts",
        columns: &[column("source", Text), column("window_s", Seconds), column("window_start", Time), column("count", Whole)],
        key: 3,
        retain: None,
    },
];

/// What is made of the tables for people who read them.
pub const VIEWS: &[&str] = &["bars_1m", "bars_1d", "latest_quotes", "symbol_status", "stocks", "fundamentals_usual"];

/// What the store says of itself once a watchlist was kept, be it empty now.
pub(crate) const KEPT: &str = "watchlist_kept";

impl TableSpec {
    /// The names of all columns, with commas between.
    #[must_use]
    pub fn column_list(&self) -> String {
        names(self.columns)
    }

    /// The names of the key's columns, with commas between.
    #[must_use]
    pub fn key_list(&self) -> String {
        names(&self.columns[..self.key])
    }

    /// The keys of some old rows; `before` and `at_most` are how the engine writes its parameters.
    #[must_use]
    pub fn old_keys_sql(&self, before: &str, at_most: &str) -> Option<String> {
        let Retain { time, by, only, .. } = self.retain.as_ref()?;
        let scope = match by {
            By::Instrument => "instrument_id IN (SELECT id FROM instruments) AND ",
            By::Table => "",
        };
        let only = only.map_or_else(String::new, |only| format!("{only} AND "));
        Some(format!("SELECT {} FROM {} WHERE {scope}{only}{time} < {before} LIMIT {at_most}", self.key_list(), self.name))
    }

    /// Deletes some old rows, for an engine that joins laterally: whatever it believes of the table, it looks at the key.
    #[must_use]
    pub fn prune_sql(&self, before: &str, at_most: u32) -> Option<String> {
        let Retain { time, by, only, .. } = self.retain.as_ref()?;
        let (name, key) = (self.name, self.key_list());
        let only = only.map_or_else(String::new, |only| format!("{only} AND "));
        let old = match by {
            By::Instrument => format!(
                "SELECT k.* FROM instruments i CROSS JOIN LATERAL (SELECT {key} FROM {name} \
                 WHERE instrument_id = i.id AND {only}{time} < {before} LIMIT {at_most}) AS k LIMIT {at_most}"
            ),
            By::Table => self.old_keys_sql(before, &at_most.to_string())?,
        };
        let same: Vec<_> = self.columns[..self.key].iter().map(|column| format!("d.{0} = old.{0}", column.name)).collect();
        Some(format!("WITH old AS MATERIALIZED ({old}) DELETE FROM {name} AS d USING old WHERE {}", same.join(" AND ")))
    }

    /// The key's cells of a row.
    #[must_use]
    pub fn key_of(&self, row: &Row) -> Row {
        row[..self.key].to_vec()
    }
}

fn names(columns: &[ColumnSpec]) -> String {
    columns.iter().map(|column| column.name).collect::<Vec<_>>().join(", ")
}
