//! What this node knows of the others: one owner, asked and told by every task, held for a few instructions at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::federation::{
    EventLink, HeldLog, HybridClock, MemberEffect, MemberInput, Membership, Now, OwnLog, PeerSpec, Reach, Sync,
    order_of,
};
use crate::model::{CheckState, Hlc, NodeKey, NodeName, NodeState, PinnedKey, SharedEvent, SharedKind, Trust};
use crate::protocol::{Beat, Seen};
use crate::store::{KnownNode, LogEnd, SharedLog};

use super::incidents::{Incident, Incidents, chosen_by};
use super::remotes::{IncidentBody, Remotes, ToldBody};

/// Nodes that are known at most. What others vouch for beyond that is left out.
const NODES: usize = 512;
/// Keys of a node that are taken over from another one's word at most.
const KEYS: usize = 16;

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
    pub known: BTreeMap<NodeName, KnownNode>,
    /// How nodes that are reached directly are asked.
    pub links: BTreeMap<NodeName, Arc<dyn EventLink>>,
    /// This node's own log.
    pub own: SharedLog,
    /// The logs of others, as far as they are held.
    pub held: BTreeMap<NodeName, Held>,
    /// Bytes received from each node and sent to it.
    pub traffic: BTreeMap<NodeName, (u64, u64)>,
    /// Nodes that were asked at least once since the start, whether they answered or not.
    pub asked: BTreeSet<NodeName>,
    /// Nodes that an operator removed and others still vouch for.
    pub removed: BTreeSet<NodeName>,
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

/// What follows from what a node said about others.
#[derive(Debug, Default)]
pub(super) struct Hearsay {
    /// Nodes that are not known here, by its word.
    pub vouched: Vec<KnownNode>,
    /// Nodes that are known by its word alone, and have more keys by now.
    pub rekeyed: Vec<KnownNode>,
    /// What it said that cannot be true.
    pub untrue: Option<String>,
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
            removed: BTreeSet::new(),
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
            self.held.remove(name);
            self.traffic.remove(name);
        }
        for name in self.links.keys().filter(|name| !links.contains_key(*name)) {
            self.sync.remove_peer(name);
        }
        self.links = links;
        for node in &known {
            let is_followed = node.trust >= Trust::Report && node.quarantine.is_none();
            let was_followed = self
                .known
                .get(&node.name)
                .is_some_and(|before| before.trust >= Trust::Report && before.quarantine.is_none());
            if self.links.contains_key(&node.name) {
                self.sync.add_peer(node.name.clone());
            }
            if is_followed && !was_followed {
                self.sync.follow(node.name.clone(), self.held.get(&node.name).map(|held| held.end.clone()));
            } else if !is_followed {
                self.sync.unfollow(&node.name);
            }
        }
        self.dirty = true;
        self.removed.retain(|name| !known.iter().any(|node| node.name == *name));
        let specs = known.iter().map(spec).collect();
        self.known = known.into_iter().map(|node| (node.name.clone(), node)).collect();
        self.tell(MemberInput::Peers(specs), now);
        // A link that is new to a node that is heard already.
        for name in self.links.keys() {
            let is_current = self.members.state_of(name).is_some_and(NodeState::is_current);
            self.sync.reachable(name, is_current);
        }
        gone
    }

    /// A heartbeat for `to`.
    pub(super) fn beat(&mut self, to: &NodeName, keys: Vec<NodeKey>, now: Now) -> Beat {
        let own = OwnLog { epoch: self.own.origin.epoch, high: self.own.high, hlc: self.clock.last(), keys };
        let (held, known) = (&self.held, &self.known);
        let of = |name: &NodeName| {
            let log = held.get(name);
            let counts = |key: &&PinnedKey| key.until.is_none_or(|until| now.wall <= until);
            let keys = known.get(name).map(|node| node.keys.iter().filter(counts).map(|key| key.key).collect());
            HeldLog {
                epoch: log.map(|log| log.end.origin.epoch),
                held: log.map_or(0, |log| log.end.seq),
                keys: keys.unwrap_or_default(),
            }
        };
        self.members.beat(to, &own, of, now)
    }

    /// Takes in what a heartbeat of `from`, or its answer to ours, says of logs and other nodes.
    pub(super) fn hear(&mut self, from: &NodeName, beat: &Beat, now: Now) -> Hearsay {
        let mut hearsay = Hearsay::default();
        let Some(trust) = self.known.get(from).filter(|node| node.quarantine.is_none()).map(|node| node.trust) else {
            return hearsay;
        };
        // A clock that is far ahead moves nothing; the skew is shown.
        let _ = self.clock.hear(beat.hlc, now.wall);
        self.sync.offered(from, from, Some(beat.epoch), beat.high, now.mono);
        if trust < Trust::Report {
            return hearsay;
        }
        for seen in beat.sees.iter().filter(|seen| seen.node != self.me && seen.node != *from) {
            match self.known.get(&seen.node) {
                Some(known) if contradicts(known, seen) => {
                    hearsay.untrue = Some(format!("it vouches for another key of {} than is pinned here", seen.node));
                }
                Some(known) => {
                    hearsay.rekeyed.extend(rekeyed(known, from, seen, now.wall));
                    if seen.held > 0 {
                        self.sync.offered(from, &seen.node, seen.epoch, seen.held, now.mono);
                    }
                }
                None if self.removed.contains(&seen.node) => {}
                None if !seen.keys.is_empty() && self.known.len() + hearsay.vouched.len() < NODES => {
                    hearsay.vouched.push(vouched(from, seen, now.wall));
                }
                None => {}
            }
        }
        hearsay
    }

    /// Entries of a node's log were applied; the log ends at `end` now, and so many before are `gone` for good.
    pub(super) fn applied(&mut self, end: LogEnd, gone: u64, events: &[SharedEvent], now: Now) {
        let node = end.origin.node.clone();
        let before = self.held.remove(&node).filter(|before| before.end.origin.epoch == end.origin.epoch);
        if before.is_none() {
            self.remotes.begin_anew(&node);
        }
        let missing = before.map_or(0, |before| before.missing) + gone;
        for event in events {
            let _ = self.clock.hear(event.hlc, now.wall);
            self.heed(&node, &Said::from(event), 0, now);
        }
        self.remotes.applied(&node, events);
        self.held.insert(node, Held { end, missing });
        self.dirty = true;
    }

    /// This node wrote entries to its own log.
    pub(super) fn wrote(&mut self, events: &[SharedEvent], now: Now) {
        let me = self.me.clone();
        for event in events {
            self.heed(&me, &Said::from(event), 0, now);
            self.remotes.line(&super::remotes::line(&me, event));
            if event.kind == SharedKind::Told {
                self.remotes.put(&me, event.kind, &event.subject, event.body.get());
            }
        }
        if let Some(last) = events.last() {
            (self.own.high, self.own.hash, self.own.hlc) = (last.seq, last.hash, last.hlc);
            self.dirty = true;
        }
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
                let age = now.wall.duration_since(said.at).max(SignedDuration::ZERO);
                let members = &self.members;
                let is_current =
                    |one: &NodeName| *one == self.me || members.state_of(one).is_some_and(NodeState::is_current);
                let incident = Incident { node, subject: said.subject, since: body.since, common: body.common };
                self.incidents.begins(
                    &incident,
                    place,
                    Duration::try_from(age).unwrap_or_default(),
                    now.mono,
                    is_current,
                );
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

    /// Entries of other logs are later than what this node says next.
    pub(super) fn clock_after(&mut self, heard: Hlc) {
        self.clock = HybridClock::after(self.clock.last().max(heard));
    }

    /// Counts bytes that came from a node, and that went to it.
    pub(super) fn count(&mut self, node: &NodeName, came: usize, went: usize) {
        let (received, sent) = self.traffic.entry(node.clone()).or_default();
        *received += came as u64;
        *sent += went as u64;
    }
}

fn spec(node: &KnownNode) -> PeerSpec {
    let reach = match (&node.url, &node.via) {
        (Some(_), _) => Reach::Direct,
        (None, Some(via)) => Reach::Behind(via.clone()),
        (None, None) => Reach::Inbound,
    };
    let quarantine = node.quarantine.as_ref().map(|quarantine| quarantine.why.clone());
    PeerSpec { name: node.name.clone(), reach, trust: node.trust, quarantine }
}

/// Whether somebody says that a node has keys of which none was ever pinned here.
fn contradicts(known: &KnownNode, seen: &Seen) -> bool {
    !seen.keys.is_empty() && !seen.keys.iter().any(|key| known.keys.iter().any(|pinned| pinned.key == *key))
}

/// A node that is known by the word of `by` alone, and changes its key: beside one that is pinned `by` names another.
fn rekeyed(known: &KnownNode, by: &NodeName, seen: &Seen, now: Timestamp) -> Option<KnownNode> {
    let is_new = |key: &&NodeKey| !known.keys.iter().any(|pinned| pinned.key == **key);
    let fresh: Vec<NodeKey> = seen.keys.iter().filter(is_new).copied().collect();
    if known.via.as_ref() != Some(by) || known.configured || fresh.is_empty() || known.keys.len() > KEYS {
        return None;
    }
    let mut node = known.clone();
    node.keys.extend(fresh.into_iter().map(|key| PinnedKey { key, since: now, until: None }));
    Some(node)
}

/// A node that is known by the word of `by`.
fn vouched(by: &NodeName, seen: &Seen, now: Timestamp) -> KnownNode {
    let pinned = |key: &NodeKey| PinnedKey { key: *key, since: now, until: None };
    KnownNode {
        name: seen.node.clone(),
        url: None,
        pin: None,
        via: Some(by.clone()),
        trust: Trust::Report,
        configured: false,
        added: now,
        keys: seen.keys.iter().map(pinned).collect(),
        quarantine: None,
    }
}

#[cfg(test)]
#[path = "desk_tests.rs"]
mod tests;
