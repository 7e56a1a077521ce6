//! The names a place may use, and what is said about one that is not among them. Pure.

use crate::model::{CheckId, HostName, NodeName, nearest};
use crate::protocol::{BadLine, Snapshot};

/// The names a place may use.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// This node.
    pub node: String,
    /// The other nodes.
    pub nodes: Vec<NodeName>,
    /// The ids of the checks here.
    pub checks: Vec<CheckId>,
    /// The ids of the checks of other nodes, with whose they are.
    pub remote: Vec<(NodeName, CheckId)>,
    /// The names of the hosts.
    pub hosts: Vec<HostName>,
}

impl From<&Snapshot> for Known {
    fn from(snapshot: &Snapshot) -> Self {
        let shared = snapshot.nodes.shared();
        let remote = shared.flat_map(|(node, remote)| remote.checks.iter().map(|c| (node.name.clone(), c.id.clone())));
        Self {
            node: snapshot.node.clone(),
            nodes: snapshot.nodes.nodes.iter().map(|node| node.name.clone()).collect(),
            checks: snapshot.checks.iter().map(|check| check.id.clone()).collect(),
            remote: remote.collect(),
            hosts: snapshot.bridge.hosts.iter().map(|host| host.name.clone()).collect(),
        }
    }
}

/// A word of a place, and the column where it begins.
type Word<'a> = (usize, &'a str);

/// What `@NODE` in a place means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Whose {
    /// Nothing was said, or this node was and there is no other.
    Anybodys,
    /// This node's, where there are others.
    Ours(String),
    /// Another node's.
    Theirs(NodeName),
}

impl Whose {
    /// The node a list is narrowed to.
    pub(super) fn node(&self) -> Option<&str> {
        match self {
            Self::Anybodys => None,
            Self::Ours(name) => Some(name),
            Self::Theirs(name) => Some(name.as_str()),
        }
    }
}

impl Known {
    /// What `@node`, which stands at `column`, means.
    pub(super) fn whose(&self, node: &str, column: usize) -> Result<Whose, BadLine> {
        if let Some(name) = self.nodes.iter().find(|name| name.as_str() == node) {
            return Ok(Whose::Theirs(name.clone()));
        }
        if node == self.node {
            return Ok(if self.nodes.is_empty() { Whose::Anybodys } else { Whose::Ours(node.to_owned()) });
        }
        let own = &self.node;
        let meant =
            match (self.nodes.is_empty(), nearest(node, self.nodes.iter().map(NodeName::as_str).chain([&**own]))) {
                (true, _) => format!("the only one known here is `@{own}`"),
                (false, Some(near)) => format!("did you mean `@{near}`?"),
                (false, None) => "`nodes` lists those that are known here".to_owned(),
            };
        Err(BadLine::new(column, format!("no node is called `{node}`; {meant}")))
    }

    /// The same for the words of a place, one of which at most is `@NODE`; and the other words.
    pub(super) fn taken_out<'a>(&self, words: &[Word<'a>]) -> Result<(Whose, Vec<Word<'a>>), BadLine> {
        let (nodes, rest): (Vec<_>, Vec<_>) = words.iter().copied().partition(|(_, word)| word.starts_with('@'));
        let mut whose = Whose::Anybodys;
        for (column, node) in nodes {
            let said = self.whose(&node[1..], column)?;
            if whose != Whose::Anybodys && said != whose {
                return Err(BadLine::new(column, "one node at a time"));
            }
            whose = said;
        }
        Ok((whose, rest))
    }
}
