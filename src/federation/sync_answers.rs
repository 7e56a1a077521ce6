//! What follows from each answer to a question of the sync.

use std::time::Duration;

use crate::model::ChainHash;
use crate::protocol::PageRefusal;

use super::chain::Follows;
use super::feed_fetch::Outcome;
use super::sync::{Question, Sync, SyncEffect};
use super::sync_log::{Offer, SyncLog, Trial};

/// The pause after an answer that came empty and too early, or that could not be kept.
const PAUSE: Duration = Duration::from_secs(1);

impl Sync {
    /// Takes in what became of `question`, which took so long.
    pub(super) fn take(
        &mut self,
        question: &Question,
        outcome: &Outcome,
        now: Duration,
        took: Duration,
        chance: f64,
    ) -> Option<SyncEffect> {
        let Question { peer, follows, .. } = question;
        let origin = &follows.origin;
        match outcome {
            Outcome::Unreachable(why) => self.failed(question, now, chance, true, why),
            Outcome::Unusable(why) => self.failed(question, now, chance, false, why),
            Outcome::Broken(why) | Outcome::Forked(why) => {
                let whose = if matches!(outcome, Outcome::Broken(_)) { peer } else { origin };
                self.failed(question, now, chance, false, why);
                self.quarantine(whose);
                return Some(SyncEffect::Quarantine { node: whose.clone(), why: why.clone() });
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
                    // Where it was said to go on there is nothing: what was said was not so, or is so no longer.
                    if *high < follows.after && log.trial.as_ref().is_some_and(|trial| trial.peer == *peer) {
                        log.trial = None;
                    }
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
        let is_linked = self.peers.contains_key(&follows.origin);
        let log = self.logs.get_mut(&follows.origin)?;
        let known = log.end.as_ref().map(|end| end.origin.epoch);
        match refusal {
            PageRefusal::OtherEpoch { epoch, .. } if follows.epoch.is_some_and(|asked| asked != *epoch) => {
                if known.is_some_and(|known| known > *epoch) {
                    log.offers.remove(peer);
                    self.failed(question, now, chance, false, "its log is of an earlier life than is known");
                } else if known == Some(*epoch) {
                    log.trial = None;
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
                // A relay may hold less than another one, and the origin most of all: whoever has a link to it waits.
                if *peer != follows.origin {
                    if let Some(offer) = log.offers.get_mut(peer) {
                        offer.gone = true;
                    }
                    if is_linked || log.offers.iter().any(|(other, offer)| other != peer && !offer.gone) {
                        return None;
                    }
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
