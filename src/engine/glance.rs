//! How aurora is, in one word: worked out once a second at most, however many ask.

use jiff::{SignedDuration, Timestamp};

use crate::protocol::Overall;

/// How old an answer may be. Whoever needs no token can ask this; working it out takes a look at everything.
const FRESH: SignedDuration = SignedDuration::from_secs(1);

/// The last answer.
#[derive(Debug, Default)]
pub(super) struct Glance(Option<(Timestamp, Overall)>);

impl Glance {
    /// The last answer, while it is fresh. A clock that was set back ends it too.
    pub(super) fn fresh(&self, now: Timestamp) -> Option<Overall> {
        self.0.filter(|(at, _)| now.duration_since(*at).abs() < FRESH).map(|(_, overall)| overall)
    }

    /// Remembers and answers it.
    pub(super) fn keep(&mut self, overall: Overall, now: Timestamp) -> Overall {
        self.0 = Some((now, overall));
        overall
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_fresh_for_a_second() {
        let at = |milliseconds: i64| Timestamp::from_millisecond(1_700_000_000_000 + milliseconds).expect("in range");
        let mut glance = Glance::default();
        assert_eq!(glance.fresh(at(0)), None);
        assert_eq!(glance.keep(Overall::Degraded, at(0)), Overall::Degraded);
        assert_eq!([0, 999, 1_000, -1_000].map(|ms| glance.fresh(at(ms)).is_some()), [true, true, false, false]);
        glance.keep(Overall::Up, at(1_000));
        assert_eq!(glance.fresh(at(1_500)), Some(Overall::Up));
    }
}
