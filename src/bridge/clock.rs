//! A clock of this machine that was put back: whoever waits for a moment waits as long as before.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::state::Bridge;

/// A clock that goes back by less makes nobody wait for longer than that.
const SLIGHT: Duration = Duration::from_secs(1);

impl Bridge {
    /// Notices what the clock shows. When it was put back, every moment that is remembered is moved with it.
    pub(super) fn notice_clock(&mut self, now: Timestamp) {
        let step = self.clock.duration_since(now);
        if step <= SignedDuration::try_from(SLIGHT).unwrap_or_default() {
            self.clock = self.clock.max(now);
            return;
        }
        self.clock = now;
        self.jobs.values_mut().for_each(|job| job.clock_back(step));
        self.hosts.values_mut().for_each(|host| host.clock_back(step));
        self.queue.clock_back(step);
        self.rollouts.clock_back(step);
        back(&mut self.places.0, step);
        self.stirred = true;
    }
}

/// Moves `at` back by `step`.
pub(super) fn back(at: &mut Timestamp, step: SignedDuration) {
    *at = at.saturating_sub(step).unwrap_or(*at);
}
