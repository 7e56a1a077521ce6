//! What other nodes say of the checks that this one looks at as well.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::federation::Now;
use crate::model::{CheckId, NodeName, NodeState, Trust};

use super::super::checks::Votes;
use super::desk::Desk;
use super::service::Nodes;

/// The others are waited for no longer than this, after a start.
const WAITED: Duration = Duration::from_secs(30);
/// What a node says counts as long as its log is no further behind.
const LATE: Duration = Duration::from_secs(30);

impl Desk {
    /// What the other nodes say of `checks`, each of which is looked at from those nodes. Who is not current, not
    /// believed, or whose log is far behind says nothing.
    fn votes(&self, checks: &[(CheckId, Vec<NodeName>)], now: Now) -> Votes {
        let others = |nodes: &[NodeName]| nodes.iter().filter(|node| **node != self.me).cloned().collect::<Vec<_>>();
        let is_known = |node: &NodeName| match self.members.state_of(node) {
            Some(NodeState::Unknown) => false,
            Some(state) if state.is_current() => {
                self.sync.standing(node, now.mono).is_some_and(|log| log.high > 0 && log.behind_since.is_none())
            }
            // It is gone, or this node never knew it.
            _ => true,
        };
        let all_heard = now.mono >= WAITED || checks.iter().all(|(_, nodes)| others(nodes).iter().all(is_known));
        let of = checks.iter().map(|(check, nodes)| {
            let said = others(nodes).into_iter().filter(|node| self.counts(node, now));
            let said = said.filter_map(|node| Some((self.remotes.vote(&node, check)?, node)));
            (check.clone(), said.map(|(vote, node)| (node, vote)).collect::<BTreeMap<_, _>>())
        });
        let cut_off = self.members.state_of(&self.me) == Some(NodeState::IsolatedSelf);
        Votes { all_heard, cut_off, of: of.collect() }
    }

    /// Whether what `node` says of a check counts now.
    fn counts(&self, node: &NodeName, now: Now) -> bool {
        let is_current = self.members.state_of(node).is_some_and(NodeState::is_current);
        let is_believed = self.known.get(node).is_some_and(|known| known.trust >= Trust::Report);
        let behind = self.sync.standing(node, now.mono).and_then(|log| log.behind_since);
        is_current && is_believed && behind.is_none_or(|since| now.mono.saturating_sub(since) < LATE)
    }
}

impl Nodes {
    /// Hands the checks what the other nodes say of them.
    pub(super) fn hand_votes(&self) {
        let several = self.checks.seen_by_several();
        if !several.is_empty() {
            self.checks.take_votes(self.with(|desk, now| desk.votes(&several, now)));
        }
    }
}
