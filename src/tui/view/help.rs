//! Help: what keys do now, from the table that dispatches them.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::super::app::App;
use super::super::palette;
use super::parts::{fit, overlay};

pub(super) fn draw(app: &App, first: usize, frame: &mut Frame<'_>, area: Rect) {
    let entries = palette::entries(&app.keymap, &app.contexts());
    let height = u16::try_from(entries.len()).unwrap_or(u16::MAX).saturating_add(2);
    let inside = overlay(&app.look, "Keys now: j k move, esc closes", (76, height), frame, area);
    let lines: Vec<Line<'_>> = entries
        .iter()
        .skip(first)
        .map(|entry| {
            let keys = fit(&app.look, &entry.keys, 17);
            Line::from(match app.why_not(entry.action) {
                None => vec![Span::styled(keys, app.look.key), Span::styled(entry.words, app.look.text)],
                Some(why) => vec![Span::styled(format!("{keys}{} ({why})", entry.words), app.look.muted)],
            })
        })
        .collect();
    frame.render_widget(Paragraph::new(lines), inside);
}
