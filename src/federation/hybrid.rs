//! The rules of the hybrid logical clock (Kulkarni and others 2014): what is said after something was heard is later than it.

use std::time::Duration;

use jiff::Timestamp;

use crate::model::Hlc;

use super::skew::SKEW_REFUSE;

/// What another node stamped lies too far in the future.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("its clock is {} s ahead of ours; more than {} s are not taken over", .0.as_secs(), SKEW_REFUSE.as_secs())]
pub struct FarAhead(pub Duration);

/// This node's hybrid clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct HybridClock {
    last: Hlc,
}

impl HybridClock {
    /// The clock of a node whose newest entry has `last`: what it says from now on is later, whatever its clock shows.
    #[must_use]
    pub fn after(last: Hlc) -> Self {
        Self { last }
    }

    /// The stamp of something that happens now.
    pub fn tick(&mut self, now: Timestamp) -> Hlc {
        self.last = self.last.next(now);
        self.last
    }

    /// The newest stamp that was given or heard.
    #[must_use]
    pub fn last(&self) -> Hlc {
        self.last
    }

    /// Something with this stamp was heard.
    ///
    /// # Errors
    ///
    /// When it lies more than 300 s ahead. Then it does not move this clock: otherwise one wrong node would put all.
    pub fn hear(&mut self, heard: Hlc, now: Timestamp) -> Result<(), FarAhead> {
        if is_far_ahead(heard.at(), now) {
            return Err(FarAhead(ahead(heard.at(), now)));
        }
        self.last = self.last.max(heard);
        Ok(())
    }
}

fn ahead(at: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(at.duration_since(now)).unwrap_or_default()
}

/// Whether what another node stamped `at` lies too far ahead of `now` to be believed: more than 300 s.
#[must_use]
pub fn is_far_ahead(at: Timestamp, now: Timestamp) -> bool {
    ahead(at, now) > SKEW_REFUSE
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(1_800_000_000_000 + ms).expect("in range")
    }

    #[test]
    fn stamps_grow_also_while_the_clock_stands_or_is_put_back() {
        let mut clock = HybridClock::default();
        let mut before = clock.tick(at(0));
        for ms in [0, 0, 5, -60_000, -60_000, 6] {
            let stamp = clock.tick(at(ms));
            assert!(stamp > before, "{ms}");
            before = stamp;
        }
        assert_eq!(before.at(), at(6));
    }

    #[test]
    fn what_follows_what_was_heard_is_later() {
        let mut clock = HybridClock::default();
        let heard = Hlc::default().next(at(90_000));
        assert_eq!(clock.hear(heard, at(0)), Ok(()));
        assert!(clock.tick(at(1)) > heard);
    }

    #[test]
    fn a_stamp_from_far_ahead_does_not_move_it() {
        let mut clock = HybridClock::default();
        assert_eq!(clock.hear(Hlc::default().next(at(300_000)), at(0)), Ok(()));
        for forged in [Hlc::default().next(at(300_001)), Hlc::from_bits(u64::MAX), Hlc::from_bits(u64::MAX - 1)] {
            let refused = clock.hear(forged, at(0)).expect_err("too far ahead");
            assert!(refused.0 > SKEW_REFUSE && refused.to_string().contains("not taken over"));
        }
        assert!(clock.tick(at(0)).at() <= at(300_001));
    }

    #[test]
    fn a_node_that_starts_again_goes_on_after_its_newest_entry() {
        let newest = Hlc::default().next(at(10_000));
        let mut clock = HybridClock::after(newest);
        assert!(clock.tick(at(0)) > newest);
    }
}
