//! Our values as PostgreSQL's, without a detour.

use std::borrow::Cow;
use std::error::Error;

use bytes::BytesMut;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, accepts, to_sql_checked};

use crate::market::Timestamp;

/// Microseconds from 1970 to 2000, where PostgreSQL counts from ("Date/Time Types" of its manual).
const EPOCH: i64 = 946_684_800_000_000;
/// The first and the last instant that a `timestamptz` can tell: 4713 BC and 294276 AD.
const FIRST: i64 = -211_813_488_000_000_000;
const LAST: i64 = 9_223_371_331_200_000_000 - 1;

/// A `timestamptz`; what it cannot tell is `-infinity` or `infinity`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Time(pub(crate) Timestamp);

impl ToSql for Time {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        let micros = self.0.as_micros().saturating_sub(EPOCH);
        let told = match micros {
            _ if micros < FIRST => i64::MIN,
            _ if micros > LAST => i64::MAX,
            _ => micros,
        };
        told.to_sql(ty, out)
    }

    accepts!(TIMESTAMPTZ);
    to_sql_checked!();
}

impl<'a> FromSql<'a> for Time {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        let micros = i64::from_sql(ty, raw)?;
        Ok(Self(match micros {
            i64::MIN => Timestamp::MIN,
            i64::MAX => Timestamp::MAX,
            _ => Timestamp::from_micros(micros.saturating_add(EPOCH)),
        }))
    }

    accepts!(TIMESTAMPTZ);
}

/// JSON as text, which goes into a `jsonb` column without being read here.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Json<'a>(pub(crate) &'a str);

impl ToSql for Json<'_> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        // The version of the format comes first.
        out.extend_from_slice(&[1]);
        out.extend_from_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }

    accepts!(JSONB);
    to_sql_checked!();
}

/// PostgreSQL keeps no U+0000 in a text.
pub(crate) fn text(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { text.replace('\0', "\u{fffd}").into() } else { text.into() }
}

/// PostgreSQL keeps no U+0000 in JSON either; `json` is as a serializer writes it.
pub(crate) fn json_text(json: String) -> String {
    if !json.contains("\\u0000") {
        return json;
    }
    let (mut kept, mut rest) = (String::with_capacity(json.len()), json.as_str());
    // A backslash that is itself escaped begins nothing.
    while let Some(place) = rest.find('\\') {
        let (before, escape) = rest.split_at(place);
        kept.push_str(before);
        rest = if let Some(after) = escape.strip_prefix("\\u0000") {
            kept.push('\u{fffd}');
            after
        } else {
            let (pair, after) = escape.split_at(2);
            kept.push_str(pair);
            after
        };
    }
    kept.push_str(rest);
    kept
}

/// A count as a column takes it.
pub(crate) fn whole(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there_and_back(time: Timestamp) -> Timestamp {
        let mut bytes = BytesMut::new();
        Time(time).to_sql(&Type::TIMESTAMPTZ, &mut bytes).unwrap();
        Time::from_sql(&Type::TIMESTAMPTZ, &bytes).unwrap().0
    }

    #[test]
    fn json_without_a_zero() {
        for (text, wanted) in [("plain", "plain"), ("a\0b\"", "a\u{fffd}b\""), ("\\u0000", "\\u0000"), ("\\\0\\", "\\\u{fffd}\\")] {
            let kept = json_text(serde_json::json!({ "field": text }).to_string());
            assert_eq!(serde_json::from_str::<serde_json::Value>(&kept).unwrap(), serde_json::json!({ "field": wanted }), "{kept}");
        }
    }

    #[test]
    fn instants_come_back_and_for_ever_stays_for_ever() {
        for micros in [0, 1, -1, EPOCH, EPOCH - 1, 1_764_082_800_123_456, -62_135_596_800_000_000] {
            assert_eq!(there_and_back(Timestamp::from_micros(micros)), Timestamp::from_micros(micros));
        }
        assert_eq!((there_and_back(Timestamp::MIN), there_and_back(Timestamp::MAX)), (Timestamp::MIN, Timestamp::MAX));
    }
}
