//! When events came past the points on their way, many at once.
//!
//! Writing each down as it happens would cost a commit of its own. So they are kept in memory, and go along with the next
//! transaction of projection or of the search index. What was not written when the engine ended is not known.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::events::timestamp;

/// Passages kept in memory, written or not.
const KEPT: usize = 8_192;

/// A point on the way of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// Committed, so that its sender is answered.
    Stored,
    /// Its message is made.
    Projected,
    /// It can be found.
    Indexed,
    /// It was sent to a screen.
    Shown,
}

#[derive(Debug, Clone, Copy)]
struct Passage {
    point: Point,
    first: i64,
    last: i64,
    at: Timestamp,
    written: bool,
}

/// The passages that are not written yet, and some that are.
#[derive(Debug, Clone, Default)]
pub struct Passages(Arc<Mutex<VecDeque<Passage>>>);

impl Passages {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Passage>> {
        // A panic while the lock is held leaves whole entries behind.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers that the events from `first` to `last` came past `point`.
    pub fn note(&self, point: Point, first: i64, last: i64, at: Timestamp) {
        if first > last {
            return;
        }
        // As exactly as it is written.
        let at = timestamp(at.as_microsecond());
        let mut passages = self.lock();
        passages.push_back(Passage { point, first, last, at, written: false });
        if passages.len() > KEPT {
            passages.pop_front();
        }
    }

    /// Writes what is not written yet into the open transaction. Should that fail, some times are unknown later.
    pub(super) fn write(&self, connection: &Connection) -> rusqlite::Result<()> {
        let mut insert = connection
            .prepare_cached("INSERT OR IGNORE INTO passage (point, last, first, at) VALUES (?1, ?2, ?3, ?4)")?;
        for passage in self.lock().iter_mut().rev().take_while(|passage| !passage.written) {
            insert.execute(params![passage.point as i64, passage.last, passage.first, passage.at.as_microsecond()])?;
            passage.written = true;
        }
        Ok(())
    }

    /// When the event at `seq` came past `point`, as far as is known.
    pub(super) fn find(&self, connection: &Connection, point: Point, seq: i64) -> rusqlite::Result<Option<Timestamp>> {
        let is_it = |passage: &&Passage| passage.point == point && (passage.first..=passage.last).contains(&seq);
        if let Some(passage) = self.lock().iter().find(is_it) {
            return Ok(Some(passage.at));
        }
        let found: Option<(i64, i64)> = connection
            .prepare_cached("SELECT first, at FROM passage WHERE point = ?1 AND last >= ?2 ORDER BY last LIMIT 1")?
            .query_row([point as i64, seq], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        Ok(found.filter(|(first, _)| *first <= seq).map(|(_, at)| timestamp(at)))
    }
}
