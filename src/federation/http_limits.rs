//! How much one node may ask here, so that none starves the others: requests, questions at once, and bytes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::model::NodeName;
use crate::net::RateLimit;

/// Requests a minute of one node: catching up on an hour of entries takes some thousand pages.
const PER_MINUTE: u32 = 12_000;
/// Heartbeats and looks for third nodes, and orders, of one node that are worked on at once.
const AT_ONCE: usize = 4;
/// Questions of one node that wait for entries at once: one for each log it is told of.
const WAITING: usize = 64;
/// Bytes a second that one node is given in the long run.
const BYTES_PER_SECOND: i64 = 32 << 20;
/// Bytes it is given at once.
const BYTES_AT_ONCE: i64 = 64 << 20;

/// What a question takes a place among. An order may take long, and keeps no heartbeat out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Slot {
    /// It waits for entries.
    Waits,
    /// It is an order.
    Acts,
    /// It is anything else.
    Beats,
}

/// What is given to each node.
#[derive(Debug)]
pub(super) struct NodeLimits {
    requests: RateLimit<NodeName>,
    slots: Mutex<BTreeMap<(NodeName, Slot), Arc<Semaphore>>>,
    bytes: Mutex<BTreeMap<NodeName, Owed>>,
}

/// What a node has been given beyond its share.
#[derive(Debug, Clone, Copy)]
struct Owed {
    bytes: i64,
    at: Timestamp,
}

impl Default for NodeLimits {
    fn default() -> Self {
        Self { requests: RateLimit::new(PER_MINUTE), slots: Mutex::default(), bytes: Mutex::default() }
    }
}

impl NodeLimits {
    /// Takes a place for a question of `node`. It is given back by dropping it.
    ///
    /// # Errors
    /// What there is too much of.
    pub(super) fn take(
        &self,
        node: &NodeName,
        slot: Slot,
        now: Timestamp,
    ) -> Result<OwnedSemaphorePermit, &'static str> {
        if self.requests.take(node.clone(), now) {
            return Err("this node asks too often");
        }
        if self.owed(node, now) > BYTES_AT_ONCE {
            return Err("this node was given more bytes than its share");
        }
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let most = if slot == Slot::Waits { WAITING } else { AT_ONCE };
        let slots = slots.entry((node.clone(), slot)).or_insert_with(|| Arc::new(Semaphore::new(most)));
        Arc::clone(slots).try_acquire_owned().map_err(|_| "this node has too many questions open")
    }

    /// Counts what `node` was given.
    pub(super) fn gave(&self, node: &NodeName, bytes: usize, now: Timestamp) {
        let mut given = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let owed = given.get(node).map_or(0, |owed| owed.left(now));
        let bytes = owed.saturating_add(i64::try_from(bytes).unwrap_or(i64::MAX));
        given.insert(node.clone(), Owed { bytes, at: now });
    }

    /// Forgets what is remembered of a node that was removed.
    pub(super) fn forget(&self, node: &NodeName) {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner).retain(|(name, _), _| name != node);
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner).remove(node);
    }

    fn owed(&self, node: &NodeName, now: Timestamp) -> i64 {
        let given = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        given.get(node).map_or(0, |owed| owed.left(now))
    }
}

impl Owed {
    /// What is still owed.
    fn left(self, now: Timestamp) -> i64 {
        // A clock that was set back pays nothing off, and owes nothing more.
        let passed = now.duration_since(self.at).as_millis().clamp(0, 60_000);
        let paid = i64::try_from(passed).unwrap_or(0) * (BYTES_PER_SECOND / 1000);
        (self.bytes - paid).max(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(1_790_000_000_000 + ms).expect("in range")
    }

    fn name(text: &str) -> NodeName {
        text.parse().expect("a name")
    }

    #[test]
    fn questions_at_once_are_counted_for_each_node() {
        let (limits, a, b) = (NodeLimits::default(), name("a"), name("b"));
        let mut held: Vec<_> = (0..AT_ONCE).map(|_| limits.take(&a, Slot::Beats, at(0)).expect("a place")).collect();
        assert!(limits.take(&a, Slot::Beats, at(0)).is_err());
        assert!(limits.take(&b, Slot::Beats, at(0)).is_ok(), "others are undisturbed");
        assert!(limits.take(&a, Slot::Waits, at(0)).is_ok(), "waiting is another thing");
        let _orders: Vec<_> = (0..AT_ONCE).map(|_| limits.take(&a, Slot::Acts, at(0)).expect("a place")).collect();
        assert!(limits.take(&a, Slot::Acts, at(0)).is_err());
        held.pop();
        assert!(limits.take(&a, Slot::Beats, at(0)).is_ok(), "orders keep no heartbeat out");
    }

    #[test]
    fn bytes_are_given_at_a_steady_rate() {
        let (limits, a) = (NodeLimits::default(), name("a"));
        limits.gave(&a, (64 << 20) + 1, at(0));
        assert!(limits.take(&a, Slot::Beats, at(0)).is_err());
        assert!(limits.take(&a, Slot::Beats, at(2)).is_ok());
        limits.gave(&a, 96 << 20, at(2));
        assert!(limits.take(&a, Slot::Beats, at(1_000)).is_err());
        assert!(limits.take(&a, Slot::Beats, at(4_000)).is_ok());
        limits.gave(&a, (64 << 20) + 1, at(9_000));
        assert!(limits.take(&a, Slot::Beats, at(0)).is_err(), "a clock that was set back pays nothing off");
        limits.forget(&a);
        assert!(limits.take(&a, Slot::Beats, at(0)).is_ok());
        assert!(limits.take(&name("b"), Slot::Beats, at(0)).is_ok(), "others are undisturbed");
    }

    #[test]
    fn requests_are_counted_for_each_node() {
        let (limits, a) = (NodeLimits::default(), name("a"));
        let taken = (0..20_000).filter(|_| limits.take(&a, Slot::Beats, at(0)).is_ok()).count();
        assert_eq!(taken, 12_000);
        assert!(limits.take(&name("b"), Slot::Beats, at(0)).is_ok(), "others are undisturbed");
    }
}
