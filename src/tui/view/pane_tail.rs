//! The last lines of several panes, one after the other.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::model::counted;

use super::super::app::App;
use super::super::mouse::Hit;
use super::super::pane_tail::PaneTail;
use super::super::tail::Row;
use super::parts::{fit, heading, marked, outside};

/// Columns of a pane's name at most.
const NAME: usize = 18;

pub(super) fn draw(app: &App, tail: &PaneTail, frame: &mut Frame<'_>, area: Rect) {
    let look = &app.look;
    let paused = tail.lines.paused();
    let state = paused.map_or_else(|| "following".to_owned(), |new| format!("paused, {new} new"));
    let title = Line::from(vec![
        Span::styled(format!("Last lines of {}", counted(tail.panes.len(), "pane")), look.title),
        Span::styled(format!("   {state}"), if paused.is_some() { look.warn } else { look.muted }),
    ]);
    let area = heading(app, title, frame, area);
    let (height, width) = (usize::from(area.height), usize::from(area.width));
    let name = NAME.min(width / 3);
    let first = tail.lines.first(height);
    for (offset, row) in tail.lines.rows().iter().skip(first).take(height).enumerate() {
        let y = area.y + u16::try_from(offset).unwrap_or(u16::MAX);
        let line_area = Rect { y, height: 1, ..area };
        app.region(line_area, Hit::Row(first + offset));
        let Row::Told(told) = row else { continue };
        let called = fit(look, &app.panes.shown_name(&told.pane), name);
        let text = match &told.text {
            Ok(text) => outside(text, look.text),
            Err(count) => Span::styled(format!("{} not here", counted(*count, "line")), look.warn),
        };
        let selected = paused.is_some() && first + offset == tail.lines.index();
        let style = if selected { look.selected } else { look.key };
        let line = Line::from(vec![Span::styled(format!("{called} "), style), text]);
        frame.render_widget(marked(app, line), line_area);
    }
    if tail.lines.rows().is_empty() {
        frame.render_widget(
            marked(app, Span::styled("  nothing was printed yet; full-screen programs have no lines", look.muted)),
            area,
        );
    }
}
