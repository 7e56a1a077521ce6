//! The dialog that says when a pane calls.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::screen;

use super::super::app::App;
use super::super::pane_mark::MarkDialog;
use super::parts::{fit, marked, overlay};

/// Columns and rows of the dialog.
const SIZE: (u16, u16) = (64, 8);

pub(super) fn draw(app: &App, dialog: &MarkDialog, frame: &mut Frame<'_>, area: Rect) {
    let look = &app.look;
    let inside = overlay(app, &format!("When does {} call?", dialog.name), SIZE, frame, area);
    let width = usize::from(inside.width);
    let typed =
        |field: &tui_textarea::TextArea<'static>| screen::line(field.lines().first().map_or("", String::as_str));
    let line = |at: usize, label: &str, value: String| {
        let is_here = dialog.at == at;
        let style = if is_here { look.selected } else { look.text };
        let cursor = if is_here && at > 0 { "_" } else { "" };
        let label_style = if is_here { look.key } else { look.muted };
        let room = width.saturating_sub(31);
        Line::from(vec![
            Span::styled(format!(" {label:30}"), label_style),
            Span::styled(fit(look, &format!("{value}{cursor}"), room), style),
        ])
    };
    let yes = if dialog.activity { "yes" } else { "no" };
    let said = dialog.mistake.as_deref().map_or_else(
        || Span::styled(" nothing filled in: it does not call", look.muted),
        |mistake| Span::styled(format!(" {}", screen::line(mistake)), look.warn),
    );
    let lines = vec![
        line(0, "it prints after 10 s of rest", yes.to_owned()),
        line(1, "it is silent for so long", typed(&dialog.silence)),
        line(2, "a line matches this regex", typed(&dialog.pattern)),
        Line::default(),
        Line::from(said),
    ];
    frame.render_widget(marked(app, lines), inside);
}
