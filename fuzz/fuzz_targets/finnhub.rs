//! Finnhub: frames of the socket, and bodies of the REST interface.

#![no_main]

use libfuzzer_sys::fuzz_target;
use openbell::market::Category;
use openbell::provider::finnhub;
use openbell_fuzz::{Function, asked, feed, law};

const FUNCTIONS: [Function; 10] = [
    |frame| law::frame(frame, &finnhub::decode(frame, asked::NOW)),
    |body| law::list(body, &finnhub::look(body, "AAPL", asked::NOW)),
    |body| law::list(body, &finnhub::overview(body, asked::days().1)),
    |body| law::value(&finnhub::status(body)).into_iter().for_each(law::state),
    days,
    |body| law::directory(body, &finnhub::symbols(body, &asked::whole())),
    |body| law::directory(body, &finnhub::symbols(body, &asked::part(Category::UsEquities, "a"))),
    |body| law::directory(body, &finnhub::found(body, &asked::whole())),
    |body| law::explained(finnhub::explain(body).as_deref()),
    |body| law::disguised(finnhub::refusal(body, &asked::call(), asked::NOW).as_ref()),
];

fuzz_target!(|input: &[u8]| feed(&FUNCTIONS, input));

fn days(body: &[u8]) {
    let (from, to) = asked::days();
    law::list(body, &finnhub::days(body, from, to));
}
