//! What messages do to the screen: `update` without a terminal.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use openbell::market::InstrumentId;
use openbell::pane::{Effect, PANES};
use openbell::request::{BackfillAsk, EngineEvent, Estimate, Reply, Request};
use openbell::snapshot::{InstrumentView, JobState, JobView, MarketView, WriterView};
use openbell::tui::{COMMANDS, LAYOUTS, Model, Msg, update};

use crate::screens::{model, now, press, tell, text, type_text};

const LARGE: (u16, u16) = (160, 50);

/// A picture without jobs.
fn idle() -> MarketView {
    MarketView { jobs: Vec::new(), ..market() }
}

/// The market of the pictures, on a good day: nothing waits for its disk.
fn market() -> MarketView {
    MarketView { writer: Arc::default(), ..crate::screens::market() }
}

/// The number and name in the frame that has the keys.
fn focused(model: &Model) -> String {
    let drawn = text(model);
    let title = drawn.split("┏ ").nth(1).unwrap_or_else(|| panic!("no pane has the keys\n{drawn}"));
    title.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
}

fn footer(model: &Model) -> String {
    text(model).lines().last().unwrap_or_default().to_owned()
}

fn has_popup(model: &Model) -> bool {
    text(model).contains('╭')
}

fn show(model: &mut Model, view: &MarketView) {
    update(model, Msg::View(Arc::new(view.clone())));
}

/// Changes one row of a picture.
fn with_price(view: &MarketView, at: usize, value: f64) -> MarketView {
    let mut row: InstrumentView = (*view.instruments[at]).clone();
    row.last = row.last.map(|last| openbell::snapshot::Price { value, ..last });
    let mut view = view.clone();
    view.instruments[at] = Arc::new(row);
    view
}

/// The symbols in the watchlist, from the top.
fn symbols(model: &Model) -> Vec<String> {
    let drawn = text(model);
    let rows = drawn.lines().skip(3).take_while(|line| line.starts_with('┃'));
    let words = rows.filter_map(|line| line.trim_start_matches('┃').split_whitespace().next());
    words.filter(|word| !word.starts_with('┃')).map(str::to_owned).collect()
}

/// Which instrument enter opens.
fn under_cursor(model: &mut Model) -> InstrumentId {
    let effects = press(model, "enter");
    press(model, "esc");
    match effects.as_slice() {
        [Effect::Ask(Request::Detail(id))] => *id,
        other => panic!("enter asks {other:?}"),
    }
}

/// What nobody sees is not done, but for leaving.
#[test]
fn on_a_screen_without_room_only_quitting_is_heard() {
    let mut model = model(idle(), LARGE);
    let before = text(&model);
    update(&mut model, Msg::Resize(20, 5));
    for keys in ["d", "d enter", "z", "?", "a", "b"] {
        assert_eq!(press(&mut model, keys), [], "{keys}");
    }
    update(&mut model, Msg::Paste("BTC-USD".to_owned()));
    update(&mut model, Msg::Resize(LARGE.0, LARGE.1));
    assert_eq!(text(&model), before);
    update(&mut model, Msg::Resize(20, 5));
    press(&mut model, "q");
    assert!(model.quit);
}

#[test]
fn esc_never_quits() {
    for keys in ["", "?", ":", "b", "e", "a", "d", "enter", "z", "/", "L", "4 enter", "q", "p"] {
        let mut model = model(market(), LARGE);
        press(&mut model, keys);
        for _ in 0..5 {
            assert_eq!(press(&mut model, "esc"), [], "after {keys}");
            assert!(!model.quit, "after {keys}");
        }
        assert!(!has_popup(&model), "after {keys}");
    }
}

#[test]
fn esc_closes_one_thing_at_a_time() {
    let mut model = model(idle(), LARGE);
    press(&mut model, "/");
    type_text(&mut model, "btc");
    press(&mut model, "enter z ?");
    assert!(has_popup(&model));
    press(&mut model, "esc");
    assert!(!has_popup(&model) && !text(&model).contains(" 2 market"));
    press(&mut model, "esc");
    assert!(text(&model).contains(" 2 market") && text(&model).contains("watchlist 1 of 12"));
    press(&mut model, "esc");
    assert!(text(&model).contains("1 watchlist 12 "), "{}", text(&model));
}

#[test]
fn quit_asks_only_while_something_is_at_work() {
    let job = |state| {
        let mut view = market();
        view.jobs = vec![Arc::new(JobView { state, ..(*view.jobs[0]).clone() })];
        view
    };
    for (state, asks) in [
        (JobState::Queued, true),
        (JobState::Running, true),
        (JobState::Done, false),
        (JobState::Failed, false),
        (JobState::Cancelled, false),
    ] {
        for key in ["q", "ctrl-c"] {
            let mut model = model(job(state), LARGE);
            press(&mut model, key);
            assert_eq!((model.quit, text(&model).contains("A job is at work")), (!asks, asks), "{state:?} {key}");
        }
    }
    let mut model = model(market(), LARGE);
    press(&mut model, "q");
    assert!(text(&model).contains("2 jobs are at work"), "{}", text(&model));
    press(&mut model, "x n");
    assert!(!model.quit && !has_popup(&model));
    press(&mut model, "q y");
    assert!(model.quit);
}

#[test]
fn a_paused_screen_stands_still_and_counts_what_it_holds() {
    let first = idle();
    let mut model = model(first.clone(), LARGE);
    assert!(text(&model).contains("604.16"));
    press(&mut model, "p");
    show(&mut model, &MarketView { sequence: first.sequence + 3, ..with_price(&first, 0, 605.5) });
    show(&mut model, &MarketView { sequence: first.sequence + 7, ..with_price(&first, 0, 606.25) });
    let drawn = text(&model);
    assert!(drawn.contains("604.16") && !drawn.contains("606.25") && drawn.contains(" 7 changes held"), "{drawn}");
    update(&mut model, Msg::Tick(now() + Duration::from_secs(42)));
    assert!(text(&model).contains("PAUSED 42 s"), "{}", text(&model));
    press(&mut model, "p");
    let drawn = text(&model);
    assert!(drawn.contains("606.25") && !drawn.contains("PAUSED") && !drawn.contains("605.5"), "{drawn}");
    show(&mut model, &MarketView { sequence: first.sequence + 8, ..with_price(&first, 0, 607.75) });
    assert!(text(&model).contains("607.75"));
}

#[test]
fn quit_asks_while_rows_wait_for_a_store_that_takes_none() {
    let asks = |queued: usize, error: Option<&str>| {
        let writer = WriterView { queued, error: error.map(str::to_owned), ..WriterView::default() };
        let mut model = model(MarketView { jobs: Vec::new(), writer: Arc::new(writer), ..market() }, LARGE);
        press(&mut model, "q");
        assert!(model.quit != text(&model).contains("rows wait in memory"));
        !model.quit
    };
    assert!(asks(7, Some("the disk is full")));
    assert!(!asks(7, None), "they are on their way");
    assert!(!asks(0, Some("cannot reach it")), "they are in the spool");
}

#[test]
fn quit_asks_about_a_job_that_began_behind_a_paused_screen() {
    let mut model = model(idle(), LARGE);
    press(&mut model, "p");
    show(&mut model, &market());
    press(&mut model, "q");
    assert!(!model.quit && text(&model).contains("2 jobs are at work"));
}

#[test]
fn a_filter_shows_what_matches_and_stays_with_its_pane() {
    let mut model = model(idle(), LARGE);
    press(&mut model, "/");
    assert!(footer(&model).starts_with("/▏"));
    type_text(&mut model, "usd");
    assert_eq!(symbols(&model), ["BTC-USD", "EUR/USD", "PEPE-USD"]);
    assert!(text(&model).contains("watchlist 3 of 12 · /usd"), "{}", text(&model));
    press(&mut model, "backspace backspace backspace");
    type_text(&mut model, "q");
    assert!(!model.quit, "a typed letter is no command");
    assert!(text(&model).contains("nothing matches"), "{}", text(&model));
    press(&mut model, "backspace");
    type_text(&mut model, "pe");
    press(&mut model, "enter");
    assert_eq!(symbols(&model), ["PEPE-USD"]);
    assert!(text(&model).contains("finnhub"), "{}", text(&model));
    press(&mut model, "3 /");
    type_text(&mut model, "coinbase");
    press(&mut model, "enter");
    assert!(!text(&model).contains("finnhub"), "{}", text(&model));
    press(&mut model, "1");
    assert_eq!(symbols(&model), ["PEPE-USD"]);
    press(&mut model, "esc");
    assert_eq!(symbols(&model).len(), 12);
    assert!(!text(&model).contains("finnhub"), "each pane keeps its own filter");
}

#[test]
fn tab_goes_round_the_panes_that_are_shown_and_shift_tab_back() {
    let rings: [((u16, u16), &[&str]); 3] = [
        (LARGE, &["1 watchlist", "2 market", "3 ingestion", "4 alerts", "5 jobs", "6 logs"]),
        ((120, 30), &["1 watchlist", "2 market", "3 ingestion", "4 alerts", "6 logs"]),
        ((80, 24), &["1 watchlist", "2 market", "3 ingestion"]),
    ];
    for (size, ring) in rings {
        let mut model = model(idle(), size);
        for expected in ring.iter().chain(&ring[..1]) {
            assert_eq!(focused(&model), *expected, "{size:?}");
            press(&mut model, "tab");
        }
        press(&mut model, "1");
        for expected in ring.iter().rev() {
            press(&mut model, "shift-tab");
            assert_eq!(focused(&model), *expected, "{size:?}");
        }
    }
}

#[test]
fn every_pane_can_be_reached_where_only_one_fits() {
    let mut model = model(idle(), (40, 10));
    let seen: BTreeSet<String> = (0..PANES.len())
        .map(|_| {
            press(&mut model, "tab");
            focused(&model)
        })
        .collect();
    assert_eq!(seen.len(), PANES.len(), "{seen:?}");
}

#[test]
fn the_pane_that_has_the_keys_is_in_sight_at_every_size() {
    for (layout, _) in LAYOUTS.iter().enumerate() {
        for number in 1..=PANES.len() {
            let mut model = model(idle(), LARGE);
            press(&mut model, &"L ".repeat(layout));
            press(&mut model, &number.to_string());
            for width in [40, 41, 75, 76, 79, 80, 109, 110, 139, 140, 160, 250] {
                for height in [10, 13, 15, 16, 17, 19, 20, 21, 27, 28, 29, 41, 42, 43, 60] {
                    update(&mut model, Msg::Resize(width, height));
                    let name = format!("{number} {}", PANES[number - 1].name);
                    assert_eq!(focused(&model), name, "{} at {width}x{height}", LAYOUTS[layout].name);
                    assert!(!text(&model).contains("too small"));
                }
            }
        }
    }
}

#[test]
fn layouts_come_round() {
    let mut model = model(idle(), LARGE);
    let mut shown = Vec::new();
    for layout in LAYOUTS.iter().cycle().skip(1).take(LAYOUTS.len()) {
        press(&mut model, "z L");
        assert!(footer(&model).contains(layout.sentence), "{}", footer(&model));
        let drawn = text(&model);
        let panes = (1..).zip(PANES).filter(|(number, pane)| drawn.contains(&format!(" {number} {}", pane.name)));
        shown.push(panes.map(|(number, _)| number).collect::<Vec<i32>>());
    }
    assert_eq!(shown, [vec![1, 4], vec![3, 4, 5, 6], vec![1, 2, 3, 4, 5, 6]]);
    assert_eq!(focused(&model), "1 watchlist");
}

#[test]
fn a_toast_goes_after_six_seconds() {
    let mut model = model(idle(), LARGE);
    tell(&mut model, EngineEvent::Reply(Reply::Done("TSLA added".to_owned())));
    assert_eq!(footer(&model), "✓ TSLA added");
    update(&mut model, Msg::Tick(now() + Duration::from_secs(5)));
    assert_eq!(footer(&model), "✓ TSLA added");
    update(&mut model, Msg::Tick(now() + Duration::from_secs(6)));
    assert!(footer(&model).contains("q quit"), "{}", footer(&model));
    tell(&mut model, EngineEvent::Reply(Reply::Failed("no enabled source has XYZ".to_owned())));
    assert_eq!(footer(&model), "✗ no enabled source has XYZ");
}

#[test]
fn pasted_text_never_runs_commands() {
    let paste = |model: &mut Model, text: &str| update(model, Msg::Paste(text.to_owned()));
    let mut model = model(market(), LARGE);
    let before = text(&model);
    for pasted in ["q", "?", "d", "rrr", "qy", "L\n", "\u{3}", "z/aapl"] {
        assert_eq!(paste(&mut model, pasted), [], "{pasted:?}");
        assert!(!model.quit && text(&model) == before, "{pasted:?}\n{}", text(&model));
    }
    press(&mut model, "/");
    paste(&mut model, "peq\r\n");
    assert!(footer(&model).starts_with("/peq▏"), "{}", footer(&model));
    press(&mut model, "esc a");
    paste(&mut model, "vod:xlon");
    assert!(text(&model).contains("vod:xlon▏"), "{}", text(&model));
}

#[test]
fn pasted_text_is_no_answer_to_a_question() {
    for (question, keys) in [("2 jobs are at work", "q"), ("Take SPY off the list?", "d"), ("Show what each key does.", "?")] {
        let mut model = model(market(), LARGE);
        press(&mut model, keys);
        let effects = update(&mut model, Msg::Paste("yes quit".to_owned()));
        assert!(effects.is_empty() && !model.quit, "{question}: {effects:?}");
        assert!(text(&model).contains(question), "a paste closed it\n{}", text(&model));
    }
}

fn estimates(effects: &[Effect]) -> Vec<BackfillAsk> {
    let asked = effects.iter().filter_map(|effect| match effect {
        Effect::Ask(Request::Estimate(ask)) => Some(ask.clone()),
        _ => None,
    });
    asked.collect()
}

fn estimate(ask: &BackfillAsk, requests: u64) -> EngineEvent {
    let time = Duration::from_secs(requests);
    EngineEvent::Reply(Reply::Estimate(Estimate { ask: ask.clone(), requests, time, sources: vec!["yahoo".to_owned()], warning: None }))
}

#[test]
fn only_the_newest_question_is_answered() {
    let mut model = model(idle(), LARGE);
    let first = estimates(&press(&mut model, "b tab"));
    let second = estimates(&type_text(&mut model, "0"));
    assert_eq!((first.len(), second.len()), (1, 1));
    assert_ne!(first, second);
    assert!(text(&model).contains("estimating"));
    tell(&mut model, estimate(&first[0], 999));
    assert!(!text(&model).contains("999") && text(&model).contains("estimating"), "{}", text(&model));
    tell(&mut model, estimate(&second[0], 7));
    assert!(text(&model).contains("7 requests to yahoo"), "{}", text(&model));
    tell(&mut model, estimate(&first[0], 999));
    assert!(!text(&model).contains("999"), "{}", text(&model));
}

#[test]
fn a_late_answer_to_an_older_question_leaves_the_newest_answer_there() {
    let mut model = model(idle(), LARGE);
    let first = estimates(&press(&mut model, "b tab"));
    let second = estimates(&type_text(&mut model, "0"));
    tell(&mut model, estimate(&second[0], 7));
    tell(&mut model, estimate(&first[0], 999));
    assert!(text(&model).contains("7 requests to yahoo"), "{}", text(&model));
}

#[test]
fn a_failed_older_question_does_not_hide_the_newest_answer() {
    let mut model = model(idle(), LARGE);
    press(&mut model, "b tab");
    let second = estimates(&type_text(&mut model, "0"));
    tell(&mut model, EngineEvent::Reply(Reply::Failed("coinbase has no 1w history".to_owned())));
    tell(&mut model, estimate(&second[0], 7));
    assert!(text(&model).contains("7 requests to yahoo"), "{}", text(&model));
}

#[test]
fn a_wrong_range_is_said_and_enter_does_nothing() {
    let mut model = model(idle(), LARGE);
    press(&mut model, "b tab ctrl-u");
    type_text(&mut model, "soon");
    assert!(text(&model).contains("'soon' is no range"), "{}", text(&model));
    assert_eq!(press(&mut model, "enter"), []);
    assert!(has_popup(&model));
    press(&mut model, "ctrl-u");
    type_text(&mut model, "2026-11-02..2026-11-03");
    let effects = press(&mut model, "enter");
    let [Effect::Ask(Request::Backfill(ask))] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!((ask.from.to_string().as_str(), ask.to.to_string().as_str()), ("2026-11-02T05:00:00Z", "2026-11-03T05:00:00Z"));
    assert!(!has_popup(&model));
}

#[test]
fn the_palette_runs_the_command_that_is_typed() {
    let own = PANES.iter().flat_map(|pane| pane.commands.iter());
    for command in COMMANDS.iter().map(|row| &row.command).chain(own) {
        let mut model = model(idle(), LARGE);
        press(&mut model, ":");
        type_text(&mut model, command.name);
        let drawn = text(&model);
        let first = drawn.lines().skip_while(|line| !line.contains(&format!(":{}▏", command.name))).nth(1).unwrap_or_default();
        assert!(first.contains(&format!("│ {} ", command.name)), "'{}' finds another first\n{drawn}", command.name);
    }
}

#[test]
fn the_palette_takes_commands_to_their_pane() {
    let mut model = model(idle(), LARGE);
    press(&mut model, ":");
    type_text(&mut model, "holidays");
    press(&mut model, "enter");
    assert_eq!(focused(&model), "2 market");
    assert!(text(&model).contains("market holidays") && !has_popup(&model));
    press(&mut model, ":");
    type_text(&mut model, "zoom");
    press(&mut model, "enter");
    assert!(!text(&model).contains(" 1 watchlist"));
    press(&mut model, ":");
    type_text(&mut model, "quit");
    press(&mut model, "enter");
    assert!(model.quit);
}

#[test]
fn the_cursor_stays_on_its_symbol_when_rows_move() {
    let mut model = model(idle(), LARGE);
    assert_eq!(symbols(&model)[..3], ["SPY", "AAPL", "MSFT"]);
    press(&mut model, "j j");
    assert_eq!(under_cursor(&mut model), InstrumentId(3));
    press(&mut model, "s");
    let sorted = symbols(&model);
    assert!(sorted.is_sorted() && sorted.len() == 12, "{sorted:?}");
    assert_eq!(under_cursor(&mut model), InstrumentId(3));
    press(&mut model, "s");
    assert_eq!(symbols(&model)[..2], ["O:SPY251219C00650000", "NVDA"], "the largest change first");
    assert_eq!(under_cursor(&mut model), InstrumentId(3));
    press(&mut model, "S");
    assert_eq!(symbols(&model).last().map(String::as_str), Some("O:SPY251219C00650000"));
    assert_eq!(under_cursor(&mut model), InstrumentId(3));
    let mut view = idle();
    view.instruments.reverse();
    show(&mut model, &view);
    assert_eq!(under_cursor(&mut model), InstrumentId(3));
    press(&mut model, "j");
    assert_ne!(under_cursor(&mut model), InstrumentId(3));
}

#[test]
fn an_unknown_key_and_a_lost_engine() {
    let mut model = model(idle(), LARGE);
    let before = text(&model);
    assert_eq!(press(&mut model, "Q ctrl-x left delete"), []);
    assert_eq!(text(&model), before);
    update(&mut model, Msg::Lost("the engine ended".to_owned()));
    assert_eq!(footer(&model), "✗ the engine ended");
    assert!(!model.quit);
}

#[test]
fn keys_ask_what_their_sentences_say() {
    let mut model = model(market(), LARGE);
    assert_eq!(press(&mut model, "r"), [Effect::Ask(Request::Refresh)]);
    assert_eq!(press(&mut model, "ctrl-z"), [Effect::Suspend]);
    assert_eq!(press(&mut model, "j d y"), [Effect::Ask(Request::RemoveSymbol("AAPL".parse().unwrap()))]);
    press(&mut model, "a");
    type_text(&mut model, "tsla");
    assert_eq!(press(&mut model, "enter"), [Effect::Ask(Request::AddSymbol("TSLA".parse().unwrap()))]);
    press(&mut model, "5 g j");
    assert_eq!(press(&mut model, "x y"), [Effect::Ask(Request::CancelJob(4))]);
    press(&mut model, "1 e");
    let effects = press(&mut model, "enter");
    let [Effect::Ask(Request::Export(ask))] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!(ask.path.to_string_lossy(), "bars-AAPL-1m.csv");
}
