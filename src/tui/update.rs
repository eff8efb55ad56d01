//! The one function that changes the model.

use std::sync::Arc;

use crossterm::event::KeyCode;
use tui_input::backend::crossterm::EventHandler;

use crate::market::Timestamp;
use crate::pane::{Action, Effect, Popup};
use crate::quality::Severity;
use crate::request::{EngineEvent, Reply, Request};
use crate::snapshot::{JobState, MarketView};
use crate::tui::backfill::backfill;
use crate::tui::confirm::Confirm;
use crate::tui::detail::Detail;
use crate::tui::export::export;
use crate::tui::help::Help;
use crate::tui::key::Key;
use crate::tui::keymap::Meaning;
use crate::tui::layout::is_too_small;
use crate::tui::model::Model;
use crate::tui::overlay::{Around, Outcome, Overlay};
use crate::tui::palette::Palette;
use crate::tui::symbol::add_symbol;
use crate::tui::view::overlay_area;

/// What happens to the screen.
#[derive(Clone, Debug)]
pub enum Msg {
    Key(Key),
    /// Text that was pasted.
    Paste(String),
    Resize(u16, u16),
    View(Arc<MarketView>),
    Event(EngineEvent),
    /// The time.
    Tick(Timestamp),
    /// The engine is gone.
    Lost(String),
}

/// Takes one message; the answer is what is to be done outside.
pub fn update(model: &mut Model, msg: Msg) -> Vec<Effect> {
    // What time and prices change moves no row out of view that anybody put there.
    let may_scroll = matches!(msg, Msg::Key(_) | Msg::Paste(_) | Msg::Resize(..));
    let effects = match msg {
        Msg::Key(key) => on_key(model, key),
        Msg::Paste(_) if is_too_small(model.size) => Vec::new(),
        Msg::Paste(text) => text.chars().filter(|c| !c.is_control()).flat_map(|c| paste(model, c)).collect(),
        Msg::Resize(width, height) => {
            model.size = (width, height);
            Vec::new()
        }
        Msg::View(view) => {
            on_view(model, view);
            Vec::new()
        }
        Msg::Event(event) => on_event(model, &event),
        Msg::Tick(now) => {
            model.now = now;
            model.toast.take_if(|toast| toast.until <= now);
            Vec::new()
        }
        Msg::Lost(reason) => {
            model.say(&reason, true);
            Vec::new()
        }
    };
    let mut outside = carry_out(model, effects);
    if may_scroll && let Some(seen) = model.newly_seen() {
        outside.push(Effect::Ask(Request::Seen(seen)));
    }
    outside
}

/// Effects that concern the screen itself are done here; the others go out.
fn carry_out(model: &mut Model, effects: Vec<Effect>) -> Vec<Effect> {
    let mut outside = Vec::new();
    for effect in effects {
        match effect {
            Effect::Open(popup) => {
                let opened = open(model, popup);
                outside.extend(opened);
            }
            Effect::Toast(text) => model.say(&text, false),
            Effect::Quit => model.quit = true,
            Effect::Ask(_) | Effect::Suspend => outside.push(effect),
        }
    }
    outside
}

/// Only what is typed into takes pasted text: a pasted `q` must not quit, nor a pasted `y` say yes.
fn paste(model: &mut Model, c: char) -> Vec<Effect> {
    let typed_into = model.overlays.last().map_or(model.prompt.is_some(), |overlay| overlay.takes_text());
    if !typed_into {
        return Vec::new();
    }
    on_key(model, Key { code: KeyCode::Char(c), ctrl: false })
}

fn on_key(model: &mut Model, key: Key) -> Vec<Effect> {
    if is_too_small(model.size) && !is_to_quit(model, key) {
        // What nobody sees is not done.
        return Vec::new();
    }
    if !model.overlays.is_empty() {
        return overlay_key(model, key);
    }
    if model.prompt.is_some() {
        return prompt_key(model, key);
    }
    let pane = model.panes[model.focus].spec.name;
    match model.keymap.meaning(pane, key) {
        Some(Meaning::Global(row)) => (row.run)(model),
        Some(Meaning::Pane(command)) => model.act_on_focus(Action::Command(command.name)),
        None => Vec::new(),
    }
}

fn is_to_quit(model: &Model, key: Key) -> bool {
    let pane = model.panes[model.focus].spec.name;
    matches!(model.keymap.meaning(pane, key), Some(Meaning::Global(row)) if row.command.name == "quit")
}

fn overlay_key(model: &mut Model, key: Key) -> Vec<Effect> {
    let Some(mut top) = model.overlays.pop() else { return Vec::new() };
    let outcome = top.key(key, &around(model, &*top));
    match outcome {
        Outcome::Stay => {
            model.overlays.push(top);
            Vec::new()
        }
        Outcome::Do(effects) => {
            model.overlays.push(top);
            effects
        }
        Outcome::Close => Vec::new(),
        Outcome::Finish(effects) => effects,
        Outcome::Run(name) => run(model, name),
    }
}

/// What an overlay may look at: its size is that of its place on the screen.
fn around<'a>(model: &'a Model, overlay: &dyn Overlay) -> Around<'a> {
    let area = overlay_area(model, overlay);
    Around { context: model.context_in(area), catalogue: &model.catalogue }
}

/// Runs a command by name: one that works everywhere, or the pane's that has it.
fn run(model: &mut Model, name: &'static str) -> Vec<Effect> {
    if let Some(row) = crate::tui::command::COMMANDS.iter().find(|row| row.command.name == name) {
        return (row.run)(model);
    }
    let pane = model.panes.iter().position(|slot| slot.spec.commands.iter().any(|command| command.name == name));
    let Some(pane) = pane else { return Vec::new() };
    model.focus = pane;
    model.act_on_focus(Action::Command(name))
}

fn prompt_key(model: &mut Model, key: Key) -> Vec<Effect> {
    let text = match key.code {
        KeyCode::Enter => {
            model.prompt = None;
            return Vec::new();
        }
        KeyCode::Esc => {
            model.prompt = None;
            String::new()
        }
        KeyCode::Char('c') if key.ctrl => {
            model.prompt = None;
            String::new()
        }
        _ => {
            let Some(prompt) = &mut model.prompt else { return Vec::new() };
            prompt.input.handle_event(&crossterm::event::Event::Key(key.event()));
            prompt.input.value().to_owned()
        }
    };
    model.filters[model.focus].clone_from(&text);
    model.act_on_focus(Action::Filter(&text))
}

fn on_view(model: &mut Model, view: Arc<MarketView>) {
    model.newest = Arc::clone(&view);
    if model.paused.is_none() {
        model.view = view;
    }
}

fn on_event(model: &mut Model, event: &EngineEvent) -> Vec<Effect> {
    match event {
        EngineEvent::Reply(reply) => {
            let taken = model.overlays.iter_mut().rev().any(|overlay| overlay.reply(reply));
            match reply {
                Reply::Done(text) => model.say(text, false),
                Reply::Failed(text) if !taken => model.say(text, true),
                Reply::Failed(_) | Reply::Estimate(_) | Reply::Detail(..) => {}
            }
        }
        EngineEvent::JobOver(job) => {
            let symbol = job.symbol.as_ref().map_or_else(String::new, |symbol| format!(" of {symbol}"));
            model.say(&format!("{}{symbol} {}: {}", job.kind, job.state.name(), job.note), job.state == JobState::Failed);
        }
        EngineEvent::Notice { severity, message, .. } => model.say(message, *severity != Severity::Info),
        EngineEvent::Violation(_) | EngineEvent::Log(_) | EngineEvent::Dropped(_) => {}
    }
    (0..model.panes.len()).flat_map(|pane| model.act_on(pane, Action::Event(event))).collect()
}

fn open(model: &mut Model, popup: Popup) -> Vec<Effect> {
    let mut overlay: Box<dyn Overlay> = match popup {
        Popup::Help => Box::new(Help::default()),
        Popup::Palette => Box::new(Palette::default()),
        Popup::Detail(id) => Box::new(Detail::new(id)),
        Popup::AddSymbol => add_symbol(),
        Popup::RemoveSymbol(symbol) => {
            let question = format!("Take {symbol} off the list? Its history stays.");
            Box::new(Confirm { question, then: Effect::Ask(Request::RemoveSymbol(symbol)) })
        }
        Popup::Confirm(question, then) => Box::new(Confirm { question, then: *then }),
        Popup::Backfill(symbol) => {
            backfill(symbol.as_ref(), &Around { context: model.context_in(ratatui::layout::Rect::ZERO), catalogue: &model.catalogue })
        }
        Popup::Export(symbol) => export(symbol.as_ref()),
    };
    let effects = overlay.opened(&around(model, &*overlay));
    model.overlays.push(overlay);
    effects
}
