//! What screens and commands ask about nodes, and what they hear of them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::{
    ChannelStats, CheckPanel, Invitation, JobRow, MessageRow, NodeKey, NodeName, NodePanel, TaskStatus, Trust,
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
    /// Its checks, by id.
    pub checks: Vec<CheckPanel>,
    /// The counts of its channels, by channel.
    pub counts: Vec<ChannelStats>,
    /// What is wrong there, the worst first.
    pub incidents: Vec<RemoteIncident>,
    /// Its newest jobs, newest first; 50 at most.
    pub jobs: Vec<JobRow>,
    /// Its tasks, by name.
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
    /// What these nodes share now.
    Remote(Vec<RemoteNode>),
    /// New entries of logs, oldest first; in a burst only the newest.
    News(Vec<SharedLine>),
}

/// Entries of logs a screen keeps.
const NEWS: usize = 200;

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
