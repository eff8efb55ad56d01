//! Coinbase Exchange: frames of the socket, and bodies of the REST interface.

#![no_main]

use libfuzzer_sys::fuzz_target;
use openbell::market::{Category, Interval};
use openbell::provider::coinbase;
use openbell_fuzz::{Function, asked, feed, law};

const FUNCTIONS: [Function; 8] = [
    |frame| law::frame(frame, &coinbase::decode(frame, asked::NOW)),
    |body| candles(body, Interval::OneMinute),
    |body| candles(body, Interval::OneDay),
    // The members of a ticker and of stats have different names: one body can hold both.
    |body| law::list(body, &coinbase::look(body, Some(body), "BTC-USD", asked::NOW)),
    |body| law::text(&coinbase::clock(body)),
    |body| law::directory(body, &coinbase::products(body, &asked::whole())),
    |body| law::directory(body, &coinbase::products(body, &asked::part(Category::Crypto, "btc"))),
    |body| law::explained(coinbase::explain(body).as_deref()),
];

fuzz_target!(|input: &[u8]| feed(&FUNCTIONS, input));

fn candles(body: &[u8], interval: Interval) {
    let page = asked::page("BTC-USD", interval);
    law::bars(body, &page, &coinbase::candles(body, &page, asked::NOW));
}
