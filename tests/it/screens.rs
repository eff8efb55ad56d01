//! What screens look like: pictures at several sizes, the meaning of their colours, and numbers that are never cut.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use openbell::calendar::Calendars;
use openbell::config::{Config, Facts, RawConfig, SectionSpec};
use openbell::engine::config_sections;
use openbell::market::{
    AssetClass, Bar, BarFlags, Delay, Fundamental, Instrument, InstrumentId, Interval, Origin, Period, Quote, SessionKind, Source,
    Statement, Timestamp,
};
use openbell::pane::{Effect, PANES};
use openbell::quality::{Severity, Violation};
use openbell::request::{Catalogue, EngineEvent, FormatFacts, ProviderFacts, Reply, Report, Request, SourceKind, Stored};
use openbell::snapshot::{
    FeedState, FeedView, InstrumentView, JobState, JobView, LogLine, MarketView, Price, Standing, WriterView, standing, venue_view,
};
use openbell::terminal::{Format, paper};
use openbell::tui::{Key, Model, Msg, Parts, update, view};
use openbell::widget::{Depth, Theme};
use proptest::prelude::*;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier};

/// A Wednesday in the regular session of New York; Tokyo is closed.
const NOW: &str = "2026-11-25T15:42:30Z";
/// What snapshots are taken of.
const SIZES: [(u16, u16); 3] = [(60, 20), (80, 24), (160, 50)];

static CALENDARS: LazyLock<Arc<Calendars>> = LazyLock::new(|| Arc::new(Calendars::embedded()));
static CONFIG: LazyLock<Config> = LazyLock::new(|| {
    let mut sections = config_sections();
    let of_pane = |spec: &'static openbell::pane::PaneSpec| SectionSpec {
        name: Box::leak(format!("pane.{}", spec.name).into_boxed_str()),
        sentence: spec.sentence,
        keys: spec.keys,
    };
    sections.extend(PANES.iter().filter(|spec| !spec.keys.is_empty()).map(of_pane));
    Config::resolve(&RawConfig::default(), &sections, &Facts::default()).unwrap()
});

pub fn now() -> Timestamp {
    NOW.parse().unwrap()
}

pub fn ago(seconds: u64) -> Timestamp {
    now() - Duration::from_secs(seconds)
}

/// A screen on a picture, without colours.
pub fn model(view: MarketView, size: (u16, u16)) -> Model {
    model_in(view, size, Depth::None)
}

fn model_in(view: MarketView, size: (u16, u16), depth: Depth) -> Model {
    Model::new(Parts {
        view: Arc::new(view),
        calendars: Arc::clone(&CALENDARS),
        catalogue: catalogue(),
        config: CONFIG.clone(),
        theme: Theme::new("dark", depth),
        now: now(),
        size,
    })
}

/// Presses keys by their names, with spaces between.
pub fn press(model: &mut Model, keys: &str) -> Vec<Effect> {
    keys.split_whitespace().flat_map(|key| update(model, Msg::Key(key.parse::<Key>().unwrap()))).collect()
}

/// Types a text, letter by letter.
pub fn type_text(model: &mut Model, text: &str) -> Vec<Effect> {
    let key = |c: char| if c == ' ' { "space".to_owned() } else { c.to_string() };
    text.chars().flat_map(|c| press(model, &key(c))).collect()
}

pub fn tell(model: &mut Model, event: EngineEvent) -> Vec<Effect> {
    update(model, Msg::Event(event))
}

/// The screen as text.
pub fn text(model: &Model) -> String {
    paper(model, Format::Text)
}

/// Two sources of history and one without.
fn catalogue() -> Catalogue {
    let provider = |name: &str, history: &[Interval]| ProviderFacts {
        name: name.to_owned(),
        sentence: format!("What {name} is."),
        enabled: true,
        asset_classes: AssetClass::ALL.to_vec(),
        live: SourceKind::Prices,
        delay: Delay::RealTime,
        history: history.to_vec(),
        key: openbell::request::KeyState::NotNeeded,
    };
    Catalogue {
        providers: vec![provider("yahoo", &Interval::ALL), provider("coinbase", &Interval::ALL), provider("ticker", &[])],
        formats: vec![FormatFacts { name: "csv".to_owned(), sentence: "Rows with commas.".to_owned() }],
        venues: vec!["XNYS".to_owned(), "CRYPTO".to_owned()],
    }
}

/// One row of a hand-made watchlist.
pub struct Made {
    pub symbol: &'static str,
    pub last: Option<f64>,
    pub reference: Option<f64>,
    /// Seconds since the price was made.
    pub age: u64,
    pub source: &'static str,
    pub delay: Delay,
    pub precision: u8,
}

impl Made {
    const fn new(symbol: &'static str, last: f64, reference: f64, source: &'static str) -> Self {
        Self { symbol, last: Some(last), reference: Some(reference), age: 3, source, delay: Delay::RealTime, precision: 2 }
    }
}

pub fn instrument(id: i64, made: &Made) -> InstrumentView {
    let listed = Instrument::listed(InstrumentId(id), made.symbol.parse().unwrap());
    let mut row = InstrumentView::new(Instrument { precision: made.precision, ..listed });
    let agreed = u64::from(made.delay.seconds().unwrap_or(0));
    row.last = made.last.map(|value| Price { value, ts_event: ago(made.age), confirmed: ago(made.age.saturating_sub(agreed)) });
    row.reference = made.reference;
    (row.source, row.delay) = (made.last.map(|_| Source::new(made.source)), made.delay);
    if let (Some(last), Some(reference)) = (made.last, made.reference) {
        let tick = 0.1_f64.powi(i32::from(made.precision));
        row.quote = Quote { bid: Some(last - tick), bid_size: Some(100.0), ask: Some(last + tick), ask_size: Some(200.0) };
        row.volume = Some(12_345.0);
        (row.day_low, row.day_high) = (Some(last.min(reference)), Some(last.max(reference)));
        row.closes = [reference, last, reference, last].into_iter().collect();
    }
    row
}

fn rows() -> Vec<InstrumentView> {
    let nothing = Made { last: None, reference: None, ..Made::new("EUR/USD", 0.0, 0.0, "") };
    let all = [
        Made::new("SPY", 604.16, 604.16, "iex"),
        Made::new("AAPL", 201.0, 200.0, "iex"),
        Made::new("MSFT", 396.0, 400.0, "iex"),
        Made { age: 300, ..Made::new("NVDA", 149.53, 148.0, "iex") },
        Made { age: 7_300, ..Made::new("BTC-USD", 90_109.95, 89_579.1, "coinbase") },
        Made { age: 906, delay: Delay::Seconds(900), ..Made::new("VOD:XLON", 80.68, 81.23, "yahoo") },
        Made { age: 34_000, delay: Delay::Seconds(1_200), precision: 1, ..Made::new("7203:XTKS", 2_871.5, 2_860.0, "quotes") },
        Made { age: 67_350, delay: Delay::EndOfDay, ..Made::new("^GSPC", 6_602.99, 6_538.76, "quotes") },
        nothing,
        Made::new("BRK.A", 1_234_567_890.12, 1_234_500_000.0, "iex"),
        Made { age: 90_000, precision: 8, ..Made::new("PEPE-USD", 0.000_007_12, 0.000_007_5, "quotes") },
        Made::new("O:SPY251219C00650000", 0.05, 0.04, "iex"),
    ];
    (1..).zip(&all).map(|(id, made)| instrument(id, made)).collect()
}

fn feeds() -> Vec<FeedView> {
    let feed = |source: &str, state, since: u64| {
        let mut feed = FeedView::new(Source::new(source), Delay::RealTime, ago(since));
        (feed.state, feed.symbols, feed.messages) = (state, 4, 98_765);
        feed.last_frame = Some(ago(1));
        feed.rate.seconds = (0..30).map(|second| second * 7 % 40).collect();
        feed.lag = Some(0.042);
        feed
    };
    let failing = |feed: FeedView, error: &str, attempt: u32, next: u64| FeedView {
        error: Some(error.to_owned()),
        attempt,
        errors: u64::from(attempt) + 1_200,
        reconnects: 17,
        next_try: Some(now() + Duration::from_secs(next)),
        ..feed
    };
    let dead = FeedView { last_frame: Some(ago(47)), ..feed("coinbase", FeedState::Dead, 44) };
    vec![
        feed("iex", FeedState::Live, 7_300),
        FeedView { delay: Delay::Seconds(900), lag: None, ..feed("yahoo", FeedState::Live, 340) },
        FeedView { delay: Delay::EndOfDay, ..feed("quotes", FeedState::Quiet, 20_000) },
        feed("kraken", FeedState::Silent, 31),
        failing(dead, "connection refused by ws-feed.exchange.coinbase.com:443", 3, 12),
        failing(feed("finnhub", FeedState::Connecting, 2), "the server said 503 service unavailable", 9, 125),
        FeedView { symbols: 0, last_frame: None, ..feed("polygon", FeedState::Idle, 86_500) },
        FeedView { error: Some("the key was refused (401)".to_owned()), ..feed("alpaca:sip", FeedState::Off, 600) },
        feed("fmp", FeedState::Polling, 95),
    ]
}

fn jobs() -> Vec<JobView> {
    let job = |id: i64, state, done: u64, note: &str| JobView {
        id,
        kind: "backfill".to_owned(),
        symbol: Some("AAPL".parse().unwrap()),
        interval: Some(Interval::OneMinute),
        source: "yahoo".to_owned(),
        state,
        done,
        total: 90,
        rows: done * 390,
        started: ago(100),
        finished: None,
        note: note.to_owned(),
    };
    vec![
        JobView { finished: Some(ago(40)), ..job(1, JobState::Done, 90, "35100 rows") },
        JobView { finished: Some(ago(20)), ..job(2, JobState::Failed, 12, "yahoo refused the request: too many at once (429)") },
        JobView { finished: Some(ago(10)), ..job(3, JobState::Cancelled, 45, "11 rows") },
        job(4, JobState::Running, 30, "up to 2026-11-12T15:42:30Z"),
        JobView {
            symbol: Some("BTC-USD".parse().unwrap()),
            source: "coinbase".to_owned(),
            total: 0,
            ..job(5, JobState::Queued, 0, "waits")
        },
    ]
}

/// A picture with something of everything.
pub fn market() -> MarketView {
    MarketView {
        sequence: 1_000,
        simulated: true,
        stale_after: Duration::from_secs(60),
        instruments: rows().into_iter().map(Arc::new).collect(),
        venues: CALENDARS.iter().map(|calendar| Arc::new(venue_view(calendar, now()))).collect(),
        feeds: feeds().into_iter().map(Arc::new).collect(),
        writer: Arc::new(WriterView {
            store: "sqlite:/home/me/.local/share/openbell/openbell.db".to_owned(),
            written: 98_765_432,
            queued: 17,
            dropped: 3,
            last_commit: Some(ago(65)),
            size: 12_345_678,
            error: Some("database or disk is full".to_owned()),
            attempt: 4,
            next_try: Some(now() + Duration::from_secs(8)),
            ..WriterView::default()
        }),
        jobs: jobs().into_iter().map(Arc::new).collect(),
        violations: 3,
    }
}

/// A screen to which violations and log lines were told.
fn told(size: (u16, u16), depth: Depth) -> Model {
    let mut model = model_in(market(), size, depth);
    let violation = |ago_s: u64, id: i64, severity, rule: &str, message: &str| {
        EngineEvent::Violation(Violation {
            time: ago(ago_s),
            instrument: InstrumentId(id),
            interval: Interval::OneMinute,
            open_time: ago(ago_s + 90),
            source: Source::new("iex"),
            rule: rule.to_owned(),
            severity,
            message: message.to_owned(),
        })
    };
    let line = |ago_s: u64, level: u8, message: &str| {
        EngineEvent::Log(LogLine { time: ago(ago_s), level, target: "engine::feeds".to_owned(), message: message.to_owned() })
    };
    for event in [
        violation(200, 2, Severity::Error, "high_below_body", "high 196.67 is below open 197.2 or close 197.14"),
        violation(100, 3, Severity::Warning, "volume_spike", "volume 988500 is 50 times the median of 19770"),
        violation(5, 99, Severity::Info, "gap", "open 110.2 is 10.2 % away from the last close 100"),
        line(300, 3, "connected source=iex"),
        line(47, 2, "connection lost source=coinbase"),
        line(44, 1, "connection refused by ws-feed.exchange.coinbase.com:443, next try in 12 s"),
        line(1, 4, "frame of 512 bytes"),
        EngineEvent::Dropped(12),
    ] {
        tell(&mut model, event);
    }
    model
}

fn snapshot(name: &str, (width, height): (u16, u16), model: &Model) {
    let drawn = text(model);
    assert_eq!(drawn.lines().count(), usize::from(height));
    insta::assert_snapshot!(format!("{name}_{width}x{height}"), drawn);
}

#[test]
fn each_pane_at_three_sizes() {
    for size in SIZES {
        for (number, pane) in (1..).zip(PANES) {
            let mut model = told(size, Depth::None);
            press(&mut model, &format!("{number} z"));
            snapshot(&format!("pane_{}", pane.name), size, &model);
        }
    }
}

#[test]
fn each_layout_at_three_sizes() {
    for size in SIZES {
        let mut model = told(size, Depth::None);
        for layout in openbell::tui::LAYOUTS {
            snapshot(&format!("layout_{}", layout.name), size, &model);
            press(&mut model, "L");
            update(&mut model, Msg::Tick(now() + Duration::from_secs(10)));
            update(&mut model, Msg::Tick(now()));
        }
    }
}

#[test]
fn each_popup_at_two_sizes() {
    let popups =
        [("help", "?"), ("palette", ":"), ("backfill", "j b"), ("export", "j e"), ("add", "a"), ("confirm", "q"), ("detail", "j enter")];
    for size in [(80, 24), (160, 50)] {
        for (name, keys) in popups {
            let mut model = told(size, Depth::None);
            let effects = press(&mut model, keys);
            if effects.contains(&Effect::Ask(Request::Detail(InstrumentId(2)))) {
                let stored = Stored { bars: bars(InstrumentId(2)), ..Stored::default() };
                tell(&mut model, EngineEvent::Reply(Reply::Detail(InstrumentId(2), stored)));
            }
            assert!(text(&model).contains('╭'), "{name} did not open");
            snapshot(&format!("popup_{name}"), size, &model);
        }
    }
}

fn bars(instrument: InstrumentId) -> Vec<Bar> {
    let bar = |minute: u32| {
        let open = 200.0 + f64::from(minute) / 10.0;
        Bar {
            instrument,
            interval: Interval::OneMinute,
            open_time: ago(u64::from(60 - minute) * 60 + 30),
            open,
            high: open + 0.5,
            low: open - 0.5,
            close: open + 0.1,
            volume: Some(f64::from(minute) * 1_000.0),
            vwap: None,
            n_trades: Some(7),
            session: Some(SessionKind::Regular),
            source: Source::new("iex"),
            origin: Origin::Live,
            revision: 0,
            quality: if minute == 58 { 0.5 } else { 1.0 },
            flags: if minute == 58 { BarFlags::GAP | BarFlags::SAMPLED } else { BarFlags::empty() },
        }
    };
    (0..60).map(bar).collect()
}

/// An overview and a year's results, as a source names their fields.
fn reports() -> Vec<Report> {
    let report = |statement, period, date: &str, fields: &str| Report {
        source: Source::new("fmp"),
        fundamental: Fundamental { statement, period, fiscal_date: date.parse().unwrap(), fields: serde_json::from_str(fields).unwrap() },
    };
    let overview = r#"{"marketCap":3418000000000,"currency":"USD","sector":"Technology"}"#;
    let year = r#"{"revenue":391035000000,"netIncome":93736000000,"eps":6.11,"costOfRevenue":210352000000,"reportedCurrency":"USD"}"#;
    vec![report(Statement::Overview, Period::Latest, "2026-11-25", overview), report(Statement::Income, Period::Annual, "2026-09-26", year)]
}

/// A screen with the second instrument open, and what the store has of it.
fn opened(view: MarketView, size: (u16, u16), reports: Vec<Report>) -> Model {
    let mut model = model(view, size);
    press(&mut model, "j enter");
    let stored = Stored { bars: bars(InstrumentId(2)), reports };
    tell(&mut model, EngineEvent::Reply(Reply::Detail(InstrumentId(2), stored)));
    model
}

#[test]
fn the_detail_tells_what_a_company_reported() {
    let short = ["fundamentals", "market cap 3.42T  revenue 391B  net income 93.7B  eps 6.11", "year to 2026-09-26 from fmp in USD"];
    for size in [(80, 24), (160, 50)] {
        let mut model = opened(market(), size, reports());
        let drawn = text(&model);
        for part in short.into_iter().chain(["11-25 15:41", "f fundamentals"]) {
            assert!(drawn.contains(part), "{part} in\n{drawn}");
        }
        press(&mut model, "f");
        let drawn = text(&model);
        for part in short.into_iter().chain(["overview of 2026-11-25 from fmp", "3,418,000,000,000", "f bars"]) {
            assert!(drawn.contains(part), "{part} in\n{drawn}");
        }
        assert!(!drawn.contains("11-25 15:41"), "{drawn}");
        press(&mut model, "G");
        assert!(text(&model).contains("391,035,000,000"), "the last field is in sight\n{}", text(&model));
        press(&mut model, "f");
        assert!(text(&model).contains("11-25 15:41"), "{}", text(&model));
    }
}

#[test]
fn the_detail_says_how_to_get_reports() {
    let mut model = opened(market(), (80, 24), Vec::new());
    assert!(text(&model).contains("fundamentals  none are stored: openbell fundamentals AAPL"), "{}", text(&model));
    press(&mut model, "f");
    assert!(text(&model).contains("no reports are stored"), "{}", text(&model));
}

#[test]
fn a_low_screen_keeps_the_bars_of_the_detail() {
    for height in 14..=50 {
        let drawn = text(&opened(market(), (80, height), reports()));
        assert!(drawn.contains("open time") && drawn.contains("11-25 15:41"), "{height} rows:\n{drawn}");
    }
}

#[test]
fn a_halt_is_told_by_its_word_and_its_reason() {
    let mut view = market();
    let mut row = (*view.instruments[1]).clone();
    row.halt = Some("news pending".into());
    view.instruments[1] = Arc::new(row);
    for width in 40..=200 {
        let drawn = text(&model(view.clone(), (width, 24)));
        assert!(!drawn.contains(" 201.00") || drawn.contains(" 201.00 HALT"), "{width} columns:\n{drawn}");
    }
    assert!(text(&model(view.clone(), (80, 24))).contains(" 201.00 HALT"));
    let buffer = draw(&model_in(view.clone(), (160, 50), Depth::Sixteen));
    assert_eq!(roles(&buffer, "AAPL", "201.00 HALT"), "wwwwww wwww");
    let drawn = text(&opened(view, (80, 24), Vec::new()));
    assert!(drawn.contains("halt      trading is halted: news pending"), "{drawn}");
}

#[test]
fn simulated_stays_in_sight_below_every_popup() {
    for size in [(40, 10), (60, 20), (80, 24), (120, 30), (160, 50)] {
        for keys in ["?", ":", "b", "e", "a", "q", "enter"] {
            let mut model = told(size, Depth::None);
            press(&mut model, keys);
            assert!(text(&model).contains("SIMULATED"), "{keys} at {size:?}:\n{}", text(&model));
        }
    }
}

#[test]
fn help_shows_each_sentence_whole() {
    let mut model = told((160, 60), Depth::None);
    press(&mut model, "?");
    let drawn = text(&model);
    let own = PANES.iter().flat_map(|pane| pane.commands);
    for command in openbell::tui::COMMANDS.iter().map(|row| &row.command).chain(own) {
        assert!(drawn.contains(command.sentence), "'{}' is not in\n{drawn}", command.sentence);
    }
}

#[test]
fn a_long_symbol_takes_no_prices_off_the_screen() {
    let made = [Made::new("O:SPY251219C00650000", 1_234_567.25, 1_234_000.0, "iex"), Made::new("AAPL", 201.0, 200.0, "iex")];
    let view = MarketView { instruments: (1..).zip(&made).map(|(id, made)| Arc::new(instrument(id, made))).collect(), ..market() };
    let drawn = text(&model(view.clone(), (40, 10)));
    assert!(drawn.contains("1,234,567.25") && drawn.contains("201.00"), "{drawn}");
    let longest = Made::new("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLMN", 99.5, 99.0, "iex");
    let view = MarketView { instruments: vec![Arc::new(instrument(1, &longest)), Arc::new(instrument(2, &made[1]))], ..view };
    let drawn = text(&model(view, (40, 10)));
    assert!(drawn.contains("99.50") && drawn.contains("201.00"), "{drawn}");
}

#[test]
fn four_kinds_of_old_are_told_apart() {
    let mut model = told((160, 50), Depth::None);
    press(&mut model, "z");
    let drawn = text(&model);
    let line =
        |symbol: &str| drawn.lines().find(|line| line.contains(&format!("┃{symbol} "))).unwrap_or_else(|| panic!("{symbol} in\n{drawn}"));
    for (symbol, parts) in [
        ("SPY", &["604.16", "0.00", "0.00%", " 3s"][..]),
        ("AAPL", &["201.00", "+1.00", "+0.50% ▲"][..]),
        ("MSFT", &["396.00", "-4.00", "-1.00% ▼"][..]),
        ("NVDA", &["149.53", "! 5m"][..]),
        ("BTC-USD", &["90,109.95", "! 2h"][..]),
        ("VOD:XLON", &["80.68 D15", " 15m"][..]),
        ("7203:XTKS", &["2,871.5 D20", "quiet 9h"][..]),
        ("^GSPC", &["6,602.99 EOD", "18h"][..]),
        ("EUR/USD", &[" - ", "no price"][..]),
        ("BRK.A", &["1,234,567,890.12"][..]),
        ("PEPE-USD", &["0.00000712", "-0.00000038"][..]),
        ("O:SPY251219C00650000", &["0.05", "+0.01"][..]),
    ] {
        for part in parts {
            assert!(line(symbol).contains(part), "{part} in {}", line(symbol));
        }
    }
    assert!(!line("VOD:XLON").contains('!') && !line("7203:XTKS").contains('!') && !line("^GSPC").contains('!'));
    assert!(drawn.lines().next().unwrap().contains("! 2 stale"), "{drawn}");
}

#[test]
fn a_stale_price_is_marked_at_every_width() {
    for width in 40..=200 {
        let drawn = text(&model(market(), (width, 24)));
        for (symbol, price) in [("NVDA", "149.53"), ("BTC-USD", "90,109.95")] {
            let line = drawn.lines().find(|line| line.starts_with(&format!("┃{symbol} "))).unwrap_or_default();
            assert!(!line.contains(price) || line.contains('!'), "{symbol} looks fresh at {width} columns:\n{drawn}");
        }
    }
}

#[test]
fn trouble_is_in_the_header_at_every_width() {
    for width in 60..=200 {
        let drawn = text(&model(market(), (width, 24)));
        let header = drawn.lines().next().unwrap_or_default();
        assert!(header.contains("coinbase dead") || header.contains("feeds"), "no dead feed at {width} columns: {header}");
        assert!(header.contains("store not written"), "a store that is not written, at {width} columns: {header}");
    }
}

/// A letter for the meaning of each cell's colour; upper case and signs are reversed.
fn letter(cell: &ratatui::buffer::Cell) -> char {
    if cell.symbol() == " " && !cell.modifier.contains(Modifier::REVERSED) {
        return ' ';
    }
    let bold = cell.modifier.contains(Modifier::BOLD);
    let letter = match cell.fg {
        Color::Reset => '.',
        Color::Green => 'u',
        Color::Red if bold => 'e',
        Color::Red => 'd',
        Color::Cyan => 'a',
        Color::Yellow => 'w',
        Color::DarkGray => '-',
        Color::Black => 'b',
        _ => '?',
    };
    match (cell.modifier.contains(Modifier::REVERSED), letter) {
        (false, letter) => letter,
        (true, '.') => '#',
        (true, '-') => '=',
        (true, letter) => letter.to_ascii_uppercase(),
    }
}

fn draw(model: &Model) -> Buffer {
    let (width, height) = model.size();
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| view(model, frame)).unwrap();
    terminal.backend().buffer().clone()
}

fn lines_of(buffer: &Buffer, sign: impl Fn(&ratatui::buffer::Cell) -> String) -> Vec<String> {
    let width = usize::from(buffer.area.width).max(1);
    buffer.content.chunks(width).map(|row| row.iter().map(&sign).collect()).collect()
}

/// The letters below a word, in the first line that has both `line` and the word.
fn roles(buffer: &Buffer, line: &str, word: &str) -> String {
    let drawn = lines_of(buffer, |cell| cell.symbol().to_owned());
    let letters = lines_of(buffer, |cell| letter(cell).to_string());
    let found = drawn.iter().zip(&letters).find(|(text, _)| text.contains(line) && text.contains(word));
    let (text, letters) = found.unwrap_or_else(|| panic!("{line} with {word} in\n{}", drawn.join("\n")));
    let at = text[..text.find(word).unwrap()].chars().count();
    letters.chars().skip(at).take(word.chars().count()).collect()
}

#[test]
fn colours_mean_what_they_should() {
    let mut model = told((160, 50), Depth::Sixteen);
    press(&mut model, "z");
    let buffer = draw(&model);
    for (line, word, expected) in [
        ("AAPL", "+0.50% ▲", "uuuuuu u"),
        ("AAPL", "+1.00", "uuuuu"),
        ("MSFT", "-1.00% ▼", "dddddd d"),
        ("MSFT", "396.00", "......"),
        ("NVDA", "149.53", "------"),
        ("NVDA", "+1.53", "-----"),
        ("NVDA", "! 5m", "w ww"),
        ("BTC-USD", "90,109.95", "---------"),
        ("BTC-USD", "! 2h", "w ww"),
        ("VOD:XLON", "80.68 D15", "..... ..."),
        ("^GSPC", "6,602.99 EOD", "........ ..."),
        ("7203:XTKS", "quiet 9h", "----- --"),
        ("EUR/USD", "no price", "-- -----"),
        ("SPY", "SPY", "AAA"),
        ("SIMULATED", "SIMULATED", "bbbbbbbbb"),
        ("SIMULATED", "coinbase dead", "eeeeeeee eeee"),
        ("SIMULATED", "! 2 stale", "w w wwwww"),
    ] {
        assert_eq!(roles(&buffer, line, word), expected, "{line}: {word}");
    }
    let letters = lines_of(&buffer, |cell| letter(cell).to_string());
    let letters: Vec<&str> = letters.iter().map(|line| line.trim_end()).collect();
    insta::assert_snapshot!("roles_of_the_watchlist", letters.join("\n"));
}

#[test]
fn paper_says_the_same_in_every_format() {
    let mut model = told((120, 40), Depth::Sixteen);
    for keys in ["", "?", "esc b"] {
        press(&mut model, keys);
        let plain = text(&model);
        let bare = without_escapes(&paper(&model, Format::Ansi));
        let bare: Vec<&str> = bare.lines().map(str::trim_end).collect();
        assert_eq!(bare, plain.lines().collect::<Vec<_>>());
        let svg = paper(&model, Format::Svg);
        check_xml(&svg);
        assert_eq!(words(&texts(&svg)), words(&plain));
    }
    assert!(
        std::panic::catch_unwind(|| check_xml("<a><b></a>")).is_err() && std::panic::catch_unwind(|| check_xml("<a>1 & 2</a>")).is_err()
    );
}

/// Text without escape sequences.
pub fn without_escapes(ansi: &str) -> String {
    let mut parts = ansi.split("\x1b[");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once('m').map_or("", |(_, rest)| rest))
}

/// Panics on what is no well-formed XML: tags that do not match, bare `<` and `&`, attributes without quotes.
pub fn check_xml(xml: &str) {
    let mut open: Vec<&str> = Vec::new();
    for part in xml.split('<').skip(1) {
        let (tag, text) = part.split_once('>').unwrap_or_else(|| panic!("a tag without an end: {part}"));
        for entity in text.split('&').skip(1) {
            assert!(["amp;", "lt;", "gt;", "quot;", "#"].iter().any(|known| entity.starts_with(known)), "a bare &: {text}");
        }
        assert!(tag.matches('"').count() % 2 == 0, "a quote without its other: {tag}");
        let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap_or_default();
        match (tag.starts_with('/'), tag.ends_with('/')) {
            (true, _) => assert_eq!(open.pop(), Some(name), "</{name}> closes another tag"),
            (false, true) => {}
            (false, false) => open.push(name),
        }
    }
    assert!(open.is_empty(), "{open:?} is never closed");
}

/// What stands between the tags.
fn texts(xml: &str) -> String {
    let texts: Vec<_> = xml.split("<text ").skip(1).filter_map(|part| part.split_once('>')?.1.split('<').next()).collect();
    texts.join(" ").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

/// The letters and figures of a text, in order, wherever its lines and colours break it.
fn words(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}

/// A row of any kind.
#[derive(Clone, Debug)]
struct AnyRow {
    kind: u8,
    price: Option<(f64, i32)>,
    change: Option<f64>,
    precision: u8,
    quote: bool,
    volume: Option<(f64, i32)>,
    age: u64,
    source: usize,
    delay: u8,
}

const SOURCES: [&str; 8] = ["iex", "yahoo", "quotes", "kraken", "coinbase", "finnhub", "polygon", "unheard-of"];

fn any_row() -> impl Strategy<Value = AnyRow> {
    let size = || prop::option::weighted(0.85, (1.0..10.0_f64, -6..11_i32));
    let change = prop::option::weighted(0.85, -0.9..9.0_f64);
    let facts = (0..4_u8, 0..=8_u8, any::<bool>(), 0..400_000_u64, 0..SOURCES.len(), 0..4_u8);
    (size(), change, size(), facts).prop_map(|(price, change, volume, (kind, precision, quote, age, source, delay))| AnyRow {
        kind,
        price,
        change,
        precision,
        quote,
        volume,
        age,
        source,
        delay,
    })
}

fn view_of(rows: &[AnyRow]) -> MarketView {
    let view_row = |(id, row): (i64, &AnyRow)| {
        let symbol = match row.kind {
            0 => format!("A{id}"),
            1 => format!("LONGER{id}.B"),
            2 => format!("C{id}-USD"),
            _ => format!("O:SPY251219C{id:08}"),
        };
        let listed = Instrument::listed(InstrumentId(id), symbol.parse().unwrap());
        let mut made = InstrumentView::new(Instrument { precision: row.precision, ..listed });
        let last = row.price.map(|(digits, exponent)| digits * 10_f64.powi(exponent));
        made.delay = [Delay::RealTime, Delay::Seconds(900), Delay::EndOfDay, Delay::Unknown][usize::from(row.delay)];
        made.last = last.map(|value| Price { value, ts_event: ago(row.age), confirmed: ago(row.age) });
        made.source = last.map(|_| Source::new(SOURCES[row.source]));
        made.reference = last.zip(row.change).map(|(last, change)| last * (1.0 + change));
        if row.quote {
            made.quote = Quote { bid: last.map(|last| last * 0.999), bid_size: None, ask: last.map(|last| last * 1.001), ask_size: None };
            (made.day_low, made.day_high) = (last.map(|last| last * 0.9), last.map(|last| last * 1.1));
            made.closes = last.into_iter().chain(made.reference).collect();
        }
        made.volume = row.volume.map(|(digits, exponent)| (digits * 10_f64.powi(exponent)).round());
        Arc::new(made)
    };
    MarketView { instruments: (1..).zip(rows).map(view_row).collect(), ..market() }
}

/// Texts of a line with their columns: two blanks part them.
fn segments(line: &[char]) -> Vec<(usize, usize, String)> {
    let mut found: Vec<(usize, usize, String)> = Vec::new();
    for (at, c) in line.iter().enumerate().filter(|(_, c)| **c != ' ') {
        match found.last_mut() {
            Some((_, end, text)) if at - *end < 2 => {
                text.push_str(&" ".repeat(at - *end));
                text.push(*c);
                *end = at + 1;
            }
            _ => found.push((at, at + 1, c.to_string())),
        }
    }
    found
}

/// The inside of the frame with the thick border.
fn focused_frame(buffer: &Buffer) -> Vec<Vec<char>> {
    let lines: Vec<Vec<char>> = lines_of(buffer, |cell| cell.symbol().to_owned()).iter().map(|line| line.chars().collect()).collect();
    let (top, left) =
        lines.iter().enumerate().find_map(|(y, line)| Some((y, line.iter().position(|c| *c == '┏')?))).expect("a thick frame");
    let right = lines[top].iter().position(|c| *c == '┓').expect("its other corner");
    let bottom = (top..lines.len()).find(|y| lines[*y][left] == '┗').expect("its lower corner");
    lines[top + 1..bottom].iter().map(|line| line[left + 1..right].to_vec()).collect()
}

fn number(text: &str) -> f64 {
    text.replace(',', "").parse().unwrap_or_else(|_| panic!("'{text}' is no number"))
}

/// Whether a drawn number is a value, to its last decimal.
fn is_near(drawn: &str, value: f64, decimals: u8) -> bool {
    let plain = drawn.replace(',', "");
    let shown = plain.split_once('.').map_or(0, |(_, fraction)| fraction.len());
    let half = 0.5 * 0.1_f64.powi(i32::from(decimals));
    shown == usize::from(decimals) && (number(drawn) - value).abs() <= half * 1.000_001 + value.abs() * 1e-14
}

/// Whether a quantity of three figures is a value.
fn is_about(drawn: &str, value: f64) -> bool {
    let units = [('K', 1e3), ('M', 1e6), ('B', 1e9), ('T', 1e12)];
    let unit = units.iter().find(|(name, _)| drawn.ends_with(*name));
    let (digits, factor) = unit.map_or((drawn, 1.0), |(name, factor)| (drawn.trim_end_matches(*name), *factor));
    (number(digits) * factor - value).abs() <= value.abs() * 0.005_01
}

fn age_of(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m", seconds / 60),
        3_600..86_400 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// What is wrong with a cell of the watchlist.
fn check_cell(column: &str, drawn: &str, row: &InstrumentView, view: &MarketView) -> Result<(), String> {
    let decimals = row.precision();
    let last = row.last.map(|last| last.value);
    let against = |value: Option<f64>, drawn: &str| value.is_some_and(|value| is_near(drawn, value, decimals));
    let right = match column {
        // A name may be shortened, visibly.
        "symbol" => match drawn.strip_suffix('…') {
            Some(begin) => begin.len() >= 7 && row.instrument.symbol.as_str().starts_with(begin),
            None => drawn == row.instrument.symbol.as_str(),
        },
        "last" => match (last, drawn.split_once(' ')) {
            (None, _) => drawn == "-",
            (Some(value), Some((number, mark))) => mark == row.delay.mark() && is_near(number, value, decimals),
            (Some(value), None) => row.delay == Delay::RealTime && is_near(drawn, value, decimals),
        },
        "change" => against(last.zip(row.reference).map(|(last, reference)| last - reference), drawn),
        "change %" => {
            let percent = last.zip(row.reference).map(|(last, reference)| (last - reference) / reference * 100.0);
            let (number, arrow) = drawn.split_once("% ").unwrap_or((drawn.trim_end_matches('%'), ""));
            let points = if number.starts_with('-') {
                "▼"
            } else if number.starts_with('+') {
                "▲"
            } else {
                ""
            };
            arrow == points && drawn.contains('%') && percent.is_some_and(|percent| is_near(number, percent, 2))
        }
        "bid" => against(row.quote.bid, drawn),
        "ask" => against(row.quote.ask, drawn),
        "volume" => row.volume.is_some_and(|volume| is_about(drawn, volume)),
        "day range" => drawn.chars().count() == 9 && drawn.starts_with('├') && drawn.ends_with('┤'),
        "trend" => drawn.chars().count() == row.closes.len(),
        "source" => row.source.as_ref().is_some_and(|source| source.as_str() == drawn),
        "age" => drawn == expected_age(row, view),
        _ => false,
    };
    if right { Ok(()) } else { Err(format!("{column} of {} is drawn as '{drawn}': {row:?}", row.instrument.symbol)) }
}

fn expected_age(row: &InstrumentView, view: &MarketView) -> String {
    let Some(last) = row.last else { return "no price".to_owned() };
    let age = age_of(now().since(last.ts_event).as_secs());
    match standing(row, view, &CALENDARS, now(), view.stale_after) {
        Standing::Stale => format!("! {age}"),
        Standing::Quiet => format!("quiet {age}"),
        Standing::Fresh | Standing::Empty => age,
    }
}

/// Reads the watchlist back from the screen and holds each cell against the model; says how many there were.
fn check_watchlist(frame: &[Vec<char>], view: &MarketView) -> Result<usize, String> {
    let Some((header, lines)) = frame.split_first() else { return Ok(0) };
    let left = ["symbol", "day range", "trend", "source"];
    let columns = segments(header);
    let shown: Vec<_> = view.instruments.iter().take(lines.len()).collect();
    let mut checked = 0;
    for (line, row) in lines.iter().zip(&shown) {
        for (start, end, drawn) in segments(line) {
            let here = |(from, to, title): &&(usize, usize, String)| {
                if left.contains(&title.as_str()) { *from == start } else { *to == end || (title == "change %" && *to == end + 2) }
            };
            let column = columns.iter().find(here).ok_or_else(|| format!("'{drawn}' stands in no column: {row:?}"))?;
            check_cell(&column.2, &drawn, row, view)?;
            checked += 1;
        }
    }
    let blank = |line: &Vec<char>| line.iter().all(|c| *c == ' ');
    if lines.iter().skip(shown.len()).all(blank) { Ok(checked) } else { Err("something stands below the rows".to_owned()) }
}

#[test]
fn a_cut_number_is_noticed() {
    let view = MarketView { instruments: vec![Arc::new(instrument(1, &Made::new("AAPL", 1_201.5, 1_200.0, "iex")))], ..market() };
    let frame = |row: &str| ["symbol      last", row].map(|line| line.chars().collect::<Vec<_>>());
    assert_eq!(check_watchlist(&frame("AAPL    1,201.50"), &view), Ok(2));
    for wrong in ["AAPL     ,201.50", "AAPL      201.50", "AAPL     1,201.5", "AAP     1,201.50", "AAPL   1,201.50 ", "AAPL    1,201.51"] {
        assert!(check_watchlist(&frame(wrong), &view).is_err(), "{wrong}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn each_number_drawn_is_the_models(
        rows in prop::collection::vec(any_row(), 1..40),
        width in 40..=260_u16,
        height in 10..=90_u16,
        zoomed in any::<bool>(),
    ) {
        let view = view_of(&rows);
        let mut model = model(view.clone(), (width, height));
        if zoomed {
            press(&mut model, "z");
        }
        let frame = focused_frame(&draw(&model));
        let checked = check_watchlist(&frame, &view);
        prop_assert!(checked.is_ok(), "{}\n{}", checked.unwrap_err(), text(&model));
        if width >= 80 {
            let rows = rows.len().min(frame.len() - 1);
            prop_assert!(checked.unwrap() >= rows * 2, "prices are missing\n{}", text(&model));
        }
    }

    #[test]
    fn nothing_panics_and_simulated_is_always_said(
        rows in prop::collection::vec(any_row(), 0..20),
        steps in prop::collection::vec((prop::sample::select(KEYS.to_vec()), 1..=260_u16, 1..=90_u16), 1..40),
        starts_large in any::<bool>(),
    ) {
        let mut model = told(if starts_large { (160, 50) } else { (1, 1) }, Depth::Sixteen);
        let mut view = view_of(&rows);
        for (key, width, height) in steps {
            press(&mut model, key);
            if key == "j" {
                update(&mut model, Msg::Resize(width, height));
                view.sequence += 1;
                update(&mut model, Msg::View(Arc::new(view.clone())));
            }
            let drawn = text(&model);
            prop_assert_eq!(drawn.lines().count(), usize::from(model.size().1));
            let whole: String = "SIMULATED".chars().take(usize::from(model.size().0)).collect();
            prop_assert!(drawn.contains(&whole), "after {} at {:?}:\n{}", key, model.size(), drawn);
        }
    }
}

/// Keys to press at random; `j` also changes the size and the picture.
const KEYS: [&str; 38] = [
    "?",
    ":",
    "b",
    "e",
    "a",
    "d",
    "q",
    "n",
    "enter",
    "esc",
    "tab",
    "shift-tab",
    "z",
    "L",
    "/",
    "p",
    "s",
    "S",
    "j",
    "j",
    "j",
    "k",
    "G",
    "g",
    "ctrl-d",
    "ctrl-u",
    "pagedown",
    "1",
    "2",
    "3",
    "4",
    "5",
    "6",
    "h",
    "v",
    "f",
    "x",
    "backspace",
];

#[test]
fn random_keys_hold_every_pane_and_every_popup() {
    let known: BTreeSet<&str> = KEYS.into_iter().collect();
    for command in PANES.iter().flat_map(|pane| pane.commands).chain(openbell::tui::COMMANDS.iter().map(|row| &row.command)) {
        let random = command.keys.iter().any(|key| known.contains(key));
        assert!(random || ["refresh", "suspend", "logs"].contains(&command.name), "{} is never pressed", command.name);
    }
}
