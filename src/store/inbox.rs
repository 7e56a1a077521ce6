//! Reading the inbox.

use std::collections::HashMap;

use jiff::Timestamp;
use rusqlite::types::Value;
use rusqlite::{Connection, Row, params_from_iter};

use crate::model::{ChannelId, ContactId, InboxFilter, Marks, MessagePage, MessageRow};

use super::events::{channel_id, event_id, timestamp, uuid};
use super::{Store, StoreError, search};

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
    /// When the store cannot read, or does not keep what the filter asks for.
    pub fn inbox(&self, filter: &InboxFilter, before: Option<i64>, limit: usize) -> Result<MessagePage, StoreError> {
        let Conditions { source, sql, mut values } = conditions(filter)?;
        let sql = format!("SELECT {ROW} FROM {source} {JOINS} WHERE {sql} AND m.seq < ? ORDER BY m.seq DESC LIMIT ?");
        values.push(before.unwrap_or(i64::MAX).into());
        values.push(i64::try_from(limit).unwrap_or(i64::MAX).into());
        let rows: Vec<MessageRow> = self
            .read(|connection| connection.prepare_cached(&sql)?.query_map(params_from_iter(values), row)?.collect())?;
        let next = rows.last().filter(|_| rows.len() == limit).map(|row| row.seq);
        Ok(MessagePage { rows, next })
    }

    /// Messages nobody has read, VIPs first, and among each the oldest first.
    ///
    /// # Errors
    /// When the store cannot read.
    pub fn unread(&self, limit: usize) -> Result<Vec<MessageRow>, StoreError> {
        let sql = format!(
            "SELECT {ROW} FROM (SELECT seq, vip FROM unread ORDER BY vip DESC, seq LIMIT ?) u
                JOIN message m ON m.seq = u.seq {JOINS} ORDER BY u.vip DESC, u.seq"
        );
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.read(|connection| connection.prepare_cached(&sql)?.query_map([limit], row)?.collect())
    }

    /// How many messages match.
    ///
    /// # Errors
    /// When the store cannot read.
    pub fn inbox_count(&self, filter: &InboxFilter) -> Result<u64, StoreError> {
        let Conditions { source, sql, values } = conditions(filter)?;
        let joins = if *filter == InboxFilter::default() { "" } else { JOINS };
        let sql = format!("SELECT count(*) FROM {source} {joins} WHERE {sql}");
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

/// What a filter is in SQL.
pub(super) struct Conditions {
    /// The table to walk.
    pub source: &'static str,
    /// What must hold.
    pub sql: String,
    /// The values of its parameters.
    pub values: Vec<Value>,
}

pub(super) fn conditions(filter: &InboxFilter) -> Result<Conditions, StoreError> {
    let kept_elsewhere = [
        (filter.label.is_some(), "labels"),
        (filter.assignee.is_some(), "assignees"),
        (filter.snoozed, "snoozed messages"),
    ];
    if let Some((_, what)) = kept_elsewhere.into_iter().find(|(is_asked, _)| *is_asked) {
        return Err(StoreError::NotKept(what));
    }
    let mut conditions = vec!["1"];
    let mut values = Vec::new();
    let expression = search::expression(filter);
    let source = match (&expression, filter.unread) {
        (Some(_), _) => "message_search s JOIN message m ON m.seq = s.rowid",
        (None, true) => "unread u JOIN message m ON m.seq = u.seq",
        (None, false) => "message m",
    };
    if let Some(expression) = expression {
        conditions.push("message_search MATCH ?");
        values.push(expression.into());
        if filter.unread {
            conditions.push("k.read_at IS NULL");
        }
    } else if filter.text.is_some() || filter.from.is_some() {
        // Nothing in it can be a word, so nothing can hold it.
        conditions.push("0");
    }
    if filter.vip {
        conditions.push("c.vip");
    }
    if filter.node.is_some() {
        // The engine answers for its own node before it asks; no other has messages here.
        conditions.push("0");
    }
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
    Ok(Conditions { source, sql: conditions.join(" AND "), values })
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
