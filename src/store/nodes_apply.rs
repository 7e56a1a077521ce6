//! Applying pages of other nodes' logs: entries, how far the log goes, and what they say, in one transaction.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use crate::model::{ChainHash, Head, Origin, SharedEvent, Trust};

use super::nodes_append::{insert, keep_states};
use super::nodes_log::{LogEnd, LogRow, advance, begin, current, hash_at, life};
use super::{Store, StoreError};

/// A page of another node's log whose chain and signature hold (see `federation`).
#[derive(Debug, Clone)]
pub struct CheckedPage {
    /// Whose log, which life.
    pub origin: Origin,
    /// The number of the entry before its first.
    pub after: u64,
    /// The hash of that entry.
    pub before: ChainHash,
    /// Its entries: at least one, from `after + 1` without gaps.
    pub events: Vec<SharedEvent>,
    /// The signed head; it is that of the last entry.
    pub head: Head,
    /// Relays it has come over.
    pub hops: u8,
    /// Whether it may begin behind what is held: everything between is gone for good.
    pub skips: bool,
    /// How many of the entries before a life of which nothing is held count as missing.
    pub missed: u64,
}

/// What became of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Applied {
    /// These entries are new.
    Taken {
        /// They, in order.
        events: Vec<SharedEvent>,
        /// Where the log ends now.
        end: LogEnd,
        /// The first and the last entry that are gone for good, when it began behind what was held.
        gap: Option<(u64, u64)>,
    },
    /// All of it was there already.
    Known(LogEnd),
    /// It does not follow what is held, which ends there.
    Behind(LogEnd),
    /// The entry of this number is another one than is held, and both are signed.
    Forked(u64),
    /// It is of an earlier life than is known.
    Older,
    /// Nothing of that node is taken over: it is quarantined, removed, unknown, or may only observe.
    Refused,
}

impl Store {
    /// Applies a page, all of it or nothing. What is there already is left out, so a page may come twice.
    ///
    /// # Errors
    /// When the store cannot write; nothing is applied then.
    pub async fn apply_shared(&self, page: CheckedPage, now: Timestamp) -> Result<Applied, StoreError> {
        let applied = self.write(move |connection| apply(connection, page, now)).await?;
        if matches!(applied, Applied::Taken { .. }) {
            self.shared.send_modify(|changes| *changes += 1);
        }
        Ok(applied)
    }
}

/// How a page stands to what is held.
enum Place {
    /// Its entries after this number are new.
    After(u64),
    /// Nothing of it is new, or nothing of it can be taken.
    Nowhere(Applied),
}

fn apply(connection: &Connection, mut page: CheckedPage, now: Timestamp) -> rusqlite::Result<Applied> {
    if !is_followed(connection, &page.origin)? {
        return Ok(Applied::Refused);
    }
    let mut gap = None;
    let row = match life(connection, &page.origin)? {
        Some(row) if !row.current => return Ok(Applied::Older),
        Some(row) if page.skips && row.log.high < page.after => {
            gap = Some((row.log.high + 1, page.after));
            skip(connection, &row, &page, now)?;
            row
        }
        Some(row) => row,
        None if page.after > 0 && !page.skips => {
            return Ok(Applied::Behind(LogEnd { origin: page.origin, seq: 0, hash: ChainHash::BEGINNING }));
        }
        None => match begin_life(connection, &page)? {
            Some(row) => row,
            None => return Ok(Applied::Older),
        },
    };
    if gap.is_none() {
        match place(connection, &row, &page)? {
            Place::After(seq) => page.events.retain(|event| event.seq > seq),
            Place::Nowhere(applied) => return Ok(applied),
        }
    }
    let Some(last) = page.events.last() else { return Ok(Applied::Known(row.log.end())) };
    let mut bytes = 0;
    for event in &page.events {
        bytes += event.weight() as u64;
        insert(connection, row.n, event, now)?;
    }
    advance(connection, row.n, last, bytes)?;
    connection.prepare_cached("UPDATE node_log SET hops = ?2 WHERE n = ?1")?.execute(params![row.n, page.hops])?;
    keep_states(connection, row.n, &page.events)?;
    keep_head(connection, row.n, &page.head, row.total + bytes)?;
    let end = LogEnd { origin: page.origin, seq: last.seq, hash: last.hash };
    Ok(Applied::Taken { events: page.events, end, gap })
}

/// Whether what that node shares is taken over.
fn is_followed(connection: &Connection, origin: &Origin) -> rusqlite::Result<bool> {
    let trust: Option<String> = connection
        .prepare_cached("SELECT trust FROM node WHERE name = ?1 AND quarantined IS NULL AND removed IS NULL")?
        .query_row([origin.node.as_str()], |row| row.get(0))
        .optional()?;
    Ok(trust.and_then(|trust| trust.parse().ok()).is_some_and(|trust: Trust| trust >= Trust::Report))
}

/// Begins a life of which nothing is held, unless a later one is known.
fn begin_life(connection: &Connection, page: &CheckedPage) -> rusqlite::Result<Option<LogRow>> {
    if current(connection, &page.origin.node, false)?.is_some_and(|known| known.log.origin.epoch > page.origin.epoch) {
        return Ok(None);
    }
    begin(connection, &page.origin, false, page.after, &page.before)?;
    connection
        .prepare_cached("UPDATE node_log SET missing = ?3 WHERE node = ?1 AND epoch = ?2 AND current AND NOT own")?
        .execute(params![page.origin.node.as_str(), &page.origin.epoch.as_uuid().as_bytes()[..], page.missed])?;
    life(connection, &page.origin)
}

/// Notes that everything between what is held and `page` is gone for good. What was held before is history: nobody can
/// check what follows the gap against it.
fn skip(connection: &Connection, row: &LogRow, page: &CheckedPage, now: Timestamp) -> rusqlite::Result<()> {
    let first = row.log.high + 1;
    connection
        .prepare_cached("INSERT INTO node_gap (log, first, last, at) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![row.n, first, page.after, now.as_microsecond()])?;
    connection
        .prepare_cached("UPDATE node_log SET low = ?2, before = ?3, missing = missing + ?4 WHERE n = ?1")?
        .execute(params![row.n, page.after + 1, &page.before.as_bytes()[..], page.after - row.log.high])
        .map(drop)
}

/// Where in `page` what is new begins, after comparing where both know an entry.
fn place(connection: &Connection, row: &LogRow, page: &CheckedPage) -> rusqlite::Result<Place> {
    let end = row.log.end();
    if end.seq < page.after {
        return Ok(Place::Nowhere(Applied::Behind(end)));
    }
    // The last entry that both know: the end of what is held, or of the page when that is earlier.
    let last = page.events.last().map_or(page.after, |event| event.seq);
    let common = end.seq.min(last);
    let theirs = match page.events.iter().find(|event| event.seq == common) {
        Some(event) => event.hash,
        None => page.before,
    };
    let ours = if common == end.seq { Some(end.hash) } else { hash_at(connection, row.n, common)? };
    if ours.is_some_and(|ours| ours != theirs) {
        return Ok(Place::Nowhere(Applied::Forked(common)));
    }
    Ok(if last <= end.seq { Place::Nowhere(Applied::Known(end)) } else { Place::After(end.seq) })
}

/// Keeps the head of a page. An earlier one goes when those beside it are so near to each other that a page may hold all
/// between: whoever relays a log that came in single entries need not keep a signature for each.
fn keep_head(connection: &Connection, log: i64, head: &Head, total: u64) -> rusqlite::Result<()> {
    let kept: Vec<(u64, u64)> = connection
        .prepare_cached("SELECT seq, total FROM node_head WHERE log = ?1 ORDER BY seq DESC LIMIT 2")?
        .query_map([log], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    if let [(between, _), (before, at)] = kept[..]
        && head.seq - before <= HEADS_APART
        && total - at <= HEADS_APART_BYTES
    {
        connection
            .prepare_cached("DELETE FROM node_head WHERE log = ?1 AND seq = ?2")?
            .execute(params![log, between])?;
    }
    connection
        .prepare_cached("INSERT INTO node_head (log, seq, key, signature, total) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![log, head.seq, &head.key.as_bytes()[..], head.signature, total])
        .map(drop)
}

/// Entries between two kept heads at most, and their bytes; both fit into one page.
const HEADS_APART: u64 = 500;
const HEADS_APART_BYTES: u64 = 512 << 10;
