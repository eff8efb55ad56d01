//! Kraken: frames of the socket, and bodies of the REST interface.

#![no_main]

use libfuzzer_sys::fuzz_target;
use openbell::market::{Category, Interval};
use openbell::provider::kraken;
use openbell_fuzz::{Function, asked, feed, law};

const FUNCTIONS: [Function; 9] = [
    |frame| law::frame(frame, &kraken::decode(frame, asked::NOW)),
    |body| candles(body, Interval::OneMinute),
    |body| candles(body, Interval::OneDay),
    |body| law::list(body, &kraken::look(body, "BTC/USD", asked::NOW)),
    |body| law::text(&kraken::status(body)),
    |body| law::directory(body, &kraken::asset_pairs(body, &asked::whole())),
    |body| law::directory(body, &kraken::asset_pairs(body, &asked::part(Category::Crypto, "btc"))),
    |body| law::disguised(kraken::refusal(body, "a question", asked::NOW).as_ref()),
    |body| law::explained(kraken::explain(body).as_deref()),
];

fuzz_target!(|input: &[u8]| feed(&FUNCTIONS, input));

fn candles(body: &[u8], interval: Interval) {
    let page = asked::page("BTC/USD", interval);
    law::bars(body, &page, &kraken::candles(body, &page, asked::NOW));
}
