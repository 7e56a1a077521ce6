//! Reading logs: pages for others, and what is shown here.

use rusqlite::{Connection, Row, params};
use serde_json::value::RawValue;

use crate::model::{ChainHash, Head, Hlc, NodeName, SharedEvent, SharedId, SharedKind};

use super::events::{corrupt, uuid};
use super::nodes_log::{LogRow, SharedLog, current, head, name};
use super::{Store, StoreError};

/// A part of a log, and how far the log goes.
#[derive(Debug, Clone)]
pub struct LogSlice {
    /// The log.
    pub log: SharedLog,
    /// Its entries in order, without gaps.
    pub events: Vec<SharedEvent>,
    /// The signed head of the last of them. Absent for this node's own log, and when there are none.
    pub head: Option<Head>,
}

/// An entry of any log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedRow {
    /// Whose.
    pub node: NodeName,
    /// The entry.
    pub event: SharedEvent,
}

/// The newest that a node has said about a subject.
#[derive(Debug, Clone)]
pub struct SharedState {
    /// What it is about.
    pub kind: SharedKind,
    /// About which.
    pub subject: String,
    /// The number of the entry that says it.
    pub seq: u64,
    /// When, by the clock of its origin.
    pub hlc: Hlc,
    /// What it says. Text from outside; whoever shows it sanitises it.
    pub body: Box<RawValue>,
}

const COLUMNS: &str = "e.seq, e.id, e.hlc, e.kind, e.subject, e.body, e.hash";

impl Store {
    /// Entries of the newest life of a node's log after `after`: at most `limit`, and at most `bytes` of them, but always
    /// one. Of another node's log as many as a signed head covers; there the bounds give way to the nearest head, which
    /// was within those of a page when it came. `None`: nothing of that log is held.
    ///
    /// # Errors
    /// When the store cannot read.
    pub fn shared_slice(
        &self,
        node: &NodeName,
        own: bool,
        after: u64,
        limit: usize,
        bytes: usize,
    ) -> Result<Option<LogSlice>, StoreError> {
        self.read(|connection| slice(connection, node, own, after, limit, bytes))
    }

    /// What the newest life of a node's log says now, by kind and subject.
    ///
    /// # Errors
    /// When the store cannot read.
    pub fn shared_states(&self, node: &NodeName, own: bool) -> Result<Vec<SharedState>, StoreError> {
        self.read(|connection| {
            let Some(row) = current(connection, node, own)? else { return Ok(Vec::new()) };
            connection
                .prepare_cached(
                    "SELECT kind, subject, seq, hlc, body FROM node_state WHERE log = ?1 ORDER BY kind, subject",
                )?
                .query_map([row.n], |row| {
                    Ok(SharedState {
                        kind: kind(row, 0)?,
                        subject: row.get(1)?,
                        seq: row.get(2)?,
                        hlc: Hlc::from_bits(row.get::<_, i64>(3)?.cast_unsigned()),
                        body: body(row, 4)?,
                    })
                })?
                .collect()
        })
    }

    /// The newest messages a node shares, newest first.
    ///
    /// # Errors
    /// When the store cannot read.
    pub fn shared_messages(&self, node: &NodeName, limit: usize) -> Result<Vec<SharedEvent>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.read(|connection| {
            let Some(row) = current(connection, node, false)? else { return Ok(Vec::new()) };
            let sql = format!(
                "SELECT {COLUMNS} FROM node_entry e INDEXED BY node_entry_message
                 WHERE e.log = ?1 AND e.kind = 'message' ORDER BY e.seq DESC LIMIT ?2"
            );
            connection.prepare_cached(&sql)?.query_map(params![row.n, limit], |row| event(row, 0))?.collect()
        })
    }

    /// The newest entries of all logs, newest first.
    ///
    /// # Errors
    /// When the store cannot read.
    pub fn shared_newest(&self, limit: usize) -> Result<Vec<SharedRow>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let sql = format!(
            "SELECT l.node, {COLUMNS} FROM node_entry e JOIN node_log l ON l.n = e.log
             WHERE NOT l.dropped ORDER BY e.place DESC LIMIT ?1"
        );
        self.read(|connection| {
            connection
                .prepare_cached(&sql)?
                .query_map([limit], |row| Ok(SharedRow { node: name(row, 0)?, event: event(row, 1)? }))?
                .collect()
        })
    }
}

fn slice(
    connection: &Connection,
    node: &NodeName,
    own: bool,
    after: u64,
    limit: usize,
    bytes: usize,
) -> rusqlite::Result<Option<LogSlice>> {
    let Some(row) = current(connection, node, own)? else { return Ok(None) };
    if after >= row.log.high || after + 1 < row.log.low {
        return Ok(Some(LogSlice { log: row.log, events: Vec::new(), head: None }));
    }
    let limit = u64::try_from(limit).unwrap_or(u64::MAX).max(1);
    let up_to = row.log.high.min(after.saturating_add(limit));
    if own {
        let events = entries(connection, row.n, after, up_to, bytes)?;
        return Ok(Some(LogSlice { log: row.log, events, head: None }));
    }
    let mut events = entries(connection, row.n, after, up_to, bytes)?;
    let fits = events.last().map_or(after, |event| event.seq);
    let head = head_for(connection, &row, after, fits)?;
    match &head {
        Some(head) if head.seq <= fits => events.retain(|event| event.seq <= head.seq),
        Some(head) => events = entries(connection, row.n, after, head.seq, usize::MAX)?,
        None => events.clear(),
    }
    Ok(Some(LogSlice { log: row.log, events, head }))
}

/// The last head after `after` and up to `fits`, or else the first one after that.
fn head_for(connection: &Connection, row: &LogRow, after: u64, fits: u64) -> rusqlite::Result<Option<Head>> {
    let found = |range: &str, from: u64, to: u64| -> rusqlite::Result<Option<Head>> {
        let sql = format!(
            "SELECT h.seq, h.key, h.signature, e.hash FROM node_head h
             JOIN node_entry e ON e.log = h.log AND e.seq = h.seq
             WHERE h.log = ?1 AND h.seq > ?2 AND h.seq <= ?3 ORDER BY h.seq {range} LIMIT 1"
        );
        let mut statement = connection.prepare_cached(&sql)?;
        let mut rows = statement.query(params![row.n, from, to])?;
        rows.next()?.map(|found| head(found, &row.log.origin)).transpose()
    };
    let near = found("DESC", after, fits)?;
    if near.is_some() { Ok(near) } else { found("", fits, row.log.high) }
}

fn entries(
    connection: &Connection,
    log: i64,
    after: u64,
    up_to: u64,
    bytes: usize,
) -> rusqlite::Result<Vec<SharedEvent>> {
    let sql =
        format!("SELECT {COLUMNS} FROM node_entry e WHERE e.log = ?1 AND e.seq > ?2 AND e.seq <= ?3 ORDER BY e.seq");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params![log, after, up_to])?;
    let mut found: Vec<SharedEvent> = Vec::new();
    let mut left = bytes;
    while let Some(row) = rows.next()? {
        let event = event(row, 0)?;
        let weight = event.weight();
        if weight > left && !found.is_empty() {
            break;
        }
        left = left.saturating_sub(weight);
        found.push(event);
    }
    Ok(found)
}

fn event(row: &Row<'_>, first: usize) -> rusqlite::Result<SharedEvent> {
    Ok(SharedEvent {
        seq: row.get(first)?,
        id: SharedId::from_uuid(uuid(row, first + 1)?),
        hlc: Hlc::from_bits(row.get::<_, i64>(first + 2)?.cast_unsigned()),
        kind: kind(row, first + 3)?,
        subject: row.get(first + 4)?,
        body: body(row, first + 5)?,
        hash: ChainHash::from_bytes(row.get(first + 6)?),
    })
}

fn kind(row: &Row<'_>, column: usize) -> rusqlite::Result<SharedKind> {
    let name = row.get_ref(column)?.as_str()?;
    SharedKind::ALL.into_iter().find(|kind| kind.as_str() == name).ok_or(rusqlite::Error::InvalidQuery)
}

fn body(row: &Row<'_>, column: usize) -> rusqlite::Result<Box<RawValue>> {
    RawValue::from_string(row.get(column)?).map_err(|error| corrupt(column, error))
}
