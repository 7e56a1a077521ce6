//! Which bodies were seen before.
//!
//! An index over random hashes would dirty one page an event inside the acknowledged transaction. So the
//! hashes of the newest events are kept in memory, and projection files them into `body_seen` in sorted
//! batches. After a crash the ones not filed yet are read again from the events behind the watermark.

use std::collections::HashMap;

use jiff::SignedDuration;
use rusqlite::{Connection, OptionalExtension, params};

use super::NewEvent;

/// The bodies of guarded events that are not filed yet.
#[derive(Debug, Default)]
pub(super) struct BodyGuard {
    /// Channel and short hash to the newest event that has them.
    unfiled: HashMap<(i64, i64), i64>,
}

impl BodyGuard {
    /// The bodies behind the watermark of projection.
    pub(super) fn load(connection: &Connection) -> rusqlite::Result<Self> {
        let mut statement = connection.prepare(
            "SELECT seq, channel, body_hash FROM event
             WHERE seq > (SELECT seq FROM watermark WHERE name = 'messages') AND guarded",
        )?;
        let rows = statement
            .query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, Vec<u8>>(2)?)))?;
        let mut guard = Self::default();
        for row in rows {
            let (seq, channel, hash) = row?;
            guard.remember(seq, channel, &hash);
        }
        Ok(guard)
    }

    /// Notes that event `seq` on `channel` has a body with this hash.
    pub(super) fn remember(&mut self, seq: i64, channel: i64, hash: &[u8]) {
        self.unfiled.insert((channel, short(hash)), seq);
    }

    /// The key under which an equal body is stored on the channel of `event` within `window`.
    pub(super) fn find(
        &self,
        connection: &Connection,
        event: &NewEvent,
        window: SignedDuration,
    ) -> rusqlite::Result<Option<String>> {
        let hash = short(&event.body_hash);
        if let Some(seq) = self.unfiled.get(&(event.channel, hash))
            && let Some(key) = matching(connection, *seq, event, window)?
        {
            return Ok(Some(key));
        }
        let mut statement =
            connection.prepare_cached("SELECT seq FROM body_seen WHERE hash = ?1 ORDER BY seq DESC LIMIT 64")?;
        let mut rows = statement.query([hash])?;
        while let Some(row) = rows.next()? {
            if let Some(key) = matching(connection, row.get(0)?, event, window)? {
                return Ok(Some(key));
            }
        }
        Ok(None)
    }

    /// Files the bodies of `events` (seq and hash), inside the open transaction.
    pub(super) fn file(connection: &Connection, events: &[(i64, Vec<u8>)]) -> rusqlite::Result<()> {
        let mut sorted: Vec<(i64, i64)> = events.iter().map(|(seq, hash)| (short(hash), *seq)).collect();
        sorted.sort_unstable();
        let mut statement = connection.prepare_cached("INSERT OR IGNORE INTO body_seen (hash, seq) VALUES (?1, ?2)")?;
        for row in sorted {
            statement.execute(row)?;
        }
        Ok(())
    }

    /// Forgets everything up to `seq`: it is filed and committed.
    pub(super) fn forget(&mut self, up_to: i64) {
        self.unfiled.retain(|_, seq| *seq > up_to);
        if self.unfiled.is_empty() {
            self.unfiled.shrink_to(1024);
        }
    }

    /// Forgets everything after `seq`: its transaction was rolled back.
    pub(super) fn roll_back(&mut self, after: i64) {
        self.unfiled.retain(|_, seq| *seq <= after);
    }
}

/// The first 8 bytes of a hash.
fn short(hash: &[u8]) -> i64 {
    hash.first_chunk().map_or(0, |bytes| i64::from_be_bytes(*bytes))
}

fn matching(
    connection: &Connection,
    seq: i64,
    event: &NewEvent,
    window: SignedDuration,
) -> rusqlite::Result<Option<String>> {
    let window = i64::try_from(window.as_micros()).unwrap_or(i64::MAX);
    let received = event.received.as_microsecond();
    // The window reaches both ways: after the clock was set back by an hour, what is stored seems to lie ahead, and
    // would make repeats of new events for an hour.
    let (oldest, newest) = (received.saturating_sub(window), received.saturating_add(window));
    connection
        .prepare_cached(
            "SELECT dedupe_key FROM event WHERE seq = ?1 AND channel = ?2 AND body_hash = ?3 AND received BETWEEN ?4 AND ?5",
        )?
        .query_row(params![seq, event.channel, &event.body_hash[..], oldest, newest], |row| row.get(0))
        .optional()
}
