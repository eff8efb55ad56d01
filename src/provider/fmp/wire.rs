//! Times and lists as Financial Modeling Prep writes them.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::market::{Date, TimeOfDay};
use crate::provider::contract::ProviderError;

/// `2026-11-20 09:30:00`, where it is a whole minute.
pub(crate) fn wall_clock(text: &str) -> Option<(Date, TimeOfDay)> {
    let (date, time) = text.split_once([' ', 'T'])?;
    let (minute, seconds) = time.split_at_checked(5)?;
    matches!(seconds, "" | ":00").then_some(())?;
    Some((date.parse().ok()?, minute.parse().ok()?))
}

/// The rows of a list. One that is not what it should be is `None` and does not cost the others.
pub(crate) fn rows<'a, T: Deserialize<'a>>(body: &'a [u8], what: &str) -> Result<Vec<Option<T>>, ProviderError> {
    let wrong = |_| ProviderError::malformed(format!("{what}: the answer is no list"), body);
    let rows: Vec<&'a RawValue> = serde_json::from_slice(body).map_err(wrong)?;
    Ok(rows.into_iter().map(|row| serde_json::from_str(row.get()).ok()).collect())
}
