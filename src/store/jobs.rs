//! Jobs: what was planned, what became of it, and what it wrote.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, ErrorCode, OptionalExtension, Row, ToSql, params, params_from_iter};

use crate::model::{
    Approval, AuditEntry, AuditKind, AuditNote, EngineId, Job, JobFilter, JobId, JobOutput, JobRow, JobState,
    LayerKind, Outcome, OutputChunk, OutputTotals, PlanHash, Rollout, SpoolId, Stream,
};

use super::events::{corrupt, timestamp, uuid};
use super::{Store, StoreError, approvals, audit, rollouts};

/// Bytes kept of the beginning of what a job writes, and of its end. Agents keep as much.
const HEAD: i64 = 1 << 20;
const TAIL: i64 = 1 << 20;
/// Bytes of pieces in one answer; more only where one piece is longer.
const PART: usize = 512 << 10;
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

    /// What a job wrote, from the piece numbered `from` on; as much as one answer holds. `None` when it is not known.
    ///
    /// # Errors
    /// When the store cannot read.
    pub fn job_output(&self, id: JobId, from: u64) -> Result<Option<JobOutput>, StoreError> {
        self.read(|connection| {
            // One moment for both, so that the end is told with the last piece and never before it.
            let moment = connection.unchecked_transaction()?;
            let found = moment
                .prepare_cached("SELECT n, out, err, cut, open = 1 FROM job WHERE id = ?1")?
                .query_row([blob(id)], |row| {
                    let totals = OutputTotals { out: row.get(1)?, err: row.get(2)?, cut: row.get(3)? };
                    Ok((row.get::<_, i64>(0)?, totals, row.get::<_, bool>(4)?))
                })
                .optional()?;
            let Some((number, totals, open)) = found else { return Ok(None) };
            let mut part = JobOutput { chunks: Vec::new(), next: from, totals, end: !open };
            let mut statement = moment.prepare_cached(
                "SELECT seq, stream, bytes FROM job_output WHERE job = ?1 AND seq >= ?2 ORDER BY seq",
            )?;
            let mut rows = statement.query(params![number, from])?;
            let mut bytes = 0;
            while let Some(row) = rows.next()? {
                let chunk = chunk(row)?;
                bytes += chunk.bytes.len();
                if bytes > PART && !part.chunks.is_empty() {
                    part.end = false;
                    break;
                }
                part.next = chunk.seq + 1;
                part.chunks.push(chunk);
            }
            Ok(Some(part))
        })
    }

    /// Forgets jobs that are over and older than 30 days, at most `slice` of them; answers whether there are more.
    ///
    /// # Errors
    /// When the store cannot write.
    pub async fn forget_jobs(&self, now: Timestamp, slice: usize) -> Result<bool, StoreError> {
        let before = now.checked_sub(KEPT).unwrap_or(Timestamp::UNIX_EPOCH).as_microsecond();
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
            Ok(old.len() == slice)
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
        keep_output(connection, *id, chunk)?;
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
        if let Some(why) = singly(connection, |connection| keep_output(connection, *id, chunk))? {
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

/// Keeps a piece. Of a job that writes more than is kept, the middle goes.
fn keep_output(connection: &Connection, id: JobId, chunk: &OutputChunk) -> rusqlite::Result<()> {
    let found = connection
        .prepare_cached("SELECT n, head, tail FROM job WHERE id = ?1")?
        .query_row([blob(id)], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?)))
        .optional()?;
    let Some((number, mut head, mut tail)) = found else { return Ok(()) };
    let length = i64::try_from(chunk.bytes.len()).unwrap_or(i64::MAX);
    let is_tail = tail > 0 || head + length > HEAD;
    let stream = match chunk.stream {
        Stream::Out => 1,
        Stream::Err => 2,
    };
    let fresh = connection
        .prepare_cached("INSERT OR IGNORE INTO job_output (job, seq, stream, tail, bytes) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![number, chunk.seq, stream, is_tail, chunk.bytes])?;
    if fresh == 0 {
        return Ok(());
    }
    *(if is_tail { &mut tail } else { &mut head }) += length;
    while tail > TAIL {
        let (seq, length): (u64, i64) = connection
            .prepare_cached("SELECT seq, length(bytes) FROM job_output WHERE job = ?1 AND tail ORDER BY seq LIMIT 1")?
            .query_row([number], |row| Ok((row.get(0)?, row.get(1)?)))?;
        connection
            .prepare_cached("DELETE FROM job_output WHERE job = ?1 AND seq = ?2")?
            .execute(params![number, seq])?;
        tail -= length;
    }
    connection
        .prepare_cached("UPDATE job SET head = ?2, tail = ?3 WHERE n = ?1")?
        .execute(params![number, head, tail])?;
    Ok(())
}

fn chunk(row: &Row<'_>) -> rusqlite::Result<OutputChunk> {
    let stream = if row.get::<_, i64>(1)? == 1 { Stream::Out } else { Stream::Err };
    Ok(OutputChunk { seq: row.get(0)?, stream, bytes: row.get(2)? })
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
mod tests {
    use std::collections::BTreeMap;

    use uuid::Uuid;

    use crate::model::{Attempt, Class, End, Lane, Plan, Risk};

    use super::super::Options;
    use super::*;

    const NOW: i64 = 1_700_000_000;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(NOW + second).expect("in range")
    }

    fn id(n: u128) -> JobId {
        JobId::from_uuid(Uuid::from_u128(n))
    }

    fn sample(n: u128, host: &str) -> Job {
        let plan = Plan {
            host: host.parse().expect("a name"),
            command: "todo".parse().expect("a name"),
            args: BTreeMap::from([("action".into(), "list".into())]),
            argv: vec!["./todo".into(), "li\u{0}st \"x\"".into()],
            keys: None,
            cwd: None,
            env: BTreeMap::new(),
            class: Class::AtMostOnce,
            timeout_ms: 30_000,
        };
        Job {
            id: id(n),
            hash: plan.hash(),
            plan,
            risk: Risk::High,
            by: "anna".parse().expect("a name"),
            asked: at(0),
            not_after: at(60),
            lane: Lane::Bulk,
            only: Some(LayerKind::Tmux),
            rollout: (n > 10).then(|| id(10)),
            state: JobState::Queued { position: 1, why: "2 are before it".into() },
            layer: None,
            attempts: Vec::new(),
            started: None,
            ended: None,
            output: OutputTotals::default(),
            left: None,
            spool: None,
        }
    }

    fn ended(job: Job) -> Job {
        Job {
            state: JobState::Ended(Outcome::Done(End::Exit(3))),
            layer: Some(LayerKind::Socket),
            attempts: vec![Attempt { layer: LayerKind::Tmux, at: at(1), what: "refused".into() }],
            started: Some(at(2)),
            ended: Some(at(3)),
            output: OutputTotals { out: 5, err: 6, cut: 7 },
            left: Some("nothing is left".into()),
            spool: Some(SpoolId::from_uuid(Uuid::from_u128(9))),
            ..job
        }
    }

    fn piece(seq: u64, stream: Stream, bytes: Vec<u8>) -> OutputChunk {
        OutputChunk { seq, stream, bytes }
    }

    fn open(dir: &tempfile::TempDir) -> Store {
        Store::open(dir.path(), Options::default()).expect("opens")
    }

    async fn keep(store: &Store, jobs: Vec<Job>) {
        store.keep_jobs(JobBatch { jobs, ..JobBatch::default() }).await.expect("writes");
    }

    #[tokio::test]
    async fn a_job_comes_back_as_it_was_and_its_plan_never_changes() {
        let dir = tempfile::tempdir().expect("temp dir");
        let store = open(&dir);
        let first = sample(1, "web-1");
        keep(&store, vec![first.clone()]).await;
        assert_eq!(store.job(id(1)).expect("reads"), Some(first.clone()));
        assert_eq!(store.open_jobs().expect("reads"), vec![first.clone()]);
        let last = ended(first.clone());
        let mut other = last.clone();
        other.plan.argv = vec!["rm".into()];
        keep(&store, vec![other]).await;
        assert_eq!(store.job(id(1)).expect("reads"), Some(last.clone()));
        assert_eq!(last.plan.hash(), last.hash);
        assert!(store.open_jobs().expect("reads").is_empty());
        let lost = Job { state: JobState::Ended(Outcome::Unknown { reason: "gone".into() }), ..sample(3, "web-1") };
        keep(&store, vec![lost.clone()]).await;
        assert_eq!(store.unsettled_jobs().expect("reads"), vec![lost]);
        assert_eq!(store.job(id(2)).expect("reads"), None);
        drop(store);
        assert_eq!(open(&dir).job(id(1)).expect("reads"), Some(last));
    }

    #[tokio::test]
    async fn lists_go_back_page_by_page_and_know_their_filters() {
        let dir = tempfile::tempdir().expect("temp dir");
        let store = open(&dir);
        let mut jobs: Vec<Job> = (1..=20).map(|n| sample(n, if n % 2 == 0 { "web-2" } else { "web-1" })).collect();
        jobs[4] = ended(jobs[4].clone());
        keep(&store, jobs).await;
        let numbers = |filter: &JobFilter, before: Option<u128>, limit| -> Vec<u128> {
            let rows = store.jobs(filter, before.map(id), limit).expect("reads");
            rows.iter().map(|row| row.id.as_uuid().as_u128()).collect()
        };
        let all = JobFilter::default();
        assert_eq!(numbers(&all, None, 3), [20, 19, 18]);
        assert_eq!(numbers(&all, Some(18), 3), [17, 16, 15]);
        let host = JobFilter { host: Some("web-2".parse().expect("a name")), ..JobFilter::default() };
        assert_eq!(numbers(&host, Some(7), 9), [6, 4, 2]);
        let not_over = JobFilter { open: true, ..JobFilter::default() };
        assert_eq!(numbers(&not_over, Some(7), 3), [6, 4, 3]);
        let rollout = JobFilter { rollout: Some(id(10)), ..JobFilter::default() };
        assert_eq!(numbers(&rollout, None, 99).len(), 10);
        assert_eq!(store.jobs_of(id(10)).expect("reads").len(), 11, "the first is called as the rollout is");
        let none = JobFilter { command: Some("other".parse().expect("a name")), ..JobFilter::default() };
        assert!(numbers(&none, None, 9).is_empty());
    }

    #[tokio::test]
    async fn output_is_lossless_said_once_and_keeps_head_and_tail() {
        let dir = tempfile::tempdir().expect("temp dir");
        let store = open(&dir);
        keep(&store, vec![sample(1, "web-1")]).await;
        let bytes: Vec<u8> = (0..=255).collect();
        let both = vec![(id(1), piece(0, Stream::Out, bytes.clone())), (id(1), piece(1, Stream::Err, vec![0xff]))];
        for _ in 0..2 {
            store.keep_jobs(JobBatch { output: both.clone(), ..JobBatch::default() }).await.expect("writes");
        }
        let part = store.job_output(id(1), 0).expect("reads").expect("known");
        assert_eq!(part.chunks, [piece(0, Stream::Out, bytes), piece(1, Stream::Err, vec![0xff])]);
        assert_eq!((part.next, part.end), (2, false));
        let large =
            |seq: u64| (id(1), piece(seq, Stream::Out, vec![u8::try_from(seq % 251).expect("small"); 64 << 10]));
        store
            .keep_jobs(JobBatch { output: (2..102).map(large).collect(), ..JobBatch::default() })
            .await
            .expect("writes");
        let last = ended(sample(1, "web-1"));
        store.keep_jobs(JobBatch { jobs: vec![last], ..JobBatch::default() }).await.expect("writes");
        let (mut from, mut seqs, mut bytes) = (0, Vec::new(), 0);
        loop {
            let part = store.job_output(id(1), from).expect("reads").expect("known");
            assert!(part.chunks.iter().map(|chunk| chunk.bytes.len()).sum::<usize>() <= PART);
            seqs.extend(part.chunks.iter().map(|chunk| chunk.seq));
            bytes += part.chunks.iter().map(|chunk| chunk.bytes.len()).sum::<usize>();
            from = part.next;
            if part.end {
                assert_eq!(part.totals, OutputTotals { out: 5, err: 6, cut: 7 }, "as told");
                break;
            }
        }
        assert!(i64::try_from(bytes).expect("small") <= HEAD + TAIL);
        assert!(bytes > 30 * (64 << 10), "{bytes}");
        assert_eq!((seqs.first(), seqs.last()), (Some(&0), Some(&101)));
        let gaps = seqs.windows(2).filter(|pair| pair[1] != pair[0] + 1).count();
        assert_eq!(gaps, 1, "one hole, in the middle: {seqs:?}");
        assert!(store.job_output(id(9), 0).expect("reads").is_none());
    }

    #[tokio::test]
    async fn a_number_no_database_takes_costs_its_own_part_only() {
        let dir = tempfile::tempdir().expect("temp dir");
        let store = open(&dir);
        let mut huge = ended(sample(2, "web-1"));
        huge.output.out = u64::MAX;
        let batch = JobBatch {
            jobs: vec![sample(1, "web-1"), huge],
            output: vec![
                (id(1), piece(0, Stream::Out, vec![1])),
                (id(1), piece(u64::MAX, Stream::Out, vec![2])),
                (id(1), piece(1, Stream::Out, vec![3])),
            ],
            ..JobBatch::default()
        };
        assert!(matches!(store.keep_jobs(batch.clone()).await, Err(StoreError::Database(_))));
        let (entries, lost) = store.keep_each(batch).await.expect("writes the rest");
        assert_eq!(lost, [id(2)]);
        let about: Vec<&str> = entries.iter().map(|entry| entry.note.about.as_str()).collect();
        assert_eq!(about, [id(2).to_string(), id(1).to_string()]);
        let part = store.job_output(id(1), 0).expect("reads").expect("known");
        assert_eq!(part.chunks.iter().map(|chunk| chunk.seq).collect::<Vec<_>>(), [0, 1]);
    }

    #[tokio::test]
    async fn old_jobs_go_in_slices_and_open_ones_stay() {
        let dir = tempfile::tempdir().expect("temp dir");
        let store = open(&dir);
        let jobs = (1..=5).map(|n| if n == 3 { sample(n, "web-1") } else { ended(sample(n, "web-1")) });
        keep(&store, jobs.collect()).await;
        store
            .keep_jobs(JobBatch { output: vec![(id(1), piece(0, Stream::Out, vec![1]))], ..JobBatch::default() })
            .await
            .expect("writes");
        assert!(!store.forget_jobs(at(29 * 86_400), 2).await.expect("forgets"));
        assert_eq!(store.jobs(&JobFilter::default(), None, 9).expect("reads").len(), 5);
        let late = at(31 * 86_400);
        assert!(store.forget_jobs(late, 2).await.expect("forgets"));
        assert!(store.forget_jobs(late, 2).await.expect("forgets"));
        assert!(!store.forget_jobs(late, 2).await.expect("forgets"));
        let left = store.jobs(&JobFilter::default(), None, 9).expect("reads");
        assert_eq!(left.iter().map(|row| row.id).collect::<Vec<_>>(), [id(3)]);
        let rows: i64 =
            store.read(|c| c.query_row("SELECT count(*) FROM job_output", [], |r| r.get(0))).expect("reads");
        assert_eq!(rows, 0, "nor what they wrote");
    }

    #[tokio::test]
    async fn a_term_rises_at_each_start_and_the_engine_keeps_its_name() {
        let dir = tempfile::tempdir().expect("temp dir");
        let store = open(&dir);
        let fresh = |n| EngineId::from_uuid(Uuid::from_u128(n));
        assert_eq!(store.begin_term(fresh(1)).await.expect("writes"), (fresh(1), 1));
        store.raise_term(7).await.expect("writes");
        store.raise_term(3).await.expect("writes");
        drop(store);
        assert_eq!(open(&dir).begin_term(fresh(2)).await.expect("writes"), (fresh(1), 8));
    }
}
