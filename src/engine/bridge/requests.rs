//! What clients ask of the bridge, answered beside the loop.

use std::sync::Arc;
use std::time::Duration;

use crate::bridge::BridgeInput;
use crate::model::{End, HostName, Identity, Job, JobId, JobState, Outcome};
use crate::protocol::{BridgeReply, BridgeRequest, Refusal};
use crate::store::StoreError;

use super::super::answers::{PAGE_MAX, failed};
use super::super::projector::blocking;
use super::manual::is_shown;
use super::service::Bridges;

/// Time for a person's word to be written down, and how often that is looked at.
const TO_RESOLVE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(10);

type Answer = Result<BridgeReply, Refusal>;

impl Bridges {
    /// Answers `request` of `identity`, who may ask it.
    pub(in super::super) async fn answer(self: Arc<Self>, identity: Identity, request: BridgeRequest) -> Answer {
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
            BridgeRequest::Rollout(id) => {
                let this = Arc::clone(&self);
                let rollout = read(move || this.store.rollout(id)).await?;
                Ok(BridgeReply::Rollout(rollout.map(|rollout| Box::new(rollout.row))))
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
                may_be_resolved(&job.state, is_shown(&job), ran)
                    .map_err(|why| Refusal::Failed(format!("{id} {why}")))?;
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

/// Whether a person may say what became of a job: nobody knows it, or it may have run and the host has not said.
fn may_be_resolved(state: &JobState, is_shown: bool, ran: bool) -> Result<(), String> {
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
            Err(format!("is {}: its host has it and says how it ends", state.word()))
        }
    }
}

/// Whether `outcome` is what a person's word makes of a job.
fn is_told(outcome: &Outcome, ran: bool) -> bool {
    match outcome {
        Outcome::Done(End::Told) => ran,
        Outcome::NotRun { rule, .. } => !ran && rule == "resolved",
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
        let may = |state: &JobState, is_shown, ran| may_be_resolved(state, is_shown, ran).is_ok();
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
}
