//! Questions before something is done to a job or said about a plan or a person.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::screen;

use super::super::app::App;
use super::super::confirm::{Asks, Confirm};
use super::parts::{marked, overlay};

/// Columns it has at most.
const WIDTH: u16 = 84;

/// What it is about, in rows.
fn rows(confirm: &Confirm, width: u16) -> Vec<String> {
    let room = usize::from(WIDTH.min(width).saturating_sub(2)).max(1);
    confirm.lines.iter().flat_map(|text| screen::chop(&screen::line(text), room)).collect()
}

/// The last row that can be the first one on this screen, 0 where all are shown, and the rows of a page.
pub(in super::super) fn scrolls(app: &App, confirm: &Confirm) -> (usize, usize) {
    let rows = rows(confirm, app.size.0).len();
    // The head and foot of the screen, the frame, and what has to be answered.
    let asked = 1 + usize::from(confirm.has_note()) + usize::from(matches!(confirm.asks, Asks::Resolve(_)));
    let above = usize::from(app.size.1).saturating_sub(4 + asked);
    if rows <= above {
        return (0, above);
    }
    let page = above.saturating_sub(1).max(1);
    (rows - page, page)
}

pub(super) fn draw(app: &App, confirm: &Confirm, frame: &mut Frame<'_>, area: Rect) {
    let look = &app.look;
    let mut about: Vec<Line<'_>> =
        rows(confirm, area.width).into_iter().map(|row| Line::styled(row, look.text)).collect();
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
        let page = above.saturating_sub(1).max(1);
        let scroll = confirm.scroll.min(about.len() - page);
        about.drain(..scroll);
        let below = about.len() - page;
        about.truncate(page);
        let (text, style) = match below {
            0 => ("that is all of it; up goes back".to_owned(), look.muted),
            below => (format!("{below} more rows: down shows them"), look.warn),
        };
        about.push(Line::styled(text, style));
    } else {
        about.push(Line::default());
        about.truncate(above);
    }
    about.truncate(above);
    about.extend(asked);
    frame.render_widget(marked(app, about), inside);
}
