//! Conversations by the names of their messages: a reply finds the one it answers, in whatever order they come.
//!
//! Anybody may write any name into a message, so every contact has names of its own: nobody joins the conversation of
//! somebody else, or takes a name away that a message of somebody else will have.

use rusqlite::{Connection, OptionalExtension, params};

use crate::model::Parsed;

use super::PendingEvent;

/// The conversation of the message itself or of one it refers to, the nearest first.
pub(super) fn conversation(
    connection: &Connection,
    event: &PendingEvent,
    contact: Option<i64>,
    parsed: &Parsed,
) -> rusqlite::Result<Option<i64>> {
    for name in parsed.name.iter().chain(&parsed.refs) {
        let known: Option<i64> = connection
            .prepare_cached("SELECT conversation FROM message_name WHERE channel = ?1 AND name = ?2")?
            .query_row(params![event.channel_n, own(contact, name)], |row| row.get(0))
            .optional()?;
        if known.is_some() {
            return Ok(known);
        }
    }
    Ok(None)
}

/// Notes that a message and those it refers to belong to `conversation`; what is known already stays where it is.
pub(super) fn remember(
    connection: &Connection,
    channel: i64,
    contact: Option<i64>,
    conversation: i64,
    parsed: &Parsed,
) -> rusqlite::Result<()> {
    for name in parsed.name.iter().chain(&parsed.refs) {
        connection
            .prepare_cached("INSERT OR IGNORE INTO message_name (channel, name, conversation) VALUES (?1, ?2, ?3)")?
            .execute(params![channel, own(contact, name), conversation])?;
    }
    Ok(())
}

/// The name as `contact` uses it.
fn own(contact: Option<i64>, name: &str) -> String {
    format!("{} {name}", contact.unwrap_or_default())
}
