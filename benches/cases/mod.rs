//! What is measured: our way and, where there is one, the bare way to do the same work. The benches time these; a test
//! runs each of them once, small, so that they cannot rot.
#![allow(dead_code, unused_imports, reason = "each binary uses a part of this")]
#![allow(clippy::disallowed_methods, clippy::cast_possible_wrap, reason = "a bench reads the machine's clock, and counts small things")]

mod bare;
mod bare_postgres;
mod bars;
mod contract;
mod decode;
mod judge;
mod live;
mod postgres;
mod screen;
mod store;

pub use contract::{Budget, Case, Ran, Size};
pub use postgres::Server;

/// Every case, in the order the table shows them; each is made when its turn comes.
pub const CASES: &[fn(Size) -> Case] = &[
    decode::coinbase_match,
    decode::yahoo_pricing,
    decode::sim_trade,
    judge::rules,
    judge::in_the_pipeline,
    live::trades_to_bars,
    store::fresh,
    store::same_again,
    store::revised,
    store::bulk,
    store::live,
    store::year,
    screen::fold_few,
    screen::fold_many,
    screen::overview,
    screen::whole_list,
];

/// The cases that need a server.
pub const POSTGRES: &[fn(Size, &Server) -> Case] =
    &[postgres::append, postgres::half_new, postgres::same_again, postgres::revised, postgres::year];

/// The source of the baselines, to be printed with the figures.
pub const BASELINES: [&str; 2] = [include_str!("bare.rs"), include_str!("bare_postgres.rs")];
