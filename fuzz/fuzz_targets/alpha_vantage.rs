//! Alpha Vantage: bodies of the one address that there is, as JSON and as lines of text. It has no socket.

#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use openbell::market::{Category, Interval, Period, Statement};
use openbell::provider::alpha_vantage;
use openbell_fuzz::{Function, asked, feed, law};

const FUNCTIONS: [Function; 16] = [
    |body| bars(body, Interval::OneMinute, true),
    |body| bars(body, Interval::OneDay, true),
    |body| bars(body, Interval::OneDay, false),
    |body| bars(body, Interval::OneWeek, true),
    look,
    |body| law::list(body, &alpha_vantage::splits(body, asked::days().0)),
    |body| law::list(body, &alpha_vantage::dividends(body, asked::days().0)),
    |body| law::list(body, &alpha_vantage::statements(body, &asked::statements(Statement::Income, Period::Annual))),
    |body| law::list(body, &alpha_vantage::statements(body, &asked::statements(Statement::CashFlow, Period::Quarter))),
    |body| law::list(body, &alpha_vantage::overview(body, asked::days().1)),
    |body| law::states(body, &alpha_vantage::status(body, asked::NOW)),
    |body| law::directory(body, &alpha_vantage::listing(body, &asked::whole())),
    |body| law::directory(body, &alpha_vantage::listing(body, &asked::part(Category::Etf, "a"))),
    |body| law::directory(body, &alpha_vantage::found(body, &asked::whole())),
    |body| law::directory(body, &alpha_vantage::catalog(body, &asked::whole())),
    |body| law::disguised(alpha_vantage::disguised(body, &asked::call(), asked::NOW).as_ref()),
];

fuzz_target!(|input: &[u8]| feed(&FUNCTIONS, input));

fn bars(body: &[u8], interval: Interval, full: bool) {
    let page = asked::page("AAPL", interval);
    law::bars(body, &page, &alpha_vantage::history(body, &page, full, asked::NOW).map(|history| history.bars));
}

fn look(body: &[u8]) {
    law::value(&alpha_vantage::look(body, "AAPL", Duration::from_secs(900), asked::NOW));
}
