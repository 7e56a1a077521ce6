//! Channels and contacts that a reader has met, so that the lines that name them need no look-up of their own.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, Row};

use crate::model::{ChannelId, ContactId, MessageRow};

use super::events::{channel_id, uuid};
use super::inbox::line;

/// Contacts that are kept; with more of them it begins anew.
const KEPT: usize = 32_768;

/// What a line shows of a contact.
#[derive(Debug, Clone)]
pub(super) struct Who {
    pub id: ContactId,
    /// The name, else the address.
    pub from: String,
    pub vip: bool,
}

/// What one reader knows.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// By their numbers; a channel keeps both.
    channels: HashMap<i64, ChannelId>,
    contacts: HashMap<i64, Who>,
    /// How many changes of contacts there had been when these were read.
    changes: i64,
}

impl Known {
    /// What still holds in the transaction that is open: nothing of contacts when any of them has changed since.
    pub(super) fn now(&mut self, connection: &Connection) -> rusqlite::Result<&mut Self> {
        let changes = connection
            .prepare_cached("SELECT cast(value AS INTEGER) FROM remembered WHERE name = 'contacts'")?
            .query_row([], |row| row.get(0))?;
        if changes != self.changes || self.contacts.len() > KEPT {
            self.contacts.clear();
            self.changes = changes;
        }
        Ok(self)
    }

    /// A message whose row begins with the columns of [`LINE`](super::inbox::LINE).
    pub(super) fn line(&mut self, connection: &Connection, row: &Row<'_>) -> rusqlite::Result<MessageRow> {
        let channel = self.channel(connection, row.get(1)?)?;
        let contact: Option<i64> = row.get(2)?;
        let who = contact.map(|n| self.contact(connection, n)).transpose()?.flatten();
        line(row, channel, who)
    }

    fn channel(&mut self, connection: &Connection, n: i64) -> rusqlite::Result<ChannelId> {
        if let Some(known) = self.channels.get(&n) {
            return Ok(known.clone());
        }
        let found: ChannelId = connection
            .prepare_cached("SELECT id FROM channel WHERE n = ?1")?
            .query_row([n], |row| channel_id(row, 0))?;
        self.channels.insert(n, found.clone());
        Ok(found)
    }

    fn contact(&mut self, connection: &Connection, n: i64) -> rusqlite::Result<Option<Who>> {
        if let Some(known) = self.contacts.get(&n) {
            return Ok(Some(known.clone()));
        }
        let found = connection
            .prepare_cached("SELECT id, coalesce(nullif(name, ''), address), vip FROM contact WHERE n = ?1")?
            .query_row([n], |row| {
                Ok(Who { id: ContactId::from_uuid(uuid(row, 0)?), from: row.get(1)?, vip: row.get(2)? })
            })
            .optional()?;
        self.contacts.extend(found.clone().map(|who| (n, who)));
        Ok(found)
    }
}
