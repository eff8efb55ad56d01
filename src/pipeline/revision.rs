//! What a bar said before it was changed: kept in its `meta`.

use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value};

use crate::market::{Bar, BarFlags, Timestamp};

/// How many earlier words of a bar are kept: a source that wavers must not make its row grow for ever.
const KEPT: usize = 20;

/// The `meta` of a bar once `old` was replaced by `new`: a closed bar whose figures change leaves the old ones behind.
#[must_use]
pub fn remember(meta: Option<&str>, old: &Bar, new: &Bar, at: Timestamp) -> Option<String> {
    // A bar that was still forming had not said anything yet.
    if old.flags.contains(BarFlags::PARTIAL) || old.same_figures(new) {
        return meta.map(str::to_owned);
    }
    let mut all = meta.map(read).unwrap_or_default();
    all.revisions.push(to_raw_value(&Word::of(old, at)).expect("a word of figures and texts is JSON"));
    all.revisions.drain(..all.revisions.len().saturating_sub(KEPT));
    Some(serde_json::to_string(&all).expect("what was JSON is JSON"))
}

/// What a bar's `meta` holds: earlier words stay as they were written.
#[derive(Default, Serialize)]
struct Meta {
    revisions: Vec<Box<RawValue>>,
    #[serde(flatten)]
    others: Map<String, Value>,
}

#[derive(Serialize)]
struct Word<'a> {
    at: String,
    source: &'a str,
    origin: &'a str,
    revision: u32,
    open: f64,
    high: f64,
    low: f64,
    close: f64,
    volume: Option<f64>,
    vwap: Option<f64>,
    n_trades: Option<u64>,
}

impl<'a> Word<'a> {
    fn of(bar: &'a Bar, at: Timestamp) -> Self {
        Self {
            at: at.to_string(),
            source: bar.source.as_str(),
            origin: bar.origin.name(),
            revision: bar.revision,
            open: bar.open,
            high: bar.high,
            low: bar.low,
            close: bar.close,
            volume: bar.volume,
            vwap: bar.vwap,
            n_trades: bar.n_trades,
        }
    }
}

fn read(meta: &str) -> Meta {
    // The usual case has nothing but our own words in it, which need not be looked into.
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Ours {
        revisions: Vec<Box<RawValue>>,
    }
    if let Ok(Ours { revisions }) = serde_json::from_str(meta) {
        return Meta { revisions, others: Map::new() };
    }
    match serde_json::from_str(meta) {
        Ok(Value::Object(mut others)) => {
            let words = others.remove("revisions").and_then(|words| serde_json::from_value(words).ok());
            Meta { revisions: words.unwrap_or_default(), others }
        }
        // Somebody else's word is not thrown away.
        Ok(_) | Err(_) => Meta { revisions: Vec::new(), others: Map::from_iter([("meta".to_owned(), meta.into())]) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::{InstrumentId, Interval, Origin, Source};

    fn bar(close: f64) -> Bar {
        Bar {
            instrument: InstrumentId(1),
            interval: Interval::OneMinute,
            open_time: Timestamp::from_seconds(60),
            open: 1.0,
            high: 9.0,
            low: 1.0,
            close,
            volume: None,
            vwap: None,
            n_trades: Some(2),
            session: None,
            source: Source::new("poor"),
            origin: Origin::Live,
            revision: 0,
            quality: 1.0,
            flags: BarFlags::empty(),
        }
    }

    fn closes(meta: &str) -> Vec<f64> {
        let meta: Value = serde_json::from_str(meta).unwrap();
        meta["revisions"].as_array().unwrap().iter().map(|word| word["close"].as_f64().unwrap()).collect()
    }

    #[test]
    fn a_changed_bar_remembers_what_it_said_and_no_more_than_that() {
        let at = "2026-11-25T15:00:00Z".parse().unwrap();
        assert_eq!(remember(None, &bar(2.0), &bar(2.0), at), None, "nothing changed");
        let forming = Bar { flags: BarFlags::PARTIAL, ..bar(2.0) };
        assert_eq!(remember(None, &forming, &bar(3.0), at), None, "it was not closed");
        let first = remember(Some(r#"{"note":"mine"}"#), &bar(2.0), &bar(3.0), at).unwrap();
        assert!(first.contains(r#""note":"mine""#) && first.contains(r#""at":"2026-11-25T15:00:00Z""#), "{first}");
        let second = remember(Some(&first), &bar(3.0), &bar(4.0), at).unwrap();
        assert_eq!(closes(&second), [2.0, 3.0]);
        let odd = remember(Some("not json"), &bar(2.0), &bar(3.0), at).unwrap();
        assert!(odd.contains("not json") && closes(&odd) == [2.0]);
    }

    #[test]
    fn a_source_that_wavers_does_not_make_its_row_grow_for_ever() {
        let at = Timestamp::from_seconds(0);
        let mut meta = None;
        for n in 0..50_u32 {
            meta = remember(meta.as_deref(), &bar(f64::from(n)), &bar(f64::from(n + 1)), at);
        }
        let closes = closes(&meta.unwrap());
        assert_eq!((closes.len(), closes[0], closes[19]), (20, 30.0, 49.0));
    }
}
