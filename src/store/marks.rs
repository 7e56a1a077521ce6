//! The marks of messages: who read them, and who took them.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};

use crate::model::{Act, Marks};

use super::events::timestamp;
use super::tally::Deltas;

/// All marks of one message.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Marked {
    read: Option<i64>,
    read_by: Option<String>,
    acked: Option<i64>,
    acked_by: Option<String>,
}

impl Marked {
    /// The marks after `act`. Only the first time counts: marking again changes nothing.
    pub(super) fn after(&self, act: &Act, who: &str, now: Timestamp) -> Self {
        let mut after = self.clone();
        let at = now.as_microsecond();
        if matches!(act, Act::Read | Act::Ack) && after.read.is_none() {
            (after.read, after.read_by) = (Some(at), Some(who.to_owned()));
        }
        match act {
            Act::Unread => (after.read, after.read_by) = (None, None),
            Act::Ack if after.acked.is_none() => (after.acked, after.acked_by) = (Some(at), Some(who.to_owned())),
            Act::Unack => (after.acked, after.acked_by) = (None, None),
            _ => {}
        }
        after
    }

    /// As screens see them.
    pub(super) fn shown(&self) -> Marks {
        Marks { read: self.read.map(timestamp), acked: self.acked.map(timestamp), acked_by: self.acked_by.clone() }
    }
}

/// The marks of one message, ready to be changed.
pub(super) struct Sheet {
    seq: i64,
    conversation: i64,
    channel: i64,
    vip: bool,
    pub(super) marked: Marked,
}

impl Sheet {
    /// The marks of the message at `seq`, when there is one.
    pub(super) fn of(connection: &Connection, seq: i64) -> rusqlite::Result<Option<Self>> {
        connection
            .prepare_cached(
                "SELECT m.conversation, m.channel, coalesce(c.vip, 0), k.read_at, k.read_by, k.acked_at, k.acked_by
                 FROM message m LEFT JOIN contact c ON c.n = m.contact LEFT JOIN mark k ON k.seq = m.seq
                 WHERE m.seq = ?1",
            )?
            .query_row([seq], |row| {
                Ok(Self {
                    seq,
                    conversation: row.get(0)?,
                    channel: row.get(1)?,
                    vip: row.get(2)?,
                    marked: Marked {
                        read: row.get(3)?,
                        read_by: row.get(4)?,
                        acked: row.get(5)?,
                        acked_by: row.get(6)?,
                    },
                })
            })
            .optional()
    }

    /// Writes other marks.
    pub(super) fn put(self, connection: &Connection, after: &Marked, deltas: &mut Deltas) -> rusqlite::Result<()> {
        let Self { seq, conversation, channel, vip, marked: before } = self;
        connection
            .prepare_cached(
                "INSERT INTO mark (seq, read_at, read_by, acked_at, acked_by) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (seq) DO UPDATE SET read_at = excluded.read_at, read_by = excluded.read_by,
                 acked_at = excluded.acked_at, acked_by = excluded.acked_by",
            )?
            .execute(params![seq, after.read, after.read_by, after.acked, after.acked_by])?;
        let unread = i64::from(after.read.is_none()) - i64::from(before.read.is_none());
        if unread > 0 {
            connection
                .prepare_cached("INSERT OR IGNORE INTO unread (seq, channel, vip) VALUES (?1, ?2, ?3)")?
                .execute(params![seq, channel, vip])?;
        } else if unread < 0 {
            connection.prepare_cached("DELETE FROM unread WHERE seq = ?1")?.execute([seq])?;
        }
        let open = i64::from(after.acked.is_none()) - i64::from(before.acked.is_none());
        deltas.touch(conversation, unread, open);
        deltas.unread(channel, vip, unread);
        Ok(())
    }
}
