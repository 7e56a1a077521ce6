//! The palette while it is open.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use crate::screen;

use super::super::app::App;
use super::super::palette::Palette;
use super::parts::{fit, list, overlay};

pub(super) fn draw(app: &App, palette: &Palette, frame: &mut Frame<'_>, area: Rect) {
    let look = &app.look;
    let inside = overlay(app, "Palette, enter does it", (76, 18), frame, area);
    let [field, rows] = Layout::vertical([Constraint::Length(1), Constraint::Min(0)]).areas(inside);
    let typed = palette.field.lines().first().map_or("", String::as_str);
    let line = vec![
        Span::styled(": ", look.key),
        Span::styled(screen::line(typed), look.text),
        Span::styled(" ", look.selected),
    ];
    frame.render_widget(Paragraph::new(Line::from(line)), field);
    let matches = palette.matches();
    if matches.is_empty() {
        return frame.render_widget(Paragraph::new(Span::styled("  nothing is called so", look.muted)), rows);
    }
    list(app, &matches, palette.selected, frame, rows, |entry, width| {
        let why = app.why_not(entry.action);
        let words = why.as_ref().map_or_else(|| entry.words.to_owned(), |why| format!("{} ({why})", entry.words));
        let words = fit(look, &words, width.saturating_sub(18));
        let style = if why.is_some() { look.muted } else { look.text };
        Line::from(vec![Span::styled(words, style), Span::styled(format!("  {}", entry.keys), look.key)])
    });
}
