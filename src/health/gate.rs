//! The own-connectivity gate: whether a failure over the network says anything about its target.

use jiff::Timestamp;

use crate::model::{Observation, Verdict};

/// Whether enough witnesses answer. Without witnesses it is always open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gate {
    need: usize,
    witnesses: usize,
    closed_since: Option<Timestamp>,
}

impl Gate {
    /// A gate that is open while `need` of `witnesses` answer.
    #[must_use]
    pub fn new(witnesses: usize, need: usize) -> Self {
        Self { need: need.clamp(1, witnesses.max(1)), witnesses, closed_since: None }
    }

    /// Whether anybody is asked at all.
    #[must_use]
    pub fn is_watched(&self) -> bool {
        self.witnesses > 0
    }

    /// Takes in that `answered` witnesses answered at `now`. Answers whether the gate opened or closed.
    pub fn note(&mut self, answered: usize, now: Timestamp) -> bool {
        let closed = self.is_watched() && answered < self.need;
        let changed = closed != self.closed_since.is_some();
        if changed {
            self.closed_since = closed.then_some(now);
        }
        changed
    }

    /// Since when this machine is cut off; `None` while it is not.
    #[must_use]
    pub fn closed_since(&self) -> Option<Timestamp> {
        self.closed_since
    }

    /// Whether `observation` of a target beyond this machine has to wait until the witnesses were asked again:
    /// only bad news can be the fault of the network here.
    #[must_use]
    pub fn doubts(&self, observation: &Observation) -> bool {
        self.is_watched() && observation.verdict == Verdict::Critical
    }

    /// What `observation` of a target beyond this machine is worth.
    #[must_use]
    pub fn judge(&self, mut observation: Observation) -> Observation {
        if self.closed_since.is_some() && observation.verdict != Verdict::Ok {
            let cause = observation.cause.take().unwrap_or_default();
            observation.verdict = Verdict::Unknown;
            observation.cause = Some(format!("observer isolated: no witness answers either ({cause})"));
        }
        observation
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).expect("in range")
    }

    fn seen(verdict: Verdict) -> Observation {
        Observation {
            at: at(0),
            took: Duration::from_millis(5),
            verdict,
            cause: (verdict != Verdict::Ok).then(|| "connect: timed out".to_owned()),
            phases: Vec::new(),
            values: Vec::new(),
            steps: Vec::new(),
        }
    }

    #[test]
    fn it_closes_below_need_and_opens_again() {
        let mut gate = Gate::new(3, 2);
        assert!(!gate.note(2, at(0)));
        assert!(gate.note(1, at(5)));
        assert!(!gate.note(0, at(6)), "it is closed once");
        assert_eq!(gate.closed_since(), Some(at(5)));
        assert!(gate.note(3, at(9)));
        assert_eq!(gate.closed_since(), None);
    }

    #[test]
    fn behind_a_closed_gate_bad_news_says_nothing_and_good_news_counts() {
        let mut gate = Gate::new(1, 1);
        assert_eq!(gate.judge(seen(Verdict::Critical)).verdict, Verdict::Critical);
        gate.note(0, at(1));
        let judged = gate.judge(seen(Verdict::Critical));
        assert_eq!(judged.verdict, Verdict::Unknown);
        assert!(judged.cause.expect("a cause").contains("connect: timed out"));
        assert_eq!(gate.judge(seen(Verdict::Ok)).verdict, Verdict::Ok);
    }

    #[test]
    fn without_witnesses_it_is_always_open() {
        let mut gate = Gate::new(0, 5);
        assert!(!gate.note(0, at(1)) && gate.closed_since().is_none());
        assert!(!gate.doubts(&seen(Verdict::Critical)));
        assert!(Gate::new(2, 9).need == 2, "no more than there are");
    }
}
