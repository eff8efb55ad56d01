//! Trades and sampled prices into one-minute bars, sealed by the clock and reopened by late trades.

use std::collections::VecDeque;
use std::time::Duration;

use crate::calendar::{Bounds, Calendar, bar_bounds};
use crate::market::{Bar, BarFlags, InstrumentId, Interval, Last, Moves, Origin, Source, SourceBar, Timestamp, Trade, TradeId};

/// How long after its end a bar waits for stragglers before it is sealed.
pub const SEAL_GRACE: Duration = Duration::from_secs(2);
/// By how much of itself a volume may differ that was added up in another order.
const SAME_VOLUME: f64 = 1e-9;
/// How many bars stay in memory, so that a late trade can reopen one.
const KEPT: usize = 16;

/// The one-minute bars of one instrument from one source.
#[derive(Debug)]
pub struct Aggregator {
    instrument: InstrumentId,
    source: Source,
    /// In order of time; the last is the one that forms.
    buildings: VecDeque<Building>,
    /// The last cumulative volume of sampled prices.
    day_volume: Option<f64>,
    /// The last stretches in which not everything could be heard: bars that they touch are partial.
    deaf: VecDeque<(Timestamp, Timestamp)>,
    /// Bars that were pushed out of memory before they were sealed.
    pushed_out: Vec<Building>,
    /// The last minutes whose bars the source itself sent: nobody makes these of its trades.
    told: VecDeque<(Timestamp, u32)>,
}

/// A bar that forms, or that may be reopened.
#[derive(Clone, Debug)]
pub struct Building {
    bounds: Bounds,
    first: Option<Mark>,
    last: Option<Mark>,
    high: f64,
    low: f64,
    volume: Option<f64>,
    notional: f64,
    n_trades: u64,
    sampled: bool,
    /// Whether a part of it was not heard.
    partial: bool,
    /// The revision under which it was sealed last.
    sealed: Option<u32>,
    dirty: bool,
}

/// When, in which order, and for how much.
type Mark = (Timestamp, u64, f64);

/// Why a trade made no bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Late {
    /// It belongs to a bar that is no longer in memory: that bar has to be asked again.
    TooLate(Timestamp),
    /// The venue is closed then, or its calendar does not know.
    NoSession,
}

impl Aggregator {
    #[must_use]
    pub fn new(instrument: InstrumentId, source: Source) -> Self {
        Self {
            instrument,
            source,
            buildings: VecDeque::new(),
            day_volume: None,
            deaf: VecDeque::new(),
            pushed_out: Vec::new(),
            told: VecDeque::new(),
        }
    }

    /// Not everything could be heard between these instants: the feed was not connected, or trades were lost.
    pub fn was_deaf(&mut self, from: Timestamp, to: Timestamp) {
        if self.deaf.len() == KEPT {
            self.deaf.pop_front();
        }
        self.deaf.push_back((from, to));
        let told = &self.told;
        let untold = self.buildings.iter_mut().filter(|building| told.iter().all(|(open, _)| *open != building.bounds.open));
        untold.for_each(|building| building.hear_of((from, to)));
    }

    /// The source sent this minute's bar itself, which is better than one that we make, and better than what it said before; the
    /// answer is the bar's revision.
    pub fn told(&mut self, open: Timestamp) -> u32 {
        let made = self.buildings.iter_mut().find(|building| building.bounds.open == open);
        let sealed = made.and_then(|building| {
            building.dirty = false;
            building.sealed
        });
        let known = self.told.iter().position(|(told, _)| *told == open);
        let before = known.and_then(|at| self.told.remove(at)).map(|(_, revision)| revision).max(sealed);
        let revision = before.map_or(0, |before| before + 1);
        self.remember((open, revision));
        revision
    }

    fn remember(&mut self, told: (Timestamp, u32)) {
        if self.told.len() == KEPT {
            self.told.pop_front();
        }
        self.told.push_back(told);
    }

    fn is_told(&self, open: Timestamp) -> bool {
        self.told.iter().any(|(told, _)| *told == open)
    }

    /// Whether the source's own bar says what ours of that minute says, which is sealed and whole: then it is the source's word as well.
    pub fn confirmed(&mut self, bar: &SourceBar) -> bool {
        let made = self.buildings.iter().find(|building| building.bounds.open == bar.open_time);
        let same = made.filter(|made| !made.dirty && !made.partial && made.is_as(bar)).and_then(|made| made.sealed);
        let Some(revision) = same.filter(|_| !self.is_told(bar.open_time)) else { return false };
        self.remember((bar.open_time, revision));
        true
    }

    /// Takes a trade into its bar.
    pub fn trade(&mut self, calendar: &Calendar, at: Timestamp, trade: &Trade) -> Result<(), Late> {
        let building = self.building(calendar, at)?;
        if trade.moves.contains(Moves::VOLUME) {
            *building.volume.get_or_insert(0.0) += trade.size;
            building.notional += trade.size * trade.price;
        }
        building.n_trades += u64::from(!trade.moves.is_empty());
        building.move_price((at, counted(trade), trade.price), trade.moves);
        Ok(())
    }

    /// Takes a sampled price into its bar; the volume is what the day's total rose by.
    pub fn sample(&mut self, calendar: &Calendar, at: Timestamp, last: &Last) -> Result<(), Late> {
        let traded = last.day_volume.and_then(|now| self.day_volume.map(|before| now - before)).filter(|traded| *traded > 0.0);
        if last.day_volume.is_some() {
            self.day_volume = last.day_volume;
        }
        let building = self.building(calendar, at)?;
        building.sampled = true;
        if let Some(traded) = traded {
            *building.volume.get_or_insert(0.0) += traded;
        }
        building.move_price((at, 0, last.price), Moves::all());
        Ok(())
    }

    fn building(&mut self, calendar: &Calendar, at: Timestamp) -> Result<&mut Building, Late> {
        // Nearly every trade belongs to the newest bar.
        let found = self.buildings.iter().rposition(|b| b.bounds.open <= at && at < b.bounds.close);
        let index = match found {
            Some(index) => index,
            None => self.open(calendar, at)?,
        };
        let is_told = self.is_told(self.buildings[index].bounds.open);
        let building = &mut self.buildings[index];
        building.dirty = !is_told;
        Ok(building)
    }

    fn open(&mut self, calendar: &Calendar, at: Timestamp) -> Result<usize, Late> {
        let full = self.buildings.len() == KEPT;
        if full && self.buildings.front().is_some_and(|oldest| at < oldest.bounds.open) {
            return Err(Late::TooLate(at));
        }
        let bounds = bar_bounds(calendar, Interval::OneMinute.duration(), at).ok().flatten().ok_or(Late::NoSession)?;
        if full {
            self.pushed_out.extend(self.buildings.pop_front().filter(|oldest| oldest.dirty));
        }
        let index = self.buildings.partition_point(|b| b.bounds.open < bounds.open);
        let mut building = Building::new(bounds);
        self.deaf.iter().for_each(|deaf| building.hear_of(*deaf));
        self.buildings.insert(index, building);
        Ok(index)
    }

    /// The bars that ended, or changed since they were sealed, by `now`.
    pub fn seal(&mut self, now: Timestamp) -> Vec<Bar> {
        let (instrument, source) = (self.instrument, &self.source);
        let ended = self.buildings.iter_mut().filter(|b| b.dirty && b.bounds.close + SEAL_GRACE <= now);
        let all = self.pushed_out.iter_mut().chain(ended);
        let sealed = all.filter_map(|b| b.seal(instrument, source, BarFlags::empty())).collect();
        self.pushed_out.clear();
        sealed
    }

    /// The bar that forms, flagged partial: for a shutdown.
    pub fn partial(&mut self, now: Timestamp) -> Vec<Bar> {
        let mut bars = self.seal(now);
        let (instrument, source) = (self.instrument, &self.source);
        bars.extend(self.buildings.iter_mut().filter(|b| b.dirty).filter_map(|b| b.seal(instrument, source, BarFlags::PARTIAL)));
        bars
    }

    /// When the next bar is due to be sealed.
    #[must_use]
    pub fn due(&self) -> Option<Timestamp> {
        self.buildings.iter().filter(|b| b.dirty).map(|b| b.bounds.close + SEAL_GRACE).min()
    }
}

impl Building {
    fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            first: None,
            last: None,
            high: f64::NEG_INFINITY,
            low: f64::INFINITY,
            volume: None,
            notional: 0.0,
            n_trades: 0,
            sampled: false,
            partial: false,
            sealed: None,
            dirty: true,
        }
    }

    /// A bar that a deaf stretch touches is partial, and stays so; one that was sealed before that was known is sealed anew.
    fn hear_of(&mut self, deaf: (Timestamp, Timestamp)) {
        let touched = self.bounds.open < deaf.1 && deaf.0 < self.bounds.close;
        self.dirty |= touched && !self.partial && self.sealed.is_some();
        self.partial |= touched;
    }

    /// The order of trades is that of their times and ids, whatever the order they came in.
    fn move_price(&mut self, mark: Mark, moves: Moves) {
        if moves.contains(Moves::HIGH_LOW) {
            self.high = self.high.max(mark.2);
            self.low = self.low.min(mark.2);
        }
        if moves.contains(Moves::OPEN_CLOSE) {
            let order = |m: &Mark| (m.0, m.1);
            if self.first.as_ref().is_none_or(|first| order(&mark) < order(first)) {
                self.first = Some(mark);
            }
            if self.last.as_ref().is_none_or(|last| order(&mark) >= order(last)) {
                self.last = Some(mark);
            }
        }
    }

    fn is_as(&self, bar: &SourceBar) -> bool {
        let prices = (self.first.map(|mark| mark.2), self.high, self.low, self.last.map(|mark| mark.2));
        let volumes = self.volume.unwrap_or_default() - bar.volume.unwrap_or_default();
        prices == (Some(bar.open), bar.high, bar.low, Some(bar.close))
            && bar.n_trades == Some(self.n_trades)
            && volumes.abs() <= bar.volume.unwrap_or_default() * SAME_VOLUME
    }

    fn seal(&mut self, instrument: InstrumentId, source: &Source, flags: BarFlags) -> Option<Bar> {
        self.dirty = false;
        let (open, close) = (self.first?.2, self.last?.2);
        let revision = self.sealed.map_or(0, |revision| revision + 1);
        self.sealed = Some(revision);
        let mut flags = flags;
        flags.set(BarFlags::SAMPLED, self.sampled);
        flags |= if self.partial { BarFlags::PARTIAL } else { BarFlags::empty() };
        Some(Bar {
            instrument,
            interval: Interval::OneMinute,
            open_time: self.bounds.open,
            open,
            high: self.high.max(open).max(close),
            low: self.low.min(open).min(close),
            close,
            volume: self.volume,
            vwap: self.volume.filter(|volume| *volume > 0.0 && !self.sampled).map(|volume| self.notional / volume),
            n_trades: (!self.sampled).then_some(self.n_trades),
            session: Some(self.bounds.kind),
            source: source.clone(),
            origin: Origin::Live,
            revision,
            quality: 1.0,
            flags,
        })
    }
}

/// Where a trade stands among those of the same instant: only counted ids have an order.
fn counted(trade: &Trade) -> u64 {
    match trade.trade_id {
        Some(TradeId::Counted(id)) => id,
        Some(TradeId::Named(_)) | None => 0,
    }
}
