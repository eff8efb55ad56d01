-- What reads well from a prompt or a notebook. `time` is text in UTC; conditions on `open_time` use the key, those on `time` do not.

CREATE TABLE about (
    key   TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;
-- Two stores that were made apart can be told apart.
INSERT INTO about (key, value) VALUES ('id', lower(hex(randomblob(16))));

CREATE INDEX quarantine_instrument ON quarantine (instrument_id, received_at);

CREATE VIEW bars_1m AS
SELECT i.symbol, strftime('%Y-%m-%dT%H:%M:%SZ', b.open_time / 1000000, 'unixepoch') AS time,
       b.open, b.high, b.low, b.close, b.volume, b.vwap, b.n_trades, b.source, b.quality, b.flags, b.session, b.origin, b.revision,
       i.currency, b.open_time, b.instrument_id
FROM instruments i CROSS JOIN bars b ON b.instrument_id = i.id
WHERE b.interval_s = 60;

CREATE VIEW bars_1d AS
SELECT i.symbol, strftime('%Y-%m-%d', b.open_time / 1000000, 'unixepoch') AS date,
       b.open, b.high, b.low, b.close, b.volume, b.vwap, b.n_trades, b.source, b.quality, b.flags, b.session, b.origin, b.revision,
       i.currency, b.open_time, b.instrument_id
FROM instruments i CROSS JOIN bars b ON b.instrument_id = i.id
WHERE b.interval_s = 86400;

CREATE VIEW latest_quotes AS
SELECT i.symbol, strftime('%Y-%m-%dT%H:%M:%SZ', q.ts_event / 1000000, 'unixepoch') AS time,
       q.last, q.bid, q.bid_size, q.ask, q.ask_size, q.volume, q.source, i.currency, q.ts_event, q.ts_recv, q.instrument_id
FROM instruments i
CROSS JOIN quotes q ON q.instrument_id = i.id
             AND (q.ts_event, q.source) = (SELECT n.ts_event, n.source FROM quotes n WHERE n.instrument_id = i.id ORDER BY n.ts_event DESC, n.source DESC LIMIT 1);

-- `gaps` are the holes that are known and not filled; `validated_pct` is the share of bars with a quality of 0.85 or more.
CREATE VIEW symbol_status AS
WITH held AS (SELECT instrument_id, interval_s, min(open_time) AS first, max(open_time) AS last, count(*) AS bars, avg(quality >= 0.85) AS validated
              FROM bars GROUP BY instrument_id, interval_s),
     holes AS (SELECT instrument_id, interval_s, count(*) AS gaps FROM coverage WHERE state = 'failed' GROUP BY instrument_id, interval_s),
     known AS (SELECT instrument_id, interval_s FROM held UNION SELECT instrument_id, interval_s FROM holes)
SELECT i.symbol, i.active, k.interval_s,
       strftime('%Y-%m-%dT%H:%M:%SZ', b.first / 1000000, 'unixepoch') AS first_bar,
       strftime('%Y-%m-%dT%H:%M:%SZ', b.last / 1000000, 'unixepoch') AS last_bar,
       ifnull(b.bars, 0) AS bars, round(b.validated * 100, 1) AS validated_pct, ifnull(h.gaps, 0) AS gaps,
       (SELECT j.error FROM jobs j WHERE j.symbol = i.symbol AND j.error IS NOT NULL ORDER BY j.updated_at DESC LIMIT 1) AS last_error,
       i.id AS instrument_id
FROM instruments i
LEFT JOIN known k ON k.instrument_id = i.id
LEFT JOIN held b ON b.instrument_id = i.id AND b.interval_s = k.interval_s
LEFT JOIN holes h ON h.instrument_id = i.id AND h.interval_s = k.interval_s;

-- One flat table of minutes for those who come from one. `id` holds the instrument above 36 bits of the open time in seconds.
CREATE VIEW stocks AS
SELECT b.instrument_id * 68719476736 + b.open_time / 1000000 AS id, i.symbol AS ticker,
       strftime('%Y-%m-%dT%H:%M:%SZ', b.open_time / 1000000, 'unixepoch') AS time,
       b.high, b.low, coalesce(b.vwap, (b.high + b.low + b.close) / 3) AS avg, b.close AS sale, b.meta
FROM instruments i CROSS JOIN bars b ON b.instrument_id = i.id
WHERE b.interval_s = 60;
