//! Help: what keys do now, from the table that dispatches them.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};

use crate::screen;

use super::super::app::App;
use super::super::help::Help;
use super::parts::{fit, list, marked, overlay};

/// Columns of the keys.
const KEYS: usize = 17;
/// Columns of the names, where there is room for them beside the words.
const NAME: usize = 16;
/// So much room there has to be.
const WITH_NAMES: usize = 96;

pub(super) fn draw(app: &App, help: &Help, frame: &mut Frame<'_>, area: Rect) {
    let look = &app.look;
    // As high as all rows are, so that nothing jumps while a search is typed.
    let all = app.keymap.valid(&app.contexts()).len();
    let height = u16::try_from(all).unwrap_or(u16::MAX).saturating_add(3);
    let inside = overlay(app, "What can be done here, enter does it", (100, height), frame, area);
    let [field, below] = Layout::vertical([Constraint::Length(1), Constraint::Min(0)]).areas(inside);
    let rows = app.help_rows(help);
    let mut typed = vec![
        Span::styled("/ ", look.key),
        Span::styled(screen::line(help.typed()), look.text),
        Span::styled(" ", look.selected),
    ];
    // A reason is long, and its row has the words too.
    let why = rows.get(help.selected).and_then(|row| app.why_not(row.action));
    if let Some(why) = why {
        typed.push(Span::styled(format!(" cannot be done: {why}"), look.muted));
    } else if help.typed().is_empty() {
        typed.push(Span::styled(" type a key, a name or a word", look.muted));
    } else {
        typed.push(Span::styled(format!(" {} of {all}", rows.len()), look.muted));
    }
    frame.render_widget(marked(app, Line::from(typed)), field);
    if rows.is_empty() {
        return frame.render_widget(marked(app, Span::styled("  nothing here is called so", look.muted)), below);
    }
    list(app, &rows, help.selected, frame, below, |row, width| {
        let keys = fit(look, &row.keys(), KEYS);
        let names = width >= WITH_NAMES;
        let room = width.saturating_sub(KEYS + if names { NAME } else { 0 });
        let why = app.why_not(row.action);
        let words = row.action.words();
        let words = why.as_ref().map_or_else(|| words.to_owned(), |why| format!("{words} ({why})"));
        let (key, text) = if why.is_some() { (look.muted, look.muted) } else { (look.key, look.text) };
        let mut spans = vec![Span::styled(keys, key), Span::styled(fit(look, &words, room), text)];
        if names {
            spans.push(Span::styled(fit(look, &format!(" {}", row.action.name()), NAME), look.muted));
        }
        Line::from(spans)
    });
}
