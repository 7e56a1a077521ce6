//! What screens and commands ask about nodes, and what they hear of them.

use std::cmp::Reverse;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::{
    ChannelStats, CheckPanel, Invitation, JobRow, MessageRow, NodeKey, NodeName, NodePanel, SharedKind, TaskStatus,
    Trust,
};

use super::BridgeReply;
use super::BridgeRequest;

/// The nodes that know each other, as this one sees them, and what they share.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct NodesPanel {
    /// This node, when it takes part.
    pub me: Option<NodePanel>,
    /// The others, by name.
    pub nodes: Vec<NodePanel>,
    /// What each of the others shares, by name of the node.
    pub remote: Vec<RemoteNode>,
    /// The newest entries of all logs, newest first.
    pub news: Vec<SharedLine>,
}

/// What another node shares: the last that is known, however old it is. How old that is says its [`NodePanel`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RemoteNode {
    /// Whose.
    pub node: NodeName,
    /// Its checks, by id; 1,000 at most.
    pub checks: Vec<CheckPanel>,
    /// The counts of its channels, by channel; 1,000 at most.
    pub counts: Vec<ChannelStats>,
    /// What is wrong there, the worst first; 1,000 at most.
    pub incidents: Vec<RemoteIncident>,
    /// Its newest jobs, newest first; 50 at most.
    pub jobs: Vec<JobRow>,
    /// Its tasks, by name; 1,000 at most.
    pub tasks: Vec<TaskStatus>,
    /// Its newest messages, where it shares them, newest first; 100 at most.
    pub messages: Vec<MessageRow>,
}

impl RemoteNode {
    /// A node of which nothing is known yet.
    #[must_use]
    pub fn new(node: NodeName) -> Self {
        Self {
            node,
            checks: Vec::new(),
            counts: Vec::new(),
            incidents: Vec::new(),
            jobs: Vec::new(),
            tasks: Vec::new(),
            messages: Vec::new(),
        }
    }
}

/// Something that is wrong on another node, or was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoteIncident {
    /// About what: the id of a check.
    pub subject: String,
    /// How bad, as the node says: `critical`, `warn`, `stale`, `ok` when it is over.
    pub state: String,
    /// Since when.
    pub since: Timestamp,
    /// Why, in one line. Text from outside; whoever shows it sanitises it.
    pub cause: Option<String>,
    /// Which node has told somebody, when any has.
    pub told_by: Option<NodeName>,
}

/// One entry of a node's log, in a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedLine {
    /// Whose.
    pub node: NodeName,
    /// Its number there.
    pub seq: u64,
    /// When it was written, by that node's clock.
    pub at: Timestamp,
    /// What it is about, as `check web`.
    pub about: String,
    /// What it says. Text from outside; whoever shows it sanitises it.
    pub text: String,
}

/// What has changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NodesNotice {
    /// These nodes stand otherwise now; those of them that are unknown are new.
    Nodes(Vec<NodePanel>),
    /// This node as it is now.
    Me(Box<NodePanel>),
    /// These nodes are gone, and what they shared.
    Removed(Vec<NodeName>),
    /// All that these nodes share now.
    Remote(Vec<RemoteNode>),
    /// What these nodes share has changed so far.
    Changed(Vec<RemoteChange>),
    /// New entries of logs, oldest first; in a burst only the newest.
    News(Vec<SharedLine>),
}

/// What has changed of what a node shares.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RemoteChange {
    /// What is new or otherwise now.
    pub put: RemoteNode,
    /// What is no longer there: its kind, and its subject as in the log.
    pub gone: Vec<(SharedKind, String)>,
}

/// Entries of logs a screen keeps.
const NEWS: usize = 200;
/// Checks of another node that are kept, and as many counts, tasks and incidents: the store keeps as many states of a kind.
pub const REMOTE_STATES: usize = 1_000;
/// Jobs and messages of another node that are kept.
const JOBS: usize = 50;
const MESSAGES: usize = 100;

impl RemoteNode {
    /// Takes in what has changed.
    pub fn take(&mut self, change: &RemoteChange) {
        for (kind, subject) in &change.gone {
            match kind {
                SharedKind::Check => self.checks.retain(|check| check.id.as_str() != subject),
                SharedKind::Counts => self.counts.retain(|counts| counts.channel.as_str() != subject),
                SharedKind::Incident => self.incidents.retain(|incident| incident.subject != *subject),
                SharedKind::Job => self.jobs.retain(|job| job.id.to_string() != *subject),
                SharedKind::Task => self.tasks.retain(|task| task.name != *subject),
                SharedKind::Message => self.messages.retain(|message| message.id.to_string() != *subject),
                SharedKind::Told => {}
            }
        }
        let new = &change.put;
        new.checks.iter().for_each(|check| put(&mut self.checks, check, |known| &known.id));
        new.counts.iter().for_each(|counts| put(&mut self.counts, counts, |known| &known.channel));
        new.tasks.iter().for_each(|task| put(&mut self.tasks, task, |known| &known.name));
        for incident in &new.incidents {
            self.incidents.retain(|known| known.subject != incident.subject);
            let place = self.incidents.partition_point(|known| known.order() < incident.order());
            self.incidents.insert(place, incident.clone());
        }
        self.checks.truncate(REMOTE_STATES);
        self.counts.truncate(REMOTE_STATES);
        self.tasks.truncate(REMOTE_STATES);
        self.incidents.truncate(REMOTE_STATES);
        for job in &new.jobs {
            self.jobs.retain(|known| known.id != job.id);
            self.jobs.push(job.clone());
        }
        self.jobs.sort_by_key(|job| Reverse((job.asked, job.id)));
        self.jobs.truncate(JOBS);
        for message in &new.messages {
            self.messages.retain(|known| known.id != message.id);
            self.messages.push(message.clone());
        }
        self.messages.sort_by_key(|message| Reverse(message.seq));
        self.messages.truncate(MESSAGES);
    }
}

impl RemoteIncident {
    /// The worst first, and of those the newest.
    fn order(&self) -> (u8, Reverse<Timestamp>, &str) {
        let rank = match self.state.as_str() {
            "critical" => 0,
            "warn" => 1,
            "ok" => 3,
            _ => 2,
        };
        (rank, Reverse(self.since), &self.subject)
    }

    /// Whether it is over.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.state == "ok"
    }
}

impl NodesPanel {
    /// Applies a change, as the engine applied it.
    pub fn apply(&mut self, notice: &NodesNotice) {
        match notice {
            NodesNotice::Nodes(changed) => {
                for node in changed {
                    put(&mut self.nodes, node, |known| &known.name);
                }
            }
            NodesNotice::Me(me) => self.me = Some(me.as_ref().clone()),
            NodesNotice::Removed(names) => {
                self.nodes.retain(|node| !names.contains(&node.name));
                self.remote.retain(|remote| !names.contains(&remote.node));
            }
            NodesNotice::Remote(changed) => {
                for remote in changed {
                    put(&mut self.remote, remote, |known| &known.node);
                }
            }
            NodesNotice::Changed(changes) => {
                for change in changes {
                    let node = &change.put.node;
                    let place = self.remote.binary_search_by(|known| known.node.cmp(node)).unwrap_or_else(|place| {
                        self.remote.insert(place, RemoteNode::new(node.clone()));
                        place
                    });
                    self.remote[place].take(change);
                }
            }
            NodesNotice::News(lines) => {
                self.news.splice(0..0, lines.iter().rev().cloned());
                self.news.truncate(NEWS);
            }
        }
    }

    /// The node of this name, this one included.
    #[must_use]
    pub fn node(&self, name: &str) -> Option<&NodePanel> {
        self.me.iter().chain(&self.nodes).find(|node| node.name.as_str() == name)
    }

    /// What the others share, with how each stands, by name. What nobody is known to have said is left out.
    pub fn shared(&self) -> impl Iterator<Item = (&NodePanel, &RemoteNode)> {
        self.remote.iter().filter_map(|remote| {
            let node = self.nodes.iter().find(|node| node.name == remote.node)?;
            Some((node, remote))
        })
    }

    /// What the node of this name shares.
    #[must_use]
    pub fn remote(&self, name: &str) -> Option<&RemoteNode> {
        self.remote.iter().find(|remote| remote.node.as_str() == name)
    }
}

/// Puts `new` at its place in `list`, which is in the order of `key`, over one of the same key.
fn put<T: Clone, K: Ord>(list: &mut Vec<T>, new: &T, key: impl Fn(&T) -> &K) {
    match list.binary_search_by(|known| key(known).cmp(key(new))) {
        Ok(place) => list[place].clone_from(new),
        Err(place) => list.insert(place, new.clone()),
    }
}

/// A question about nodes, or an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NodeRequest {
    /// The nodes, and what they share.
    List,
    /// Make a token by which one other node may join, once, within 15 minutes.
    Invite {
        /// What it may do here.
        trust: Trust,
    },
    /// Join the node that made this token: both pin the other's key.
    Join {
        /// What `aurora node invite` printed.
        token: String,
        /// What that node may do here.
        trust: Trust,
    },
    /// Know a node by its key, which was brought over by hand.
    Add {
        /// Its name.
        name: NodeName,
        /// Where it listens.
        url: String,
        /// Its key.
        key: NodeKey,
        /// What it may do here.
        trust: Trust,
    },
    /// Let a node do more or less here from now on, and end its quarantine.
    Trust {
        /// Which.
        name: NodeName,
        /// What it may do.
        trust: Trust,
    },
    /// Forget a node: its key no longer counts, and what it shared is dropped.
    Remove(NodeName),
    /// Make a new key of this node's. Both count for 24 hours, so that no heartbeat is refused meanwhile.
    Rotate,
    /// Have something done on another node, by whoever asks here. It is judged there by its own policy.
    On {
        /// Which node.
        node: NodeName,
        /// What.
        order: NodeOrder,
    },
}

impl NodeRequest {
    /// Whether it changes anything.
    #[must_use]
    pub fn writes(&self) -> bool {
        match self {
            Self::List => false,
            Self::On { order, .. } => order.writes(),
            _ => true,
        }
    }

    /// Whether asking twice does no more than asking once.
    #[must_use]
    pub fn is_idempotent(&self) -> bool {
        match self {
            Self::List | Self::Add { .. } | Self::Trust { .. } | Self::Remove(_) => true,
            Self::Invite { .. } | Self::Join { .. } | Self::Rotate => false,
            Self::On { order, .. } => !matches!(order, NodeOrder::RestartTask(_)),
        }
    }
}

/// What may be asked of another node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NodeOrder {
    /// Something about its hosts and jobs.
    Bridge(BridgeRequest),
    /// Stop one of its background tasks and start it again.
    RestartTask(String),
}

impl NodeOrder {
    /// Whether it changes anything.
    #[must_use]
    pub fn writes(&self) -> bool {
        match self {
            Self::Bridge(request) => request.writes(),
            Self::RestartTask(_) => true,
        }
    }
}

/// The answer to a [`NodeRequest`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NodeReply {
    /// It is done.
    Done,
    /// The nodes, and what they share.
    Nodes(Box<NodesPanel>),
    /// The token.
    Invited(Invitation),
    /// Who is known now, and by which fingerprint.
    Joined {
        /// The other node.
        name: NodeName,
        /// Its fingerprint, to be compared there.
        fingerprint: String,
        /// This node's fingerprint.
        own: String,
    },
    /// The new key, and until when the one before counts.
    Rotated {
        /// The new one.
        key: NodeKey,
        /// The end of the other.
        until: Timestamp,
    },
    /// What the other node's bridge says.
    Bridge(Box<BridgeReply>),
}

#[cfg(test)]
mod tests {
    use crate::model::CheckState;

    use super::*;

    fn name(text: &str) -> NodeName {
        text.parse().expect("a name")
    }

    fn change(node: &str, make: impl FnOnce(&mut RemoteNode), gone: &[(SharedKind, &str)]) -> NodesNotice {
        let mut put = RemoteNode::new(name(node));
        make(&mut put);
        let gone = gone.iter().map(|(kind, subject)| (*kind, (*subject).to_owned())).collect();
        NodesNotice::Changed(vec![RemoteChange { put, gone }])
    }

    #[test]
    fn changes_of_a_node_are_put_where_they_belong() {
        let at = |second| Timestamp::from_second(second).expect("in range");
        let mut panel = NodesPanel::default();
        let check = |id, state| CheckPanel::sample(id, state, at(1));
        let incident = |subject: &str, state: &str, since| RemoteIncident {
            subject: subject.into(),
            state: state.into(),
            since: at(since),
            cause: None,
            told_by: None,
        };
        panel.apply(&change("hub-2", |put| put.checks = vec![check("web", CheckState::Ok)], &[]));
        panel.apply(&change("hub-2", |put| put.checks = vec![check("db", CheckState::Ok)], &[]));
        panel.apply(&change("hub-2", |put| put.checks = vec![check("web", CheckState::Warn)], &[]));
        panel.apply(&change("hub-1", |put| put.incidents = vec![incident("a", "warn", 1)], &[]));
        panel.apply(&change(
            "hub-1",
            |put| put.incidents = vec![incident("b", "ok", 3), incident("c", "critical", 2)],
            &[],
        ));
        let order: Vec<&str> = panel.remote.iter().map(|remote| remote.node.as_str()).collect();
        assert_eq!(order, ["hub-1", "hub-2"]);
        let checks: Vec<_> =
            panel.remote("hub-2").expect("known").checks.iter().map(|one| (one.id.as_str(), one.state)).collect();
        assert_eq!(checks, [("db", CheckState::Ok), ("web", CheckState::Warn)]);
        let subjects: Vec<_> =
            panel.remote("hub-1").expect("known").incidents.iter().map(|one| &one.subject[..]).collect();
        assert_eq!(subjects, ["c", "a", "b"], "the worst first, what is over last");
        panel.apply(&change("hub-2", |_| {}, &[(SharedKind::Check, "web"), (SharedKind::Check, "none")]));
        assert_eq!(panel.remote("hub-2").expect("known").checks.len(), 1);
    }

    #[test]
    fn what_one_node_shares_is_bounded_and_the_worst_stays() {
        let at = |second| Timestamp::from_second(second).expect("in range");
        let mut remote = RemoteNode::new(name("hub-2"));
        for n in 0..1_500 {
            let mut put = RemoteNode::new(name("hub-2"));
            put.checks = vec![CheckPanel::sample(&format!("c{n}"), CheckState::Ok, at(1))];
            put.incidents = vec![RemoteIncident {
                subject: format!("c{n}"),
                state: if n == 7 { "critical" } else { "ok" }.into(),
                since: at(n),
                cause: None,
                told_by: None,
            }];
            remote.take(&RemoteChange { put, gone: Vec::new() });
        }
        assert_eq!((remote.checks.len(), remote.incidents.len()), (REMOTE_STATES, REMOTE_STATES));
        assert_eq!((&*remote.incidents[0].subject, &*remote.incidents[1].subject), ("c7", "c1499"));
    }
}
