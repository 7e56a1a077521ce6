//! The core of the membership: one owner of what is known of the other nodes, told what happens, saying what to do.

use std::collections::BTreeMap;
use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::SmallRng;

use crate::model::{NodeName, NodeState, short_duration};
use crate::protocol::{Beat, BeatAnswer, FEDERATION_VERSION, KEYS_MAX, SEES_MAX};

use super::super::Now;
use super::super::skew::Stamps;
use super::super::slowness::Slowness;
use super::peer::{Peer, Run, Taken, Way};
use super::{Me, MemberEffect, MemberInput, PeerSpec, Reach};

/// It is looked at least so often.
const TURN: Duration = Duration::from_secs(1);
/// A timer that is later says that this node was stopped, or had no time.
const AWAY: Duration = Duration::from_secs(1);
/// A suspicion of this node is answered no more often, so that a node that lies keeps nobody busy.
const REFUTE_EVERY: Duration = Duration::from_secs(2);
/// Less is no jump of a clock, in milliseconds.
const JUMP: u64 = 1_000;

/// The membership of one node.
#[derive(Debug)]
pub struct Membership {
    pub(super) me: Me,
    pub(super) incarnation: u64,
    pub(super) number: u64,
    pub(super) peers: BTreeMap<NodeName, Peer>,
    pub(super) slowness: Slowness,
    pub(super) witnesses: Option<bool>,
    pub(super) isolated: Option<Duration>,
    pub(super) leaving: bool,
    pub(super) tickets: u64,
    pub(super) chance: SmallRng,
    /// Something changed that has to be judged at once.
    pub(super) stirred: bool,
    pub(super) out: Vec<MemberEffect>,
    pub(super) wake: Duration,
    last: Now,
}

impl Membership {
    /// The membership of `me`, which knows nobody yet. The seed spreads its heartbeats; any number will do.
    #[must_use]
    pub fn new(me: Me, seed: u64, now: Now) -> Self {
        Self {
            me,
            incarnation: 0,
            number: 0,
            peers: BTreeMap::new(),
            slowness: Slowness::default(),
            witnesses: None,
            isolated: None,
            leaving: false,
            tickets: 0,
            chance: SmallRng::seed_from_u64(seed),
            stirred: false,
            out: Vec::new(),
            last: now,
            wake: now.mono + TURN,
        }
    }

    /// Takes in what happened, and says what to do.
    pub fn apply(&mut self, input: MemberInput, now: Now) -> Vec<MemberEffect> {
        self.look_at_clocks(now);
        match input {
            MemberInput::Peers(specs) => self.replace(specs, now.mono),
            MemberInput::Heard { from, beat } => self.heard(&from, &beat, Way::Sent, now),
            MemberInput::Answered { by, asked, answer } => self.answered(&by, asked, &answer, now),
            MemberInput::Unanswered { by, why } => {
                if let Some(peer) = self.peers.get_mut(&by) {
                    peer.unanswered = Some(why);
                }
            }
            MemberInput::Noticed(name) => self.noticed(&name, now.mono),
            MemberInput::Probed { ticket, result } => self.probed(ticket, &result, now.mono),
            MemberInput::Witnesses(answer) => {
                self.stirred |= self.witnesses != answer;
                self.witnesses = answer;
            }
            MemberInput::Leave => self.say_goodbye(),
            MemberInput::Tick => {}
        }
        if now.mono >= self.wake || self.stirred {
            self.turn(now.mono);
        }
        std::mem::take(&mut self.out)
    }

    /// When to come back with [`MemberInput::Tick`] at the latest, by the clock that nobody puts. Whoever comes later
    /// was too slow, and that is noticed.
    #[must_use]
    pub fn next_wake(&self) -> Duration {
        self.wake
    }

    /// Why this heartbeat of a node, which has proven who it is, is not taken in; `None` when it is.
    #[must_use]
    pub fn objection(&self, from: &NodeName, beat: &Beat) -> Option<String> {
        if beat.version != FEDERATION_VERSION {
            let version = beat.version;
            Some(format!("{from} speaks version {version} of the federation, this node version {FEDERATION_VERSION}"))
        } else if beat.node != *from {
            Some(format!("{from} sent a heartbeat of {}", beat.node))
        } else if beat.sees.len() > SEES_MAX {
            Some(format!("a heartbeat names {} nodes; {SEES_MAX} is the most", beat.sees.len()))
        } else if let Some(seen) = beat.sees.iter().find(|seen| seen.keys.len() > KEYS_MAX) {
            Some(format!("a heartbeat names {} keys of {}; {KEYS_MAX} is the most", seen.keys.len(), seen.node))
        } else if *from == self.me.name {
            Some(format!("{from} is this node's own name"))
        } else if !self.peers.contains_key(from) {
            Some(format!("{from} is not known here"))
        } else {
            None
        }
    }

    fn turn(&mut self, now: Duration) {
        self.slowness.calm(now);
        while std::mem::take(&mut self.stirred) || now >= self.wake {
            self.wake = now + TURN;
            if !self.leaving {
                self.judge(now);
                self.judge_relayed(now);
                self.send_due(now);
            }
        }
        self.wake = self.next(now);
    }

    fn next(&self, now: Duration) -> Duration {
        let mut wake = now + TURN;
        for peer in self.peers.values().filter(|_| !self.leaving) {
            if peer.spec.reach == Reach::Direct {
                wake = wake.min(peer.next_beat);
            }
            if let Some(doubt) = peer.doubt.as_ref().filter(|_| self.isolated.is_none()) {
                wake = wake.min(self.doubt_wake(doubt, peer.contact, now));
            }
        }
        wake.max(now + Duration::from_millis(1))
    }

    /// Notices whether this node was away, and whether its clock was put. Neither is another node's fault.
    fn look_at_clocks(&mut self, now: Now) {
        let late = now.mono.saturating_sub(self.wake);
        self.slowness.timer(late, now.mono);
        if late > AWAY {
            self.peers.values_mut().for_each(|peer| peer.excuse(late));
            self.out.push(MemberEffect::WasAway(late));
        }
        let ms = now.moved_since(self.last);
        if ms.unsigned_abs() > JUMP {
            self.peers.values_mut().for_each(|peer| peer.meter.forget());
            self.out.push(MemberEffect::ClockMoved { ms });
        }
        self.last = now;
    }

    fn replace(&mut self, specs: Vec<PeerSpec>, now: Duration) {
        let mut before = std::mem::take(&mut self.peers);
        for spec in specs.into_iter().filter(|spec| spec.name != self.me.name) {
            let peer = match before.remove(&spec.name) {
                Some(mut peer) => {
                    let released = peer.spec.quarantine.is_some() && spec.quarantine.is_none();
                    let moved = peer.is_direct() && matches!(spec.reach, Reach::Behind(_));
                    if released || moved {
                        Peer::new(spec, now)
                    } else {
                        if peer.spec.reach != spec.reach {
                            // Nobody called it here before.
                            peer.contact = now;
                            peer.next_beat = now;
                        }
                        peer.spec = spec;
                        peer
                    }
                }
                None => Peer::new(spec, now),
            };
            self.peers.insert(peer.spec.name.clone(), peer);
        }
        let quarantined =
            self.peers.iter().filter_map(|(name, peer)| Some((name.clone(), peer.spec.quarantine.clone()?)));
        for (name, why) in quarantined.collect::<Vec<_>>() {
            self.set(&name, NodeState::Quarantined, why, now);
        }
        self.stirred = true;
    }

    fn heard(&mut self, from: &NodeName, beat: &Beat, way: Way, now: Now) {
        if self.objection(from, beat).is_some() {
            return;
        }
        let behind =
            |peers: &BTreeMap<NodeName, Peer>, name: &NodeName| peers.get(name).is_some_and(|peer| !peer.is_direct());
        let wanted: Vec<bool> = beat.sees.iter().map(|seen| behind(&self.peers, &seen.node)).collect();
        let Some(peer) = self.peers.get_mut(from) else { return };
        let silence = peer.silence(now.mono);
        let same_run = |run: &Run| run.boot == beat.boot;
        let before = peer.sent.last().filter(|_| peer.run.as_ref().is_some_and(same_run));
        match peer.take(beat, way, now) {
            Taken::Old => return,
            Taken::Untrue(why) => {
                self.out.push(MemberEffect::Untrue { node: from.clone(), why });
                return;
            }
            Taken::Leaves => self.set(from, NodeState::Left, "it said that it goes".to_owned(), now.mono),
            Taken::Restarted => {
                let (node, boot, started) = (from.clone(), beat.boot, beat.started);
                self.out.push(MemberEffect::Restarted { node, boot, started, silence });
                self.lives(from, silence, true, now.mono);
            }
            Taken::Fine => self.lives(from, silence, false, now.mono),
        }
        if way == Way::Sent && !beat.leaving {
            self.fall_in(from, before, now.mono);
        }
        if let Some(peer) = self.peers.get_mut(from) {
            let wanted =
                |name: &NodeName| beat.sees.iter().zip(&wanted).any(|(seen, wanted)| *wanted && seen.node == *name);
            // What it says of those that are heard over it is judged at once.
            self.stirred |= peer.claims.take(beat, wanted, now.mono);
        }
        self.refute(from, beat, now.mono);
    }

    /// Answers a suspicion of this node with a higher incarnation, at once. A number that this node never gave itself is
    /// somebody's error or lie, and moves nothing.
    fn refute(&mut self, from: &NodeName, beat: &Beat, now: Duration) {
        let suspected = beat.sees.iter().any(|seen| {
            seen.node == self.me.name
                && matches!(seen.state, NodeState::Suspect | NodeState::Down)
                && seen.incarnation == self.incarnation
        });
        let Some(peer) = self.peers.get_mut(from).filter(|_| suspected) else { return };
        if peer.refuted.is_none_or(|at| now.saturating_sub(at) >= REFUTE_EVERY) {
            peer.refuted = Some(now);
            peer.next_beat = now;
            self.incarnation += 1;
            self.stirred = true;
        }
    }

    fn answered(&mut self, by: &NodeName, asked: Now, answer: &BeatAnswer, now: Now) {
        if self.objection(by, &answer.beat).is_some() {
            return;
        }
        self.heard(by, &answer.beat, Way::Answer, now);
        let Some(peer) = self.peers.get_mut(by) else { return };
        peer.unanswered = None;
        peer.meter.note(&Stamps { asked, received: answer.received, answered: answer.beat.sent, back: now });
        let level = peer.meter.level();
        if let Some(ms) = peer.meter.skew_ms().filter(|_| level != peer.level) {
            peer.level = level;
            self.out.push(MemberEffect::Skewed { node: by.clone(), level, ms });
        }
    }

    fn noticed(&mut self, name: &NodeName, now: Duration) {
        let Some(peer) = self.peers.get_mut(name) else { return };
        let silence = peer.silence(now);
        if peer.is_direct() && peer.run.is_some() && peer.state != NodeState::Left {
            peer.touch(now);
            self.lives(name, silence, false, now);
        }
    }

    /// A node has proven that it is there, after `silence`.
    fn lives(&mut self, name: &NodeName, silence: Duration, restarted: bool, now: Duration) {
        self.end_isolation(&format!("{name} is heard"), now);
        let Some(peer) = self.peers.get_mut(name) else { return };
        peer.doubt = None;
        let silence = short_duration(silence);
        let why = match peer.state {
            _ if restarted => "it started again".to_owned(),
            NodeState::Suspect => format!("heard again after {silence}"),
            NodeState::Down => format!("it answers again after {silence}"),
            NodeState::Left => "it is back".to_owned(),
            _ => "its heartbeats come".to_owned(),
        };
        if peer.state == NodeState::Suspect && !restarted && peer.is_direct() {
            self.slowness.wronged(now);
        }
        if peer.is_direct() {
            self.set(name, NodeState::Alive, why, now);
        } else {
            self.stirred = true;
        }
    }

    /// Sets how a node stands. What is in quarantine stays there.
    pub(super) fn set(&mut self, name: &NodeName, state: NodeState, why: String, now: Duration) {
        let Some(peer) = self.peers.get_mut(name) else { return };
        let state = if peer.spec.quarantine.is_some() { NodeState::Quarantined } else { state };
        let from = std::mem::replace(&mut peer.state, state);
        if !matches!(state, NodeState::Suspect | NodeState::IsolatedSelf | NodeState::Alive | NodeState::Unknown) {
            peer.doubt = None;
        }
        if from != state {
            peer.since = now;
            peer.why = Some(why.clone());
            self.out.push(MemberEffect::Changed { node: name.clone(), from, to: state, why });
            let gone = |state| matches!(state, NodeState::Down | NodeState::Left);
            if gone(state) || gone(from) {
                self.hasten(name, now);
            }
        }
    }

    pub(super) fn tell_self(&mut self, from: NodeState, to: NodeState, why: &str) {
        self.out.push(MemberEffect::Changed { node: self.me.name.clone(), from, to, why: why.to_owned() });
    }
}
