//! Rollouts: how each goes over its hosts, and how far it is.

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::model::{Job, JobId, Rollout, RolloutRow};

use super::events::corrupt;
use super::jobs::{blob, jobs_of};
use super::{Store, StoreError};

impl Store {
    /// The rollouts that are not over, oldest first, each with all its jobs.
    ///
    /// # Errors
    /// When the store cannot read.
    pub fn open_rollouts(&self) -> Result<Vec<(Rollout, Vec<Job>)>, StoreError> {
        self.read(|connection| {
            let open: Vec<Rollout> = connection
                .prepare_cached("SELECT body FROM rollout WHERE open ORDER BY id")?
                .query_map([], rollout)?
                .collect::<Result<_, _>>()?;
            let with_jobs = |rollout: Rollout| {
                let jobs = jobs_of(connection, rollout.row.id)?;
                Ok((rollout, jobs))
            };
            open.into_iter().map(with_jobs).collect()
        })
    }

    /// Rollouts as lists show them: those that are not over first, or with `open` only those, each newest first.
    ///
    /// # Errors
    /// When the store cannot read.
    pub fn rollouts(&self, open: bool, limit: usize) -> Result<Vec<RolloutRow>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.read(|connection| {
            connection
                .prepare_cached("SELECT body FROM rollout WHERE open >= ?1 ORDER BY open DESC, id DESC LIMIT ?2")?
                .query_map(params![open, limit], |row| rollout(row).map(|rollout| rollout.row))?
                .collect()
        })
    }

    /// One rollout, when it is known.
    ///
    /// # Errors
    /// When the store cannot read.
    pub fn rollout(&self, id: JobId) -> Result<Option<Rollout>, StoreError> {
        self.read(|connection| {
            connection
                .prepare_cached("SELECT body FROM rollout WHERE id = ?1")?
                .query_row([blob(id)], rollout)
                .optional()
        })
    }
}

/// Keeps a rollout as it stands, within the caller's transaction.
pub(super) fn keep(connection: &Connection, rollout: &Rollout) -> rusqlite::Result<()> {
    let body = serde_json::to_string(rollout).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    let Rollout { row, .. } = rollout;
    connection
        .prepare_cached(
            "INSERT INTO rollout (id, asked, open, body) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (id) DO UPDATE SET open = excluded.open, body = excluded.body",
        )?
        .execute(params![blob(row.id), row.asked.as_microsecond(), row.ended.is_none(), body])?;
    Ok(())
}

fn rollout(row: &Row<'_>) -> rusqlite::Result<Rollout> {
    serde_json::from_str(row.get_ref(0)?.as_str()?).map_err(|error| corrupt(0, error))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use uuid::Uuid;

    use crate::model::{Pace, RolloutPhase};

    use super::super::{JobBatch, Options};
    use super::*;

    #[tokio::test]
    async fn a_rollout_comes_back_as_it_was_and_is_forgotten_with_its_jobs() {
        let dir = tempfile::tempdir().expect("temp dir");
        let store = Store::open(dir.path(), Options::default()).expect("opens");
        let id = JobId::from_uuid(Uuid::from_u128(7));
        let hosts = ["web-1", "web-2"].map(|name| vec![name.parse().expect("a name")]);
        let begun = Rollout {
            row: RolloutRow {
                id,
                title: "deploy version=v2".into(),
                by: "anna".parse().expect("a name"),
                asked: Timestamp::UNIX_EPOCH,
                phase: RolloutPhase::Runs,
                stage: 1,
                sizes: vec![1, 1],
                stopped: None,
                undone: 0,
                ended: None,
            },
            stages: hosts.to_vec(),
            pace: Pace { settle_ms: 5, ..Pace::default() },
            checks: vec!["shop".parse().expect("an id")],
            undoing: None,
            only: None,
        };
        let mut over = begun.clone();
        (over.row.phase, over.row.ended) = (RolloutPhase::Over, Some(Timestamp::UNIX_EPOCH));
        let keep = |rollouts| store.keep_jobs(JobBatch { rollouts, ..JobBatch::default() });
        keep(vec![begun.clone()]).await.expect("writes");
        assert_eq!(store.open_rollouts().expect("reads"), [(begun.clone(), Vec::new())]);
        // Of several in one batch the last counts.
        keep(vec![begun.clone(), over.clone()]).await.expect("writes");
        assert!(store.open_rollouts().expect("reads").is_empty());
        assert_eq!(store.rollout(id).expect("reads"), Some(over.clone()));
        assert_eq!(store.rollouts(false, 9).expect("reads"), [over.row]);
        assert!(store.rollouts(true, 9).expect("reads").is_empty());
        store.forget_jobs(Timestamp::now(), 10).await.expect("forgets");
        assert_eq!(store.rollout(id).expect("reads"), None);
    }
}
