//! Drawing the model: it only reads, so a picture repeats.

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::widgets::{Block, BorderType, Clear, Widget};
use unicode_width::UnicodeWidthStr;

use crate::market::Zone;
use crate::pane::Context;
use crate::snapshot::{FeedState, Standing, standing};
use crate::tui::command::COMMANDS;
use crate::tui::layout::{SMALLEST, is_too_small};
use crate::tui::model::{Model, inside};
use crate::tui::overlay::Overlay;
use crate::widget::{Role, countdown};

/// Draws everything.
pub fn view(model: &Model, frame: &mut Frame<'_>) {
    let area = frame.area();
    let buf = frame.buffer_mut();
    if is_too_small((area.width, area.height)) {
        return too_small(model, area, buf);
    }
    header(model, Rect { height: 1, ..area }, buf);
    for (pane, place) in model.places() {
        draw_pane(model, pane, place.intersection(area), buf);
    }
    footer(model, Rect { y: area.bottom() - 1, height: 1, ..area }, buf);
    for overlay in &model.overlays {
        draw_overlay(model, &**overlay, buf);
    }
}

fn too_small(model: &Model, area: Rect, buf: &mut Buffer) {
    let lines = [
        if model.view.simulated { "SIMULATED" } else { "openbell" }.to_owned(),
        format!("{}x{} is too small", area.width, area.height),
        format!("it takes {}x{}", SMALLEST.0, SMALLEST.1),
    ];
    for (y, line) in (area.y..area.bottom()).zip(lines) {
        buf.set_stringn(area.x, y, line, usize::from(area.width), model.theme.style(Role::Text));
    }
}

fn draw_pane(model: &Model, pane: usize, place: Rect, buf: &mut Buffer) {
    let focused = pane == model.focus;
    let theme = if focused { model.theme } else { model.theme.without_cursor() };
    let context = Context { theme: &theme, ..model.context_in(inside(place)) };
    let slot = &model.panes[pane];
    let title = format!(" {} {} ", pane + 1, slot.pane.title(&context));
    let border = model.theme.style(if focused { Role::Focus } else { Role::Border });
    let kind = if focused { BorderType::Thick } else { BorderType::Plain };
    Block::bordered()
        .border_type(kind)
        .border_style(border)
        .title(title)
        .title_style(model.theme.style(if focused { Role::Accent } else { Role::Text }))
        .render(place, buf);
    slot.pane.render(inside(place), buf, &context);
}

/// Where an overlay lies: inside its frame.
pub(crate) fn overlay_area(model: &Model, overlay: &dyn Overlay) -> Rect {
    let (width, height) = model.size();
    let wanted = overlay.size(&model.context_in(Rect { x: 0, y: 0, width, height }));
    // The first line stays in sight: it says whether prices are real.
    let (w, h) = (wanted.0.saturating_add(4).min(width), wanted.1.saturating_add(2).min(height.saturating_sub(1)));
    let frame = Rect { x: (width - w) / 2, y: ((height - h) / 2).max(1), width: w, height: h };
    frame.inner(ratatui::layout::Margin::new(2, 1))
}

fn draw_overlay(model: &Model, overlay: &dyn Overlay, buf: &mut Buffer) {
    let area = overlay_area(model, overlay);
    let frame = Rect { x: area.x - 2, y: area.y - 1, width: area.width + 4, height: area.height + 2 }.intersection(buf.area);
    Clear.render(frame, buf);
    let border = model.theme.style(Role::Focus);
    Block::bordered()
        .border_type(BorderType::Rounded)
        .border_style(border)
        .title(format!(" {} ", overlay.title()))
        .title_style(model.theme.style(Role::Accent))
        .render(frame, buf);
    overlay.render(area, buf, &model.context_in(area));
}

/// Pieces of a line, the most important first; those that have no room are left out whole.
fn line(area: Rect, buf: &mut Buffer, pieces: &[(String, Style)]) {
    let mut x = area.x;
    for (text, style) in pieces.iter().filter(|(text, _)| !text.is_empty()) {
        let width = u16::try_from(text.width()).unwrap_or(u16::MAX);
        if x.saturating_add(width) > area.right() {
            continue;
        }
        buf.set_string(x, area.y, text, *style);
        x += width + 2;
    }
}

fn header(model: &Model, area: Rect, buf: &mut Buffer) {
    let style = |role| model.theme.style(role);
    let simulated = if model.view.simulated { " SIMULATED ".to_owned() } else { String::new() };
    let paused = model.paused.as_ref().map_or_else(String::new, |paused| {
        let held = model.newest.sequence.saturating_sub(paused.sequence);
        let long = format!(" PAUSED {}: {held} changes held, p goes on ", countdown(model.now.since(paused.since)));
        if long.len() + 30 <= usize::from(area.width) { long } else { format!(" PAUSED: {held} held ") }
    });
    let old = stale_rows(model);
    let unwritten = if model.view.writer.error.is_some() { "store not written".to_owned() } else { String::new() };
    let mut pieces = vec![
        (" openbell".to_owned(), style(Role::Accent)),
        (simulated, style(Role::Banner)),
        (paused, style(Role::Banner)),
        (unwritten, style(Role::Error)),
    ];
    pieces.extend(troubled_feeds(model).into_iter().map(|text| (text, style(Role::Error))));
    pieces.extend([
        (if old > 0 { format!("! {old} stale") } else { String::new() }, style(Role::Warning)),
        (model.now.format_in(Zone::NEW_YORK, "%a %d %b %H:%M New York"), style(Role::Text)),
        (session(model), style(Role::Dim)),
        (model.now.format("%H:%M UTC"), style(Role::Dim)),
    ]);
    line(area, buf, &pieces);
}

/// The first venue's session and what comes next.
fn session(model: &Model) -> String {
    let Some(venue) = model.view.venues.first() else { return String::new() };
    let next = venue.next.as_ref().map_or_else(String::new, |(at, to)| format!(", {to} in {}", countdown(at.since(model.now))));
    format!("{} {}{next}", venue.venue, venue.state)
}

fn stale_rows(model: &Model) -> usize {
    let view = &model.view;
    let is_stale = |row: &&std::sync::Arc<crate::snapshot::InstrumentView>| {
        standing(row, view, &model.calendars, model.now, view.stale_after) == Standing::Stale
    };
    view.instruments.iter().filter(is_stale).count()
}

/// Feeds in trouble, each by name; where these have no room they are counted.
fn troubled_feeds(model: &Model) -> Vec<String> {
    let troubled = |state| matches!(state, FeedState::Dead | FeedState::Silent | FeedState::Off);
    let feeds: Vec<_> = model.view.feeds.iter().filter(|feed| troubled(feed.state)).collect();
    let names: Vec<_> = feeds.iter().map(|feed| format!("{} {}", feed.source, feed.state)).collect();
    let room = usize::from(model.size().0 / 3);
    if names.iter().map(|name| name.len() + 2).sum::<usize>() <= room { names } else { vec![format!("{} feeds down", feeds.len())] }
}

fn footer(model: &Model, area: Rect, buf: &mut Buffer) {
    if let Some(prompt) = &model.prompt {
        let text = format!("/{}▏  enter keeps, esc shows all", prompt.input.value());
        buf.set_stringn(area.x, area.y, text, usize::from(area.width), model.theme.style(Role::Accent));
        return;
    }
    if let Some(toast) = &model.toast {
        let (mark, role) = if toast.failed { ("✗", Role::Error) } else { ("✓", Role::Accent) };
        buf.set_stringn(area.x, area.y, format!("{mark} {}", toast.text), usize::from(area.width), model.theme.style(role));
        return;
    }
    let own = model.panes[model.focus].spec.commands.iter();
    let hints = own.chain(COMMANDS.iter().map(|row| &row.command)).filter(|command| !command.hint.is_empty());
    let mut x = area.x + 1;
    for command in hints {
        let (key, hint) = (command.keys[0], command.hint);
        let width = u16::try_from(key.width() + 1 + hint.width()).unwrap_or(u16::MAX);
        if x.saturating_add(width) > area.right() {
            break;
        }
        buf.set_string(x, area.y, key, model.theme.style(Role::Accent));
        buf.set_string(x + u16::try_from(key.width()).unwrap_or(0) + 1, area.y, hint, model.theme.style(Role::Dim));
        x += width + 2;
    }
}
