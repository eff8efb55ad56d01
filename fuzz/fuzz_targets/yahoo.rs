//! Yahoo: frames of the socket, charts and what is read from them, quotes, searches, crumbs.

#![no_main]

use libfuzzer_sys::fuzz_target;
use openbell::market::Interval;
use openbell::provider::yahoo;
use openbell_fuzz::{Function, asked, feed, law};

const FUNCTIONS: [Function; 11] = [
    |frame| law::frame(frame, &yahoo::decode(frame, asked::NOW)),
    |body| bars(body, Interval::OneMinute),
    |body| bars(body, Interval::OneHour),
    |body| bars(body, Interval::OneDay),
    |body| bars(body, Interval::OneWeek),
    |body| bars(body, Interval::OneMonth),
    look_and_actions,
    |body| law::list(body, &yahoo::quotes(body, &asked::spellings(), asked::NOW)),
    |body| law::directory(body, &yahoo::found(body, 1_000)),
    |body| law::explained(yahoo::crumb(body).as_deref()),
    |body| law::explained(yahoo::explain(body).as_deref()),
];

fuzz_target!(|input: &[u8]| feed(&FUNCTIONS, input));

/// As traded, where the splits in the chart can be used.
fn bars(body: &[u8], interval: Interval) {
    let chart = yahoo::chart(body);
    let Some(series) = law::value(&chart) else { return };
    let page = asked::page("AAPL", interval);
    let mut bars = yahoo::bars(series, &page, asked::NOW);
    if let (Ok(bars), Some(splits)) = (&mut bars, yahoo::splits(series)) {
        yahoo::unadjust(bars, &splits, series.zone());
    }
    law::bars(body, &page, &bars);
}

fn look_and_actions(body: &[u8]) {
    let chart = yahoo::chart(body);
    let Some(series) = law::value(&chart) else { return };
    law::list(body, &yahoo::look(series, "AAPL", asked::NOW));
    if let Some(splits) = yahoo::splits(series) {
        law::count(body, yahoo::actions(series, &splits).len());
    }
}
