//! Who tells of an incident: the first in its order at once, each other one later, and only if nobody else has.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

/// Who is one place further back waits so much longer.
pub const TELL_STEP: Duration = Duration::from_secs(10);
/// What is older when it arrives is history: nobody is told of it any more.
pub const TOO_OLD: Duration = Duration::from_mins(10);

/// Incidents of which it is remembered that somebody told.
const REMEMBERED: usize = 1_000;
/// Incidents that wait at most; what comes beyond is told at once.
const WAITING: usize = 1_000;

/// The incidents this node may have to tell of. Each has a name that all nodes know it by, such as the id of its entry.
#[derive(Debug, Clone, Default)]
pub struct Telling {
    due: BTreeMap<String, Duration>,
    /// Of what this node tells at the moment; it is not written down yet.
    in_hand: BTreeSet<String>,
    told: VecDeque<String>,
}

impl Telling {
    /// An incident began: `age` ago when it was heard here at `now`, and this node is the `place`-th, counted from 0,
    /// that tells of it.
    pub fn begins(&mut self, incident: &str, place: usize, age: Duration, now: Duration) {
        let is_known = self.due.contains_key(incident) || self.in_hand.contains(incident);
        if age > TOO_OLD || is_known || self.told.iter().any(|told| told == incident) {
            return;
        }
        let place = if self.due.len() < WAITING { u32::try_from(place).unwrap_or(u32::MAX) } else { 0 };
        self.due.insert(incident.to_owned(), now.saturating_add(TELL_STEP.saturating_mul(place)));
    }

    /// Somebody told of it, this node or another; or it is over before anybody had to.
    pub fn settled(&mut self, incident: &str) {
        self.due.remove(incident);
        self.in_hand.remove(incident);
        if !self.told.iter().any(|told| told == incident) {
            self.told.push_back(incident.to_owned());
            if self.told.len() > REMEMBERED {
                self.told.pop_front();
            }
        }
    }

    /// It is as if it had never begun here: nothing is remembered of it.
    pub fn dropped(&mut self, incident: &str) {
        self.due.remove(incident);
        self.in_hand.remove(incident);
    }

    /// What this node has to tell of now. Each is answered once: then it is [settled](Self::settled), or due
    /// [again](Self::again).
    pub fn take_due(&mut self, now: Duration) -> Vec<String> {
        let due: Vec<String> = self.due.iter().filter(|(_, at)| **at <= now).map(|(name, _)| name.clone()).collect();
        for incident in &due {
            self.due.remove(incident);
            if self.in_hand.len() < WAITING {
                self.in_hand.insert(incident.clone());
            } else {
                self.settled(incident);
            }
        }
        due
    }

    /// It could not be written down that this node told of what it had in hand: it tries again one step later, unless
    /// somebody else has told by then.
    pub fn again(&mut self, now: Duration) {
        for incident in std::mem::take(&mut self.in_hand) {
            self.due.insert(incident, now.saturating_add(TELL_STEP));
        }
    }

    /// When the next one is due.
    #[must_use]
    pub fn next_due(&self) -> Option<Duration> {
        self.due.values().min().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn the_first_tells_at_once_and_the_others_wait() {
        let mut telling = Telling::default();
        telling.begins("web", 0, at(1), at(100));
        telling.begins("mail", 2, at(1), at(100));
        assert_eq!(telling.take_due(at(100)), ["web"]);
        assert_eq!(telling.take_due(at(119)), [""; 0]);
        assert_eq!(telling.next_due(), Some(at(120)));
        assert_eq!(telling.take_due(at(120)), ["mail"]);
        assert_eq!((telling.next_due(), telling.take_due(at(999))), (None, Vec::new()), "each once");
    }

    #[test]
    fn who_hears_that_somebody_told_does_not() {
        let mut telling = Telling::default();
        telling.begins("web", 1, at(0), at(0));
        telling.settled("web");
        assert!(telling.take_due(at(60)).is_empty());
        // Entries of two nodes come in any order, and again after a partition.
        telling.settled("mail");
        for incident in ["mail", "web"] {
            telling.begins(incident, 0, at(5), at(70));
        }
        assert!(telling.take_due(at(99)).is_empty());
    }

    #[test]
    fn what_could_not_be_written_down_is_told_again_unless_somebody_has() {
        let mut telling = Telling::default();
        for incident in ["mail", "web"] {
            telling.begins(incident, 0, at(0), at(0));
        }
        assert_eq!(telling.take_due(at(0)), ["mail", "web"]);
        telling.begins("web", 0, at(0), at(1));
        telling.settled("mail");
        telling.again(at(1));
        assert_eq!((telling.take_due(at(10)), telling.next_due()), (Vec::new(), Some(at(11))));
        assert_eq!(telling.take_due(at(11)), ["web"]);
        telling.settled("web");
        telling.again(at(12));
        assert_eq!(telling.next_due(), None);
    }

    #[test]
    fn what_is_old_when_it_comes_is_never_told() {
        let mut telling = Telling::default();
        telling.begins("old", 0, TOO_OLD + Duration::from_millis(1), at(0));
        telling.begins("recent", 0, TOO_OLD, at(0));
        assert_eq!(telling.take_due(at(3_600)), ["recent"]);
    }

    #[test]
    fn a_flood_is_bounded() {
        let mut telling = Telling::default();
        for n in 0..5_000 {
            telling.begins(&n.to_string(), 3, at(0), at(0));
            let _ = telling.take_due(at(0));
        }
        assert!(telling.due.len() <= WAITING && telling.told.len() <= REMEMBERED);
        assert!(telling.in_hand.len() <= WAITING);
    }
}
