//! What a store keeps, told once for every engine; then what only a file can go through.
#![allow(clippy::float_cmp, reason = "what was stored is read back to the last bit")]

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use crate::disk::SmallDisk;
use futures_util::{StreamExt, TryStreamExt};
use openbell::host::{Clock, Tasks};
use openbell::market::{
    ActionKind, AssetClass, Bar, BarFlags, CorporateAction, Date, Fundamental, Instrument, InstrumentId, Interval, Listed, Origin, Period,
    SessionKind, Side, Source, Statement, Symbol, Timestamp,
};
use openbell::pipeline::Ranks;
use openbell::quality::{Coverage, CoverageState, Quarantined, Severity, Violation};
use openbell::snapshot::{JobState, WriterView};
use openbell::store::{
    Ack, ActionRow, BarQuery, Batch, Creation, Field, FundamentalRow, JobQuery, JobRecord, NameRow, Postgres, QuoteRow, RecordQuery,
    RequestCount, Row, Sqlite, Store, StoreError, StoreStatus, SymbolStatus, TABLES, TableSpec, TradeRow, ViolationRow, Writer,
    WriterEvent,
};
use proptest::prelude::*;
use rusqlite::Connection;
use tempfile::TempDir;

const MINUTE: Duration = Duration::from_secs(60);
const START: &str = "2026-11-25T15:00:00Z";

fn at(text: &str) -> Timestamp {
    text.parse().expect("an instant")
}

fn minute(n: u32) -> Timestamp {
    at(START) + MINUTE * n
}

fn symbol(text: &str) -> Symbol {
    text.parse().expect("a symbol")
}

/// Sources of the story, the most believed first.
fn ranks() -> Ranks {
    Ranks::new(["best", "fair", "poor"].map(str::to_owned).into())
}

fn bar(instrument: InstrumentId, n: u32, source: &str, price: f64) -> Bar {
    Bar {
        instrument,
        interval: Interval::OneMinute,
        open_time: minute(n),
        open: price,
        high: price,
        low: price,
        close: price,
        volume: Some(100.0),
        vwap: None,
        n_trades: Some(3),
        session: Some(SessionKind::Regular),
        source: Source::new(source),
        origin: Origin::Live,
        revision: 0,
        quality: 1.0,
        flags: BarFlags::empty(),
    }
}

fn of_bars(bars: Vec<Bar>) -> Batch {
    Batch { bars, at: minute(600), ..Batch::default() }
}

async fn append(store: &dyn Store, bars: Vec<Bar>) -> Ack {
    store.append(of_bars(bars)).await.expect("it is written")
}

async fn bars(store: &dyn Store, query: BarQuery) -> Vec<Bar> {
    store.bars(query).try_collect::<Vec<_>>().await.expect("it can be read").concat()
}

async fn all_bars(store: &dyn Store, instrument: InstrumentId) -> Vec<Bar> {
    bars(store, BarQuery::all(instrument, Interval::OneMinute)).await
}

async fn made(store: &dyn Store, text: &str) -> InstrumentId {
    store.instrument(symbol(text)).await.expect("it is made").id
}

// ── the story ──

/// Every engine tells this story; it fuses by [`ranks`] and starts empty.
async fn story(store: &dyn Store) {
    a_listing_is_no_watchlist(store).await;
    the_watchlist(store).await;
    bars_are_kept_exactly_and_once(store).await;
    the_better_source_stays(store).await;
    a_changed_bar_keeps_what_it_said(store).await;
    what_no_column_takes_is_refused(store).await;
    sources_that_disagree(store).await;
    lesser_bars_are_replaced(store).await;
    questions_for_bars(store).await;
    many_bars_are_streamed_in_order(store).await;
    what_was_refused_or_doubtful(store).await;
    what_was_asked(store).await;
    a_hole_that_is_filled_is_none(store).await;
    jobs_and_their_checkpoints(store).await;
    prices_and_trades_as_they_were_heard(store).await;
    old_rows_go_in_small_steps(store).await;
    one_engine_at_a_time(store).await;
    a_batch_is_written_whole_or_not_at_all(store).await;
    the_sum_of_it(store).await;
}

async fn the_watchlist(store: &dyn Store) {
    assert_eq!(store.watchlist().await.unwrap(), None);
    assert_eq!(store.instruments().await.unwrap(), []);
    let apple = store.instrument(symbol("AAPL")).await.unwrap();
    assert_eq!(apple, Instrument::listed(apple.id, symbol("AAPL")));
    assert_eq!(store.instrument(symbol("AAPL")).await.unwrap(), apple, "it is made once");
    let vodafone = store.instrument(symbol("VOD:XLON")).await.unwrap();
    assert_eq!((&*vodafone.venue, vodafone.asset_class, &*vodafone.currency), ("XLON", AssetClass::Equity, "GBp"));
    assert_eq!(store.watchlist().await.unwrap(), None, "an instrument is no list");

    let coin = store.instrument(symbol("BTC-USD")).await.unwrap();
    append(store, vec![bar(apple.id, 0, "best", 100.0)]).await;
    store.set_watchlist(vec![vodafone.id, apple.id, coin.id]).await.unwrap();
    assert_eq!(store.watchlist().await.unwrap(), Some(vec![vodafone.clone(), apple.clone(), coin.clone()]), "in its own order");
    store.set_watchlist(vec![coin.id, vodafone.id]).await.unwrap();
    assert_eq!(store.watchlist().await.unwrap(), Some(vec![coin.clone(), vodafone.clone()]));
    let away = Instrument { active: false, ..apple.clone() };
    assert_eq!(store.instruments().await.unwrap(), [away, coin.clone(), vodafone.clone()], "by symbol, and it stays");
    assert_eq!(all_bars(store, apple.id).await.len(), 1, "with its history");
    store.set_watchlist(vec![apple.id]).await.unwrap();
    assert_eq!(store.watchlist().await.unwrap(), Some(vec![apple.clone()]), "it is active again");
    store.set_watchlist(Vec::new()).await.unwrap();
    assert_eq!(store.watchlist().await.unwrap(), Some(Vec::new()), "a list that was emptied is one");
}

async fn bars_are_kept_exactly_and_once(store: &dyn Store) {
    let id = made(store, "MSFT").await;
    let odd = Bar {
        open: 0.1 + 0.2,
        high: 1e300,
        low: f64::MIN_POSITIVE,
        close: 190.26,
        volume: None,
        vwap: Some(1.0 / 3.0),
        n_trades: Some(u64::from(u32::MAX) + 1),
        session: None,
        source: Source::new("poor:sliver"),
        origin: Origin::Import,
        revision: 7,
        quality: 0.3,
        flags: BarFlags::GAP | BarFlags::SAMPLED,
        ..bar(id, 1, "poor", 1.0)
    };
    let below = Bar { open: -37.63, low: -40.0, volume: Some(0.0), session: Some(SessionKind::Post), ..bar(id, 2, "best", 0.0) };
    let batch = vec![below.clone(), odd.clone(), bar(id, 0, "best", 100.0)];
    assert_eq!(append(store, batch.clone()).await, Ack { inserted: 3, ..Ack::default() });
    let kept = [bar(id, 0, "best", 100.0), odd, below];
    assert_eq!(all_bars(store, id).await, kept, "by time, to the last bit");
    assert_eq!(append(store, batch).await, Ack { kept: 3, ..Ack::default() }, "again changes nothing");
    assert_eq!(all_bars(store, id).await, kept);
    assert_eq!(append(store, Vec::new()).await, Ack::default());
    let twice = vec![bar(id, 3, "best", 1.0), bar(id, 3, "best", 1.0)];
    assert_eq!(append(store, twice).await, Ack { inserted: 1, kept: 1, ..Ack::default() }, "also within one batch");
}

async fn the_better_source_stays(store: &dyn Store) {
    let id = made(store, "NVDA").await;
    let poor = Bar { volume: Some(7.0), vwap: Some(100.0), ..bar(id, 0, "poor", 100.0) };
    let fair = Bar { volume: None, n_trades: None, ..bar(id, 0, "fair", 100.1) };
    assert_eq!(append(store, vec![poor.clone()]).await.inserted, 1);
    assert_eq!(append(store, vec![fair.clone()]).await, Ack { replaced: 1, ..Ack::default() });
    assert_eq!(all_bars(store, id).await, [fair.clone()], "whole: nothing of the other is left");
    assert_eq!(append(store, vec![poor]).await, Ack { kept: 1, ..Ack::default() });
    assert_eq!(all_bars(store, id).await, [fair.clone()]);
    let revised = Bar { revision: 1, close: 100.05, ..fair.clone() };
    assert_eq!(append(store, vec![revised.clone()]).await.replaced, 1);
    assert_eq!(append(store, vec![fair]).await.kept, 1, "an earlier revision is no news");
    assert_eq!(all_bars(store, id).await, [revised]);
}

/// The rows of a table, as they are.
async fn table_rows(store: &dyn Store, name: &str) -> (&'static TableSpec, Vec<Row>) {
    let table = TABLES.iter().find(|table| table.name == name).expect("there is such a table");
    (table, store.rows(table, None).try_collect::<Vec<_>>().await.expect("it can be read").concat())
}

/// What a bar says it said before.
async fn revisions(store: &dyn Store, id: InstrumentId, n: u32) -> Vec<serde_json::Value> {
    let (table, rows) = table_rows(store, "bars").await;
    let place = |name: &str| table.columns.iter().position(|column| column.name == name).expect("there is such a column");
    let key = [Field::Whole(id.0), Field::Whole(60), Field::Whole(minute(n).as_micros())];
    let row = rows.iter().find(|row| row[..3] == key).expect("there is such a bar");
    match &row[place("meta")] {
        Field::Text(meta) => serde_json::from_str::<serde_json::Value>(meta).unwrap()["revisions"].as_array().unwrap().clone(),
        _ => Vec::new(),
    }
}

async fn a_changed_bar_keeps_what_it_said(store: &dyn Store) {
    let id = made(store, "META").await;
    let history = |close: f64| Bar { origin: Origin::Backfill, high: 103.0, close, ..bar(id, 0, "fair", 100.0) };
    append(store, vec![bar(id, 0, "fair", 100.0), bar(id, 1, "fair", 100.0)]).await;
    assert_eq!(append(store, vec![history(101.0)]).await.replaced, 1, "a late bar changes a closed one");
    assert_eq!(append(store, vec![history(101.0)]).await.kept, 1, "again it is no news");
    assert_eq!(append(store, vec![history(102.0)]).await.replaced, 1);
    let said = revisions(store, id, 0).await;
    let closes: Vec<_> = said.iter().map(|word| (word["close"].as_f64().unwrap(), word["origin"].as_str().unwrap())).collect();
    assert_eq!(closes, [(100.0, "live"), (101.0, "backfill")]);
    assert_eq!(said[0]["source"], "fair");
    assert_eq!(said[0]["at"], minute(600).to_string());
    assert_eq!(revisions(store, id, 1).await, Vec::<serde_json::Value>::new(), "its neighbour never said anything else");
}

async fn what_no_column_takes_is_refused(store: &dyn Store) {
    let id = made(store, "IBM").await;
    let odd = [
        Bar { close: f64::NAN, ..bar(id, 0, "best", 1.0) },
        Bar { high: f64::INFINITY, ..bar(id, 1, "best", 1.0) },
        Bar { volume: Some(f64::NAN), ..bar(id, 2, "best", 1.0) },
        Bar { open_time: Timestamp::MAX, ..bar(id, 3, "best", 1.0) },
        Bar { open_time: Timestamp::MIN, ..bar(id, 3, "best", 2.0) },
    ];
    let mut rows = odd.to_vec();
    rows.push(bar(id, 4, "best", 1.0));
    assert_eq!(append(store, rows).await, Ack { inserted: 1, quarantined: 5, ..Ack::default() });
    assert_eq!(all_bars(store, id).await, [bar(id, 4, "best", 1.0)], "the others of its batch are kept");
    let query = RecordQuery { instruments: vec![id], ..RecordQuery::default() };
    let refused = store.quarantine(query).await.unwrap();
    assert_eq!(refused.len(), odd.len());
    assert!(refused.iter().all(|row| row.reasons == ["not_storable"]), "{refused:?}");
    assert!(refused.iter().any(|row| row.payload.contains("NaN")), "{refused:?}");
}

async fn sources_that_disagree(store: &dyn Store) {
    let id = made(store, "SPY").await;
    append(store, vec![bar(id, 0, "best", 100.0), bar(id, 1, "poor", 100.0), bar(id, 2, "best", 100.0)]).await;
    let second = vec![bar(id, 0, "poor", 101.0), bar(id, 1, "best", 101.0), bar(id, 2, "poor", 100.1)];
    let ack = append(store, second.clone()).await;
    assert_eq!((ack.inserted, ack.replaced, ack.kept, ack.disagreements.len()), (0, 2, 1, 2));
    let marked = |n: u32, price: f64| Bar { flags: BarFlags::MISMATCH, ..bar(id, n, "best", price) };
    assert_eq!(all_bars(store, id).await, [marked(0, 100.0), marked(1, 101.0), bar(id, 2, "best", 100.0)]);
    let query = RecordQuery { instruments: vec![id], ..RecordQuery::default() };
    let rows = store.violations(query.clone()).await.unwrap();
    let told: Vec<_> = rows.iter().map(|row| row.violation.clone()).collect();
    assert_eq!(told, ack.disagreements, "what is told is what is written");
    for row in &rows {
        assert_eq!((row.violation.rule.as_str(), row.violation.severity, row.acknowledged), ("mismatch", Severity::Info, false));
        assert!(row.violation.message.contains("best") && row.violation.message.contains("poor"), "{}", row.violation.message);
    }
    let again = append(store, second).await;
    assert_eq!((again.kept, again.disagreements), (3, Vec::new()), "one thing wrong is told once");
    assert_eq!(store.violations(query).await.unwrap(), rows);
}

async fn lesser_bars_are_replaced(store: &dyn Store) {
    let id = made(store, "AMZN").await;
    let with = |n: u32, source: &str, price: f64, flags: BarFlags| Bar { flags, ..bar(id, n, source, price) };
    let history = |n: u32, source: &str, price: f64| Bar { origin: Origin::Backfill, ..bar(id, n, source, price) };
    let lesser = vec![
        with(0, "best", 100.0, BarFlags::PARTIAL),
        with(1, "best", 100.0, BarFlags::SAMPLED),
        with(2, "best", 100.0, BarFlags::ADJUSTED),
        with(3, "best", 100.0, BarFlags::PARTIAL),
    ];
    assert_eq!(append(store, lesser.clone()).await.inserted, 4);
    // Far apart, but not to be compared; the worse source wins because its bar is whole, raw and made of trades.
    let whole = vec![history(0, "poor", 200.0), history(1, "poor", 200.0), history(2, "poor", 200.0), bar(id, 3, "best", 101.0)];
    assert_eq!(append(store, whole.clone()).await, Ack { replaced: 4, ..Ack::default() });
    assert_eq!(all_bars(store, id).await, whole);
    assert_eq!(append(store, lesser).await, Ack { kept: 4, ..Ack::default() }, "and never the other way round");
    assert_eq!(all_bars(store, id).await, whole);
    let sampled = with(4, "best", 100.0, BarFlags::SAMPLED);
    append(store, vec![sampled]).await;
    append(store, vec![history(4, "best", 100.5)]).await;
    let last = all_bars(store, id).await.pop().unwrap();
    assert_eq!((last.close, last.origin, last.flags), (100.5, Origin::Backfill, BarFlags::empty()), "its own history replaces it too");
}

async fn questions_for_bars(store: &dyn Store) {
    let (id, other) = (made(store, "JPM").await, made(store, "XOM").await);
    let graded = |n: u32| Bar { quality: [1.0, 0.85, 0.84, 0.5, 0.49, 0.0][n as usize % 6], ..bar(id, n, "best", 100.0) };
    let mut rows: Vec<Bar> = (0..12).map(graded).collect();
    rows.push(Bar { interval: Interval::FiveMinutes, ..bar(id, 0, "best", 5.0) });
    rows.push(bar(other, 0, "best", 7.0));
    append(store, rows).await;
    let all = BarQuery::all(id, Interval::OneMinute);
    let table = [
        (all, (0..12).collect::<Vec<u32>>()),
        (BarQuery { from: minute(2), to: minute(5), ..all }, vec![2, 3, 4]),
        (BarQuery { from: minute(2) + Duration::from_micros(1), to: minute(5) + Duration::from_micros(1), ..all }, vec![3, 4, 5]),
        (BarQuery { from: minute(5), to: minute(5), ..all }, vec![]),
        (BarQuery { min_quality: 0.85, ..all }, vec![0, 1, 6, 7]),
        (BarQuery { min_quality: 0.5, ..all }, vec![0, 1, 2, 3, 6, 7, 8, 9]),
        (BarQuery { newest: Some(3), ..all }, vec![9, 10, 11]),
        (BarQuery { newest: Some(3), to: minute(9), min_quality: 0.5, ..all }, vec![6, 7, 8]),
        (BarQuery { newest: Some(0), ..all }, vec![]),
        (BarQuery { newest: Some(99), ..all }, (0..12).collect()),
    ];
    for (query, wanted) in table {
        let found: Vec<_> = bars(store, query).await.iter().map(|bar| bar.open_time).collect();
        assert_eq!(found, wanted.into_iter().map(minute).collect::<Vec<_>>(), "{query:?}");
    }
    let of = |instrument, interval| bars(store, BarQuery::all(instrument, interval));
    assert_eq!(of(id, Interval::FiveMinutes).await.len(), 1);
    assert_eq!((of(id, Interval::OneDay).await.len(), of(other, Interval::OneMinute).await.len()), (0, 1));
}

async fn many_bars_are_streamed_in_order(store: &dyn Store) {
    let id = made(store, "ETH-USD").await;
    let rows: Vec<Bar> = (0..10_000).map(|n| bar(id, n, "best", f64::from(n + 1))).collect();
    let mut mixed = rows.clone();
    fastrand::Rng::with_seed(7).shuffle(&mut mixed);
    assert_eq!(append(store, mixed).await.inserted, 10_000);
    let query = BarQuery::all(id, Interval::OneMinute);
    let chunks: Vec<Vec<Bar>> = store.bars(query).try_collect().await.unwrap();
    assert!(chunks.len() > 1, "a year of minutes does not come at once");
    assert_eq!(chunks.concat(), rows);
    // Somebody who has seen enough keeps nobody from reading on.
    for _ in 0..4 {
        let mut stream = store.bars(query);
        assert_eq!(stream.next().await.expect("a chunk").unwrap()[0], rows[0]);
    }
    assert_eq!(all_bars(store, id).await.len(), 10_000);
}

async fn what_was_refused_or_doubtful(store: &dyn Store) {
    let (id, other) = (made(store, "SOL-USD").await, made(store, "EUR/USD").await);
    let refused = |instrument: InstrumentId, n: u32, interval: Option<Interval>| Quarantined {
        received_at: minute(n),
        source: Source::new("poor"),
        instrument,
        interval,
        open_time: interval.map(|_| minute(n + 1)),
        reasons: vec!["high_below_body".to_owned(), "off_grid".to_owned()],
        payload: r#"{"high":"NaN","note":"|\u0000'; --","ä":1}"#.to_owned(),
    };
    let doubtful = |instrument: InstrumentId, n: u32, rule: &str| Violation {
        time: minute(n),
        instrument,
        interval: Interval::OneHour,
        open_time: minute(n),
        source: Source::new("fair"),
        rule: rule.to_owned(),
        severity: Severity::Warning,
        message: "volume 7 is 0.1 % of the median".to_owned(),
    };
    let quarantine = vec![refused(id, 2, Some(Interval::OneMinute)), refused(other, 1, None), refused(id, 0, Some(Interval::OneDay))];
    let violations = vec![doubtful(id, 2, "jump"), doubtful(other, 1, "jump"), doubtful(id, 0, "jump"), doubtful(id, 0, "volume_spike")];
    let batch = Batch { quarantine: quarantine.clone(), violations: violations.clone(), at: minute(9), ..Batch::default() };
    assert_eq!(store.append(batch).await.unwrap(), Ack { quarantined: 3, ..Ack::default() });

    let of = |instruments: &[InstrumentId], from: Option<u32>, to: Option<u32>| RecordQuery {
        instruments: instruments.to_vec(),
        from: from.map(minute),
        to: to.map(minute),
    };
    // Oldest first; the range is half-open.
    let table: [(RecordQuery, &[usize], &[usize]); 5] = [
        (of(&[id, other], None, None), &[2, 1, 0], &[2, 3, 1, 0]),
        (of(&[id], None, None), &[2, 0], &[2, 3, 0]),
        (of(&[id, other], Some(1), Some(2)), &[1], &[1]),
        (of(&[id], Some(1), None), &[0], &[0]),
        (of(&[other], Some(2), None), &[], &[]),
    ];
    for (query, kept, told) in table {
        let wanted: Vec<_> = kept.iter().map(|n| quarantine[*n].clone()).collect();
        assert_eq!(store.quarantine(query.clone()).await.unwrap(), wanted, "{query:?}");
        let wanted: Vec<_> = told.iter().map(|n| ViolationRow { violation: violations[*n].clone(), acknowledged: false }).collect();
        assert_eq!(store.violations(query.clone()).await.unwrap(), wanted, "{query:?}");
    }
    let later = Violation { time: minute(8), message: "seen again".to_owned(), ..violations[0].clone() };
    store.append(Batch { violations: vec![later], ..Batch::default() }).await.unwrap();
    let rows = store.violations(of(&[id], None, None)).await.unwrap();
    assert_eq!((rows.len(), rows.iter().any(|row| row.violation.message == "seen again")), (3, false), "a violation is told once");
}

async fn what_was_asked(store: &dyn Store) {
    let id = made(store, "CHF-USD").await;
    let asked = |from: u32, to: u32, source: &str, state: CoverageState| Coverage {
        instrument: id,
        interval: Interval::OneMinute,
        source: Source::new(source),
        from: minute(from),
        to: minute(to),
        state,
        asked_at: minute(100),
    };
    let rows = vec![
        asked(0, 10, "best", CoverageState::Present),
        asked(10, 20, "best", CoverageState::EmptySaidSource),
        asked(30, 40, "poor", CoverageState::Failed),
    ];
    let day = Coverage { interval: Interval::OneDay, ..rows[0].clone() };
    let write = |coverage: Vec<Coverage>| store.append(Batch { coverage, ..Batch::default() });
    write(rows.iter().cloned().chain([day.clone()]).collect()).await.unwrap();
    let all = BarQuery::all(id, Interval::OneMinute);
    assert_eq!(store.coverage(all).await.unwrap(), rows);
    assert_eq!(store.coverage(BarQuery::all(id, Interval::OneDay)).await.unwrap(), [day]);
    let touching = BarQuery { from: minute(10), to: minute(30), ..all };
    assert_eq!(store.coverage(touching).await.unwrap(), rows[1..2], "half-open on both sides");
    let again = Coverage { asked_at: minute(200), ..asked(30, 45, "poor", CoverageState::Present) };
    write(vec![again.clone()]).await.unwrap();
    assert_eq!(store.coverage(all).await.unwrap(), [rows[0].clone(), rows[1].clone(), again], "the last answer stands");
}

async fn a_hole_that_is_filled_is_none(store: &dyn Store) {
    let id = made(store, "DOGE-USD").await;
    let asked = |from: u32, to: u32, state: CoverageState| Coverage {
        instrument: id,
        interval: Interval::OneMinute,
        source: Source::new(if state == CoverageState::Failed { "poor" } else { "best" }),
        from: minute(from),
        to: minute(to),
        state,
        asked_at: minute(100),
    };
    let (small, large) = (asked(10, 12, CoverageState::Failed), asked(30, 60, CoverageState::Failed));
    let filled = asked(0, 40, CoverageState::Present);
    for coverage in [vec![small, large.clone()], vec![filled.clone()]] {
        store.append(Batch { coverage, ..Batch::default() }).await.unwrap();
    }
    let left = store.coverage(BarQuery::all(id, Interval::OneMinute)).await.unwrap();
    assert_eq!(left, [filled, large], "a hole that was filled in part is still one");
}

async fn prices_and_trades_as_they_were_heard(store: &dyn Store) {
    let id = made(store, "XRP-USD").await;
    let quote = |n: u32, bid: Option<f64>| QuoteRow {
        instrument: id,
        source: Source::new("best"),
        ts_event: minute(n),
        ts_recv: minute(n) + Duration::from_millis(3),
        last: Some(1.5),
        bid,
        bid_size: None,
        ask: Some(1.6),
        ask_size: Some(7.0),
        volume: None,
    };
    let trade = |n: u32, number: &str, taker: Option<Side>| TradeRow {
        instrument: id,
        source: Source::new("best"),
        trade_id: number.to_owned(),
        ts_event: minute(n),
        ts_recv: minute(n),
        price: 1.5,
        size: 100.0,
        taker,
        venue: taker.map(|_| "V'; --".to_owned()),
        conditions: taker.filter(|side| *side == Side::Buy).map(|_| "@|T".to_owned()),
        moves: 7,
    };
    let quotes = vec![quote(0, Some(1.4)), quote(1, None)];
    let trades = vec![trade(0, "7'; --", Some(Side::Buy)), trade(0, "8", Some(Side::Sell)), trade(1, "9", None)];
    let batch = Batch { quotes, trades, at: minute(9), ..Batch::default() };
    for _ in 0..2 {
        store.append(batch.clone()).await.unwrap();
    }
    let (quotes, (_, trades)) = (table_rows(store, "quotes").await.1, table_rows(store, "trades").await);
    assert_eq!((quotes.len(), trades.len()), (2, 3), "the same again is no second row");
    let whole = |n: u32| Field::Whole(minute(n).as_micros());
    assert_eq!(quotes[0][..4], [Field::Whole(id.0), whole(0), Field::Text("best".to_owned()), Field::Whole(minute(0).as_micros() + 3_000)]);
    assert_eq!(quotes[0][4..], [1.5, 1.4, 0.0, 1.6, 7.0, 0.0].map(|x| if x == 0.0 { Field::Null } else { Field::Real(x) }));
    assert_eq!(trades[0][2], Field::Text("7'; --".to_owned()));
    assert_eq!(
        trades.iter().map(|row| row[7].clone()).collect::<Vec<_>>(),
        ["buy", "sell", ""].map(|word| if word.is_empty() { Field::Null } else { Field::Text(word.to_owned()) })
    );
    let told = |text: &str| Field::Text(text.to_owned());
    assert_eq!(trades[0][8..], [told("V'; --"), told("@|T"), Field::Whole(7)]);
    assert_eq!(trades[1][8..], [told("V'; --"), Field::Null, Field::Whole(7)]);
    assert_eq!(trades[2][8..], [Field::Null, Field::Null, Field::Whole(7)]);
}

async fn old_rows_go_in_small_steps(store: &dyn Store) {
    let id = made(store, "ADA-USD").await;
    let daily = Bar { interval: Interval::OneDay, open_time: at("2026-11-24T00:00:00Z"), ..bar(id, 0, "best", 1.0) };
    let before = |n: u32| minute(0) - MINUTE * n;
    append(store, (1..=5).map(|n| Bar { open_time: before(n), ..bar(id, n, "best", 1.0) }).chain([daily.clone()]).collect()).await;
    let bars = TABLES.iter().find(|table| table.name == "bars").unwrap();
    let mut steps = Vec::new();
    for _ in 0..3 {
        steps.push(store.prune(bars, before(2), 2).await.unwrap());
    }
    assert_eq!(steps, [2, 1, 0], "rows that went in each step");
    let left: Vec<_> = all_bars(store, id).await.iter().map(|bar| bar.open_time).collect();
    assert_eq!(left, [before(2), before(1)]);
    assert_eq!(bars_of_days(store, id).await, [daily], "days are kept");
    let instruments = TABLES.iter().find(|table| table.name == "instruments").unwrap();
    assert_eq!(store.prune(instruments, Timestamp::MAX, 99).await.unwrap(), 0, "what does not grow old stays");
}

async fn bars_of_days(store: &dyn Store, id: InstrumentId) -> Vec<Bar> {
    bars(store, BarQuery::all(id, Interval::OneDay)).await
}

async fn one_engine_at_a_time(store: &dyn Store) {
    let place = store.claim().await.expect("nobody records");
    let error = store.claim().await.err().expect("somebody records");
    assert!(matches!(error, StoreError::Held { .. }), "{error}");
    assert!(error.to_string().contains("already recording into"), "{error}");
    drop(place);
    let began = Instant::now();
    while let Err(error) = store.claim().await {
        // A server notices a moment later that a connection is gone.
        assert!(matches!(error, StoreError::Held { .. }) && began.elapsed() < Duration::from_secs(20), "{error}");
        tokio::task::yield_now().await;
    }
    assert_eq!(store.about("id").await.unwrap().map(|id| id.len()), Some(32));
    store.set_about("copying_from", Some("x'; --".to_owned())).await.unwrap();
    assert_eq!(store.about("copying_from").await.unwrap().as_deref(), Some("x'; --"));
    store.set_about("copying_from", None).await.unwrap();
    assert_eq!(store.about("copying_from").await.unwrap(), None);
}

fn job(text: &str) -> JobRecord {
    JobRecord {
        id: 0,
        kind: "backfill".to_owned(),
        symbol: Some(symbol(text)),
        interval: Some(Interval::OneMinute),
        from: Some(minute(0)),
        to: Some(minute(10)),
        source: Some("best".to_owned()),
        state: JobState::Queued,
        done: 0,
        total: 4,
        rows: 0,
        attempts: 0,
        error: None,
        created_at: minute(0),
        updated_at: minute(0),
    }
}

async fn jobs_and_their_checkpoints(store: &dyn Store) {
    assert_eq!(store.jobs(JobQuery::All).await.unwrap(), []);
    let bare = JobRecord { symbol: None, interval: None, from: None, to: None, source: None, ..job("AAPL") };
    let (first, second) = (store.save_job(job("AAPL")).await.unwrap(), store.save_job(bare.clone()).await.unwrap());
    assert!(first != 0 && second != 0 && first != second);
    let (saved, bare) = (JobRecord { id: first, ..job("AAPL") }, JobRecord { id: second, ..bare });
    assert_eq!(store.jobs(JobQuery::All).await.unwrap(), [saved.clone(), bare.clone()]);

    let id = made(store, "BRK.B").await;
    let (state, error) = (JobState::Running, Some("it was slow".to_owned()));
    let further = JobRecord { state, done: 1, total: 9, rows: 2, attempts: 3, error, updated_at: minute(5), ..saved };
    let rows = vec![bar(id, 0, "best", 1.0), bar(id, 1, "best", 2.0)];
    store.append(Batch { checkpoint: Some(further.clone()), ..of_bars(rows.clone()) }).await.unwrap();
    assert_eq!(store.jobs(JobQuery::All).await.unwrap(), [further.clone(), bare.clone()]);
    assert_eq!(all_bars(store, id).await, rows);
    let done = JobRecord { state: JobState::Done, error: None, ..further };
    assert_eq!(store.save_job(done.clone()).await.unwrap(), first);
    assert_eq!(store.jobs(JobQuery::All).await.unwrap(), [done, bare.clone()]);
    assert_eq!(store.jobs(JobQuery::Open).await.unwrap(), [bare.clone()], "what waits or is at work");
    for state in JobState::ALL {
        store.save_job(JobRecord { state, ..bare.clone() }).await.unwrap();
        assert_eq!(store.jobs(JobQuery::Open).await.unwrap().is_empty(), state.is_over(), "{state:?}");
    }
}

async fn a_batch_is_written_whole_or_not_at_all(store: &dyn Store) {
    let id = made(store, "AVAX-USD").await;
    let before = (store.jobs(JobQuery::All).await.unwrap(), store.status().await.unwrap());
    let checkpoint = JobRecord { id: before.0[0].id, rows: 999, ..job("AAPL") };
    // The last row belongs to nobody.
    let rows = vec![bar(id, 0, "best", 1.0), bar(InstrumentId(987_654), 0, "best", 1.0)];
    let failed = store.append(Batch { checkpoint: Some(checkpoint), ..of_bars(rows) }).await;
    assert!(matches!(failed, Err(StoreError::Unfit { .. })), "{failed:?}");
    assert_eq!(all_bars(store, id).await, []);
    let after = (store.jobs(JobQuery::All).await.unwrap(), store.status().await.unwrap());
    assert_eq!((after.0, after.1.bars), (before.0, before.1.bars));
    assert_eq!(append(store, vec![bar(id, 0, "best", 1.0)]).await.inserted, 1, "and the next one is written");
}

async fn the_sum_of_it(store: &dyn Store) {
    let status = store.status().await.unwrap();
    let everything = RecordQuery::default();
    assert!(status.schema >= 1);
    assert_eq!(status.bars, status.symbols.iter().map(|symbol| symbol.bars).sum::<u64>());
    assert_eq!(status.quarantined, store.quarantine(everything.clone()).await.unwrap().len() as u64);
    assert_eq!(status.violations, store.violations(everything).await.unwrap().len() as u64);
    assert_eq!((status.quarantined, status.violations), (8, 6));
    let of: Vec<_> = status.symbols.iter().filter(|row| row.symbol == symbol("JPM")).cloned().collect();
    let (symbol, first) = (symbol("JPM"), minute(0));
    let minutes =
        SymbolStatus { symbol: symbol.clone(), interval: Interval::OneMinute, bars: 12, first, last: minute(11), validated: 4.0 / 12.0 };
    assert_eq!(of, [minutes, SymbolStatus { symbol, interval: Interval::FiveMinutes, bars: 1, first, last: first, validated: 1.0 }]);
    let (size, named) = (store.size().await.unwrap(), store.name());
    assert!(size == status.size && size > 500_000, "10,000 bars in {size} bytes");
    assert!(named.starts_with("sqlite:") || named.starts_with("postgres"), "{named}");
    assert_eq!(store.check().await.unwrap(), Vec::<String>::new());
}

// ── what sources say of companies ──

/// Told after the story; `other` is a second connection to the same store.
async fn the_companies(store: &dyn Store, other: &dyn Store) {
    requests_are_counted_by_all_at_once(store, other).await;
    splits_and_dividends(store).await;
    reports_as_sources_send_them(store).await;
    what_a_source_lists(store).await;
    a_ticker_that_is_used_again(store).await;
    a_company_that_is_renamed(store).await;
    what_a_rename_may_not_do(store).await;
    what_is_said_of_nobody(store).await;
    assert_eq!(store.check().await.unwrap(), Vec::<String>::new());
}

async fn requests_are_counted_by_all_at_once(store: &dyn Store, other: &dyn Store) {
    let day = at("2026-11-25T00:00:00Z");
    let one = |source: &str, count: i64| RequestCount::of_day(source.to_owned(), day, count);
    assert_eq!(store.count_requests(Vec::new()).await.unwrap(), Vec::<u64>::new());
    assert_eq!(store.request_counts(Timestamp::MIN).await.unwrap(), []);
    let several = vec![one("fmp", 3), one("fmp bytes", 1 << 33), one("fmp", 2)];
    assert_eq!(store.count_requests(several).await.unwrap(), [3, 1 << 33, 5], "in the order of the questions");
    let before = RequestCount { window_start: day - Duration::from_secs(86_400), ..one("fmp", 1) };
    assert_eq!(other.count_requests(vec![before.clone()]).await.unwrap(), [1]);

    // Each counts two sources, every other one the other way round.
    let ask = |n: usize| {
        let (store, sources) = if n.is_multiple_of(2) { (store, ["a", "b"]) } else { (other, ["b", "a"]) };
        store.count_requests(sources.map(|source| one(source, 1)).to_vec())
    };
    let answers = futures_util::future::try_join_all((0..40).map(ask)).await.unwrap();
    for place in [0, 1] {
        let mut totals: Vec<u64> = answers.iter().enumerate().map(|(n, totals)| totals[(n + place) % 2]).collect();
        totals.sort_unstable();
        assert_eq!(totals, (1..=40).collect::<Vec<u64>>(), "no two are told the same total");
    }
    let since = [one("a", 40), one("b", 40), one("fmp", 5), one("fmp bytes", 1 << 33)];
    assert_eq!(other.request_counts(day).await.unwrap(), since);
    let all: Vec<RequestCount> = [before].into_iter().chain(since).collect();
    assert_eq!(store.request_counts(Timestamp::MIN).await.unwrap(), all, "by time");
}

fn date(text: &str) -> Date {
    text.parse().expect("a date")
}

fn action(instrument: InstrumentId, source: &str, day: &str, kind: ActionKind) -> ActionRow {
    ActionRow { instrument, source: Source::new(source), action: CorporateAction { ex_date: date(day), kind } }
}

fn split(numerator: f64) -> ActionKind {
    ActionKind::Split { numerator, denominator: 1.0 }
}

async fn splits_and_dividends(store: &dyn Store) {
    let (id, other) = (made(store, "NFLX").await, made(store, "KO").await);
    let paid = |amount: f64, currency: Option<&str>| ActionKind::Dividend { amount, currency: currency.map(str::to_owned) };
    let rows = [
        action(id, "best", "2015-07-15", split(7.0)),
        action(id, "best", "2025-11-17", paid(0.1 + 0.2, Some("x'; --"))),
        action(id, "best", "2025-11-17", split(10.0)),
        action(id, "poor", "2025-11-17", split(11.0)),
        action(id, "best", "2026-02-01", paid(0.25, None)),
    ];
    let write = |actions: Vec<ActionRow>| store.append(Batch { actions, at: minute(9), ..Batch::default() });
    assert_eq!(store.actions(id).await.unwrap(), []);
    for _ in 0..2 {
        assert_eq!(write(rows.iter().rev().cloned().collect()).await.unwrap(), Ack::default());
        assert_eq!(store.actions(id).await.unwrap(), rows, "by ex-date, each source by itself");
    }
    write(vec![action(other, "best", "2025-11-17", split(2.0))]).await.unwrap();
    // The last word of a source stands, also within one batch.
    write(vec![action(id, "best", "2015-07-15", split(8.0)), action(id, "best", "2015-07-15", split(9.0))]).await.unwrap();
    let found = store.actions(id).await.unwrap();
    assert_eq!((&found[0], &found[1..]), (&action(id, "best", "2015-07-15", split(9.0)), &rows[1..]));

    let absurd = vec![action(id, "best", "2026-05-05", split(f64::NAN)), action(id, "best", "2026-05-06", split(2.0))];
    assert_eq!(write(absurd).await.unwrap().quarantined, 1);
    let refused = store.quarantine(RecordQuery { instruments: vec![id], ..RecordQuery::default() }).await.unwrap();
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0].reasons, ["not_storable"]);
    assert!(refused[0].payload.contains("NaN") && refused[0].payload.contains("2026-05-05"), "{}", refused[0].payload);
    assert_eq!(store.actions(id).await.unwrap().len(), 6, "what came with it is kept");
}

async fn reports_as_sources_send_them(store: &dyn Store) {
    let id = made(store, "GOOG").await;
    let report = |statement: Statement, day: &str, n: u32, fields: &serde_json::Value| FundamentalRow {
        instrument: id,
        source: Source::new("best"),
        fundamental: Fundamental {
            statement,
            period: if statement == Statement::Overview { Period::Latest } else { Period::Quarter },
            fiscal_date: date(day),
            fields: fields.as_object().expect("an object").clone(),
        },
        asked_at: minute(n),
    };
    let odd =
        serde_json::json!({ "revenue": 0.1 + 0.2, "n": 9_007_199_254_740_993_u64, "text": "x'; -- ä\\u0000\"", "none": null, "z": [-1] });
    let plain = serde_json::json!({ "totalAssets": "100", "netIncome": "None" });
    let rows = [
        report(Statement::Overview, "2026-11-25", 1, &plain),
        report(Statement::BalanceSheet, "2026-09-30", 1, &plain),
        report(Statement::Income, "2026-09-30", 1, &odd),
        report(Statement::Income, "2026-06-30", 1, &odd),
    ];
    let write = |fundamentals: Vec<FundamentalRow>| store.append(Batch { fundamentals, at: minute(9), ..Batch::default() });
    assert_eq!(store.fundamentals(id).await.unwrap(), []);
    for _ in 0..2 {
        write(rows.iter().rev().cloned().collect()).await.unwrap();
        assert_eq!(store.fundamentals(id).await.unwrap(), rows, "the newest first, every field as it was");
    }
    // What says nothing, and what was asked for earlier, takes no place of what is there.
    let nothing = serde_json::json!({});
    write(vec![report(Statement::Overview, "2026-11-25", 5, &nothing), report(Statement::Overview, "2026-11-26", 5, &nothing)])
        .await
        .unwrap();
    write(vec![report(Statement::Income, "2026-06-30", 0, &plain)]).await.unwrap();
    assert_eq!(store.fundamentals(id).await.unwrap(), rows);
    let restated = report(Statement::Income, "2026-06-30", 7, &plain);
    write(vec![restated.clone()]).await.unwrap();
    assert_eq!(store.fundamentals(id).await.unwrap()[3], restated, "the newest word of a source stands");
    let other = FundamentalRow { source: Source::new("poor"), ..restated.clone() };
    write(vec![other.clone()]).await.unwrap();
    assert_eq!(store.fundamentals(id).await.unwrap()[3..], [restated, other]);
    let never = FundamentalRow { asked_at: Timestamp::MAX, ..rows[0].clone() };
    assert_eq!(write(vec![never]).await.unwrap().quarantined, 1);
    assert_eq!(store.fundamentals(id).await.unwrap().len(), 5);
}

fn listed(text: &str, spelling: &str) -> Listed {
    Listed {
        symbol: symbol(text),
        spelling: spelling.to_owned(),
        asset_class: AssetClass::Equity,
        name: None,
        venue: None,
        currency: None,
        figi: None,
        active: true,
    }
}

fn name(provider: &str, spelling: &str, from: u32, to: Option<u32>) -> NameRow {
    NameRow { provider: provider.to_owned(), symbol: spelling.to_owned(), valid_from: minute(from), valid_to: to.map(minute) }
}

async fn list(store: &dyn Store, provider: &str, listed: Vec<Listed>, n: u32) -> (u64, u64) {
    let count = store.list(provider.to_owned(), listed, minute(n)).await.expect("it is written");
    (count.new, count.known)
}

async fn figi(store: &dyn Store, text: &str) -> Field {
    let (table, rows) = table_rows(store, "instruments").await;
    let place = table.columns.iter().position(|column| column.name == "figi").expect("there is such a column");
    rows.iter().find(|row| row[1] == Field::Text(text.to_owned())).expect("there is such an instrument")[place].clone()
}

/// Told before the story, in an empty store, which is empty again afterwards.
async fn a_listing_is_no_watchlist(store: &dyn Store) {
    assert_eq!(list(store, "fmp", Vec::new(), 0).await, (0, 0));
    let gone = Listed { active: false, ..listed("GONE", "GONE") };
    assert_eq!(list(store, "fmp", vec![gone.clone()], 0).await, (1, 0));
    assert_eq!(store.watchlist().await.unwrap(), None, "what a source took off its list was never on ours");
    store.set_watchlist(vec![made(store, "GONE").await]).await.unwrap();
    store.set_watchlist(Vec::new()).await.unwrap();
    assert_eq!(list(store, "fmp", vec![Listed { active: true, ..gone }], 1).await, (0, 1));
    assert_eq!(store.watchlist().await.unwrap(), Some(Vec::new()), "a list that was emptied is one, whatever sources list");
    store.clear().await.unwrap();
    assert_eq!((store.watchlist().await.unwrap(), store.instruments().await.unwrap()), (None, Vec::new()));
}

async fn what_a_source_lists(store: &dyn Store) {
    let before = store.instrument(symbol("AAPL")).await.unwrap();
    assert_eq!((&*before.name, before.active), ("", false), "it left the watchlist");
    let fund = Listed {
        asset_class: AssetClass::Etf,
        name: Some("SPDR'; --".to_owned()),
        venue: Some("ARCX".to_owned()),
        currency: Some("EUR".to_owned()),
        figi: Some("BBG000BDTBL9".to_owned()),
        ..listed("SPYX", "SPYX")
    };
    let apple = Listed { name: Some("Apple Inc.".to_owned()), ..listed("AAPL", "AAPL") };
    let gone = Listed { active: false, ..listed("DEAD", "DEAD") };
    assert_eq!(list(store, "fmp", vec![apple.clone(), fund.clone(), gone, apple], 1_000).await, (2, 1), "each once");
    let found = store.instrument(symbol("AAPL")).await.unwrap();
    assert_eq!(found, Instrument { name: "Apple Inc.".into(), active: true, ..before });
    let made = store.instrument(symbol("SPYX")).await.unwrap();
    assert_eq!((&*made.name, &*made.venue, &*made.currency, made.asset_class), ("SPDR'; --", "ARCX", "EUR", AssetClass::Etf));
    let dead = store.instrument(symbol("DEAD")).await.unwrap();
    assert_eq!(dead, Instrument { active: false, ..Instrument::listed(dead.id, symbol("DEAD")) }, "what was not said is by its symbol");

    // What is not said, and what is empty, changes nothing.
    let silent = Listed { asset_class: AssetClass::Etf, ..listed("SPYX", "SPYX") };
    let empty = Listed { name: Some(String::new()), figi: Some(" ".to_owned()), ..silent.clone() };
    for (one, n) in [(silent, 1_001), (empty, 1_002)] {
        assert_eq!(list(store, "fmp", vec![one], n).await, (0, 1));
        assert_eq!(store.instrument(symbol("SPYX")).await.unwrap(), made);
    }
    assert_eq!(figi(store, "SPYX").await, Field::Text("BBG000BDTBL9".to_owned()));
    let other = Listed { name: Some("State Street".to_owned()), figi: Some("BBG1".to_owned()), active: false, ..listed("SPYX", "SPYX") };
    assert_eq!(list(store, "poly'; --", vec![Listed { spelling: "S:SPYX".to_owned(), ..other }], 1_003).await, (0, 1));
    let changed = Instrument { name: "State Street".into(), asset_class: AssetClass::Equity, active: false, ..made.clone() };
    assert_eq!(store.instrument(symbol("SPYX")).await.unwrap(), changed);
    assert_eq!(figi(store, "SPYX").await, Field::Text("BBG1".to_owned()));
    let names = [name("fmp", "SPYX", 1_000, None), name("poly'; --", "S:SPYX", 1_003, None)];
    assert_eq!(store.names(made.id).await.unwrap(), names, "since it was first seen");
    assert_eq!(store.names(InstrumentId(987_654)).await.unwrap(), []);
}

async fn a_ticker_that_is_used_again(store: &dyn Store) {
    let (old, new) = (made(store, "OLDCO").await, made(store, "NEWCO").await);
    list(store, "fmp", vec![listed("OLDCO", "XYZ"), listed("NEWCO", "NEW")], 1_000).await;
    list(store, "fmp", vec![listed("NEWCO", "XYZ")], 2_000).await;
    list(store, "fmp", vec![listed("NEWCO", "XYZ")], 3_000).await;
    assert_eq!(store.names(old).await.unwrap(), [name("fmp", "XYZ", 1_000, Some(2_000))]);
    let both = [name("fmp", "NEW", 1_000, None), name("fmp", "XYZ", 2_000, None)];
    assert_eq!(store.names(new).await.unwrap(), both);
    // A second word at the same moment takes the first one's place.
    list(store, "fmp", vec![listed("OLDCO", "XYZ")], 2_000).await;
    assert_eq!(store.names(new).await.unwrap(), both[..1]);
    assert_eq!(store.names(old).await.unwrap(), [name("fmp", "XYZ", 1_000, Some(2_000)), name("fmp", "XYZ", 2_000, None)]);
}

async fn a_company_that_is_renamed(store: &dyn Store) {
    let id = made(store, "FBOOK").await;
    append(store, vec![bar(id, 0, "best", 300.0)]).await;
    list(store, "fmp", vec![listed("FBOOK", "FB")], 1_000).await;
    let waits = store.save_job(job("FBOOK")).await.unwrap();
    store.rename(symbol("FBOOK"), symbol("METAV"), minute(3_000)).await.unwrap();
    let found = store.instrument(symbol("METAV")).await.unwrap();
    assert_eq!((found.id, all_bars(store, found.id).await), (id, vec![bar(id, 0, "best", 300.0)]), "with its history");
    let ours = |symbol: &str, from: u32, to: Option<u32>| name("openbell", symbol, from, to);
    let first = NameRow { valid_from: Timestamp::default(), ..ours("FBOOK", 0, Some(3_000)) };
    let fmp = name("fmp", "FB", 1_000, Some(3_000));
    assert_eq!(store.names(id).await.unwrap(), [fmp.clone(), first.clone(), ours("METAV", 3_000, None)]);
    let jobs = store.jobs(JobQuery::Open).await.unwrap();
    assert_eq!(jobs.iter().find(|job| job.id == waits).and_then(|job| job.symbol.clone()), Some(symbol("METAV")), "what waits is for it");
    store.save_job(JobRecord { id: waits, state: JobState::Done, ..job("METAV") }).await.unwrap();

    // The symbol is free: it means another one from then on.
    let again = made(store, "FBOOK").await;
    assert_ne!(again, id);
    list(store, "fmp", vec![listed("METAV", "META"), listed("FBOOK", "FB")], 3_500).await;
    store.rename(symbol("METAV"), symbol("METAX"), minute(4_000)).await.unwrap();
    store.rename(symbol("FBOOK"), symbol("FBNEW"), minute(5_000)).await.unwrap();
    let meta = name("fmp", "META", 3_500, Some(4_000));
    assert_eq!(store.names(id).await.unwrap(), [fmp, meta, first, ours("METAV", 3_000, Some(4_000)), ours("METAX", 4_000, None)]);
    assert_eq!(
        store.names(again).await.unwrap(),
        [name("fmp", "FB", 3_500, Some(5_000)), ours("FBOOK", 3_000, Some(5_000)), ours("FBNEW", 5_000, None)]
    );
}

async fn what_a_rename_may_not_do(store: &dyn Store) {
    let instruments = store.instruments().await.unwrap();
    let rename = |old: &str, new: &str| store.rename(symbol(old), symbol(new), minute(6_000));
    let error = rename("METAX", "AAPL").await.expect_err("that is another company");
    assert!(matches!(error, StoreError::Taken { .. }), "{error}");
    assert!(error.to_string().contains("cannot rename METAX to AAPL"), "{error}");
    let error = rename("NOSUCH", "NEWER").await.expect_err("there is none");
    assert!(matches!(error, StoreError::Unknown { .. }) && error.to_string().contains("NOSUCH"), "{error}");
    rename("METAX", "METAX").await.expect("it is called so already");
    assert_eq!(store.instruments().await.unwrap(), instruments);
    let id = made(store, "METAX").await;
    assert_eq!(store.names(id).await.unwrap().last(), Some(&name("openbell", "METAX", 4_000, None)));
}

async fn what_is_said_of_nobody(store: &dyn Store) {
    let (id, nobody) = (made(store, "LONELY").await, InstrumentId(987_654));
    let fields = serde_json::json!({ "revenue": 1 }).as_object().expect("an object").clone();
    let fundamental = Fundamental { statement: Statement::Income, period: Period::Annual, fiscal_date: date("2026-09-30"), fields };
    let report = |instrument: InstrumentId| {
        let (source, fundamental) = (Source::new("best"), fundamental.clone());
        FundamentalRow { instrument, source, fundamental, asked_at: minute(1) }
    };
    let acts = |of: &[InstrumentId]| of.iter().map(|id| action(*id, "best", "2026-01-02", split(2.0))).collect();
    let batches = [
        Batch { actions: acts(&[id, nobody]), ..Batch::default() },
        Batch { actions: acts(&[id]), fundamentals: vec![report(nobody)], ..Batch::default() },
    ];
    for batch in batches {
        let refused = store.append(batch).await;
        assert!(matches!(refused, Err(StoreError::Unfit { .. })), "{refused:?}");
        assert_eq!(store.actions(id).await.unwrap(), [], "all of a batch or nothing");
    }
    assert_eq!(store.fundamentals(nobody).await.unwrap(), []);
    store.append(Batch { actions: acts(&[id]), fundamentals: vec![report(id)], ..Batch::default() }).await.unwrap();
    assert_eq!((store.actions(id).await.unwrap().len(), store.fundamentals(id).await.unwrap()), (1, vec![report(id)]));
}

#[tokio::test]
async fn the_story_on_sqlite() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("deep/er/story.db");
    let store = Sqlite::open(&path, Creation::IfEmpty, ranks()).unwrap();
    story(&store).await;
    the_companies(&store, &Sqlite::open(&path, Creation::Never, ranks()).unwrap()).await;
    let (jobs, status) = (store.jobs(JobQuery::All).await.unwrap(), store.status().await.unwrap());
    drop(store);
    let again = Sqlite::open(&path, Creation::Never, ranks()).unwrap();
    assert_eq!((again.jobs(JobQuery::All).await.unwrap(), again.status().await.unwrap()), (jobs, status), "it is all there the next time");
    println!("story told on sqlite");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_story_on_postgres() {
    let Some(database) = crate::postgres::database().await else { return };
    let store = postgres(&database.url(), Creation::IfEmpty).await;
    story(&store).await;
    the_companies(&store, &postgres(&database.url(), Creation::Never).await).await;
    let (jobs, status) = (store.jobs(JobQuery::All).await.unwrap(), store.status().await.unwrap());
    drop(store);
    let again = postgres(&database.url(), Creation::Never).await;
    let (jobs_then, status_then) = (again.jobs(JobQuery::All).await.unwrap(), again.status().await.unwrap());
    // The server tidies up by itself: how much room its files take is its own affair.
    let status_then = StoreStatus { size: status.size, ..status_then };
    assert_eq!((jobs_then, status_then), (jobs, status), "it is all there the next time");
    println!("story told on postgres");
}

async fn postgres(url: &str, creation: Creation) -> Postgres {
    Postgres::open(&url.parse().expect("an address"), creation, ranks()).await.expect("it opens")
}

// ── the order of arrival ──

/// Minute, source, what it says of the price in percent, and what kind of bar it is.
type Opinion = (u32, &'static str, i8, BarFlags);

fn opinions() -> impl Strategy<Value = Vec<Opinion>> {
    let kinds = vec![BarFlags::empty(), BarFlags::empty(), BarFlags::PARTIAL, BarFlags::SAMPLED, BarFlags::ADJUSTED];
    let one = prop::option::weighted(0.8, (-1_i8..=1, prop::sample::select(kinds)));
    prop::collection::vec(one, 15).prop_map(|grid| {
        let said = |(place, said): (u32, Option<(i8, BarFlags)>)| {
            let (percent, flags) = said?;
            Some((place / 3, ["best", "fair", "poor"][place as usize % 3], percent, flags))
        };
        (0_u32..).zip(grid).filter_map(said).collect()
    })
}

/// The bars of a new symbol after these opinions came in this order, so many at once; then once more, which changes nothing.
async fn after(store: &dyn Store, id: InstrumentId, opinions: &[Opinion], at_once: usize) -> Vec<Bar> {
    let say = |(n, source, percent, flags): &Opinion| Bar { flags: *flags, ..bar(id, *n, source, 100.0 + f64::from(*percent)) };
    for batch in opinions.chunks(at_once) {
        append(store, batch.iter().map(say).collect()).await;
    }
    let bars = all_bars(store, id).await;
    let again = append(store, opinions.iter().map(say).collect()).await;
    assert_eq!((again.inserted, again.replaced, all_bars(store, id).await), (0, 0, bars.clone()), "what was said already is no news");
    // Whoever was believed least is not believed more because nobody else spoke later.
    let best = |n: u32| opinions.iter().any(|(m, source, _, flags)| *m == n && *source == "best" && flags.is_empty());
    let wrong: Vec<_> = bars.iter().filter(|bar| best(minute_of(bar)) && bar.source.as_str() != "best").collect();
    assert!(wrong.is_empty(), "ranks win: {wrong:?}");
    bars.into_iter().map(|bar| Bar { instrument: InstrumentId(0), ..bar }).collect()
}

fn minute_of(bar: &Bar) -> u32 {
    u32::try_from(bar.open_time.since(at(START)).as_secs() / 60).unwrap()
}

/// Both orders, in one store.
async fn both(store: &dyn Store, case: usize, told: &[Opinion], shuffled: &[Opinion], at_once: usize) -> (Vec<Bar>, Vec<Bar>) {
    let (one, other) = (made(store, &format!("A{case}")).await, made(store, &format!("B{case}")).await);
    (after(store, one, told, 100).await, after(store, other, shuffled, at_once).await)
}

/// A server and a database for all cases.
static SERVER: LazyLock<Option<(tokio::runtime::Runtime, crate::postgres::TestDatabase, Postgres)>> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let database = runtime.block_on(crate::postgres::database())?;
    let store = runtime.block_on(postgres(&database.url(), Creation::IfEmpty));
    Some((runtime, database, store))
});
static CASES: AtomicUsize = AtomicUsize::new(0);

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn it_does_not_matter_in_which_order_sources_are_heard(
        (told, shuffled) in opinions().prop_flat_map(|told| (Just(told.clone()), Just(told).prop_shuffle())),
        at_once in 1_usize..8,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let folder = TempDir::new().unwrap();
        let store = Sqlite::open(&folder.path().join("order.db"), Creation::IfEmpty, ranks()).unwrap();
        let (one, other) = runtime.block_on(both(&store, 0, &told, &shuffled, at_once));
        let minutes = told.iter().map(|(n, ..)| *n).collect::<std::collections::BTreeSet<_>>();
        prop_assert_eq!(one.len(), minutes.len());
        prop_assert_eq!(&one, &other);
        if let Some((runtime, _, store)) = &*SERVER {
            let case = CASES.fetch_add(1, Ordering::Relaxed);
            let (there, shuffled) = runtime.block_on(both(store, case, &told, &shuffled, at_once));
            prop_assert_eq!(&there, &shuffled);
            prop_assert_eq!(&there, &one, "both engines come to the same");
        }
    }
}

// ── opening a file ──

/// Waits until nobody has the file open, and folds its log into it: then it is one file that nobody changes.
fn settle(path: &Path) {
    let began = Instant::now();
    loop {
        let connection = Connection::open(path).unwrap();
        let mode = connection.pragma_update_and_check(None, "journal_mode", "DELETE", |row| row.get::<_, String>(0));
        if matches!(&mode, Ok(mode) if mode == "delete") {
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "somebody still has {}: {mode:?}", path.display());
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A store with nothing in it, that nobody has open.
fn empty_store(path: &Path) {
    drop(Sqlite::open(path, Creation::IfEmpty, ranks()).unwrap());
    settle(path);
}

/// Opening fails, and not a byte of the file has changed.
#[track_caller]
fn refused(path: &Path, creation: Creation) -> StoreError {
    let before = fs::read(path).unwrap();
    let error = Sqlite::open(path, creation, ranks()).expect_err("it is not ours to open");
    assert!(fs::read(path).unwrap() == before, "{} was changed", path.display());
    let sentence = error.to_string();
    assert!(sentence.contains(&path.display().to_string()), "{sentence}");
    error
}

#[test]
fn a_store_that_is_not_there_is_made_or_missed() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("new.db");
    let error = Sqlite::open(&path, Creation::Never, ranks()).expect_err("there is none");
    assert!(matches!(error, StoreError::Missing(_)) && error.to_string().contains("openbell db init"), "{error}");
    assert!(!path.exists(), "asking made it");
    fs::write(&path, "").unwrap();
    assert!(matches!(refused(&path, Creation::Never), StoreError::Missing(_)));
    Sqlite::open(&path, Creation::IfEmpty, ranks()).expect("an empty file gets our tables");
    Sqlite::open(&path, Creation::Never, ranks()).expect("and then it is a store");
}

#[test]
fn what_is_no_database_is_left_as_it_is() {
    let folder = TempDir::new().unwrap();
    let mut dice = fastrand::Rng::with_seed(7);
    for size in [20, 100, 512, 4_096, 100_000] {
        let path = folder.path().join(format!("{size}.db"));
        let noise: Vec<u8> = (0..size).map(|_| dice.u8(..)).collect();
        fs::write(&path, &noise).unwrap();
        for creation in [Creation::Never, Creation::IfEmpty, Creation::Always] {
            let error = refused(&path, creation);
            assert!(matches!(error, StoreError::NotADatabase(_)), "{size} {creation:?}: {error}");
        }
        let mut headed = b"SQLite format 3\0".to_vec();
        headed.extend(noise);
        fs::write(&path, headed).unwrap();
        refused(&path, Creation::Always);
    }
}

#[test]
fn a_store_of_a_newer_version_is_left_as_it_is() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("newer.db");
    empty_store(&path);
    let connection = Connection::open(&path).unwrap();
    assert!(connection.execute("UPDATE refinery_schema_history SET version = version + 41", []).unwrap() >= 1);
    drop(connection);
    for creation in [Creation::Never, Creation::IfEmpty, Creation::Always] {
        let error = refused(&path, creation);
        assert!(matches!(error, StoreError::Newer { found, known, .. } if found == known + 41), "{error}");
    }
}

#[test]
fn tables_of_another_program_are_not_joined_unless_asked() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("theirs.db");
    let connection = Connection::open(&path).unwrap();
    connection.execute_batch("CREATE TABLE notes (text TEXT); INSERT INTO notes VALUES ('mine');").unwrap();
    drop(connection);
    for creation in [Creation::Never, Creation::IfEmpty] {
        let error = refused(&path, creation);
        assert!(matches!(error, StoreError::Foreign(_)) && error.to_string().contains("openbell db init"), "{error}");
    }
    drop(Sqlite::open(&path, Creation::Always, ranks()).expect("asked, ours are made beside them"));
    settle(&path);
    let connection = Connection::open(&path).unwrap();
    let note: String = connection.query_row("SELECT text FROM notes", [], |row| row.get(0)).unwrap();
    assert_eq!(note, "mine");
    drop(connection);
    drop(Sqlite::open(&path, Creation::IfEmpty, ranks()).expect("now it holds ours"));
}

/// Takes back what was done to a file or a folder, so that it can be thrown away.
struct Undo(&'static str, Vec<String>);

impl Drop for Undo {
    fn drop(&mut self) {
        let _ = Command::new(self.0).args(&self.1).status();
    }
}

fn runs(program: &str, arguments: &[&str]) -> bool {
    Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success())
}

#[test]
fn a_file_that_cannot_be_written_is_called_read_only() {
    let folder = TempDir::new().unwrap();
    for mode in ["DELETE", "WAL"] {
        let path = folder.path().join(format!("{mode}.db"));
        let text = path.display().to_string();
        empty_store(&path);
        Connection::open(&path).unwrap().pragma_update(None, "journal_mode", mode).unwrap();
        let mut permissions = fs::metadata(&path).unwrap().permissions();
        permissions.set_readonly(true);
        fs::set_permissions(&path, permissions).unwrap();
        // For root a mode is no obstacle; an attribute is.
        let can_write = || fs::OpenOptions::new().append(true).open(&path).is_ok();
        let _undo = (can_write() && runs("chattr", &["+i", &text])).then(|| Undo("chattr", vec!["-i".to_owned(), text.clone()]));
        if can_write() {
            println!("left out: {mode}: this user can write every file, and chattr +i does not work here");
            continue;
        }
        let error = refused(&path, Creation::IfEmpty);
        assert!(matches!(error, StoreError::ReadOnly(_)), "{mode}: {error}");
    }
}

/// Each wait takes the five seconds that a store waits for another program, so both are in one test, side by side.
#[test]
fn a_file_that_another_program_holds_is_called_locked_and_taken_again_when_it_is_free() {
    let folder = TempDir::new().unwrap();
    let (held, busy) = (folder.path().join("held.db"), folder.path().join("busy.db"));
    empty_store(&held);
    let holder = Connection::open(&held).unwrap();
    holder.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let opening = std::thread::spawn({
        let held = held.clone();
        move || Sqlite::open(&held, Creation::IfEmpty, ranks())
    });

    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let store = Sqlite::open(&busy, Creation::IfEmpty, ranks()).unwrap();
    let id = runtime.block_on(made(&store, "BTC-USD"));
    let writer = Connection::open(&busy).unwrap();
    writer.execute_batch("BEGIN IMMEDIATE").unwrap();
    let began = Instant::now();
    let refused = runtime.block_on(store.append(of_bars(vec![bar(id, 0, "best", 1.0)])));
    let waited = began.elapsed();
    let error = refused.expect_err("another program writes");
    assert!(matches!(error, StoreError::Locked(_)), "{error}");
    assert!(error.to_string().ends_with("is locked by another program"), "{error}");
    assert!((Duration::from_secs(4)..Duration::from_secs(15)).contains(&waited), "it waits for a while, and not for ever: {waited:?}");
    assert_eq!(runtime.block_on(all_bars(&store, id)), [], "readers never wait");
    writer.execute_batch("ROLLBACK").unwrap();
    assert_eq!(runtime.block_on(append(&store, vec![bar(id, 0, "best", 1.0)])).inserted, 1);

    let error = opening.join().unwrap().expect_err("another program has it");
    assert!(matches!(error, StoreError::Locked(_)) && error.to_string().contains(&held.display().to_string()), "{error}");
    holder.execute_batch("ROLLBACK").unwrap();
    drop(holder);
    Sqlite::open(&held, Creation::Never, ranks()).expect("it is free");
}

// ── a disk that is full ──

/// The writer's next word that is as wanted.
async fn until(events: &mut tokio::sync::mpsc::Receiver<WriterEvent>, wanted: impl Fn(&WriterView) -> bool) -> WriterView {
    let limit = Duration::from_secs(60);
    let word = async {
        loop {
            if let WriterEvent::State(view) = events.recv().await.expect("the writer lives")
                && wanted(&view)
            {
                return view;
            }
        }
    };
    tokio::time::timeout(limit, word).await.expect("the writer tells of it")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_wait_while_the_disk_is_full_and_none_is_lost() {
    let folder = TempDir::new().unwrap();
    let Some(disk) = SmallDisk::at(folder.path().join("disk"), "2m") else { return };
    let store = Arc::new(Sqlite::open(&disk.path.join("full.db"), Creation::IfEmpty, ranks()).unwrap());
    let id = made(&*store, "BTC-USD").await;
    // A second of its time is a twentieth of ours: it tries again soon.
    let clock = Clock::scaled(minute(10_000), 20.0);
    let (tasks, (sender, mut events)) = (Tasks::new(clock.clone()), tokio::sync::mpsc::channel(4_096));
    let as_store: Arc<dyn Store> = store.clone();
    let writer = Writer::start(as_store, None, clock, &tasks, sender);
    let rows: Vec<Bar> = (0..3_000).map(|n| bar(id, n, "best", f64::from(n + 1))).collect();

    disk.fill("filler");
    for batch in rows[..2_000].chunks(500) {
        writer.offer(of_bars(batch.to_vec()));
    }
    let view = until(&mut events, |view| view.attempt >= 2).await;
    let error = view.error.expect("it says what is wrong");
    assert_eq!(error, format!("the disk of {} is full", disk.path.join("full.db").display()));
    assert!(view.next_try.is_some_and(|next| next > minute(10_000)), "{:?}", view.next_try);
    assert_eq!((view.written, view.queued, view.dropped, view.last_commit), (0, 2_000, 0, None));
    assert_eq!(all_bars(&*store, id).await, [], "what is there can still be read");
    writer.offer(of_bars(rows[2_000..].to_vec()));

    fs::remove_file(disk.path.join("filler")).unwrap();
    let view = until(&mut events, |view| view.written == 3_000).await;
    assert_eq!((view.error, view.attempt, view.next_try, view.queued, view.dropped), (None, 0, None, 0, 0));
    assert!(view.last_commit.is_some());
    assert_eq!(all_bars(&*store, id).await, rows, "each once, and all of them");
    assert_eq!(store.check().await.unwrap(), Vec::<String>::new());
    drop(writer);
    assert!(tasks.stop(Duration::from_secs(60)).await, "it ends by itself");
}
