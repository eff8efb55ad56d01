//! Financial Modeling Prep: frames of the sockets, and bodies of the REST interface.

#![no_main]

use libfuzzer_sys::fuzz_target;
use openbell::market::{Category, Interval, Period, Statement};
use openbell::provider::fmp;
use openbell_fuzz::{Function, asked, feed, law};

const FUNCTIONS: [Function; 16] = [
    |frame| law::frame(frame, &fmp::decode(frame, asked::NOW)),
    |body| bars(body, "AAPL", Interval::OneMinute),
    |body| bars(body, "AAPL", Interval::OneDay),
    |body| bars(body, "BTCUSD", Interval::OneDay),
    |body| law::list(body, &fmp::look(body, &asked::spellings(), asked::NOW)),
    |body| law::list(body, &fmp::splits(body, asked::days().0)),
    |body| law::list(body, &fmp::dividends(body, asked::days().0)),
    |body| law::list(body, &fmp::statements(body, &asked::statements(Statement::Income, Period::Annual))),
    |body| law::list(body, &fmp::statements(body, &asked::statements(Statement::CashFlow, Period::Quarter))),
    |body| law::list(body, &fmp::overview(body, asked::days().1)),
    |body| law::states(body, &fmp::status(body)),
    days,
    |body| listed(body, None, None),
    |body| listed(body, Some(Category::Etf), Some("a")),
    |body| law::explained(fmp::explain(body).as_deref()),
    |body| law::disguised(fmp::disguised(body, &asked::call(), asked::NOW).as_ref()),
];

fuzz_target!(|input: &[u8]| feed(&FUNCTIONS, input));

fn bars(body: &[u8], spelling: &str, interval: Interval) {
    let page = asked::page(spelling, interval);
    law::bars(body, &page, &fmp::bars(body, &page, asked::NOW));
}

fn days(body: &[u8]) {
    let (from, to) = asked::days();
    law::list(body, &fmp::days(body, from, to));
}

fn listed(body: &[u8], category: Option<Category>, text: Option<&str>) {
    let answer = fmp::listed(body, category, text);
    if let Some(found) = law::value(&answer) {
        law::listed(body, &found.listed, found.skipped);
        law::count(body, found.rows);
    }
}
