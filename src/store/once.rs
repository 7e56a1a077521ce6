//! One-time tokens that were signed instead of a body.
//!
//! A token is spent in the transaction that stores its event, which has it in its row. Before it, a crash would turn the
//! next try into a replay and lose the event; after it, two copies could both be stored. It is spent for all channels:
//! those with one secret would otherwise each take it once, with whatever body.
//!
//! An index over random tokens would dirty one page an event inside the acknowledged transaction. So the tokens of the
//! newest events are kept in memory, and projection files them into `token_seen` in sorted batches. After a crash the
//! ones not filed yet are read again from the events behind the watermark.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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

/// Beginning of a SHA-256.
type Kept = [u8; KEPT];

/// A token as it is kept: filed by the time it was signed, as it comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Name {
    pub(super) signed: i64,
    pub(super) token: Kept,
}

impl Name {
    pub(super) fn of(once: &OneTime) -> Self {
        Self { signed: once.signed.as_second(), token: kept(&Sha256::digest(&once.token)) }
    }
}

/// What a token was spent for.
#[derive(Debug, Clone, Copy)]
struct Spent {
    body: Kept,
    /// The first event that came with it.
    seq: i64,
}

/// The tokens of events that are not filed yet. Clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct SpentTokens {
    unfiled: Arc<Mutex<HashMap<Name, Spent>>>,
}

impl SpentTokens {
    /// The tokens behind the watermark of projection.
    pub(super) fn load(connection: &Connection) -> rusqlite::Result<Self> {
        let mut statement = connection.prepare(
            "SELECT seq, signed, token, body_hash FROM event
             WHERE seq > (SELECT seq FROM watermark WHERE name = 'messages') AND token IS NOT NULL",
        )?;
        let rows = statement.query_map([], |row| {
            let name = Name { signed: row.get(1)?, token: row.get(2)? };
            Ok((row.get(0)?, name, row.get::<_, Vec<u8>>(3)?))
        })?;
        let tokens = Self::default();
        for row in rows {
            let (seq, name, body) = row?;
            tokens.remember(seq, name, &body);
        }
        Ok(tokens)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Name, Spent>> {
        // What is kept here is replaced whole.
        self.unfiled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that event `seq` came with this token. The first event counts: a later one may yet be rolled back.
    pub(super) fn remember(&self, seq: i64, name: Name, body_hash: &[u8]) {
        self.lock().entry(name).or_insert(Spent { body: kept(body_hash), seq });
    }

    /// Whether a token is free for the body with this hash: `None` where it was never spent, else whether that was for
    /// the same body. Whether that is a repeat, its key says: the same mail may be for several channels.
    pub(super) fn fits(&self, connection: &Connection, name: Name, body_hash: &[u8]) -> rusqlite::Result<Option<bool>> {
        let known = self.lock().get(&name).map(|spent| spent.body);
        let spent = if known.is_some() { known } else { filed(connection, name)? };
        Ok(spent.map(|body| body == kept(body_hash)))
    }

    /// Files the tokens of the events after `from`, up to `up_to`, inside the open transaction.
    pub(super) fn file(&self, connection: &Connection, from: i64, up_to: i64) -> rusqlite::Result<()> {
        let mut rows: Vec<(Name, Spent)> = self
            .lock()
            .iter()
            .filter(|(_, spent)| spent.seq > from && spent.seq <= up_to)
            .map(|(name, spent)| (*name, *spent))
            .collect();
        rows.sort_unstable_by_key(|(name, _)| *name);
        rows.into_iter().try_for_each(|(name, spent)| file(connection, name, &spent.body))
    }

    /// Forgets everything up to `seq`: it is filed and committed.
    pub(super) fn forget(&self, up_to: i64) {
        let mut unfiled = self.lock();
        unfiled.retain(|_, spent| spent.seq > up_to);
        if unfiled.is_empty() {
            unfiled.shrink_to(1024);
        }
    }

    /// Forgets everything after `seq`: its transaction was rolled back.
    pub(super) fn roll_back(&self, after: i64) {
        self.lock().retain(|_, spent| spent.seq <= after);
    }
}

/// Files a token.
pub(super) fn file(connection: &Connection, name: Name, body_hash: &[u8]) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT OR IGNORE INTO token_seen (signed, token, body_hash) VALUES (?1, ?2, ?3)")?
        .execute(params![name.signed, &name.token[..], &kept(body_hash)[..]])?;
    Ok(())
}

/// The beginning of the hash of the body that a filed token was spent for.
fn filed(connection: &Connection, name: Name) -> rusqlite::Result<Option<Kept>> {
    connection
        .prepare_cached("SELECT body_hash FROM token_seen WHERE signed = ?1 AND token = ?2")?
        .query_row(params![name.signed, &name.token[..]], |row| row.get(0))
        .optional()
}

fn kept(hash: &[u8]) -> Kept {
    hash.first_chunk().copied().unwrap_or_default()
}

impl Store {
    /// Whether the token of `event` was spent before. Asked before files are kept for an event that would not be: whoever
    /// captured one signed token could otherwise fill the disk with it.
    ///
    /// # Errors
    /// When the store cannot read.
    pub fn is_spent(&self, event: &NewEvent) -> Result<bool, StoreError> {
        let Some(once) = &event.once else { return Ok(false) };
        let name = Name::of(once);
        self.read(|connection| Ok(self.spent.fits(connection, name, &event.body_hash)?.is_some()))
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
