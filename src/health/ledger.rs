//! What is remembered of one check: the strip, the last 24 hours, and what is still to be written down.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::Timestamp;

use crate::model::{Slot, Strip, Verdict};

use super::Rollup;

const MINUTE: i64 = 60;
const HOUR: i64 = 3_600;
/// Hours that figures are made of.
const DAY: i64 = 24;

/// Everything that is remembered of one check. Pure; the store holds what must survive.
#[derive(Debug)]
pub struct Ledger {
    /// Minutes one slot of the strip stands for.
    step: i64,
    /// Slots that were looked in, oldest first.
    strip: VecDeque<(i64, Slot)>,
    /// The last 24 hours, oldest first.
    day: VecDeque<(i64, Rollup)>,
    /// All of `day` but its last hour together.
    past: Rollup,
    /// Minutes and hours that are not written down.
    minutes: Vec<(i64, Rollup)>,
    hours: Vec<(i64, Rollup)>,
}

/// Figures of the last 24 hours.
#[derive(Debug, Clone, PartialEq)]
pub struct Figures {
    /// 50, 95 and 99 of 100 good looks took at most this long.
    pub quantiles: [Option<Duration>; 3],
    /// Percent of the known results that were not critical.
    pub uptime: Option<f64>,
}

impl Ledger {
    /// The ledger of a check that is looked at every `interval`.
    #[must_use]
    pub fn new(interval: Duration) -> Self {
        let mut ledger = Self {
            step: 1,
            strip: VecDeque::new(),
            day: VecDeque::new(),
            past: Rollup::default(),
            minutes: Vec::new(),
            hours: Vec::new(),
        };
        ledger.set_interval(interval);
        ledger
    }

    /// From now on it is looked at every `interval`. The strip begins again when its slots have another length.
    pub fn set_interval(&mut self, interval: Duration) {
        let step = i64::try_from(interval.as_secs().div_ceil(60)).unwrap_or(i64::MAX).max(1);
        if step != self.step {
            self.step = step;
            self.strip.clear();
        }
    }

    /// Minutes one slot of the strip stands for.
    #[must_use]
    pub fn step(&self) -> i64 {
        self.step
    }

    /// Takes in a result. It is still to be written down.
    pub fn note(&mut self, at: Timestamp, verdict: Verdict, took: Duration) {
        let minute = at.as_second().div_euclid(MINUTE);
        let mut one = Rollup::default();
        one.add(verdict, took);
        entry(&mut self.minutes, minute).merge(&one);
        self.recall(minute, &one);
    }

    /// Takes in a minute that is written down already, for strip and figures.
    pub fn recall(&mut self, minute: i64, rollup: &Rollup) {
        self.recall_hour(minute.div_euclid(HOUR / MINUTE), rollup);
        self.recall_slot(minute, rollup);
    }

    /// The same for the strip alone.
    pub fn recall_slot(&mut self, minute: i64, rollup: &Rollup) {
        let Some(worst) = rollup.worst() else { return };
        let slot = minute.div_euclid(self.step);
        let place = self.strip.partition_point(|(known, _)| *known < slot);
        match self.strip.get_mut(place) {
            Some((known, seen)) if *known == slot => {
                let verdict = seen.verdict.map_or(worst, |verdict| worse(verdict, worst));
                *seen = Slot::new(verdict, seen.longest().max(rollup.longest));
            }
            _ => self.strip.insert(place, (slot, Slot::new(worst, rollup.longest))),
        }
        while self.strip.len() > Strip::SLOTS {
            self.strip.pop_front();
        }
    }

    /// The same for the figures alone, with a whole hour.
    pub fn recall_hour(&mut self, hour: i64, rollup: &Rollup) {
        let newest = self.day.back().map(|(newest, _)| *newest);
        let place = self.day.partition_point(|(known, _)| *known < hour);
        match self.day.get_mut(place) {
            Some((known, counted)) if *known == hour => counted.merge(rollup),
            _ => self.day.insert(place, (hour, rollup.clone())),
        }
        // Nearly always it is the last hour again.
        if newest != Some(hour) {
            self.sum_past();
        }
    }

    /// The clock was ahead and is at `now` again: what seems to be later is no longer shown.
    pub fn forget_after(&mut self, now: Timestamp) {
        let (slot, hour) = (now.as_second().div_euclid(MINUTE * self.step), now.as_second().div_euclid(HOUR));
        self.strip.retain(|(known, _)| *known <= slot);
        self.day.retain(|(known, _)| *known <= hour);
        self.sum_past();
    }

    fn sum_past(&mut self) {
        let newest = self.day.back().map_or(0, |(hour, _)| *hour);
        while self.day.front().is_some_and(|(hour, _)| *hour <= newest - DAY) {
            self.day.pop_front();
        }
        self.past = Rollup::default();
        for (_, hour) in self.day.iter().rev().skip(1) {
            self.past.merge(hour);
        }
    }

    /// Minutes before `minute` that are to be written down; they become part of the hours.
    pub fn take_minutes(&mut self, minute: i64) -> Vec<(i64, Rollup)> {
        let over = take_before(&mut self.minutes, minute);
        for (minute, rollup) in &over {
            self.count_hour(minute.div_euclid(HOUR / MINUTE), rollup);
        }
        over
    }

    /// A minute that is written down is part of an hour that is not.
    pub fn count_hour(&mut self, hour: i64, rollup: &Rollup) {
        entry(&mut self.hours, hour).merge(rollup);
    }

    /// Hours before `hour` that are to be written down.
    pub fn take_hours(&mut self, hour: i64) -> Vec<(i64, Rollup)> {
        take_before(&mut self.hours, hour)
    }

    /// Whether everything is written down.
    #[must_use]
    pub fn is_written(&self) -> bool {
        self.minutes.is_empty() && self.hours.is_empty()
    }

    /// The figures of the last 24 hours.
    #[must_use]
    pub fn figures(&self, now: Timestamp) -> Figures {
        let oldest = now.as_second().div_euclid(HOUR) - DAY;
        let last = self.day.back().filter(|(hour, _)| *hour > oldest);
        let Some((_, last)) = last else { return Figures { quantiles: [None; 3], uptime: None } };
        let mut all = self.past.clone();
        all.merge(last);
        Figures { quantiles: [50.0, 95.0, 99.0].map(|percent| all.latencies.quantile(percent)), uptime: all.uptime() }
    }

    /// The strip that ends with the slot of `now`.
    #[must_use]
    pub fn strip(&self, now: Timestamp) -> Strip {
        let newest = now.as_second().div_euclid(MINUTE * self.step);
        let oldest = newest + 1 - i64::try_from(Strip::SLOTS).unwrap_or(0);
        let mut slots = vec![Slot::default(); Strip::SLOTS];
        for (slot, seen) in &self.strip {
            if let Ok(place) = usize::try_from(slot - oldest)
                && let Some(shown) = slots.get_mut(place)
            {
                *shown = *seen;
            }
        }
        Strip { step: Duration::from_secs(self.step.unsigned_abs() * 60), slots }
    }
}

fn entry(list: &mut Vec<(i64, Rollup)>, at: i64) -> &mut Rollup {
    // Nearly always the last one.
    let place = list.iter().rposition(|(known, _)| *known == at).unwrap_or_else(|| {
        list.push((at, Rollup::default()));
        list.len() - 1
    });
    &mut list[place].1
}

fn take_before(list: &mut Vec<(i64, Rollup)>, end: i64) -> Vec<(i64, Rollup)> {
    list.extract_if(.., |(at, _)| *at < end).collect()
}

/// Not knowing is worse than ok and milder than anything known to be wrong.
fn worse(a: Verdict, b: Verdict) -> Verdict {
    let rank = |verdict| match verdict {
        Verdict::Ok => 0,
        Verdict::Unknown => 1,
        Verdict::Warn => 2,
        Verdict::Critical => 3,
    };
    if rank(a) >= rank(b) { a } else { b }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The first second of a day.
    const NOON: i64 = 1_699_920_000;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(NOON + second).expect("in range")
    }

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_slot_shows_the_worst_and_the_longest() {
        let mut ledger = Ledger::new(Duration::from_secs(30));
        ledger.note(at(0), Verdict::Ok, MS * 5);
        ledger.note(at(30), Verdict::Critical, MS * 90);
        ledger.note(at(60), Verdict::Unknown, MS);
        ledger.note(at(180), Verdict::Ok, MS * 7);
        let strip = ledger.strip(at(185));
        assert_eq!(strip.slots.len(), Strip::SLOTS);
        let last = &strip.slots[Strip::SLOTS - 4..];
        assert_eq!(last[0], Slot::new(Verdict::Critical, MS * 90));
        assert_eq!(last[1].verdict, Some(Verdict::Unknown));
        assert_eq!((last[2], last[3]), (Slot::default(), Slot::new(Verdict::Ok, MS * 7)));
        assert_eq!(ledger.strip(at(86_400)).slots, vec![Slot::default(); Strip::SLOTS], "long ago");
        assert_eq!(Ledger::new(Duration::from_secs(301)).step(), 6);
    }

    #[test]
    fn figures_forget_after_a_day() {
        let mut ledger = Ledger::new(Duration::from_mins(1));
        ledger.note(at(0), Verdict::Critical, MS);
        ledger.note(at(7_200), Verdict::Ok, MS);
        assert_eq!(ledger.figures(at(7_200)).uptime, Some(50.0));
        ledger.note(at(25 * 3_600), Verdict::Ok, MS);
        assert_eq!(ledger.figures(at(25 * 3_600)).uptime, Some(100.0));
        assert_eq!(ledger.figures(at(60 * 3_600)).uptime, None);
    }

    #[test]
    fn a_clock_that_was_ahead_leaves_no_mark() {
        let mut ledger = Ledger::new(Duration::from_mins(1));
        ledger.note(at(90 * 3_600), Verdict::Critical, MS);
        ledger.forget_after(at(10));
        ledger.note(at(20), Verdict::Ok, MS);
        ledger.note(at(3_620), Verdict::Ok, MS);
        assert_eq!(ledger.figures(at(3_620)).uptime, Some(100.0));
        assert_eq!(ledger.strip(at(3_620)).slots.iter().filter(|slot| slot.verdict.is_some()).count(), 2);
        assert_eq!(ledger.take_minutes(i64::MAX).len(), 3, "all of it is still written down");
    }

    #[test]
    fn minutes_are_handed_out_once_and_become_hours() {
        let mut ledger = Ledger::new(Duration::from_mins(1));
        for second in [0, 59, 60, 3_599, 3_600] {
            ledger.note(at(second), Verdict::Ok, MS);
        }
        let minute = NOON / 60;
        let taken = ledger.take_minutes(minute + 60);
        assert_eq!(taken.iter().map(|(at, one)| (at - minute, one.ok)).collect::<Vec<_>>(), [(0, 2), (1, 1), (59, 1)]);
        assert!(ledger.take_minutes(minute + 60).is_empty());
        assert!(ledger.take_hours(minute / 60).is_empty());
        let hours = ledger.take_hours(minute / 60 + 1);
        assert_eq!((hours.len(), hours[0].1.ok), (1, 4));
        ledger.note(at(10), Verdict::Ok, MS);
        assert_eq!(ledger.take_minutes(minute + 60).len(), 1, "what comes late is one more part");
    }

    proptest! {
        /// Whatever order results come in, figures are those of the last 24 hours that were seen.
        #[test]
        fn figures_are_those_of_all_results(
            results in proptest::collection::vec((0i64..100_000, any::<bool>(), 1u64..1_000_000), 1..80),
        ) {
            let mut ledger = Ledger::new(Duration::from_mins(1));
            for (second, good, us) in &results {
                let verdict = if *good { Verdict::Ok } else { Verdict::Critical };
                ledger.note(at(*second), verdict, Duration::from_micros(*us));
            }
            let newest = results.iter().map(|(second, ..)| *second).max().expect("one");
            let first = newest.div_euclid(HOUR) - DAY;
            let mut naive = Rollup::default();
            for (_, good, us) in results.iter().filter(|(second, ..)| second.div_euclid(HOUR) > first) {
                naive.add(if *good { Verdict::Ok } else { Verdict::Critical }, Duration::from_micros(*us));
            }
            let figures = ledger.figures(at(newest));
            prop_assert_eq!(figures.uptime, naive.uptime());
            prop_assert_eq!(figures.quantiles[1], naive.latencies.quantile(95.0));
        }
    }
}
