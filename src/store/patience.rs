//! How long a reader may look before it answers with what it has found.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Time for one answer. What is under way when it is over ends first: one part of the search index, at most.
const ANSWER: Duration = Duration::from_millis(25);
/// The same for what is ranked afterwards.
const TO_RANK: Duration = Duration::from_millis(8);

/// The patience of whoever asked. It can be ended from elsewhere; then the reader stops at once, without an answer.
#[derive(Debug, Clone)]
pub struct Patience {
    began: Instant,
    is_endless: bool,
    ended: Arc<AtomicBool>,
}

impl Patience {
    /// For one answer to a client.
    #[must_use]
    pub fn for_answer() -> Self {
        Self { began: Instant::now(), is_endless: false, ended: Arc::default() }
    }

    /// For what must be whole, however long it takes.
    #[must_use]
    pub fn endless() -> Self {
        Self { is_endless: true, ..Self::for_answer() }
    }

    /// Ends it: nobody waits for the answer any more.
    pub fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
    }

    /// Whether nobody waits any more.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    /// Whether it is time to answer.
    pub(super) fn is_over(&self) -> bool {
        !self.is_endless && self.began.elapsed() >= ANSWER
    }

    /// Whether it is time to rank what was found.
    pub(super) fn is_over_for_ranking(&self) -> bool {
        !self.is_endless && self.began.elapsed() >= TO_RANK
    }
}
