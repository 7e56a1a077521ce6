//! What clients ask of the bridge, answered beside the loop.

use std::sync::Arc;
use std::time::Duration;

use crate::bridge::BridgeInput;
use jiff::{SignedDuration, Timestamp};

use crate::model::{End, HostName, HostPanel, Identity, Job, JobId, JobState, LayerKind, LayerState, Outcome, rules};
use crate::protocol::{BridgeReply, BridgeRequest, Refusal};
use crate::store::StoreError;

use super::super::answers::{PAGE_MAX, failed};
use super::super::projector::blocking;
use super::manual::is_shown;
use super::service::Bridges;

/// Time for a person's word to be written down, and how often that is looked at.
const TO_RESOLVE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(10);
/// A host that answered over no road for so long may be gone for good: then a person may say what became of a job it has.
const GONE: SignedDuration = SignedDuration::from_mins(10);

const NO_TASK: &str = "this engine brings nothing to hosts: it only takes events in, or plays a demo without them";

type Answer = Result<BridgeReply, Refusal>;

/// Whether it is nothing without the task that brings commands to hosts. A vote is durable by itself.
fn needs_task(request: &BridgeRequest) -> bool {
    matches!(
        request,
        BridgeRequest::Probe(_)
            | BridgeRequest::Run(_)
            | BridgeRequest::Cancel(_)
            | BridgeRequest::Resolve { .. }
            | BridgeRequest::Manual(_)
    )
}

impl Bridges {
    /// Answers `request` of `identity`, who may ask it.
    pub(in super::super) async fn answer(self: Arc<Self>, identity: Identity, request: BridgeRequest) -> Answer {
        if needs_task(&request) && !self.has_task() {
            return Err(Refusal::Failed(NO_TASK.to_owned()));
        }
        match request {
            BridgeRequest::Hosts => Ok(BridgeReply::Hosts(self.live.hosts())),
            BridgeRequest::Commands => {
                Ok(BridgeReply::Commands(self.set().config.commands.values().cloned().collect()))
            }
            BridgeRequest::Probe(host) => {
                self.known_host(&host)?;
                self.order(BridgeInput::Probe(host)).await;
                Ok(BridgeReply::Done)
            }
            BridgeRequest::DryRun(draft) => self.dry_run(&identity, &draft).map(BridgeReply::Preview),
            BridgeRequest::Run(draft) => self.run_draft(identity, *draft).await,
            BridgeRequest::Jobs { filter, before, limit } => {
                let this = Arc::clone(&self);
                let mut rows = read(move || this.store.jobs(&filter, before, limit.min(PAGE_MAX))).await?;
                self.live.overlay(&mut rows);
                Ok(BridgeReply::Jobs(rows))
            }
            BridgeRequest::Job(id) => {
                let mut job = self.job(id).await?;
                if let Some(job) = &mut job {
                    self.as_it_is(job);
                }
                Ok(BridgeReply::Job(job.map(Box::new)))
            }
            BridgeRequest::JobOutput { id, from } => {
                let this = Arc::clone(&self);
                let output = read(move || this.store.job_output(id, from)).await?;
                output.map(BridgeReply::Output).ok_or_else(|| no_job(id))
            }
            BridgeRequest::Rollouts { open, limit } => {
                let this = Arc::clone(&self);
                read(move || this.store.rollouts(open, limit.min(PAGE_MAX))).await.map(BridgeReply::Rollouts)
            }
            BridgeRequest::Rollout(id) => {
                let this = Arc::clone(&self);
                let rollout = read(move || this.store.rollout(id)).await?;
                Ok(BridgeReply::Rollout(rollout.map(Box::new)))
            }
            BridgeRequest::Cancel(id) => {
                let job = self.job(id).await?.ok_or_else(|| no_job(id))?;
                if job.state.outcome().is_some() {
                    return Err(Refusal::Failed(format!("{id} is over: {}", job.state.word())));
                }
                self.take_back(&job, &identity.operator).await?;
                self.order(BridgeInput::Cancel { id, by: identity.operator }).await;
                Ok(BridgeReply::Done)
            }
            BridgeRequest::Resolve { id, ran, note } => {
                let mut job = self.job(id).await?.ok_or_else(|| no_job(id))?;
                self.as_it_is(&mut job);
                let silent = self.silent(&job.plan.host, Timestamp::now());
                may_be_resolved(&job.state, is_shown(&job), ran, silent)
                    .map_err(|why| Refusal::Failed(format!("{id} {why}")))?;
                let note = match (&job.state, note) {
                    (JobState::Accepted | JobState::Running | JobState::Cancelling, note) => {
                        let host = &job.plan.host;
                        let seen = format!("its host had it, and no road led to {host} for ten minutes");
                        Some(note.map_or(seen.clone(), |note| format!("{note} ({seen})")))
                    }
                    (_, note) => note,
                };
                self.order(BridgeInput::Resolve { id, ran, by: identity.operator, note }).await;
                self.resolved(id, ran).await
            }
            BridgeRequest::Manual(id) => {
                let job = self.job(id).await?.ok_or_else(|| no_job(id))?;
                self.manual(job).await
            }
            BridgeRequest::Approvals { all, limit } => {
                let this = Arc::clone(&self);
                read(move || this.store.approvals(all, limit.min(PAGE_MAX))).await.map(BridgeReply::Approvals)
            }
            BridgeRequest::Approval(id) => {
                let this = Arc::clone(&self);
                let approval = read(move || this.store.approval(id)).await?;
                Ok(BridgeReply::Approval(approval.map(Box::new)))
            }
            BridgeRequest::Vote { id, hash, yes, note } => self.vote(&identity, id, &hash, yes, note).await,
            BridgeRequest::Audit { about, before, limit } => self.audited(about, before, limit.min(PAGE_MAX)).await,
            BridgeRequest::VerifyAudit => self.verify_audit().await,
        }
    }

    /// Refuses a host that is not there.
    pub(super) fn known_host(&self, name: &HostName) -> Result<(), Refusal> {
        if self.set().config.hosts.contains_key(name) {
            return Ok(());
        }
        Err(Refusal::Unknown(format!("no host is called {name}; `aurora host list` names them")))
    }

    /// For how long a host has not answered over any road; `None` while one answers.
    fn silent(&self, name: &HostName, now: Timestamp) -> Option<SignedDuration> {
        let panels = self.live.hosts();
        silence(panels.iter().find(|panel| panel.name == *name), self.since, now)
    }

    /// Gives `job`, which was read from the store, the state it has this moment.
    fn as_it_is(&self, job: &mut Job) {
        let mut row = [job.row()];
        self.live.overlay(&mut row);
        let [row] = row;
        job.state = row.state;
    }

    /// Waits until a person's word about `id` is written down; the host may have said something else meanwhile.
    async fn resolved(self: &Arc<Self>, id: JobId, ran: bool) -> Answer {
        let until = tokio::time::Instant::now() + TO_RESOLVE;
        while tokio::time::Instant::now() < until {
            let state = self.job(id).await?.ok_or_else(|| no_job(id))?.state;
            match state.outcome() {
                Some(outcome) if is_told(outcome, ran) => return Ok(BridgeReply::Done),
                None | Some(Outcome::Unknown { .. }) => tokio::time::sleep(PAUSE).await,
                Some(_) => return Err(Refusal::Failed(format!("{id} is over, and how is known: {}", state.word()))),
            }
        }
        Err(Refusal::Failed(format!(
            "{id} is not a person's to decide now: no host may have run it, or it says itself"
        )))
    }

    pub(super) async fn job(self: &Arc<Self>, id: JobId) -> Result<Option<Job>, Refusal> {
        let this = Arc::clone(self);
        read(move || this.store.job(id)).await
    }
}

/// For how long a host has answered over no road; `None` while one answers. One that is not in the configuration has none.
fn silence(panel: Option<&HostPanel>, since: Timestamp, now: Timestamp) -> Option<SignedDuration> {
    let Some(panel) = panel else { return Some(SignedDuration::MAX) };
    let roads = || panel.layers.iter().filter(|layer| layer.kind != LayerKind::Manual);
    if roads().any(|layer| matches!(layer.state, LayerState::Up | LayerState::Proving)) {
        return None;
    }
    let last = roads().filter_map(|layer| layer.last_good).max();
    Some(now.duration_since(last.map_or(since, |last| last.max(since))))
}

/// Whether a person may say what became of a job: nobody knows it, or it may have run and the host has not said. A job
/// the host has is the host's to tell, until that has been silent for long enough to be gone.
fn may_be_resolved(state: &JobState, is_shown: bool, ran: bool, silent: Option<SignedDuration>) -> Result<(), String> {
    match state {
        JobState::Ended(Outcome::Unknown { .. }) | JobState::Sending | JobState::Unsure => Ok(()),
        // A person may have run it by hand.
        JobState::Queued { .. } if is_shown => Ok(()),
        // Asked again after a line broke, or by two people who agree.
        JobState::Ended(outcome) if is_told(outcome, ran) => Ok(()),
        JobState::Ended(_) => Err(format!("is over, and how is known: {}", state.word())),
        JobState::Queued { .. } => Err("waits and has not run; `aurora job cancel` takes it back".to_owned()),
        JobState::Staged { .. } => {
            Err("waits for its stage and has not run; `aurora job cancel` takes it back".to_owned())
        }
        JobState::AwaitingApproval(approval) => Err(format!("waits for {approval} and has not run")),
        JobState::Accepted | JobState::Running | JobState::Cancelling => {
            if silent.is_some_and(|silent| silent >= GONE) {
                return Ok(());
            }
            let word = state.word();
            Err(match silent {
                None => format!("is {word}: its host has it and says how it ends"),
                Some(_) => format!(
                    "is {word}: its host has it and says how it ends; a person may when no road led there for ten minutes"
                ),
            })
        }
    }
}

/// Whether `outcome` is what a person's word makes of a job.
fn is_told(outcome: &Outcome, ran: bool) -> bool {
    match outcome {
        Outcome::Done(End::Told) => ran,
        Outcome::NotRun { rule, .. } => !ran && rule == rules::RESOLVED,
        Outcome::Done(_) | Outcome::Unknown { .. } => false,
    }
}

pub(super) fn no_job(id: JobId) -> Refusal {
    Refusal::Unknown(format!("no job has the id {id}; `aurora job list` names them"))
}

/// Reads from the store off the runtime's threads.
pub(super) async fn read<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, Refusal> {
    blocking(read).await.map_err(failed)
}

#[cfg(test)]
mod tests {
    use crate::model::ApprovalId;

    use super::*;

    #[test]
    fn a_person_says_what_became_of_a_job_only_where_nobody_else_does() {
        let may = |state: &JobState, is_shown, ran| may_be_resolved(state, is_shown, ran, None).is_ok();
        let unknown = JobState::Ended(Outcome::Unknown { reason: String::new() });
        for state in [&unknown, &JobState::Sending, &JobState::Unsure] {
            assert!(may(state, false, true) && may(state, false, false), "{state:?}");
        }
        let queued = JobState::Queued { position: 0, why: String::new() };
        assert!(may(&queued, true, true) && !may(&queued, false, true), "only once lines were shown");
        let held = JobState::AwaitingApproval(ApprovalId::from_uuid(uuid::Uuid::nil()));
        let done = JobState::Ended(Outcome::Done(End::Exit(0)));
        let staged = JobState::Staged { why: String::new() };
        for state in [&held, &staged, &done, &JobState::Accepted, &JobState::Running, &JobState::Cancelling] {
            assert!(!may(state, true, true) && !may(state, true, false), "{state:?}");
        }
        let told = JobState::Ended(Outcome::Done(End::Told));
        let not = JobState::Ended(Outcome::NotRun { rule: "resolved".to_owned(), reason: String::new() });
        let cancelled = JobState::Ended(Outcome::NotRun { rule: "cancelled".to_owned(), reason: String::new() });
        assert_eq!([may(&told, false, true), may(&told, false, false)], [true, false]);
        assert_eq!([may(&not, false, true), may(&not, false, false)], [false, true]);
        assert!(!may(&cancelled, false, false));
    }

    #[test]
    fn a_job_its_host_has_is_a_persons_to_decide_when_that_is_gone() {
        let at = |minute: i64| Timestamp::from_second(1_790_000_000 + minute * 60).expect("in range");
        let layer = |state, last: Option<i64>| crate::model::LayerPanel {
            kind: LayerKind::Socket,
            state,
            since: at(0),
            rtt: None,
            last_good: last.map(at),
            why: String::new(),
            flaps: 0,
        };
        let panel = |layers| HostPanel {
            name: "web-1".parse().expect("a name"),
            labels: Vec::new(),
            layers,
            active: None,
            running: 1,
            queued: 0,
            agent: None,
        };
        let minutes = |layers, now| silence(Some(&panel(layers)), at(-60), at(now)).map(|silent| silent.as_mins());
        let (up, down) = (LayerState::Up, LayerState::Down);
        assert_eq!(minutes(vec![layer(down.clone(), Some(0)), layer(up, Some(0))], 30), None);
        assert_eq!(minutes(vec![layer(down.clone(), Some(0)), layer(down.clone(), Some(5))], 9), Some(4));
        assert_eq!(minutes(vec![layer(down, None)], 0), Some(60), "never since this engine is there");
        assert!(silence(None, at(0), at(0)).is_some_and(|silent| silent >= GONE), "it left the configuration");
        for state in [JobState::Accepted, JobState::Running, JobState::Cancelling] {
            let may = |silent| may_be_resolved(&state, false, true, silent);
            assert!(may(Some(GONE)).is_ok() && may(Some(GONE - SignedDuration::from_secs(1))).is_err());
            assert!(may(None).is_err());
        }
    }
}
