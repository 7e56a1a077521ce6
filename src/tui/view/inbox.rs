//! Inbox: the list of messages, and the open one.

use std::collections::BTreeSet;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};

use crate::model::{InboxFilter, Item, Order, age};
use crate::protocol::Link;
use crate::screen;

use super::super::app::App;
use super::super::inbox_there::There;
use super::super::list::first_shown;
use super::super::listed::Listed;
use super::super::mouse::Hit;
use super::super::window::Placed;
use super::parts::{fit, heading, list, marked, message_row, not_listed};
use super::{conversation, message};

pub(super) fn draw(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let (listed, opened) = message::split(app, area);
    match (&app.inbox.open, opened) {
        (Some(open), None) => return message::draw(app, open, frame, area),
        (Some(open), Some(beside)) => message::draw(app, open, frame, beside),
        (None, Some(beside)) if app.previews() => message::preview(app, frame, beside),
        (None, _) => {}
    }
    if let Some(there) = app.there() {
        return elsewhere(app, &there, frame, area);
    }
    let area = if app.inbox.open.is_some() || app.previews() { listed } else { area };
    let rows = heading(app, title(app), frame, area);
    let messages = &app.inbox.list;
    if messages.rows().is_empty() {
        let wrong = app.inbox.search.as_ref().and_then(|search| mistake(search.query()));
        let text = match &app.inbox.search {
            Some(search) if search.query().trim().is_empty() => "type words; the last may be unfinished",
            Some(_) if wrong.is_some() => wrong.as_deref().unwrap_or_default(),
            Some(_) if messages.is_outdated() => "searching",
            Some(_) => "no message holds all these words",
            None if messages.is_waiting() => "reading",
            None if messages.has_newer() => "not read: g asks again",
            None => "no messages",
        };
        return frame.render_widget(marked(app, Span::styled(format!("  {text}"), app.look.muted)), rows);
    }
    let picked: BTreeSet<Item> = app.inbox.picked().into_iter().collect();
    let shown = with_headings(app);
    let selected = shown.iter().position(|line| matches!(line, Shown::Row(index, _) if *index == messages.index()));
    // What comes over a broken line is as old as the line; nothing in it looks new then.
    let stale = matches!(app.link, Link::Reconnecting { .. });
    list(app, &shown, selected.unwrap_or(0), frame, rows, |line, width| {
        let drawn = match line {
            Shown::Heading(text) => Line::styled(format!("-- {text}"), app.look.muted),
            Shown::Row(_, Listed::Message(row)) => message_row(app, row, width),
            Shown::Row(_, Listed::Conversation(row)) => {
                conversation::row(app, row, picked.contains(&row.id.into()), width)
            }
        };
        if !stale {
            return drawn;
        }
        let text: String = drawn.spans.iter().map(|span| span.content.as_ref()).collect();
        Line::styled(text, app.look.muted)
    });
    // A click is about a row, and the headings are none.
    let first = first_shown(selected.unwrap_or(0), usize::from(rows.height));
    for (y, line) in (rows.y..rows.bottom()).zip(shown.iter().skip(first)) {
        let hit = match line {
            Shown::Heading(_) => Hit::Covered,
            Shown::Row(index, _) => Hit::Row(*index),
        };
        app.region(Rect { y, height: 1, ..rows }, hit);
    }
}

/// Rows of the selected one below the list of another node's messages.
pub(in super::super) const DETAIL_THERE: usize = 5;

/// The messages another node shares.
fn elsewhere(app: &App, there: &There<'_>, frame: &mut Frame<'_>, area: Rect) {
    let look = &app.look;
    let rows = heading(app, title(app), frame, area);
    let [above, told] =
        Layout::vertical([Constraint::Min(1), Constraint::Length(u16::try_from(DETAIL_THERE).unwrap_or(5))])
            .areas(rows);
    let Some(node) = there.node else {
        let text = format!("  no node is called {:?}", there.name);
        return frame.render_widget(marked(app, Span::styled(screen::line(&text), look.muted)), rows);
    };
    if there.rows.is_empty() {
        let text = format!("  {} shares no message that matches", node.name);
        return frame.render_widget(marked(app, Span::styled(text, look.muted)), rows);
    }
    let selected = app.index_there(there);
    let old = node.old_since();
    list(app, &there.rows, selected, frame, above, |row, width| {
        let drawn = message_row(app, row, width);
        if old.is_none() {
            return drawn;
        }
        let text: String = drawn.spans.iter().map(|span| span.content.as_ref()).collect();
        Line::styled(text, look.stale)
    });
    let Some(row) = there.rows.get(selected) else { return };
    let width = usize::from(told.width).max(1);
    let known = old.map(|old| format!("; what is shown is {} old", age(old, app.now))).unwrap_or_default();
    let whose = format!("{} on {}@{}, which is {}{known}", row.from, row.channel, node.name, node.state.as_str());
    let mut lines = vec![
        Line::default(),
        Line::styled(fit(look, &screen::line(&row.subject), width), look.title),
        Line::styled(fit(look, &screen::line(&whose), width), look.node(node.state)),
    ];
    let preview = screen::wrap(&screen::line(&row.preview), width).into_iter();
    lines.extend(preview.map(|text| Line::styled(text, if old.is_some() { look.stale } else { look.text })));
    lines.truncate(usize::from(told.height));
    frame.render_widget(marked(app, lines), told);
}

/// Why a query cannot be read, and at which column.
fn mistake(query: &str) -> Option<String> {
    query.parse::<InboxFilter>().err().map(|error| screen::line(&error.to_string()))
}

/// A line of the list.
enum Shown<'a> {
    Heading(String),
    /// A row and its number.
    Row(usize, &'a Listed),
}

/// The rows, and a heading where a group of conversations begins.
fn with_headings(app: &App) -> Vec<Shown<'_>> {
    let list = &app.inbox.list;
    let mut shown = Vec::with_capacity(list.rows().len() + 3);
    let mut tier = None;
    for (index, row) in list.rows().iter().enumerate() {
        let now = row.place().tier;
        if matches!(row, Listed::Conversation(_)) && tier != Some(now) {
            tier = Some(now);
            shown.push(Shown::Heading(match now {
                2 => {
                    let unread = list.rows().iter().filter(|row| row.is_unread()).count();
                    let more = list.rows().iter().all(|row| row.place().tier == 2) && !list.is_complete();
                    format!("{unread}{} unread", if more { "+" } else { "" })
                }
                1 => "earlier".to_owned(),
                _ => "done".to_owned(),
            }));
        }
        shown.push(Shown::Row(index, row));
    }
    shown
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
        if let Some(there) = app.there() {
            spans.push(Span::styled(format!("   {} found of what it shares", there.rows.len()), look.muted));
            return Line::from(spans);
        }
        let more = if inbox.list.is_complete() && !search.unranked { "" } else { "+" };
        let found = format!("   {}{more} found", inbox.list.rows().len());
        let found = if inbox.list.is_outdated() { "   searching".to_owned() } else { found };
        spans.push(Span::styled(found, look.muted));
        if let Some(order) = inbox.is_ranked() {
            let order = match order {
                Order::Newest => "newest first",
                Order::Best if search.unranked => "best first, of the newest that match",
                Order::Best => "best first",
            };
            spans.push(Span::styled(format!("   {order}"), look.muted));
        }
        return Line::from(spans);
    }
    match &inbox.saved {
        Some(saved) => spans.push(Span::styled(format!("   view {}", screen::line(&saved.name)), look.text)),
        None => spans.push(Span::styled(format!("   {}", inbox.shown.name()), look.text)),
    }
    spans.extend(not_listed(app, 0, 0));
    if let Some(channel) = &inbox.channel {
        spans.push(Span::styled(format!(" on {channel}"), look.text));
    }
    let held = inbox.list.rows().len();
    let position = if held == 0 { 0 } else { inbox.list.index() + 1 };
    let more = if inbox.list.is_complete() { "" } else { "+" };
    spans.push(Span::styled(format!("   {position} of {held}{more}"), look.muted));
    if inbox.partly {
        spans.push(Span::styled("   only the newest with these words", look.warn));
    }
    let picked = inbox.picked().len();
    if picked > 0 {
        spans.push(Span::styled(format!("   {picked} picked"), look.key));
    }
    for (node, remote) in app.nodes_panel().shared().filter(|(_, remote)| !remote.messages.is_empty()) {
        let unread = remote.messages.iter().filter(|row| row.marks.read.is_none()).count();
        spans.push(Span::styled(format!("   {unread} unread @{}", node.name), look.muted));
    }
    if inbox.list.has_newer() {
        spans.push(Span::styled("   newer above: g", look.warn));
    }
    Line::from(spans)
}
