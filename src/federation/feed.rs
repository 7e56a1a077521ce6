//! Giving pages of logs to other nodes: this node's own, signed as they are given, and those it relays.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::model::{ChainHash, EpochId, Head, NodeName, Origin};
use crate::protocol::{HOPS_MAX, PAGE_BYTES, PAGE_EVENTS, Page, PageAsk, PageRefusal, WAIT_MAX};
use crate::store::{LogSlice, SharedLog, Store, StoreError};

/// Bytes of a page that are not entries: names, head, numbers.
const AROUND: usize = 4 << 10;

/// Signs a head of this node's own log: its origin, number and hash.
pub type SignHead = Arc<dyn Fn(&Origin, u64, &ChainHash) -> Head + Send + Sync>;

/// Gives pages of the logs in a store.
#[derive(Clone)]
pub struct Feed {
    /// The store.
    pub store: Arc<Store>,
    /// This node.
    pub me: NodeName,
    /// Whether logs of other nodes are to be had here, too.
    pub relay: bool,
    /// Signs heads of this node's own log.
    pub sign: SignHead,
}

impl Feed {
    /// Answers `ask`, at once when there is something, else when something comes or its time is over.
    ///
    /// # Errors
    /// When the store cannot read.
    pub async fn page(&self, ask: PageAsk) -> Result<Result<Page, PageRefusal>, StoreError> {
        let until = tokio::time::Instant::now() + Duration::from_secs(ask.wait.min(WAIT_MAX));
        // Asked for before the first look, so that nothing comes unseen between both.
        let mut changes = self.store.shared_changes();
        loop {
            let (feed, wanted) = (self.clone(), ask.clone());
            let answer =
                tokio::task::spawn_blocking(move || feed.look(&wanted)).await.unwrap_or(Err(StoreError::Closed))?;
            let is_empty = matches!(&answer, Ok(page) if page.events.is_empty());
            // An error here says that the store closes, or that the time is over.
            if !is_empty || !matches!(tokio::time::timeout_at(until, changes.changed()).await, Ok(Ok(()))) {
                return Ok(answer);
            }
        }
    }

    /// What there is now.
    ///
    /// # Errors
    /// When the store cannot read.
    pub fn look(&self, ask: &PageAsk) -> Result<Result<Page, PageRefusal>, StoreError> {
        let own = ask.origin == self.me;
        if !own && !self.relay {
            return Ok(Err(PageRefusal::Unknown));
        }
        let limit = ask.limit.min(PAGE_EVENTS);
        let slice = self.store.shared_slice(&ask.origin, own, ask.after, limit, PAGE_BYTES - AROUND)?;
        Ok(match slice {
            Some(slice) if own || slice.log.hops < HOPS_MAX => self.answer(ask, slice),
            _ => Err(PageRefusal::Unknown),
        })
    }

    fn answer(&self, ask: &PageAsk, LogSlice { log, events, head }: LogSlice) -> Result<Page, PageRefusal> {
        let SharedLog { origin, low, high, before, .. } = log;
        if let Some(epoch) = ask.epoch
            && epoch != origin.epoch
        {
            return Err(PageRefusal::OtherEpoch { epoch: origin.epoch, low, high });
        }
        if ask.after.saturating_add(1) < low {
            return Err(PageRefusal::Gone { low, before });
        }
        let last = events.last().map(|last| (last.seq, last.hash));
        let head = if log.own { last.map(|(seq, hash)| (self.sign)(&origin, seq, &hash)) } else { head };
        Ok(Page {
            more: last.is_some_and(|(seq, _)| seq < high),
            hops: if log.own { 0 } else { log.hops + 1 },
            origin,
            events,
            head,
            high,
            low,
        })
    }
}

impl std::fmt::Debug for Feed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Feed").field("me", &self.me).field("relay", &self.relay).finish_non_exhaustive()
    }
}

/// The life after `previous`: a `UUIDv7` of `now` that is later than every one before it, also when the clock went back.
/// Nodes tell the later of two lives by that.
#[must_use]
pub fn epoch_after(previous: Option<EpochId>, now: Timestamp, random: [u8; 10]) -> EpochId {
    // The first 48 bits of a UUIDv7 are the time.
    let millis = |epoch: EpochId| u64::try_from(epoch.as_uuid().as_u128() >> 80).unwrap_or(u64::MAX);
    let now = u64::try_from(now.as_millisecond()).unwrap_or(0);
    let at = previous.map_or(now, |previous| now.max(millis(previous).saturating_add(1)));
    EpochId::from_uuid(uuid::Builder::from_unix_timestamp_millis(at, &random).into_uuid())
}

/// Whether this node's own log has to begin another life, and after which: `told` is what another node holds of it, with
/// this node's own signature. `held` is the hash of the own entry of that number, as long as it is kept.
///
/// A database that was restored from a backup finds out by this that it wrote more than it knows, or something else.
#[must_use]
pub fn begins_anew(
    own: &SharedLog,
    told: &Head,
    held: Option<ChainHash>,
    is_own: impl Fn(&Head) -> bool,
) -> Option<EpochId> {
    if told.origin.node != own.origin.node || told.origin.epoch < own.origin.epoch {
        return None;
    }
    let is_later = told.origin.epoch > own.origin.epoch;
    let differs = told.seq > own.high || held.is_some_and(|held| held != told.hash);
    ((is_later || differs) && is_own(told)).then_some(told.origin.epoch)
}

#[cfg(test)]
mod tests {
    use super::super::conformance::{TestNode, key, moment, sign, verify};
    use super::*;

    #[test]
    fn a_life_is_later_than_every_one_before_it_whatever_the_clock_says() {
        let first = epoch_after(None, moment(), [255; 10]);
        let second = epoch_after(Some(first), Timestamp::UNIX_EPOCH, [0; 10]);
        let third = epoch_after(Some(second), moment(), [0; 10]);
        assert!(first < second && second < third);
        assert_eq!(third.as_uuid().get_version_num(), 7);
    }

    #[tokio::test]
    async fn a_log_that_others_know_better_begins_anew() {
        let node = TestNode::new("a").await;
        node.say(5).await;
        let own = node.log_of(&node.name).expect("a log");
        let Origin { node: me, epoch } = own.origin.clone();
        let later = epoch_after(Some(epoch), moment(), [0; 10]);
        let told = |epoch, seq, hash| sign(&Origin { node: me.clone(), epoch }, seq, &hash, key(&me));
        let hash = |seq| node.store.own_at(seq).expect("reads").1;
        let judge = |head: &Head| begins_anew(&own, head, hash(head.seq), verify);
        let third = hash(3).expect("held");
        assert_eq!(judge(&told(epoch, 3, third)), None, "as it was written");
        assert_eq!(judge(&told(epoch, 3, own.hash)), Some(epoch), "something else");
        assert_eq!(judge(&told(epoch, 6, own.hash)), Some(epoch), "more");
        assert_eq!(judge(&told(later, 1, own.hash)), Some(later), "a later life");
        let earlier = EpochId::from_uuid(uuid::Uuid::from_u128(1));
        assert_eq!(judge(&told(earlier, 900, own.hash)), None, "an earlier one is over");
        let mut forged = told(epoch, 6, own.hash);
        forged.signature[0] ^= 1;
        assert_eq!(judge(&forged), None, "only its own word counts");
        let mut other = told(epoch, 6, own.hash);
        other.origin.node = "b".parse().expect("a name");
        assert_eq!(judge(&other), None, "another log");
    }
}
