//! How slow this node is itself: the local health multiplier of Lifeguard (Dadgar, Phillips, Currey 2017).

use std::time::Duration;

/// The slowest.
const MOST: u8 = 8;
/// A timer may fire this late.
const LATE: Duration = Duration::from_millis(200);
/// Every so often without a new cause it counts for one less.
const CALM: Duration = Duration::from_secs(10);
/// That nobody answers may as well be the network: it alone makes nobody slower than this.
const BLIND_MAX: u8 = 1;

/// The score: 0 while all goes well, 8 at most. Every timeout for others is multiplied by it and one.
#[derive(Debug, Clone, Default)]
pub(super) struct Slowness {
    score: u8,
    since: Duration,
}

impl Slowness {
    /// 0 to 8.
    #[must_use]
    pub(super) fn score(&self) -> u8 {
        self.score
    }

    /// By how much to multiply what others may take.
    #[must_use]
    pub(super) fn factor(&self) -> u32 {
        u32::from(self.score) + 1
    }

    /// An own timer fired this late. Answers whether that was too late.
    pub(super) fn timer(&mut self, late: Duration, now: Duration) -> bool {
        let too_late = late > LATE;
        if too_late {
            self.raise(MOST, now);
        }
        too_late
    }

    /// Somebody was suspected here and lives.
    pub(super) fn wronged(&mut self, now: Duration) {
        self.raise(MOST, now);
    }

    /// None of several nodes that were asked to look for another one has answered.
    pub(super) fn blind(&mut self, now: Duration) {
        self.raise(BLIND_MAX, now);
    }

    fn raise(&mut self, most: u8, now: Duration) {
        if self.score < most {
            self.score += 1;
        }
        self.since = now;
    }

    /// Time passes.
    pub(super) fn calm(&mut self, now: Duration) {
        if self.score > 0 && now.saturating_sub(self.since) >= CALM {
            self.score -= 1;
            self.since = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn late_timers_raise_it_to_eight_and_calm_lowers_it() {
        let mut slowness = Slowness::default();
        assert!(!slowness.timer(LATE, at(0)));
        assert_eq!((slowness.score(), slowness.factor()), (0, 1));
        for second in 0..20 {
            assert!(slowness.timer(LATE + Duration::from_millis(1), at(second)));
        }
        assert_eq!((slowness.score(), slowness.factor()), (8, 9));
        slowness.calm(at(20));
        assert_eq!(slowness.score(), 8, "not yet");
        for second in 21..200 {
            slowness.calm(at(second));
        }
        assert_eq!(slowness.score(), 0);
    }

    #[test]
    fn that_nobody_answers_counts_once_only() {
        let mut slowness = Slowness::default();
        (0..9).for_each(|second| slowness.blind(at(second)));
        assert_eq!(slowness.score(), 1);
        slowness.wronged(at(9));
        slowness.blind(at(10));
        assert_eq!(slowness.score(), 2, "and lowers nothing");
    }
}
