//! What operators have decided about conversations, and what everybody has to hear when that changes.

use std::collections::BTreeSet;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use crate::model::{AuditEntry, ContactId, DeskChange, Label, Marks};

use super::conversations::{UNTIL_REPLY, one};
use super::events::{corrupt, timestamp};
use super::tally::Deltas;
use super::{Store, StoreError, Unread};

/// Conversations and marks in one notice; a screen asks for what it shows when there are more.
pub(super) const ROWS: usize = 64;
const MARKS: usize = 256;

/// What changed on the desk.
#[derive(Debug, Clone, Default)]
pub struct DeskWork {
    /// What everybody hears.
    pub change: DeskChange,
    /// All marks that are otherwise now.
    pub marks: Vec<(i64, Marks)>,
    /// How the unread counts changed.
    pub unread: Unread,
    /// Contacts that became VIPs or ceased to be.
    pub vips: Vec<(ContactId, bool)>,
    /// What was written into the audit log.
    pub audited: Vec<AuditEntry>,
    /// When the next snooze ends.
    pub next_wake: Option<Timestamp>,
}

impl DeskWork {
    /// The work of marks.
    pub(super) fn of_marks(
        connection: &Connection,
        who: &str,
        deltas: Deltas,
        marks: Vec<(i64, Marks)>,
    ) -> rusqlite::Result<Self> {
        let touched: BTreeSet<i64> = deltas.conversations().collect();
        let unread = deltas.settle(connection)?;
        let mut work = Self::of(connection, who, &touched)?;
        work.change.omitted += marks.len().saturating_sub(MARKS) as u64;
        work.change.marks = marks.iter().take(MARKS).cloned().collect();
        Ok(Self { marks, unread, ..work })
    }

    /// What everybody hears about the conversations `touched`.
    pub(super) fn of(connection: &Connection, who: &str, touched: &BTreeSet<i64>) -> rusqlite::Result<Self> {
        let rows = touched.iter().rev().take(ROWS).map(|n| one(connection, *n));
        let conversations = rows.filter_map(Result::transpose).collect::<Result<_, _>>()?;
        let omitted = touched.len().saturating_sub(ROWS) as u64;
        let change = DeskChange { by: who.to_owned(), conversations, marks: Vec::new(), omitted };
        Ok(Self { change, next_wake: next_wake(connection)?, ..Self::default() })
    }
}

/// One thing that is said about a conversation.
#[derive(Debug, Clone, Copy)]
pub(super) enum Field {
    /// Until when it is out of sight, in microseconds.
    Snoozed,
    /// Who is to care for it.
    Assignee,
    /// Whether it has the label of this number.
    Label(i64),
}

impl Field {
    pub(super) fn get(self, connection: &Connection, conversation: i64) -> rusqlite::Result<Option<String>> {
        let (sql, label) = match self {
            Self::Snoozed => ("SELECT cast(snoozed AS TEXT) FROM desk WHERE conversation = ?1 AND ?2 = 0", 0),
            Self::Assignee => ("SELECT assignee FROM desk WHERE conversation = ?1 AND ?2 = 0", 0),
            Self::Label(label) => ("SELECT '1' FROM labelled WHERE conversation = ?1 AND label = ?2", label),
        };
        let found = connection.prepare_cached(sql)?.query_row([conversation, label], |row| row.get(0)).optional()?;
        Ok(found.flatten())
    }

    pub(super) fn set(self, connection: &Connection, conversation: i64, value: Option<&str>) -> rusqlite::Result<()> {
        match self {
            Self::Snoozed => {
                let until: Option<i64> = value.and_then(|value| value.parse().ok());
                connection
                    .prepare_cached(
                        "INSERT INTO desk (conversation, snoozed) VALUES (?1, ?2)
                         ON CONFLICT (conversation) DO UPDATE SET snoozed = excluded.snoozed",
                    )?
                    .execute(params![conversation, until])?;
                connection
                    .prepare_cached("UPDATE conversation SET hidden = ?2 WHERE n = ?1")?
                    .execute(params![conversation, until.is_some()])?;
            }
            Self::Assignee => {
                connection
                    .prepare_cached(
                        "INSERT INTO desk (conversation, assignee) VALUES (?1, ?2)
                         ON CONFLICT (conversation) DO UPDATE SET assignee = excluded.assignee",
                    )?
                    .execute(params![conversation, value])?;
            }
            Self::Label(label) => {
                let sql = match value {
                    Some(_) => "INSERT OR IGNORE INTO labelled (conversation, label) VALUES (?1, ?2)",
                    None => "DELETE FROM labelled WHERE conversation = ?1 AND label = ?2",
                };
                connection.prepare_cached(sql)?.execute([conversation, label])?;
            }
        }
        Ok(())
    }
}

impl Store {
    /// When the next snooze ends.
    ///
    /// # Errors
    /// When the store cannot read.
    pub fn next_wake(&self) -> Result<Option<Timestamp>, StoreError> {
        self.read(next_wake)
    }

    /// The labels there are, by name.
    ///
    /// # Errors
    /// When the store cannot read.
    pub fn labels(&self) -> Result<Vec<Label>, StoreError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached("SELECT name FROM label ORDER BY name")?;
            let mut rows = statement.query([])?;
            let mut labels = Vec::new();
            while let Some(row) = rows.next()? {
                labels.push(row.get_ref(0)?.as_str()?.parse().map_err(|e| corrupt(0, e))?);
            }
            Ok(labels)
        })
    }
}

fn next_wake(connection: &Connection) -> rusqlite::Result<Option<Timestamp>> {
    let next: Option<i64> = connection
        .prepare_cached("SELECT min(snoozed) FROM desk WHERE snoozed IS NOT NULL")?
        .query_row([], |row| row.get(0))?;
    Ok(next.filter(|next| *next != UNTIL_REPLY).map(timestamp))
}
