//! The simulated exchange: its frames, and its answers to questions for history.

#![no_main]

use libfuzzer_sys::fuzz_target;
use openbell::market::Interval;
use openbell::provider::sim;
use openbell_fuzz::{Function, asked, feed, law};

const FUNCTIONS: [Function; 2] = [|frame| law::frame(frame, &sim::decode(frame, asked::NOW)), history];

fuzz_target!(|input: &[u8]| feed(&FUNCTIONS, input));

fn history(frame: &[u8]) {
    match sim::decode_history(frame, Interval::OneMinute) {
        Ok(bars) => law::count(frame, bars.map_or(0, |bars| bars.len())),
        Err(error) => law::words(&error.message),
    }
}
