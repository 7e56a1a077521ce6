//! The task that keeps logs in step: it asks for pages as the core of the sync wants them, several at once.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::federation::{Fetched, Outcome, Question, SyncEffect, fetch};
use crate::net::is_signed_head;

use super::super::supervisor::{TaskContext, TaskSpec};
use super::service::Nodes;

/// It looks at least so often.
const LOOK: Duration = Duration::from_secs(5);

impl Nodes {
    /// The task that keeps logs in step.
    pub(super) fn syncing(this: &Arc<Self>) -> TaskSpec {
        let nodes = Arc::clone(this);
        TaskSpec::new("node logs", move |context| Arc::clone(&nodes).sync(context))
    }

    async fn sync(self: Arc<Self>, context: TaskContext) -> Result<(), String> {
        let mut questions: JoinSet<(Question, Fetched)> = JoinSet::new();
        context.running();
        loop {
            context.turn();
            let (asks, wake) = self.with(|desk, now| (desk.sync.next(now.mono), desk.sync.wakes(now.mono)));
            for question in asks {
                let nodes = Arc::clone(&self);
                questions.spawn(async move {
                    let fetched = nodes.fetch(&question).await;
                    (question, fetched)
                });
            }
            let wake = wake.map(|wake| Instant::from_std(self.began + wake));
            let latest = Instant::now() + LOOK;
            tokio::select! {
                () = context.stop.cancelled() => return Ok(()),
                () = self.logs.notified() => {}
                Some(done) = questions.join_next() => match done {
                    Ok((question, fetched)) => self.take(&question, fetched).await,
                    // The sync gives a question up that nobody answers.
                    Err(error) => tracing::error!(%error, "a question to another node ended in a panic"),
                },
                () = tokio::time::sleep_until(wake.map_or(latest, |wake| wake.min(latest))) => {}
            }
        }
    }

    async fn fetch(&self, question: &Question) -> Fetched {
        let Some(link) = self.link_of(&question.peer) else {
            let outcome = Outcome::Unreachable("it is not reached directly".to_owned());
            return Fetched { outcome, bytes: 0 };
        };
        let keys = self.keys_of(&question.follows.origin);
        fetch(&*link, &self.store, question, &keys, &is_signed_head, &Timestamp::now).await
    }

    /// Takes in what became of a question.
    async fn take(self: &Arc<Self>, question: &Question, fetched: Fetched) {
        let effects = self.with(|desk, now| {
            if let Outcome::Taken { events, end, gap, .. } = &fetched.outcome {
                if let Some((first, last)) = gap {
                    tracing::warn!(node = %end.origin.node, first, last, "entries of a node's log are gone for good");
                }
                desk.applied(end.clone(), gap.map_or(0, |(first, last)| last + 1 - first), events, now);
            }
            desk.count(&question.peer, fetched.bytes, 0);
            desk.sync.heard(question, &fetched, now.mono, rand::random())
        });
        if matches!(fetched.outcome, Outcome::Failed(_)) {
            tracing::debug!("a page of another node could not be kept");
        }
        for SyncEffect::Quarantine { node, why } in effects {
            self.quarantine(node, why).await;
        }
    }
}
