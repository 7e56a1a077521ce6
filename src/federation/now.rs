//! The two clocks of this machine: one tells how long something lasts, the other what time it is.

use std::time::Duration;

use jiff::Timestamp;

/// A moment by both clocks. How long somebody has been silent is told by `mono` only, so that nobody is late because a
/// clock was put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Time since some moment of this process, by a clock that nobody puts and that goes on while the process is stopped.
    pub mono: Duration,
    /// The time of day.
    pub wall: Timestamp,
}

impl Now {
    /// What time of day it was at `mono`, by the clock as it is put now.
    #[must_use]
    pub fn wall_at(self, mono: Duration) -> Timestamp {
        self.wall.saturating_sub(self.mono.saturating_sub(mono)).unwrap_or(Timestamp::MIN)
    }

    /// How far the time of day was put since `before`, in milliseconds; ordinary time that passed does not count.
    #[must_use]
    pub fn moved_since(self, before: Self) -> i64 {
        let passed = i64::try_from(self.mono.saturating_sub(before.mono).as_millis()).unwrap_or(i64::MAX);
        millis(self.wall).saturating_sub(millis(before.wall)).saturating_sub(passed)
    }
}

/// Milliseconds since 1970.
pub(super) fn millis(at: Timestamp) -> i64 {
    at.as_millisecond()
}
