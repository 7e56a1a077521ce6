//! By which way a session is heard when control clients do not last. Pure.

use std::time::Duration;

use crate::model::PaneFeedKind;

/// A control client that lives shorter has not worked.
const INSTANT: Duration = Duration::from_secs(1);
/// So many in a row, and control clients are given up: some servers (tmux 3.6a) send every new one away and only a new
/// server helps, which is not ours to start.
const IN_A_ROW: u32 = 5;
const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Attach again after so long.
    Again(Duration),
    /// Hear it this way from now on.
    By(PaneFeedKind),
}

/// How well one session of one server could be heard so far. Another server begins anew.
#[derive(Debug, Clone, Default)]
pub struct Fallback {
    instant: u32,
    given_up: bool,
    pipes_fail: bool,
}

impl Fallback {
    /// The way that is worth trying now.
    #[must_use]
    pub fn kind(&self) -> PaneFeedKind {
        match (self.given_up, self.pipes_fail) {
            (false, _) => PaneFeedKind::Control,
            (true, false) => PaneFeedKind::Pipe,
            (true, true) => PaneFeedKind::Poll,
        }
    }

    /// A control client has ended after so long, though its session is still there.
    pub fn control_ended(&mut self, lived: Duration) -> Next {
        self.instant = if lived < INSTANT { self.instant + 1 } else { 0 };
        self.given_up |= self.instant >= IN_A_ROW;
        if self.given_up {
            return Next::By(self.kind());
        }
        Next::Again((FIRST_WAIT * 2_u32.saturating_pow(self.instant)).min(LONGEST_WAIT))
    }

    /// A pipe could not be had, or has ended though its pane is still there: somebody else pipes it.
    pub fn pipe_failed(&mut self) -> Next {
        self.pipes_fail = true;
        Next::By(self.kind())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT_ONCE: Duration = Duration::from_millis(20);

    #[test]
    fn five_instant_ends_in_a_row_lead_to_pipes_and_those_to_polling() {
        let mut fallback = Fallback::default();
        let waits: Vec<Next> = (0..4).map(|_| fallback.control_ended(AT_ONCE)).collect();
        assert_eq!(waits, [400, 800, 1600, 3200].map(|ms| Next::Again(Duration::from_millis(ms))));
        assert_eq!(fallback.control_ended(AT_ONCE), Next::By(PaneFeedKind::Pipe));
        assert_eq!(fallback.pipe_failed(), Next::By(PaneFeedKind::Poll));
        assert_eq!(fallback.kind(), PaneFeedKind::Poll);
    }

    #[test]
    fn a_client_that_lasted_counts_the_others_anew() {
        let mut fallback = Fallback::default();
        for _ in 0..3 {
            for _ in 0..4 {
                fallback.control_ended(AT_ONCE);
            }
            assert_eq!(fallback.control_ended(Duration::from_mins(1)), Next::Again(FIRST_WAIT));
        }
        assert_eq!(fallback.kind(), PaneFeedKind::Control);
    }
}
