//! How a check stands by the word of all nodes that look at the same. A function of what each of them sees, of how it
//! stood before, and of now.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::{CheckState, Sight};

use super::Vantage;

/// How it stands for this node alone.
#[derive(Debug, Clone, Copy)]
pub struct Own<'a> {
    /// What its looks have confirmed.
    pub state: CheckState,
    /// Since when.
    pub since: Timestamp,
    /// Why the last look was not good.
    pub cause: Option<&'a str>,
}

/// How it stands for all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judgement {
    /// How it is shown.
    pub state: CheckState,
    /// Since when it is.
    pub since: Timestamp,
    /// Why, where it is more than this node's own cause.
    pub why: Option<String>,
    /// The last state that was more than unknown, and since when: an outage that nobody can see for a while is the same
    /// outage afterwards.
    known: (CheckState, Timestamp),
}

impl Judgement {
    /// What `sights` come to at `now`, where `need` have to see it down. Seen down by too few it is a warning.
    ///
    /// Until all others are heard, after a start, it stands as it did before; what was never judged is no worse than a
    /// warning until then.
    #[must_use]
    pub fn of(
        before: Option<&Self>,
        own: Own<'_>,
        (need, sights): (usize, &[Sight]),
        all_heard: bool,
        now: Timestamp,
    ) -> Self {
        if let Some(before) = before.filter(|_| !all_heard) {
            return before.clone();
        }
        let with_cause = |why: String| match own.cause.filter(|_| own.state == CheckState::Critical) {
            Some(cause) => format!("{why}: {cause}"),
            None => why,
        };
        let (state, why) = match Vantage::of(need, sights) {
            Vantage::Down(why) if !all_heard => {
                (CheckState::Warn, Some(with_cause(format!("{why}; the others are not heard yet"))))
            }
            Vantage::Down(why) => (CheckState::Critical, Some(with_cause(why))),
            Vantage::Partial(why) => (CheckState::Warn, Some(with_cause(why))),
            Vantage::Up if own.state == CheckState::Critical => {
                (CheckState::Warn, Some(with_cause("down only from here, which does not count".to_owned())))
            }
            Vantage::Up => (own.state, None),
            Vantage::Unknown(why) => (CheckState::Unknown, Some(why)),
        };
        let first = || if state == own.state { own.since } else { now };
        let since = match before {
            None => first(),
            Some(before) if state != CheckState::Unknown && before.known.0 == state => before.known.1,
            Some(before) if before.state == state => before.since,
            Some(_) => now,
        };
        let known = before.map(|before| before.known).filter(|_| state == CheckState::Unknown);
        Self { state, since, why, known: known.unwrap_or((state, since)) }
    }

    /// Whether both stand alike, whatever the words of their reasons.
    #[must_use]
    pub fn stands_as(&self, other: &Self) -> bool {
        (self.state, self.since, self.known) == (other.state, other.since, other.known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OK: Option<CheckState> = Some(CheckState::Ok);
    const DOWN: Option<CheckState> = Some(CheckState::Critical);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).expect("in range")
    }

    fn sights(states: &[Option<CheckState>]) -> Vec<Sight> {
        let sight = |(state, n): (&Option<CheckState>, i32)| Sight {
            node: format!("hub-{n}").parse().expect("a name"),
            state: *state,
        };
        states.iter().zip(1..).map(sight).collect()
    }

    /// What two of `states` come to, of which the first is this node's own.
    fn judge(before: Option<&Judgement>, states: &[Option<CheckState>], heard: bool, second: i64) -> Judgement {
        let state = states[0].unwrap_or(CheckState::Unknown);
        let own = Own { state, since: at(0), cause: (state == CheckState::Critical).then_some("refused") };
        Judgement::of(before, own, (2, &sights(states)), heard, at(second))
    }

    #[test]
    fn too_few_are_a_warning_on_every_node_and_enough_are_critical() {
        let partial = judge(None, &[DOWN, OK], true, 9);
        assert_eq!((partial.state, partial.since), (CheckState::Warn, at(9)));
        assert_eq!(partial.why.as_deref(), Some("down from 1 of 2: hub-1, not from hub-2; 2 are needed: refused"));
        let there = judge(None, &[OK, DOWN], true, 9);
        assert_eq!(there.state, CheckState::Warn);
        assert_eq!(there.why.as_deref(), Some("down from 1 of 2: hub-2, not from hub-1; 2 are needed"));
        let both = judge(Some(&partial), &[DOWN, DOWN], true, 12);
        assert_eq!((both.state, both.since), (CheckState::Critical, at(12)));
        let longer = judge(Some(&both), &[DOWN, DOWN], true, 15);
        assert!(longer.stands_as(&both));
        let over = judge(Some(&longer), &[OK, OK], true, 20);
        assert_eq!((over.state, over.since, over.why), (CheckState::Ok, at(20), None));
    }

    #[test]
    fn who_goes_away_no_longer_counts() {
        let partial = judge(None, &[DOWN, OK], true, 1);
        assert_eq!(judge(Some(&partial), &[DOWN, None], true, 2).state, CheckState::Critical);
        let other = judge(None, &[OK, DOWN], true, 1);
        assert_eq!(judge(Some(&other), &[OK, None], true, 2).state, CheckState::Ok);
    }

    #[test]
    fn a_start_neither_ends_an_outage_nor_makes_one() {
        let down = judge(None, &[DOWN, DOWN], true, 1);
        let waits = judge(Some(&down), &[OK, None], false, 5);
        assert_eq!(waits, down);
        let fresh = judge(None, &[DOWN, None], false, 5);
        assert_eq!(fresh.state, CheckState::Warn);
        assert!(fresh.why.expect("why").contains("not heard yet"));
    }

    #[test]
    fn an_outage_that_nobody_sees_for_a_while_is_the_same_one() {
        let down = judge(None, &[DOWN, DOWN], true, 1);
        let blind = judge(Some(&down), &[None, None], true, 5);
        assert_eq!((blind.state, blind.since), (CheckState::Unknown, at(5)));
        let again = judge(Some(&blind), &[DOWN, DOWN], true, 9);
        assert_eq!((again.state, again.since), (CheckState::Critical, down.since));
    }

    #[test]
    fn a_node_whose_look_does_not_count_warns_alone() {
        let own = Own { state: CheckState::Critical, since: at(0), cause: Some("refused") };
        let alone = Judgement::of(None, own, (1, &sights(&[OK])), true, at(1));
        assert_eq!(alone.state, CheckState::Warn);
        assert_eq!(alone.why.as_deref(), Some("down only from here, which does not count: refused"));
    }
}
