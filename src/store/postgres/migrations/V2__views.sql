-- What reads well from psql or a notebook: the names of the columns are those on SQLite.

CREATE TABLE about (
    key   text NOT NULL COLLATE "C" PRIMARY KEY,
    value text NOT NULL
);
-- Two stores that were made apart can be told apart.
INSERT INTO about (key, value) VALUES ('id', replace(gen_random_uuid()::text, '-', ''));

CREATE INDEX quarantine_instrument ON quarantine (instrument_id, received_at);

CREATE VIEW bars_1m AS
SELECT i.symbol, b.open_time AS time,
       b.open, b.high, b.low, b.close, b.volume, b.vwap, b.n_trades, b.source, b.quality, b.flags, b.session, b.origin, b.revision,
       i.currency, b.open_time, b.instrument_id
FROM bars b JOIN instruments i ON i.id = b.instrument_id
WHERE b.interval_s = 60;

CREATE VIEW bars_1d AS
SELECT i.symbol, (b.open_time AT TIME ZONE 'UTC')::date AS date,
       b.open, b.high, b.low, b.close, b.volume, b.vwap, b.n_trades, b.source, b.quality, b.flags, b.session, b.origin, b.revision,
       i.currency, b.open_time, b.instrument_id
FROM bars b JOIN instruments i ON i.id = b.instrument_id
WHERE b.interval_s = 86400;

CREATE VIEW latest_quotes AS
SELECT i.symbol, q.ts_event AS time,
       q.last, q.bid, q.bid_size, q.ask, q.ask_size, q.volume, q.source, i.currency, q.ts_event, q.ts_recv, q.instrument_id
FROM instruments i
CROSS JOIN LATERAL (SELECT * FROM quotes n WHERE n.instrument_id = i.id ORDER BY n.ts_event DESC, n.source DESC LIMIT 1) q;

-- `gaps` are the holes that are known and not filled; `validated_pct` is the share of bars with a quality of 0.85 or more.
CREATE VIEW symbol_status AS
WITH held AS (SELECT instrument_id, interval_s, min(open_time) AS first, max(open_time) AS last, count(*) AS bars,
                     avg((quality >= 0.85)::int) AS validated
              FROM bars GROUP BY instrument_id, interval_s),
     holes AS (SELECT instrument_id, interval_s, count(*) AS gaps FROM coverage WHERE state = 'failed' GROUP BY instrument_id, interval_s),
     known AS (SELECT instrument_id, interval_s FROM held UNION SELECT instrument_id, interval_s FROM holes)
SELECT i.symbol, i.active, k.interval_s,
       b.first AS first_bar, b.last AS last_bar,
       coalesce(b.bars, 0) AS bars, round((b.validated * 100)::numeric, 1)::double precision AS validated_pct, coalesce(h.gaps, 0) AS gaps,
       (SELECT j.error FROM jobs j WHERE j.symbol = i.symbol AND j.error IS NOT NULL ORDER BY j.updated_at DESC LIMIT 1) AS last_error,
       i.id AS instrument_id
FROM instruments i
LEFT JOIN known k ON k.instrument_id = i.id
LEFT JOIN held b ON b.instrument_id = i.id AND b.interval_s = k.interval_s
LEFT JOIN holes h ON h.instrument_id = i.id AND h.interval_s = k.interval_s;

-- One flat table of minutes for those who come from one. `id` holds the instrument above 36 bits of the open time in seconds.
CREATE VIEW stocks AS
SELECT b.instrument_id * 68719476736 + extract(epoch FROM b.open_time)::bigint AS id, i.symbol AS ticker, b.open_time AS time,
       b.high, b.low, coalesce(b.vwap, (b.high + b.low + b.close) / 3) AS avg, b.close AS sale, b.meta
FROM bars b JOIN instruments i ON i.id = b.instrument_id
WHERE b.interval_s = 60;
