//! A job by hand: the lines a person pastes, once it is written down that they were shown.

use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use crate::bridge::BridgeInput;
use crate::bridge::layers::manual::manual_lines;
use crate::model::{Job, JobState, LayerKind};
use crate::protocol::{BridgeReply, JobOrder, Refusal};

use super::service::Bridges;

/// Time for it to be written down, and how often that is looked at.
const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(10);

impl Bridges {
    /// The lines that run `job` by hand. From then on it may run by hand, so that is durable before they are shown.
    pub(super) async fn manual(self: &Arc<Self>, job: Job) -> Result<BridgeReply, Refusal> {
        let id = job.id;
        if job.state.outcome().is_some() {
            return Err(Refusal::Failed(format!("{id} is over: {}; run it again under a fresh id", job.state.word())));
        }
        if let JobState::AwaitingApproval(approval) = job.state {
            return Err(Refusal::Denied(format!("approval.open: {id} waits for {approval}")));
        }
        if let JobState::Staged { why } = &job.state {
            return Err(Refusal::Denied(format!("rollout: {id} waits for its stage: {why}")));
        }
        self.order(BridgeInput::Shown(id)).await;
        let shown = async {
            while !self.job(id).await?.is_some_and(|job| is_shown(&job)) {
                tokio::time::sleep(PAUSE).await;
            }
            Ok(())
        };
        let late =
            |_| Refusal::Failed(format!("{id} cannot be run by hand now: the store is slow, or it has just ended"));
        tokio::time::timeout(PATIENCE, shown).await.map_err(late)??;
        let term = self
            .term()
            .ok_or_else(|| Refusal::Failed("the bridge is not running; `aurora task list` says why".to_owned()))?;
        let order = JobOrder {
            id,
            hash: job.hash,
            engine: term.engine,
            epoch: term.epoch,
            nonce: Uuid::now_v7().simple().to_string(),
            not_after: job.not_after,
            plan: job.plan,
        };
        let set = self.set();
        let ssh = set.config.hosts.get(&order.plan.host).and_then(|host| host.ssh.as_ref());
        manual_lines(&order, term, ssh).map(BridgeReply::Manual).map_err(Refusal::Failed)
    }
}

/// Whether the lines that run `job` by hand were shown.
pub(super) fn is_shown(job: &Job) -> bool {
    job.attempts.iter().any(|attempt| attempt.layer == LayerKind::Manual)
}
