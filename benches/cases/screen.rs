//! From events to the screen.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use openbell::calendar::Calendars;
use openbell::config::{Config, Facts, RawConfig, SectionSpec};
use openbell::engine::config_sections;
use openbell::market::{Delay, EventKind, Instrument, InstrumentId, MarketEvent, Moves, Quote, Source, Timestamp, Trade};
use openbell::pane::PANES;
use openbell::request::Catalogue;
use openbell::snapshot::{FeedState, FeedView, InstrumentView, MarketView, Update};
use openbell::tui::{Model, Msg, Parts, update, view};
use openbell::widget::{Depth, Theme};
use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::bars::{in_session, walk};
use super::contract::{Budget, Case, Size, timed};

const SCREEN: (u16, u16) = (200, 60);
/// Events between two pictures: 3,000 a second, ten pictures a second.
const A_PICTURE: usize = 300;

fn source() -> Source {
    Source::new("alpaca:sip")
}

/// A picture of so many rows, each with all its figures.
fn picture(rows: usize) -> MarketView {
    let now = in_session();
    let minutes: Vec<_> = (1..=60).rev().map(|ago| now - Duration::from_secs(60 * ago)).collect();
    let row = |number: usize| {
        let id = InstrumentId(number as i64 + 1);
        let mut row = InstrumentView::new(Instrument::listed(id, format!("R{number:03}").parse().expect("a symbol")));
        let bars = walk(id, &minutes);
        row.fold_history(&bars);
        let last = bars[bars.len() - 1].close;
        row.reference = Some(last * 0.99);
        row.quote = Quote { bid: Some(last - 0.01), bid_size: Some(3.0), ask: Some(last + 0.01), ask_size: Some(2.0) };
        row.fold(&trade(number, last, now), &source(), Delay::RealTime);
        row
    };
    let mut view = MarketView { stale_after: Duration::from_secs(60), ..MarketView::default() };
    view.fold(Update::Instruments((0..rows).map(row).collect()));
    let mut feed = FeedView::new(source(), Delay::RealTime, now);
    feed.enter(FeedState::Live, now);
    view.fold(Update::Feed(feed));
    view
}

fn trade(number: usize, price: f64, at: Timestamp) -> MarketEvent {
    let trade = Trade { price, size: 100.0, ..Trade::default() };
    MarketEvent { symbol: format!("R{number:03}").into(), ts_event: at, ts_recv: at, kind: EventKind::Trade(trade) }
}

/// Trades into a picture of 40 rows that is given out ten times a second.
pub fn fold_few(size: Size) -> Case {
    fold("fold a trade into 40 rows", 40, size)
}

/// Trades into a picture of 500 rows that is given out ten times a second.
pub fn fold_many(size: Size) -> Case {
    fold("fold a trade into 500 rows", 500, size)
}

fn fold(name: &'static str, rows: usize, size: Size) -> Case {
    let start = picture(rows);
    let events: Vec<_> = (0..rows).map(|number| trade(number, 100.0, in_session() + Duration::from_secs(1))).collect();
    let pictures = size.of(2, 500);
    let run = move || {
        let (mut view, source) = (start.clone(), source());
        let before = view.sequence;
        timed(|| {
            for _ in 0..pictures {
                for i in 0..A_PICTURE {
                    // Neighbours in time are seldom neighbours on the list.
                    let number = i * 17 % rows;
                    let (instrument, event) = (InstrumentId(number as i64 + 1), events[number].clone());
                    view.fold(Update::Event { instrument, event, source: source.clone(), delay: Delay::RealTime });
                }
                black_box(Arc::new(view.clone()));
            }
            view.sequence - before
        })
    };
    let units = (pictures * A_PICTURE) as u64;
    Case { name, unit: "trades", units, ours: Box::new(run), bare: None, budget: Budget::Told }
}

/// Every pane, with a watchlist of 500 rows.
pub fn overview(size: Size) -> Case {
    render("draw the overview, 500 rows, 200x60", "overview", false, size)
}

/// Nothing but a watchlist of 500 rows.
pub fn whole_list(size: Size) -> Case {
    render("draw the watchlist alone, 500 rows, 200x60", "watchlist", true, size)
}

fn render(name: &'static str, layout: &str, zoomed: bool, size: Size) -> Case {
    let mut model = model(layout);
    if zoomed {
        update(&mut model, Msg::Key("z".parse().expect("a key")));
    }
    let views = [0, 1].map(|step| Arc::new(moved(step)));
    let mut terminal = Terminal::new(TestBackend::new(SCREEN.0, SCREEN.1)).expect("a screen in memory cannot fail");
    let frames = size.of(2, 40);
    let run = move || {
        let mut ran = timed(|| {
            for frame in 0..frames {
                update(&mut model, Msg::View(Arc::clone(&views[frame % 2])));
                update(&mut model, Msg::Tick(in_session() + Duration::from_millis(250 * frame as u64)));
                terminal.draw(|frame| view(&model, frame)).expect("a screen in memory cannot fail");
            }
            frames as u64
        });
        let text = terminal.backend().to_string();
        if !text.contains("R000") || !text.contains("watchlist 500") {
            ran.done = 0;
        }
        ran
    };
    Case { name, unit: "frames", units: frames as u64, ours: Box::new(run), bare: None, budget: Budget::Told }
}

/// The picture after every row traded once.
fn moved(step: u32) -> MarketView {
    let mut view = picture(500);
    for number in 0..500 {
        let event = trade(number, 100.0 + f64::from(step) + f64::from(u32::try_from(number).unwrap_or(0)) / 100.0, in_session());
        view.fold(Update::Event { instrument: InstrumentId(number as i64 + 1), event, source: source(), delay: Delay::RealTime });
    }
    view
}

fn model(layout: &str) -> Model {
    let mut sections = config_sections();
    let of_pane = |spec: &'static openbell::pane::PaneSpec| SectionSpec {
        name: Box::leak(format!("pane.{}", spec.name).into_boxed_str()),
        sentence: spec.sentence,
        keys: spec.keys,
    };
    sections.extend(PANES.iter().map(of_pane));
    let config = Config::resolve(&RawConfig::default(), &sections, &Facts::default()).expect("defaults are right");
    Model::new(Parts {
        view: Arc::new(picture(500)),
        calendars: Arc::new(Calendars::embedded()),
        catalogue: Catalogue::default(),
        config: config.with("screen", "layout", layout),
        theme: Theme::new("dark", Depth::Rich),
        now: in_session(),
        size: SCREEN,
    })
}
