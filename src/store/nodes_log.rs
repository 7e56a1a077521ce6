//! The logs of nodes, one row a life: how far each goes, and beginning another one.

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::model::{ChainHash, EpochId, Head, Hlc, NodeKey, NodeName, Origin, SharedEvent};

use super::events::{corrupt, uuid};
use super::{Store, StoreError};

/// A log as it is held here: its entries from `low` to `high`, without gaps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedLog {
    /// Whose, which life.
    pub origin: Origin,
    /// Whether it is this node's own.
    pub own: bool,
    /// The oldest entry that is held; `high + 1` when none is.
    pub low: u64,
    /// The hash `low` is chained to.
    pub before: ChainHash,
    /// The newest entry.
    pub high: u64,
    /// Its hash: over it and all before.
    pub hash: ChainHash,
    /// Its clock.
    pub hlc: Hlc,
    /// Relays it has come over; 0 from the origin itself.
    pub hops: u8,
    /// Entries that were gone before they were fetched.
    pub missing: u64,
    /// Bytes of all entries held.
    pub bytes: u64,
}

impl SharedLog {
    /// Where what comes next begins.
    #[must_use]
    pub fn end(&self) -> LogEnd {
        LogEnd { origin: self.origin.clone(), seq: self.high, hash: self.hash }
    }
}

/// An entry that a log is known up to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEnd {
    /// Of which log.
    pub origin: Origin,
    /// Its number; 0 before the first one.
    pub seq: u64,
    /// Its hash.
    pub hash: ChainHash,
}

/// The row of a log within the writer.
pub(super) struct LogRow {
    pub(super) n: i64,
    pub(super) current: bool,
    pub(super) total: u64,
    pub(super) log: SharedLog,
}

/// Messages that are published again in another life of the log.
const SHARED_AGAIN: i64 = 100;

const COLUMNS: &str = "n, current, total, node, epoch, own, low, before, high, hash, hlc, hops, missing, bytes";

impl Store {
    /// This node's own log; its first life is `fresh`. A node that is called otherwise now begins another one.
    ///
    /// # Errors
    /// When the store cannot write and there is none yet.
    pub async fn own_log(&self, node: NodeName, fresh: EpochId) -> Result<SharedLog, StoreError> {
        self.write(move |connection| {
            if let Some(row) = own(connection)?
                && row.log.origin.node == node
            {
                return Ok(row.log);
            }
            begin_own(connection, &Origin { node, epoch: fresh })
        })
        .await
    }

    /// Begins another life of this node's own log. What was published counts no longer: every state is published anew, and
    /// of the messages the newest 100, where messages are shared, beside those that were not published yet.
    ///
    /// # Errors
    /// When the store cannot write; the log goes on as it was then.
    pub async fn begin_epoch(&self, origin: Origin) -> Result<SharedLog, StoreError> {
        self.write(move |connection| begin_own(connection, &origin)).await
    }

    /// The newest life of each log that is held, this node's own first, then by name.
    ///
    /// # Errors
    /// When the store cannot read.
    pub fn shared_logs(&self) -> Result<Vec<SharedLog>, StoreError> {
        self.read(|connection| {
            connection
                .prepare_cached(&format!("SELECT {COLUMNS} FROM node_log WHERE current ORDER BY own DESC, node"))?
                .query_map([], |row| Ok(log_row(row)?.log))?
                .collect()
        })
    }

    /// The newest signed head of another node's log: what it once wrote, by its own word.
    ///
    /// # Errors
    /// When the store cannot read.
    pub fn held_head(&self, node: &NodeName) -> Result<Option<Head>, StoreError> {
        self.read(|connection| {
            let Some(row) = current(connection, node, false)? else { return Ok(None) };
            // It is that of the newest entry, and stays when the entry is swept.
            connection
                .prepare_cached("SELECT seq, key, signature, ?3 FROM node_head WHERE log = ?1 AND seq = ?2")?
                .query_row(params![row.n, row.log.high, &row.log.hash.as_bytes()[..]], |found| {
                    head(found, &row.log.origin)
                })
                .optional()
        })
    }

    /// This node's own log, and the hash of its entry `seq` as long as that is held, as both are at one moment.
    ///
    /// # Errors
    /// When the store cannot read, or no log has begun.
    pub fn own_at(&self, seq: u64) -> Result<(SharedLog, Option<ChainHash>), StoreError> {
        self.read(|connection| {
            let row = own(connection)?.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
            let held = hash_at(connection, row.n, seq)?;
            Ok((row.log, held))
        })
    }
}

/// This node's own log.
pub(super) fn own(connection: &Connection) -> rusqlite::Result<Option<LogRow>> {
    connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM node_log WHERE own AND current"))?
        .query_row([], log_row)
        .optional()
}

/// The newest life of a log that is held.
pub(super) fn current(connection: &Connection, node: &NodeName, own: bool) -> rusqlite::Result<Option<LogRow>> {
    connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM node_log WHERE node = ?1 AND own = ?2 AND current"))?
        .query_row(params![node.as_str(), own], log_row)
        .optional()
}

/// A certain life of another node's log.
pub(super) fn life(connection: &Connection, origin: &Origin) -> rusqlite::Result<Option<LogRow>> {
    connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM node_log WHERE node = ?1 AND epoch = ?2 AND NOT own AND NOT dropped"
        ))?
        .query_row(params![origin.node.as_str(), &origin.epoch.as_uuid().as_bytes()[..]], log_row)
        .optional()
}

/// The hash of an entry that is held.
pub(super) fn hash_at(connection: &Connection, log: i64, seq: u64) -> rusqlite::Result<Option<ChainHash>> {
    connection
        .prepare_cached("SELECT hash FROM node_entry WHERE log = ?1 AND seq = ?2")?
        .query_row(params![log, seq], |row| row.get(0).map(ChainHash::from_bytes))
        .optional()
}

/// Begins a life of a log behind `after`: the one before is history, and its states count no longer.
pub(super) fn begin(
    connection: &Connection,
    origin: &Origin,
    own: bool,
    after: u64,
    before: &ChainHash,
) -> rusqlite::Result<()> {
    if let Some(old) = current(connection, &origin.node, own)? {
        connection.prepare_cached("DELETE FROM node_state WHERE log = ?1")?.execute([old.n])?;
        connection.prepare_cached("UPDATE node_log SET current = 0 WHERE n = ?1")?.execute([old.n])?;
    }
    connection
        .prepare_cached(
            "INSERT INTO node_log (node, epoch, own, current, low, before, high, hash, hlc, hops, missing, bytes, total)
             VALUES (?1, ?2, ?3, 1, ?4 + 1, ?5, ?4, ?5, 0, 0, 0, 0, 0)",
        )?
        .execute(params![
            origin.node.as_str(),
            &origin.epoch.as_uuid().as_bytes()[..],
            own,
            after,
            &before.as_bytes()[..],
        ])
        .map(drop)
}

fn begin_own(connection: &Connection, origin: &Origin) -> rusqlite::Result<SharedLog> {
    // A node that is called otherwise now must not go on with the log of its former name.
    if let Some(old) = own(connection)?
        && old.log.origin.node != origin.node
    {
        connection.prepare_cached("UPDATE node_log SET current = 0 WHERE n = ?1")?.execute([old.n])?;
        connection.prepare_cached("DELETE FROM node_state WHERE log = ?1")?.execute([old.n])?;
    }
    begin(connection, origin, true, 0, &ChainHash::BEGINNING)?;
    connection
        .prepare_cached(
            "UPDATE watermark SET seq =
                 min(seq, coalesce((SELECT seq - 1 FROM message ORDER BY seq DESC LIMIT 1 OFFSET ?1), 0))
             WHERE name = 'shared'",
        )?
        .execute([SHARED_AGAIN - 1])?;
    let begun = own(connection)?.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
    Ok(begun.log)
}

/// Drops all that is held of another node's logs. The entries go when they are swept.
pub(super) fn drop_logs(connection: &Connection, node: &NodeName) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM node_state WHERE log IN (SELECT n FROM node_log WHERE node = ?1 AND NOT own)")?
        .execute([node.as_str()])?;
    connection
        .prepare_cached("UPDATE node_log SET current = 0, dropped = 1 WHERE node = ?1 AND NOT own")?
        .execute([node.as_str()])
        .map(drop)
}

/// Notes that a log now goes up to `last`, with so many more bytes.
pub(super) fn advance(connection: &Connection, n: i64, last: &SharedEvent, bytes: u64) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE node_log SET high = ?2, hash = ?3, hlc = ?4, bytes = bytes + ?5, total = total + ?5 WHERE n = ?1",
        )?
        .execute(params![n, last.seq, &last.hash.as_bytes()[..], last.hlc.bits().cast_signed(), bytes])
        .map(drop)
}

pub(super) fn log_row(row: &Row<'_>) -> rusqlite::Result<LogRow> {
    Ok(LogRow {
        n: row.get(0)?,
        current: row.get(1)?,
        total: row.get(2)?,
        log: SharedLog {
            origin: Origin { node: name(row, 3)?, epoch: EpochId::from_uuid(uuid(row, 4)?) },
            own: row.get(5)?,
            low: row.get(6)?,
            before: ChainHash::from_bytes(row.get(7)?),
            high: row.get(8)?,
            hash: ChainHash::from_bytes(row.get(9)?),
            hlc: Hlc::from_bits(row.get::<_, i64>(10)?.cast_unsigned()),
            hops: row.get(11)?,
            missing: row.get(12)?,
            bytes: row.get(13)?,
        },
    })
}

/// A head from its number, key, signature and hash.
pub(super) fn head(row: &Row<'_>, origin: &Origin) -> rusqlite::Result<Head> {
    Ok(Head {
        origin: origin.clone(),
        seq: row.get(0)?,
        hash: ChainHash::from_bytes(row.get(3)?),
        key: NodeKey::from_bytes(row.get(1)?),
        signature: row.get(2)?,
    })
}

pub(super) fn name(row: &Row<'_>, column: usize) -> rusqlite::Result<NodeName> {
    row.get_ref(column)?.as_str()?.parse().map_err(|error| corrupt(column, error))
}
