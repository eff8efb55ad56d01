//! The made-up market: every trade follows from the seed, the symbol and the second, so that history and live agree.

use std::time::Duration;

use crate::market::{Symbol, Timestamp};

/// A made-up market.
#[derive(Clone, Debug)]
pub struct Exchange {
    seed: u64,
    /// Trades a second, over all symbols.
    rate: f64,
    symbols: u32,
}

/// A made-up trade.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Print {
    pub at: Timestamp,
    pub price: f64,
    pub size: f64,
    pub buy: bool,
}

/// More trades of one symbol in one second than this are not made.
const MOST: u64 = 4_096;

impl Exchange {
    #[must_use]
    pub fn new(seed: u64, rate: f64, symbols: u32) -> Self {
        Self { seed, rate, symbols: symbols.max(1) }
    }

    /// The trades of one symbol in the second that holds `at`, in order.
    #[must_use]
    pub fn second(&self, symbol: &str, at: Timestamp) -> Vec<Print> {
        let second = at.as_seconds();
        let mut dice = self.dice(symbol, second.unsigned_abs());
        let expected = self.rate / f64::from(self.symbols) * activity(symbol);
        let whole = expected.floor();
        let count = whole_number(whole) + u64::from(dice.f64() < expected - whole);
        let count = count.min(MOST);
        let mut offsets: Vec<u64> = (0..count).map(|_| dice.u64(0..1_000_000)).collect();
        offsets.sort_unstable();
        let (middle, tick) = (self.price(symbol, second), tick(symbol));
        let print = |offset: u64| {
            let buy = dice.bool();
            let step = if buy { tick } else { -tick } * f64::from(dice.u8(0..3));
            Print {
                at: Timestamp::from_seconds(second) + Duration::from_micros(offset),
                price: round(middle + step, tick),
                size: size(symbol, &mut dice),
                buy,
            }
        };
        offsets.into_iter().map(print).collect()
    }

    /// The price around which a symbol trades in a second: slow waves, a drift of the day, and noise.
    #[must_use]
    pub fn price(&self, symbol: &str, second: i64) -> f64 {
        let phase = f64::from(self.dice(symbol, 0).u16(..));
        let day = second.div_euclid(86_400);
        let t = wave(second);
        let slow = (t / 5_400.0 + phase).sin() * 0.006 + (t / 311.0 + phase * 1.7).sin() * 0.0012 + (t / 47.0 + phase * 2.3).sin() * 0.0004;
        let drift = self.dice(symbol, day.unsigned_abs() ^ 0xD1F7).f64() * 0.03 - 0.015;
        let noise = self.dice(symbol, second.unsigned_abs() ^ 0x5EED).f64() * 0.0004 - 0.0002;
        anchor(symbol) * (1.0 + slow + drift + noise)
    }

    /// The last price of the day before.
    #[must_use]
    pub fn reference(&self, symbol: &str, now: Timestamp) -> f64 {
        let before = now.date().previous().midnight().as_seconds() + 75_600;
        round(self.price(symbol, before), tick(symbol))
    }

    /// The best bid and ask around a price.
    #[must_use]
    pub fn spread(symbol: &str, price: f64) -> (f64, f64) {
        let tick = tick(symbol);
        (round(price - tick, tick), round(price + tick, tick))
    }

    fn dice(&self, symbol: &str, moment: u64) -> fastrand::Rng {
        let name = symbol.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        let mut rng = fastrand::Rng::with_seed(self.seed ^ name ^ moment.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        rng.u64(..);
        rng
    }
}

#[expect(clippy::cast_precision_loss, reason = "the phase of a wave")]
fn wave(second: i64) -> f64 {
    second as f64
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small count that is not negative")]
fn whole_number(count: f64) -> u64 {
    count as u64
}

fn round(price: f64, tick: f64) -> f64 {
    let decimals = if tick < 0.001 { 1e5 } else { 1e2 };
    (price * decimals).round() / decimals
}

/// Round prices of the right size; nobody should take them for real ones.
fn anchor(symbol: &str) -> f64 {
    match symbol {
        "AAPL" => 200.0,
        "MSFT" => 400.0,
        "NVDA" => 150.0,
        "SPY" => 600.0,
        "VOD:XLON" => 80.0,
        "BTC-USD" => 90_000.0,
        "ETH-USD" => 3_000.0,
        "EUR/USD" => 1.1,
        other => 20.0 + f64::from(other.bytes().fold(0_u16, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into())) % 400),
    }
}

fn tick(symbol: &str) -> f64 {
    if symbol.contains('/') { 0.000_05 } else { 0.01 }
}

/// Some trade more than others; the mean is about 1.
pub(crate) fn activity(symbol: &str) -> f64 {
    0.5 + f64::from(symbol.bytes().fold(7_u8, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte))) / 255.0
}

fn size(symbol: &str, dice: &mut fastrand::Rng) -> f64 {
    let is_crypto = symbol.parse::<Symbol>().is_ok_and(|symbol| symbol.crypto_pair().is_some());
    if is_crypto { f64::from(dice.u16(1..2_000)) / 10_000.0 } else { f64::from(dice.u16(1..40)) * 10.0 }
}
