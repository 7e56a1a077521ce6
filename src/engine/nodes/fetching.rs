//! The task that fetches what nodes ask which cannot call this one, and brings them the answers.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use crate::federation::{EventLink, LinkError, run_errand};
use crate::model::NodeName;
use crate::protocol::{Errand, WAIT_MAX};

use super::super::supervisor::{TaskContext, TaskSpec};
use super::answerer::Desks;
use super::service::Nodes;

/// Questions of one node that are worked on at once; most of them wait for entries.
const AT_ONCE: usize = 32;
/// How often an answer is brought that does not arrive, and the pause between.
const TRIES: u32 = 3;
const AGAIN: Duration = Duration::from_millis(500);

impl Nodes {
    /// The task that fetches what nodes ask which cannot call this one.
    pub(super) fn fetching(this: &Arc<Self>) -> TaskSpec {
        let nodes = Arc::clone(this);
        TaskSpec::new("node errands", move |context| Arc::clone(&nodes).follow_askers(context))
    }

    async fn follow_askers(self: Arc<Self>, context: TaskContext) -> Result<(), String> {
        let mut followed: BTreeSet<NodeName> = BTreeSet::new();
        let mut work = JoinSet::new();
        context.running();
        loop {
            for node in self.with(|desk, _| std::mem::take(&mut desk.asking)) {
                if followed.insert(node.clone()) {
                    let nodes = Arc::clone(&self);
                    work.spawn(async move {
                        let why = nodes.fetch_errands(&node).await;
                        (node, why)
                    });
                }
            }
            tokio::select! {
                () = context.stop.cancelled() => return Ok(()),
                () = self.asking.notified() => {}
                Some(ended) = work.join_next() => match ended {
                    // The answer to the next heartbeat says whether it still asks.
                    Ok((node, why)) => {
                        tracing::debug!(%node, %why, "what a node asks is not fetched for now");
                        followed.remove(&node);
                    }
                    Err(error) => return Err(format!("fetching what a node asks ended in a panic: {error}")),
                },
            }
        }
    }

    /// Fetches and does what `of` asks until that fails, and answers why.
    async fn fetch_errands(self: &Arc<Self>, of: &NodeName) -> LinkError {
        let mut work = JoinSet::new();
        let why = loop {
            let Some(link) = self.link_of(of) else {
                break LinkError::Unreachable("it is not reached directly".to_owned());
            };
            while work.len() >= AT_ONCE {
                work.join_next().await;
            }
            match link.errands(WAIT_MAX).await {
                Ok(errands) => {
                    for errand in errands {
                        work.spawn(Arc::clone(self).run(of.clone(), Arc::clone(&link), errand));
                    }
                }
                Err(why) => break why,
            }
            while work.try_join_next().is_some() {}
        };
        // What was begun is finished: an order may be half done.
        work.detach_all();
        why
    }

    async fn run(self: Arc<Self>, of: NodeName, link: Arc<dyn EventLink>, errand: Errand) {
        let Errand { number, ask } = errand;
        let answer = run_errand(&Desks(self), &of, ask).await;
        for _ in 0..TRIES {
            match link.answer(number, &answer).await {
                // Whoever asked has given up, or the answer is of no use there.
                Ok(()) | Err(LinkError::Refused(_) | LinkError::Unusable(_)) => return,
                Err(LinkError::Unreachable(_) | LinkError::Busy(_)) => tokio::time::sleep(AGAIN).await,
            }
        }
    }
}
