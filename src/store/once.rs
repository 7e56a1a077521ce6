//! One-time tokens that were signed instead of a body.
//!
//! A token is spent in the transaction that stores its event. Before it, a crash would turn the next try into a
//! replay and lose the event; after it, two copies could both be stored.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};

use super::{NewEvent, Store, StoreError, Verdict};

/// How long a token is remembered. Longer than any provider takes its timestamp for fresh.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Tokens forgotten at once.
const SLICE: i64 = 512;

/// Spends the token of `event`; answers what the event is when the token was spent before.
pub(super) fn spend(connection: &Connection, token: &str, event: &NewEvent) -> rusqlite::Result<Option<Verdict>> {
    let new = connection
        .prepare_cached(
            "INSERT INTO token_seen (channel, token, body_hash, received) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (channel, token) DO NOTHING",
        )?
        .execute(params![event.channel, token, &event.body_hash[..], event.received.as_microsecond()])?
        == 1;
    if new {
        return Ok(None);
    }
    let hash: Option<Vec<u8>> = connection
        .prepare_cached("SELECT body_hash FROM token_seen WHERE channel = ?1 AND token = ?2")?
        .query_row(params![event.channel, token], |row| row.get(0))
        .optional()?;
    Ok(hash.map(|hash| if hash == event.body_hash { Verdict::Repeated } else { Verdict::Conflicting }))
}

impl Store {
    /// Whether the token of `event` was spent before. Asked before files are kept for an event that would not be: whoever
    /// captured one signed token could otherwise fill the disk with it.
    ///
    /// # Errors
    /// When the store cannot read.
    pub fn is_spent(&self, event: &NewEvent) -> Result<bool, StoreError> {
        let Some(token) = &event.once else { return Ok(false) };
        self.read(|connection| {
            connection
                .prepare_cached("SELECT EXISTS (SELECT 1 FROM token_seen WHERE channel = ?1 AND token = ?2)")?
                .query_row(params![event.channel, token], |row| row.get(0))
        })
    }
}

/// Forgets some of the tokens that are too old to matter.
pub(super) fn forget(connection: &Connection, now: Timestamp) -> rusqlite::Result<()> {
    let oldest = now.as_microsecond() - i64::try_from(REMEMBERED.as_micros()).unwrap_or(i64::MAX);
    connection
        .prepare_cached(
            "DELETE FROM token_seen WHERE n IN (SELECT n FROM token_seen ORDER BY n LIMIT ?1) AND received < ?2",
        )?
        .execute(params![SLICE, oldest])?;
    Ok(())
}
