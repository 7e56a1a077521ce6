//! The keys of another node as they are pinned here: the one that stays, while it is changed the one before, and those
//! that once counted.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::NodeKey;

/// A pinned key of another node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PinnedKey {
    /// The key.
    pub key: NodeKey,
    /// Since when it counts.
    pub since: Timestamp,
    /// The moment after which no request counts under it. A key that has one is on its way out, and changes nothing
    /// any more.
    pub until: Option<Timestamp>,
}

/// All of them, the oldest first. Those that no longer count for requests still prove what was signed with them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PinnedKeys(pub Vec<PinnedKey>);

/// How long the key before counts beside a new one.
pub const KEYS_OVERLAP: Duration = Duration::from_hours(24);
/// Keys remembered of one node; the oldest are forgotten.
const MOST: usize = 16;

impl PinnedKeys {
    /// This one alone.
    #[must_use]
    pub fn of(key: NodeKey, now: Timestamp) -> Self {
        Self(vec![PinnedKey { key, since: now, until: None }])
    }

    /// Those that count at `now`, the one that stays first.
    #[must_use]
    pub fn counting(&self, now: Timestamp) -> Vec<NodeKey> {
        let counts = |pinned: &&PinnedKey| pinned.until.is_none_or(|until| now <= until);
        let mut counting: Vec<&PinnedKey> = self.0.iter().filter(counts).collect();
        counting.sort_by_key(|pinned| (pinned.until.is_some(), std::cmp::Reverse(pinned.since)));
        counting.into_iter().map(|pinned| pinned.key).collect()
    }

    /// What is pinned after the node has named its keys, the one that stays first, in words that are proven by
    /// `proven`. `None` when that changes nothing. Only the key that stays may name another one: who has got hold of
    /// the one on its way out gains nothing by it.
    #[must_use]
    pub fn learned(&self, named: &[NodeKey], proven: NodeKey, now: Timestamp) -> Option<Self> {
        let stays = self.0.iter().find(|pinned| pinned.until.is_none())?.key;
        let (first, other) = named_keys(named)?;
        if proven != stays || !named.contains(&proven) {
            return None;
        }
        let day = now.checked_add(KEYS_OVERLAP).ok();
        let mut learned = self.clone();
        for PinnedKey { key, until, .. } in &mut learned.0 {
            *until = match *until {
                _ if *key == first => None,
                None if Some(*key) == other => day,
                Some(end) if Some(*key) == other => Some(end),
                end => end.min(Some(now)).or(Some(now)),
            };
        }
        for (key, until) in [(Some(first), None), (other, day)] {
            if let Some(key) = key.filter(|key| !self.0.iter().any(|pinned| pinned.key == *key)) {
                learned.0.push(PinnedKey { key, since: now, until });
            }
        }
        let over = learned.0.len().saturating_sub(MOST);
        learned.0.drain(..over);
        (learned != *self).then_some(learned)
    }

    /// What is pinned after another node, by whose word alone this one is known, has named its keys, the one that stays
    /// first. `None` when that changes nothing. The key before counts for [`KEYS_OVERLAP`], and until that is over no
    /// other one is taken: whoever lies changes one key a day at most. A key that was given up does not come back.
    #[must_use]
    pub fn told(&self, named: &[NodeKey], now: Timestamp) -> Option<Self> {
        let (first, other) = named_keys(named)?;
        let is_changing = self.0.iter().any(|pinned| pinned.until.is_some_and(|until| now <= until));
        if is_changing || self.0.iter().any(|pinned| pinned.key == first) {
            return None;
        }
        let day = now.checked_add(KEYS_OVERLAP).ok();
        let mut told = self.clone();
        for pinned in &mut told.0 {
            pinned.until = pinned.until.or(day);
        }
        let before = other.filter(|_| self.0.is_empty()).map(|key| PinnedKey { key, since: now, until: day });
        told.0.extend(before.into_iter().chain([PinnedKey { key: first, since: now, until: None }]));
        let over = told.0.len().saturating_sub(MOST);
        told.0.drain(..over);
        Some(told)
    }
}

/// The key that stays, and the one before while it is changed.
fn named_keys(named: &[NodeKey]) -> Option<(NodeKey, Option<NodeKey>)> {
    match *named {
        [first] => Some((first, None)),
        [first, other] if first != other => Some((first, Some(other))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> NodeKey {
        NodeKey::from_bytes([byte; 32])
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("in range")
    }

    const DAY: i64 = 24 * 3600;

    #[test]
    fn a_new_key_counts_beside_the_old_one_for_a_day() {
        let pinned = PinnedKeys::of(key(1), at(0));
        let both = pinned.learned(&[key(2), key(1)], key(1), at(9)).expect("it is learned");
        assert_eq!(both.counting(at(9 + DAY)), [key(2), key(1)]);
        assert_eq!(both.counting(at(10 + DAY)), [key(2)]);
        assert_eq!(both.learned(&[key(2), key(1)], key(2), at(60)), None, "said again, the day is no longer");
        let alone = both.learned(&[key(2)], key(2), at(60)).expect("it is over before its time");
        assert_eq!(alone.counting(at(61)), [key(2)]);
        assert_eq!(alone.0.len(), 2, "the one before still proves what it has signed");
        assert_eq!(alone.learned(&[key(2)], key(2), at(70)), None);
    }

    #[test]
    fn who_joined_in_the_middle_of_a_change_learns_the_key_before() {
        let pinned = PinnedKeys::of(key(2), at(0));
        let both = pinned.learned(&[key(2), key(1)], key(2), at(0)).expect("it is learned");
        assert_eq!(both.counting(at(1)), [key(2), key(1)]);
        assert_eq!(both.counting(at(DAY + 1)), [key(2)]);
    }

    #[test]
    fn only_the_key_that_stays_names_another() {
        let pinned = PinnedKeys::of(key(1), at(0));
        assert_eq!(pinned.learned(&[key(3), key(1)], key(3), at(0)), None, "a stranger's");
        assert_eq!(pinned.learned(&[key(3)], key(1), at(0)), None, "it names itself too");
        assert_eq!(pinned.learned(&[key(3), key(2), key(1)], key(1), at(0)), None, "two at most");
        assert_eq!(pinned.learned(&[key(1), key(1)], key(1), at(0)), None);
        assert_eq!(pinned.learned(&[key(1)], key(1), at(5)), None, "nothing new");
        let both = pinned.learned(&[key(2), key(1)], key(1), at(0)).expect("it is learned");
        assert_eq!(both.learned(&[key(3), key(1)], key(1), at(1)), None, "it is on its way out");
        assert_eq!(PinnedKeys::default().learned(&[key(1)], key(1), at(0)), None, "nobody is known");
    }

    #[test]
    fn by_the_word_of_another_node_one_key_is_changed_a_day() {
        let pinned = PinnedKeys::default().told(&[key(2), key(1)], at(0)).expect("it is pinned");
        assert_eq!(pinned.counting(at(DAY)), [key(2), key(1)]);
        assert_eq!(pinned.told(&[key(3), key(2)], at(DAY)), None, "one change at a time");
        let next = pinned.told(&[key(3)], at(DAY + 1)).expect("it is told");
        assert_eq!(next.counting(at(2 * DAY + 1)), [key(3), key(2)]);
        assert_eq!(next.counting(at(2 * DAY + 2)), [key(3)]);
        assert_eq!(next.told(&[key(2)], at(3 * DAY)), None, "it was given up");
        assert_eq!(next.told(&[key(4), key(5), key(6)], at(3 * DAY)), None, "two at most");
        let mut pinned = next;
        for number in 4..60 {
            pinned = pinned.told(&[key(number)], at(i64::from(number) * DAY * 2)).expect("it is told");
        }
        assert_eq!((pinned.0.len(), pinned.counting(at(200 * DAY))), (MOST, vec![key(59)]));
    }

    #[test]
    fn keys_of_long_ago_are_forgotten() {
        let mut pinned = PinnedKeys::of(key(0), at(0));
        for number in 1..60 {
            let now = at(i64::from(number) * DAY * 2);
            pinned = pinned.learned(&[key(number), key(number - 1)], key(number - 1), now).expect("it is learned");
        }
        assert_eq!(pinned.0.len(), MOST);
        assert_eq!(pinned.counting(at(200 * DAY)), [key(59)]);
    }
}
