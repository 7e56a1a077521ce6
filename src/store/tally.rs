//! What a conversation counts. Whatever changes a message or a mark says so here, in the same transaction.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};

use super::Unread;
use super::events::channel_id;

/// A message on its way into a conversation.
pub(super) struct Counted {
    pub seq: i64,
    pub unread: bool,
    pub open: bool,
}

/// Counts a message that is new. If it is the newest, it brings back a conversation that was snoozed.
pub(super) fn arrived(
    connection: &Connection,
    conversation: i64,
    message: &Counted,
    contact: Option<i64>,
    vip: bool,
) -> rusqlite::Result<()> {
    let Counted { seq, unread, open } = *message;
    let newest = connection
        .prepare_cached(
            "UPDATE conversation SET messages = messages + 1, unread = unread + ?3, open = open + ?4, contact = ?5,
             vip = ?6, hidden = 0, last_seq = ?2, place = max(place, ?2) WHERE n = ?1 AND last_seq < ?2",
        )?
        .execute(params![conversation, seq, unread, open, contact, vip])?
        == 1;
    if newest {
        connection
            .prepare_cached("UPDATE desk SET snoozed = NULL WHERE conversation = ?1 AND snoozed IS NOT NULL")?
            .execute([conversation])?;
        return Ok(());
    }
    count(connection, conversation, 1, message)
}

/// Takes a message out of the conversation `from` and counts it in `to`; its row says so already.
pub(super) fn moved(connection: &Connection, from: i64, to: i64, message: &Counted) -> rusqlite::Result<()> {
    count(connection, from, -1, message)?;
    count(connection, to, 1, message)?;
    newest(connection, from)?;
    newest(connection, to)
}

fn count(connection: &Connection, conversation: i64, by: i64, message: &Counted) -> rusqlite::Result<()> {
    let (unread, open) = (by * i64::from(message.unread), by * i64::from(message.open));
    connection
        .prepare_cached(
            "UPDATE conversation SET messages = messages + ?2, unread = unread + ?3, open = open + ?4 WHERE n = ?1",
        )?
        .execute(params![conversation, by, unread, open])
        .map(drop)
}

/// Finds the newest message of a conversation again, and who wrote it.
pub(super) fn newest(connection: &Connection, conversation: i64) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE conversation SET (last_seq, contact, vip) =
             (SELECT coalesce(max(m.seq), 0), m.contact, coalesce(c.vip, 0)
              FROM message m LEFT JOIN contact c ON c.n = m.contact WHERE m.conversation = ?1) WHERE n = ?1",
        )?
        .execute([conversation])?;
    connection
        .prepare_cached(
            "UPDATE conversation SET place =
             max(last_seq, coalesce((SELECT woken FROM desk WHERE conversation = ?1), 0)) WHERE n = ?1",
        )?
        .execute([conversation])
        .map(drop)
}

/// How marks have changed counts; written once for all of them.
#[derive(Default)]
pub(super) struct Deltas {
    /// Unread and open messages, by conversation.
    conversations: BTreeMap<i64, (i64, i64)>,
    /// Unread messages of VIPs and of others, by channel.
    channels: BTreeMap<i64, (i64, i64)>,
}

impl Deltas {
    /// A message of `conversation` changed its marks.
    pub(super) fn touch(&mut self, conversation: i64, unread: i64, open: i64) {
        let entry = self.conversations.entry(conversation).or_default();
        entry.0 += unread;
        entry.1 += open;
    }

    /// So many more messages of a channel are unread.
    pub(super) fn unread(&mut self, channel: i64, vip: bool, unread: i64) {
        let (vips, others) = self.channels.entry(channel).or_default();
        *(if vip { vips } else { others }) += unread;
    }

    /// The conversations that were touched.
    pub(super) fn conversations(&self) -> impl Iterator<Item = i64> {
        self.conversations.keys().copied()
    }

    /// Writes what conversations count; answers what channels count.
    pub(super) fn settle(self, connection: &Connection) -> rusqlite::Result<Unread> {
        let mut update =
            connection.prepare_cached("UPDATE conversation SET unread = unread + ?2, open = open + ?3 WHERE n = ?1")?;
        for (conversation, (unread, open)) in self.conversations {
            if (unread, open) != (0, 0) {
                update.execute([conversation, unread, open])?;
            }
        }
        let mut name = connection.prepare_cached("SELECT id FROM channel WHERE n = ?1")?;
        self.channels
            .into_iter()
            .map(|(channel, delta)| Ok((name.query_row([channel], |row| channel_id(row, 0))?, delta)))
            .collect()
    }
}
