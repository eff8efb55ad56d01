-- Times are microseconds since 1970-01-01T00:00:00Z, prices are as traded. Migrations only ever add.

CREATE TABLE instruments (
    id          INTEGER PRIMARY KEY,
    symbol      TEXT    NOT NULL,
    venue       TEXT    NOT NULL,
    asset_class TEXT    NOT NULL,
    currency    TEXT    NOT NULL,
    price_unit  REAL    NOT NULL DEFAULT 1,
    precision   INTEGER NOT NULL,
    name        TEXT    NOT NULL DEFAULT '',
    active      INTEGER NOT NULL DEFAULT 1,
    listed_from INTEGER,
    listed_to   INTEGER,
    figi        TEXT
);
-- A symbol is unique only while it is valid.
CREATE UNIQUE INDEX instruments_symbol ON instruments (symbol) WHERE listed_to IS NULL;

CREATE TABLE instrument_names (
    instrument_id INTEGER NOT NULL REFERENCES instruments (id),
    provider      TEXT    NOT NULL,
    symbol        TEXT    NOT NULL,
    valid_from    INTEGER NOT NULL DEFAULT 0,
    valid_to      INTEGER,
    PRIMARY KEY (provider, symbol, valid_from)
) WITHOUT ROWID;
CREATE INDEX instrument_names_instrument ON instrument_names (instrument_id);

CREATE TABLE bars (
    instrument_id INTEGER NOT NULL REFERENCES instruments (id),
    interval_s    INTEGER NOT NULL,
    open_time     INTEGER NOT NULL,
    open          REAL    NOT NULL,
    high          REAL    NOT NULL,
    low           REAL    NOT NULL,
    close         REAL    NOT NULL,
    volume        REAL,
    vwap          REAL,
    n_trades      INTEGER,
    session       TEXT,
    source        TEXT    NOT NULL,
    origin        TEXT    NOT NULL,
    revision      INTEGER NOT NULL,
    quality       REAL    NOT NULL,
    flags         TEXT    NOT NULL DEFAULT '',
    meta          TEXT,
    recorded_at   INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    PRIMARY KEY (instrument_id, interval_s, open_time)
) WITHOUT ROWID;

CREATE TABLE quotes (
    instrument_id INTEGER NOT NULL REFERENCES instruments (id),
    source        TEXT    NOT NULL,
    ts_event      INTEGER NOT NULL,
    ts_recv       INTEGER NOT NULL,
    last          REAL,
    bid           REAL,
    bid_size      REAL,
    ask           REAL,
    ask_size      REAL,
    volume        REAL,
    PRIMARY KEY (instrument_id, ts_event, source)
) WITHOUT ROWID;

CREATE TABLE trades (
    instrument_id INTEGER NOT NULL REFERENCES instruments (id),
    source        TEXT    NOT NULL,
    trade_id      TEXT    NOT NULL,
    ts_event      INTEGER NOT NULL,
    ts_recv       INTEGER NOT NULL,
    price         REAL    NOT NULL,
    size          REAL    NOT NULL,
    taker         TEXT,
    venue         TEXT,
    conditions    TEXT,
    moves         INTEGER NOT NULL DEFAULT 7,
    PRIMARY KEY (instrument_id, source, trade_id)
) WITHOUT ROWID;
CREATE INDEX trades_time ON trades (instrument_id, ts_event);

CREATE TABLE quarantine (
    id            INTEGER PRIMARY KEY,
    received_at   INTEGER NOT NULL,
    source        TEXT    NOT NULL,
    instrument_id INTEGER NOT NULL REFERENCES instruments (id),
    interval_s    INTEGER,
    open_time     INTEGER,
    reasons       TEXT    NOT NULL,
    payload       TEXT    NOT NULL
);
CREATE INDEX quarantine_time ON quarantine (received_at);
-- One thing refused is kept once, however often it is asked for.
CREATE UNIQUE INDEX quarantine_once ON quarantine (instrument_id, source, ifnull(interval_s, 0), ifnull(open_time, received_at), reasons, payload);

CREATE TABLE violations (
    id            INTEGER PRIMARY KEY,
    time          INTEGER NOT NULL,
    instrument_id INTEGER NOT NULL REFERENCES instruments (id),
    interval_s    INTEGER NOT NULL,
    open_time     INTEGER NOT NULL,
    source        TEXT    NOT NULL,
    rule          TEXT    NOT NULL,
    severity      TEXT    NOT NULL,
    message       TEXT    NOT NULL,
    acknowledged  INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX violations_time ON violations (time);
-- One thing wrong is told once, however often it is asked for.
CREATE UNIQUE INDEX violations_once ON violations (instrument_id, interval_s, open_time, source, rule);

CREATE TABLE coverage (
    instrument_id INTEGER NOT NULL REFERENCES instruments (id),
    interval_s    INTEGER NOT NULL,
    source        TEXT    NOT NULL,
    from_time     INTEGER NOT NULL,
    to_time       INTEGER NOT NULL,
    state         TEXT    NOT NULL,
    asked_at      INTEGER NOT NULL,
    PRIMARY KEY (instrument_id, interval_s, source, from_time)
) WITHOUT ROWID;

CREATE TABLE jobs (
    id         INTEGER PRIMARY KEY,
    kind       TEXT    NOT NULL,
    symbol     TEXT,
    interval_s INTEGER,
    from_time  INTEGER,
    to_time    INTEGER,
    source     TEXT,
    state      TEXT    NOT NULL,
    done       INTEGER NOT NULL DEFAULT 0,
    total      INTEGER NOT NULL DEFAULT 0,
    rows       INTEGER NOT NULL DEFAULT 0,
    attempts   INTEGER NOT NULL DEFAULT 0,
    error      TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
);

-- The engine looks for open jobs every second.
CREATE INDEX jobs_open ON jobs (id) WHERE state IN ('queued', 'running');

CREATE TABLE corporate_actions (
    instrument_id INTEGER NOT NULL REFERENCES instruments (id),
    source        TEXT    NOT NULL,
    kind          TEXT    NOT NULL,
    ex_date       INTEGER NOT NULL,
    numerator     REAL,
    denominator   REAL,
    amount        REAL,
    currency      TEXT,
    PRIMARY KEY (instrument_id, kind, ex_date, source)
) WITHOUT ROWID;

CREATE TABLE fundamentals (
    instrument_id INTEGER NOT NULL REFERENCES instruments (id),
    statement     TEXT    NOT NULL,
    period        TEXT    NOT NULL,
    fiscal_date   INTEGER NOT NULL,
    source        TEXT    NOT NULL,
    fields        TEXT    NOT NULL,
    asked_at      INTEGER NOT NULL,
    PRIMARY KEY (instrument_id, statement, period, fiscal_date, source)
) WITHOUT ROWID;

CREATE TABLE watchlist (
    list          TEXT    NOT NULL,
    position      INTEGER NOT NULL,
    instrument_id INTEGER NOT NULL REFERENCES instruments (id),
    note          TEXT    NOT NULL DEFAULT '',
    PRIMARY KEY (list, instrument_id)
) WITHOUT ROWID;

CREATE TABLE lots (
    id            INTEGER PRIMARY KEY,
    instrument_id INTEGER NOT NULL REFERENCES instruments (id),
    quantity      REAL    NOT NULL,
    price         REAL    NOT NULL,
    opened_at     INTEGER NOT NULL,
    closed_at     INTEGER,
    note          TEXT    NOT NULL DEFAULT ''
);

CREATE TABLE alerts (
    id            INTEGER PRIMARY KEY,
    instrument_id INTEGER REFERENCES instruments (id),
    condition     TEXT    NOT NULL,
    active        INTEGER NOT NULL DEFAULT 1,
    created_at    INTEGER NOT NULL
);

CREATE TABLE alert_history (
    alert_id INTEGER NOT NULL REFERENCES alerts (id),
    fired_at INTEGER NOT NULL,
    value    REAL,
    message  TEXT    NOT NULL,
    PRIMARY KEY (alert_id, fired_at)
) WITHOUT ROWID;

CREATE TABLE request_counts (
    source       TEXT    NOT NULL,
    window_start INTEGER NOT NULL,
    window_s     INTEGER NOT NULL,
    count        INTEGER NOT NULL,
    PRIMARY KEY (source, window_s, window_start)
) WITHOUT ROWID;
