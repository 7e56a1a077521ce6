//! Keeping logs in step: what to ask of whom and when, and what follows from each answer. It does nothing itself.
//!
//! `now` is the time since any fixed moment by a clock that never goes back; it is an argument, as chance is.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::{ChainHash, EpochId, NodeName};
use crate::protocol::{PAGE_EVENTS, PageAsk, PageRefusal, WAIT_MAX};
use crate::store::LogEnd;

use super::chain::Follows;
use super::feed_fetch::{Fetched, Outcome};
use super::sync_log::{Offer, SyncLog, Trial};
use super::sync_pace::{Budget, Pace};

/// Seconds a relay is given for the first new entry of the only log that comes over it. It says with each heartbeat what
/// it holds, so of several logs only those are asked for that have grown.
const RELAY_WAIT: u64 = 5;
/// A question whose fate nobody told is over after this.
const LOST: Duration = Duration::from_secs(90);
/// The pause after an answer that came empty and too early, or that could not be kept.
const PAUSE: Duration = Duration::from_secs(1);

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
struct Peer {
    is_reachable: bool,
    pace: Pace,
    budget: Budget,
    /// Open questions about its own log, and about others; at most one each.
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
    peers: BTreeMap<NodeName, Peer>,
    logs: BTreeMap<NodeName, SyncLog>,
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

    /// The log of a node is kept in step from now on; it is held up to `end`.
    pub fn follow(&mut self, origin: NodeName, end: Option<LogEnd>) {
        self.logs.entry(origin).or_default().end = end;
    }

    /// The log of a node is kept in step no more: it is removed, quarantined, or may only observe.
    pub fn unfollow(&mut self, origin: &NodeName) {
        self.logs.remove(origin);
    }

    /// `peer` says how far it holds the log of `origin`, which may be its own.
    pub fn offered(&mut self, peer: &NodeName, origin: &NodeName, epoch: Option<EpochId>, high: u64, now: Duration) {
        if let Some(log) = self.logs.get_mut(origin) {
            let gone = log.offers.get(peer).is_some_and(|offer| offer.gone && offer.epoch == epoch);
            log.offers.insert(peer.clone(), Offer { epoch, high, gone });
            log.note_behind(origin, now);
        }
    }

    /// The questions to be asked now. Each log has at most one open, and each node at most one about its own log and one
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
        let is_only =
            self.logs.iter().filter(|(other, log)| **other != peer && log.offers.contains_key(&peer)).count() < 2;
        let log = self.logs.get_mut(origin)?;
        let follows = log.follows(origin, &peer);
        let wait = match (is_own, is_only) {
            (true, _) => WAIT_MAX,
            (false, true) => RELAY_WAIT,
            (false, false) => 0,
        };
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
        let mut relays: Vec<(bool, u64, NodeName)> = log
            .offers
            .iter()
            .filter(|(peer, offer)| *peer != origin && (log.wants(offer) || self.is_only_relayed(origin, peer)))
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

    /// Whether nothing else comes over that relay, so that a question may wait there.
    fn is_only_relayed(&self, origin: &NodeName, relay: &NodeName) -> bool {
        !self.logs.iter().any(|(other, log)| other != origin && other != relay && log.offers.contains_key(relay))
    }

    fn is_free(&mut self, peer: &NodeName, own: bool, now: Duration) -> bool {
        self.peers.get_mut(peer).is_some_and(|peer| {
            let open = peer.open.0 + peer.open.1;
            peer.is_reachable && *peer.open(own) == 0 && peer.pace.allows(now, open) && peer.budget.allows(now)
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

    fn take(
        &mut self,
        question: &Question,
        outcome: &Outcome,
        now: Duration,
        took: Duration,
        chance: f64,
    ) -> Option<SyncEffect> {
        let Question { peer, follows, .. } = question;
        let origin = &follows.origin;
        let quarantine =
            |node: &NodeName, why: &str| Some(SyncEffect::Quarantine { node: node.clone(), why: why.to_owned() });
        match outcome {
            Outcome::Unreachable(why) => self.failed(question, now, chance, true, why),
            Outcome::Unusable(why) => self.failed(question, now, chance, false, why),
            Outcome::Broken(why) | Outcome::Forked(why) => {
                let whose = if matches!(outcome, Outcome::Broken(_)) { peer } else { origin };
                self.failed(question, now, chance, false, why);
                self.unfollow(whose);
                return quarantine(whose, why);
            }
            Outcome::Refused(refusal) => return self.refused(question, refusal, now, chance),
            Outcome::Older => self.failed(question, now, chance, false, "its log is of an earlier life than is known"),
            Outcome::Unfollowed => self.unfollow(origin),
            Outcome::Failed(_) => {
                if let Some(log) = self.logs.get_mut(origin) {
                    log.not_before = now + PAUSE;
                }
            }
            Outcome::Nothing { epoch, high } => {
                let is_early = took < Duration::from_secs(question.wait).min(PAUSE);
                self.answered(question, now, |log| {
                    log.offers.insert(peer.clone(), Offer { epoch: Some(*epoch), high: *high, gone: false });
                    if is_early {
                        log.not_before = now + PAUSE;
                    }
                });
            }
            Outcome::Known(end) => self.answered(question, now, |log| {
                (log.end, log.trial) = (Some(end.clone()), None);
                log.not_before = now + PAUSE;
            }),
            Outcome::Taken { events, end, high, .. } => self.answered(question, now, |log| {
                (log.end, log.trial) = (Some(end.clone()), None);
                log.rate.note(now, events.len());
                log.offers.insert(peer.clone(), Offer { epoch: Some(end.origin.epoch), high: *high, gone: false });
            }),
        }
        None
    }

    fn answered(&mut self, question: &Question, now: Duration, take: impl FnOnce(&mut SyncLog)) {
        if let Some(peer) = self.peers.get_mut(&question.peer) {
            peer.pace.succeeded();
        }
        let origin = &question.follows.origin;
        if let Some(log) = self.logs.get_mut(origin) {
            take(log);
            log.note_behind(origin, now);
        }
    }

    fn failed(&mut self, question: &Question, now: Duration, chance: f64, unreached: bool, why: &str) {
        if let Some(peer) = self.peers.get_mut(&question.peer) {
            peer.pace.failed(now, chance, unreached, why.to_owned());
        }
        if let Some(log) = self.logs.get_mut(&question.follows.origin)
            && log.trial.as_ref().is_some_and(|trial| trial.peer == question.peer)
        {
            log.trial = None;
        }
    }

    /// There is no page. What it says instead is nobody's signed word, so it counts only for the next question to the same
    /// node, until a page that follows it is applied.
    fn refused(
        &mut self,
        question: &Question,
        refusal: &PageRefusal,
        now: Duration,
        chance: f64,
    ) -> Option<SyncEffect> {
        let Question { peer, follows, .. } = question;
        let log = self.logs.get_mut(&follows.origin)?;
        let known = log.end.as_ref().map(|end| end.origin.epoch);
        match refusal {
            PageRefusal::OtherEpoch { epoch, .. } if follows.epoch.is_some_and(|asked| asked != *epoch) => {
                if known.is_some_and(|known| known > *epoch) {
                    log.offers.remove(peer);
                    self.failed(question, now, chance, false, "its log is of an earlier life than is known");
                } else {
                    let follows = Follows {
                        epoch: Some(*epoch),
                        after: 0,
                        hash: ChainHash::BEGINNING,
                        skips: false,
                        missed: 0,
                        ..follows.clone()
                    };
                    log.trial = Some(Trial { peer: peer.clone(), follows });
                }
            }
            PageRefusal::Gone { low, before } if *low > follows.after + 1 && i64::try_from(*low).is_ok() => {
                // A relay may hold less than another one, and the origin itself would have been asked first.
                if let Some(offer) = log.offers.get_mut(peer)
                    && peer != &follows.origin
                    && !std::mem::replace(&mut offer.gone, true)
                    && log.offers.iter().any(|(other, offer)| other != peer && !offer.gone)
                {
                    return None;
                }
                // Whoever begins to follow a log has missed nothing of it.
                let missed = if known.is_some() { low - 1 } else { 0 };
                let follows = Follows { after: low - 1, hash: *before, skips: true, missed, ..follows.clone() };
                log.trial = Some(Trial { peer: peer.clone(), follows });
            }
            PageRefusal::Unknown => {
                log.offers.remove(peer);
                if *peer == follows.origin {
                    self.failed(question, now, chance, false, "it does not give its log");
                }
            }
            PageRefusal::OtherEpoch { .. } | PageRefusal::Gone { .. } => {
                self.failed(question, now, chance, false, "it refuses with what makes no sense");
            }
        }
        None
    }
}
