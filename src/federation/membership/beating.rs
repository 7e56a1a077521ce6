//! When heartbeats are sent, and what they say.

use std::time::Duration;

use rand::RngExt;
use rand::rngs::SmallRng;

use crate::model::{NodeName, NodeState};
use crate::protocol::{Beat, FEDERATION_VERSION, SEES_MAX, Seen};

use super::super::Now;
use super::super::phi::BEAT_EVERY;
use super::peer::Peer;
use super::{HeldLog, MemberEffect, Membership, OwnLog, Reach};

/// Time for the answer to a heartbeat, while this node is not slow.
pub const BEAT_WITHIN: Duration = Duration::from_secs(3);
/// Time in which a node that is asked for a probe tries to reach the third one.
pub const PROBE_WITHIN: Duration = Duration::from_millis(1_500);

/// No answer is waited for any longer, however slow this node is.
const WITHIN_MAX: Duration = Duration::from_secs(10);
/// A node that went is called only so often: when it comes back it calls itself.
const LEFT_EVERY: Duration = Duration::from_secs(30);
/// A heartbeat goes this much earlier or later at most, so as to lie midway between those of the other side: then each
/// pair has a sign of life every 2.5 s.
const SHIFT: Duration = Duration::from_millis(450);
/// Of two sides that call at the same time, within this of it, one moves forward and the other back.
const TOGETHER: Duration = Duration::from_millis(300);
/// And this much by chance.
const JITTER_MS: i64 = 50;
/// A rhythm that was not heard for so long is none.
const RHYTHM: Duration = Duration::from_secs(15);
/// All nodes are named at least so often.
const WHOLE_EVERY: Duration = Duration::from_mins(1);
/// Nobody is called out of turn more often, however many nodes come and go.
const HASTEN_EVERY: Duration = Duration::from_secs(2);
/// After a longer gap the rhythm is another one.
const BROKEN: Duration = Duration::from_millis(6_500);

impl Membership {
    /// Makes a heartbeat for `to`: to be sent, or as the answer to its own. Each counts as one; none is sent twice.
    ///
    /// Of the other nodes it names those that `to` does not hear itself, and now and then all. `held` says what is held
    /// of their logs.
    #[must_use]
    pub fn beat(&mut self, to: &NodeName, log: &OwnLog, held: impl Fn(&NodeName) -> HeldLog, now: Now) -> Beat {
        self.number += 1;
        let receiver = self.peers.get_mut(to);
        let due = |told: Option<Duration>| told.is_none_or(|at| now.mono.saturating_sub(at) >= WHOLE_EVERY);
        let whole = receiver.as_ref().is_some_and(|peer| due(peer.told_whole));
        if let Some(peer) = receiver.filter(|_| whole) {
            peer.told_whole = Some(now.mono);
        }
        let hears = self.peers.get(to).map(|peer| &peer.claims);
        let named = |name: &NodeName| whole || hears.is_some_and(|claims| !claims.hears_node(name));
        // What is known beyond the most that may be named is left out, and never the receiver.
        let others = self.peers.iter().filter(|(name, _)| *name != to && named(name));
        let sees = self.peers.get_key_value(to).into_iter().chain(others).take(SEES_MAX);
        let mut sees: Vec<Seen> = sees.map(|(name, peer)| seen(name, peer, held(name), now.mono)).collect();
        sees.sort_unstable_by(|one, other| one.node.cmp(&other.node));
        Beat {
            version: FEDERATION_VERSION,
            node: self.me.name.clone(),
            boot: self.me.boot,
            started: self.me.started,
            number: self.number,
            incarnation: self.incarnation,
            epoch: log.epoch,
            high: log.high,
            sent: now.wall,
            hlc: log.hlc,
            slowness: self.slowness.score(),
            program: self.me.program.clone(),
            leaving: self.leaving,
            whole,
            sees,
            keys: log.keys.clone(),
        }
    }

    /// Sends the heartbeats that are due.
    pub(super) fn send_due(&mut self, now: Duration) {
        let within = self.within(BEAT_WITHIN);
        for (name, peer) in &mut self.peers {
            if peer.spec.reach == Reach::Direct && peer.next_beat <= now {
                peer.next_beat = next(peer, now, self.me.name < *name, &mut self.chance);
                self.out.push(MemberEffect::Beat { to: name.clone(), within });
            }
        }
    }

    /// Calls those out of turn that hear of `news` only over others: it is gone, or back, and they are not to wait for
    /// the next heartbeat to know.
    pub(super) fn hasten(&mut self, news: &NodeName, now: Duration) {
        for (name, peer) in &mut self.peers {
            let waits = peer.spec.reach == Reach::Direct && peer.state.is_current() && peer.claims.needs_word_of(news);
            if name != news && waits {
                let at = peer.hastened.map_or(now, |last| if last > now { last } else { now.max(last + HASTEN_EVERY) });
                peer.hastened = Some(at);
                peer.next_beat = peer.next_beat.min(at);
                self.stirred = true;
            }
        }
    }

    /// A heartbeat of a node came, and the one before at `before`. Where the two sides call at nearly the same time, as
    /// after a start or a rest, one of them calls again half-way at once: a node that rests then would be silent for too
    /// long before [`midway`] has moved them apart.
    pub(super) fn fall_in(&mut self, name: &NodeName, before: Option<Duration>, now: Duration) {
        let first = self.me.name < *name;
        let Some(peer) = self.peers.get_mut(name) else { return };
        if before.is_none_or(|before| now.saturating_sub(before) > BROKEN) {
            peer.next_beat = peer.next_beat.min(now + BEAT_EVERY / 2);
        } else if first {
            peer.next_beat = peer.next_beat.min(now + BEAT_EVERY / 2 + SHIFT);
        }
        self.wake = self.wake.min(peer.next_beat.max(now));
    }

    /// Says to all that this node goes.
    pub(super) fn say_goodbye(&mut self) {
        self.leaving = true;
        for (name, peer) in &self.peers {
            if peer.spec.reach == Reach::Direct && peer.state != NodeState::Left {
                self.out.push(MemberEffect::Beat { to: name.clone(), within: BEAT_WITHIN });
            }
        }
    }

    pub(super) fn within(&self, usual: Duration) -> Duration {
        (usual * self.slowness.factor()).min(WITHIN_MAX)
    }
}

fn seen(name: &NodeName, peer: &Peer, held: HeldLog, now: Duration) -> Seen {
    let ms = |at: Duration| u64::try_from(now.saturating_sub(at).as_millis()).unwrap_or(u64::MAX);
    Seen {
        node: name.clone(),
        state: peer.state,
        incarnation: peer.run.as_ref().map_or(0, |run| run.incarnation),
        heard_ms: peer.heard.map(ms),
        epoch: held.epoch,
        held: held.held,
        direct: peer.is_direct(),
        keys: held.keys,
    }
}

/// When the heartbeat after the one that goes now is due. Of two sides one is `first`.
fn next(peer: &Peer, now: Duration, first: bool, chance: &mut SmallRng) -> Duration {
    let lively = |last: Option<Duration>| last.is_some_and(|at| now.saturating_sub(at) < RHYTHM);
    let chance = chance.random_range(-JITTER_MS..=JITTER_MS);
    let jitter = |at: Duration| {
        let shift = Duration::from_millis(chance.unsigned_abs());
        if chance < 0 { at.saturating_sub(shift) } else { at + shift }
    };
    match peer.sent.last() {
        _ if peer.state == NodeState::Left => jitter(now + LEFT_EVERY),
        // The other side has called a moment ago: then this one calls again half-way, or both would keep so close.
        Some(heard) if first && now.saturating_sub(heard) < (BEAT_EVERY / 2).saturating_sub(SHIFT) => {
            jitter(heard + BEAT_EVERY / 2)
        }
        heard if lively(heard) => jitter(midway(now + BEAT_EVERY, heard.unwrap_or(now), first)),
        // It cannot call us: then we call twice as often, so that a sign of life comes as often as between others.
        _ if lively(peer.answers.last()) => jitter(now + BEAT_EVERY / 2),
        _ => jitter(now + BEAT_EVERY),
    }
}

/// The moment near `due` that lies midway between the other side's heartbeats, of which one came at `heard`, as far as
/// [`SHIFT`] allows. The other side does the same, so each goes half of the way.
fn midway(due: Duration, heard: Duration, first: bool) -> Duration {
    let every = BEAT_EVERY.as_millis();
    let phase = due.saturating_sub(heard).as_millis() % every;
    let together = phase.min(every - phase) < TOGETHER.as_millis();
    let half = |millis: u128| Duration::from_millis(u64::try_from(millis / 2).unwrap_or(0)).min(SHIFT);
    if phase > every / 2 && !together || together && first {
        due.saturating_sub(half(phase.max(every - phase) - every / 2))
    } else {
        due + half(phase.max(every - phase) - every / 2)
    }
}
