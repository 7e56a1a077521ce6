//! Keeping logs in step: what to ask of whom and when, and what follows from each answer. It does nothing itself.
//!
//! `now` is the time since any fixed moment by a clock that never goes back; it is an argument, as chance is.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::{EpochId, NodeName};
use crate::protocol::{PAGE_EVENTS, PageAsk, WAIT_MAX};
use crate::store::LogEnd;

use super::chain::Follows;
use super::feed_fetch::Fetched;
use super::sync_log::{Offer, SyncLog};
use super::sync_pace::{Budget, Pace};

/// So many logs may wait at one relay for what comes. Of more than that only those are asked for, in turn, of which the
/// relay says with a heartbeat that they have grown: each question that waits is a connection.
const RELAYED: usize = 8;
/// A question whose fate nobody told is over after this.
const LOST: Duration = Duration::from_secs(90);

/// A question to be asked now. What became of it goes to [`Sync::heard`], whatever it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Its number.
    pub number: u64,
    /// Whom.
    pub peer: NodeName,
    /// What the answer has to follow.
    pub follows: Follows,
    /// Seconds the other side may wait for the first entry.
    pub wait: u64,
}

impl Question {
    /// As it is sent.
    #[must_use]
    pub fn ask(&self) -> PageAsk {
        PageAsk {
            origin: self.follows.origin.clone(),
            epoch: self.follows.epoch,
            after: self.follows.after,
            limit: PAGE_EVENTS,
            wait: self.wait,
        }
    }
}

/// What has to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SyncEffect {
    /// Take over nothing of this node any more, durably, until an operator decides.
    Quarantine {
        /// Which node.
        node: NodeName,
        /// What it did, in one line. It may hold text from outside.
        why: String,
    },
}

/// How the log of a node stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The newest entry that is known to exist.
    pub high: u64,
    /// The newest entry that is applied.
    pub applied: u64,
    /// Since when there has been more than is applied.
    pub behind_since: Option<Duration>,
    /// Entries applied in the last minute.
    pub rate: u32,
    /// Why it is not asked at the moment. Text from outside.
    pub trouble: Option<String>,
}

/// A node that is reached directly.
#[derive(Debug, Default)]
pub(super) struct Peer {
    is_reachable: bool,
    /// Whether it is quarantined: it is asked for nothing, other nodes' logs included.
    is_barred: bool,
    pub(super) pace: Pace,
    budget: Budget,
    /// Open questions about its own log, and about others.
    open: (usize, usize),
}

impl Peer {
    fn open(&mut self, own: bool) -> &mut usize {
        if own { &mut self.open.0 } else { &mut self.open.1 }
    }
}

/// A question that was asked.
#[derive(Debug)]
struct Open {
    peer: NodeName,
    origin: NodeName,
    at: Duration,
}

/// Which questions are open, how far each log is known here and there, and how each node behaves.
#[derive(Debug, Default)]
pub struct Sync {
    pub(super) peers: BTreeMap<NodeName, Peer>,
    pub(super) logs: BTreeMap<NodeName, SyncLog>,
    open: BTreeMap<u64, Open>,
    asked: u64,
}

impl Sync {
    /// A node is reached directly from now on: there is a link to it.
    pub fn add_peer(&mut self, peer: NodeName) {
        self.peers.entry(peer).or_default();
    }

    /// There is no link to that node any more.
    pub fn remove_peer(&mut self, peer: &NodeName) {
        self.peers.remove(peer);
        for log in self.logs.values_mut() {
            log.offers.remove(peer);
        }
    }

    /// Whether a node with a link answers. When it does again, a pause because it did not is over.
    pub fn reachable(&mut self, peer: &NodeName, is_reachable: bool) {
        if let Some(peer) = self.peers.get_mut(peer) {
            if is_reachable && !peer.is_reachable {
                peer.pace.heard();
            }
            peer.is_reachable = is_reachable;
        }
    }

    /// The log of a node is kept in step from now on; it is held up to `end`. A quarantine of it is over.
    pub fn follow(&mut self, origin: NodeName, end: Option<LogEnd>) {
        if let Some(peer) = self.peers.get_mut(&origin) {
            peer.is_barred = false;
        }
        self.logs.entry(origin).or_default().end = end;
    }

    /// The log of a node is kept in step no more, and nobody else's is asked of it: it is removed, quarantined, or may
    /// only observe.
    pub fn unfollow(&mut self, origin: &NodeName) {
        self.logs.remove(origin);
        for log in self.logs.values_mut() {
            log.offers.remove(origin);
        }
    }

    /// A node is quarantined: it is asked for nothing, and nobody for its log, until it is followed again.
    pub fn quarantine(&mut self, node: &NodeName) {
        self.unfollow(node);
        if let Some(peer) = self.peers.get_mut(node) {
            peer.is_barred = true;
        }
    }

    /// `peer` says how far it holds the log of `origin`, which may be its own.
    pub fn offered(&mut self, peer: &NodeName, origin: &NodeName, epoch: Option<EpochId>, high: u64, now: Duration) {
        if let Some(log) = self.logs.get_mut(origin) {
            let gone = log.offers.get(peer).is_some_and(|offer| offer.gone && offer.epoch == epoch);
            log.offers.insert(peer.clone(), Offer { epoch, high, gone });
            log.note_behind(origin, now);
        }
    }

    /// The questions to be asked now. Each log has at most one open, and each node at most one about its own log and some
    /// about others, in turn.
    pub fn next(&mut self, now: Duration) -> Vec<Question> {
        self.forget_lost(now);
        let mut origins: Vec<(u64, NodeName)> = self
            .logs
            .iter()
            .filter(|(_, log)| log.open.is_none() && log.not_before <= now)
            .map(|(origin, log)| (log.turn, origin.clone()))
            .collect();
        origins.sort_unstable();
        origins.into_iter().filter_map(|(_, origin)| self.ask(&origin, now)).collect()
    }

    /// When to look again without anything having happened: a pause is over by then.
    #[must_use]
    pub fn wakes(&self, now: Duration) -> Option<Duration> {
        let logs = self.logs.values().filter(|log| log.open.is_none()).map(|log| log.not_before);
        let peers = self.peers.values().filter(|peer| peer.is_reachable);
        let peers = peers.flat_map(|peer| [peer.pace.until(), now + peer.budget.wait()]);
        let lost = self.open.values().map(|open| open.at + LOST);
        logs.chain(peers).chain(lost).filter(|at| *at > now).min()
    }

    /// What became of a question; `chance` is between 0 and 1.
    pub fn heard(&mut self, question: &Question, fetched: &Fetched, now: Duration, chance: f64) -> Vec<SyncEffect> {
        let Some(open) = self.close(question.number) else { return Vec::new() };
        if let Some(peer) = self.peers.get_mut(&question.peer) {
            peer.budget.came(now, fetched.bytes);
        }
        let took = now.saturating_sub(open.at);
        self.take(question, &fetched.outcome, now, took, chance).into_iter().collect()
    }

    /// How the log of `origin` stands.
    #[must_use]
    pub fn standing(&self, origin: &NodeName, now: Duration) -> Option<Standing> {
        let log = self.logs.get(origin)?;
        Some(Standing {
            high: log.high(origin),
            applied: log.applied(),
            behind_since: log.behind_since,
            rate: log.rate.in_last_minute(now),
            trouble: self.peers.get(origin).and_then(|peer| peer.pace.trouble.clone()),
        })
    }

    fn ask(&mut self, origin: &NodeName, now: Duration) -> Option<Question> {
        let peer = self.whom(origin, now)?;
        let is_own = peer == *origin;
        let wait = if is_own || self.relays_few(&peer) { WAIT_MAX } else { 0 };
        let log = self.logs.get_mut(origin)?;
        let follows = log.follows(origin, &peer);
        self.asked += 1;
        (log.open, log.turn) = (Some(self.asked), self.asked);
        let asked = self.peers.get_mut(&peer)?;
        *asked.open(is_own) += 1;
        asked.budget.asked(now);
        self.open.insert(self.asked, Open { peer: peer.clone(), origin: origin.clone(), at: now });
        Some(Question { number: self.asked, peer, follows, wait })
    }

    /// Whom to ask about a log: the node itself, or else the relay that holds the most of it.
    fn whom(&mut self, origin: &NodeName, now: Duration) -> Option<NodeName> {
        if self.is_free(origin, true, now) {
            return Some(origin.clone());
        }
        // While its own answer is on its way, or it only rests for its budget, no relay is troubled.
        if self.peers.get(origin).is_some_and(|peer| peer.is_reachable && peer.pace.trouble.is_none()) {
            return None;
        }
        let log = self.logs.get(origin)?;
        let is_linked = self.peers.contains_key(origin);
        let mut relays: Vec<(bool, u64, NodeName)> = log
            .offers
            .iter()
            .filter(|(peer, offer)| *peer != origin && !(offer.gone && is_linked))
            .filter(|(peer, offer)| log.wants(offer) || self.relays_few(peer))
            .map(|(peer, offer)| (!offer.gone, offer.high, peer.clone()))
            .collect();
        relays.sort_unstable();
        while let Some((_, _, peer)) = relays.pop() {
            if self.is_free(&peer, false, now) {
                return Some(peer);
            }
        }
        None
    }

    /// Whether so few logs come over that relay that each may wait there.
    fn relays_few(&self, relay: &NodeName) -> bool {
        let is_direct = |origin: &NodeName| self.peers.get(origin).is_some_and(|peer| peer.is_reachable);
        let relayed = self.logs.iter().filter(|(origin, log)| !is_direct(origin) && log.offers.contains_key(relay));
        relayed.count() <= RELAYED
    }

    fn is_free(&mut self, peer: &NodeName, own: bool, now: Duration) -> bool {
        let most = if !own && self.relays_few(peer) { RELAYED } else { 1 };
        self.peers.get_mut(peer).is_some_and(|peer| {
            let open = peer.open.0 + peer.open.1;
            peer.is_reachable
                && !peer.is_barred
                && *peer.open(own) < most
                && peer.pace.allows(now, open)
                && peer.budget.allows(now)
        })
    }

    fn close(&mut self, number: u64) -> Option<Open> {
        let open = self.open.remove(&number)?;
        if let Some(peer) = self.peers.get_mut(&open.peer) {
            let count = peer.open(open.peer == open.origin);
            *count = count.saturating_sub(1);
        }
        if let Some(log) = self.logs.get_mut(&open.origin)
            && log.open == Some(number)
        {
            log.open = None;
        }
        Some(open)
    }

    fn forget_lost(&mut self, now: Duration) {
        let lost: Vec<u64> =
            self.open.iter().filter(|(_, open)| open.at + LOST <= now).map(|(number, _)| *number).collect();
        for number in lost {
            self.close(number);
        }
    }
}
