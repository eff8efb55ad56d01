//! Bars as rows.

use rusqlite::{CachedStatement, Row, params};

use crate::market::{Bar, BarFlags, InstrumentId, Interval, SessionKind, Source, Timestamp};
use crate::store::merge::Kept;

pub(crate) const COLUMNS: &str = "instrument_id, interval_s, open_time, open, high, low, close, volume, vwap, n_trades, session, source, origin, revision, quality, flags";

pub(crate) const INSERT: &str = "INSERT INTO bars (instrument_id, interval_s, open_time, open, high, low, close, volume, vwap, n_trades, session, source, origin, revision, quality, flags, recorded_at, updated_at) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?17) ON CONFLICT DO NOTHING";

pub(crate) const UPDATE: &str = "UPDATE bars SET open = ?4, high = ?5, low = ?6, close = ?7, volume = ?8, vwap = ?9, n_trades = ?10, session = ?11, source = ?12, origin = ?13, revision = ?14, quality = ?15, flags = ?16, updated_at = ?17, meta = ?18 \
     WHERE instrument_id = ?1 AND interval_s = ?2 AND open_time = ?3";

/// The rows of a stretch of keys, with what they said before.
pub(crate) fn select_stretch() -> String {
    format!(
        "SELECT {COLUMNS}, meta FROM bars WHERE instrument_id = ?1 AND interval_s = ?2 AND open_time BETWEEN ?3 AND ?4 ORDER BY open_time"
    )
}

/// Runs [`select_stretch`] for sorted bars of one instrument and interval.
pub(crate) fn read_stretch(statement: &mut CachedStatement<'_>, bars: &[Bar]) -> rusqlite::Result<Vec<Kept>> {
    let (Some(first), Some(last)) = (bars.first(), bars.last()) else { return Ok(Vec::new()) };
    let key = params![first.instrument.0, first.interval.seconds(), first.open_time.as_micros(), last.open_time.as_micros()];
    let mut reader = Reader::default();
    statement.query_map(key, |row| Ok(Kept { bar: reader.read(row)?, meta: row.get(16)? }))?.collect()
}

/// Runs [`INSERT`]; the answer is the rows that changed.
pub(crate) fn insert(statement: &mut CachedStatement<'_>, bar: &Bar, at: Timestamp) -> rusqlite::Result<usize> {
    bind(statement, bar, at)?;
    statement.raw_execute()
}

/// Runs [`UPDATE`].
pub(crate) fn update(statement: &mut CachedStatement<'_>, kept: &Kept, at: Timestamp) -> rusqlite::Result<usize> {
    bind(statement, &kept.bar, at)?;
    statement.raw_bind_parameter(18, &kept.meta)?;
    statement.raw_execute()
}

fn bind(statement: &mut CachedStatement<'_>, bar: &Bar, at: Timestamp) -> rusqlite::Result<()> {
    statement.raw_bind_parameter(1, bar.instrument.0)?;
    statement.raw_bind_parameter(2, bar.interval.seconds())?;
    statement.raw_bind_parameter(3, bar.open_time.as_micros())?;
    statement.raw_bind_parameter(4, bar.open)?;
    statement.raw_bind_parameter(5, bar.high)?;
    statement.raw_bind_parameter(6, bar.low)?;
    statement.raw_bind_parameter(7, bar.close)?;
    statement.raw_bind_parameter(8, bar.volume)?;
    statement.raw_bind_parameter(9, bar.vwap)?;
    statement.raw_bind_parameter(10, bar.n_trades.map(|n| i64::try_from(n).unwrap_or(i64::MAX)))?;
    statement.raw_bind_parameter(11, bar.session.map(SessionKind::name))?;
    statement.raw_bind_parameter(12, bar.source.as_str())?;
    statement.raw_bind_parameter(13, bar.origin.name())?;
    statement.raw_bind_parameter(14, bar.revision)?;
    statement.raw_bind_parameter(15, bar.quality)?;
    statement.raw_bind_parameter(16, flags_text(bar.flags))?;
    statement.raw_bind_parameter(17, at.as_micros())
}

/// Most bars have no flags: no text is made for them.
fn flags_text(flags: BarFlags) -> std::borrow::Cow<'static, str> {
    if flags.is_empty() { "".into() } else { flags.to_string().into() }
}

/// Reads rows of [`COLUMNS`] into bars, sharing the source's name between neighbours.
#[derive(Default)]
pub(crate) struct Reader {
    source: Option<Source>,
}

impl Reader {
    pub(crate) fn read(&mut self, row: &Row<'_>) -> rusqlite::Result<Bar> {
        let name = row.get_ref(11)?.as_str()?;
        let source = match &self.source {
            Some(source) if source.as_str() == name => source.clone(),
            _ => self.source.insert(Source::new(name)).clone(),
        };
        let seconds: u32 = row.get(1)?;
        Ok(Bar {
            instrument: InstrumentId(row.get(0)?),
            interval: Interval::from_seconds(seconds).ok_or(rusqlite::Error::IntegralValueOutOfRange(1, seconds.into()))?,
            open_time: Timestamp::from_micros(row.get(2)?),
            open: row.get(3)?,
            high: row.get(4)?,
            low: row.get(5)?,
            close: row.get(6)?,
            volume: row.get(7)?,
            vwap: row.get(8)?,
            n_trades: row.get::<_, Option<i64>>(9)?.and_then(|n| u64::try_from(n).ok()),
            session: row.get_ref(10)?.as_str_or_null()?.and_then(|kind| kind.parse().ok()),
            source,
            origin: parsed(row, 12)?,
            revision: row.get(13)?,
            quality: row.get(14)?,
            flags: BarFlags::read(row.get_ref(15)?.as_str()?),
        })
    }
}

/// A cell whose text must read as a `T`.
pub(crate) fn parsed<T: std::str::FromStr>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let text = row.get_ref(column)?.as_str()?;
    text.parse().map_err(|_| rusqlite::Error::InvalidColumnType(column, text.to_owned(), rusqlite::types::Type::Text))
}
