//! What bodies that nobody has authenticated yet may take, over all connections and from one source.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::net;

/// A source has this part of a budget, or one delivery, whatever its size.
const PART: u64 = 4;
/// Bytes that a share grows by at least, so that small pieces do not each ask for room.
const STEP: u64 = 16 * 1024;

/// Bytes held at once, from the first byte to the commit.
#[derive(Debug)]
pub struct BodyBudget {
    most: u64,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    all: u64,
    sources: HashMap<IpAddr, u64>,
}

impl Default for BodyBudget {
    fn default() -> Self {
        Self::new(128 << 20)
    }
}

impl BodyBudget {
    /// A budget of `bytes`.
    #[must_use]
    pub fn new(bytes: u64) -> Self {
        Self { most: bytes, held: Mutex::default() }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        // Sums are whole whenever the lock is free.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A delivery's share of a budget, given back when it is dropped.
pub(super) struct Share {
    budget: Arc<BodyBudget>,
    source: IpAddr,
    held: u64,
}

impl Share {
    /// An empty share of `budget` for somebody at `address`.
    pub(super) fn of(budget: &Arc<BodyBudget>, address: IpAddr) -> Self {
        Self { budget: Arc::clone(budget), source: net::source(address), held: 0 }
    }

    /// Makes the share at least `bytes` large; answers whether there was room.
    pub(super) fn reach(&mut self, bytes: u64) -> bool {
        if bytes <= self.held {
            return true;
        }
        let budget = &*self.budget;
        let more = bytes.next_multiple_of(STEP.min(budget.most.max(1))) - self.held;
        let mut held = budget.held();
        let own = held.sources.get(&self.source).copied().unwrap_or_default();
        let alone = own == self.held;
        if held.all + more > budget.most || (own + more > budget.most / PART && !alone) {
            return false;
        }
        held.all += more;
        held.sources.insert(self.source, own + more);
        self.held += more;
        true
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        if self.held == 0 {
            return;
        }
        let mut held = self.budget.held();
        held.all -= self.held;
        if let Some(own) = held.sources.get_mut(&self.source) {
            *own -= self.held;
            if *own == 0 {
                held.sources.remove(&self.source);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn share(budget: &Arc<BodyBudget>, address: &str) -> Share {
        Share::of(budget, address.parse().expect("an address"))
    }

    #[test]
    fn a_source_has_a_quarter_or_one_delivery_and_leaves_room_for_others() {
        let budget = Arc::new(BodyBudget::new(16 * MIB));
        let mut large = share(&budget, "203.0.113.1");
        assert!(large.reach(6 * MIB), "one may be large");
        assert!(!share(&budget, "203.0.113.1").reach(1), "nothing is left for a second one");
        assert!(large.reach(7 * MIB), "the first one grows on");
        let others: Vec<Share> = (0..5).map(|_| share(&budget, "2001:db8::1")).collect();
        let taken: Vec<bool> = others
            .into_iter()
            .scan(Vec::new(), |kept, mut share| {
                let taken = share.reach(MIB);
                kept.push(share);
                Some(taken)
            })
            .collect();
        assert_eq!(taken, [true, true, true, true, false], "a quarter");
        let mut third = share(&budget, "198.51.100.1");
        assert!(!third.reach(10 * MIB) && third.reach(9 * MIB), "all of it, and no more");
        drop((large, third));
        let held = budget.held();
        assert_eq!((held.all, held.sources.len()), (0, 0), "everything comes back");
    }

    #[test]
    fn the_same_64_is_one_source() {
        let budget = Arc::new(BodyBudget::new(16 * MIB));
        let mut first = share(&budget, "2001:db8::1");
        assert!(first.reach(4 * MIB));
        assert!(!share(&budget, "2001:db8::2").reach(1));
        assert!(share(&budget, "2001:db8:0:1::1").reach(1));
    }
}
