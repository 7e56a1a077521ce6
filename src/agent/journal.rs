//! The journal: one directory a job. What is in it decides, whatever an engine or an agent remembers.
//!
//! `req.json` is the order, `started` the one decision whether it runs, `result.json` how it ended. Each comes whole by
//! a link or a rename. A job may be started by several processes at once: who links `started` runs it, nobody else.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::model::{EngineId, JobId, rules};
use crate::protocol::{FromAgent, JobOrder, Journal};

use super::Spool;
use super::faults::FaultPoint;
use super::job_dir::{JobDir, REQ, RESULT, STARTED, TYPED, sync};
use super::lease::Fenced;
use super::spool::{DIR_MODE, passing_name, write_new};

/// How long a job is remembered in full. An id that is older is refused, so that forgetting never runs anything twice.
pub const RETENTION: Duration = Duration::from_hours(7 * 24);
/// No clock of an engine goes before ours by more.
const AHEAD: SignedDuration = SignedDuration::from_hours(24);
/// Jobs a journal holds.
const MOST: usize = 50_000;
/// Bytes that have to be free before another job is taken: what one may write, and its end.
const ROOM: u64 = 8 << 20;

/// Why an order is not taken. Nothing has run, and this order never will.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Refused {
    /// The rule.
    pub rule: String,
    /// In words.
    pub reason: String,
    /// The highest term served, when that is why.
    pub term: Option<u64>,
}

impl Refused {
    pub(super) fn new(rule: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { rule: rule.into(), reason: reason.into(), term: None }
    }

    pub(super) fn fenced(fenced: &Fenced) -> Self {
        Self { term: Some(fenced.highest), ..Self::new(rules::FENCED, fenced.to_string()) }
    }

    pub(super) fn told(self, id: JobId) -> FromAgent {
        FromAgent::Refused { id, rule: self.rule, reason: self.reason, term: self.term }
    }
}

/// An order as it was written down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// When.
    pub at: Timestamp,
    /// The order.
    pub order: JobOrder,
}

/// What `started` says: who runs the job, or that nobody ever will.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Claim {
    /// This process runs it.
    Runner {
        /// Its number.
        pid: u32,
        /// When it started, in ticks since the machine did (field 22 of `proc_pid_stat(5)`): numbers come again.
        start: u64,
        /// The boot id of the machine.
        boot: String,
        /// For which engine.
        engine: EngineId,
        /// In which term of it.
        epoch: u64,
        /// Tells this try from others.
        nonce: String,
        /// When it was written.
        at: Timestamp,
    },
    /// It does not run.
    Never {
        /// The rule that decided.
        rule: String,
        /// In words.
        reason: String,
        /// Tells this try from others.
        nonce: String,
    },
}

impl Claim {
    /// The claim that nobody runs it.
    #[must_use]
    pub fn never(rule: &str, reason: impl Into<String>) -> Self {
        Self::Never { rule: rule.into(), reason: reason.into(), nonce: nonce() }
    }
}

/// A wish to stop a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CancelNote {
    /// Milliseconds between TERM and KILL.
    pub grace_ms: u64,
    /// When it was wished.
    pub at: Timestamp,
}

/// A word nobody else uses.
pub(super) fn nonce() -> String {
    Uuid::now_v7().simple().to_string()
}

/// The name of a job's directory.
pub(super) fn dir_name(id: JobId) -> String {
    id.as_uuid().simple().to_string()
}

impl Spool {
    /// Writes `order` down, unless it is there. It is not durable before [`Spool::settle`].
    ///
    /// # Errors
    /// When the journal cannot be read or written. The inner error says which rule refuses the order.
    pub fn accept(&self, order: &JobOrder, now: Timestamp) -> io::Result<Result<JobDir, Refused>> {
        if let Some(refused) = self.refuse(order, now)? {
            return Ok(Err(refused));
        }
        let Some(job) = self.directory(order.id)? else { return Err(io::ErrorKind::NotFound.into()) };
        let bytes = serde_json::to_vec(&Accepted { at: now, order: order.clone() })?;
        if !job.link(REQ, &bytes)? {
            match job.accepted()? {
                Some(known) if known.order.hash == order.hash => {}
                Some(_) => return Ok(Err(conflict())),
                // Only a machine that lost its power leaves half a file behind, and then nothing has run.
                None => job.replace(REQ, &bytes)?,
            }
        }
        self.faults().after(FaultPoint::AfterReq)?;
        Ok(Ok(job))
    }

    /// Why `order` is not written down, if so.
    fn refuse(&self, order: &JobOrder, now: Timestamp) -> io::Result<Option<Refused>> {
        let Some(made) = made_at(order.id) else {
            return Ok(Some(Refused::new("bad-id", "the id of a job is a UUIDv7; its time says when it was made")));
        };
        if is_old(order.id, now) {
            let days = RETENTION.as_secs() / 86_400;
            return Ok(Some(Refused::new(
                "too-old",
                format!("its id is older than {days} days; nobody could tell whether it ran"),
            )));
        }
        if made.duration_since(now) > AHEAD {
            return Ok(Some(Refused::new("bad-id", "its id is of a day to come; look at the clocks")));
        }
        if order.hash != order.plan.hash() {
            return Ok(Some(Refused::new(
                "conflict",
                "the hash is not the plan's; what was approved is not what came",
            )));
        }
        if let Some(job) = self.job(order.id)? {
            return Ok(job.accepted()?.filter(|known| known.order.hash != order.hash).map(|_| conflict()));
        }
        if now > order.not_after {
            return Ok(Some(Refused::new("expired", format!("it was to be started before {}", order.not_after))));
        }
        if self.jobs() >= MOST {
            return Ok(Some(Refused::new("full", format!("the journal holds {MOST} jobs already"))));
        }
        let free = rustix::fs::fstatvfs(self.dir())?;
        if free.f_bavail.saturating_mul(free.f_frsize) < ROOM {
            return Ok(Some(Refused::new(
                "full",
                format!("less than {} MiB are free where the journal is", ROOM >> 20),
            )));
        }
        Ok(None)
    }

    /// The directory of the job `id`, when there is one.
    ///
    /// # Errors
    /// When it cannot be opened, or is not a directory.
    pub fn job(&self, id: JobId) -> io::Result<Option<JobDir>> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match rustix::fs::openat(self.dir(), dir_name(id), flags, Mode::empty()) {
            Ok(dir) => Ok(Some(JobDir { id, dir })),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Makes it durable that the order of `job` is written down.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn settle(&self, job: &JobDir) -> io::Result<()> {
        let req = job.open(REQ)?;
        sync(&[req.as_fd(), job.dir.as_fd(), self.dir().as_fd()])?;
        self.faults().after(FaultPoint::AfterAccepted)
    }

    /// Writes `claim` down, unless somebody else has decided. With a runner's claim everything before it is durable
    /// too. Says whether it is ours; only then the command may be run.
    ///
    /// # Errors
    /// When it cannot be written or is not durable: then nothing may be run either.
    pub fn claim(&self, job: &JobDir, claim: &Claim) -> io::Result<bool> {
        let bytes = serde_json::to_vec(claim)?;
        // A link that was sent twice over a network says EEXIST to its own success.
        if !job.link(STARTED, &bytes)? && job.claim()?.as_ref() != Some(claim) {
            return Ok(false);
        }
        self.faults().after(FaultPoint::AfterStarted)?;
        self.settle_claim(job)?;
        Ok(true)
    }

    /// Makes the claim of `job` durable, whoever wrote it: it may be seen before it is.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn settle_claim(&self, job: &JobDir) -> io::Result<()> {
        let started = job.open(STARTED)?;
        // There is none where a job was forbidden that never came.
        let req = if job.has(REQ)? { Some(job.open(REQ)?) } else { None };
        let fds: Vec<_> =
            req.iter().map(AsFd::as_fd).chain([started.as_fd(), job.dir.as_fd(), self.dir().as_fd()]).collect();
        sync(&fds)?;
        self.faults().after(FaultPoint::BeforeExec)
    }

    /// Writes down that the job `id`, which the journal does not have, never runs: a copy of its order that comes later
    /// finds that. Says whether there was a need; an order whose id is refused by itself never runs anyway.
    ///
    /// # Errors
    /// When it cannot be written or is not durable, and when the journal is full.
    pub fn forbid(&self, id: JobId, claim: &Claim, now: Timestamp) -> io::Result<bool> {
        if made_at(id).is_none() || is_old(id, now) {
            return Ok(false);
        }
        if self.jobs() >= MOST {
            return Err(io::Error::other(format!("it holds {MOST} jobs already")));
        }
        let Some(job) = self.directory(id)? else { return Err(io::ErrorKind::NotFound.into()) };
        self.claim(&job, claim)?;
        Ok(true)
    }

    /// The directory of the job `id`; it is made where there is none.
    fn directory(&self, id: JobId) -> io::Result<Option<JobDir>> {
        match rustix::fs::mkdirat(self.dir(), dir_name(id), Mode::from_raw_mode(DIR_MODE)) {
            Ok(()) => self.count(1),
            Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        self.faults().after(FaultPoint::AfterMkdir)?;
        self.job(id)
    }

    /// Writes down how `job` ended. `also` is made durable with it.
    ///
    /// # Errors
    /// When the disk does not take it; it can be tried again.
    pub fn finish(&self, job: &JobDir, result: &Journal, also: &[File]) -> io::Result<()> {
        self.faults().after(FaultPoint::BeforeResult)?;
        let passing = passing_name("result");
        let written = write_new(&job.dir, &passing, &serde_json::to_vec(result)?).and_then(|file| {
            let fds: Vec<_> = also.iter().map(AsFd::as_fd).chain([file.as_fd(), job.dir.as_fd()]).collect();
            sync(&fds)?;
            Ok(rustix::fs::renameat(&job.dir, &passing, &job.dir, RESULT)?)
        });
        if let Err(error) = written {
            job.remove(&passing);
            return Err(error);
        }
        // It is seen from here on. Were its name lost with the power, it would be `unknown`.
        rustix::fs::fsync(&job.dir)?;
        self.faults().after(FaultPoint::AfterResult)
    }

    /// How far the job `id` is.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn journal(&self, id: JobId, boot: &str) -> io::Result<Journal> {
        let Some(job) = self.job(id)? else { return Ok(Journal::Absent) };
        if let Some(result) = job.result()? {
            return Ok(result);
        }
        if !job.has(STARTED)? {
            return Ok(if job.accepted()?.is_some() { Journal::Accepted } else { Journal::Absent });
        }
        let gone = match job.claim()? {
            Some(Claim::Never { rule, reason, .. }) => return Ok(Journal::NotRun { rule, reason }),
            Some(Claim::Runner { pid, at, boot: then, .. }) if then != boot => {
                format!("the machine was started again after process {pid} had begun to run it at {at}")
            }
            Some(Claim::Runner { pid, start, at, .. }) => {
                if self.machine().is_alive(pid, start) {
                    return Ok(Journal::Started { pid, at });
                }
                format!("process {pid}, which ran it since {at}, is gone without a word")
            }
            None => "half a note says that it was started, and nothing else".to_owned(),
        };
        let is_runners = matches!(job.claim()?, Some(Claim::Runner { .. }));
        if is_runners && !job.has(TYPED)? && job.accepted()?.is_some_and(|known| known.order.plan.keys.is_some()) {
            // The note is durable before the first character.
            let reason = format!("nothing was typed: {gone}");
            return Ok(job.result()?.unwrap_or(Journal::NotRun { rule: rules::NOT_TYPED.to_owned(), reason }));
        }
        // It may have ended between the two looks.
        Ok(job.result()?.unwrap_or(Journal::Unknown { reason: gone }))
    }
}

fn conflict() -> Refused {
    Refused::new("conflict", "another plan has this id already; nothing of this one runs")
}

/// Whether a job is no longer kept.
pub(super) fn is_old(id: JobId, now: Timestamp) -> bool {
    made_at(id).is_none_or(|made| made < now.saturating_sub(RETENTION).unwrap_or(Timestamp::MIN))
}

/// When the id was made: the time in a `UUIDv7` (RFC 9562).
fn made_at(id: JobId) -> Option<Timestamp> {
    let (seconds, nanos) = id.as_uuid().get_timestamp().filter(|_| id.as_uuid().get_version_num() == 7)?.to_unix();
    Timestamp::new(seconds.try_into().ok()?, nanos.try_into().ok()?).ok()
}

#[cfg(test)]
#[path = "journal_tests.rs"]
pub(super) mod tests;
