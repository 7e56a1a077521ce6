//! Quitting with the engine inside: does it stop or stay?

use crossterm::event::KeyCode;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::super::app::App;
use super::super::mouse::Hit;
use super::parts::{marked, overlay};

pub(super) fn draw(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let look = &app.look;
    let inside = overlay(app, "Quit", (64, 7), frame, area);
    let choice = |key: &'static str, words: &'static str| {
        Line::from(vec![Span::styled(format!("  {key:5}"), look.key), Span::styled(words, look.text)])
    };
    let lines = vec![
        Line::styled("  The engine runs in this process.", look.text),
        Line::default(),
        choice("s", "stop it: nothing is received until it starts again"),
        choice("k", "keep it running here without a screen"),
        choice("esc", "back to the screen"),
    ];
    for (row, code) in (2..).zip([KeyCode::Char('s'), KeyCode::Char('k'), KeyCode::Esc]) {
        let line = Rect { y: inside.y + row, height: 1, ..inside };
        app.region(line.intersection(inside), Hit::Press(code));
    }
    frame.render_widget(marked(app, lines), inside);
}
