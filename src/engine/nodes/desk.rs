//! What this node knows of the others: one owner, asked and told by every task, held for a few instructions at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::federation::{
    EventLink, HeldLog, HybridClock, MemberEffect, MemberInput, Membership, Now, OwnLog, PeerSpec, Reach, Sync,
    is_far_ahead, order_of,
};
use crate::model::{CheckState, EpochId, NodeKey, NodeName, NodeState, PinnedKeys, SharedEvent, SharedKind, Trust};
use crate::protocol::{Beat, KEYS_MAX, Seen};
use crate::store::{KnownNode, LogEnd, SharedLog};

use super::hearsay::{Known, Word, Words, is_believed, trusted, vouches};
use super::incidents::{Incident, Incidents, chosen_by};
use super::remotes::{IncidentBody, Remotes, ToldBody};

/// The place of a node that cannot know yet who else is there: it tells half a minute later, if nobody has.
pub(super) const LATER: usize = 3;
/// So long after a start a node may not know yet who is there.
const UNHEARD: Duration = Duration::from_secs(30);

/// What is known of the other nodes.
pub(super) struct Desk {
    pub me: NodeName,
    pub members: Membership,
    pub sync: Sync,
    pub remotes: Remotes,
    pub incidents: Incidents,
    pub clock: HybridClock,
    /// The nodes, as they are kept in the store.
    pub known: Known,
    /// How nodes are asked that are reached directly, or fetch what they are asked.
    pub links: BTreeMap<NodeName, Arc<dyn EventLink>>,
    /// This node's own log.
    pub own: SharedLog,
    /// The logs of others, as far as they are held.
    pub held: BTreeMap<NodeName, Held>,
    /// Bytes received from each node and sent to it.
    pub traffic: BTreeMap<NodeName, (u64, u64)>,
    /// Nodes that were asked at least once since the start, whether they answered or not.
    pub asked: BTreeSet<NodeName>,
    /// Nodes that cannot call this one and want it to fetch what they ask.
    pub asking: BTreeSet<NodeName>,
    /// Nodes that an operator removed and others still vouch for.
    pub removed: BTreeSet<NodeName>,
    /// Of which nodes others name other keys than are pinned here, and who does.
    pub disputed: BTreeSet<(NodeName, NodeName)>,
    /// What the membership wants done.
    pub todo: Vec<MemberEffect>,
    /// Screens have not heard of everything.
    pub dirty: bool,
}

/// How far the log of another node is held.
#[derive(Debug, Clone)]
pub(super) struct Held {
    pub end: LogEnd,
    /// Entries that were gone before they were fetched.
    pub missing: u64,
}

impl From<&SharedLog> for Held {
    fn from(log: &SharedLog) -> Self {
        Self { end: log.end(), missing: log.missing }
    }
}

/// What an entry says, and when it was written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Said<'a> {
    pub kind: SharedKind,
    pub subject: &'a str,
    pub body: &'a str,
    pub at: Timestamp,
}

impl<'a> From<&'a SharedEvent> for Said<'a> {
    fn from(event: &'a SharedEvent) -> Self {
        Self { kind: event.kind, subject: &event.subject, body: event.body.get(), at: event.hlc.at() }
    }
}

impl Desk {
    pub(super) fn new(me: NodeName, members: Membership, own: SharedLog) -> Self {
        let clock = HybridClock::after(own.hlc);
        Self {
            me,
            members,
            sync: Sync::default(),
            remotes: Remotes::default(),
            incidents: Incidents::default(),
            clock,
            known: BTreeMap::new(),
            links: BTreeMap::new(),
            own,
            held: BTreeMap::new(),
            traffic: BTreeMap::new(),
            asked: BTreeSet::new(),
            asking: BTreeSet::new(),
            removed: BTreeSet::new(),
            disputed: BTreeSet::new(),
            todo: Vec::new(),
            dirty: true,
        }
    }

    /// Tells the membership something.
    pub(super) fn tell(&mut self, input: MemberInput, now: Now) {
        let effects = self.members.apply(input, now);
        for effect in &effects {
            if let MemberEffect::Changed { node, to, .. } = effect {
                self.sync.reachable(node, to.is_current());
                self.dirty = true;
            }
        }
        self.todo.extend(effects);
    }

    /// These are the nodes that are known, and the links to those that are reached directly.
    pub(super) fn replace(
        &mut self,
        known: Vec<KnownNode>,
        links: BTreeMap<NodeName, Arc<dyn EventLink>>,
        now: Now,
    ) -> Vec<NodeName> {
        let gone: Vec<NodeName> =
            self.known.keys().filter(|name| !known.iter().any(|node| node.name == **name)).cloned().collect();
        for name in &gone {
            self.sync.remove_peer(name);
            self.sync.unfollow(name);
            self.remotes.forget(name);
            self.incidents.forget(name);
            self.held.remove(name);
            self.traffic.remove(name);
        }
        for name in self.links.keys().filter(|name| !links.contains_key(*name)) {
            self.sync.remove_peer(name);
        }
        self.links = links;
        let known: Known = known.into_iter().map(|node| (node.name.clone(), node)).collect();
        for node in known.values() {
            let is_followed = is_believed(&known, node);
            let was_followed = self.known.get(&node.name).is_some_and(|before| is_believed(&self.known, before));
            if self.links.contains_key(&node.name) {
                self.sync.add_peer(node.name.clone());
            }
            if is_followed && !was_followed {
                self.sync.follow(node.name.clone(), self.held.get(&node.name).map(|held| held.end.clone()));
            } else if node.quarantine.is_some() {
                self.sync.quarantine(&node.name);
            } else if !is_followed {
                self.sync.unfollow(&node.name);
                self.incidents.forget(&node.name);
            }
        }
        self.dirty = true;
        self.removed.retain(|name| !known.contains_key(name));
        self.disputed.retain(|(of, by)| known.contains_key(of) && known.get(by).is_some_and(vouches));
        let specs = known.values().map(|node| spec(&known, node)).collect();
        self.known = known;
        self.tell(MemberInput::Peers(specs), now);
        // A link that is new to a node that is heard already.
        for name in self.links.keys() {
            let is_current = self.members.state_of(name).is_some_and(NodeState::is_current);
            self.sync.reachable(name, is_current);
        }
        gone
    }

    /// The nodes that are called.
    pub(super) fn called(&self) -> impl Iterator<Item = &NodeName> {
        self.known.values().filter(|node| node.url.is_some()).map(|node| &node.name)
    }

    /// A heartbeat for `to`.
    pub(super) fn beat(&mut self, to: &NodeName, keys: Vec<NodeKey>, now: Now) -> Beat {
        let own = OwnLog { epoch: self.own.origin.epoch, high: self.own.high, hlc: self.clock.last(), keys };
        let (held, known) = (&self.held, &self.known);
        let of = |name: &NodeName| {
            let log = held.get(name);
            // Nobody is vouched for of whom nothing counts here.
            let node = known.get(name).filter(|node| trusted(known, node).is_some());
            let mut keys = node.map(|node| PinnedKeys(node.keys.clone()).counting(now.wall)).unwrap_or_default();
            keys.truncate(KEYS_MAX);
            HeldLog { epoch: log.map(|log| log.end.origin.epoch), held: log.map_or(0, |log| log.end.seq), keys }
        };
        self.members.beat(to, &own, of, now)
    }

    /// Takes in what a heartbeat of `from`, or its answer to ours, says of logs and of other nodes, and leaves out of it
    /// what is not to be believed. Whether something follows that is to be kept: [`Self::words`] says what.
    pub(super) fn hear(&mut self, from: &NodeName, beat: &mut Beat, now: Now) -> bool {
        let trust = self.known.get(from).and_then(|node| trusted(&self.known, node));
        let Some(trust) = trust.filter(|_| self.members.objection(from, beat).is_none()) else { return false };
        // A clock that is far ahead moves nothing; the skew is shown.
        let _ = self.clock.hear(beat.hlc, now.wall);
        self.sync.offered(from, from, Some(beat.epoch), beat.high, now.mono);
        if trust < Trust::Report {
            return false;
        }
        let words = self.words(from, beat, now);
        for (seen, word) in &words {
            let dispute = (seen.node.clone(), from.clone());
            if *word != Word::Disputed {
                self.dirty |= self.disputed.remove(&dispute);
                if seen.held > 0 {
                    self.sync.offered(from, &seen.node, seen.epoch, seen.held, now.mono);
                }
            } else if self.disputed.insert(dispute) {
                tracing::warn!(node = %seen.node, by = %from, "another node names another key of it than is pinned here");
                self.dirty = true;
            }
        }
        let is_kept = words.iter().any(|(_, word)| matches!(word, Word::New(_) | Word::Rekeyed(_)));
        beat.sees.retain(|seen| !self.disputed.contains(&(seen.node.clone(), from.clone())));
        is_kept
    }

    /// What the word of `from`, in a heartbeat, comes to for each of the other nodes it names.
    pub(super) fn words(&self, from: &NodeName, beat: &Beat, now: Now) -> Vec<(Seen, Word)> {
        if !self.known.get(from).is_some_and(vouches) {
            return Vec::new();
        }
        let mut words = Words::new(&self.known, &self.removed, from, now.wall);
        let others = beat.sees.iter().filter(|seen| seen.node != self.me && seen.node != *from);
        others.map(|seen| (seen.clone(), words.take(seen))).collect()
    }

    /// Entries of a node's log were applied; the log ends at `end` now, and so many before are `gone` for good.
    pub(super) fn applied(&mut self, end: LogEnd, gone: u64, events: &[SharedEvent], now: Now) {
        let node = end.origin.node.clone();
        let before = self.held.remove(&node).filter(|before| before.end.origin.epoch == end.origin.epoch);
        if before.is_none() {
            self.remotes.begin_anew(&node);
            self.incidents.forget(&node);
        }
        let missing = before.map_or(0, |before| before.missing) + gone;
        for event in events {
            // A clock that is far ahead moves nothing.
            let _ = self.clock.hear(event.hlc, now.wall);
            self.heed(&node, &Said::from(event), 0, now);
        }
        self.remotes.applied(&node, events);
        self.held.insert(node, Held { end, missing });
        self.dirty = true;
    }

    /// This node's own log is `log` now; answers whether that is another life than was known.
    pub(super) fn lives(&mut self, log: SharedLog) -> bool {
        let is_other = self.own.origin != log.origin;
        if is_other {
            self.own = log;
            self.dirty = true;
        }
        is_other
    }

    /// This node wrote entries to its own log, to that life of it. Several tasks do, and each says so a little after it is
    /// so: what is later in the log stands.
    pub(super) fn wrote(&mut self, life: EpochId, events: &[SharedEvent], now: Now) {
        let me = self.me.clone();
        for event in events {
            self.heed(&me, &Said::from(event), 0, now);
            self.remotes.line(&super::remotes::line(&me, event));
            if event.kind == SharedKind::Told {
                self.remotes.put(&me, event.kind, &event.subject, event.body.get());
            }
        }
        let Some(last) = events.last() else { return };
        if life == self.own.origin.epoch && last.seq > self.own.high {
            (self.own.high, self.own.hash, self.own.hlc) = (last.seq, last.hash, last.hlc);
        }
        self.dirty = true;
    }

    /// What an entry means for telling: an incident that begins or ends, or somebody who told. This node tells no sooner
    /// than whoever has place `after`.
    pub(super) fn heed(&mut self, node: &NodeName, said: &Said<'_>, after: usize, now: Now) {
        match said.kind {
            SharedKind::Told => {
                if let Ok(told) = serde_json::from_str::<ToldBody>(said.body) {
                    self.incidents.told(said.subject, &told);
                }
            }
            SharedKind::Incident => {
                let body = serde_json::from_str::<IncidentBody>(said.body).ok();
                let Some(body) = body.filter(|body| body.state == CheckState::Critical.as_str()) else {
                    self.incidents.ends(node, said.subject, *node == self.me);
                    return;
                };
                let place = self.place(&chosen_by(node, said.subject, body.common), now).max(after);
                // How old it is nobody knows when the clock of its node is far ahead; then that one tells of it alone.
                let age = now.wall.duration_since(said.at).max(SignedDuration::ZERO);
                let age = (*node == self.me || !is_far_ahead(said.at, now.wall))
                    .then(|| Duration::try_from(age).unwrap_or_default());
                let members = &self.members;
                let is_current =
                    |one: &NodeName| *one == self.me || members.state_of(one).is_some_and(NodeState::is_current);
                let incident = Incident { node, subject: said.subject, since: body.since, common: body.common };
                self.incidents.begins(&incident, place, age, now.mono, is_current);
            }
            _ => {}
        }
    }

    /// Where this node stands in the order of those that tell of `subject`, counted from 0.
    fn place(&self, subject: &str, now: Now) -> usize {
        let eligible = self.members.eligible(now);
        let order = order_of(subject, &eligible);
        let place = order.iter().position(|one| **one == self.me).unwrap_or(order.len());
        let unheard = |node: &NodeName| self.members.state_of(node) == Some(NodeState::Unknown);
        let is_new = now.mono < UNHEARD && self.known.keys().any(unheard);
        if is_new { place.max(LATER) } else { place }
    }

    /// Counts bytes that came from a node, and that went to it.
    pub(super) fn count(&mut self, node: &NodeName, came: usize, went: usize) {
        let (received, sent) = self.traffic.entry(node.clone()).or_default();
        *received += came as u64;
        *sent += went as u64;
    }
}

fn spec(known: &Known, node: &KnownNode) -> PeerSpec {
    let reach = match (&node.url, &node.via) {
        (Some(_), _) => Reach::Direct,
        (None, Some(via)) => Reach::Behind(via.clone()),
        (None, None) => Reach::Inbound,
    };
    let quarantine = node.quarantine.as_ref().map(|quarantine| quarantine.why.clone());
    PeerSpec { name: node.name.clone(), reach, trust: trusted(known, node).unwrap_or(Trust::Observe), quarantine }
}

#[cfg(test)]
#[path = "desk_tests.rs"]
pub(super) mod tests;
