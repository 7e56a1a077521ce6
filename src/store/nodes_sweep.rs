//! What of the logs is kept: forgetting, a slice at a time, so that nobody waits long for the writer.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, params};

use crate::model::ChainHash;

use super::events::timestamp;
use super::nodes_log::log_row;
use super::{Store, StoreError};

/// How much of each log is kept. The newest entry of all always stays.
#[derive(Debug, Clone, Copy)]
pub struct KeepShared {
    /// Entries are kept for so long after they were written or applied here.
    pub time: SignedDuration,
    /// Entries of one log at most.
    pub entries: u64,
    /// Bytes of one log at most.
    pub bytes: u64,
    /// What the newest entries say about one kind of subject, at most: subjects that are never spoken of again go.
    pub states: usize,
}

impl Default for KeepShared {
    fn default() -> Self {
        // An hour without a link, at a hundred entries a second, is 360,000 of them.
        Self { time: SignedDuration::from_hours(7 * 24), entries: 1_000_000, bytes: 512 << 20, states: 1_000 }
    }
}

impl Store {
    /// Forgets at most `slice` entries that are more than is kept, and says whether there may be more of them.
    ///
    /// # Errors
    /// When the store cannot write; nothing is forgotten then.
    pub async fn forget_shared(&self, keep: KeepShared, now: Timestamp, slice: usize) -> Result<bool, StoreError> {
        self.write(move |connection| {
            let newest: i64 =
                connection.prepare_cached("SELECT coalesce(max(place), 0) FROM node_entry")?.query_row([], |row| row.get(0))?;
            let sql = "SELECT n, current, total, node, epoch, own, low, before, high, hash, hlc, hops, missing, bytes, dropped
                       FROM node_log ORDER BY n";
            let logs: Vec<_> = connection
                .prepare_cached(sql)?
                .query_map([], |row| Ok((log_row(row)?, row.get::<_, bool>(14)?)))?
                .collect::<Result<_, _>>()?;
            let mut left = slice;
            for (row, dropped) in logs {
                let excess = Excess {
                    before: if dropped { Timestamp::MAX } else { now.checked_sub(keep.time).unwrap_or(Timestamp::MIN) },
                    up_to: row.log.high.saturating_sub(keep.entries),
                    bytes: row.log.bytes.saturating_sub(keep.bytes),
                    newest,
                };
                let gone = sweep(connection, row.n, row.log.low, &excess, left)?;
                if gone < left && !row.current {
                    forget_empty(connection, row.n)?;
                }
                if row.current {
                    forget_states(connection, row.n, keep.states)?;
                }
                left -= gone;
                if left == 0 {
                    return Ok(true);
                }
            }
            Ok(false)
        })
        .await
    }
}

/// Which entries of a log are too many.
struct Excess {
    /// Those written or applied before.
    before: Timestamp,
    /// Those up to this number.
    up_to: u64,
    /// The oldest, as many as have these bytes.
    bytes: u64,
    /// The place of the newest of all entries, which stays: no place may be given twice.
    newest: i64,
}

/// Forgets the oldest entries of a log, `slice` of them at most; says how many.
fn sweep(connection: &Connection, log: i64, low: u64, excess: &Excess, slice: usize) -> rusqlite::Result<usize> {
    let limit = i64::try_from(slice).unwrap_or(i64::MAX);
    let (mut gone, mut bytes, mut last) = (0, 0_u64, None);
    {
        let mut oldest = connection.prepare_cached(
            "SELECT seq, hash, at, 300 + 6 * octet_length(subject) + octet_length(body), place
             FROM node_entry WHERE log = ?1 ORDER BY seq LIMIT ?2",
        )?;
        let mut rows = oldest.query(params![log, limit])?;
        while let Some(row) = rows.next()? {
            let (seq, at, place): (u64, i64, i64) = (row.get(0)?, row.get(2)?, row.get(4)?);
            let is_excess = timestamp(at) < excess.before || seq <= excess.up_to || bytes < excess.bytes;
            if !is_excess || place == excess.newest {
                break;
            }
            bytes += row.get::<_, u64>(3)?;
            gone += 1;
            last = Some((seq, ChainHash::from_bytes(row.get(1)?)));
        }
    }
    let Some((seq, hash)) = last else { return Ok(0) };
    for sql in [
        "DELETE FROM node_entry WHERE log = ?1 AND seq <= ?2",
        // The newest head says how far the log goes, whatever is held of it.
        "DELETE FROM node_head WHERE log = ?1 AND seq <= ?2
         AND NOT EXISTS (SELECT 1 FROM node_log WHERE n = ?1 AND current AND high = node_head.seq)",
        "DELETE FROM node_gap WHERE log = ?1 AND last <= ?2",
    ] {
        connection.prepare_cached(sql)?.execute(params![log, seq])?;
    }
    connection
        .prepare_cached("UPDATE node_log SET bytes = max(0, bytes - ?2) WHERE n = ?1")?
        .execute(params![log, bytes])?;
    if seq >= low {
        connection.prepare_cached("UPDATE node_log SET low = ?2, before = ?3 WHERE n = ?1")?.execute(params![
            log,
            seq + 1,
            &hash.as_bytes()[..]
        ])?;
    }
    Ok(gone)
}

/// Forgets a life that is over, once nothing is held of it.
fn forget_empty(connection: &Connection, log: i64) -> rusqlite::Result<()> {
    let is_empty = "WHERE n = ?1 AND NOT EXISTS (SELECT 1 FROM node_entry WHERE log = ?1)";
    connection.prepare_cached(&format!("DELETE FROM node_log {is_empty}"))?.execute([log])?;
    let is_over = "WHERE log = ?1 AND NOT EXISTS (SELECT 1 FROM node_log WHERE n = ?1)";
    connection.prepare_cached(&format!("DELETE FROM node_head {is_over}"))?.execute([log]).map(drop)
}

/// Forgets what was said longest ago about the subjects of each kind that has too many.
fn forget_states(connection: &Connection, log: i64, keep: usize) -> rusqlite::Result<()> {
    let keep = i64::try_from(keep).unwrap_or(i64::MAX);
    let crowded: Vec<String> = connection
        .prepare_cached("SELECT kind FROM node_state WHERE log = ?1 GROUP BY kind HAVING count(*) > ?2")?
        .query_map(params![log, keep], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for kind in crowded {
        connection
            .prepare_cached(
                "DELETE FROM node_state WHERE log = ?1 AND kind = ?2 AND seq <=
                 (SELECT seq FROM node_state WHERE log = ?1 AND kind = ?2 ORDER BY seq DESC LIMIT 1 OFFSET ?3)",
            )?
            .execute(params![log, kind, keep])?;
    }
    Ok(())
}
