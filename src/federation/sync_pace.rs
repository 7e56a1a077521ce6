//! How often and how much one other node is asked: pauses after failures, and what it may use up.

use std::time::Duration;

/// The pause after the first failure, and the longest one.
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_mins(1);
/// Failures in a row after which one question at a time is enough to find out whether it is well again.
const BROKEN: u32 = 5;
/// Nobody asks again sooner after a failure, however chance will have it.
const LEAST: Duration = Duration::from_millis(100);

/// Bytes a second, and how many may have been saved up.
const BYTES: u64 = 16 << 20;
/// Questions a second. At 500 entries each that is more than anybody applies.
const QUESTIONS: u64 = 100;
/// Seconds for which a budget may be saved up.
const SAVED: u64 = 2;

/// The pauses between questions to one node: they double with each failure up to a minute, with full jitter, so that
/// many who lost the same node do not come back at once. After several failures the circuit is open: one question is
/// tried, and only its success lets others follow.
#[derive(Debug, Clone, Default)]
pub(super) struct Pace {
    failures: u32,
    until: Duration,
    /// Whether it was not reached, which is over when it is heard.
    unreached: bool,
    /// Why the last question failed.
    pub(super) trouble: Option<String>,
}

impl Pace {
    /// Notes a failure; `chance` is between 0 and 1.
    pub(super) fn failed(&mut self, now: Duration, chance: f64, unreached: bool, why: String) {
        let cap = FIRST.saturating_mul(1 << self.failures.min(6)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        self.until = now + cap.mul_f64(chance.clamp(0.0, 1.0)).max(LEAST);
        self.unreached = unreached;
        self.trouble = Some(why);
    }

    /// Notes that a question was answered as it should.
    pub(super) fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// Notes that the node is heard: a pause because it was not reached is over.
    pub(super) fn heard(&mut self) {
        if self.unreached {
            self.succeeded();
        }
    }

    /// Whether it may be asked while `open` questions to it are.
    pub(super) fn allows(&self, now: Duration, open: usize) -> bool {
        now >= self.until && (!self.is_broken() || open == 0)
    }

    /// Whether it failed so often that others are asked instead.
    pub(super) fn is_broken(&self) -> bool {
        self.failures >= BROKEN
    }

    /// When the pause is over.
    pub(super) fn until(&self) -> Duration {
        self.until
    }
}

/// What may be used up: so much a second, and somewhat more after a rest. What was used may be more than there was; then
/// it has to be made good first.
#[derive(Debug, Clone)]
pub(super) struct Budget {
    bytes: Bucket,
    questions: Bucket,
}

impl Default for Budget {
    fn default() -> Self {
        Self { bytes: Bucket::new(BYTES), questions: Bucket::new(QUESTIONS) }
    }
}

impl Budget {
    /// Whether a question may be asked.
    pub(super) fn allows(&mut self, now: Duration) -> bool {
        self.bytes.has(now) && self.questions.has(now)
    }

    /// Notes a question.
    pub(super) fn asked(&mut self, now: Duration) {
        self.questions.take(now, 1);
    }

    /// Notes what came.
    pub(super) fn came(&mut self, now: Duration, bytes: usize) {
        self.bytes.take(now, u64::try_from(bytes).unwrap_or(u64::MAX));
    }

    /// How long until a question may be asked, when none may now.
    pub(super) fn wait(&self) -> Duration {
        self.bytes.wait().max(self.questions.wait())
    }
}

/// Counts in thousandths, so that a short time is not lost.
#[derive(Debug, Clone)]
struct Bucket {
    rate: u64,
    level: i64,
    at: Duration,
}

impl Bucket {
    fn new(rate: u64) -> Self {
        Self { rate, level: Self::full(rate), at: Duration::ZERO }
    }

    fn full(rate: u64) -> i64 {
        i64::try_from(rate.saturating_mul(SAVED * 1_000)).unwrap_or(i64::MAX)
    }

    fn fill(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.at).as_millis().min(u128::from(SAVED * 1_000));
        let more = i64::try_from(passed * u128::from(self.rate)).unwrap_or(i64::MAX);
        if more > 0 {
            (self.level, self.at) = (self.level.saturating_add(more).min(Self::full(self.rate)), now);
        }
    }

    fn has(&mut self, now: Duration) -> bool {
        self.fill(now);
        self.level > 0
    }

    fn take(&mut self, now: Duration, count: u64) {
        self.fill(now);
        self.level = self.level.saturating_sub(i64::try_from(count.saturating_mul(1_000)).unwrap_or(i64::MAX));
    }

    fn wait(&self) -> Duration {
        let lacking = u64::try_from(1 - self.level.min(1)).unwrap_or(0);
        Duration::from_millis(lacking.div_ceil(self.rate))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_minute_and_end_when_the_node_is_heard() {
        let mut pace = Pace::default();
        let mut now = Duration::ZERO;
        for longest in [1, 2, 4, 8, 16, 32, 60, 60, 60] {
            pace.failed(now, 1.0, true, "no answer".into());
            assert_eq!(pace.until(), now + Duration::from_secs(longest));
            now = pace.until();
        }
        pace.failed(now, 0.0, true, "no answer".into());
        assert_eq!(pace.until(), now + LEAST);
        pace.heard();
        assert!(pace.allows(now, 3) && pace.trouble.is_none());
        pace.failed(now, 1.0, false, "nonsense".into());
        pace.heard();
        assert!(!pace.allows(now, 0), "being there does not make up for nonsense");
    }

    #[test]
    fn a_circuit_that_is_open_lets_one_question_through() {
        let mut pace = Pace::default();
        for _ in 0..BROKEN {
            assert!(!pace.is_broken());
            pace.failed(Duration::ZERO, 0.5, false, "nonsense".into());
        }
        let later = pace.until();
        assert!(pace.allows(later, 0) && !pace.allows(later, 1));
        pace.succeeded();
        assert!(pace.allows(later, 1));
    }

    #[test]
    fn what_was_used_too_much_is_made_good_first() {
        let mut budget = Budget::default();
        let at = Duration::from_millis;
        assert!(budget.allows(at(0)));
        budget.came(at(0), 40 << 20);
        assert!(!budget.allows(at(0)));
        let wait = budget.wait();
        assert!(wait > at(400) && wait < at(600), "{wait:?}");
        assert!(!budget.allows(wait.saturating_sub(at(2))) && budget.allows(wait + at(1)));
        for _ in 0..200 {
            budget.asked(at(5_000));
        }
        assert!(!budget.allows(at(5_000)));
        assert!(budget.allows(at(5_000) + budget.wait()));
    }
}
