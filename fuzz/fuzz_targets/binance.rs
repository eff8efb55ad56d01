//! Binance: frames of the socket, and bodies of the REST interface.

#![no_main]

use libfuzzer_sys::fuzz_target;
use openbell::market::{Category, Interval};
use openbell::provider::binance;
use openbell_fuzz::{Function, asked, feed, law};

const FUNCTIONS: [Function; 9] = [
    |frame| law::frame(frame, &binance::decode(frame, asked::NOW)),
    |body| klines(body, Interval::OneMinute),
    |body| klines(body, Interval::OneWeek),
    |body| klines(body, Interval::OneMonth),
    |body| law::list(body, &binance::look(body, "BTCUSDT", asked::NOW)),
    |body| law::directory(body, &binance::symbols(body, &asked::whole())),
    |body| law::directory(body, &binance::symbols(body, &asked::part(Category::Crypto, "btc"))),
    |body| law::text(&binance::clock(body)),
    |body| law::explained(binance::explain(body).as_deref()),
];

fuzz_target!(|input: &[u8]| feed(&FUNCTIONS, input));

fn klines(body: &[u8], interval: Interval) {
    let page = asked::page("BTCUSDT", interval);
    law::bars(body, &page, &binance::klines(body, &page, asked::NOW));
}
