//! The header: the views, and what waits in them.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::screen;

use super::super::action::{Action, View};
use super::super::app::App;
use super::super::keymap::Valid;
use super::super::mouse::Hit;
use super::counts::counts;
use super::parts::{figures, marked};

/// Columns that the names of all views take, cut to three letters.
const ALL_VIEWS: u16 = 47;

/// The open view, and what waits in all of them.
fn narrow(app: &App, valid: &[Valid], width: u16) -> Line<'static> {
    let here = Span::styled(format!("{}{}", key_of(app.view, valid), app.view.name()), app.look.tab);
    let told = counts(app).into_iter().map(|(text, style)| Span::styled(format!("  {text}"), style));
    figures(Line::from(here), told.collect(), width.into())
}

pub(super) fn draw(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let look = &app.look;
    let valid = app.keymap.valid(&app.contexts());
    if area.width < ALL_VIEWS {
        return frame.render_widget(marked(app, narrow(app, &valid, area.width)), area);
    }
    let mut spans = Vec::new();
    let mut x = area.x;
    for view in View::ALL {
        let name = if area.width >= 78 { view.name() } else { &view.name()[..3] };
        let is_here = view == app.view;
        if !spans.is_empty() {
            spans.push(Span::styled(" ", look.text));
            x += 1;
        }
        let number = key_of(view, &valid);
        let width = u16::try_from(screen::width(&number) + screen::width(name)).unwrap_or(u16::MAX);
        app.region(Rect { x, width, ..area }.intersection(area), Hit::Go(view));
        x = x.saturating_add(width);
        spans.push(Span::styled(number, if is_here { look.tab } else { look.key }));
        spans.push(Span::styled(name, if is_here { look.tab } else { look.text }));
    }
    frame.render_widget(marked(app, Line::from(spans)), area);
}

/// The first key of one column that goes to `view`, and a space; nothing where there is none, as there is no room for more.
fn key_of(view: View, valid: &[Valid]) -> String {
    let going = valid.iter().find(|valid| valid.action == Action::Go(view));
    let mut keys = going.into_iter().flat_map(|going| &going.chords).map(ToString::to_string);
    keys.find(|key| screen::width(key) == 1).map(|key| format!("{key} ")).unwrap_or_default()
}
