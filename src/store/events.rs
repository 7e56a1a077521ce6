//! Reading events.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::model::{Assurance, ChannelId, Event, EventFilter, EventId, EventState, Report};

use super::{Store, StoreError, reports};

/// An event with everything that came along.
#[derive(Debug, Clone)]
pub struct RawEvent {
    /// The event.
    pub event: Event,
    /// The headers of its delivery, in order, without secrets.
    pub headers: Vec<(String, String)>,
    /// The stored bytes.
    pub body: Vec<u8>,
    /// When it reports about a message: how far that message has come by all reports so far.
    pub report: Option<Report>,
}

const COLUMNS: &str = "e.seq, e.id, c.id, e.kind, coalesce(e.time, e.received), e.received,
    coalesce(m.subject, r.subject), e.dedupe_key,
    e.assurance, e.dead, e.seq <= (SELECT seq FROM watermark WHERE name = 'messages')
    FROM event e JOIN channel c ON c.n = e.channel LEFT JOIN message m ON m.seq = e.seq
    LEFT JOIN report r ON r.seq = e.seq";

pub(super) const MATCHES: &str = "(?1 IS NULL OR e.channel = (SELECT n FROM channel WHERE id = ?1))
    AND (?2 IS NULL OR e.kind = ?2 OR (?2 GLOB '*[*]' AND substr(e.kind, 1, length(?2) - 1) = substr(?2, 1, length(?2) - 1)))
    AND (?3 IS NULL OR e.received >= ?3) AND (NOT ?4 OR e.dead IS NOT NULL)";

impl Store {
    /// The newest matching events before `before`, newest first.
    ///
    /// # Errors
    /// When the store cannot read.
    pub fn events(&self, filter: &EventFilter, before: Option<i64>, limit: usize) -> Result<Vec<Event>, StoreError> {
        let range = "e.seq < ?5 ORDER BY e.seq DESC LIMIT ?6";
        self.list(filter, range, before.unwrap_or(i64::MAX), limit)
    }

    /// The matching events after `after`, oldest first.
    ///
    /// # Errors
    /// When the store cannot read.
    pub fn events_after(&self, filter: &EventFilter, after: i64, limit: usize) -> Result<Vec<Event>, StoreError> {
        self.list(filter, "e.seq > ?5 ORDER BY e.seq LIMIT ?6", after, limit)
    }

    fn list(&self, filter: &EventFilter, range: &str, from: i64, limit: usize) -> Result<Vec<Event>, StoreError> {
        self.read(|connection| {
            let sql = format!("SELECT {COLUMNS} WHERE {MATCHES} AND {range}");
            let since = filter.since.map(Timestamp::as_microsecond);
            let channel = filter.channel.as_ref().map(ChannelId::as_str);
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            connection
                .prepare_cached(&sql)?
                .query_map(params![channel, filter.kind, since, filter.dead, from, limit], event)?
                .collect()
        })
    }

    /// How many events match.
    ///
    /// # Errors
    /// When the store cannot read.
    pub fn event_count(&self, filter: &EventFilter) -> Result<u64, StoreError> {
        self.read(|connection| {
            let channel = filter.channel.as_ref().map(ChannelId::as_str);
            if filter.kind.is_none() && filter.since.is_none() && !filter.dead {
                // The same without reading the rows: the key index is enough.
                return match channel {
                    None => connection.query_row("SELECT count(*) FROM event", [], |row| row.get(0)),
                    Some(id) => connection.query_row(
                        "SELECT count(*) FROM event WHERE channel = (SELECT n FROM channel WHERE id = ?1)",
                        [id],
                        |row| row.get(0),
                    ),
                };
            }
            let since = filter.since.map(Timestamp::as_microsecond);
            connection.query_row(
                &format!("SELECT count(*) FROM event e WHERE {MATCHES}"),
                params![channel, filter.kind, since, filter.dead],
                |row| row.get(0),
            )
        })
    }

    /// One event in full.
    ///
    /// # Errors
    /// When the store cannot read.
    pub fn event(&self, id: EventId) -> Result<Option<RawEvent>, StoreError> {
        self.read(|connection| {
            let found = connection
                .query_row(&format!("SELECT {COLUMNS} WHERE e.id = ?1"), [&id.as_uuid().as_bytes()[..]], event)
                .optional()?;
            let Some(event) = found else { return Ok(None) };
            let (head, body) = head_and_body(connection, event.seq)?;
            let report = reports::standing(connection, event.seq)?;
            Ok(Some(RawEvent { event, headers: headers(&head), body, report }))
        })
    }

    /// Dead letters among the events that are projected.
    ///
    /// # Errors
    /// When the store cannot read.
    pub fn dead_letters(&self) -> Result<u64, StoreError> {
        self.read(|connection| {
            connection.query_row("SELECT coalesce(sum(dead), 0) FROM channel_count", [], |row| row.get(0))
        })
    }

    /// The place of the last event that is projected, 0 when there is none.
    ///
    /// # Errors
    /// When the store cannot read.
    pub fn projected_up_to(&self) -> Result<i64, StoreError> {
        self.read(|connection| {
            connection.query_row("SELECT seq FROM watermark WHERE name = 'messages'", [], |row| row.get(0))
        })
    }
}

pub(super) fn head_and_body(connection: &Connection, seq: i64) -> rusqlite::Result<(Vec<u8>, Vec<u8>)> {
    connection.query_row("SELECT head, body FROM event WHERE seq = ?1", [seq], |row| Ok((row.get(0)?, row.get(1)?)))
}

/// Headers as they are stored: one `name: value` a line.
pub(super) fn headers(head: &[u8]) -> Vec<(String, String)> {
    head.split(|byte| *byte == b'\n')
        .filter_map(|line| {
            let line = String::from_utf8_lossy(line);
            let (name, value) = line.split_once(": ")?;
            Some((name.to_owned(), value.to_owned()))
        })
        .collect()
}

impl super::PendingEvent {
    /// The headers of its delivery, in order.
    #[must_use]
    pub fn headers(&self) -> Vec<(String, String)> {
        headers(&self.head)
    }
}

pub(super) fn timestamp(microseconds: i64) -> Timestamp {
    Timestamp::from_microsecond(microseconds).unwrap_or(Timestamp::UNIX_EPOCH)
}

pub(super) fn corrupt(column: usize, error: impl std::error::Error + Send + Sync + 'static) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Blob, Box::new(error))
}

pub(super) fn uuid(row: &Row<'_>, column: usize) -> rusqlite::Result<uuid::Uuid> {
    uuid::Uuid::from_slice(row.get_ref(column)?.as_blob()?).map_err(|e| corrupt(column, e))
}

pub(super) fn event_id(row: &Row<'_>, column: usize) -> rusqlite::Result<EventId> {
    uuid(row, column).map(EventId::from_uuid)
}

pub(super) fn channel_id(row: &Row<'_>, column: usize) -> rusqlite::Result<ChannelId> {
    row.get_ref(column)?.as_str()?.parse().map_err(|e| corrupt(column, e))
}

fn event(row: &Row<'_>) -> rusqlite::Result<Event> {
    let cause: Option<String> = row.get(9)?;
    let projected: bool = row.get(10)?;
    Ok(Event {
        seq: row.get(0)?,
        id: event_id(row, 1)?,
        channel: channel_id(row, 2)?,
        kind: row.get(3)?,
        time: timestamp(row.get(4)?),
        received: timestamp(row.get(5)?),
        subject: row.get(6)?,
        dedupe_key: row.get(7)?,
        assurance: Assurance::from_rank(row.get(8)?),
        state: match (&cause, projected) {
            (Some(_), _) => EventState::Dead,
            (None, true) => EventState::Projected,
            (None, false) => EventState::Stored,
        },
        cause,
    })
}
