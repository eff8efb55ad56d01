//! One row of the watchlist, folded from events.

use std::collections::VecDeque;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::market::{AssetClass, Bar, BarFlags, Delay, EventKind, Instrument, Last, MarketEvent, Moves, Quote, Source, Timestamp, Trade};

/// How many closes a sparkline is drawn from.
const SPARK: usize = 60;

/// What is known of one instrument now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InstrumentView {
    pub instrument: Instrument,
    pub last: Option<Price>,
    /// The price that the change is counted from: the previous regular close; for crypto, 24 hours ago.
    pub reference: Option<f64>,
    pub quote: Quote,
    /// The source's time of the quote.
    pub quoted: Option<Timestamp>,
    /// Since the session's start; over 24 hours for crypto.
    pub volume: Option<f64>,
    pub day_open: Option<f64>,
    pub day_high: Option<f64>,
    pub day_low: Option<f64>,
    /// Whose price it is.
    pub source: Option<Source>,
    pub delay: Delay,
    /// Closes of the last sealed minutes, oldest first.
    pub closes: VecDeque<f64>,
    /// When the newest of these minutes opened.
    #[serde(default)]
    pub sealed: Option<Timestamp>,
    /// Which way the last price moved: above zero up, below zero down.
    pub tick: i8,
    /// Why trading is halted, in the source's words; `None` while it is not.
    #[serde(default)]
    pub halt: Option<Arc<str>>,
}

/// A price with the two times that tell its age.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Price {
    pub value: f64,
    /// The source's time of the price.
    pub ts_event: Timestamp,
    /// When a source last said that this is still the price.
    pub confirmed: Timestamp,
}

impl InstrumentView {
    /// A row of which nothing is known yet.
    #[must_use]
    pub fn new(instrument: Instrument) -> Self {
        Self {
            instrument,
            last: None,
            reference: None,
            quote: Quote::default(),
            quoted: None,
            volume: None,
            day_open: None,
            day_high: None,
            day_low: None,
            source: None,
            delay: Delay::Unknown,
            closes: VecDeque::new(),
            sealed: None,
            tick: 0,
            halt: None,
        }
    }

    /// The change from the reference price.
    #[must_use]
    pub fn change(&self) -> Option<f64> {
        Some(self.last?.value - self.reference?)
    }

    /// The change in percent of the reference price.
    #[must_use]
    pub fn change_pct(&self) -> Option<f64> {
        let reference = self.reference.filter(|reference| *reference != 0.0)?;
        Some(self.change()? / reference * 100.0)
    }

    /// Decimals of a price of this instrument: more for one below 1, so that four digits of it can be read.
    #[must_use]
    pub fn precision(&self) -> u8 {
        let usual = self.instrument.precision;
        let Some(price) = self.last.map(|last| last.value.abs()).filter(|price| *price > 0.0 && *price < 1.0) else { return usual };
        let needed = (1..=10).find(|decimals| price * 10_f64.powi(*decimals) >= 1_000.0).unwrap_or(10);
        usual.max(u8::try_from(needed).unwrap_or(usual))
    }

    /// Folds one event in.
    pub fn fold(&mut self, event: &MarketEvent, source: &Source, delay: Delay) {
        let known = match &event.kind {
            EventKind::Trade(trade) => self.fold_trade(event, trade),
            EventKind::Last(last) => self.fold_last(event, last),
            EventKind::Quote(quote) => self.fold_quote(event.ts_event, quote),
            EventKind::Bar(bar) => self.fold_price(bar.close, bar.open_time + bar.interval.duration(), event.ts_recv),
            EventKind::Halt(reason) => {
                self.halt.clone_from(reason);
                false
            }
            EventKind::Forming(_) | EventKind::Heartbeat { .. } | EventKind::Correction { .. } => false,
        };
        if known {
            self.source = Some(source.clone());
            self.delay = delay;
        }
    }

    fn fold_trade(&mut self, event: &MarketEvent, trade: &Trade) -> bool {
        // What is traded is not halted, whoever forgot to say so.
        self.halt = None;
        // The day's figures of crypto are a source's 24 hours, not a sum that starts when we do.
        if self.instrument.asset_class != AssetClass::Crypto && trade.moves.contains(Moves::VOLUME) {
            self.volume = Some(self.volume.unwrap_or(0.0) + trade.size);
        }
        if trade.moves.contains(Moves::HIGH_LOW) {
            self.widen_day(trade.price);
        }
        trade.moves.contains(Moves::OPEN_CLOSE) && self.fold_price(trade.price, event.ts_event, event.ts_recv)
    }

    fn fold_last(&mut self, event: &MarketEvent, last: &Last) -> bool {
        self.reference = last.reference.or(self.reference);
        self.volume = last.day_volume.or(self.volume);
        self.day_open = last.day_open.or(self.day_open);
        self.day_high = last.day_high.or(self.day_high);
        self.day_low = last.day_low.or(self.day_low);
        self.widen_day(last.price);
        self.fold_price(last.price, event.ts_event, event.ts_recv)
    }

    /// A quote that is older than the shown one, told late by a poll, says nothing.
    fn fold_quote(&mut self, ts_event: Timestamp, quote: &Quote) -> bool {
        if self.quoted.is_some_and(|shown| ts_event < shown) {
            return false;
        }
        self.quoted = Some(ts_event);
        let Quote { bid, bid_size, ask, ask_size } = quote.clone();
        self.quote = Quote {
            bid: bid.or(self.quote.bid),
            bid_size: bid_size.or(self.quote.bid_size),
            ask: ask.or(self.quote.ask),
            ask_size: ask_size.or(self.quote.ask_size),
        };
        true
    }

    /// A price that is older than the shown one only confirms nothing.
    fn fold_price(&mut self, value: f64, ts_event: Timestamp, confirmed: Timestamp) -> bool {
        match &mut self.last {
            Some(last) if ts_event < last.ts_event => false,
            Some(last) => {
                if value > last.value {
                    self.tick = 1;
                } else if value < last.value {
                    self.tick = -1;
                }
                *last = Price { value, ts_event, confirmed };
                true
            }
            None => {
                self.last = Some(Price { value, ts_event, confirmed });
                true
            }
        }
    }

    fn widen_day(&mut self, price: f64) {
        self.day_high = self.day_high.map(|high| high.max(price)).or(Some(price));
        self.day_low = self.day_low.map(|low| low.min(price)).or(Some(price));
    }

    /// Adds a sealed minute to the sparkline.
    pub fn fold_bar(&mut self, bar: &Bar) {
        // A minute that is told again is the same one.
        if self.sealed.replace(bar.open_time) == Some(bar.open_time) {
            self.closes.pop_back();
        }
        if self.closes.len() == SPARK {
            self.closes.pop_front();
        }
        self.closes.push_back(bar.close);
    }

    /// Starts from what the store knows: last known rows are shown with their age.
    pub fn fold_history(&mut self, bars: &[Bar]) {
        for bar in bars {
            self.fold_bar(bar);
        }
        if let (None, Some(bar)) = (self.last, bars.last()) {
            // Of a bar that was cut short nobody knows how far it reached: its price is at least not younger than its start.
            let is_whole = !bar.flags.contains(BarFlags::PARTIAL);
            let ts_event = if is_whole { bar.open_time + bar.interval.duration() } else { bar.open_time };
            self.last = Some(Price { value: bar.close, ts_event, confirmed: ts_event });
            self.source = Some(bar.source.clone());
        }
    }
}

/// Rows are shared between pictures: only what changes is copied.
pub(crate) fn row_mut(row: &mut Arc<InstrumentView>) -> &mut InstrumentView {
    Arc::make_mut(row)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::{InstrumentId, Interval, Origin};

    #[test]
    fn the_price_of_a_bar_that_was_cut_short_gives_way_to_the_first_that_is_heard() {
        let open_time: Timestamp = "2026-11-25T15:00:00Z".parse().unwrap();
        let mut row = InstrumentView::new(Instrument::listed(InstrumentId(1), "BTC-USD".parse().unwrap()));
        let bar = Bar {
            instrument: InstrumentId(1),
            interval: Interval::OneMinute,
            open_time,
            open: 100.0,
            high: 100.0,
            low: 100.0,
            close: 100.0,
            volume: None,
            vwap: None,
            n_trades: None,
            session: None,
            source: Source::new("coinbase"),
            origin: Origin::Live,
            revision: 0,
            quality: 1.0,
            flags: BarFlags::PARTIAL,
        };
        row.fold_history(&[bar]);
        let heard = open_time + std::time::Duration::from_secs(20);
        let kind = EventKind::Last(Last { price: 101.0, ..Last::default() });
        let event = MarketEvent { symbol: "BTC-USD".into(), ts_event: heard, ts_recv: heard, kind };
        row.fold(&event, &Source::new("coinbase"), Delay::RealTime);
        assert_eq!(row.last.map(|last| (last.value, last.ts_event)), Some((101.0, heard)), "the engine came back within the minute");
    }
}
