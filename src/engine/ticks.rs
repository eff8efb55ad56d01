//! What is kept of the market beside bars: quotes, sampled, and trades where they are asked for.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::config::Section;
use crate::market::{EventKind, InstrumentId, MarketEvent, Source, Timestamp, Trade};
use crate::snapshot::{InstrumentView, MarketView};
use crate::store::{Batch, QuoteRow, TradeRow};

/// Trades that are handed over without waiting for the next look.
const FULL: usize = 1_000;
/// How many trades without a name are remembered of one instrument: more than any source repeats after a reconnect.
const REMEMBERED: usize = 256;

/// What was heard and is not handed over yet. By default nothing is kept.
#[derive(Debug, Default)]
pub(crate) struct Ticks {
    quotes: Option<HashMap<InstrumentId, Lane>>,
    trades: Option<Trades>,
}

/// One instrument's quotes: at most one in a second of our clock, and only one that is newer than the last.
#[derive(Debug, Default)]
struct Lane {
    /// The source's time of what was sampled last, or of what the store knew at the start.
    known: Option<Timestamp>,
    /// Our time of what was heard since.
    heard: Option<Timestamp>,
    /// The second of the last sample.
    second: Option<i64>,
}

#[derive(Debug, Default)]
struct Trades {
    rows: Vec<TradeRow>,
    nameless: HashMap<InstrumentId, Nameless>,
}

/// Trades to which their source gave no id, the oldest first.
#[derive(Debug, Default)]
struct Nameless(VecDeque<Numbered>);

/// A trade with its number in its microsecond.
#[derive(Debug)]
struct Numbered {
    ts_event: Timestamp,
    number: usize,
    trade: Trade,
    /// In which frame it came, by the time of its receipt.
    frame: Timestamp,
}

impl Ticks {
    /// Keeps what the section `store` asks for; what the picture shows already is no sample.
    pub(crate) fn new(section: &Section, view: &MarketView) -> Self {
        let mut ticks = Self { quotes: section.flag("quotes").then(HashMap::new), trades: section.flag("trades").then(Trades::default) };
        ticks.follow(view);
        ticks
    }

    /// Knows the rows of the picture from now on.
    pub(crate) fn follow(&mut self, view: &MarketView) {
        let Some(quotes) = &mut self.quotes else { return };
        let mut before = std::mem::take(quotes);
        let lane = |row: &Arc<InstrumentView>| {
            let id = row.instrument.id;
            (id, before.remove(&id).unwrap_or_else(|| Lane { known: newest(row), ..Lane::default() }))
        };
        *quotes = view.instruments.iter().map(lane).collect();
    }

    /// Takes an event that passed. The answer is what cannot wait for the next look: trades, when there are many.
    pub(crate) fn heard(&mut self, instrument: InstrumentId, source: &Source, event: &MarketEvent) -> Vec<TradeRow> {
        if let Some(lane) = self.quotes.as_mut().and_then(|quotes| quotes.get_mut(&instrument)) {
            lane.heard = lane.heard.max(Some(event.ts_recv));
        }
        let Some(trades) = &mut self.trades else { return Vec::new() };
        if let EventKind::Trade(trade) = &event.kind {
            trades.take(instrument, source, event, trade);
        }
        if trades.rows.len() < FULL { Vec::new() } else { std::mem::take(&mut trades.rows) }
    }

    /// What is to be written now: samples of the picture, and the trades that were heard.
    pub(crate) fn collect(&mut self, view: &MarketView, now: Timestamp) -> Batch {
        let trades = self.trades.as_mut().map(|trades| std::mem::take(&mut trades.rows)).unwrap_or_default();
        let mut quotes = Vec::new();
        if let Some(lanes) = &mut self.quotes {
            quotes.extend(view.instruments.iter().filter_map(|row| lanes.get_mut(&row.instrument.id)?.sample(row, now)));
        }
        Batch { quotes, trades, ..Batch::default() }
    }
}

impl Lane {
    fn sample(&mut self, row: &InstrumentView, now: Timestamp) -> Option<QuoteRow> {
        if self.second == Some(now.as_seconds()) {
            return None;
        }
        let ts_recv = self.heard.take()?;
        // What was heard may have been old, or only have confirmed what was known.
        let ts_event = newest(row).filter(|newest| Some(*newest) > self.known)?;
        let source = row.source.clone()?;
        (self.known, self.second) = (Some(ts_event), Some(now.as_seconds()));
        let last = row.last.map(|last| last.value);
        let quote = &row.quote;
        Some(QuoteRow {
            instrument: row.instrument.id,
            source,
            ts_event,
            ts_recv,
            last,
            bid: quote.bid,
            bid_size: quote.bid_size,
            ask: quote.ask,
            ask_size: quote.ask_size,
            volume: row.volume,
        })
    }
}

/// The source's time of the newest that is known of a row.
fn newest(row: &InstrumentView) -> Option<Timestamp> {
    row.last.map(|last| last.ts_event).max(row.quoted)
}

impl Trades {
    fn take(&mut self, instrument: InstrumentId, source: &Source, event: &MarketEvent, trade: &Trade) {
        let trade_id = match &trade.trade_id {
            Some(id) => id.to_string(),
            None => self.nameless.entry(instrument).or_default().name(event, trade),
        };
        self.rows.push(TradeRow {
            instrument,
            source: source.clone(),
            trade_id,
            ts_event: event.ts_event,
            ts_recv: event.ts_recv,
            price: trade.price,
            size: trade.size,
            taker: trade.taker,
            venue: trade.venue.as_deref().map(str::to_owned),
            conditions: trade.conditions.as_deref().map(str::to_owned),
            moves: trade.moves.bits(),
        });
    }
}

impl Nameless {
    /// `<microseconds>-<number>`. The same trade in another frame is the same one sent again, as far as can be known;
    /// twice in one frame it was made twice.
    fn name(&mut self, event: &MarketEvent, trade: &Trade) -> String {
        let (ts_event, frame) = (event.ts_event, event.ts_recv);
        let again = self.0.iter_mut().find(|known| known.ts_event == ts_event && known.trade == *trade && known.frame != frame);
        let number = if let Some(known) = again {
            known.frame = frame;
            known.number
        } else {
            let in_its_moment = self.0.iter().filter(|known| known.ts_event == ts_event);
            let number = in_its_moment.map(|known| known.number + 1).max().unwrap_or(0);
            if self.0.len() == REMEMBERED {
                self.0.pop_front();
            }
            self.0.push_back(Numbered { ts_event, number, trade: trade.clone(), frame });
            number
        };
        format!("{}-{number}", ts_event.as_micros())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::{Delay, Instrument, Moves, Quote};
    use crate::snapshot::Update;

    const ID: InstrumentId = InstrumentId(7);

    fn at(seconds: f64) -> Timestamp {
        Timestamp::from_seconds(1_000) + std::time::Duration::from_secs_f64(seconds)
    }

    fn traded(ts_event: f64, ts_recv: f64, price: f64) -> MarketEvent {
        let trade = Trade { price, size: 1.0, ..Trade::default() };
        MarketEvent { symbol: "X".into(), ts_event: at(ts_event), ts_recv: at(ts_recv), kind: EventKind::Trade(trade) }
    }

    /// A picture of one row, and its quotes.
    fn sampled() -> (MarketView, Ticks) {
        let row = InstrumentView::new(Instrument::listed(ID, "BTC-USD".parse().unwrap()));
        let view = MarketView { instruments: vec![Arc::new(row)], ..MarketView::default() };
        let mut ticks = Ticks { quotes: Some(HashMap::new()), trades: None };
        ticks.follow(&view);
        (view, ticks)
    }

    fn hear(view: &mut MarketView, ticks: &mut Ticks, event: MarketEvent) {
        let source = Source::new("sim");
        assert_eq!(ticks.heard(ID, &source, &event), []);
        view.fold(Update::Event { instrument: ID, event, source, delay: Delay::RealTime });
    }

    /// The prices and times that are sampled at an instant.
    fn samples(view: &MarketView, ticks: &mut Ticks, now: f64) -> Vec<(Option<f64>, Timestamp, Timestamp)> {
        ticks.collect(view, at(now)).quotes.into_iter().map(|row| (row.last, row.ts_event, row.ts_recv)).collect()
    }

    #[test]
    fn a_price_is_sampled_once_a_second_and_only_when_it_is_newer() {
        let (mut view, mut ticks) = sampled();
        assert_eq!(samples(&view, &mut ticks, 0.0), [], "nothing was heard");
        hear(&mut view, &mut ticks, traded(0.5, 0.6, 100.0));
        hear(&mut view, &mut ticks, traded(0.7, 0.8, 101.0));
        assert_eq!(samples(&view, &mut ticks, 1.0), [(Some(101.0), at(0.7), at(0.8))]);
        hear(&mut view, &mut ticks, traded(1.0, 1.1, 102.0));
        assert_eq!(samples(&view, &mut ticks, 1.9), [], "this second has one");
        assert_eq!(samples(&view, &mut ticks, 2.0), [(Some(102.0), at(1.0), at(1.1))], "and the next makes up for it");
        assert_eq!(samples(&view, &mut ticks, 3.0), [], "nothing was heard");
        hear(&mut view, &mut ticks, traded(0.9, 3.5, 90.0));
        hear(&mut view, &mut ticks, traded(1.0, 3.6, 102.0));
        assert_eq!(samples(&view, &mut ticks, 4.0), [], "what is old or only confirmed is no news");
        let quote = Quote { bid: Some(101.5), ask: Some(102.5), ..Quote::default() };
        let event = MarketEvent { kind: EventKind::Quote(quote), ..traded(4.5, 4.6, 0.0) };
        hear(&mut view, &mut ticks, event);
        let rows = ticks.collect(&view, at(5.0)).quotes;
        assert_eq!((rows[0].bid, rows[0].ask, rows[0].ts_event, rows[0].source.as_str()), (Some(101.5), Some(102.5), at(4.5), "sim"));
    }

    #[test]
    fn what_the_store_knew_is_no_sample() {
        let (mut view, _) = sampled();
        let mut ticks = Ticks::default();
        hear(&mut view, &mut ticks, traded(0.5, 0.6, 100.0));
        let mut ticks = Ticks { quotes: Some(HashMap::new()), trades: None };
        ticks.follow(&view);
        hear(&mut view, &mut ticks, traded(0.4, 0.9, 99.0));
        assert_eq!(samples(&view, &mut ticks, 1.0), []);
        hear(&mut view, &mut ticks, traded(1.2, 1.3, 101.0));
        ticks.follow(&view);
        assert_eq!(samples(&view, &mut ticks, 2.0).len(), 1, "a list that changes loses nothing");
    }

    #[test]
    fn trades_without_a_name_are_told_apart() {
        let source = Source::new("sim");
        let mut ticks = Ticks { quotes: None, trades: Some(Trades::default()) };
        let mut ids = |events: &[MarketEvent]| -> Vec<String> {
            for event in events {
                assert_eq!(ticks.heard(ID, &source, event), []);
            }
            let rows = ticks.collect(&MarketView::default(), at(0.0)).trades;
            rows.into_iter().map(|row| row.trade_id.replace(&at(0.5).as_micros().to_string(), "t")).collect()
        };
        // One frame with the same trade twice and another, then the frame once more.
        let frame = |received: f64| [traded(0.5, received, 100.0), traded(0.5, received, 100.0), traded(0.5, received, 101.0)];
        assert_eq!(ids(&frame(0.6)), ["t-0", "t-1", "t-2"]);
        assert_eq!(ids(&frame(0.7)), ["t-0", "t-1", "t-2"]);
        assert_eq!(ids(&[traded(0.5, 0.8, 99.0), traded(0.5, 0.9, 101.0)]), ["t-3", "t-2"]);
    }

    #[test]
    fn many_trades_do_not_wait() {
        let mut ticks = Ticks { quotes: None, trades: Some(Trades::default()) };
        let source = Source::new("sim");
        let named = |id: u64| {
            let trade = Trade { price: 1.0, size: 1.0, trade_id: Some(id.into()), moves: Moves::VOLUME, ..Trade::default() };
            MarketEvent { kind: EventKind::Trade(trade), ..traded(0.5, 0.6, 0.0) }
        };
        let handed: Vec<_> = (0..FULL as u64 + 3).map(|id| ticks.heard(ID, &source, &named(id)).len()).filter(|rows| *rows > 0).collect();
        assert_eq!(handed, [FULL]);
        let rest = ticks.collect(&MarketView::default(), at(0.0)).trades;
        assert_eq!(rest.iter().map(|row| row.trade_id.as_str()).collect::<Vec<_>>(), ["1000", "1001", "1002"]);
        assert_eq!(rest[0].moves, Moves::VOLUME.bits());
    }
}
