//! How a chord that was begun may go on, for whoever hesitates.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::super::app::App;
use super::super::keymap::written;
use super::super::pressing::Pending;
use super::parts::{fit, marked, overlay};

pub(super) fn draw(app: &App, pending: &Pending, frame: &mut Frame<'_>, area: Rect) {
    let look = &app.look;
    let endings = app.keymap.endings(&app.contexts(), &pending.keys);
    if endings.is_empty() {
        // What was below has changed meanwhile, and the chord leads nowhere any more.
        return;
    }
    let height = u16::try_from(endings.len()).unwrap_or(u16::MAX).saturating_add(2).min(area.height);
    // At the bottom, so that what the key is meant for stays in sight.
    let bottom = Rect { y: area.bottom() - height, height, ..area };
    let title = format!("{} and then", written(&pending.keys));
    let inside = overlay(app, &title, (64, height), frame, bottom);
    let lines: Vec<Line<'_>> = endings
        .into_iter()
        .map(|(keys, action)| {
            let keys = fit(look, &keys, 12);
            Line::from(match app.why_not(action) {
                None => vec![Span::styled(keys, look.key), Span::styled(action.words(), look.text)],
                Some(why) => vec![Span::styled(format!("{keys}{} ({why})", action.words()), look.muted)],
            })
        })
        .collect();
    frame.render_widget(marked(app, lines), inside);
}
