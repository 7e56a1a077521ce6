//! How another node's clock differs from ours: the four stamps of a question (NTP, RFC 5905), and what a difference means.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::Timestamp;

use super::Now;
use super::now::millis;

/// A difference from which on a person is told.
pub const SKEW_WARN: Duration = Duration::from_secs(2);
/// A difference from which on signatures are refused.
pub const SKEW_REFUSE: Duration = Duration::from_mins(5);

/// Questions that are remembered.
const WINDOW: usize = 8;
/// A question during which our own clock was put by more says nothing, in milliseconds.
const STEADY: i64 = 100;

/// What a difference of clocks means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum SkewLevel {
    /// Nothing.
    #[default]
    Fine,
    /// Times of that node are not to be compared with ours: more than [`SKEW_WARN`].
    Warn,
    /// What it signs is refused: more than [`SKEW_REFUSE`].
    Refuse,
}

/// The four stamps of one question.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stamps {
    /// When it was asked, by our clocks.
    pub(super) asked: Now,
    /// When it came there, by its clock.
    pub(super) received: Timestamp,
    /// When it was answered there, by its clock.
    pub(super) answered: Timestamp,
    /// When the answer came, by our clocks.
    pub(super) back: Now,
}

/// What the newest questions say of one node's clock and of the way to it.
#[derive(Debug, Clone, Default)]
pub(super) struct SkewMeter {
    samples: VecDeque<(i64, Duration)>,
}

impl SkewMeter {
    /// Takes in one question. Stamps that contradict each other are passed over.
    pub(super) fn note(&mut self, stamps: &Stamps) {
        let Stamps { asked, received, answered, back } = stamps;
        let there = millis(*answered).saturating_sub(millis(*received));
        let whole = back.mono.saturating_sub(asked.mono);
        let Ok(there) = u64::try_from(there).map(Duration::from_millis) else { return };
        if back.moved_since(*asked).saturating_abs() > STEADY || there > whole + Duration::from_millis(1) {
            return;
        }
        let out = i128::from(millis(*received)) - i128::from(millis(asked.wall));
        let home = i128::from(millis(*answered)) - i128::from(millis(back.wall));
        let skew = i64::try_from(i128::midpoint(out, home)).unwrap_or(i64::MAX);
        self.samples.push_back((skew, whole.saturating_sub(there)));
        if self.samples.len() > WINDOW {
            self.samples.pop_front();
        }
    }

    /// A clock was put, or it is another run there: what was measured before no longer counts.
    pub(super) fn forget(&mut self) {
        self.samples.clear();
    }

    /// Its clock less ours in milliseconds: the median.
    #[must_use]
    pub(super) fn skew_ms(&self) -> Option<i64> {
        median(self.samples.iter().map(|(skew, _)| *skew))
    }

    /// Time to it and back: the median.
    #[must_use]
    pub(super) fn rtt(&self) -> Option<Duration> {
        median(self.samples.iter().map(|(_, rtt)| *rtt))
    }

    /// What it means.
    #[must_use]
    pub(super) fn level(&self) -> SkewLevel {
        let skew = Duration::from_millis(self.skew_ms().unwrap_or(0).unsigned_abs());
        if skew > SKEW_REFUSE {
            SkewLevel::Refuse
        } else if skew > SKEW_WARN {
            SkewLevel::Warn
        } else {
            SkewLevel::Fine
        }
    }
}

fn median<T: Ord + Copy>(values: impl Iterator<Item = T>) -> Option<T> {
    let mut values: Vec<T> = values.collect();
    values.sort_unstable();
    values.get(values.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: i64 = 1_800_000_000_000;

    fn wall(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(START + ms).expect("in range")
    }

    fn now(ms: u64) -> Now {
        Now { mono: Duration::from_millis(ms), wall: wall(i64::try_from(ms).expect("small")) }
    }

    /// A question at `at` that takes `out` there, `rest` in between and `home` back, to a clock that is `skew` ahead.
    fn asked(meter: &mut SkewMeter, at: u64, skew: i64, (out, rest, home): (u64, u64, u64)) {
        let there = |ms: u64| wall(i64::try_from(ms).expect("small") + skew);
        meter.note(&Stamps {
            asked: now(at),
            received: there(at + out),
            answered: there(at + out + rest),
            back: now(at + out + rest + home),
        });
    }

    #[test]
    fn the_way_and_the_time_it_takes_to_answer_are_no_skew() {
        let mut meter = SkewMeter::default();
        assert_eq!((meter.skew_ms(), meter.level()), (None, SkewLevel::Fine));
        asked(&mut meter, 0, 1_500, (40, 300, 40));
        assert_eq!(meter.skew_ms(), Some(1_500));
        assert_eq!(meter.rtt(), Some(Duration::from_millis(80)));
    }

    #[test]
    fn one_bad_question_of_eight_changes_nothing() {
        let mut meter = SkewMeter::default();
        for n in 0..7 {
            asked(&mut meter, n * 5_000, -2_400, (10, 0, 10));
        }
        asked(&mut meter, 40_000, -2_400, (2_000, 0, 10));
        assert_eq!(meter.skew_ms(), Some(-2_400));
        assert_eq!(meter.level(), SkewLevel::Warn);
    }

    #[test]
    fn the_edges_of_what_it_means() {
        for (skew, level) in [
            (2_000, SkewLevel::Fine),
            (-2_001, SkewLevel::Warn),
            (300_000, SkewLevel::Warn),
            (-300_001, SkewLevel::Refuse),
        ] {
            let mut meter = SkewMeter::default();
            asked(&mut meter, 0, skew, (0, 0, 0));
            assert_eq!(meter.level(), level, "{skew}");
        }
    }

    #[test]
    fn our_own_clock_may_be_put_while_we_ask() {
        let mut meter = SkewMeter::default();
        asked(&mut meter, 0, 100, (10, 0, 10));
        meter.forget();
        let mut back = now(20);
        back.wall = wall(3_600_020);
        meter.note(&Stamps { asked: now(0), received: wall(10), answered: wall(10), back });
        assert_eq!(meter.skew_ms(), None, "nothing can be said");
    }

    #[test]
    fn stamps_that_cannot_be_are_passed_over() {
        let mut meter = SkewMeter::default();
        let mut note = |received, answered| meter.note(&Stamps { asked: now(0), received, answered, back: now(50) });
        note(wall(30), wall(20));
        note(wall(0), wall(10_000));
        note(Timestamp::MIN, Timestamp::MAX);
        note(Timestamp::MAX, Timestamp::MIN);
        assert_eq!(meter.skew_ms(), None);
        // Far away is a skew, not an overflow.
        meter.note(&Stamps { asked: now(0), received: Timestamp::MAX, answered: Timestamp::MAX, back: now(50) });
        assert_eq!(meter.level(), SkewLevel::Refuse);
    }
}
