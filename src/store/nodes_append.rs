//! Writing this node's own log: entries get their number, their clock and their place in the chain as they are written.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::value::RawValue;

use crate::model::{EpochId, Hlc, SharedEvent, SharedId, SharedKind};

use super::nodes_log::{advance, own};
use super::{Store, StoreError};

/// What this node has to say.
#[derive(Debug, Clone)]
pub struct NewShared {
    /// Its id, a `UUIDv7`.
    pub id: SharedId,
    /// What it is about.
    pub kind: SharedKind,
    /// About which; at most 256 bytes.
    pub subject: String,
    /// What it says; at most `BODY_BYTES`.
    pub body: Box<RawValue>,
}

/// What is written to this node's own log at once, all of it or nothing.
#[derive(Debug, Clone)]
pub struct Publication {
    /// The life of the log it is meant for: what it says follows from what was shared in that one.
    pub life: EpochId,
    /// The entries, in order.
    pub entries: Vec<NewShared>,
    /// How far what was stored is published with them, when that has moved: see [`Store::published_up_to`].
    pub up_to: Option<i64>,
}

impl Store {
    /// Writes entries to this node's own log, which has begun, and answers them as they are now. `clock` is this node's
    /// hybrid clock: no entry is earlier, and each is later than the one before. `None`: another life of the log has begun
    /// than the one it is meant for, and nothing is written.
    ///
    /// # Errors
    /// When the store cannot write, or no log has begun; nothing is written then.
    pub async fn append_shared(
        &self,
        publication: Publication,
        clock: Hlc,
        now: Timestamp,
    ) -> Result<Option<Vec<SharedEvent>>, StoreError> {
        let written = self.write(move |connection| append(connection, publication, clock, now)).await?;
        if written.as_ref().is_some_and(|written| !written.is_empty()) {
            self.shared.send_modify(|changes| *changes += 1);
        }
        Ok(written)
    }

    /// The place in the store up to which messages are published. The first time they are shared from now on: whoever
    /// sets it up does not mean the years before.
    ///
    /// # Errors
    /// When the store cannot write, the first time, or cannot read.
    pub async fn published_up_to(&self) -> Result<i64, StoreError> {
        let mark = |connection: &Connection| {
            let mut mark = connection.prepare_cached("SELECT seq FROM watermark WHERE name = 'shared'")?;
            mark.query_row([], |row| row.get(0)).optional()
        };
        if let Some(place) = self.read(mark)? {
            return Ok(place);
        }
        self.write(|connection| {
            connection.query_row(
                "INSERT INTO watermark (name, seq) SELECT 'shared', seq FROM watermark WHERE name = 'messages'
                 ON CONFLICT (name) DO UPDATE SET seq = watermark.seq RETURNING seq",
                [],
                |row| row.get(0),
            )
        })
        .await
    }
}

fn append(
    connection: &Connection,
    publication: Publication,
    clock: Hlc,
    now: Timestamp,
) -> rusqlite::Result<Option<Vec<SharedEvent>>> {
    let row = own(connection)?.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
    if row.log.origin.epoch != publication.life {
        return Ok(None);
    }
    let (mut hash, mut hlc, mut bytes) = (row.log.hash, row.log.hlc, 0);
    let mut written = Vec::with_capacity(publication.entries.len());
    for (seq, new) in (row.log.high + 1..).zip(publication.entries) {
        // The next tick of the log's own clock, or this node's when that is later.
        hlc = hlc.next(Timestamp::UNIX_EPOCH).max(clock);
        let mut event =
            SharedEvent { id: new.id, seq, hlc, kind: new.kind, subject: new.subject, body: new.body, hash };
        event.hash = event.chained(&row.log.origin, &hash);
        hash = event.hash;
        bytes += event.weight() as u64;
        insert(connection, row.n, &event, now)?;
        written.push(event);
    }
    if let Some(last) = written.last() {
        advance(connection, row.n, last, bytes)?;
        keep_states(connection, row.n, &written)?;
    }
    if let Some(up_to) = publication.up_to {
        connection
            .prepare_cached(
                "INSERT INTO watermark (name, seq) VALUES ('shared', ?1)
                 ON CONFLICT (name) DO UPDATE SET seq = max(seq, excluded.seq)",
            )?
            .execute([up_to])?;
    }
    Ok(Some(written))
}

/// Writes an entry. Its log says so afterwards.
pub(super) fn insert(connection: &Connection, log: i64, event: &SharedEvent, now: Timestamp) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO node_entry (log, seq, id, hlc, kind, subject, body, hash, at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute(params![
            log,
            event.seq,
            &event.id.as_uuid().as_bytes()[..],
            event.hlc.bits().cast_signed(),
            event.kind.as_str(),
            event.subject,
            event.body.get(),
            &event.hash.as_bytes()[..],
            now.as_microsecond(),
        ])
        .map(drop)
}

/// Keeps the newest of `events` about each subject.
pub(super) fn keep_states(connection: &Connection, log: i64, events: &[SharedEvent]) -> rusqlite::Result<()> {
    let newest: std::collections::BTreeMap<_, _> = events
        .iter()
        .filter(|event| event.kind.is_state())
        .map(|event| ((event.kind, event.subject.as_str()), event))
        .collect();
    for ((kind, subject), event) in newest {
        if event.body.get() == "null" {
            connection
                .prepare_cached("DELETE FROM node_state WHERE log = ?1 AND kind = ?2 AND subject = ?3")?
                .execute(params![log, kind.as_str(), subject])?;
            continue;
        }
        connection
            .prepare_cached(
                "INSERT OR REPLACE INTO node_state (log, kind, subject, seq, hlc, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![log, kind.as_str(), subject, event.seq, event.hlc.bits().cast_signed(), event.body.get()])?;
    }
    Ok(())
}
