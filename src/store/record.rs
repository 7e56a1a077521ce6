//! The acknowledged transaction: raw events and their keys.

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};

use crate::model::{Assurance, EventId};

use super::guards::Guards;
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
    /// SHA-256 of its bytes; where it came with a one-time token, of those that are the same when it is sent again.
    pub body_hash: [u8; 32],
    /// For how long an equal body counts as a repeat.
    pub body_window: Option<SignedDuration>,
    /// A one-time token that must not come again with another body. It does not prove who chose the key: another body
    /// under a key that is known is stored as another event, so that nobody can take a key from its rightful event.
    pub once: Option<OneTime>,
    /// What its signature proves.
    pub assurance: Assurance,
    /// Why it is a dead letter.
    pub dead: Option<String>,
    /// Its headers, without secrets: `name: value` lines.
    pub head: Bytes,
    /// Its bytes.
    pub body: Bytes,
}

/// A token that was signed instead of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OneTime {
    /// When it was signed; the same whenever it comes.
    pub signed: Timestamp,
    /// The token.
    pub token: String,
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
    (id, channel, kind, time, received, dedupe_key, body_hash, assurance, guarded, dead, signed, token, head, body)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)
    ON CONFLICT (channel, dedupe_key) DO NOTHING";

/// Records one event inside the open transaction.
pub(super) fn record(connection: &Connection, guards: &mut Guards, event: &NewEvent) -> rusqlite::Result<Verdict> {
    let Some(name) = event.once.as_ref().map(once::Name::of) else { return keyed(connection, guards, event, None) };
    match guards.tokens.fits(connection, name, &event.body_hash)? {
        Some(false) => Ok(Verdict::Conflicting),
        Some(true) => keyed(connection, guards, event, Some(name)),
        None => {
            let verdict = keyed(connection, guards, event, Some(name))?;
            if verdict != Verdict::Fresh {
                // No event has it in its row.
                once::file(connection, name, &event.body_hash)?;
            }
            Ok(verdict)
        }
    }
}

/// Records one event by its key and its body. Its token, if it came with one, is free for it.
fn keyed(
    connection: &Connection,
    guards: &mut Guards,
    event: &NewEvent,
    name: Option<once::Name>,
) -> rusqlite::Result<Verdict> {
    if let Some(window) = event.body_window
        && let Some(seen_key) = guards.bodies.find(connection, event, window)?
    {
        let same_key = event.key.as_ref().is_none_or(|key| *key == seen_key);
        if same_key {
            return Ok(Verdict::Repeated);
        }
        // The key decides first: a key that is known with another body is a conflict, not a replay.
        return Ok(stored_under(connection, event)?.unwrap_or(Verdict::Replayed));
    }
    let own_key;
    let key = match &event.key {
        Some(key) => key.as_str(),
        None => {
            own_key = event.id.to_string();
            &own_key
        }
    };
    if insert(connection, guards, event, key, name)? {
        return Ok(Verdict::Fresh);
    }
    match stored_under(connection, event)? {
        Some(Verdict::Conflicting) if name.is_some() => another(connection, guards, event, key, name),
        verdict => Ok(verdict.unwrap_or(Verdict::Repeated)),
    }
}

/// Records an event whose key belongs to another body, under its key and the beginning of its hash.
fn another(
    connection: &Connection,
    guards: &mut Guards,
    event: &NewEvent,
    key: &str,
    name: Option<once::Name>,
) -> rusqlite::Result<Verdict> {
    let key = format!("{key} {}", hex::encode(&event.body_hash[..8]));
    let inserted = insert(connection, guards, event, &key, name)?;
    Ok(if inserted { Verdict::Fresh } else { Verdict::Repeated })
}

/// Stores `event` under `key`; answers whether the key was free.
fn insert(
    connection: &Connection,
    guards: &mut Guards,
    event: &NewEvent,
    key: &str,
    name: Option<once::Name>,
) -> rusqlite::Result<bool> {
    let id = event.id.as_uuid().as_bytes();
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
        name.map(|name| name.signed),
        name.as_ref().map(|name| &name.token[..]),
        &event.head[..],
        &event.body[..],
    ])?;
    if inserted == 1 {
        let seq = connection.last_insert_rowid();
        if event.body_window.is_some() {
            guards.bodies.remember(seq, event.channel, &event.body_hash);
        }
        if let Some(name) = name {
            guards.tokens.remember(seq, name, &event.body_hash);
        }
    }
    Ok(inserted == 1)
}

/// What is stored under the key of `event`.
fn stored_under(connection: &Connection, event: &NewEvent) -> rusqlite::Result<Option<Verdict>> {
    let Some(key) = &event.key else { return Ok(None) };
    let stored: Option<Vec<u8>> = connection
        .prepare_cached("SELECT body_hash FROM event WHERE channel = ?1 AND dedupe_key = ?2")?
        .query_row(params![event.channel, key], |row| row.get(0))
        .optional()?;
    Ok(stored.map(|hash| if hash == event.body_hash { Verdict::Repeated } else { Verdict::Conflicting }))
}
