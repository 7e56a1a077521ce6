//! Files that came with messages.

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::model::{Attachment, MessageId};

use super::{PendingEvent, Store, StoreError};

const COLUMNS: &str = "a.name, a.declared, a.found, a.size, a.content_id, a.sha256, a.part FROM attachment a";

impl Store {
    /// Attachment `number`, counted from 1, of a message.
    ///
    /// # Errors
    /// When the store cannot read.
    pub fn attachment(&self, message: MessageId, number: u32) -> Result<Option<Attachment>, StoreError> {
        self.read(|connection| {
            connection
                .prepare_cached(&format!(
                    "SELECT {COLUMNS} JOIN event e ON e.seq = a.seq WHERE e.id = ?1 AND a.number = ?2"
                ))?
                .query_row(params![&message.as_uuid().as_bytes()[..], number], attachment)
                .optional()
        })
    }

    /// The event of a message, to be read again.
    ///
    /// # Errors
    /// When the store cannot read.
    pub fn event_of(&self, message: MessageId) -> Result<Option<PendingEvent>, StoreError> {
        self.read(|connection| super::project::one(connection, message))
    }
}

/// The attachments of the message at `seq`, in order.
pub(super) fn of(connection: &Connection, seq: i64) -> rusqlite::Result<Vec<Attachment>> {
    connection
        .prepare_cached(&format!("SELECT {COLUMNS} WHERE a.seq = ?1 ORDER BY a.number"))?
        .query_map([seq], attachment)?
        .collect()
}

/// Writes the attachments of the message at `seq`, instead of those it has when it is not new.
pub(super) fn write(
    connection: &Connection,
    seq: i64,
    attachments: &[Attachment],
    is_new: bool,
) -> rusqlite::Result<()> {
    if !is_new {
        connection.prepare_cached("DELETE FROM attachment WHERE seq = ?1")?.execute([seq])?;
    }
    for (number, attachment) in (1_i64..).zip(attachments) {
        connection
            .prepare_cached(
                "INSERT INTO attachment (seq, number, name, declared, found, size, content_id, sha256, part)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )?
            .execute(params![
                seq,
                number,
                attachment.name,
                attachment.declared,
                attachment.found,
                attachment.size,
                attachment.content_id,
                attachment.sha256,
                attachment.part,
            ])?;
    }
    Ok(())
}

fn attachment(row: &Row<'_>) -> rusqlite::Result<Attachment> {
    Ok(Attachment {
        name: row.get(0)?,
        declared: row.get(1)?,
        found: row.get(2)?,
        size: row.get(3)?,
        content_id: row.get(4)?,
        sha256: row.get(5)?,
        part: row.get(6)?,
    })
}
