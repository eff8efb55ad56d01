//! Every integration test, in one binary: each further one would link everything again.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "tests wait for real processes, and may panic")]

mod bench_smoke;
mod calendar;
mod decode_coinbase;
mod decode_yahoo;
mod net;
mod pipeline;
mod quality;
mod server;
mod tidy;
