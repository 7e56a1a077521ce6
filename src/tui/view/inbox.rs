//! Inbox: the list of messages, and the open one.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use crate::screen;

use super::super::app::App;
use super::message;
use super::parts::{heading, list, message_row};

pub(super) fn draw(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let (listed, opened) = message::split(area);
    match (&app.inbox.open, opened) {
        (Some(open), None) => return message::draw(app, open, frame, area),
        (Some(open), Some(beside)) => message::draw(app, open, frame, beside),
        (None, _) => {}
    }
    let area = if app.inbox.open.is_some() { listed } else { area };
    let rows = heading(title(app), frame, area);
    let messages = &app.inbox.list;
    if messages.rows().is_empty() {
        let text = match &app.inbox.search {
            Some(search) if search.query().trim().is_empty() => "type words; the last may be unfinished",
            Some(_) => "no message holds all these words",
            None if messages.is_waiting() => "reading",
            None if messages.has_newer() => "not read: g asks again",
            None => "no messages",
        };
        return frame.render_widget(Paragraph::new(Span::styled(format!("  {text}"), app.look.muted)), rows);
    }
    list(app, messages.rows(), messages.index(), frame, rows, |row, width| message_row(app, row, width));
}

fn title(app: &App) -> Line<'static> {
    let look = &app.look;
    let inbox = &app.inbox;
    let mut spans = vec![Span::styled("Inbox", look.title)];
    if let Some(search) = &inbox.search {
        spans.push(Span::styled("   search: ", look.muted));
        spans.push(Span::styled(screen::line(search.query()), look.text));
        if search.typing {
            spans.push(Span::styled(" ", look.selected));
        }
        let more = if inbox.list.is_complete() { "" } else { "+" };
        spans.push(Span::styled(format!("   {}{more} found", inbox.list.rows().len()), look.muted));
        return Line::from(spans);
    }
    spans.push(Span::styled(format!("   {}", inbox.shown.name()), look.text));
    if let Some(channel) = &inbox.channel {
        spans.push(Span::styled(format!(" on {channel}"), look.text));
    }
    let held = inbox.list.rows().len();
    let position = if held == 0 { 0 } else { inbox.list.index() + 1 };
    let more = if inbox.list.is_complete() { "" } else { "+" };
    spans.push(Span::styled(format!("   {position} of {held}{more}"), look.muted));
    if inbox.list.has_newer() {
        spans.push(Span::styled("   newer above: g", look.warn));
    }
    Line::from(spans)
}
