//! Following jobs of a running engine: what they write as it comes, and their end.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::client::Client;
use crate::model::{Job, JobFilter, JobId, JobRow, JobState, OutputChunk, RolloutPhase, RolloutRow};
use crate::protocol::{BridgeNotice, BridgeReply, BridgeRequest, Link, Notice, Refusal, Reply, RequestId, Update};

use super::elsewhere::Elsewhere;
use super::exit::{Exit, Failure};
use super::session::{Session, unexpected};

/// How often it is asked though nothing was heard: a hint may be missed.
const ANYHOW: Duration = Duration::from_secs(1);
/// Jobs of a rollout in one answer.
const JOBS: usize = 500;
/// How often a line that broke is tried again before a command gives up: for about half a minute.
const TRIES: u32 = 12;

/// What is heard of the jobs that are followed.
#[derive(Debug)]
pub(super) enum Heard {
    /// A job wrote this.
    Wrote(JobId, Vec<OutputChunk>),
    /// A job waits for this, and has for a second at least.
    Waits(JobId, String),
    /// A rollout goes on.
    Stage(Box<RolloutRow>),
    /// A job is not cancelled, because of this.
    Refused(JobId, Refusal),
    /// A job is over, and everything it wrote was told.
    Ended(Box<Job>),
    /// All of them are over.
    AllEnded,
}

/// How much of a job was told.
#[derive(Debug)]
struct Told {
    /// The number of the next piece.
    next: u64,
    /// Something may have come since it was asked for.
    stale: bool,
    is_over: bool,
    /// What it waits for, and whether that was told.
    waits: Option<(String, bool)>,
}

impl Told {
    fn new(row: &JobRow) -> Self {
        let mut told = Self { next: 0, stale: true, is_over: row.state.outcome().is_some(), waits: None };
        told.waits_for(&row.state);
        told
    }

    /// Takes what it waits for by now.
    fn waits_for(&mut self, state: &JobState) {
        match (state, &self.waits) {
            (JobState::Queued { why, .. }, Some((known, _))) if why == known => {}
            (JobState::Queued { why, .. }, _) if !why.is_empty() => self.waits = Some((why.clone(), false)),
            _ => self.waits = None,
        }
    }
}

/// A rollout whose jobs are followed, those that undo it too.
#[derive(Debug)]
struct Course {
    id: JobId,
    /// How it was when that was last told.
    told: Option<RolloutRow>,
    /// How it is, and was not told.
    news: Option<Box<RolloutRow>>,
    /// The question about it that waits for its answer.
    asked: Option<RequestId>,
    /// The question about its jobs that waits for its answer. It is asked once the end is known.
    jobs: Option<RequestId>,
    /// The oldest of its jobs that was answered.
    before: Option<JobId>,
    /// Whether all its jobs are known: none comes after the end.
    is_whole: bool,
}

impl Course {
    fn is_over(&self) -> bool {
        self.told.as_ref().is_some_and(|row| row.phase == RolloutPhase::Over)
    }

    fn take(&mut self, row: Box<RolloutRow>) {
        if self.told.as_ref() != Some(&*row) && !self.is_over() {
            self.news = Some(row);
        }
    }
}

/// Jobs that are followed. With `live` what they write is asked for as it comes, otherwise at their end.
pub(super) struct Follow<'a> {
    client: &'a mut Client,
    there: &'a Elsewhere,
    jobs: BTreeMap<JobId, Told>,
    /// Those that were told to their end.
    over: BTreeSet<JobId>,
    course: Option<Course>,
    asked: BTreeMap<RequestId, JobId>,
    /// Cancels that wait for their answer.
    cancels: BTreeMap<RequestId, JobId>,
    live: bool,
    since: Instant,
}

impl<'a> Follow<'a> {
    /// Follows `rows` from their beginning on.
    /// With a rollout it ends when that has.
    pub(super) fn new(session: &'a mut Session, rows: &[JobRow], rollout: Option<JobId>, live: bool) -> Self {
        let (client, there) = session.parts();
        let jobs = rows.iter().map(|row| (row.id, Told::new(row))).collect();
        let course = |id| Course { id, told: None, news: None, asked: None, jobs: None, before: None, is_whole: false };
        Self {
            client,
            there,
            jobs,
            over: BTreeSet::new(),
            course: rollout.map(course),
            asked: BTreeMap::new(),
            cancels: BTreeMap::new(),
            live,
            since: Instant::now(),
        }
    }

    /// Asks for the end of whatever is not over. Where that is refused it is heard.
    pub(super) fn cancel(&mut self) {
        let (client, there) = (&self.client, self.there);
        let asked = self.jobs.keys().map(|id| (client.ask(there.bridge(BridgeRequest::Cancel(*id))), *id));
        self.cancels.extend(asked);
    }

    /// The jobs that are not over yet.
    pub(super) fn open(&self) -> impl Iterator<Item = JobId> {
        self.jobs.keys().copied()
    }

    /// What is heard next. It may be dropped and called again.
    pub(super) async fn next(&mut self) -> Result<Heard, Failure> {
        loop {
            if let Some(row) = self.course.as_mut().and_then(|course| course.news.take()) {
                if let Some(course) = &mut self.course {
                    course.told = Some((*row).clone());
                }
                return Ok(Heard::Stage(row));
            }
            if self.jobs.is_empty() && self.course.as_ref().is_none_or(|course| course.is_whole) {
                return Ok(Heard::AllEnded);
            }
            self.ask_for_more();
            if let Some(heard) = self.waits() {
                return Ok(heard);
            }
            let Ok(update) = tokio::time::timeout(ANYHOW, self.client.next()).await else {
                self.doubt();
                continue;
            };
            match update
                .ok_or_else(|| Failure::new(Exit::Down, "the engine has ended; the jobs go on where they run"))?
            {
                Update::Reply { id, reply } if self.is_about_course(id) => {
                    self.answered_course(self.there.told(reply?))?;
                }
                Update::Reply { id, reply } if self.cancels.contains_key(&id) => {
                    if let (Some(job), Err(refusal)) = (self.cancels.remove(&id), reply) {
                        return Ok(Heard::Refused(job, refusal));
                    }
                }
                Update::Reply { id, reply } => {
                    let Some(job) = self.asked.remove(&id) else { continue };
                    if let Some(heard) = self.answered(job, self.there.told(reply?))? {
                        return Ok(heard);
                    }
                }
                Update::Notice(Notice::Bridge(notice)) => self.noticed(&notice),
                Update::Snapshot(_) => self.doubt(),
                Update::Link(Link::Reconnecting { tries, why, .. }) if tries >= TRIES => {
                    return Err(Failure::new(Exit::Down, format!("{why}; the jobs go on: aurora job list")));
                }
                Update::Notice(_) | Update::Link(_) | Update::Pane(_) => {}
            }
        }
    }

    /// What a job waits for, told once. Most do not wait long enough to say so.
    fn waits(&mut self) -> Option<Heard> {
        let is_long = self.since.elapsed() >= ANYHOW;
        self.jobs.iter_mut().filter(|_| is_long).find_map(|(id, told)| match &mut told.waits {
            Some((why, is_told)) if !*is_told => {
                *is_told = true;
                Some(Heard::Waits(*id, why.clone()))
            }
            _ => None,
        })
    }

    fn ask_for_more(&mut self) {
        let (client, there, asked, live) = (&self.client, self.there, &mut self.asked, self.live);
        if let Some(course) = &mut self.course {
            if course.told.is_none() && course.asked.is_none() {
                course.asked = Some(client.ask(there.bridge(BridgeRequest::Rollout(course.id))));
            }
            if course.is_over() && !course.is_whole && course.jobs.is_none() {
                let filter = JobFilter { rollout: Some(course.id), ..JobFilter::default() };
                let request = BridgeRequest::Jobs { filter, before: course.before, limit: JOBS };
                course.jobs = Some(client.ask(there.bridge(request)));
            }
        }
        for (id, told) in self.jobs.iter_mut().filter(|(_, told)| told.stale && (live || told.is_over)) {
            if !asked.values().any(|job| job == id) {
                told.stale = false;
                let request = BridgeRequest::JobOutput { id: *id, from: told.next };
                asked.insert(client.ask(there.bridge(request)), *id);
            }
        }
    }

    /// Everything is asked for again, and whether it is over.
    fn doubt(&mut self) {
        if let Some(course) = self.course.as_mut().filter(|course| !course.is_over()) {
            course.asked = Some(self.client.ask(self.there.bridge(BridgeRequest::Rollout(course.id))));
        }
        for (id, told) in &mut self.jobs {
            told.stale = true;
            if !told.is_over && !self.asked.values().any(|job| job == id) {
                self.asked.insert(self.client.ask(self.there.bridge(BridgeRequest::Job(*id))), *id);
            }
        }
    }

    fn noticed(&mut self, notice: &BridgeNotice) {
        match notice {
            BridgeNotice::Jobs(rows) => {
                self.know(rows);
                for row in rows {
                    if let Some(told) = self.jobs.get_mut(&row.id) {
                        told.is_over |= row.state.outcome().is_some();
                        told.waits_for(&row.state);
                        told.stale = true;
                    }
                }
            }
            BridgeNotice::Wrote { id, .. } => {
                if let Some(told) = self.jobs.get_mut(id) {
                    told.stale = true;
                }
            }
            BridgeNotice::Rollout(row) => {
                if let Some(course) = self.course.as_mut().filter(|course| course.id == row.id) {
                    course.take(row.clone());
                }
            }
            BridgeNotice::Hosts(_) | BridgeNotice::Approval(_) | BridgeNotice::Audited(_) => {}
        }
    }

    /// Takes in jobs of the rollout that were not followed: they undo it.
    fn know(&mut self, rows: &[JobRow]) {
        let Some(course) = &self.course else { return };
        for row in rows.iter().filter(|row| row.rollout == Some(course.id) && !self.over.contains(&row.id)) {
            self.jobs.entry(row.id).or_insert_with(|| Told::new(row));
        }
    }

    fn is_about_course(&self, id: RequestId) -> bool {
        let about = |course: &Course| course.asked == Some(id) || course.jobs == Some(id);
        self.course.as_ref().is_some_and(about)
    }

    fn answered_course(&mut self, reply: Reply) -> Result<(), Failure> {
        let Some(course) = &mut self.course else { return Ok(()) };
        match reply {
            Reply::Bridge(BridgeReply::Rollout(Some(rollout))) => {
                course.asked = None;
                course.take(Box::new(rollout.row));
            }
            // It was never one, or was forgotten.
            Reply::Bridge(BridgeReply::Rollout(None)) => self.course = None,
            Reply::Bridge(BridgeReply::Jobs(rows)) => {
                course.jobs = None;
                course.is_whole = rows.len() < JOBS;
                course.before = rows.last().map(|row| row.id);
                self.know(&rows);
            }
            reply => return Err(unexpected(&reply)),
        }
        Ok(())
    }

    fn answered(&mut self, id: JobId, reply: Reply) -> Result<Option<Heard>, Failure> {
        let Some(told) = self.jobs.get_mut(&id) else { return Ok(None) };
        match reply {
            Reply::Bridge(BridgeReply::Output(part)) => {
                let moved = part.next > told.next;
                told.next = part.next;
                if part.end {
                    told.is_over = true;
                    self.asked.insert(self.client.ask(self.there.bridge(BridgeRequest::Job(id))), id);
                } else {
                    told.stale |= moved;
                }
                Ok((!part.chunks.is_empty()).then_some(Heard::Wrote(id, part.chunks)))
            }
            Reply::Bridge(BridgeReply::Job(Some(job))) if job.state.outcome().is_none() => {
                told.waits_for(&job.state);
                Ok(None)
            }
            // Over, and the pieces up to its end were told: it is asked for after them.
            Reply::Bridge(BridgeReply::Job(Some(job))) if told.is_over && !told.stale => {
                self.jobs.remove(&id);
                self.over.insert(id);
                Ok(Some(Heard::Ended(job)))
            }
            Reply::Bridge(BridgeReply::Job(Some(_))) => {
                (told.is_over, told.stale) = (true, true);
                Ok(None)
            }
            Reply::Bridge(BridgeReply::Job(None)) => {
                Err(Failure::new(Exit::Failed, format!("no job has the id {id}; it may have been forgotten")))
            }
            reply => Err(unexpected(&reply)),
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures_util::{SinkExt, StreamExt};
    use tokio::net::UnixListener;
    use tokio_util::codec::{Framed, LengthDelimitedCodec};
    use uuid::Uuid;

    use crate::client::Target;
    use crate::model::{Plan, Risk};
    use crate::protocol::{FromEngine, Request, ToEngine};

    use super::*;

    /// An engine that lets one client in and cancels nothing.
    async fn refusing(listener: UnixListener) {
        let (stream, _) = listener.accept().await.expect("a client");
        let mut frames = Framed::new(stream, LengthDelimitedCodec::new());
        while let Some(Ok(frame)) = frames.next().await {
            let answer = match serde_json::from_slice(&frame).expect("a frame") {
                ToEngine::Hello { .. } => FromEngine::Welcome { version: "test".to_owned() },
                ToEngine::Ask { id, request: Request::Bridge(BridgeRequest::Cancel(_)) } => {
                    FromEngine::Reply { id, reply: Err(Refusal::Denied("only its own".to_owned())) }
                }
                _ => continue,
            };
            frames.send(Bytes::from(serde_json::to_vec(&answer).expect("a frame"))).await.expect("it is there");
        }
    }

    #[tokio::test]
    async fn a_cancel_that_is_refused_is_heard() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("engine.sock");
        let engine = tokio::spawn(refusing(UnixListener::bind(&path).expect("listens")));
        let mut client = Client::attach(Target::Unix(path), true, false).await.expect("is let in");
        let id = JobId::from_uuid(Uuid::from_u128(1));
        let (plan, by) = (Plan::sample("web-1", "todo", &["./todo"]), "anna".parse().expect("a name"));
        let job = Job::new(id, plan, Risk::Low, by, jiff::Timestamp::UNIX_EPOCH, jiff::SignedDuration::from_mins(1));
        let mut follow = Follow {
            client: &mut client,
            there: &Elsewhere::default(),
            jobs: BTreeMap::from([(id, Told::new(&job.row()))]),
            over: BTreeSet::new(),
            course: None,
            asked: BTreeMap::new(),
            cancels: BTreeMap::new(),
            live: false,
            since: Instant::now(),
        };
        follow.cancel();
        let heard = tokio::time::timeout(Duration::from_mins(1), async {
            loop {
                match follow.next().await.expect("the line holds") {
                    Heard::Refused(job, refusal) => return (job, refusal.to_string()),
                    Heard::Waits(..) => {}
                    other => panic!("{other:?}"),
                }
            }
        });
        let (job, why) = heard.await.expect("it is heard");
        assert!(job == id && why.contains("only its own"), "{job}: {why}");
        engine.abort();
    }
}
