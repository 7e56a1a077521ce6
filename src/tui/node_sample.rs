//! Two other nodes for the tests of the screen: one that is heard, and one behind it that is down.

use std::time::Duration;

use crate::model::{ChannelStats, CheckState, JobState, NodeKey, NodeName, NodePanel, NodeState, TaskState};
use crate::protocol::{NodesPanel, RemoteIncident, RemoteNode, SharedLine, Snapshot};

use super::sample::{at, check, job, row, task, with_bridge};

/// The small world with them.
pub(super) fn with_nodes() -> Snapshot {
    Snapshot { nodes: nodes(), ..with_bridge() }
}

pub(super) fn nodes() -> NodesPanel {
    let name = |name: &str| -> NodeName { name.parse().expect("a name") };
    let me = NodePanel { hears: vec![name("hub-2")], ..NodePanel::sample("hub-1", NodeState::Alive, at(-7_200)) };
    let edge = NodePanel {
        via: Some(name("hub-2")),
        last_seen: Some(at(-300)),
        ..NodePanel::sample("edge-3", NodeState::Down, at(-240))
    };
    let hub = NodePanel {
        url: Some("http://hub-2.example:9292".into()),
        keys: vec![NodeKey::from_bytes([7; 32])],
        version: Some("0.1.0".into()),
        last_seen: Some(at(-2)),
        rtt: Some(Duration::from_millis(12)),
        skew_ms: Some(40),
        high: 1_210,
        applied: 1_204,
        lag: Some(Duration::from_secs(12)),
        hears: vec![name("hub-1"), name("edge-3")],
        ..NodePanel::sample("hub-2", NodeState::Alive, at(-3_600))
    };
    let counts =
        ChannelStats { channel: "mail".parse().expect("an id"), messages: 40, unread: 7, vip: 2, processed_today: 9 };
    let incident = RemoteIncident {
        subject: "web".into(),
        state: "critical".into(),
        since: at(-720),
        cause: Some("status == 200: got 503".into()),
        told_by: Some(name("hub-1")),
    };
    let line = |node: &str, seq| SharedLine {
        node: name(node),
        seq,
        at: at(-60),
        about: "check web".into(),
        text: "critical: status == 200: got 503".into(),
    };
    NodesPanel {
        me: Some(me),
        nodes: vec![edge, hub],
        remote: vec![
            RemoteNode { checks: vec![check("pay", CheckState::Critical)], ..RemoteNode::new(name("edge-3")) },
            RemoteNode {
                checks: vec![check("tls", CheckState::Ok), check("web", CheckState::Critical)],
                counts: vec![counts],
                incidents: vec![incident],
                jobs: vec![job(9, "app-1", JobState::Running).row()],
                tasks: vec![task("projector", TaskState::Running)],
                messages: vec![row(5, false), row(4, true)],
                ..RemoteNode::new(name("hub-2"))
            },
        ],
        news: vec![line("hub-2", 1_204), line("edge-3", 77), line("hub-2", 1_203)],
    }
}
