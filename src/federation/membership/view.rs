//! What the membership shows: panels, who reaches whom, and who may act for all.

use std::time::Duration;

use crate::model::{NodeName, NodePanel, NodeState};

use super::super::Now;
use super::{Membership, Reach};

/// A node that started less long ago does not take over what another one does.
const SETTLING: Duration = Duration::from_secs(30);

impl Membership {
    /// Writes into the panel of a node, or of this one, what the membership knows: `via`, `state`, `since`, `why`,
    /// `version`, `last_seen`, `started`, `rtt`, `skew_ms`, `phi_tenths`, `slowness`, `hears`. A panel of a node that is
    /// not known stays as it is.
    pub fn fill(&self, panel: &mut NodePanel, now: Now) {
        if panel.name == self.me.name {
            self.fill_own(panel, now);
        }
        let Some(peer) = self.peers.get(&panel.name) else { return };
        if let Reach::Behind(relay) = &peer.spec.reach {
            panel.via = Some(relay.clone());
        } else {
            panel.via = None;
        }
        panel.state = peer.state;
        panel.since = now.wall_at(peer.since);
        panel.why = peer.why.clone();
        // Why it does not answer says more than that nothing comes: a refusal above all.
        if let Some(unanswered) = &peer.unanswered
            && matches!(peer.state, NodeState::Suspect | NodeState::Down | NodeState::Unknown)
        {
            panel.why = Some(panel.why.take().map_or_else(|| unanswered.clone(), |why| format!("{why}; {unanswered}")));
        }
        panel.last_seen = peer.heard.map(|at| now.wall_at(at));
        panel.rtt = peer.meter.rtt();
        panel.skew_ms = peer.meter.skew_ms();
        panel.phi_tenths = peer.is_expected().then(|| tenths(peer.phi(now.mono, self.slowness.factor())));
        panel.hears = peer.claims.hears().to_vec();
        if let Some(run) = &peer.run {
            panel.version = Some(run.program.clone());
            panel.started = Some(run.started);
            panel.slowness = run.slowness;
        }
    }

    fn fill_own(&self, panel: &mut NodePanel, now: Now) {
        panel.state = if self.isolated.is_some() { NodeState::IsolatedSelf } else { NodeState::Alive };
        panel.since = self.isolated.map_or(self.me.started, |at| now.wall_at(at));
        panel.why = self.isolated.map(|_| self.why_cut_off());
        panel.last_seen = Some(now.wall);
        panel.started = Some(self.me.started);
        panel.version = Some(self.me.program.clone());
        panel.slowness = self.slowness.score();
        let heard = |state| state == NodeState::Alive;
        let hears = self.peers.iter().filter(|(_, peer)| peer.is_direct() && heard(peer.state));
        panel.hears = hears.map(|(name, _)| name.clone()).collect();
    }

    /// How a node stands; this one too.
    #[must_use]
    pub fn state_of(&self, name: &NodeName) -> Option<NodeState> {
        if *name == self.me.name {
            return Some(if self.isolated.is_some() { NodeState::IsolatedSelf } else { NodeState::Alive });
        }
        self.peers.get(name).map(|peer| peer.state)
    }

    /// The nodes among which [`owner`](crate::federation::owner()) chooses, this one included: those that are alive and
    /// believed, and that started more than 30 s ago. Where none has, all that are alive.
    #[must_use]
    pub fn eligible(&self, now: Now) -> Vec<NodeName> {
        let settled = |began: Duration| now.mono.saturating_sub(began) >= SETTLING;
        let age = Duration::try_from(now.wall.duration_since(self.me.started)).unwrap_or_default();
        let own = (&self.me.name, age >= SETTLING);
        let alive = self.peers.iter().filter(|(_, peer)| peer.is_believed() && peer.state.is_current());
        let alive = alive.map(|(name, peer)| (name, peer.run.as_ref().is_none_or(|run| settled(run.began))));
        let all: Vec<(&NodeName, bool)> = alive.chain([own]).collect();
        let any = all.iter().any(|(_, settled)| *settled);
        all.into_iter().filter(|(_, settled)| *settled || !any).map(|(name, _)| name.clone()).collect()
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "phi is between 0 and 100")]
fn tenths(phi: f64) -> u32 {
    (phi * 10.0).round() as u32
}
