//! What every link between nodes has to carry beside pages: heartbeats, looks for a third node, orders, each with its answer.

use std::future::Future;
use std::sync::Arc;

use uuid::Uuid;

use crate::model::{BootId, Hlc, Identity, NodeName, RecognisedBy, Role};
use crate::protocol::{
    Beat, BeatAnswer, FEDERATION_VERSION, NodeOrder, NodeReply, Probe, ProbeAnswer, Refusal, RemoteAct, RemoteActAnswer,
};

use super::conformance::{Link, TestNode, key, moment, name};
use super::epoch_after;

/// The nodes of the suite answer by what they are asked, so that an answer says which question came.
impl TestNode {
    fn own_beat(&self, number: u64) -> Beat {
        Beat {
            version: FEDERATION_VERSION,
            node: self.name.clone(),
            boot: BootId::from_uuid(Uuid::from_u128(9)),
            started: moment(),
            number,
            incarnation: 3,
            epoch: epoch_after(None, moment(), [1; 10]),
            high: 12,
            sent: moment(),
            hlc: Hlc::default().next(moment()),
            slowness: 2,
            program: "0.1.0 \u{e9}".to_owned(),
            leaving: false,
            sees: Vec::new(),
            whole: true,
            keys: vec![key(&self.name)],
        }
    }

    pub(crate) fn answer_beat(&self, beat: &Beat) -> BeatAnswer {
        let (received, asks) = (moment(), beat.number == 2);
        BeatAnswer { beat: self.own_beat(beat.number + 100), received, holds: None, asks }
    }
}

pub(crate) fn answer_probe(probe: &Probe) -> ProbeAnswer {
    ProbeAnswer { reached: (probe.whom.as_str() != "gone").then_some(7) }
}

pub(crate) fn answer_act(act: &RemoteAct) -> RemoteActAnswer {
    match &act.order {
        NodeOrder::RestartTask(task) if task == "mine" => Ok(NodeReply::Done),
        _ => Err(Refusal::Denied(format!("not for {}", act.by.operator))),
    }
}

fn act(by: &NodeName, task: &str) -> RemoteAct {
    let identity = Identity {
        operator: "anna".parse().expect("a name"),
        role: Role::Operator,
        scopes: None,
        by: RecognisedBy::Node(by.clone()),
    };
    RemoteAct { by: identity, order: NodeOrder::RestartTask(task.to_owned()) }
}

/// Each is answered as the other side answers it, many at once, too.
pub(crate) async fn what_else_is_asked_is_answered_as_it_is<F: Future<Output = Link>>(
    way: &impl Fn(Arc<TestNode>, Arc<TestNode>) -> F,
) {
    let (a, b) = (TestNode::new("a").await, TestNode::new("b").await);
    let link = way(Arc::clone(&a), Arc::clone(&b)).await;
    for number in 1..4 {
        let beat = a.own_beat(number);
        assert_eq!(link.beat(&beat).await, Ok(b.answer_beat(&beat)));
    }
    for whom in ["c", "gone"] {
        let probe = Probe { whom: name(whom) };
        assert_eq!(link.probe(&probe).await, Ok(answer_probe(&probe)), "{whom}");
    }
    for task in ["mine", "another's"] {
        let order = act(&a.name, task);
        assert_eq!(link.act(&order).await, Ok(answer_act(&order)), "{task}");
    }
    let (beat, gone, mine) = (a.own_beat(9), Probe { whom: name("gone") }, act(&a.name, "mine"));
    let answers = tokio::join!(link.beat(&beat), link.probe(&gone), link.act(&mine));
    assert_eq!(answers, (Ok(b.answer_beat(&beat)), Ok(answer_probe(&gone)), Ok(answer_act(&mine))));
}
