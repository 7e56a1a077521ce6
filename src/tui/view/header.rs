//! The header: the views, and what waits in them.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::super::action::View;
use super::super::app::App;
use super::counts::counts;

/// Columns that the names of all views take, cut to three letters.
const ALL_VIEWS: u16 = 47;

/// The open view, and what waits in all of them.
fn narrow(app: &App) -> Line<'static> {
    let look = &app.look;
    let number = View::ALL.iter().position(|view| *view == app.view).map_or(0, |place| place + 1);
    let mut spans = vec![Span::styled(format!("{number} {}", app.view.name()), look.tab)];
    for (text, style) in counts(app) {
        spans.push(Span::styled(format!("  {text}"), style));
    }
    Line::from(spans)
}

pub(super) fn draw(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let look = &app.look;
    if area.width < ALL_VIEWS {
        return frame.render_widget(Paragraph::new(narrow(app)), area);
    }
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
