//! A simulated exchange: a small server that speaks JSON over a pipe, through the same sockets, decoder and judge as
//! any other source, and that also misbehaves on purpose.

mod decode;
mod exchange;
mod fault;
mod server;
mod spec;
mod stream;
mod wire;

pub use decode::{decode, decode_history};
pub use exchange::{Exchange, Print};
pub use spec::{SPEC, SYMBOLS, opening_time};
