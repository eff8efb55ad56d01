//! Figures of Yahoo, whose prices are float32 wherever they come from.

use crate::pipeline::widen;
use crate::provider::wire::positive;

/// A price, where it is one.
#[must_use]
pub fn price(sent: Option<f64>) -> Option<f64> {
    positive(sent).map(shortest)
}

/// The shortest decimal of a price that was a float32 before it was printed: 164.32, not 164.32000732421875.
#[must_use]
#[expect(clippy::cast_possible_truncation, reason = "the digits beyond a float32 are noise")]
pub fn shortest(price: f64) -> f64 {
    widen(price as f32)
}

/// A volume or size as the other sources send them.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "no volume is beyond 2^53")]
pub fn amount(count: i64) -> f64 {
    count as f64
}
