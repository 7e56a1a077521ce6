//! Nodes that know each other: real engines on loopback, and a line between them that can be made bad.

mod calling;
mod hostile;
mod peer;
mod reloading;
mod vantage;

use std::net::TcpListener;
use std::time::Duration;

use aurora::client::{Client, Target, job_id};
use aurora::model::{AuditKind, AuditNote, CheckState, Lane, NodeState, Pace, Trust};
use aurora::protocol::{
    BridgeReply, BridgeRequest, Draft, NodeOrder, NodeReply, NodeRequest, NodesPanel, Refusal, RemoteNode, Reply,
    Request,
};
use aurora::server::socket_path;
use rustix::process::Signal;

use crate::proxy::Proxy;
use crate::support::{PATIENCE, Site, free_port};

/// How long a node may take to be down, and to be back: seconds where there is nothing else to do, and longer on a machine
/// whose timers are late, as nodes that are slow themselves wait for others.
const DETECTION: Duration = PATIENCE;

/// An engine, and the line by which others reach it.
struct Hub {
    name: &'static str,
    site: Site,
    line: Proxy,
    door: u16,
    runtime: tokio::runtime::Runtime,
}

impl Hub {
    /// An engine called `name` that takes part, with this configuration besides.
    fn new(name: &'static str, more: &str) -> Self {
        Self::reached(name, more, true)
    }

    /// The same; without being `called` it has no address, and calls the others.
    fn reached(name: &'static str, more: &str, called: bool) -> Self {
        let site = Site::with(more);
        let door = free_port();
        let line = Proxy::to(door);
        let file = site.path().join("config.toml");
        let text = std::fs::read_to_string(&file).expect("reads");
        let text = text.replace("name = \"test\"", &format!("name = \"{name}\""));
        let listens = if called { format!("127.0.0.1:{door}") } else { "off".to_owned() };
        let text = text.replace("api = \"off\"", &format!("api = \"off\"\nfederation = \"{listens}\""));
        let url = if called { format!("url = \"http://127.0.0.1:{}\"\n", line.port) } else { String::new() };
        let federation = format!("\n[federation]\nenabled = true\n{url}");
        // What is shared is said by the test where it matters.
        let text = if text.contains("[federation]") {
            text.replace("[federation]\n", federation.trim_start())
        } else {
            text + &federation
        };
        std::fs::write(&file, text).expect("writes");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let mut hub = Self { name, site, line, door, runtime };
        hub.site.serve();
        hub
    }

    fn ask(&self, request: Request) -> Result<Reply, Refusal> {
        self.runtime.block_on(async {
            let target = Target::Unix(socket_path(&self.site.args()[3]));
            let mut client = Client::attach(target, false, false).await.expect("attaches");
            client.answer(request).await
        })
    }

    #[track_caller]
    fn node(&self, request: NodeRequest) -> NodeReply {
        match self.ask(Request::Node(request)) {
            Ok(Reply::Node(reply)) => reply,
            other => panic!("{}: {other:?}", self.name),
        }
    }

    fn panel(&self) -> NodesPanel {
        match self.node(NodeRequest::List) {
            NodeReply::Nodes(panel) => *panel,
            other => panic!("{other:?}"),
        }
    }

    /// How it sees `other`.
    fn sees(&self, other: &Hub) -> Option<NodeState> {
        self.panel().node(other.name).map(|node| node.state)
    }

    fn remote(&self, other: &Hub) -> RemoteNode {
        let panel = self.panel();
        panel.remote(other.name).cloned().unwrap_or_else(|| RemoteNode::new(other.name.parse().expect("a name")))
    }

    /// How it sees the check `id` of `other`.
    fn check(&self, other: &Hub, id: &str) -> Option<CheckState> {
        self.remote(other).checks.iter().find(|check| check.id.as_str() == id).map(|check| check.state)
    }

    /// The newest entries of the log of `other`, known to exist and applied here.
    fn held(&self, other: &Hub) -> (u64, u64) {
        self.panel().node(other.name).map_or((0, 0), |node| (node.high, node.applied))
    }

    /// Joins `other`, which gives it `trust`, and gives it `report`.
    fn joins(&self, other: &Hub, trust: Trust) {
        let NodeReply::Invited(invitation) = other.node(NodeRequest::Invite { trust }) else { panic!("no invitation") };
        let joined = self.node(NodeRequest::Join { token: invitation.token, trust: Trust::Report });
        let NodeReply::Joined { name, fingerprint, .. } = joined else { panic!("{joined:?}") };
        assert_eq!((name.as_str(), fingerprint), (other.name, invitation.fingerprint));
    }

    /// How far each log is held, and the hash over all of it, as its database says.
    fn logs(&self) -> Vec<(String, u64, Vec<u8>)> {
        let database = rusqlite::Connection::open(self.site.path().join("state/aurora.db")).expect("opens");
        let mut logs =
            database.prepare("SELECT node, high, hash FROM node_log WHERE current ORDER BY node").expect("a table");
        let rows = logs.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).expect("reads");
        rows.collect::<Result<_, _>>().expect("rows")
    }

    /// Whether it ever said, since it started, that a node is down.
    fn called_down(&self) -> bool {
        std::fs::read_to_string(self.site.path().join("serve.log")).expect("a log").contains("node is down")
    }

    fn deliver(&self, id: &str) {
        let body = format!("{{\"type\":\"note\",\"subject\":\"{id}\"}}");
        let secret = self.site.secret("standard");
        let headers = crate::support::standard(&secret, id, crate::support::now(), body.as_bytes());
        let headers = crate::support::borrowed(&headers);
        assert_eq!(self.site.post("/hooks/standard", &headers, body.as_bytes()).status, 204);
    }
}

/// Waits until `holds` does, as long as it takes to find out that a node is gone.
#[track_caller]
fn within(patience: Duration, what: &str, mut holds: impl FnMut() -> bool) {
    let started = std::time::Instant::now();
    while !holds() {
        assert!(started.elapsed() < patience, "{what} did not happen within {patience:?}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// A check of a port, looked at every second.
fn door_check(port: u16) -> String {
    format!(
        "[[checks]]\nid = \"door\"\ntype = \"tcp\"\nhost = \"127.0.0.1\"\nport = {port}\ninterval = \"1s\"\ntimeout = \"500ms\"\nalert = {{ fail = 1, ok = 1 }}\n"
    )
}

#[test]
fn two_nodes_join_by_a_token_and_one_that_is_killed_is_seen_to_go_and_to_come_back() {
    let door = TcpListener::bind("127.0.0.1:0").expect("binds");
    let port = door.local_addr().expect("an address").port();
    let one = Hub::new("hub-1", "");
    let mut two = Hub::new("hub-2", &door_check(port));
    two.joins(&one, Trust::Report);
    within(PATIENCE, "both are alive", || {
        one.sees(&two) == Some(NodeState::Alive) && two.sees(&one) == Some(NodeState::Alive)
    });
    within(PATIENCE, "the check of the other", || one.check(&two, "door") == Some(CheckState::Ok));
    within(PATIENCE, "how far it is", || {
        let rtt = one.panel().node("hub-2").and_then(|node| node.rtt);
        rtt.is_some_and(|rtt| rtt < Duration::from_secs(1))
    });

    two.site.kill();
    within(DETECTION, "it is suspected", || matches!(one.sees(&two), Some(NodeState::Suspect | NodeState::Down)));
    within(DETECTION, "it is down", || one.sees(&two) == Some(NodeState::Down));
    within(PATIENCE, "it says so", || one.called_down());
    assert_eq!(one.check(&two, "door"), Some(CheckState::Ok), "what was last known stays");

    drop(door);
    two.site.serve();
    within(DETECTION, "it is back", || one.sees(&two) == Some(NodeState::Alive));
    within(DETECTION, "what happened meanwhile", || one.check(&two, "door") == Some(CheckState::Critical));
    let incidents = one.remote(&two).incidents;
    assert_eq!(incidents.iter().map(|one| (&*one.subject, &*one.state)).collect::<Vec<_>>(), [("door", "critical")]);

    assert!(two.site.stop());
    within(DETECTION, "it said that it goes", || one.sees(&two) == Some(NodeState::Left));
}

#[test]
fn a_third_node_is_seen_over_a_relay_and_a_partition_ends_with_equal_logs() {
    let messages = "[federation]\nshare = [\"counts\"]\nmessages_when = 'channel is known'\n";
    let (one, two, three) = (Hub::new("hub-1", messages), Hub::new("hub-2", messages), Hub::new("hub-3", messages));
    two.joins(&one, Trust::Report);
    two.deliver("before");
    three.joins(&two, Trust::Report);
    within(DETECTION, "the first and the third hear of each other", || {
        one.sees(&three) == Some(NodeState::Alive) && three.sees(&one) == Some(NodeState::Alive)
    });
    assert_eq!(
        one.panel().node("hub-3").and_then(|node| node.via.clone()).map(|via| via.to_string()).as_deref(),
        Some("hub-2")
    );

    one.line.stall(true);
    two.line.stall(true);
    for (hub, count) in [(&one, 20), (&two, 30), (&three, 40)] {
        for number in 0..count {
            hub.deliver(&format!("{}-{number}", hub.name));
        }
    }
    within(DETECTION, "both notice", || {
        one.sees(&two) != Some(NodeState::Alive) && two.sees(&one) != Some(NodeState::Alive)
    });
    one.line.stall(false);
    two.line.stall(false);
    let hubs = [&one, &two, &three];
    let all_hold_all = || {
        hubs.iter().all(|hub| {
            hubs.iter().filter(|other| other.name != hub.name).all(|other| {
                let high = other.panel().me.map_or(0, |me| me.high);
                high > 0 && hub.held(other) == (high, high)
            })
        })
    };
    within(DETECTION, "everybody holds everything", all_hold_all);
    within(PATIENCE, "equal logs, by hash", || one.logs() == two.logs() && one.logs() == three.logs());
    assert_eq!(one.logs().len(), 3);
    for hub in hubs {
        for other in hubs.iter().filter(|other| other.name != hub.name) {
            let subjects = |node: &RemoteNode| node.messages.len();
            let wanted = [("hub-1", 20), ("hub-2", 31), ("hub-3", 40)];
            let wanted = wanted.iter().find(|(name, _)| *name == other.name).expect("known").1;
            assert_eq!(subjects(&hub.remote(other)), wanted, "{} of {}", hub.name, other.name);
        }
    }
}

fn draft(command: &str) -> NodeOrder {
    NodeOrder::Bridge(BridgeRequest::Run(Box::new(Draft {
        id: job_id(),
        on: "here".parse().expect("a host"),
        any: false,
        command: command.parse().expect("a name"),
        args: [].into(),
        layer: None,
        lane: Lane::Normal,
        confirm: None,
        seen: None,
        pace: Pace::default(),
    })))
}

/// What its audit log says.
fn audit(hub: &Hub) -> Vec<AuditNote> {
    let request = BridgeRequest::Audit { about: None, before: None, limit: 100 };
    let Ok(Reply::Bridge(BridgeReply::Audit(entries))) = hub.ask(Request::Bridge(request)) else { panic!("no log") };
    entries.into_iter().map(|entry| entry.note).collect()
}

#[test]
fn a_command_runs_on_another_node_only_where_that_node_trusts_and_both_write_it_down() {
    let commands = "[hosts.here]\nlayers = [\"local\"]\n[commands.hello]\nhosts = [\"here\"]\nargv = [\"/bin/true\"]\n\
                    [commands.other]\nhosts = [\"nowhere\"]\nargv = [\"/bin/true\"]\n[hosts.nowhere]\nlayers = [\"manual\"]\n";
    let (one, two) = (Hub::new("hub-1", ""), Hub::new("hub-2", commands));
    one.joins(&two, Trust::Report);
    within(PATIENCE, "both are alive", || one.sees(&two) == Some(NodeState::Alive));
    let run = |command| {
        one.ask(Request::Node(NodeRequest::On { node: "hub-2".parse().expect("a name"), order: draft(command) }))
    };
    let refused = run("hello").expect_err("it has the trust report");
    assert!(refused.to_string().contains("command"), "{refused}");
    two.node(NodeRequest::Trust { name: "hub-1".parse().expect("a name"), trust: Trust::Command });
    let refused = run("other").expect_err("that node's own list");
    assert!(refused.to_string().contains("whitelist"), "{refused}");
    let ran = run("hello").expect("it runs");
    let Reply::Node(NodeReply::Bridge(reply)) = ran else { panic!("{ran:?}") };
    let BridgeReply::Running { jobs, .. } = *reply else { panic!("{reply:?}") };
    let who = jobs[0].by.clone();
    assert_eq!(who.as_str().split_once('@').map(|(_, node)| node), Some("hub-1"));
    let audited =
        |hub: &Hub, kind: AuditKind| audit(hub).iter().filter(|note| note.kind == kind && note.by.is_some()).count();
    within(PATIENCE, "both have written it down", || {
        audited(&one, AuditKind::Requested) >= 3 && audited(&two, AuditKind::Requested) >= 1
    });
    assert!(audited(&two, AuditKind::Refused) >= 1);
    let task = NodeOrder::RestartTask("checks".into());
    let restarted = one.node(NodeRequest::On { node: "hub-2".parse().expect("a name"), order: task });
    assert_eq!(restarted, NodeReply::Done);
    let restarts = |hub: &Hub, on: &str| audit(hub).iter().filter(|note| note.what == on).count();
    within(PATIENCE, "both have written down the restart", || {
        restarts(&one, "on that node: restart the task checks") == 1 && restarts(&two, "the task is started again") == 1
    });
}

#[test]
fn while_no_witness_answers_it_is_this_node_that_hears_nobody() {
    let witness = TcpListener::bind("127.0.0.1:0").expect("binds");
    let port = witness.local_addr().expect("an address").port();
    let one = Hub::new("hub-1", &format!("[health]\nwitnesses = [\"127.0.0.1:{port}\"]\n"));
    let mut two = Hub::new("hub-2", "");
    two.joins(&one, Trust::Report);
    within(PATIENCE, "both are alive", || one.sees(&two) == Some(NodeState::Alive));
    drop(witness);
    let isolated = || match one.ask(Request::Snapshot) {
        Ok(Reply::Snapshot(snapshot)) => snapshot.isolated.is_some(),
        other => panic!("{other:?}"),
    };
    within(DETECTION, "it notices that no witness answers", isolated);
    two.site.kill();
    within(DETECTION, "nothing is known of the other", || one.sees(&two) == Some(NodeState::IsolatedSelf));
    let why = one.panel().me.and_then(|me| me.why).unwrap_or_default();
    assert_eq!(why, "the only other node is not heard, and too few witnesses answer");
    assert!(!one.called_down());
    let _witness = TcpListener::bind(("127.0.0.1", port)).expect("the same port");
    within(DETECTION, "it is the other that is gone", || one.sees(&two) == Some(NodeState::Down));
    assert_eq!(one.panel().me.map(|me| me.state), Some(NodeState::Alive));
}

#[test]
fn a_node_with_a_restored_database_begins_a_new_life() {
    let messages = "[federation]\nshare = [\"counts\"]\nmessages_when = 'channel is known'\n";
    let (one, mut two) = (Hub::new("hub-1", messages), Hub::new("hub-2", messages));
    two.joins(&one, Trust::Report);
    two.deliver("kept");
    within(PATIENCE, "the first message", || one.remote(&two).messages.len() == 1);
    two.site.stop();
    let (state, copy) = (two.site.path().join("state"), two.site.path().join("copy"));
    std::fs::create_dir(&copy).expect("a directory");
    // What is not in the database yet is in its log, where there is one.
    let carry = |from: &std::path::Path, to: &std::path::Path| {
        for name in ["aurora.db", "aurora.db-wal", "aurora.db-shm"] {
            let _ = std::fs::remove_file(to.join(name));
            if name != "aurora.db-shm" && from.join(name).exists() {
                std::fs::copy(from.join(name), to.join(name)).expect("copies");
            }
        }
    };
    carry(&state, &copy);
    two.site.serve();
    for number in 0..5 {
        two.deliver(&format!("lost-{number}"));
    }
    within(DETECTION, "all messages", || one.remote(&two).messages.len() == 6);
    two.site.kill();
    carry(&copy, &state);
    two.site.serve();
    two.deliver("after");
    within(DETECTION, "its log begins anew", || {
        one.remote(&two).messages.iter().any(|message| message.subject.contains("after"))
    });
    assert_ne!(one.sees(&two), Some(NodeState::Quarantined));
}

#[test]
fn an_observer_of_ten_seconds_calls_nobody_down() {
    let hubs = [Hub::new("hub-1", ""), Hub::new("hub-2", ""), Hub::new("hub-3", "")];
    let [one, two, three] = &hubs;
    two.joins(one, Trust::Report);
    three.joins(one, Trust::Report);
    three.joins(two, Trust::Report);
    let all_alive = || {
        hubs.iter().all(|hub| {
            hub.panel().nodes.len() == 2 && hub.panel().nodes.iter().all(|node| node.state == NodeState::Alive)
        })
    };
    within(DETECTION, "all are alive", all_alive);
    for _ in 0..3 {
        one.site.signal(Signal::STOP);
        std::thread::sleep(Duration::from_secs(10));
        one.site.signal(Signal::CONT);
        within(DETECTION, "all go on", all_alive);
    }
    assert!(!one.called_down());
}
