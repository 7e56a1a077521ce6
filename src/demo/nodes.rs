//! The other nodes of the made-up world: one that shares much, and one behind it that goes down and comes back.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::model::{
    ChannelStats, CheckKind, CheckPanel, CheckState, End, JobId, JobRow, JobState, LayerKind, Marks, MessageId,
    MessageRow, NodeKey, NodeName, NodePanel, NodeState, Outcome, Strip, TaskState, TaskStatus, Trust,
};
use crate::protocol::{NodesNotice, NodesPanel, RemoteIncident, RemoteNode, SharedLine};

use super::Scene;
use super::remote::id;

/// Seconds from one time the far node goes down to the next, and the part of them in which it is down.
const ROUND: i64 = 240;
const DOWN: std::ops::Range<i64> = 60..150;
/// Seconds it takes to catch up.
const CATCHES_UP: i64 = 15;
/// A node's log grows by one entry in so many seconds.
const ENTRY: i64 = 5;

/// The nodes as they are at `now`; nothing in a scene that is about something else, or where a name cannot be read,
/// which is a mistake in this program.
pub(super) fn at(scene: Scene, began: Timestamp, now: Timestamp) -> Option<NodesPanel> {
    if scene == Scene::Busy {
        return None;
    }
    // Where nothing changes the far node is down, so that there is something to see.
    let (now, down) = match scene {
        Scene::Still => (began, Some(372)),
        _ => {
            let within = seconds(began, now).rem_euclid(ROUND);
            (now, DOWN.contains(&within).then_some(within - DOWN.start))
        }
    };
    Teller { began, now, down }.panel(scene)
}

/// What leads from `before` to `after`.
pub(super) fn changes(before: &NodesPanel, after: &NodesPanel) -> Vec<NodesNotice> {
    let nodes: Vec<NodePanel> = after.nodes.iter().filter(|node| !before.nodes.contains(node)).cloned().collect();
    let remote: Vec<RemoteNode> = after.remote.iter().filter(|one| !before.remote.contains(one)).cloned().collect();
    let mut news: Vec<SharedLine> = after.news.iter().filter(|line| !before.news.contains(line)).cloned().collect();
    news.reverse();
    let mut notices = Vec::new();
    if !nodes.is_empty() {
        notices.push(NodesNotice::Nodes(nodes));
    }
    if !remote.is_empty() {
        notices.push(NodesNotice::Remote(remote));
    }
    if !news.is_empty() {
        notices.push(NodesNotice::News(news));
    }
    notices
}

fn seconds(from: Timestamp, to: Timestamp) -> i64 {
    to.as_second() - from.as_second()
}

struct Teller {
    began: Timestamp,
    now: Timestamp,
    /// Seconds since when the far node is down.
    down: Option<i64>,
}

impl Teller {
    fn ago(&self, seconds: i64) -> Timestamp {
        self.now.checked_sub(SignedDuration::from_secs(seconds)).unwrap_or(self.now)
    }

    /// So long before the world began.
    fn before(&self, seconds: i64) -> Timestamp {
        self.began.checked_sub(SignedDuration::from_secs(seconds)).unwrap_or(self.began)
    }

    /// How many entries a log has that began with so many.
    fn high(&self, began_with: u64) -> u64 {
        began_with + (seconds(self.began, self.now) / ENTRY).max(0).unsigned_abs()
    }

    fn panel(&self, scene: Scene) -> Option<NodesPanel> {
        let (hub, edge) = (name("hub-berlin")?, name("edge-oslo")?);
        let elapsed = seconds(self.began, self.now);
        // Distances move a little, as on any line.
        let wobble = elapsed.rem_euclid(7).unsigned_abs();
        let me = NodePanel {
            url: Some("https://demo.example.org:9292".into()),
            hears: vec![hub.clone()],
            started: Some(self.before(7_200)),
            ..self.node(name("DEMO")?, 7_200)
        };
        let high = self.high(48_112);
        let near = NodePanel {
            url: Some("https://hub-berlin.example.org:9292".into()),
            trust: Trust::Command,
            keys: vec![NodeKey::from_bytes([0xb1; 32])],
            last_seen: Some(self.ago(2)),
            started: Some(self.before(86_400 * 12)),
            rtt: Some(Duration::from_millis(21 + wobble)),
            skew_ms: Some(38),
            phi_tenths: Some(3),
            high,
            applied: high,
            rate: 12,
            bytes: (1_912_004 + high * 190, 344_120 + high * 20),
            hears: vec![name("DEMO")?, edge.clone()],
            ..self.node(hub.clone(), 86_400 * 3)
        };
        let news = self.news(&hub, &edge, scene);
        Some(NodesPanel {
            me: Some(me),
            nodes: vec![self.far(edge.clone(), hub.clone()), near],
            remote: vec![self.shared_far(edge)?, self.shared_near(hub)?],
            news,
        })
    }

    /// The node behind the other one, as it is now.
    fn far(&self, edge: NodeName, hub: NodeName) -> NodePanel {
        let elapsed = seconds(self.began, self.now);
        let since_back = elapsed.rem_euclid(ROUND) - DOWN.end;
        let high = self.high(9_407);
        let behind = match self.down {
            Some(down) => (down / ENTRY).unsigned_abs(),
            None if (0..CATCHES_UP).contains(&since_back) => (CATCHES_UP - since_back).unsigned_abs(),
            None => 0,
        };
        // Nobody knows of entries that were written since it is not heard.
        let known = if self.down.is_some() { high - behind } else { high };
        let (state, since, heard) = match self.down {
            Some(down) => (NodeState::Down, down, down + 14),
            None if elapsed < DOWN.start => (NodeState::Alive, elapsed + 5_400, 3),
            None => (NodeState::Alive, (elapsed - DOWN.end).rem_euclid(ROUND), 3),
        };
        NodePanel {
            via: Some(hub.clone()),
            state,
            why: self.down.map(|_| format!("no heartbeat, and {hub} does not reach it either")),
            keys: vec![NodeKey::from_bytes([0x05; 32])],
            last_seen: Some(self.ago(heard)),
            started: Some(self.before(86_400)),
            skew_ms: Some(-1_400),
            phi_tenths: Some(if self.down.is_some() { 120 } else { 4 }),
            high: known,
            applied: high - behind,
            lag: (behind > 0 && self.down.is_none()).then(|| Duration::from_secs(behind)),
            rate: if self.down.is_some() { 0 } else { 12 },
            missing: 18,
            bytes: (0, 0),
            hears: vec![hub],
            ..self.node(edge, since)
        }
    }

    fn node(&self, name: NodeName, since: i64) -> NodePanel {
        NodePanel {
            state: NodeState::Alive,
            version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            ..NodePanel::unknown(name, self.ago(since))
        }
    }

    fn check(&self, id: &str, target: &str, state: CheckState, since: i64, cause: Option<&str>) -> Option<CheckPanel> {
        Some(CheckPanel {
            id: id.parse().ok()?,
            kind: if target.starts_with("https") { CheckKind::Http } else { CheckKind::Tcp },
            target: target.to_owned(),
            state,
            since: self.before(since),
            cause: cause.map(str::to_owned),
            soft: None,
            flapping: false,
            last: Some(self.before(12)),
            next: None,
            latency: Some(Duration::from_millis(31)),
            phases: Vec::new(),
            p50: Some(Duration::from_millis(29)),
            p95: Some(Duration::from_millis(74)),
            p99: Some(Duration::from_millis(180)),
            uptime_24h: Some(if state == CheckState::Ok { 100.0 } else { 98.41 }),
            strip: Strip::default(),
            interval: Duration::from_secs(30),
            enabled: true,
            sights: None,
        })
    }

    fn task(&self, name: &str, state: TaskState) -> TaskStatus {
        TaskStatus {
            name: name.to_owned(),
            state,
            since: self.before(7_300),
            restarts: 0,
            last_error: None,
            next_try: None,
            trouble: None,
        }
    }

    fn job(&self, n: u128, asked: i64, host: &str, title: &str, state: JobState) -> Option<JobRow> {
        let at = self.before(asked);
        Some(JobRow {
            id: JobId::from_uuid(id(at, n)),
            host: host.parse().ok()?,
            title: title.to_owned(),
            by: "dora".parse().ok()?,
            asked: at,
            ended: state.outcome().map(|_| self.before(asked - 3)),
            state,
            layer: Some(LayerKind::Socket),
            attempts: 1,
            started: Some(at),
            rollout: None,
        })
    }

    fn message(&self, n: i64, minutes: i64, from: &str, subject: &str, preview: &str) -> Option<MessageRow> {
        let at = self.before(minutes * 60);
        Some(MessageRow {
            seq: n,
            id: MessageId::from_uuid(id(at, n.unsigned_abs().into())),
            channel: "support".parse().ok()?,
            kind: "mail".to_owned(),
            contact: None,
            from: from.to_owned(),
            vip: false,
            subject: subject.to_owned(),
            preview: preview.to_owned(),
            received: at,
            marks: Marks::default(),
        })
    }

    fn shared_near(&self, node: NodeName) -> Option<RemoteNode> {
        let counts = |channel: &str, messages, unread, vip| {
            let channel = channel.parse().ok()?;
            Some(ChannelStats { channel, messages, unread, vip, processed_today: unread + 4 })
        };
        let cause = "cert_expires > 2w: got 9d";
        Some(RemoteNode {
            checks: vec![
                self.check("mail.cert", "imap.example.org:993", CheckState::Warn, 5_000, Some(cause))?,
                self.check("portal", "https://portal.example.org/", CheckState::Ok, 700_000, None)?,
                self.check("ticket-db", "db.example.org:5432", CheckState::Ok, 90_000, None)?,
            ],
            counts: vec![counts("forms", 412, 0, 0)?, counts("support", 2_210, 5, 31)?],
            incidents: vec![RemoteIncident {
                subject: "mail.cert".to_owned(),
                state: "warn".to_owned(),
                since: self.before(5_000),
                cause: Some(cause.to_owned()),
                told_by: Some(node.clone()),
            }],
            jobs: vec![
                self.job(21, 130, "app-1", "rotate-logs", JobState::Running)?,
                self.job(22, 4_000, "app-2", "uptime", JobState::Ended(Outcome::Done(End::Exit(0))))?,
            ],
            tasks: vec![
                self.task("listener 127.0.0.1:9296", TaskState::Running),
                self.task("projector", TaskState::Running),
                self.task("search index", TaskState::Running),
            ],
            messages: vec![
                self.message(31, 9, "Lea Sommer", "Printer on the third floor", "It says PC LOAD LETTER again.")?,
                self.message(32, 48, "Jonas Weber", "Access for a new colleague", "She starts on Monday.")?,
            ],
            ..RemoteNode::new(node)
        })
    }

    fn shared_far(&self, node: NodeName) -> Option<RemoteNode> {
        Some(RemoteNode {
            checks: vec![
                self.check("gateway", "gw.example.org:443", CheckState::Ok, 300_000, None)?,
                self.check("uplink", "uplink.example.org:22", CheckState::Ok, 40_000, None)?,
            ],
            ..RemoteNode::new(node)
        })
    }

    /// The newest entries of both logs, newest first.
    fn news(&self, hub: &NodeName, edge: &NodeName, scene: Scene) -> Vec<SharedLine> {
        let told = [
            ("counts support", "5 unread, 31 VIP"),
            ("check mail.cert", "warn: cert_expires > 2w: got 9d"),
            ("job rotate-logs", "running on app-1"),
            ("check portal", "ok"),
        ];
        let high = self.high(48_112);
        let entry = |back: u64| {
            let seq = high - back;
            let (about, text) = told[usize::try_from(seq % 4).unwrap_or_default()];
            let behind = seconds(self.began, self.now).rem_euclid(ENTRY);
            let at = self.ago(back.cast_signed() * ENTRY + behind);
            SharedLine { node: hub.clone(), seq, at, about: about.to_owned(), text: text.to_owned() }
        };
        let mut news: Vec<SharedLine> = (0..if scene == Scene::Still { 8 } else { 24 }).map(entry).collect();
        let far = SharedLine {
            node: edge.clone(),
            seq: 9_407,
            at: self.before(386),
            about: "check uplink".to_owned(),
            text: "ok".to_owned(),
        };
        news.push(far);
        news
    }
}

fn name(text: &str) -> Option<NodeName> {
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn began() -> Timestamp {
        Timestamp::from_second(1_800_000_000).expect("in range")
    }

    fn after(second: i64) -> NodesPanel {
        let now = began().checked_add(SignedDuration::from_secs(second)).expect("in range");
        at(Scene::Lively, began(), now).expect("nodes")
    }

    fn far(panel: &NodesPanel) -> &NodePanel {
        panel.node("edge-oslo").expect("a node")
    }

    #[test]
    fn the_far_node_goes_down_comes_back_and_catches_up() {
        assert_eq!((far(&after(0)).state, far(&after(0)).behind()), (NodeState::Alive, 0));
        let (down, later) = (after(70), after(140));
        assert_eq!((far(&down).state, far(&down).since), (NodeState::Down, far(&later).since));
        assert!(far(&down).why.is_some() && down.node("hub-berlin").is_some_and(|hub| hub.state == NodeState::Alive));
        assert_eq!(far(&down).applied, far(&later).applied, "nothing comes from it");
        let behind: Vec<u64> = [151, 158, 170].map(|second| far(&after(second)).behind()).to_vec();
        assert!(behind[0] > behind[1] && behind[1] > behind[2] && behind[2] == 0, "{behind:?}");
        assert_eq!(far(&after(ROUND + 70)).state, NodeState::Down, "again and again");
    }

    #[test]
    fn what_changes_is_told_and_leads_there() {
        let mut shown = after(0);
        for second in (5..400).step_by(5) {
            let next = after(second);
            for notice in changes(&shown, &next) {
                shown.apply(&notice);
            }
            assert_eq!((&shown.nodes, &shown.remote), (&next.nodes, &next.remote), "second {second}");
            assert_eq!(shown.news[0], next.news[0]);
            let mut seen = std::collections::BTreeSet::new();
            assert!(shown.news.iter().all(|line| seen.insert((line.node.clone(), line.seq))), "no entry twice");
        }
        assert_eq!(changes(&shown, &shown), []);
        assert_eq!(at(Scene::Still, began(), began()).expect("nodes").nodes[0].state, NodeState::Down);
        assert_eq!(at(Scene::Busy, began(), began()), None);
    }
}
