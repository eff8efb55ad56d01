//! Massive, formerly Polygon.io: frames of the sockets, and bodies of the REST interface.

#![no_main]

use libfuzzer_sys::fuzz_target;
use openbell::market::{Category, Interval};
use openbell::provider::polygon;
use openbell_fuzz::{Function, asked, feed, law};

const FUNCTIONS: [Function; 17] = [
    |frame| law::frame(frame, &polygon::decode(frame, asked::NOW)),
    |body| bars(body, "AAPL", Interval::OneMinute),
    |body| bars(body, "AAPL", Interval::OneWeek),
    |body| bars(body, "C:EURUSD", Interval::OneHour),
    |body| bars(body, "X:BTCUSD", Interval::OneDay),
    |body| law::list(body, &polygon::snapshots(body, asked::NOW)),
    |body| law::list(body, &polygon::unified(body, asked::NOW)),
    |body| law::directory(body, &polygon::listed(body, None)),
    |body| law::directory(body, &polygon::listed(body, Some(Category::UsEquities))),
    overview,
    |body| law::list(body, &polygon::splits(body).map(|(actions, _)| actions)),
    |body| law::list(body, &polygon::dividends(body).map(|(actions, _)| actions)),
    |body| law::states(body, &polygon::status(body)),
    |body| law::text(&polygon::state(body)),
    days,
    |body| law::explained(polygon::explain(body).as_deref()),
    |body| law::disguised(polygon::disguised(body, &asked::call(), asked::NOW).as_ref()),
];

fuzz_target!(|input: &[u8]| feed(&FUNCTIONS, input));

fn bars(body: &[u8], spelling: &str, interval: Interval) {
    let page = asked::page(spelling, interval);
    law::bars(body, &page, &polygon::bars(body, &page, asked::NOW).map(|(bars, _)| bars));
}

fn overview(body: &[u8]) {
    let (_, today) = asked::days();
    law::value(&polygon::overview(body, today));
}

fn days(body: &[u8]) {
    let (from, to) = asked::days();
    law::list(body, &polygon::days(body, from, to));
}
