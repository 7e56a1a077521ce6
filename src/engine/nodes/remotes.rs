//! What other nodes share, made of the entries of their logs, and what screens are told of it. Pure.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use jiff::Timestamp;

use crate::model::{
    ChannelStats, CheckId, CheckPanel, CheckState, JobRow, MessageRow, NodeName, SharedEvent, SharedKind, TaskStatus,
};
use crate::protocol::{NodesNotice, REMOTE_STATES, RemoteChange, RemoteIncident, RemoteNode, SharedLine};

use super::publisher::GONE;

/// Lines of one notice; in a burst only the newest.
const LINES: usize = 20;
/// Lines that are kept for who comes later.
const KEPT: usize = 200;
/// Longest text of a line, in characters.
const TEXT: usize = 120;

/// What an entry about an incident says.
#[derive(Debug, Deserialize)]
pub(super) struct IncidentBody {
    pub state: String,
    pub since: Timestamp,
    pub cause: Option<String>,
    /// Whether several nodes look at the same: what each of them says is one incident.
    #[serde(default)]
    pub common: bool,
}

/// What an entry says that somebody was told of an incident.
#[derive(Debug, Clone, serde::Serialize, Deserialize)]
pub(super) struct ToldBody {
    /// The node whose incident it is.
    pub node: NodeName,
    /// Which incident: a check that went wrong then.
    pub since: Timestamp,
    /// Whether several nodes look at the same.
    #[serde(default)]
    pub common: bool,
}

/// What all other nodes share, as far as it is applied here.
#[derive(Debug, Default)]
pub(super) struct Remotes {
    nodes: BTreeMap<NodeName, RemoteNode>,
    /// What screens have not heard of: all of a node, what has changed of one, new lines.
    whole: BTreeSet<NodeName>,
    changed: BTreeMap<NodeName, RemoteChange>,
    lines: VecDeque<SharedLine>,
    kept: VecDeque<SharedLine>,
}

impl Remotes {
    /// What is known of every node.
    pub(super) fn all(&self) -> Vec<RemoteNode> {
        self.nodes.values().cloned().collect()
    }

    /// How `node` sees the check `id` by its own looks alone.
    pub(super) fn vote(&self, node: &NodeName, id: &CheckId) -> Option<CheckState> {
        let check = self.nodes.get(node)?.checks.iter().find(|check| check.id == *id && check.enabled)?;
        Some(check.vote())
    }

    /// The newest lines, newest first.
    pub(super) fn news(&self) -> Vec<SharedLine> {
        self.kept.iter().rev().cloned().collect()
    }

    /// Entries of the log of `node` were applied, in their order.
    pub(super) fn applied(&mut self, node: &NodeName, events: &[SharedEvent]) {
        for event in events {
            self.put(node, event.kind, &event.subject, event.body.get());
            self.line(&line(node, event));
        }
    }

    /// An own entry was written: screens see it among the others.
    pub(super) fn line(&mut self, line: &SharedLine) {
        for lines in [&mut self.lines, &mut self.kept] {
            lines.push_back(line.clone());
        }
        while self.lines.len() > LINES {
            self.lines.pop_front();
        }
        while self.kept.len() > KEPT {
            self.kept.pop_front();
        }
    }

    /// The newest entry about a subject says this. What is no sense is left out: it came signed and counts as received,
    /// and there is nobody to tell.
    pub(super) fn put(&mut self, node: &NodeName, kind: SharedKind, subject: &str, body: &str) {
        if kind == SharedKind::Told {
            if let Some(told) = read::<ToldBody>(body) {
                self.told(node, subject, &told);
            }
            return;
        }
        let mut put = RemoteNode::new(node.clone());
        let mut gone = Vec::new();
        match kind {
            _ if body == GONE => gone.push((kind, subject.to_owned())),
            SharedKind::Check => {
                put.checks.extend(read::<CheckPanel>(body).filter(|check| check.id.as_str() == subject));
            }
            SharedKind::Counts => {
                put.counts.extend(read::<ChannelStats>(body).filter(|counts| counts.channel.as_str() == subject));
            }
            SharedKind::Incident => put.incidents.extend(read::<IncidentBody>(body).map(|incident| RemoteIncident {
                subject: subject.to_owned(),
                told_by: self.told_by(node, subject, incident.since),
                state: incident.state,
                since: incident.since,
                cause: incident.cause,
            })),
            SharedKind::Job => put.jobs.extend(read::<JobRow>(body).filter(|job| job.id.to_string() == subject)),
            SharedKind::Task => put.tasks.extend(read::<TaskStatus>(body).filter(|task| task.name == subject)),
            SharedKind::Message => {
                put.messages.extend(read::<MessageRow>(body).filter(|message| message.id.to_string() == subject));
            }
            SharedKind::Told => return,
        }
        self.take(RemoteChange { put, gone });
    }

    fn take(&mut self, change: RemoteChange) {
        let node = change.put.node.clone();
        let known = self.nodes.entry(node.clone()).or_insert_with(|| RemoteNode::new(node.clone()));
        known.take(&change);
        if self.whole.contains(&node) {
            return;
        }
        let RemoteChange { put, gone } = change;
        let waiting = self.changed.entry(node.clone());
        let waiting = waiting.or_insert_with(|| RemoteChange { put: RemoteNode::new(node.clone()), gone: Vec::new() });
        // What came back is not gone, and what is gone did not change.
        let subjects = subjects(&put);
        waiting.gone.retain(|gone| !subjects.contains(gone));
        waiting.put.take(&RemoteChange { put, gone: gone.clone() });
        waiting.gone.extend(gone);
        // Of so much screens hear all that is left at once.
        if waiting.gone.len() > REMOTE_STATES {
            self.changed.remove(&node);
            self.whole.insert(node);
        }
    }

    /// Who is known to have told somebody of this incident.
    fn told_by(&self, node: &NodeName, subject: &str, since: Timestamp) -> Option<NodeName> {
        let known = self.nodes.get(node)?.incidents.iter().find(|incident| incident.subject == subject)?;
        known.told_by.clone().filter(|_| known.since == since)
    }

    /// `by` has told somebody. The first who did is shown.
    fn told(&mut self, by: &NodeName, subject: &str, told: &ToldBody) {
        let known = self.nodes.get(&told.node).and_then(|node| {
            node.incidents.iter().find(|incident| incident.subject == subject && incident.since == told.since)
        });
        let Some(incident) = known.filter(|incident| incident.told_by.is_none()).cloned() else { return };
        let mut put = RemoteNode::new(told.node.clone());
        put.incidents.push(RemoteIncident { told_by: Some(by.clone()), ..incident });
        self.take(RemoteChange { put, gone: Vec::new() });
    }

    /// What `node` shared before does not count any more: its log has begun anew.
    pub(super) fn begin_anew(&mut self, node: &NodeName) {
        self.nodes.insert(node.clone(), RemoteNode::new(node.clone()));
        self.changed.remove(node);
        self.whole.insert(node.clone());
    }

    /// `node` is no longer known.
    pub(super) fn forget(&mut self, node: &NodeName) {
        self.nodes.remove(node);
        self.changed.remove(node);
        self.whole.remove(node);
    }

    /// What screens have not heard of yet.
    pub(super) fn notices(&mut self) -> Vec<NodesNotice> {
        let mut notices = Vec::new();
        let whole: Vec<RemoteNode> =
            std::mem::take(&mut self.whole).iter().filter_map(|node| self.nodes.get(node)).cloned().collect();
        if !whole.is_empty() {
            notices.push(NodesNotice::Remote(whole));
        }
        let changed: Vec<RemoteChange> = std::mem::take(&mut self.changed).into_values().collect();
        if !changed.is_empty() {
            notices.push(NodesNotice::Changed(changed));
        }
        let lines: Vec<SharedLine> = self.lines.drain(..).collect();
        if !lines.is_empty() {
            notices.push(NodesNotice::News(lines));
        }
        notices
    }

    /// Nobody has to hear of what is known so far: they begin with it.
    pub(super) fn settle(&mut self) {
        self.whole.clear();
        self.changed.clear();
        self.lines.clear();
    }
}

fn read<T: DeserializeOwned>(body: &str) -> Option<T> {
    serde_json::from_str(body).ok()
}

/// What `node` holds, by kind and subject.
fn subjects(node: &RemoteNode) -> BTreeSet<(SharedKind, String)> {
    let checks = node.checks.iter().map(|one| (SharedKind::Check, one.id.to_string()));
    let counts = node.counts.iter().map(|one| (SharedKind::Counts, one.channel.to_string()));
    let incidents = node.incidents.iter().map(|one| (SharedKind::Incident, one.subject.clone()));
    let jobs = node.jobs.iter().map(|one| (SharedKind::Job, one.id.to_string()));
    let tasks = node.tasks.iter().map(|one| (SharedKind::Task, one.name.clone()));
    let messages = node.messages.iter().map(|one| (SharedKind::Message, one.id.to_string()));
    checks.chain(counts).chain(incidents).chain(jobs).chain(tasks).chain(messages).collect()
}

/// An entry in a line.
pub(super) fn line(node: &NodeName, event: &SharedEvent) -> SharedLine {
    let body: serde_json::Value = serde_json::from_str(event.body.get()).unwrap_or_default();
    let text = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
    let said = match event.kind {
        _ if body.is_null() => "gone".to_owned(),
        SharedKind::Check | SharedKind::Incident => [text("state"), text("cause")].join(" "),
        SharedKind::Counts => format!("{} messages, {} unread", body["messages"], body["unread"]),
        SharedKind::Job => {
            [text("title"), read::<JobRow>(event.body.get()).map(|job| job.state.word().to_owned()).unwrap_or_default()]
                .join(": ")
        }
        SharedKind::Task => text("state"),
        SharedKind::Message => [text("from"), text("subject")].join(": "),
        SharedKind::Told => format!("told of it on {}", text("node")),
    };
    SharedLine {
        node: node.clone(),
        seq: event.seq,
        at: event.hlc.at(),
        about: format!("{} {}", event.kind, event.subject),
        text: said.trim().chars().take(TEXT).collect(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::value::to_raw_value;
    use uuid::Uuid;

    use crate::model::{ChainHash, CheckState, Hlc, SharedId};
    use crate::protocol::NodesPanel;

    use super::*;

    /// What is known of `hub-2`.
    fn hub(remotes: &Remotes) -> &RemoteNode {
        &remotes.nodes[&name("hub-2")]
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + seconds).expect("in range")
    }

    fn name(text: &str) -> NodeName {
        text.parse().expect("a name")
    }

    fn entry(kind: SharedKind, subject: &str, body: &impl serde::Serialize) -> SharedEvent {
        SharedEvent {
            id: SharedId::from_uuid(Uuid::from_u128(1)),
            seq: 1,
            hlc: Hlc::default().next(at(0)),
            kind,
            subject: subject.into(),
            body: to_raw_value(body).expect("JSON"),
            hash: ChainHash::BEGINNING,
        }
    }

    fn incident(state: &str, since: i64) -> serde_json::Value {
        serde_json::json!({"state": state, "since": at(since), "cause": "503"})
    }

    #[test]
    fn a_screen_that_hears_every_notice_sees_what_is_known() {
        let mut remotes = Remotes::default();
        let mut screen = NodesPanel::default();
        let steps: [&[SharedEvent]; 4] = [
            &[entry(SharedKind::Check, "web", &CheckPanel::sample("web", CheckState::Ok, at(0)))],
            &[
                entry(SharedKind::Check, "web", &CheckPanel::sample("web", CheckState::Critical, at(1))),
                entry(SharedKind::Incident, "web", &incident("critical", 1)),
                entry(SharedKind::Check, "db", &CheckPanel::sample("db", CheckState::Ok, at(0))),
                entry(SharedKind::Check, "web", &()),
            ],
            &[
                entry(SharedKind::Check, "db", &()),
                entry(SharedKind::Check, "db", &CheckPanel::sample("db", CheckState::Warn, at(2))),
            ],
            &[entry(SharedKind::Incident, "web", &incident("ok", 3))],
        ];
        for step in steps {
            remotes.applied(&name("hub-2"), step);
            for notice in remotes.notices() {
                screen.apply(&notice);
            }
            assert_eq!(screen.remote, remotes.all());
        }
        assert_eq!(screen.news, remotes.news());
        let hub = hub(&remotes);
        assert_eq!(
            (hub.checks.len(), hub.checks[0].state, hub.incidents[0].state.as_str()),
            (1, CheckState::Warn, "ok")
        );
        remotes.begin_anew(&name("hub-2"));
        for notice in remotes.notices() {
            screen.apply(&notice);
        }
        assert!(screen.remote[0].checks.is_empty());
        assert!(remotes.notices().is_empty());
    }

    #[test]
    fn a_node_that_takes_ever_more_back_fills_nothing() {
        let mut remotes = Remotes::default();
        let mut screen = NodesPanel::default();
        let check = CheckPanel::sample("web", CheckState::Ok, at(0));
        remotes.applied(&name("hub-2"), &[entry(SharedKind::Check, "web", &check)]);
        for n in 0..5_000 {
            remotes.applied(&name("hub-2"), &[entry(SharedKind::Task, &n.to_string(), &())]);
            let waiting = remotes.changed.values().map(|change| change.gone.len()).sum::<usize>();
            assert!(waiting <= REMOTE_STATES);
        }
        remotes.notices().iter().for_each(|notice| screen.apply(notice));
        assert_eq!(screen.remote, remotes.all());
    }

    #[test]
    fn what_is_no_sense_or_about_something_else_shows_nothing() {
        let mut remotes = Remotes::default();
        let other = CheckPanel::sample("db", CheckState::Ok, at(0));
        for (kind, body) in [
            (SharedKind::Check, serde_json::to_value(&other).expect("JSON")),
            (SharedKind::Check, serde_json::json!({"state": 7})),
            (SharedKind::Incident, serde_json::json!([])),
            (SharedKind::Job, serde_json::json!("x")),
            (SharedKind::Told, serde_json::json!({"node": "../..", "since": 1})),
        ] {
            remotes.applied(&name("hub-2"), &[entry(kind, "web", &body)]);
        }
        assert!(remotes.all().iter().all(|node| node.checks.is_empty() && node.incidents.is_empty()));
        let long = serde_json::json!({"state": "x".repeat(9_000), "since": at(0), "cause": null});
        remotes.applied(&name("hub-2"), &[entry(SharedKind::Incident, "web", &long)]);
        assert!(remotes.news()[0].text.len() <= TEXT);
    }

    #[test]
    fn the_first_who_told_is_shown_with_the_incident_it_was_about() {
        let mut remotes = Remotes::default();
        let told = |since| ToldBody { node: name("hub-2"), since: at(since), common: false };
        remotes.applied(&name("hub-2"), &[entry(SharedKind::Incident, "web", &incident("critical", 1))]);
        remotes.applied(&name("hub-1"), &[entry(SharedKind::Told, "web", &told(9))]);
        let by = |remotes: &Remotes| hub(remotes).incidents[0].told_by.clone();
        assert_eq!(by(&remotes), None, "that was another one");
        for who in ["hub-1", "hub-3"] {
            remotes.applied(&name(who), &[entry(SharedKind::Told, "web", &told(1))]);
        }
        assert_eq!(by(&remotes), Some(name("hub-1")));
        remotes.applied(&name("hub-2"), &[entry(SharedKind::Incident, "web", &incident("critical", 1))]);
        assert_eq!(by(&remotes), Some(name("hub-1")), "the same incident again");
        remotes.applied(&name("hub-2"), &[entry(SharedKind::Incident, "web", &incident("critical", 5))]);
        assert_eq!(by(&remotes), None);
    }
}
