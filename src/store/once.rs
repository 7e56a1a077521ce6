//! One-time tokens that were signed instead of a body.
//!
//! A token is spent in the transaction that stores its event. Before it, a crash would turn the next try into a
//! replay and lose the event; after it, two copies could both be stored. It is spent for all channels: those with one
//! secret would otherwise each take it once, with whatever body.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};
use sha2::{Digest, Sha256};

use super::{NewEvent, OneTime, Store, StoreError};

/// How long a token is remembered. Longer than any provider takes its timestamp for fresh.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Tokens forgotten at once.
const SLICE: i64 = 512;
/// Bytes of a hash that are kept, of the token and of its body.
const KEPT: usize = 16;

/// Spends a token for the body with this hash; answers whether it is free for it: never spent, or for the same body.
/// Whether that is a repeat, its key says: the same mail may be for several channels.
pub(super) fn spend(connection: &Connection, once: &OneTime, body_hash: &[u8; 32]) -> rusqlite::Result<bool> {
    // Filed by the time it was signed, as it comes: nearly every row is the last.
    let (signed, token, hash) = (once.signed.as_second(), name(once), &body_hash[..KEPT]);
    let new = connection
        .prepare_cached(
            "INSERT INTO token_seen (signed, token, body_hash) VALUES (?1, ?2, ?3)
             ON CONFLICT (signed, token) DO NOTHING",
        )?
        .execute(params![signed, &token[..], hash])?
        == 1;
    Ok(new || spent_for(connection, once)?.is_none_or(|spent| spent == hash))
}

/// The hash of the body that a token was spent for.
fn spent_for(connection: &Connection, once: &OneTime) -> rusqlite::Result<Option<Vec<u8>>> {
    connection
        .prepare_cached("SELECT body_hash FROM token_seen WHERE signed = ?1 AND token = ?2")?
        .query_row(params![once.signed.as_second(), &name(once)[..]], |row| row.get(0))
        .optional()
}

fn name(once: &OneTime) -> [u8; KEPT] {
    let mut name = [0; KEPT];
    name.copy_from_slice(&Sha256::digest(&once.token)[..KEPT]);
    name
}

impl Store {
    /// Whether the token of `event` was spent before. Asked before files are kept for an event that would not be: whoever
    /// captured one signed token could otherwise fill the disk with it.
    ///
    /// # Errors
    /// When the store cannot read.
    pub fn is_spent(&self, event: &NewEvent) -> Result<bool, StoreError> {
        let Some(once) = &event.once else { return Ok(false) };
        self.read(|connection| Ok(spent_for(connection, once)?.is_some()))
    }
}

/// Forgets some of the tokens that are too old to matter.
pub(super) fn forget(connection: &Connection, now: Timestamp) -> rusqlite::Result<()> {
    let oldest = now.as_second() - REMEMBERED.as_secs();
    connection
        .prepare_cached(
            "DELETE FROM token_seen WHERE (signed, token) IN
             (SELECT signed, token FROM token_seen WHERE signed < ?1 ORDER BY signed, token LIMIT ?2)",
        )?
        .execute(params![oldest, SLICE])?;
    Ok(())
}
