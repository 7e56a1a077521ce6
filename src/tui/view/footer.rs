//! The footer: the line to the engine, the node, and what keys do now.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use crate::config::Key;
use crate::protocol::Link;
use crate::screen;

use super::super::action::{Action, View};
use super::super::app::App;
use super::super::keymap::{Valid, written};
use super::super::msg::Overlay;
use super::super::status::coarse;
use super::super::view_picker::Step;
use super::parts::fit;
use super::stale;

pub(super) fn draw(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let look = &app.look;
    let width = usize::from(area.width);
    if let Some(toast) = &app.toast {
        let text = format!("{}: {}", toast.severity.as_str(), screen::line(&toast.text));
        let style = look.severity(toast.severity);
        return frame.render_widget(Paragraph::new(Span::styled(fit(look, &text, width), style)), area);
    }
    if let Some(undo) = app.undoable() {
        let keys = app.keymap.valid(&app.contexts());
        let key = keys.iter().find(|valid| valid.action == Action::Undo).and_then(|valid| valid.chords.first());
        let how = key.map_or_else(|| "undo is in the palette".to_owned(), |key| format!("{key} undoes it"));
        let text = format!("done: {}   {how}", screen::line(&undo.words));
        return frame.render_widget(Paragraph::new(Span::styled(fit(look, &text, width), look.ok)), area);
    }
    let (link, style) = link(app);
    let node = app.snapshot.as_ref().map(|snapshot| screen::line(&snapshot.node)).unwrap_or_default();
    let mut spans = vec![Span::styled(link, style), Span::styled(terminal(app), look.warn)];
    spans.push(Span::styled(format!("  {node}"), look.muted));
    if app.read_only {
        spans.push(Span::styled("  READ-ONLY", look.warn));
    }
    let mut used: usize = spans.iter().map(|span| screen::width(&span.content)).sum();
    spans.push(Span::styled("  ", look.text));
    used += 2;
    if let Link::Reconnecting { why, .. } = &app.link
        && !why.is_empty()
    {
        let why = fit(look, &screen::line(why), width.saturating_sub(used + 2)).trim_end().to_owned();
        used += screen::width(&why) + 2;
        spans.push(Span::styled(format!("{why}  "), look.warn));
    }
    for (key, hint, is_possible) in hints(app) {
        let takes = screen::width(&key) + hint.len() + 3;
        if used + takes > width {
            break;
        }
        used += takes;
        spans.push(Span::styled(key, if is_possible { look.key } else { look.muted }));
        spans.push(Span::styled(format!(" {hint}  "), look.muted));
    }
    frame.render_widget(Paragraph::new(Line::from(spans)), area);
}

/// What the line to the engine is like, in steps: it changes when the line does, and with nothing else.
fn link(app: &App) -> (String, Style) {
    let look = &app.look;
    match &app.link {
        Link::Embedded => ("engine here".to_owned(), look.ok),
        Link::Connected { rtt: None } => ("attached".to_owned(), look.ok),
        Link::Connected { rtt: Some(rtt) } => (format!("attached <{}ms", rtt.as_millis()), look.ok),
        Link::Reconnecting { .. } => (format!("RECONNECTING, {}", stale::told(app).unwrap_or_default()), look.crit),
    }
}

/// What the screen does with less, and what was asked for of the terminal: how far it is, and what goes to it.
fn terminal(app: &App) -> String {
    let status = &app.status;
    let lite = if status.lite { "  lite" } else { "" };
    if !status.figures {
        return lite.to_owned();
    }
    let terminal = status.terminal.map_or_else(String::new, |rtt| format!("  terminal <{}ms", coarse(rtt).as_millis()));
    format!("{terminal}  {}{lite}", status.rate)
}

/// The keys while something lies over the view or text is typed.
fn inner_hints(app: &App) -> Option<Vec<(String, &'static str)>> {
    if let Some(pending) = &app.pending {
        return Some(vec![(written(&pending.keys), "and then?"), (Key::ESC.to_string(), "leave it")]);
    }
    let named = |hints: &[(&str, &'static str)]| hints.iter().map(|(key, hint)| ((*key).to_owned(), *hint)).collect();
    match &app.overlay {
        Some(Overlay::Palette(_)) => {
            return Some(named(&[("enter", "do it"), ("tab", "complete"), ("up", "earlier"), ("esc", "back")]));
        }
        Some(Overlay::Help(_)) => {
            return Some(named(&[("enter", "do it"), ("up down", "choose"), ("esc", "close")]));
        }
        Some(Overlay::Problems(_)) => {
            return Some(named(&[("enter", "go there"), ("j k", "choose"), ("esc", "close")]));
        }
        Some(Overlay::Themes(_)) => return Some(named(&[("j k", "look"), ("enter", "keep"), ("esc", "as before")])),
        Some(Overlay::Dialog(_)) => {
            return Some(named(&[("enter", "take it"), ("up down", "choose"), ("esc", "close")]));
        }
        Some(Overlay::Mark(_)) => {
            return Some(named(&[
                ("enter", "keep it"),
                ("up down", "choose"),
                ("space", "yes or no"),
                ("esc", "as before"),
            ]));
        }
        Some(Overlay::Run(_)) => return Some(named(&[("enter", "go on"), ("up down", "choose"), ("esc", "back")])),
        Some(Overlay::Confirm(confirm)) => {
            let does = if confirm.has_note() { "enter" } else { "y" };
            return Some(named(&[(does, "do it"), ("esc", "do nothing")]));
        }
        Some(Overlay::Node(dialog)) => {
            let leave = ("esc", if dialog.doing().is_some() { "do nothing" } else { "close" });
            let does = dialog.doing().map(|(key, _)| (key, "do it"));
            return Some(named(&does.into_iter().chain([leave]).collect::<Vec<_>>()));
        }
        Some(Overlay::Bulk(_)) => return Some(named(&[("y", "do it"), ("esc", "do nothing")])),
        Some(Overlay::Note(_)) => return Some(named(&[("ctrl-s", "keep it"), ("esc", "leave")])),
        Some(Overlay::Views(picker)) => {
            return Some(match picker.step {
                Step::Choose => named(&[("enter", "go there"), ("s", "save"), ("d", "delete"), ("esc", "close")]),
                Step::Name(_) => named(&[("enter", "keep it"), ("esc", "back")]),
                Step::Delete(_) => named(&[("y", "delete it"), ("esc", "back")]),
            });
        }
        Some(Overlay::Quit) => return Some(named(&[("s", "stop"), ("k", "keep"), ("esc", "back")])),
        None => {}
    }
    if app.view == View::Health && app.health.is_typing() {
        return Some(named(&[("enter", "to the checks"), ("esc", "all checks")]));
    }
    if app.panes.drive.is_some() {
        return Some(named(&[("ctrl-]", "gives the pane back; every other key is the pane's")]));
    }
    if app.view == View::Bridge && app.bridge.is_typing() && !app.bridge.is_filtering() {
        return Some(named(&[("enter", "search"), ("esc", "leave the search")]));
    }
    if app.view == View::Bridge && app.bridge.is_typing() {
        return Some(named(&[("enter", "to the list"), ("esc", "all of it")]));
    }
    let typing = app.view == View::Inbox && app.inbox.search.as_ref().is_some_and(|search| search.typing);
    typing.then(|| named(&[("enter", "to the hits"), ("esc", "leave the search")]))
}

/// The keys worth naming, from the live map; help comes first, as it leads to all others.
/// What cannot be done now keeps its place, so that nothing jumps as the selection moves.
fn hints(app: &App) -> Vec<(String, &'static str, bool)> {
    if let Some(hints) = inner_hints(app) {
        return hints.into_iter().map(|(key, hint)| (key, hint, true)).collect();
    }
    let named = |valid: &Valid| {
        let hint = valid.action.hint();
        (!hint.is_empty()).then_some((valid.chords.first()?.to_string(), hint, app.why_not(valid.action).is_none()))
    };
    let mut hints: Vec<_> = app.keymap.valid(&app.contexts()).iter().filter_map(named).collect();
    hints.sort_by_key(|(_, hint, _)| *hint != Action::Help.hint());
    hints
}
