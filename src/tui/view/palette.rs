//! The palette while it is open.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Modifier;
use ratatui::text::{Line, Span};

use crate::screen;

use super::super::app::App;
use super::super::palette::{Match, Palette};
use super::super::styles::Look;
use super::parts::{fit, list, marked, overlay};

/// Columns of the keys.
const KEYS: usize = 14;

pub(super) fn draw(app: &App, palette: &Palette, frame: &mut Frame<'_>, area: Rect) {
    let look = &app.look;
    let (matches, verb) = app.matches(palette);
    let title = match verb {
        Some(verb) => format!("{} {}: {}", verb.name, verb.takes.written(), verb.words),
        None => "Palette: do, go to, find by name".to_owned(),
    };
    let inside = overlay(app, &title, (76, 18), frame, area);
    let [field, rows] = Layout::vertical([Constraint::Length(1), Constraint::Min(0)]).areas(inside);
    let line = vec![
        Span::styled(": ", look.key),
        Span::styled(screen::line(palette.line()), look.text),
        Span::styled(" ", look.selected),
    ];
    frame.render_widget(marked(app, Line::from(line)), field);
    if matches.is_empty() {
        return frame.render_widget(marked(app, Span::styled("  nothing is called so", look.muted)), rows);
    }
    list(app, &matches, palette.index(&matches), frame, rows, |found, width| row(look, found, width));
}

fn row(look: &Look, found: &Match, width: usize) -> Line<'static> {
    let choice = &found.choice;
    let style = if choice.why.is_some() { look.muted } else { look.text };
    let why = choice.why.as_ref().filter(|why| **why != choice.words).map(|why| format!(" ({why})"));
    let words = format!("{}{}", choice.words, why.map(|why| screen::line(&why)).unwrap_or_default());
    let words = fit(look, &words, width.saturating_sub(KEYS));
    let meant = style.add_modifier(Modifier::BOLD | Modifier::UNDERLINED);
    let mut spans: Vec<(String, bool)> = Vec::new();
    for (at, c) in words.chars().enumerate() {
        let is_meant = found.meant.binary_search(&at).is_ok();
        match spans.last_mut() {
            Some((text, same)) if *same == is_meant => text.push(c),
            _ => spans.push((c.to_string(), is_meant)),
        }
    }
    let mut line: Vec<Span<'static>> =
        spans.into_iter().map(|(text, is_meant)| Span::styled(text, if is_meant { meant } else { style })).collect();
    line.push(Span::styled(format!(" {}", fit(look, &choice.keys, KEYS - 1)), look.key));
    Line::from(line)
}
