//! Flap detection: does a check change its mind so often that no single result means much?

use serde::{Deserialize, Serialize};

/// Results looked back on.
const CHANGES: u32 = 20;
/// Weight of the oldest result, and by how much each newer one weighs more: 0.8 to 1.2 in 95ths.
const OLDEST: u32 = 76;
const STEP: u32 = 2;
/// What all of them weigh, in the same parts.
const ALL: u32 = CHANGES * 95;

/// The last 20 results, each with whether it differed from the one before.
///
/// The method is Icinga's: newer changes weigh more (0.8 to 1.2), flapping begins above 30 % and ends below
/// 25 %. <https://icinga.com/docs/icinga-2/latest/doc/08-advanced-topics/#check-flapping>
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flap {
    /// One bit a result, the newest lowest.
    changes: u32,
    flapping: bool,
}

impl Flap {
    /// Takes in whether a result differed from the one before. Answers whether flapping began or ended.
    pub fn note(&mut self, changed: bool) -> bool {
        self.changes = ((self.changes << 1) | u32::from(changed)) & ((1 << CHANGES) - 1);
        let before = self.flapping;
        let weight = self.weight();
        self.flapping = if before { weight * 100 >= ALL * 25 } else { weight * 100 > ALL * 30 };
        self.flapping != before
    }

    /// Whether it flaps.
    #[must_use]
    pub fn is_flapping(&self) -> bool {
        self.flapping
    }

    /// What the results weigh that differed from the one before.
    fn weight(self) -> u32 {
        let weight = |age| OLDEST + (CHANGES - 1 - age) * STEP;
        (0..CHANGES).filter(|age| self.changes >> age & 1 == 1).map(weight).sum()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn all_changes_are_all_percent_and_newer_ones_weigh_more() {
        let weight = |changes| Flap { changes, flapping: false }.weight();
        assert_eq!(weight((1 << CHANGES) - 1), ALL);
        assert_eq!((weight(1 << (CHANGES - 1)) * 100, weight(1) * 100), (ALL * 4, ALL * 6));
    }

    #[test]
    fn it_begins_above_30_and_ends_below_25() {
        let mut flap = Flap::default();
        let began = (0..20).find(|n| flap.note(n % 2 == 0)).expect("it begins");
        assert_eq!(began, 10, "six changes in eleven results");
        let calm = (1..=20).find(|_| flap.note(false)).expect("it ends");
        assert!(calm > 1, "between the two it stays: {calm}");
    }

    #[test]
    fn a_single_outage_is_no_flapping() {
        let mut flap = Flap::default();
        for n in 0..60 {
            assert!(!flap.note(n == 10 || n == 15), "one way down and one way up");
        }
    }

    proptest! {
        /// The naive reference: a list of the last 20 and the formula as it is written down.
        #[test]
        fn the_bits_do_what_a_list_does(changes in proptest::collection::vec(any::<bool>(), 0..200)) {
            let mut flap = Flap::default();
            let (mut list, mut flapping) = (vec![false; 20], false);
            for changed in changes {
                flap.note(changed);
                list.remove(0);
                list.push(changed);
                // 0.8, 0.8 + 0.4 / 19, ... 1.2, times 19: the thresholds are 30 % and 25 % of 20 times 19.
                let sum: f64 =
                    (0u8..).zip(&list).filter(|(_, c)| **c).map(|(n, _)| 15.2 + 0.4 * f64::from(n)).sum();
                flapping = if flapping { sum >= 95.0 - 1e-9 } else { sum > 114.0 + 1e-9 };
                prop_assert_eq!(flapping, flap.is_flapping());
            }
        }
    }
}
