//! Approvals: jobs that wait for other people's yes, and what they hear when it comes or does not.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use jiff::Timestamp;
use uuid::Uuid;

use crate::bridge::BridgeInput;
use crate::config::Config;
use crate::model::{
    Approval, ApprovalId, ApprovalState, AuditKind, AuditNote, Identity, Job, JobState, OperatorName, Plan, PlanHash,
    Rollout,
};
use crate::policy::{Denied, quorum, whitelist};
use crate::protocol::{BridgeNotice, BridgeReply, Refusal};
use crate::store::{JobBatch, Store, StoreError};

use super::super::Input;
use super::super::answers::failed;
use super::super::projector::blocking;
use super::audit::note;
use super::requests::read;
use super::service::Bridges;
use super::submit::Meant;

/// What holds the jobs of `meant` back until `need` other people said yes.
pub(super) fn held(meant: &Meant, by: &Identity, need: u32, config: &Config, now: Timestamp) -> Approval {
    Approval {
        id: ApprovalId::from_uuid(Uuid::now_v7()),
        jobs: Vec::new(),
        plans: meant.plans(),
        rollout: meant.course.clone(),
        hash: meant.hash(),
        risk: meant.template.risk,
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
        let (open, jobs) =
            blocking(move || Ok::<_, StoreError>((store.approvals(false, usize::MAX)?, store.open_jobs()?))).await?;
        for approval in &open {
            if quorum::state_at(approval, now) == ApprovalState::Expired {
                let over = Approval { state: ApprovalState::Expired, ..approval.clone() };
                let what =
                    format!("expired: {} of {} yes", over.votes.iter().filter(|vote| vote.yes).count(), over.need);
                let about = note(None, AuditKind::Denied, over.id, what);
                self.decide(over, about).await?;
            }
        }
        let waiting: Vec<(ApprovalId, Job)> = jobs
            .into_iter()
            .filter_map(|job| match job.state {
                JobState::AwaitingApproval(id) => Some((id, job)),
                _ => None,
            })
            .collect();
        self.holds.store(!waiting.is_empty(), Ordering::Relaxed);
        let is_open = |id: ApprovalId| open.iter().any(|approval| approval.id == id);
        let decided: Vec<(ApprovalId, Job)> = waiting.into_iter().filter(|(id, _)| !is_open(*id)).collect();
        if decided.is_empty() {
            return Ok(());
        }
        let store = Arc::clone(&self.store);
        let decided = blocking(move || {
            let found = decided.into_iter().map(|(id, job)| {
                let approval = store.approval(id)?;
                let kept = approval.as_ref().map_or(Ok(None), |approval| rollout_of(&store, approval))?;
                Ok((id, job, approval, kept))
            });
            found.collect::<Result<Vec<_>, StoreError>>()
        })
        .await?;
        for (id, job, approval, kept) in decided {
            match approval {
                Some(approval) => self.tell(&approval, &job, kept.as_ref()).await,
                None => self.refuse(&job, "approval.unknown", format!("{id} is gone")).await,
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
            let (store, about) = (Arc::clone(&self.store), approval.clone());
            let (jobs, kept) = blocking(move || Ok((held_jobs(&store, &about)?, rollout_of(&store, &about)?))).await?;
            for job in &jobs {
                self.tell(&approval, job, kept.as_ref()).await;
            }
        }
        Ok(())
    }

    /// Tells `job`, which goes by `kept`, what `approval`, which is decided, means for it.
    async fn tell(&self, approval: &Approval, job: &Job, kept: Option<&Rollout>) {
        match answer(approval, job, kept, &self.set().config) {
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

/// The jobs `approval` is about: those of its rollout, or the only one.
fn held_jobs(store: &Store, approval: &Approval) -> Result<Vec<Job>, StoreError> {
    let Some(first) = approval.jobs.first() else { return Ok(Vec::new()) };
    let mut jobs = store.jobs_of(*first)?;
    jobs.retain(|job| approval.jobs.contains(&job.id));
    Ok(jobs)
}

/// The rollout of what `approval` is about: it is called as its first job.
fn rollout_of(store: &Store, approval: &Approval) -> Result<Option<Rollout>, StoreError> {
    approval.jobs.first().map_or(Ok(None), |id| store.rollout(*id))
}

/// Whether `job` may go on by `approval`. What was approved is compared with what would run, and with what the
/// whitelist says by now: a yes is to exact words, not to whatever they have become.
pub(super) fn answer(approval: &Approval, job: &Job, kept: Option<&Rollout>, config: &Config) -> Result<(), Denied> {
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
    let is_same = Plan::hash_with(&approval.plans, approval.rollout.as_ref()) == approval.hash
        && kept.map(Rollout::course) == approval.rollout
        && job.plan.hash() == job.hash
        && approval.plans.contains(&job.plan)
        && approval.jobs.contains(&job.id);
    if !is_same {
        return denied("plan", "what would run is not what was approved".to_owned());
    }
    if !quorum::enough(approval) {
        return denied("quorum", "fewer people said yes than are needed".to_owned());
    }
    still_stands(&job.plan, config)?;
    let undoing = approval.rollout.iter().flat_map(|course| &course.undoing).flat_map(|undoing| &undoing.plans);
    undoing.filter(|plan| plan.host == job.plan.host).try_for_each(|plan| still_stands(plan, config))
}

/// Whether the whitelist still makes exactly `plan`.
fn still_stands(plan: &Plan, config: &Config) -> Result<(), Denied> {
    let denied = |reason: String| Denied { rule: "approval.plan".to_owned(), reason };
    let command = &plan.command;
    let template = config.commands.get(command);
    let template = template.ok_or_else(|| denied(format!("{command} has left the whitelist since")))?;
    let host = config.hosts.get(&plan.host);
    let host = host.ok_or_else(|| denied(format!("{} is no host any more", plan.host)))?;
    whitelist::may_run_on(template, &host.name, &host.labels)?;
    whitelist::matches(template, plan).map_err(|_| denied(format!("[commands.{command}] has changed since")))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rusqlite::Connection;

    use crate::config;
    use crate::model::{JobId, RecognisedBy, Role};
    use crate::protocol::Draft;
    use crate::store::Options;

    use super::super::super::checks::{CheckSet, Checks};
    use super::super::service::BridgeSet;
    use super::*;

    const CONFIG: &str = "[hosts.web-1]\nlayers = [\"local\"]\nlabels = [\"web\"]\n\
        [hosts.web-2]\nlayers = [\"local\"]\nlabels = [\"web\"]\n\
        [commands.todo]\nhosts = [\"@web\"]\nargv = [\"/bin/true\"]\nrisk = \"critical\"\n";

    fn bridges() -> (tempfile::TempDir, Arc<Bridges>, tokio::sync::mpsc::Receiver<Input>) {
        let dir = tempfile::tempdir().expect("a directory");
        let store = Arc::new(Store::open(dir.path(), Options::default()).expect("a store"));
        let (inputs, received) = tokio::sync::mpsc::channel(1_000);
        let config = config::parse(CONFIG, None).expect("a configuration");
        let checks = Checks::new(CheckSet::new(&config).expect("no checks"), Arc::clone(&store), inputs.clone());
        let open = Arc::new(|_: &_, _: &_, _: &_, _, _| Err("there is none".to_owned()));
        let bridges = Bridges::new(BridgeSet::new(config), store, inputs, Arc::new(checks), open, false);
        (dir, Arc::new(bridges), received)
    }

    fn anna() -> Identity {
        let operator = "anna".parse().expect("a name");
        Identity { operator, role: Role::Operator, scopes: None, by: RecognisedBy::Nobody }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_held_while_approvals_are_settled_is_known_to_be_held_afterwards() {
        let (dir, bridges, _received) = bridges();
        bridges.settle().await.expect("settles");
        assert!(!bridges.holds.load(Ordering::Relaxed), "nothing waits");
        let other = Connection::open(dir.path().join("aurora.db")).expect("opens");
        other.execute_batch("BEGIN IMMEDIATE").expect("nothing is written for a while");
        let asking = tokio::spawn({
            let bridges = Arc::clone(&bridges);
            async move { bridges.run_draft(anna(), Draft::sample("@web")).await }
        });
        while !bridges.holds.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let settling = tokio::spawn({
            let bridges = Arc::clone(&bridges);
            async move { bridges.settle().await }
        });
        // Time enough for one that does not wait.
        tokio::time::sleep(Duration::from_millis(300)).await;
        other.execute_batch("ROLLBACK").expect("ends");
        asking.await.expect("no panic").expect("it is held");
        settling.await.expect("no panic").expect("settles");
        assert!(bridges.holds.load(Ordering::Relaxed), "or it would never expire");
    }

    #[tokio::test]
    async fn an_approval_is_about_its_own_jobs_and_their_rollout() {
        let (_dir, bridges, _received) = bridges();
        for _ in 0..2 {
            bridges.run_draft(anna(), Draft::sample("@web")).await.expect("it is held");
        }
        for approval in bridges.store.approvals(false, 9).expect("reads") {
            let jobs = held_jobs(&bridges.store, &approval).expect("reads");
            let mut ids: Vec<JobId> = jobs.iter().map(|job| job.id).collect();
            let mut held = approval.jobs.clone();
            ids.sort();
            held.sort();
            assert_eq!((ids.len(), ids), (2, held));
            let kept = rollout_of(&bridges.store, &approval).expect("reads").expect("stages");
            assert_eq!(kept.row.id, approval.jobs[0]);
        }
    }
}
