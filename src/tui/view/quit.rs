//! Quitting with the engine inside: does it stop or stay?

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::super::app::App;
use super::parts::overlay;

pub(super) fn draw(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let look = &app.look;
    let inside = overlay(look, "Quit", (64, 7), frame, area);
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
    frame.render_widget(Paragraph::new(lines), inside);
}
