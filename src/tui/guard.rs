//! A dialog that has just come does nothing by keys that were typed before it was seen.

use jiff::{SignedDuration, Timestamp};

/// Keys in the first moments were meant for what was there before.
const DEAF: SignedDuration = SignedDuration::from_millis(300);

/// Since when a dialog is there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Guard {
    since: Timestamp,
}

impl Guard {
    /// A dialog that comes at `now`.
    pub(super) fn new(now: Timestamp) -> Self {
        Self { since: now }
    }

    /// Whether a key at `now` is meant for it.
    pub(super) fn hears(self, now: Timestamp) -> bool {
        now.duration_since(self.since) >= DEAF
    }
}
