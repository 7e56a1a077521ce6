//! What another node says of third ones.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::{NodeName, NodeState};
use crate::protocol::Beat;

/// What it says of one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Claim {
    /// How it stands there.
    pub(super) state: NodeState,
    /// When it was heard there, by our clock.
    pub(super) heard: Option<Duration>,
    /// When that was said.
    pub(super) said: Duration,
    /// Whether it is heard there without another relay.
    pub(super) direct: bool,
}

/// What one node says of the others.
#[derive(Debug, Clone, Default)]
pub(super) struct Claims {
    of: BTreeMap<NodeName, Claim>,
    /// Whom it hears directly, by name.
    hears: Vec<NodeName>,
    /// Whom it judges itself, heard or not, by name; nobody as long as it has not named all it knows.
    judges: Vec<NodeName>,
    /// It has named all it knows at least once.
    known: bool,
}

impl Claims {
    /// Takes in what a heartbeat says. Only what is `wanted` is kept in full. Answers whether one of those stands
    /// otherwise there than it said before.
    pub(super) fn take(&mut self, beat: &Beat, wanted: impl Fn(&NodeName) -> bool, now: Duration) -> bool {
        let before = if beat.whole { std::mem::take(&mut self.of) } else { BTreeMap::new() };
        if beat.whole {
            self.hears.clear();
            self.judges.clear();
            self.known = true;
        }
        let mut otherwise = false;
        for seen in &beat.sees {
            let heard = seen.heard_ms.map(|ms| now.saturating_sub(Duration::from_millis(ms)));
            if wanted(&seen.node) {
                let claim = Claim { state: seen.state, heard, said: now, direct: seen.direct };
                let known = self.of.insert(seen.node.clone(), claim).map(|claim| claim.state);
                otherwise |= known.or(before.get(&seen.node).map(|claim| claim.state)) != Some(seen.state);
            }
            note(&mut self.hears, &seen.node, seen.direct && seen.state == NodeState::Alive);
            note(&mut self.judges, &seen.node, seen.direct);
        }
        otherwise
    }

    pub(super) fn of(&self, node: &NodeName) -> Option<&Claim> {
        self.of.get(node)
    }

    /// Whom it hears directly.
    pub(super) fn hears(&self) -> &[NodeName] {
        &self.hears
    }

    pub(super) fn hears_node(&self, node: &NodeName) -> bool {
        self.hears.binary_search(node).is_ok()
    }

    /// Whether it is known that it hears of `node` only over others.
    pub(super) fn needs_word_of(&self, node: &NodeName) -> bool {
        self.known && self.judges.binary_search(node).is_err()
    }
}

/// Notes whether `node` is one of `names`, which are in order.
fn note(names: &mut Vec<NodeName>, node: &NodeName, is_one: bool) {
    match (names.binary_search(node), is_one) {
        (Err(place), true) => names.insert(place, node.clone()),
        (Ok(place), false) => drop(names.remove(place)),
        _ => {}
    }
}
