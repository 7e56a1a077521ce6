//! Approvals: plans that wait for other people's yes, and what was said.

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::model::{Approval, ApprovalId, ApprovalState};

use super::events::corrupt;
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

fn approval(row: &Row<'_>) -> rusqlite::Result<Approval> {
    serde_json::from_str(row.get_ref(0)?.as_str()?).map_err(|error| corrupt(0, error))
}
