//! The picker of saved views, with how many unread conversations each has.

use crossterm::event::KeyCode;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};

use crate::screen;

use super::super::app::App;
use super::super::mouse::Hit;
use super::super::view_picker::{Step, ViewPicker};
use super::parts::{fit, list, marked, overlay};

/// Columns of a name, and of a count with its word.
const NAME: usize = 22;
const COUNT: usize = 13;

pub(super) fn draw(app: &App, picker: &ViewPicker, frame: &mut Frame<'_>, area: Rect) {
    let look = &app.look;
    let rows = u16::try_from(picker.views().len()).unwrap_or(u16::MAX).saturating_add(4).max(6);
    let title = match picker.step {
        Step::Choose => "Views: enter goes there, s saves what is shown, d deletes",
        Step::Name(_) => "Save this as a view: enter keeps it, esc goes back",
        Step::Delete(_) => "Delete this view, for everybody?",
    };
    let inside = overlay(app, title, (72, rows), frame, area);
    let [list_area, below] = Layout::vertical([Constraint::Min(0), Constraint::Length(2)]).areas(inside);
    if picker.views.is_none() {
        frame.render_widget(marked(app, Span::styled("  counting", look.muted)), list_area);
    }
    list(app, picker.views(), picker.selected, frame, list_area, |view, width| {
        let query = fit(look, &screen::line(&view.query), width.saturating_sub(NAME + COUNT + 1));
        let style = if view.unread.n > 0 { look.text } else { look.muted };
        Line::from(vec![
            Span::styled(format!("{} ", fit(look, &screen::line(&view.name), NAME)), look.key),
            Span::styled(query, look.muted),
            Span::styled(format!("{:>6} unread", view.unread), style),
        ])
    });
    let width = usize::from(below.width);
    let lines = match &picker.step {
        Step::Choose if picker.query.is_empty() => vec![Line::styled(" now: everything", look.muted)],
        Step::Choose => {
            let now = format!(" now: {}", screen::line(&picker.query));
            vec![Line::styled(fit(look, &now, width), look.muted)]
        }
        Step::Name(_) => naming(app, picker, width),
        Step::Delete(name) => {
            let half = below.width / 2;
            app.region(Rect { y: below.y + 1, height: 1, width: half, ..below }, Hit::Press(KeyCode::Char('y')));
            app.region(Rect { x: below.x + half, y: below.y + 1, height: 1, width: half }, Hit::Press(KeyCode::Esc));
            let keys = vec![
                Span::styled(" y", look.key),
                Span::styled(fit(look, " deletes it", usize::from(half).saturating_sub(2)), look.text),
                Span::styled("esc", look.key),
                Span::styled(" keeps it", look.text),
            ];
            vec![Line::styled(fit(look, &format!(" {}", screen::line(name)), width), look.warn), Line::from(keys)]
        }
    };
    frame.render_widget(marked(app, lines), below);
}

fn naming(app: &App, picker: &ViewPicker, width: usize) -> Vec<Line<'static>> {
    let look = &app.look;
    let typed = screen::line(picker.typed());
    let query = format!("  = {}", screen::line(&picker.query));
    let room = width.saturating_sub(screen::width(&typed) + 8);
    let field = vec![
        Span::styled(" name: ", look.muted),
        Span::styled(typed, look.text),
        Span::styled(" ", look.selected),
        Span::styled(fit(look, &query, room), look.muted),
    ];
    let warning = picker.warning().unwrap_or_default();
    vec![Line::from(field), Line::styled(fit(look, &format!(" {}", screen::line(&warning)), width), look.warn)]
}
