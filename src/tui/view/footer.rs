//! The footer: the line to the engine, the node, and what keys do now.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Clear;

use crate::config::Key;
use crate::protocol::Link;
use crate::screen;

use super::super::action::{Action, View};
use super::super::app::App;
use super::super::keymap::{Valid, written};
use super::super::msg::Overlay;
use super::super::run_dialog::Step as RunStep;
use super::super::status::coarse;
use super::super::view_picker::Step;
use super::parts::{fit, marked};
use super::stale;

/// From this width on the palette and the way out have their place at the end.
const WITH_ENDS: u16 = 70;
/// Rows of the view that what is told may cover.
const TOLD: usize = 2;

pub(super) fn draw(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let look = &app.look;
    let width = usize::from(area.width);
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
    if let Some((text, style)) = said(app) {
        // What is typed into a pane is seen in its last rows.
        if used + screen::width(&text) <= width || app.panes.drive.is_some() {
            spans.push(Span::styled(fit(look, &text, width.saturating_sub(used)), style));
            return frame.render_widget(marked(app, Line::from(spans)), area);
        }
        above(app, &text, style, frame, area);
    }
    if let Link::Reconnecting { why, .. } = &app.link
        && !why.is_empty()
    {
        let why = fit(look, &screen::line(why), width.saturating_sub(used + 2)).trim_end().to_owned();
        used += screen::width(&why) + 2;
        spans.push(Span::styled(format!("{why}  "), look.warn));
    }
    let (hints, last) = hints(app);
    let takes = |hint: &Hint| screen::width(&hint.key) + hint.words.len() + 3;
    let reserved: usize = last.iter().map(takes).sum();
    // Where there is no room for both, what leads to everything else stays.
    let most = width.saturating_sub(reserved);
    let mut told = |hint: &Hint| {
        spans.push(Span::styled(hint.key.clone(), if hint.is_possible { look.key } else { look.muted }));
        spans.push(Span::styled(format!(" {}  ", hint.words), look.muted));
    };
    for (number, hint) in hints.iter().enumerate() {
        if used + takes(hint) > if number == 0 { width } else { most } {
            break;
        }
        used += takes(hint);
        told(hint);
    }
    if used <= most {
        last.iter().for_each(&mut told);
    }
    frame.render_widget(marked(app, Line::from(spans)), area);
}

/// What is told for a while: what happened, or that it can be undone.
fn said(app: &App) -> Option<(String, Style)> {
    let look = &app.look;
    if let Some(toast) = &app.toast {
        let text = format!("{}: {}", toast.severity.as_str(), screen::line(&toast.text));
        return Some((text, look.severity(toast.severity)));
    }
    let undo = app.undoable()?;
    let keys = app.keymap.valid(&app.contexts());
    let key = keys.iter().find(|valid| valid.action == Action::Undo).and_then(|valid| valid.chords.first());
    let how = key.map_or_else(|| "undo is in the palette".to_owned(), |key| format!("{key} undoes it"));
    Some((format!("done: {}   {how}", screen::line(&undo.words)), look.ok))
}

/// What is told over the last rows of the view, where it does not fit beside the line and the node.
fn above(app: &App, text: &str, style: Style, frame: &mut Frame<'_>, footer: Rect) {
    let width = usize::from(footer.width);
    let mut lines = screen::wrap(text, width);
    let more = lines.get(TOLD).map(|next| format!(" {next}")).unwrap_or_default();
    lines.truncate(TOLD);
    if let Some(last) = lines.last_mut() {
        // Longer than the row, so that it is cut with a mark.
        last.push_str(&more);
    }
    let height = u16::try_from(lines.len()).unwrap_or(1).min(footer.y);
    let area = Rect { y: footer.y.saturating_sub(height), height, ..footer };
    frame.render_widget(Clear, area);
    let lines = lines.into_iter().map(|line| Line::styled(fit(&app.look, &line, width), style));
    frame.render_widget(marked(app, lines.collect::<Vec<_>>()), area);
}

/// What the line to the engine is like, in steps: it changes when the line does, and with nothing else.
fn link(app: &App) -> (String, Style) {
    let look = &app.look;
    match &app.link {
        Link::Starting => ("starting".to_owned(), look.muted),
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
        Some(Overlay::Run(dialog)) => {
            return Some(match &dialog.step {
                RunStep::Choose | RunStep::Fill => named(&[("enter", "go on"), ("up down", "choose"), ("esc", "back")]),
                // Where the host's name is typed first, letters are its.
                RunStep::Look(preview) => {
                    let does = if preview.confirm.is_some() { "enter" } else { "y" };
                    named(&[(does, "run it"), ("up down", "read on"), ("esc", "back")])
                }
                RunStep::Asking | RunStep::Refused(_) => named(&[("esc", "back")]),
            });
        }
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

/// A key, a word or two, and whether it can be done now.
struct Hint {
    key: String,
    words: &'static str,
    is_possible: bool,
}

/// The keys worth naming, from the live map, and those that are named at the end whatever there is room for: everything
/// by name, and the way out. Help and what is next come first, as they lead to all others; then what could be done with
/// something in this list. What cannot be done now keeps its place, so that nothing jumps as the selection moves.
fn hints(app: &App) -> (Vec<Hint>, Vec<Hint>) {
    if let Some(hints) = inner_hints(app) {
        let hints = hints.into_iter().map(|(key, words)| Hint { key, words, is_possible: true });
        return (hints.collect(), Vec::new());
    }
    // On a narrow screen there is room for two or three: help has the others.
    let has_ends = app.size.0 >= WITH_ENDS;
    let place = |action: Action| match action {
        Action::Help => 0,
        Action::Next if has_ends => 1,
        Action::Palette if has_ends => 3,
        Action::Quit if has_ends => 4,
        _ => 2,
    };
    let mut valid = app.keymap.valid(&app.contexts());
    valid.retain(|valid| !valid.action.hint().is_empty() && app.is_offered(valid.action));
    valid.sort_by_key(|valid| place(valid.action));
    let hint = |valid: &Valid| {
        let is_possible = app.why_not(valid.action).is_none();
        Some(Hint { key: valid.chords.first()?.to_string(), words: valid.action.hint(), is_possible })
    };
    let first_of_last = valid.iter().position(|valid| place(valid.action) > 2).unwrap_or(valid.len());
    let (hints, last) = valid.split_at(first_of_last);
    (hints.iter().filter_map(hint).collect(), last.iter().filter_map(hint).collect())
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use crate::model::Role;
    use crate::protocol::Severity;

    use super::super::super::sample;
    use super::*;

    /// The last rows of `app` on 80 columns, the footer last.
    fn rows(app: &App, count: usize) -> Vec<String> {
        let mut terminal = Terminal::new(TestBackend::new(80, 24)).expect("a terminal");
        terminal.draw(|frame| app.draw(frame)).expect("drawn");
        let cells: Vec<&str> = terminal.backend().buffer().content.iter().map(ratatui::buffer::Cell::symbol).collect();
        let rows: Vec<String> = cells.chunks(80).map(|row| row.concat().trim_end().to_owned()).collect();
        rows[rows.len() - count..].to_vec()
    }

    fn app() -> App {
        let mut app = sample::app(sample::with_bridge(), Role::Admin, false);
        app.size = (80, 24);
        app
    }

    #[test]
    fn the_line_and_the_node_stay_while_something_is_told() {
        let mut app = app();
        let since = sample::at(-60);
        app.link = Link::Reconnecting { since, why: String::new(), tries: 1 };
        let node = app.snapshot.as_ref().expect("a snapshot").node.clone();
        app.toast(Severity::Info, "short");
        let footer = rows(&app, 1).remove(0);
        assert!(
            footer.starts_with("RECONNECTING") && footer.contains(&node) && footer.ends_with("info: short"),
            "{footer}"
        );
        app.toast(
            Severity::Warn,
            "a reason that is much longer than what is left beside the line and the node ".repeat(3),
        );
        let told = rows(&app, 3);
        assert!(told[0].starts_with("warn: a reason") && told[1].ends_with(app.look.glyph("…", "~")), "{told:?}");
        assert!(told[2].starts_with("RECONNECTING") && told[2].contains(&node), "{told:?}");
        app.toast(Severity::Warn, "a reason that takes no more than the row above the footer, all of it");
        let told = rows(&app, 3);
        assert_eq!(told[1], "warn: a reason that takes no more than the row above the footer, all of it");
        assert!(!told[0].contains("warn:"), "{told:?}");
    }

    #[test]
    fn the_palette_and_the_way_out_stand_at_the_end_in_every_view() {
        let mut app = app();
        for view in View::ALL {
            app.view = view;
            let footer = rows(&app, 1).remove(0);
            assert!(footer.ends_with(": palette  Q quit"), "{view:?}: {footer}");
            assert!(footer.contains("? help  n next"), "{view:?}: {footer}");
        }
    }
}
