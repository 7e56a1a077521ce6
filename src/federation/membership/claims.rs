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
}

impl Claims {
    /// Takes in what a heartbeat says. Only what is `wanted` is kept in full.
    pub(super) fn take(&mut self, beat: &Beat, wanted: impl Fn(&NodeName) -> bool, now: Duration) {
        if beat.whole {
            self.of.clear();
            self.hears.clear();
        }
        for seen in &beat.sees {
            let heard = seen.heard_ms.map(|ms| now.saturating_sub(Duration::from_millis(ms)));
            if wanted(&seen.node) {
                let claim = Claim { state: seen.state, heard, said: now, direct: seen.direct };
                self.of.insert(seen.node.clone(), claim);
            }
            let hears = seen.direct && seen.state == NodeState::Alive;
            match (self.hears.binary_search(&seen.node), hears) {
                (Err(place), true) => self.hears.insert(place, seen.node.clone()),
                (Ok(place), false) => drop(self.hears.remove(place)),
                _ => {}
            }
        }
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
}
