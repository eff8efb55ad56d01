//! Alpaca: frames of the socket, and bodies of the data and trading interfaces.

#![no_main]

use libfuzzer_sys::fuzz_target;
use openbell::market::{Category, Interval};
use openbell::provider::alpaca::{self, Channel};
use openbell_fuzz::{Function, asked, feed, law};

const FUNCTIONS: [Function; 13] = [
    |frame| law::frame(frame, &alpaca::decode(frame, &[Channel::Trades], asked::NOW)),
    |frame| law::frame(frame, &alpaca::decode(frame, &Channel::ALL, asked::NOW)),
    |body| bars(body, Interval::OneMinute),
    |body| bars(body, Interval::OneDay),
    |body| bars(body, Interval::OneWeek),
    |body| law::list(body, &alpaca::look(body, &asked::spellings(), asked::NOW)),
    actions,
    |body| law::directory(body, &alpaca::assets(body, &asked::part(Category::UsEquities, "a"))),
    |body| law::value(&alpaca::status(body)).into_iter().for_each(law::state),
    days,
    |body| law::explained(alpaca::explain(body).as_deref()),
    |body| law::disguised(alpaca::refusal(body, "a question").as_ref()),
    |body| law::disguised(alpaca::disguised(body, &asked::call(), asked::NOW).as_ref()),
];

fuzz_target!(|input: &[u8]| feed(&FUNCTIONS, input));

/// One part of a page: in order, and each once, they are when all parts are there.
fn bars(body: &[u8], interval: Interval) {
    let page = asked::page("AAPL", interval);
    let answer = alpaca::bars(body, &page, asked::NOW);
    if let Some(part) = law::value(&answer) {
        law::inside(body, &page, &part.bars);
    }
}

fn actions(body: &[u8]) {
    let (since, _) = asked::days();
    law::list(body, &alpaca::actions(body, "AAPL", since).map(|(actions, _)| actions));
}

/// Days without a row are in the list too.
fn days(body: &[u8]) {
    let (from, to) = asked::three_days();
    law::list(body, &alpaca::days(body, from, to));
}
