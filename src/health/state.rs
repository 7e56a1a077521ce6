//! What results come to: soft and hard states, and what is worth telling.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::config::Alert;
use crate::model::{CheckState, Soft, Verdict};

use super::Flap;

/// Something that is told once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Announcement {
    /// The check stands so now.
    State(CheckState),
    /// It began to flap; its states are not told until that ends.
    FlappingBegan,
    /// It no longer flaps, and stands as it was last told.
    FlappingEnded,
}

/// The state of one check as its results come in. Pure; kept in the store, so that a restart neither tells
/// anything again nor forgets it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tracker {
    /// The state results have confirmed: ok, warn, critical, or unknown before the first one.
    hard: CheckState,
    since: Timestamp,
    /// The last state that was told.
    told: CheckState,
    /// Results in a row that could say nothing.
    unknown: u32,
    /// Since when that is so.
    unknown_since: Option<Timestamp>,
    /// The last result that said something.
    last: Option<Verdict>,
    /// Results in a row at least as bad as warn, and as critical.
    worse: [u32; 2],
    /// Results in a row at most as bad as ok, and as warn.
    better: [u32; 2],
    /// The last 64 results since the hard state changed, newest lowest: at least warn, and critical.
    window: [u64; 2],
    flap: Flap,
}

/// Worse than ok, from bad to worst.
const BAD: [CheckState; 2] = [CheckState::Warn, CheckState::Critical];
/// Better than critical, from best on.
const GOOD: [CheckState; 2] = [CheckState::Ok, CheckState::Warn];

impl Tracker {
    /// A check that was never looked at.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        Self {
            hard: CheckState::Unknown,
            since: now,
            told: CheckState::Ok,
            unknown: 0,
            unknown_since: None,
            last: None,
            worse: [0; 2],
            better: [0; 2],
            window: [0; 2],
            flap: Flap::default(),
        }
    }

    /// Takes in a result. Answers what is to be told, in order.
    ///
    /// A result that could say nothing counts neither as a failure nor as a success.
    pub fn note(&mut self, verdict: Verdict, alert: &Alert, now: Timestamp) -> Vec<Announcement> {
        if verdict == Verdict::Unknown {
            self.unknown = self.unknown.saturating_add(1);
            self.unknown_since.get_or_insert(now);
            return Vec::new();
        }
        self.unknown = 0;
        self.unknown_since = None;
        let changed = self.last.is_some_and(|last| last != verdict);
        self.last = Some(verdict);
        self.count(verdict);
        if let Some(state) = self.confirmed(verdict, alert) {
            self.hard = state;
            self.since = now;
            // What made it so has been answered: it does not count for the next change as well.
            self.window = [0; 2];
        }
        let turned = self.flap.note(changed);
        self.tell(turned)
    }

    fn count(&mut self, verdict: Verdict) {
        let state = CheckState::from(verdict);
        let step = |run: &mut u32, holds: bool| *run = if holds { run.saturating_add(1) } else { 0 };
        for (level, bad) in BAD.into_iter().enumerate() {
            step(&mut self.worse[level], state >= bad);
            self.window[level] = self.window[level] << 1 | u64::from(state >= bad);
        }
        for (level, good) in GOOD.into_iter().enumerate() {
            step(&mut self.better[level], state <= good);
        }
    }

    /// The state that is confirmed now, when it is another one.
    fn confirmed(&self, verdict: Verdict, alert: &Alert) -> Option<CheckState> {
        if self.hard == CheckState::Unknown && verdict == Verdict::Ok {
            // There is nothing to recover from.
            return Some(CheckState::Ok);
        }
        let worse =
            |level: &usize| BAD[*level] > self.hard && self.failed(*level, alert).0 >= self.failed(*level, alert).1;
        let better = |level: &usize| {
            GOOD[*level] < self.hard && self.hard > CheckState::Unknown && self.better[*level] >= alert.ok
        };
        let worst = [1, 0].into_iter().find(worse).map(|level| BAD[level]);
        worst.or_else(|| [0, 1].into_iter().find(better).map(|level| GOOD[level]))
    }

    /// How many results say that it is at least as bad as `BAD[level]`, and how many are needed.
    fn failed(&self, level: usize, alert: &Alert) -> (u32, u32) {
        match alert.m_of_n {
            None => (self.worse[level], alert.fail),
            Some((m, n)) => {
                let window = u64::MAX >> (64 - n.clamp(1, 64));
                ((self.window[level] & window).count_ones(), m)
            }
        }
    }

    fn tell(&mut self, turned: bool) -> Vec<Announcement> {
        let mut told = Vec::new();
        if turned {
            told.push(if self.flap.is_flapping() { Announcement::FlappingBegan } else { Announcement::FlappingEnded });
        }
        if !self.flap.is_flapping() && self.hard != CheckState::Unknown && self.hard != self.told {
            self.told = self.hard;
            // The state says more than that flapping is over.
            told.clear();
            told.push(Announcement::State(self.hard));
        }
        told
    }

    /// How the check stands. After as many results that say nothing as a failure needs, that is unknown; the
    /// confirmed state comes back with the next result that says something.
    #[must_use]
    pub fn state(&self, alert: &Alert) -> CheckState {
        if self.unknown >= alert.fail { CheckState::Unknown } else { self.hard }
    }

    /// Since when it stands so.
    #[must_use]
    pub fn since(&self, alert: &Alert) -> Timestamp {
        match self.unknown_since {
            Some(since) if self.unknown >= alert.fail && self.hard != CheckState::Unknown => since,
            _ => self.since,
        }
    }

    /// Whether it flaps.
    #[must_use]
    pub fn is_flapping(&self) -> bool {
        self.flap.is_flapping()
    }

    /// The state that is on its way, worst first.
    #[must_use]
    pub fn soft(&self, alert: &Alert) -> Option<Soft> {
        let worse = [1, 0].into_iter().find_map(|level| {
            let (count, of) = self.failed(level, alert);
            (BAD[level] > self.hard && count > 0).then_some(Soft { state: BAD[level], count, of })
        });
        let better = || {
            [0, 1].into_iter().find_map(|level| {
                let (state, count) = (GOOD[level], self.better[level]);
                let on_its_way = state < self.hard && self.hard > CheckState::Unknown && count > 0;
                on_its_way.then_some(Soft { state, count, of: alert.ok })
            })
        };
        worse.or_else(better)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(second: usize) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + i64::try_from(second).expect("small")).expect("in range")
    }

    /// One letter a result.
    fn verdict(letter: char) -> Verdict {
        match letter {
            'o' => Verdict::Ok,
            'w' => Verdict::Warn,
            'c' => Verdict::Critical,
            _ => Verdict::Unknown,
        }
    }

    fn run(alert: &Alert, letters: &str) -> (Tracker, Vec<(usize, Announcement)>) {
        let mut tracker = Tracker::new(at(0));
        let mut told = Vec::new();
        for (n, letter) in letters.chars().enumerate() {
            told.extend(tracker.note(verdict(letter), alert, at(n)).into_iter().map(|what| (n, what)));
        }
        (tracker, told)
    }

    fn alert(fail: u32, ok: u32) -> Alert {
        Alert { fail, ok, m_of_n: None }
    }

    #[test]
    fn states_are_confirmed_both_ways() {
        let told = |letters: &str| run(&alert(3, 2), letters).1;
        let state = |n, state| (n, Announcement::State(state));
        assert_eq!(told("oooccooo"), [], "two failures are soft");
        assert_eq!(told("occcoo"), [state(3, CheckState::Critical), state(5, CheckState::Ok)]);
        assert_eq!(told("occcocc"), [state(3, CheckState::Critical)], "one success is soft");
        assert_eq!(told("owcw"), [state(3, CheckState::Warn)], "what all three reach");
        assert_eq!(told("owwwccc"), [state(3, CheckState::Warn), state(6, CheckState::Critical)]);
        let down = [state(3, CheckState::Critical), state(5, CheckState::Warn), state(6, CheckState::Ok)];
        assert_eq!(told("occcwoo"), down);
        assert_eq!(told("ccc"), [state(2, CheckState::Critical)], "from the beginning too");
    }

    #[test]
    fn what_is_not_known_counts_neither_way() {
        let (tracker, told) = run(&alert(3, 2), "occuuuuc");
        assert_eq!(told, [(7, Announcement::State(CheckState::Critical))]);
        assert_eq!((tracker.state(&alert(3, 2)), tracker.since(&alert(3, 2))), (CheckState::Critical, at(7)));
        let (tracker, told) = run(&alert(3, 2), "ouuu");
        assert_eq!((tracker.state(&alert(3, 2)), told.len()), (CheckState::Unknown, 0));
        assert_eq!(tracker.since(&alert(3, 2)), at(1));
        let (tracker, told) = run(&alert(3, 2), "ouuuuo");
        assert_eq!((tracker.state(&alert(3, 2)), told.len()), (CheckState::Ok, 0), "nothing is told twice");
    }

    #[test]
    fn m_of_n_sees_what_a_row_does_not() {
        let three_of_five = Alert { fail: 3, ok: 2, m_of_n: Some((3, 5)) };
        assert_eq!(run(&alert(3, 2), "ocococ").1, []);
        assert_eq!(run(&three_of_five, "ocococ").1, [(5, Announcement::State(CheckState::Critical))]);
        assert_eq!(run(&three_of_five, "cooocooc").1, [], "never three of five");
        let (tracker, told) = run(&three_of_five, "cccoo");
        assert_eq!(told.last(), Some(&(4, Announcement::State(CheckState::Ok))));
        assert_eq!(tracker.soft(&three_of_five), None, "old failures do not count for the next alert");
    }

    #[test]
    fn soft_states_say_how_far_they_are() {
        let soft = |letters: &str| run(&alert(3, 2), letters).0.soft(&alert(3, 2));
        assert_eq!(soft("oo"), None);
        assert_eq!(soft("occ"), Some(Soft { state: CheckState::Critical, count: 2, of: 3 }));
        assert_eq!(soft("occco"), Some(Soft { state: CheckState::Ok, count: 1, of: 2 }));
        assert_eq!(soft("c"), Some(Soft { state: CheckState::Critical, count: 1, of: 3 }));
    }

    #[test]
    fn while_it_flaps_nothing_is_told_and_afterwards_what_it_came_to() {
        let one = alert(1, 1);
        let told = |end: &str| {
            let (tracker, told) = run(&one, &format!("o{}{}", "co".repeat(10), end.repeat(20)));
            assert!(!tracker.is_flapping());
            told.into_iter().map(|(_, what)| what).collect::<Vec<_>>()
        };
        let began = [
            Announcement::State(CheckState::Critical),
            Announcement::State(CheckState::Ok),
            Announcement::State(CheckState::Critical),
            Announcement::State(CheckState::Ok),
            Announcement::State(CheckState::Critical),
            Announcement::FlappingBegan,
        ];
        let (as_told, otherwise) = (told("c"), told("o"));
        assert_eq!((&as_told[..6], &as_told[6..]), (&began[..], &[Announcement::FlappingEnded][..]));
        let end = [Announcement::State(CheckState::Ok)];
        assert_eq!((&otherwise[..6], &otherwise[6..]), (&began[..], &end[..]), "nobody else would say so");
    }

    #[test]
    fn a_restart_changes_nothing() {
        let alert = alert(3, 2);
        let (mut tracker, _) = run(&alert, "ooccc");
        let kept = serde_json::to_string(&tracker).expect("JSON");
        assert!(kept.len() < 400, "{} bytes", kept.len());
        let mut again: Tracker = serde_json::from_str(&kept).expect("a tracker");
        for (n, letter) in "ccuoowcoo".chars().enumerate() {
            let told = tracker.note(verdict(letter), &alert, at(10 + n));
            assert_eq!(told, again.note(verdict(letter), &alert, at(10 + n)));
        }
        assert_eq!(tracker, again);
    }

    /// The rules read aloud over the whole list of results.
    fn naive(results: &[Verdict], alert: &Alert) -> CheckState {
        let mut hard = CheckState::Unknown;
        let mut since = 0;
        for end in 1..=results.len() {
            let known: Vec<CheckState> = results[..end]
                .iter()
                .filter(|result| **result != Verdict::Unknown)
                .map(|result| CheckState::from(*result))
                .collect();
            if results[end - 1] == Verdict::Unknown {
                continue;
            }
            let last = |count: u32, holds: &dyn Fn(CheckState) -> bool| {
                let count = count as usize;
                known.len() >= count && known[known.len() - count..].iter().all(|state| holds(*state))
            };
            let fails = |bad: CheckState| match alert.m_of_n {
                None => last(alert.fail, &|state| state >= bad),
                Some((m, n)) => {
                    let recent = known[since..].iter().rev().take(n as usize);
                    recent.filter(|state| **state >= bad).count() >= m as usize
                }
            };
            let next = if hard == CheckState::Unknown && known.last() == Some(&CheckState::Ok) {
                CheckState::Ok
            } else if hard < CheckState::Critical && fails(CheckState::Critical) {
                CheckState::Critical
            } else if hard < CheckState::Warn && fails(CheckState::Warn) {
                CheckState::Warn
            } else if hard > CheckState::Unknown && last(alert.ok, &|state| state == CheckState::Ok) {
                CheckState::Ok
            } else if hard == CheckState::Critical && last(alert.ok, &|state| state <= CheckState::Warn) {
                CheckState::Warn
            } else {
                continue;
            };
            if next != hard {
                hard = next;
                since = known.len();
            }
        }
        hard
    }

    proptest! {
        #[test]
        fn counters_do_what_the_rules_say(
            letters in "[oowwccu]{0,120}",
            fail in 1u32..6,
            ok in 1u32..5,
            window in proptest::option::of((1u32..8, 0u32..8)),
        ) {
            let alert = Alert { fail, ok, m_of_n: window.map(|(m, more)| (m, m + more)) };
            let results: Vec<Verdict> = letters.chars().map(verdict).collect();
            let (tracker, told) = run(&alert, &letters);
            prop_assert_eq!(tracker.hard, naive(&results, &alert));
            for pair in told.windows(2) {
                prop_assert!(pair[0].1 != pair[1].1, "nothing is told twice in a row: {:?}", told);
            }
            let last_state = told.iter().rev().find_map(|(_, what)| match what {
                Announcement::State(state) => Some(*state),
                _ => None,
            });
            if !tracker.is_flapping() && tracker.hard != CheckState::Unknown {
                prop_assert_eq!(last_state.unwrap_or(CheckState::Ok), tracker.hard, "what was told last is how it stands");
            }
        }
    }
}
