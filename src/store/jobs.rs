//! Jobs: what was planned, what became of it, and what it wrote.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, ErrorCode, OptionalExtension, Row, ToSql, params, params_from_iter};

use crate::model::{
    Approval, AuditEntry, AuditKind, AuditNote, EngineId, Job, JobFilter, JobId, JobRow, JobState, LayerKind, Outcome,
    OutputChunk, OutputTotals, PlanHash, Rollout, SpoolId,
};

use super::events::{corrupt, timestamp, uuid};
use super::{Store, StoreError, approvals, audit, job_output, rollouts};

/// How long a job is kept.
const KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);

const COLUMNS: &str =
    "id, plan, hash, risk, by, asked, not_after, lane, only, rollout, state, layer, attempts, started,
    ended, out, err, cut, left, spool";

/// Everything about jobs that is written in one transaction.
#[derive(Debug, Clone, Default)]
pub struct JobBatch {
    /// Pieces of output. One that is known is passed over.
    pub output: Vec<(JobId, OutputChunk)>,
    /// Jobs as they stand now.
    pub jobs: Vec<Job>,
    /// Approvals as they stand now.
    pub approvals: Vec<Approval>,
    /// Rollouts as they stand now; of several of one name the last counts.
    pub rollouts: Vec<Rollout>,
    /// What the audit log says of all this.
    pub notes: Vec<AuditNote>,
}

impl JobBatch {
    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.output.is_empty()
            && self.jobs.is_empty()
            && self.approvals.is_empty()
            && self.rollouts.is_empty()
            && self.notes.is_empty()
    }
}

impl Store {
    /// What this engine is called, and its term: one more than at the start before. `fresh` is its name when it has none.
    ///
    /// # Errors
    /// When the store cannot write.
    pub async fn begin_term(&self, fresh: EngineId) -> Result<(EngineId, u64), StoreError> {
        self.write(move |connection| {
            connection.execute(
                "INSERT INTO engine (one, id, epoch) VALUES (1, ?1, 1) ON CONFLICT (one) DO UPDATE SET epoch = epoch + 1",
                [&fresh.as_uuid().as_bytes()[..]],
            )?;
            connection.query_row("SELECT id, epoch FROM engine", [], |row| {
                Ok((EngineId::from_uuid(uuid(row, 0)?), row.get(1)?))
            })
        })
        .await
    }

    /// Raises the term to `epoch`, unless it is that high.
    ///
    /// # Errors
    /// When the store cannot write.
    pub async fn raise_term(&self, epoch: u64) -> Result<(), StoreError> {
        self.write(move |connection| connection.execute("UPDATE engine SET epoch = max(epoch, ?1)", [epoch]).map(drop))
            .await
    }

    /// Writes `batch`, whole or not at all. Answers what was added to the audit log.
    ///
    /// # Errors
    /// When the store cannot write.
    pub async fn keep_jobs(&self, batch: JobBatch) -> Result<Vec<AuditEntry>, StoreError> {
        self.write(move |connection| keep(connection, batch)).await
    }

    /// Writes `batch` part by part, and leaves out what the database does not take for what it is. Each such part is
    /// named in the audit log. Answers what was added to that, and the jobs that were left out.
    ///
    /// # Errors
    /// When the store cannot write; nothing is written then.
    pub async fn keep_each(&self, batch: JobBatch) -> Result<(Vec<AuditEntry>, Vec<JobId>), StoreError> {
        self.write(move |connection| keep_each(connection, batch)).await
    }

    /// Matching jobs before `before`, newest first.
    ///
    /// # Errors
    /// When the store cannot read.
    pub fn jobs(&self, filter: &JobFilter, before: Option<JobId>, limit: usize) -> Result<Vec<JobRow>, StoreError> {
        let mut conditions = vec!["true"];
        let mut values: Vec<Box<dyn ToSql>> = Vec::new();
        let mut only = |condition, value: Box<dyn ToSql>| {
            conditions.push(condition);
            values.push(value);
        };
        if let Some(host) = &filter.host {
            only("host = ?", Box::new(host.as_str().to_owned()));
        }
        if let Some(command) = &filter.command {
            only("command = ?", Box::new(command.as_str().to_owned()));
        }
        if let Some(rollout) = filter.rollout {
            only("rollout = ?", Box::new(blob(rollout)));
        }
        if let Some(before) = before {
            only("id < ?", Box::new(blob(before)));
        }
        if filter.open {
            conditions.push("open = 1");
        }
        values.push(Box::new(i64::try_from(limit).unwrap_or(i64::MAX)));
        let conditions = conditions.join(" AND ");
        self.read(|connection| {
            connection
                .prepare_cached(&format!("SELECT {COLUMNS} FROM job WHERE {conditions} ORDER BY id DESC LIMIT ?"))?
                .query_map(params_from_iter(values), |row| job(row).map(|job| job.row()))?
                .collect()
        })
    }

    /// Jobs that are not over, oldest first.
    ///
    /// # Errors
    /// When the store cannot read.
    pub fn open_jobs(&self) -> Result<Vec<Job>, StoreError> {
        self.read(|connection| {
            connection
                .prepare_cached(&format!("SELECT {COLUMNS} FROM job WHERE open = 1 ORDER BY id"))?
                .query_map([], job)?
                .collect()
        })
    }

    /// Jobs that are not over, and those nobody knows the end of; oldest first.
    ///
    /// # Errors
    /// When the store cannot read.
    pub fn unsettled_jobs(&self) -> Result<Vec<Job>, StoreError> {
        self.read(|connection| {
            connection
                .prepare_cached(&format!("SELECT {COLUMNS} FROM job WHERE open > 0 ORDER BY id"))?
                .query_map([], job)?
                .collect()
        })
    }

    /// The job called `id`, and those of the rollout of that name; by their hosts.
    ///
    /// # Errors
    /// When the store cannot read.
    pub fn jobs_of(&self, id: JobId) -> Result<Vec<Job>, StoreError> {
        self.read(|connection| jobs_of(connection, id))
    }

    /// One job, when it is known.
    ///
    /// # Errors
    /// When the store cannot read.
    pub fn job(&self, id: JobId) -> Result<Option<Job>, StoreError> {
        self.read(|connection| {
            connection
                .prepare_cached(&format!("SELECT {COLUMNS} FROM job WHERE id = ?1"))?
                .query_row([blob(id)], job)
                .optional()
        })
    }

    /// Forgets jobs that are over and older than 30 days, at most `slice` of them, and as many approvals that were about such
    /// jobs; answers whether there are more.
    ///
    /// # Errors
    /// When the store cannot write.
    pub async fn forget_jobs(&self, now: Timestamp, slice: usize) -> Result<bool, StoreError> {
        let oldest = now.checked_sub(KEPT).unwrap_or(Timestamp::UNIX_EPOCH);
        let before = oldest.as_microsecond();
        self.write(move |connection| {
            let old: Vec<i64> = connection
                .prepare_cached("SELECT n FROM job WHERE asked < ?1 AND open <> 1 ORDER BY asked LIMIT ?2")?
                .query_map(params![before, i64::try_from(slice).unwrap_or(i64::MAX)], |row| row.get(0))?
                .collect::<Result<_, _>>()?;
            for number in &old {
                connection.prepare_cached("DELETE FROM job_output WHERE job = ?1")?.execute([number])?;
                connection.prepare_cached("DELETE FROM job WHERE n = ?1")?.execute([number])?;
            }
            connection.prepare_cached("DELETE FROM rollout WHERE asked < ?1 AND NOT open")?.execute([before])?;
            let more = approvals::forget(connection, oldest, slice)?;
            Ok(more || old.len() == slice)
        })
        .await
    }
}

/// The job called `id`, and those of the rollout of that name; by their hosts.
pub(super) fn jobs_of(connection: &Connection, id: JobId) -> rusqlite::Result<Vec<Job>> {
    connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM job WHERE id = ?1 OR rollout = ?1 ORDER BY host, id"))?
        .query_map([blob(id)], job)?
        .collect()
}

pub(super) fn blob(id: JobId) -> Vec<u8> {
    id.as_uuid().as_bytes().to_vec()
}

/// Writes `batch`. Jobs first, as pieces need theirs; readers see both or neither.
fn keep(connection: &Connection, batch: JobBatch) -> rusqlite::Result<Vec<AuditEntry>> {
    for job in &batch.jobs {
        keep_job(connection, job)?;
    }
    for (id, chunk) in &batch.output {
        job_output::keep(connection, *id, chunk)?;
    }
    for approval in &batch.approvals {
        approvals::keep(connection, approval)?;
    }
    for rollout in &batch.rollouts {
        rollouts::keep(connection, rollout)?;
    }
    audit::append_all(connection, batch.notes)
}

/// Writes the parts of `batch` one by one. Notes are never left out: nothing an agent counts is in them.
fn keep_each(connection: &Connection, batch: JobBatch) -> rusqlite::Result<(Vec<AuditEntry>, Vec<JobId>)> {
    let (mut notes, mut jobs) = (batch.notes, Vec::new());
    let mut lost = |id: JobId, part: &str, why: &str| {
        let what = format!("{part} cannot be written down and is left out: {why}");
        notes.push(AuditNote::new(Timestamp::now(), None, AuditKind::Changed, id, what));
    };
    for job in &batch.jobs {
        if let Some(why) = singly(connection, |connection| keep_job(connection, job))? {
            lost(job.id, "how it stands", &why);
            jobs.push(job.id);
        }
    }
    for (id, chunk) in &batch.output {
        if let Some(why) = singly(connection, |connection| job_output::keep(connection, *id, chunk))? {
            lost(*id, &format!("piece {} of its output", chunk.seq), &why);
        }
    }
    for approval in &batch.approvals {
        approvals::keep(connection, approval)?;
    }
    for rollout in &batch.rollouts {
        rollouts::keep(connection, rollout)?;
    }
    Ok((audit::append_all(connection, notes)?, jobs))
}

/// Writes one part. Answers why it is none that the database takes; that is undone then.
fn singly(
    connection: &Connection,
    write: impl FnOnce(&Connection) -> rusqlite::Result<()>,
) -> rusqlite::Result<Option<String>> {
    connection.execute_batch("SAVEPOINT part")?;
    let result = write(connection);
    if let Err(error) = &result
        && is_refused(error)
    {
        connection.execute_batch("ROLLBACK TO part; RELEASE part")?;
        return Ok(Some(error.to_string()));
    }
    connection.execute_batch("RELEASE part")?;
    result.map(|()| None)
}

/// Whether the value is to blame: the same will be refused for ever.
fn is_refused(error: &rusqlite::Error) -> bool {
    let codes = [ErrorCode::TypeMismatch, ErrorCode::TooBig, ErrorCode::ConstraintViolation];
    matches!(error, rusqlite::Error::ToSqlConversionFailure(_))
        || error.sqlite_error_code().is_some_and(|code| codes.contains(&code))
}

fn keep_job(connection: &Connection, job: &Job) -> rusqlite::Result<()> {
    let json = |value: serde_json::Result<String>| {
        value.map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
    };
    connection
        .prepare_cached(
            "INSERT INTO job (id, host, command, plan, hash, risk, by, asked, not_after, lane, only, rollout, state, open,
                 layer, attempts, started, ended, out, err, cut, left, spool)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23)
             ON CONFLICT (id) DO UPDATE SET not_after = excluded.not_after, state = excluded.state, open = excluded.open,
                 layer = excluded.layer, attempts = excluded.attempts, started = excluded.started,
                 ended = excluded.ended, out = excluded.out, err = excluded.err, cut = excluded.cut,
                 left = excluded.left, spool = excluded.spool",
        )?
        .execute(params![
            blob(job.id),
            job.plan.host.as_str(),
            job.plan.command.as_str(),
            job.plan.canonical(),
            job.hash.as_str(),
            job.risk.as_str(),
            job.by.as_str(),
            job.asked.as_microsecond(),
            job.not_after.as_microsecond(),
            job.lane.as_str(),
            job.only.map(LayerKind::as_str),
            job.rollout.map(blob),
            json(serde_json::to_string(&job.state))?,
            openness(&job.state),
            job.layer.map(LayerKind::as_str),
            json(serde_json::to_string(&job.attempts))?,
            job.started.map(Timestamp::as_microsecond),
            job.ended.map(Timestamp::as_microsecond),
            job.output.out,
            job.output.err,
            job.output.cut,
            job.left,
            job.spool.map(|spool| spool.as_uuid().as_bytes().to_vec()),
        ])?;
    Ok(())
}

fn openness(state: &JobState) -> i64 {
    match state {
        JobState::Ended(Outcome::Unknown { .. }) => 2,
        JobState::Ended(_) => 0,
        _ => 1,
    }
}

/// A word or a piece of JSON of a column, read by its type's own reader.
fn read<T: serde::de::DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    serde_json::from_str(row.get_ref(column)?.as_str()?).map_err(|error| corrupt(column, error))
}

fn word<T: serde::de::DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    some_word(row, column)?.ok_or(rusqlite::Error::InvalidQuery)
}

fn some_word<T: serde::de::DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<T>> {
    let text: Option<String> = row.get(column)?;
    let read = |text| serde_json::from_value(serde_json::Value::String(text)).map_err(|error| corrupt(column, error));
    text.map(read).transpose()
}

fn some_time(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Timestamp>> {
    Ok(row.get::<_, Option<i64>>(column)?.map(timestamp))
}

fn some_uuid(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<uuid::Uuid>> {
    let bytes: Option<Vec<u8>> = row.get(column)?;
    bytes.map(|bytes| uuid::Uuid::from_slice(&bytes).map_err(|error| corrupt(column, error))).transpose()
}

fn job(row: &Row<'_>) -> rusqlite::Result<Job> {
    Ok(Job {
        id: JobId::from_uuid(uuid(row, 0)?),
        plan: read(row, 1)?,
        hash: word::<PlanHash>(row, 2)?,
        risk: word(row, 3)?,
        by: word(row, 4)?,
        asked: timestamp(row.get(5)?),
        not_after: timestamp(row.get(6)?),
        lane: word(row, 7)?,
        only: some_word(row, 8)?,
        rollout: some_uuid(row, 9)?.map(JobId::from_uuid),
        state: read(row, 10)?,
        layer: some_word(row, 11)?,
        attempts: read(row, 12)?,
        started: some_time(row, 13)?,
        ended: some_time(row, 14)?,
        output: OutputTotals { out: row.get(15)?, err: row.get(16)?, cut: row.get(17)? },
        left: row.get(18)?,
        spool: some_uuid(row, 19)?.map(SpoolId::from_uuid),
    })
}

#[cfg(test)]
#[path = "jobs_tests.rs"]
mod tests;
