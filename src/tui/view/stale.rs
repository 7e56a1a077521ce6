//! What is shown while the line is broken: grey, with its age.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Span;

use crate::model::age;

use super::super::app::App;
use super::parts::marked;

/// How old what is shown is, while nothing new can come: `data 2m old`.
pub(super) fn told(app: &App) -> Option<String> {
    Some(format!("data {} old", age(app.stale_since()?, app.now)))
}

/// Makes what was drawn in `area` grey and says its age in its title. The selection stays visible.
pub(super) fn draw(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let Some(told) = told(app) else { return };
    if let Some(grey) = app.look.stale.fg {
        for row in area.rows() {
            for column in row.columns() {
                if let Some(cell) = frame.buffer_mut().cell_mut((column.x, column.y)) {
                    cell.fg = grey;
                }
            }
        }
    }
    let width = u16::try_from(told.len() + 2).unwrap_or(u16::MAX).min(area.width);
    let title = Rect { x: area.right() - width, width, height: area.height.min(1), ..area };
    frame.render_widget(marked(app, Span::styled(format!(" {told} "), app.look.warn)), title);
}
