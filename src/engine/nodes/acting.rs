//! Acting through a peer: what an operator wants done on another node, and what another node's operator wants done here.

use std::time::Duration;

use jiff::Timestamp;

use crate::federation::LinkError;
use crate::model::{AuditKind, AuditNote, Identity, NodeName, Trust};
use crate::protocol::{
    BridgeRequest, NodeOrder, NodeReply, Refusal, RemoteAct, RemoteActAnswer, Reply, Request, RequestId, Update,
};

use super::super::{Credential, Joined};
use super::service::Nodes;

/// How long an order of another node may take here before it hears that nobody knows. Its operator waits as long.
const PATIENCE: Duration = Duration::from_secs(20);

impl Nodes {
    /// Has `order` done on `node`, in the name of `identity`, and writes down that it was asked and what came of it.
    pub(super) async fn act_on(
        &self,
        identity: Identity,
        node: NodeName,
        order: NodeOrder,
    ) -> Result<NodeReply, Refusal> {
        let link = self.link_to(&node)?;
        let (what, writes) = (described(&order), order.writes());
        let note = |kind, what: String| AuditNote::new(Timestamp::now(), Some(&identity.operator), kind, &node, what);
        if writes {
            self.bridges.audit(vec![note(AuditKind::Requested, format!("on that node: {what}"))]).await;
        }
        let act = RemoteAct { by: identity.clone(), order };
        let answer = match link.act(&act).await {
            Ok(answer) => answer,
            Err(error) => Err(unanswered(&node, &error, writes)),
        };
        if writes && let Err(refusal) = &answer {
            let kind = if matches!(refusal, Refusal::Denied(_)) { AuditKind::Refused } else { AuditKind::Ended };
            self.bridges.audit(vec![note(kind, format!("on that node: {what}: {refusal}"))]).await;
        }
        answer
    }

    /// Does what an operator of `from` wants, if that node may: as whoever it says it is, by the rules of this node.
    pub(super) async fn acted(&self, from: NodeName, act: RemoteAct) -> RemoteActAnswer {
        let RemoteAct { by, order } = act;
        let who = by.operator.of(&from);
        let refused = |why: String| async {
            let note = AuditNote::new(Timestamp::now(), Some(&who), AuditKind::Refused, described(&order), why.clone());
            self.bridges.audit(vec![note]).await;
            Err(Refusal::Denied(why))
        };
        let trust = self.trust_of(&from);
        if trust < Some(Trust::Command) {
            let trust = trust.map_or("no trust", Trust::as_str);
            return refused(format!(
                "{} gives {from} the trust `{trust}`; acting here needs `command` (`aurora node trust` there)",
                self.me()
            ))
            .await;
        }
        if matches!(order, NodeOrder::Bridge(BridgeRequest::Vote { .. })) {
            return refused("who approves does so on the node whose plan it is".to_owned()).await;
        }
        let request = match order.clone() {
            NodeOrder::Bridge(request) => Request::Bridge(request),
            NodeOrder::RestartTask(name) => Request::RestartTask(name),
        };
        let asking = async {
            let credential = Credential::Node(from, Box::new(by));
            let joined = self.handle.join(credential, false, false).await;
            ask(joined.map_err(|why| Refusal::Denied(why.to_string()))?, request).await
        };
        match tokio::time::timeout(PATIENCE, asking).await {
            Ok(Ok(Reply::Bridge(reply))) => Ok(NodeReply::Bridge(Box::new(reply))),
            Ok(Ok(Reply::Done)) => Ok(NodeReply::Done),
            Ok(Ok(_)) => Err(Refusal::Failed("the engine answered something else than was asked".to_owned())),
            Ok(Err(refusal)) => Err(refusal),
            Err(_) => {
                Err(Refusal::Failed(format!("{} did not answer in time; what became of it is seen there", self.me())))
            }
        }
    }
}

/// Asks the engine one thing.
pub(super) async fn ask(mut joined: Joined, request: Request) -> Result<Reply, Refusal> {
    joined.ask(RequestId(1), request).await;
    while let Some(update) = joined.next().await {
        if let Update::Reply { reply, .. } = update {
            return reply;
        }
    }
    Err(Refusal::Failed("the engine has stopped".to_owned()))
}

/// Why an order has no answer, and whether it may have been done all the same.
fn unanswered(node: &NodeName, error: &LinkError, writes: bool) -> Refusal {
    let is_refused = matches!(error, LinkError::Busy(_) | LinkError::Refused(_));
    let doubt = if writes && !is_refused { "; it may or may not have happened there" } else { "" };
    Refusal::Failed(format!("{node}: {error}{doubt}"))
}

/// An order in a line for the audit log.
fn described(order: &NodeOrder) -> String {
    match order {
        NodeOrder::Bridge(BridgeRequest::Run(draft)) => format!("run {} on {}", draft.command, draft.on),
        NodeOrder::Bridge(request) => Request::Bridge(request.clone()).name(),
        NodeOrder::RestartTask(name) => format!("restart the task {name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_whose_answer_is_no_use_may_have_been_done() {
        let node = "hub-2".parse().expect("a name");
        for (error, writes, doubtful) in [
            (LinkError::Unreachable("late".into()), true, true),
            (LinkError::Unusable("too long".into()), true, true),
            (LinkError::Busy("too many questions".into()), true, false),
            (LinkError::Refused("no".into()), true, false),
            (LinkError::Unusable("too long".into()), false, false),
        ] {
            let said = unanswered(&node, &error, writes).to_string();
            assert_eq!(said.contains("may or may not"), doubtful, "{said}");
        }
    }
}
