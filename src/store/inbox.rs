//! Reading the inbox.

use std::collections::HashMap;

use jiff::Timestamp;
use rusqlite::types::Value;
use rusqlite::{Connection, Row, params_from_iter};

use crate::model::{ChannelId, ContactId, InboxFilter, Marks, MessageRow};

use super::events::{channel_id, event_id, timestamp, uuid};
use super::{Store, StoreError};

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

pub(super) const ROW: &str =
    "m.seq, e.id, ch.id, e.kind, c.id, coalesce(nullif(c.name, ''), c.address, ''), coalesce(c.vip, 0),
    m.subject, m.preview, e.received, k.read_at, k.acked_at, k.acked_by";
pub(super) const JOINS: &str = "JOIN event e ON e.seq = m.seq JOIN channel ch ON ch.n = m.channel
    LEFT JOIN contact c ON c.n = m.contact LEFT JOIN mark k ON k.seq = m.seq";

impl Store {
    /// The newest matching messages before `before`, newest first.
    ///
    /// # Errors
    /// When the store cannot read.
    pub fn inbox(
        &self,
        filter: &InboxFilter,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Vec<MessageRow>, StoreError> {
        let (source, conditions, mut values) = conditions(filter);
        let sql =
            format!("SELECT {ROW} FROM {source} {JOINS} WHERE {conditions} AND m.seq < ? ORDER BY m.seq DESC LIMIT ?");
        values.push(before.unwrap_or(i64::MAX).into());
        values.push(i64::try_from(limit).unwrap_or(i64::MAX).into());
        self.read(|connection| connection.prepare_cached(&sql)?.query_map(params_from_iter(values), row)?.collect())
    }

    /// The oldest message nobody has read, VIPs first.
    ///
    /// # Errors
    /// When the store cannot read.
    pub fn next_unread(&self) -> Result<Option<MessageRow>, StoreError> {
        let sql = format!(
            "SELECT {ROW} FROM (SELECT seq FROM unread ORDER BY vip DESC, seq LIMIT 1) u JOIN message m ON m.seq = u.seq {JOINS}"
        );
        self.read(|connection| connection.prepare_cached(&sql)?.query_map([], row)?.next().transpose())
    }

    /// How many messages match.
    ///
    /// # Errors
    /// When the store cannot read.
    pub fn inbox_count(&self, filter: &InboxFilter) -> Result<u64, StoreError> {
        let (source, conditions, values) = conditions(filter);
        let joins = if *filter == InboxFilter::default() { "" } else { JOINS };
        let sql = format!("SELECT count(*) FROM {source} {joins} WHERE {conditions}");
        self.read(|connection| connection.query_row(&sql, params_from_iter(values), |row| row.get(0)))
    }

    /// What every channel's panel counts, up to the watermark of projection.
    ///
    /// # Errors
    /// When the store cannot read.
    pub fn channel_counts(&self) -> Result<HashMap<ChannelId, ChannelCounts>, StoreError> {
        self.read(|connection| {
            let mut counts: HashMap<i64, ChannelCounts> = HashMap::new();
            each(
                connection,
                "SELECT channel, count(*), 0 FROM event
                       WHERE seq <= (SELECT seq FROM watermark WHERE name = 'messages') GROUP BY channel",
                |n, count, _| {
                    counts.entry(n).or_default().events = count;
                },
            )?;
            each(connection, "SELECT channel, count(*), vip FROM unread GROUP BY channel, vip", |n, count, vip| {
                let entry = counts.entry(n).or_default();
                *(if vip { &mut entry.unread_vip } else { &mut entry.unread }) = count;
            })?;
            let mut last = connection
                .prepare("SELECT received FROM event WHERE seq = (SELECT max(seq) FROM message WHERE channel = ?1)")?;
            let mut channels = connection.prepare("SELECT n, id FROM channel")?;
            let mut rows = channels.query([])?;
            let mut by_id = HashMap::new();
            while let Some(row) = rows.next()? {
                let n: i64 = row.get(0)?;
                let mut counted = counts.remove(&n).unwrap_or_default();
                counted.last_event = last.query_map([n], |row| row.get(0))?.next().transpose()?.map(timestamp);
                by_id.insert(channel_id(row, 1)?, counted);
            }
            Ok(by_id)
        })
    }
}

fn each(connection: &Connection, sql: &str, mut take: impl FnMut(i64, u64, bool)) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        take(row.get(0)?, row.get(1)?, row.get(2)?);
    }
    Ok(())
}

/// The table to walk, the conditions and their values.
fn conditions(filter: &InboxFilter) -> (&'static str, String, Vec<Value>) {
    let mut conditions = vec!["1"];
    let mut values = Vec::new();
    let source = if filter.unread {
        if filter.vip {
            conditions.push("u.vip");
        }
        "unread u JOIN message m ON m.seq = u.seq"
    } else {
        if filter.vip {
            conditions.push("c.vip");
        }
        "message m"
    };
    if let Some(channel) = &filter.channel {
        conditions.push("m.channel = (SELECT n FROM channel WHERE id = ?)");
        values.push(channel.as_str().to_owned().into());
    }
    if let Some(contact) = &filter.contact {
        conditions.push("m.contact = (SELECT n FROM contact WHERE id = ?)");
        values.push(contact.as_uuid().as_bytes().to_vec().into());
    }
    if filter.open {
        conditions.push("k.acked_at IS NULL");
    }
    (source, conditions.join(" AND "), values)
}

pub(super) fn row(row: &Row<'_>) -> rusqlite::Result<MessageRow> {
    let contact = match row.get_ref(4)? {
        rusqlite::types::ValueRef::Null => None,
        _ => Some(ContactId::from_uuid(uuid(row, 4)?)),
    };
    Ok(MessageRow {
        seq: row.get(0)?,
        id: event_id(row, 1)?.into(),
        channel: channel_id(row, 2)?,
        kind: row.get(3)?,
        contact,
        from: row.get(5)?,
        vip: row.get(6)?,
        subject: row.get(7)?,
        preview: row.get(8)?,
        received: timestamp(row.get(9)?),
        marks: marks(row, 10)?,
    })
}

pub(super) fn marks(row: &Row<'_>, first: usize) -> rusqlite::Result<Marks> {
    Ok(Marks {
        read: row.get::<_, Option<i64>>(first)?.map(timestamp),
        acked: row.get::<_, Option<i64>>(first + 1)?.map(timestamp),
        acked_by: row.get(first + 2)?,
    })
}
