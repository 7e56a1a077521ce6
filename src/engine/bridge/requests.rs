//! What clients ask of the bridge, answered beside the loop.

use std::sync::Arc;

use crate::bridge::BridgeInput;
use crate::model::{HostName, Identity, Job, JobId, JobState, Outcome};
use crate::protocol::{BridgeReply, BridgeRequest, Refusal};
use crate::store::StoreError;

use super::super::answers::{PAGE_MAX, failed};
use super::super::projector::blocking;
use super::service::Bridges;

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
                    let mut row = [job.row()];
                    self.live.overlay(&mut row);
                    let [row] = row;
                    job.state = row.state;
                }
                Ok(BridgeReply::Job(job.map(Box::new)))
            }
            BridgeRequest::JobOutput { id, from } => {
                let this = Arc::clone(&self);
                let output = read(move || this.store.job_output(id, from)).await?;
                output.map(BridgeReply::Output).ok_or_else(|| no_job(id))
            }
            BridgeRequest::Cancel(id) => {
                let job = self.job(id).await?.ok_or_else(|| no_job(id))?;
                if job.state.outcome().is_none() {
                    self.take_back(&job, &identity.operator).await?;
                    self.order(BridgeInput::Cancel { id, by: identity.operator }).await;
                }
                Ok(BridgeReply::Done)
            }
            BridgeRequest::Resolve { id, ran, note } => {
                let job = self.job(id).await?.ok_or_else(|| no_job(id))?;
                may_be_resolved(&job, ran)?;
                self.order(BridgeInput::Resolve { id, ran, by: identity.operator, note }).await;
                Ok(BridgeReply::Done)
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

    pub(super) async fn job(self: &Arc<Self>, id: JobId) -> Result<Option<Job>, Refusal> {
        let this = Arc::clone(self);
        read(move || this.store.job(id)).await
    }
}

/// Whether a person may say what became of `job`: nobody knows it, or it waits and may have been run by hand.
fn may_be_resolved(job: &Job, ran: bool) -> Result<(), Refusal> {
    match &job.state {
        JobState::Ended(Outcome::Unknown { .. }) => Ok(()),
        // Asked again after a line broke, or by two people who agree.
        JobState::Ended(Outcome::Done(crate::model::End::Told)) if ran => Ok(()),
        JobState::Ended(Outcome::NotRun { rule, .. }) if !ran && rule == "resolved" => Ok(()),
        JobState::Ended(_) => {
            Err(Refusal::Failed(format!("{} is over, and how is known: {}", job.id, job.state.word())))
        }
        _ => Ok(()),
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
