//! How often a source may fail.
//!
//! Only failures count, so a busy sender never meets this limit and a broken one does not fill the logs.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

/// Sources remembered. Beyond it the ones that failed longest ago are forgotten.
const SOURCES: usize = 10_000;

/// A generic cell rate algorithm per source address and channel: `per_minute` at once, then one more each
/// sixtieth of a minute's share.
#[derive(Debug)]
pub struct FailureLimit {
    /// Microseconds one failure costs.
    cost: i64,
    /// Microseconds that may be owed.
    burst: i64,
    /// When each source's debt is paid off, in microseconds.
    paid_off: Mutex<HashMap<(IpAddr, usize), i64>>,
}

impl FailureLimit {
    /// A limit of `per_minute` failures.
    #[must_use]
    pub fn new(per_minute: u32) -> Self {
        const MINUTE: i64 = 60_000_000;
        Self { cost: MINUTE / i64::from(per_minute.max(1)), burst: MINUTE, paid_off: Mutex::default() }
    }

    /// Whether `source` has used up its failures on `channel`.
    #[must_use]
    pub fn is_exhausted(&self, source: IpAddr, channel: usize, now: Timestamp) -> bool {
        let now = now.as_microsecond();
        let paid_off = self.paid_off.lock().unwrap_or_else(PoisonError::into_inner);
        paid_off
            .get(&(group(source), channel))
            .is_some_and(|until| self.is_possible(*until, now) && until + self.cost > now + self.burst)
    }

    /// Nobody owes more than the burst: a debt beyond it was made before the clock was set back, and would lock
    /// its source out for as long as that was.
    fn is_possible(&self, until: i64, now: i64) -> bool {
        until <= now + self.burst
    }

    /// Counts a failure; answers whether it was one too many.
    pub fn fail(&self, source: IpAddr, channel: usize, now: Timestamp) -> bool {
        let now = now.as_microsecond();
        let mut paid_off = self.paid_off.lock().unwrap_or_else(PoisonError::into_inner);
        if paid_off.len() >= SOURCES {
            make_room(&mut paid_off, now);
        }
        let until = paid_off.entry((group(source), channel)).or_insert(now);
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
}

/// Drops who owes nothing; if everybody owes, the half that owes least.
fn make_room(paid_off: &mut HashMap<(IpAddr, usize), i64>, now: i64) {
    paid_off.retain(|_, until| *until > now);
    if paid_off.len() >= SOURCES {
        let mut debts: Vec<i64> = paid_off.values().copied().collect();
        let middle = debts.len() / 2;
        let (_, median, _) = debts.select_nth_unstable(middle);
        let median = *median;
        paid_off.retain(|_, until| *until > median);
    }
}

/// One customer of a provider has a /64 of IPv6 and could come from a new address each time.
fn group(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
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

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn a_minutes_worth_at_once_then_at_the_rate() {
        let limit = FailureLimit::new(60);
        let source = ip("203.0.113.1");
        for n in 0..60 {
            assert!(!limit.fail(source, 0, at(0)), "{n}");
        }
        assert!(limit.is_exhausted(source, 0, at(0)));
        assert!(limit.fail(source, 0, at(999)));
        assert!(!limit.is_exhausted(source, 0, at(1_000)));
        assert!(!limit.fail(source, 0, at(1_000)));
        assert!(limit.fail(source, 0, at(1_000)));
    }

    #[test]
    fn others_are_not_disturbed() {
        let limit = FailureLimit::new(1);
        assert!(!limit.fail(ip("203.0.113.1"), 0, at(0)));
        assert!(limit.is_exhausted(ip("203.0.113.1"), 0, at(0)));
        assert!(!limit.is_exhausted(ip("203.0.113.2"), 0, at(0)));
        assert!(!limit.is_exhausted(ip("203.0.113.1"), 1, at(0)), "another channel");
        assert!(!limit.fail(ip("2001:db8::1"), 0, at(0)));
        assert!(limit.is_exhausted(ip("2001:db8::2"), 0, at(0)), "the same /64");
    }

    #[test]
    fn a_clock_that_is_set_locks_nobody_out() {
        const HOUR: i64 = 3_600_000;
        for step in [-HOUR, HOUR] {
            let limit = FailureLimit::new(60);
            let source = ip("203.0.113.1");
            while !limit.fail(source, 0, at(0)) {}
            assert!(!limit.is_exhausted(source, 0, at(step)), "{step}");
            for n in 0..60 {
                assert!(!limit.fail(source, 0, at(step)), "{step}: {n}");
            }
            assert!(limit.fail(source, 0, at(step)), "the limit counts on");
        }
    }

    #[test]
    fn memory_is_bounded() {
        let limit = FailureLimit::new(600);
        for n in 0..50_000u32 {
            limit.fail(IpAddr::V4(n.into()), 0, at(0));
        }
        assert!(limit.paid_off.lock().expect("not poisoned").len() <= SOURCES);
    }
}
