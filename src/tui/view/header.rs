//! The header: the views, and what waits in them.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::super::action::View;
use super::super::app::App;

pub(super) fn draw(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let look = &app.look;
    let mut spans = Vec::new();
    for (number, view) in (1..).zip(View::ALL) {
        let name = if area.width >= 78 { view.name() } else { &view.name()[..3] };
        let style = match view {
            _ if view == app.view => look.tab,
            _ if view.missing().is_some() => look.muted,
            _ => look.text,
        };
        if number > 1 {
            spans.push(Span::styled(" ", look.text));
        }
        let key = if view == app.view {
            look.tab
        } else if view.missing().is_some() {
            look.muted
        } else {
            look.key
        };
        spans.push(Span::styled(number.to_string(), key));
        spans.push(Span::styled(format!(" {name}"), style));
    }
    frame.render_widget(Paragraph::new(Line::from(spans)), area);
}
