//! When a check is looked at: at a fixed rate, spread over its interval, at the same phase after every restart.

use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::model::CheckId;

/// Parts of its interval by which a look may be later than its place: one in this many.
const JITTER: u32 = 50;
/// It is never later than this.
const JITTER_MAX: Duration = Duration::from_millis(200);
/// A check without a fresh result is looked at within this time after a start.
const FIRST: Duration = Duration::from_secs(10);

/// The beat of one check. Times are counted from 1970 at the start of the engine and go on by the monotonic clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beat {
    interval: Duration,
    /// Place within the interval: the hash of the id, so that checks do not bunch and a restart moves none.
    phase: Duration,
    seed: [u8; 32],
}

/// A planned look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// When.
    pub at: Duration,
    /// The number of its interval, counted from 1970.
    pub number: u64,
}

impl Beat {
    /// The beat of the check `id` with an `interval` of at least a second.
    #[must_use]
    pub fn new(id: &CheckId, interval: Duration) -> Self {
        let seed: [u8; 32] = Sha256::digest(id.as_str()).into();
        let interval = interval.max(Duration::from_secs(1));
        Self { interval, phase: interval.mul_f64(part(&seed)), seed }
    }

    /// The first planned look after `now`.
    #[must_use]
    pub fn after(&self, now: Duration) -> Due {
        let mut number = self.number(now).saturating_sub(1);
        loop {
            let at = self.at(number);
            if at > now {
                return Due { at, number };
            }
            number += 1;
        }
    }

    /// The look to begin with at `now`, when the last result is `age` old: the next planned one, or an extra
    /// one where that would leave an operator waiting.
    #[must_use]
    pub fn first(&self, now: Duration, age: Option<Duration>) -> Due {
        let planned = self.after(now);
        let soon = now + self.interval.min(FIRST).mul_f64(part(&self.seed));
        let worth_it = soon + (self.interval / 2).min(FIRST) <= planned.at;
        if age.is_none_or(|age| age >= self.interval * 9 / 10) && worth_it {
            return Due { at: soon, number: planned.number.saturating_sub(1) };
        }
        planned
    }

    /// Planned looks between `last` and `next` that nobody took.
    #[must_use]
    pub fn skipped(last: Due, next: Due) -> u64 {
        next.number.saturating_sub(last.number + 1)
    }

    fn number(&self, now: Duration) -> u64 {
        let passed = now.saturating_sub(self.phase).as_nanos() / self.interval.as_nanos();
        u64::try_from(passed).unwrap_or(u64::MAX)
    }

    fn at(&self, number: u64) -> Duration {
        let nanos = self.interval.as_nanos().saturating_mul(u128::from(number));
        let place = self.phase + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        let mut hash = Sha256::new_with_prefix(self.seed);
        hash.update(number.to_le_bytes());
        place + (self.interval / JITTER).min(JITTER_MAX).mul_f64(part(&hash.finalize().into()))
    }
}

/// A hash as a number from 0 to below 1.
fn part(hash: &[u8; 32]) -> f64 {
    let [a, b, c, d, ..] = *hash;
    f64::from(u32::from_be_bytes([a, b, c, d])) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn beat(id: &str, seconds: u64) -> Beat {
        Beat::new(&id.parse().expect("an id"), Duration::from_secs(seconds))
    }

    const NOW: Duration = Duration::from_secs(1_700_000_000);

    #[test]
    fn a_thousand_checks_are_spread() {
        let mut seconds = [0u32; 60];
        for n in 0..1_000 {
            let due = beat(&format!("check-{n}"), 60).after(NOW);
            assert!(due.at > NOW && due.at <= NOW + Duration::from_secs(61));
            seconds[usize::try_from(due.at.saturating_sub(NOW).as_secs() % 60).expect("small")] += 1;
        }
        assert!(seconds.iter().all(|count| *count <= 2 * 1_000 / 60), "{seconds:?}");
    }

    #[test]
    fn the_place_is_the_same_after_a_restart_and_the_rate_is_fixed() {
        let beat_a = beat("web", 30);
        let mut due = beat_a.after(NOW);
        for _ in 0..100 {
            // Started again at any moment between two looks, the next one is the same.
            let next = beat_a.after(due.at);
            assert_eq!(beat("web", 30).after(due.at + Duration::from_secs(7)), next);
            let step = next.at.saturating_sub(due.at).as_secs_f64();
            assert!((step - 30.0).abs() <= 0.2, "{step}");
            assert_eq!(Beat::skipped(due, next), 0);
            due = next;
        }
        let late = beat_a.after(due.at + Duration::from_secs(95));
        assert_eq!(Beat::skipped(due, late), 3);
    }

    #[test]
    fn without_a_fresh_result_the_first_look_comes_soon() {
        let hourly = beat("backup", 3_600);
        let planned = hourly.after(NOW);
        assert!(planned.at > NOW + FIRST);
        let first = hourly.first(NOW, None);
        assert!(first.at < NOW + FIRST);
        assert_eq!((hourly.after(first.at), Beat::skipped(first, planned)), (planned, 0));
        assert_eq!(hourly.first(NOW, Some(Duration::from_mins(5))), planned);
        assert!(hourly.first(NOW, Some(Duration::from_hours(2))).at < NOW + FIRST);
    }

    proptest! {
        #[test]
        fn what_comes_after_is_after_and_near(seconds in 1u64..90_000, offset in 0u64..1_000_000_000, id in "[a-z]{1,8}") {
            let beat = beat(&id, seconds);
            let now = NOW + Duration::from_micros(offset);
            let due = beat.after(now);
            prop_assert!(due.at > now);
            prop_assert!(due.at.saturating_sub(now) <= Duration::from_secs(seconds) + JITTER_MAX);
            prop_assert_eq!(beat.after(due.at.saturating_sub(Duration::from_nanos(1))), due);
            prop_assert_eq!(beat.after(due.at).number, due.number + 1);
        }
    }
}
