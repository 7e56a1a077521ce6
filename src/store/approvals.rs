//! Approvals: plans that wait for other people's yes, and what was said.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::model::{Approval, ApprovalId, ApprovalState};

use super::events::corrupt;
use super::jobs::blob;
use super::{Store, StoreError};

impl Store {
    /// Approvals, newest first: those that wait, or those that were answered too.
    ///
    /// # Errors
    /// When the store cannot read.
    pub fn approvals(&self, all: bool, limit: usize) -> Result<Vec<Approval>, StoreError> {
        let condition = if all { "true" } else { "open" };
        let sql = format!("SELECT body FROM approval WHERE {condition} ORDER BY id DESC LIMIT ?1");
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.read(|connection| connection.prepare_cached(&sql)?.query_map([limit], approval)?.collect())
    }

    /// One approval, when it is known.
    ///
    /// # Errors
    /// When the store cannot read.
    pub fn approval(&self, id: ApprovalId) -> Result<Option<Approval>, StoreError> {
        self.read(|connection| {
            connection
                .prepare_cached("SELECT body FROM approval WHERE id = ?1")?
                .query_row([&id.as_uuid().as_bytes()[..]], approval)
                .optional()
        })
    }
}

/// Keeps an approval as it stands, within the caller's transaction.
pub(super) fn keep(connection: &Connection, approval: &Approval) -> rusqlite::Result<()> {
    let body =
        serde_json::to_string(approval).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    connection
        .prepare_cached(
            "INSERT INTO approval (id, open, body) VALUES (?1, ?2, ?3)
             ON CONFLICT (id) DO UPDATE SET open = excluded.open, body = excluded.body",
        )?
        .execute(params![&approval.id.as_uuid().as_bytes()[..], approval.state == ApprovalState::Open, body])?;
    Ok(())
}

/// Forgets approvals that were decided, are older than `before` and about no job that is kept, at most `slice` of them;
/// answers whether there may be more.
pub(super) fn forget(connection: &Connection, before: Timestamp, slice: usize) -> rusqlite::Result<bool> {
    // Those of approvals begin with when they were asked for, in milliseconds.
    let milliseconds = u64::try_from(before.as_millisecond()).unwrap_or_default().to_be_bytes();
    let mut first = [0; 16];
    first[..6].copy_from_slice(&milliseconds[2..]);
    let mut decided =
        connection.prepare_cached("SELECT body, n FROM approval WHERE id < ?1 AND NOT open ORDER BY id")?;
    let mut decided = decided.query([&first[..]])?;
    let mut old = Vec::new();
    while let Some(row) = decided.next()?.filter(|_| old.len() < slice) {
        let mut job = connection.prepare_cached("SELECT 1 FROM job WHERE id = ?1")?;
        let mut is_kept = false;
        for id in approval(row)?.jobs {
            is_kept |= job.exists([blob(id)])?;
        }
        if !is_kept {
            old.push(row.get::<_, i64>(1)?);
        }
    }
    for number in &old {
        connection.prepare_cached("DELETE FROM approval WHERE n = ?1")?.execute([number])?;
    }
    Ok(old.len() == slice)
}

fn approval(row: &Row<'_>) -> rusqlite::Result<Approval> {
    serde_json::from_str(row.get_ref(0)?.as_str()?).map_err(|error| corrupt(0, error))
}
