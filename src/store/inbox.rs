//! Reading the inbox.

use std::collections::HashMap;

use jiff::Timestamp;
use rusqlite::Row;

use crate::model::{ChannelId, ContactId, InboxFilter, Marks, MessagePage, MessageRow, Order};

use super::events::{channel_id, event_id, timestamp, uuid};
use super::known::Who;
use super::{Patience, Store, StoreError};

/// What a channel's panel counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChannelCounts {
    /// Events acknowledged.
    pub events: u64,
    /// Messages nobody has read, of VIPs.
    pub unread_vip: u64,
    /// Messages nobody has read, of everybody else.
    pub unread: u64,
    /// When the newest event was received.
    pub last_event: Option<Timestamp>,
}

/// What [`line()`] reads of a message `m`.
pub(super) const LINE: &str =
    "m.seq, m.channel, m.contact, m.id, m.kind, m.subject, m.preview, m.received, m.read_at, m.acked_at, m.acked_by";
/// What [`row`] reads, with [`JOINS`]: a line and whom it names.
pub(super) const ROW: &str =
    "m.seq, m.channel, m.contact, m.id, m.kind, m.subject, m.preview, m.received, m.read_at, m.acked_at, m.acked_by,
    ch.id, c.id, coalesce(nullif(c.name, ''), c.address), c.vip";
/// Columns of [`ROW`]: the number of the first one behind it.
pub(super) const AFTER_ROW: usize = 15;
pub(super) const JOINS: &str = "JOIN channel ch ON ch.n = m.channel LEFT JOIN contact c ON c.n = m.contact";

impl Store {
    /// The newest matching messages before `before`, newest first, however long it takes.
    ///
    /// # Errors
    /// When the store cannot read.
    pub fn inbox(&self, filter: &InboxFilter, before: Option<i64>, limit: usize) -> Result<MessagePage, StoreError> {
        self.find(filter, Order::Newest, before, limit, &Patience::endless())
    }

    /// Messages after the place `after`, oldest first.
    ///
    /// # Errors
    /// When the store cannot read.
    pub fn messages_after(&self, after: i64, limit: usize) -> Result<Vec<MessageRow>, StoreError> {
        let sql = format!("SELECT {ROW} FROM message m {JOINS} WHERE m.seq > ?1 ORDER BY m.seq LIMIT ?2");
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.read(|connection| connection.prepare_cached(&sql)?.query_map([after, limit], row)?.collect())
    }

    /// Messages nobody has read, VIPs first, and among each the oldest first.
    ///
    /// # Errors
    /// When the store cannot read.
    pub fn unread(&self, limit: usize) -> Result<Vec<MessageRow>, StoreError> {
        let sql = format!(
            "SELECT {ROW} FROM (
                 SELECT * FROM (SELECT seq, vip FROM unread INDEXED BY unread_vips WHERE vip ORDER BY seq LIMIT ?1)
                 UNION ALL SELECT * FROM (SELECT seq, vip FROM unread WHERE NOT vip ORDER BY seq LIMIT ?1) LIMIT ?1
             ) u JOIN message m ON m.seq = u.seq {JOINS} ORDER BY u.vip DESC, u.seq"
        );
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.read(|connection| connection.prepare_cached(&sql)?.query_map([limit], row)?.collect())
    }

    /// What every channel's panel counts, up to the watermark of projection.
    ///
    /// # Errors
    /// When the store cannot read.
    pub fn channel_counts(&self) -> Result<HashMap<ChannelId, ChannelCounts>, StoreError> {
        self.read(|connection| {
            let mut last = connection
                .prepare_cached("SELECT received FROM message WHERE seq = (SELECT max(seq) FROM message WHERE channel = ?1)")?;
            let mut channels = connection.prepare_cached(
                "SELECT c.n, c.id, k.events, k.unread_vip, k.unread FROM channel c JOIN channel_count k ON k.channel = c.n",
            )?;
            let mut rows = channels.query([])?;
            let mut counts = HashMap::new();
            while let Some(row) = rows.next()? {
                let n: i64 = row.get(0)?;
                let last_event = last.query_map([n], |row| row.get(0))?.next().transpose()?.map(timestamp);
                let counted =
                    ChannelCounts { events: row.get(2)?, unread_vip: row.get(3)?, unread: row.get(4)?, last_event };
                counts.insert(channel_id(row, 1)?, counted);
            }
            Ok(counts)
        })
    }
}

/// A line as a list shows it, on `channel` and from `who`.
pub(super) fn line(row: &Row<'_>, channel: ChannelId, who: Option<Who>) -> rusqlite::Result<MessageRow> {
    let (contact, from, vip) = who.map_or_else(Default::default, |who| (Some(who.id), who.from, who.vip));
    Ok(MessageRow {
        seq: row.get(0)?,
        id: event_id(row, 3)?.into(),
        channel,
        kind: row.get(4)?,
        contact,
        from,
        vip,
        subject: row.get(5)?,
        preview: row.get(6)?,
        received: timestamp(row.get(7)?),
        marks: marks(row, 8)?,
    })
}

pub(super) fn row(row: &Row<'_>) -> rusqlite::Result<MessageRow> {
    let who = match row.get_ref(12)? {
        rusqlite::types::ValueRef::Null => None,
        _ => Some(Who { id: ContactId::from_uuid(uuid(row, 12)?), from: row.get(13)?, vip: row.get(14)? }),
    };
    line(row, channel_id(row, 11)?, who)
}

pub(super) fn marks(row: &Row<'_>, first: usize) -> rusqlite::Result<Marks> {
    Ok(Marks {
        read: row.get::<_, Option<i64>>(first)?.map(timestamp),
        acked: row.get::<_, Option<i64>>(first + 1)?.map(timestamp),
        acked_by: row.get(first + 2)?,
    })
}
