//! One conversation in the list.

use ratatui::style::Modifier;
use ratatui::text::{Line, Span};

use crate::model::{ConversationRow, age};
use crate::screen;

use super::super::app::App;
use super::parts::fit;

/// From this width on it is said how many messages a conversation has.
const COUNTED: usize = 50;

/// The line of a conversation; `picked` says whether it is picked for an act on many.
pub(super) fn row(app: &App, row: &ConversationRow, picked: bool, width: usize) -> Line<'static> {
    let look = &app.look;
    let (state, style) = if row.snoozed.is_some() {
        ("z", look.muted)
    } else if row.unread > 0 {
        (look.glyph("●", "*"), look.title)
    } else if row.acked.is_some() {
        (look.glyph("✓", "v"), look.ok)
    } else {
        (" ", look.text)
    };
    let (channel, from) = match width {
        100.. => (12, 20),
        70..100 => (9, 14),
        61..70 => (6, 10),
        // Half of the line is the subject's; there is no room for a channel, and then for a count.
        COUNTED..61 => (0, width / 2 - 16),
        _ => (0, (width / 2).saturating_sub(12)),
    };
    let on = if channel > 0 { format!("{} ", fit(look, row.channel.as_str(), channel)) } else { String::new() };
    let weight = if row.unread > 0 { look.text.add_modifier(Modifier::BOLD) } else { look.text };
    let count = match row.messages {
        _ if width < COUNTED => String::new(),
        0..2 => "    ".to_owned(),
        messages => format!("{:>3} ", messages.min(999)),
    };
    let before = 11 + screen::width(&on) + from + 1 + count.len();
    let tags = tags(row);
    let most = width.saturating_sub(before) / 3;
    let tags = if screen::width(&tags) > most { fit(look, &tags, most) } else { tags };
    let room = width.saturating_sub(before + screen::width(&tags));
    let repeated = row.repeats.map(|repeats| format!("{}x ", repeats.count)).unwrap_or_default();
    let subject = format!("{repeated}{}", screen::line(&row.subject));
    let preview_room = room.saturating_sub(screen::width(&subject) + 3);
    let (subject, preview) = if preview_room >= 8 && !row.preview.is_empty() {
        let preview = format!("   {}", fit(look, &screen::line(&row.preview), preview_room));
        (subject, preview)
    } else {
        (fit(look, &subject, room), String::new())
    };
    Line::from(vec![
        Span::styled(if picked { "+" } else { " " }, look.key),
        Span::styled(format!("{state} "), style),
        Span::styled(if row.vip { "VIP " } else { "    " }, look.vip),
        Span::styled(format!("{:>3} ", age(row.received, app.now)), look.muted),
        Span::styled(on, look.muted),
        Span::styled(format!("{} ", fit(look, &screen::line(&row.from), from)), look.text),
        Span::styled(count, look.muted),
        Span::styled(subject, weight),
        Span::styled(preview, look.muted),
        Span::styled(tags, look.key),
    ])
}

/// Labels, whose it is, notes, that its sender is one person under several addresses: what operators have said of it.
pub(super) fn tags(row: &ConversationRow) -> String {
    let labels = row.labels.iter().map(|label| format!(" #{label}"));
    let assignee = row.assignee.iter().map(|who| format!(" @{who}"));
    let notes = (row.notes > 0).then(|| format!(" {} {}", row.notes, if row.notes == 1 { "note" } else { "notes" }));
    let person = (row.addresses > 1).then(|| format!(" {} addresses", row.addresses));
    labels.chain(assignee).chain(notes).chain(person).collect()
}
