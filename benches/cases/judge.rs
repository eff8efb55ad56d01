//! Judging bars.

use std::hint::black_box;
use std::sync::Arc;

use openbell::calendar::Calendars;
use openbell::market::InstrumentId;
use openbell::pipeline::{Judge, Route};
use openbell::quality::{Context, Grid, Recent, judge};

use super::bars::{in_session, minutes, walk};
use super::contract::{Budget, Case, Size, timed};

/// The rules alone, with the bars before as their context.
pub fn rules(size: Size) -> Case {
    let opens = minutes(&Calendars::embedded(), size.of(500, 50_000));
    let bars = walk(InstrumentId(1), &opens);
    let (rounds, now) = (size.of(1, 20), in_session());
    let work = move || {
        let mut kept = 0;
        for _ in 0..rounds {
            let mut recent = Recent::default();
            for bar in &bars {
                let context = Context { recent: &recent, ts_recv: now, grid: Grid::On, may_be_negative: false, rival: None };
                let verdict = judge(black_box(bar), &context);
                kept += u64::from(!verdict.refused && verdict.quality > 0.0);
                recent.push(bar);
            }
        }
        kept
    };
    Case {
        name: "judge a bar: the rules",
        unit: "bars",
        units: (opens.len() * rounds) as u64,
        ours: Box::new(move || timed(&work)),
        bare: None,
        budget: Budget::PerSecond(10e6),
    }
}

/// As the pipeline does it: with the calendar's word, and the right bars before found among those of many instruments.
pub fn in_the_pipeline(size: Size) -> Case {
    let instruments = size.of(4, 40);
    let calendars = Arc::new(Calendars::embedded());
    let opens = minutes(&calendars, size.of(100, 5_000));
    let walks: Vec<_> = (1..=instruments as i64).map(|id| walk(InstrumentId(id), &opens)).collect();
    // Minute by minute, as they are sealed.
    let bars: Vec<_> = (0..opens.len()).flat_map(|minute| walks.iter().map(move |walk| walk[minute].clone())).collect();
    let route = Route { instrument: InstrumentId(1), venue: "XNYS".into(), may_be_negative: false, rolling_volume: false };
    let (units, now) = (bars.len() as u64, in_session());
    let run = move || {
        let (bars, mut judge) = (bars.clone(), Judge::new(Arc::clone(&calendars)));
        timed(|| bars.into_iter().map(|bar| judge.judge(bar, &route, now)).filter(|judged| black_box(judged).bar.is_ok()).count() as u64)
    };
    Case { name: "judge a bar: in the pipeline", unit: "bars", units, ours: Box::new(run), bare: None, budget: Budget::Told }
}
