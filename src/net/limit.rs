//! How much somebody may do a minute.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

/// Keys remembered. Beyond it those with the least debt are forgotten.
const KEYS: usize = 10_000;

/// A generic cell rate algorithm per key: `per_minute` at once, then one more each sixtieth of a minute's share.
#[derive(Debug)]
pub struct RateLimit<K> {
    /// Microseconds one use costs.
    cost: i64,
    /// Microseconds that may be owed.
    burst: i64,
    /// When each key's debt is paid off, in microseconds.
    paid_off: Mutex<HashMap<K, i64>>,
}

impl<K: Eq + Hash> RateLimit<K> {
    /// A limit of `per_minute` uses.
    #[must_use]
    pub fn new(per_minute: u32) -> Self {
        const MINUTE: i64 = 60_000_000;
        Self { cost: MINUTE / i64::from(per_minute.max(1)), burst: MINUTE, paid_off: Mutex::default() }
    }

    /// Whether `key` has nothing left.
    #[must_use]
    pub fn is_exhausted(&self, key: &K, now: Timestamp) -> bool {
        let now = now.as_microsecond();
        let paid_off = self.paid_off.lock().unwrap_or_else(PoisonError::into_inner);
        paid_off.get(key).is_some_and(|until| self.is_possible(*until, now) && until + self.cost > now + self.burst)
    }

    /// Nobody owes more than the burst: a debt beyond it was made before the clock was set back, and would lock
    /// its key out for as long as that was.
    fn is_possible(&self, until: i64, now: i64) -> bool {
        until <= now + self.burst
    }

    /// Counts a use; answers whether it was one too many.
    pub fn take(&self, key: K, now: Timestamp) -> bool {
        let now = now.as_microsecond();
        let mut paid_off = self.paid_off.lock().unwrap_or_else(PoisonError::into_inner);
        if paid_off.len() >= KEYS {
            make_room(&mut paid_off, now);
        }
        let until = paid_off.entry(key).or_insert(now);
        if !self.is_possible(*until, now) {
            *until = now;
        }
        let next = (*until).max(now) + self.cost;
        if next > now + self.burst {
            return true;
        }
        *until = next;
        false
    }

    /// Seconds after which one more use is certainly free.
    #[must_use]
    pub fn pause(&self) -> u64 {
        u64::try_from(self.cost).unwrap_or_default().div_ceil(1_000_000)
    }
}

/// Drops who owes nothing; if everybody owes, the half that owes least.
fn make_room<K: Eq + Hash>(paid_off: &mut HashMap<K, i64>, now: i64) {
    paid_off.retain(|_, until| *until > now);
    if paid_off.len() >= KEYS {
        let mut debts: Vec<i64> = paid_off.values().copied().collect();
        let middle = debts.len() / 2;
        let (_, median, _) = debts.select_nth_unstable(middle);
        let median = *median;
        paid_off.retain(|_, until| *until > median);
    }
}

/// What counts as one source: an IPv4 address, or a /64 of IPv6. One customer of a provider has a /64 and could
/// come from a new address each time.
#[must_use]
pub fn source(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: i64) -> Timestamp {
        Timestamp::from_millisecond(1_700_000_000_000 + milliseconds).expect("in range")
    }

    #[test]
    fn a_minutes_worth_at_once_then_at_the_rate() {
        let limit = RateLimit::new(60);
        for n in 0..60 {
            assert!(!limit.take("a", at(0)), "{n}");
        }
        assert!(limit.is_exhausted(&"a", at(0)));
        assert!(limit.take("a", at(999)));
        assert!(!limit.is_exhausted(&"a", at(1_000)));
        assert!(!limit.take("a", at(1_000)));
        assert!(limit.take("a", at(1_000)));
        assert!(!limit.is_exhausted(&"b", at(1_000)), "others are not disturbed");
        assert_eq!((limit.pause(), RateLimit::<u8>::new(7).pause()), (1, 9));
    }

    #[test]
    fn a_clock_that_is_set_locks_nobody_out() {
        const HOUR: i64 = 3_600_000;
        for step in [-HOUR, HOUR] {
            let limit = RateLimit::new(60);
            while !limit.take("a", at(0)) {}
            assert!(!limit.is_exhausted(&"a", at(step)), "{step}");
            for n in 0..60 {
                assert!(!limit.take("a", at(step)), "{step}: {n}");
            }
            assert!(limit.take("a", at(step)), "the limit counts on");
        }
    }

    #[test]
    fn memory_is_bounded() {
        let limit = RateLimit::new(600);
        for n in 0..50_000u32 {
            limit.take(n, at(0));
        }
        assert!(limit.paid_off.lock().expect("not poisoned").len() <= KEYS);
    }
}
