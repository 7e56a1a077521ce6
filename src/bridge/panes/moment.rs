//! Now, by both clocks: one that people read, and one that never jumps.

use jiff::Timestamp;
use tokio::time::Instant;

/// A moment.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// As people read it.
    pub at: Timestamp,
    /// For measuring time.
    pub instant: Instant,
}

impl Moment {
    /// This one.
    #[must_use]
    pub fn now() -> Self {
        Self { at: Timestamp::now(), instant: Instant::now() }
    }
}
