//! Approvals: jobs that wait for other people's yes, and what they hear when it comes or does not.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use jiff::Timestamp;
use uuid::Uuid;

use crate::bridge::BridgeInput;
use crate::config::Config;
use crate::model::{
    Approval, ApprovalId, ApprovalState, AuditKind, AuditNote, Identity, Job, JobState, OperatorName, Plan, PlanHash,
    Risk,
};
use crate::policy::{Denied, quorum, whitelist};
use crate::protocol::{BridgeNotice, BridgeReply, Refusal};
use crate::store::{JobBatch, StoreError};

use super::super::Input;
use super::super::answers::failed;
use super::audit::note;
use super::requests::read;
use super::service::Bridges;

/// What holds `plans` back until `need` other people said yes.
pub(super) fn held(
    plans: Vec<Plan>,
    risk: Risk,
    by: &Identity,
    need: u32,
    config: &Config,
    now: Timestamp,
) -> Approval {
    Approval {
        id: ApprovalId::from_uuid(Uuid::now_v7()),
        jobs: Vec::new(),
        hash: Plan::hash_of_all(&plans),
        plans,
        risk,
        by: by.operator.clone(),
        asked: now,
        expires: now.checked_add(config.policy.approval_expires).unwrap_or(now),
        need,
        votes: Vec::new(),
        state: ApprovalState::Open,
    }
}

impl Bridges {
    /// Takes one person's word. The word is durable before any job hears of it.
    pub(super) async fn vote(
        self: &Arc<Self>,
        identity: &Identity,
        id: ApprovalId,
        seen: &PlanHash,
        yes: bool,
        words: Option<String>,
    ) -> Result<BridgeReply, Refusal> {
        let _alone = self.voting.lock().await;
        let this = Arc::clone(self);
        let found = read(move || this.store.approval(id)).await?;
        let approval = found.ok_or_else(|| {
            Refusal::Unknown(format!("no approval has the id {id}; `aurora approval list --all` names them"))
        })?;
        let now = Timestamp::now();
        let next = match quorum::vote(&approval, identity, seen, yes, words, now) {
            Ok(next) => next,
            Err(denied) => {
                let what = format!("{} on {id} does not count: {denied}", if yes { "yes" } else { "no" });
                self.audit(vec![note(Some(&identity.operator), AuditKind::Refused, id, what)]).await;
                return Err(Refusal::Denied(denied.to_string()));
            }
        };
        if next != approval {
            let kind = if yes { AuditKind::Granted } else { AuditKind::Denied };
            let said = next.votes.iter().filter(|vote| vote.yes).count();
            let words = next.votes.last().and_then(|vote| vote.note.as_ref());
            let words = words.map(|words| format!(": {words}")).unwrap_or_default();
            let what = format!("{said} of {} yes, {}, hash {}{words}", next.need, next.state.as_str(), next.hash);
            self.decide(next.clone(), note(Some(&identity.operator), kind, id, what)).await.map_err(failed)?;
        }
        Ok(BridgeReply::Approval(Some(Box::new(next))))
    }

    /// Takes back what `job` waits for: an approval is about all its plans, so none of them runs then.
    pub(super) async fn take_back(self: &Arc<Self>, job: &Job, by: &OperatorName) -> Result<(), Refusal> {
        let JobState::AwaitingApproval(id) = job.state else { return Ok(()) };
        let _alone = self.voting.lock().await;
        let this = Arc::clone(self);
        let Some(mut approval) = read(move || this.store.approval(id)).await? else { return Ok(()) };
        if approval.state != ApprovalState::Open {
            return Ok(());
        }
        approval.state = ApprovalState::Withdrawn;
        let about = note(Some(by), AuditKind::Cancelled, id, format!("taken back with {}", job.id));
        self.decide(approval, about).await.map_err(failed)
    }

    /// Ends approvals whose time is over, and tells jobs that wait for one that was decided: a crash may have come
    /// between an answer and its jobs.
    ///
    /// # Errors
    /// When the store cannot be asked or written; then it is tried again.
    pub(super) async fn settle(self: &Arc<Self>) -> Result<(), StoreError> {
        if !self.holds.load(Ordering::Relaxed) {
            return Ok(());
        }
        let _alone = self.voting.lock().await;
        let now = Timestamp::now();
        let store = Arc::clone(&self.store);
        let (open, jobs) = super::super::projector::blocking(move || {
            Ok::<_, StoreError>((store.approvals(false, usize::MAX)?, store.open_jobs()?))
        })
        .await?;
        for approval in &open {
            if quorum::state_at(approval, now) == ApprovalState::Expired {
                let over = Approval { state: ApprovalState::Expired, ..approval.clone() };
                let what =
                    format!("expired: {} of {} yes", over.votes.iter().filter(|vote| vote.yes).count(), over.need);
                let about = note(None, AuditKind::Denied, over.id, what);
                self.decide(over, about).await?;
            }
        }
        let waiting: Vec<(ApprovalId, &Job)> = jobs
            .iter()
            .filter_map(|job| match job.state {
                JobState::AwaitingApproval(id) => Some((id, job)),
                _ => None,
            })
            .collect();
        self.holds.store(!waiting.is_empty(), Ordering::Relaxed);
        for (id, job) in waiting {
            if open.iter().all(|approval| approval.id != id) {
                match self.store.approval(id)? {
                    Some(approval) => self.tell(&approval, job).await,
                    None => self.refuse(job, "approval.unknown", format!("{id} is gone")).await,
                }
            }
        }
        Ok(())
    }

    /// Keeps an approval as it stands now, tells everybody, and its jobs when it is decided.
    async fn decide(self: &Arc<Self>, approval: Approval, note: AuditNote) -> Result<(), StoreError> {
        let batch = JobBatch { approvals: vec![approval.clone()], notes: vec![note], ..JobBatch::default() };
        let entries = self.store.keep_jobs(batch).await?;
        self.tell_all(BridgeNotice::Audited(entries)).await;
        self.tell_all(BridgeNotice::Approval(Box::new(approval.clone()))).await;
        if approval.state != ApprovalState::Open {
            for id in &approval.jobs {
                if let Some(job) = self.store.job(*id)? {
                    self.tell(&approval, &job).await;
                }
            }
        }
        Ok(())
    }

    /// Tells `job` what `approval`, which is decided, means for it.
    async fn tell(&self, approval: &Approval, job: &Job) {
        match answer(approval, job, &self.set().config) {
            Ok(()) => self.order(BridgeInput::Release(job.id)).await,
            Err(denied) => self.refuse(job, &denied.rule, denied.reason).await,
        }
    }

    async fn refuse(&self, job: &Job, rule: &str, reason: String) {
        self.order(BridgeInput::Refuse { id: job.id, rule: rule.to_owned(), reason }).await;
    }

    /// Tells the loop, and so every screen.
    pub(in super::super) async fn tell_all(&self, notice: BridgeNotice) {
        // The engine is gone only when everything ends.
        let _ = self.inputs.send(Input::Bridge(notice)).await;
    }
}

/// Whether `job` may go on by `approval`. What was approved is compared with what would run, and with what the
/// whitelist says by now: a yes is to exact words, not to whatever they have become.
fn answer(approval: &Approval, job: &Job, config: &Config) -> Result<(), Denied> {
    let denied = |rule: &str, reason: String| Err(Denied { rule: format!("approval.{rule}"), reason });
    match approval.state {
        ApprovalState::Granted => {}
        ApprovalState::Open => return denied("open", "nobody has decided yet".to_owned()),
        ApprovalState::Denied => {
            let no = approval.votes.iter().find(|vote| !vote.yes);
            let by = no.map_or_else(|| "somebody".to_owned(), |vote| vote.by.to_string());
            return denied("denied", format!("{by} said no"));
        }
        ApprovalState::Expired => return denied("expired", "not enough people answered in time".to_owned()),
        ApprovalState::Withdrawn => return denied("withdrawn", "it was taken back".to_owned()),
    }
    let is_same = Plan::hash_of_all(&approval.plans) == approval.hash
        && job.plan.hash() == job.hash
        && approval.plans.contains(&job.plan)
        && approval.jobs.contains(&job.id);
    if !is_same {
        return denied("plan", "what would run is not what was approved".to_owned());
    }
    if !quorum::enough(approval) {
        return denied("quorum", "fewer people said yes than are needed".to_owned());
    }
    let command = &job.plan.command;
    let Some(template) = config.commands.get(command) else {
        return denied("plan", format!("{command} has left the whitelist since"));
    };
    let Some(host) = config.hosts.get(&job.plan.host) else {
        return denied("plan", format!("{} is no host any more", job.plan.host));
    };
    whitelist::may_run_on(template, &host.name, &host.labels)?;
    whitelist::matches(template, &job.plan).map_err(|_| Denied {
        rule: "approval.plan".to_owned(),
        reason: format!("[commands.{command}] has changed since"),
    })?;
    Ok(())
}
