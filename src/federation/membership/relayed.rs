//! How nodes stand that are heard only over others: by what those say, and how old that is.

use std::time::Duration;

use crate::model::{NodeName, NodeState, short_duration};

use super::claims::Claim;
use super::peer::Peer;
use super::{Membership, Reach};

/// What a node says of a third one counts for so long without being said again.
const CLAIM_HOLDS: Duration = Duration::from_secs(20);
/// A node that is said to be alive was heard there within this time.
const FRESH: Duration = Duration::from_secs(20);
/// A node that called us itself needs nobody's word for so long.
const CALLED: Duration = Duration::from_secs(15);

impl Membership {
    pub(super) fn judge_relayed(&mut self, now: Duration) {
        let relayed = self.peers.iter().filter_map(|(name, peer)| match &peer.spec.reach {
            Reach::Behind(relay) if peer.spec.quarantine.is_none() => Some((name.clone(), relay.clone())),
            _ => None,
        });
        for (name, relay) in relayed.collect::<Vec<_>>() {
            let (state, why, heard) = self.hearsay(&name, &relay, now);
            let Some(peer) = self.peers.get_mut(&name) else { continue };
            if let Some(heard) = heard.filter(|heard| peer.heard.is_none_or(|known| known < *heard)) {
                peer.heard = Some(heard);
                peer.contact = heard;
            }
            self.set(&name, state, why, now);
        }
    }

    fn hearsay(&self, name: &NodeName, relay: &NodeName, now: Duration) -> (NodeState, String, Option<Duration>) {
        let called = |peer: &&Peer| peer.sent.last().filter(|at| now.saturating_sub(*at) < CALLED);
        if let Some((at, peer)) = self.peers.get(name).and_then(|peer| called(&peer).map(|at| (at, peer))) {
            let state = if peer.state == NodeState::Left { NodeState::Left } else { NodeState::Alive };
            return (state, "it calls this node itself".to_owned(), Some(at));
        }
        let holds = |claim: &Claim| now.saturating_sub(claim.said) < CLAIM_HOLDS * self.slowness.factor();
        let claims = self.peers.iter().filter(|(_, peer)| peer.is_believed() && peer.state.is_current());
        let claims = claims.filter_map(|(by, peer)| {
            let claim = peer.claims.of(name).filter(|claim| holds(claim))?;
            Some((peer.state == NodeState::Alive, claim, by))
        });
        match claims.max_by_key(|(heard, claim, _)| (*heard, claim.direct, claim.heard)) {
            Some((heard, claim, by)) => {
                let (state, why) = if heard { said(claim, by, now) } else { late(by) };
                (state, why, claim.heard)
            }
            None => {
                let state = self.peers.get(relay).map_or(NodeState::Unknown, |relay| relay.state);
                match state {
                    NodeState::Suspect => (state, late(relay).1, None),
                    NodeState::IsolatedSelf => (state, "no node is heard".to_owned(), None),
                    NodeState::Alive => (NodeState::Unknown, format!("{relay} says nothing of it"), None),
                    _ => (NodeState::Unknown, format!("{relay}, over which it is heard, is {}", state.as_str()), None),
                }
            }
        }
    }
}

fn late(relay: &NodeName) -> (NodeState, String) {
    (NodeState::Suspect, format!("{relay}, over which it is heard, is late"))
}

fn said(claim: &Claim, by: &NodeName, now: Duration) -> (NodeState, String) {
    let age = claim.heard.map(|heard| now.saturating_sub(heard));
    match (claim.state, age) {
        (NodeState::Alive, Some(age)) if age < FRESH => (NodeState::Alive, format!("{by} hears it")),
        (NodeState::Alive | NodeState::Suspect, Some(age)) => {
            (NodeState::Suspect, format!("{by} heard it {} ago", short_duration(age)))
        }
        (state @ (NodeState::Down | NodeState::Left), _) => (state, format!("{by} says so")),
        (state, _) => (NodeState::Unknown, format!("{by} says that it is {}", state.as_str())),
    }
}
