//! What is known of one log that is kept in step: how far it is held here, and who else holds it.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::model::{ChainHash, EpochId, NodeName};
use crate::store::LogEnd;

use super::chain::Follows;

/// How far another node holds a log, as it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Offer {
    /// Which life.
    pub(super) epoch: Option<EpochId>,
    /// The newest entry.
    pub(super) high: u64,
    /// Whether what comes next is gone there.
    pub(super) gone: bool,
}

/// Where one node says that the log goes on. It counts once a page that follows it is applied.
#[derive(Debug, Clone)]
pub(super) struct Trial {
    /// Who says so.
    pub(super) peer: NodeName,
    /// Where.
    pub(super) follows: Follows,
}

/// A log that is kept in step.
#[derive(Debug, Default)]
pub(super) struct SyncLog {
    /// How far it is held here.
    pub(super) end: Option<LogEnd>,
    /// Where it is tried.
    pub(super) trial: Option<Trial>,
    /// How far others hold it.
    pub(super) offers: BTreeMap<NodeName, Offer>,
    /// The open question about it.
    pub(super) open: Option<u64>,
    /// The number of the last question about it; whose is the lowest is next.
    pub(super) turn: u64,
    /// No question before.
    pub(super) not_before: Duration,
    /// Since when there has been more than is held.
    pub(super) behind_since: Option<Duration>,
    /// How many entries come.
    pub(super) rate: Rate,
}

impl SyncLog {
    /// What the next page from `peer` has to follow.
    pub(super) fn follows(&self, origin: &NodeName, peer: &NodeName) -> Follows {
        if let Some(trial) = &self.trial
            && trial.peer == *peer
        {
            return trial.follows.clone();
        }
        let (epoch, after, hash) = match &self.end {
            Some(end) => (Some(end.origin.epoch), end.seq, end.hash),
            None => (None, 0, ChainHash::BEGINNING),
        };
        Follows { origin: origin.clone(), epoch, after, hash, skips: false, missed: 0 }
    }

    /// Whether there is something to have where `offer` is made.
    pub(super) fn wants(&self, offer: &Offer) -> bool {
        let Some(end) = &self.end else { return offer.high > 0 };
        match offer.epoch {
            Some(epoch) if epoch != end.origin.epoch => epoch > end.origin.epoch,
            _ => offer.high > end.seq,
        }
    }

    /// The newest entry that is held.
    pub(super) fn applied(&self) -> u64 {
        self.end.as_ref().map_or(0, |end| end.seq)
    }

    /// The newest entry that is known to exist: what the origin itself says, or else what others say, or what is held.
    pub(super) fn high(&self, origin: &NodeName) -> u64 {
        let epoch = self.end.as_ref().map(|end| end.origin.epoch);
        let said = |offer: &Offer| if epoch.is_none() || offer.epoch == epoch { offer.high } else { 0 };
        let said = match self.offers.get(origin) {
            Some(offer) => said(offer),
            None => self.offers.values().map(said).max().unwrap_or(0),
        };
        said.max(self.applied())
    }

    /// Notes since when there is more than is held.
    pub(super) fn note_behind(&mut self, origin: &NodeName, now: Duration) {
        self.behind_since = (self.high(origin) > self.applied()).then(|| self.behind_since.unwrap_or(now));
    }
}

/// Seconds one count covers, and how many counts are a minute.
const STEP: u64 = 5;
const STEPS: usize = 12;

/// Entries of the last minute, counted in steps of five seconds.
#[derive(Debug, Default)]
pub(super) struct Rate(VecDeque<(u64, u32)>);

impl Rate {
    pub(super) fn note(&mut self, now: Duration, entries: usize) {
        let (step, entries) = (now.as_secs() / STEP, u32::try_from(entries).unwrap_or(u32::MAX));
        match self.0.back_mut() {
            Some((last, count)) if *last == step => *count = count.saturating_add(entries),
            _ => self.0.push_back((step, entries)),
        }
        if self.0.len() > STEPS {
            self.0.pop_front();
        }
    }

    pub(super) fn in_last_minute(&self, now: Duration) -> u32 {
        let step = now.as_secs() / STEP;
        let recent = self.0.iter().filter(|(at, _)| at + STEPS as u64 > step);
        recent.fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }
}
