//! Whether a silence means anything: suspicion, the word of others, and that it may be this node that hears nobody.

use std::time::Duration;

use rand::RngExt;

use crate::model::{NodeName, NodeState, short_duration};
use crate::protocol::ProbeAnswer;

use super::super::phi::{DOWN_AT, SUSPECT_AT};
use super::beating::PROBE_WITHIN;
use super::peer::Doubt;
use super::{MemberEffect, Membership, ProbeTicket};

/// No node is down before it was silent for so long: one that rested for ten seconds has answered by then.
const DOWN_AFTER: Duration = Duration::from_millis(14_200);
/// Nor before it was doubted for so long.
const DOUBTED: Duration = Duration::from_secs(2);
/// While a node is doubted, others are asked so often.
const ROUND: Duration = Duration::from_secs(3);
/// And so many of them.
const ASKED: usize = 3;
/// The word of so many others is needed, where there are so many.
const NEEDED: usize = 2;
/// Somebody's word counts for so long.
const WORD_HOLDS: Duration = Duration::from_secs(7);
/// Who has not answered so many questions in a row is not waited for.
const MUTE: u32 = 3;
/// What the way to whoever is asked and back may take.
const ON_THE_WAY: Duration = Duration::from_secs(1);
/// After this node was cut off, the silence of others counts as one of this length: they have 6 s more.
const AFTER_ISOLATION: Duration = Duration::from_millis(8_200);

impl Membership {
    pub(super) fn judge(&mut self, now: Duration) {
        self.doubt_silent(now);
        self.judge_self(now);
        if self.isolated.is_none() {
            let doubted = self.peers.iter().filter(|(_, peer)| peer.doubt.is_some());
            let doubted: Vec<NodeName> = doubted.map(|(name, _)| name.clone()).collect();
            for name in doubted {
                self.ask_others(&name, now);
                self.conclude(&name, now);
            }
        }
    }

    fn doubt_silent(&mut self, now: Duration) {
        let factor = self.slowness.factor();
        let silent = self.peers.iter().filter_map(|(name, peer)| {
            let fresh = peer.is_expected() && peer.doubt.is_none();
            let phi = if fresh { peer.phi(now, factor) } else { 0.0 };
            (phi >= SUSPECT_AT).then(|| (name.clone(), phi))
        });
        for (name, phi) in silent.collect::<Vec<_>>() {
            let Some(peer) = self.peers.get_mut(&name) else { continue };
            peer.doubt = Some(Doubt::new(now));
            peer.next_beat = now;
            let why = format!("no heartbeat for {} (phi {phi:.1})", short_duration(peer.silence(now)));
            if peer.state == NodeState::Alive {
                self.set(&name, NodeState::Suspect, why, now);
            }
        }
    }

    /// Whether it is this node that hears nobody.
    fn judge_self(&mut self, now: Duration) {
        let expected = self.peers.values().filter(|peer| peer.is_expected());
        let (count, doubted) =
            expected.fold((0, 0), |(count, doubted), peer| (count + 1, doubted + usize::from(peer.doubt.is_some())));
        // One node that is silent is as likely the other's fault; several at once are not.
        let enough = if self.witnesses == Some(false) { 1 } else { 2 };
        let cut_off = self.witnesses != Some(true) && doubted == count && count >= enough;
        if cut_off && self.isolated.is_none() {
            let why = self.why_cut_off();
            self.isolated = Some(now);
            self.tell_self(NodeState::Alive, NodeState::IsolatedSelf, &why);
            self.turn_doubted(NodeState::Suspect, NodeState::IsolatedSelf, &why, now);
        } else if !cut_off {
            self.end_isolation("witnesses answer", now);
        }
    }

    /// Why it is this node that is taken to be cut off.
    pub(super) fn why_cut_off(&self) -> String {
        let witness = if self.witnesses.is_some() { ", and too few witnesses answer" } else { "" };
        match self.peers.values().filter(|peer| peer.is_expected()).count() {
            1 => format!("the only other node is not heard{witness}"),
            count => format!("none of {count} nodes is heard{witness}"),
        }
    }

    /// It is not, or no longer.
    pub(super) fn end_isolation(&mut self, why: &str, now: Duration) {
        if self.isolated.take().is_none() {
            return;
        }
        self.tell_self(NodeState::IsolatedSelf, NodeState::Alive, why);
        let grace = AFTER_ISOLATION * self.slowness.factor();
        for peer in self.peers.values_mut().filter(|peer| peer.doubt.is_some()) {
            peer.doubt = Some(Doubt::new(now));
            peer.contact = peer.contact.max(now.saturating_sub(grace));
            peer.next_beat = now;
        }
        self.turn_doubted(NodeState::IsolatedSelf, NodeState::Suspect, "not heard since this node is back", now);
        self.stirred = true;
    }

    fn turn_doubted(&mut self, from: NodeState, to: NodeState, why: &str, now: Duration) {
        let turned = self.peers.iter().filter(|(_, peer)| peer.state == from && peer.doubt.is_some());
        for name in turned.map(|(name, _)| name.clone()).collect::<Vec<_>>() {
            self.set(&name, to, why.to_owned(), now);
        }
    }

    /// Who can be asked to look for `whom`: whoever is alive and believed.
    fn others(&self, whom: &NodeName) -> Vec<NodeName> {
        let fit = |name: &NodeName| {
            name != whom
                && self.peers.get(name).is_some_and(|peer| {
                    peer.is_direct() && peer.is_believed() && peer.state == NodeState::Alive && peer.doubt.is_none()
                })
        };
        self.peers.keys().filter(|name| fit(name)).cloned().collect()
    }

    fn ask_others(&mut self, whom: &NodeName, now: Duration) {
        let within = self.within(PROBE_WITHIN) + ON_THE_WAY;
        let mut others = self.others(whom);
        let Some(doubt) = self.peers.get_mut(whom).and_then(|peer| peer.doubt.as_mut()) else { return };
        if doubt.round.is_some_and(|at| now < at + ROUND.max(within)) {
            return;
        }
        // Whoever is still in `asked` has not answered.
        if doubt.asked.len() > 1 && doubt.votes.is_empty() {
            self.slowness.blind(now);
        }
        doubt.asked.clear();
        doubt.round = Some(now);
        for asked in 0..ASKED.min(others.len()) {
            let chosen = self.chance.random_range(asked..others.len());
            others.swap(asked, chosen);
            let through = others[asked].clone();
            self.tickets += 1;
            let ticket = ProbeTicket(self.tickets);
            *doubt.mute.entry(through.clone()).or_default() += 1;
            doubt.asked.insert(ticket, through.clone());
            self.out.push(MemberEffect::Probe { ticket, whom: whom.clone(), through, within });
        }
        if let Some(peer) = self.peers.get_mut(whom) {
            peer.next_beat = now;
        }
    }

    /// Somebody who was asked has answered, or has not.
    pub(super) fn probed(&mut self, ticket: ProbeTicket, result: &Result<ProbeAnswer, String>, now: Duration) {
        for peer in self.peers.values_mut() {
            let incarnation = peer.run.as_ref().map_or(0, |run| run.incarnation);
            let Some(doubt) = &mut peer.doubt else { continue };
            let (Some(by), Ok(answer)) = (doubt.asked.get(&ticket), result) else { continue };
            let by = by.clone();
            doubt.asked.remove(&ticket);
            doubt.mute.remove(&by);
            match answer.reached {
                // It speaks of a life before this suspicion.
                Some(old) if old < incarnation => {}
                reached => drop(doubt.votes.insert(by, (reached.is_some(), now))),
            }
            self.stirred = true;
        }
    }

    /// Whether the doubt is settled.
    fn conclude(&mut self, name: &NodeName, now: Duration) {
        let factor = self.slowness.factor();
        let others = self.others(name);
        let Some(peer) = self.peers.get_mut(name) else { return };
        let silence = peer.silence(now);
        let phi = peer.phi(now, factor);
        let Some(doubt) = &mut peer.doubt else { return };
        doubt.votes.retain(|_, (_, at)| now.saturating_sub(*at) < WORD_HOLDS * factor);
        let words = |reached: bool| {
            let said = doubt.votes.iter().filter(move |(_, (said, _))| *said == reached);
            said.map(|(name, _)| name.as_str()).collect::<Vec<_>>()
        };
        let (reach, fail) = (words(true), words(false));
        if !reach.is_empty() {
            let why = format!("not heard here; {} can reach it", reach.join(" and "));
            if peer.state == NodeState::Suspect {
                peer.why = Some(why);
            }
            return;
        }
        let heard_from = others.iter().filter(|name| doubt.mute.get(*name).is_none_or(|asked| *asked <= MUTE)).count();
        let ripe = silence / factor >= DOWN_AFTER
            && phi >= DOWN_AT
            && now.saturating_sub(doubt.since) / factor >= DOUBTED
            && fail.len() >= NEEDED.min(heard_from);
        if !ripe || (fail.is_empty() && self.witnesses == Some(false)) {
            return;
        }
        let silence = if peer.heard.is_some() {
            format!("not heard for {}", short_duration(silence))
        } else {
            "never heard since this node started".to_owned()
        };
        let why = match fail.as_slice() {
            [] => format!("{silence}; nobody else is there to ask"),
            [one] => format!("{silence}; {one} does not reach it, either"),
            more => format!("{silence}; {} do not reach it, either", more.join(" and ")),
        };
        peer.doubt = None;
        self.set(name, NodeState::Down, why, now);
    }

    /// When a doubt has to be looked at again.
    pub(super) fn doubt_wake(&self, doubt: &Doubt, contact: Duration, now: Duration) -> Duration {
        let factor = self.slowness.factor();
        let ripe = contact + DOWN_AFTER * factor;
        let round = doubt.round.map_or(now, |at| at + ROUND);
        if ripe > now { round.min(ripe) } else { round }
    }
}
