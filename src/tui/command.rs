//! The table of commands that work everywhere: dispatch, hints, help and the docs are made of it.

use crate::pane::{Action, Command, Effect, Motion, Popup};
use crate::request::Request;
use crate::snapshot::JobState;
use crate::tui::model::{Model, Prompt};

/// A command that works whatever pane has the keys.
pub struct GlobalCommand {
    pub command: Command,
    pub run: fn(&mut Model) -> Vec<Effect>,
}

const fn row(
    name: &'static str,
    keys: &'static [&'static str],
    hint: &'static str,
    sentence: &'static str,
    run: fn(&mut Model) -> Vec<Effect>,
) -> GlobalCommand {
    GlobalCommand { command: Command { name, sentence, keys, hint }, run }
}

/// Every command that works everywhere, in the order help shows them.
pub const COMMANDS: &[GlobalCommand] = &[
    row("quit", &["q", "ctrl-c"], "quit", "Quit; asks first while a job runs or rows are at risk.", quit),
    row("help", &["?"], "help", "Show what each key does.", |_| vec![Effect::Open(Popup::Help)]),
    row("palette", &[":"], "commands", "Find a command by name.", |_| vec![Effect::Open(Popup::Palette)]),
    row("close", &["esc"], "", "Close what is open or clear the filter; never quits.", close),
    row("next-pane", &["tab"], "panes", "Go to the next pane.", |model| focus_by(model, Turn::On)),
    row("previous-pane", &["shift-tab"], "", "Go to the pane before.", |model| focus_by(model, Turn::Back)),
    row("pane-1", &["1"], "", "Go to the watchlist.", |model| focus(model, 0)),
    row("pane-2", &["2"], "", "Go to the market's clocks.", |model| focus(model, 1)),
    row("pane-3", &["3"], "", "Go to ingestion.", |model| focus(model, 2)),
    row("pane-4", &["4"], "", "Go to the alerts.", |model| focus(model, 3)),
    row("pane-5", &["5"], "", "Go to the jobs.", |model| focus(model, 4)),
    row("pane-6", &["6"], "", "Go to the logs.", |model| focus(model, 5)),
    row("logs", &["l", "`"], "", "Go to the logs.", |model| focus_named(model, "logs")),
    row("down", &["j", "down"], "", "Move down one row.", |model| motion(model, Motion::Down)),
    row("up", &["k", "up"], "", "Move up one row.", |model| motion(model, Motion::Up)),
    row("top", &["g", "home"], "", "Move to the first row.", |model| motion(model, Motion::Top)),
    row("bottom", &["G", "end"], "", "Move to the last row.", |model| motion(model, Motion::Bottom)),
    row("half-down", &["ctrl-d", "pagedown"], "", "Move down half a page.", |model| motion(model, Motion::HalfDown)),
    row("half-up", &["ctrl-u", "pageup"], "", "Move up half a page.", |model| motion(model, Motion::HalfUp)),
    row("open", &["enter"], "", "Open what is under the cursor.", |model| model.act_on_focus(Action::Open)),
    row("zoom", &["z"], "zoom", "Give the pane the whole screen, and back.", zoom),
    row("layout", &["L"], "", "Go to the next layout: overview, watchlist, operations.", next_layout),
    row("filter", &["/"], "filter", "Show only what matches; esc shows all.", filter),
    row("add", &["a"], "add", "Add a symbol to the watchlist.", |_| vec![Effect::Open(Popup::AddSymbol)]),
    row("backfill", &["b"], "backfill", "Fetch history into the store.", |model| {
        vec![Effect::Open(Popup::Backfill(model.selected_symbol()))]
    }),
    row("export", &["e"], "export", "Write rows of the store to a file.", |model| {
        vec![Effect::Open(Popup::Export(model.selected_symbol()))]
    }),
    row("refresh", &["r"], "", "Ask every source for current prices now.", |_| vec![Effect::Ask(Request::Refresh)]),
    row("pause", &["p"], "pause", "Hold the display still; what comes is counted and kept.", pause),
    row("suspend", &["ctrl-z"], "", "Go back to the shell; fg comes back here.", |_| vec![Effect::Suspend]),
];

fn quit(model: &mut Model) -> Vec<Effect> {
    let working = model.newest.jobs.iter().filter(|job| matches!(job.state, JobState::Queued | JobState::Running)).count();
    let writer = &model.newest.writer;
    if writer.error.is_some() && writer.queued > 0 {
        let question = format!("{} rows wait in memory for a store that takes none: they will be lost. Quit?", writer.queued);
        return vec![Effect::Open(Popup::Confirm(question, Box::new(Effect::Quit)))];
    }
    match working {
        0 => vec![Effect::Quit],
        1 => vec![Effect::Open(Popup::Confirm("A job is at work; it goes on at the next start. Quit?".to_owned(), Box::new(Effect::Quit)))],
        n => {
            vec![Effect::Open(Popup::Confirm(format!("{n} jobs are at work; they go on at the next start. Quit?"), Box::new(Effect::Quit)))]
        }
    }
}

fn close(model: &mut Model) -> Vec<Effect> {
    if model.zoomed {
        model.zoomed = false;
        return Vec::new();
    }
    model.filters[model.focus].clear();
    model.act_on_focus(Action::Filter(""))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    On,
    Back,
}

/// The next pane on the screen; a pane that has the screen for itself gives it to the next of all.
fn focus_by(model: &mut Model, turn: Turn) -> Vec<Effect> {
    let shown = model.shown();
    let ring = if shown.len() > 1 { shown } else { (0..model.panes.len()).collect() };
    let at = ring.iter().position(|pane| *pane == model.focus).unwrap_or(0);
    let step = if turn == Turn::Back { ring.len() - 1 } else { 1 };
    focus(model, ring[(at + step) % ring.len()])
}

fn focus(model: &mut Model, pane: usize) -> Vec<Effect> {
    if pane < model.panes.len() {
        model.focus = pane;
    }
    Vec::new()
}

fn focus_named(model: &mut Model, name: &str) -> Vec<Effect> {
    let pane = model.panes.iter().position(|slot| slot.spec.name == name);
    pane.map_or_else(Vec::new, |pane| focus(model, pane))
}

fn motion(model: &mut Model, motion: Motion) -> Vec<Effect> {
    model.act_on_focus(Action::Move(motion))
}

fn zoom(model: &mut Model) -> Vec<Effect> {
    model.zoomed = !model.zoomed;
    Vec::new()
}

fn next_layout(model: &mut Model) -> Vec<Effect> {
    model.next_layout();
    Vec::new()
}

fn filter(model: &mut Model) -> Vec<Effect> {
    model.prompt = Some(Prompt::new(&model.filters[model.focus]));
    Vec::new()
}

fn pause(model: &mut Model) -> Vec<Effect> {
    model.pause_or_go_on();
    Vec::new()
}
