//! From a source's words to ours: whose instrument a spelling means, and figures that can be figures.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::market::{AssetClass, Instrument, InstrumentId, Timestamp, Trade};

/// How far a source's clock may be ahead of ours.
const CLOCK_SKEW: Duration = Duration::from_secs(60);

/// Whose instrument each spelling of one feed means.
#[derive(Clone, Debug, Default)]
pub struct Routes {
    routes: HashMap<Arc<str>, Route>,
    /// Further instruments of a spelling: a pair and the same pair pinned to this source.
    further: Vec<(Arc<str>, Route)>,
}

/// Where an event goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    pub instrument: InstrumentId,
    /// The calendar of its venue.
    pub venue: Arc<str>,
    /// Whether the instrument may trade at or below zero, as futures do.
    pub may_be_negative: bool,
    /// Whether its day's volume is that of the last 24 hours, as for crypto.
    pub rolling_volume: bool,
}

impl Routes {
    /// Names an instrument that a spelling means.
    pub fn insert(&mut self, spelling: &str, route: Route) {
        if self.routes.contains_key(spelling) {
            self.further.push((spelling.into(), route));
        } else {
            self.routes.insert(spelling.into(), route);
        }
    }

    /// Every route, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Route> {
        self.routes.values().chain(self.further.iter().map(|(_, route)| route))
    }

    #[must_use]
    pub fn get(&self, spelling: &str) -> Option<&Route> {
        self.routes.get(spelling)
    }

    /// The instruments of a spelling beside the first.
    pub fn further<'a>(&'a self, spelling: &'a str) -> impl Iterator<Item = &'a Route> {
        self.further.iter().filter(move |(known, _)| **known == *spelling).map(|(_, route)| route)
    }
}

impl Route {
    /// Where events of an instrument go.
    #[must_use]
    pub fn of(instrument: &Instrument) -> Self {
        Self {
            instrument: instrument.id,
            venue: Arc::clone(&instrument.venue),
            may_be_negative: instrument.asset_class == AssetClass::Future,
            rolling_volume: instrument.asset_class == AssetClass::Crypto,
        }
    }
}

/// Why a trade or price cannot be one; `None` when it can.
#[must_use]
pub fn check_trade(trade: &Trade, may_be_negative: bool, ts_event: Timestamp, ts_recv: Timestamp) -> Option<&'static str> {
    if !trade.price.is_finite() || (trade.price <= 0.0 && !may_be_negative) {
        return Some("price");
    }
    if !trade.size.is_finite() || trade.size < 0.0 {
        return Some("negative_volume");
    }
    (ts_event > ts_recv + CLOCK_SKEW).then_some("future")
}

/// Widens a float32 through its shortest decimal: 190.26, not 190.25999450683594.
#[must_use]
#[expect(clippy::cast_possible_truncation, clippy::float_cmp, reason = "the question is whether a decimal means the same float32")]
pub fn widen(narrow: f32) -> f64 {
    let wide = f64::from(narrow);
    // Most prices have few decimals: the fewest that read back the same are found faster by trying than by printing.
    let few = TENS.iter().map(|ten| (wide * ten).round() / ten).find(|decimal| *decimal as f32 == narrow);
    few.filter(|_| wide.abs() < EXACT).unwrap_or_else(|| narrow.to_string().parse().unwrap_or(f64::NAN))
}

const TENS: [f64; 6] = [1.0, 1e1, 1e2, 1e3, 1e4, 1e5];
/// Below this a float32 is finer than a whole number.
const EXACT: f64 = 16_777_216.0;
