//! The acknowledged transaction: raw events and their keys.

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};

use crate::model::{Assurance, EventId};

use super::body_guard::BodyGuard;
use super::once;

/// An event on its way into the store.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// Its id.
    pub id: EventId,
    /// The channel, by its number in the store.
    pub channel: i64,
    /// What happened.
    pub kind: String,
    /// When it happened, where the sender says so.
    pub time: Option<Timestamp>,
    /// When it was received.
    pub received: Timestamp,
    /// What makes it the same event when it is sent again; its id when the sender names nothing.
    pub key: Option<String>,
    /// SHA-256 of its bytes.
    pub body_hash: [u8; 32],
    /// For how long an equal body counts as a repeat.
    pub body_window: Option<SignedDuration>,
    /// A one-time token that must not come again with another body. It then stands for the body: an equal key with
    /// another body is a repeat, as the same mail sent again has another token.
    pub once: Option<String>,
    /// What its signature proves.
    pub assurance: Assurance,
    /// Why it is a dead letter.
    pub dead: Option<String>,
    /// Its headers, without secrets: `name: value` lines.
    pub head: Bytes,
    /// Its bytes.
    pub body: Bytes,
}

/// What became of one event of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Stored now.
    Fresh,
    /// Stored before, under the same key with the same body, or with the same body and no key.
    Repeated,
    /// An equal body is stored under another key: somebody may be replaying it.
    Replayed,
    /// Another body is stored under the same key, or came with the same one-time token.
    Conflicting,
}

/// What became of a whole delivery.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Recorded {
    /// Events stored now.
    pub fresh: usize,
    /// Events stored before.
    pub repeated: usize,
    /// Events whose body is stored under another key.
    pub replayed: usize,
    /// Events whose key is stored with another body.
    pub conflicting: usize,
}

impl Recorded {
    pub(super) fn count(&mut self, verdict: Verdict) {
        match verdict {
            Verdict::Fresh => self.fresh += 1,
            Verdict::Repeated => self.repeated += 1,
            Verdict::Replayed => self.replayed += 1,
            Verdict::Conflicting => self.conflicting += 1,
        }
    }
}

const INSERT: &str = "INSERT INTO event
    (id, channel, kind, time, received, dedupe_key, body_hash, assurance, guarded, dead, head, body)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
    ON CONFLICT (channel, dedupe_key) DO NOTHING";

/// Records one event inside the open transaction.
pub(super) fn record(connection: &Connection, guard: &mut BodyGuard, event: &NewEvent) -> rusqlite::Result<Verdict> {
    if let Some(token) = &event.once
        && let Some(verdict) = once::spend(connection, token, event)?
    {
        return Ok(verdict);
    }
    if let Some(window) = event.body_window
        && let Some(seen_key) = guard.find(connection, event, window)?
    {
        let same_key = event.key.as_ref().is_none_or(|key| *key == seen_key);
        if same_key {
            return Ok(Verdict::Repeated);
        }
        // The key decides first: a key that is known with another body is a conflict, not a replay.
        return Ok(stored_under(connection, event)?.unwrap_or(Verdict::Replayed));
    }
    let id = event.id.as_uuid().as_bytes();
    let own_key;
    let key = match &event.key {
        Some(key) => key.as_str(),
        None => {
            own_key = event.id.to_string();
            &own_key
        }
    };
    let inserted = connection.prepare_cached(INSERT)?.execute(params![
        &id[..],
        event.channel,
        event.kind,
        event.time.map(Timestamp::as_microsecond),
        event.received.as_microsecond(),
        key,
        &event.body_hash[..],
        event.assurance.rank(),
        event.body_window.is_some(),
        event.dead,
        &event.head[..],
        &event.body[..],
    ])?;
    if inserted == 1 {
        if event.body_window.is_some() {
            guard.remember(connection.last_insert_rowid(), event.channel, &event.body_hash);
        }
        return Ok(Verdict::Fresh);
    }
    Ok(stored_under(connection, event)?.unwrap_or(Verdict::Repeated))
}

/// What is stored under the key of `event`.
fn stored_under(connection: &Connection, event: &NewEvent) -> rusqlite::Result<Option<Verdict>> {
    let Some(key) = &event.key else { return Ok(None) };
    let stored: Option<Vec<u8>> = connection
        .prepare_cached("SELECT body_hash FROM event WHERE channel = ?1 AND dedupe_key = ?2")?
        .query_row(params![event.channel, key], |row| row.get(0))
        .optional()?;
    let same = |hash: Vec<u8>| hash == event.body_hash || event.once.is_some();
    Ok(stored.map(|hash| if same(hash) { Verdict::Repeated } else { Verdict::Conflicting }))
}
