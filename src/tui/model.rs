//! Everything the screen knows.

use std::sync::Arc;
use std::time::Duration;

use ratatui::layout::Rect;
use tui_input::Input;

use crate::calendar::Calendars;
use crate::config::Config;
use crate::market::{InstrumentId, Symbol, Timestamp};
use crate::pane::{Action, Context, Effect, PANES, Pane, PaneSpec};
use crate::request::Catalogue;
use crate::snapshot::MarketView;
use crate::tui::keymap::Keymap;
use crate::tui::layout::{LAYOUTS, Layout};
use crate::tui::overlay::Overlay;
use crate::widget::Theme;

/// How long a toast stays.
const TOAST: Duration = Duration::from_secs(6);

/// What a model is made of.
pub struct Parts {
    pub view: Arc<MarketView>,
    pub calendars: Arc<Calendars>,
    pub catalogue: Catalogue,
    pub config: Config,
    pub theme: Theme,
    pub now: Timestamp,
    pub size: (u16, u16),
}

/// The state of the screen; only [`update`](crate::tui::update) changes it.
pub struct Model {
    /// What is drawn.
    pub(crate) view: Arc<MarketView>,
    /// What is known; the same as `view` unless the display is paused.
    pub(crate) newest: Arc<MarketView>,
    pub(crate) paused: Option<Paused>,
    pub(crate) calendars: Arc<Calendars>,
    pub(crate) catalogue: Catalogue,
    pub(crate) theme: Theme,
    pub(crate) now: Timestamp,
    pub(crate) size: (u16, u16),
    pub(crate) panes: Vec<Slot>,
    pub(crate) focus: usize,
    pub(crate) zoomed: bool,
    pub(crate) layout: &'static Layout,
    /// The filter of each pane.
    pub(crate) filters: Vec<String>,
    pub(crate) overlays: Vec<Box<dyn Overlay>>,
    pub(crate) prompt: Option<Prompt>,
    pub(crate) toast: Option<Toast>,
    pub(crate) keymap: Keymap,
    /// Whose rows were in view when the engine was last told.
    pub(crate) seen: Vec<InstrumentId>,
    pub quit: bool,
}

/// A pane and what it says of itself.
pub(crate) struct Slot {
    pub(crate) spec: &'static PaneSpec,
    pub(crate) pane: Box<dyn Pane>,
}

/// The display stands still.
pub(crate) struct Paused {
    pub(crate) since: Timestamp,
    /// The picture's number when it stopped: later ones are held.
    pub(crate) sequence: u64,
}

/// A line of text that is being typed at the bottom.
pub(crate) struct Prompt {
    pub(crate) input: Input,
}

/// A short word at the bottom.
pub(crate) struct Toast {
    pub(crate) text: String,
    pub(crate) failed: bool,
    pub(crate) until: Timestamp,
}

impl Prompt {
    pub(crate) fn new(text: &str) -> Self {
        Self { input: Input::new(text.to_owned()) }
    }
}

impl Model {
    /// A screen at its start.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let Parts { view, calendars, catalogue, config, theme, now, size } = parts;
        let slot = |spec: &'static PaneSpec| Slot { spec, pane: (spec.new)(&section(&config, spec)) };
        let chosen = config.section("screen").text("layout");
        Self {
            newest: Arc::clone(&view),
            view,
            paused: None,
            calendars,
            catalogue,
            theme,
            now,
            size,
            panes: PANES.iter().map(slot).collect(),
            focus: 0,
            zoomed: false,
            layout: LAYOUTS.iter().find(|layout| layout.name == chosen).unwrap_or(&LAYOUTS[0]),
            filters: vec![String::new(); PANES.len()],
            overlays: Vec::new(),
            prompt: None,
            toast: None,
            keymap: Keymap::new(),
            seen: Vec::new(),
            quit: false,
        }
    }

    /// Where panes stand, in the order of importance.
    pub(crate) fn places(&self) -> Vec<(usize, Rect)> {
        let (width, height) = self.size;
        let area = Rect { x: 0, y: 1, width, height: height.saturating_sub(2) };
        if self.zoomed {
            return vec![(self.focus, area)];
        }
        let names: Vec<_> = self.panes.iter().map(|slot| slot.spec.name).collect();
        self.layout.arrange(area, &names, self.focus)
    }

    /// The panes on the screen, in the order of their numbers.
    pub(crate) fn shown(&self) -> Vec<usize> {
        let mut shown: Vec<_> = self.places().into_iter().map(|(pane, _)| pane).collect();
        shown.sort_unstable();
        shown
    }

    /// What a pane may look at, for its place on the screen.
    pub(crate) fn context(&self, pane: usize) -> Context<'_> {
        let place = self.places().into_iter().find(|(shown, _)| *shown == pane).map_or(Rect::ZERO, |(_, place)| place);
        self.context_in(inside(place))
    }

    pub(crate) fn context_in(&self, area: Rect) -> Context<'_> {
        Context { view: &self.view, calendars: &self.calendars, now: self.now, theme: &self.theme, size: (area.width, area.height) }
    }

    /// Gives an action to one pane.
    pub(crate) fn act_on(&mut self, pane: usize, action: Action<'_>) -> Vec<Effect> {
        let area = self.places().into_iter().find(|(shown, _)| *shown == pane).map_or(Rect::ZERO, |(_, place)| inside(place));
        let Self { panes, view, calendars, now, theme, .. } = self;
        let context = Context { view, calendars, now: *now, theme, size: (area.width, area.height) };
        panes[pane].pane.act(action, &context)
    }

    /// Gives an action to the pane that has the keys.
    pub(crate) fn act_on_focus(&mut self, action: Action<'_>) -> Vec<Effect> {
        self.act_on(self.focus, action)
    }

    /// The symbol under the cursor: of the pane that has the keys, or of the watchlist.
    pub(crate) fn selected_symbol(&self) -> Option<Symbol> {
        let of = |pane: usize| self.panes[pane].pane.selected(&self.context(pane));
        of(self.focus).or_else(|| of(0))
    }

    /// Whose rows are in view, when that changed.
    pub(crate) fn newly_seen(&mut self) -> Option<Vec<InstrumentId>> {
        let seen: Vec<_> = (0..self.panes.len()).flat_map(|pane| self.panes[pane].pane.seen(&self.context(pane))).collect();
        let changed = seen != self.seen;
        self.seen.clone_from(&seen);
        changed.then_some(seen)
    }

    pub(crate) fn next_layout(&mut self) {
        let at = LAYOUTS.iter().position(|layout| layout == self.layout).unwrap_or(0);
        self.layout = &LAYOUTS[(at + 1) % LAYOUTS.len()];
        self.zoomed = false;
        if let Some(first) = self.layout.first(&self.panes.iter().map(|slot| slot.spec.name).collect::<Vec<_>>()) {
            self.focus = first;
        }
        self.say(&format!("layout {}: {}", self.layout.name, self.layout.sentence), false);
    }

    pub(crate) fn pause_or_go_on(&mut self) {
        if self.paused.take().is_none() {
            self.paused = Some(Paused { since: self.now, sequence: self.newest.sequence });
        }
        self.view = Arc::clone(&self.newest);
    }

    pub(crate) fn say(&mut self, text: &str, failed: bool) {
        self.toast = Some(Toast { text: crate::market::clean(text).into_owned(), failed, until: self.now + TOAST });
    }

    /// Whether a text on the screen changes every second.
    #[must_use]
    pub fn ticks(&self) -> bool {
        let visible = || self.places().into_iter();
        self.toast.is_some()
            || self.paused.is_some()
            || visible().any(|(pane, place)| self.panes[pane].pane.ticks(&self.context_in(inside(place))))
    }

    /// How many cells the screen has.
    #[must_use]
    pub fn size(&self) -> (u16, u16) {
        self.size
    }
}

/// The inside of a frame.
pub(crate) fn inside(place: Rect) -> Rect {
    place.inner(ratatui::layout::Margin::new(1, 1))
}

fn section(config: &Config, spec: &PaneSpec) -> crate::config::Section {
    if spec.keys.is_empty() { crate::config::Section::default() } else { config.section(&format!("pane.{}", spec.name)).clone() }
}
