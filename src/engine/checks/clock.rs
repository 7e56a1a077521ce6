//! Was this process awake, and its clock steady, while a look was going on?

use std::collections::VecDeque;
use std::time::Duration;

use jiff::Timestamp;

/// How often the clock is to be looked at while something goes on.
pub(super) const PULSE: Duration = Duration::from_millis(200);
/// How often while nothing does: there is nothing an absence could spoil.
pub(super) const RESTING: Duration = Duration::from_secs(5);
/// A longer time between two looks at it: the process was suspended, or starved so that timeouts say nothing.
const AWAY: Duration = Duration::from_millis(1_500);
/// The wall clock may differ from the monotonic one by this much between two looks before it has jumped.
const STEADY: i128 = 1_000_000_000;
/// Absences remembered.
const KEPT: usize = 16;

/// The monotonic clock beside the wall clock.
#[derive(Debug)]
pub(super) struct Clock {
    last: (Duration, Timestamp),
    /// Up to then nobody meant to look.
    rests: Duration,
    /// Absences by the monotonic clock, and what they were.
    absences: VecDeque<(Duration, Duration, String)>,
    news: bool,
}

impl Clock {
    /// A clock at `now`, monotonic and wall.
    pub(super) fn new(now: Duration, wall: Timestamp) -> Self {
        Self { last: (now, wall), rests: now, absences: VecDeque::new(), news: false }
    }

    /// Nothing goes on, and nobody looks before `until`: so long a wait is an ordinary one.
    pub(super) fn rest(&mut self, until: Duration) {
        self.rests = until;
    }

    /// Looks at both clocks, and remembers what has happened since the last time when it was no ordinary wait.
    pub(super) fn pulse(&mut self, now: Duration, wall: Timestamp) {
        let (before, wall_before) = std::mem::replace(&mut self.last, (now, wall));
        let passed = now.saturating_sub(before);
        let jumped = wall.duration_since(wall_before).as_nanos() - i128::try_from(passed.as_nanos()).unwrap_or(0);
        let away = now.saturating_sub(before.max(std::mem::take(&mut self.rests)));
        let what = if away > AWAY {
            format!("this process did not run for {:.1} s", away.as_secs_f64())
        } else if jumped.abs() > STEADY {
            format!("the clock of this machine jumped by {} s", jumped / 1_000_000_000)
        } else {
            return;
        };
        self.news = true;
        self.absences.push_back((before, now, what));
        if self.absences.len() > KEPT {
            self.absences.pop_front();
        }
    }

    /// The last absence, unless it was told.
    pub(super) fn news(&mut self) -> Option<&str> {
        let last = self.absences.back().map(|(.., what)| what.as_str());
        if std::mem::take(&mut self.news) { last } else { None }
    }

    /// Why a look from `began` to `ended` says nothing, if so.
    pub(super) fn spoils(&self, began: Duration, ended: Duration) -> Option<&str> {
        let overlaps = |(from, to, _): &&(Duration, Duration, String)| began < *to && ended > *from;
        self.absences.iter().rev().find(overlaps).map(|(.., what)| what.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn wall(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(1_700_000_000_000 + ms).expect("in range")
    }

    #[test]
    fn a_suspended_process_spoils_only_what_it_was_doing() {
        let mut clock = Clock::new(ms(0), wall(0));
        clock.pulse(ms(200), wall(200));
        assert_eq!(clock.news(), None);
        clock.pulse(ms(5_200), wall(5_200));
        assert!(clock.news().expect("away").contains("5.0 s"));
        assert_eq!(clock.news(), None, "it was told");
        assert!(clock.spoils(ms(100), ms(5_300)).is_some(), "it was going on all the time");
        assert!(clock.spoils(ms(300), ms(5_100)).is_some());
        assert_eq!(clock.spoils(ms(0), ms(150)), None, "it was over before");
        assert_eq!(clock.spoils(ms(5_250), ms(5_400)), None, "it began afterwards");
    }

    #[test]
    fn who_rests_is_away_only_when_the_rest_is_over() {
        let mut clock = Clock::new(ms(0), wall(0));
        clock.rest(ms(5_000));
        clock.pulse(ms(5_100), wall(5_100));
        assert_eq!(clock.news(), None);
        clock.rest(ms(10_000));
        clock.pulse(ms(12_000), wall(12_000));
        assert!(clock.news().expect("away").contains("2.0 s"));
        clock.pulse(ms(15_000), wall(15_000));
        assert!(clock.news().expect("a rest counts once").contains("3.0 s"));
        clock.rest(ms(20_000));
        clock.pulse(ms(20_000), wall(3_620_000));
        assert!(clock.news().expect("a jump").contains("3600 s"));
    }

    #[test]
    fn a_jump_of_the_wall_clock_is_seen_either_way() {
        for by in [3_600_000, -3_600_000] {
            let mut clock = Clock::new(ms(0), wall(0));
            clock.pulse(ms(200), wall(200 + by));
            assert!(clock.news().expect("a jump").contains("3600 s"));
            clock.pulse(ms(400), wall(400 + by));
            assert_eq!(clock.news(), None, "it jumped once");
        }
        let mut clock = Clock::new(ms(0), wall(0));
        clock.pulse(ms(200), wall(900));
        assert_eq!(clock.news(), None, "a small correction is none");
    }
}
