//! The end of a snooze.

use std::collections::BTreeSet;

use jiff::Timestamp;
use rusqlite::params;

use crate::model::Act;

use super::desk::Field;
use super::marks::Sheet;
use super::tally::{Deltas, newest};
use super::{DeskWork, Store, StoreError};

/// Who does it.
const WHO: &str = "aurora";

/// Snoozes that end in one transaction; the rest follows a second later.
const AT_ONCE: i64 = 1_000;

impl Store {
    /// Brings back the conversations whose snooze has ended at `now`. Each stands on top of the list, and its newest
    /// message is unread again: otherwise nobody would see that it is back.
    ///
    /// # Errors
    /// When the store cannot write; nothing is brought back then.
    pub async fn wake_due(&self, now: Timestamp) -> Result<DeskWork, StoreError> {
        self.write(move |connection| {
            let due: BTreeSet<i64> = connection
                .prepare_cached("SELECT conversation FROM desk WHERE snoozed <= ?1 ORDER BY snoozed LIMIT ?2")?
                .query_map([now.as_microsecond(), AT_ONCE], |row| row.get(0))?
                .collect::<Result<_, _>>()?;
            let mut deltas = Deltas::default();
            let mut marks = Vec::new();
            for n in &due {
                Field::Snoozed.set(connection, *n, None)?;
                connection
                    .prepare_cached(
                        "UPDATE desk SET woken = (SELECT coalesce(max(seq), 0) FROM message) WHERE conversation = ?1",
                    )?
                    .execute([n])?;
                newest(connection, *n)?;
                let last: i64 = connection
                    .prepare_cached("SELECT last_seq FROM conversation WHERE n = ?1")?
                    .query_row(params![n], |row| row.get(0))?;
                if let Some(sheet) = Sheet::of(connection, last)? {
                    let after = sheet.marked.after(&Act::Unread, WHO, now);
                    sheet.put(connection, &after, &mut deltas)?;
                    marks.push((last, after.shown()));
                }
            }
            DeskWork::of_marks(connection, WHO, deltas, marks)
        })
        .await
    }
}
