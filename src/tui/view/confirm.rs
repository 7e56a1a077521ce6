//! Questions before something is done to a job or said about a plan.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use crate::screen;

use super::super::app::App;
use super::super::confirm::{Asks, Confirm};
use super::parts::overlay;

/// Columns it has at most.
const WIDTH: u16 = 84;

pub(super) fn draw(app: &App, confirm: &Confirm, frame: &mut Frame<'_>, area: Rect) {
    let look = &app.look;
    let room = usize::from(WIDTH.min(area.width).saturating_sub(2)).max(1);
    let mut about: Vec<Line<'_>> = Vec::new();
    for text in &confirm.lines {
        about.extend(screen::chop(&screen::line(text), room).into_iter().map(|row| Line::styled(row, look.text)));
    }
    let mut asked = Vec::new();
    if matches!(confirm.asks, Asks::Resolve(_)) {
        let choice = |text, is: bool| {
            let sign = if is { "(x) " } else { "( ) " };
            Span::styled(format!("{sign}{text}   "), if is { look.title } else { look.text })
        };
        asked.push(Line::from(vec![
            choice("it ran", confirm.ran == Some(true)),
            choice("it did not run", confirm.ran == Some(false)),
            Span::styled("tab chooses", look.muted),
        ]));
    }
    if confirm.has_note() {
        let hint = if matches!(confirm.asks, Asks::Resolve(_)) { "how you know" } else { "why not" };
        let hint = if confirm.written().is_empty() { format!(" {hint}") } else { String::new() };
        asked.push(Line::from(vec![
            Span::styled("> ", look.key),
            Span::styled(screen::line(confirm.written()), look.text),
            Span::styled(" ", look.selected),
            Span::styled(hint, look.muted),
        ]));
    }
    let does = if confirm.has_note() { "enter" } else { "y" };
    asked.push(Line::from(vec![
        Span::styled(does, look.key),
        Span::styled(" does it   ", look.text),
        Span::styled("esc", look.key),
        Span::styled(" does nothing", look.text),
    ]));
    let height = u16::try_from(about.len() + asked.len() + 3).unwrap_or(u16::MAX);
    let inside = overlay(app, confirm.title, (WIDTH, height), frame, area);
    // What has to be answered is never cut away by what it is about.
    let above = usize::from(inside.height).saturating_sub(asked.len());
    if about.len() > above {
        about.truncate(above.saturating_sub(1));
        about.push(Line::styled("and more: make the terminal larger", look.warn));
    } else {
        about.push(Line::default());
        about.truncate(above);
    }
    about.truncate(above);
    about.extend(asked);
    frame.render_widget(Paragraph::new(about), inside);
}
